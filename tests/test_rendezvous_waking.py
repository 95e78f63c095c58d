"""How the tasks at a rendezvous are woken: many in one turn of the loop, all of them, and none of them too often."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Rendezvous
from asyncutils_rx._rendezvous._waking import Waiter, Waker, waking
from tests.rendezvous_kit import CANCELLED, begin, counts, ended, then, waiting
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine


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

    waiter: Waiter[Waker] = Waiter()
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


async def test_task_that_waits_for_nothing_but_a_waiter_can_be_cancelled() -> None:
    waiter: Waiter[Waker] = Waiter()
    waiter.waker = Waker(asyncio.get_running_loop())

    async def wait() -> None:
        await waking(waiter)

    task = begin(wait())
    await tick()
    task.cancel()
    assert await ended(task) == [CANCELLED]


def test_task_that_waits_can_be_cancelled_after_its_loop_was_closed() -> None:
    loop = asyncio.new_event_loop()
    rv: Rendezvous[int] = Rendezvous()
    tasks: list[Any] = []

    async def wait() -> None:
        tasks.extend([begin(rv.get()), begin(rv.get())])
        await tick(2)

    loop.run_until_complete(wait())
    loop.close()
    tasks[0].cancel()
    assert counts(rv) == (1, 0)
    for task in tasks:
        # Asyncio would tell that the task is lost; here it is to be.
        task._log_destroy_pending = False


async def test_get_takes_the_value_of_a_put_that_nobody_waits_for() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    put = rv.put(1)
    put.send(None)
    assert await get == 1
    with pytest.raises(StopIteration):
        put.send(None)


# What a task sees that waits


@pytest.mark.parametrize("name", ["put", "get", "exchange", "raising_put"])
async def test_task_that_waits_shows_for_what(name: str) -> None:
    rv: Rendezvous[int] = Rendezvous()
    calls: dict[str, Any] = {
        "put": rv.put(1),
        "get": rv.get(),
        "exchange": rv.exchange(1),
        "raising_put": rv.raising_put(1, timeout=100),
    }
    tasks = {name: begin(call) for name, call in calls.items()}
    assert f"Rendezvous.{name}" in repr(tasks[name])
    for task in tasks.values():
        task.cancel()
    await tick(3)


async def test_task_keeps_its_context_and_its_current_task_while_it_waits() -> None:
    rv: Rendezvous[str] = Rendezvous()
    variable: ContextVar[str] = ContextVar("variable")

    async def hand_over(name: str) -> None:
        variable.set(name)
        for _ in range(3):
            await (rv.put(name) if name.startswith("put") else rv.get())
            assert variable.get() == name
            assert asyncio.current_task() is tasks[name]

    tasks: dict[str, asyncio.Task[None]] = {}
    for name in ("put 1", "get 1", "put 2", "get 2"):
        tasks[name] = begin(hand_over(name))
    await asyncio.gather(*tasks.values())


async def test_cancellation_that_is_called_off_is_raised_all_the_same() -> None:
    calls: list[Callable[[Rendezvous[int]], Coroutine[Any, Any, object]]] = [
        lambda rv: rv.put(1),
        lambda rv: rv.put(1, timeout=100),
        lambda rv: rv.get(),
        lambda rv: rv.get(None, timeout=100),
        lambda rv: rv.exchange(1),
    ]
    for call in calls:
        rv: Rendezvous[int] = Rendezvous()
        (task,) = await waiting(call(rv))
        task.cancel("for no reason")
        task.uncancel()
        assert await ended(task) == [CANCELLED]
        assert counts(rv) == (0, 0)


async def test_value_in_hand_of_an_exchange_whose_cancellation_is_called_off_is_offered_again() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1))
    assert await rv.put(2)
    exchange.cancel()
    exchange.uncancel()
    assert await ended(exchange) == [CANCELLED]
    assert counts(rv) == (0, 1)
    assert await rv.get() == 2


async def test_cancellation_keeps_its_message() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    get.cancel("for this reason")
    with pytest.raises(asyncio.CancelledError, match="for this reason"):
        await get


async def test_tasks_that_are_not_written_in_c_wait_as_others_do() -> None:
    def plain(loop: asyncio.AbstractEventLoop, call: Any, **options: Any) -> Any:
        return asyncio.tasks._PyTask(call, loop=loop, **options)  # type: ignore[attr-defined]  # the one in Python

    asyncio.get_running_loop().set_task_factory(plain)
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(rv.get(), rv.get())
    puts = [begin(rv.put(n)) for n in range(2)]
    then(gets[0].cancel)
    assert await ended(*gets, *puts) == [CANCELLED, 0, True, None]
    exchange = begin(rv.exchange(2))
    assert await ended(puts[1], exchange) == [True, None]
    assert await rv.get() == 2
    assert await exchange == 1


async def test_relay_of_2000_tasks_needs_no_stack() -> None:
    desks: list[Rendezvous[int]] = [Rendezvous() for _ in range(2001)]

    async def stage(number: int) -> None:
        await desks[number + 1].put(await desks[number].get())

    stages = [begin(stage(number)) for number in range(2000)]
    last = begin(desks[-1].get())
    assert await desks[0].put(7)
    assert await last == 7
    await asyncio.gather(*stages)


async def test_subclass_may_have_attributes_and_a_name_of_its_own() -> None:
    class Desk(Rendezvous[int]):
        def __init__(self, owner: str) -> None:
            super().__init__()
            self.owner = owner

    desk = Desk("Ann")
    (put,) = await waiting(desk.put(1))
    assert repr(desk).startswith("<Desk at")
    assert await desk.get() == 1
    assert await put
    assert desk.owner == "Ann"
