"""Iterating over the observers: ``for`` notices changes, ``async for`` sees a snapshot."""

from __future__ import annotations

import pytest

from asyncutils_rx import Observable
from tests.observable_kit import Recorder, begin


def observable_of(count: int) -> tuple[Observable[...], list[Recorder]]:
    observers = [Recorder() for _ in range(count)]
    return Observable(observers), observers


async def test_iter_gives_the_observers_in_subscription_order() -> None:
    obs, observers = observable_of(4)
    assert list(iter(obs)) == observers
    assert list(obs) == observers


async def test_iter_of_no_observers_is_empty() -> None:
    assert list(Observable()) == []


async def test_iter_does_not_see_derived_observables() -> None:
    obs, observers = observable_of(1)
    derived = [obs.fork(), obs.map(lambda *args: (args, {})), obs.buffer(2), Observable.merge(obs, obs)]
    assert list(obs) == observers
    assert [each async for each in obs] == observers
    assert all(list(each) == [] for each in derived)


@pytest.mark.parametrize("change", ["subscribe", "unsubscribe", "ntimes", "swap"])
async def test_iter_does_not_let_observers_change_unnoticed(change: str) -> None:
    """Whether the change or the next step raises is open; that one of them does is not."""
    obs, observers = observable_of(3)
    iterator = iter(obs)
    assert next(iterator) is observers[0]

    def change_and_go_on() -> None:
        if change in ("unsubscribe", "swap"):
            obs.unsubscribe_nowait(observers[1])
        if change in ("subscribe", "swap"):
            obs.subscribe_nowait(Recorder())
        if change == "ntimes":
            obs.ntimes(Recorder(), 1)
        next(iterator)

    with pytest.raises(RuntimeError):
        change_and_go_on()


async def test_iter_notices_a_change_on_its_last_step() -> None:
    obs, observers = observable_of(2)
    iterator = iter(obs)
    assert [next(iterator), next(iterator)] == observers

    def change_and_go_on() -> None:
        obs.subscribe_nowait(Recorder())
        next(iterator)

    with pytest.raises(RuntimeError):
        change_and_go_on()


async def test_iter_notices_a_change_before_its_first_step() -> None:
    obs, _ = observable_of(2)
    iterator = iter(obs)
    obs.subscribe_nowait(Recorder())
    with pytest.raises(RuntimeError, match="changed"):
        next(iterator)


async def test_iter_in_a_loop_that_changes_the_observers_raises() -> None:
    obs, _ = observable_of(3)

    def remove_each() -> None:
        for observer in obs:
            obs.unsubscribe_nowait(observer)

    with pytest.raises(RuntimeError):
        remove_each()


async def test_iter_minds_no_change_after_its_end() -> None:
    obs, observers = observable_of(2)
    iterator = iter(obs)
    assert list(iterator) == observers
    obs.subscribe_nowait(Recorder())
    assert next(iterator, None) is None
    assert len(list(obs)) == 3


async def test_iter_that_was_dropped_hinders_no_change() -> None:
    obs, observers = observable_of(2)
    iterator = iter(obs)
    next(iterator)
    del iterator
    obs.unsubscribe_nowait(observers[0])
    assert list(obs) == observers[1:]


async def test_iter_minds_no_second_subscription_of_the_same_observer() -> None:
    obs, observers = observable_of(2)
    seen = []
    for observer in obs:
        obs.subscribe_nowait(observer)
        seen.append(observer)
    assert seen == observers


async def test_iter_twice_at_a_time() -> None:
    obs, observers = observable_of(2)
    assert [(one, two) for one in obs for two in obs] == [(one, two) for one in observers for two in observers]


async def test_iter_does_not_hinder_a_notification() -> None:
    obs, observers = observable_of(2)
    iterator = iter(obs)
    next(iterator)
    await obs.notify(1)
    assert [observer.values for observer in observers] == [[1], [1]]
    assert next(iterator) is observers[1]


async def test_aiter_gives_the_observers_in_subscription_order() -> None:
    obs, observers = observable_of(4)
    assert [observer async for observer in obs] == observers


async def test_aiter_sees_a_snapshot() -> None:
    obs, observers = observable_of(3)
    seen = []
    async for observer in obs:
        seen.append(observer)
        obs.unsubscribe_nowait(observer)
        obs.subscribe_nowait(Recorder())
    assert seen == observers
    assert len(list(obs)) == 3


async def test_aiter_goes_on_after_a_notification() -> None:
    obs, observers = observable_of(3)
    obs.ntimes(Recorder(), 1)
    seen = []
    async for observer in obs:
        await obs.notify(1)
        seen.append(observer)
    assert seen[:3] == observers
    assert len(seen) == 4


async def test_aiter_can_be_closed_early() -> None:
    obs, observers = observable_of(3)
    iterator = aiter(obs)
    assert await anext(iterator) is observers[0]
    await iterator.aclose()
    assert await anext(iterator, None) is None


async def test_aiter_steps_run_in_tasks_of_their_own() -> None:
    obs, observers = observable_of(2)
    iterator = aiter(obs)
    tasks = [await begin(iterator.__anext__()) for _ in range(2)]
    assert [task.result() for task in tasks] == observers
    await iterator.aclose()
