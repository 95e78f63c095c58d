"""The end in the middle of things: closes that meet notifications, cancellations and each other."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import AsyncutilsRxError, ObservableClosed, WrongLoopError
from tests.observable_kit import Held, Recorder, Tally, begin, busy, now, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

# Cancelled closes and cancelled bodies


async def test_aclose_cancelled_loses_no_queued_notification_of_a_call_that_goes_on() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    closing = await begin(obs.aclose())
    closing.cancel()
    await settle()
    held.release()
    await within(asyncio.wait([closing, notifier]))
    assert held.ended == ["first", "second"]
    assert held.cancelled == []


async def test_body_of_a_context_cancelled_still_emits_what_is_pending() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    inside = asyncio.Event()

    async def body() -> None:
        async with obs:
            obs.buffer(5).subscribe_nowait(tally)
            await obs.notify(1)
            inside.set()
            await asyncio.Event().wait()

    task = await begin(body())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(task)
    assert tally.values == [1]


async def test_body_of_a_context_that_failed_still_emits_what_is_pending() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()

    async def body() -> None:
        async with obs:
            obs.buffer(5).subscribe_nowait(tally)
            await obs.notify(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert tally.values == [1]


@pytest.mark.virtual_time
async def test_aclose_cancelled_while_it_emits_what_is_pending_leaves_nothing_running() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    obs.buffer(5).subscribe_nowait(held)
    obs.debounce(5).subscribe_nowait(held)
    await obs.notify(1)
    closing = await begin(obs.aclose())
    assert held.running >= 1
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(closing)
    await settle()
    assert held.running == 0
    await within(obs.aclose())


@pytest.mark.parametrize("maxsize", [0, 1, None])
async def test_aclose_cancelled_serves_or_refuses_every_call_that_waits(maxsize: int | None) -> None:
    """No call hangs, and what returned without an error was delivered."""
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=maxsize)
    calls = [await busy(obs, held)]
    calls += [await begin(obs.notify(value)) for value in range(4)]
    closing = await begin(obs.aclose())
    closing.cancel()
    await settle()
    held.release()
    outcomes = await within(asyncio.gather(*calls, return_exceptions=True))
    await within(asyncio.wait([closing]))
    await settle()
    assert all(outcome is None or isinstance(outcome, ObservableClosed) for outcome in outcomes)
    served = [value for value, outcome in zip(["running", *range(4)], outcomes, strict=True) if outcome is None]
    assert held.ended == served


@pytest.mark.parametrize("turns", range(12))
async def test_aclose_cancelled_at_any_turn_leaves_nothing_running(turns: int) -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    batches = obs.buffer(5)
    batches.subscribe_nowait(held)
    notifier = await busy(obs, held)
    closing = asyncio.ensure_future(obs.aclose())
    await settle()
    held.release("running")
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    held.release()
    await within(asyncio.wait([closing, notifier]))
    await within(obs.aclose())
    assert held.running == 0
    assert obs.idle


# A timeout around the draining call


@pytest.mark.virtual_time
async def test_timeout_of_the_draining_call_ends_it_and_not_what_others_queued() -> None:
    ended: list[float] = []

    async def observer(delay: float) -> None:
        await asyncio.sleep(delay)
        ended.append(now())

    async def impatient() -> None:
        async with asyncio.timeout(3):
            await obs.notify(1)

    obs: Observable[[float]] = Observable([observer])
    started = now()
    draining = await begin(impatient())
    await obs.notify(10)
    with pytest.raises(TimeoutError):
        await draining
    assert now() - started == 3
    await within(obs.wait_until_idle(), 100)
    assert ended == [started + 1, started + 11]


# Closing derived observables, or from them


async def test_leaving_a_derived_observable_detaches_it_at_once() -> None:
    calls: list[int] = []
    obs: Observable[[int]] = Observable()

    def predicate(value: int) -> bool:
        calls.append(value)
        return True

    derived = obs.filter(predicate)
    await obs.notify(1)
    await derived.aclose()
    await obs.notify(2)
    assert calls == [1]


async def test_source_notifies_while_a_derived_observable_is_being_left() -> None:
    """Whether the derived observable still gets it is open; the notification works."""
    held, tally = Held(), Tally()
    obs: Observable[[str]] = Observable([tally])
    derived = obs.fork()
    derived.subscribe_nowait(held)
    direct = await busy(derived, held, "direct")
    closing = await begin(derived.aclose())
    notifier = await begin(obs.notify("after"))
    assert tally.values == ["after"]
    held.release()
    await within(asyncio.gather(direct, closing, notifier))


async def test_leaving_a_derived_observable_ends_though_its_source_never_pauses() -> None:
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(Recorder())
    derived.subscribe_nowait(Recorder())
    over = False

    async def work() -> None:
        value = 0
        while not over:
            await obs.notify(value)
            value += 1

    workers = [await begin(work()) for _ in range(3)]
    await within(derived.aclose())
    over = True
    await within(asyncio.gather(*workers))


async def test_source_and_derived_observable_left_at_once() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(5)
    batches.subscribe_nowait(tally)
    await obs.notify(1)
    await within(asyncio.gather(batches.aclose(), obs.aclose(), batches.aclose()))
    assert tally.values == [1]


async def test_leaving_one_source_of_a_merge_emits_nothing_that_is_pending_behind_it() -> None:
    """The merge goes on, and so does the batch that it fills."""
    tally = Tally()
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    Observable.merge(one, two).buffer(5).subscribe_nowait(tally)
    await one.notify(1)
    await one.aclose()
    assert tally.values == []
    await two.notify(2)
    await two.aclose()
    assert tally.values == [1, 2]


async def test_leaving_waits_for_emissions_that_are_queued_at_a_derived_observable() -> None:
    held = Held()
    one: Observable[[str]] = Observable()
    merged = one.merge(Observable())
    merged.subscribe_nowait(held)
    direct = await busy(merged, held, "direct")
    notifier = await begin(one.notify("second"))
    closing = await begin(one.aclose())
    assert not closing.done()
    held.release()
    await within(asyncio.gather(direct, notifier, closing))
    assert sorted(held.ended) == ["direct", "second"]


@pytest.mark.virtual_time
@pytest.mark.parametrize("target", ["source", "derived", "between"])
async def test_close_from_a_background_observer_never_hangs(target: str) -> None:
    outcomes: list[object] = []
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)
    end = quiet.fork()

    async def observer(_: int) -> None:
        try:
            outcomes.append(await within({"source": obs, "derived": end, "between": quiet}[target].aclose(), 1000))
        except AsyncutilsRxError as error:
            outcomes.append(error)

    end.subscribe_nowait(observer)
    await obs.notify(1)
    await asyncio.sleep(2)
    await settle()
    assert len(outcomes) == 1
    await within(obs.aclose(), 5000)


@pytest.mark.virtual_time
async def test_close_of_another_source_from_inside_an_observer_of_their_merge_never_hangs() -> None:
    outcomes: list[object] = []
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    merged = Observable.merge(one, two)

    async def observer(_: int) -> None:
        try:
            outcomes.append(await within(two.aclose(), 1000))
        except AsyncutilsRxError as error:
            outcomes.append(error)

    merged.subscribe_nowait(observer)
    await within(one.notify(1), 5000)
    assert len(outcomes) == 1
    await within(asyncio.gather(one.aclose(), two.aclose()), 5000)


@pytest.mark.virtual_time
async def test_close_of_a_derived_observable_from_inside_an_observer_of_its_source_never_hangs() -> None:
    outcomes: list[object] = []
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(Recorder())

    async def observer(_: int) -> None:
        try:
            outcomes.append(await within(derived.aclose(), 1000))
        except AsyncutilsRxError as error:
            outcomes.append(error)

    obs.subscribe_nowait(observer)
    await within(obs.notify(1), 5000)
    assert len(outcomes) == 1
    await within(obs.aclose(), 5000)


# What else is being waited for


async def test_leaving_serves_other_calls_that_wait() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=1)
    calls = [await busy(obs, held, "first"), await begin(obs.notify("second"))]
    calls += [await begin(obs.handle_notifications()), await begin(obs.restart_accumulation(flush=True))]
    calls += [await begin(obs.notify("third"))]
    closing = await begin(obs.aclose())
    held.release()
    await within(asyncio.gather(closing, *calls))
    assert held.ended == ["first", "second", "third"]


async def test_leaving_serves_a_sequential_notification_that_waits_for_its_turn() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])

    async def sequential() -> None:
        async for _ in obs.notify_sequential("second"):
            pass

    calls = [await busy(obs, held, "first"), await begin(sequential())]
    closing = await begin(obs.aclose())
    held.release()
    await within(asyncio.gather(closing, *calls))
    assert held.ended == ["first", "second"]


@pytest.mark.parametrize("where", ["source", "derived"])
async def test_leaving_leaves_no_thread_behind(where: str) -> None:
    before = set(threading.enumerate())
    seen: list[int] = []
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    async with obs:
        (obs if where == "source" else derived).subscribe_syncf(seen.append)
        await obs.notify(1)
    assert seen == [1]
    assert set(threading.enumerate()) <= before


async def test_closed_error_names_the_object_and_the_way_out() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    with pytest.raises(ObservableClosed, match="Observable") as caught:
        await obs.notify(1)
    assert "closed" in str(caught.value)


def test_close_on_another_loop_says_so() -> None:
    obs: Observable[[int]] = Observable([Recorder()])
    asyncio.run(obs.notify(1))
    with pytest.raises(WrongLoopError):
        asyncio.run(obs.aclose())


def test_loop_that_ends_before_the_observable_warns_of_nothing() -> None:
    tally = Tally()

    async def main() -> None:
        obs: Observable[[int]] = Observable()
        obs.buffer(2).subscribe_nowait(tally)
        await obs.notify(1)
        await obs.notify(2)
        await begin(obs.wait_for_next())

    asyncio.run(main())
    assert tally.values == [1, 2]


# Every order


CLOSERS: dict[str, Callable[[Observable[[int]], Observable[[int]]], Any]] = {
    "source": lambda source, _: source.aclose(),
    "derived": lambda _, derived: derived.aclose(),
    "both": lambda source, derived: asyncio.gather(source.aclose(), derived.aclose()),
}


@pytest.mark.parametrize("who", CLOSERS)
@pytest.mark.parametrize("turns", range(6))
async def test_leaving_at_any_turn_loses_nothing_that_was_accepted(who: str, turns: int) -> None:
    """What was notified before the close began is emitted exactly once, nothing is emitted twice."""
    tally = Tally()
    obs: Observable[[int]] = Observable(maxsize=None)
    batches = obs.buffer(4)
    batches.subscribe_nowait(tally)
    batches.subscribe_nowait(Recorder())
    accepted: list[int] = []

    async def work(values: range) -> None:
        for value in values:
            try:
                await obs.notify(value)
            except ObservableClosed:
                break
            accepted.append(value)
            await asyncio.sleep(0)

    workers = [asyncio.ensure_future(work(range(start, start + 20))) for start in (0, 100, 200)]
    for _ in range(turns):
        await asyncio.sleep(0)
    before = set(accepted)
    closing = asyncio.gather(CLOSERS[who](obs, batches))
    await within(asyncio.gather(closing, *workers))
    await within(obs.aclose())
    assert before <= set(tally.values) <= set(accepted)
    assert len(tally.values) == len(set(tally.values))
    if who == "source":
        assert sorted(tally.values) == sorted(accepted)
