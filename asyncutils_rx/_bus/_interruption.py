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
        owner: Whatever the block belongs to, for errors.
        before: How many cancellations of the task were under way at the start of the block, where that is past.

    Attributes:
        task: The task of the block; None after its end.
        reason: The error that ends it, or None.
    """

    __slots__ = ("_before", "reason", "task")

    def __init__(self, owner: object, before: int | None = None) -> None:
        task = current_task()
        if task is None:
            raise NoLoopError(repr(owner), "this needs to run in a task; await it in a coroutine")
        self.task: Task[Any] | None = task
        self.reason: Exception | None = None
        self._before = task.cancelling() if before is None else before

    def interrupt(self, reason: Exception) -> None:
        """End the block, with ``reason``; only the first one counts, and none after the end."""
        if self.reason is None and self.task is not None:
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
        await self.end(exc)

    async def end(self, exc: BaseException | None) -> None:
        """End the block, as the context does that this is.

        Args:
            exc: What is being raised, or None.

        Raises:
            Exception: The reason.

        Cancellation: one by somebody else is what comes out.
        """
        reason, self.reason = self.reason, None
        task, self.task = self.task, None
        if reason is None or task is None:
            return
        by_others = task.uncancel() > self._before
        if isinstance(exc, CancelledError):
            if by_others:
                return
        elif exc is not None and not isinstance(exc, Exception):
            return
        elif not by_others:
            await self._swallow_leftover(task)
        try:
            raise reason from exc
        finally:
            del reason, exc, task  # the traceback of what is raised holds this frame

    async def _swallow_leftover(self, task: Task[Any]) -> None:
        """Before Python 3.13, a cancellation that was taken back and not delivered yet comes out at the next await."""
        try:
            await sleep(0)
        except CancelledError:
            if task.cancelling() > self._before:
                raise
