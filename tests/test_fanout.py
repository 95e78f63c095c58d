"""The fan-out: order and concurrency of callables that are started together, and that they do not reach each other."""

from __future__ import annotations

import asyncio
import contextvars
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx._alone import is_awaitable
from tests.fanout_kit import Owner, own, plain_factory, var
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Own = Callable[..., Owner]

__all__ = ["own"]


class Alike:
    """Equal to every other one, and hashable for the sake of a set."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    def __hash__(self) -> int:
        return 0


class Incomparable:
    """Refuses to be compared, as an array does."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("which elements?")

    __hash__ = object.__hash__


# Order and concurrency


@pytest.mark.parametrize("turns", [[None] * 5, [0] * 5, [1] * 5, [3, None, 0, 1, None, 2, 0]])
async def test_fanout_starts_in_order(own: Own, turns: list[int | None]) -> None:
    started: list[int] = []

    def call(number: int, turns: int | None) -> object:
        started.append(number)
        return None if turns is None else tick(turns)

    assert await own([partial(call, number, n) for number, n in enumerate(turns)]).run() == []
    assert started == list(range(len(turns)))


async def test_fanout_runs_concurrently(own: Own) -> None:
    inside = 0
    all_inside = asyncio.Event()

    async def meet() -> None:
        nonlocal inside
        inside += 1
        if inside == 20:
            all_inside.set()
        await all_inside.wait()

    assert await own([meet] * 20).run() == []


async def test_fanout_passes_the_arguments(own: Own) -> None:
    seen: list[object] = []

    async def call(*args: object, **kwargs: object) -> None:
        seen.append((args, kwargs))

    await own([call, call], 1, "two", kwargs={"three": 3}).run()
    assert seen == [((1, "two"), {"three": 3})] * 2


async def test_fanout_awaits_whatever_can_be_awaited(own: Own) -> None:
    ended: list[str] = []
    future = asyncio.get_running_loop().create_future()

    class Waits:
        def __await__(self) -> Generator[Any, Any, None]:
            yield from tick(2).__await__()
            ended.append("own awaitable")

    class Called:
        async def __call__(self) -> None:
            await tick(1)
            ended.append("callable object")

        async def method(self) -> None:
            await tick(3)
            ended.append("method")

    owner = own([Waits, Called(), Called().method, lambda: future, partial(tick, 2)])
    owner.start()
    await tick(20)
    assert sorted(ended) == ["callable object", "method", "own awaitable"]
    assert owner.ends == []
    future.set_result(None)
    assert await owner.join() == []


@pytest.mark.parametrize("result", [None, 5, [], object()])
async def test_fanout_ignores_other_results(own: Own, result: object) -> None:
    assert await own([lambda: result]).run() == []


@pytest.mark.parametrize(
    ("value", "expected"), [(None, False), (3, False), ("await", False), (type("A", (), {"__await__": iter}), False)]
)
def test_is_awaitable_of_what_cannot_be_awaited(value: object, expected: bool) -> None:
    assert is_awaitable(value) is expected


async def test_is_awaitable_of_what_can_be_awaited() -> None:
    coroutine = tick()
    assert is_awaitable(coroutine)
    assert is_awaitable(asyncio.get_running_loop().create_future())
    assert is_awaitable(type("A", (), {"__await__": iter})())
    await coroutine


async def test_fanout_of_nothing_has_ended_at_once(own: Own) -> None:
    owner = own([])
    assert owner.start()
    assert owner.fan.ended
    assert owner.ends == []
    assert await owner.join() == []


@pytest.mark.parametrize("turns", [None, 0, 1, 4])
async def test_fanout_tells_its_end_once(own: Own, turns: int | None) -> None:
    owner = own([lambda: None if turns is None else tick(turns)] * 3)
    ended_at_once = owner.start()
    await owner.join()
    assert owner.fan.ended
    assert owner.ends == ([] if ended_at_once else [owner.fan])
    owner.fan.cancel()
    assert owner.ends == ([] if ended_at_once else [owner.fan])


async def test_fanout_ends_after_the_last_of_its_callables(own: Own) -> None:
    release = asyncio.Event()
    owner = own([tick, release.wait, tick])
    owner.start()
    await tick(20)
    assert (owner.ends, owner.fan.ended) == ([], False)
    release.set()
    await owner.join()
    assert owner.ends == [owner.fan]


