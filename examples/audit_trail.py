"""Run a Python script, and tell what it opens, imports, connects to and starts.

Usage::

    python examples/audit_trail.py SCRIPT [ARGS ...]
    python examples/audit_trail.py --output trail.txt --all SCRIPT [ARGS ...]
    python examples/audit_trail.py --live SCRIPT [ARGS ...]

The trail goes to stderr while the script runs, and a summary follows when everything has ended, its threads and exit
handlers too. The script has the main thread, its own arguments and its own standard streams; its exit status and its
exceptions are passed on. The exit status of wrong arguments is 2.

With ``--live`` stderr shows the operators and topics at work instead of the trail, which goes to ``--output`` alone;
that needs the extra ``cli``. On a terminal, what the script prints appears above the table meanwhile.

The interpreter raises an `audit event`_ for whatever may be of interest to somebody. An ``EventBus`` listens to them
on an event loop in a thread of its own, and a few operators make a trail for people of what may be thousands a second::

    EventBus ─► Observable ─ filter ─ map ─ filter ─┬─► Trail.add
                                                    ├─ at_change ─ throttle ─┐
                                                    ├─ throttle ─────────── merge ─► Trail.show
                                                    └─ debounce ─────────────┘

.. _audit event: https://docs.python.org/3/library/audit_events.html
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import os
import runpy
import shlex
import sys
import sysconfig
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO
from zipfile import is_zipfile

from asyncutils_rx import EventBus, Observable
from asyncutils_rx.exceptions import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from asyncutils_rx.live import LiveView

PYTHONS_OWN = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
CHANGES = ("chdir", "chmod", "chown", "link", "mkdir", "remove", "rename", "rmdir", "symlink", "truncate", "utime")
WIDTH = 90
PATIENCE = 20
"""So many hundredths of a second the trail waits for the end of a line that the script writes."""


class Action(NamedTuple):
    """Something that the script did, and to what."""

    verb: str
    target: str


def describe(event: str, args: tuple[Any, ...]) -> Action | None:
    """Return the action that an audit event tells of, or None where it tells of none that matters here."""
    match event, args:
        case "open", (str() | bytes() as path, mode, int() as flags):
            writes = flags & (os.O_WRONLY | os.O_RDWR) if mode is None else set(mode) & set("wax+")
            return Action("write" if writes else "read", text(path))
        case "import", (str() as module, None, *_):
            return Action("import", module.partition(".")[0])
        case (("os.listdir" | "os.scandir"), (str() | bytes() as path,)):
            return Action("list", text(path))
        case (("socket.connect" | "socket.bind"), (_, address)):
            return Action("connect" if event == "socket.connect" else "listen", endpoint(address))
        case "socket.getaddrinfo", (host, *_) if host:
            return Action("look up", text(host))
        case "sqlite3.connect", (database,):
            return Action("connect", f"sqlite {text(database)}")
        case "urllib.Request", (url, *_):
            return Action("fetch", text(url))
        case (("subprocess.Popen" | "os.posix_spawn" | "os.exec"), (path, argv, *_)):
            return Action("run", command(argv or [path]))
        case "os.spawn", (_, _, argv, _):
            return Action("run", command(argv))
        case "os.system", (line,):
            return Action("run", text(line))
        case (("os.fork" | "os.forkpty"), ()):
            return Action("start", "a fork of itself")
        case (("_thread.start_new_thread" | "_thread.start_joinable_thread"), (function, *_)):
            thread = getattr(function, "__self__", None)
            return Action("start", f"thread {text(thread.name if isinstance(thread, threading.Thread) else function)}")
        case "ctypes.dlopen", (name, *_) if name:
            return Action("load", text(name))
        case _ if event.startswith("os.") and event[3:] in CHANGES:
            return Action(event[3:], " -> ".join(text(arg) for arg in args if isinstance(arg, str | bytes)) or "?")
        case _:
            return None


def text(value: object) -> str:
    """Show a path, a name or a line as the script gave it, in limited length and without control characters."""
    shown = os.fsdecode(value) if isinstance(value, str | bytes | PurePath) else f"<{type(value).__name__}>"
    shown = shown if shown.isprintable() else ascii(shown)[1:-1]
    return shown if len(shown) <= WIDTH else f"{shown[: WIDTH // 2]}...{shown[-WIDTH // 3 :]}"


def command(argv: str | Sequence[object]) -> str:
    """Show a command line."""
    return text(argv if isinstance(argv, str) else shlex.join(map(text, argv)))


def endpoint(address: Any) -> str:
    """Show the address of a socket."""
    match address:
        case (str() as host, int() as port, *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return text(address)


class Selection:
    """Selects the audit events of a script: none before its code is executed, and none of Python's own files."""

    def __init__(self, script: str, *, everything: bool) -> None:
        self.script = script
        self.everything = everything
        # In a folder or a zip file, the code has a path of its own.
        self.begun = Path(script).is_dir() or is_zipfile(script)
        self.seen = self.hidden = 0
        self.popen: object = None

    def __call__(self, event: str, args: tuple[Any, ...]) -> bool:
        """Whether the event belongs to the trail."""
        self.seen += 1
        if not self.begun:
            self.begun = event == "exec" and args[0].co_filename == self.script
            return False
        # From 3.13 on, subprocess tells of posix_spawn too, which makes two events of one start.
        twin = event == "os.posix_spawn" and args[1] == self.popen
        self.popen = args[1] if event == "subprocess.Popen" else None
        if twin or self.everything or not self._is_pythons_own(event, args):
            return not twin
        self.hidden += 1
        return False

    @staticmethod
    def _is_pythons_own(event: str, args: tuple[Any, ...]) -> bool:
        if event not in {"open", "os.listdir", "os.mkdir", "os.rename"} or not isinstance(args[0], str):
            return False
        path = args[0]
        return path.startswith(PYTHONS_OWN) or "__pycache__" in path or (event == "os.listdir" and path in sys.path)


