"""Facts about ``merge``."""

from __future__ import annotations

from typing import Any

import reactivex

from asyncutils_rx import Observable

from .fact import DISPOSED, SUBSCRIBED, Cold, Fact, Hot, Operator, completed, error, value
from .one_source import still

__all__ = ["FACTS"]


def _theirs(_: object, *sources: Any) -> Any:
    return reactivex.merge(*sources)


def _ours(scheduler: Any, *sources: Any) -> Any:
    return Observable.merge(*(Observable.from_rx(source) for source in sources), scheduler=scheduler).to_rx()


def _theirs_twice(_: object, source: Any) -> Any:
    return reactivex.merge(source, source)


def _ours_twice(scheduler: Any, source: Any) -> Any:
    return _ours(scheduler, source, source)


MERGE = Operator("merge", _theirs, _ours)
TWICE = Operator("merge", _theirs_twice, _ours_twice)


def until(*times: int) -> list[list[tuple[int, int]]]:
    """Return the subscriptions of sources that are subscribed to until then, each."""
    return [[(SUBSCRIBED, time)] for time in times]


def pulses(start: int, *values: object, step: int = 15, end: int | None = None) -> Hot:
    """Return a source that emits at even distances, and completes."""
    events = [value(start + step * n, each) for n, each in enumerate(values)]
    return Hot([value(150, "early"), *events, *([] if end is None else [completed(end)])])


FACTS = [
    Fact("emits nothing where two sources never do", MERGE, [still(), still()], [], until(DISPOSED, DISPOSED)),
    Fact("emits nothing where three sources never do", MERGE, [still()] * 3, [], until(*[DISPOSED] * 3)),
    Fact(
        "completes when the last of its sources does, the second", MERGE,
        [pulses(0, end=240), pulses(0, end=270)], [completed(270)], until(240, 270),
    ),
    Fact(
        "completes when the last of its sources does, the first", MERGE,
        [pulses(0, end=270), pulses(0, end=240)], [completed(270)], until(270, 240),
    ),
    Fact(
        "completes when the last of three sources does, the middle one", MERGE,
        [pulses(0, end=240), pulses(0, end=270), pulses(0, end=255)], [completed(270)], until(240, 270, 255),
    ),
    Fact(
        "completes where all of its sources do at the same time", MERGE,
        [pulses(0, end=240), pulses(0, end=240)], [completed(240)], until(240, 240),
    ),
    Fact(
        "does not complete while one source goes on, the second", MERGE,
        [pulses(0, end=240), still()], [], until(240, DISPOSED),
    ),
    Fact(
        "does not complete while one source goes on, the first", MERGE,
        [still(), pulses(0, end=240)], [], until(DISPOSED, 240),
    ),
    Fact(
        "emits what the one source emits while the other emits nothing", MERGE,
        [pulses(210, "a", "b"), still()], [value(210, "a"), value(225, "b")], until(DISPOSED, DISPOSED),
    ),
    Fact(
        "emits what one source emits after the other has completed", MERGE,
        [pulses(0, end=205), pulses(210, "a", end=250)], [value(210, "a"), completed(250)], until(205, 250),
    ),
    Fact(
        "interleaves two sources by time", MERGE,
        [pulses(210, 1, 3, 5, end=260), pulses(217, 2, 4, 6, end=265)],
        [value(210, 1), value(217, 2), value(225, 3), value(232, 4), value(240, 5), value(247, 6), completed(265)],
        until(260, 265),
    ),
    Fact(
        "interleaves three sources by time", MERGE,
        [pulses(210, 1, 4, end=260), pulses(215, 2, 5, end=265), pulses(220, 3, 6, end=250)],
        [value(210, 1), value(215, 2), value(220, 3), value(225, 4), value(230, 5), value(235, 6), completed(265)],
        until(260, 265, 250),
    ),
    Fact(
        "emits values of the same time in the order of its sources", MERGE,
        [pulses(210, 1, 3, end=260), pulses(210, 2, 4, end=260)],
        [value(210, 1), value(210, 2), value(225, 3), value(225, 4), completed(260)],
        until(260, 260),
    ),
    Fact(
        "ends with the first error, and leaves the other source", MERGE,
        [Hot([value(210, 1), error(245, "first")]), pulses(215, 2, 3, 4, 5, end=300)],
        [value(210, 1), value(215, 2), value(230, 3), error(245, "first")],
        until(245, 245),
    ),
    Fact(
        "ends with an error while the other source emits nothing", MERGE,
        [still(), Hot([value(210, 1), error(245, "second")])],
        [value(210, 1), error(245, "second")],
        until(245, 245),
    ),
    Fact(
        "ends with an error after the other source has completed", MERGE,
        [pulses(0, end=230), Hot([error(245, "second")])], [error(245, "second")], until(230, 245),
    ),
    Fact(
        "ends with the earlier of two errors", MERGE,
        [Hot([error(260, "later")]), Hot([error(245, "earlier")])], [error(245, "earlier")], until(245, 245),
    ),
    Fact(
        "leaves all of its sources when it is disposed of", MERGE,
        [pulses(210, 1, 3, 5), pulses(217, 2, 4, 6)], [value(210, 1), value(217, 2)], until(220, 220), disposed=220,
    ),
    Fact(
        "counts the times of cold sources from the subscription", MERGE,
        [Cold([value(10, 1), value(40, 3), completed(50)]), Cold([value(20, 2), completed(90)])],
        [value(210, 1), value(220, 2), value(240, 3), completed(290)],
        until(250, 290),
    ),
    Fact(
        "counts a source twice that it is given twice", TWICE,
        [pulses(210, 1, 2, end=260)],
        [value(210, 1), value(210, 1), value(225, 2), value(225, 2), completed(260)],
        [[(SUBSCRIBED, 260), (SUBSCRIBED, 260)]],
    ),
    Fact(
        "goes over a single source", MERGE,
        [pulses(210, 1, 2, end=260)], [value(210, 1), value(225, 2), completed(260)], until(260),
    ),
]  # fmt: skip
