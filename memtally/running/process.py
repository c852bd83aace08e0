"""One process of a run: its series, its signals, its forks and its end.

The main process reports on stderr at its end; children only write their snapshots. Nothing here may change
how the program ends: whatever goes wrong becomes one line on stderr.

An end is one of: python's own exit (atexit), SIGTERM where the program leaves that to python, and the end of
a multiprocessing worker, which leaves by os._exit and tells multiprocessing.util before. os._exit itself,
os.exec... and signals that kill end a process unseen; what is left then is the last snapshot of its series.

All of this runs with the GIL: in the main thread, but for `_write_next`, which the ticker's thread calls as
well.
"""

import atexit
import os
import sys
from _thread import allocate_lock

import memtally
from memtally import _core
from memtally.reports import at_exit
from memtally.running import files, program
from memtally.running.ticker import Ticker

TYPE_CHECKING = False
if TYPE_CHECKING:  # the program is to find python's own sys.modules, so neither typing nor contextlib
    import signal as _signal
    from types import FrameType

    from memtally.running.plan import Plan
else:
    import _signal

_RUNS_NO_FILE = ("", "-", "-c")
"""sys.argv[0] where python runs a string or its standard input: `__main__` gets no loader of its own then."""

_ENDING = (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)
"""Signals that still end the process after the snapshot that --on-signal asked for, if they would have."""

_LAST = -(10**6)
"""The priority of what multiprocessing is to call at a worker's end: after all that the program has there."""


class Ended(BaseException):
    """One more signal to end than can wait until the end is written: that shall leave nothing half done."""


def begin(plan: "Plan", *, silent: bool = False) -> None:
    """Take part in the run from now on; a SILENT process (a server of forks) writes nothing itself."""
    Process(plan, silent).begin()


