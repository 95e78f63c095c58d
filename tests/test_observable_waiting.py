"""``wait_for_next`` and ``wait_until_idle``: waiting that disturbs nobody."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ObservableClosed, ObservableTimeout
from tests.observable_kit import Held, Recorder, begin, busy, failing, now, settle, within
from tests.support import tick

# wait_for_next


async def test_wait_for_next_gives_the_parameters_of_the_next_notification() -> None:
    obs: Observable[...] = Observable()
    waiting = await begin(obs.wait_for_next())
    assert not waiting.done()
    await obs.notify(1, "two", three=3)
    assert await within(waiting) == ((1, "two"), {"three": 3})


async def test_wait_for_next_resolves_once_whatever_follows() -> None:
    obs: Observable[[int]] = Observable()
    waiting = await begin(obs.wait_for_next())
    for value in range(5):
        await obs.notify(value)
    await obs.aclose()
    assert await within(waiting) == ((0,), {})


async def test_wait_for_next_resolves_with_the_first_of_several_in_one_turn() -> None:
    obs: Observable[[int]] = Observable()
    waiting = await begin(obs.wait_for_next())
    notifiers = [asyncio.ensure_future(obs.notify(value)) for value in range(3)]
    assert await within(waiting) == ((0,), {})
    await asyncio.gather(*notifiers)


async def test_wait_for_next_resolves_every_waiter() -> None:
    obs: Observable[[int]] = Observable()
    waiting = [await begin(obs.wait_for_next()) for _ in range(3)]
    await obs.notify(1)
    assert await within(asyncio.gather(*waiting)) == [((1,), {})] * 3


async def test_wait_for_next_is_not_among_the_observers() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable([observer])
    waiting = await begin(obs.wait_for_next())
    assert list(obs) == [observer]
    assert [each async for each in obs] == [observer]
    await obs.notify(1)
    await within(waiting)
    assert list(obs) == [observer]


async def test_wait_for_next_during_a_notification_waits_for_the_next_one() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    waiting = await begin(obs.wait_for_next())
    await obs.notify("second")
    assert not waiting.done()
    held.release()
    assert await within(waiting) == (("second",), {})
    await within(notifier)


async def test_wait_for_next_does_not_wait_for_observers_of_another_waiter() -> None:
    obs: Observable[[int]] = Observable()
    first = await begin(obs.wait_for_next())
    await obs.notify(1)
    await within(first)
    second = await begin(obs.wait_for_next())
    assert not second.done()
    await obs.notify(2)
    assert await within(second) == ((2,), {})


async def test_wait_for_next_resolves_though_observers_fail() -> None:
    obs: Observable[[int]] = Observable([failing(ValueError("an observer's"))])
    waiting = await begin(obs.wait_for_next())
    with pytest.raises(ValueError, match="an observer's"):
        await obs.notify(1)
    assert await within(waiting) == ((1,), {})


async def test_wait_for_next_sees_a_sequential_notification() -> None:
    obs: Observable[[int]] = Observable([Recorder()])
    waiting = await begin(obs.wait_for_next())
    async for _ in obs.notify_sequential(1):
        pass
    assert await within(waiting) == ((1,), {})


async def test_wait_for_next_on_a_derived_observable_sees_what_it_emits() -> None:
    obs: Observable[[int]] = Observable()
    derived = obs.filter(lambda value: value > 1)
    waiting = await begin(derived.wait_for_next())
    await obs.notify(1)
    await settle()
    assert not waiting.done()
    await obs.notify(2)
    assert await within(waiting) == ((2,), {})


async def test_wait_for_next_on_a_derived_observable_that_nobody_else_holds_works() -> None:
    obs: Observable[[int]] = Observable()
    waiting = await begin(obs.filter(lambda value: value > 1).wait_for_next())
    gc.collect()
    await obs.notify(1)
    await obs.notify(2)
    assert await within(waiting) == ((2,), {})


@pytest.mark.virtual_time
async def test_wait_for_next_times_out_and_changes_nothing() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable([observer])
    started = now()
    with pytest.raises(ObservableTimeout, match="3") as caught:
        await obs.wait_for_next(3)
    assert now() - started == 3
    assert isinstance(caught.value, TimeoutError)
    assert list(obs) == [observer]
    await obs.notify(1)
    assert observer.values == [1]


@pytest.mark.virtual_time
async def test_wait_for_next_before_its_timeout_leaves_no_timer() -> None:
    obs: Observable[[int]] = Observable()
    waiting = await begin(obs.wait_for_next(timeout=3600))
    await asyncio.sleep(1)
    await obs.notify(1)
    assert await within(waiting) == ((1,), {})


@pytest.mark.virtual_time
async def test_wait_for_next_with_timeout_zero_does_not_wait() -> None:
    obs: Observable[[int]] = Observable()
    started = now()
    with pytest.raises(ObservableTimeout):
        await obs.wait_for_next(timeout=0)
    assert now() == started


@pytest.mark.virtual_time
async def test_wait_for_next_inside_a_timeout_of_the_caller_lets_that_one_through() -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(1):
            await obs.wait_for_next(10)
    assert not isinstance(caught.value, ObservableTimeout)


@pytest.mark.parametrize("strict", [False, True])
async def test_wait_for_next_ends_with_the_closed_error(strict: bool) -> None:
    obs: Observable[[int]] = Observable()
    waiting = await begin(obs.wait_for_next(strict=strict))
    await obs.aclose()
    with pytest.raises(ObservableClosed):
        await within(waiting)


async def test_wait_for_next_strict_resolves_as_the_other_does() -> None:
    obs: Observable[[int]] = Observable()
    waiting = await begin(obs.wait_for_next(strict=True))
    await obs.notify(1)
    await obs.notify(2)
    assert await within(waiting) == ((1,), {})


async def test_wait_for_next_strict_survives_the_removal_of_every_observer() -> None:
    obs: Observable[[int]] = Observable([Recorder(), Recorder()])
    waiting = await begin(obs.wait_for_next(strict=True))
    for observer in list(obs):
        obs.unsubscribe_nowait(observer)
    await obs.notify(1)
    assert await within(waiting) == ((1,), {})


@pytest.mark.parametrize("turns", range(4))
async def test_wait_for_next_cancelled_at_any_turn_leaves_nothing_behind(turns: int) -> None:
    class Value:
        """Can be referenced weakly."""

    obs: Observable[[Value]] = Observable()
    waiting = asyncio.ensure_future(obs.wait_for_next())
    await tick(turns)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(waiting)
    assert obs.idle
    value = Value()
    alive = weakref.ref(value)
    await obs.notify(value)
    del value, waiting
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("turns", range(4))
async def test_wait_for_next_cancelled_as_it_resolves_spares_the_other_waiters(turns: int) -> None:
    obs: Observable[[int]] = Observable()
    cancelled, kept = await begin(obs.wait_for_next()), await begin(obs.wait_for_next())
    notifier = asyncio.ensure_future(obs.notify(1))
    await tick(turns)
    cancelled.cancel()
    assert await within(kept) == ((1,), {})
    await within(notifier)
    await asyncio.wait([cancelled])
    assert cancelled.cancelled() or cancelled.result() == ((1,), {})


# wait_until_idle


async def test_wait_until_idle_returns_at_once_when_idle() -> None:
    obs: Observable[[int]] = Observable()
    await within(obs.wait_until_idle())
    await within(obs.wait_until_idle(timeout=0))


async def test_wait_until_idle_waits_for_the_queue() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    waiting = await begin(obs.wait_until_idle())
    held.release("first")
    await held.entered("second")
    await settle()
    assert not waiting.done()
    held.release()
    await within(waiting)
    assert held.ended == ["first", "second"]
    await within(notifier)


async def test_wait_until_idle_waits_for_those_who_wait_for_their_turn() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)
    calls = [await busy(obs, held, "first"), await begin(obs.notify("second"))]
    waiting = await begin(obs.wait_until_idle())
    held.release("first")
    await held.entered("second")
    await settle()
    assert not waiting.done()
    held.release()
    await within(waiting)
    assert held.ended == ["first", "second"]
    await within(asyncio.gather(*calls))


async def test_wait_until_idle_lets_every_waiter_go() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held)
    waiting = [await begin(obs.wait_until_idle()) for _ in range(3)]
    held.release()
    await within(asyncio.gather(notifier, *waiting))


async def test_wait_until_idle_does_not_raise_the_errors_of_observers() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held, failing(ValueError("an observer's"))])
    notifier = await busy(obs, held)
    waiting = await begin(obs.wait_until_idle())
    held.release()
    await within(waiting)
    with pytest.raises(ValueError, match="an observer's"):
        await notifier


@pytest.mark.virtual_time
async def test_wait_until_idle_times_out_and_disturbs_nothing() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held)
    started = now()
    with pytest.raises(ObservableTimeout, match="2") as caught:
        await obs.wait_until_idle(2)
    assert now() - started == 2
    assert isinstance(caught.value, TimeoutError)
    assert not notifier.done()
    assert held.cancelled == []
    held.release()
    await within(notifier)


async def test_wait_until_idle_cancelled_disturbs_nothing() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held)
    cancelled, kept = await begin(obs.wait_until_idle()), await begin(obs.wait_until_idle())
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(cancelled)
    assert not notifier.done()
    held.release()
    await within(asyncio.gather(notifier, kept))
    assert held.cancelled == []


async def test_wait_until_idle_ends_after_a_cancelled_notification() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held)
    waiting = await begin(obs.wait_until_idle())
    notifier.cancel()
    await within(waiting)
    assert obs.idle
    await asyncio.wait([notifier])


async def test_wait_until_idle_of_one_observable_does_not_wait_for_another() -> None:
    held = Held()
    busy_one: Observable[[Any]] = Observable([held])
    idle_one: Observable[[Any]] = Observable()
    notifier = await busy(busy_one, held)
    await within(idle_one.wait_until_idle())
    held.release()
    await within(notifier)
