"""What memtally shows, one kind of report a module."""
