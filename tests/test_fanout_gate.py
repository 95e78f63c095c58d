"""The gate: how many callables run at a time over several fan-outs, first come, first served."""

from __future__ import annotations

import asyncio
import contextvars
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx._fanout import Gate
from asyncutils_rx._runner import EAGER_DEPTH, runner_for
from tests.fanout_kit import Owner, own, plain_factory, raising, var
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

    Own = Callable[..., Owner]

__all__ = ["own"]


class Crowd:
    """A callable that notes how many of it run at a time."""

    def __init__(self, turns: int = 3) -> None:
        self.inside = 0
        self.most = 0
        self.entered: list[object] = []
        self.turns = turns

    async def __call__(self, name: object = None) -> None:
        self.entered.append(name)
        self.inside += 1
        self.most = max(self.most, self.inside)
        await tick(self.turns)
        self.inside -= 1


def visitor(journal: list[str], name: str, *, keeps: bool = True) -> Callable[[], bool]:
    def resume() -> bool:
        journal.append(name)
        return keeps

    return resume


def test_gate_lets_in_as_many_as_its_limit() -> None:
    gate = Gate(2)
    journal: list[str] = []
    assert gate.taken == 0
    assert [gate.enter(visitor(journal, name)) for name in "abc"] == [True, True, False]
    assert (gate.taken, journal) == (2, [])


def test_gate_hands_a_place_to_whoever_waits_longest() -> None:
    gate = Gate(1)
    journal: list[str] = []
    assert [gate.enter(visitor(journal, name)) for name in "abc"] == [True, False, False]
    gate.leave()
    assert (gate.taken, journal) == (1, ["b"])
    gate.leave()
    assert (gate.taken, journal) == (1, ["b", "c"])
    gate.leave()
    assert (gate.taken, journal) == (0, ["b", "c"])


def test_gate_lets_nobody_barge() -> None:
    gate = Gate(1)
    journal: list[str] = []
    assert gate.enter(visitor(journal, "a"))
    assert not gate.enter(visitor(journal, "b"))
    # A place that is free in the moment of its hand-over is not for a newcomer.
    gate.free += 1
    assert not gate.enter(visitor(journal, "c"))


def test_gate_lets_whoever_was_let_in_before_stay_the_first_one() -> None:
    gate = Gate(1)
    journal: list[str] = []
    again = visitor(journal, "a")
    assert gate.enter(again)
    assert not gate.enter(visitor(journal, "b"))
    assert not gate.enter(again, first=True)
    gate.leave()
    gate.leave()
    assert journal == ["a", "b"]


def test_gate_lets_what_is_urgent_in_before_all_others_and_while_it_is_shut() -> None:
    gate = Gate(1)
    journal: list[str] = []
    gate.enter(visitor(journal, "a"))
    gate.enter(visitor(journal, "b"))
    gate.enter(visitor(journal, "c"), urgent=True)
    gate.shut += 1
    gate.leave()
    assert journal == ["c"]
    gate.leave()
    assert (gate.taken, gate.open, journal) == (0, False, ["c"])
    assert gate.enter(visitor(journal, "d"), urgent=True)
    gate.shut -= 1
    gate.leave()
    assert journal == ["c", "b"]


def test_gate_passes_over_those_who_have_no_use_for_a_place() -> None:
    gate = Gate(1)
    journal: list[str] = []
    gate.enter(visitor(journal, "a"))
    gate.enter(visitor(journal, "b", keeps=False))
    gate.enter(visitor(journal, "c"))
    gate.leave()
    assert (gate.taken, journal) == (1, ["b", "c"])
    gate.enter(visitor(journal, "d", keeps=False))
    gate.leave()
    assert (gate.taken, journal) == (0, ["b", "c", "d"])


