"""``to_rx``: an RxPY observable of the values, its end, its subscribers' errors, and the scheduler that they bring."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import reactivex
from reactivex import operators
from reactivex.scheduler import NewThreadScheduler
from reactivex.testing import TestScheduler

from asyncutils_rx import Observable
from asyncutils_rx.scheduler import LoopScheduler
from tests.interop.kit import Closed, Source, Threads, end_of, in_thread, until
from tests.observable_kit import Held, Log, Recorder, Tally, begin, collect_errors, failing, settle, within
from tests.support import live_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

COMPLETED = "completed"


class RefusedError(Exception):
    """What a subscriber raises."""


class Record:
    """Subscribes, and notes what comes."""

    def __init__(self, source: reactivex.Observable[Any], scheduler: Any = None) -> None:
        self.events: list[Any] = []
        self.subscription = source.subscribe(
            self.events.append, self.events.append, lambda: self.events.append(COMPLETED), scheduler=scheduler
        )


def _note(order: list[str], name: str, _: object) -> None:
    order.append(name)


def refuse(*_: Any) -> NoReturn:
    raise RefusedError("no")


# Values


async def test_to_rx_is_an_observable_of_rxpy() -> None:
    obs: Observable[[int]] = Observable()
    assert isinstance(obs.to_rx(), reactivex.Observable)


@pytest.mark.parametrize(
    ("args", "kwargs", "value"),
    [
        ((1,), {}, 1),
        ((None,), {}, None),
        (((1, 2),), {}, (1, 2)),
        ((), {}, ((), {})),
        ((1, 2), {}, ((1, 2), {})),
        ((1,), {"key": 2}, ((1,), {"key": 2})),
        ((), {"key": 2}, ((), {"key": 2})),
    ],
)
async def test_to_rx_emits_the_only_argument_or_else_the_notification(
    args: tuple[Any, ...], kwargs: dict[str, Any], value: Any
) -> None:
    obs: Observable[...] = Observable()
    record = Record(obs.to_rx())
    await obs.notify(*args, **kwargs)
    assert record.events == [value]
    await obs.aclose()


async def test_to_rx_emits_during_the_notify() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    obs.subscribe_nowait(held)
    record = Record(obs.to_rx())
    notifier = await begin(obs.notify(1))
    assert record.events == [1]
    assert not notifier.done()
    held.release()
    await within(notifier)
    await obs.aclose()


async def test_to_rx_emits_to_every_subscriber_in_order() -> None:
    obs: Observable[[int]] = Observable()
    order: list[str] = []
    values = obs.to_rx()
    for name in ("first", "second", "third"):
        values.subscribe(partial(_note, order, name))
    await obs.notify(1)
    assert order == ["first", "second", "third"]
    await obs.aclose()


async def test_to_rx_emits_only_what_comes_after_subscribing() -> None:
    obs: Observable[[int]] = Observable()
    values = obs.to_rx()
    await obs.notify(1)
    record = Record(values)
    await obs.notify(2)
    record.subscription.dispose()
    await obs.notify(3)
    assert record.events == [2]


async def test_to_rx_is_of_derived_observables_too() -> None:
    obs: Observable[[int]] = Observable()
    record = Record(obs.filter(lambda value: value > 1).map(lambda value: ((value, value), {})).to_rx())
    for value in range(4):
        await obs.notify(value)
    assert record.events == [((2, 2), {}), ((3, 3), {})]
    await obs.aclose()


async def test_to_rx_subscriber_is_no_observer() -> None:
    obs: Observable[[int]] = Observable()
    record = Record(obs.to_rx())
    assert list(obs) == []
    assert "0 observers" in repr(obs)
    record.subscription.dispose()


async def test_to_rx_works_with_operators_of_rxpy() -> None:
    obs: Observable[[int]] = Observable()
    pairs: reactivex.Observable[list[int]] = obs.to_rx().pipe(operators.buffer_with_count(2))
    record = Record(pairs.pipe(operators.map(sum)))
    for value in range(5):
        await obs.notify(value)
    await obs.aclose()
    assert record.events == [1, 5, 4, COMPLETED]


async def test_to_rx_take_leaves_after_what_it_took() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    record = Record(obs.to_rx().pipe(operators.take(2)))
    for value in range(4):
        source.on_next(value)
        await settle()
    assert record.events == [0, 1, COMPLETED]
    assert source.live == 0


# The end


async def test_to_rx_completes_on_close() -> None:
    obs: Observable[[int]] = Observable()
    record = Record(obs.to_rx())
    await obs.notify(1)
    assert record.events == [1]
    await obs.aclose()
    assert record.events == [1, COMPLETED]


async def test_to_rx_completes_at_once_where_the_observable_is_closed() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    assert Record(obs.to_rx()).events == [COMPLETED]


async def test_to_rx_made_before_completes_where_the_observable_was_closed_meanwhile() -> None:
    obs: Observable[[int]] = Observable()
    values = obs.to_rx()
    await obs.aclose()
    assert Record(values).events == [COMPLETED]


async def test_to_rx_passes_the_error_on() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    direct, derived = Record(obs.to_rx()), Record(obs.fork().to_rx())
    source.on_error(error)
    await settle()
    assert direct.events == derived.events == [error]
    assert Record(obs.to_rx()).events == [error]


async def test_to_rx_completes_after_what_derived_observables_held_back() -> None:
    obs: Observable[[int]] = Observable()
    record = Record(obs.buffer(3).to_rx())
    await obs.notify(1)
    await obs.notify(2)
    assert record.events == []
    await obs.aclose()
    assert record.events == [1, 2, COMPLETED]


# A subscriber that raises


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_to_rx_subscriber_that_raises_starves_nobody(position: int) -> None:
    obs: Observable[[int]] = Observable()
    observer, derived = Recorder(), Tally()
    obs.subscribe_nowait(observer)
    branch = obs.fork()
    branch.subscribe_nowait(derived)
    events: list[list[int]] = [[], []]
    subscribers: list[Callable[[Any], None]] = [each.append for each in events]
    subscribers.insert(position, refuse)
    for subscriber in subscribers:
        obs.to_rx().subscribe(subscriber)
    for value in (1, 2):
        with pytest.raises(RefusedError):
            await obs.notify(value)
    assert events == [[1, 2], [1, 2]]
    assert observer.values == derived.values == [1, 2]
    await obs.aclose()


async def test_to_rx_subscriber_that_raises_is_called_again() -> None:
    obs: Observable[[int]] = Observable()
    seen: list[int] = []

    def subscriber(value: int) -> None:
        seen.append(value)
        refuse()

    obs.to_rx().subscribe(subscriber)
    for value in (1, 2, 3):
        with pytest.raises(RefusedError):
            await obs.notify(value)
    assert seen == [1, 2, 3]
    await obs.aclose()


async def test_to_rx_errors_of_subscribers_and_observers_come_together() -> None:
    obs: Observable[[int]] = Observable([failing(ValueError("observer"))])
    obs.to_rx().subscribe(refuse)
    obs.to_rx().subscribe(refuse)
    with pytest.raises(ExceptionGroup) as caught:
        await obs.notify(1)
    assert sorted(str(error) for error in caught.value.exceptions) == ["no", "no", "observer"]
    await obs.aclose()


async def test_to_rx_subscriber_that_raises_through_an_operator_tells_the_notifier() -> None:
    obs: Observable[[int]] = Observable()
    obs.to_rx().pipe(operators.map(lambda value: value), operators.filter(lambda _: True)).subscribe(refuse)
    with pytest.raises(RefusedError):
        await obs.notify(1)
    await obs.aclose()


async def test_to_rx_subscriber_that_raises_on_a_quiet_branch_is_logged() -> None:
    obs: Observable[[int]] = Observable()
    branch = obs.fork(ret_exc=True)
    branch.to_rx().subscribe(refuse)
    with Log() as log:
        await obs.notify(1)
    assert log.has(RefusedError("no"))
    await obs.aclose()


@pytest.mark.virtual_time
async def test_to_rx_subscriber_that_raises_on_a_timer_is_reported(loop_errors: list[dict[str, Any]]) -> None:
    obs: Observable[[int]] = Observable()
    late = obs.debounce(1.0)
    late.to_rx().subscribe(refuse)
    await obs.notify(1)
    await asyncio.sleep(2.0)
    assert [type(error) for error in collect_errors(loop_errors)] == [RefusedError]
    await obs.aclose()


async def test_to_rx_subscriber_that_raises_at_the_end_hinders_no_other(loop_errors: list[dict[str, Any]]) -> None:
    obs: Observable[[int]] = Observable()
    branch = obs.fork()
    obs.to_rx().subscribe(on_completed=refuse)
    record, below = Record(obs.to_rx()), Record(branch.to_rx())
    end = await begin(end_of(branch))
    await within(obs.aclose())
    assert await within(end) is Closed
    assert record.events == below.events == [COMPLETED]
    assert [type(error) for error in collect_errors(loop_errors)] == [RefusedError]


async def test_to_rx_subscriber_without_an_error_handler_hinders_no_other(loop_errors: list[dict[str, Any]]) -> None:
    """RxPY's default handler raises the error."""
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.to_rx().subscribe(print)
    record = Record(obs.to_rx())
    end = await begin(end_of(obs))
    source.on_error(error)
    assert await within(end) is error
    assert record.events == [error]
    assert collect_errors(loop_errors) == [error]