class Line:
    """Whether the script is in the middle of a line of its stderr, so that the trail can wait for the end of it.

    Sees what is written through ``sys.stderr``, which is the script's own as ever, and not what bypasses it.
    """

    def __init__(self) -> None:
        self.turn = threading.RLock()
        self.begun = self.reserved = False
        self.write: Callable[[str], int] = len
        self.flush: Callable[[], object] = bool

    def watch(self, stream: TextIO) -> None:
        """Take note of what is written to a stream."""
        self.write, self.flush = stream.write, stream.flush
        stream.write = self.written  # type: ignore[method-assign]  # print() and tracebacks write through this too
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def written(self, text: str) -> int:
        """Write what the script writes."""
        with self.turn:
            count = self.write(text)
            if text:
                self.begun = not text.endswith("\n")
            return count

    def end(self) -> None:
        """End the line that the script has begun, if any."""
        if self.begun:
            with suppress(OSError, ValueError):  # nobody reads it, or the script closed it
                self.written("\n")
                self.flush()

    def renew(self) -> None:
        """In a fork, the thread that had its turn does not run."""
        self.turn = threading.RLock()


class Trail:
    """What the script did, by verb and target: in all, and since the trail was shown last."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.line = Line()
        self.begin = time.perf_counter()
        self.outcome = "still running"
        self.script_globals: dict[str, Any] = {}
        self.events = 0
        self.errors: Counter[str] = Counter()
        self.total: dict[str, Counter[str]] = {}
        self.recent: dict[str, Counter[str]] = {}
        self.is_quiet = False

    def add(self, action: Action) -> None:
        """Enter an action."""
        for ledger in (self.total, self.recent):
            ledger.setdefault(action.verb, Counter())[action.target] += 1

    async def show(self, _latest: Action | None = None) -> None:
        """Print what was entered since the last time, one line for each verb, between two lines of the script."""
        for _ in range(PATIENCE):
            if self.try_to_show(even_within_a_line=False):
                return
            await asyncio.sleep(0.01)
        self.try_to_show(even_within_a_line=True)

    def try_to_show(self, *, even_within_a_line: bool) -> bool:
        """Print what was entered, unless the script is in the middle of something; return whether that was done."""
        with self.line.turn:
            if self.line.reserved or (self.line.begun and not even_within_a_line):
                return False
            if self.is_quiet:
                self.recent.clear()
            if self.recent:
                self.line.end()
            for verb, targets in self.recent.items():
                self._print(f"{time.perf_counter() - self.begin:8.3f} s  {verb:8} {listed(targets)}")
            self.recent.clear()
            return True

    def summarise(self, script: str, hidden: int) -> None:
        """Print the whole by verb, the most frequent targets first."""
        self.line.reserved = False
        self.try_to_show(even_within_a_line=True)
        self.line.end()
        actions = sum(targets.total() for targets in self.total.values())
        elapsed = time.perf_counter() - self.begin
        self._print(f"--- {script}: {self.outcome} after {elapsed:.3f} s, {actions:,} actions")
        for verb, targets in self.total.items():
            self._print(f"{targets.total():9,}  {verb:8} {listed(Counter(dict(targets.most_common())))}")
        self._print(
            f"--- {self.events:,} audit events seen, {hidden:,} of them on Python's own files (--all shows these)"
        )
        for error, count in self.errors.most_common(5):
            self._print(f"--- the trail has a gap: {error} ({count:,}x)")

    def _print(self, line: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it, or the script closed all files
            print(line, file=self.stream, flush=True)


def listed(targets: Counter[str]) -> str:
    """Name as many targets as a line takes."""
    named: list[str] = []
    for target, count in targets.items():
        named.append(target if count == 1 else f"{target} ({count:,}x)")
        if len(", ".join(named)) > WIDTH:
            break
    if len(named) > 1 and len(", ".join(named)) > WIDTH:
        named.pop()
    rest = len(targets) - len(named)
    return ", ".join(named) + (f" and {rest:,} more" if rest else "")


def view_of(bus: EventBus, events: Observable[[str, Any]]) -> LiveView:
    """A table of the pipeline at work, on stderr."""
    from asyncutils_rx.live import watch

    return watch(bus, events, display="rich")


class Recorder(threading.Thread):
    """Records the audit events of this process, on an event loop in a thread of its own."""

    def __init__(self, trail: Trail, selection: Selection, *, live: bool = False) -> None:
        super().__init__(name="audit trail", daemon=True)
        self.live = live
        self.trail = trail
        self.selection = selection
        self.stopping = threading.Event()
        self.started: Future[Callable[[], object]] = Future()

    async def record(self) -> None:
        """Record until the function that ``started`` receives is called."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        loop.set_exception_handler(lambda _loop, context: self.fail(context.get("exception", context["message"])))
        async with Observable[[str, Any]]() as events, EventBus("audit trail", tracking_stats=True) as bus:
            bus.subscribe(events.notify)
            selected = events.filter(self.selection)
            described: Observable[...] = selected.map(lambda event, args: ((describe(event, args),), {}))
            actions: Observable[[Action]] = described.filter(bool)
            actions.subscribe_nowait(self.trail.add)
            begins = actions.at_change(lambda action: action.verb).throttle(0.1)
            continues = actions.throttle(1.0)
            rests = actions.debounce(0.2)
            Observable.merge(begins, continues, rests).subscribe_nowait(self.trail.show)
            with view_of(bus, events) if self.live else nullcontext():
                with bus.audit_context():
                    self.started.set_result(lambda: loop.call_soon_threadsafe(over.set))
                    await over.wait()
                    self.stopping.set()
                await bus.shutdown(preserve_stats=True)
            self.trail.events = sum(bus.get_event_stats().values())

    def run(self) -> None:
        """Run the event loop."""
        try:
            asyncio.run(self.record(), debug=False)
        except BaseException as error:
            self.fail(error)

    def fail(self, error: object) -> None:
        """Note what makes the trail incomplete; no script shall suffer from it."""
        if isinstance(error, BaseException) and not self.started.done():
            self.started.set_exception(error)
        self.trail.errors[repr(error)] += 1

    def finish(self) -> None:
        """Wait until everything is entered, or nothing is entered any more."""
        with suppress(RuntimeError):  # its loop has ended already
            self.started.result()()
        seen = -1
        while self.is_alive() and not self.stopping.wait(1.0) and seen < self.selection.seen:
            seen = self.selection.seen
        if self.stopping.is_set():
            self.join()
        elif self.is_alive():
            self.trail.errors["the recorder does not answer any more; did the script close all files?"] += 1


