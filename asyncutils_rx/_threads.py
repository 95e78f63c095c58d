"""What a thread has of a call that it asked an event loop for: a future that loses no error, and never hangs.

Knows asyncio and errors, and not whom the call is for.
"""

from __future__ import annotations

from asyncio import get_running_loop
from concurrent.futures import Future
from contextlib import suppress
from sys import is_finalizing
from typing import TYPE_CHECKING, Any

from .exceptions import NoLoopError, ReentrancyError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable

__all__ = ["Errand", "ThreadsafeCall"]


class ThreadsafeCall(Future[None]):
    """The end of a call, for a thread that is not the loop's.

    Cancelling it cancels the call. An error that nobody has asked for by the time the future is gone is reported as one
    that no caller can receive.

    Args:
        loop: The loop that the call is made on.
        report: Takes an error that nobody has asked for, on the loop's thread while there is one.
        instead: The coroutine that is for the loop's own thread, for the error of who waits there.
    """

    def __init__(self, loop: AbstractEventLoop, report: Callable[[Exception], None], instead: str) -> None:
        super().__init__()
        self._loop = loop
        self._report = report
        self._instead = instead
        self._asked = False
        self._error: Exception | None = None
        self._task: Task[None] | None = None

    def result(self, timeout: float | None = None) -> None:
        """Wait for the end.

        Args:
            timeout: For how many seconds; None is for as long as it takes.

        Raises:
            BaseException: What the call raised.
            TimeoutError: It has not ended in time.
            CancelledError: It was cancelled; the one of :mod:`concurrent.futures`.
            ReentrancyError: Called on the loop's own thread, which would wait for itself.
        """
        self._ask()
        super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end, and return what the call raised, or None.

        Args:
            timeout: For how many seconds; None is for as long as it takes.

        Raises:
            TimeoutError: It has not ended in time.
            CancelledError: It was cancelled; the one of :mod:`concurrent.futures`.
            ReentrancyError: Called on the loop's own thread, which would wait for itself.
        """
        self._ask()
        return super().exception(timeout)

    def _ask(self) -> None:
        if not self.done():
            try:
                here = get_running_loop()
            except RuntimeError:
                here = None
            if here is self._loop:
                remedy = f"waiting here would stop the event loop that it waits for; await {self._instead} instead"
                raise ReentrancyError(repr(self), remedy)
        self._asked = True

    # On the loop's thread

    def follow(self, task: Task[None]) -> None:
        """End as the task does, and cancel it when this is cancelled."""
        self._task = task
        task.add_done_callback(self._task_ended)
        self.add_done_callback(_cancel_task)

    def cancel_task(self) -> None:
        """On whichever thread this was cancelled: cancel the call."""
        task = self._task
        if task is not None and self.cancelled():
            with suppress(RuntimeError):  # the loop is closed, and the task gone with it
                self._loop.call_soon_threadsafe(task.cancel)

    def _task_ended(self, task: Task[None]) -> None:
        self._task = None
        if task.cancelled():
            self.cancel()
        if not self.set_running_or_notify_cancel():
            return
        error = task.exception()
        if error is None:
            self.set_result(None)
        else:
            self._fail(error)

    def refuse(self, error: Exception) -> None:
        """End without the call."""
        if self.set_running_or_notify_cancel():
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, Exception):  # the others went through the loop
            self._error = error
        self.set_exception(error)

    def __del__(self) -> None:
        error = self._error
        if error is not None and not self._asked:
            try:
                self._loop.call_soon_threadsafe(self._report, error)
            except RuntimeError:  # the loop is closed
                self._report(error)


class Errand:
    """What a loop is asked to do for a thread, which hears of it if the loop is closed before.

    Args:
        call: Called once, on the loop's thread, with the future.
        future: What the thread waits for.
        owner: Whom the call is for, for the error.
        what: What it would have done, for the error.
    """

    __slots__ = ("_call", "_future", "_owner", "_what")

    def __init__(
        self, call: Callable[[ThreadsafeCall], None], future: ThreadsafeCall, owner: object, what: str
    ) -> None:
        self._call = call
        self._future: ThreadsafeCall | None = future
        self._owner = owner
        self._what = what

    def __call__(self) -> None:
        """Do it."""
        future, self._future = self._future, None
        assert future is not None  # no loop has what was dropped
        self._call(future)

    def drop(self) -> None:
        """Leave it undone: its thread knows already that no loop took it."""
        self._future = None

    def __del__(self, at_exit: Any = is_finalizing) -> None:
        future = self._future
        if future is not None and not at_exit():
            future.refuse(
                NoLoopError(repr(self._owner), f"its event loop was closed before this {self._what} had begun")
            )


def _cancel_task(future: Future[None]) -> None:
    assert isinstance(future, ThreadsafeCall)
    future.cancel_task()
