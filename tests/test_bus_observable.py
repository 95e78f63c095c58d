"""A topic as an observable: what is published there is notified there, and the publisher waits."""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from weakref import ref

import pytest

from asyncutils_rx import EventBus, Observable
from asyncutils_rx.exceptions import ArgumentTypeError, BusShutDown, BusTimeout, ObservableClosed
from tests.support import tick


async def test_observable_of_a_topic_is_notified_of_its_data() -> None:
    seen: list[Any] = []
    async with EventBus() as bus:
        bus.observable("a").subscribe_nowait(seen.append)
        await bus.publish("a", 1)
        await bus.publish("b", 2)
        await bus.publish("a", 3)
    assert seen == [1, 3]


async def test_observable_of_all_topics_is_notified_of_event_type_and_data() -> None:
    seen: list[Any] = []
    async with EventBus() as bus:
        bus.observable().subscribe_nowait(lambda event_type, data: seen.append((event_type, data)))
        await bus.publish("a", 1)
        await bus.publish("b", 2)
    assert seen == [("a", 1), ("b", 2)]


async def test_observable_sees_what_the_middlewares_made() -> None:
    seen: list[Any] = []
    async with EventBus() as bus:
        bus.add_middleware(lambda _, data: data * 10)
        bus.observable("a").subscribe_nowait(seen.append)
        await bus.publish("a", 4)
    assert seen == [40]


async def test_observable_takes_every_operator() -> None:
    seen: list[Any] = []
    async with EventBus() as bus:
        even = bus.observable("a").filter(lambda value: value % 2 == 0).map(lambda value: ((value + 1,), {}))
        even.subscribe_nowait(seen.append)
        for value in range(4):
            await bus.publish("a", value)
    assert seen == [1, 3]


async def test_publish_waits_for_the_observers_and_those_of_derived_ones() -> None:
    may_end = asyncio.Event()
    ended: list[int] = []

    async def observer(value: int) -> None:
        await may_end.wait()
        ended.append(value)

    async with EventBus() as bus:
        bus.observable("a").fork().subscribe_nowait(observer)
        publisher = asyncio.create_task(bus.publish("a", 1))
        await tick(5)
        assert not publisher.done()
        may_end.set()
        await publisher
    assert ended == [1]


async def test_error_of_an_observer_is_the_publisher_s() -> None:
    def fail(_: Any) -> None:
        raise LookupError("observer")

    async with EventBus() as bus:
        topic = bus.observable("a")
        topic.subscribe_nowait(fail)
        with pytest.raises(ExceptionGroup) as caught:
            await bus.publish("a", 1)
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
        with pytest.raises(LookupError):
            await bus.publish("a", 1, safe=False)


async def test_error_of_an_observer_goes_to_the_handler() -> None:
    handled: list[BaseException] = []

    async def fail(_: Any) -> None:
        await tick()
        raise LookupError("observer")

    async with EventBus(handler=handled.append) as bus:
        topic = bus.observable("a")
        topic.subscribe_nowait(fail)
        await bus.publish("a", 1)
    assert [type(error) for error in handled] == [LookupError]


async def test_publications_are_emitted_one_by_one_in_order() -> None:
    journal: list[tuple[str, int]] = []

    async def observer(value: int) -> None:
        journal.append(("begin", value))
        await tick(2)
        journal.append(("end", value))

    async with EventBus() as bus:
        topic = bus.observable("a")
        topic.subscribe_nowait(observer)
        await asyncio.gather(*(bus.publish("a", value) for value in range(3)))
    assert journal == [(what, value) for value in range(3) for what in ("begin", "end")]


async def test_observers_take_no_place_among_the_callbacks() -> None:
    async with EventBus(max_concurrent=1) as bus:
        active: list[int] = []

        async def observer(_: Any) -> None:
            active.append(bus.active_tasks)

        topic = bus.observable("a")
        topic.subscribe_nowait(observer)
        await bus.publish("a", 1)
    assert active == [0]


