"""What the tests of ``Rendezvous`` share: ways to order what happens within one turn, and to tell how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asyncutils_rx import Rendezvous

__all__ = ["CANCELLED", "begin", "counts", "ended", "ending", "settle", "then", "timers", "waiting"]

T = TypeVar("T")

CANCELLED = "CancelledError"


def begin(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a call: its first step runs in the next turn, after all that was begun before it."""
    return asyncio.get_running_loop().create_task(call)


def then(callback: Callable[[], object]) -> None:
    """Call something in the next turn, after all that was begun before it."""
    asyncio.get_running_loop().call_soon(callback)


async def waiting(*calls: Coroutine[Any, Any, T]) -> list[asyncio.Task[T]]:
    """Start calls, one after the other, and see that each of them waits."""
    tasks = []
    for call in calls:
        tasks.append(begin(call))
        await tick(2)
        assert not tasks[-1].done()
    return tasks


async def settle() -> None:
    """Let the loop run until whatever waits for nothing but the loop has ended."""
    await tick(12)


async def ended(*tasks: asyncio.Task[Any]) -> list[Any]:
    """Let the loop run, and tell how each task ended: its result, the name of its error, or None while it runs."""
    await settle()
    return [ending(task) for task in tasks]


def ending(task: asyncio.Task[Any]) -> Any:
    """Tell how a task ended: its result, the name of its error, or None while it runs."""
    if not task.done():
        return None
    if task.cancelled():
        return CANCELLED
    error = task.exception()
    return task.result() if error is None else type(error).__name__


def counts(rendezvous: Rendezvous[Any]) -> tuple[int, int]:
    """Return how many getters and putters wait."""
    snapshot = rendezvous.state_snapshot()
    assert snapshot.num_ops == snapshot.num_getters + snapshot.num_putters
    assert snapshot.idle == (snapshot.num_ops == 0)
    return snapshot.num_getters, snapshot.num_putters


def timers() -> list[asyncio.TimerHandle]:
    """Return the timers of the running loop, which has to be one of asyncio's own."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]  # private
    return [timer for timer in scheduled if not timer.cancelled()]
