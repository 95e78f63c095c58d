"""What is different by design: each difference seen on both sides, and named on the page."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import Subject
from reactivex import operators as rx
from reactivex.scheduler import TimeoutScheduler

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ArgumentError, ArgumentValueError

from .table import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

COMPLETED = "completed"


class RefusedError(Exception):
    """What a function of the user's raises."""


def refuse_2(value: int) -> int:
    if value == 2:
        raise RefusedError(value)
    return value


def recorded(values: reactivex.Observable[Any]) -> list[Any]:
    """Return what a subscriber sees."""
    events: list[Any] = []
    values.subscribe(events.append, lambda error: events.append(type(error)), lambda: events.append(COMPLETED))
    return events


def push(subject: Subject[Any], *values: Any) -> list[str]:
    """Push values; return what was raised to the source."""
    raised = []
    for value in values:
        try:
            subject.on_next(value)
        except Exception as error:
            raised.append(str(error))
    return raised


def incoming(source: Any) -> Any:
    return Observable.from_rx(source)


def raising_function_drops_its_value() -> None:
    theirs: Subject[int] = Subject()
    events = recorded(theirs.pipe(rx.map(refuse_2)))
    assert push(theirs, 1, 2, 3) == []
    assert events == [1, RefusedError]

    ours: Subject[int] = Subject()
    events = recorded(incoming(ours).map(lambda value: ((refuse_2(value),), {})).to_rx())
    assert push(ours, 1, 2, 3) == ["2"]
    assert events == [1, 3]
    ours.on_completed()


def buffer_emits_notifications() -> None:
    theirs: Subject[int] = Subject()
    events = recorded(theirs.pipe(rx.buffer_with_count(2)))
    push(theirs, 1, 2)
    assert events == [[1, 2]]
    theirs.on_completed()

    ours: Subject[int] = Subject()
    events = recorded(incoming(ours).buffer(2).to_rx())
    push(ours, 1, 2)
    assert events == [1, 2]
    ours.on_completed()


def map_makes_notifications() -> None:
    ours: Subject[int] = Subject()
    events = recorded(incoming(ours).map(lambda value: ((value, value + 1), {"key": 1})).to_rx())
    push(ours, 1)
    assert events == [((1, 2), {"key": 1})]
    with pytest.raises(TypeError):
        incoming(ours).map()
    ours.on_completed()


def ended_is_ended() -> None:
    cold = reactivex.of(1, 2)
    assert [recorded(cold.pipe(rx.filter(bool))) for _ in range(2)] == [[1, 2, COMPLETED]] * 2

    ours = incoming(cold).filter(bool).to_rx()
    assert [recorded(ours) for _ in range(2)] == [[1, 2, COMPLETED], [COMPLETED]]


def subscribers_share_the_source() -> None:
    subscriptions = []

    def subscribe(observer: Any, _: Any = None) -> Any:
        subscriptions.append(observer)

    cold: reactivex.Observable[int] = reactivex.create(subscribe)
    theirs = cold.pipe(rx.filter(bool))
    disposables = [theirs.subscribe(), theirs.subscribe()]
    assert len(subscriptions) == 2
    subscriptions.clear()

    ours = incoming(cold).filter(bool).to_rx()
    disposables += [ours.subscribe(), ours.subscribe()]
    assert len(subscriptions) == 1
    for each in disposables:
        each.dispose()


def operators_subscribe_as_pipe_is_called() -> None:
    stop: Subject[int] = Subject()
    theirs = Subject[int]().pipe(rx.take_until(stop))
    assert stop.observers == []
    subscription = theirs.subscribe()
    assert len(stop.observers) == 1
    subscription.dispose()

    source: Subject[int] = Subject()
    ours = incoming(source).pipe(rx.take_until(stop))
    assert len(stop.observers) == 1
    assert source.observers == []
    subscription = ours.to_rx().subscribe()
    assert len(source.observers) == 1
    subscription.dispose()
    stop.on_next(1)


def subscribing_again_sees_the_end_again() -> None:
    assert recorded(reactivex.of(1).pipe(rx.repeat(2))) == [1, 1, COMPLETED]
    assert recorded(incoming(reactivex.of(1)).pipe(rx.repeat(2)).to_rx()) == [1, COMPLETED]
    assert recorded(incoming(reactivex.of(1)).pipe(rx.repeat()).to_rx()) == [1, COMPLETED]


