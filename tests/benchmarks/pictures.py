"""The table and the curves as SVG, written by hand: no plotting library, and colours for light and dark pages."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from .growth import curves, unit_of
from .model import BOUND, OURS
from .report import number, version_of
from .rows import CURVES
from .rows.notify import ONE_AFTER_THE_OTHER
from .targets import target_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .growth import Point

__all__ = ["growth_picture", "table_picture"]

STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.page { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.ours { fill: #0969da; stroke: #0969da }
.line { fill: none; stroke-width: 2 }
.limit { stroke: #bc4c00; stroke-width: 2 }
.peer { fill: #818b98; fill-opacity: .75 }
.hollow { fill: #ffffff; stroke: #818b98; stroke-width: 1.5 }
.bound { stroke: #818b98; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.small { fill: #9198a1 }
.page { fill: #0d1117 }
.grid { stroke: #3d444d }
.ours { fill: #4493f8; stroke: #4493f8 }
.limit { stroke: #f0883e }
.peer { fill: #9198a1 }
.hollow { fill: #0d1117; stroke: #9198a1 }
.bound { stroke: #9198a1 }
}
</style>"""


def svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    """Return a whole picture."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(label)}</title>",
            STYLE,
            f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
            *parts,
            "</svg>\n",
        ]
    )


def put_text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    """Return a text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(said)}</text>'


def put_line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


class LogScale:
    """Where a figure lies between two ends.

    Args:
        low: The smallest figure.
        high: The largest figure.
        start: Where the smallest one lies.
        end: Where the largest one lies.
    """

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low = math.log10(low)
        self._span = math.log10(high) - self._low or 1.0
        self._start = start
        self._length = end - start

    def __call__(self, figure: float) -> float:
        return self._start + (math.log10(figure) - self._low) / self._span * self._length


def decades(low: float, high: float) -> Iterator[float]:
    """Yield the powers of ten from ``low`` to ``high``."""
    for exponent in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1):
        yield 10.0**exponent


# The table

ROW_HEIGHT = 22
LABELS = 370
PLOT_END = 900
WIDTH = 1010


def table_picture(report: dict[str, Any]) -> str:
    """Return each row as a bar: the bound is 1, on a logarithmic axis; a tick is the limit, dots are the others."""
    rows = {
        name: row
        for name, row in report["rows"].items()
        if row["kind"] == "time" and row["contestants"].get(OURS, {}).get("status") == "measured"
    }
    ratios = [result["ratio"] for row in rows.values() for result in row["contestants"].values() if "ratio" in result]
    scale = LogScale(min(0.3, *ratios), max(10.0, *ratios) * 1.2, LABELS, PLOT_END)
    height = 70 + ROW_HEIGHT * len(rows)
    parts = _legend()
    for tick in decades(min(0.3, *ratios), max(10.0, *ratios) * 1.2):
        parts.append(put_line(scale(tick), 36, scale(tick), height - 26, "bound" if tick == 1 else "grid"))
        parts.append(put_text(scale(tick), height - 10, f"{tick:,g} x", "small", "middle"))
    for position, (name, row) in enumerate(rows.items()):
        parts += _bar(report, name, row, 44 + ROW_HEIGHT * position, scale)
    return svg(WIDTH, height, "Benchmarks: cost as a multiple of the bound, by kind of work", parts)


def _legend() -> list[str]:
    return [
        put_text(16, 24, "Cost as a multiple of the best hand-written code", "title"),
        '<rect x="372" y="16" width="24" height="8" class="ours"/>',
        put_text(402, 24, "asyncutils-rx", "small"),
        put_line(500, 12, 500, 28, "limit"),
        put_text(508, 24, "its limit", "small"),
        '<circle cx="580" cy="20" r="4" class="peer"/>',
        put_text(590, 24, "others", "small"),
        '<circle cx="650" cy="20" r="4" class="hollow"/>',
        put_text(660, 24, "others, one observer after the other", "small"),
    ]


