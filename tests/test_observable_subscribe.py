"""How observers come and go: ``subscribe``, ``unsubscribe`` and their relatives, and the subscription they return."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import AsyncutilsRxError, NotSubscribedError
from tests.observable_kit import Held, Recorder, Tally, begin, busy, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncutils_rx.types import SubscriptionRV

# The constructor


async def test_constructor_subscribes_observers_of_any_iterable_in_order() -> None:
    observers = [Recorder(), Recorder(), Recorder()]
    for source in (observers, tuple(observers), iter(observers), dict.fromkeys(observers)):
        obs: Observable[...] = Observable(source)
        assert list(obs) == observers


async def test_constructor_takes_an_observer_given_twice_once() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable([observer, Recorder(), observer])
    assert list(obs).count(observer) == 1
    await obs.notify(1)
    assert observer.values == [1]


# subscribe_nowait


async def test_subscribe_nowait_adds_the_observer_last() -> None:
    first, second = Recorder(), Recorder()
    obs: Observable[...] = Observable([first])
    obs.subscribe_nowait(second)
    assert list(obs) == [first, second]


async def test_subscribe_nowait_again_changes_nothing() -> None:
    first, second = Recorder(), Recorder()
    obs: Observable[...] = Observable([first, second])
    obs.subscribe_nowait(first)
    assert list(obs) == [first, second]
    await obs.notify(1)
    assert first.values == [1]


class Sink:
    def __init__(self) -> None:
        self.values: list[int] = []

    def take(self, value: int) -> None:
        self.values.append(value)


async def test_subscribe_nowait_takes_equal_bound_methods_for_the_same_observer() -> None:
    sink = Sink()
    obs: Observable[[int]] = Observable([sink.take])
    obs.subscribe_nowait(sink.take)
    await obs.notify(1)
    assert sink.values == [1]
    obs.unsubscribe_nowait(sink.take, strict=True)
    assert list(obs) == []


async def test_subscribe_nowait_does_not_wait_while_a_notification_runs() -> None:
    held, added = Held(), Recorder()
    obs: Observable[...] = Observable([held])
    notifier = await busy(obs, held)
    obs.subscribe_nowait(added)
    assert list(obs) == [held, added]
    held.release()
    await notifier
    assert added.values == []


async def test_observer_added_again_after_removal_is_last() -> None:
    first, second = Recorder(), Recorder()
    obs: Observable[...] = Observable([first, second])
    obs.unsubscribe_nowait(first)
    obs.subscribe_nowait(first)
    assert list(obs) == [second, first]


# subscribe


async def test_subscribe_adds_the_observer_at_once_when_idle() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    subscription = await within(obs.subscribe(observer))
    assert list(obs) == [observer]
    subscription()
    assert list(obs) == []


async def test_subscribe_waits_until_idle() -> None:
    held, added = Held(), Recorder()
    obs: Observable[...] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    subscribing = await begin(obs.subscribe(added))
    assert list(obs) == [held]
    held.release("first")
    await held.entered("second")
    await settle()
    assert list(obs) == [held]
    held.release()
    await within(asyncio.gather(notifier, subscribing))
    assert list(obs) == [held, added]
    assert added.values == []


async def test_subscribe_cancelled_while_it_waits_adds_nothing() -> None:
    held, added = Held(), Recorder()
    obs: Observable[...] = Observable([held])
    notifier = await busy(obs, held)
    subscribing = await begin(obs.subscribe(added))
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(subscribing)
    assert not notifier.done()
    held.release()
    await within(notifier)
    assert list(obs) == [held]


async def test_subscribe_from_an_observer_takes_effect_without_waiting() -> None:
    added = Recorder()
    obs: Observable[[int]] = Observable()

    async def observer(_: int) -> None:
        await within(obs.subscribe(added))
        assert added in list(obs)

    obs.subscribe_nowait(observer)
    await within(obs.notify(1))
    assert added.values == []
    await within(obs.notify(2))
    assert added.values == [2]


async def test_unsubscribe_from_an_observer_takes_effect_without_waiting() -> None:
    victim = Recorder()
    obs: Observable[[int]] = Observable()

    async def observer(_: int) -> None:
        await within(obs.unsubscribe(victim))
        assert victim not in list(obs)

    obs.subscribe_nowait(observer)
    obs.subscribe_nowait(victim)
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert 2 not in victim.values


async def test_observer_can_remove_itself_by_unsubscribe() -> None:
    seen: list[int] = []

    async def observer(value: int) -> None:
        seen.append(value)
        await within(obs.unsubscribe(observer, strict=True))

    obs: Observable[[int]] = Observable([observer])
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert seen == [1]


# unsubscribe and unsubscribe_nowait


async def test_unsubscribe_removes_the_observer() -> None:
    gone, kept = Recorder(), Recorder()
    obs: Observable[...] = Observable([gone, kept])
    await within(obs.unsubscribe(gone))
    assert list(obs) == [kept]
    await obs.notify(1)
    assert gone.values == []
    assert kept.values == [1]


async def test_unsubscribe_waits_until_idle() -> None:
    held, victim = Held(), Recorder()
    obs: Observable[...] = Observable([held, victim])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    removing = await begin(obs.unsubscribe(victim))
    assert list(obs) == [held, victim]
    held.release()
    await within(asyncio.gather(notifier, removing))
    assert victim.values == ["first", "second"]
    assert list(obs) == [held]


async def test_unsubscribe_cancelled_while_it_waits_removes_nothing() -> None:
    held, kept = Held(), Recorder()
    obs: Observable[...] = Observable([held, kept])
    notifier = await busy(obs, held)
    removing = await begin(obs.unsubscribe(kept))
    removing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(removing)
    held.release()
    await within(notifier)
    assert list(obs) == [held, kept]


async def test_unsubscribe_nowait_removes_at_once_while_a_notification_runs() -> None:
    held = Held()
    obs: Observable[...] = Observable([held])
    notifier = await busy(obs, held)
    obs.unsubscribe_nowait(held)
    assert list(obs) == []
    held.release()
    await notifier


async def test_unsubscribe_of_what_is_not_subscribed_is_harmless_unless_strict() -> None:
    kept = Recorder()
    obs: Observable[...] = Observable([kept])
    await obs.unsubscribe(Recorder())
    await obs.unsubscribe(Recorder(), strict=False)
    obs.unsubscribe_nowait(Recorder(), strict=False)
    assert list(obs) == [kept]


async def test_strict_unsubscribe_of_what_is_not_subscribed_raises_a_lookup_error() -> None:
    def stranger() -> None:
        """Is subscribed nowhere."""

    kept = Recorder()
    obs: Observable[...] = Observable([kept])
    with pytest.raises(NotSubscribedError, match="stranger") as waiting:
        await obs.unsubscribe(stranger, strict=True)
    with pytest.raises(NotSubscribedError, match="stranger") as at_once:
        obs.unsubscribe_nowait(stranger, strict=True)
    for caught in (waiting, at_once):
        assert isinstance(caught.value, LookupError)
        assert isinstance(caught.value, AsyncutilsRxError)
    assert list(obs) == [kept]


async def test_strict_unsubscribe_of_what_is_subscribed_removes_it() -> None:
    first, second = Recorder(), Recorder()
    obs: Observable[...] = Observable([first, second])
    await obs.unsubscribe(first, strict=True)
    obs.unsubscribe_nowait(second, strict=True)
    assert list(obs) == []


# unsubscribe_eventually


async def test_unsubscribe_eventually_removes_after_the_next_notification() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable([observer])
    obs.unsubscribe_eventually(observer, asap=False)
    assert list(obs) == [observer]
    await obs.notify(1)
    assert list(obs) == []


async def test_unsubscribe_eventually_asap_removes_at_once_when_idle() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable([observer])
    obs.unsubscribe_eventually(observer, asap=True)
    assert list(obs) == []


@pytest.mark.parametrize("asap", [False, True])
async def test_unsubscribe_eventually_while_a_notification_runs_removes_after_the_queue(asap: bool) -> None:
    held, observer = Held(), Recorder()
    obs: Observable[...] = Observable([held, observer])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    obs.unsubscribe_eventually(observer, asap=asap)
    assert observer in list(obs)
    held.release()
    await within(notifier)
    assert observer.values == ["first", "second"]
    assert list(obs) == [held]


async def test_unsubscribe_eventually_is_applied_by_handle_unsubscriptions() -> None:
    gone, kept = Recorder(), Recorder()
    obs: Observable[...] = Observable([gone, kept])
    obs.unsubscribe_eventually(gone, asap=False)
    await within(obs.handle_unsubscriptions())
    assert list(obs) == [kept]
    await obs.notify(1)
    assert gone.values == []


async def test_handle_unsubscriptions_without_any_does_nothing() -> None:
    kept = Recorder()
    obs: Observable[...] = Observable([kept])
    await within(obs.handle_unsubscriptions())
    assert list(obs) == [kept]


@pytest.mark.parametrize("again", ["subscribe", "subscribe_nowait"])
async def test_subscribing_again_cancels_a_pending_unsubscription(again: str) -> None:
    observer = Recorder()
    obs: Observable[...] = Observable([observer])
    obs.unsubscribe_eventually(observer, asap=False)
    if again == "subscribe":
        await within(obs.subscribe(observer))
    else:
        obs.subscribe_nowait(observer)
    await obs.notify(1)
    await obs.notify(2)
    assert observer.values == [1, 2]
    assert list(obs) == [observer]


async def test_subscribing_again_during_a_notification_cancels_a_pending_unsubscription() -> None:
    held, observer = Held(), Recorder()
    obs: Observable[...] = Observable([held, observer])
    notifier = await busy(obs, held, "first")
    obs.unsubscribe_eventually(observer)
    obs.subscribe_nowait(observer)
    held.release()
    await within(notifier)
    await obs.notify("second")
    assert observer.values == ["first", "second"]


async def test_unsubscribe_eventually_of_a_stranger_does_not_remove_it_once_it_subscribes() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    obs.unsubscribe_eventually(observer, asap=False)
    obs.subscribe_nowait(observer)
    await obs.notify(1)
    await obs.notify(2)
    assert observer.values == [1, 2]


async def test_unsubscribe_eventually_is_applied_after_a_failed_notification() -> None:
    def observer(_: int) -> None:
        raise ValueError("each time")

    obs: Observable[[int]] = Observable([observer])
    obs.unsubscribe_eventually(observer, asap=False)
    with pytest.raises(ValueError, match="each time"):
        await obs.notify(1)
    assert list(obs) == []


async def test_unsubscribe_eventually_is_applied_after_a_cancelled_notification() -> None:
    held = Held()
    obs: Observable[...] = Observable([held])
    notifier = await busy(obs, held)
    obs.unsubscribe_eventually(held)
    notifier.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(obs.wait_until_idle())
    assert list(obs) == []


# The subscription


def plain(obs: Observable[...], observer: Any) -> SubscriptionRV:
    return obs.subscribe_nowait(observer)


def counted(obs: Observable[...], observer: Any) -> SubscriptionRV:
    return obs.ntimes(observer, 5)


def threaded(obs: Observable[...], observer: Any) -> SubscriptionRV:
    return obs.subscribe_syncf(observer)


WAYS: list[Callable[[Observable[...], Any], Any]] = [plain, counted, threaded]


@pytest.mark.parametrize("way", WAYS)
async def test_subscription_called_removes_the_observer(way: Callable[..., SubscriptionRV]) -> None:
    observer, kept = Tally(), Recorder()
    obs: Observable[...] = Observable([kept])
    subscription = way(obs, observer)
    assert list(obs) == [kept, observer]
    subscription()
    assert list(obs) == [kept]
    await obs.notify(1)
    assert observer.values == []


@pytest.mark.parametrize("way", WAYS)
async def test_subscription_called_twice_is_harmless_unless_strict(way: Callable[..., SubscriptionRV]) -> None:
    obs: Observable[...] = Observable()
    subscription = way(obs, Tally())
    subscription(strict=True)
    subscription()
    subscription(strict=False)
    with pytest.raises(NotSubscribedError):
        subscription(strict=True)


@pytest.mark.parametrize("way", WAYS)
async def test_subscription_is_a_context_manager(way: Callable[..., SubscriptionRV]) -> None:
    observer = Tally()
    obs: Observable[...] = Observable()
    with way(obs, observer):
        await obs.notify(1)
        assert list(obs) == [observer]
    await obs.notify(2)
    assert observer.values == [1]
    assert list(obs) == []


async def test_subscription_as_a_context_lets_the_error_of_its_body_through() -> None:
    obs: Observable[...] = Observable()
    with pytest.raises(ValueError, match="in the body"), obs.subscribe_nowait(Recorder()):
        raise ValueError("in the body")
    assert list(obs) == []


async def test_subscription_as_a_context_does_not_mind_an_observer_removed_inside() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    with obs.subscribe_nowait(observer):
        obs.unsubscribe_nowait(observer)
    assert list(obs) == []


async def test_subscription_of_subscribe_is_a_context_manager() -> None:
    obs: Observable[...] = Observable()
    observer = Recorder()
    with await obs.subscribe(observer):
        assert list(obs) == [observer]
    assert list(obs) == []


async def test_subscription_removes_from_inside_the_observer() -> None:
    seen: list[int] = []
    obs: Observable[[int]] = Observable()

    def observer(value: int) -> None:
        seen.append(value)
        subscription()

    subscription = obs.subscribe_nowait(observer)
    await obs.notify(1)
    await obs.notify(2)
    assert seen == [1]


async def test_subscription_of_a_partial_removes_that_partial() -> None:
    seen: list[Any] = []
    one, two = partial(seen.append), partial(seen.append)
    obs: Observable[...] = Observable()
    obs.subscribe_nowait(one)
    obs.subscribe_nowait(two)()
    assert list(obs) == [one]
