"""What each operator emits and when, on virtual time where a clock is involved."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from reactivex.scheduler import VirtualTimeScheduler
from reactivex.testing import TestScheduler

from asyncutils_rx import Observable
from tests.observable_kit import Held, Recorder, Tally, begin, now, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# map


async def test_map_transforms_the_parameters() -> None:
    observer = Recorder()
    obs: Observable[[int, str]] = Observable()
    mapped = obs.map(lambda number, name: ((name, number + 1), {"length": len(name)}))
    mapped.subscribe_nowait(observer)
    await obs.notify(1, "one")
    assert observer.calls == [(("one", 2), {"length": 3})]


async def test_map_transform_gets_keyword_arguments() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()

    def transform(value: int, *, factor: int = 1) -> tuple[tuple[int], dict[str, object]]:
        return (value * factor,), {}

    mapped = obs.map(transform)
    mapped.subscribe_nowait(observer)
    await obs.notify(3, factor=4)
    assert observer.values == [12]


async def test_map_takes_any_iterable_and_mapping() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()

    def transform(value: int) -> tuple[Iterable[object], dict[str, object]]:
        return (value + offset for offset in range(3)), dict.fromkeys("ab", value)

    mapped = obs.map(transform)
    mapped.subscribe_nowait(observer)
    mapped.subscribe_nowait(second := Recorder())
    await obs.notify(1)
    assert observer.calls == second.calls == [((1, 2, 3), {"a": 1, "b": 1})]


async def test_map_calls_its_transform_once_for_all_observers() -> None:
    calls: list[int] = []
    obs: Observable[[int]] = Observable()

    def transform(value: int) -> tuple[tuple[int], dict[str, object]]:
        calls.append(value)
        return (value,), {}

    mapped = obs.map(transform)
    for _ in range(3):
        mapped.subscribe_nowait(Recorder())
    await obs.notify(1)
    assert calls == [1]


async def test_map_to_no_parameters() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    mapped = obs.map(lambda _: ((), {}))
    mapped.subscribe_nowait(observer)
    await obs.notify(1)
    assert observer.calls == [((), {})]


# filter


async def test_filter_passes_what_its_predicate_says() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    even = obs.filter(lambda value: value % 2 == 0)
    even.subscribe_nowait(observer)
    for value in range(5):
        await obs.notify(value)
    assert observer.values == [0, 2, 4]


async def test_filter_predicate_gets_all_parameters_and_leaves_them_as_they_are() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()

    def predicate(value: int, *, keep: bool) -> bool:
        return keep and value > 0

    passing = obs.filter(predicate)
    passing.subscribe_nowait(observer)
    await obs.notify(1, keep=False)
    await obs.notify(2, keep=True)
    assert observer.calls == [((2,), {"keep": True})]


async def test_filter_takes_any_true_value() -> None:
    observer = Recorder()
    obs: Observable[[Any]] = Observable()
    passing = obs.filter(lambda value: value)
    passing.subscribe_nowait(observer)
    for value in (0, "", None, [], 1, "x", [0]):
        await obs.notify(value)
    assert observer.values == [1, "x", [0]]


# fork


async def test_fork_emits_everything() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    forked = obs.fork()
    forked.subscribe_nowait(observer)
    await obs.notify(1, key="one")
    await obs.notify()
    assert observer.calls == [((1,), {"key": "one"}), ((), {})]


async def test_fork_gives_a_new_observable_each_time() -> None:
    obs: Observable[[int]] = Observable()
    one, two = obs.fork(), obs.fork()
    assert len({id(obs), id(one), id(two)}) == 3
    one.subscribe_nowait(Recorder())
    assert list(two) == []


# at_change


async def test_at_change_compares_all_parameters_without_a_key() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    changes = obs.at_change()
    changes.subscribe_nowait(observer)
    for args, kwargs in [((1,), {}), ((1,), {}), ((1, 2), {}), ((1, 2), {"k": 1}), ((1, 2), {"k": 1}), ((1,), {})]:
        await obs.notify(*args, **kwargs)
    assert observer.calls == [((1,), {}), ((1, 2), {}), ((1, 2), {"k": 1}), ((1,), {})]


async def test_at_change_emits_the_first_notification_whatever_its_key() -> None:
    for first in (None, 0, (), False):
        observer = Recorder()
        obs: Observable[[Any]] = Observable()
        changes = obs.at_change(lambda value: value)
        changes.subscribe_nowait(observer)
        await obs.notify(first)
        await obs.notify(first)
        assert observer.values == [first]


async def test_at_change_compares_keys() -> None:
    observer = Recorder()
    obs: Observable[[str]] = Observable()
    changes = obs.at_change(str.lower)
    changes.subscribe_nowait(observer)
    for value in ("a", "A", "b", "a", "B", "b"):
        await obs.notify(value)
    assert observer.values == ["a", "b", "a", "B"]


async def test_at_change_key_need_not_be_hashable() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    changes = obs.at_change(lambda value: [value // 10])
    changes.subscribe_nowait(observer)
    for value in (1, 2, 11, 12, 3):
        await obs.notify(value)
    assert observer.values == [1, 11, 3]


# buffer


async def test_buffer_emits_batches_of_count() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(3)
    batches.subscribe_nowait(observer)
    seen: list[int] = []
    for value in range(7):
        await obs.notify(value)
        seen.append(len(observer.values))
    assert seen == [0, 0, 3, 3, 3, 6, 6]
    assert observer.values == [0, 1, 2, 3, 4, 5]


async def test_buffer_keeps_the_parameters_of_each_notification() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    batches = obs.buffer(2)
    batches.subscribe_nowait(observer)
    await obs.notify(1, a=1)
    await obs.notify(2, 3)
    assert observer.calls == [((1,), {"a": 1}), ((2, 3), {})]


async def test_buffer_emits_a_batch_concurrently_and_awaits_it() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(3)
    batches.subscribe_nowait(held)
    await within(obs.notify(0))
    await within(obs.notify(1))
    filling = await begin(obs.notify(2))
    assert held.started == [0, 1, 2]
    assert held.running == 3
    held.release(2, 0)
    await settle()
    assert not filling.done()
    held.release()
    await within(filling)
    assert sorted(held.ended) == [0, 1, 2]


@pytest.mark.parametrize("chain", ["fork", "filter and map", "merge"])
async def test_buffer_emits_a_batch_concurrently_to_what_is_derived_from_it(chain: str) -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(3)
    if chain == "fork":
        end: Observable[...] = batches.fork()
    elif chain == "merge":
        end = batches.merge(Observable())
    else:
        end = batches.filter(lambda value: value >= 0).map(lambda value: ((value,), {}))
    end.subscribe_nowait(held)
    await obs.notify(0)
    await obs.notify(1)
    filling = await begin(obs.notify(2))
    assert held.started == [0, 1, 2]
    assert held.running == 3
    held.release()
    await within(filling)


async def test_buffer_of_one_emits_each_notification() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(1)
    batches.subscribe_nowait(observer)
    for value in range(3):
        await obs.notify(value)
        assert observer.values == list(range(value + 1))


async def test_buffer_errors_of_a_batch_go_to_the_notification_that_filled_it() -> None:
    errors = [ValueError("zero"), ValueError("one")]

    def observer(value: int) -> None:
        raise errors[value]

    obs: Observable[[int]] = Observable()
    batches = obs.buffer(2)
    batches.subscribe_nowait(observer)
    await obs.notify(0)
    with pytest.raises(ExceptionGroup) as caught:
        await obs.notify(1)
    assert list(caught.value.exceptions) == errors


async def test_buffer_loses_nothing_when_an_observer_notifies_the_source() -> None:
    seen: list[int] = []
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(2)

    async def observer(value: int) -> None:
        seen.append(value)
        if value < 8:
            await within(obs.notify(value * 2 + 2))
            await within(obs.notify(value * 2 + 3))

    batches.subscribe_nowait(observer)
    await within(obs.notify(0))
    await within(obs.notify(1))
    assert sorted(seen) == list(range(18))


@pytest.mark.parametrize("leave", ["source", "derived", "context of the source", "context of the derived"])
async def test_buffer_emits_a_partial_batch_on_leaving(leave: str) -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(5)
    batches.subscribe_nowait(held)
    target: Observable[[int]] = batches if "derived" in leave else obs
    if "context" in leave:
        await target.__aenter__()
    await obs.notify(0)
    await obs.notify(1)
    closing = await begin(target.__aexit__(None, None, None) if "context" in leave else target.aclose())
    assert held.started == [0, 1]
    assert held.running == 2
    assert not closing.done()
    held.release()
    await within(closing)
    assert sorted(held.ended) == [0, 1]


async def test_buffer_emits_nothing_on_leaving_with_an_empty_batch() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    async with obs:
        batches = obs.buffer(2)
        batches.subscribe_nowait(observer)
        await obs.notify(0)
        await obs.notify(1)
    assert observer.values == [0, 1]


# debounce


async def notify_at(obs: Observable[[Any]], *times: float) -> None:
    """Notify the time at each of these times, which count from now."""
    started = now()
    for moment in times:
        await asyncio.sleep(started + moment - now())
        await obs.notify(moment)


class Timed:
    """A sync observer that notes when it is called, counted from its construction."""

    def __init__(self) -> None:
        self.started = now()
        self.seen: list[tuple[float, Any]] = []

    def __call__(self, value: Any) -> None:
        self.seen.append((now() - self.started, value))


@pytest.mark.virtual_time
async def test_debounce_emits_the_latest_after_the_delay() -> None:
    obs: Observable[[float]] = Observable()
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(timed := Timed())
    await notify_at(obs, 0, 0.5, 1.25, 4, 5.5, 8)
    await asyncio.sleep(10)
    assert timed.seen == [(2.25, 1.25), (5, 4), (6.5, 5.5), (9, 8)]


@pytest.mark.virtual_time
async def test_debounce_starts_its_delay_again_with_each_notification() -> None:
    obs: Observable[[float]] = Observable()
    quiet = obs.debounce(2)
    quiet.subscribe_nowait(timed := Timed())
    await notify_at(obs, *range(10))
    await asyncio.sleep(5)
    assert timed.seen == [(11, 9)]


@pytest.mark.virtual_time
async def test_debounce_keeps_all_parameters() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(observer)
    await obs.notify(1, 2, key="three")
    await asyncio.sleep(2)
    assert observer.calls == [((1, 2), {"key": "three"})]


@pytest.mark.virtual_time
async def test_debounce_does_not_hold_the_notification_up() -> None:
    obs: Observable[[float]] = Observable()
    quiet = obs.debounce(5)
    quiet.subscribe_nowait(timed := Timed())
    await obs.notify(1)
    assert now() == timed.started
    assert timed.seen == []
    await asyncio.sleep(5)
    await settle()
    assert timed.seen == [(5, 1)]


@pytest.mark.virtual_time
async def test_debounce_zero_still_coalesces() -> None:
    obs: Observable[[float]] = Observable()
    quiet = obs.debounce(0)
    quiet.subscribe_nowait(timed := Timed())
    await asyncio.gather(*(obs.notify(value) for value in range(5)))
    await asyncio.sleep(1)
    assert timed.seen == [(0, 4)]
    await obs.notify(5)
    await asyncio.sleep(1)
    assert timed.seen == [(0, 4), (1, 5)]


@pytest.mark.virtual_time
@pytest.mark.parametrize("leave", ["source", "derived", "context of the source", "context of the derived"])
async def test_debounce_emits_the_pending_notification_on_leaving(leave: str) -> None:
    obs: Observable[[float]] = Observable()
    quiet = obs.debounce(10)
    quiet.subscribe_nowait(timed := Timed())
    target: Observable[[float]] = quiet if "derived" in leave else obs
    if "context" in leave:
        await target.__aenter__()
    await notify_at(obs, 0, 1)
    if "context" in leave:
        await target.__aexit__(None, None, None)
    else:
        await target.aclose()
    assert timed.seen == [(1, 1)]
    await asyncio.sleep(100)
    assert timed.seen == [(1, 1)]


@pytest.mark.virtual_time
async def test_debounce_emits_nothing_on_leaving_without_a_pending_notification() -> None:
    obs: Observable[[float]] = Observable()
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(timed := Timed())
    async with obs:
        await obs.notify(1)
        await asyncio.sleep(5)
    assert timed.seen == [(1, 1)]


@pytest.mark.virtual_time
async def test_debounce_on_leaving_awaits_the_observers_of_the_pending_notification() -> None:
    ended: list[float] = []

    async def observer(_: float) -> None:
        await asyncio.sleep(7)
        ended.append(now())

    obs: Observable[[float]] = Observable()
    quiet = obs.debounce(100)
    quiet.subscribe_nowait(observer)
    started = now()
    async with obs:
        await obs.notify(1)
    assert ended == [started + 7]
    assert now() == started + 7


# throttle


@pytest.mark.virtual_time
async def test_throttle_emits_the_first_of_each_window() -> None:
    obs: Observable[[float]] = Observable()
    calm = obs.throttle(1)
    calm.subscribe_nowait(timed := Timed())
    await notify_at(obs, 0, 0.25, 0.75, 1.25, 1.5, 2, 2.5, 9)
    assert [value for _, value in timed.seen] == [0, 1.25, 2.5, 9]
    assert all(moment == value for moment, value in timed.seen)


@pytest.mark.virtual_time
async def test_throttle_emits_at_most_once_an_interval() -> None:
    obs: Observable[[float]] = Observable()
    calm = obs.throttle(2)
    calm.subscribe_nowait(timed := Timed())
    await notify_at(obs, *(step * 0.5 for step in range(40)))
    moments = [moment for moment, _ in timed.seen]
    assert moments[0] == 0
    assert all(later - earlier >= 2 for earlier, later in pairwise(moments))
    assert len(moments) >= 8


@pytest.mark.virtual_time
async def test_throttle_emits_within_the_notification() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    calm = obs.throttle(1)
    calm.subscribe_nowait(held)
    notifier = await begin(obs.notify(1))
    assert held.started == [1]
    assert not notifier.done()
    held.release()
    await within(notifier)
    await within(obs.notify(2))
    assert held.started == [1]


@pytest.mark.virtual_time
async def test_throttle_zero_passes_everything() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    calm = obs.throttle(0)
    calm.subscribe_nowait(observer)
    for value in range(5):
        await obs.notify(value)
    assert observer.values == [0, 1, 2, 3, 4]


async def test_throttle_follows_the_clock_of_the_loop_in_real_time() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    calm = obs.throttle(3600)
    calm.subscribe_nowait(observer)
    for value in range(3):
        await obs.notify(value)
    assert observer.values == [0]


# merge


async def test_merge_emits_what_each_source_emits() -> None:
    observer = Recorder()
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    three: Observable[[int]] = Observable()
    for merged in (Observable.merge(one, two, three), one.merge(two, three)):
        merged.subscribe_nowait(observer)
    for number, source in enumerate((one, two, three)):
        await source.notify(number)
    assert observer.values == [0, 0, 1, 1, 2, 2]


async def test_merge_of_one_emits_what_it_emits() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    merged = Observable.merge(obs)
    merged.subscribe_nowait(observer)
    await obs.notify(1, key=2)
    assert observer.calls == [((1,), {"key": 2})]


@pytest.mark.parametrize("on_instance", [False, True])
async def test_merge_counts_the_same_source_twice(on_instance: bool) -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    merged = obs.merge(obs) if on_instance else Observable.merge(obs, obs)
    merged.subscribe_nowait(held)
    notifier = await begin(obs.notify(1))
    assert not notifier.done()
    held.release()
    await within(notifier)
    assert held.ended == [1, 1]


async def test_merge_of_two_branches_emits_once_for_each() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    left, right = obs.map(lambda value: ((value * 2,), {})), obs.filter(lambda value: value > 0)
    joined = Observable.merge(left, right)
    joined.subscribe_nowait(held)
    notifier = await begin(obs.notify(3))
    held.release()
    await within(notifier)
    assert sorted(held.ended) == [3, 6]


# A scheduler of the caller's


@pytest.mark.parametrize("kind", [TestScheduler, VirtualTimeScheduler])
async def test_debounce_follows_the_scheduler_it_is_given(kind: Callable[[], Any]) -> None:
    scheduler = kind()
    tally = Tally()
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(10, scheduler=scheduler)
    quiet.subscribe_nowait(tally)
    await obs.notify(1)
    scheduler.advance_to(9)
    await settle()
    assert tally.values == []
    await obs.notify(2)
    scheduler.advance_to(18)
    await settle()
    assert tally.values == []
    scheduler.advance_to(20)
    await settle()
    assert tally.values == [2]


@pytest.mark.parametrize("kind", [TestScheduler, VirtualTimeScheduler])
async def test_throttle_follows_the_scheduler_it_is_given(kind: Callable[[], Any]) -> None:
    scheduler = kind()
    tally = Tally()
    obs: Observable[[float]] = Observable()
    calm = obs.throttle(10, scheduler=scheduler)
    calm.subscribe_nowait(tally)
    for moment in (1, 5, 10.5, 12, 15, 30):
        scheduler.advance_to(moment)
        await obs.notify(moment)
    assert tally.values == [1, 12, 30]


SCHEDULED: dict[str, Callable[[Observable[[int]], Any], Observable[...]]] = {
    "map": lambda obs, scheduler: obs.map(lambda value: ((value,), {}), scheduler=scheduler),
    "filter": lambda obs, scheduler: obs.filter(lambda _: True, scheduler=scheduler),
    "fork": lambda obs, scheduler: obs.fork(scheduler=scheduler),
    "at_change": lambda obs, scheduler: obs.at_change(scheduler=scheduler),
    "buffer": lambda obs, scheduler: obs.buffer(1, scheduler=scheduler),
    "throttle": lambda obs, scheduler: obs.throttle(0, scheduler=scheduler),
    "merge": lambda obs, scheduler: Observable.merge(obs, scheduler=scheduler),
    "merge on the instance": lambda obs, scheduler: obs.merge(Observable(), scheduler=scheduler),
}


@pytest.mark.parametrize("name", SCHEDULED)
async def test_every_operator_takes_a_scheduler(name: str) -> None:
    for scheduler in (None, TestScheduler()):
        tally = Tally()
        obs: Observable[[int]] = Observable()
        derived = SCHEDULED[name](obs, scheduler)
        derived.subscribe_nowait(tally)
        await obs.notify(1)
        assert tally.values == [1]
