"""The live view of a bus: its topics, what is published, runs, waits and fails there, and nothing that users notice."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import BusPublishingError, BusStatsError
from asyncutils_rx.live import LiveView, watch
from tests.observable_kit import Held, begin, failing, settle

if TYPE_CHECKING:
    from asyncutils_rx import Observable
    from asyncutils_rx.live import Snapshot

ERROR = ValueError("bad")


def nothing(*args: object) -> None:
    """Subscribe."""


def quiet(*watched: Observable[...] | EventBus, **options: Any) -> LiveView:
    """A view that shows nothing."""
    return watch(*watched, display=None, **options)


def totals(snapshot: Snapshot) -> dict[str, int]:
    return {node.name: node.total for node in snapshot.nodes}


async def test_publications_are_counted_by_topic() -> None:
    async with EventBus("shop") as bus:
        bus.subscribe(nothing, "sold")
        with quiet(bus) as view:
            for topic in ("sold", "sold", "returned"):
                await bus.publish(topic, 1)
    assert totals(view.snapshot()) == {"shop": 3, "sold": 2, "returned": 1}
    assert [node.kind for node in view.snapshot().nodes] == ["bus", "topic", "topic"]


async def test_publications_before_and_after_the_block_are_not_counted() -> None:
    async with EventBus("shop") as bus:
        await bus.publish("sold", 1)
        with quiet(bus) as view:
            await bus.publish("sold", 1)
        await bus.publish("sold", 1)
    assert totals(view.snapshot()) == {"shop": 1, "sold": 1}


async def test_a_publication_that_a_middleware_stops_is_an_error_and_is_not_counted() -> None:
    def stop(topic: str, data: object) -> object:
        raise ERROR

    async with EventBus("shop") as bus:
        bus.add_middleware(stop)
        with quiet(bus) as view, pytest.raises(BusPublishingError):
            await bus.publish("sold", 1)
    snapshot = view.snapshot()
    assert [(node.name, node.total, node.errors) for node in snapshot.nodes] == [("shop", 0, 1), ("sold", 0, 1)]


@pytest.mark.parametrize("safe", [True, False])
async def test_errors_of_subscribers_are_counted(safe: bool) -> None:
    held = Held()
    first, second = failing(ERROR), failing(ERROR)
    async with EventBus("shop") as bus:
        bus.subscribe(held, "sold")
        bus.subscribe(first, "sold")
        if safe:
            bus.subscribe(second, "sold")
            held.release()
        with quiet(bus) as view, pytest.raises((ExceptionGroup, ValueError)):
            await bus.publish("sold", 1, safe=safe)
    assert view.snapshot().node("sold").errors == (2 if safe else 1)


async def test_errors_of_deliveries_are_counted() -> None:
    async with EventBus("shop") as bus:
        stream = bus.event_stream("sold", bufsize=1, timeout=0)
        with quiet(bus) as view:
            await bus.publish("sold", 1)
            with pytest.raises(ExceptionGroup):
                await bus.publish("sold", 2)
            node = view.snapshot().node("sold")
            assert (node.errors, node.buffered) == (1, 1)
        await stream.aclose()


async def test_running_and_waiting_callbacks_are_seen() -> None:
    held, other = Held(), Held()
    async with EventBus("shop", max_concurrent=1) as bus:
        bus.subscribe(held, "sold")
        bus.subscribe(other, "sold")
        with quiet(bus) as view:
            task = await begin(bus.publish("sold", 1))
            snapshot = view.snapshot()
            assert [(node.state, node.running, node.queued) for node in snapshot.nodes] == [("publishing", 1, 1)] * 2
            assert bus.active_tasks == 1
            held.release()
            other.release()
            await task
            assert [(node.state, node.running, node.queued) for node in view.snapshot().nodes] == [("idle", 0, 0)] * 2


async def test_what_runs_is_seen_at_its_topic() -> None:
    held = Held()
    async with EventBus("shop") as bus:
        for topic in ("sold", "returned"):
            bus.subscribe(held, topic)
        with quiet(bus) as view:
            tasks = [await begin(bus.publish(topic, topic)) for topic in ("sold", "returned", "sold")]
            running = {node.name: node.running for node in view.snapshot().nodes}
            held.release()
            await asyncio.gather(*tasks)
    assert running == {"shop": 3, "sold": 2, "returned": 1}


async def test_publications_that_have_not_begun_are_seen() -> None:
    async with EventBus("shop") as bus:
        bus.subscribe(nothing, "sold")
        with quiet(bus) as view:
            bus.sync_start_publish("sold", 1)
            bus.sync_start_publish("sold", 2)
            assert view.snapshot().node("sold").queued == 2
            await settle()
            assert view.snapshot().node("sold")[6:9] == ("idle", 2, 0)


async def test_streams_are_seen_with_what_waits_for_room() -> None:
    async with EventBus("shop") as bus:
        stream = bus.event_stream("sold", bufsize=1)
        everything = bus.event_stream(bufsize=5)
        with quiet(bus) as view:
            tasks = [await begin(bus.publish("sold", number)) for number in range(3)]
            topic, whole = view.snapshot().node("sold"), view.snapshot().node("shop")
            assert (topic.buffered, topic.queued) == (1, 2)
            assert (whole.buffered, whole.queued) == (4, 2)
            for _ in range(3):
                await anext(stream)
            await asyncio.gather(*tasks)
        await stream.aclose()
        await everything.aclose()


async def test_observables_of_topics_have_their_rows() -> None:
    async with EventBus("shop") as bus:
        sold, everything = bus.observable("sold"), bus.observable()
        large = sold.filter(lambda price: price > 1)
        large.subscribe_nowait(nothing)
        everything.subscribe_nowait(nothing)
        with quiet(large, bus) as view:
            await bus.publish("sold", 1)
            await bus.publish("sold", 2)
            await bus.publish("returned", 1)
        rows = [(node.name, node.depth, node.total) for node in view.snapshot().nodes]
    assert rows == [
        ("shop", 0, 3),
        ("sold", 1, 2),
        ("observable()", 2, 2),
        ("filter(<lambda>)", 3, 1),
        ("observable() 2", 1, 3),
        ("returned", 1, 1),
    ]


async def test_an_empty_topic_has_a_name() -> None:
    async with EventBus("shop") as bus:
        with quiet(bus) as view:
            await bus.publish("", 1)
    assert totals(view.snapshot()) == {"shop": 1, "''": 1}


async def test_a_bus_that_ends_is_seen() -> None:
    held = Held()
    bus = EventBus("shop")
    bus.subscribe(held, "sold")
    with quiet(bus) as view:
        publishing = await begin(bus.publish("sold", 1))
        closing = await begin(bus.shutdown())
        assert [node.state for node in view.snapshot().nodes] == ["closing", "closing"]
        held.release()
        await publishing
        await closing
        assert [node.state for node in view.snapshot().nodes] == ["closed", "closed"]


async def test_there_is_room_for_120_rows() -> None:
    async with EventBus("shop") as bus:
        with quiet(bus) as view:
            for number in range(125):
                await bus.publish(f"topic {number}", 1)
            snapshot = view.snapshot()
            assert (len(snapshot.nodes), snapshot.missing) == (120, 6)
            assert snapshot.node("shop").total == 125


async def test_there_may_be_no_room_for_a_bus() -> None:
    buses = [EventBus(str(number)) for number in range(122)]
    with quiet(*buses) as view:
        snapshot = view.snapshot()
    assert (len(snapshot.nodes), snapshot.missing) == (120, 2)


async def test_watching_is_no_tracking() -> None:
    async with EventBus("shop") as bus:
        with quiet(bus):
            await bus.publish("sold", 1)
            with pytest.raises(BusStatsError):
                bus.get_event_stats()
            bus.start_tracking()
            await bus.publish("sold", 1)
            assert dict(bus.get_event_stats()) == {"sold": 1}
        assert dict(bus.get_event_stats()) == {"sold": 1}
        await bus.publish("sold", 1)
        assert dict(bus.get_event_stats()) == {"sold": 2}


async def test_an_end_of_tracking_does_not_end_the_counting() -> None:
    async with EventBus("shop", tracking_stats=True) as bus:
        with quiet(bus) as outer, quiet(bus) as view:
            bus.stop_tracking()
            await bus.publish("sold", 1)
        assert bus._core.statistics.active is False
    assert totals(view.snapshot()) == totals(outer.snapshot()) == {"shop": 1, "sold": 1}


async def test_views_of_a_bus_can_overlap() -> None:
    async with EventBus("shop") as bus:
        with quiet(bus) as outer:
            with quiet(bus) as inner:
                await bus.publish("sold", 1)
            await bus.publish("sold", 2)
    assert (totals(outer.snapshot())["sold"], totals(inner.snapshot())["sold"]) == (2, 1)


async def test_the_view_lets_the_bus_go() -> None:
    class Subscriber:
        def __call__(self, data: object) -> None:
            """Take an event."""

    subscriber = Subscriber()
    gone = weakref.ref(subscriber)
    bus = EventBus("shop")
    bus.subscribe(subscriber, "sold", weak=False)
    with quiet(bus) as view:
        await bus.publish("sold", 1)
    del bus, subscriber
    gc.collect()
    assert gone() is None
    assert len(view.snapshot().nodes) == 2


async def test_the_view_leaves_nothing_behind_at_a_bus() -> None:
    async with EventBus("shop") as bus:
        with quiet(bus):
            assert bus._core.watches
        assert bus._core.watches == ()
        assert not bus._core.statistics.active
