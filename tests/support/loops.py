"""The loops that tests run on, one of them with a clock that jumps."""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
from concurrent.futures import thread as executor_threads
from time import monotonic
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

GRACE = 0.25
"""So many real seconds a thread gets to wake the loop before the virtual clock jumps."""

PATIENCE = 10.0
"""So many real seconds a thread gets to wake the loop where there is no timer to jump to."""


class DeadlockError(RuntimeError):
    """Nothing is ready, no timer is set and no thread could wake the loop: it would wait for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and jumps to the next timer whenever nothing is ready.

    Sockets, pipes and threads work in real time: while a call in an executor or a thread that was started after
    the loop was made is under way, the loop waits for it a little before the clock jumps.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._in_executor = 0
        self._bystanders = set(threading.enumerate())
        super().__init__(_JumpingSelector(self))
        self._clock_resolution = math.ulp(0.0)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run ``func`` in a thread; the clock waits for it a little."""
        future = super().run_in_executor(executor, func, *args)
        self._in_executor += 1
        future.add_done_callback(self._left_executor)
        return future

    def _left_executor(self, _: object) -> None:
        self._in_executor -= 1

    def _may_be_woken(self) -> bool:
        """Whether a thread might still call back into the loop."""
        if self._in_executor:
            return True
        workers = executor_threads._threads_queues  # idle workers wake nobody
        return any(
            thread not in self._bystanders and thread not in workers and thread is not threading.current_thread()
            for thread in threading.enumerate()
        )

    def _jump(self) -> None:
        """Move the clock to the next timer."""
        self._now = max(self._now, self._scheduled[0]._when)  # type: ignore[attr-defined]  # private: no public way
        # The loop runs timers due before now + resolution; any fixed resolution is lost in a large enough clock.
        self._clock_resolution = math.ulp(self._now)

    def _describe_tasks(self) -> str:
        return "\n".join(f"  {task!r}" for task in asyncio.all_tasks(self)) or "  (no tasks)"


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that never waits for a timer."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        loop = self._loop
        deadline = monotonic() + (PATIENCE if timeout is None else GRACE)
        while loop._may_be_woken() and monotonic() < deadline:
            events = super().select(0.01)
            if events:
                return events
        if timeout is None:
            events = super().select(0)
            if events:
                return events
            raise DeadlockError(
                f"the virtual clock stands still: nothing is ready and no timer is set\n{loop._describe_tasks()}"
            )
        loop._jump()
        return []
