"""Where the nodes of a graph go: in layers, from what emits to what receives."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._graph import Edge

__all__ = ["Placed", "placed"]

_BETWEEN_COLUMNS = 44.0
_BETWEEN_ROWS = 30.0
_BESIDE = 14.0
_THREAD = 6.0
"""How much room an edge takes beside the nodes that it passes."""

Size = tuple[float, float]
Point = tuple[float, float]


class Placed(NamedTuple):
    """A layout.

    Attributes:
        corners: The upper left corner of each node.
        paths: For each edge the points that it goes through, from its begin to its end.
        sideways: Whether the layers are columns, from left to right; else rows, from top to bottom.
        width: How wide all of it is.
        height: How high.
    """

    corners: list[Point]
    paths: list[list[Point]]
    sideways: bool
    width: float
    height: float


class _Slot(NamedTuple):
    """A place in a layer: of a node, or where the edge of that number passes."""

    node: int | None
    edge: int | None
    size: Size


def placed(sizes: Sequence[Size], edges: Sequence[Edge], widest: float) -> Placed:
    """Lay a graph out: from left to right where that is no wider than ``widest``, else in what is narrower."""
    layers = _layers(sizes, edges)
    across = _laid(layers, sizes, edges, sideways=True)
    if across.width <= widest:
        return across
    down = _laid(layers, sizes, edges, sideways=False)
    return down if down.width < across.width else across


def _depths(count: int, edges: Sequence[Edge]) -> list[int]:
    """Return how many nodes lie above each at most."""
    depths = [0] * count
    above = [0] * count
    for edge in edges:
        above[edge.target] += 1
    ready = [number for number in range(count) if not above[number]]
    for number in ready:
        for edge in edges:
            if edge.source == number:
                depths[edge.target] = max(depths[edge.target], depths[number] + 1)
                above[edge.target] -= 1
                if not above[edge.target]:
                    ready.append(edge.target)
    return depths


def _layers(sizes: Sequence[Size], edges: Sequence[Edge]) -> list[list[_Slot]]:
    """Return the slots of each layer, each near the middle of what is above it."""
    depths = _depths(len(sizes), edges)
    layers: list[list[_Slot]] = [[] for _ in range(max(depths, default=-1) + 1)]
    for number, depth in enumerate(depths):
        layers[depth].append(_Slot(number, None, sizes[number]))
    for number, edge in enumerate(edges):
        for depth in range(depths[edge.source] + 1, depths[edge.target]):
            layers[depth].append(_Slot(None, number, (_THREAD, _THREAD)))
    for upper, layer in pairwise(layers):
        places = {(slot.node, slot.edge): float(place) for place, slot in enumerate(upper)}
        layer.sort(key=partial(_middle, edges=edges, places=places))
    return layers


def _middle(slot: _Slot, edges: Sequence[Edge], places: dict[tuple[int | None, int | None], float]) -> float:
    # Below the first layer each slot has something above it: a node, or the slot in which its edge passes.
    found = [
        places[(edge.source, None) if (edge.source, None) in places else (None, number)]
        for number, edge in enumerate(edges)
        if number == slot.edge or edge.target == slot.node
    ]
    return fsum(found) / len(found)


def _laid(layers: list[list[_Slot]], sizes: Sequence[Size], edges: Sequence[Edge], *, sideways: bool) -> Placed:
    along, beside = (0, 1) if sideways else (1, 0)
    between = _BETWEEN_COLUMNS if sideways else _BETWEEN_ROWS
    lengths = [max(slot.size[along] for slot in layer) for layer in layers]
    breadths = [fsum(slot.size[beside] for slot in layer) + _BESIDE * (len(layer) - 1) for layer in layers]
    breadth = max(breadths, default=0.0)
    corners: list[Point] = [(0.0, 0.0)] * len(sizes)
    bends: list[list[Point]] = [[] for _ in edges]
    at = 0.0
    for layer, length, used in zip(layers, lengths, breadths, strict=True):
        aside = (breadth - used) / 2
        for slot in layer:
            depth = at if sideways else at + (length - slot.size[1]) / 2
            if slot.node is not None:
                corners[slot.node] = (depth, aside) if sideways else (aside, depth)
            else:
                assert slot.edge is not None  # a slot is the one or the other
                middle = aside + slot.size[beside] / 2
                ends = (at, at + length)
                bends[slot.edge] += [(end, middle) if sideways else (middle, end) for end in ends]
            aside += slot.size[beside] + _BESIDE
        at += length + between
    at -= between if layers else 0.0
    paths: list[list[Point]] = []
    for edge, bend in zip(edges, bends, strict=True):
        begin = _port(corners[edge.source], sizes[edge.source], sideways, 1)
        paths.append([begin, *bend, _port(corners[edge.target], sizes[edge.target], sideways, 0)])
    width, height = (at, breadth) if sideways else (breadth, at)
    return Placed(corners, paths, sideways, width, height)


def _port(corner: Point, size: Size, sideways: bool, end: int) -> Point:
    """Return where edges leave (``end`` is 1) or reach (0) a node."""
    (x, y), (width, height) = corner, size
    return (x + width * end, y + height / 2) if sideways else (x + width / 2, y + height * end)