# Who is alive


async def test_to_rx_subscription_keeps_what_it_is_derived_from() -> None:
    obs: Observable[[int]] = Observable()
    record = Record(obs.fork().fork().to_rx())
    gc.collect()
    await obs.notify(1)
    assert record.events == [1]
    record.subscription.dispose()
    gc.collect()
    assert obs._children is None or len(obs._children) == 0


async def test_to_rx_without_subscribers_asks_for_nothing() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    values = obs.fork().to_rx()
    assert source.subscribed == 0
    assert values is not None


async def test_to_rx_that_nobody_holds_is_collected() -> None:
    obs: Observable[[int]] = Observable()
    reference = weakref.ref(obs)
    values = obs.to_rx()
    del obs
    gc.collect()
    assert reference() is not None
    del values
    gc.collect()
    assert reference() is None


async def test_to_rx_disposing_twice_is_harmless() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    first, second = Record(obs.to_rx()), Record(obs.to_rx())
    first.subscription.dispose()
    first.subscription.dispose()
    assert source.live == 1
    second.subscription.dispose()
    assert source.live == 0


async def test_to_rx_leaves_no_subscription_behind_on_close() -> None:
    before = len(live_subscriptions())
    async with Observable[[int]]() as obs:
        Record(obs.fork().debounce(1.0).to_rx().pipe(operators.debounce(1.0, LoopScheduler())))
        Record(obs.to_rx().pipe(operators.map(str)))
        assert len(live_subscriptions()) > before
    assert len(live_subscriptions()) == before


