"""A notification that reaches one observer, through operators: what goes on while the short way is taken for that.

The way is not taken before the derived observables know their loop, so each test has something go through them first.
"""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

from asyncutils_rx import Observable, _alone, _fanout
from asyncutils_rx._runner import Runner, runner_for
from asyncutils_rx.exceptions import ReentrancyError
from tests.observable_kit import Held, Log, Recorder, Tally, begin, failing, within

if TYPE_CHECKING:
    from collections.abc import Callable

var: ContextVar[str] = ContextVar("var", default="unset")


def up(value: int) -> tuple[tuple[int], dict[str, Any]]:
    return (value + 1,), {}


def is_positive(value: int) -> bool:
    return value > 0


class Chain:
    """A source, operators that let everything through, and what comes out of them."""

    def __init__(self, **options: Any) -> None:
        self.source: Observable[[int]] = Observable(**options)
        self.middle = self.source.map(up)
        self.target = self.middle.filter(is_positive).at_change()


async def flown(**options: Any) -> Chain:
    """Return a chain through which something went."""
    chain = Chain(**options)
    await chain.source.notify(100)
    return chain


async def with_branches(*branches: Callable[[int], object]) -> tuple[Observable[[int]], list[Observable[[int]]]]:
    """Return a source and what is filtered from it, after something went through."""
    source: Observable[[int]] = Observable()
    derived = [source.filter(branch) for branch in branches]
    await source.notify(100)
    return source, derived


def everything(_: int) -> bool:
    return True


async def test_flight_through_operators_calls_the_observer_and_leaves_all_idle() -> None:
    chain, seen = await flown(), Recorder(suspends=False)
    chain.target.subscribe_nowait(seen)
    for value in (1, 2):
        await within(chain.source.notify(value))
        assert all(each.idle for each in (chain.source, chain.middle, chain.target))
    assert seen.values == [2, 3]


async def test_flight_keeps_both_ends_busy_until_the_observer_has_ended() -> None:
    chain, held = await flown(), Held()
    chain.target.subscribe_nowait(held)
    notifier = await begin(chain.source.notify(1))
    assert (chain.source.notifying, chain.middle.notifying, chain.target.notifying) == (True, False, True)
    held.release()
    await within(notifier)
    assert all(each.idle for each in (chain.source, chain.middle, chain.target))


@pytest.mark.parametrize("suspends", [False, True])
async def test_flight_of_an_observer_that_notifies_the_source_is_queued(suspends: bool) -> None:
    chain, journal = await flown(), list[str]()

    async def observer(value: int) -> None:
        journal.append(f"start {value}")
        if suspends:
            await asyncio.sleep(0)
        if value == 2:
            await within(chain.source.notify(value))
        journal.append(f"end {value}")

    chain.target.subscribe_nowait(observer)
    await within(chain.source.notify(1))
    assert journal == ["start 2", "end 2", "start 3", "end 3"]
    assert chain.source.idle


@pytest.mark.parametrize("suspends", [False, True])
async def test_flight_of_an_observer_that_notifies_where_it_is_subscribed_is_queued(suspends: bool) -> None:
    chain, journal = await flown(), list[str]()

    async def observer(value: int) -> None:
        journal.append(f"start {value}")
        if suspends:
            await asyncio.sleep(0)
        if value == 2:
            await within(chain.target.notify(value + 5))
        journal.append(f"end {value}")

    chain.target.subscribe_nowait(observer)
    await within(chain.source.notify(1))
    assert journal == ["start 2", "end 2", "start 7", "end 7"]
    assert chain.target.idle


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("where", ["source", "target"])
async def test_flight_knows_its_observer_as_inside_of_both_ends(where: str, suspends: bool) -> None:
    chain = await flown(maxsize=None)
    refused: list[str] = []

    async def observer(_: int) -> None:
        if suspends:
            await asyncio.sleep(0)
        with pytest.raises(ReentrancyError):
            await within(getattr(chain, where).wait_until_idle())
        refused.append(where)

    chain.target.subscribe_nowait(observer)
    await within(chain.source.notify(1))
    assert refused == [where]
    assert chain.source.idle


