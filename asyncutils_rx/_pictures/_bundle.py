"""What notebooks ask an object for: its pictures, by type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _graph, _graph_svg, _marbles

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from ._graph import Graph
    from ._score import Score

__all__ = ["MERMAID", "PLAIN", "SVG", "of_graph", "of_score"]

SVG = "image/svg+xml"
MERMAID = "text/vnd.mermaid"
PLAIN = "text/plain"


def of_graph(
    graph: Graph, name: str, include: Container[str] | None = None, exclude: Container[str] | None = None
) -> dict[str, str]:
    """Return the pictures of a graph; ``name`` stands above the one for a terminal."""
    return _chosen(
        {
            SVG: lambda: _graph_svg.svg(graph),
            MERMAID: lambda: _graph.mermaid(graph),
            PLAIN: lambda: _below(name, _graph.text(graph)),
        },
        include,
        exclude,
    )


def of_score(
    score: Score, name: str, include: Container[str] | None = None, exclude: Container[str] | None = None
) -> dict[str, str]:
    """Return the pictures of a recording; ``name`` stands above the one for a terminal."""
    return _chosen(
        {
            SVG: lambda: _marbles.svg(score),
            MERMAID: lambda: _marbles.mermaid(score),
            PLAIN: lambda: _below(name, _marbles.text(score)),
        },
        include,
        exclude,
    )


def _chosen(
    makers: dict[str, Callable[[], str]], include: Container[str] | None, exclude: Container[str] | None
) -> dict[str, str]:
    return {
        kind: make()
        for kind, make in makers.items()
        if (include is None or kind in include) and (exclude is None or kind not in exclude)
    }


def _below(name: str, text: str) -> str:
    return f"{name}\n{text}" if text else name
