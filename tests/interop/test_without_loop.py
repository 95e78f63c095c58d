"""The RxPY side without an event loop: synchronous from source to subscriber, by the same rules as on a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import reactivex
from reactivex import Subject, operators
from reactivex.testing import TestScheduler

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import NoLoopError, ObservableClosed
from tests.interop.kit import Source
from tests.observable_kit import Log, Recorder, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

COMPLETED = "completed"


class RefusedError(Exception):
    """What an observer raises."""


def refuse(value: object = None) -> NoReturn:
    raise RefusedError(value)


def recorded(obs: Observable[...]) -> list[Any]:
    """Return what a subscriber sees."""
    events: list[Any] = []
    obs.to_rx().subscribe(events.append, events.append, lambda: events.append(COMPLETED))
    return events


def test_without_loop_values_arrive_on_the_stack_of_the_source() -> None:
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    odd = obs.filter(lambda value: value % 2 == 1)
    events = recorded(odd.map(lambda value: ((value + 1,), {})))
    for value in range(4):
        subject.on_next(value)
    assert events == [2, 4]
    subject.on_completed()
    assert events == [2, 4, COMPLETED]


def test_without_loop_a_cold_source_runs_to_its_end() -> None:
    obs: Observable[[int]] = Observable.from_rx(reactivex.of(1, 2, 3))
    assert recorded(obs.buffer(2)) == [1, 2, 3, COMPLETED]


def test_without_loop_an_error_ends_everything() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    direct, derived = recorded(obs), recorded(obs.buffer(2).fork())
    source.on_next(1)
    source.on_error(error)
    assert direct == [1, error]
    assert derived == [error]
    assert source.live == 0


def test_without_loop_an_error_that_nobody_hears_is_raised_to_the_source() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(Tally())
    with pytest.raises(ValueError, match="of the source"):
        source.on_error(ValueError("of the source"))
    assert obs._closed


def test_without_loop_synchronous_observers_are_called() -> None:
    source, direct, derived = Source(), Tally(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(direct)
    obs.at_change().subscribe_nowait(derived)
    for value in (1, 1, 2):
        source.on_next(value)
    assert direct.values == [1, 1, 2]
    assert derived.values == [1, 2]


def test_without_loop_an_asynchronous_observer_is_the_sources_error() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(Recorder())
    obs.subscribe_nowait(tally)
    with pytest.raises(NoLoopError, match="needs a running event loop"):
        source.on_next(1)
    assert tally.values == [1]


def test_without_loop_an_observer_that_returns_any_awaitable_is_the_sources_error() -> None:
    class Awaitable:
        def __await__(self) -> Any:
            yield

    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(lambda _: Awaitable())
    with pytest.raises(NoLoopError):
        source.on_next(1)


def test_without_loop_a_counted_observer_is_called_so_many_times() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.ntimes(tally, 2)
    for value in range(4):
        source.on_next(value)
    assert tally.values == [0, 1]
    assert source.live == 0


def test_without_loop_an_observer_that_was_removed_before_its_turn_is_not_called() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)

    def remove(_: int) -> None:
        obs.unsubscribe_nowait(tally)

    for observer in (remove, tally):
        obs.subscribe_nowait(observer)
    source.on_next(1)
    assert tally.values == []


def test_without_loop_an_observer_that_was_added_sees_the_next_value() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)

    def add(_: int) -> None:
        obs.subscribe_nowait(tally)

    obs.subscribe_nowait(add)
    source.on_next(1)
    source.on_next(2)
    assert tally.values == [2]


def test_without_loop_eventual_unsubscriptions_are_applied() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(tally)
    obs.unsubscribe_eventually(tally)
    source.on_next(1)
    source.on_next(2)
    assert tally.values == [1]
    assert source.live == 0


# Errors


@pytest.mark.parametrize("position", [0, 1, 2])
def test_without_loop_a_subscriber_that_raises_starves_nobody_and_tells_the_source(position: int) -> None:
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    events: list[list[int]] = [[], []]
    subscribers: list[Callable[[Any], None]] = [each.append for each in events]
    subscribers.insert(position, refuse)
    for subscriber in subscribers:
        obs.to_rx().subscribe(subscriber)
    derived = recorded(obs.fork())
    for value in (1, 2):
        with pytest.raises(RefusedError, match=str(value)):
            subject.on_next(value)
    assert events == [[1, 2], [1, 2]]
    assert derived == [1, 2]
    subject.on_completed()


def test_without_loop_several_errors_come_as_a_group() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(refuse)
    obs.fork().subscribe_nowait(refuse)
    with pytest.raises(ExceptionGroup) as caught:
        source.on_next(7)
    assert [str(error) for error in caught.value.exceptions] == ["7", "7"]
    obs.unsubscribe_nowait(refuse)


def test_without_loop_errors_of_a_quiet_branch_are_logged() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    quiet = obs.fork(ret_exc=True)
    quiet.fork().subscribe_nowait(refuse)
    quiet.to_rx().subscribe(refuse)
    obs.subscribe_nowait(tally)
    with Log() as log:
        source.on_next(1)
    assert log.has(RefusedError(1))
    assert tally.values == [1]
    source.on_completed()


def test_without_loop_a_batch_whose_subscriber_raises_does_not_break_the_buffer() -> None:
    """RxPY's own operator emits nothing any more after that."""
    source, seen = Source(), []
    obs: Observable[[int]] = Observable.from_rx(source)

    def subscriber(value: int) -> None:
        seen.append(value)
        refuse(value)

    obs.buffer(2).to_rx().subscribe(subscriber)
    for value in range(6):
        if value % 2:
            with pytest.raises(ExceptionGroup):
                source.on_next(value)
        else:
            source.on_next(value)
    assert seen == [0, 1, 2, 3, 4, 5]
    source.on_completed()


