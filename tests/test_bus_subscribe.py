"""Who is subscribed: adding, removing, looking, and how subscribers are held."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncutils_rx import EventBus
from asyncutils_rx._bus._subscribers import WeakEntry, key_of
from asyncutils_rx.exceptions import ArgumentTypeError, BusShutDown
from asyncutils_rx.types import WILDCARD, WildcardType
from tests.observable_kit import Held, begin, settle
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

DEAD = "gone without ever having been called.*weak=False"


def noting() -> tuple[list[Any], Callable[[Any], None]]:
    seen: list[Any] = []

    def subscriber(data: Any) -> None:
        seen.append(data)

    return seen, subscriber


class Listener:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def method(self, data: Any) -> None:
        self.seen.append(data)

    async def async_method(self, data: Any) -> None:
        await tick()
        self.seen.append(data)

    def wildcard(self, event_type: str, data: Any) -> None:
        self.seen.append((event_type, data))

    def __call__(self, data: Any) -> None:
        self.seen.append(data)


# Adding


async def test_subscribe_calls_the_subscriber_with_the_data() -> None:
    bus = EventBus()
    seen, subscriber = noting()
    assert bus.subscribe(subscriber, "topic") is subscriber
    await bus.publish("topic", 1)
    await bus.publish("other", 2)
    assert seen == [1]


async def test_subscribe_without_event_type_adds_a_wildcard() -> None:
    bus = EventBus()
    listener = Listener()
    bus.subscribe(listener.wildcard)
    await bus.publish("one", 1)
    await bus.publish("two", 2)
    assert listener.seen == [("one", 1), ("two", 2)]


async def test_subscribe_with_the_wildcard_is_the_same_as_without_event_type() -> None:
    bus = EventBus()
    listener = Listener()
    bus.subscribe(listener.wildcard, EventBus.WILDCARD)
    await bus.publish("one", 1)
    assert listener.seen == [("one", 1)]
    assert EventBus.WILDCARD is WILDCARD


async def test_subscribe_can_be_used_as_a_decorator() -> None:
    bus = EventBus()
    seen: list[Any] = []

    @bus.subscribe
    def wildcard(event_type: str, data: Any) -> None:
        seen.append((event_type, data))

    @bus.subscribe_to("topic")
    def specific(data: Any) -> None:
        seen.append(data)

    @bus.subscribe_to(EventBus.WILDCARD)
    async def other_wildcard(event_type: str, data: Any) -> None:
        seen.append(("other", event_type, data))

    await bus.publish("topic", 1)
    assert seen == [1, ("topic", 1), ("other", "topic", 1)]
    assert callable(wildcard)
    assert callable(specific)


async def test_subscribe_to_holds_strongly_when_told_so() -> None:
    bus = EventBus()
    seen: list[Any] = []
    bus.subscribe_to("topic", weak=False)(lambda data: seen.append(data))
    gc.collect()
    await bus.publish("topic", 1)
    assert seen == [1]


def test_subscribe_needs_no_loop() -> None:
    bus = EventBus()
    _, subscriber = noting()
    bus.subscribe(subscriber, "topic")
    assert bus.is_subscribed(subscriber, "topic")
    assert bus.unsubscribe(subscriber, "topic")


async def test_subscribe_twice_changes_nothing_and_keeps_the_order() -> None:
    bus = EventBus()
    seen: list[str] = []

    def first(_: Any) -> None:
        seen.append("first")

    def second(_: Any) -> None:
        seen.append("second")

    for subscriber in (first, second, first):
        bus.subscribe(subscriber, "topic")
    assert bus.subscriber_count("topic") == 2
    await bus.publish("topic")
    assert seen == ["first", "second"]


async def test_subscribe_again_after_unsubscribe_comes_last() -> None:
    bus = EventBus()
    seen: list[str] = []

    def first(_: Any) -> None:
        seen.append("first")

    def second(_: Any) -> None:
        seen.append("second")

    bus.subscribe(first, "topic")
    bus.subscribe(second, "topic")
    bus.unsubscribe(first, "topic")
    bus.subscribe(first, "topic")
    await bus.publish("topic")
    assert seen == ["second", "first"]


async def test_subscribe_one_subscriber_to_several_topics() -> None:
    bus = EventBus()
    seen, subscriber = noting()
    bus.subscribe(subscriber, "one")
    bus.subscribe(subscriber, "two")
    await bus.publish("one", 1)
    await bus.publish("two", 2)
    assert bus.unsubscribe(subscriber, "one")
    await bus.publish("one", 3)
    await bus.publish("two", 4)
    assert seen == [1, 2, 4]


@pytest.mark.parametrize("name", ["", "ordinary", "with space", "*", "\0", "\ud800", "ü" * 1000])
async def test_subscribe_takes_any_string(name: str) -> None:
    bus = EventBus()
    seen, subscriber = noting()
    bus.subscribe(subscriber, name)
    await bus.publish(name, 1)
    assert seen == [1]
    assert bus.event_names() == {name}


async def test_subscribe_during_a_publication_is_for_the_next_one() -> None:
    bus = EventBus()
    seen, late = noting()

    @bus.subscribe_to("topic")
    async def early(_: Any) -> None:
        bus.subscribe(late, "topic")

    await bus.publish("topic", 1)
    assert seen == []
    await bus.publish("topic", 2)
    assert seen == [2]


# Bad input

UNHASHABLE: Any = type("Unhashable", (), {"__call__": lambda *_: None, "__hash__": None})()


@pytest.mark.parametrize("event_type", [None, 1, b"topic", ["topic"], object(), WildcardType])
@pytest.mark.parametrize("method", ["subscribe", "unsubscribe", "is_subscribed"])
def test_subscriber_calls_refuse_what_is_no_event_type(method: str, event_type: Any) -> None:
    bus = EventBus()
    _, subscriber = noting()
    with pytest.raises(ArgumentTypeError, match=f"EventBus.{method}: event_type must be a string or EventBus.WILDCARD"):
        getattr(bus, method)(subscriber, event_type)
    assert bus.total_subscribers == 0


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe", "is_subscribed"])
@pytest.mark.parametrize(("subscriber", "rule"), [(1, "callable"), (None, "callable"), (UNHASHABLE, "hashable")])
def test_subscriber_calls_refuse_what_cannot_be_called_or_hashed(method: str, subscriber: Any, rule: str) -> None:
    bus = EventBus()
    with pytest.raises(ArgumentTypeError, match=f"EventBus.{method}: subscriber must be {rule}"):
        getattr(bus, method)(subscriber)
    with pytest.raises(ArgumentTypeError, match=rule):
        getattr(bus, method)(subscriber, "topic")
    assert bus.total_subscribers == 0


@pytest.mark.parametrize("method", ["has_subscribers", "subscriber_count", "subscribers_for", "clear", "subscribe_to"])
def test_calls_by_event_type_refuse_what_is_none(method: str) -> None:
    bus = EventBus()
    with pytest.raises(ArgumentTypeError, match=f"EventBus.{method}: event_type must be a string"):
        getattr(bus, method)(1)


@pytest.mark.parametrize("value", [None, 0, "yes"])
def test_subscribe_refuses_a_weak_that_is_no_bool(value: Any) -> None:
    bus = EventBus()
    _, subscriber = noting()
    with pytest.raises(ArgumentTypeError, match="weak must be True or False"):
        bus.subscribe(subscriber, "topic", weak=value)
    with pytest.raises(ArgumentTypeError, match="weak must be True or False"):
        bus.subscribe_to("topic", weak=value)
    assert bus.total_subscribers == 0


def test_is_valid_event_type_knows_strings_and_the_wildcard() -> None:
    assert EventBus.is_valid_event_type("topic")
    assert EventBus.is_valid_event_type("")
    assert EventBus.is_valid_event_type(EventBus.WILDCARD)
    assert not EventBus.is_valid_event_type(None)
    assert not EventBus.is_valid_event_type(b"topic")
    assert not EventBus.is_valid_event_type(WildcardType)
    assert EventBus().is_valid_event_type("topic")


# Removing


async def test_unsubscribe_tells_whether_it_removed_anything() -> None:
    bus = EventBus()
    seen: list[Any] = []

    def subscriber(*args: Any) -> None:
        seen.append(args)

    bus.subscribe(subscriber, "topic")
    assert not bus.unsubscribe(subscriber, "other")
    assert not bus.unsubscribe(subscriber)
    assert bus.unsubscribe(subscriber, "topic")
    assert not bus.unsubscribe(subscriber, "topic")
    await bus.publish("topic", 1)
    assert seen == []


def test_unsubscribe_without_event_type_removes_the_wildcard_only() -> None:
    bus = EventBus()

    def subscriber(*_: Any) -> None: ...

    bus.subscribe(subscriber)
    bus.subscribe(subscriber, "topic")
    assert bus.unsubscribe(subscriber)
    assert bus.subscriber_count("topic") == 1
    assert bus.wildcard_count == 0


async def test_unsubscribe_keeps_what_has_not_started_from_starting() -> None:
    bus = EventBus()
    seen, later = noting()

    @bus.subscribe_to("topic")
    def first(_: Any) -> None:
        bus.unsubscribe(later, "topic")

    bus.subscribe(later, "topic")
    await bus.publish("topic", 1)
    assert seen == []


async def test_unsubscribe_keeps_a_wildcard_that_has_not_started_from_starting() -> None:
    bus = EventBus(max_concurrent=1)
    listener = Listener()
    held = Held()
    bus.subscribe(held, "topic")
    bus.subscribe(listener.wildcard)
    publishing = await begin(bus.publish("topic", 1))
    other = await begin(bus.publish("other", 2))
    bus.unsubscribe(listener.wildcard)
    held.release()
    await publishing
    await other
    assert listener.seen == []


async def test_unsubscribe_while_a_middleware_runs_keeps_it_from_starting() -> None:
    bus = EventBus()
    held = Held()
    seen, subscriber = noting()
    bus.subscribe(subscriber, "topic")

    async def middleware(_: str, data: Any) -> Any:
        await held(data)
        return data

    bus.add_middleware(middleware)
    publishing = await begin(bus.publish("topic", 1))
    bus.unsubscribe(subscriber, "topic")
    held.release()
    await publishing
    assert seen == []


async def test_unsubscribe_does_not_end_a_callback_that_runs() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    bus.unsubscribe(held, "topic")
    held.release()
    await publishing
    assert held.ended == [1]


async def test_unsubscribe_from_one_topic_leaves_the_publications_of_others_alone() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    seen, subscriber = noting()
    bus.subscribe(held, "topic")
    bus.subscribe(subscriber, "topic")
    bus.subscribe(subscriber, "other")
    publishing = await begin(bus.publish("topic", 1))
    bus.unsubscribe(subscriber, "other")
    held.release()
    await publishing
    assert seen == [1]


async def test_clear_of_a_topic_removes_and_returns_its_subscribers() -> None:
    bus = EventBus()
    seen, subscriber = noting()
    _, other = noting()
    bus.subscribe(subscriber, "topic")
    bus.subscribe(other, "other")
    removed = bus.clear("topic")
    assert isinstance(removed, weakref.WeakSet)
    assert set(removed) == {subscriber}
    assert bus.event_names() == {"other"}
    await bus.publish("topic", 1)
    assert seen == []


def test_clear_of_the_wildcard_removes_and_returns_the_wildcards() -> None:
    bus = EventBus()
    listener = Listener()
    bus.subscribe(listener.wildcard)
    bus.subscribe(listener.method, "topic")
    removed = bus.clear(EventBus.WILDCARD)
    assert removed is not None
    assert list(removed) == [listener.wildcard]
    assert bus.wildcard_count == 0
    assert bus.subscriber_count("topic") == 1


def test_clear_wildcards_is_clear_of_the_wildcard() -> None:
    bus = EventBus()
    listener = Listener()
    assert bus.clear_wildcards() is None
    bus.subscribe(listener.wildcard)
    removed = bus.clear_wildcards()
    assert removed is not None
    assert list(removed) == [listener.wildcard]
    assert bus.clear_wildcards() is None


def test_clear_of_an_event_type_without_subscribers_gives_none() -> None:
    bus = EventBus()
    assert bus.clear("topic") is None
    assert bus.clear(EventBus.WILDCARD) is None
    assert bus.event_names() == set()


async def test_clear_without_event_type_removes_all_subscribers_and_keeps_statistics() -> None:
    bus = EventBus(tracking_stats=True)
    listener = Listener()
    bus.subscribe(listener.wildcard)
    bus.subscribe(listener.method, "topic")
    await bus.publish("topic", 1)
    outcome: object = bus.clear()
    assert outcome is None
    assert bus.total_subscribers == 0
    assert bus.get_event_stats() == {"topic": 1}


async def test_clear_all_removes_all_subscribers_and_statistics() -> None:
    bus = EventBus(tracking_stats=True)
    listener = Listener()
    bus.subscribe(listener.wildcard)
    bus.subscribe(listener.method, "topic")
    await bus.publish("topic", 1)
    bus.clear_all()
    assert bus.total_subscribers == 0
    assert bus.get_event_stats() == {}


async def test_clear_keeps_what_has_not_started_from_starting() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    seen, subscriber = noting()
    listener = Listener()
    bus.subscribe(held, "topic")
    bus.subscribe(subscriber, "topic")
    bus.subscribe(listener.wildcard)
    publishing = await begin(bus.publish("topic", 1))
    bus.clear()
    held.release()
    await publishing
    assert seen == []
    assert listener.seen == []


def test_clear_returns_what_was_held_strongly_alive() -> None:
    bus = EventBus()
    bus.subscribe(lambda _: None, "topic", weak=False)
    removed = bus.clear("topic")
    gc.collect()
    assert removed is not None
    assert len(removed) == 1


# Looking


def test_counts_tell_how_many_are_subscribed() -> None:
    bus = EventBus()
    listener = Listener()
    bus.subscribe(listener.method, "one")
    bus.subscribe(listener.async_method, "one")
    bus.subscribe(listener, "two")
    bus.subscribe(listener.wildcard)
    assert bus.subscriber_count("one") == 2
    assert bus.subscriber_count("two") == 1
    assert bus.subscriber_count("three") == 0
    assert bus.subscriber_count(EventBus.WILDCARD) == bus.wildcard_count == 1
    assert bus.total_subscribers == 4
    assert bus.event_names() == {"one", "two"}


def test_has_subscribers_is_about_the_topic_alone() -> None:
    bus = EventBus()
    listener = Listener()
    assert not bus.has_subscribers(EventBus.WILDCARD)
    bus.subscribe(listener.wildcard)
    assert bus.has_subscribers(EventBus.WILDCARD)
    assert not bus.has_subscribers("topic")
    bus.subscribe(listener.method, "topic")
    assert bus.has_subscribers("topic")


def test_is_subscribed_looks_where_it_is_told_to() -> None:
    bus = EventBus()

    def specific(*_: Any) -> None: ...

    def wildcard(*_: Any) -> None: ...

    bus.subscribe(specific, "topic")
    bus.subscribe(wildcard)
    assert bus.is_subscribed(specific, "topic")
    assert not bus.is_subscribed(specific, "other")
    assert not bus.is_subscribed(specific, EventBus.WILDCARD)
    assert bus.is_subscribed(wildcard, EventBus.WILDCARD)
    assert not bus.is_subscribed(wildcard, "topic")


def test_is_subscribed_without_event_type_looks_everywhere() -> None:
    bus = EventBus()

    def specific(*_: Any) -> None: ...

    def wildcard(*_: Any) -> None: ...

    def neither(*_: Any) -> None: ...

    bus.subscribe(specific, "topic")
    bus.subscribe(wildcard)
    assert bus.is_subscribed(specific)
    assert bus.is_subscribed(wildcard)
    assert not bus.is_subscribed(neither)


def test_looking_creates_nothing() -> None:
    bus = EventBus()
    _, subscriber = noting()
    assert not bus.has_subscribers("x")
    assert bus.subscriber_count("x") == 0
    assert len(bus.subscribers_for("x")) == 0
    assert not bus.is_subscribed(subscriber, "x")
    assert bus.clear("x") is None
    assert not bus.unsubscribe(subscriber, "x")
    assert bus.event_names() == set()
    assert bus._core.topics.topics == {}


async def test_publishing_to_a_topic_without_subscribers_creates_nothing() -> None:
    bus = EventBus()
    for number in range(100):
        await bus.publish(f"topic {number}", number)
    assert bus.event_names() == set()
    assert bus._core.topics.topics == {}


def test_a_topic_is_gone_with_its_last_subscriber() -> None:
    bus = EventBus()
    _, subscriber = noting()
    bus.subscribe(subscriber, "topic")
    bus.unsubscribe(subscriber, "topic")
    assert bus.event_names() == set()
    assert bus._core.topics.topics == {}


def test_subscribers_for_gives_a_snapshot_in_order() -> None:
    bus = EventBus()
    listener = Listener()
    _, subscriber = noting()
    bus.subscribe(listener.method, "topic")
    bus.subscribe(subscriber, "topic")
    bus.subscribe(listener, "topic")
    snapshot = bus.subscribers_for("topic")
    assert isinstance(snapshot, weakref.WeakSet)
    assert list(snapshot) == [listener.method, subscriber, listener]
    snapshot.clear()
    assert bus.subscriber_count("topic") == 3


def test_wildcards_gives_the_wildcard_subscribers() -> None:
    bus = EventBus()
    listener = Listener()
    bus.subscribe(listener.wildcard)
    assert isinstance(bus.wildcards, weakref.WeakSet)
    assert list(bus.wildcards) == [listener.wildcard] == list(bus.subscribers_for(EventBus.WILDCARD))


# How they are held


async def test_a_function_is_held_weakly() -> None:
    bus = EventBus()
    seen, subscriber = noting()
    bus.subscribe(subscriber, "topic")
    await bus.publish("topic", 1)
    del subscriber
    gc.collect()
    assert bus.subscriber_count("topic") == 0
    assert bus.event_names() == set()
    await bus.publish("topic", 2)
    assert seen == [1]


async def test_publish_passes_over_a_subscriber_that_has_died() -> None:
    bus = EventBus()
    seen, subscriber = noting()
    others, other = noting()
    bus.subscribe(subscriber, "topic")
    bus.subscribe(other, "topic")
    await bus.publish("topic", 1)
    del subscriber
    await bus.publish("topic", 2)
    assert seen == [1]
    assert others == [1, 2]
    assert bus.subscriber_count("topic") == 1


async def test_a_late_death_notice_spares_whoever_took_the_place() -> None:
    bus = EventBus()
    listener, successor = Listener(), Listener()
    bus.subscribe(listener.method, "topic")
    topics = bus._core.topics
    entry = topics.topics["topic"][key_of(listener.method)]
    assert isinstance(entry, WeakEntry)
    bus.unsubscribe(listener.method, "topic")
    bus.subscribe(successor.method, "topic")
    entry.key = key_of(successor.method)
    entry.called = True
    topics.dead.append(entry)
    assert bus.is_subscribed(successor.method, "topic")
    assert bus.subscriber_count("topic") == 1
    await bus.publish("topic")


async def test_a_subscriber_that_dies_while_its_topic_is_cleared_is_not_counted_out_twice() -> None:
    class Basket(list[Any]):
        def __getattribute__(self, name: str) -> Any:
            if clearing:
                alive.clear()
            return super().__getattribute__(name)

    bus = EventBus("shop")
    clearing = False
    basket, alive = Basket(), [Listener()]
    bus.subscribe(basket.append, "topic")
    bus.subscribe(alive[0].method, "topic")
    await bus.publish("topic", 1)
    clearing = True
    assert bus.clear("topic") == {basket.append}
    assert "0 topics, 0 subscribers" in repr(bus)


def test_a_snapshot_passes_over_a_subscriber_that_dies_meanwhile() -> None:
    bus = EventBus()
    _, subscriber = noting()
    bus.subscribe(subscriber, "topic")

    class Dead(WeakEntry):
        def __call__(self) -> Any:
            return None

    bus._core.topics.topics["topic"]["dead"] = Dead(subscriber)
    assert list(bus.subscribers_for("topic")) == [subscriber]


async def test_a_bound_method_is_held_as_long_as_its_instance_lives() -> None:
    bus = EventBus()
    listener = Listener()
    seen = listener.seen
    bus.subscribe(listener.method, "topic")
    gc.collect()
    await bus.publish("topic", 1)
    assert seen == [1]
    assert bus.is_subscribed(listener.method, "topic")
    assert list(bus.subscribers_for("topic")) == [listener.method]
    del listener
    gc.collect()
    assert bus.subscriber_count("topic") == 0
    await bus.publish("topic", 2)
    assert seen == [1]


async def test_a_bound_method_found_again_is_the_same_subscriber() -> None:
    bus = EventBus()
    listener, twin = Listener(), Listener()
    bus.subscribe(listener.method, "topic")
    bus.subscribe(listener.method, "topic")
    bus.subscribe(twin.method, "topic")
    assert bus.subscriber_count("topic") == 2
    assert bus.unsubscribe(listener.method, "topic")
    await bus.publish("topic", 1)
    assert listener.seen == []
    assert twin.seen == [1]


async def test_a_method_of_an_unhashable_object_can_be_subscribed() -> None:
    class Unhashable(Listener):
        __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ alone has it

        def __eq__(self, other: object) -> bool:
            return True

    bus = EventBus()
    one, other = Unhashable(), Unhashable()
    bus.subscribe(one.method, "topic")
    bus.subscribe(other.method, "topic")
    await bus.publish("topic", 1)
    assert one.seen == other.seen == [1]


async def test_a_built_in_method_is_held_as_long_as_its_instance_lives() -> None:
    bus = EventBus()
    seen: deque[Any] = deque()
    bus.subscribe(seen.append, "topic")
    gc.collect()
    await bus.publish("topic", 1)
    assert list(seen) == [1]
    assert bus.is_subscribed(seen.append, "topic")
    del seen
    gc.collect()
    assert bus.subscriber_count("topic") == 0


async def test_a_class_method_is_held_as_long_as_its_class_lives() -> None:
    seen: list[Any] = []

    class Owner:
        @classmethod
        def method(cls, data: Any) -> None:
            seen.append(data)

    bus = EventBus()
    bus.subscribe(Owner.method, "topic")
    gc.collect()
    await bus.publish("topic", 1)
    assert seen == [1]


async def test_built_in_functions_partials_and_callable_objects_can_be_subscribed() -> None:
    bus = EventBus()
    listener = Listener()
    seen: list[Any] = []
    applied = partial(lambda mark, data: seen.append((mark, data)), "mark")
    subscribers: list[Callable[..., object]] = [len, applied, listener, str]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    await bus.publish("topic", "text")
    assert listener.seen == ["text"]
    assert seen == [("mark", "text")]


@pytest.mark.parametrize("subscriber", [[].append, list.append, {}.get, [].__contains__])
def test_what_cannot_be_held_weakly_is_refused_with_the_way_out(subscriber: Any) -> None:
    bus = EventBus()
    with pytest.raises(TypeError, match="weak=False") as caught:
        bus.subscribe(subscriber, "topic")
    assert isinstance(caught.value, ArgumentTypeError)
    assert bus.event_names() == set()


async def test_what_cannot_be_held_weakly_can_be_held_strongly() -> None:
    bus = EventBus()
    seen: list[Any] = []
    bus.subscribe(seen.append, "topic", weak=False)
    await bus.publish("topic", 1)
    assert seen == [1]
    assert bus.is_subscribed(seen.append, "topic")
    assert list(bus.subscribers_for("topic")) == [seen.append]
    assert bus.unsubscribe(seen.append, "topic")
    await bus.publish("topic", 2)
    assert seen == [1]


async def test_weak_false_keeps_the_subscriber_alive() -> None:
    bus = EventBus()
    seen: list[Any] = []
    bus.subscribe(lambda data: seen.append(data), "topic", weak=False)
    bus.subscribe(lambda _, data: seen.append(data), weak=False)
    gc.collect()
    await bus.publish("topic", 1)
    assert seen == [1, 1]


async def test_subscribe_again_with_weak_false_holds_strongly_from_then_on() -> None:
    bus = EventBus()
    seen: list[str] = []

    def first(_: Any) -> None:
        seen.append("first")

    def second(_: Any) -> None:
        seen.append("second")

    bus.subscribe(first, "topic")
    bus.subscribe(second, "topic")
    bus.subscribe(first, "topic", weak=False)
    del first
    gc.collect()
    await bus.publish("topic")
    assert seen == ["first", "second"]


async def test_subscribe_again_weakly_leaves_a_strong_one_strong() -> None:
    bus = EventBus()
    seen, subscriber = noting()
    bus.subscribe(subscriber, "topic", weak=False)
    bus.subscribe(subscriber, "topic")
    del subscriber
    gc.collect()
    await bus.publish("topic", 1)
    assert seen == [1]


async def test_a_publication_keeps_its_subscribers_alive() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    seen, subscriber = noting()
    bus.subscribe(held, "topic")
    bus.subscribe(subscriber, "topic")
    publishing = await begin(bus.publish("topic", 1))
    del subscriber
    gc.collect()
    held.release()
    await publishing
    assert seen == [1]


def test_a_new_method_at_the_address_of_a_dead_one_is_subscribed() -> None:
    bus = EventBus()
    for _ in range(50):
        listener = Listener()
        bus.subscribe(listener.method, "topic")
        bus._core.topics.topics["topic"].calls()  # so that its death is no surprise
        assert bus.is_subscribed(listener.method, "topic")
        assert bus.subscriber_count("topic") == 1
        del listener


# The warning


def test_a_subscriber_that_dies_uncalled_gives_a_warning_that_names_it_and_the_way_out() -> None:
    bus = EventBus()
    with pytest.warns(RuntimeWarning, match=DEAD) as caught:
        bus.subscribe(lambda _: None, "topic")
        gc.collect()
    assert "lambda" in str(caught[0].message)
    assert "'topic'" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_a_method_whose_instance_dies_uncalled_gives_a_warning_that_names_it() -> None:
    bus = EventBus()
    with pytest.warns(RuntimeWarning, match=r"Listener\.wildcard, subscribed to WILDCARD"):
        bus.subscribe(Listener().wildcard)
        gc.collect()


def test_a_callable_object_that_dies_uncalled_gives_a_warning_that_names_its_type() -> None:
    bus = EventBus()
    with pytest.warns(RuntimeWarning, match="Listener, subscribed to 'topic'"):
        bus.subscribe(Listener(), "topic")
        gc.collect()


async def test_a_subscriber_that_was_called_dies_silently() -> None:
    bus = EventBus()
    listener = Listener()
    bus.subscribe(listener.method, "topic")
    bus.subscribe(listener.wildcard)
    await bus.publish("topic", 1)
    del listener
    gc.collect()
    assert bus.total_subscribers == 0


async def test_a_subscriber_added_later_still_warns() -> None:
    bus = EventBus()
    _, first = noting()
    bus.subscribe(first, "topic")
    await bus.publish("topic", 1)
    with pytest.warns(RuntimeWarning, match=DEAD):
        bus.subscribe(lambda _: None, "topic")
        gc.collect()


def test_a_subscriber_that_was_removed_dies_silently() -> None:
    bus = EventBus()
    _, subscriber = noting()
    _, other = noting()
    bus.subscribe(subscriber, "topic")
    bus.subscribe(other, "topic")
    bus.unsubscribe(subscriber, "topic")
    bus.clear("topic")
    del subscriber, other
    gc.collect()
    assert bus.total_subscribers == 0


def test_subscribers_that_outlive_their_bus_die_silently() -> None:
    bus = EventBus()
    _, subscriber = noting()
    bus.subscribe(subscriber, "topic")
    del bus
    del subscriber
    gc.collect()


def test_a_bus_is_gone_with_the_last_reference_to_it() -> None:
    bus = EventBus()
    _, subscriber = noting()
    bus.subscribe(subscriber, "topic")
    bus.add_middleware(lambda _, data: data)
    alive = weakref.ref(bus)
    gc.disable()
    try:
        del bus
        assert alive() is None
    finally:
        gc.enable()


async def test_a_bus_that_was_used_is_gone_with_the_last_reference_to_it() -> None:
    bus = EventBus()
    _, subscriber = noting()
    bus.subscribe(subscriber, "topic")
    await bus.publish("topic")
    await bus.publish("topic", wait=False)
    await settle()
    alive = weakref.ref(bus)
    gc.disable()
    try:
        del bus
        assert alive() is None
    finally:
        gc.enable()


def test_a_subscriber_can_die_on_another_thread() -> None:
    bus = EventBus()
    holder: list[Any] = [Listener()]
    bus.subscribe(holder[0].method, "topic")
    with pytest.warns(RuntimeWarning, match=DEAD):
        thread = threading.Thread(target=holder.clear)
        thread.start()
        thread.join()
    assert bus.subscriber_count("topic") == 0


def test_nothing_is_said_at_the_exit_of_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncutils_rx._bus._subscribers.is_finalizing", lambda: True)
    bus = EventBus()
    bus.subscribe(Listener().method, "topic")
    gc.collect()
    assert bus.subscriber_count("topic") == 0


def test_the_warning_as_an_error_goes_to_the_unraisable_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisables: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: unraisables.append(unraisable.exc_type))
    bus = EventBus()
    bus.subscribe(Listener().method, "topic")
    gc.collect()
    assert unraisables == [RuntimeWarning]
    assert bus.subscriber_count("topic") == 0


# All of it, at random


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "kill", "publish"]), st.integers(0, 5))))
async def test_topics_agree_with_a_dictionary(steps: list[tuple[str, int]]) -> None:
    bus = EventBus()
    alive: dict[int, Listener] = {}
    model: dict[int, None] = {}
    for step, number in steps:
        listener = alive.setdefault(number, Listener())
        if step == "add":
            bus.subscribe(listener.method, "topic")
            model.setdefault(number)
        elif step == "remove":
            assert bus.unsubscribe(listener.method, "topic") == (number in model)
            model.pop(number, None)
        elif step == "kill":
            await bus.publish("topic")
            del alive[number], listener
            model.pop(number, None)
        else:
            await bus.publish("topic", number)
            assert [other for other in model if alive[other].seen[-1:] != [number]] == []
        assert bus.subscriber_count("topic") == len(model)
        assert [subscriber.__self__ for subscriber in bus.subscribers_for("topic")] == [alive[key] for key in model]  # type: ignore[attr-defined]  # methods
    bus.clear()


# After the end


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe"])
async def test_subscriber_calls_after_shutdown_raise(method: str) -> None:
    bus = EventBus("gone")
    _, subscriber = noting()
    await bus.shutdown()
    with pytest.raises(BusShutDown, match="gone"):
        getattr(bus, method)(subscriber, "topic")


async def test_looking_after_shutdown_is_harmless() -> None:
    bus = EventBus()
    _, subscriber = noting()
    bus.subscribe(subscriber, "topic")
    await bus.shutdown()
    assert bus.event_names() == set()
    assert not bus.has_subscribers("topic")
    assert bus.subscriber_count("topic") == 0
    assert bus.total_subscribers == 0
    assert not bus.is_subscribed(subscriber)
    assert not bus.is_subscribed(subscriber, "topic")
    assert list(bus.wildcards) == []
    assert bus.clear("topic") is None
    bus.clear()
