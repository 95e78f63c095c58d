"""Marble diagrams: one line for each observable, above each other on one axis of time."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from ._score import columns, moment, unit_of
from ._svg import CELL, COLOURS, frame, label, number, titled
from ._text import cells, clean, clip, for_mermaid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._score import Column, Mark, Score

__all__ = ["mermaid", "svg", "text"]

_WIDTH = 720.0
_MARGIN = 16.0
_LINE = 44.0
_AXIS = 26.0
_MARBLE = 26.0
_GAP = 8.0
_ARROW = 18.0
_BAR = 14.0
_SPACE = 3.0
_LABEL_CELLS = 24
_TEXT_CELLS = 16
_BATCH = 4
_TEXT_ROWS = 100
_ABOUT_CELLS = 200


class _Row(NamedTuple):
    """One row of a diagram, which may need several as sheet music does: the columns and where their centres are."""

    columns: list[Column]
    centres: list[float]


def svg(score: Score) -> str:
    """Return a recording as an SVG picture."""
    unit = unit_of([score.duration, *(mark.time for mark in score.marks)])
    widest = max((cells(clip(clean(line.label), _LABEL_CELLS)) for line in score.lines), default=0)
    left = _MARGIN + max(widest, len(_axis_name(unit))) * CELL + 14
    rows = _rows(columns(score), _WIDTH - _MARGIN - _ARROW - left, score.duration)
    height = len(score.lines) * _LINE + _AXIS
    ended: set[int] = set()
    parts: list[str] = []
    for position, row in enumerate(rows):
        top = _MARGIN / 2 + position * height
        parts += _drawn_row(score, row, left, top, unit, ended, last=position == len(rows) - 1)
    below = _MARGIN / 2 + len(rows) * height
    if score.missing:
        parts.append(label(_MARGIN, below + 8, _missing(score), 80, "small faint", "start"))
        below += 14
    names = clip(", ".join(line.label for line in score.lines), _ABOUT_CELLS)
    events = f"{len(score.marks)} event{'s' * (len(score.marks) != 1)}"
    about = f"A marble diagram of {names}: {events}"
    return frame(_WIDTH, below + _MARGIN / 2, about, parts)


def _axis_name(unit: tuple[str, float, int]) -> str:
    return f"time/{unit[0]}"


def _missing(score: Score) -> str:
    return f"… and {score.missing} more, which were not recorded"


# Where everything goes


def _rows(every: Sequence[Column], room: float, duration: float) -> list[_Row]:
    """Spread the columns over as few rows as it takes; in each, the room that is left is shared out by time."""
    chunks: list[list[Column]] = [[]]
    used = 0.0
    for column in every:
        width = fsum(_extent(column))
        if chunks[-1] and used + width > room:
            chunks.append([])
            used = 0.0
        chunks[-1].append(column)
        used += width
    rows: list[_Row] = []
    for position, chunk in enumerate(chunks):
        extents = [_extent(column) for column in chunk]
        begin = chunk[0].time if position else 0.0
        end = chunks[position + 1][0].time if position + 1 < len(chunks) else duration
        slack = 0.0 if position and position + 1 == len(chunks) else room - fsum(map(fsum, extents))
        rows.append(_Row(chunk, _centres(chunk, extents, max(slack, 0.0), begin, end)))
    return rows


def _centres(
    chunk: list[Column], extents: list[tuple[float, float]], slack: float, begin: float, end: float
) -> list[float]:
    span = max(end, chunk[-1].time if chunk else end) - begin
    centres: list[float] = []
    used = 0.0
    for column, (before, after) in zip(chunk, extents, strict=True):
        shift = slack * (column.time - begin) / span if span > 0 else 0.0
        centres.append(used + shift + before)
        used += before + after
    return centres


def _extent(column: Column) -> tuple[float, float]:
    """Return how far a column goes to the left and to the right of its centre."""
    drawn = [_Drawn(cell) for cell in column.cells.values()]
    return max(cell.before for cell in drawn) + _GAP / 2, max(cell.after for cell in drawn) + _GAP / 2


class _Drawn:
    """What is drawn for one cell: its values around the centre, and beside them what went wrong or ended.

    Attributes:
        values: Text and width of each value; of a large batch only the first ones.
        others: The marks that are no values, with their widths.
        core: The width of the values.
        before: How far all of it goes to the left of the centre.
        after: How far to the right.
    """

    def __init__(self, cell: Sequence[Mark]) -> None:
        values = [mark.text for mark in cell if mark.kind == "value"]
        shown = values[:_BATCH] + [f"+{len(values) - _BATCH}"] * (len(values) > _BATCH)
        self.all_values = values
        self.values = [(content, _pill_width(content)) for content in shown]
        self.others = [(mark, _other_width(mark)) for mark in cell if mark.kind != "value"]
        self.core = fsum(width + _SPACE for _, width in self.values) - _SPACE if shown else 0.0
        if len(shown) > 1:
            self.core += 2 * _SPACE
        beside = fsum(width + _SPACE for _, width in self.others)
        if shown:
            self.before, self.after = self.core / 2, self.core / 2 + beside
        elif self.others[0][0].kind == "error":
            self.before = self.after = (beside - _SPACE) / 2
        else:  # an end: its bar is the centre
            self.before, self.after = _BAR / 2, beside - _SPACE - _BAR / 2


def _pill_width(content: str) -> float:
    return max(_MARBLE, cells(clip(clean(content), _TEXT_CELLS)) * CELL + 12)


def _other_width(mark: Mark) -> float:
    words = cells(clip(clean(_kind_of_error(mark.text)), _TEXT_CELLS)) * CELL
    if mark.kind == "error":
        return words + 14
    return _BAR + (words + 4 if words else 0.0)


def _kind_of_error(words: str) -> str:
    return words.partition(":")[0]


# Drawing


def _drawn_row(
    score: Score, row: _Row, left: float, top: float, unit: tuple[str, float, int], ended: set[int], *, last: bool
) -> Iterator[str]:
    right = _WIDTH - _MARGIN
    axis = top + len(score.lines) * _LINE
    yield from _guides(row, left, top)
    for index, line in enumerate(score.lines):
        y = top + (index + 0.5) * _LINE
        yield label(_MARGIN, y + 4, line.label, _LABEL_CELLS, "faint" if index in ended else "", "start")
        if index in ended:
            continue
        end = _end_of(index, row)
        yield _line(left, right if end is None else left + end, y, arrow=end is None and last)
        if end is not None:
            ended.add(index)
        for column, centre in zip(row.columns, row.centres, strict=True):
            if index in column.cells:
                yield _drawn_cell(column.cells[index], left + centre, y)
    yield from _moments(row, left, axis + 10, unit)


def _end_of(index: int, row: _Row) -> float | None:
    """Return where a line ends in a row, if it does."""
    for column, centre in zip(row.columns, row.centres, strict=True):
        cell = column.cells.get(index)
        if cell is not None and cell[-1].kind in {"failed", "completed"}:
            return centre
    return None


def _guides(row: _Row, left: float, top: float) -> Iterator[str]:
    """Yield what joins the marks of one column."""
    for column, centre in zip(row.columns, row.centres, strict=True):
        first, last = min(column.cells), max(column.cells)
        if first != last:
            begin, end = number(top + (first + 0.5) * _LINE), number(top + (last + 0.5) * _LINE)
            yield f'<path class="line dotted" d="M{number(left + centre)} {begin}V{end}"/>'


def _line(begin: float, end: float, y: float, *, arrow: bool) -> str:
    path = f'<path class="line" d="M{number(begin)} {number(y)}H{number(end)}"/>'
    if arrow:
        path += f'<path class="head" d="M{number(end)} {number(y)}l-8 -4v8z"/>'
    return path


def _moments(row: _Row, left: float, y: float, unit: tuple[str, float, int]) -> Iterator[str]:
    """Yield the times below the columns, as many as there is room for."""
    yield label(_MARGIN, y, _axis_name(unit), 20, "small faint", "start")
    free = 0.0
    for column, centre in zip(row.columns, row.centres, strict=True):
        shown = moment(column.time, unit)
        half = len(shown) * CELL * 5 / 12
        if centre - half >= free or not free:
            yield label(left + centre, y, shown, 20, "small faint")
            free = centre + half + 6


def _drawn_cell(cell: Sequence[Mark], x: float, y: float) -> str:
    drawn = _Drawn(cell)
    at = x - drawn.before
    colour = f"c{(cell[0].cause - 1) % COLOURS}" if cell[0].cause > 0 else "none"
    parts = ""
    if len(drawn.values) > 1:
        parts += _pill(at, y, drawn.core, _MARBLE + 8, colour)
        at += _SPACE
    for content, width in drawn.values:
        parts += _pill(at, y, width, _MARBLE, colour) + label(at + width / 2, y + 4, content, _TEXT_CELLS)
        at += width + _SPACE
    if len(drawn.values) > 1:
        parts = titled(parts, "  ".join(drawn.all_values))
        at += _SPACE
    for mark, width in drawn.others:
        parts += _drawn_other(mark, at, y, width)
        at += width + _SPACE
    return parts


def _drawn_other(mark: Mark, at: float, y: float, width: float) -> str:
    if mark.kind == "completed":
        return f'<path class="line thick" d="M{number(at + _BAR / 2)} {number(y - 13)}v26"/>'
    words = _kind_of_error(mark.text)
    if mark.kind == "failed":
        cross = f'<path class="cross" d="M{number(at + 1)} {number(y - 6)}l12 12m0 -12l-12 12"/>'
        return titled(cross + label(at + _BAR + 4, y + 4, words, _TEXT_CELLS, "bad", "start"), mark.text)
    pill = _pill(at, y, width, 20, "error")
    return titled(pill + label(at + width / 2, y + 4, words, _TEXT_CELLS, "bad"), mark.text)


def _pill(x: float, y: float, width: float, height: float, kind: str) -> str:
    place = f'x="{number(x)}" y="{number(y - height / 2)}" width="{number(width)}" height="{number(height)}"'
    round_ = f'rx="{number(height / 2)}"'
    return f'<rect class="mask" {place} {round_}/><rect class="{kind}" {place} {round_}/>'


# Other forms


def mermaid(score: Score) -> str:
    """Return a recording as a Mermaid sequence diagram: a derived value is an arrow from the line it came from."""
    unit = unit_of([score.duration, *(mark.time for mark in score.marks)])
    lines = ["sequenceDiagram"]
    lines += [f"    participant L{i} as {_message(line.label, 40)}" for i, line in enumerate(score.lines)]
    for column in columns(score):
        when = for_mermaid(f"{moment(column.time, unit)} {unit[0]}")
        for index, cell in sorted(column.cells.items()):
            origin = next((i for i in score.lines[index].sources if i in column.cells and i != index), None)
            for mark in cell:
                said = _message(_sentence(mark), 60)
                if mark.kind == "value" and origin is not None:
                    lines.append(f"    L{origin}->>L{index}: {said}")
                else:
                    lines.append(f"    Note over L{index}: {when} {said}")
    if score.missing:
        lines.append(f"    Note over L0: {_message(_missing(score), 60)}")
    return "\n".join(lines) + "\n"


def _message(words: str, width: int) -> str:
    return for_mermaid(clip(clean(words), width)) or "…"


def _sentence(mark: Mark) -> str:
    return {"value": mark.text, "error": f"error {mark.text}", "failed": f"ended by {mark.text}"}.get(
        mark.kind, "completed"
    )


def text(score: Score) -> str:
    """Return a recording for a terminal: a row for each moment."""
    unit = unit_of([score.duration, *(mark.time for mark in score.marks)])
    every = columns(score)
    times = [f"{moment(column.time, unit)} {unit[0]}" for column in every]
    width = max(map(len, times), default=0)
    rows: list[str] = []
    for when, column in zip(times[:_TEXT_ROWS], every, strict=False):
        happened = [
            f"{clip(clean(score.lines[index].label), 40)}: {', '.join(clip(clean(_sentence(m)), 40) for m in cell)}"
            for index, cell in sorted(column.cells.items())
        ]
        rows.append(f"{when:>{width}}  {'  |  '.join(happened)}")
    if len(every) > _TEXT_ROWS:
        rows.append(f"… and {len(every) - _TEXT_ROWS} more moments")
    if score.missing:
        rows.append(_missing(score))
    return "\n".join(rows)
