"""Rows about what an import takes, once asyncio is there."""

from __future__ import annotations

from ..model import BOUND, OURS, Contestant, Row

__all__ = ["IMPORTS"]

_BOUND = Contestant(BOUND, None, statement="import asyncio")
_PEERS = (
    Contestant("py-asyncutils", None, statement="import asyncutils.channels; asyncutils.channels.Observable"),
    Contestant("RxPY with operators", None, statement="import reactivex, reactivex.operators"),
    Contestant("anyio", None, statement="import anyio"),
    Contestant("pyee", None, statement="import pyee.asyncio"),
    Contestant("blinker", None, statement="import blinker"),
)


def row(name: str, title: str, statement: str, *others: Contestant) -> Row:
    """Return the row of one import."""
    ours = Contestant(OURS, None, statement=statement)
    return Row(f"import-{name}", title, 1, 1, "import", "import asyncio", (_BOUND, ours, *others), kind="import")


IMPORTS = (
    row("package", "import asyncutils_rx", "import asyncutils_rx"),
    row("observable", "import of Observable", "from asyncutils_rx import Observable", *_PEERS),
    row("event-bus", "import of EventBus", "from asyncutils_rx import EventBus"),
    row("rendezvous", "import of Rendezvous", "from asyncutils_rx import Rendezvous"),
)
