"""The timeout of a publication, and how it is told from a cancellation by others."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx._bus._interruption import Interruption
from asyncutils_rx.exceptions import BusPublishingError, BusTimeout
from tests.observable_kit import Held, Recorder, Tally, begin, collect_errors, failing, now, settle, within
from tests.support import tick

pytestmark = pytest.mark.virtual_time


async def test_timeout_cancels_and_awaits_what_runs_and_raises() -> None:
    bus = EventBus("shop")
    ended: list[float] = []

    @bus.subscribe_to("topic")
    async def slow(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2)
            ended.append(now())

    with pytest.raises(BusTimeout, match="'shop'.*'topic'.*3 s") as caught:
        await bus.publish("topic", timeout=3)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.timeout == 3
    assert ended == [5]
    assert now() == 5
    assert bus.active_tasks == 0


async def test_timeout_that_is_not_reached_leaves_no_trace() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    await bus.publish("topic", 1, timeout=3)
    assert recorder.values == [1]
    assert now() == 0
    await asyncio.sleep(10)


async def test_timeout_of_zero_lets_what_needs_no_waiting_pass() -> None:
    bus = EventBus()
    tally = Tally()
    bus.subscribe(tally)
    stream = bus.event_stream("topic")
    bus.unsubscribe(tally)
    await bus.publish("topic", 1, timeout=0)
    assert await anext(stream) == 1


async def test_timeout_of_zero_ends_what_waits() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    with pytest.raises(BusTimeout):
        await bus.publish("topic", 1, timeout=0)
    assert now() == 0


async def test_timeout_of_infinity_is_none() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1, timeout=float("inf")))
    await asyncio.sleep(1e9)
    held.release()
    await publishing


async def test_timeout_includes_the_middlewares() -> None:
    bus = EventBus()
    recorder = Recorder()
    cancelled: list[float] = []

    async def slow(_: str, data: object) -> object:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(now())
            raise
        return data

    bus.add_middleware(slow)
    bus.subscribe(recorder, "topic")
    with pytest.raises(BusTimeout):
        await bus.publish("topic", timeout=3)
    assert cancelled == [3]
    assert recorder.values == []
    await tick()  # the step of a task keeps the error that it began with


async def test_timeout_includes_waiting_for_a_place() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "topic")
    first = await begin(bus.publish("topic", 1))
    with pytest.raises(BusTimeout):
        await bus.publish("topic", 2, timeout=3)
    assert held.started == [1]
    held.release()
    await first


async def test_timeout_includes_waiting_for_room_in_a_stream() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.publish("topic", 1)
    with pytest.raises(BusTimeout, match="a publication of 'topic'"):
        await bus.publish("topic", 2, timeout=3)
    assert now() == 3
    assert await anext(stream) == 1
    await bus.publish("topic", 3)
    assert await anext(stream) == 3


async def test_timeout_includes_the_chaperone(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    errors = [ValueError(1), ValueError(2)]
    subscribers = [failing(error) for error in errors]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    held = Held()
    with pytest.raises(BusTimeout):
        await bus.publish("topic", timeout=3, chaperone=held)
    assert held.cancelled == errors[:1]
    assert collect_errors(loop_errors) == errors[1:]


@pytest.mark.parametrize("safe", [False, True])
async def test_timeout_loses_no_error(safe: bool, loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    late = ValueError("late")

    @bus.subscribe_to("topic")
    async def failing_late(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise late from None

    with pytest.raises(BusTimeout):
        await bus.publish("topic", timeout=3, safe=safe)
    assert collect_errors(loop_errors) == [late]


async def test_timeout_is_raised_though_a_subscriber_ends_as_if_nothing_had_happened() -> None:
    bus = EventBus()

    @bus.subscribe_to("topic")
    async def stubborn(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(1)

    with pytest.raises(BusTimeout):
        await bus.publish("topic", timeout=3)
    assert now() == 4


async def test_timeout_is_raised_though_a_middleware_swallows_the_cancellation() -> None:
    bus = EventBus()
    recorder = Recorder()

    async def stubborn(_: str, data: object) -> object:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return data

    bus.add_middleware(stubborn)
    bus.subscribe(recorder, "topic")
    with pytest.raises(BusTimeout):
        await bus.publish("topic", timeout=3)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await tick()


async def test_timeout_is_raised_from_what_a_middleware_made_of_the_cancellation() -> None:
    bus = EventBus()

    async def converting(_: str, __: object) -> object:
        try:
            return await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("converted") from None

    bus.add_middleware(converting)
    with pytest.raises(BusTimeout) as caught:
        await bus.publish("topic", timeout=3)
    assert isinstance(caught.value.__cause__, BusPublishingError)


async def test_timeout_that_nobody_waits_for_is_reported(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    await bus.publish("topic", 1, wait=False, timeout=3)
    await asyncio.sleep(4)
    assert held.cancelled == [1]
    assert [type(error) for error in collect_errors(loop_errors)] == [BusTimeout]


async def test_timeout_that_nobody_waits_for_goes_to_the_handler() -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    held = Held()
    bus.subscribe(held, "topic")
    bus.sync_start_publish("topic", 1, timeout=3)
    await asyncio.sleep(4)
    assert [type(error) for error in handled] == [BusTimeout]


# Told from other cancellations


async def publish_and_note(bus: EventBus, seen: list[str], timeout: float) -> None:
    try:
        await bus.publish("topic", 1, timeout=timeout)
    except BusTimeout:
        seen.append("timeout")
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


async def test_timeout_leaves_the_publishers_task_uncancelled() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    task = asyncio.current_task()
    assert task is not None
    for _ in range(3):
        with pytest.raises(BusTimeout):
            await bus.publish("topic", 1, timeout=1)
        assert task.cancelling() == 0
        await asyncio.sleep(1)


async def test_cancellation_before_the_timeout_is_a_cancellation() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    seen: list[str] = []
    task = await begin(publish_and_note(bus, seen, 3))
    task.cancel()
    await asyncio.wait([task])
    assert seen == ["cancelled"]
    assert task.cancelled()


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_cancellation_in_the_moment_of_the_timeout_is_a_cancellation(cancelled_first: bool) -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    seen: list[str] = []
    loop = asyncio.get_running_loop()
    task = loop.create_task(publish_and_note(bus, seen, 3))
    if cancelled_first:
        loop.call_at(3, task.cancel)
    await tick(3)
    if not cancelled_first:
        loop.call_at(3, task.cancel)
    await asyncio.wait([task])
    assert seen == ["cancelled"]
    assert task.cancelled()


async def test_cancellation_after_the_timeout_while_subscribers_end_is_a_cancellation() -> None:
    bus = EventBus()

    @bus.subscribe_to("topic")
    async def slow_to_end(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(5)

    seen: list[str] = []
    task = asyncio.ensure_future(publish_and_note(bus, seen, 3))
    await asyncio.sleep(4)
    task.cancel()
    await asyncio.wait([task])
    assert seen == ["cancelled"]


async def test_timeout_while_a_cancelled_publication_ends_does_not_hide_the_cancellation() -> None:
    bus = EventBus()

    @bus.subscribe_to("topic")
    async def slow_to_end(_: Any) -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                await asyncio.sleep(4)
                raise

    seen: list[str] = []
    task = asyncio.ensure_future(publish_and_note(bus, seen, 3))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert seen == ["cancelled"]


async def test_a_timeout_inside_a_timeout_is_the_inner_ones() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "inner")
    seen: list[str] = []

    @bus.subscribe_to("outer")
    async def outer(_: Any) -> None:
        try:
            await bus.publish("inner", 1, timeout=1)
        except BusTimeout:
            seen.append("inner")
        await asyncio.sleep(1)

    await bus.publish("outer", timeout=3)
    assert seen == ["inner"]
    assert now() == 2


async def test_the_timeouts_of_nested_publications_at_one_moment_are_each_their_own() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "inner")
    seen: list[str] = []

    async def middleware(event_type: str, data: object) -> object:
        if event_type == "outer":
            try:
                await bus.publish("inner", 1, timeout=3)
            except BusTimeout:
                seen.append("inner")
                raise
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
        return data

    bus.add_middleware(middleware)
    with pytest.raises(BusTimeout, match="'outer'"):
        await bus.publish("outer", timeout=3)
    assert seen in (["inner"], ["cancelled"])
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_timeout_and_asyncio_timeout_around_it_are_told_apart() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(2):
            await bus.publish("topic", 1, timeout=3)
    assert not isinstance(caught.value, BusTimeout)
    with pytest.raises(BusTimeout):
        async with asyncio.timeout(4):
            await bus.publish("topic", 2, timeout=3)


# The interruption by itself


async def test_interruption_only_counts_the_first_reason_and_none_after_the_end() -> None:
    first = ValueError("first")
    with pytest.raises(ValueError, match="first"):
        async with Interruption("owner") as interruption:
            interruption.interrupt(first)
            interruption.interrupt(ValueError("second"))
            await asyncio.sleep(1)
    interruption.interrupt(ValueError("late"))
    await tick()


async def test_interruption_that_was_not_delivered_yet_leaves_no_cancellation_behind() -> None:
    with pytest.raises(ValueError, match="now"):
        async with Interruption("owner") as interruption:
            interruption.interrupt(ValueError("now"))
    await tick(3)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_interruption_does_not_swallow_a_cancellation_that_follows_it() -> None:
    task = asyncio.current_task()
    assert task is not None
    seen: list[str] = []
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        async with Interruption("owner") as interruption:
            interruption.interrupt(ValueError("now"))
    except asyncio.CancelledError:
        seen.append("cancelled")
        task.uncancel()
    except ValueError:
        seen.append("interrupted")
        try:
            await tick()
        except asyncio.CancelledError:
            seen.append("cancelled")
            task.uncancel()
    assert seen[-1] == "cancelled"


async def test_interruption_whose_block_swallows_a_cancellation_by_others_too_is_an_interruption() -> None:
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(ValueError, match="now"):
        async with Interruption("owner") as interruption:
            asyncio.get_running_loop().call_soon(interruption.interrupt, ValueError("now"))
            asyncio.get_running_loop().call_soon(task.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)
    assert task.uncancel() == 0


async def test_interruption_passes_on_what_ends_the_program() -> None:
    with pytest.raises(SystemExit):
        async with Interruption("owner") as interruption:
            interruption.interrupt(ValueError("now"))
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                raise SystemExit from None


async def test_publications_time_out_at_their_own_times() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    ended: list[tuple[int, float]] = []

    async def publish(number: int) -> None:
        with pytest.raises(BusTimeout):
            await bus.publish("topic", number, timeout=number)
        ended.append((number, now()))

    await asyncio.gather(*(publish(number) for number in (3, 1, 2)))
    assert ended == [(1, 1), (2, 2), (3, 3)]
    await settle()


async def test_timeout_inside_a_callback_gives_the_callback_its_place_back_first() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    seen: list[tuple[str, float]] = []

    @bus.subscribe_to("outer")
    async def outer(_: Any) -> None:
        with pytest.raises(BusTimeout):
            await bus.publish("inner", 1, timeout=3)
        seen.append(("outer", now()))
        assert bus.active_tasks == 1

    publishing = await begin(bus.publish("outer"))
    elsewhere = await begin(bus.publish("other", 2))
    await asyncio.sleep(3)
    await settle()
    assert other.started == [2]
    assert seen == []
    await asyncio.sleep(2)
    other.release()
    await within(asyncio.gather(publishing, elsewhere))
    assert seen == [("outer", 5)]