FUNCTIONS: dict[str, Callable[..., Observable[...]]] = {
    "map": lambda obs: obs.map(lambda value: ((value + refuse(value) if value == 2 else value,), {})),
    "filter": lambda obs: obs.filter(lambda value: value != 2 or refuse(value)),
    "at_change": lambda obs: obs.at_change(lambda value: refuse(value) if value == 2 else value),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_without_loop_a_function_that_raises_drops_its_value_and_tells_the_source(name: str) -> None:
    """As on a loop; RxPY's own operators end the stream there."""
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    events, beside = recorded(FUNCTIONS[name](obs).fork()), recorded(obs.fork())
    subject.on_next(1)
    with pytest.raises(RefusedError, match="2"):
        subject.on_next(2)
    subject.on_next(3)
    subject.on_completed()
    assert events == [1, 3, COMPLETED]
    assert beside == [1, 2, 3, COMPLETED]


def test_without_loop_a_subscriber_that_raises_at_the_end_hinders_no_other() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.to_rx().subscribe(on_completed=refuse)
    events, below = recorded(obs), recorded(obs.fork())
    with pytest.raises(RefusedError):
        source.on_completed()
    assert events == below == [COMPLETED]


def test_without_loop_an_error_without_a_handler_hinders_no_other() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.to_rx().subscribe(print)
    events = recorded(obs)
    with pytest.raises(ValueError, match="of the source"):
        source.on_error(error)
    assert events == [error]


def test_without_loop_a_source_that_cannot_be_subscribed_to_ends_with_its_error() -> None:
    def broken(*_: Any) -> NoReturn:
        raise OSError("no such device")

    obs: Observable[[int]] = Observable.from_rx(reactivex.create(broken))
    (error,) = recorded(obs)
    assert isinstance(error, OSError)
    with pytest.raises(OSError, match="no such device"):
        Observable.from_rx(reactivex.create(broken)).to_rx().subscribe(print)


def test_without_loop_an_interruption_passes_and_the_next_value_flows() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)

    def interrupted(value: int) -> None:
        if value == 1:
            raise KeyboardInterrupt

    obs.subscribe_nowait(interrupted)
    obs.subscribe_nowait(tally)
    with pytest.raises(KeyboardInterrupt):
        source.on_next(1)
    source.on_next(2)
    assert tally.values == [2]


def test_without_loop_an_interrupted_function_passes_and_the_next_value_flows() -> None:
    source, tally = Source(), Tally()

    def interrupted(value: int) -> bool:
        if value == 1:
            raise KeyboardInterrupt
        return True

    obs: Observable[[int]] = Observable.from_rx(source).filter(interrupted)
    obs.subscribe_nowait(tally)
    with pytest.raises(KeyboardInterrupt):
        source.on_next(1)
    source.on_next(2)
    assert tally.values == [2]