def test_gate_forgets_whoever_withdraws() -> None:
    gate = Gate(1)
    journal: list[str] = []
    waiting = visitor(journal, "b")
    gate.enter(visitor(journal, "a"))
    gate.enter(waiting)
    assert gate.withdraw(waiting)
    assert not gate.withdraw(waiting)
    gate.leave()
    assert (gate.taken, journal) == (0, [])


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_fanout_keeps_to_the_limit_of_the_gate(own: Own, limit: int) -> None:
    gate = Gate(limit)
    crowd = Crowd()
    assert await own([crowd] * 20, gate=gate).run() == []
    assert (crowd.most, len(crowd.entered)) == (limit, 20)
    assert (gate.taken, len(gate.waiting)) == (0, 0)


async def test_fanout_at_the_gate_gives_each_that_waits_a_task_of_its_own(own: Own) -> None:
    tasks: list[object] = []

    async def call() -> None:
        tasks.append(asyncio.current_task())
        await tick(2)

    gate = Gate(2)
    owners = [own([call] * 4, gate=gate) for _ in range(2)]
    for owner in owners:
        owner.start()
    for owner in owners:
        await owner.join()
    assert len(set(tasks)) == 8


async def test_fanout_shares_the_gate_with_others_first_come_first_served(own: Own) -> None:
    gate = Gate(2)
    crowd = Crowd()
    owners = [own([partial(crowd, name)] * 3, gate=gate) for name in "abc"]
    for owner in owners:
        owner.start()
    for owner in owners:
        assert await owner.join() == []
    assert crowd.most == 2
    # Whoever was let in stays the first one in line until all its callables have started.
    assert "".join(map(str, crowd.entered)) == "aaabbbccc"


@pytest.mark.parametrize("turns", [None, 0, 1])
async def test_fanout_gives_its_place_back_after_an_error(own: Own, turns: int | None) -> None:
    gate = Gate(1)
    errors = await own([raising(LookupError(), turns)] * 3, gate=gate).run()
    assert [index for index, _ in errors] == [0, 1, 2]
    assert gate.taken == 0


async def test_fanout_that_waits_at_the_gate_runs_in_the_context_of_its_start(own: Own) -> None:
    gate = Gate(1)
    seen: list[str] = []

    async def look() -> None:
        seen.append(var.get())
        await tick()

    def starts(name: str) -> Owner:
        var.set(name)
        owner = own([look, look], gate=gate)
        owner.start()
        return owner

    owners = [contextvars.copy_context().run(starts, name) for name in "abc"]
    for owner in owners:
        await owner.join()
    assert sorted(seen) == ["a", "a", "b", "b", "c", "c"]


async def test_fanout_that_waits_at_the_gate_is_no_part_of_the_one_that_lets_it_in(own: Own) -> None:
    gate = Gate(1)
    seen: list[object] = []

    async def look() -> None:
        seen.append(runner_for(asyncio.get_running_loop()).current_work())
        await tick()
        seen.append(runner_for(asyncio.get_running_loop()).current_work())

    owners = [own([look], gate=gate) for _ in range(3)]
    for owner in owners:
        owner.start()
    for owner in owners:
        await owner.join()
    assert seen == [owner.fan for owner in owners for _ in range(2)]


async def test_fanout_cancelled_at_the_gate_starts_nothing_and_takes_no_place(own: Own) -> None:
    gate = Gate(1)
    release = asyncio.Event()
    started: list[str] = []
    first = own([release.wait], gate=gate)
    first.start()
    second = own([partial(started.append, "second")], gate=gate)
    second.start()
    third = own([partial(started.append, "third")], gate=gate)
    third.start()
    second.fan.cancel()
    assert second.ends == [second.fan]
    release.set()
    for owner in (first, second, third):
        assert await owner.join() == []
    assert started == ["third"]
    assert (gate.taken, len(gate.waiting)) == (0, 0)


async def test_fanout_cancelled_with_some_at_the_gate_awaits_those_that_run(own: Own) -> None:
    gate = Gate(2)
    crowd = Crowd(turns=1000)
    owner = own([crowd] * 5, gate=gate)
    owner.start()
    await tick(5)
    owner.fan.cancel()
    errors = await owner.join()
    assert [type(error) for _, error in errors] == [asyncio.CancelledError] * 2
    assert len(crowd.entered) == 2
    assert gate.taken == 0


