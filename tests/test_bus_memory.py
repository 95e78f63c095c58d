"""What a bus holds on to: memory by topic, and nothing after a publication."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import tracemalloc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import BusTimeout
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def subscriber(_: Any) -> None: ...


def test_a_topic_with_a_subscriber_takes_at_most_500_bytes() -> None:
    bus = EventBus()
    names = [f"topic {number}" for number in range(2000)]
    bus.subscribe(subscriber, "first")
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for name in names:
            bus.subscribe(subscriber, name)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(names) <= 500
    bus.clear()


async def test_topics_that_are_gone_take_no_memory() -> None:
    bus = EventBus()
    for number in range(1000):
        name = f"topic {number}"
        bus.subscribe(subscriber, name)
        stream = bus.event_stream(name)
        await bus.publish(name)
        await stream.aclose()
        bus.unsubscribe(subscriber, name)
    core = bus._core
    assert not core.topics.topics
    assert not core.sinks._topics
    assert not core.running


async def test_subscribing_is_as_cheap_among_many_topics_as_among_few() -> None:
    bus = EventBus()
    for number in range(5000):
        bus.subscribe(subscriber, f"topic {number}")

    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        bus.subscribe(count, "topic 1")
        bus.unsubscribe(count, "topic 1")
    finally:
        sys.setprofile(None)
    assert calls < 100
    bus.clear()


# After a publication nothing refers to the bus but its owner, not even garbage: its subscribers would die before it,
# uncalled, and warn.


async def wait(*_: Any) -> None:
    await asyncio.Event().wait()


async def fail(*_: Any) -> None:
    await tick()
    raise ValueError


async def nest(data: weakref.ref[EventBus]) -> None:
    bus = data()
    assert bus is not None
    await bus.publish("inner", data)


async def cancelled(awaitable: Awaitable[None]) -> None:
    task = asyncio.ensure_future(awaitable)
    await tick(10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def succeeding(bus: EventBus) -> None:
    await bus.publish("nothing")


async def failing_safely(bus: EventBus) -> None:
    with contextlib.suppress(ExceptionGroup):
        await bus.publish("fail")


async def failing_unsafely(bus: EventBus) -> None:
    with contextlib.suppress(ValueError):
        await bus.publish("fail", safe=False)


async def timing_out(bus: EventBus) -> None:
    with contextlib.suppress(BusTimeout):
        await bus.publish("wait", timeout=0)


async def being_cancelled(bus: EventBus) -> None:
    await cancelled(bus.publish("wait"))


async def being_cancelled_in_depth(bus: EventBus) -> None:
    await cancelled(bus.publish("outer", weakref.ref(bus)))


async def in_the_background(bus: EventBus) -> None:
    await bus.publish("fail", wait=False, chaperone=repr)


async def from_a_thread(bus: EventBus) -> None:
    future = bus.publish_threadsafe("fail")
    await tick(10)
    future.exception()


async def auditing(bus: EventBus) -> None:
    with bus.audit_context():
        sys.audit("test.audited")


async def streaming(bus: EventBus) -> None:
    stream = bus.event_stream("nothing")
    await bus.publish("nothing")
    await anext(stream)


async def waiting(bus: EventBus) -> None:
    task = await bus.wait_for_event("nothing")
    await bus.publish("nothing")
    await task


@pytest.mark.parametrize(
    "use",
    [
        succeeding,
        failing_safely,
        failing_unsafely,
        timing_out,
        being_cancelled,
        being_cancelled_in_depth,
        in_the_background,
        from_a_thread,
        auditing,
        streaming,
        waiting,
    ],
    ids=lambda use: use.__name__,
)
async def test_a_bus_is_gone_with_its_last_reference_after(use: Callable[[EventBus], Awaitable[None]]) -> None:
    bus = EventBus()
    bus.subscribe(fail, "fail")
    bus.subscribe(wait, "wait")
    bus.subscribe(wait, "inner")
    bus.subscribe(nest, "outer")
    bus._bind()
    alive = weakref.ref(bus)
    gc.collect()
    gc.disable()
    try:
        await use(bus)
        await tick(20)
        del bus
        await tick()
        assert alive() is None
    finally:
        gc.enable()
