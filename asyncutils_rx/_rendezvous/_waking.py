"""How tasks wait at a rendezvous, and how they are woken: many by one handle of the loop.

A future wakes its task by a handle of its own, which is made, queued and run in the loop's next turn. Handing one value
over means waking two tasks, one after the other, so this would be most of the work. Here a task waits for a
:class:`Waiter`, and a :class:`Waker` wakes whoever is due, and whoever becomes due meanwhile, in one go.
"""

from __future__ import annotations

from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage]  # what get_loop needs, without a frame
from collections import deque
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._runner import CALLS_BETWEEN_TURNS, runner_for

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Generator
    from contextvars import Context

__all__ = ["Waiter", "Waker", "waking"]


W = TypeVar("W", bound="Waker")


class Waiter(Generic[W]):
    """As much of a future as a task needs in order to wait for it.

    A task that is given an object with ``_asyncio_future_blocking`` asks it for its loop, gives it the callback that
    resumes the task, and tells it of a cancellation. A waiter is not done or pending of itself: the task is woken, and
    looks at what has become of its operation.

    Attributes:
        resume: What resumes the task that waits; None where none does, or where it has been resumed.
        context: The context to do so in.
        calls: How many calls the task had made since the loop last ran, when it began to wait.
        turn: The waker's turn when the task began to wait.
        waker: What wakes the task.
    """

    __slots__ = ("_asyncio_future_blocking", "calls", "context", "resume", "turn", "waker")

    _asyncio_future_blocking: bool
    calls: int
    context: Context
    turn: int
    waker: W
    resume: Callable[[object], object] | None

    # The task asks while it runs, so the running loop is its loop, and the operation has seen that it is the right one.
    get_loop = staticmethod(_get_running_loop)

    def add_done_callback(self, resume: Callable[[object], object], *, context: Context) -> None:
        """Take from the task what resumes it."""
        self.resume = resume
        self.context = context
        waker = self.waker
        self.calls = waker.runner.calls
        self.turn = waker.turn

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002  # the task keeps the message
        """Withdraw the operation, because its task is being cancelled, and wake the task.

        Returns:
            False, for "it cannot be cancelled, but wakes its task": the task raises CancelledError when it is woken.
        """
        self.waker.wake(self)
        return False


class Waker:
    """Wakes the tasks that wait for waiters, on one loop.

    They are woken in the order in which :meth:`wake` was called, in the loop's next turn and by one handle. Whoever
    becomes due while that goes on is woken in the same go, as long as the loop's fair share allows.

    Args:
        loop: The loop.

    Attributes:
        due: Who is to be woken.
        scheduled: Whether the loop was asked to wake them. (Both are open because a call of :meth:`wake` is to be
            spared where values are handed over.)
        turn: Odd while it wakes tasks; one more each time that this begins or ends.
    """

    __slots__ = ("_woken", "due", "loop", "runner", "scheduled", "turn")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.runner = runner_for(loop)
        self.due: deque[Waiter[Any]] = deque()
        self.scheduled = False
        self.turn = 0
        self._woken = loop.create_future()
        self._woken.set_result(None)

    def wake(self, waiter: Waiter[Any]) -> None:
        """Wake whoever waits for ``waiter``; harmless where that is nobody any more."""
        self.due.append(waiter)
        if not self.scheduled:
            self.schedule()

    def schedule(self) -> None:
        """Have the loop wake whoever is due."""
        # A coroutine can be closed after its loop. There is nobody left to wake then.
        if not self.loop.is_closed():
            self.scheduled = True
            self.loop.call_soon(self._wake_due)

    def _wake_due(self) -> None:
        self.scheduled = False
        due, runner, woken = self.due, self.runner, self._woken
        turn = self.turn = self.turn + 1
        try:
            for _ in range(len(due) + CALLS_BETWEEN_TURNS):
                if not due:
                    break
                waiter = due.popleft()
                # The rest has to be woken even if this task runs a loop inside this one, or raises KeyboardInterrupt.
                if due and not self.scheduled:
                    self.schedule()
                resume = waiter.resume
                if resume is not None:
                    waiter.resume = None
                    # Who began to wait in this go has not seen the loop run since; who did so before it, perhaps not.
                    age = turn - waiter.turn
                    runner.calls = 0 if age > 1 else waiter.calls + 1 - age
                    context = waiter.context
                    # While the task runs, nothing here may keep alive what it was given.
                    del waiter
                    context.run(resume, woken)
        finally:
            self.turn = turn + 1


@coroutine
def waking(waiter: Waiter[Any]) -> Generator[Any, None, None]:
    """Wait until ``waiter`` is woken.

    Cancellation: :meth:`Waiter.cancel` is called at once, and this raises CancelledError.
    """
    waiter._asyncio_future_blocking = True  # noqa: SLF001  # asyncio's name for it
    yield waiter
