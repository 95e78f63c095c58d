"""Topics as observables: what is published there is notified there, and the publisher waits for the observers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from .._wildcard import WILDCARD, WildcardType

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._observable import Observable
    from .._observable._feed import Feed
    from ._sinks import Pending, Sinks

__all__ = ["Observables"]


class TopicSink:
    """Hands the publications of one topic, or of all, to its observable."""

    __slots__ = ("_feed", "_whole")

    def __init__(self, feed: Feed, whole: bool) -> None:
        self._feed = feed
        self._whole = whole

    def accept(self, _event_type: str, _data: Any, /) -> bool:
        """Take nothing without being waited for; see :class:`asyncutils_rx._bus._sinks.Sink`."""
        return False

    def take(self, event_type: str, data: Any, on_end: Callable[[Pending], None], /) -> Pending | None:
        """Emit a publication; see :class:`asyncutils_rx._bus._sinks.Sink`."""
        return self._feed.take(((event_type, data) if self._whole else (data,), {}), on_end)


class Observables:
    """The observables of one bus, by topic, for as long as somebody holds them or listens to them."""

    __slots__ = ("_made", "_sinks")

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks
        self._made: WeakValueDictionary[str | WildcardType, Observable[...]] = WeakValueDictionary()

    def of(self, event_type: str | WildcardType, label: str) -> Observable[...]:
        """Return the observable of a topic, or of all; the same for as long as it lives and is open."""
        from .._observable._feed import Feed  # with all that observables are, where somebody wants one

        found = self._made.get(event_type)
        if found is None or not Feed.is_open(found):
            found = self._made[event_type] = self._new(event_type, label)
        return found

    def alive(self) -> list[tuple[str | WildcardType, Observable[...]]]:
        """Return those that somebody holds, each with its topic."""
        return list(self._made.items())

    def _new(self, event_type: str | WildcardType, label: str) -> Observable[...]:
        from .._observable import Observable
        from .._observable._feed import Feed

        observable: Observable[...] = Observable()
        sinks = self._sinks

        def on_demand(wanted: bool) -> None:
            # Whoever listens keeps the observable alive, through the bus; otherwise only who refers to it does.
            if wanted:
                sinks.add(sink, event_type)
            else:
                sinks.remove(sink, event_type)

        sink = TopicSink(Feed(observable, label, on_demand), event_type is WILDCARD)
        return observable

    async def close(self) -> None:
        """Close all of them.

        Cancellation: their observers are cancelled and awaited; they are closed.
        """
        for each in list(self._made.values()):
            from .._observable._feed import Feed

            await Feed.close(each)  # in this very task, so that it is seen whether an observer does this
