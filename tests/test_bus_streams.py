"""Event streams: what they see, how they hold publishers up, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Callable
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncutils_rx import EventBus
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError, BusShutDown, BusTimeout, WrongLoopError
from tests.observable_kit import Held, Recorder, begin, collect_errors, now, settle, within
from tests.support import tick

# What they see


async def test_event_stream_of_a_topic_gives_its_data() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    await bus.publish("topic", 1)
    await bus.publish("other", 2)
    await bus.publish("topic", 3)
    assert [await anext(stream), await anext(stream)] == [1, 3]


@pytest.mark.parametrize("args", [(), (EventBus.WILDCARD,)])
async def test_event_stream_of_everything_gives_pairs(args: Any) -> None:
    bus = EventBus()
    stream: Any = bus.event_stream(*args)
    await bus.publish("topic", 1)
    await bus.publish("other", 2)
    assert [await anext(stream), await anext(stream)] == [("topic", 1), ("other", 2)]


async def test_event_stream_is_registered_at_the_call() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    await bus.publish("topic", 1)
    assert await anext(stream) == 1


def test_event_stream_needs_no_loop() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")

    async def main() -> None:
        await bus.publish("topic", 1)
        assert await anext(stream) == 1

    asyncio.run(main())


async def test_each_stream_sees_every_event() -> None:
    bus = EventBus()
    streams = [bus.event_stream("topic") for _ in range(3)]
    everything = bus.event_stream()
    for number in range(3):
        await bus.publish("topic", number)
    for stream in streams:
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
    assert [await anext(everything) for _ in range(3)] == [("topic", 0), ("topic", 1), ("topic", 2)]


async def test_a_stream_sees_nothing_from_before_it_was_opened() -> None:
    bus = EventBus()
    await bus.publish("topic", 1)
    stream = bus.event_stream("topic")
    await bus.publish("topic", 2)
    assert await anext(stream) == 2


async def test_a_stream_sees_an_event_before_what_its_subscribers_publish() -> None:
    bus = EventBus()
    stream = bus.event_stream()

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data)

    await bus.publish("outer", 1)
    assert [await anext(stream), await anext(stream)] == [("outer", 1), ("inner", 1)]


async def test_a_stream_sees_events_in_the_order_in_which_they_passed_the_middlewares() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    held = Held()

    async def slow(_: str, data: int) -> int:
        await held(data)
        return data

    bus.add_middleware(slow)
    publications = [await begin(bus.publish("topic", n)) for n in range(3)]
    held.release(2)
    await settle()
    held.release()
    await asyncio.gather(*publications)
    assert [await anext(stream) for _ in range(3)] == [2, 0, 1]


async def test_a_loop_over_a_stream_waits_for_events() -> None:
    bus = EventBus()
    seen: list[int] = []

    async def read() -> None:
        async for data in bus.event_stream("topic"):
            seen.append(data)
            if data == 2:
                break

    reading = await begin(read())
    for number in range(3):
        await bus.publish("topic", number)
        await settle()
        assert seen == list(range(number + 1))
    await within(reading)


async def test_an_event_stream_is_an_async_generator() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    assert isinstance(stream, AsyncGenerator)
    assert aiter(stream) is stream
    await bus.publish("topic", 1)
    await bus.publish("topic", 2)
    assert await stream.asend(None) == 1
    assert await stream.__anext__() == 2
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await stream.asend(None)


async def test_athrow_closes_the_stream_and_raises() -> None:
    bus = EventBus()
    for args in ((ValueError("thrown"),), (ValueError, ValueError("thrown")), (ValueError, None)):
        stream: Any = bus.event_stream("topic")
        await bus.publish("topic", 1)
        with pytest.raises(ValueError):  # noqa: PT011  # it has no message when the class is thrown
            await stream.athrow(*args)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_stream_tells_its_state_in_its_repr() -> None:
    bus = EventBus()
    stream, everything = bus.event_stream("topic", bufsize=3), bus.event_stream(bufsize=0)
    await bus.publish("topic", 1)
    assert "open" in repr(stream)
    assert "'topic', 1 of 3 items" in repr(stream)
    assert "all events, 1 items" in repr(everything)
    await stream.aclose()
    assert "closed" in repr(stream)


# Steps


async def test_a_cancelled_step_loses_nothing_and_leaves_the_stream_open() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    step = await begin(stream.__anext__())
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    await bus.publish("topic", 1)
    assert await anext(stream) == 1


async def test_a_step_cancelled_in_the_tick_of_the_event_loses_nothing() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    step = await begin(stream.__anext__())
    await bus.publish("topic", 1)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert await anext(stream) == 1


async def test_a_step_cancelled_in_the_tick_of_the_event_wakes_another_one() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    first, second = await begin(stream.__anext__()), await begin(stream.__anext__())
    await bus.publish("topic", 1)
    first.cancel()
    await settle()
    assert first.cancelled()
    assert second.result() == 1


async def test_an_event_right_after_the_cancellation_of_a_step_goes_to_another_one() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    first, second = await begin(stream.__anext__()), await begin(stream.__anext__())
    first.cancel()
    await bus.publish("topic", 1)
    await settle()
    assert first.cancelled()
    assert second.result() == 1


@pytest.mark.virtual_time
async def test_wait_for_a_step_loses_nothing() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    seen: list[int] = []

    async def publish() -> None:
        for number in range(5):
            await asyncio.sleep(1)
            await bus.publish("topic", number)

    publishing = asyncio.ensure_future(publish())
    for _ in range(40):
        with contextlib.suppress(TimeoutError):
            seen.append(await asyncio.wait_for(anext(stream), 0.3))
    assert seen == list(range(5))
    await publishing


async def test_several_tasks_may_step_one_stream_and_each_event_goes_to_one() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    seen: list[int] = []

    async def work() -> None:
        async for data in stream:
            seen.append(data)
            await tick(data % 3)

    workers = [await begin(work()) for _ in range(3)]
    for number in range(20):
        await bus.publish("topic", number)
    await settle()
    await settle()
    assert sorted(seen) == list(range(20))
    await stream.aclose()
    await within(asyncio.gather(*workers))


async def test_a_step_cancelled_while_it_lets_the_loop_run_takes_nothing() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    await bus.publish("topic", 1)
    bus._bind().calls = 1000
    step = asyncio.ensure_future(stream.__anext__())
    await asyncio.sleep(0)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert await anext(stream) == 1


async def test_a_task_that_only_reads_lets_the_loop_run() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=0)
    for number in range(1000):
        await bus.publish("topic", number)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await tick()

    counting = await begin(count())
    turns = 0
    for number in range(1000):
        assert await anext(stream) == number
    assert turns >= 10
    counting.cancel()


def test_a_stream_stepped_on_another_loop_raises() -> None:
    bus = EventBus("settled")
    stream = bus.event_stream("topic")
    asyncio.run(bus.publish("topic", 1))

    async def step() -> None:
        await anext(stream)

    with pytest.raises(WrongLoopError, match="settled"):
        asyncio.run(step())


# Full buffers


async def test_a_full_buffer_holds_the_publisher_up() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=2)
    await bus.publish("topic", 1)
    await bus.publish("topic", 2)
    publishing = await begin(bus.publish("topic", 3))
    assert not publishing.done()
    assert await anext(stream) == 1
    await within(publishing)
    assert [await anext(stream), await anext(stream)] == [2, 3]


async def test_publishers_that_wait_for_room_keep_their_order() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    publications = [await begin(bus.publish("topic", n)) for n in range(5)]
    assert [await anext(stream) for _ in range(5)] == list(range(5))
    await within(asyncio.gather(*publications))


async def test_a_publisher_does_not_overtake_one_that_waits_for_room() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.publish("topic", 0)
    first = await begin(bus.publish("topic", 1))
    assert await anext(stream) == 0
    second = await begin(bus.publish("topic", 2))
    assert [await anext(stream), await anext(stream)] == [1, 2]
    await within(asyncio.gather(first, second))


async def test_a_slow_stream_does_not_keep_subscribers_from_starting() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    recorder = Recorder()
    await bus.publish("topic", 0)
    bus.subscribe(recorder, "topic")
    publishing = await begin(bus.publish("topic", 1))
    assert recorder.values == [1]
    assert await anext(stream) == 0
    await within(publishing)


async def test_a_slow_stream_does_not_hold_up_other_streams() -> None:
    bus = EventBus()
    slow, fast = bus.event_stream("topic", bufsize=1), bus.event_stream("topic", bufsize=1)
    await bus.publish("topic", 0)
    assert await anext(fast) == 0
    publishing = await begin(bus.publish("topic", 1))
    assert await anext(fast) == 1
    assert not publishing.done()
    assert await anext(slow) == 0
    await within(publishing)


async def test_bufsize_0_is_unbounded() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=0)
    for number in range(1000):
        await bus.publish("topic", number)
    assert bus.stream_queue.qsize() == 1000
    assert await anext(stream) == 0


@pytest.mark.virtual_time
async def test_a_stream_that_is_too_slow_fails_that_delivery_after_its_timeout() -> None:
    bus = EventBus("shop")
    stream = bus.event_stream("topic", bufsize=1, timeout=3)
    await bus.publish("topic", 1)
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic", 2)
    assert now() == 3
    (error,) = caught.value.exceptions
    assert isinstance(error, BusTimeout)
    assert "shop" in str(error)
    assert "'topic'" in str(error)
    assert await anext(stream) == 1
    await bus.publish("topic", 3)
    assert await anext(stream) == 3


@pytest.mark.virtual_time
async def test_a_delivery_that_fails_is_an_error_like_any_subscribers() -> None:
    handled: list[BaseException] = []
    taken: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    stream = bus.event_stream("topic", bufsize=1, timeout=3)
    await bus.publish("topic", 1)
    await bus.publish("topic", 2)
    await bus.publish("topic", 3, chaperone=taken.append)
    with pytest.raises(BusTimeout):
        await bus.publish("topic", 4, safe=False)
    assert [type(error) for error in (*handled, *taken)] == [BusTimeout, BusTimeout]
    assert await anext(stream) == 1


async def test_a_timeout_of_0_never_holds_the_publisher_up() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1, timeout=0)
    recorder = Recorder()
    await bus.publish("topic", 1)
    bus.subscribe(recorder, "topic")
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic", 2)
    assert isinstance(caught.value.exceptions[0], BusTimeout)
    assert recorder.values == [2]
    assert await anext(stream) == 1


@pytest.mark.virtual_time
async def test_the_errors_of_streams_come_after_those_of_subscribers() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1, timeout=0)
    await bus.publish("topic", 1)

    @bus.subscribe_to("topic")
    async def bad(_: Any) -> None:
        await asyncio.sleep(1)
        raise ValueError

    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic", 2)
    assert [type(error) for error in caught.value.exceptions] == [ValueError, BusTimeout]
    await stream.aclose()


async def test_publish_cancelled_while_it_waits_for_room_withdraws_the_event() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.publish("topic", 1)
    cancelled = await begin(bus.publish("topic", 2))
    publishing = await begin(bus.publish("topic", 3))
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(cancelled)
    assert [await anext(stream), await anext(stream)] == [1, 3]
    await within(publishing)


async def test_publish_cancelled_while_it_waits_for_room_in_two_streams_withdraws_the_event_from_both() -> None:
    bus = EventBus()
    streams = [bus.event_stream("topic", bufsize=1) for _ in range(2)]
    await bus.publish("topic", 1)
    cancelled = await begin(bus.publish("topic", 2))
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(cancelled)
    publishing = await begin(bus.publish("topic", 3))
    assert [[await anext(stream), await anext(stream)] for stream in streams] == [[1, 3]] * 2
    await within(publishing)


async def test_publish_does_not_wait_for_room_that_its_subscriber_has_made() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.publish("topic", 1)
    taken: list[object] = []

    @bus.subscribe_to("topic")
    def take(_: Any) -> None:
        taken.append(bus.stream_queue.get_nowait())

    first_step = bus.publish("topic", 2)
    with pytest.raises(StopIteration):
        first_step.send(None)
    assert taken == [1]
    assert await anext(stream) == 2


async def test_an_event_whose_subscribers_cannot_start_waits_for_room_no_more() -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise MemoryError

    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    await bus.publish("topic", 1)
    loop = asyncio.get_running_loop()
    loop.set_task_factory(refuse)
    with pytest.raises(MemoryError):
        await bus.publish("topic", 2)
    loop.set_task_factory(None)
    publishing = await begin(bus.publish("topic", 3))
    assert [await anext(stream), await anext(stream)] == [1, 3]
    await within(publishing)
    assert recorder.values == [1, 3]


async def test_the_task_that_reads_does_not_wait_for_room_that_only_it_can_make() -> None:
    bus = EventBus()
    seen: list[int] = []

    async def read() -> None:
        async for data in bus.event_stream("topic", bufsize=1):
            seen.append(data)
            if data < 10:
                await bus.publish("topic", data + 10)
                await bus.publish("topic", data + 20)
            if data == 20:
                return

    reading = await begin(read())
    await bus.publish("topic", 0)
    await within(reading)
    assert seen == [0, 10, 20]


@pytest.mark.virtual_time
async def test_the_task_that_reads_waits_as_long_as_a_stream_with_a_timeout_says() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1, timeout=3)
    await bus.publish("topic", 0)
    assert await anext(stream) == 0
    await bus.publish("topic", 1)
    with pytest.raises(ExceptionGroup):
        await bus.publish("topic", 2)
    assert now() == 3


# Item timeouts


@pytest.mark.virtual_time
async def test_item_timeout_ends_the_stream_when_no_event_came_for_that_long() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", item_timeout=3)

    async def publish() -> None:
        for delay in (1, 2, 2.5):
            await asyncio.sleep(delay)
            await bus.publish("topic", delay)

    publishing = asyncio.ensure_future(publish())
    assert [data async for data in stream] == [1, 2, 2.5]
    assert now() == 8.5
    await publishing
    assert bus.stream_queue.empty()
    await bus.publish("topic", "late")
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.virtual_time
async def test_item_timeout_does_not_count_while_nobody_reads() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", item_timeout=3)
    await asyncio.sleep(10)
    await bus.publish("topic", 1)
    await asyncio.sleep(10)
    assert await anext(stream) == 1
    await asyncio.sleep(10)
    step = await begin(stream.__anext__())
    await asyncio.sleep(2)
    await bus.publish("topic", 2)
    assert await step == 2


@pytest.mark.virtual_time
async def test_item_timeout_counts_on_over_steps_that_are_cancelled() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", item_timeout=3)
    with pytest.raises(StopAsyncIteration):
        for _ in range(100):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(anext(stream), 1)
    assert now() == 3


async def test_an_event_in_the_moment_of_the_item_timeout_is_not_lost() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", item_timeout=3)
    step = await begin(stream.__anext__())
    buffer: Any = bus.stream_queue
    publishing = bus.publish("topic", "just in time")
    asyncio.get_running_loop().call_soon(buffer._end_idle)
    await publishing
    buffer._end_idle()
    assert await within(step) == "just in time"


@pytest.mark.virtual_time
async def test_item_timeout_of_0_ends_a_stream_that_has_nothing() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", item_timeout=0)
    await bus.publish("topic", 1)
    assert [data async for data in stream] == [1]
    assert now() == 0


# The end of a stream


async def test_aclose_ends_the_stream_and_drops_what_was_buffered() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    await bus.publish("topic", 1)
    await stream.aclose()
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await bus.publish("topic", 2)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_aclose_lets_waiting_publishers_go() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    publications = [await begin(bus.publish("topic", n)) for n in range(3)]
    await stream.aclose()
    await within(asyncio.gather(*publications))


async def test_aclose_ends_a_step_that_waits() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    steps = [await begin(stream.__anext__()) for _ in range(2)]
    await stream.aclose()
    await asyncio.wait(steps)
    assert [type(step.exception()) for step in steps] == [StopAsyncIteration] * 2


async def test_a_closed_stream_leaves_nothing_registered() -> None:
    bus = EventBus()
    for topic in ("one", "two"):
        stream = bus.event_stream(topic)
        await stream.aclose()
    everything = bus.event_stream()
    await everything.aclose()
    assert not bus._core.sinks
    assert not bus._core.streams.open


async def test_a_stream_that_is_collected_lets_waiting_publishers_go() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    publications = [await begin(bus.publish("topic", n)) for n in range(3)]
    del stream
    gc.collect()
    await within(asyncio.gather(*publications))
    await settle()
    assert not bus._core.sinks


async def test_a_stream_that_is_collected_is_unregistered() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    newest = bus.event_stream("topic", bufsize=1)
    queue = bus.stream_queue
    del newest
    gc.collect()
    assert bus.stream_queue is not queue
    await bus.publish("topic", 1)
    assert len(bus._core.streams.open) == 1
    assert await anext(stream) == 1


@pytest.mark.parametrize("next_call", [EventBus.event_stream, lambda bus: bus.stream_queue])
def test_streams_that_are_collected_take_no_memory_where_nothing_is_published(
    next_call: Callable[[EventBus], object],
) -> None:
    bus = EventBus()
    for number in range(100):
        bus.event_stream(f"topic {number}")
    gc.collect()
    kept = next_call(bus)
    assert len(bus._core.streams.open) <= 1
    assert not bus._core.sinks._topics
    del kept


async def test_a_loop_that_is_left_unregisters_its_stream() -> None:
    bus = EventBus()

    async def read() -> int:
        async for data in bus.event_stream("topic", bufsize=1):
            return int(data)
        return -1

    reading = await begin(read())
    await bus.publish("topic", 1)
    assert await within(reading) == 1
    del reading
    gc.collect()
    for number in range(5):
        await within(bus.publish("topic", number))
    assert not bus._core.sinks


def test_a_stream_that_outlives_its_loop_is_collected_silently() -> None:
    bus = EventBus()
    streams: list[Any] = []

    async def main() -> None:
        streams.append(bus.event_stream("topic", bufsize=1))
        streams.append(bus.event_stream("topic", bufsize=1))
        step = await begin(streams[0].__anext__())
        step.cancel()

    asyncio.run(main())
    streams.clear()
    gc.collect()


def test_a_stream_is_collected_silently_at_the_exit_of_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = EventBus()
    stream: Any = bus.event_stream("topic")
    type(stream).__del__(stream, lambda: True)
    assert bus.stream_queue is stream._buffer
    monkeypatch.undo()


async def test_a_stream_keeps_its_bus_alive() -> None:
    stream = EventBus("kept").event_stream("topic")
    gc.collect()
    step = await begin(stream.__anext__())
    assert not step.done()
    step.cancel()


async def test_event_stream_after_shutdown_raises() -> None:
    bus = EventBus("gone")
    await bus.shutdown()
    with pytest.raises(BusShutDown, match="gone"):
        bus.event_stream("topic")


async def test_streams_end_after_what_was_buffered_on_shutdown() -> None:
    bus = EventBus()
    stream, everything = bus.event_stream("topic"), bus.event_stream()
    waiting = await begin(bus.event_stream("other").__anext__())
    await bus.publish("topic", 1)
    await bus.publish("topic", 2)
    await bus.shutdown()
    assert [data async for data in stream] == [1, 2]
    assert [data async for data in everything] == [("topic", 1), ("topic", 2)]
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_streams_end_at_once_on_an_immediate_shutdown() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    await bus.publish("topic", 1)
    await bus.shutdown(immediate=True)
    assert [data async for data in stream] == []


async def test_shutdown_takes_what_publishers_wait_with_into_the_buffer() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    publications = [await begin(bus.publish("topic", n)) for n in range(4)]
    await within(bus.shutdown())
    await within(asyncio.gather(*publications))
    assert [data async for data in stream] == [0, 1, 2, 3]


async def test_immediate_shutdown_ends_publishers_that_wait_for_room() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    publications = [await begin(bus.publish("topic", n)) for n in range(3)]
    await within(bus.shutdown(immediate=True))
    results = await within(asyncio.gather(*publications, return_exceptions=True))
    assert [type(result) for result in results] == [type(None), BusShutDown, BusShutDown]
    assert [data async for data in stream] == []


# Defaults and bad input


async def test_event_stream_takes_its_defaults_from_the_context() -> None:
    bus = EventBus()
    with localcontext(
        EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE=1,
        EVENT_BUS_STREAM_DEFAULT_TIMEOUT=0,
        EVENT_BUS_STREAM_DEFAULT_ITEM_TIMEOUT=0,
    ):
        stream = bus.event_stream("topic")
    assert bus.stream_queue.maxsize == 1
    await bus.publish("topic", 1)
    with pytest.raises(ExceptionGroup):
        await bus.publish("topic", 2)
    assert [data async for data in stream] == [1]


async def test_event_stream_has_room_for_100_events_by_default() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    assert bus.stream_queue.maxsize == 100
    assert "of 100 items" in repr(stream)


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("timeout", -1, ArgumentValueError),
        ("timeout", float("nan"), ArgumentValueError),
        ("timeout", "1", ArgumentTypeError),
        ("item_timeout", -1, ArgumentValueError),
        ("item_timeout", float("nan"), ArgumentValueError),
        ("item_timeout", [], ArgumentTypeError),
        ("bufsize", -1, ArgumentValueError),
        ("bufsize", float("nan"), ArgumentTypeError),
        ("bufsize", None, ArgumentTypeError),
        ("bufsize", 1.5, ArgumentTypeError),
    ],
)
def test_event_stream_refuses_bad_arguments(parameter: str, value: Any, error: type[Exception]) -> None:
    bus = EventBus()
    with pytest.raises(error, match=f"EventBus.event_stream: {parameter} must be"):
        bus.event_stream("topic", **{parameter: value})
    assert not bus._core.streams.open


@pytest.mark.parametrize("event_type", [None, 1, b"topic"])
def test_event_stream_refuses_what_is_no_event_type(event_type: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="EventBus.event_stream: event_type must be a string"):
        EventBus().event_stream(event_type)


# All of it, at random


@given(st.data())
async def test_streams_lose_nothing_and_keep_the_order_under_random_cancellations(data: st.DataObject) -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=data.draw(st.integers(0, 3)))
    reference = bus.event_stream("topic", bufsize=0)
    seen: list[int] = []
    step: asyncio.Task[int] | None = None
    publications: list[asyncio.Task[None]] = []

    def take() -> None:
        nonlocal step
        if step is not None and step.done():
            if not step.cancelled():
                seen.append(step.result())
            step = None

    for number in range(data.draw(st.integers(0, 12))):
        for action in data.draw(st.lists(st.sampled_from(["tick", "step", "cancel", "withdraw"]), max_size=4)):
            take()
            if action == "tick":
                await tick()
            elif action == "step" and step is None:
                step = asyncio.ensure_future(stream.__anext__())
            elif action == "cancel" and step is not None:
                step.cancel()
            elif action == "withdraw" and publications:
                data.draw(st.sampled_from(publications)).cancel()
        publications.append(asyncio.ensure_future(bus.publish("topic", number)))
    while not all(publication.done() for publication in publications):
        await tick()
        take()
        if step is None:
            step = asyncio.ensure_future(stream.__anext__())
    await bus.shutdown()
    await settle()
    if step is not None and not (step.cancelled() or step.exception()):
        take()
    seen += [item async for item in stream]
    expected = [item async for item in reference]
    finished = [number for number, publication in enumerate(publications) if not publication.cancelled()]
    assert seen == sorted(seen)
    assert set(finished) <= set(seen) <= set(expected)


async def test_an_error_in_the_loop_over_a_stream_is_the_loops(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()

    async def read() -> None:
        async for _ in bus.event_stream("topic"):
            raise ValueError

    reading = await begin(read())
    await bus.publish("topic", 1)
    with pytest.raises(ValueError):  # noqa: PT011  # it is the very error
        await within(reading)
    assert collect_errors(loop_errors) == []
