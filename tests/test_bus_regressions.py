"""What was seen to go wrong in another implementation of the same bus, with the interleaving spelled out."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import BusPublishingError
from tests.observable_kit import Recorder, begin, collect_errors, failing, settle, within
from tests.support import tick


async def test_an_idle_bus_has_no_active_tasks() -> None:
    bus = EventBus(max_concurrent=7)
    assert bus.active_tasks == 0
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    await bus.publish("topic")
    assert bus.active_tasks == 0


async def test_two_streams_of_one_bus_do_not_break_each_other() -> None:
    bus = EventBus()
    first = bus.event_stream("topic")
    first_step = await begin(first.__anext__())
    second = bus.event_stream("topic")
    second_step = await begin(second.__anext__())
    await bus.publish("topic", 1)
    assert await within(asyncio.gather(first_step, second_step)) == [1, 1]
    await second.aclose()
    await bus.publish("topic", 2)
    assert await anext(first) == 2


async def test_events_between_the_call_of_event_stream_and_its_first_step_are_not_lost() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    await bus.publish("topic", 1)
    await tick()
    await bus.publish("topic", 2)
    assert [await anext(stream), await anext(stream)] == [1, 2]


@pytest.mark.parametrize("limit", [1, 3])
async def test_subscribers_that_publish_and_wait_do_not_deadlock_at_the_limit(limit: int) -> None:
    bus = EventBus(max_concurrent=limit)
    recorder = Recorder()
    bus.subscribe(recorder, "inner")
    arrived = 0
    all_there = asyncio.Event()

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == limit:
            all_there.set()
        await all_there.wait()  # every place is taken by one that is about to publish
        await bus.publish("inner", data)

    await within(asyncio.gather(*(bus.publish("outer", n) for n in range(limit))))
    assert sorted(recorder.values) == list(range(limit))


async def test_subscribers_see_nothing_when_a_middleware_raises() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    bus.add_middleware(failing(ValueError()))
    with pytest.raises(BusPublishingError):
        await bus.publish("topic", 1)
    assert recorder.values == []


async def test_a_plain_middleware_can_be_removed() -> None:
    bus = EventBus()
    cookie = bus.add_middleware(lambda _, data: data)
    assert bus.remove_middleware(cookie, result="removed") == "removed"


async def test_sync_start_publish_returns_none() -> None:
    bus = EventBus()
    outcome: object = bus.sync_start_publish("topic")  # type: ignore[func-returns-value]  # this is what is tested
    assert outcome is None
    await settle()


async def test_unsafe_publications_do_not_swap_the_arguments_of_wildcards() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder)
    await bus.publish("topic", "data", safe=False)
    assert recorder.calls == [(("topic", "data"), {})]


async def test_errors_of_subscribers_do_not_vanish_by_default(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic")
    assert caught.value.exceptions == (error,)
    bus.sync_start_publish("topic")
    await settle()
    assert collect_errors(loop_errors) == [error]


async def test_after_shutdown_the_audit_hook_lets_audited_operations_and_the_loop_live() -> None:
    bus = EventBus()
    bus.start_audit()
    await bus.shutdown()
    sys.audit("test.after shutdown")
    os.close(os.open(os.devnull, os.O_RDONLY))
    socket.socket().close()
    await asyncio.to_thread(os.listdir)
    await asyncio.sleep(0.001)
    assert not bus.is_auditing()


async def test_looking_for_subscribers_makes_no_event_name() -> None:
    bus = EventBus()
    assert not bus.has_subscribers("x")
    assert bus.event_names() == set()
