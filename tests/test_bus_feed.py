"""``feed_event`` and ``stream_queue``: what streams start from, and their buffers seen as queues."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError, BusShutDown, BusTimeout, ClosedError
from tests.observable_kit import Recorder, begin, now, settle, within
from tests.support import tick

# Feeding the next stream


async def test_feed_event_without_a_stream_is_what_the_next_one_starts_from() -> None:
    bus = EventBus()
    await bus.feed_event("topic", 1)
    await bus.feed_event("topic", 2)
    stream = bus.event_stream("topic")
    await bus.publish("topic", 3)
    assert [await anext(stream) for _ in range(3)] == [1, 2, 3]


async def test_a_stream_of_everything_starts_from_pairs() -> None:
    bus = EventBus()
    await bus.feed_event("one", 1)
    await bus.feed_event("two", 2)
    stream = bus.event_stream()
    assert [await anext(stream), await anext(stream)] == [("one", 1), ("two", 2)]


async def test_a_stream_of_one_type_takes_the_data_fed_with_that_type_and_leaves_the_rest() -> None:
    bus = EventBus()
    for topic, data in (("one", 1), ("two", 2), ("one", 3)):
        await bus.feed_event(topic, data)
    one = bus.event_stream("one")
    two = bus.event_stream("two")
    assert [await anext(one), await anext(one)] == [1, 3]
    assert await anext(two) == 2


async def test_data_fed_without_a_type_is_for_whatever_stream_is_opened_next() -> None:
    bus = EventBus()
    await bus.feed_event({"key": 1})
    stream = bus.event_stream("topic")
    assert await anext(stream) == {"key": 1}
    await stream.aclose()
    await bus.feed_event(("topic", 2))
    everything = bus.event_stream()
    assert await anext(everything) == ("topic", 2)


async def test_feed_event_starts_no_subscriber_and_passes_no_middleware() -> None:
    bus = EventBus(tracking_stats=True)
    recorder = Recorder()
    bus.add_middleware(lambda _, data: data + 1)
    bus.subscribe(recorder)
    stream = bus.event_stream("topic")
    await bus.feed_event("topic", 1)
    assert await anext(stream) == 1
    assert recorder.values == []
    assert bus.get_event_stats() == {}
    await bus.publish("topic", 1)


async def test_a_stream_may_start_from_more_than_its_buffer_takes() -> None:
    bus = EventBus()
    for number in range(3):
        await bus.feed_event("topic", number)
    stream = bus.event_stream("topic", bufsize=1)
    publishing = await begin(bus.publish("topic", 3))
    assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
    await within(publishing)
    assert await anext(stream) == 3


# Feeding open streams


async def test_feed_event_goes_to_each_open_stream_that_takes_the_type() -> None:
    bus = EventBus()
    streams = [bus.event_stream("topic"), bus.event_stream("topic")]
    other, everything = bus.event_stream("other"), bus.event_stream()
    await bus.feed_event("topic", 1)
    assert [await anext(stream) for stream in streams] == [1, 1]
    assert await anext(everything) == ("topic", 1)
    await bus.publish("other", 2)
    assert await anext(other) == 2


async def test_feed_event_of_a_type_that_no_open_stream_takes_waits_for_the_next_stream() -> None:
    bus = EventBus()
    one = bus.event_stream("one")
    await bus.feed_event("two", 2)
    two = bus.event_stream("two")
    assert await anext(two) == 2
    await bus.publish("one", 1)
    assert await anext(one) == 1


async def test_data_fed_without_a_type_goes_to_the_newest_open_stream() -> None:
    bus = EventBus()
    old, new = bus.event_stream("topic"), bus.event_stream("other")
    await bus.feed_event("data")
    assert await anext(new) == "data"
    await new.aclose()
    await bus.feed_event("more")
    assert await anext(old) == "more"


async def test_feed_event_wakes_a_step_that_waits() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    step = await begin(stream.__anext__())
    await bus.feed_event("topic", 1)
    assert await within(step) == 1


# Room


async def test_feed_event_waits_for_room_in_an_open_stream() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.feed_event("topic", 1)
    feeding = await begin(bus.feed_event("topic", 2))
    assert not feeding.done()
    assert await anext(stream) == 1
    await within(feeding)
    assert await anext(stream) == 2


async def test_feed_event_waits_for_room_until_a_stream_takes_what_was_fed() -> None:
    bus = EventBus()
    with localcontext(EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE=2):
        await bus.feed_event("one", 1)
        await bus.feed_event("two", 2)
        feeding = [await begin(bus.feed_event("one", 3)), await begin(bus.feed_event("two", 4))]
    assert not feeding[0].done()
    one = bus.event_stream("one")
    await within(asyncio.gather(*feeding))
    assert [await anext(one), await anext(one)] == [1, 3]
    two = bus.event_stream("two")
    assert [await anext(two), await anext(two)] == [2, 4]


@pytest.mark.virtual_time
@pytest.mark.parametrize("is_open", [False, True])
async def test_feed_event_gives_up_after_its_timeout(is_open: bool) -> None:
    bus = EventBus("shop")
    with localcontext(EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE=1):
        stream = bus.event_stream("topic") if is_open else None
        await bus.feed_event("topic", 1)
        with pytest.raises(BusTimeout, match="shop"):
            await bus.feed_event("topic", 2, timeout=3)
        assert now() == 3
        with pytest.raises(BusTimeout):
            await bus.feed_event("topic", 3, timeout=0)
        stream = stream or bus.event_stream("topic")
    assert await anext(stream) == 1
    await bus.feed_event("topic", 4)
    assert await anext(stream) == 4


@pytest.mark.virtual_time
async def test_feed_event_takes_its_timeout_from_the_context() -> None:
    bus = EventBus()
    with localcontext(EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE=1, EVENT_BUS_STREAM_DEFAULT_TIMEOUT=3):
        await bus.feed_event("topic", 1)
        with pytest.raises(BusTimeout):
            await bus.feed_event("topic", 2)
    assert now() == 3


async def test_feed_event_that_fails_at_one_stream_has_reached_the_others() -> None:
    bus = EventBus()
    full, other = bus.event_stream("topic", bufsize=1), bus.event_stream("topic")
    await bus.publish("topic", 1)
    with pytest.raises(BusTimeout):
        await bus.feed_event("topic", 2, timeout=0)
    assert await anext(full) == 1
    assert [await anext(other), await anext(other)] == [1, 2]


@pytest.mark.virtual_time
@pytest.mark.parametrize("timeout", [0, 2])
async def test_feed_event_that_fails_at_several_streams_raises_each_error(timeout: float) -> None:
    bus = EventBus()
    streams = [bus.event_stream("topic", bufsize=size) for size in (1, 2, 1)]
    await bus.publish("topic", 1)
    with pytest.raises(ExceptionGroup) as caught:
        await bus.feed_event("topic", 2, timeout=timeout)
    assert [type(error) for error in caught.value.exceptions] == [BusTimeout, BusTimeout]
    assert "2 streams" in str(caught.value)
    assert now() == timeout
    assert [await anext(stream) for stream in streams] == [1, 1, 1]
    assert await anext(streams[1]) == 2


async def test_feed_event_cancelled_while_it_waits_withdraws_the_event() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.feed_event("topic", 1)
    feeding = await begin(bus.feed_event("topic", 2))
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    assert await anext(stream) == 1
    await bus.feed_event("topic", 3)
    assert await anext(stream) == 3


async def test_feed_event_is_let_go_by_a_stream_that_is_closed() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.feed_event("topic", 1)
    feeding = await begin(bus.feed_event("topic", 2))
    await stream.aclose()
    await within(feeding)


async def test_a_task_that_only_feeds_lets_the_loop_run() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=0)
    turned: list[int] = []
    asyncio.get_running_loop().call_soon(turned.append, 1)
    for number in range(100):
        await bus.feed_event("topic", number)
    assert turned == [1]
    await stream.aclose()


# The end


async def test_feed_event_after_shutdown_raises() -> None:
    bus = EventBus("gone")
    await bus.shutdown()
    with pytest.raises(BusShutDown, match="gone"):
        await bus.feed_event("topic", 1)


async def test_feed_event_checks_again_after_it_let_the_loop_run() -> None:
    bus = EventBus()
    bus._bind().calls = 1000
    feeding = asyncio.ensure_future(bus.feed_event("topic", 1))
    await asyncio.sleep(0)
    await bus.shutdown()
    with pytest.raises(BusShutDown):
        await feeding


async def test_shutdown_serves_those_that_wait_to_feed() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    with localcontext(EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE=1):
        feeding = [
            await begin(bus.feed_event(topic, n)) for n, topic in enumerate(["topic", "topic", "other", "other"])
        ]
    await within(bus.shutdown())
    await within(asyncio.gather(*feeding))
    assert [data async for data in stream] == [0, 1]
    assert [bus.stream_queue.get_nowait() for _ in range(2)] == [("other", 2), ("other", 3)]


async def test_immediate_shutdown_ends_those_that_wait_to_feed_an_open_stream() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.feed_event("topic", 1)
    feeding = await begin(bus.feed_event("topic", 2))
    await within(bus.shutdown(immediate=True))
    with pytest.raises(BusShutDown):
        await within(feeding)
    await stream.aclose()


@pytest.mark.parametrize("event_type", [None, 1, b"topic", EventBus.WILDCARD])
def test_feed_event_refuses_what_is_no_topic_at_the_call(event_type: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="EventBus.feed_event: event_type must be a string"):
        EventBus().feed_event(event_type, 1)  # type: ignore[unused-coroutine]  # raises before there is one


@pytest.mark.parametrize(("timeout", "error"), [(-1, ArgumentValueError), ("1", ArgumentTypeError)])
def test_feed_event_refuses_a_bad_timeout_at_the_call(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="EventBus.feed_event: timeout must be"):
        EventBus().feed_event("topic", 1, timeout=timeout)  # type: ignore[unused-coroutine]  # as above


# The queue


async def test_stream_queue_is_the_buffer_of_the_newest_open_stream() -> None:
    bus = EventBus()
    old, new = bus.event_stream("topic", bufsize=3), bus.event_stream(bufsize=5)
    await bus.publish("topic", 1)
    assert isinstance(bus.stream_queue, asyncio.Queue)
    assert bus.stream_queue is bus.stream_queue
    assert bus.stream_queue.maxsize == 5
    assert bus.stream_queue.get_nowait() == ("topic", 1)
    await new.aclose()
    assert bus.stream_queue.maxsize == 3
    assert bus.stream_queue.get_nowait() == 1
    await bus.publish("topic", 2)
    assert await anext(old) == 2


async def test_stream_queue_without_a_stream_is_what_feed_event_fills() -> None:
    bus = EventBus()
    assert bus.stream_queue.empty()
    await bus.feed_event("topic", 1)
    await bus.feed_event("data")
    assert bus.stream_queue.qsize() == 2
    assert bus.stream_queue.get_nowait() == ("topic", 1)
    assert bus.stream_queue.get_nowait() == "data"


async def test_what_is_put_into_the_queue_is_what_the_stream_gives() -> None:
    bus = EventBus()
    bus.stream_queue.put_nowait("before")
    stream = bus.event_stream("topic")
    bus.stream_queue.put_nowait("at once")
    await bus.stream_queue.put("in time")
    assert [await anext(stream) for _ in range(3)] == ["before", "at once", "in time"]


async def test_the_queue_has_the_size_that_the_stream_was_given() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    queue = bus.stream_queue
    assert (queue.qsize(), queue.empty(), queue.full()) == (0, True, False)
    queue.put_nowait(1)
    assert (queue.qsize(), queue.empty(), queue.full()) == (1, False, True)
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait(2)
    assert "1 of 1 items" in repr(queue)
    assert str(queue) == repr(queue)
    await stream.aclose()


async def test_the_queue_gives_events_to_whoever_waits() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    queue = bus.stream_queue
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    getting = await begin(queue.get())
    await bus.publish("topic", 1)
    assert await within(getting) == 1
    getting = await begin(queue.get())
    getting.cancel()
    await settle()
    await bus.publish("topic", 2)
    assert await anext(stream) == 2


async def test_putting_into_a_full_queue_waits_for_room() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    queue = bus.stream_queue
    await queue.put(1)
    cancelled, putting = await begin(queue.put(2)), await begin(queue.put(3))
    cancelled.cancel()
    await settle()
    assert await anext(stream) == 1
    await within(putting)
    assert await anext(stream) == 3


async def test_a_put_that_is_cancelled_in_the_tick_of_its_room_is_in() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    queue = bus.stream_queue
    await queue.put(1)
    putting = await begin(queue.put(2))
    assert queue.get_nowait() == 1
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await anext(stream) == 2


async def test_a_put_that_is_cancelled_before_its_room_in_the_same_tick_is_in_once() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    queue = bus.stream_queue
    await queue.put(1)
    putting = await begin(queue.put(2))
    putting.cancel()
    assert queue.get_nowait() == 1
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await anext(stream) == 2
    assert queue.empty()


async def test_a_join_that_is_cancelled_in_the_tick_of_its_end() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    queue = bus.stream_queue
    queue.put_nowait(1)
    joining = await begin(queue.join())
    joining.cancel()
    assert await anext(stream) == 1
    with pytest.raises(asyncio.CancelledError):
        await joining


async def test_a_queue_that_is_shut_down_takes_what_waits_to_be_put() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    queue: Any = bus.stream_queue
    queue.put_nowait(1)
    putting = await begin(queue.put(2))
    queue.shutdown()
    await within(putting)
    assert [data async for data in stream] == [1, 2]


async def test_feed_event_cancelled_when_one_stream_has_the_event_withdraws_it_from_the_other() -> None:
    bus = EventBus()
    first, second = bus.event_stream("topic", bufsize=1), bus.event_stream("topic", bufsize=1)
    await bus.feed_event("topic", 1)
    feeding = await begin(bus.feed_event("topic", 2))
    assert await anext(first) == 1
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    assert await anext(first) == 2
    assert await anext(second) == 1
    await bus.feed_event("topic", 3)
    assert await anext(second) == 3


async def test_join_waits_until_what_the_queue_gave_is_done() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    queue = bus.stream_queue
    await within(queue.join())
    await bus.publish("topic", 1)
    await bus.publish("topic", 2)
    joining, cancelled = await begin(queue.join()), await begin(queue.join())
    cancelled.cancel()
    await settle()
    assert await queue.get() == 1
    assert await anext(stream) == 2
    await settle()
    assert not joining.done()
    queue.task_done()
    await within(joining)
    with pytest.raises(ValueError, match="too many times"):
        queue.task_done()


async def test_join_waits_again_where_something_came_meanwhile() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    queue = bus.stream_queue
    queue.put_nowait(1)
    joining = await begin(queue.join())
    assert await anext(stream) == 1
    queue.put_nowait(2)
    await settle()
    assert not joining.done()
    assert await anext(stream) == 2
    await within(joining)


@pytest.mark.parametrize("immediate", [False, True])
async def test_a_queue_can_be_shut_down(immediate: bool) -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    queue: Any = bus.stream_queue
    queue.put_nowait(1)
    queue.shutdown(immediate)
    assert [data async for data in stream] == ([] if immediate else [1])
    with pytest.raises(ClosedError):
        queue.put_nowait(2)
    with pytest.raises(ClosedError):
        await queue.put(2)
    with pytest.raises(ClosedError):
        queue.get_nowait()
    with pytest.raises(ClosedError):
        await queue.get()


async def test_a_queue_that_is_closed_ends_those_that_wait_to_put() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    queue = bus.stream_queue
    queue.put_nowait(1)
    putting = await begin(queue.put(2))
    joining = await begin(queue.join())
    await stream.aclose()
    with pytest.raises(ClosedError):
        await within(putting)
    await within(joining)


async def test_shutdown_ends_the_getters_of_the_queue_after_what_was_buffered() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    queue = bus.stream_queue
    await bus.publish("topic", 1)
    await bus.shutdown()
    assert await queue.get() == 1
    with pytest.raises(BusShutDown):
        await queue.get()
    await stream.aclose()


@pytest.mark.parametrize("is_open", [False, True])
async def test_shutdown_ends_a_getter_that_waits(is_open: bool) -> None:
    bus = EventBus()
    stream = bus.event_stream("topic") if is_open else None
    getting = await begin(bus.stream_queue.get())
    await bus.shutdown(immediate=True)
    with pytest.raises(BusShutDown):
        await within(getting)
    if stream is not None:
        await stream.aclose()


async def test_looking_at_the_queue_after_shutdown_is_harmless() -> None:
    bus = EventBus()
    await bus.feed_event("topic", 1)
    await bus.shutdown(immediate=True)
    assert bus.stream_queue.get_nowait() == ("topic", 1)
    await tick()