class Process:
    """This process's part of a run. Forked children go on with the same object."""

    def __init__(self, plan: "Plan", silent: bool) -> None:
        self._plan = plan
        self._silent = silent
        self._forked = False
        self._finished = False
        self._ends_by = 0  # the signal that came while the end was being written
        self._number = 0  # of the series; 0: nobody has looked yet
        self._series: list[str] = []  # what stands in the folder of it, oldest first
        self._writing = allocate_lock()
        self._alone = True  # the thread that forks has no other beside it
        self._complaint = ""  # the last one that was said about the series
        self._ticker = Ticker(plan.every, self._write_next) if plan.every and plan.file else None
        self._inherited: object = None  # what the signal of the plan would have done
        reads_file = bool(sys.argv) and sys.argv[0] not in _RUNS_NO_FILE
        self._unstarted = program.main_loader() if reads_file else None
        self._folder = _current_folder()

    def begin(self) -> None:
        atexit.register(self._at_exit)
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._in_parent, after_in_child=self._in_child
        )
        if self._ticker:
            os.register_at_fork(after_in_parent=_core._soon(self._start_ticker))
        if self._plan.signal and self._plan.file:
            self._inherited = _signal.signal(self._plan.signal, self._on_signal)
        if _signal.getsignal(_signal.SIGTERM) == _signal.SIG_DFL:
            _signal.signal(_signal.SIGTERM, self._on_end)
        self._remind()
        if not self._silent:
            self._start_ticker()

    # --- forks

    def _before_fork(self) -> None:
        if self._ticker:
            self._ticker.stop()
            self._alone = _threads() == 1

    def _in_parent(self) -> None:
        """Start the ticker at once where it is not alone; else after the fork, or python would warn of it."""
        if not self._alone:
            self._start_ticker()

    def _stop_ticker(self) -> None:
        if self._ticker:
            self._ticker.stop()

    def _start_ticker(self) -> None:
        if self._ticker and not self._finished and not self._silent:
            try:
                self._ticker.start()
            except RuntimeError as error:
                self._complain(f"no series of snapshots: {error}")

    def _in_child(self) -> None:
        self._forked, self._silent = True, False
        self._number, self._series = 0, []
        self._writing = allocate_lock()
        self._remind()
        if self._ticker:
            self._ticker.postpone()
        self._start_ticker()
        util = sys.modules.get("multiprocessing.util")
        if util:
            try:
                util.register_after_fork(self, Process._in_worker)
            except Exception:  # the program has a module of its own by that name
                return

    def _in_worker(self) -> None:
        """Called by multiprocessing in the child, once it is known to be a worker."""
        sys.modules["multiprocessing.util"].Finalize(None, self.finish, exitpriority=_LAST)

    # --- the series

    def _write_next(self) -> str:
        """Write the next snapshot of the series, and remove what is older than the last ones.

        The name of the new one; "" where there is none, which has been said.
        """
        if not self._writing.acquire(False):
            return ""  # one is being written right now
        try:
            if not memtally.is_tracing():
                return ""
            snapshot = program.snapshot()
            own = files.own_file(self._plan.file, self._plan.main, os.getpid())
            number = (self._number or files.highest_number(own)) + 1
            name = files.publish(snapshot, files.numbered(own, number), replace=False)
            self._number = number
            self._series.append(name)
            while len(self._series) > self._plan.keep:
                files.remove(self._series.pop(0))
        except Exception as error:
            self._complain(f"snapshot not saved: {at_exit.reason(error)}")
            return ""
        finally:
            self._writing.release()
        self._complaint = ""
        return name

    def _complain(self, message: str) -> None:
        """Say MESSAGE, unless that is what was said last."""
        if message != self._complaint:
            self._complaint = message
            at_exit.say(at_exit.open_stderr(), message)

    # --- signals

    def _remind(self) -> None:
        """See to it that SIGTERM ends this process, whatever the main thread waits for."""
        if _signal.getsignal(_signal.SIGTERM) == self._on_end:
            try:
                _core._remind(_signal.SIGTERM)
            except OSError:  # no timer is left: python's own way then, and the default one is safer
                _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)

    def _on_signal(self, number: int, frame: "FrameType | None") -> None:
        """A snapshot was asked for; then what the signal does anyway, if it is one that ends a process."""
        name = self._write_next() if not self._silent else ""
        if name and not self._plan.quiet:
            at_exit.say(at_exit.open_stderr(), f"snapshot saved to {name}")
        if callable(self._inherited):
            self._inherited(number, frame)
        elif self._inherited == _signal.SIG_DFL and number in _ENDING:
            self._on_end(number, frame)

    def _on_end(self, number: int, frame: "FrameType | None") -> None:
        """Write what there is to write, then die of the signal, as if nobody had listened."""
        _core._relent()
        if self._ends_by:
            raise Ended
        self._ends_by = number
        if not self._finished:  # else: whoever writes the end dies of it afterwards
            try:
                self.finish(flush=False)
            finally:
                _die_of(number)

    # --- the end

    def _at_exit(self) -> None:
        try:
            self.finish()
        except KeyboardInterrupt:
            self._stop_ticker()  # else a file of the series may stay half written
            at_exit.say(at_exit.open_stderr(), "interrupted: what is missing here was not written")
            _stay_interrupted()
        if getattr(sys, "last_type", None) is KeyboardInterrupt:
            _stay_interrupted()

    def finish(self, flush: bool = True) -> None:
        """Stop tracing, write the snapshot of this process, and report if it is the main one. Once."""
        if self._finished or self._silent:
            return
        self._finished = True
        self._stop_ticker()
        try:
            self._report(flush)
        except Ended:
            _die_of(self._ends_by)
        finally:
            self._let_go()

    def _report(self, flush: bool) -> None:
        plan, stream = self._plan, at_exit.open_stderr()
        try:
            holdings = program.stop_tracing()
        except Exception as error:  # for one, no memory is left for a snapshot
            at_exit.say(stream, f"no table: {at_exit.reason(error)}")
            return
        if not self._forked and not program.began(self._unstarted):
            return
        if os.getpid() == plan.main:
            if flush:
                _flush_stdout()
            at_exit.report(holdings, plan, self._folder, stream)
        elif holdings and plan.file and not files.is_special(plan.file):
            at_exit.save(
                holdings.live, files.own_file(plan.file, plan.main, os.getpid()), plan.replace, stream
            )

    def _let_go(self) -> None:
        """From now on SIGTERM ends the process as under python, if the program did not change that."""
        if self._ends_by:
            _die_of(self._ends_by)
        try:
            if _signal.getsignal(_signal.SIGTERM) == self._on_end:
                _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
        except ValueError:  # not the main thread
            return


def _die_of(signal: int) -> None:
    """End the process by SIGNAL, as one that nobody listens to."""
    _signal.signal(signal, _signal.SIG_DFL)
    os.kill(os.getpid(), signal)


def _threads() -> int:
    """How many threads this process has, python's and others."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:  # nobody mounted it
        return 2


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _flush_stdout() -> None:
    """Let what the program printed come before the tables; if it cannot be written, python will say so."""
    try:
        sys.stdout.flush()
    except Exception:
        return


def _stay_interrupted() -> None:
    """Let python still die of the Ctrl-C that ended the program: running a string makes it forget.

    One is run wherever a namedtuple is made, say, and the report may import what makes one. So this runs a
    string that ends as the program ended.
    """
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return
