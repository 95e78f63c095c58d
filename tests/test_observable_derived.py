"""What derived observables share: whom an emission belongs to, which errors go where, and what their state hangs on."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from reactivex.scheduler import VirtualTimeScheduler

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import AsyncutilsRxError, ObservableClosed
from tests.observable_kit import Held, Log, Recorder, Tally, begin, collect_errors, failing, now, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

# A predicate, transform or key that raises


def unlucky(value: int) -> int:
    if value == 13:
        raise ValueError("for 13")
    return value


RAISING: dict[str, Callable[..., Observable[...]]] = {
    "map": lambda obs, **options: obs.map(lambda value: ((unlucky(value),), {}), **options),
    "filter": lambda obs, **options: obs.filter(lambda value: unlucky(value) >= 0, **options),
    "at_change": lambda obs, **options: obs.at_change(unlucky, **options),
}


@pytest.mark.parametrize("name", RAISING)
async def test_function_that_raises_does_not_end_the_stream(name: str) -> None:
    tally, beside = Tally(), Tally()
    obs: Observable[[int]] = Observable([beside])
    derived = RAISING[name](obs)
    derived.subscribe_nowait(tally)
    await obs.notify(1)
    with pytest.raises(ValueError, match="for 13"):
        await obs.notify(13)
    await obs.notify(2)
    assert tally.values == [1, 2]
    assert beside.values == [1, 13, 2]


@pytest.mark.parametrize("name", RAISING)
async def test_function_that_raises_hinders_no_other_branch(name: str) -> None:
    before, after, below = Tally(), Tally(), Tally()
    obs: Observable[[int]] = Observable()
    branches = [obs.fork(), RAISING[name](obs), obs.fork()]
    for branch, tally in zip(branches, (before, below, after), strict=True):
        branch.subscribe_nowait(tally)
    with pytest.raises(ValueError, match="for 13"):
        await obs.notify(13)
    assert before.values == after.values == [13]
    assert below.values == []


@pytest.mark.parametrize("name", RAISING)
async def test_function_that_raises_drops_the_notification_further_down_too(name: str) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    end = RAISING[name](obs.fork()).fork()
    end.subscribe_nowait(tally)
    for value in (13, 1, 13, 2):
        if value == 13:
            with pytest.raises(ValueError, match="for 13"):
                await obs.notify(value)
        else:
            await obs.notify(value)
    assert tally.values == [1, 2]


@pytest.mark.parametrize("name", RAISING)
async def test_function_that_raises_for_a_queued_notification_tells_the_draining_call(name: str) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    derived = RAISING[name](obs)
    derived.subscribe_nowait(tally)

    async def observer(value: int) -> None:
        if value == 1:
            await obs.notify(13)
            await obs.notify(2)

    obs.subscribe_nowait(observer)
    with pytest.raises(ValueError, match="for 13"):
        await within(obs.notify(1))
    assert tally.values == [1, 2]


@pytest.mark.parametrize("name", RAISING)
async def test_function_that_raises_without_observers_tells_the_notifier(name: str) -> None:
    """The state of a derived observable does not depend on who listens, so its functions are called all the same."""
    obs: Observable[[int]] = Observable()
    derived = RAISING[name](obs)
    with pytest.raises(ValueError, match="for 13"):
        await obs.notify(13)
    assert list(derived) == []


async def test_at_change_key_that_raises_leaves_the_last_key_as_it_was() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    changes = obs.at_change(unlucky)
    changes.subscribe_nowait(tally)
    await obs.notify(1)
    with pytest.raises(ValueError, match="for 13"):
        await obs.notify(13)
    await obs.notify(1)
    assert tally.values == [1]


async def test_at_change_keys_that_cannot_be_compared_tell_the_notifier() -> None:
    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise ValueError("for 13")

        __hash__ = None  # type: ignore[assignment]  # never hashed

    tally = Tally()
    obs: Observable[[Any]] = Observable()
    changes = obs.at_change()
    changes.subscribe_nowait(tally)
    await obs.notify(1)
    with pytest.raises(ValueError, match="for 13"):
        await obs.notify(Incomparable())
    await obs.notify(2)
    assert tally.values == [1, 2]


@pytest.mark.parametrize("wrong", [5, None, ((1,),), (1, {}), ((1,), 2), ((1,), {2: 3})])
async def test_map_transform_of_the_wrong_shape_tells_the_notifier(wrong: Any) -> None:
    tally = Tally()
    obs: Observable[[bool]] = Observable()
    mapped = obs.map(lambda right: (("right",), {}) if right else wrong)
    mapped.subscribe_nowait(tally)
    with pytest.raises((TypeError, ValueError)):
        await obs.notify(False)
    await obs.notify(True)
    assert tally.values == ["right"]


@pytest.mark.parametrize("name", ["map", "filter", "at_change"])
async def test_coroutine_function_for_a_plain_one_does_not_pass_unnoticed(name: str) -> None:
    """Whether the operator or the notification refuses it is open."""

    async def function(value: int) -> Any:
        return (value,), {}

    tally = Tally()
    obs: Observable[[int]] = Observable()

    async def derive_and_notify() -> None:
        getattr(obs, name)(function).subscribe_nowait(tally)
        await obs.notify(1)

    with pytest.raises((TypeError, ValueError)):
        await derive_and_notify()
    assert tally.values == []


async def test_stop_iteration_of_a_predicate_is_an_error_like_any_other() -> None:
    def predicate(_: int) -> bool:
        return next(iter(()))

    obs: Observable[[int]] = Observable()
    derived = obs.filter(predicate)
    with pytest.raises((StopIteration, RuntimeError)):
        await obs.notify(1)
    assert list(derived) == []


# ret_exc

BRANCHES: dict[str, Callable[..., Observable[...]]] = {
    "map": lambda obs, **options: obs.map(lambda value: ((value,), {}), **options),
    "filter": lambda obs, **options: obs.filter(lambda _: True, **options),
    "at_change": lambda obs, **options: obs.at_change(**options),
    "fork": lambda obs, ret_exc: obs.fork(ret_exc),
    "buffer": lambda obs, **options: obs.buffer(1, **options),
    "throttle": lambda obs, **options: obs.throttle(0, **options),
    "merge": Observable.merge,
}


@pytest.mark.parametrize("name", BRANCHES)
async def test_ret_exc_keeps_the_errors_of_observers_from_the_notifier(
    name: str, loop_errors: list[dict[str, Any]]
) -> None:
    error, deeper = ValueError("of an observer"), ValueError("of an observer further down")
    tally = Tally()
    obs: Observable[[int]] = Observable()
    derived = BRANCHES[name](obs, ret_exc=True)
    child = derived.fork()
    derived.subscribe_nowait(failing(error))
    child.subscribe_nowait(failing(deeper, suspends=True))
    derived.subscribe_nowait(tally)
    with Log() as log:
        await within(obs.notify(1))
        await settle()
    reported = collect_errors(loop_errors)
    assert tally.values == [1]
    for each in (error, deeper):
        assert log.has(each) or each in reported


@pytest.mark.parametrize("name", RAISING)
async def test_ret_exc_keeps_the_errors_of_its_own_function_from_the_notifier(
    name: str, loop_errors: list[dict[str, Any]]
) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    derived = RAISING[name](obs, ret_exc=True)
    derived.subscribe_nowait(tally)
    with Log() as log:
        for value in (1, 13, 2):
            await within(obs.notify(value))
        await settle()
    reported = [str(error) for error in collect_errors(loop_errors)]
    assert tally.values == [1, 2]
    assert log.has(ValueError("for 13")) or reported == ["for 13"]


async def test_ret_exc_keeps_the_errors_of_no_other_branch() -> None:
    above, beside = ValueError("above"), ValueError("beside")
    obs: Observable[[int]] = Observable([failing(above)])
    quiet, loud = obs.fork(ret_exc=True), obs.fork(ret_exc=False)
    quiet.subscribe_nowait(failing(ValueError("quiet")))
    loud.subscribe_nowait(failing(beside))
    with Log(), pytest.raises(ExceptionGroup) as caught:
        await obs.notify(1)
    assert set(caught.value.exceptions) == {above, beside}


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("suspends", [False, True])
async def test_ret_exc_keeps_the_errors_from_whoever_notifies_the_branch_itself(count: int, suspends: bool) -> None:
    branch = Observable[[int]]().fork(ret_exc=True)
    errors = [ValueError(f"observer {number}") for number in range(count)]
    for error in errors:
        branch.subscribe_nowait(failing(error, suspends=suspends))
    with Log() as log:
        await branch.notify(1)
    assert all(log.has(error) for error in errors)


async def test_ret_exc_still_awaits_the_branch() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    quiet = obs.fork(ret_exc=True)
    quiet.subscribe_nowait(held)
    notifier = await begin(obs.notify(1))
    assert not notifier.done()
    held.release()
    await within(notifier)


async def test_ret_exc_lets_a_cancelled_error_through() -> None:
    obs: Observable[[int]] = Observable()
    quiet = obs.fork(ret_exc=True)
    quiet.subscribe_nowait(failing(asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await within(obs.notify(1))


# Whom an emission belongs to


@pytest.mark.virtual_time
async def test_background_emission_is_not_part_of_a_notification_that_is_long_gone(
    loop_errors: list[dict[str, Any]],
) -> None:
    error = ValueError("in the background")
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(failing(error))
    await obs.notify(1)
    await asyncio.sleep(2)
    assert collect_errors(loop_errors) == [error]
    await obs.aclose()


@pytest.mark.virtual_time
async def test_background_emission_is_not_part_of_the_notification_that_scheduled_it_and_still_runs(
    loop_errors: list[dict[str, Any]],
) -> None:
    error = ValueError("in the background")

    async def slow_and_failing(_: int) -> None:
        await asyncio.sleep(10)
        raise error

    async def takes_five(_: int) -> None:
        await asyncio.sleep(5)

    obs: Observable[[int]] = Observable([takes_five])
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(slow_and_failing)
    started = now()
    await obs.notify(1)
    assert now() - started == 5
    await asyncio.sleep(10)
    assert collect_errors(loop_errors) == [error]
    await obs.aclose()


@pytest.mark.virtual_time
async def test_background_emission_survives_the_cancellation_of_the_notification_that_scheduled_it() -> None:
    held, tally = Held(), Tally()
    obs: Observable[[int]] = Observable([held])
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(tally)
    notifier = await begin(obs.notify(1))
    notifier.cancel()
    await asyncio.wait([notifier])
    await asyncio.sleep(2)
    assert tally.values == [1]


@pytest.mark.virtual_time
async def test_background_emission_scheduled_inside_an_observer_is_not_inside_it() -> None:
    """The timer captures the observer's context; what it emits waits for its turn like anyone's."""
    seen: list[int] = []
    inner: Observable[[int]] = Observable()
    quiet = inner.debounce(1)

    async def observer(value: int) -> None:
        seen.append(value)
        if value == 0:
            await inner.notify(1)
            await asyncio.sleep(5)

    outer: Observable[[int]] = Observable([observer], maxsize=None)
    quiet.subscribe_nowait(outer.notify)
    async with inner, outer:
        await outer.notify(0)
        await quiet.wait_until_idle()
        await settle()
    assert seen == [0, 1]


@pytest.mark.virtual_time
async def test_background_emission_makes_its_observable_busy() -> None:
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)
    ended: list[float] = []

    async def observer(_: int) -> None:
        await asyncio.sleep(5)
        ended.append(now())

    quiet.subscribe_nowait(observer)
    started = now()
    await obs.notify(1)
    await asyncio.sleep(2)
    assert quiet.notifying
    assert obs.idle
    await quiet.wait_until_idle()
    assert ended == [started + 6]
    assert now() == started + 6
    await obs.aclose()


@pytest.mark.virtual_time
@pytest.mark.parametrize("leave", ["source", "derived", "further down"])
async def test_background_emission_is_awaited_on_leaving(leave: str) -> None:
    ended: list[float] = []

    async def observer(_: int) -> None:
        await asyncio.sleep(5)
        ended.append(now())

    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)
    child = quiet.fork()
    child.subscribe_nowait(observer)
    started = now()
    await obs.notify(1)
    await asyncio.sleep(2)
    await {"source": obs, "derived": quiet, "further down": child}[leave].aclose()
    assert ended == [started + 6]
    assert now() == started + 6


@pytest.mark.virtual_time
async def test_background_emissions_of_one_observable_reach_its_observers_in_order() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(held)
    for value in range(3):
        await obs.notify(value)
        await asyncio.sleep(2)
    held.release()
    await quiet.wait_until_idle()
    assert held.started == [0, 1, 2]
    assert sorted(held.ended) == [0, 1, 2]
    await obs.aclose()


@pytest.mark.virtual_time
async def test_background_error_with_ret_exc_reaches_the_log_or_the_loop(loop_errors: list[dict[str, Any]]) -> None:
    error = ValueError("in the background")
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1, ret_exc=True)
    quiet.subscribe_nowait(failing(error))
    with Log() as log:
        await obs.notify(1)
        await asyncio.sleep(2)
    assert [error] == collect_errors(loop_errors) or log.has(error)
    await obs.aclose()


@pytest.mark.virtual_time
async def test_function_that_raises_in_the_background_is_reported_to_the_loop(
    loop_errors: list[dict[str, Any]],
) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    end = obs.debounce(1).filter(lambda value: unlucky(value) >= 0)
    end.subscribe_nowait(tally)
    for value in (13, 1):
        await obs.notify(value)
        await asyncio.sleep(2)
    assert [str(error) for error in collect_errors(loop_errors)] == ["for 13"]
    assert tally.values == [1]
    await obs.aclose()


PLACE: ContextVar[str] = ContextVar("PLACE", default="unset")


@pytest.mark.virtual_time
async def test_background_emission_changes_no_context_variable_of_the_notifier() -> None:
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(lambda _: PLACE.set("observer"))
    await obs.notify(1)
    await asyncio.sleep(2)
    assert PLACE.get() == "unset"
    await obs.aclose()


@pytest.mark.parametrize("suspends", [False, True])
async def test_emission_of_a_scheduler_that_an_observer_drives_belongs_to_its_notification(suspends: bool) -> None:
    """The timer runs on the call stack of the observer, so the notification waits for what it emits."""
    error = ValueError("emitted by the observer's clock")
    held = Held()
    scheduler = VirtualTimeScheduler()
    source: Observable[[str]] = Observable()
    quiet = source.debounce(10, scheduler=scheduler)
    quiet.subscribe_nowait(held)
    quiet.subscribe_nowait(failing(error))
    await source.notify("pending")

    async def drives(_: str) -> None:
        if suspends:
            await asyncio.sleep(0)
        scheduler.advance_to(20)

    clock: Observable[[str]] = Observable([drives])
    notifier = await begin(clock.notify("tick"))
    assert held.started == ["pending"]
    assert not notifier.done()
    held.release()
    with pytest.raises(ValueError, match="the observer's clock") as caught:
        await within(notifier)
    assert caught.value is error


# Two sources


async def test_merge_gives_each_notifier_its_own_errors() -> None:
    errors = {"one": ValueError("one"), "two": ValueError("two")}
    held = Held()

    async def observer(value: str) -> None:
        await held(value)
        raise errors[value]

    one: Observable[[str]] = Observable()
    two: Observable[[str]] = Observable()
    merged = Observable.merge(one, two)
    merged.subscribe_nowait(observer)
    calls = [await begin(one.notify("one")), await begin(two.notify("two"))]
    held.release()
    assert await within(asyncio.gather(*calls, return_exceptions=True)) == list(errors.values())


async def test_merge_notifier_waits_for_its_own_emission() -> None:
    held = Held()
    one: Observable[[str]] = Observable()
    two: Observable[[str]] = Observable()
    merged = Observable.merge(one, two)
    merged.subscribe_nowait(held)
    first, second = await begin(one.notify("one")), await begin(two.notify("two"))
    held.release("one")
    await within(first)
    await settle()
    assert not second.done()
    held.release()
    await within(second)
    assert held.ended == ["one", "two"]


async def test_merge_cancelled_notifier_takes_nothing_of_the_other_along() -> None:
    held = Held()
    one: Observable[[str]] = Observable()
    two: Observable[[str]] = Observable()
    merged = Observable.merge(one, two)
    merged.subscribe_nowait(held)
    first, second = await begin(one.notify("one")), await begin(two.notify("two"))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(first)
    held.release()
    await within(second)
    assert held.cancelled == ["one"]
    assert held.ended == ["two"]


async def test_merge_observer_that_notifies_another_source_does_not_hang() -> None:
    """What the inner call reaches is busy with the outer one: it works or raises at once."""
    outcomes: list[object] = []
    seen: list[str] = []

    async def observer(value: str) -> None:
        seen.append(value)
        if value == "one":
            try:
                outcomes.append(await within(two.notify("two")))
            except AsyncutilsRxError as error:
                outcomes.append(error)

    one: Observable[[str]] = Observable()
    two: Observable[[str]] = Observable()
    merged = Observable.merge(one, two)
    merged.subscribe_nowait(observer)
    await within(one.notify("one"))
    await within(merged.wait_until_idle())
    assert len(outcomes) == 1
    if outcomes == [None]:
        assert seen == ["one", "two"]


async def test_merges_in_opposite_orders_do_not_block_each_other() -> None:
    tally = Tally()
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    left, right = Observable.merge(one, two), Observable.merge(two, one)
    for merged in (left, right, Observable.merge(left, right)):
        merged.subscribe_nowait(tally)
        merged.subscribe_nowait(Recorder())
    await within(asyncio.gather(*(source.notify(value) for value in range(10) for source in (one, two))), 20)
    for source in (one, two, left, right):
        await within(source.wait_until_idle())
    assert len(tally.values) == 10 * 2 * 4


async def test_merge_closes_when_all_its_sources_have() -> None:
    tally = Tally()
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    merged = Observable.merge(one, two)
    merged.subscribe_nowait(tally)
    await one.aclose()
    await two.notify(1)
    waiting = await begin(merged.wait_for_next())
    assert not waiting.done()
    await two.aclose()
    with pytest.raises(ObservableClosed):
        await within(waiting)
    with pytest.raises(ObservableClosed):
        merged.subscribe_nowait(Tally())
    assert tally.values == [1]


async def test_merge_left_leaves_its_sources_open() -> None:
    tally = Tally()
    one: Observable[[int]] = Observable([tally])
    two: Observable[[int]] = Observable([tally])
    await Observable.merge(one, two).aclose()
    await one.notify(1)
    await two.notify(2)
    assert tally.values == [1, 2]


async def test_merge_of_the_same_source_twice_closes_with_it() -> None:
    obs: Observable[[int]] = Observable()
    merged = Observable.merge(obs, obs)
    await obs.aclose()
    with pytest.raises(ObservableClosed):
        await merged.notify(1)


# The state does not hang on who listens


async def test_at_change_keeps_its_key_while_nobody_listens() -> None:
    obs: Observable[[int]] = Observable()
    changes = obs.at_change()
    await obs.notify(1)
    changes.subscribe_nowait(tally := Tally())
    await obs.notify(1)
    changes.unsubscribe_nowait(tally)
    await obs.notify(2)
    changes.subscribe_nowait(tally)
    await obs.notify(2)
    await obs.notify(1)
    assert tally.values == [1]


async def test_buffer_fills_while_nobody_listens() -> None:
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(3)
    await obs.notify(1)
    batches.subscribe_nowait(tally := Tally())
    await obs.notify(2)
    batches.unsubscribe_nowait(tally)
    batches.subscribe_nowait(tally)
    await obs.notify(3)
    assert tally.values == [1, 2, 3]


@pytest.mark.virtual_time
async def test_throttle_keeps_its_window_while_nobody_listens() -> None:
    obs: Observable[[int]] = Observable()
    calm = obs.throttle(10)
    await obs.notify(1)
    await asyncio.sleep(5)
    calm.subscribe_nowait(tally := Tally())
    await obs.notify(2)
    await asyncio.sleep(6)
    await obs.notify(3)
    assert tally.values == [3]


@pytest.mark.virtual_time
async def test_debounce_holds_its_pending_notification_while_nobody_listens() -> None:
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(10)
    await obs.notify(1)
    await asyncio.sleep(5)
    quiet.subscribe_nowait(tally := Tally())
    await asyncio.sleep(6)
    assert tally.values == [1]
    await obs.aclose()


async def test_derived_state_is_not_shared_by_observers_that_come_late() -> None:
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(2)
    batches.subscribe_nowait(early := Tally())
    await obs.notify(1)
    batches.subscribe_nowait(late := Tally())
    await obs.notify(2)
    assert early.values == late.values == [1, 2]


# What is pending at the end, through several operators


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        (lambda obs: obs.buffer(5).debounce(10), [3]),
        (lambda obs: obs.debounce(10).buffer(5), [3]),
        (lambda obs: obs.debounce(10).debounce(10), [3]),
        (lambda obs: obs.buffer(2).buffer(5), [1, 2, 3]),
        (lambda obs: Observable.merge(obs.buffer(5), obs.debounce(10)).filter(bool), [1, 2, 3, 3]),
    ],
    ids=["buffer-debounce", "debounce-buffer", "debounce-debounce", "buffer-buffer", "merge-filter"],
)
async def test_leaving_the_source_emits_what_is_pending_down_the_whole_chain(
    chain: Callable[[Observable[[int]]], Observable[[int]]], expected: list[int]
) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    started = now()
    async with obs:
        end = chain(obs)
        end.subscribe_nowait(tally)
        for value in (1, 2, 3):
            await obs.notify(value)
    assert sorted(tally.values) == expected
    assert now() == started


@pytest.mark.virtual_time
async def test_leaving_in_the_middle_of_a_chain_emits_what_is_pending_from_there_on() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    middle = obs.fork()
    end = middle.buffer(5)
    end.subscribe_nowait(tally)
    await obs.notify(1)
    await middle.aclose()
    assert tally.values == [1]
    await obs.notify(2)
    assert tally.values == [1]
