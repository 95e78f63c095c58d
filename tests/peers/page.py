"""The tables of the page about other libraries: reading them, making them anew."""

from __future__ import annotations

from typing import TypeAlias

from tests.docs.pages import ROOT

from .adapters import PEERS, Peer
from .questions import METADATA, QUESTIONS, answers

__all__ = ["FACTS", "PAGE", "ROWS", "Column", "answered", "read", "write"]

PAGE = ROOT / "docs" / "why.md"
FACTS = [name for name, _ in METADATA]
ROWS = [question.text for question in QUESTIONS]

Column: TypeAlias = dict[str, str]
"""What a library says, by what was asked."""


async def answered(kind: type[Peer]) -> Column:
    """Ask a library everything."""
    facts = [function(kind) for _, function in METADATA]
    return dict(zip([*FACTS, *ROWS], [*facts, *await answers(kind)], strict=True))


def read() -> dict[str, Column]:
    """Return what the page says, by the name of the library."""
    columns: dict[str, Column] = {}
    facts, rows = _table("facts"), _table("answers")
    for name, *cells in facts[2:]:
        columns[name] = dict(zip(facts[0][1:], cells, strict=True))
    for row, *cells in rows[2:]:
        for name, cell in zip(rows[0][1:], cells, strict=True):
            columns[name][row] = cell
    return columns


def write(columns: dict[str, Column]) -> None:
    """Put what was said into the page."""
    names = [kind.name for kind in PEERS if kind.name in columns]
    _replace("facts", [["", *FACTS], *([name, *(columns[name][fact] for fact in FACTS)] for name in names)])
    _replace("answers", [["", *names], *([row, *(columns[name][row] for name in names)] for row in ROWS)])


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- begin {name} -->\n", f"<!-- end {name} -->"


def _table(name: str) -> list[list[str]]:
    begin, end = _marks(name)
    table = PAGE.read_text().partition(begin)[2].partition(end)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line]


def _replace(name: str, rows: list[list[str]]) -> None:
    begin, end = _marks(name)
    before, _, rest = PAGE.read_text().partition(begin)
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    PAGE.write_text(before + begin + table + end + rest.partition(end)[2])