async def test_fanout_has_started_everything_when_its_start_returns() -> None:
    started: list[int] = []
    release = asyncio.Event()

    def call(number: int) -> object:
        started.append(number)
        return release.wait()

    owner = Owner([partial(call, number) for number in range(30)])
    assert not owner.start()
    assert started == list(range(30))
    release.set()
    await owner.join()


@pytest.mark.parametrize("number", [1, 2, 3, 8, 100])
async def test_fanout_without_eager_tasks_has_started_everything_after_log_n_turns(number: int) -> None:
    asyncio.get_running_loop().set_task_factory(plain_factory)
    started: list[int] = []
    release = asyncio.Event()

    def call() -> object:
        started.append(len(started))
        return release.wait()

    owner = Owner([call] * number)
    owner.start()
    assert started == []
    await tick(math.ceil(math.log2(number + 1)))
    assert len(started) == number
    release.set()
    await owner.join()


async def test_fanout_takes_a_task_for_itself_and_one_for_each_that_waits(own: Own) -> None:
    release = asyncio.Event()
    tasks: set[object] = set()

    def quick() -> None:
        tasks.add(asyncio.current_task())

    async def waiting() -> None:
        tasks.add(asyncio.current_task())
        await release.wait()

    owner = own([*[quick] * 10, waiting, *[quick] * 10, waiting, *[quick] * 10])
    owner.start()
    await tick(10)
    assert len(asyncio.all_tasks()) - 1 == 2
    assert 2 <= len(tasks) <= 4
    release.set()
    await owner.join()


async def test_fanout_runs_callables_that_do_not_wait_in_one_task(own: Own) -> None:
    tasks: set[object] = set()
    await own([lambda: tasks.add(asyncio.current_task())] * 50).run()
    assert len(tasks) == 1
    assert asyncio.current_task() not in tasks


async def test_fanout_skips_what_is_to_be_skipped(own: Own) -> None:
    seen: list[str] = []
    first, second, third = (partial(seen.append, name) for name in "abc")
    assert await own([first, second, third], skip={second}).run() == []
    assert seen == ["a", "c"]


async def test_fanout_skips_what_an_earlier_callable_removes(own: Own) -> None:
    seen: list[str] = []
    skip: set[object] = set()
    last = partial(seen.append, "last")

    async def remover() -> None:
        skip.add(last)
        await tick()

    await own([remover, partial(seen.append, "second"), last], skip=skip).run()
    assert seen == ["second"]


# Isolation


@pytest.mark.parametrize("turns", [None, 0, 2])
async def test_fanout_keeps_a_changed_context_variable_from_the_others(own: Own, turns: int | None) -> None:
    seen: list[str] = []
    var.set("of the caller")

    def change() -> object:
        seen.append(var.get())
        var.set("changed")
        return None if turns is None else tick(turns)

    async def change_later() -> None:
        seen.append(var.get())
        if turns:
            await tick(turns)
        var.set("changed later")

    await own([change, change_later, change, lambda: seen.append(var.get())]).run()
    assert seen == ["of the caller"] * 4
    assert var.get() == "of the caller"


@pytest.mark.parametrize(("value", "equal"), [([], []), (1, True), (Alike(), Alike())], ids=["list", "int", "own"])
async def test_fanout_keeps_a_context_variable_from_the_others_where_its_new_value_is_equal(
    own: Own, value: object, equal: object
) -> None:
    variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable")
    variable.set(value)
    seen: list[object] = []

    def change() -> None:
        seen.append(variable.get())
        variable.set(equal)

    await own([change] * 3).run()
    assert [each is value for each in seen] == [True] * 3


async def test_fanout_keeps_a_context_variable_from_the_others_where_its_values_cannot_be_compared(own: Own) -> None:
    variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable")
    value = Incomparable()
    variable.set(value)
    seen: list[object] = []

    def change() -> None:
        seen.append(variable.get())
        variable.set(Incomparable())

    assert await own([change] * 3).run() == []
    assert [each is value for each in seen] == [True] * 3


