"""A graph as SVG."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ._layout import placed
from ._svg import CELL, frame, label, number
from ._text import cells, clean, clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._graph import Graph, Node
    from ._layout import Point

__all__ = ["svg"]

_MARGIN = 16.0
_WIDEST = 720.0
_TITLE_CELLS = 48
_DETAIL_CELLS = 40
_SMALL = CELL * 10 / 12
_COLOURS = {
    "source": "c0",
    "operator": "c3",
    "observer": "c2",
    "bus": "c0",
    "middleware": "c4",
    "topic": "c3",
    "subscriber": "c2",
    "stream": "c1",
}
_ROUND = {"source": 16, "operator": 4, "bus": 4, "middleware": 4, "topic": 16, "stream": 4}


def svg(graph: Graph) -> str:
    """Return a graph as an SVG picture."""
    layout = placed([_size(node) for node in graph.nodes], graph.edges, _WIDEST - 2 * _MARGIN)
    parts = [_drawn_edge(path, layout.sideways) for path in layout.paths]
    for node, corner in zip(graph.nodes, layout.corners, strict=True):
        parts += _drawn_node(node, corner)
    width, height = layout.width, layout.height
    if graph.missing:
        width = max(width, 150.0)
        height += 22
        parts.append(label(_MARGIN, _MARGIN + height - 4, f"… and {graph.missing} more", 60, "small faint", "start"))
    return frame(width + 2 * _MARGIN, height + 2 * _MARGIN, graph.about, parts)


def _size(node: Node) -> tuple[float, float]:
    title = cells(clip(clean(node.title), _TITLE_CELLS)) * CELL
    detail = cells(clip(clean(node.detail), _DETAIL_CELLS)) * _SMALL
    return max(title, detail, 24.0) + 26, 44.0 if node.detail else 32.0


def _drawn_node(node: Node, corner: Point) -> Iterator[str]:
    x, y = corner[0] + _MARGIN, corner[1] + _MARGIN
    width, height = _size(node)
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    round_ = f'rx="{number(_ROUND.get(node.kind, height / 2))}"'
    thick = ' style="stroke-width:2.5"' if node.shown else ""
    yield f'<rect class="mask" {place} {round_}/><rect class="{_COLOURS[node.kind]}" {place} {round_}{thick}/>'
    middle = x + width / 2
    strong = "strong" if node.shown else ""
    if node.detail:
        yield label(middle, y + 19, node.title, _TITLE_CELLS, strong)
        yield label(middle, y + 34, node.detail, _DETAIL_CELLS, "small faint")
    else:
        yield label(middle, y + 20, node.title, _TITLE_CELLS, strong)


def _drawn_edge(path: list[Point], sideways: bool) -> str:
    points = [(x + _MARGIN, y + _MARGIN) for x, y in path]
    # The line ends where its arrow begins.
    tip = points[-1]
    points[-1] = (tip[0] - 6, tip[1]) if sideways else (tip[0], tip[1] - 6)
    drawn = f"M{_point(points[0])}"
    for position, (begin, end) in enumerate(pairwise(points)):
        if position % 2:
            drawn += f"L{_point(end)}"
        elif sideways:
            half = (begin[0] + end[0]) / 2
            drawn += f"C{_point((half, begin[1]))} {_point((half, end[1]))} {_point(end)}"
        else:
            half = (begin[1] + end[1]) / 2
            drawn += f"C{_point((begin[0], half))} {_point((end[0], half))} {_point(end)}"
    head = "l-7 -4v8z" if sideways else "l-4 -7h8z"
    return f'<path class="line" d="{drawn}"/><path class="head" d="M{_point(tip)}{head}"/>'


def _point(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"
