"""``map_async`` where its own function, or an observer of its results, notifies its source."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ReentrancyError
from tests.interop.kit import until
from tests.observable_kit import Held, Tally, begin, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from asyncutils_rx.types import MapMode

MODES: tuple[MapMode, ...] = ("ordered", "unordered")


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("mode", MODES)
async def test_map_async_function_that_notifies_the_source_does_not_wait_for_its_own_place(
    mode: MapMode, limit: int
) -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()

    async def fn(depth: int) -> int:
        await tick(3)  # the notification that caused this has ended
        if depth < 4:
            await obs.notify(depth + 1)
            await obs.notify(depth + 1)
        return depth

    obs.map_async(fn, mode=mode, max_concurrent=limit).subscribe_nowait(tally)
    await within(obs.notify(0))
    await until(lambda: len(tally.values) == 31)
    await within(obs.aclose())
    assert sorted(tally.values) == [0, *[1] * 2, *[2] * 4, *[3] * 8, *[4] * 16]


@pytest.mark.parametrize("mode", [*MODES, "latest"])
async def test_map_async_observer_of_the_result_that_notifies_the_source_does_not_wait_for_its_place(
    mode: MapMode,
) -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()

    async def fn(depth: int) -> int:
        return depth

    async def again(depth: int) -> None:
        await asyncio.sleep(0)
        if depth < 4:
            await obs.notify(depth + 1)

    mapped = obs.map_async(fn, mode=mode, max_concurrent=1)
    mapped.subscribe_nowait(tally)
    mapped.subscribe_nowait(again)
    await within(obs.notify(0))
    while tally.values != [0, 1, 2, 3, 4]:
        await within(mapped.wait_for_next())
        await settle()
    await obs.aclose()


async def test_map_async_limit_holds_for_what_its_function_notifies() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()

    async def fn(number: int) -> int:
        await tick(3)
        if number == 0:
            for inner in (1, 2, 3):
                await obs.notify(inner)
        await held(number)
        return number

    obs.map_async(fn, max_concurrent=2).subscribe_nowait(lambda _: None)
    await obs.notify(0)
    await settle()
    assert sorted(held.started) == [0, 1]
    held.release(0)
    await settle()
    assert sorted(held.started) == [0, 1, 2]
    held.release()
    await obs.aclose()
    assert held.most_running == 2
    assert sorted(held.ended) == [0, 1, 2, 3]


async def test_map_async_keeps_the_order_of_what_waits_inside_and_outside() -> None:
    obs: Observable[[int]] = Observable()
    held, tally = Held(), Tally()

    async def fn(number: int) -> int:
        await tick(3)
        if number == 0:
            await obs.notify(1)
        await held(number)
        return number

    obs.map_async(fn, max_concurrent=1).subscribe_nowait(tally)
    await obs.notify(0)
    await held.entered(0)
    waiting = await begin(obs.notify(2))
    assert not waiting.done()
    held.release()
    await within(waiting)
    await obs.aclose()
    assert tally.values == [0, 1, 2]


async def test_map_async_latest_drops_what_its_function_notified_where_something_newer_came() -> None:
    obs: Observable[[int]] = Observable()
    tally, held = Tally(), Held()

    async def again(number: int) -> None:
        if number == 0:
            await obs.notify(1)
            await held(number)

    mapped = obs.map_async(lambda number: number, mode="latest", max_concurrent=1)
    mapped.subscribe_nowait(tally)
    mapped.subscribe_nowait(again)
    await obs.notify(0)
    await held.entered(0)
    newer = await begin(obs.notify(2))
    held.release()
    await within(newer)
    await obs.aclose()
    assert tally.values == [0, 2]


async def test_map_async_cancelled_close_drops_what_its_function_had_waiting() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()

    async def fn(number: int) -> None:
        await tick(3)
        if number == 0:
            await obs.notify(1)
        await held(number)

    mapped = obs.map_async(fn, max_concurrent=1)
    mapped.subscribe_nowait(lambda _: None)
    await obs.notify(0)
    await held.entered(0)
    closing = await begin(obs.aclose())
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(closing)
    await settle()
    assert held.started == held.cancelled == [0]
    assert mapped._closed


async def test_map_async_ordered_goes_on_where_a_call_was_cancelled_before_it_began() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()

    async def fn(number: int) -> int:
        return number

    def cancel_the_first(number: int) -> None:
        if number == 0:
            for call in mapped.running_tasks:
                call.cancel()

    mapped = obs.map_async(fn)
    mapped.subscribe_nowait(tally)
    Observable.from_rx(obs.to_rx()).subscribe_nowait(cancel_the_first)
    await obs.notify(0)
    await obs.notify(2)
    await obs.aclose()
    assert tally.values == [2]


async def test_wait_closed_inside_a_function_of_map_async_raises_at_once() -> None:
    obs: Observable[[int]] = Observable()
    caught: list[ReentrancyError] = []

    async def fn(_: int) -> None:
        with pytest.raises(ReentrancyError) as raised:
            await mapped.wait_closed()
        caught.append(raised.value)

    mapped = obs.map_async(fn)
    await obs.notify(1)
    await within(obs.aclose())
    assert len(caught) == 1
