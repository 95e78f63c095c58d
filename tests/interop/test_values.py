"""``values`` and ``notifications``: what is iterated, when it is registered, and how an iteration ends."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from reactivex import operators

from asyncutils_rx import Observable
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import (
    ArgumentTypeError,
    ArgumentValueError,
    NoLoopError,
    ObservableClosed,
    ReentrancyError,
    WrongLoopError,
)
from tests.interop.kit import Source, in_thread, taken, values_of
from tests.observable_kit import Held, Recorder, Tally, begin, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

ITERATIONS: dict[str, Callable[..., Any]] = {
    "values": lambda obs, **options: obs.values(**options),
    "notifications": lambda obs, **options: obs.notifications(**options),
}


# What is iterated


async def test_values_are_the_only_arguments() -> None:
    obs: Observable[...] = Observable()
    iterator = obs.values()
    for value in (1, None, (2, 3)):
        await obs.notify(value)
    assert await taken(iterator, 3) == [1, None, (2, 3)]


async def test_notifications_are_pairs() -> None:
    obs: Observable[...] = Observable()
    iterator = obs.notifications()
    await obs.notify()
    await obs.notify(1)
    await obs.notify(1, 2, key=3)
    assert await taken(iterator, 3) == [((), {}), ((1,), {}), ((1, 2), {"key": 3})]


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2), {}), ((1,), {"key": 2}), ((), {"key": 2})], ids=["0", "2", "1+key", "key"]
)
async def test_values_refuse_what_is_no_single_value_to_its_notifier(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    obs: Observable[...] = Observable()
    observer = Recorder()
    obs.subscribe_nowait(observer)
    iterator = obs.values()
    with pytest.raises(TypeError, match="exactly one positional argument"):
        await obs.notify(*args, **kwargs)
    await obs.notify(9)
    assert await taken(iterator, 1) == [9]
    assert len(observer.calls) == 2


@pytest.mark.parametrize("kind", ITERATIONS)
async def test_iteration_takes_items_in_order(kind: str) -> None:
    obs: Observable[[int]] = Observable()
    iterator = ITERATIONS[kind](obs)
    for value in range(50):
        await obs.notify(value)
    await obs.aclose()
    items = await values_of(iterator)
    assert [item if kind == "values" else item[0][0] for item in items] == list(range(50))


async def test_each_iteration_has_every_item() -> None:
    obs: Observable[[int]] = Observable()
    first, second = obs.values(), obs.values()
    for value in range(3):
        await obs.notify(value)
    assert await taken(first, 3) == await taken(second, 3) == [0, 1, 2]


async def test_iteration_goes_over_derived_observables() -> None:
    obs: Observable[[int]] = Observable()
    even = obs.filter(lambda value: value % 2 == 0)
    iterator = even.pipe(operators.map(str)).values()
    for value in range(5):
        await obs.notify(value)
    await obs.aclose()
    assert await values_of(iterator) == ["0", "2", "4"]


async def test_iteration_is_an_asynchronous_iterator_and_context() -> None:
    obs: Observable[[int]] = Observable()
    async with obs.values() as iterator:
        assert aiter(iterator) is iterator
        await obs.notify(1)
        assert await anext(iterator) == 1


async def test_iteration_is_no_observer() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    assert list(obs) == []
    assert "0 observers" in repr(obs)
    await iterator.aclose()


async def test_iteration_tells_its_state() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1, overflow="drop_newest")
    for value in range(3):
        await obs.notify(value)
    assert (iterator.buffered, iterator.dropped) == (1, 2)
    assert "open" in repr(iterator)
    assert "1 buffered" in repr(iterator)
    assert "2 dropped" in repr(iterator)
    await iterator.aclose()
    assert (iterator.buffered, iterator.dropped) == (0, 2)
    assert "ended" in repr(iterator)


# When it is registered


@pytest.mark.parametrize("kind", ITERATIONS)
async def test_iteration_is_registered_by_the_call(kind: str) -> None:
    obs: Observable[[int]] = Observable()
    iterator = ITERATIONS[kind](obs)
    await obs.notify(1)
    assert iterator.buffered == 1


async def test_iteration_registered_during_a_notification_begins_with_the_next() -> None:
    obs: Observable[[int]] = Observable()
    iterators: list[Any] = []

    def observer(value: int) -> None:
        if value == 1:
            iterators.append(obs.values())

    obs.subscribe_nowait(observer)
    await obs.notify(1)
    await obs.notify(2)
    assert await taken(iterators[0], 1) == [2]


@pytest.mark.parametrize("kind", ITERATIONS)
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"maxsize": -1}, ArgumentValueError),
        ({"maxsize": 1.5}, ArgumentTypeError),
        ({"maxsize": "many"}, ArgumentTypeError),
        ({"overflow": "drop"}, ArgumentValueError),
        ({"overflow": None}, (ArgumentTypeError, ArgumentValueError)),
    ],
)
async def test_iteration_refuses_wrong_options(kind: str, options: dict[str, Any], error: Any) -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(error, match=rf"Observable\.{kind}"):
        ITERATIONS[kind](obs, **options)
    assert not obs._buffers


@pytest.mark.parametrize("kind", ITERATIONS)
async def test_iteration_of_a_closed_observable_is_refused(kind: str) -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    with pytest.raises(ObservableClosed):
        ITERATIONS[kind](obs)


@pytest.mark.parametrize("kind", ITERATIONS)
def test_iteration_needs_a_running_loop(kind: str) -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(NoLoopError):
        ITERATIONS[kind](obs)


async def test_iteration_is_for_the_loop_of_its_observable() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()

    async def step() -> None:
        await anext(iterator)

    with pytest.raises(WrongLoopError):
        await in_thread(asyncio.run, step())


async def test_iteration_buffer_is_as_large_as_the_context_says() -> None:
    obs: Observable[[int]] = Observable()
    with localcontext(OBSERVABLE_STREAM_DEFAULT_BUFFER_SIZE=2):
        iterator = obs.values(overflow="drop_newest")
        unbounded = obs.values(maxsize=0, overflow="drop_newest")
        three = obs.values(maxsize=3, overflow="drop_newest")
    for value in range(5):
        await obs.notify(value)
    assert (iterator.buffered, unbounded.buffered, three.buffered) == (2, 5, 3)


# How it ends


async def test_iteration_ends_after_what_is_buffered_when_the_observable_is_closed() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    for value in range(3):
        await obs.notify(value)
    await obs.aclose()
    assert await values_of(iterator) == [0, 1, 2]
    assert await values_of(iterator) == []


async def test_iteration_that_waits_ends_when_the_observable_is_closed() -> None:
    obs: Observable[[int]] = Observable()
    iterating = await begin(values_of(obs.values()))
    await obs.notify(1)
    await obs.aclose()
    assert await within(iterating) == [1]


async def test_iteration_raises_once_what_ended_the_observable() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    iterator, waiting = obs.values(), obs.values()
    iterating = await begin(values_of(waiting))
    source.on_next(1)
    source.on_error(error)
    await settle()
    assert await taken(iterator, 1) == [1]
    for each in (within(anext(iterator)), within(iterating)):
        with pytest.raises(ValueError, match="of the source"):
            await each
    assert await values_of(iterator) == []


@pytest.mark.parametrize("leave", ["aclose", "context"])
async def test_iteration_that_was_left_takes_nothing_any_more(leave: str) -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    await obs.notify(1)
    if leave == "aclose":
        await iterator.aclose()
        await iterator.aclose()
    else:
        async with iterator:
            pass
    for value in range(5):
        await within(obs.notify(value))
    assert await values_of(iterator) == []
    assert not obs._buffers
    assert not obs._observers.taps


async def test_iteration_that_an_observer_leaves_does_not_take_what_is_running() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)

    async def leave(_: int) -> None:
        await iterator.aclose()

    obs.subscribe_nowait(leave)
    await within(obs.notify(1))
    assert iterator.buffered == 0
    assert await values_of(iterator) == []


async def test_iteration_that_is_left_ends_a_step_that_waits() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    iterating = await begin(values_of(iterator))
    await iterator.aclose()
    assert await within(iterating) == []


async def test_iteration_left_by_break_is_unregistered() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(0)
    feeding = asyncio.ensure_future(obs.feed(range(1, 1000)))
    async for value in obs.values(maxsize=1):
        if value >= 5:
            break
    gc.collect()
    await within(feeding)
    assert not obs._buffers


async def test_iteration_that_is_collected_is_unregistered_and_lets_waiting_notifiers_go() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    await obs.notify(1)
    notifiers = [await begin(obs.notify(value)) for value in (2, 3)]
    assert not notifiers[0].done()
    reference = weakref.ref(iterator)
    del iterator
    gc.collect()
    assert reference() is None
    for notifier in notifiers:
        await within(notifier)
    assert not obs._buffers
    assert not obs._observers.taps


async def test_iteration_that_is_collected_on_another_thread_is_unregistered() -> None:
    obs: Observable[[int]] = Observable()
    held: list[Any] = [obs.values(maxsize=1)]
    await obs.notify(1)
    notifier = await begin(obs.notify(2))
    await in_thread(held.clear)
    await within(notifier)
    assert not obs._buffers


def test_iteration_that_is_collected_after_its_loop_was_closed_is_harmless() -> None:
    held: list[Any] = []

    async def main() -> None:
        obs: Observable[[int]] = Observable()
        held.append(obs.values())

    asyncio.run(main())
    held.clear()
    gc.collect()


async def test_observable_without_other_references_lives_as_long_as_its_iteration() -> None:
    obs: Observable[[int]] = Observable()
    reference = weakref.ref(obs)
    iterator = obs.values()
    await obs.notify(1)
    del obs
    gc.collect()
    assert await taken(iterator, 1) == [1]
    del iterator
    gc.collect()
    await tick(2)
    gc.collect()
    assert reference() is None


async def test_iteration_keeps_derived_observables_alive() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.fork().fork().values()
    gc.collect()
    await obs.notify(1)
    assert await taken(iterator, 1) == [1]


# From inside an observer


async def test_iteration_stepped_inside_an_observer_gets_the_notification_that_is_running() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    seen: list[int] = []

    async def observer(_: int) -> None:
        seen.append(await anext(iterator))

    obs.subscribe_nowait(observer)
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert seen == [1, 2]


@pytest.mark.parametrize("suspends", [False, True])
async def test_iteration_stepped_inside_an_observer_for_the_next_notification_raises(suspends: bool) -> None:
    """That cannot come before the observer has ended."""
    obs: Observable[[int]] = Observable()
    iterator = obs.values()

    async def observer(_: int) -> None:
        if suspends:
            await asyncio.sleep(0)
        await anext(iterator)
        await anext(iterator)

    obs.subscribe_nowait(observer)
    with pytest.raises(ReentrancyError, match="inside an observer"):
        await within(obs.notify(1))


async def test_iteration_registered_and_stepped_inside_an_observer_raises() -> None:
    obs: Observable[[int]] = Observable()

    async def observer(_: int) -> None:
        await anext(obs.values())

    obs.subscribe_nowait(observer)
    with pytest.raises(ReentrancyError, match="inside an observer"):
        await within(obs.notify(1))


async def test_iteration_may_be_stepped_by_a_task_that_an_observer_spawned() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    tasks: list[asyncio.Task[list[int]]] = []

    async def observer(value: int) -> None:
        if value == 1:
            tasks.append(asyncio.create_task(taken(iterator, 2)))
            await asyncio.sleep(0)

    obs.subscribe_nowait(observer)
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert await within(tasks[0]) == [1, 2]


# Fairness


async def test_iteration_over_a_full_buffer_lets_the_loop_run() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=0)
    for value in range(1000):
        await obs.notify(value)
    turns = 0
    most, since = 0, 0

    def turn() -> None:
        nonlocal turns, since
        turns += 1
        since = 0
        handle[0] = asyncio.get_running_loop().call_soon(turn)

    handle = [asyncio.get_running_loop().call_soon(turn)]
    for _ in range(1000):
        await anext(iterator)
        since += 1
        most = max(most, since)
    handle[0].cancel()
    assert turns >= 10
    assert most <= 100


async def test_iteration_and_notifier_share_the_loop() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    iterator = obs.values(maxsize=10)
    held = Held()
    held.release()
    obs.subscribe_nowait(held)

    async def consume() -> None:
        async for value in iterator:
            tally(value)

    consuming = asyncio.create_task(consume())
    await within(obs.feed(range(500)))
    await obs.aclose()
    await within(consuming)
    assert tally.values == list(range(500))
