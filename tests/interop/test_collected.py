"""Derived observables that are collected at an awkward moment: nothing arrives there any more, and nobody notices."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from reactivex import Subject, operators

from asyncutils_rx import Observable
from tests.interop.kit import Closed, end_of
from tests.observable_kit import Tally, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

DERIVE: dict[str, Callable[[Observable[[int]]], Observable[...]]] = {
    "fork": lambda obs: obs.fork(),
    "buffer": lambda obs: obs.buffer(1),
    "pipe": lambda obs: obs.pipe(operators.map(lambda value: value)),
}


class RefusedError(Exception):
    """What ends a source."""


def everything(_: int) -> bool:
    return True


@pytest.mark.parametrize("event", ["value", "completed", "error"])
@pytest.mark.parametrize("derive", DERIVE)
async def test_derived_observable_that_another_thread_let_go_has_no_part_in_what_comes_next(
    derive: str, event: str
) -> None:
    """The thread only asks the loop to detach it, and the source is faster."""
    subject: Subject[int] = Subject()
    source: Observable[[int]] = Observable.from_rx(subject)
    tally = Tally()
    source.subscribe_nowait(tally)
    source.to_rx().subscribe(None, lambda _: None)  # who hears of the error
    derived = [DERIVE[derive](source)]
    subject.on_next(0)

    def let_go() -> None:
        derived.clear()
        gc.collect()

    # The loop must not have its turn meanwhile.
    asyncio.get_running_loop().run_in_executor(None, let_go)
    while derived or source._children:
        pass
    if event == "value":
        subject.on_next(1)
    elif event == "completed":
        subject.on_completed()
    else:
        subject.on_error(RefusedError())
    await settle()
    assert tally.values == ([0, 1] if event == "value" else [0])
    end = RefusedError if event == "error" else type
    if event == "value":
        subject.on_completed()
    assert isinstance(await end_of(source), end)


@pytest.mark.parametrize("has_observer", [False, True])
@pytest.mark.parametrize("levels", [0, 1])
async def test_derived_observable_that_its_sibling_lets_go_during_a_notification_is_passed_over(
    levels: int, has_observer: bool
) -> None:
    source: Observable[[int]] = Observable()
    above = source.filter(everything) if levels else source
    others: list[Observable[[int]]] = []
    tally, seen = Tally(), list[int]()

    def let_go(value: int) -> bool:
        if value == 1:
            others.clear()
            gc.collect()
        return True

    def note(value: int) -> bool:
        seen.append(value)
        return True

    first = above.filter(let_go)
    others.append(above.filter(note))
    last = above.filter(everything)
    last.subscribe_nowait(tally)
    if has_observer:
        above.subscribe_nowait(lambda _: None)
    await within(source.notify(0))
    await within(source.notify(1))
    assert (seen, tally.values) == ([0], [0, 1])
    assert first.idle


@pytest.mark.parametrize("event", ["completed", "error"])
async def test_derived_observable_that_a_subscriber_of_its_sibling_lets_go_at_the_end_is_passed_over(
    event: str,
) -> None:
    subject: Subject[int] = Subject()
    source: Observable[[int]] = Observable.from_rx(subject)
    source.subscribe_nowait(Tally())
    first = source.fork()
    others = [source.fork()]
    last = source.fork()

    def let_go(*_: object) -> None:
        others.clear()
        gc.collect()

    first.to_rx().subscribe(None, let_go, let_go)
    last.to_rx().subscribe(None, lambda _: None)  # who hears of the error
    error = RefusedError()
    if event == "completed":
        subject.on_completed()
    else:
        subject.on_error(error)
    assert await end_of(last) is (Closed if event == "completed" else error)
    assert others == []


@pytest.mark.parametrize("event", ["value", "completed"])
async def test_operator_that_joins_its_source_to_itself_has_each_value_once(event: str) -> None:
    """The first of the two subscriptions that RxPY makes there leaves the second one behind, in the middle."""
    subject: Subject[int] = Subject()
    source: Observable[[int]] = Observable.from_rx(subject)
    operator: Any = (
        (lambda values: values.pipe(operators.amb(values)))
        if event == "value"
        else (lambda values: values.pipe(operators.take_until(values.pipe(operators.ignore_elements()))))
    )
    tally = Tally()
    derived = source.pipe(operator)
    derived.subscribe_nowait(tally)
    for value in (1, 2):
        subject.on_next(value)
    subject.on_completed()
    assert await end_of(derived) is Closed
    assert tally.values == [1, 2]


async def test_merge_of_a_source_with_itself_ends_with_its_error_once() -> None:
    subject: Subject[int] = Subject()
    source: Observable[[int]] = Observable.from_rx(subject)
    merged = Observable.merge(source, source)
    errors: list[Exception] = []
    merged.to_rx().subscribe(None, errors.append)
    error = RefusedError()
    subject.on_error(error)
    await settle()
    assert errors == [error]
    assert await end_of(merged) is error
