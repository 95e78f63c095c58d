"""How many publications each topic had."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Mapping

__all__ = ["Counts", "Statistics"]

Counts = defaultdict[str, int]


class Statistics:
    """The counters of one bus: its own, and one more for each context that is open.

    Attributes:
        active: Whether anything is counted.
    """

    __slots__ = ("_contexts", "_counts", "_explicit", "_preserved", "_watched", "active")

    def __init__(self, tracking: bool) -> None:
        self._counts: Counts | None = None
        self._explicit = False
        self._contexts: list[Counts] = []
        self._watched: list[Counts] = []
        self._preserved: Counts | None = None
        self.active = False
        if tracking:
            self.start()

    def count(self, event_type: str) -> None:
        """Count one publication."""
        if self._counts is not None:
            self._counts[event_type] += 1
        for counts in self._contexts:
            counts[event_type] += 1
        for counts in self._watched:
            counts[event_type] += 1

    def start(self) -> None:
        """Count from now on; go on where it is counted already."""
        self._explicit = True
        self._begin()

    def _begin(self) -> None:
        if self._counts is None:
            self._counts = defaultdict(int)
            self._preserved = None
        self.active = True

    def stop(self) -> Counts | None:
        """Stop the bus's own counter; return what it counted, or None where it did not."""
        counts, self._counts = self._counts, None
        self._explicit = False
        self.active = bool(self._contexts or self._watched)
        return counts

    def watch(self, counts: Counts) -> Callable[[], None]:
        """Count for somebody who watches, beside what users are told; return what ends that."""
        self._watched.append(counts)
        self.active = True

        def leave() -> None:
            # By identity: two that saw the same are equal.
            self._watched = [other for other in self._watched if other is not counts]
            self.active = bool(self._contexts or self._watched or self._counts is not None)

        return leave

    def get(self) -> Counts | None:
        """Return a copy of what is counted or was preserved, or None."""
        counts = self._preserved if self._counts is None else self._counts
        return None if counts is None else counts.copy()

    def clear(self) -> None:
        """Forget what was counted, and go on counting."""
        self._preserved = None
        if self._counts is not None:
            self._counts.clear()

    def close(self, preserve: bool) -> None:
        """Stop counting for good, and keep what was counted if asked to."""
        counts = self.stop()
        if preserve and counts is not None:
            self._preserved = counts

    def open_context(self, receiver: Future[Mapping[str, int]] | None) -> Callable[[], None]:
        """Count for a context too; return what ends that and sends the counts to ``receiver``."""
        counts: Counts = defaultdict(int)
        self._contexts.append(counts)
        self._begin()

        def leave() -> None:
            # By identity: two contexts that saw the same are equal.
            self._contexts = [other for other in self._contexts if other is not counts]
            if not self._contexts and not self._explicit:
                self.stop()
            if receiver is not None and not receiver.done():
                receiver.set_result(dict(counts))

        return leave
