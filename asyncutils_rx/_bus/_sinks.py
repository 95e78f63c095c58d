"""Where publications go besides to subscribers: streams, waits for an event, and whatever else takes part in a topic.

A publication is handed to each sink of its topic, in the order in which publications passed the middlewares, before its
first subscriber starts. What a sink cannot take at once the publisher waits for, and its error is the publisher's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .._wildcard import WILDCARD, WildcardType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Pending", "Sink", "Sinks"]


class Pending(Protocol):
    """What a publisher waits for.

    Attributes:
        error: Why it failed, once it has ended; None where it did not.
    """

    error: BaseException | None

    def cancel(self) -> None:
        """Give up. It may end at once, or later."""


class Sink(Protocol):
    """What takes the publications of a topic."""

    def accept(self, event_type: str, data: Any, /) -> bool:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Take a publication if that is done at once and cannot fail; return whether it was."""

    def take(self, event_type: str, data: Any, on_end: Callable[[Pending], None], /) -> Pending | None:
        """Take a publication.

        Returns:
            None where that is done, else what the publisher has to wait for; ``on_end`` is called with it once it
            has ended, and not before this returned.

        Raises:
            Exception: It cannot be taken.
        """


class Sinks:
    """The sinks of one bus, by topic, in order. Memory is taken for topics that have one.

    Attributes:
        any: Whether there are any.
        found: What :meth:`of` gave for topics that have their own, and would give again.
    """

    __slots__ = ("_all", "_everything", "_topics", "any", "found")

    def __init__(self) -> None:
        self._topics: dict[str, dict[Sink, None]] = {}
        self._everything: dict[Sink, None] = {}
        self._all: tuple[Sink, ...] = ()
        self.found: dict[str, tuple[Sink, ...]] = {}
        self.any = False

    def __bool__(self) -> bool:
        return self.any

    def add(self, sink: Sink, event_type: str | WildcardType) -> None:
        """Hand publications of a topic, or all, to ``sink`` from now on."""
        if event_type is WILDCARD:
            self._everything[sink] = None
        else:
            self._topics.setdefault(event_type, {})[sink] = None
        self._changed(event_type)

    def remove(self, sink: Sink, event_type: str | WildcardType) -> None:
        """Hand it nothing any more; harmless where that is so already."""
        if event_type is WILDCARD:
            self._everything.pop(sink, None)
        else:
            sinks = self._topics.get(event_type, {})
            sinks.pop(sink, None)
            if not sinks:
                self._topics.pop(event_type, None)
        self._changed(event_type)

    def _changed(self, event_type: str | WildcardType) -> None:
        self.any = bool(self._everything or self._topics)
        if event_type is WILDCARD:
            self._all = tuple(self._everything)
            self.found.clear()
        else:
            self.found.pop(event_type, None)

    def of(self, event_type: str) -> Sequence[Sink]:
        """Return the sinks of a topic: its own, then those of everything."""
        own = self._topics.get(event_type)
        if own is None:
            return self._all
        found = self.found.get(event_type)
        if found is None:
            found = self.found[event_type] = (*own, *self._everything)
        return found
