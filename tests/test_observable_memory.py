"""What is kept alive, for how long and by whom; and that nothing else is."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from tests.observable_kit import Held, Recorder, Tally, begin, busy, failing, settle, within
from tests.support import live_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable


class Value:
    """Can be referenced weakly."""


def gone(*references: weakref.ref[Any]) -> bool:
    """Return whether all of them are dead once the garbage was collected."""
    gc.collect()
    gc.collect()
    return all(reference() is None for reference in references)


class Counter:
    """A function for any operator, that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def transform(self, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        self.calls += 1
        return args, kwargs

    def predicate(self, *_: Any, **__: Any) -> bool:
        self.calls += 1
        return True

    def key(self, *_: Any, **__: Any) -> int:
        self.calls += 1
        return self.calls


COUNTED: dict[str, Callable[[Observable[...], Counter], Observable[...]]] = {
    "map": lambda obs, counter: obs.map(counter.transform),
    "filter": lambda obs, counter: obs.filter(counter.predicate),
    "at_change": lambda obs, counter: obs.at_change(counter.key),
}

DERIVATIONS: dict[str, Callable[[Observable[...]], Observable[...]]] = {
    "fork": lambda obs: obs.fork(),
    "map": lambda obs: obs.map(lambda *args: (args, {})),
    "filter": lambda obs: obs.filter(lambda *_: True),
    "at_change": lambda obs: obs.at_change(),
    "buffer": lambda obs: obs.buffer(1),
    "throttle": lambda obs: obs.throttle(0),
    "debounce": lambda obs: obs.debounce(5),
    "merge": lambda obs: Observable.merge(obs, obs),
}

# A derived observable without observers, children or an outside reference


@pytest.mark.parametrize("name", DERIVATIONS)
async def test_derived_observable_that_nobody_uses_is_collected(name: str) -> None:
    obs: Observable[...] = Observable()
    derived = DERIVATIONS[name](obs)
    reference = weakref.ref(derived)
    assert not gone(reference)
    del derived
    assert gone(reference)
    await obs.notify(1)


@pytest.mark.parametrize("name", COUNTED)
async def test_derived_observable_that_nobody_uses_detaches(name: str) -> None:
    counter = Counter()
    obs: Observable[[int]] = Observable()
    derived = COUNTED[name](obs, counter)
    await obs.notify(1)
    assert counter.calls == 1
    del derived
    gc.collect()
    await obs.notify(2)
    assert counter.calls == 1


async def test_derived_observables_that_nobody_uses_leave_no_subscription() -> None:
    obs: Observable[[int]] = Observable()
    before = len(live_subscriptions())
    for _ in range(50):
        for derive in DERIVATIONS.values():
            derive(obs)
    gc.collect()
    await obs.notify(1)
    assert len(live_subscriptions()) == before


@pytest.mark.parametrize("name", DERIVATIONS)
async def test_chain_that_nobody_uses_is_collected_whole(name: str) -> None:
    obs: Observable[...] = Observable()
    first = DERIVATIONS[name](obs)
    second = DERIVATIONS[name](first)
    references = weakref.ref(first), weakref.ref(second)
    del first, second
    assert gone(*references)


@pytest.mark.virtual_time
async def test_derived_observable_is_collected_once_its_pending_timer_has_run() -> None:
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(10)
    await obs.notify(1)
    reference = weakref.ref(quiet)
    del quiet
    gc.collect()
    await asyncio.sleep(11)
    assert gone(reference)


async def test_derived_observable_with_a_partial_batch_is_collected_once_nobody_uses_it() -> None:
    obs: Observable[[Value]] = Observable()
    batches = obs.buffer(5)
    value = Value()
    await obs.notify(value)
    references = weakref.ref(batches), weakref.ref(value)
    del batches, value
    assert gone(*references)


async def test_derived_observable_collected_while_a_notification_runs_harms_nothing() -> None:
    held, tally = Held(), Tally()
    obs: Observable[[str]] = Observable([held])
    derived = obs.fork()
    kept = obs.fork()
    kept.subscribe_nowait(tally)
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    reference = weakref.ref(derived)
    del derived
    gc.collect()
    held.release()
    await within(notifier)
    assert tally.values == ["first", "second"]
    assert gone(reference)


# One that has observers, children or an outside reference


@pytest.mark.parametrize("name", [name for name in DERIVATIONS if name != "debounce"])
async def test_derived_observable_with_an_observer_lives_as_long_as_its_source(name: str) -> None:
    tally = Tally()
    obs: Observable[...] = Observable()
    DERIVATIONS[name](obs).subscribe_nowait(tally)
    for value in range(3):
        gc.collect()
        await obs.notify(value)
    assert sorted(set(tally.values)) == [0, 1, 2]


async def test_derived_observable_with_an_observer_further_down_lives() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    doubled: Observable[[int]] = obs.map(lambda value: ((value * 2,), {}))
    doubled.filter(lambda value: value > 2).fork().subscribe_nowait(tally)
    del doubled
    for value in range(4):
        gc.collect()
        await obs.notify(value)
    assert tally.values == [4, 6]


async def test_derived_observable_with_a_child_that_is_held_lives() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    child = obs.map(lambda value: ((value * 2,), {})).fork()
    gc.collect()
    child.subscribe_nowait(tally)
    await obs.notify(1)
    assert tally.values == [2]


async def test_derived_observable_that_is_held_keeps_its_state_without_observers() -> None:
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(2)
    gc.collect()
    await obs.notify(1)
    gc.collect()
    batches.subscribe_nowait(tally := Tally())
    await obs.notify(2)
    assert tally.values == [1, 2]


async def test_merge_with_an_observer_lives_as_long_as_one_of_its_sources() -> None:
    tally = Tally()
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    Observable.merge(one, two).subscribe_nowait(tally)
    gc.collect()
    await one.notify(1)
    await one.aclose()
    gc.collect()
    await two.notify(2)
    assert tally.values == [1, 2]


@pytest.mark.parametrize("way", ["subscription", "unsubscribe", "ntimes", "eventually"])
async def test_derived_observable_is_collected_once_its_last_observer_has_gone(way: str) -> None:
    counter, observer = Counter(), Recorder()
    obs: Observable[[int]] = Observable()
    derived = obs.filter(counter.predicate)
    reference = weakref.ref(derived)
    subscription = derived.ntimes(observer, 2) if way == "ntimes" else derived.subscribe_nowait(observer)
    if way == "unsubscribe":
        derived.unsubscribe_nowait(observer)
    elif way == "eventually":
        derived.unsubscribe_eventually(observer)
    del derived
    if way == "subscription":
        gc.collect()
        await obs.notify(1)
        subscription()
    elif way != "unsubscribe":
        await obs.notify(1)
        await obs.notify(2)
    del subscription
    assert gone(reference)
    calls = counter.calls
    await obs.notify(3)
    assert counter.calls == calls


@pytest.mark.parametrize("end", ["resolved", "cancelled", "timed out"])
async def test_derived_observable_is_collected_once_its_last_waiter_has_gone(end: str) -> None:
    counter = Counter()
    obs: Observable[[int]] = Observable()
    derived = obs.filter(counter.predicate)
    reference = weakref.ref(derived)
    waiting = await begin(derived.wait_for_next(timeout=0.01 if end == "timed out" else None))
    del derived
    assert not gone(reference)
    if end == "resolved":
        await obs.notify(1)
    elif end == "cancelled":
        waiting.cancel()
    await within(asyncio.wait([waiting]))
    if end == "timed out":
        assert isinstance(waiting.exception(), TimeoutError)
    del waiting
    await settle()
    assert gone(reference)
    counter.calls = 0
    await obs.notify(2)
    assert counter.calls == 0


async def test_subscription_that_is_dropped_unsubscribes_nothing() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    obs.subscribe_nowait(observer)
    gc.collect()
    await obs.notify(1)
    assert observer.values == [1]


async def test_source_goes_with_all_that_is_derived_from_it() -> None:
    before = len(live_subscriptions())
    obs: Observable[[int]] = Observable()
    derived = [derive(obs) for derive in DERIVATIONS.values()]
    for each in derived:
        each.subscribe_nowait(Recorder())
    references = [weakref.ref(each) for each in (obs, *derived)]
    del obs, derived, each
    assert gone(*references)
    assert len(live_subscriptions()) == before


class Sensor:
    """Owns an observable and what is derived from it by its own methods, as classes do."""

    def __init__(self) -> None:
        self.values: Observable[[int]] = Observable()
        self.high = self.values.filter(self.is_high)
        self.scaled = self.values.map(self.scale)
        self.steps = self.values.at_change(self.step)
        for derived in (self.high, self.scaled, self.steps):
            derived.subscribe_nowait(self.note)

    def is_high(self, value: int) -> bool:
        return value > 5

    def scale(self, value: int) -> tuple[tuple[int], dict[str, object]]:
        return (value * 10,), {}

    def step(self, value: int) -> int:
        return value // 10

    def note(self, *_: object) -> None:
        """Is only called."""


@pytest.mark.parametrize("used", [False, True])
async def test_owner_of_observables_and_of_their_functions_is_collected(used: bool) -> None:
    sensor = Sensor()
    if used:
        await sensor.values.notify(7)
    references = [weakref.ref(each) for each in (sensor, sensor.values, sensor.high, sensor.scaled, sensor.steps)]
    del sensor
    assert gone(*references)


@pytest.mark.parametrize("name", ["map", "filter", "at_change"])
@pytest.mark.parametrize("refers", ["source", "derived"])
async def test_function_that_refers_to_its_observables_does_not_keep_them(name: str, refers: str) -> None:
    def make() -> tuple[weakref.ref[Any], ...]:
        obs: Observable[[int]] = Observable()
        known: list[Observable[...]] = []

        def function(*args: Any) -> Any:
            return args, {"known": len(known)}

        derived = getattr(obs, name)(function)
        derived.subscribe_nowait(Recorder())
        known.append(obs if refers == "source" else derived)
        return weakref.ref(obs), weakref.ref(derived)

    assert gone(*make())


@pytest.mark.parametrize("name", ["map", "filter", "at_change"])
async def test_derived_observable_that_only_its_own_function_refers_to_is_collected(name: str) -> None:
    calls: list[int] = []
    obs: Observable[[int]] = Observable()

    def make() -> weakref.ref[Any]:
        known: list[Observable[...]] = []

        def function(value: int) -> Any:
            calls.append(len(known))
            return (value,), {}

        known.append(getattr(obs, name)(function))
        return weakref.ref(known[0])

    assert gone(make())
    await obs.notify(1)
    assert calls == []


async def test_source_used_goes_with_all_that_is_derived_from_it() -> None:
    obs: Observable[[int]] = Observable()
    derived = [derive(obs) for name, derive in DERIVATIONS.items() if name != "debounce"]
    for each in derived:
        each.subscribe_nowait(Recorder())
    await obs.notify(1)
    references = [weakref.ref(each) for each in (obs, *derived)]
    del obs, derived, each
    assert gone(*references)


async def test_closed_observable_lets_go_of_what_it_knew() -> None:
    observer = Recorder()
    obs: Observable[[Value]] = Observable()
    derived = obs.buffer(3)
    derived.subscribe_nowait(observer)
    value = Value()
    await obs.notify(value)
    await obs.aclose()
    references = weakref.ref(derived), weakref.ref(value)
    observer.calls.clear()
    del derived, value
    assert gone(*references)


# What passes through


@pytest.mark.parametrize("kind", ["sync", "async", "derived", "queued", "sequential"])
async def test_parameters_are_let_go_after_the_notification(kind: str) -> None:
    obs: Observable[[Value]] = Observable()
    derived = obs.filter(lambda _: True)
    if kind == "async":
        obs.subscribe_nowait(wait_once)
    elif kind == "derived":
        derived.subscribe_nowait(wait_once)
    else:
        obs.subscribe_nowait(lambda _: None)
    value = Value()
    reference = weakref.ref(value)
    if kind == "queued":
        held = Held()
        obs.subscribe_nowait(held)
        other = Value()
        notifier = await busy(obs, held, other)
        await obs.notify(value)
        held.release()
        await notifier
        held.forget()
        del notifier
    elif kind == "sequential":
        async for _ in obs.notify_sequential(value):
            pass
    else:
        await obs.notify(value)
    del value
    assert gone(reference)


async def test_parameters_are_let_go_after_a_notification_of_several_observers() -> None:
    obs: Observable[...] = Observable([lambda *_, **__: None, lambda *_, **__: None])
    value, other = Value(), Value()
    references = weakref.ref(value), weakref.ref(other)
    await obs.notify(value, other=other)
    del value, other
    assert gone(*references)


async def wait_once(_: object) -> None:
    await asyncio.sleep(0)


async def test_parameters_are_let_go_after_a_failed_notification() -> None:
    obs: Observable[[Value]] = Observable([failing(ValueError("fails"), suspends=True)])
    value = Value()
    reference = weakref.ref(value)
    with pytest.raises(ValueError, match="fails"):
        await obs.notify(value)
    obs.unsubscribe_nowait(next(iter(obs)))
    del value
    assert gone(reference)


async def test_parameters_are_let_go_after_a_cancelled_notification() -> None:
    obs: Observable[[Value]] = Observable([never_ends])
    value = Value()
    reference = weakref.ref(value)
    notifier = await begin(obs.notify(value))
    notifier.cancel()
    await asyncio.wait([notifier])
    del notifier, value
    assert gone(reference)


async def never_ends(_: object) -> None:
    await asyncio.Event().wait()


async def test_observer_is_let_go_once_removed() -> None:
    obs: Observable[...] = Observable()
    plain, counted, kept = Recorder(), Recorder(), Recorder()
    subscriptions = [obs.subscribe_nowait(plain), obs.ntimes(counted, 1), obs.subscribe_nowait(kept)]
    await obs.notify(1)
    obs.unsubscribe_nowait(plain)
    references = weakref.ref(plain), weakref.ref(counted)
    del plain, counted, subscriptions[:2]
    assert gone(*references)
    assert list(obs) == [kept]


async def test_observer_that_was_to_be_removed_later_is_let_go_once_removed() -> None:
    obs: Observable[...] = Observable()
    observer = Recorder()
    reference = weakref.ref(observer)
    obs.subscribe_nowait(observer)
    obs.unsubscribe_eventually(observer, asap=False)
    obs.unsubscribe_nowait(observer)
    del observer
    assert gone(reference)


async def test_observer_is_held_while_subscribed() -> None:
    obs: Observable[[int]] = Observable()
    observer = Recorder()
    reference = weakref.ref(observer)
    obs.subscribe_nowait(observer)
    del observer
    assert not gone(reference)


@pytest.mark.virtual_time
async def test_waiters_that_timed_out_leave_nothing_behind() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(0)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        with pytest.raises(TimeoutError):
            await obs.wait_for_next(1)
    gc.collect()
    assert len(gc.get_objects()) - before < 150


async def test_notifications_leave_nothing_behind() -> None:
    obs: Observable[[int]] = Observable([wait_once])
    end = obs.filter(lambda value: value % 2 == 0).at_change()
    end.subscribe_nowait(wait_once)
    for value in range(20):
        await obs.notify(value)
    await settle()
    gc.collect()
    before = len(gc.get_objects())
    for value in range(300):
        await obs.notify(value)
    await settle()
    gc.collect()
    assert len(gc.get_objects()) - before < 150


async def test_subscribing_and_unsubscribing_leaves_nothing_behind() -> None:
    obs: Observable[...] = Observable()
    obs.subscribe_nowait(Recorder())()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(300):
        obs.subscribe_nowait(Recorder())()
        obs.ntimes(Recorder(), 3)()
        observer = Recorder()
        obs.subscribe_nowait(observer)
        obs.unsubscribe_eventually(observer, asap=False)
        await obs.handle_unsubscriptions()
    gc.collect()
    assert len(gc.get_objects()) - before < 150


@pytest.mark.virtual_time
async def test_pending_notification_of_debounce_outlives_all_references() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    obs.fork().debounce(5.0).fork().subscribe_nowait(tally)
    await obs.notify(1)
    del obs
    gc.collect()
    await asyncio.sleep(6.0)
    assert tally.values == [1]


@pytest.mark.virtual_time
async def test_debounce_with_an_observer_is_collected_once_nothing_is_pending() -> None:
    obs: Observable[[int]] = Observable()
    debounced = obs.debounce(5.0)
    debounced.subscribe_nowait(lambda _: None)
    await obs.notify(1)
    await asyncio.sleep(6.0)
    reference = weakref.ref(debounced)
    del obs, debounced
    assert gone(reference)
    assert live_subscriptions() == []


# What an observable is made of


async def test_an_observable_in_use_keeps_nothing_in_a_dict_which_would_make_all_of_it_slower() -> None:
    source: Observable[[int]] = Observable([lambda _: None])
    derived = [source.filter(lambda _: True), source.buffer(2), source.throttle(0), source.debounce(0), source.fork()]
    derived[0].subscribe_nowait(lambda _: None)
    async with source:
        for value in range(20):
            await source.notify(value)
        assert [vars(site) for site in (source, *derived)] == [{}] * 6
    assert vars(source) == {}


async def test_a_user_can_give_an_observable_attributes() -> None:
    obs: Observable[[int]] = Observable()
    obs.unit = "°C"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    assert vars(obs) == {"unit": "°C"}
    await obs.notify(1)
    assert obs.idle


async def test_idle_observable_does_not_keep_the_last_observer_that_it_had() -> None:
    obs: Observable[[int]] = Observable([lambda _: None])
    counter = Counter()
    observer = counter.predicate
    obs.subscribe_nowait(observer)
    await obs.notify(1)
    await obs.notify(2)
    assert counter.calls == 2
    obs.unsubscribe_nowait(observer)
    reference = weakref.ref(counter)
    del observer, counter
    assert gone(reference)


@pytest.mark.parametrize("count", [1, 2])
async def test_idle_observable_does_not_keep_the_task_of_its_last_notifier(count: int) -> None:
    held = Held()
    busy_elsewhere = await begin(Observable([held]).notify(0))
    obs: Observable[[int]] = Observable([Tally() for _ in range(count)])
    task = asyncio.create_task(obs.notify(1))
    await task
    reference = weakref.ref(task)
    del task
    await settle()
    assert gone(reference)
    held.release(0)
    await busy_elsewhere
