"""The event type of every topic, apart from the annotations: a bus needs it, and none of these, to be imported."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["WILDCARD", "WildcardType"]


class WildcardType(enum.Enum):
    """The type of :data:`WILDCARD`; it has no other member."""

    __module__ = "asyncutils_rx.types"

    WILDCARD = "*"

    def __repr__(self) -> str:
        return "WILDCARD"


WILDCARD: Final = WildcardType.WILDCARD