async def test_fanout_fail_fast_leaves_the_gate(own: Own) -> None:
    gate = Gate(2)
    error = LookupError()
    started: list[str] = []
    owner = own([tick, raising(error, 3), *[partial(started.append, "late")] * 3], gate=gate, fail_fast=True)
    owner.start()
    errors = await owner.join()
    assert (1, error) in errors
    assert (gate.taken, len(gate.waiting)) == (0, 0)


@pytest.mark.parametrize("turns", [None, 0, 1])
async def test_fanouts_that_wait_in_a_long_line_need_no_deep_stack(own: Own, turns: int | None) -> None:
    gate = Gate(1)
    ended: list[int] = []

    def call(number: int) -> object:
        ended.append(number)
        return None if turns is None else tick(turns)

    release = asyncio.Event()
    holder = own([release.wait], gate=gate)
    holder.start()
    owners = [own([partial(call, number)], gate=gate) for number in range(1000)]
    for owner in owners:
        owner.start()
    release.set()
    for owner in (holder, *owners):
        await owner.join()
    assert ended == list(range(1000))
    assert gate.taken == 0


async def test_fanout_start_that_waits_for_a_fresh_stack_holds_its_place() -> None:
    gate = Gate(1)
    started: list[str] = []
    runner = runner_for(asyncio.get_running_loop())
    owner = Owner([partial(started.append, "a")], gate=gate)
    runner.depth = EAGER_DEPTH
    assert not owner.start()
    runner.depth = 0
    assert (gate.taken, started) == (1, [])
    await owner.join()
    await tick(2)
    assert (gate.taken, started) == (0, ["a"])


@pytest.mark.parametrize("cancelled", [False, True])
async def test_fanout_start_that_waits_for_a_fresh_stack_is_not_overtaken(cancelled: bool) -> None:
    gate = Gate(2)
    started: list[str] = []
    runner = runner_for(asyncio.get_running_loop())
    first, second = Owner([partial(started.append, "a")], gate=gate), Owner([partial(started.append, "b")], gate=gate)
    runner.depth = EAGER_DEPTH
    assert not first.start()
    runner.depth = 0
    assert not second.start()
    if cancelled:
        first.fan.cancel()
    await first.join()
    await second.join()
    await tick(2)
    assert (gate.taken, started) == (0, ["b"] if cancelled else ["a", "b"])


async def test_fanout_cancelled_while_its_start_waits_for_a_fresh_stack_gives_its_place_back() -> None:
    gate = Gate(1)
    runner = runner_for(asyncio.get_running_loop())
    owner = Owner([lambda: pytest.fail("it was started")], gate=gate)
    runner.depth = EAGER_DEPTH
    owner.start()
    runner.depth = 0
    owner.fan.cancel()
    await owner.join()
    await tick(2)
    assert gate.taken == 0


async def test_fanout_that_cannot_start_as_it_is_let_in_does_not_bother_whoever_lets_it_in() -> None:
    error = LookupError("no tasks today")

    refused: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        if not refused:
            refused.append(coro)
            raise error
        return plain_factory(loop, coro, **options)

    gate = Gate(1)
    assert gate.enter(lambda: True)
    owner, last = Owner([tick], gate=gate), Owner([tick], gate=gate)
    owner.start()
    last.start()
    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    gate.leave()
    assert await owner.join() == [(0, error)]
    assert await last.join() == []
    loop.set_task_factory(None)
    assert gate.taken == 0


async def test_fanout_whose_task_factory_raises_gives_its_place_back() -> None:
    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        raise LookupError("no tasks today")

    gate = Gate(1)
    asyncio.get_running_loop().set_task_factory(factory)
    owner = Owner([tick], gate=gate)
    with pytest.raises(LookupError, match="no tasks today"):
        owner.start()
    asyncio.get_running_loop().set_task_factory(None)
    await owner.join()
    assert (gate.taken, len(gate.waiting)) == (0, 0)
