"""``values`` and ``notifications``: the buffer's policies, cancelled steps, and closing with a full buffer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reactivex import operators

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import OverflowPolicyError
from tests.interop.kit import POLICIES, Source, in_thread, taken, values_of
from tests.observable_kit import Held, Log, Recorder, begin, collect_errors, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asyncutils_rx.types import OverflowPolicy


async def doubled(value: int) -> int:
    await asyncio.sleep(0)
    return value


# The policies


@pytest.mark.parametrize("overflow", POLICIES)
async def test_iteration_of_size_0_takes_any_number(overflow: OverflowPolicy) -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=0, overflow=overflow)
    for value in range(500):
        await within(obs.notify(value))
    assert await taken(iterator, 500) == list(range(500))
    assert iterator.dropped == 0


@pytest.mark.parametrize("overflow", POLICIES)
async def test_iteration_takes_as_many_as_its_size(overflow: OverflowPolicy) -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=3, overflow=overflow)
    for value in range(3):
        await within(obs.notify(value))
    assert await taken(iterator, 3) == [0, 1, 2]
    assert iterator.dropped == 0


@pytest.mark.parametrize(
    ("overflow", "kept", "dropped"),
    [("drop_oldest", [3, 4], 3), ("drop_newest", [0, 1], 3), ("latest", [4], 4)],
)
async def test_iteration_overflow_drops_and_counts(overflow: OverflowPolicy, kept: list[int], dropped: int) -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=2, overflow=overflow)
    for value in range(5):
        await within(obs.notify(value))
    assert iterator.dropped == dropped
    await obs.aclose()
    assert await values_of(iterator) == kept


async def test_iteration_overflow_raise_is_the_notifiers_error() -> None:
    obs: Observable[[int]] = Observable()
    observer = Recorder()
    obs.subscribe_nowait(observer)
    iterator = obs.values(maxsize=1, overflow="raise")
    await obs.notify(1)
    with pytest.raises(OverflowPolicyError) as caught:
        await obs.notify(2)
    assert caught.value.maxsize == 1
    assert await taken(iterator, 1) == [1]
    await obs.notify(3)
    assert await taken(iterator, 1) == [3]
    assert observer.values == [1, 2, 3]
    assert iterator.dropped == 0


async def test_iteration_overflow_wait_is_the_default_and_holds_the_notifier() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    await within(obs.notify(1))
    notifier = await begin(obs.notify(2))
    assert not notifier.done()
    assert await taken(iterator, 1) == [1]
    await within(notifier)
    assert await taken(iterator, 1) == [2]
    assert iterator.dropped == 0


async def test_iteration_overflow_wait_does_not_hold_other_observers() -> None:
    obs: Observable[[int]] = Observable()
    observer = Recorder()
    obs.subscribe_nowait(observer)
    iterator = obs.values(maxsize=1)
    await obs.notify(1)
    notifier = await begin(obs.notify(2))
    assert observer.values == [1, 2]
    assert not notifier.done()
    await iterator.aclose()
    await within(notifier)


async def test_iteration_overflow_wait_is_served_first_come_first_served() -> None:
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(4)
    iterator = batches.values(maxsize=1)
    for value in range(3):
        await obs.notify(value)
    notifier = await begin(obs.notify(3))
    assert await taken(iterator, 4) == [0, 1, 2, 3]
    await within(notifier)


async def test_iteration_overflow_wait_holds_a_foreign_source_too() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow="wait")
    iterator = obs.values(maxsize=1)

    def push() -> None:
        for value in range(50):
            source.on_next(value)

    pushing = asyncio.create_task(in_thread(push))
    assert await taken(iterator, 50) == list(range(50))
    await within(pushing)
    await obs.aclose()


# Cancellation


@pytest.mark.virtual_time
async def test_iteration_step_that_timed_out_loses_nothing() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(iterator), 1.0)
    await obs.notify(1)
    assert await asyncio.wait_for(anext(iterator), 1.0) == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(iterator), 0)
    await obs.notify(2)
    assert await asyncio.wait_for(anext(iterator), 1.0) == 2


@pytest.mark.virtual_time
async def test_iteration_step_that_times_out_as_the_item_comes_loses_nothing() -> None:
    """Timer, notification and step meet in one turn of the loop, in every order."""
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=0)
    seen: list[int] = []

    async def consume() -> None:
        while len(seen) < 200:
            with contextlib.suppress(TimeoutError):
                seen.append(await asyncio.wait_for(anext(iterator), 1.0))

    consuming = asyncio.create_task(consume())
    for value in range(200):
        await asyncio.sleep([0.5, 1.0, 1.0, 2.0, 0.0][value % 5])
        await obs.notify(value)
    await asyncio.wait_for(consuming, 100.0)
    assert seen == list(range(200))


@pytest.mark.parametrize("turns", range(6))
async def test_iteration_step_that_is_cancelled_as_the_item_comes_loses_nothing(turns: int) -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    step = await begin(iterator.__anext__())
    notifier = asyncio.ensure_future(obs.notify(1))
    await tick(turns)
    step.cancel()
    await asyncio.wait([step])
    await within(notifier)
    seen = [] if step.cancelled() else [step.result()]
    await obs.notify(2)
    await obs.aclose()
    assert seen + await values_of(iterator) == [1, 2]


async def test_iteration_goes_on_after_a_cancelled_step() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    for value in range(3):
        step = await begin(iterator.__anext__())
        step.cancel()
        await asyncio.wait([step])
        await within(obs.notify(value))
        assert await taken(iterator, 1) == [value]


async def test_iteration_of_two_tasks_gives_each_item_to_one_of_them() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values()
    steps = [await begin(iterator.__anext__()) for _ in range(4)]
    steps[1].cancel()
    for value in range(3):
        await obs.notify(value)
    await settle()
    assert sorted(await asyncio.gather(steps[0], steps[2], steps[3])) == [0, 1, 2]


async def test_notify_that_is_cancelled_while_it_waits_for_room_takes_its_item_back() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    await obs.notify(1)
    notifier = await begin(obs.notify(2))
    notifier.cancel()
    await within(asyncio.wait([notifier]))
    assert notifier.cancelled()
    assert await taken(iterator, 1) == [1]
    await within(obs.notify(3))
    assert await taken(iterator, 1) == [3]


async def test_notify_that_is_cancelled_as_it_gets_room_delivers_its_item_once() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    await obs.notify(1)
    notifier = await begin(obs.notify(2))
    assert await taken(iterator, 1) == [1]
    notifier.cancel()
    await within(asyncio.wait([notifier]))
    await within(obs.notify(3)) if iterator.buffered == 0 else None
    await obs.aclose()
    assert await values_of(iterator) in ([2], [3])


# Closing


@pytest.mark.parametrize("turns", range(6))
async def test_iteration_is_given_the_item_of_a_notify_that_is_cancelled_at_any_moment_at_most_once(turns: int) -> None:
    """Whether it is cancelled just before or just after there is room; the place of that item is free again."""
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    await within(obs.notify(1))
    second = await begin(obs.notify(2))
    second.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    items = await taken(iterator, 1)
    await asyncio.wait([second])
    assert second.cancelled()
    third = await begin(obs.notify(3))
    await obs.aclose()
    await within(third)
    items += await values_of(iterator)
    assert items in ([1, 3], [1, 2, 3])


async def test_iteration_close_with_a_full_buffer_and_a_waiting_notifier_loses_nothing() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=1)
    await obs.notify(1)
    notifiers = [await begin(obs.notify(value)) for value in (2, 3, 4)]
    await within(obs.aclose())
    for notifier in notifiers:
        await within(notifier)
    assert await values_of(iterator) == [1, 2, 3, 4]


DEEPER: dict[str, Callable[[Observable[...]], Observable[...]]] = {
    "fork": lambda obs: obs.fork(),
    "deep": lambda obs: obs.fork().at_change().throttle(0.0),
    "pipe": lambda obs: obs.pipe(operators.as_observable()),
    "buffer": lambda obs: obs.buffer(1),
    "map_async": lambda obs: obs.map_async(doubled),
}


@pytest.mark.parametrize("derive", DEEPER)
async def test_iteration_further_down_with_a_full_buffer_does_not_hold_up_the_close(derive: str) -> None:
    obs: Observable[[int]] = Observable()
    derived = DEEPER[derive](obs)
    iterator = derived.values(maxsize=1)
    await within(obs.notify(1))
    notifiers = [await begin(obs.notify(value)) for value in (2, 3, 4)]
    await within(obs.aclose())
    for notifier in notifiers:
        await within(notifier)
    assert await values_of(iterator) == [1, 2, 3, 4]


async def test_iteration_further_down_takes_a_partial_batch_that_is_larger_than_its_buffer() -> None:
    obs: Observable[[int]] = Observable()
    batches = obs.buffer(10)
    iterator = batches.values(maxsize=1)
    for value in range(5):
        await obs.notify(value)
    await within(obs.aclose())
    assert await values_of(iterator) == [0, 1, 2, 3, 4]


async def test_iteration_over_a_merge_keeps_its_size_while_another_source_goes_on() -> None:
    ended: Observable[[int]] = Observable()
    other: Observable[[int]] = Observable()
    iterator = ended.merge(other).values(maxsize=1)
    await ended.notify(1)
    await within(ended.aclose())
    notifier = await begin(other.notify(2))
    assert not notifier.done()
    assert await taken(iterator, 2) == [1, 2]
    await within(notifier)
    await within(other.aclose())
    assert await values_of(iterator) == []


async def test_iteration_whose_derived_observable_is_closed_lets_its_source_go_on() -> None:
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    iterator = derived.values(maxsize=1)
    await obs.notify(1)
    notifier = await begin(obs.notify(2))
    await within(derived.aclose())
    await within(notifier)
    await within(obs.notify(3))
    assert await values_of(iterator) == [1, 2]


async def test_iteration_over_a_source_that_completes_with_a_full_buffer_loses_nothing() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    iterator = obs.values(maxsize=1)
    for value in range(5):
        source.on_next(value)
    source.on_completed()
    assert await values_of(iterator) == [0, 1, 2, 3, 4]


async def test_iteration_close_waits_for_observers_as_ever() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    obs.subscribe_nowait(held)
    iterator = obs.values(maxsize=1)
    notifiers = [await begin(obs.notify(value)) for value in (1, 2)]
    closing = await begin(obs.aclose())
    assert not closing.done()
    held.release()
    await within(closing)
    for notifier in notifiers:
        await within(notifier)
    assert await values_of(iterator) == [1, 2]


async def test_iteration_that_overflows_on_a_timer_is_reported(loop_errors: list[dict[str, Any]]) -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    iterator = obs.values(maxsize=1, overflow="raise")
    source.on_next(1)
    source.on_next(2)
    await settle()
    assert [type(error) for error in collect_errors(loop_errors)] == [OverflowPolicyError]
    assert await taken(iterator, 1) == [1]
    await obs.aclose()


async def test_iteration_that_overflows_on_a_quiet_branch_is_logged() -> None:
    obs: Observable[[int]] = Observable()
    branch = obs.fork(ret_exc=True)
    iterator = branch.values(maxsize=1, overflow="raise")
    with Log() as log:
        for value in range(2):
            await obs.notify(value)
    assert len(log.records) == 1
    await iterator.aclose()


# Any interleaving


@settings(max_examples=40)
@given(
    st.integers(1, 3),
    st.lists(st.sampled_from(["notify", "step", "cancel step", "cancel notify", "tick"]), min_size=5, max_size=40),
)
async def test_iteration_delivers_in_order_and_loses_nothing_but_what_was_cancelled(size: int, plan: list[str]) -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=size)
    steps: list[asyncio.Task[int]] = []
    notifiers: list[asyncio.Task[None]] = []

    def start(coro: Coroutine[Any, Any, Any], tasks: list[Any]) -> None:
        tasks.append(asyncio.ensure_future(coro))

    for action in plan:
        if action == "notify":
            start(obs.notify(len(notifiers)), notifiers)
        elif action == "step":
            start(iterator.__anext__(), steps)
        elif action == "cancel step" and steps:
            steps[-1].cancel()
        elif action == "cancel notify" and notifiers:
            notifiers[-1].cancel()
        else:
            await tick()
    await within(obs.aclose())
    rest = await values_of(iterator)
    await asyncio.gather(*steps, *notifiers, return_exceptions=True)
    got = [step.result() for step in steps if not step.cancelled() and step.exception() is None]
    seen = got + rest
    served = {number for number, notifier in enumerate(notifiers) if not notifier.cancelled()}
    assert rest == sorted(rest)
    assert len(set(seen)) == len(seen)
    assert served <= set(seen) | {number for number in served if notifiers[number].exception() is not None}
