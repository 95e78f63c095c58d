"""The sets of subscribers that users get."""

from __future__ import annotations

from collections.abc import MutableSet
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from ._subscribers import StrongEntry, hold_weakly, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from typing import Self

__all__ = ["SubscriberSet"]

S = TypeVar("S")

if TYPE_CHECKING:
    _Base = WeakSet
else:

    class _Base(MutableSet, WeakSet):
        """A weak set whose operators rest on five methods, and not on the inside of the original."""


class SubscriberSet(_Base[S]):
    """A snapshot of subscribers, in order of subscription; to change it changes nothing at the bus.

    It is a :class:`weakref.WeakSet` in which a bound method stays for as long as its instance lives. What was
    subscribed with ``weak=False`` is held strongly, and so is what cannot be referenced weakly.
    """

    def __init__(self, data: Iterable[S] | None = None) -> None:
        super().__init__()
        self._entries: dict[Hashable, Callable[[], Any]] = {}
        if data is not None:
            self.update(data)

    def __contains__(self, item: object) -> bool:
        try:
            entry = self._entries.get(key_of(item))
        except TypeError:
            return False
        return entry is not None and entry() is not None

    def __iter__(self) -> Iterator[S]:
        for entry in list(self._entries.values()):
            item = entry()
            if item is not None:
                yield item

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self),)

    def add(self, item: S) -> None:
        """Add a subscriber, weakly where that is possible."""
        if item not in self:
            try:
                self._entries[key_of(item)] = hold_weakly(item)
            except TypeError:
                self.add_strongly(item)

    def add_strongly(self, item: S) -> None:
        """Add a subscriber and keep it alive."""
        self._entries[key_of(item)] = StrongEntry(item)  # type: ignore[arg-type]  # a user may add what is no callable

    def discard(self, item: S) -> None:
        """Remove a subscriber, if it is there."""
        self._entries.pop(key_of(item), None)

    def clear(self) -> None:
        """Remove all of them."""
        self._entries.clear()

    def copy(self) -> Self:
        """Return a set that holds the same, each in the same way."""
        copied = type(self)()
        copied.__dict__["_entries"] = self._entries.copy()
        return copied

    # The named methods, on any iterables

    def update(self, other: Iterable[S]) -> None:
        """Add what ``other`` has."""
        for item in other:
            self.add(item)

    def difference_update(self, other: Iterable[Any]) -> None:
        """Remove what ``other`` has."""
        for item in list(other):
            self.discard(item)

    def intersection_update(self, other: Iterable[Any]) -> None:
        """Keep only what ``other`` has too."""
        kept = SubscriberSet(other)
        for item in list(self):
            if item not in kept:
                self.discard(item)

    def symmetric_difference_update(self, other: Iterable[S]) -> None:
        """Keep what either has, but not both."""
        for item in SubscriberSet(other):
            if item in self:
                self.discard(item)
            else:
                self.add(item)

    def union(self, other: Iterable[Any]) -> Any:
        """Return what either has."""
        united = self.copy()
        united.update(other)
        return united

    def difference(self, other: Iterable[Any]) -> Self:
        """Return what ``other`` has not."""
        rest = self.copy()
        rest.difference_update(other)
        return rest

    def intersection(self, other: Iterable[Any]) -> Self:
        """Return what both have."""
        common = self.copy()
        common.intersection_update(other)
        return common

    def symmetric_difference(self, other: Iterable[Any]) -> Any:
        """Return what either has, but not both."""
        different = self.copy()
        different.symmetric_difference_update(other)
        return different

    def issubset(self, other: Iterable[Any]) -> bool:
        """Whether ``other`` has all of it."""
        all_of_them = SubscriberSet(other)
        return all(item in all_of_them for item in self)

    def issuperset(self, other: Iterable[Any]) -> bool:
        """Whether it has all of ``other``."""
        return all(item in self for item in other)
