"""The numbers of a live view: what was counted at a node, and what a view makes of it."""

from __future__ import annotations

from typing import NamedTuple

from ..exceptions import ArgumentValueError

__all__ = ["NOTHING", "Node", "Numbers", "Snapshot"]


class Numbers(NamedTuple):
    """What one node tells when it is looked at.

    Attributes:
        state: What it is doing, in one word.
        total: How many notifications or publications there were since it was watched.
        running: How many callbacks run.
        queued: How many notifications or callbacks wait for their turn.
        buffered: How many items wait in buffers to be taken.
        errors: How many errors there were.
        dropped: How many items buffers dropped.
    """

    state: str
    total: int = 0
    running: int = 0
    queued: int = 0
    buffered: int = 0
    errors: int = 0
    dropped: int = 0


NOTHING = Numbers("idle")


class Node(NamedTuple):
    """One row of a live view. What is counted is counted since the view was entered, or first saw the node.

    Attributes:
        name: What it is called: an observable as the operator that made it, a topic as it is. Where names meet, the
            later ones have a number.
        kind: ``"source"``, ``"operator"``, ``"bus"`` or ``"topic"``.
        depth: How far it stands below what is above it: 0 is the top.
        sources: The names of what it hangs on, at once.
        rate: Notifications or publications per second, over the view's window.
        recent: The rates from sample to sample, the latest last; at most 60.
        state: ``"idle"``, ``"notifying"``, ``"publishing"``, ``"closing"``, ``"closed"``; ``"failed"``: an error ended
            it; ``"collected"``: nobody needed it any more.
        total: How many there were; each counts as it begins.
        running: Callbacks that have begun and not ended; of a bus, without those that wait for a publication of it.
        queued: Notifications that wait for their turn or for room; of a topic, callbacks and publications that wait.
        buffered: Items in buffers: of ``values``, ``notifications``, ``from_rx`` and ``event_stream``.
        errors: Exceptions of observers, subscribers, middlewares and functions of operators, and the one that ended
            the node.
        dropped: Items that the overflow policy of a buffer dropped.
    """

    name: str
    kind: str
    depth: int
    sources: tuple[str, ...]
    rate: float
    recent: tuple[float, ...]
    state: str
    total: int
    running: int
    queued: int
    buffered: int
    errors: int
    dropped: int


class Snapshot(NamedTuple):
    """All rows of a live view at one moment.

    Attributes:
        time: Seconds since the view was entered, by the loop's clock.
        nodes: The rows, from top to bottom, each below one of its sources.
        missing: How many nodes there was no room for.
        ended: Whether the view was left, so that these are the last numbers.
    """

    time: float
    nodes: tuple[Node, ...]
    missing: int = 0
    ended: bool = False

    def node(self, name: str) -> Node:
        """Return the row of a name.

        Args:
            name: The name.

        Raises:
            ArgumentValueError: No row has that name.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(repr(node.name) for node in self.nodes) or "nothing yet"
        raise ArgumentValueError("Snapshot.node", "name", name, f"the name of a row ({known})")
