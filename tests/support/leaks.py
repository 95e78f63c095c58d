"""What a test must not leave behind, and how it is found."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from .rx import describe_subscription, live_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

THREAD_PATIENCE = 2.0
"""So many real seconds a thread that was told to end gets to do so."""


class LeakWatch(logging.Handler):
    """Watches one test, from before its fixtures to after them.

    Attributes:
        loop_errors: What reached an event loop's exception handler, as the contexts it was called with.
        problems: What else was found, as sentences.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.loop_errors: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._threads: set[threading.Thread] = set()
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to watch."""
        self._threads = set(threading.enumerate())
        unraisablehook, excepthook = sys.unraisablehook, threading.excepthook
        sys.unraisablehook = self._unraisable
        threading.excepthook = self._thread_failed
        logger = logging.getLogger("asyncio")
        logger.addHandler(self)

        def undo() -> None:
            sys.unraisablehook = unraisablehook
            threading.excepthook = excepthook
            logger.removeHandler(self)

        self._undo.append(undo)

    def stop(self) -> None:
        """Stop to watch, and look at what is left."""
        try:
            # Destructors of what the first collection freed can make garbage of their own.
            gc.collect()
            gc.collect()
            self._check_threads()
            self.problems += [
                f"RxPY subscription left alive: {describe_subscription(found)}" for found in live_subscriptions()
            ]
            # What is alive now is of no later test's making: neither to be blamed on one, nor to be looked at again.
            gc.freeze()
        finally:
            for undo in self._undo:
                undo()

    def found(self) -> list[str]:
        """Return everything that was found, as sentences."""
        return self.problems + [f"reached the loop's exception handler: {_shown(error)}" for error in self.loop_errors]

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what reached the exception handler of a test's own loop."""
        self.loop_errors.append(context)

    def emit(self, record: logging.LogRecord) -> None:
        """Take what a loop that has no handler of its own gave to asyncio's logger."""
        error = record.exc_info[1] if record.exc_info else None
        self.loop_errors.append({"message": record.getMessage(), "exception": error})

    def check_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look for tasks and timers that the end of a test left on its loop."""
        self.problems += [f"pending task left on the loop: {task!r}" for task in asyncio.all_tasks(loop)]
        # Only asyncio's own loops can be asked for their timers.
        scheduled = getattr(loop, "_scheduled", ())
        self.problems += [f"timer left on the loop: {timer!r}" for timer in scheduled if not timer.cancelled()]

    def _unraisable(self, unraisable: Any) -> None:
        what = "" if unraisable.object is None else f" in {unraisable.object!r}"
        message = unraisable.err_msg or "unraisable exception"
        self.problems.append(f"{message}{what}: {unraisable.exc_type.__name__}: {unraisable.exc_value}")

    def _thread_failed(self, args: Any) -> None:
        self.problems.append(f"thread {args.thread!r} died of {args.exc_value!r}")

    def _check_threads(self) -> None:
        deadline = monotonic() + THREAD_PATIENCE
        for thread in threading.enumerate():
            if thread in self._threads or thread is threading.current_thread():
                continue
            thread.join(max(0.0, deadline - monotonic()))
            if thread.is_alive():
                self.problems.append(f"thread left running: {thread!r}")


def _shown(context: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in context.items() if key != "source_traceback")