def test_without_loop_a_transform_with_a_scheduler_that_raises_drops_its_value_and_tells_the_source() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    events = recorded(obs.map(lambda value: ((10 // value,), {}), scheduler=TestScheduler()))
    with pytest.raises(ZeroDivisionError):
        source.on_next(0)
    source.on_next(2)
    assert events == [5]


def test_without_loop_a_subscriber_that_raises_at_an_end_that_a_scheduler_caused_tells_who_drives_that() -> None:
    virtual = TestScheduler()
    obs: Observable[[int]] = Observable()
    ending = obs.pipe(operators.take_until(reactivex.timer(10.0, scheduler=virtual)))
    ending.to_rx().subscribe(on_completed=refuse)
    with pytest.raises(RefusedError):
        virtual.advance_by(20.0)
    with pytest.raises(ObservableClosed):
        ending.fork()


# Re-entrancy


def test_without_loop_what_is_pushed_meanwhile_is_queued() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    first: list[int] = []
    second: list[int] = []

    def feed_back(value: int) -> None:
        first.append(value)
        if value < 100:
            source.on_next(value + 1)

    obs.to_rx().subscribe(feed_back)
    obs.to_rx().subscribe(second.append)
    source.on_next(0)
    assert first == second == list(range(101))
    source.on_completed()


def test_without_loop_a_long_queue_is_no_recursion() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(tally)

    def feed_back(value: int) -> None:
        if value < 5000:
            source.on_next(value + 1)

    obs.subscribe_nowait(feed_back)
    source.on_next(0)
    assert tally.values == list(range(5001))


def test_without_loop_the_end_comes_after_what_was_pushed_before() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    events = recorded(obs)

    def push_and_complete(value: int) -> None:
        if value == 1:
            source.on_next(2)
            source.on_completed()

    obs.to_rx().subscribe(push_and_complete)
    source.on_next(1)
    assert events == [1, 2, COMPLETED]


@pytest.mark.parametrize("derive", ["buffer", "pipe"])
def test_without_loop_a_batch_may_be_fed_back(derive: str) -> None:
    source, seen = Source(), []
    obs: Observable[[int]] = Observable.from_rx(source)

    def feed_back(value: int) -> None:
        seen.append(value)
        if value < 3:
            source.on_next(value + 10)

    pairs = operators.buffer_with_count(2)
    batches = obs.buffer(2) if derive == "buffer" else obs.pipe(pairs, operators.flat_map(reactivex.from_iterable))
    batches.to_rx().subscribe(feed_back)
    for value in range(4):
        source.on_next(value)
    assert seen == [0, 1, 10, 11, 2, 3]
    source.on_completed()


def test_without_loop_a_merge_may_be_fed_back_by_the_other_side() -> None:
    left, right, seen = Source(), Source(), []
    both: Observable[[int]] = Observable.merge(Observable.from_rx(left), Observable.from_rx(right))

    def feed_back(value: int) -> None:
        seen.append(value)
        if value < 3:
            right.on_next(value + 10)

    both.buffer(2).to_rx().subscribe(feed_back)
    for value in range(4):
        left.on_next(value)
    assert seen == [0, 1, 10, 11, 2, 3]
    left.on_completed()
    right.on_completed()


# What needs a loop says so


def test_without_loop_what_needs_one_says_so() -> None:
    obs: Observable[[int]] = Observable.from_rx(Source())
    for call in (obs.values, obs.notifications):
        with pytest.raises(NoLoopError):
            call()
    with pytest.raises(NoLoopError):
        obs.notify_threadsafe(1)


def test_without_loop_an_operator_with_a_clock_says_that_it_needs_one() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    recorded(obs.debounce(1.0))
    with pytest.raises(NoLoopError):
        source.on_next(1)
    source.on_completed()


def test_without_loop_a_closed_observable_is_closed() -> None:
    obs: Observable[[int]] = Observable.from_rx(reactivex.empty())
    assert recorded(obs) == [COMPLETED]
    with pytest.raises(ObservableClosed):
        obs.subscribe_nowait(print)
    assert recorded(obs) == [COMPLETED]