@pytest.mark.parametrize("suspends", [False, True])
async def test_flight_raises_the_error_of_its_observer(suspends: bool) -> None:
    chain, error = await flown(), ValueError("its own")
    subscription = chain.target.subscribe_nowait(failing(error, suspends=suspends))
    with pytest.raises(ValueError, match="its own") as caught:
        await within(chain.source.notify(1))
    assert caught.value is error
    subscription()
    seen = Tally()
    chain.target.subscribe_nowait(seen)
    await within(chain.source.notify(2))
    assert seen.values == [3]


async def test_flight_that_meets_an_error_on_the_way_raises_it() -> None:
    source, [picky] = await with_branches(lambda value: 1 // value > 0)
    seen = Tally()
    picky.subscribe_nowait(seen)
    with pytest.raises(ZeroDivisionError):
        await within(source.notify(0))
    assert source.idle
    await within(source.notify(1))
    assert seen.values == [1]


async def test_flight_that_met_an_error_after_it_reached_an_observer_still_calls_that() -> None:
    source, [good, picky] = await with_branches(everything, lambda value: 1 // value > 0)
    seen, other = Recorder(), Tally()
    good.subscribe_nowait(seen)
    picky.subscribe_nowait(other)
    with pytest.raises(ZeroDivisionError):
        await within(source.notify(0))
    assert (seen.values, other.values) == ([0], [])
    await within(source.notify(1))
    assert (seen.values, other.values) == ([0, 1], [1])


async def test_flight_that_reaches_two_observables_starts_both_in_order() -> None:
    source, [first, second] = await with_branches(everything, everything)
    journal: list[str] = []
    first.subscribe_nowait(lambda value: journal.append(f"first {value}"))
    second.subscribe_nowait(lambda value: journal.append(f"second {value}"))
    await within(source.notify(1))
    assert journal == ["first 1", "second 1"]
    assert all(each.idle for each in (source, first, second))


async def test_flight_raises_the_errors_of_two_observables_in_order() -> None:
    source, [first, second] = await with_branches(everything, everything)
    first.subscribe_nowait(failing(ValueError("first"), suspends=True))
    second.subscribe_nowait(failing(ValueError("second")))
    with pytest.raises(ExceptionGroup) as caught:
        await within(source.notify(1))
    assert [str(error) for error in caught.value.exceptions] == ["first", "second"]


async def test_flight_goes_on_below_an_observable_with_an_observer() -> None:
    chain = await flown()
    above, below = Recorder(), Recorder()
    chain.middle.subscribe_nowait(above)
    chain.target.subscribe_nowait(below)
    await within(chain.source.notify(1))
    assert (above.values, below.values) == ([2], [2])


async def test_flight_that_is_filtered_out_leaves_the_source_idle() -> None:
    source, [none] = await with_branches(lambda value: value < 0)
    seen = Tally()
    none.subscribe_nowait(seen)
    await within(source.notify(1))
    assert (source.idle, none.idle, seen.values) == (True, True, [])


async def test_flight_lets_a_source_end_on_the_way_though_nothing_was_reached() -> None:
    def ends(value: int) -> bool:
        if value == 1:
            source._finish()
        return value != 1

    source, [none] = await with_branches(ends)
    none.subscribe_nowait(Tally())
    await within(source.notify(1))
    await within(source.wait_closed())


@pytest.mark.parametrize("lets_through", [False, True])
@pytest.mark.parametrize("change", ["added", "removed"])
async def test_flight_lets_a_function_on_the_way_change_the_observers(change: str, lets_through: bool) -> None:
    """What is added meanwhile sees the next one; what is removed before it was started does not see this one."""
    seen, late = Tally(), Tally()

    def alters(value: int) -> bool:
        if value == 1:
            if change == "added":
                first.subscribe_nowait(late)
            else:
                first.unsubscribe_nowait(seen)
        return lets_through or value != 1

    source, [first, second] = await with_branches(everything, alters)
    first.subscribe_nowait(seen)
    second.subscribe_nowait(Tally())
    await within(source.notify(1))
    await within(source.notify(2))
    assert (seen.values, late.values) == (([1, 2], [2]) if change == "added" else ([], []))


@pytest.mark.parametrize("suspends", [False, True])
async def test_flight_whose_observer_removes_itself_goes_on_to_its_end(suspends: bool) -> None:
    chain, seen = await flown(), list[int]()

    async def observer(value: int) -> None:
        if suspends:
            await asyncio.sleep(0)
        chain.target.unsubscribe_nowait(observer, strict=True)
        seen.append(value)

    chain.target.subscribe_nowait(observer)
    await within(chain.source.notify(1))
    await within(chain.source.notify(2))
    assert seen == [2]
    assert chain.target.idle


@pytest.mark.parametrize("suspends", [False, True])
async def test_flight_applies_what_its_observer_put_off(suspends: bool) -> None:
    chain, seen = await flown(), list[int]()

    async def observer(value: int) -> None:
        if suspends:
            await asyncio.sleep(0)
        seen.append(value)
        chain.target.unsubscribe_eventually(observer)

    chain.target.subscribe_nowait(observer)
    await within(chain.source.notify(1))
    assert list(chain.target) == []
    await within(chain.source.notify(2))
    assert seen == [2]


async def test_flight_that_is_cancelled_cancels_its_observer_and_frees_both_ends() -> None:
    chain, held = await flown(), Held()
    chain.target.subscribe_nowait(held)
    notifier = await begin(chain.source.notify(1))
    notifier.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert held.cancelled == [2]
    assert chain.source.idle
    assert chain.target.idle


async def test_flight_behind_one_that_is_running_waits_for_its_turn() -> None:
    chain, held = await flown(), Held()
    chain.target.subscribe_nowait(held)
    notifier = await begin(chain.source.notify(1))
    await within(chain.source.notify(2))
    assert held.started == [2]
    held.release()
    await within(notifier)
    assert held.ended == [2, 3]


async def test_flight_that_finds_its_target_busy_waits_for_it() -> None:
    chain, held = await flown(), Held()
    chain.target.subscribe_nowait(held)
    direct = await begin(chain.target.notify(10))
    notifier = await begin(chain.source.notify(1))
    assert held.started == [10]
    held.release()
    await within(asyncio.gather(direct, notifier))
    assert held.ended == [10, 2]


async def test_flight_isolates_the_observer() -> None:
    chain = await flown()
    tasks: list[object] = []

    async def observer(_: int) -> None:
        tasks.append(asyncio.current_task())
        var.set("changed")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()

    chain.target.subscribe_nowait(observer)
    await within(chain.source.notify(1))
    assert tasks != [asyncio.current_task()]
    assert var.get() == "unset"


async def test_flight_resolves_what_waits_for_the_next_notification_further_down() -> None:
    chain = await flown()
    seen = Tally()
    chain.target.subscribe_nowait(seen)
    waiting = await begin(chain.target.wait_for_next())
    passing = await begin(chain.middle.wait_for_next())
    await within(chain.source.notify(1))
    assert await within(waiting) == await within(passing) == ((2,), {})
    assert seen.values == [2]


@pytest.mark.parametrize("where", ["quiet", "below"])
async def test_flight_through_a_quiet_branch_raises_nothing(where: str) -> None:
    source: Observable[[int]] = Observable()
    quiet = source.fork(ret_exc=True)
    below = quiet.fork()
    await within(source.notify(0))
    error = ValueError("logged")
    (below if where == "below" else quiet).subscribe_nowait(failing(error))
    with Log() as log:
        await within(source.notify(1))
    assert log.has(error)
    assert source.idle


async def test_flight_of_a_batch_delivers_all_of_it() -> None:
    source: Observable[[int]] = Observable()
    batches = source.buffer(2)
    for value in range(2):
        await within(source.notify(value))
    seen = Recorder()
    batches.subscribe_nowait(seen)
    for value in range(4):
        await within(source.notify(value))
    assert sorted(seen.values) == [0, 1, 2, 3]


async def test_flight_holds_neither_the_values_nor_the_target_once_it_has_ended() -> None:
    class Value:
        pass

    source: Observable[[Value]] = Observable()
    derived = source.fork()
    await source.notify(Value())
    subscription = derived.subscribe_nowait(lambda _: None)
    value = Value()
    watched, target = ref(value), ref(derived)
    await within(source.notify(value))
    del value
    assert watched() is None
    subscription()
    del derived, subscription
    gc.collect()
    assert target() is None
    await within(source.aclose())


async def test_flight_passes_any_number_of_arguments() -> None:
    source: Observable[[Any, Any]] = Observable()
    seen: list[Any] = []

    def note(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    derived: Observable[...] = source.filter(lambda *_, **__: True).at_change(lambda *args, **__: args)
    notify: Callable[..., Any] = source.notify
    await within(notify("first"))
    derived.subscribe_nowait(note)
    await within(notify())
    await within(notify(1, 2))
    await within(notify(1, key=2))
    assert seen == [((), {}), ((1, 2), {}), ((1,), {"key": 2})]


async def test_flight_that_met_an_error_before_it_reached_an_observer_still_calls_that() -> None:
    source, [picky, good] = await with_branches(lambda value: 1 // value > 0, everything)
    seen, other = Recorder(), Tally()
    good.subscribe_nowait(seen)
    picky.subscribe_nowait(other)
    with pytest.raises(ZeroDivisionError):
        await within(source.notify(0))
    assert (seen.values, other.values) == ([0], [])
    assert good.idle


async def test_flight_that_reaches_several_observers_calls_them_all() -> None:
    chain = await flown()
    seen: list[Any] = [Recorder(), Tally(), Recorder(suspends=False)]
    for each in seen:
        chain.target.subscribe_nowait(each)
    await within(chain.source.notify(1))
    assert [each.values for each in seen] == [[2]] * 3
    assert chain.target.idle


async def test_flight_raises_what_gets_past_the_operators() -> None:
    source, [derived] = await with_branches(everything)
    seen = Tally()
    derived.subscribe_nowait(seen)

    def refuses(_: object) -> None:
        raise KeyboardInterrupt

    with source.to_rx().subscribe(refuses), pytest.raises(KeyboardInterrupt):
        await within(source.notify(1))
    assert source.idle
    await within(source.notify(2))
    assert seen.values[-1] == 2


async def test_flight_lets_a_function_notify_another_observable_that_removes_an_observer_of_the_first() -> None:
    """All of that on one stack: each has its own errors, what is removed is not started, and nothing is left busy."""
    removed, kept, elsewhere = Tally(), Tally(), Tally()

    def removes(value: int) -> bool:
        if value == 1:
            first.unsubscribe_nowait(removed, strict=True)
        return True

    def notifies(value: int) -> bool:
        if value == 1:
            with pytest.raises(KeyError):
                other.notify(value).send(None)
        return True

    other, [below, bad] = await with_branches(removes, everything)
    bad.subscribe_nowait(failing(KeyError()))
    source, [first, second] = await with_branches(everything, notifies)
    first.subscribe_nowait(removed)
    second.subscribe_nowait(kept)
    below.subscribe_nowait(elsewhere)
    await within(source.notify(1))
    assert (removed.values, kept.values, elsewhere.values) == ([], [1], [1])
    assert all(each.idle for each in (source, other, first, second, below, bad))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("derived", [False, True])
async def test_a_notification_that_cannot_be_started_leaves_the_observable_idle(
    count: int, derived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_task(*_: Any, **__: Any) -> None:
        raise MemoryError

    source: Observable[[int]] = Observable()
    seen: list[int] = []
    obs = source.fork() if derived else source
    for number in range(count):
        obs.subscribe_nowait(partial(seen.append) if number else seen.append)
    await source.notify(0)
    with monkeypatch.context() as patch:
        patch.setattr(_fanout, "Task", no_task)
        patch.setattr(Runner, "start_eagerly", no_task)
        patch.setattr(_alone, "Standby", no_task)
        runner_for(asyncio.get_running_loop()).standby = None
        with pytest.raises(MemoryError):
            await source.notify(1)
    assert (source.idle, obs.idle) == (True, True)
    await source.notify(2)
    assert seen == [0] * count + [2] * count


async def test_a_notification_that_cannot_start_its_second_observer_ends_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[object] = []

    def once(make: Any, place: int) -> Any:
        def make_one(*args: Any, **kwargs: Any) -> Any:
            made.append(make)
            if len(made) > 1:
                args[place].close()
                raise MemoryError
            return make(*args, **kwargs)

        return make_one

    held, tally = Held(), Tally()
    obs: Observable[[int]] = Observable([held, tally])
    with monkeypatch.context() as patch:
        patch.setattr(_fanout, "Task", once(asyncio.Task, 0))
        patch.setattr(Runner, "start_eagerly", once(Runner.start_eagerly, 1))
        with pytest.raises(MemoryError):
            await within(obs.notify(1))
    assert held.started == held.cancelled == [1]
    assert tally.values == []
    assert obs.idle