# Threads


async def test_to_rx_disposed_of_on_another_thread_leaves_on_the_loops_thread() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    record = Record(obs.to_rx())
    await in_thread(record.subscription.dispose)
    await settle()
    assert source.disposed == [threading.get_ident()]


async def test_to_rx_subscribed_to_on_another_thread_joins_on_the_loops_thread() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(0)
    threads, subscriptions = Threads(), []
    await in_thread(lambda: subscriptions.append(obs.to_rx().subscribe(threads)))
    await settle()
    await obs.notify(1)
    assert threads.values == [1]
    assert threads.only_here
    subscriptions[0].dispose()


async def test_to_rx_disposed_of_on_another_thread_before_it_has_joined_never_joins() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(0)
    await in_thread(lambda: obs.to_rx().subscribe(refuse).dispose())
    await settle()
    await obs.notify(1)
    assert obs._subscribers == 0


async def test_to_rx_values_may_go_on_on_other_threads() -> None:
    obs: Observable[[int]] = Observable()
    threads = Threads()
    record = Record(obs.to_rx().pipe(operators.observe_on(NewThreadScheduler()), operators.do_action(threads)))
    for value in range(20):
        await obs.notify(value)
    await obs.aclose()
    await until(lambda: COMPLETED in record.events)
    assert record.events == [*range(20), COMPLETED]
    assert threading.get_ident() not in threads.idents


def test_to_rx_after_its_loop_was_closed_can_be_disposed_of() -> None:
    obs: Observable[[int]] = Observable()

    async def main() -> Record:
        record = Record(obs.to_rx())
        await obs.notify(1)
        return record

    record = asyncio.run(main())
    record.subscription.dispose()
    assert record.events == [1]
    assert obs._subscribers == 0


# The scheduler given at subscribe


def test_to_rx_forwards_the_scheduler_to_the_source() -> None:
    source, scheduler = Source(), TestScheduler()
    obs: Observable[[int]] = Observable.from_rx(source)
    record = Record(obs.fork().buffer(2).to_rx(), scheduler)
    assert source.schedulers == [scheduler]
    record.subscription.dispose()


