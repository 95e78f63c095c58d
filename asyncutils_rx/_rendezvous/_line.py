"""A queue whose entries can leave from the middle in constant time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import ref

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

__all__ = ["Line"]

E = TypeVar("E")


class Line(Generic[E]):
    """Entries in order of arrival; whoever serves them appends to :attr:`entries` and takes from its ends.

    An entry that leaves is not searched for. It turns dead, and its slot stays until it comes to an end of the queue,
    until such slots outnumber the live entries, or until the sweep: a timer of the loop, there only while there are
    such slots, which knows the line by a weak reference. The last entry is never dead; so where there is an entry,
    there is a live one.

    Args:
        loop: The loop for the timer.
        is_live: Tells whether an entry can still be served.
        interval: How many seconds a slot stays at most.

    Attributes:
        entries: The entries, dead ones among them; always the same deque.
        slots: How many dead entries there are.
    """

    __slots__ = ("__weakref__", "_interval", "_is_live", "_loop", "_timer", "entries", "slots")

    def __init__(self, loop: AbstractEventLoop, is_live: Callable[[E], bool], interval: float) -> None:
        self.entries: deque[E] = deque()
        self.slots = 0
        self._loop = loop
        self._is_live = is_live
        self._interval = interval
        self._timer: TimerHandle | None = None

    @property
    def pending(self) -> int:
        """How many entries have not left, in constant time."""
        return len(self.entries) - self.slots

    def slot_left(self) -> None:
        """Note that an entry has died."""
        self.slots += 1
        entries = self.entries
        while entries and not self._is_live(entries[-1]):
            entries.pop()
            self.slots -= 1
        while entries and not self._is_live(entries[0]):
            entries.popleft()
            self.slots -= 1
        if self.slots <= 0:
            self._disarm()
        elif self.slots * 2 > len(entries):
            self.sweep()
        elif self._timer is None and not self._loop.is_closed():
            self._timer = self._loop.call_later(self._interval, _sweep, ref(self))

    def slot_gone(self) -> None:
        """Note that a dead entry was removed from :attr:`entries`."""
        self.slots -= 1
        if self.slots <= 0:
            self._disarm()

    def sweep(self) -> None:
        """Remove every dead entry."""
        self.entries.extend(self.drain())

    def drain(self) -> list[E]:
        """Remove every entry, and return those that were live."""
        live = [entry for entry in self.entries if self._is_live(entry)]
        self.slots -= len(self.entries) - len(live)
        self.entries.clear()
        self._disarm()
        return live

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _sweep(line: Callable[[], Line[Any] | None]) -> None:
    found = line()
    if found is not None:
        found.sweep()
