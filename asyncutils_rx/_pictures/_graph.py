"""Graphs of what is connected to what: their description, as Mermaid and as a tree of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ._text import clean, clip, for_mermaid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["KINDS", "Edge", "Graph", "Node", "Sketch", "mermaid", "text"]

KINDS = ("source", "operator", "observer", "bus", "middleware", "topic", "subscriber", "stream")
"""What a node can be; each has its own look."""

_MOST_NODES = 120
_SHAPES = {"source": "([{}])", "operator": "[{}]", "bus": "[[{}]]", "middleware": "[/{}/]", "topic": "{{{{{}}}}}"}
_TEXT_CELLS = 60


class Node(NamedTuple):
    """One thing in a graph.

    Attributes:
        kind: One of :data:`KINDS`.
        title: What it is called.
        detail: What else there is to say about it, in a few words.
        shown: Whether it is what the picture was asked of.
    """

    kind: str
    title: str
    detail: str = ""
    shown: bool = False


class Edge(NamedTuple):
    """Something flows from one node to another; both by number. Edges lead nowhere twice, and never in a circle."""

    source: int
    target: int


class Graph(NamedTuple):
    """A whole graph.

    Attributes:
        about: What it is a graph of.
        nodes: The nodes.
        edges: The edges.
        missing: How many nodes there was no room for.
    """

    about: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    missing: int = 0


class Sketch:
    """A graph while it is being described.

    Args:
        about: What it is a graph of.
    """

    def __init__(self, about: str) -> None:
        self._about = about
        self._nodes: list[Node] = []
        self._edges: dict[Edge, None] = {}
        self._missing = 0

    def node(self, node: Node, *sources: int | None) -> int | None:
        """Add a node below those by number; return its number, or None where there is no room for more."""
        if len(self._nodes) >= _MOST_NODES:
            self._missing += 1
            return None
        number = len(self._nodes)
        self._nodes.append(node)
        for source in sources:
            self.edge(source, number)
        return number

    def edge(self, source: int | None, target: int | None) -> None:
        """Connect two nodes, where there was room for both."""
        if source is not None and target is not None:
            self._edges[Edge(source, target)] = None

    def graph(self) -> Graph:
        """Return what was described."""
        return Graph(self._about, tuple(self._nodes), tuple(self._edges), self._missing)


def mermaid(graph: Graph) -> str:
    """Return a graph as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    for number, node in enumerate(graph.nodes):
        words = for_mermaid(clip(clean(node.title), _TEXT_CELLS))
        if node.detail:
            words += f"<br/>{for_mermaid(clip(clean(node.detail), _TEXT_CELLS))}"
        shape = _SHAPES.get(node.kind, "({})")
        lines.append(f"    n{number}{shape.format(chr(34) + words + chr(34))}")
    if graph.missing:
        lines.append(f'    more["and {graph.missing} more"]')
    lines += [f"    n{edge.source} --> n{edge.target}" for edge in graph.edges]
    marked = [f"n{number}" for number, node in enumerate(graph.nodes) if node.shown]
    if marked:
        lines.append(f"    style {','.join(marked)} stroke-width:3px")
    return "\n".join(lines) + "\n"


def text(graph: Graph) -> str:
    """Return a graph as a tree; what hangs on several nodes is written out once."""
    below: dict[int, list[int]] = {}
    for edge in graph.edges:
        below.setdefault(edge.source, []).append(edge.target)
    targets = {edge.target for edge in graph.edges}
    written: set[int] = set()
    lines: list[str] = []
    for root in range(len(graph.nodes)):
        if root not in targets:
            lines += _tree(graph, below, root, written)
    if graph.missing:
        lines.append(f"… and {graph.missing} more")
    return "\n".join(lines)


def _tree(graph: Graph, below: dict[int, list[int]], root: int, written: set[int]) -> Iterator[str]:
    # A pipeline can be deeper than the stack.
    waiting = [(root, "", "")]
    while waiting:
        number, first, rest = waiting.pop()
        node = graph.nodes[number]
        again = number in written
        written.add(number)
        words = clip(clean(node.title), _TEXT_CELLS) + (f"  ({clip(clean(node.detail), 40)})" if node.detail else "")
        yield (
            first
            + words
            + ("  ◄" if node.shown and not again else "")
            + ("  ↑ see above" if again and number in below else "")
        )
        children = [] if again else below.get(number, [])
        for position, child in reversed(list(enumerate(children))):
            last = position == len(children) - 1
            waiting.append((child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  ")))
