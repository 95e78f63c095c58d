"""How a call that is running in one task is ended by another one, or by a timer, and told from a cancellation."""

from __future__ import annotations

from asyncio import CancelledError, current_task, sleep
from typing import TYPE_CHECKING

from ..exceptions import NoLoopError

if TYPE_CHECKING:
    from asyncio import Task
    from types import TracebackType
    from typing import Any, Self

__all__ = ["Interruption"]


class Interruption:
    """A block of one task that can be ended from outside, with an error that is raised at its end.

    What runs inside sees a cancellation. A cancellation by anybody else, at any moment, comes out as what it is.

    Args:
        owner: The ``repr`` of whatever the block belongs to, for errors.

    Attributes:
        task: The task of the block.
        reason: The error that ended it, or None.
    """

    __slots__ = ("_before", "_over", "reason", "task")

    task: Task[Any]

    def __init__(self, owner: object) -> None:
        task = current_task()
        if task is None:
            raise NoLoopError(repr(owner), "this needs to run in a task; await it in a coroutine")
        self.task = task
        self.reason: Exception | None = None
        self._before = task.cancelling()
        self._over = False

    def interrupt(self, reason: Exception) -> None:
        """End the block, with ``reason``; only the first one counts, and none after the end."""
        if self.reason is None and not self._over:
            self.reason = reason
            self.task.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._over = True
        reason = self.reason
        if reason is None:
            return
        self.reason = None  # or its traceback would hold this frame, and this frame the traceback
        by_others = self.task.uncancel() > self._before
        if isinstance(exc, CancelledError):
            if by_others:
                return
        elif exc is not None and not isinstance(exc, Exception):
            return
        elif not by_others:
            await self._swallow_leftover()
        try:
            raise reason from (exc if isinstance(exc, Exception) else None)
        finally:
            del reason, exc

    async def _swallow_leftover(self) -> None:
        """Before Python 3.13, a cancellation that was taken back and not delivered yet comes out at the next await."""
        try:
            await sleep(0)
        except CancelledError:
            if self.task.cancelling() > self._before:
                raise
