"""A program under `memtally run`, from inside: when its snapshots are taken, and where they are written.

Everything here runs in the traced process, before the program's first line or beside it. So it imports
nothing that python has not loaded anyway, never raises into the program, and is itself left out of all
snapshots.
"""
