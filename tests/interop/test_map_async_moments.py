"""``map_async``: what comes in the very turn of the loop in which a place gets free, and other narrow moments."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncutils_rx import Observable
from tests.observable_kit import Held, Tally, begin, settle, within

TURNS = range(8)
"""So many turns of the loop go by between the end of a function and the beginning of what waited for its place."""


async def nothing(_: int) -> None:
    """Map to None."""


@pytest.mark.parametrize("first", ["test", "call"])
@pytest.mark.parametrize("turns", TURNS)
async def test_map_async_loses_no_place_to_a_notify_that_is_cancelled_at_any_moment(turns: int, first: str) -> None:
    """Whether it is cancelled just before or just after it was given the place."""
    obs: Observable[[int]] = Observable()
    held, started = Held(), list[int]()

    async def fn(number: int) -> None:
        started.append(number)
        await held(number)

    results = obs.map_async(fn, max_concurrent=1)
    results.subscribe_nowait(lambda _: None)
    await within(obs.notify(1))
    second = await begin(obs.notify(2))
    if first == "test":
        await asyncio.sleep(0)
    held.release(1)
    if first == "call":
        # From now on the function's task has its turn before this one.
        await begin(nothing(0))
    for _ in range(turns):
        await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    held.release()
    await within(obs.notify(3))
    await settle()
    assert started in ([1, 3], [1, 2, 3])
    assert 3 in held.ended


@pytest.mark.parametrize("turns", TURNS)
async def test_map_async_that_is_closed_as_a_place_gets_free_emits_what_waited_for_it(turns: int) -> None:
    obs: Observable[[int]] = Observable()
    held, tally = Held(), Tally()

    async def fn(number: int) -> int:
        await held(number)
        return number

    results = obs.map_async(fn, max_concurrent=1)
    results.subscribe_nowait(tally)
    await within(obs.notify(1))
    second = await begin(obs.notify(2))
    held.release()
    for _ in range(turns):
        await asyncio.sleep(0)
    await within(results.aclose())
    await within(second)
    assert tally.values == [1, 2]
    await obs.aclose()


async def test_map_async_that_is_being_closed_begins_nothing_more() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    results = obs.map_async(held)
    results.subscribe_nowait(lambda _: None)
    await within(obs.notify(1))
    await held.entered(1)
    closing = await begin(results.aclose())
    await within(obs.notify(2))
    await settle()
    held.release()
    await within(closing)
    assert held.started == [1]


async def test_map_async_latest_goes_on_past_a_place_that_an_interruption_cancelled() -> None:
    """The rest of the batch supersedes what was cancelled, and only the interruption is raised."""
    obs: Observable[[int]] = Observable()

    def interrupt(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    held = Held()
    batch = obs.buffer(4)
    batch.subscribe_nowait(interrupt)
    results = batch.map_async(held, mode="latest", max_concurrent=1)
    results.subscribe_nowait(lambda _: None)
    for number in (1, 2, 3):
        await within(obs.notify(number))
    with pytest.raises(KeyboardInterrupt):
        await obs.notify(4)
    held.release()
    await settle()
    await obs.aclose()
    assert obs._closed


async def test_map_async_of_a_function_that_cannot_tell_its_name_raises_what_that_raised() -> None:
    class Nameless:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"no {name}")

        async def __call__(self, number: int) -> None:
            """Map to None."""

    obs: Observable[[int]] = Observable()
    with pytest.raises(RuntimeError, match="no __qualname__"):
        obs.map_async(Nameless())
    assert not obs._observers.taps
