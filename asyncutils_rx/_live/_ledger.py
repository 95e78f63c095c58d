"""The rows of a live view: a tree that only grows, with the rates and the short history of each row."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from ._numbers import NOTHING, Node, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._numbers import Numbers

__all__ = ["Ledger", "Row", "Source"]

_MOST_ROWS = 120
_KEPT = 60
"""How many rates between samples a row keeps."""


class Source(Protocol):
    """Where the numbers of a row come from."""

    @property
    def is_gone(self) -> bool:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Whether what it tells of is not there any more."""
        ...

    def read(self) -> Numbers:  # pyright: ignore[reportReturnType]  # a protocol has no bodies
        """Return the numbers of the moment."""
        ...


class Row:
    """One row.

    Args:
        kind: What kind of node it is the row of.
        name: What that is called.
        above: The row that it stands below, or None.
        source: Where its numbers come from.

    Attributes:
        below: The rows that stand below it.
        sources: The rows of what it hangs on.
    """

    __slots__ = ("_recent", "_samples", "above", "below", "kind", "name", "numbers", "source", "sources")

    def __init__(self, kind: str, name: str, above: Row | None, source: Source) -> None:
        self.kind = kind
        self.name = name
        self.source = source
        self.numbers = NOTHING
        self.above = above
        self.below: list[Row] = []
        self.sources: Sequence[Row] = () if above is None else (above,)
        self._samples: deque[tuple[float, int]] = deque()
        self._recent: deque[float] = deque(maxlen=_KEPT)

    def look(self) -> None:
        """Take the numbers of the moment."""
        self.numbers = self.source.read()

    def mark(self, time: float, window: float) -> None:
        """Make the numbers a sample, and forget the samples that no rate needs any more."""
        total = self.numbers.total
        if self._samples:
            before, counted = self._samples[-1]
            if time <= before:
                return
            self._recent.append((total - counted) / (time - before))
        self._samples.append((time, total))
        while len(self._samples) > 1 and self._samples[1][0] <= time - window:
            self._samples.popleft()

    def node(self, time: float, depth: int) -> Node:
        """Return the row as it is shown."""
        since, counted = self._samples[0]
        rate = (self.numbers.total - counted) / (time - since) if time > since else 0.0
        sources = tuple(row.name for row in self.sources)
        return Node(self.name, self.kind, depth, sources, rate, tuple(self._recent), *self.numbers)


class Ledger:
    """All rows of one view.

    Args:
        window: Over how many seconds a rate is taken.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._rows: dict[Source, Row] = {}
        self._names: dict[str, int] = {}
        self._missing = 0

    def row(self, source: Source) -> Row | None:
        """Return the row of a source, or None."""
        return self._rows.get(source)

    def begin_survey(self) -> None:
        """Count anew what there is no room for."""
        self._missing = 0

    def has_room(self) -> bool:
        """Whether there is room for one more row; where there is none, it is counted as missing."""
        if len(self._rows) < _MOST_ROWS or self._drop_a_gone_row():
            return True
        self._missing += 1
        return False

    def add(self, source: Source, kind: str, title: str, above: Row | None, time: float) -> Row:
        """Add the row of a source, the last one below ``above``, and begin its rates at ``time``."""
        number = self._names[title] = self._names.get(title, 0) + 1
        row = self._rows[source] = Row(kind, title if number == 1 else f"{title} {number}", above, source)
        if above is not None:
            above.below.append(row)
        row.look()
        row.mark(time, self._window)
        return row

    def _drop_a_gone_row(self) -> bool:
        for source, row in self._rows.items():
            if source.is_gone and not row.below:
                if row.above is not None:
                    row.above.below.remove(row)
                del self._rows[source]
                return True
        return False

    def look(self) -> None:
        """Take the numbers of the moment."""
        for row in self._rows.values():
            row.look()

    def mark(self, time: float) -> None:
        """Take the numbers of the moment as a sample."""
        for row in self._rows.values():
            row.look()
            row.mark(time, self._window)

    def snapshot(self, time: float, *, ended: bool = False) -> Snapshot:
        """Return all rows, as the last look found them."""
        nodes = tuple(row.node(time, depth) for row, depth in self._in_order())
        return Snapshot(time, nodes, self._missing, ended)

    def _in_order(self) -> Iterator[tuple[Row, int]]:
        waiting = [(row, 0) for row in reversed(self._rows.values()) if row.above is None]
        while waiting:
            row, depth = waiting.pop()
            yield row, depth
            waiting += [(other, depth + 1) for other in reversed(row.below)]
