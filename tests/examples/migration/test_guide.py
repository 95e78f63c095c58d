"""What the migration guide says of RxPY and of this library is so, where its blocks of code don't show it."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.subject import BehaviorSubject, Subject

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ObservableClosed
from tests.examples.conftest import EXAMPLES, ROOT
from tests.observable_kit import Held, Tally, failing
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")


def emitting(source: Any) -> Observable[[Any]]:
    observable: Observable[[Any]] = Observable.from_rx(source)
    return observable


# What the page names


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bops\.(\w+)", PAGE))))
def test_page_names_operators_that_rxpy_has(name: str) -> None:
    assert callable(getattr(ops, name))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b(?:obs|Observable)\.(\w+)\(", PAGE))))
def test_page_names_methods_that_observables_have(name: str) -> None:
    assert callable(getattr(Observable, name))


@pytest.mark.parametrize(
    "path", sorted({*(EXAMPLES / "migration").glob("*.py"), EXAMPLES / "migration" / "typeahead" / "typeahead.py"})
)
def test_page_tells_of_each_program(path: Any) -> None:
    assert f"`{path.relative_to(EXAMPLES / 'migration')}`" in PAGE


@pytest.mark.parametrize(
    "folder", ["asyncio", "autocomplete", "konamicode", "statistics", "errors", "parallel", "marbles"]
)
def test_page_tells_of_each_example_of_rxpy(folder: str) -> None:
    assert re.search(rf"^\| `{folder}[`/]", PAGE, re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(#([\w-]+)\)", PAGE))))
def test_page_links_to_sections_that_it_has(link: str) -> None:
    titles = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    assert link in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# Sources


async def test_after_the_end_rxpy_is_silent_and_notify_raises() -> None:
    subject: Subject[int] = Subject()
    subject.on_completed()
    subject.on_next(1)
    numbers = Observable[[int]]()
    await numbers.aclose()
    with pytest.raises(ObservableClosed):
        await numbers.notify(1)


async def test_from_rx_is_one_subscription_while_anybody_observes() -> None:
    journal: list[str] = []

    def connect(*_: Any) -> Disposable:
        journal.append("subscribed")
        return Disposable(lambda: journal.append("disposed"))

    numbers = emitting(reactivex.create(connect))
    first, second = numbers.subscribe_nowait(Tally()), numbers.subscribe_nowait(Tally())
    first()
    assert journal == ["subscribed"]
    second()
    assert journal == ["subscribed", "disposed"]
    numbers.subscribe_nowait(Tally())
    await numbers.aclose()
    assert journal == ["subscribed", "disposed"] * 2


# Observers


def test_rxpy_leaves_out_the_observers_after_one_that_raises() -> None:
    subject: Subject[int] = Subject()
    seen = Tally()

    def refuse(number: int) -> None:
        raise ValueError(number)

    with subject.subscribe(refuse), subject.subscribe(seen):
        with pytest.raises(ValueError, match="1"):
            subject.on_next(1)
        assert seen.values == []


async def test_every_observer_is_called_though_one_raises() -> None:
    seen = Tally()
    numbers = Observable[[int]]([failing(ValueError("1")), seen])
    with pytest.raises(ValueError, match="1"):
        await numbers.notify(1)
    assert seen.values == [1]


async def test_observer_subscribed_twice_is_called_once_and_in_rxpy_twice() -> None:
    subject: Subject[int] = Subject()
    here, there = Tally(), Tally()
    with subject.subscribe(there), subject.subscribe(there):
        subject.on_next(1)
    numbers = Observable[[int]]()
    numbers.subscribe_nowait(here)
    numbers.subscribe_nowait(here)
    await numbers.notify(1)
    assert (there.values, here.values) == ([1, 1], [1])


async def test_take_by_pipe_ends_the_derived_observable() -> None:
    numbers = Observable[[int]]()
    two = numbers.pipe(ops.take(2))
    seen = Tally()
    two.subscribe_nowait(seen)
    await numbers.feed([1, 2, 3])
    await two.wait_closed()
    assert seen.values == [1, 2]
    await numbers.aclose()


# Operators


async def test_throttle_of_nothing_passes_everything_and_raises_in_rxpy() -> None:
    with pytest.raises(ValueError, match="duration"):
        reactivex.of(1).pipe(ops.throttle_first(0)).subscribe(Tally())
    numbers, seen = Observable[[int]](), Tally()
    numbers.throttle(0).subscribe_nowait(seen)
    await numbers.feed([1, 2])
    assert seen.values == [1, 2]


async def test_combine_latest_by_pipe_ends_with_the_one_it_was_called_on() -> None:
    left, right = Observable[[int]](), Observable[[int]]()
    both = left.pipe(ops.combine_latest(right.to_rx()))
    both.subscribe_nowait(Tally())
    await left.aclose()
    await both.wait_closed()
    await right.aclose()


@pytest.mark.parametrize(
    ("operator", "expected"), [(ops.retry(), [5, 2]), (ops.catch(reactivex.of(0)), [5, 0])], ids=["retry", "catch"]
)
async def test_retry_and_catch_work_inside_pipe(operator: Any, expected: list[int]) -> None:
    async with Observable[[int]]() as numbers:
        seen = Tally()
        numbers.pipe(ops.map(lambda number: 10 // number), operator).subscribe_nowait(seen)
        for number in (2, 0, 5):
            await numbers.notify(number)
    assert seen.values == expected


async def test_timeout_by_pipe_ends_the_stream() -> None:
    async with Observable[[int]]() as numbers:
        hasty = numbers.pipe(ops.timeout(0.01))
        hasty.subscribe_nowait(Tally())
        with pytest.raises(Exception, match="Timeout"):
            await hasty.wait_closed()


# Asynchronous work


async def test_flat_map_of_futures_ends_at_a_failure_and_map_async_goes_on(loop_errors: list[dict[str, Any]]) -> None:
    async def inverse(number: Any) -> int:
        result: int = 10 // number
        return result

    subject: Subject[int] = Subject()
    there, errors, here = Tally(), Tally(), Tally()
    subject.pipe(ops.flat_map(lambda number: asyncio.ensure_future(inverse(number)))).subscribe(there, errors)
    async with Observable[[int]]() as numbers:
        numbers.map_async(inverse).subscribe_nowait(here)
        for number in (1, 0, 2):
            subject.on_next(number)
            await numbers.notify(number)
            await tick(10)
    assert (there.values, here.values) == ([10], [10, 5])
    assert [type(error) for error in errors.values] == [ZeroDivisionError]
    assert [type(context["exception"]) for context in loop_errors] == [ZeroDivisionError]
    loop_errors.clear()


async def test_flat_map_latest_cancels_the_future_as_map_async_does() -> None:
    there, here = Held(), Held()
    subject: Subject[int] = Subject()
    subject.pipe(ops.flat_map_latest(lambda number: asyncio.ensure_future(there(number)))).subscribe(Tally())
    async with Observable[[int]]() as numbers:
        numbers.map_async(here, mode="latest").subscribe_nowait(Tally())
        for number in (1, 2):
            subject.on_next(number)
            await numbers.notify(number)
            await there.entered(number)
            await here.entered(number)
        there.release()
        here.release()
    await tick(10)
    subject.on_completed()
    assert there.cancelled == here.cancelled == [1]


# Time, threads, and waiting


@pytest.mark.virtual_time
async def test_interval_by_from_rx_keeps_the_newest_tick_where_it_is_told_to() -> None:
    seen: list[int] = []

    async def slow(tick: int) -> None:
        await asyncio.sleep(3.5)
        seen.append(tick)

    source = reactivex.interval(1.0).pipe(ops.take(10))
    ticks: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow="latest")
    ticks.subscribe_nowait(slow)
    await ticks.wait_closed()
    assert seen == [0, 3, 7, 9]


async def test_timers_of_rxpy_have_threads_and_those_of_from_rx_and_pipe_have_none() -> None:
    threads: dict[str, threading.Thread] = {}
    fired = threading.Event()

    def note(where: str) -> Callable[[Any], None]:
        def noted(_: object) -> None:
            threads[where] = threading.current_thread()
            fired.set()

        return noted

    reactivex.timer(0.01).subscribe(note("RxPY"))
    assert await asyncio.to_thread(fired.wait, 10)
    timer = emitting(reactivex.timer(0.01))
    timer.subscribe_nowait(note("from_rx"))
    await timer.wait_closed()
    async with Observable[[int]]() as numbers:
        late = numbers.pipe(ops.delay(0.01))
        late.subscribe_nowait(note("pipe"))
        following = asyncio.create_task(late.wait_for_next(timeout=10))
        await tick()
        await numbers.notify(1)
        await following
    assert threads["RxPY"] is not threading.main_thread()
    assert threads["from_rx"] is threads["pipe"] is threading.main_thread()


async def test_blocking_observer_has_a_thread_and_is_awaited() -> None:
    threads: list[threading.Thread] = []
    async with Observable[[int]]() as numbers:
        numbers.subscribe_syncf(lambda _: threads.append(threading.current_thread()))
        await numbers.notify(1)
        assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_observable_awaited_by_to_rx_gives_its_last_value() -> None:
    numbers = Observable[[int]]()
    last = asyncio.ensure_future(numbers.to_rx())
    await tick()
    await numbers.feed([1, 2])
    await numbers.aclose()
    assert await last == 2


async def test_behavior_subject_replays_to_each_from_rx() -> None:
    subject = BehaviorSubject(1)
    early, late = emitting(subject), emitting(subject)
    seen_early, seen_late = early.values(), late.values()
    subject.on_completed()
    assert [value async for value in seen_early] == [1]
    assert [value async for value in seen_late] == [1]
