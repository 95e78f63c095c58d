"""Wrong uses of the live view: each marked line has to be an error, and no other."""

from __future__ import annotations

from asyncutils_rx import EventBus, Observable, Rendezvous
from asyncutils_rx.live import Snapshot, watch


def log(text: str) -> None: ...


def watching(numbers: Observable[[int]], bus: EventBus, meeting: Rendezvous[int]) -> None:
    watch(meeting)  # rejected: arg-type, reportArgumentType
    watch(Observable)  # rejected: arg-type, reportArgumentType
    watch(bus, 0.5)  # rejected: arg-type, reportArgumentType
    watch(numbers, interval="0.5")  # rejected: arg-type, reportArgumentType
    watch(numbers, display="page")  # rejected: arg-type, reportArgumentType
    watch(numbers, display=log)  # rejected: arg-type, reportArgumentType


def looking(snapshot: Snapshot) -> None:
    snapshot.nodes[0].total = 1  # rejected: misc, reportAttributeAccessIssue
    snapshot.node(0)  # rejected: arg-type, reportArgumentType
