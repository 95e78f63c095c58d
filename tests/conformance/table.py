"""Makes the table of conformance in ``docs/rxpy.md``.

``python -m tests.conformance.table`` prints what is true of the installed RxPY; with ``--write`` it writes that to the
page, into the column of that version. Each version is run in an environment of its own; ``test_table.py`` tells where
the page does not say what is true.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from asyncutils_rx._rx._compat import RX_VERSION

from .all_facts import FACTS, OPERATORS
from .fact import holds

PAGE = Path(__file__).parent.parent.parent / "docs" / "rxpy.md"
BEGIN, END = "<!-- conformance: begin -->\n", "<!-- conformance: end -->\n"
INSTALLED = ".".join(map(str, RX_VERSION))


class Row(NamedTuple):
    """What the table tells about one operator.

    Attributes:
        operator: Its name in RxPY.
        here: Its name in this package.
        facts: How many facts there are about it.
        held: How many of them hold for both, by version of RxPY.
    """

    operator: str
    here: str
    facts: int
    held: dict[str, int]


def measured() -> list[Row]:
    """Return what is true of the installed version."""
    rows = []
    for operator, here in OPERATORS.items():
        facts = [fact for fact in FACTS if fact.about == operator]
        held = sum(holds(fact, ours=False) and holds(fact, ours=True) for fact in facts)
        rows.append(Row(operator, here, len(facts), {INSTALLED: held}))
    return rows


def told(page: str) -> list[Row]:
    """Return what the page says."""
    lines = section(page).strip().splitlines()
    heads = [cell.strip() for cell in lines[0].strip("|").split("|")] if lines else []
    rows = []
    for line in lines[2:]:
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if not line.startswith("| `"):
            break
        rows.append(Row(cells[0], cells[1], int(cells[2]), dict(zip(heads[3:], map(int, cells[3:]), strict=True))))
    return rows


def section(page: str) -> str:
    """Return what stands between the marks of the page."""
    return page.partition(BEGIN)[2].partition(END)[0]


def sentences() -> list[str]:
    """Return the list of the facts, operator by operator."""
    lines = []
    for operator in OPERATORS:
        lines += [f"**`{operator}`**", ""]
        lines += [f"- {fact.sentence}" for fact in FACTS if fact.about == operator]
        lines.append("")
    return lines


def written(page: str) -> str:
    """Return the page with what is true of the installed version in it."""
    before = {row.operator: row.held for row in told(page)}
    rows = [row._replace(held={**before.get(row.operator, {}), **row.held}) for row in measured()]
    versions = sorted({version for row in rows for version in row.held}, key=_numbers)
    heads = ["RxPY", "here", "facts", *versions]
    lines = ["| " + " | ".join(heads) + " |", "|---|---" + "|---:" * (len(heads) - 2) + "|"]
    for row in rows:
        cells = [
            f"`{row.operator}`",
            f"`{row.here}`",
            str(row.facts),
            *(str(row.held.get(each, 0)) for each in versions),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    total = [sum(row.facts for row in rows), *(sum(row.held.get(each, 0) for row in rows) for each in versions)]
    lines.append("| **all** | | " + " | ".join(f"**{number}**" for number in total) + " |")
    body = "\n".join([*lines, "", "The facts:", "", *sentences()])
    start, rest = page.split(BEGIN)
    return start + BEGIN + body + END + rest.partition(END)[2]


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def main(arguments: list[str]) -> int:
    """Print what is true, or write it to the page; return how many facts do not hold."""
    missing = 0
    for row in measured():
        print(f"{row.operator:>24} {row.held[INSTALLED]:>3} of {row.facts} with RxPY {INSTALLED}")  # noqa: T201
        missing += row.facts - row.held[INSTALLED]
    if "--write" in arguments:
        PAGE.write_text(written(PAGE.read_text()))
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