def _bar(report: dict[str, Any], name: str, row: dict[str, Any], top: float, scale: LogScale) -> Iterator[str]:
    middle = top + ROW_HEIGHT / 2 - 2
    ours = row["contestants"][OURS]["ratio"]
    limit = target_of(name, version_of(report))
    yield put_text(LABELS - 12, middle + 4, row["title"], "", "end")
    left, right = sorted((scale(1), scale(ours)))
    yield f'<rect x="{left:.1f}" y="{middle - 4:.1f}" width="{max(right - left, 1):.1f}" height="8" class="ours"/>'
    for contestant, result in row["contestants"].items():
        if contestant not in (BOUND, OURS) and "ratio" in result:
            said = escape(f"{contestant}: {number(result['ratio'])}")
            kind = "hollow" if ONE_AFTER_THE_OTHER in result["less"] else "peer"
            yield (
                f'<circle cx="{scale(result["ratio"]):.1f}" cy="{middle:.1f}" r="4" class="{kind}">'
                f"<title>{said}</title></circle>"
            )
    if limit is not None:
        yield put_line(scale(limit), middle - 8, scale(limit), middle + 8, "limit")
    yield put_text(PLOT_END + 14, middle + 4, number(ours) + ("" if limit is None else f" of {limit:g}"), "small")


# The curves

PANEL_WIDTH = 330
PANEL_HEIGHT = 230
COLUMNS = 3


def growth_picture(report: dict[str, Any]) -> str:
    """Return a panel for each curve: the time for one unit of work, over how much of it there is."""
    found = curves(report)
    parts: list[str] = []
    for position, (curve, points) in enumerate(found.items()):
        row, column = divmod(position, COLUMNS)
        parts += _panel(CURVES[curve], unit_of(report, curve), points, column * PANEL_WIDTH, 40 + row * PANEL_HEIGHT)
    height = 46 + PANEL_HEIGHT * math.ceil(len(found) / COLUMNS)
    legend = [
        put_text(16, 24, "Time for one unit of work, over how much of it there is: flat is linear", "title"),
        put_line(740, 20, 770, 20, "ours line"),
        put_text(776, 24, "asyncutils-rx", "small"),
        put_line(870, 20, 900, 20, "bound line"),
        put_text(906, 24, "bound", "small"),
    ]
    return svg(PANEL_WIDTH * COLUMNS + 10, height, "Growth: time for one unit of work over its amount", legend + parts)


def _panel(title: str, unit: str, points: Sequence[Point], left: float, top: float) -> Iterator[str]:
    times = [time for point in points for time in (point.bound, point.ours)]
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))
    across = LogScale(points[0].size, points[-1].size, left + 62, left + PANEL_WIDTH - 16)
    up = LogScale(low, high, top + PANEL_HEIGHT - 44, top + 34)
    yield put_text(left + 16, top + 14, title, "title")
    for tick in decades(low, high):
        yield put_line(left + 62, up(tick), left + PANEL_WIDTH - 16, up(tick), "grid")
        yield put_text(left + 56, up(tick) + 4, _duration(tick), "small", "end")
    for point in points:
        yield put_text(across(point.size), top + PANEL_HEIGHT - 28, _amount(point.size), "small", "middle")
    for kind, figures in (
        ("bound line", [point.bound for point in points]),
        ("ours line", [point.ours for point in points]),
    ):
        where = [(across(point.size), up(figure)) for point, figure in zip(points, figures, strict=True)]
        yield f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in where)}"/>'
        if kind.startswith("ours"):
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="ours"/>' for x, y in where)
    yield put_text(left + PANEL_WIDTH - 16, top + 28, f"per {unit}", "small", "end")


def _duration(nanoseconds: float) -> str:
    for size, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:g} {name}"
    return f"{nanoseconds:g} ns"


def _amount(size: int) -> str:
    return f"{size // 1000}k" if size >= 1000 else str(size)
