"""Facts about functions that operators call, and about subscribers that raise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import reactivex
from reactivex import Subject
from reactivex import operators as rx
from reactivex.disposable import SerialDisposable
from reactivex.testing import ReactiveTest, TestScheduler

from asyncutils_rx import Observable

from .fact import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FACTS"]


class RefusedError(Exception):
    """What a subscriber raises."""


def refuse(*_: Any) -> NoReturn:
    raise RefusedError


def map_(ours: bool, function: Callable[[Any], Any], source: Any) -> Any:
    if ours:
        incoming: Any = Observable.from_rx(source)
        return incoming.map(lambda value: ((function(value),), {})).to_rx()
    return source.pipe(rx.map(function))


def filter_(ours: bool, function: Callable[[Any], Any], source: Any) -> Any:
    return Observable.from_rx(source).filter(function).to_rx() if ours else source.pipe(rx.filter(function))


def distinct_until_changed(ours: bool, function: Callable[[Any], Any], source: Any) -> Any:
    if ours:
        return Observable.from_rx(source).at_change(function).to_rx()
    return source.pipe(rx.distinct_until_changed(function))


WITH_FUNCTION = {"map": map_, "filter": filter_, "distinct_until_changed": distinct_until_changed}


def plain(name: str, ours: bool, source: Any) -> Any:
    """Return the result of an operator that lets the first value through."""
    if name in WITH_FUNCTION:
        return WITH_FUNCTION[name](ours, lambda value: value, source)
    if name == "merge":
        if not ours:
            return reactivex.merge(source, reactivex.never())
        return Observable.merge(Observable.from_rx(source), Observable.from_rx(reactivex.never())).to_rx()
    if name == "throttle_first":
        clock = TestScheduler()
        if not ours:
            return source.pipe(rx.throttle_first(5.0, clock))
        return Observable.from_rx(source).throttle(5.0, scheduler=clock).to_rx()
    assert name == "buffer_with_count"
    return Observable.from_rx(source).buffer(1).to_rx() if ours else source.pipe(rx.buffer_with_count(1))


def calls(name: str, ours: bool) -> object:
    """Return what the function is called with."""
    called: list[int] = []
    subject: Subject[int] = Subject()

    def function(value: int) -> bool:
        called.append(value)
        return True

    with WITH_FUNCTION[name](ours, function, subject).subscribe():
        for value in (3, 1, 3):
            subject.on_next(value)
    subject.on_next(4)
    return called


def disposal_inside(name: str, ours: bool) -> object:
    """Return what is seen where the function of the operator disposes of the subscription."""
    clock = TestScheduler()
    source: Any = clock.create_hot_observable(*(ReactiveTest.on_next(n, n) for n in (210, 230, 250, 270)))
    subscription = SerialDisposable()
    called: list[int] = []

    def function(value: int) -> int:
        called.append(value)
        if value == 250:
            subscription.dispose()
        return value

    observer = clock.create_observer()
    subscription.disposable = WITH_FUNCTION[name](ours, function, source).subscribe(observer)
    clock.start()
    times = [message.time for message in observer.messages]
    return times, called, [(each.subscribe, each.unsubscribe) for each in source.subscriptions]


def raising_on_next(name: str, ours: bool) -> object:
    """Return who gets what the subscriber raises, and whether it is called again."""
    subject: Subject[int] = Subject()
    seen: list[Any] = []

    def on_next(value: Any) -> None:
        seen.append(value)
        refuse()

    subscription = plain(name, ours, subject).subscribe(on_next, lambda _: seen.append("error"))
    outcomes = []
    for value in (1, 2) if name != "throttle_first" else (1,):
        try:
            subject.on_next(value)
        except RefusedError:
            outcomes.append("raised to the source")
    subscription.dispose()
    return outcomes, [each[0] if isinstance(each, list) else each for each in seen]


def raising_at_the_end(name: str, ours: bool, how: str) -> object:
    """Return whether the source gets what the subscriber raises as it is told of the end."""
    subject: Subject[int] = Subject()
    plain(name, ours, subject).subscribe(lambda _: None, refuse, refuse)
    try:
        if how == "error":
            subject.on_error(ValueError("of the source"))
        else:
            subject.on_completed()
    except RefusedError:
        return "raised to the source"
    return "not raised"


def raising_source(name: str, ours: bool, handled: bool) -> object:
    """Return what becomes of the error of a source that raises as it is subscribed to."""
    seen: list[str] = []
    handler = (lambda error: seen.append(type(error).__name__)) if handled else None
    try:
        plain(name, ours, reactivex.create(refuse)).subscribe(lambda _: None, handler)
    except RefusedError:
        seen.append("raised to the subscriber")
    return seen


FUNCTIONS = {"map": "the function", "filter": "the predicate", "distinct_until_changed": "the key"}

FACTS = [
    *(
        Scene(f"calls {function} once for each value, in order", name, partial(calls, name), [3, 1, 3])
        for name, function in FUNCTIONS.items()
    ),
    *(
        Scene(
            f"ends at once where it is disposed of inside {function}",
            name,
            partial(disposal_inside, name),
            ([210, 230], [210, 230, 250], [(0, 250)]),
        )
        for name, function in FUNCTIONS.items()
    ),
    *(
        Scene(
            "raises to its source what its subscriber raises, and goes on",
            name,
            partial(raising_on_next, name),
            (["raised to the source"] * 2, [1, 2]),
        )
        for name in ("map", "filter", "distinct_until_changed", "merge")
    ),
    Scene(
        "raises to its source what its subscriber raises",
        "throttle_first",
        partial(raising_on_next, "throttle_first"),
        (["raised to the source"], [1]),
    ),
    *(
        Scene(
            f"raises to its source what its subscriber raises as it is told of the {how}",
            name,
            partial(raising_at_the_end, name, how=how),
            "raised to the source",
        )
        for name in ("map", "filter", "distinct_until_changed", "buffer_with_count", "throttle_first")
        for how in ("error", "completion")
    ),
    *(
        Scene(
            "passes on the error of a source that raises as it is subscribed to",
            name,
            partial(raising_source, name, handled=True),
            ["RefusedError"],
        )
        for name in ("map", "filter", "distinct_until_changed", "buffer_with_count", "throttle_first", "merge")
    ),
    *(
        Scene(
            "raises the error of a source that raises as it is subscribed to where nobody handles it",
            name,
            partial(raising_source, name, handled=False),
            ["raised to the subscriber"],
        )
        for name in ("map", "filter", "distinct_until_changed", "throttle_first")
    ),
]  # fmt: skip
