"""The end of ``map_async``: calls that have begun are awaited, and their results emitted."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from reactivex.subject import Subject

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ReentrancyError
from tests.observable_kit import Held, Tally
from tests.support import tick

Mode = Literal["ordered", "unordered", "latest"]

MODES = ["ordered", "unordered", "latest"]


async def napping(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("mode", "expected"), [("ordered", [5, 1, 3]), ("unordered", [1, 3, 5]), ("latest", [3])], ids=MODES
)
async def test_map_async_emits_the_results_of_what_began_on_leaving_the_source(mode: Mode, expected: list[int]) -> None:
    seen = Tally()
    async with Observable[[int]]() as source:
        source.map_async(napping, mode=mode).subscribe_nowait(seen)
        await source.feed([5, 1, 3])
    assert seen.values == expected


@pytest.mark.virtual_time
@pytest.mark.parametrize("mode", MODES)
async def test_map_async_emits_the_results_of_what_began_on_being_closed_itself(mode: Mode) -> None:
    seen = Tally()
    source = Observable[[int]]()
    mapped = source.map_async(napping, mode=mode)
    mapped.subscribe_nowait(seen)
    await source.notify(5)
    await mapped.aclose()
    assert seen.values == [5]
    await source.aclose()


@pytest.mark.virtual_time
async def test_map_async_waits_on_leaving_for_what_waits_for_a_place() -> None:
    seen = Tally()
    source = Observable[[int]]()
    mapped = source.map_async(napping, max_concurrent=1)
    mapped.subscribe_nowait(seen)
    feeding = asyncio.create_task(source.feed([5]))
    waiting = asyncio.create_task(source.notify(3))
    await tick(5)
    await mapped.aclose()
    assert seen.values == [5, 3]
    await asyncio.gather(feeding, waiting)
    await source.aclose()


@pytest.mark.virtual_time
async def test_map_async_results_reach_what_is_derived_further_on_leaving_the_source() -> None:
    seen = Tally()
    async with Observable[[int]]() as source:
        mapped: Observable[[int]] = source.map_async(napping)
        mapped.filter(lambda seconds: seconds > 1).buffer(3).subscribe_nowait(seen)
        await source.feed([5, 1, 3])
    assert seen.values == [5, 3]


@pytest.mark.virtual_time
@pytest.mark.parametrize("mode", MODES)
async def test_map_async_is_awaited_on_leaving_a_source_that_had_completed_by_then(mode: Mode) -> None:
    seen = Tally()
    subject: Subject[int] = Subject()
    source: Observable[[int]] = Observable.from_rx(subject)
    async with source:
        source.map_async(napping, mode=mode).subscribe_nowait(seen)
        subject.on_next(5)
        await tick(5)
        subject.on_completed()
        await tick(5)
        assert "closed" in repr(source)
        assert seen.values == []
    assert seen.values == [5]


async def test_map_async_calls_are_cancelled_where_leaving_a_completed_source_is_cancelled() -> None:
    work = Held()
    subject: Subject[int] = Subject()
    source: Observable[[int]] = Observable.from_rx(subject)
    source.map_async(work).subscribe_nowait(Tally())
    subject.on_next(1)
    await work.entered(1)
    subject.on_completed()
    await tick(5)
    closing = asyncio.create_task(source.aclose())
    await tick(5)
    assert not closing.done()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert work.cancelled == [1]


async def test_map_async_function_may_close_a_source_that_had_completed() -> None:
    subject: Subject[int] = Subject()
    source: Observable[[int]] = Observable.from_rx(subject)
    closed = asyncio.Event()

    async def close(_: int) -> None:
        await closed.wait()
        await source.aclose()

    mapped = source.map_async(close)
    mapped.subscribe_nowait(Tally())
    subject.on_next(1)
    await tick(5)
    subject.on_completed()
    await tick(5)
    closed.set()
    await mapped.wait_closed()


async def test_map_async_calls_are_cancelled_and_awaited_where_leaving_is_cancelled() -> None:
    work = Held()
    source = Observable[[int]]()
    mapped = source.map_async(work)
    mapped.subscribe_nowait(Tally())
    await source.notify(1)
    closing = asyncio.create_task(source.aclose())
    await tick(5)
    assert not closing.done()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert work.cancelled == [1]
    assert "closed" in repr(mapped)


async def test_map_async_source_cannot_be_closed_by_the_function(loop_errors: list[dict[str, object]]) -> None:
    source = Observable[[int]]()

    async def close(_: int) -> None:
        await source.aclose()

    source.map_async(close).subscribe_nowait(Tally())
    await source.notify(1)
    await tick(3)
    await source.aclose()
    assert [type(context["exception"]) for context in loop_errors] == [ReentrancyError]
    loop_errors.clear()


async def test_map_async_keeps_what_waits_for_a_place_when_another_one_gives_up() -> None:
    work = Held()
    source = Observable[[int]](maxsize=None)
    mapped = source.map_async(work, max_concurrent=1)
    mapped.subscribe_nowait(Tally())
    await source.notify(1)
    given_up = asyncio.create_task(source.notify(2))
    await tick(3)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    kept = asyncio.create_task(source.notify(3))
    await tick(3)
    work.release()
    await kept
    await source.aclose()
    assert work.started == [1, 3]
