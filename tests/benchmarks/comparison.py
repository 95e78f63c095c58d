"""What became slower, or larger, since another report."""

from __future__ import annotations

from typing import Any, NamedTuple

from .model import OURS
from .report import judged, number

__all__ = ["Change", "changes", "differences", "told"]

# What changes less than this, or lies within the span of the processes, is no regression.
TOLERANCE = 0.1


class Change(NamedTuple):
    """One row, then and now.

    Attributes:
        row: Its name.
        old: The figure in the old report.
        new: The figure in the new one.
        worse: Whether it got worse, and not by chance.
        better: Whether it got better, and not by chance.
    """

    row: str
    old: float
    new: float
    worse: bool
    better: bool


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return the rows that both reports measured for the library."""
    found = []
    for name, row in new["rows"].items():
        before = old["rows"].get(name, {}).get("contestants", {}).get(OURS, {})
        after = row["contestants"].get(OURS, {})
        if before.get("status") == after.get("status") == "measured":
            was, now = judged(name, before), judged(name, after)
            # What memory holds is the same in every process, so there the spans are points.
            apart_up = after["low"] > before["high"]
            apart_down = after["high"] < before["low"]
            worse = now > was * (1 + TOLERANCE) and apart_up
            better = now < was * (1 - TOLERANCE) and apart_down
            found.append(Change(name, was, now, worse, better))
    return found


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what the two reports did not have in common, apart from the library."""
    found = [
        f"{key}: {old[key]} and {new[key]}" for key in ("python", "loop", "machine", "settings") if old[key] != new[key]
    ]
    missing = [name for name in old["rows"] if name not in new["rows"]]
    if missing:
        found.append(f"not measured now: {', '.join(missing)}")
    return found


def told(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return the comparison for a terminal."""
    lines = [f"compared with {old['date']}, version {old['library']}:"]
    lines += [f"    the reports differ in {difference}" for difference in differences(old, new)]
    for change in changes(old, new):
        said = "  WORSE" if change.worse else "  better" if change.better else ""
        part = change.new / change.old - 1
        lines.append(f"    {change.row:<24} {number(change.old):>8} -> {number(change.new):>8}  {part:+.0%}{said}")
    return "\n".join(lines)