def run(script: str, args: Sequence[str], trail: Trail) -> int:
    """Run the script as the interpreter would; return the exit status, or raise what the script ends with."""
    sys.argv = [script, *args]
    sys.path[0] = str(Path(script).resolve().parent)
    # With a thread of ours, the interpreter would warn of each fork of a script that has one thread itself.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    try:
        # Bound for as long as threads and exit handlers may need them.
        trail.script_globals = runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        trail.outcome = f"exit status {error.code if isinstance(error.code, int) else int(error.code is not None)}"
        raise
    except KeyboardInterrupt as error:
        trail.outcome = "interrupted"
        tell_of(error, trail)
        sys.excepthook = say_nothing  # it was told of, and still has to end the process in its own way
        raise
    except BaseException as error:
        trail.outcome = type(error).__name__
        tell_of(error, trail)
        return 1
    trail.outcome = "exit status 0"
    return 0


def tell_of(error: BaseException, trail: Trail) -> None:
    """Do what the interpreter does with an error that nobody caught, as if there were only the script."""
    error.__traceback__ = frames_of_script(error.__traceback__)
    trail.line.reserved = True  # no line of the trail in the middle of the traceback
    sys.excepthook(type(error), error, error.__traceback__)
    trail.line.reserved = False


def say_nothing(_kind: type[BaseException], _error: BaseException, _traceback: TracebackType | None) -> None:
    """Tell nothing of an error."""


