"""The curves, as tables."""

from __future__ import annotations

from typing import Any, NamedTuple

from .model import BOUND, OURS
from .report import number
from .rows import CURVES

__all__ = ["Point", "curves", "growth_markdown", "growth_text"]


class Point(NamedTuple):
    """What one unit of work costs, where there is so much of it; in nanoseconds."""

    size: int
    bound: float
    ours: float
    ratio: float


def curves(report: dict[str, Any]) -> dict[str, list[Point]]:
    """Return the points of each curve in a report, from the smallest size to the largest."""
    found: dict[str, list[Point]] = {}
    for row in report["rows"].values():
        results = row["contestants"]
        if "curve" in row and results.get(OURS, {}).get("status") == "measured":
            point = Point(row["size"], results[BOUND]["value"], results[OURS]["value"], results[OURS]["ratio"])
            found.setdefault(row["curve"], []).append(point)
    return {curve: sorted(found[curve]) for curve in CURVES if curve in found}


def unit_of(report: dict[str, Any], curve: str) -> str:
    """Return what a unit of work is, on a curve."""
    return next(str(row["unit"]) for row in report["rows"].values() if row.get("curve") == curve)


def growth_text(report: dict[str, Any]) -> str:
    """Return the curves for a terminal."""
    lines = []
    for curve, points in curves(report).items():
        lines.append(f"{CURVES[curve]}, per {unit_of(report, curve)}")
        lines += [
            f"    {point.size:>9,} {number(point.bound):>8} ns {number(point.ours):>10} ns {number(point.ratio):>8} x"
            for point in points
        ]
    return "\n".join(lines)


def growth_markdown(report: dict[str, Any]) -> str:
    """Return the curves for a page."""
    lines = ["| work | size | per | bound | asyncutils-rx | ratio |", "|---|---:|---|---:|---:|---:|"]
    for curve, points in curves(report).items():
        title, unit = CURVES[curve], unit_of(report, curve)
        for point in points:
            lines.append(
                f"| {title} | {point.size:,} | {unit} | {number(point.bound)} ns "
                f"| {number(point.ours)} ns | {number(point.ratio)} |"
            )
            title = unit = ""
    return "\n".join(lines)
