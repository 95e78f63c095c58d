"""What comes at the very end: values that operators had emitted by then, and calls that would not be cancelled."""

from __future__ import annotations

import asyncio

import pytest
from reactivex import Subject, operators

from asyncutils_rx import Observable
from tests.interop.kit import Closed, end_of
from tests.observable_kit import Held, Tally, begin, settle, within


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("end", ["completed", "error", "left"])
async def test_pipe_delivers_what_operators_emitted_early_before_it_ends_with_its_source(end: str, begun: bool) -> None:
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    error = ValueError("of the source")
    derived = obs.pipe(operators.start_with(1, 2, 3))
    held = Held()
    derived.subscribe_nowait(held)
    if begun:
        await held.entered(1)
    ending = None
    if end == "completed":
        subject.on_completed()
    elif end == "error":
        subject.on_error(error)
    else:
        ending = asyncio.ensure_future(obs.aclose())
    await settle()
    held.release()
    assert await end_of(derived) is (error if end == "error" else Closed)
    if ending is not None:
        await within(ending)
    assert held.ended == [1, 2, 3]


async def test_map_async_call_that_would_not_be_cancelled_emits_nothing_after_the_end() -> None:
    obs: Observable[[int]] = Observable()
    tally, held = Tally(), Held()

    async def stubborn(value: int) -> int:
        try:
            await held("begun")
        except asyncio.CancelledError:
            await held("goes on")
        return value

    mapped = obs.map_async(stubborn)
    mapped.subscribe_nowait(tally)
    await within(obs.notify(1))
    await held.entered("begun")
    closing = await begin(mapped.aclose())
    closing.cancel()
    await held.entered("goes on")
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(closing)
    await settle()
    assert "closed" in repr(mapped)
    assert tally.values == []
