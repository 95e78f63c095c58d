"""What one call waits for."""

from __future__ import annotations

import asyncio

import pytest

from asyncutils_rx._fanout import Scope
from asyncutils_rx._runner import runner_for
from tests.support import tick


async def test_scope_join_of_nothing_returns_at_once() -> None:
    scope = Scope(runner_for(asyncio.get_running_loop()))
    await scope.join(lambda: pytest.fail("nothing was cancelled"))


async def test_scope_join_ends_with_the_last_piece_of_work() -> None:
    scope = Scope(runner_for(asyncio.get_running_loop()))
    scope.begin()
    scope.begin()
    join = asyncio.create_task(scope.join(lambda: None))
    await tick(2)
    scope.end()
    await tick(2)
    assert not join.done()
    scope.wake()
    await tick(2)
    assert not join.done()
    scope.end()
    await join


async def test_scope_wake_without_a_waiter_is_harmless() -> None:
    scope = Scope(runner_for(asyncio.get_running_loop()))
    scope.wake()
    waiter = asyncio.create_task(scope.wait())
    await tick()
    scope.wake()
    scope.wake()
    await waiter


async def test_scope_cancelled_join_cancels_the_work_and_awaits_it() -> None:
    scope = Scope(runner_for(asyncio.get_running_loop()))
    scope.begin()
    cancelled: list[str] = []
    join = asyncio.create_task(scope.join(lambda: cancelled.append("cancelled")))
    await tick()
    join.cancel("enough")
    await tick(2)
    assert cancelled == ["cancelled"]
    assert not join.done()
    join.cancel()
    await tick(2)
    assert cancelled == ["cancelled"] * 2
    scope.end()
    with pytest.raises(asyncio.CancelledError):
        await join
