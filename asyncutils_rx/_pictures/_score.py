"""What a marble diagram shows: marks on lines, gathered into columns of what belongs together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["AT_THE_END", "Column", "Line", "Mark", "Score", "columns", "moment", "unit_of"]

AT_THE_END = -1
"""The cause of completions."""

_ONE_MOMENT = 0.01
_OF_ALL = 200
_UNITS = (("s", 1.0), ("ms", 1e3), ("µs", 1e6))


class Line(NamedTuple):
    """One observable.

    Attributes:
        label: What it is called.
        sources: The numbers of the lines that it is derived from, at once or through what was not recorded.
    """

    label: str
    sources: tuple[int, ...] = ()


class Mark(NamedTuple):
    """Something that happened.

    Attributes:
        line: The number of its line.
        time: When, in seconds since the beginning.
        kind: ``"value"``; ``"error"``: something went wrong, and the line goes on; ``"failed"``: an error ended it;
            ``"completed"``.
        text: The value, or the error.
        cause: What happens for the same cause has the same number; 0 is no known cause.
        group: Values of one line that were emitted together have the same number; 0 is alone.
    """

    line: int
    time: float
    kind: str
    text: str = ""
    cause: int = 0
    group: int = 0


class Score(NamedTuple):
    """A whole recording.

    Attributes:
        lines: The lines, from top to bottom.
        marks: What happened, in order.
        duration: How long it took, in seconds.
        missing: How many marks there were no room for.
    """

    lines: Sequence[Line]
    marks: Sequence[Mark]
    duration: float
    missing: int = 0


class Column(NamedTuple):
    """What is drawn one below the other.

    Attributes:
        time: Of the first mark.
        cause: Of the first mark.
        cells: The marks, by line.
    """

    time: float
    cause: int
    cells: dict[int, list[Mark]]

    def takes(self, mark: Mark, moment_: float) -> bool:
        """Whether a mark that comes next belongs here."""
        same_cause = mark.cause != 0 and mark.cause == self.cause
        if mark.time != self.time and not (same_cause and mark.time - self.time <= moment_):
            return False
        cell = self.cells.get(mark.line)
        if cell is None:
            return True
        if mark.kind == "error":
            return same_cause
        return mark.kind == "value" and mark.group != 0 and mark.group == cell[0].group


def columns(score: Score) -> list[Column]:
    """Gather the marks: what one cause brought about on several lines, or what happened at the same time."""
    found: list[Column] = []
    together = max(_ONE_MOMENT, score.duration / _OF_ALL)
    for mark in _ends_together(sorted(score.marks, key=_time), together):
        column = _column_for(mark, found, together)
        if column is None:
            found.append(column := Column(mark.time, mark.cause, {}))
        column.cells.setdefault(mark.line, []).append(mark)
    return found


def _column_for(mark: Mark, found: list[Column], together: float) -> Column | None:
    """Return the column that a mark belongs to: the last one, or that before ends of other lines."""
    for column in reversed(found):
        if column.takes(mark, together):
            return column
        if column.cause != AT_THE_END or mark.line in column.cells:
            return None
    return None


def _ends_together(marks: list[Mark], together: float) -> list[Mark]:
    """Put the ends of lines that end at about the same time behind one another, and behind what else happens then."""
    last: dict[int, float] = {}
    latest = float("-inf")
    for position in reversed(range(len(marks))):
        mark = marks[position]
        if mark.cause == AT_THE_END:
            if latest - mark.time > together or latest < mark.time:
                latest = mark.time
            last[position] = latest
    order = sorted(range(len(marks)), key=lambda i: (last.get(i, marks[i].time), i in last))
    return [marks[i]._replace(time=last.get(i, marks[i].time)) for i in order]


def _time(mark: Mark) -> float:
    return mark.time


def unit_of(times: Iterable[float]) -> tuple[str, float, int]:
    """Return the unit that fits the longest time, how many of it make a second, and how many decimals."""
    longest = max(times, default=0.0)
    name, size = next((unit for unit in _UNITS if longest * unit[1] >= 1), _UNITS[-1])
    whole = len(str(int(longest * size)))
    return name, size, max(0, 4 - whole)


def moment(time: float, unit: tuple[str, float, int]) -> str:
    """Return a time in a unit, without superfluous zeros."""
    _, size, decimals = unit
    text = f"{time * size:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
