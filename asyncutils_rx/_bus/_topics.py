"""Who is subscribed to what: ordered, weakly or strongly, with memory for live topics only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from .._wildcard import WILDCARD, WildcardType
from ..exceptions import ArgumentTypeError
from ._subscriber_set import SubscriberSet
from ._subscribers import Entry, StrongEntry, Subscriber, WeakEntry, bury_in, hold_weakly, key_of

__all__ = ["Topics"]


class Topic(dict[Hashable, Entry]):
    """The subscribers of one topic, in order of subscription.

    Attributes:
        fresh: Whether one of them may not have been reached by any publication yet.
        only: The only one, where there is just one and a publication has reached it.
    """

    __slots__ = ("fresh", "only")

    def __init__(self) -> None:
        super().__init__()
        self.fresh = False
        self.only: Entry | None = None

    def changed(self) -> None:
        """Take note that one was added or removed."""
        self.fresh = True
        self.only = None

    def calls(self) -> list[Callable[..., object]]:
        """Return the live subscribers, and note that a publication reaches them."""
        if self.fresh:
            self.fresh = False
            for entry in self.values():
                if type(entry) is not StrongEntry:
                    entry.called = True  # type: ignore[union-attr]  # the others are weak
            if len(self) == 1:
                (self.only,) = self.values()
        return [call for entry in self.values() if (call := entry()) is not None]


class Topics:
    """All subscribers of a bus. To ask changes nothing, and a topic without a subscriber takes no memory."""

    __slots__ = ("_bury", "dead", "topics", "wildcards")

    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}
        self.wildcards = Topic()
        # A subscriber can die on any thread and in the middle of any line, so it is only noted here.
        self.dead: deque[WeakEntry] = deque()
        self._bury = bury_in(self.dead)

    def add(self, subscriber: Subscriber, event_type: str | WildcardType, *, weak: bool) -> None:
        """Add a subscriber at the end; one that is there already keeps its place.

        Raises:
            ArgumentTypeError: ``weak`` is true and it cannot be referenced weakly.
        """
        self.reap()
        topic = self._topic(event_type)
        key = key_of(subscriber)
        if topic is not None and (known := topic.get(key)) is not None and known() is not None:
            if not weak:
                topic[key] = StrongEntry(subscriber)
                topic.changed()
            return
        entry = self._weak_entry(subscriber, event_type, key) if weak else StrongEntry(subscriber)
        if topic is None:
            assert isinstance(event_type, str)
            topic = self.topics[event_type] = Topic()
        topic[key] = entry
        topic.changed()

    def _weak_entry(self, subscriber: Subscriber, event_type: str | WildcardType, key: Hashable) -> WeakEntry:
        try:
            entry = hold_weakly(subscriber, self._bury)
        except TypeError:
            rule = "referenceable weakly, or subscribed with weak=False"
            raise ArgumentTypeError("EventBus.subscribe", "subscriber", subscriber, rule) from None
        entry.key = key
        entry.event_type = event_type
        entry.label = getattr(subscriber, "__qualname__", None) or type(subscriber).__qualname__
        entry.called = False
        return entry

    def discard(self, subscriber: Subscriber, event_type: str | WildcardType) -> bool:
        """Remove a subscriber; return whether it was there."""
        self.reap()
        topic = self._topic(event_type)
        if topic is None or topic.pop(key_of(subscriber), None) is None:
            return False
        topic.changed()
        self._prune(event_type)
        return True

    def reap(self) -> None:
        """Remove what has died since the last time."""
        while self.dead:
            entry = self.dead.popleft()
            topic = self._topic(entry.event_type)
            if topic is not None and topic.get(entry.key) is entry:
                del topic[entry.key]
                topic.changed()
                self._prune(entry.event_type)

    def _topic(self, event_type: str | WildcardType) -> Topic | None:
        return self.wildcards if event_type is WILDCARD else self.topics.get(event_type)

    def _prune(self, event_type: str | WildcardType) -> None:
        if event_type is not WILDCARD and not self.topics[event_type]:
            del self.topics[event_type]

    # What a publication calls

    def calls(self, event_type: str) -> tuple[list[Callable[..., object]], int]:
        """Return what a publication calls with the data, and how many are the topic's own: these come first."""
        if self.dead:
            self.reap()
        topic = self.topics.get(event_type)
        calls = [] if topic is None else topic.calls()
        specific = len(calls)
        if self.wildcards:
            calls += [partial(call, event_type) for call in self.wildcards.calls()]
        return calls, specific

    # Looking

    def contains(self, subscriber: Subscriber, event_type: str | WildcardType) -> bool:
        """Whether the subscriber is there."""
        topic = self._topic(event_type)
        entry = None if topic is None else topic.get(key_of(subscriber))
        return entry is not None and entry() is not None

    def contains_anywhere(self, subscriber: Subscriber) -> bool:
        """Whether the subscriber is anywhere."""
        key = key_of(subscriber)
        return any(
            (entry := topic.get(key)) is not None and entry() is not None
            for topic in (self.wildcards, *self.topics.values())
        )

    def count(self, event_type: str | WildcardType) -> int:
        """How many there are of one event type."""
        self.reap()
        topic = self._topic(event_type)
        return 0 if topic is None else len(topic)

    def total(self) -> int:
        """How many there are in all."""
        self.reap()
        return len(self.wildcards) + sum(map(len, self.topics.values()))

    def tally(self) -> tuple[int, int]:
        """Return how many topics and subscribers there are. Changes nothing, so any thread may ask."""
        topics = self.topics.copy()
        subscribers = len(self.wildcards) + sum(map(len, topics.values()))
        for entry in self.dead.copy():
            topic = self._topic(entry.event_type)
            if topic is not None and topic.get(entry.key) is entry:
                subscribers -= 1
                if not any(other() is not None for other in list(topic.values())):
                    topics.pop(entry.event_type, None)  # type: ignore[arg-type]  # the wildcard is none of them
        return len(topics), subscribers

    def names(self) -> set[str]:
        """Return the topics that have one."""
        self.reap()
        return set(self.topics)

    def members(self, event_type: str | WildcardType) -> SubscriberSet[Any]:
        """Return a snapshot of one event type."""
        self.reap()
        members: SubscriberSet[Any] = SubscriberSet()
        topic = self._topic(event_type)
        for entry in () if topic is None else topic.values():
            subscriber: Any = entry()
            if isinstance(entry, StrongEntry):
                members.add_strongly(subscriber)
            elif subscriber is not None:
                members.add(subscriber)
        return members

    # Removing many

    def clear(self, event_type: str | WildcardType) -> SubscriberSet[Any] | None:
        """Remove all of one event type; return them, or None where there are none."""
        members = self.members(event_type)
        topic = self._topic(event_type)
        if not topic:
            return None
        topic.clear()
        topic.changed()
        self._prune(event_type)
        return members

    def clear_all(self) -> None:
        """Remove all of all event types."""
        self.topics.clear()
        self.wildcards.clear()
        self.wildcards.changed()
        self.dead.clear()