@pytest.mark.parametrize("count", [1, 20])  # of a few variables each is looked at
async def test_fanout_keeps_a_context_variable_from_the_others_whose_new_value_equals_all(own: Own, count: int) -> None:
    class EqualsAll:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # not needed

    variables = [contextvars.ContextVar[object](str(number)) for number in range(count)]
    for variable in variables:
        variable.set("the notifier's")
    seen: list[object] = []

    def change() -> None:
        seen.append(variables[-1].get())
        variables[-1].set(EqualsAll())

    assert await own([lambda: None, change, change]).run() == []
    assert [type(each) for each in seen] == [str, str]


async def test_fanout_shares_a_task_where_many_variables_are_as_they_were(own: Own) -> None:
    variables = [contextvars.ContextVar[object](str(number)) for number in range(20)]
    for variable in variables:
        variable.set("the notifier's")
    names: list[str] = []

    def note() -> None:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())

    def change_and_reset() -> None:
        variables[0].reset(variables[0].set("its own"))
        note()

    assert await own([change_and_reset, note, note]).run() == []
    assert len(set(names)) == 1


async def test_fanout_keeps_a_new_context_variable_from_the_others(own: Own) -> None:
    fresh: contextvars.ContextVar[str] = contextvars.ContextVar("fresh")
    seen: list[str] = []

    def change() -> None:
        seen.append(fresh.get("unset"))
        fresh.set("set")

    await own([change] * 3).run()
    assert seen == ["unset"] * 3
    assert fresh not in contextvars.copy_context()


async def test_fanout_keeps_the_context_variables_of_one_callable_over_its_suspensions(own: Own) -> None:
    seen: list[str] = []

    async def call(name: str) -> None:
        var.set(name)
        await tick(2)
        seen.append(var.get())

    await own([partial(call, "a"), partial(call, "b")]).run()
    assert sorted(seen) == ["a", "b"]


async def test_fanout_runs_in_copies_of_the_context_it_is_given(own: Own) -> None:
    context = contextvars.Context()
    context.run(var.set, "given")
    seen: list[str] = []

    async def call() -> None:
        seen.append(var.get())
        var.set("changed")
        await tick()

    await own([call, call], context=context).run()
    assert seen == ["given", "given"]
    assert context[var] == "given"


async def test_fanout_gives_each_that_waits_a_task_of_its_own(own: Own) -> None:
    tasks: list[object] = []

    async def call() -> None:
        await tick()
        tasks.append(asyncio.current_task())

    await own([call] * 5).run()
    assert len(set(tasks)) == 5
    assert asyncio.current_task() not in tasks


@pytest.mark.parametrize("turns", [None, 0])
async def test_fanout_keeps_a_cancellation_that_was_asked_for_from_the_next(own: Own, turns: int | None) -> None:
    ended: list[str] = []

    def cancels_itself() -> object:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return None if turns is None else tick(turns)

    async def innocent() -> None:
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await tick(3)
        ended.append("innocent")

    assert await own([cancels_itself, innocent, cancels_itself, innocent]).run() == []
    assert ended == ["innocent"] * 2
    caller = asyncio.current_task()
    assert caller is not None
    assert caller.cancelling() == 0


async def test_fanout_cancellation_of_one_callable_reaches_no_other(own: Own) -> None:
    tasks: list[asyncio.Task[Any]] = []
    ended: list[str] = []

    async def victim() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await asyncio.Event().wait()

    async def innocent() -> None:
        await tick(10)
        ended.append("innocent")

    owner = own([victim, innocent])
    owner.start()
    await tick(5)
    tasks[0].cancel()
    [(index, error)] = await owner.join()
    assert index == 0
    assert isinstance(error, asyncio.CancelledError)
    assert ended == ["innocent"]


@pytest.mark.virtual_time
async def test_fanout_timeout_of_one_callable_reaches_no_other(own: Own) -> None:
    ended: list[float] = []

    async def call(timeout: float) -> None:
        async with asyncio.timeout(timeout):
            await asyncio.sleep(5)
        ended.append(timeout)

    errors = await own([partial(call, 1), partial(call, 9), partial(call, 2), partial(call, 8)]).run()
    assert [(index, type(error)) for index, error in errors] == [(0, TimeoutError), (2, TimeoutError)]
    assert sorted(ended) == [8, 9]


@pytest.mark.virtual_time
async def test_fanout_timeout_that_a_callable_leaves_without_waiting_reaches_no_other(own: Own) -> None:
    async def quick() -> None:
        async with asyncio.timeout(1):
            await tick(0)

    assert await own([quick, partial(asyncio.sleep, 5)]).run() == []
