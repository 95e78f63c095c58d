"""Whom an emission belongs to: the ``notify`` on whose call stack it happens, and where there is none, nobody's."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import Subject, operators

from asyncutils_rx import Observable
from tests.interop.kit import Closed, Source, end_of, feed_of, in_thread, until
from tests.observable_kit import Held, Log, Recorder, Tally, begin, collect_errors, failing, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncutils_rx.types import OverflowPolicy


setting: ContextVar[str] = ContextVar("setting", default="unset")


class RefusedError(Exception):
    """What an observer raises."""


def joined(*operator: Callable[[Any], Any], **options: Any) -> tuple[Observable[[int]], Observable[[int]]]:
    """Return an observable, and one that comes out of it through RxPY and back in."""
    outer: Observable[[int]] = Observable()
    return outer, Observable.from_rx(outer.to_rx().pipe(*operator), **options)


def twice(value: int) -> reactivex.Observable[int]:
    return reactivex.of(value * 10, value * 10 + 1)


async def refuse_11(value: int) -> None:
    await asyncio.sleep(0)
    if value == 11:
        raise RefusedError(value)


# What happens on the stack of a notify is that notify's


async def test_notify_awaits_what_it_reaches_through_rxpy_and_back() -> None:
    outer, inner = joined(operators.map(lambda value: value + 1))
    held = Held()
    inner.subscribe_nowait(held)
    notifier = await begin(outer.notify(1))
    assert held.started == [2]
    assert not notifier.done()
    held.release()
    await within(notifier)


async def test_notify_raises_the_error_of_what_it_reaches_through_rxpy_and_back() -> None:
    outer, inner = joined()
    inner.subscribe_nowait(failing(RefusedError("far away"), suspends=True))
    with pytest.raises(RefusedError, match="far away"):
        await outer.notify(1)
    assert inner.idle


async def test_notify_awaits_several_values_of_one_operator_one_after_another() -> None:
    outer, inner = joined(operators.flat_map(twice))
    held = Held()
    inner.subscribe_nowait(held)
    notifier = await begin(outer.notify(1))
    assert held.started == [10]
    held.release(10)
    await held.entered(11)
    await settle()
    assert not notifier.done()
    held.release()
    await within(notifier)
    assert held.ended == [10, 11]


async def test_notify_raises_the_error_of_a_value_that_had_to_wait() -> None:
    outer, inner = joined(operators.flat_map(twice))
    inner.subscribe_nowait(refuse_11)
    with pytest.raises(RefusedError, match="11"):
        await within(outer.notify(1))
    await within(outer.notify(2))


async def test_notify_awaits_what_its_observer_pushes_into_a_source() -> None:
    subject: Subject[int] = Subject()
    inner: Observable[[int]] = Observable.from_rx(subject)
    held = Held()
    inner.subscribe_nowait(held)
    outer: Observable[[int]] = Observable([subject.on_next])
    notifier = await begin(outer.notify(1))
    assert held.started == [1]
    assert not notifier.done()
    held.release()
    await within(notifier)
    await inner.aclose()


async def test_notify_awaits_what_its_observer_pushes_after_it_was_suspended() -> None:
    subject: Subject[int] = Subject()
    inner: Observable[[int]] = Observable.from_rx(subject)
    inner.subscribe_nowait(refuse_11)

    async def observer(value: int) -> None:
        await asyncio.sleep(0)
        subject.on_next(value)
        subject.on_next(value + 1)

    outer: Observable[[int]] = Observable([observer])
    with pytest.raises(RefusedError, match="11"):
        await within(outer.notify(10))
    await inner.aclose()


async def test_notify_logs_what_its_quiet_branch_reaches() -> None:
    error = RefusedError("quiet")
    outer: Observable[[int]] = Observable()
    inner: Observable[[int]] = Observable.from_rx(outer.fork(ret_exc=True).to_rx())
    inner.subscribe_nowait(failing(error))
    with Log() as log:
        await within(outer.notify(1))
    assert log.has(error)


async def test_notify_waits_for_its_value_where_the_observable_is_busy_with_another() -> None:
    source = Source()
    outer: Observable[[int]] = Observable([source.on_next])
    inner: Observable[[int]] = Observable.from_rx(source)
    held = Held()
    inner.subscribe_nowait(held)
    source.on_next(0)
    await held.entered(0)
    notifier = await begin(outer.notify(1))
    held.release(0)
    await held.entered(1)
    assert not notifier.done()
    held.release()
    await within(notifier)
    await inner.aclose()


async def test_notify_that_is_cancelled_takes_back_its_value_that_waits() -> None:
    source = Source()
    outer: Observable[[int]] = Observable([source.on_next])
    inner: Observable[[int]] = Observable.from_rx(source)
    held = Held()
    inner.subscribe_nowait(held)
    source.on_next(0)
    await held.entered(0)
    notifier = await begin(outer.notify(1))
    source.on_next(2)
    notifier.cancel()
    await within(asyncio.wait([notifier]))
    assert notifier.cancelled()
    assert held.started == [0]
    held.release()
    await within(inner.aclose())
    assert held.ended == [0, 2]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "latest"])
@pytest.mark.parametrize("where", ["loop", "thread"])
async def test_notify_does_not_wait_for_its_value_that_was_dropped(overflow: OverflowPolicy, where: str) -> None:
    source = Source()
    outer: Observable[[int]] = Observable([source.on_next])
    inner: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow=overflow)
    held = Held()
    inner.subscribe_nowait(held)
    source.on_next(0)
    await held.entered(0)
    if overflow == "drop_newest":
        source.on_next(2)
    notifier = await begin(outer.notify(1))
    if where == "loop":
        source.on_next(2)
    else:
        await in_thread(source.on_next, 2)
    await within(notifier)
    held.release()
    await within(inner.aclose())
    assert held.ended == [0, 2]


@pytest.mark.parametrize("turns", range(4))
async def test_notify_whose_value_was_dropped_can_be_cancelled_at_any_moment(turns: int) -> None:
    """It still waits for an observer that takes its time to end."""
    source, tidying = Source(), asyncio.Event()

    async def tidy(_: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await tidying.wait()

    outer: Observable[[int]] = Observable([source.on_next, tidy])
    inner: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow="latest")
    held = Held()
    inner.subscribe_nowait(held)
    source.on_next(0)
    await held.entered(0)
    notifier = await begin(outer.notify(1))
    notifier.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    source.on_next(3)
    await settle()
    assert not notifier.done()
    tidying.set()
    await asyncio.wait([notifier])
    assert notifier.cancelled()
    held.release()
    await within(inner.aclose())
    assert held.ended == [0, 3]


async def test_notify_goes_on_where_closing_lets_its_waiting_value_go() -> None:
    source = Source()
    outer: Observable[[int]] = Observable([source.on_next])
    inner: Observable[[int]] = Observable.from_rx(source)
    held = Held()
    inner.subscribe_nowait(held)
    source.on_next(0)
    await held.entered(0)
    notifier = await begin(outer.notify(1))
    closing = await begin(inner.aclose())
    closing.cancel()
    await asyncio.wait([closing])
    await within(notifier)
    assert held.started == [0]
    assert feed_of(inner)._items == type(feed_of(inner)._items)()


@pytest.mark.parametrize("way", ["merge", "from_rx"])
async def test_what_waits_runs_in_the_context_of_its_own_notify(way: str) -> None:
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    seen: list[tuple[int, str]] = []
    held = Held()

    async def look(value: int) -> None:
        seen.append((value, setting.get()))

    both: Observable[[int]] = (
        one.merge(two) if way == "merge" else Observable.from_rx(reactivex.merge(one.to_rx(), two.to_rx()))
    )
    for observer in (look, held):
        both.subscribe_nowait(observer)
    notifiers = []
    for value, obs in ((1, one), (2, two)):
        setting.set(f"notify {value}")
        notifiers.append(await begin(obs.notify(value)))
    setting.set("test")
    held.release()
    for notifier in notifiers:
        await within(notifier)
    assert seen == [(1, "notify 1"), (2, "notify 2")]


# What happens on nobody's stack is nobody's


@pytest.mark.virtual_time
async def test_timer_that_a_notify_set_belongs_to_no_notify(loop_errors: list[dict[str, Any]]) -> None:
    """The timer runs in a copy of the context of the notify that set it; that must not count."""
    error = RefusedError("late")
    outer, inner = joined(operators.delay(5.0))
    inner.subscribe_nowait(failing(error))
    await outer.notify(1)
    assert asyncio.get_running_loop().time() == 0.0
    await asyncio.sleep(6.0)
    assert collect_errors(loop_errors) == [error]


@pytest.mark.virtual_time
@pytest.mark.parametrize("derive", ["debounce", "pipe"])
async def test_timer_of_a_derived_observable_belongs_to_no_notify(
    derive: str, loop_errors: list[dict[str, Any]]
) -> None:
    outer: Observable[[int]] = Observable()
    late = outer.debounce(5.0) if derive == "debounce" else outer.pipe(operators.delay(5.0))
    error, held = RefusedError("late"), Held()
    late.subscribe_nowait(held)
    late.subscribe_nowait(failing(error))
    outer.subscribe_nowait(Recorder())
    await outer.notify(1)
    await asyncio.sleep(5.5)
    assert held.started == [1]
    second = await begin(outer.notify(2))
    assert second.done()
    held.release()
    await settle()
    assert collect_errors(loop_errors) == [error]
    await outer.aclose()
    assert collect_errors(loop_errors) == [error] * (derive == "debounce")


async def test_thread_that_emits_during_a_notify_has_no_part_in_it() -> None:
    source = Source()
    inner: Observable[[int]] = Observable.from_rx(source)
    slow, quick = Held(), Held()
    inner.subscribe_nowait(slow)
    outer: Observable[[int]] = Observable([quick])
    notifier = await begin(outer.notify(1))
    await in_thread(source.on_next, 5)
    await slow.entered(5)
    quick.release()
    await within(notifier)
    slow.release()
    await inner.aclose()


async def test_task_that_an_observer_spawned_pushes_on_its_own_account(loop_errors: list[dict[str, Any]]) -> None:
    subject: Subject[int] = Subject()
    error = RefusedError("of the task")
    inner: Observable[[int]] = Observable.from_rx(subject)
    inner.subscribe_nowait(failing(error))
    tasks: list[asyncio.Task[None]] = []

    async def push(value: int) -> None:
        subject.on_next(value)

    def observer(value: int) -> None:
        tasks.append(asyncio.create_task(push(value)))

    outer: Observable[[int]] = Observable([observer])
    await outer.notify(1)
    await tasks[0]
    await settle()
    assert collect_errors(loop_errors) == [error]
    await inner.aclose()


# Re-entrancy: RxPY goes depth first, and here what comes meanwhile is queued


async def test_observer_that_pushes_into_its_own_source_does_not_wait_for_itself() -> None:
    source, seen = Source(), []
    obs: Observable[[int]] = Observable.from_rx(source)

    async def observer(value: int) -> None:
        seen.append(("begin", value))
        if value < 3:
            source.on_next(value + 1)
        await asyncio.sleep(0)
        seen.append(("end", value))

    obs.subscribe_nowait(observer)
    source.on_next(1)
    await settle()
    assert seen == [(moment, value) for value in (1, 2, 3) for moment in ("begin", "end")]
    await obs.aclose()


async def test_observer_that_pushes_into_its_own_source_does_not_wait_inside_a_notify_either() -> None:
    source, tally = Source(), Tally()
    outer: Observable[[int]] = Observable([source.on_next])
    inner: Observable[[int]] = Observable.from_rx(source)

    async def observer(value: int) -> None:
        await asyncio.sleep(0)
        if value < 3:
            source.on_next(value + 1)

    inner.subscribe_nowait(observer)
    inner.subscribe_nowait(tally)
    await within(outer.notify(1))
    await settle()
    assert tally.values == [1, 2, 3]
    await inner.aclose()


async def test_subscriber_that_pushes_into_its_own_source_is_queued() -> None:
    source = Source()
    first: list[int] = []
    second: list[int] = []
    obs: Observable[[int]] = Observable.from_rx(source)

    def feed_back(value: int) -> None:
        first.append(value)
        if value < 3:
            source.on_next(value + 1)

    subscriptions = [obs.to_rx().subscribe(feed_back), obs.to_rx().subscribe(second.append)]
    source.on_next(1)
    await settle()
    assert first == second == [1, 2, 3]
    for subscription in subscriptions:
        subscription.dispose()


async def test_subscriber_of_a_buffer_may_push_into_its_source() -> None:
    """RxPY's own operator is broken for good when that happens."""
    source, seen = Source(), []
    obs: Observable[[int]] = Observable.from_rx(source)

    def feed_back(value: int) -> None:
        seen.append(value)
        if value < 3:
            source.on_next(value + 10)

    subscription = obs.buffer(2).to_rx().subscribe(feed_back)
    for value in range(4):
        source.on_next(value)
        await settle()
    assert seen == [0, 1, 10, 11, 2, 3]
    subscription.dispose()