def reentry_is_queued() -> None:
    def orders(values: reactivex.Observable[int], source: Subject[int]) -> list[int]:
        second: list[int] = []

        def again(value: int) -> None:
            if value < 3:
                source.on_next(value + 1)

        values.subscribe(again)
        values.subscribe(second.append)
        source.on_next(1)
        source.on_completed()
        return second

    theirs: Subject[int] = Subject()
    assert orders(theirs.pipe(rx.filter(bool)), theirs) == [3, 2, 1]
    ours: Subject[int] = Subject()
    assert orders(incoming(ours).filter(bool).to_rx(), ours) == [1, 2, 3]


def raising_subscriber_starves_nobody() -> None:
    def seen(values: reactivex.Observable[int], source: Subject[int]) -> list[int]:
        second: list[int] = []

        def raising(value: int) -> None:
            raise RefusedError(value)

        first = values.subscribe(raising)
        values.subscribe(second.append)
        assert push(source, 1) == ["1"]
        first.dispose()
        source.on_completed()
        return second

    theirs: Subject[int] = Subject()
    assert seen(theirs, theirs) == []
    ours: Subject[int] = Subject()
    assert seen(incoming(ours).to_rx(), ours) == [1]


def raising_subscriber_does_not_break_a_buffer() -> None:
    def outcomes(values: reactivex.Observable[Any], source: Subject[int]) -> list[Any]:
        seen: list[Any] = []

        def raising(value: Any) -> None:
            seen.append(value)
            raise RefusedError(value)

        values.subscribe(raising, print)
        push(source, 1, 2, 3, 4)
        return seen

    theirs: Subject[int] = Subject()
    assert outcomes(theirs.pipe(rx.buffer_with_count(2)), theirs) == [[1, 2]]
    ours: Subject[int] = Subject()
    assert outcomes(incoming(ours).buffer(2).to_rx(), ours) == [1, 2, 3, 4]
    ours.on_completed()
    theirs.dispose()


def throttle_of_zero_passes_everything() -> None:
    theirs: Subject[int] = Subject()
    events = recorded(theirs.pipe(rx.throttle_first(0.0, TimeoutScheduler())))
    assert events == [ValueError]

    ours: Subject[int] = Subject()
    events = recorded(incoming(ours).throttle(0).to_rx())
    push(ours, 1, 2)
    assert events == [1, 2]
    ours.on_completed()


def arguments_are_checked_at_the_call() -> None:
    rx.debounce(-1.0)
    subject: Subject[int] = Subject()
    for operator, argument in (("debounce", -1.0), ("buffer", 0)):
        with pytest.raises(ArgumentValueError):
            getattr(incoming(subject), operator)(argument)
    merge: Any = Observable.merge
    with pytest.raises(ArgumentError):
        merge()
    assert recorded(reactivex.merge()) == [COMPLETED]


def without_a_scheduler_the_loop_is_the_clock() -> None:
    """RxPY's own default is a thread."""

    async def main() -> list[int]:
        subject: Subject[int] = Subject()
        threads: list[int] = []
        obs = incoming(subject).debounce(0.001)
        obs.subscribe_nowait(lambda _: threads.append(1))
        subject.on_next(1)
        await obs.wait_for_next()
        await asyncio.sleep(0)
        await obs.aclose()
        return threads

    assert asyncio.run(main()) == [1]


DIFFERENCES: dict[str, Callable[[], None]] = {
    "a function that raises": raising_function_drops_its_value,
    "what a batch is": buffer_emits_notifications,
    "what `map` makes": map_makes_notifications,
    "after the end": ended_is_ended,
    "when an operator subscribes": operators_subscribe_as_pipe_is_called,
    "an operator that subscribes again": subscribing_again_sees_the_end_again,
    "several subscribers": subscribers_share_the_source,
    "re-entry": reentry_is_queued,
    "a subscriber that raises": raising_subscriber_starves_nobody,
    "a subscriber that raises behind `buffer`": raising_subscriber_does_not_break_a_buffer,
    "an interval of 0": throttle_of_zero_passes_everything,
    "wrong arguments": arguments_are_checked_at_the_call,
    "no scheduler given": without_a_scheduler_the_loop_is_the_clock,
}


@pytest.mark.parametrize("name", DIFFERENCES, ids=str)
def test_difference(name: str) -> None:
    DIFFERENCES[name]()


def listed(heading: str) -> list[str]:
    """Return the first cells of the table under a heading of the page."""
    text = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| \*\*(.+?)\*\* \|", text, re.MULTILINE)


def test_page_names_every_difference_and_no_other() -> None:
    assert listed("What is different by design") == list(DIFFERENCES)
