"""How many publications each topic had."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import AlreadyEnteredError, ArgumentTypeError, BusShutDown, BusStatsError
from tests.observable_kit import Recorder, failing


async def publish(bus: EventBus, *topics: str) -> None:
    for topic in topics:
        await bus.publish(topic)


async def test_get_event_stats_counts_publications_by_topic() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "one", "two", "one")
    assert bus.get_event_stats() == {"one": 2, "two": 1}


async def test_a_publication_counts_once_however_many_subscribe() -> None:
    bus = EventBus(tracking_stats=True)
    recorders = [Recorder() for _ in range(3)]
    for recorder in recorders:
        bus.subscribe(recorder, "topic")
        bus.subscribe(recorder)
    await publish(bus, "topic")
    assert bus.get_event_stats() == {"topic": 1}


async def test_a_publication_counts_when_it_has_passed_the_middlewares() -> None:
    bus = EventBus(tracking_stats=True)
    seen: list[dict[str, int]] = []
    bus.add_middleware(lambda *_: seen.append(dict(bus.get_event_stats())))

    @bus.subscribe_to("topic")
    def note(_: Any) -> None:
        seen.append(dict(bus.get_event_stats()))

    await publish(bus, "topic")
    assert seen == [{}, {"topic": 1}]


async def test_a_publication_that_fails_at_its_subscribers_counts() -> None:
    bus = EventBus(tracking_stats=True)
    subscriber = failing(ValueError())
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ExceptionGroup):
        await publish(bus, "topic")
    assert bus.get_event_stats() == {"topic": 1}


async def test_get_event_stats_returns_a_copy_that_counts_from_0() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "topic")
    stats = bus.get_event_stats()
    assert isinstance(stats, defaultdict)
    assert stats["never published"] == 0
    stats["topic"] = 99
    assert bus.get_event_stats() == {"topic": 1}


async def test_get_event_stats_without_tracking_raises() -> None:
    bus = EventBus("shop")
    await publish(bus, "topic")
    with pytest.raises(BusStatsError, match="shop"):
        bus.get_event_stats()


async def test_start_tracking_counts_from_then_on() -> None:
    bus = EventBus()
    await publish(bus, "topic")
    bus.start_tracking()
    await publish(bus, "topic")
    assert bus.get_event_stats() == {"topic": 1}


async def test_start_tracking_again_goes_on_counting() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "topic")
    bus.start_tracking()
    await publish(bus, "topic")
    assert bus.get_event_stats() == {"topic": 2}


async def test_stop_tracking_forgets_what_was_counted() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "topic")
    outcome: object = bus.stop_tracking()
    assert outcome is None
    with pytest.raises(BusStatsError):
        bus.get_event_stats()
    bus.start_tracking()
    assert bus.get_event_stats() == {}


async def test_stop_tracking_returns_what_was_counted_if_asked_to() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "topic", "topic")
    stats = bus.stop_tracking(True)
    assert isinstance(stats, defaultdict)
    assert stats == {"topic": 2}


def test_stop_tracking_without_tracking_is_harmless_unless_asked_for_statistics() -> None:
    bus = EventBus()
    bus.stop_tracking()
    with pytest.raises(BusStatsError):
        bus.stop_tracking(ret_stats=True)


async def test_clear_stats_forgets_and_goes_on_counting() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "topic")
    bus.clear_stats()
    assert bus.get_event_stats() == {}
    await publish(bus, "topic")
    assert bus.get_event_stats() == {"topic": 1}


def test_clear_stats_without_tracking_is_harmless() -> None:
    EventBus().clear_stats()


async def test_without_tracking_nothing_is_counted() -> None:
    bus = EventBus()
    await publish(bus, "topic")
    assert not bus._core.statistics.active


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_tracking_arguments_that_are_no_bool_are_refused(value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="tracking_stats must be True or False"):
        EventBus(tracking_stats=value)
    bus = EventBus(tracking_stats=True)
    with pytest.raises(ArgumentTypeError, match="ret_stats must be True or False"):
        bus.stop_tracking(value)
    assert bus.get_event_stats() == {}


# Contexts


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_tracking_context_tracks_inside_and_sends_the_counts(asynchronous: bool) -> None:
    bus = EventBus()
    receiver: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    context = bus.tracking_context(receiver)
    await publish(bus, "before")
    if asynchronous:
        async with context as entered:
            await publish(bus, "inside")
            assert bus.get_event_stats() == {"inside": 1}
    else:
        with context as entered:
            await publish(bus, "inside")
            assert bus.get_event_stats() == {"inside": 1}
    assert entered is None
    await publish(bus, "after")
    assert receiver.result() == {"inside": 1}
    with pytest.raises(BusStatsError):
        bus.get_event_stats()


async def test_tracking_context_sends_the_counts_when_left_by_an_exception() -> None:
    bus = EventBus()
    receiver: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    with pytest.raises(ValueError, match="body"), bus.tracking_context(receiver):
        await publish(bus, "inside")
        raise ValueError("body")
    assert receiver.result() == {"inside": 1}


async def test_tracking_context_needs_no_receiver() -> None:
    bus = EventBus()
    with bus.tracking_context():
        await publish(bus, "inside")
        assert bus.get_event_stats() == {"inside": 1}


async def test_tracking_context_leaves_a_receiver_alone_that_is_done() -> None:
    bus = EventBus()
    receiver: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    with bus.tracking_context(receiver):
        receiver.cancel()
    assert receiver.cancelled()


async def test_tracking_context_leaves_a_tracking_bus_tracking() -> None:
    bus = EventBus(tracking_stats=True)
    receiver: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    await publish(bus, "before")
    with bus.tracking_context(receiver):
        await publish(bus, "inside")
    await publish(bus, "after")
    assert receiver.result() == {"inside": 1}
    assert bus.get_event_stats() == {"before": 1, "inside": 1, "after": 1}


async def test_tracking_contexts_can_overlap_and_each_has_its_own_counts() -> None:
    bus = EventBus()
    loop = asyncio.get_running_loop()
    one, other = loop.create_future(), loop.create_future()
    first, second = bus.tracking_context(one), bus.tracking_context(other)
    first.__enter__()
    await publish(bus, "a")
    second.__enter__()
    await publish(bus, "b")
    first.__exit__(None, None, None)
    await publish(bus, "c")
    assert bus.get_event_stats() == {"a": 1, "b": 1, "c": 1}
    second.__exit__(None, None, None)
    assert one.result() == {"a": 1, "b": 1}
    assert other.result() == {"b": 1, "c": 1}
    with pytest.raises(BusStatsError):
        bus.get_event_stats()


async def test_tracking_contexts_with_equal_counts_end_each_for_itself() -> None:
    bus = EventBus()
    with bus.tracking_context():
        with bus.tracking_context():
            pass
        await publish(bus, "a")
        assert bus.get_event_stats() == {"a": 1}


async def test_tracking_started_in_a_context_goes_on_after_it() -> None:
    bus = EventBus()
    with bus.tracking_context():
        bus.start_tracking()
    await publish(bus, "a")
    assert bus.get_event_stats() == {"a": 1}


async def test_tracking_stopped_in_a_context_leaves_the_context_its_counts() -> None:
    bus = EventBus()
    receiver: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    with bus.tracking_context(receiver):
        await publish(bus, "a")
        assert bus.stop_tracking(True) == {"a": 1}
        await publish(bus, "b")
    assert receiver.result() == {"a": 1, "b": 1}


async def test_tracking_context_can_be_entered_again_after_it_was_left_and_not_before() -> None:
    bus = EventBus()
    context = bus.tracking_context()
    assert "not entered" in repr(context)
    with context:
        assert "not entered" not in repr(context)
        with pytest.raises(AlreadyEnteredError, match="tracking context"):
            context.__enter__()
    with context:
        await publish(bus, "a")
        assert bus.get_event_stats() == {"a": 1}
    context.__exit__(None, None, None)


@pytest.mark.parametrize("receiver", [1, "future", defaultdict(int)])
def test_tracking_context_refuses_what_is_no_future(receiver: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="stats_receiver must be an asyncio.Future"):
        EventBus().tracking_context(receiver)


# The end


async def test_shutdown_forgets_statistics() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "topic")
    await bus.shutdown()
    with pytest.raises(BusStatsError):
        bus.get_event_stats()


async def test_shutdown_preserves_statistics_if_asked_to() -> None:
    bus = EventBus(tracking_stats=True)
    await publish(bus, "topic")
    await bus.shutdown(preserve_stats=True)
    assert bus.get_event_stats() == {"topic": 1}
    bus.get_event_stats()["topic"] = 99
    assert bus.get_event_stats() == {"topic": 1}
    bus.clear_stats()
    with pytest.raises(BusStatsError):
        bus.get_event_stats()


async def test_shutdown_preserves_nothing_where_nothing_was_counted() -> None:
    bus = EventBus()
    await bus.shutdown(preserve_stats=True)
    with pytest.raises(BusStatsError):
        bus.get_event_stats()


async def test_tracking_after_shutdown() -> None:
    bus = EventBus()
    receiver: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    entered = bus.tracking_context(receiver)
    entered.__enter__()
    await publish(bus, "topic")
    await bus.shutdown()
    entered.__exit__(None, None, None)
    assert receiver.result() == {"topic": 1}
    bus.stop_tracking()
    with pytest.raises(BusShutDown):
        bus.start_tracking()
    with pytest.raises(BusShutDown):
        bus.tracking_context().__enter__()
