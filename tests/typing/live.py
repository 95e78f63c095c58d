"""Right uses of the live view."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, assert_type

from asyncutils_rx.live import LiveView, Node, Snapshot, watch

if TYPE_CHECKING:
    from asyncutils_rx import EventBus, Observable
    from asyncutils_rx.types import DualContextManager


def log(snapshot: Snapshot) -> None:
    for node in snapshot.nodes:
        assert_type(node, Node)


async def view(numbers: Observable[[int]], pairs: Observable[[int, str]], bus: EventBus) -> None:
    with watch(numbers, pairs.filter(lambda number, text: number > len(text)), bus, interval=1, window=5.0) as shown:
        assert_type(shown, LiveView)
        assert_type(shown.snapshot(), Snapshot)
    async with watch(bus, display=log) as shown:
        assert_type(shown.snapshot().node("bus").rate, float)
        assert_type(shown.snapshot().nodes[0].recent, tuple[float, ...])
    watch(bus, display="html")
    watch(bus, display=None)
    watch(bus, display=sys.stdout)
    watch(bus, display=print)
    either: DualContextManager[LiveView] = watch(bus)
    async with either:
        pass
