"""All rows, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chain import CHAIN
from .growth import CURVES, GROWTH
from .imports import IMPORTS
from .memory import MEMORY
from .notify import NOTIFY
from .publish import PUBLISH
from .rendezvous import RENDEZVOUS
from .stream import STREAM
from .subscriptions import SUBSCRIPTIONS
from .topics import TOPICS

if TYPE_CHECKING:
    from ..model import Row

__all__ = ["CURVES", "GROWTH", "ROWS", "find_row"]

ROWS: tuple[Row, ...] = (
    *NOTIFY,
    *CHAIN,
    *PUBLISH,
    *TOPICS,
    *STREAM,
    *RENDEZVOUS,
    *SUBSCRIPTIONS,
    *MEMORY,
    *IMPORTS,
)


def find_row(name: str) -> Row:
    """Return the row that is called so."""
    return next(row for row in (*ROWS, *GROWTH) if row.name == name)