@pytest.mark.parametrize("timed", ["debounce", "throttle", "pipe"])
def test_to_rx_forwards_the_scheduler_to_operators_that_have_none(timed: str) -> None:
    source, scheduler = Source(), TestScheduler()
    obs: Observable[[int]] = Observable.from_rx(source)
    late = {
        "debounce": obs.debounce(5.0),
        "throttle": obs.throttle(5.0),
        "pipe": obs.pipe(operators.delay(5.0)),
    }[timed]
    record = Record(late.fork().to_rx().pipe(operators.timestamp(scheduler)), scheduler)
    scheduler.schedule_absolute(10.0, lambda *_: source.on_next(1))
    scheduler.start()
    (event,) = record.events
    assert scheduler.to_seconds(event.timestamp) == (10.0 if timed == "throttle" else 15.0)
    record.subscription.dispose()


def test_to_rx_leaves_operators_the_scheduler_that_they_were_given() -> None:
    source, mine, theirs = Source(), TestScheduler(), TestScheduler()
    obs: Observable[[int]] = Observable.from_rx(source)
    record = Record(obs.debounce(5.0, scheduler=mine).to_rx(), theirs)
    source.on_next(1)
    theirs.start()
    assert record.events == []
    mine.start()
    assert record.events == [1]
    record.subscription.dispose()


@pytest.mark.virtual_time
async def test_to_rx_uses_the_loops_clock_again_when_that_subscriber_has_gone() -> None:
    scheduler = TestScheduler()
    obs: Observable[[int]] = Observable()
    late = obs.debounce(1.0)
    Record(late.to_rx(), scheduler).subscription.dispose()
    tally = Tally()
    late.subscribe_nowait(tally)
    await obs.notify(1)
    await asyncio.sleep(2.0)
    assert tally.values == [1]
    await obs.aclose()


@pytest.mark.virtual_time
async def test_to_rx_without_a_scheduler_uses_the_loops_clock() -> None:
    source, seen = Source(), []
    loop = asyncio.get_running_loop()
    obs: Observable[[int]] = Observable.from_rx(source)
    subscription = obs.debounce(5.0).to_rx().subscribe(lambda value: seen.append((loop.time(), value)))
    await asyncio.sleep(10.0)
    source.on_next(1)
    await asyncio.sleep(10.0)
    assert seen == [(15.0, 1)]
    subscription.dispose()


@pytest.mark.virtual_time
async def test_from_rx_gives_its_source_the_loops_clock() -> None:
    """RxPY's default would tick on a thread of its own."""
    loop, before = asyncio.get_running_loop(), threading.active_count()
    seen: list[tuple[float, int]] = []
    obs: Observable[[int]] = Observable.from_rx(reactivex.interval(5.0).pipe(operators.delay(1.0)))
    obs.subscribe_nowait(lambda value: seen.append((loop.time(), value)))
    await asyncio.sleep(16.5)
    assert threading.active_count() == before
    assert seen == [(6.0, 0), (11.0, 1), (16.0, 2)]
    await obs.aclose()


async def test_from_rx_gives_its_source_the_loops_clock_on_other_threads_too() -> None:
    threads = Threads()
    source = Source()

    def delayed(observer: Any, scheduler: Any = None) -> Any:
        return source.subscribe(observer.on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

    obs: Observable[[int]] = Observable.from_rx(reactivex.create(delayed).pipe(operators.delay(0.001)))
    obs.subscribe_nowait(threads)
    await in_thread(source.on_next, 1)
    await until(lambda: threads.values)
    assert threads.only_here
    await obs.aclose()


async def test_to_rx_subscription_that_is_disposed_of_before_the_loop_took_it_up_never_begins() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(0)
    seen: list[int] = []
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(obs.to_rx().subscribe(seen.append)))
    thread.start()
    thread.join(10)
    made[0].dispose()
    await settle()
    await obs.notify(1)
    assert seen == []
    assert obs._subscribers == 0


async def test_to_rx_of_an_observable_that_an_error_ended_passes_it_on_to_who_comes_later() -> None:
    subject: reactivex.Subject[int] = reactivex.Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    obs.subscribe_nowait(Tally())
    waiting = await begin(end_of(obs))
    error = RefusedError("of the source")
    subject.on_error(error)
    assert await within(waiting) is error
    assert Record(obs.to_rx()).events == [error]
