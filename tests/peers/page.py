"""The table of the page about other libraries: reading it, making it anew."""

from __future__ import annotations

from typing import TypeAlias

from tests.docs.pages import ROOT

from .adapters import PEERS, Peer
from .questions import METADATA, QUESTIONS, answers

__all__ = ["BEGIN", "END", "PAGE", "Column", "answered", "read", "write"]

PAGE = ROOT / "docs" / "why.md"
BEGIN, END = "<!-- begin table -->\n", "<!-- end table -->"
ROWS = [name for name, _ in METADATA] + [question.text for question in QUESTIONS]

Column: TypeAlias = dict[str, str]


async def answered(kind: type[Peer]) -> Column:
    """Return what a library says, row by row."""
    facts = [function(kind) for _, function in METADATA]
    return dict(zip(ROWS, [*facts, *await answers(kind)], strict=True))


def read() -> dict[str, Column]:
    """Return the columns of the page, by the name of the library."""
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line]
    columns: dict[str, Column] = {}
    if rows:
        head, _, *body = rows
        for place, name in enumerate(head[1:], 1):
            columns[name] = {row[0]: row[place] for row in body}
    return columns


def write(columns: dict[str, Column]) -> None:
    """Put the columns into the page."""
    names = [kind.name for kind in PEERS if kind.name in columns]
    rows = [["", *names], ["---"] * (len(names) + 1)]
    rows += [[row, *(columns[name].get(row, "") for name in names)] for row in ROWS]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table + END + rest.partition(END)[2])
