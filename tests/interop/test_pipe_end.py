"""What operators behind ``pipe`` still have to emit when their source ends by itself, and when it is left."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
import reactivex
from reactivex import operators
from reactivex.testing import ReactiveTest, TestScheduler

from asyncutils_rx import Observable
from tests.interop.kit import Closed, Source, end_of
from tests.observable_kit import Held, Tally, begin, settle, within
from tests.support import live_subscriptions

pytestmark = pytest.mark.virtual_time


def live_timers() -> list[Any]:
    loop: Any = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]


async def test_pipe_goes_on_after_its_source_has_completed() -> None:
    tally = Tally()
    piped = Observable.from_rx(reactivex.of(1, 2)).pipe(operators.delay(5.0))
    piped.subscribe_nowait(tally)
    await settle()
    assert not piped._closed
    await piped.wait_closed()
    assert tally.values == [1, 2]
    assert asyncio.get_running_loop().time() == 5.0


async def test_pipe_goes_on_after_another_pipe_has_completed() -> None:
    tally = Tally()
    piped = Observable.from_rx(reactivex.of(1, 2)).pipe(operators.delay(5.0)).pipe(operators.delay(2.0))
    piped.subscribe_nowait(tally)
    await piped.wait_closed()
    assert tally.values == [1, 2]


async def test_pipe_delivers_what_futures_give_after_its_source_has_completed() -> None:
    def squared(value: int) -> asyncio.Future[int]:
        return asyncio.ensure_future(asyncio.sleep(3.0 - value, value * value))

    tally = Tally()
    piped: Observable[[int]] = Observable.from_rx(reactivex.of(1, 2)).pipe(operators.flat_map(squared))
    piped.subscribe_nowait(tally)
    await piped.wait_closed()
    assert tally.values == [4, 1]


async def test_pipe_goes_on_where_an_operator_handles_the_error_of_its_source() -> None:
    tally = Tally()
    source = Source()
    piped = Observable.from_rx(source).pipe(operators.catch(reactivex.timer(1.0)))
    piped.subscribe_nowait(tally)
    source.on_error(ValueError("handled"))
    assert await end_of(piped) is Closed
    assert tally.values == [0]


async def test_pipe_that_goes_on_completes_what_is_derived_from_it_at_its_own_end() -> None:
    tally = Tally()
    derived = Observable.from_rx(reactivex.of(1, 2)).pipe(operators.delay(5.0)).buffer(3)
    derived.subscribe_nowait(tally)
    await derived.wait_closed()
    assert tally.values == [1, 2]


async def test_pipe_that_goes_on_is_held_by_its_operators() -> None:
    tally = Tally()
    Observable.from_rx(reactivex.of(1, 2)).pipe(operators.delay(5.0)).subscribe_nowait(tally)
    gc.collect()
    await asyncio.sleep(10.0)
    assert tally.values == [1, 2]
    assert live_subscriptions() == []


async def test_pipe_that_goes_on_is_held_for_whoever_listens_only_then() -> None:
    tally = Tally()
    piped = Observable.from_rx(reactivex.of(1, 2)).pipe(operators.delay(5.0))
    subscription = piped.subscribe_nowait(lambda _: None)
    subscription()
    piped.subscribe_nowait(tally)
    del piped, subscription
    gc.collect()
    await asyncio.sleep(10.0)
    assert tally.values == [1, 2]


async def test_pipe_that_goes_on_is_collected_once_nobody_listens() -> None:
    piped = Observable.from_rx(reactivex.of(1)).pipe(operators.flat_map(lambda _: reactivex.interval(1.0)))
    subscription = piped.subscribe_nowait(lambda _: None)
    await asyncio.sleep(2.5)
    subscription()
    del piped, subscription
    gc.collect()
    await settle()
    assert live_timers() == []
    assert live_subscriptions() == []


@pytest.mark.parametrize("left", ["source", "piped"])
async def test_pipe_that_goes_on_drops_what_it_holds_when_it_is_left(left: str) -> None:
    tally = Tally()
    source = Observable.from_rx(reactivex.of(1, 2))
    piped = source.pipe(operators.delay(5.0))
    piped.subscribe_nowait(tally)
    await settle()
    assert source._closed
    await within((source if left == "source" else piped).aclose())
    assert piped._closed
    assert live_timers() == []
    assert live_subscriptions() == []
    assert tally.values == []


async def test_pipe_ends_at_once_where_it_is_left_as_its_source_is_closed() -> None:
    tally = Tally()
    async with Observable[[int]]() as source:
        piped = source.fork().pipe(operators.delay(5.0)).pipe(operators.delay(5.0))
        piped.subscribe_nowait(tally)
        await source.notify(1)
    assert piped._closed
    assert live_timers() == []
    assert tally.values == []


async def test_leaving_a_source_that_has_ended_awaits_what_a_pipe_emits() -> None:
    held = Held()
    source = Observable.from_rx(reactivex.of(1, 2))
    piped = source.pipe(operators.delay(5.0))
    piped.subscribe_nowait(held)
    await asyncio.sleep(6.0)
    closing = await begin(source.aclose())
    assert not closing.done()
    held.release()
    await closing
    assert piped._closed


async def test_leaving_a_source_that_has_ended_waits_for_nobody_to_iterate() -> None:
    source = Observable.from_rx(reactivex.of(1, 2, 3))
    piped = source.pipe(operators.delay(5.0))
    values = piped.values(maxsize=1)
    await asyncio.sleep(6.0)
    assert piped.notifying
    await within(source.aclose())
    assert [value async for value in values] == [1, 2, 3]


def test_pipe_goes_on_without_a_loop_too() -> None:
    scheduler = TestScheduler()
    xs = scheduler.create_hot_observable(ReactiveTest.on_next(210, 1), ReactiveTest.on_completed(250))
    results = scheduler.start(lambda: Observable.from_rx(xs).pipe(operators.delay(100, scheduler=scheduler)).to_rx())
    assert results.messages == [ReactiveTest.on_next(310, 1), ReactiveTest.on_completed(350)]


# Operators that subscribe again


@pytest.mark.parametrize("name", ["repeat", "repeat twice", "repeat later"])
async def test_pipe_ends_where_an_operator_subscribes_again_after_the_completion(name: str) -> None:
    operator = {
        "repeat": operators.repeat(),
        "repeat twice": operators.repeat(2),
        "repeat later": lambda source: reactivex.concat(source, reactivex.timer(2.0), source),
    }[name]
    tally = Tally()
    source = Source()
    piped = Observable.from_rx(source).pipe(operator)
    piped.subscribe_nowait(tally)
    source.on_next(1)
    source.on_completed()
    assert await within(end_of(piped), 10) is Closed
    assert tally.values == ([1, 0] if name == "repeat later" else [1])


@pytest.mark.parametrize("operator", [operators.retry(), operators.retry(3)])
async def test_pipe_ends_where_an_operator_subscribes_again_after_the_error(operator: Any) -> None:
    source = Source()
    piped = Observable.from_rx(source).pipe(operator)
    piped.subscribe_nowait(lambda _: None)
    error = ValueError("again and again")
    ending = await begin(end_of(piped))
    source.on_error(error)
    assert await within(ending) is error
    assert live_subscriptions() == []
