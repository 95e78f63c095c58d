"""The table of a live view as plain text, and the words and figures that all tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._pictures._text import cells, clean, clip

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from ._numbers import Node, Snapshot

__all__ = ["ALARMING", "COLUMNS", "Layout", "caption", "is_over", "laid_out", "numbers", "table", "trimmed"]

COLUMNS = ("per s", "total", "running", "queued", "buffered", "errors", "dropped")
"""The headings of the numbers."""

ALARMING = ("errors", "dropped")
"""The columns in which everything but 0 is bad news."""

_NAME_CELLS = 44
_LEAST_NAME_CELLS = 18
_DEEPEST = 8
_GAP = 2
_BARS = "▁▂▃▄▅▆▇█"
_SPARK = 16
_STEADY = 100


class Layout(NamedTuple):
    """The cells of a table of text, row by row; each has the same columns.

    Attributes:
        headings: The headings; the first one, and that of the history, are empty.
        rows: The cells of each row.
        widths: How wide each column is.
    """

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    widths: list[int]


def _rate(value: float) -> str:
    """Return a rate as people read it."""
    return f"{value:,.0f}" if value >= _STEADY else f"{value:.1f}"


def _count(value: int) -> str:
    """Return a number as people read it."""
    return f"{value:,}"


def is_over(node: Node) -> bool:
    """Whether nothing will happen at a node any more."""
    return node.state in {"closed", "failed", "collected"}


def numbers(node: Node) -> tuple[str, ...]:
    """Return what stands in :data:`COLUMNS`."""
    return (_rate(node.rate), *(_count(getattr(node, column)) for column in COLUMNS[1:]))


def _spark(recent: Sequence[float]) -> str:
    """Return the latest rates as a row of bars; the highest is full."""
    shown = recent[-_SPARK:]
    highest = max(shown, default=0.0)
    if not highest:
        return _BARS[0] * len(shown)
    return "".join(_BARS[round(value / highest * (len(_BARS) - 1))] for value in shown)


def caption(snapshot: Snapshot) -> str:
    """Return what there is to say about the whole."""
    words = f"{snapshot.time:.1f} s" + (", ended" if snapshot.ended else "")
    return words + (f", and {snapshot.missing:,} more" if snapshot.missing else "")


def laid_out(nodes: Sequence[Node], width: int | None = None) -> Layout:
    """Lay a table out in so many columns; where these are few, without histories, and then without states."""
    for parts in (("state", "history"), ("state",)):
        layout = _laid_out(nodes, width, parts)
        if layout is not None:
            return layout
    layout = _laid_out(nodes, width, (), 1)
    assert layout is not None  # any room will do
    return layout


def _laid_out(
    nodes: Sequence[Node], width: int | None, parts: Container[str], least: int = _LEAST_NAME_CELLS
) -> Layout | None:
    """Return a layout; None where it leaves too little room for names."""
    has_state, has_history = "state" in parts, "history" in parts
    headings = (*["state"] * has_state, *COLUMNS, *[""] * has_history)
    rest = [
        (*[node.state] * has_state, *numbers(node), *[_spark(node.recent).rjust(_SPARK)] * has_history)
        for node in nodes
    ]
    # Bars are as wide as letters, whatever they are to who counts the columns of arbitrary symbols.
    widths = [max(map(len, column)) for column in zip(headings, *rest, strict=True)]
    room = _NAME_CELLS if width is None else max(width - sum(widths) - _GAP * len(widths), 1)
    if room < least:
        return None
    names = [_name(node, min(room, _NAME_CELLS)) for node in nodes]
    rows = [(name, *others) for name, others in zip(names, rest, strict=True)]
    return Layout(("", *headings), rows, [max(map(cells, names), default=0), *widths])


def _name(node: Node, width: int) -> str:
    indent = ("  " if width >= _NAME_CELLS // 2 else " ") * min(node.depth, _DEEPEST, width // 4)
    return indent + clip(clean(node.name), width - len(indent))


def trimmed(snapshot: Snapshot, height: int) -> Snapshot:
    """Return a snapshot whose table, with its heading and its caption, takes no more lines than ``height``."""
    nodes = snapshot.nodes[: max(height - 2, 1)]
    return snapshot._replace(nodes=nodes, missing=snapshot.missing + len(snapshot.nodes) - len(nodes))


def table(snapshot: Snapshot, width: int | None = None, height: int | None = None) -> str:
    """Return the table as lines of text.

    Args:
        snapshot: What to show.
        width: How many columns there are; any number if None.
        height: How many lines there are; any number if None.
    """
    if height is not None:
        snapshot = trimmed(snapshot, height)
    headings, rows, widths = laid_out(snapshot.nodes, width)
    lines = [caption(snapshot)]
    for row in reversed([headings, *rows]):
        name = row[0] + " " * (widths[0] - cells(row[0]))
        others = [
            text.ljust(size) if heading == "state" else text.rjust(size)
            for heading, text, size in zip(headings[1:], row[1:], widths[1:], strict=True)
        ]
        lines.insert(0, (" " * _GAP).join([name, *others]).rstrip())
    if width is None or "" in headings[1:]:
        return "\n".join(lines)
    return "\n".join(clip(line, width) for line in lines)
