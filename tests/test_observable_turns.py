"""Without accumulation (``maxsize=None``) a notification waits for its turn; from inside it would wait for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import AsyncutilsRxError, ReentrancyError
from tests.observable_kit import Held, Recorder, begin, busy, settle, within
from tests.support import tick


async def test_notify_waits_for_its_turn_and_for_its_own_observers() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)
    first = await busy(obs, held, "first")
    second = await begin(obs.notify("second"))
    assert held.started == ["first"]
    held.release("first")
    await within(first)
    await held.entered("second")
    await settle()
    assert not second.done()
    held.release()
    await within(second)
    assert held.ended == ["first", "second"]


async def test_turns_are_taken_in_order_of_arrival() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=None)
    calls = [await busy(obs, held)]
    calls += [await begin(obs.notify(value)) for value in range(8)]
    held.release()
    await within(asyncio.gather(*calls))
    assert held.ended == ["running", *range(8)]
    assert held.most_running == 1


async def test_turn_is_not_overtaken_by_a_call_that_comes_as_it_is_passed_on() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)

    async def notify_twice() -> None:
        await obs.notify("first")
        await obs.notify("third")

    twice = asyncio.ensure_future(notify_twice())
    await held.entered("first")
    second = await begin(obs.notify("second"))
    held.release()
    await within(asyncio.gather(twice, second))
    assert held.ended == ["first", "second", "third"]


async def test_turn_gives_each_caller_its_own_errors() -> None:
    held = Held()
    errors = {"first": ValueError("first"), "second": KeyError("second")}

    def observer(value: str) -> None:
        if value in errors:
            raise errors[value]

    obs: Observable[[str]] = Observable([held, observer], maxsize=None)
    calls = [await busy(obs, held, "first"), await begin(obs.notify("second")), await begin(obs.notify("third"))]
    held.release()
    assert await within(asyncio.gather(*calls, return_exceptions=True)) == [*errors.values(), None]


async def test_turn_of_a_cancelled_call_goes_to_the_next() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)
    first = await busy(obs, held, "first")
    second = await begin(obs.notify("second"))
    first.cancel()
    await held.entered("second")
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(first)
    await within(second)
    assert held.ended == ["second"]


async def test_notify_cancelled_while_it_waits_for_its_turn_is_withdrawn_alone() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)
    first = await busy(obs, held, "first")
    withdrawn, last = await begin(obs.notify("withdrawn")), await begin(obs.notify("last"))
    withdrawn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(withdrawn)
    assert held.cancelled == []
    held.release()
    await within(asyncio.gather(first, last))
    assert held.ended == ["first", "last"]


async def test_notify_from_inside_raises_at_once_and_changes_nothing() -> None:
    seen: list[int] = []
    refused: list[int] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value == 0:
            with pytest.raises(ReentrancyError):
                await within(obs.notify(1))
            await asyncio.sleep(0)
            with pytest.raises(ReentrancyError):
                await within(obs.notify(2))
            refused.append(value)

    obs: Observable[[int]] = Observable([observer], maxsize=None)
    await within(obs.notify(0))
    await obs.notify(3)
    assert seen == [0, 3]
    assert refused == [0]


async def test_notify_from_inside_an_observer_of_a_derived_observable_raises_at_once() -> None:
    refused: list[int] = []
    obs: Observable[[int]] = Observable(maxsize=None)
    derived = obs.fork()

    async def observer(value: int) -> None:
        await asyncio.sleep(0)
        with pytest.raises(ReentrancyError):
            await within(obs.notify(value + 1))
        refused.append(value)

    derived.subscribe_nowait(observer)
    await within(obs.notify(0))
    assert refused == [0]


async def test_notify_indirectly_from_inside_raises_at_once() -> None:
    refused: list[int] = []

    async def on_other(value: int) -> None:
        await asyncio.sleep(0)
        with pytest.raises(ReentrancyError):
            await within(obs.notify(value + 1))
        refused.append(value)

    other: Observable[[int]] = Observable([on_other], maxsize=None)
    obs: Observable[[int]] = Observable([other.notify], maxsize=None)
    await within(obs.notify(0))
    assert refused == [0]


async def test_notify_indirectly_through_a_call_that_waits_for_its_turn_raises_at_once() -> None:
    """The inner call has to be known as inside even though it had to wait before it started."""
    held = Held()
    refused: list[int] = []

    async def on_other(value: Any) -> None:
        if value == 0:
            with pytest.raises(ReentrancyError):
                await within(obs.notify(1))
            refused.append(value)

    other: Observable[[Any]] = Observable([held, on_other], maxsize=None)
    obs: Observable[[Any]] = Observable([other.notify], maxsize=None)
    blocking = await busy(other, held)
    outer = await begin(obs.notify(0))
    held.release()
    await within(asyncio.gather(blocking, outer))
    assert refused == [0]


async def test_notify_from_a_task_that_an_observer_spawned_waits_for_its_turn() -> None:
    seen: list[int] = []
    spawned: list[asyncio.Task[None]] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value == 0:
            spawned.append(asyncio.create_task(obs.notify(1)))
            await settle()
            assert seen == [0]
            assert not spawned[0].done()

    obs: Observable[[int]] = Observable([observer], maxsize=None)
    await within(obs.notify(0))
    await within(asyncio.gather(*spawned))
    assert seen == [0, 1]


async def test_notify_from_a_task_that_an_observer_spawned_works_long_after() -> None:
    seen: list[int] = []
    spawned: list[asyncio.Task[None]] = []
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()
        await obs.notify(1)

    def observer(value: int) -> None:
        seen.append(value)
        if value == 0:
            spawned.append(asyncio.create_task(later()))

    obs: Observable[[int]] = Observable([observer], maxsize=None)
    await obs.notify(0)
    go.set()
    await within(asyncio.gather(*spawned))
    assert seen == [0, 1]


async def test_notify_from_a_group_of_tasks_of_an_observer_of_another_observable_works() -> None:
    seen: list[int] = []
    target: Observable[[int]] = Observable([Recorder(), seen.append], maxsize=None)

    async def observer(value: int) -> None:
        async with asyncio.TaskGroup() as group:
            for offset in range(3):
                group.create_task(target.notify(value + offset))

    obs: Observable[[int]] = Observable([observer], maxsize=None)
    await within(obs.notify(10))
    assert seen == [10, 11, 12]


async def test_two_observers_that_notify_the_same_other_observable_take_turns() -> None:
    seen: list[int] = []
    target: Observable[[int]] = Observable([Recorder(), seen.append], maxsize=None)

    async def one(value: int) -> None:
        await target.notify(value)

    async def two(value: int) -> None:
        await target.notify(value + 1)

    obs: Observable[[int]] = Observable([one, two], maxsize=None)
    await within(obs.notify(1))
    assert seen == [1, 2]


async def test_reentrancy_error_says_what_would_wait_for_what() -> None:
    messages: list[str] = []

    async def observer() -> None:
        with pytest.raises(ReentrancyError) as caught:
            await obs.notify()
        assert isinstance(caught.value, AsyncutilsRxError)
        assert isinstance(caught.value, RuntimeError)
        messages.append(str(caught.value))

    obs: Observable[[]] = Observable([observer], maxsize=None)
    await within(obs.notify())
    assert len(messages) == 1
    assert "Observable" in messages[0]


# Every other call that waits, from inside an observer: it works or raises at once, and never hangs


async def first_of_sequential(obs: Observable[[int]]) -> object:
    results = obs.notify_sequential(5)
    try:
        return await anext(results, None)
    finally:
        await results.aclose()


WAITING_CALLS: dict[str, Any] = {
    "wait_until_idle": lambda obs: obs.wait_until_idle(),
    "wait_for_next": lambda obs: obs.wait_for_next(),
    "wait_for_next, strict": lambda obs: obs.wait_for_next(strict=True),
    "handle_notifications": lambda obs: obs.handle_notifications(),
    "handle_unsubscriptions": lambda obs: obs.handle_unsubscriptions(),
    "restart_accumulation with flush": lambda obs: obs.restart_accumulation(flush=True),
    "restart_accumulation without flush": lambda obs: obs.restart_accumulation(flush=False),
    "notify_sequential": first_of_sequential,
    "subscribe": lambda obs: obs.subscribe(Recorder()),
    "unsubscribe": lambda obs: obs.unsubscribe(Recorder()),
    "aclose": lambda obs: obs.aclose(),
}


@pytest.mark.virtual_time
@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("maxsize", [0, 1, None])
@pytest.mark.parametrize("name", WAITING_CALLS)
async def test_call_from_inside_an_observer_never_hangs(name: str, maxsize: int | None, queued: bool) -> None:
    outcomes: list[object] = []

    async def observer(value: int) -> None:
        if value == 0:
            if queued and maxsize is not None:
                await obs.notify(1)
            try:
                outcomes.append(await within(WAITING_CALLS[name](obs), 1000))
            except AsyncutilsRxError as error:
                outcomes.append(error)

    obs: Observable[[int]] = Observable([observer], maxsize=maxsize)
    await within(obs.notify(0), 5000)
    assert len(outcomes) == 1
    assert not isinstance(outcomes[0], TimeoutError)
    await within(obs.aclose(), 5000)


@pytest.mark.virtual_time
@pytest.mark.parametrize("name", WAITING_CALLS)
async def test_call_from_inside_an_observer_of_a_derived_observable_never_hangs(name: str) -> None:
    outcomes: list[object] = []
    obs: Observable[[int]] = Observable()
    derived = obs.fork()

    async def observer(value: int) -> None:
        if value == 0:
            for target in (derived, obs):
                try:
                    outcomes.append(await within(WAITING_CALLS[name](target), 1000))
                except AsyncutilsRxError as error:
                    outcomes.append(error)

    derived.subscribe_nowait(observer)
    await within(obs.notify(0), 5000)
    assert len(outcomes) == 2
    assert not any(isinstance(outcome, TimeoutError) for outcome in outcomes)
    await within(obs.aclose(), 5000)


@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_calls_that_wait_from_a_task_that_an_observer_spawned_are_not_inside(turns: int) -> None:
    spawned: list[asyncio.Task[Any]] = []

    async def observer(value: int) -> None:
        if value == 0:
            spawned.append(asyncio.create_task(obs.wait_until_idle()))
            spawned.append(asyncio.create_task(obs.wait_for_next()))
            await tick(turns + 2)

    obs: Observable[[int]] = Observable([observer])
    await within(obs.notify(0))
    await within(spawned[0])
    await within(obs.notify(1))
    assert await within(spawned[1]) == ((1,), {})
