"""``ntimes``: exactly so many calls, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import NotSubscribedError
from tests.observable_kit import Held, Recorder, Tally, busy, within


@pytest.mark.parametrize("n", [1, 2, 5])
async def test_ntimes_calls_the_observer_n_times(n: int) -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    obs.ntimes(observer, n)
    for value in range(8):
        await within(obs.notify(value))
    assert observer.values == list(range(n))
    assert list(obs) == []


async def test_ntimes_defaults_to_once() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    obs.ntimes(observer)
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert observer.values == [1]


async def test_ntimes_takes_its_default_from_the_context() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    with localcontext(OBSERVABLE_DEFAULT_NTIMES_N=3):
        obs.ntimes(observer)
    for value in range(5):
        await within(obs.notify(value))
    assert observer.values == [0, 1, 2]


async def test_ntimes_does_not_hang_when_its_count_is_reached() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    obs.ntimes(observer, 2)
    await within(obs.notify(1))
    await within(obs.notify(2))
    await within(obs.wait_until_idle())
    assert observer.values == [1, 2]


async def test_ntimes_lists_the_callable_that_was_given() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    obs.ntimes(observer, 2)
    assert list(obs) == [observer]
    await obs.notify(1)
    assert list(obs) == [observer]


async def test_ntimes_observer_is_removable_as_the_callable_that_was_given() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    obs.ntimes(observer, 3)
    await obs.notify(1)
    obs.unsubscribe_nowait(observer, strict=True)
    await obs.notify(2)
    assert observer.values == [1]
    obs.ntimes(observer, 3)
    await obs.unsubscribe(observer, strict=True)
    obs.ntimes(observer, 3)
    obs.unsubscribe_eventually(observer, asap=True)
    assert list(obs) == []


async def test_ntimes_observer_is_gone_for_strict_removal_once_its_count_is_reached() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    subscription = obs.ntimes(observer, 1)
    await obs.notify(1)
    with pytest.raises(NotSubscribedError):
        subscription(strict=True)
    with pytest.raises(NotSubscribedError):
        obs.unsubscribe_nowait(observer, strict=True)


async def test_ntimes_counts_queued_notifications_exactly() -> None:
    held, observer = Held(), Tally()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held)
    obs.ntimes(observer, 3)
    for value in range(6):
        await obs.notify(value)
    held.release()
    await within(notifier)
    assert observer.values == [0, 1, 2]


@pytest.mark.parametrize("n", [1, 2, 4])
async def test_ntimes_counts_concurrent_notifications_exactly(n: int) -> None:
    """A full batch is emitted concurrently: more calls than the count could start before the first one ends."""
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(5)
    held = Held()
    batches.ntimes(held, n)
    for value in range(4):
        await obs.notify(value)
    filling = asyncio.ensure_future(obs.notify(4))
    for value in range(n):
        await held.entered(value)
    held.release()
    await within(filling)
    for value in range(5, 10):
        await within(obs.notify(value))
    assert held.started == list(range(n))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("suspends", [False, True])
async def test_ntimes_counts_reentrant_notifications_exactly(n: int, suspends: bool) -> None:
    seen: list[int] = []
    obs: Observable[[int]] = Observable()

    async def observer(value: int) -> None:
        seen.append(value)
        await within(obs.notify(value + 1))
        if suspends:
            await asyncio.sleep(0)

    obs.ntimes(observer, n)
    await within(obs.notify(0))
    await within(obs.notify(100))
    assert seen == list(range(n))


async def test_ntimes_counts_a_derived_notification_of_a_direct_one_exactly() -> None:
    observer = Tally()
    obs: Observable[[int]] = Observable()
    twice = Observable.merge(obs, obs)
    twice.ntimes(observer, 3)
    for value in range(3):
        await within(obs.notify(value))
    assert observer.values == [0, 0, 1]


async def test_ntimes_counts_calls_that_fail() -> None:
    seen: list[int] = []

    def observer(value: int) -> None:
        seen.append(value)
        raise ValueError("each time")

    obs: Observable[[int]] = Observable()
    obs.ntimes(observer, 2)
    for value in range(2):
        with pytest.raises(ValueError, match="each time"):
            await within(obs.notify(value))
    await within(obs.notify(2))
    assert seen == [0, 1]


async def test_ntimes_added_during_a_notification_first_counts_the_next_one() -> None:
    observer = Tally()
    obs: Observable[[int]] = Observable()
    obs.ntimes(lambda _: obs.ntimes(observer, 1), 1)
    await obs.notify(1)
    assert observer.values == []
    await obs.notify(2)
    await obs.notify(3)
    assert observer.values == [2]


async def test_ntimes_of_an_observer_already_subscribed_does_not_call_it_twice_per_notification() -> None:
    """Whether the earlier or the later registration wins is open; that there is one registration is not."""
    observer = Tally()
    obs: Observable[[int]] = Observable([observer])
    obs.ntimes(observer, 2)
    assert list(obs) == [observer]
    await obs.notify(1)
    await obs.notify(2)
    assert observer.values == [1, 2]


async def test_subscribing_again_what_ntimes_added_does_not_call_it_twice_per_notification() -> None:
    observer = Tally()
    obs: Observable[[int]] = Observable()
    obs.ntimes(observer, 2)
    obs.subscribe_nowait(observer)
    assert list(obs) == [observer]
    await obs.notify(1)
    await obs.notify(2)
    assert observer.values == [1, 2]


async def test_ntimes_can_add_an_observer_again_once_its_count_is_reached() -> None:
    observer = Tally()
    obs: Observable[[int]] = Observable()
    for value in range(3):
        obs.ntimes(observer, 1)
        await within(obs.notify(value))
        await within(obs.notify(-1))
    assert observer.values == [0, 1, 2]


async def test_ntimes_observer_may_add_itself_again_on_its_last_call() -> None:
    """It was added during the notification, so it first sees the next one."""
    seen: list[int] = []
    obs: Observable[[int]] = Observable()

    def observer(value: int) -> None:
        seen.append(value)
        obs.unsubscribe_nowait(observer)
        obs.ntimes(observer, 1)

    obs.ntimes(observer, 1)
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert seen == [1, 2]


async def test_ntimes_removed_and_subscribed_for_good_is_called_for_good() -> None:
    observer = Tally()
    obs: Observable[[int]] = Observable()
    obs.ntimes(observer, 1)()
    obs.subscribe_nowait(observer)
    for value in range(3):
        await obs.notify(value)
    assert observer.values == [0, 1, 2]


async def test_ntimes_counts_on_each_observable_apart() -> None:
    observer = Tally()
    one: Observable[[str]] = Observable()
    two: Observable[[str]] = Observable()
    one.ntimes(observer, 1)
    two.ntimes(observer, 2)
    for _ in range(3):
        await one.notify("one")
        await two.notify("two")
    assert observer.values == ["one", "two", "two"]


async def test_ntimes_cancelled_notification_leaves_the_count_exact() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    obs.ntimes(held, 2)
    notifier = await busy(obs, held, 1)
    notifier.cancel()
    await asyncio.wait([notifier])
    held.release()
    for value in (2, 3, 4):
        await within(obs.notify(value))
    assert held.started == [1, 2]
