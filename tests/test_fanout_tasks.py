"""The tasks of a fan-out: whose task is running, how they are made, and how deep they nest."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx._runner import EAGER_DEPTH, runner_for
from tests.fanout_kit import Owner, own, plain_factory, raising
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

    Own = Callable[..., Owner]

__all__ = ["own"]


# Who is calling


async def test_fanout_callable_is_inside_it_before_and_after_it_waits(own: Own) -> None:
    seen: list[object] = []

    async def call() -> None:
        runner = runner_for(asyncio.get_running_loop())
        seen.append(runner.current_work())
        await tick()
        seen.append(runner.current_work())

    owner = own([call, call])
    await owner.run()
    assert seen == [owner.fan] * 4
    assert owner.fan.owner is owner


async def test_fanout_knows_its_caller_where_that_is_inside_another_one(own: Own) -> None:
    callers: list[object] = []
    inner: list[Owner] = []

    async def call() -> None:
        for _ in range(2):
            inner.append(own([tick]))
            callers.append(asyncio.current_task())
            await inner[-1].run()

    await own([call]).run()
    assert [each.fan.caller for each in inner] == callers


async def test_fanout_knows_no_caller_where_that_is_inside_nothing(own: Own) -> None:
    owner = own([tick])
    await owner.run()
    assert owner.fan.caller is None


async def test_fanout_task_that_a_callable_spawned_is_not_inside_it(own: Own) -> None:
    seen: list[object] = []
    spawned: list[asyncio.Task[None]] = []

    async def look() -> None:
        seen.append(runner_for(asyncio.get_running_loop()).current_work())
        await tick()
        seen.append(runner_for(asyncio.get_running_loop()).current_work())

    async def call() -> None:
        spawned.append(asyncio.create_task(look()))
        await tick()

    owner = own([call, lambda: spawned.append(asyncio.create_task(look()))])
    await owner.run()
    await asyncio.gather(*spawned)
    assert seen == [None] * 4


async def test_fanout_nested_in_a_callable_is_told_apart_from_the_outer_one(own: Own) -> None:
    seen: list[object] = []
    owners: list[Owner] = []

    def look() -> None:
        seen.append(runner_for(asyncio.get_running_loop()).current_work())

    async def call() -> None:
        look()
        inner = own([look])
        owners.append(inner)
        inner.start()
        look()
        await inner.join()
        look()

    outer = own([call])
    await outer.run()
    assert seen.count(owners[0].fan) == 1
    assert seen.count(outer.fan) == 3
    assert owners[0].fan.caller is not asyncio.current_task()


async def test_fanout_leaves_nothing_on_the_runner(own: Own) -> None:
    inner: list[Owner] = []

    def nest() -> None:
        inner.append(own([tick]))
        inner[0].start()

    owner = own([tick, raising(LookupError()), nest, raising(LookupError(), 2)])
    await owner.run()
    await inner[0].join()
    assert (inner[0].fan.outer, inner[0].fan.coro) == (None, None)
    assert (owner.runner.tasks, owner.runner.eager, owner.runner.depth) == ({}, None, 0)
    assert (owner.fan.outer, owner.fan.coro) == (None, None)


# Task factories


async def test_fanout_makes_its_tasks_by_the_task_factory_of_the_loop() -> None:
    made: list[asyncio.Task[Any]] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(plain_factory(loop, coro, **options))
        return made[-1]

    asyncio.get_running_loop().set_task_factory(factory)
    tasks: set[object] = set()

    async def call() -> None:
        tasks.add(asyncio.current_task())
        await tick()

    await Owner([call] * 4).run()
    assert tasks <= set(made)
    assert len(tasks) == 4


async def test_fanout_whose_task_factory_raises_raises_it_and_has_ended() -> None:
    async def call() -> None:
        pytest.fail("it was started")

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        raise LookupError("no tasks today")

    asyncio.get_running_loop().set_task_factory(factory)
    owner = Owner([call])
    with pytest.raises(LookupError, match="no tasks today"):
        owner.start()
    assert owner.fan.ended
    asyncio.get_running_loop().set_task_factory(None)
    await owner.join()


async def test_fanout_whose_task_factory_raises_later_has_that_as_an_error_and_lets_go_on_what_runs() -> None:
    error = LookupError("no more tasks today")
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        if made:
            raise error
        made.append(coro)
        return plain_factory(loop, coro, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    ended: list[int] = []

    async def call() -> None:
        await tick(5)
        ended.append(1)

    owner = Owner([call] * 4)
    owner.start()
    assert await owner.join() == [(1, error)]
    loop.set_task_factory(None)
    assert ended == [1]


# Depth


async def nested(own: Own, depth: int, innermost: Callable[[], object]) -> None:
    async def call() -> None:
        await nested(own, depth - 1, innermost)

    owner = own([call if depth else innermost])
    for _, error in await owner.run():
        raise error


@pytest.mark.parametrize("depth", [1, EAGER_DEPTH - 1, EAGER_DEPTH, EAGER_DEPTH + 1, 2000])
async def test_fanout_nests(own: Own, depth: int) -> None:
    # In debug mode each task walks up the stack of the one that makes it, which says nothing here.
    asyncio.get_running_loop().set_debug(depth < 100)
    ended: list[str] = []

    async def innermost() -> None:
        await tick()
        ended.append("innermost")

    await nested(own, depth, innermost)
    assert ended == ["innermost"]


async def test_fanout_error_comes_up_from_the_depth(own: Own) -> None:
    asyncio.get_running_loop().set_debug(False)
    error = LookupError("deep down")
    with pytest.raises(LookupError) as caught:
        await nested(own, 300, raising(error, 1))
    assert caught.value is error
    # A traceback that long takes long to print.
    error.__traceback__ = None


async def test_fanout_cancellation_goes_down_to_the_depth(own: Own) -> None:
    asyncio.get_running_loop().set_debug(False)
    journal: list[str] = []

    async def innermost() -> None:
        journal.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await tick()
            journal.append("cancelled")

    task = asyncio.create_task(nested(own, 500, innermost))
    while not journal:
        await tick()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert journal == ["begun", "cancelled"]


async def test_fanout_cancelled_while_its_start_waits_for_a_fresh_stack_starts_nothing() -> None:
    started: list[str] = []
    runner = runner_for(asyncio.get_running_loop())
    owner = Owner([partial(started.append, "a")])
    runner.depth = EAGER_DEPTH
    assert not owner.start()
    runner.depth = 0
    owner.fan.cancel()
    assert owner.ends == [owner.fan]
    await owner.join()
    await tick(3)
    assert started == []


async def test_fanout_in_a_context_without_variables_starts_everything_in_it() -> None:
    seen: list[list[object]] = []
    owner = Owner([lambda: seen.append(list(copy_context()))] * 3, context=Context())
    assert owner.start()
    assert seen == [[], [], []]
