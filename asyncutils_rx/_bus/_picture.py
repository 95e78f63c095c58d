"""What a bus tells those who draw it: who takes part in which topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._observable._picture import describe, name_of
from .._pictures._bundle import of_graph
from .._pictures._graph import Node, Sketch
from .._wildcard import WILDCARD

if TYPE_CHECKING:
    from collections.abc import Container

    from ..types import WildcardType
    from ._core import Core

__all__ = ["pictures", "title_of", "topics_of"]


def pictures(
    core: Core, bus: object, name: str, include: Container[str] | None = None, exclude: Container[str] | None = None
) -> dict[str, str]:
    """Return the pictures of a bus: its middlewares, its topics, and who is subscribed, streams and derives there."""
    sketch = Sketch(f"The topics of the event bus {name}")
    running = len(core.publications)
    last = sketch.node(Node("bus", name, f"{running} publishing" if running else core.state, shown=True))
    for middleware in core.middlewares.current():
        last = sketch.node(Node("middleware", name_of(middleware)), last)
    for topic in topics_of(core):
        _describe_topic(sketch, core, topic, last)
    return of_graph(sketch.graph(), repr(bus), include, exclude)


def topics_of(core: Core) -> list[str | WildcardType]:
    """Return the topics in which somebody takes part, by name; what takes part in all of them comes last."""
    buffers = (*core.streams.open, *core.waits.values())
    found: set[str | WildcardType] = {*core.topics.names(), *(buffer.event_type for buffer in buffers)}
    found.update(topic for topic, _ in core.observables.alive())
    if core.topics.count(WILDCARD):
        found.add(WILDCARD)
    names = sorted(topic for topic in found if isinstance(topic, str))
    return [*names, *([WILDCARD] if WILDCARD in found else [])]


def title_of(topic: str | WildcardType) -> str:
    """Return what a topic is called."""
    return topic or "''" if isinstance(topic, str) else "every topic"


def _describe_topic(sketch: Sketch, core: Core, topic: str | WildcardType, above: int | None) -> None:
    counts = core.statistics.get()
    count = counts.get(topic, 0) if counts is not None and isinstance(topic, str) else 0
    number = sketch.node(Node("topic", title_of(topic), f"{count} published" if count else ""), above)
    for subscriber in core.topics.members(topic):
        sketch.node(Node("subscriber", name_of(subscriber)), number)
    for buffer in core.streams.open:
        if buffer.event_type == topic and not buffer.abandoned:
            sketch.node(Node("stream", "event_stream()", f"{len(buffer.items)} buffered"), number)
    waiting = sum(buffer.event_type == topic for buffer in core.waits.values())
    if waiting:
        sketch.node(Node("stream", "wait_for_event()", f"{waiting} waiting"), number)
    for event_type, observable in core.observables.alive():
        if event_type == topic:
            describe(sketch, observable, number, title="observable()")
