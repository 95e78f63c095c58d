"""All rows, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .notify import NOTIFY
from .publish import PUBLISH
from .rendezvous import RENDEZVOUS

if TYPE_CHECKING:
    from ..model import Row

__all__ = ["ROWS", "find_row"]

ROWS: tuple[Row, ...] = (*NOTIFY, *PUBLISH, *RENDEZVOUS)


def find_row(name: str) -> Row:
    """Return the row that is called so."""
    return next(row for row in ROWS if row.name == name)