@pytest.mark.parametrize("wait", [True, False])
async def test_observer_that_publishes_the_same_topic_does_not_deadlock(wait: bool) -> None:
    seen: list[int] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value < 3:
            await bus.publish("a", value + 1, wait=wait)

    async with EventBus(max_concurrent=1) as bus:
        topic = bus.observable("a")
        topic.subscribe_nowait(observer)
        await asyncio.wait_for(bus.publish("a", 0), 5)
        while len(seen) < 4:
            await tick()
    assert seen == [0, 1, 2, 3]


@pytest.mark.virtual_time
async def test_timeout_cancels_the_observers() -> None:
    cancelled: list[bool] = []

    async def observer(_: Any) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with EventBus() as bus:
        topic = bus.observable("a")
        topic.subscribe_nowait(observer)
        with pytest.raises(BusTimeout):
            await bus.publish("a", 1, timeout=1)
        assert cancelled == [True]
        assert topic.idle


async def test_cancelled_publisher_cancels_only_its_own_notification() -> None:
    started: list[int] = []
    ended: list[int] = []
    may_end = asyncio.Event()

    async def observer(value: int) -> None:
        started.append(value)
        await may_end.wait()
        ended.append(value)

    async with EventBus() as bus:
        topic = bus.observable("a")
        topic.subscribe_nowait(observer)
        first, second = (asyncio.create_task(bus.publish("a", value)) for value in (1, 2))
        await tick(3)
        first.cancel()
        await asyncio.wait([first])
        await tick(3)
        assert started == [1, 2]
        may_end.set()
        await second
    assert ended == [2]


async def test_observable_is_the_same_for_as_long_as_it_lives() -> None:
    async with EventBus() as bus:
        topic = bus.observable("a")
        assert bus.observable("a") is topic
        others: list[Observable[...]] = [bus.observable("b"), bus.observable()]
        assert topic not in others


async def test_observable_that_nobody_listens_to_is_collected() -> None:
    async with EventBus() as bus:
        topic = ref(bus.observable("a"))
        gc.collect()
        assert topic() is None
        assert not bus.event_names()


async def test_observable_with_an_observer_lives_as_long_as_the_bus() -> None:
    seen: list[int] = []
    async with EventBus() as bus:
        bus.observable("a").subscribe_nowait(seen.append)
        gc.collect()
        await bus.publish("a", 1)
    assert seen == [1]


async def test_observable_closes_with_the_bus() -> None:
    async with EventBus() as bus:
        topic = bus.observable("a")
        derived = topic.fork()
    with pytest.raises(ObservableClosed):
        await topic.notify(1)
    with pytest.raises(ObservableClosed):
        await derived.notify(1)
    with pytest.raises(BusShutDown):
        bus.observable("a")


async def test_what_operators_hold_back_is_emitted_when_the_bus_closes() -> None:
    seen: list[int] = []
    async with EventBus() as bus:
        bus.observable("a").buffer(5).subscribe_nowait(seen.append)
        await bus.publish("a", 1)
        assert seen == []
    assert seen == [1]


async def test_shutdown_inside_an_observer_does_not_hang() -> None:
    async with EventBus() as bus:
        topic = bus.observable("a")
        topic.subscribe_nowait(lambda _: bus.shutdown())
        await asyncio.wait_for(asyncio.gather(bus.publish("a", 1), return_exceptions=True), 5)
    await topic.wait_closed()


async def test_closed_observable_is_replaced_by_a_new_one() -> None:
    seen: list[int] = []
    async with EventBus() as bus:
        async with bus.observable("a") as topic:
            topic.subscribe_nowait(seen.append)
            await bus.publish("a", 1)
        await bus.publish("a", 2)
        again = bus.observable("a")
        assert again is not topic
        again.subscribe_nowait(seen.append)
        await bus.publish("a", 3)
    assert seen == [1, 3]


def test_observable_refuses_what_is_no_event_type() -> None:
    with pytest.raises(ArgumentTypeError, match="event_type"):
        EventBus().observable(3)  # type: ignore[call-overload]  # refused


async def test_merge_of_topics_joins_buses() -> None:
    seen: list[int] = []
    async with EventBus() as one, EventBus() as other:
        merged = Observable.merge(one.observable("a"), other.observable("a"))
        merged.subscribe_nowait(seen.append)
        await one.publish("a", 1)
        await other.publish("a", 2)
    assert seen == [1, 2]