def frames_of_script(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out the frames that are not the script's."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in {__file__, "<frozen runpy>"}:
        traceback = traceback.tb_next
    return traceback


def main(argv: Sequence[str] | None = None) -> int:
    """Run a script and its trail; return the exit status."""
    parser = argparse.ArgumentParser(description="Run a Python script and tell what it opens, imports and starts.")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the trail to a file, not to stderr")
    parser.add_argument("--all", action="store_true", help="show Python's library and cache files too")
    parser.add_argument("--live", action="store_true", help="show the pipeline at work on stderr, and no trail there")
    parser.add_argument("script", help="a Python file, or a folder or zip file with a __main__.py")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="the script's own arguments").required = False
    options = parser.parse_args(argv)
    if not Path(options.script).exists():
        parser.error(f"there is no script {options.script}")
    if Path(options.script).is_dir() and not Path(options.script, "__main__.py").exists():
        parser.error(f"there is no __main__.py in {options.script}")
    try:
        # Not sys.stderr, which is the script's to replace and to close.
        output = options.output or os.dup(2)
        # Path.open takes no descriptor, and the last line is written when the process ends.
        stream = open(output, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115
    except OSError as error:
        parser.error(f"cannot write the trail: {error}")
    trail, selection = Trail(stream), Selection(options.script, everything=options.all)
    if not options.output and sys.stderr is not None:
        trail.line.watch(sys.stderr)
    trail.is_quiet = options.live and options.output is None
    recorder = Recorder(trail, selection, live=options.live)
    recorder.start()
    try:
        recorder.started.result()
    except MissingExtraError as error:
        parser.error(str(error))
    process = os.getpid()

    def end() -> None:
        if os.getpid() == process:  # and not a fork of it
            recorder.finish()
            trail.summarise(options.script, selection.hidden)
        with suppress(OSError):
            stream.close()

    # The first handler registered is the last one to run, after the script's own and after its threads.
    atexit.register(end)
    return run(options.script, options.args, trail)


if __name__ == "__main__":
    sys.exit(main())
