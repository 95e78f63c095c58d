"""How the tasks at a rendezvous are woken: many in one turn of the loop, all of them, and none of them too often."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Rendezvous
from asyncutils_rx._rendezvous._waking import Waiter, Waker, waking
from tests.rendezvous_kit import begin, then
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Turns:
    """Counts how many calls each task makes between two turns of the loop."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._ended = False
        self.most = 0
        self.turns = 0

    def _turn(self) -> None:
        self.turns += 1
        self._calls.clear()
        if not self._ended:
            then(self._turn)

    async def call(self, name: str, call: Awaitable[Any]) -> Any:
        """Make a call in the name of a task."""
        self._calls[name] += 1
        self.most = max(self.most, self._calls[name])
        return await call

    async def watch(self, *tasks: Awaitable[None]) -> None:
        """Run tasks, and watch them."""
        then(self._turn)
        await asyncio.gather(*tasks)
        self._ended = True


# Fairness: nobody makes more than 100 calls while the loop stands still


async def test_two_tasks_that_hand_over_let_the_loop_run_in_between() -> None:
    rv: Rendezvous[int] = Rendezvous()
    turns = Turns()

    async def put() -> None:
        for n in range(1000):
            await turns.call("put", rv.put(n))

    async def get() -> None:
        for n in range(1000):
            assert await turns.call("get", rv.get()) == n

    await turns.watch(put(), get())
    assert turns.most <= 100
    # And not more often than needed: handing over within one turn is what makes it fast.
    assert 10 <= turns.turns <= 100


async def test_task_that_waits_and_does_not_wait_by_turns_lets_the_loop_run_in_between() -> None:
    desk: Rendezvous[int] = Rendezvous()
    empty: Rendezvous[int] = Rendezvous()
    turns = Turns()

    async def put() -> None:
        for n in range(200):
            await turns.call("put", desk.put(n))

    async def work() -> None:
        for n in range(200):
            assert await turns.call("work", desk.get()) == n
            for _ in range(20):
                assert not await turns.call("work", empty.put(0, timeout=0))

    await turns.watch(put(), work())
    assert turns.most <= 100


async def test_pipeline_over_several_rendezvous_lets_the_loop_run_in_between() -> None:
    desks: list[Rendezvous[int]] = [Rendezvous() for _ in range(5)]
    turns = Turns()

    async def source() -> None:
        for n in range(300):
            await turns.call("source", desks[0].put(n))

    async def stage(number: int) -> None:
        for n in range(300):
            assert await turns.call(str(number), desks[number].get()) == n
            await turns.call(str(number), desks[number + 1].put(n))

    async def sink() -> None:
        for n in range(300):
            assert await turns.call("sink", desks[-1].get()) == n

    await turns.watch(source(), *(stage(n) for n in range(4)), sink())
    assert turns.most <= 100


async def test_many_tasks_do_not_use_up_each_others_turns_nor_keep_the_loop_from_running() -> None:
    desk: Rendezvous[int] = Rendezvous()
    empty: Rendezvous[int] = Rendezvous()
    turns = Turns()

    async def put() -> None:
        for n in range(10):
            await turns.call("put", desk.put(n))

    async def get() -> None:
        for _ in range(10):
            await turns.call("get", desk.get())
            await empty.put(0, timeout=0)
            await empty.get(None)

    await turns.watch(*(put() for _ in range(100)), *(get() for _ in range(100)))
    assert 10 < turns.turns < 25


# Everybody is woken


class Stop(KeyboardInterrupt):
    """What ends a loop at once, in a task."""


def test_task_that_stops_the_loop_at_once_leaves_the_others_to_be_woken() -> None:
    loop = asyncio.new_event_loop()
    rv: Rendezvous[int] = Rendezvous()

    async def stop() -> None:
        await rv.put(0)
        raise Stop

    tasks: list[asyncio.Task[Any]] = []

    async def hand_over() -> None:
        tasks.extend([begin(stop()), begin(rv.put(1)), begin(rv.put(2))])
        await tick(2)
        assert [await rv.get() for _ in tasks] == [0, 1, 2]
        await asyncio.sleep(60)

    handing = loop.create_task(hand_over())
    with pytest.raises(Stop):
        loop.run_until_complete(handing)
    with pytest.raises(Stop):
        tasks[0].result()
    assert loop.run_until_complete(asyncio.wait_for(asyncio.gather(*tasks[1:]), 5)) == [True, True]
    handing.cancel()
    loop.run_until_complete(asyncio.wait([handing]))
    loop.close()


async def test_task_that_is_woken_twice_runs_once() -> None:
    waker = Waker(asyncio.get_running_loop())

    class Plain(Waiter[Waker]):
        __slots__ = ()

        def cancel(self, msg: object = None) -> bool:
            raise AssertionError

    waiter = Plain()
    waiter.waker = waker
    waiter.resume = None
    seen: list[str] = []

    async def wait() -> None:
        await waking(waiter)
        seen.append("woken")
        await tick(3)
        seen.append("went on")

    task = begin(wait())
    await tick()
    waker.wake(waiter)
    waker.wake(waiter)
    await tick(2)
    assert seen == ["woken"]
    await task
    assert seen == ["woken", "went on"]