@pytest.mark.parametrize("derive", ["buffer", "pipe"])
async def test_subscriber_below_a_merge_may_push_into_another_source_of_it(derive: str) -> None:
    left, right, seen = Source(), Source(), []
    both: Observable[[int]] = Observable.merge(Observable.from_rx(left), Observable.from_rx(right))

    def feed_back(value: int) -> None:
        seen.append(value)
        if value < 3:
            right.on_next(value + 10)

    pairs = operators.buffer_with_count(2)
    batches = both.buffer(2) if derive == "buffer" else both.pipe(pairs, operators.flat_map(reactivex.from_iterable))
    subscription = batches.to_rx().subscribe(feed_back)
    for value in range(4):
        left.on_next(value)
        await settle()
    assert seen == [0, 1, 10, 11, 2, 3]
    subscription.dispose()


@pytest.mark.virtual_time
async def test_observer_of_a_debounce_may_push_into_its_source() -> None:
    """Before RxPY 6.1, its operator loses what comes while it emits."""
    outer: Observable[[int]] = Observable()
    seen: list[int] = []

    async def again(value: int) -> None:
        seen.append(value)
        if value < 4:
            await outer.notify(value + 1)

    late = outer.debounce(1.0)
    late.subscribe_nowait(again)
    await outer.notify(1)
    await asyncio.sleep(10.0)
    assert seen == [1, 2, 3, 4]


async def test_feedback_through_rxpy_ends_where_it_should() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    tally = Tally()
    obs.subscribe_nowait(tally)

    def feed_back(value: int) -> None:
        if value < 1000:
            source.on_next(value + 1)

    subscription = obs.to_rx().pipe(operators.share()).subscribe(feed_back)
    source.on_next(1)
    await until(lambda: 1000 in tally.values)
    assert tally.values == list(range(1, 1001))
    subscription.dispose()
    await obs.aclose()


async def test_end_that_a_subscriber_causes_comes_after_what_was_pushed_before() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(tally)

    def push_and_complete(_: int) -> None:
        source.on_next(2)
        source.on_completed()

    subscription = obs.to_rx().pipe(operators.take(1)).subscribe(push_and_complete)
    source.on_next(1)
    assert await end_of(obs) is Closed
    assert tally.values == [1, 2]
    subscription.dispose()
