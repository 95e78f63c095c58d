"""Facts about the operators with a clock: ``debounce`` and ``throttle_first``."""

from __future__ import annotations

from reactivex import operators as rx

from asyncutils_rx import Observable

from .fact import DISPOSED, SUBSCRIBED, Cold, Fact, Operator, completed, error, value
from .one_source import bare_facts, hot, still, until

__all__ = ["FACTS"]


def debounced(delay: float) -> Operator:
    return Operator(
        "debounce",
        lambda s, source: source.pipe(rx.debounce(delay, s)),
        lambda s, source: Observable.from_rx(source).debounce(delay, scheduler=s).to_rx(),
    )


def debounced_by_the_subscriber(delay: float) -> Operator:
    return Operator(
        "debounce",
        lambda _, source: source.pipe(rx.debounce(delay)),
        lambda _, source: Observable.from_rx(source).debounce(delay).to_rx(),
    )


def throttled(interval: float) -> Operator:
    return Operator(
        "throttle_first",
        lambda s, source: source.pipe(rx.throttle_first(interval, s)),
        lambda s, source: Observable.from_rx(source).throttle(interval, scheduler=s).to_rx(),
    )


def throttled_by_the_subscriber(interval: float) -> Operator:
    return Operator(
        "throttle_first",
        lambda _, source: source.pipe(rx.throttle_first(interval)),
        lambda _, source: Observable.from_rx(source).throttle(interval).to_rx(),
    )


FACTS = [
    # debounce
    *bare_facts(debounced(20)),
    Fact(
        "passes on each value that nothing follows for the delay, that much later",
        debounced(20),
        [hot(value(210, 3), value(240, 4), value(275, 5), completed(400))],
        [value(230, 3), value(260, 4), value(295, 5), completed(400)],
        until(400),
    ),
    Fact(
        "drops a value that another follows too soon",
        debounced(20),
        [hot(value(210, 3), value(225, 4), value(270, 5), value(280, 6), value(285, 7), completed(400))],
        [value(245, 4), value(305, 7), completed(400)],
        until(400),
    ),
    Fact(
        "emits the pending value at completion",
        debounced(50),
        [hot(value(210, 3), value(230, 4), value(250, 5), completed(260))],
        [value(260, 5), completed(260)],
        until(260),
    ),
    Fact(
        "drops the pending value at an error",
        debounced(50),
        [hot(value(210, 3), value(230, 4), error(260, "late"))],
        [error(260, "late")],
        until(260),
    ),
    Fact(
        "passes on the error that comes when nothing is pending",
        debounced(20),
        [hot(value(210, 3), value(240, 4), error(300, "late"))],
        [value(230, 3), value(260, 4), error(300, "late")],
        until(300),
    ),
    Fact(
        "drops the pending value when it is disposed of",
        debounced(20),
        [still(value(210, 3), value(240, 4))],
        [value(230, 3)],
        [[(SUBSCRIBED, 250)]],
        disposed=250,
    ),
    Fact(
        "drops a value that another follows exactly at the end of the delay",
        debounced(20),
        [hot(value(210, 3), value(230, 4), completed(400))],
        [value(250, 4), completed(400)],
        until(400),
    ),
    Fact(
        "goes on where its source does not end",
        debounced(20),
        [still(value(210, 3), value(600, 4))],
        [value(230, 3), value(620, 4)],
        until(DISPOSED),
    ),
    Fact(
        "coalesces what comes at the same time even without a delay",
        debounced(0),
        [hot(value(210, 3), value(210, 4), value(240, 5), completed(400))],
        [value(210, 4), value(240, 5), completed(400)],
        until(400),
    ),
    Fact(
        "counts the times of a cold source from the subscription",
        debounced(20),
        [Cold([value(10, 1), value(20, 2), value(60, 3), completed(70)])],
        [value(240, 2), value(270, 3), completed(270)],
        until(270),
    ),
    Fact(
        "uses the scheduler of its subscriber where it was given none",
        debounced_by_the_subscriber(20),
        [hot(value(210, 3), value(225, 4), completed(400))],
        [value(245, 4), completed(400)],
        until(400),
    ),
    Fact(
        "emits the pending value once where the completion comes exactly at the end of the delay",
        debounced(20),
        [hot(value(210, 3), completed(230))],
        [value(230, 3), completed(230)],
        until(230),
    ),
    # throttle_first
    *bare_facts(throttled(50)),
    Fact(
        "passes on the first value of each window, at its time",
        throttled(50),
        [hot(value(210, 3), value(225, 4), value(250, 5), value(290, 6), value(330, 7), value(350, 8), completed(400))],
        [value(210, 3), value(290, 6), value(350, 8), completed(400)],
        until(400),
    ),
    Fact(
        "passes on a value exactly at the end of the window",
        throttled(50),
        [hot(value(210, 3), value(260, 4), value(310, 5), completed(400))],
        [value(210, 3), value(260, 4), value(310, 5), completed(400)],
        until(400),
    ),
    Fact(
        "begins a window with what it passes on, and not with what it drops",
        throttled(50),
        [hot(value(210, 3), value(255, 4), value(262, 5), value(300, 6), completed(400))],
        [value(210, 3), value(262, 5), completed(400)],
        until(400),
    ),
    Fact(
        "completes within a window",
        throttled(50),
        [hot(value(210, 3), value(220, 4), completed(230))],
        [value(210, 3), completed(230)],
        until(230),
    ),
    Fact(
        "passes an error on within a window",
        throttled(50),
        [hot(value(210, 3), value(220, 4), error(230, "late"))],
        [value(210, 3), error(230, "late")],
        until(230),
    ),
    Fact(
        "goes on where its source does not end",
        throttled(50),
        [still(value(210, 3), value(220, 4), value(600, 5))],
        [value(210, 3), value(600, 5)],
        until(DISPOSED),
    ),
    Fact(
        "emits nothing after it was disposed of",
        throttled(50),
        [still(value(210, 3), value(270, 4), value(330, 5))],
        [value(210, 3)],
        [[(SUBSCRIBED, 265)]],
        disposed=265,
    ),
    Fact(
        "passes on only the first of several values of the same time",
        throttled(50),
        [hot(value(210, 3), value(210, 4), value(210, 5), completed(400))],
        [value(210, 3), completed(400)],
        until(400),
    ),
    Fact(
        "counts the times of a cold source from the subscription",
        throttled(50),
        [Cold([value(10, 1), value(40, 2), value(60, 3), completed(90)])],
        [value(210, 1), value(260, 3), completed(290)],
        until(290),
    ),
    Fact(
        "uses the scheduler of its subscriber where it was given none",
        throttled_by_the_subscriber(50),
        [hot(value(210, 3), value(225, 4), value(270, 5), completed(400))],
        [value(210, 3), value(270, 5), completed(400)],
        until(400),
    ),
]
