"""From construction to close: loops, contexts, what is served at the end, and what a closed observable still does."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from reactivex import operators

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import (
    AlreadyEnteredError,
    AsyncutilsRxError,
    ClosedError,
    LifecycleError,
    NoLoopError,
    NotSubscribedError,
    ObservableClosed,
    WrongLoopError,
)
from asyncutils_rx.mixins import LoopContextMixin
from tests.observable_kit import Held, Recorder, Tally, begin, busy, collect_errors, failing, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

# Without a loop, and with the wrong one


def test_construction_needs_no_loop_and_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a loop was made or set")

    monkeypatch.setattr(asyncio, "new_event_loop", refuse)
    monkeypatch.setattr(asyncio, "set_event_loop", refuse)
    monkeypatch.setattr(asyncio.events, "new_event_loop", refuse)
    monkeypatch.setattr(asyncio.events, "set_event_loop", refuse)
    assert isinstance(Observable([print], maxsize=3), LoopContextMixin)


def test_observable_built_without_a_loop_works_on_the_loop_that_uses_it_first() -> None:
    tally, below = Tally(), Tally()
    obs: Observable[[int]] = Observable([tally])
    derived = obs.filter(lambda value: value > 1)
    derived.subscribe_nowait(below)

    async def main() -> None:
        async with obs:
            await obs.notify(1)
            await obs.notify(2)

    asyncio.run(main())
    assert tally.values == [1, 2]
    assert below.values == [2]


def test_observers_can_be_added_and_removed_without_a_loop() -> None:
    kept, gone = Tally(), Tally()
    obs: Observable[[int]] = Observable([gone])
    obs.subscribe_nowait(kept)
    obs.unsubscribe_nowait(gone)
    assert list(obs) == [kept]
    asyncio.run(drive(obs))
    assert kept.values == [1]
    assert gone.values == []


async def drive(obs: Observable[[int]]) -> None:
    await obs.notify(1)
    await obs.aclose()


NEEDS_A_LOOP: dict[str, Callable[[Observable[[int]]], Any]] = {
    "notify": lambda obs: obs.notify(1),
    "subscribe": lambda obs: obs.subscribe(Recorder()),
    "wait_for_next": lambda obs: obs.wait_for_next(),
    "__aenter__": lambda obs: obs.__aenter__(),
}


@pytest.mark.parametrize("name", NEEDS_A_LOOP)
def test_call_without_a_running_loop_says_so(name: str) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    with pytest.raises(NoLoopError) as caught:
        NEEDS_A_LOOP[name](obs).send(None)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, AsyncutilsRxError)
    assert "loop" in str(caught.value)
    assert tally.values == []
    assert list(obs) == [tally]


ADDS: dict[str, Callable[[Observable[[int]]], Any]] = {
    "subscribe_nowait": lambda obs: obs.subscribe_nowait(Recorder()),
    "subscribe_syncf": lambda obs: obs.subscribe_syncf(Tally()),
    "ntimes": lambda obs: obs.ntimes(Recorder(), 2),
    "fork": lambda obs: obs.fork(),
    "merge": lambda obs: Observable[[int]]().merge(obs),
    "pipe": lambda obs: obs.pipe(operators.map(str)),
    "map_async": lambda obs: obs.map_async(str),
}


@pytest.mark.parametrize("name", ADDS)
def test_adding_on_another_loop_says_so(name: str) -> None:
    obs: Observable[[int]] = Observable()

    async def elsewhere() -> None:
        with pytest.raises(WrongLoopError, match="another event loop"):
            ADDS[name](obs)

    asyncio.run(obs.notify(1))
    asyncio.run(elsewhere())
    assert list(obs) == []


@pytest.mark.parametrize("name", ADDS)
def test_adding_between_two_runs_of_its_loop_works(name: str) -> None:
    obs: Observable[[int]] = Observable()
    with asyncio.Runner() as runner:
        runner.run(obs.notify(1))
        added = ADDS[name](obs)
        runner.run(obs.aclose())
    assert added is not None


@pytest.mark.parametrize("name", NEEDS_A_LOOP)
def test_call_on_another_loop_says_so(name: str) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])

    async def elsewhere() -> None:
        with pytest.raises(WrongLoopError, match="loop") as caught:
            await within(NEEDS_A_LOOP[name](obs))
        assert isinstance(caught.value, RuntimeError)

    asyncio.run(obs.notify(1))
    asyncio.run(elsewhere())
    assert tally.values == [1]
    assert list(obs) == [tally]


async def test_loop_is_the_one_that_the_observable_belongs_to() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(1)
    assert obs.loop is asyncio.get_running_loop()


# Before, without and twice in the context


async def test_notify_before_entering_the_context_delivers() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    await obs.notify(1)
    assert tally.values == [1]
    async with obs:
        await obs.notify(2)
    assert tally.values == [1, 2]


async def test_context_gives_the_observable_itself() -> None:
    obs: Observable[[int]] = Observable()
    async with obs as entered:
        assert entered is obs


async def test_entering_a_second_time_raises_and_harms_nothing() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    async with obs:
        with pytest.raises(AlreadyEnteredError):
            await obs.__aenter__()
        await obs.notify(1)
    assert tally.values == [1]


async def test_entering_again_after_leaving_raises() -> None:
    obs: Observable[[int]] = Observable()
    async with obs:
        pass
    with pytest.raises(LifecycleError):
        await obs.__aenter__()


async def test_entering_after_aclose_raises() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    with pytest.raises(ClosedError):
        await obs.__aenter__()


async def test_error_of_the_body_comes_through_and_the_queue_is_served() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifiers: list[asyncio.Task[None]] = []

    async def body() -> None:
        async with obs:
            notifiers.append(await busy(obs, held, "first"))
            await obs.notify("second")
            asyncio.get_running_loop().call_soon(held.release)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert held.ended == ["first", "second"]
    await within(asyncio.gather(*notifiers))


# What is served at the end


@pytest.mark.parametrize("leave", ["aclose", "context"])
async def test_leaving_waits_for_the_running_notification_and_the_queue(leave: str) -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    if leave == "context":
        await obs.__aenter__()
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    closing = await begin(obs.aclose() if leave == "aclose" else obs.__aexit__(None, None, None))
    assert not closing.done()
    held.release("first")
    await held.entered("second")
    await settle()
    assert not closing.done()
    held.release()
    await within(closing)
    assert held.ended == ["first", "second"]
    assert held.cancelled == []
    await within(notifier)


async def test_leaving_serves_calls_that_wait_for_room() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=1)
    calls = [await busy(obs, held)]
    calls += [await begin(obs.notify(value)) for value in range(4)]
    closing = await begin(obs.aclose())
    held.release()
    await within(closing)
    assert held.ended == ["running", *range(4)]
    assert await within(asyncio.gather(*calls)) == [None] * 5


async def test_leaving_serves_calls_that_wait_for_their_turn() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=None)
    calls = [await busy(obs, held)]
    calls += [await begin(obs.notify(value)) for value in range(4)]
    closing = await begin(obs.aclose())
    held.release()
    await within(closing)
    assert held.ended == ["running", *range(4)]
    assert await within(asyncio.gather(*calls)) == [None] * 5


async def test_leaving_serves_calls_that_wait_until_idle() -> None:
    held, added, gone = Held(), Recorder(), Recorder()
    obs: Observable[[str]] = Observable([held, gone])
    notifier = await busy(obs, held)
    idle = await begin(obs.wait_until_idle())
    adding = await begin(obs.subscribe(added))
    removing = await begin(obs.unsubscribe(gone))
    closing = await begin(obs.aclose())
    held.release()
    await within(asyncio.gather(closing, notifier, idle, removing))
    assert callable(await within(adding))


async def test_leaving_ends_a_wait_for_the_next_notification_with_the_closed_error() -> None:
    obs: Observable[[int]] = Observable()
    waiting = [await begin(obs.wait_for_next(strict=strict)) for strict in (False, True)]
    await within(obs.aclose())
    for task in waiting:
        with pytest.raises(ObservableClosed):
            await within(task)


async def test_leaving_gives_a_wait_for_the_next_notification_one_that_is_still_queued() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    waiting = await begin(obs.wait_for_next())
    closing = await begin(obs.aclose())
    held.release()
    assert await within(waiting) == (("second",), {})
    await within(asyncio.gather(closing, notifier))


async def test_leaving_delivers_what_a_cancelled_draining_call_left() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    notifier.cancel()
    closing = await begin(obs.aclose())
    held.release()
    await within(closing)
    assert held.ended == ["second"]
    await asyncio.wait([notifier])


async def test_leaving_raises_or_reports_the_errors_of_a_notification_to_its_notifier() -> None:
    held = Held()
    error = ValueError("at the end")
    obs: Observable[[str]] = Observable([held, failing(error)])
    notifier = await busy(obs, held)
    closing = await begin(obs.aclose())
    held.release()
    await within(closing)
    with pytest.raises(ValueError, match="at the end") as caught:
        await within(notifier)
    assert caught.value is error


async def test_leaving_while_another_leaves_waits_for_the_same_end() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held)
    closings = [await begin(obs.aclose()) for _ in range(3)]
    assert not any(closing.done() for closing in closings)
    held.release()
    await within(asyncio.gather(notifier, *closings))


async def test_aclose_cancelled_leaves_nothing_behind() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held)
    closing = await begin(obs.aclose())
    closing.cancel()
    await settle()
    held.release()
    await within(asyncio.wait([closing, notifier]))
    await within(obs.aclose())
    with pytest.raises(ObservableClosed):
        await obs.notify("late")


async def test_notify_once_leaving_has_begun_is_refused() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held)
    closing = await begin(obs.aclose())
    with pytest.raises(ObservableClosed):
        await within(obs.notify("late"))
    held.release()
    await within(asyncio.gather(closing, notifier))
    assert held.started == ["running"]


async def test_owned_tasks_end_with_the_observable() -> None:
    obs: Observable[[int]] = Observable()
    async with obs:
        task = obs.make(asyncio.Event().wait())
        await settle()
        assert task in obs.running_tasks
    assert task.cancelled()
    assert not obs.running_tasks


async def test_leaving_without_use_returns() -> None:
    obs: Observable[[int]] = Observable()
    async with obs:
        pass
    unused: Observable[[int]] = Observable()
    await within(unused.aclose())


async def test_observable_dropped_without_closing_warns_of_nothing() -> None:
    obs: Observable[[int]] = Observable([Recorder()])
    derived = obs.fork()
    derived.subscribe_nowait(Recorder())
    await obs.notify(1)
    del obs, derived
    gc.collect()


# After the end

NEEDS_IT_OPEN: dict[str, Callable[[Observable[[int]]], Any]] = {
    "notify": lambda obs: obs.notify(1),
    "subscribe": lambda obs: obs.subscribe(Recorder()),
    "subscribe_nowait": lambda obs: obs.subscribe_nowait(Recorder()),
    "subscribe_syncf": lambda obs: obs.subscribe_syncf(print),
    "ntimes": lambda obs: obs.ntimes(Recorder(), 1),
    "notify_sequential": lambda obs: anext(obs.notify_sequential(1)),
    "wait_for_next": lambda obs: obs.wait_for_next(),
    "fork": lambda obs: obs.fork(),
    "map": lambda obs: obs.map(lambda value: ((value,), {})),
    "filter": lambda obs: obs.filter(bool),
    "debounce": lambda obs: obs.debounce(1),
    "throttle": lambda obs: obs.throttle(1),
    "buffer": lambda obs: obs.buffer(2),
    "at_change": lambda obs: obs.at_change(),
    "merge": lambda obs: obs.merge(Observable()),
    "merge on the class": lambda obs: Observable.merge(Observable(), obs),
}


@pytest.mark.parametrize("name", NEEDS_IT_OPEN)
async def test_closed_observable_refuses_what_needs_it_open(name: str) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    await obs.aclose()

    async def attempt() -> None:
        outcome = NEEDS_IT_OPEN[name](obs)
        if hasattr(outcome, "__await__"):
            await within(outcome)

    with pytest.raises(ObservableClosed) as caught:
        await attempt()
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, AsyncutilsRxError)
    assert tally.values == []


async def test_closed_observable_can_be_looked_at() -> None:
    obs: Observable[[int]] = Observable([Recorder()])
    async with obs:
        await obs.notify(1)
    assert obs.idle
    assert not obs.notifying
    assert isinstance(list(obs), list)
    assert isinstance([observer async for observer in obs], list)
    assert "Observable" in repr(obs)
    assert obs.loop is asyncio.get_running_loop()
    assert not obs.running_tasks
    await within(obs.wait_until_idle())


async def test_closed_observable_lets_subscriptions_be_disposed_of() -> None:
    obs: Observable[[int]] = Observable()
    async with obs:
        subscription = obs.subscribe_nowait(Recorder())
        counted = obs.ntimes(Recorder(), 2)
        entered = obs.subscribe_nowait(Recorder())
    subscription()
    counted()
    with entered:
        pass
    stranger = Recorder()
    obs.unsubscribe_nowait(stranger)
    with pytest.raises((NotSubscribedError, ObservableClosed)):
        obs.unsubscribe_nowait(stranger, strict=True)


async def test_closing_again_is_harmless() -> None:
    obs: Observable[[int]] = Observable()
    async with obs:
        await obs.aclose()
    await obs.aclose()
    await obs.aclose()


# Derived observables at the end


async def test_leaving_completes_what_is_derived() -> None:
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    second = derived.filter(bool)
    waiting = [await begin(each.wait_for_next()) for each in (derived, second)]
    await within(obs.aclose())
    for task in waiting:
        with pytest.raises(ObservableClosed):
            await within(task)
    for each in (derived, second):
        with pytest.raises(ObservableClosed):
            await each.notify(1)


async def test_leaving_a_derived_observable_leaves_its_source_open() -> None:
    tally, below = Tally(), Tally()
    obs: Observable[[int]] = Observable([tally])
    async with obs.fork() as derived:
        derived.subscribe_nowait(below)
        await obs.notify(1)
    await obs.notify(2)
    assert tally.values == [1, 2]
    assert below.values == [1]


async def test_leaving_the_source_waits_for_observers_of_derived_observables() -> None:
    held = Held()
    obs: Observable[[str]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    notifier = await busy(obs, held)
    closing = await begin(obs.aclose())
    assert not closing.done()
    held.release()
    await within(asyncio.gather(closing, notifier))
    assert held.ended == ["running"]


async def test_leaving_a_derived_observable_waits_for_its_observers() -> None:
    held = Held()
    obs: Observable[[str]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    notifier = await busy(obs, held)
    closing = await begin(derived.aclose())
    assert not closing.done()
    held.release()
    await within(asyncio.gather(closing, notifier))
    assert held.ended == ["running"]


async def test_error_of_a_last_emission_is_raised_or_reported(loop_errors: list[dict[str, Any]]) -> None:
    """Whether the close raises it or the loop's handler gets it is open; it is not lost."""
    error = ValueError("last batch")
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(3)
    batches.subscribe_nowait(failing(error))
    await obs.notify(1)
    seen: list[BaseException] = []
    try:
        await within(obs.aclose())
    except* ValueError as group:
        seen.extend(group.exceptions)
    seen += collect_errors(loop_errors)
    assert seen == [error]


# The repr


async def test_repr_tells_state_and_counts() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held, Recorder(), Recorder()])
    idle = repr(obs)
    assert "Observable" in idle
    assert "3" in idle
    notifier = await busy(obs, held)
    await obs.notify("queued")
    running = repr(obs)
    assert running != idle
    held.release()
    await within(notifier)
    await obs.aclose()
    assert "closed" in repr(obs)
    assert len({idle, running, repr(obs)}) == 3


async def test_repr_never_raises() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise ValueError("no repr")

        def __call__(self, value: object) -> None:
            """Takes what comes."""

    obs: Observable[[object]] = Observable([Hostile()])
    derived = obs.filter(Hostile())
    for each in (obs, derived, Observable.merge(obs, derived)):
        assert len(repr(each)) > 10
    raw = Observable.__new__(Observable)
    assert isinstance(repr(raw), str)
