"""Facts about the operators with one source: ``map``, ``filter``, ``distinct_until_changed``, ``buffer_with_count``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reactivex import operators as rx

from asyncutils_rx import Observable

from .fact import DISPOSED, SUBSCRIBED, Cold, Fact, Hot, Operator, completed, error, value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .fact import Event

__all__ = ["FACTS"]

# Nothing that happens before the subscription, or after the end, is seen.
EARLY: Sequence[Event] = (value(120, 1), value(190, 2))
LATE: Sequence[Event] = (value(700, 98), completed(710), error(720), value(730, 99))


def hot(*events: Event) -> Hot:
    """Return a source that also emits before and after what matters."""
    return Hot([*EARLY, *events, *LATE])


def still(*events: Event) -> Hot:
    """Return a source that also emits before what matters, and never ends."""
    return Hot([*EARLY, *events])


def until(time: int) -> list[list[tuple[int, int]]]:
    """Return the subscriptions of a source that is subscribed to until then."""
    return [[(SUBSCRIBED, time)]]


def mapped(function: Callable[[Any], Any]) -> Operator:
    return Operator(
        "map",
        lambda _, source: source.pipe(rx.map(function)),
        lambda s, source: Observable.from_rx(source).map(lambda v: ((function(v),), {}), scheduler=s).to_rx(),
    )


def filtered(predicate: Callable[[Any], bool]) -> Operator:
    return Operator(
        "filter",
        lambda _, source: source.pipe(rx.filter(predicate)),
        lambda s, source: Observable.from_rx(source).filter(predicate, scheduler=s).to_rx(),
    )


def distinct(key: Callable[[Any], Any] | None = None) -> Operator:
    return Operator(
        "distinct_until_changed",
        lambda _, source: source.pipe(rx.distinct_until_changed(key)),
        lambda s, source: Observable.from_rx(source).at_change(key, scheduler=s).to_rx(),
    )


def buffered(count: int) -> Operator:
    return Operator(
        "buffer_with_count",
        lambda _, source: source.pipe(rx.buffer_with_count(count)),
        lambda s, source: Observable.from_rx(source).buffer(count, scheduler=s).to_rx(),
        batches=True,
    )


def squared(number: int) -> int:
    return number * number


def is_odd(number: int) -> bool:
    return number % 2 == 1


def bare_facts(operator: Operator) -> list[Fact]:
    """Return what is the same for all of them."""
    return [
        Fact("completes at once where its source does", operator, [hot(completed(260))], [completed(260)], until(260)),
        Fact("passes an error on at once", operator, [hot(error(260))], [error(260)], until(260)),
        Fact("emits nothing where its source never does", operator, [still()], [], until(DISPOSED)),
        Fact(
            "completes at the subscription where a cold source does", operator, [Cold([completed(0)])],
            [completed(200)], until(200),
        ),
    ]  # fmt: skip


FACTS = [
    # map
    *bare_facts(mapped(squared)),
    Fact(
        "emits what the function makes of each value, at its time, and completes with its source",
        mapped(squared),
        [hot(value(215, 2), value(235, 3), value(270, 5), completed(380))],
        [value(215, 4), value(235, 9), value(270, 25), completed(380)],
        until(380),
    ),
    Fact(
        "goes on until it is disposed of where its source does not end",
        mapped(squared),
        [still(value(215, 2), value(600, 3))],
        [value(215, 4), value(600, 9)],
        until(DISPOSED),
    ),
    Fact(
        "passes on the error that comes after values",
        mapped(squared),
        [hot(value(215, 2), value(235, 3), error(300, "late"))],
        [value(215, 4), value(235, 9), error(300, "late")],
        until(300),
    ),
    Fact(
        "emits nothing after it was disposed of",
        mapped(squared),
        [still(value(215, 2), value(235, 3), value(260, 4))],
        [value(215, 4)],
        [[(SUBSCRIBED, 230)]],
        disposed=230,
    ),
    Fact(
        "counts the times of a cold source from the subscription",
        mapped(squared),
        [Cold([value(10, 1), value(40, 2), completed(90)])],
        [value(210, 1), value(240, 4), completed(290)],
        until(290),
    ),
    Fact(
        "subscribes when it is subscribed to, however late",
        mapped(squared),
        [still(value(215, 2), value(415, 3))],
        [value(415, 9)],
        [[(400, DISPOSED)]],
        subscribed=400,
    ),
    Fact(
        "passes on None and what is false",
        mapped(lambda number: None if number == 2 else 0),
        [hot(value(215, 2), value(235, 3), completed(250))],
        [value(215, None), value(235, 0), completed(250)],
        until(250),
    ),
    Fact(
        "passes on several values of the same time in order",
        mapped(squared),
        [hot(value(215, 2), value(215, 3), value(215, 1), completed(215))],
        [value(215, 4), value(215, 9), value(215, 1), completed(215)],
        until(215),
    ),
    # filter
    *bare_facts(filtered(is_odd)),
    Fact(
        "passes on the values for which the predicate is true, at their times",
        filtered(is_odd),
        [hot(value(215, 2), value(235, 3), value(270, 5), value(280, 8), completed(380))],
        [value(235, 3), value(270, 5), completed(380)],
        until(380),
    ),
    Fact(
        "passes everything on where the predicate is always true",
        filtered(lambda _: True),
        [hot(value(215, 2), value(235, 3), completed(380))],
        [value(215, 2), value(235, 3), completed(380)],
        until(380),
    ),
    Fact(
        "passes nothing but the end on where the predicate is never true",
        filtered(lambda _: False),
        [hot(value(215, 2), value(235, 3), completed(380))],
        [completed(380)],
        until(380),
    ),
    Fact(
        "passes on the error that comes after values",
        filtered(is_odd),
        [hot(value(215, 2), value(235, 3), error(300, "late"))],
        [value(235, 3), error(300, "late")],
        until(300),
    ),
    Fact(
        "emits nothing after it was disposed of",
        filtered(is_odd),
        [still(value(215, 1), value(235, 3), value(260, 5))],
        [value(215, 1), value(235, 3)],
        [[(SUBSCRIBED, 250)]],
        disposed=250,
    ),
    Fact(
        "counts the times of a cold source from the subscription",
        filtered(is_odd),
        [Cold([value(10, 1), value(40, 2), value(50, 3), completed(90)])],
        [value(210, 1), value(250, 3), completed(290)],
        until(290),
    ),
    Fact(
        "passes on None and what is false",
        filtered(lambda item: item != 1),
        [hot(value(215, None), value(235, 1), value(250, 0), completed(260))],
        [value(215, None), value(250, 0), completed(260)],
        until(260),
    ),
    # distinct_until_changed
    *bare_facts(distinct()),
    Fact(
        "passes the first value on, whatever it is",
        distinct(),
        [hot(value(215, None), completed(250))],
        [value(215, None), completed(250)],
        until(250),
    ),
    Fact(
        "passes everything on where all values differ",
        distinct(),
        [hot(value(215, 5), value(235, 4), value(250, 5), completed(260))],
        [value(215, 5), value(235, 4), value(250, 5), completed(260)],
        until(260),
    ),
    Fact(
        "passes only the first one on where all values are equal",
        distinct(),
        [hot(value(215, 5), value(235, 5), value(250, 5), completed(260))],
        [value(215, 5), completed(260)],
        until(260),
    ),
    Fact(
        "passes on the first of each run of equal values",
        distinct(),
        [hot(*(value(210 + 10 * n, each) for n, each in enumerate([3, 3, 4, 4, 4, 3, 7, 7])), completed(300))],
        [value(210, 3), value(230, 4), value(260, 3), value(270, 7), completed(300)],
        until(300),
    ),
    Fact(
        "compares the keys where it has a key",
        distinct(lambda number: number // 10),
        [hot(value(210, 11), value(220, 19), value(230, 25), value(240, 21), value(250, 12), completed(260))],
        [value(210, 11), value(230, 25), value(250, 12), completed(260)],
        until(260),
    ),
    Fact(
        "passes on the error that comes after values",
        distinct(),
        [hot(value(215, 5), value(235, 5), error(300, "late"))],
        [value(215, 5), error(300, "late")],
        until(300),
    ),
    Fact(
        "knows nothing of what came before the subscription",
        distinct(),
        [Hot([value(190, 5), value(215, 5), completed(260)])],
        [value(215, 5), completed(260)],
        until(260),
    ),
    Fact(
        "emits nothing after it was disposed of",
        distinct(),
        [still(value(215, 1), value(235, 2))],
        [value(215, 1)],
        [[(SUBSCRIBED, 230)]],
        disposed=230,
    ),
    Fact(
        "counts the times of a cold source from the subscription",
        distinct(),
        [Cold([value(10, 1), value(40, 1), value(50, 3), completed(90)])],
        [value(210, 1), value(250, 3), completed(290)],
        until(290),
    ),
    # buffer_with_count
    *bare_facts(buffered(3)),
    Fact(
        "emits a batch when its last value comes, and the partial one at completion",
        buffered(3),
        [hot(*(value(210 + 10 * n, n) for n in range(7)), completed(310))],
        [*(value(230, n) for n in (0, 1, 2)), *(value(260, n) for n in (3, 4, 5)), value(310, 6), completed(310)],
        until(310),
    ),
    Fact(
        "emits no empty batch at completion",
        buffered(2),
        [hot(value(210, 1), value(220, 2), value(230, 3), value(240, 4), completed(260))],
        [value(220, 1), value(220, 2), value(240, 3), value(240, 4), completed(260)],
        until(260),
    ),
    Fact(
        "emits fewer values than a batch at completion",
        buffered(5),
        [hot(value(210, 1), value(220, 2), completed(260))],
        [value(260, 1), value(260, 2), completed(260)],
        until(260),
    ),
    Fact(
        "drops a partial batch at an error",
        buffered(2),
        [hot(value(210, 1), value(220, 2), value(230, 3), error(260, "late"))],
        [value(220, 1), value(220, 2), error(260, "late")],
        until(260),
    ),
    Fact(
        "drops a partial batch when it is disposed of",
        buffered(2),
        [still(value(210, 1), value(220, 2), value(230, 3), value(240, 4))],
        [value(220, 1), value(220, 2)],
        [[(SUBSCRIBED, 235)]],
        disposed=235,
    ),
    Fact(
        "emits each value at once where a batch is one",
        buffered(1),
        [hot(value(210, 1), value(220, 2), completed(260))],
        [value(210, 1), value(220, 2), completed(260)],
        until(260),
    ),
    Fact(
        "keeps a partial batch as long as its source does not end",
        buffered(3),
        [still(value(210, 1), value(220, 2), value(230, 3), value(240, 4))],
        [value(230, 1), value(230, 2), value(230, 3)],
        until(DISPOSED),
    ),
    Fact(
        "counts the times of a cold source from the subscription",
        buffered(2),
        [Cold([value(10, 1), value(40, 2), value(50, 3), completed(90)])],
        [value(240, 1), value(240, 2), value(290, 3), completed(290)],
        until(290),
    ),
]
