"""The page about the benchmarks: ``python -m tests.benchmarks.page`` puts the kept reports into it.

The reports are in ``results``: ``VERSION-LOOP.json`` for a table, ``growth-VERSION-LOOP.json`` for curves. What stands
between two marks of the page is replaced; the pictures beside it are drawn anew.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from .growth import growth_markdown
from .harness import RESULTS, ROOT
from .model import BOUND, OURS
from .pictures import growth_picture, table_picture
from .report import code, flatness, heading, judged, markdown, noise, number, verdict, version_of
from .targets import FLAT_WITHIN, target_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PAGE", "main", "pictures", "rendered"]

PAGE = ROOT / "docs" / "benchmarks.md"
STATIC = ROOT / "docs" / "_static"


def tables() -> list[dict[str, Any]]:
    """Return the kept reports of the table; the newest Python first, and its asyncio loop before others."""
    reports = [json.loads(path.read_text()) for path in RESULTS.glob("[0-9]*.json")]
    return sorted(reports, key=lambda report: (report["loop"], [-part for part in version_of(report)]))


def growth() -> dict[str, Any]:
    """Return the kept report of the curves, of the newest Python."""
    reports: list[dict[str, Any]] = [json.loads(path.read_text()) for path in RESULTS.glob("growth-*.json")]
    return max(reports, key=version_of)


def label(report: dict[str, Any]) -> str:
    """Return what a report is called."""
    return f"{'.'.join(map(str, version_of(report)))}" + ("" if report["loop"] == "asyncio" else f" {report['loop']}")


def everywhere(reports: list[dict[str, Any]]) -> str:
    """Return the library's figures on every Python and loop."""
    lines = [f"| work | {' | '.join(map(label, reports))} |", f"|---|{'---:|' * len(reports)}"]
    for name, row in reports[0]["rows"].items():
        cells = [_cell(report, name) for report in reports]
        lines.append(f"| {row['title']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(report: dict[str, Any], name: str) -> str:
    ours = report["rows"].get(name, {}).get("contestants", {}).get(OURS, {})
    if ours.get("status") != "measured":
        return "not measured"
    figure = number(judged(name, ours))
    limit = target_of(name, version_of(report))
    said = "" if limit is None else f" of {limit:g}"
    return f"**{figure}**{said}" if verdict(report, name) == "NOT MET" else f"{figure}{said}"


def missed(reports: list[dict[str, Any]]) -> str:
    """Return what is not met, and where."""
    found: dict[str, list[str]] = {}
    for report in reports:
        for name, row in report["rows"].items():
            if verdict(report, name) == "NOT MET":
                ours, limit = row["contestants"][OURS], target_of(name, version_of(report))
                found.setdefault(row["title"], []).append(f"{label(report)}: {number(judged(name, ours))} of {limit:g}")
        for group, factor in flatness(report):
            if factor > FLAT_WITHIN:
                found.setdefault(f"{group}, which should be flat", []).append(f"{label(report)}: {factor:.2f}")
    if not found:
        return "Every limit is met, on every Python and loop that was measured."
    return "\n".join(f"* {title} ({'; '.join(where)})" for title, where in found.items())


def less(report: dict[str, Any]) -> str:
    """Return what the others do less."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    for name, row in report["rows"].items():
        for contestant, result in row["contestants"].items():
            said = result.get("less") or result.get("reason", "") * (result["status"] == "wrong")
            if contestant not in (BOUND, OURS) and said:
                found.setdefault(contestant, {}).setdefault(said, {})[name.partition("-")[0]] = None
    lines = ["| library | does less | in |", "|---|---|---|"]
    for contestant, reasons in found.items():
        for reason, families in reasons.items():
            lines.append(f"| {code(contestant)} | {reason} | {', '.join(families)} |")
    return "\n".join(lines)


def parts() -> dict[str, str]:
    """Return what belongs between the marks, by name."""
    reports = tables()
    first = reports[0]
    machines = "\n".join(f"* {heading(report)}" for report in [*reports, growth()])
    spans = ", ".join(f"{label(report)}: {noise(report):.0%}" for report in reports)
    return {
        "table": markdown(first),
        "title": f"CPython {first['python']}, {first['loop']}, {first['date'][:10]}.",
        "everywhere": everywhere(reports),
        "missed": missed(reports),
        "less": less(first),
        "growth": growth_markdown(growth()),
        "machines": machines,
        "noise": f"In the row in the middle, the processes' ratios span {spans}.",
    }


def rendered(page: str) -> str:
    """Return the page with what belongs between its marks."""
    for name, part in parts().items():
        mark = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not mark.search(page):
            raise ValueError(f"{PAGE.name} has no marks for {name!r}")
        page = mark.sub(lambda found, part=part: f"{found[1]}{part}\n{found[2]}", page)  # type: ignore[misc]  # a default
    return page


def pictures() -> dict[Path, str]:
    """Return the pictures, by the file that they belong into."""
    return {
        STATIC / "benchmarks.svg": table_picture(tables()[0]),
        STATIC / "benchmarks-growth.svg": growth_picture(growth()),
    }


def main() -> int:
    """Put the kept reports into the page."""
    PAGE.write_text(rendered(PAGE.read_text()))
    STATIC.mkdir(exist_ok=True)
    for path, picture in pictures().items():
        path.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
