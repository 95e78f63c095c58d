"""How much the library may cost at most."""

from __future__ import annotations

import sys
from typing import NamedTuple

__all__ = ["FLAT", "FLAT_WITHIN", "TARGETS", "Target", "target_of"]


class Target(NamedTuple):
    """A limit for one row.

    Attributes:
        at_most: The limit, from Python 3.12 on.
        before_312: The limit on Python 3.11, which cannot start tasks eagerly; the same, if None.
        of: What is limited: ``ratio``, a multiple of the bound, or ``value``, a figure of its own.
    """

    at_most: float
    before_312: float | None = None
    of: str = "ratio"

    def limit(self, version: tuple[int, int]) -> float:
        """Return the limit for a version of Python."""
        return self.before_312 if self.before_312 is not None and version < (3, 12) else self.at_most


TARGETS = {
    "notify-1": Target(8, 22),
    "notify-10": Target(4.5, 6),
    "notify-100": Target(2.5, 2.5),
    "notify-1000": Target(2.3, 2.5),
    "notify-sleep": Target(0.65, 0.9),
    "chain": Target(15, 20),
    "publish-1": Target(7, 20),
    "publish-100": Target(3),
    "publish-piped": Target(3),
    "stream": Target(1.5),
    "rendezvous-1": Target(1.3),
    "rendezvous-100": Target(1.3),
    "exchange": Target(1.5),
    "topics-1": Target(7, 20),
    "topics-100": Target(7, 20),
    "topics-10000": Target(7, 20),
    "subscribe-10": Target(6),
    "subscribe-1000": Target(6),
    "subscribe-100000": Target(6),
    "bytes-observer": Target(120, of="value"),
    "bytes-topic": Target(500, of="value"),
    "bytes-put": Target(1100, of="value"),
    "import-package": Target(0.1),
    "import-observable": Target(0.1),
    "import-event-bus": Target(0.1),
    "import-rendezvous": Target(0.1),
}

# The ratios of these rows have to be about the same, whatever the number in their names.
FLAT = {
    "topics": ("topics-1", "topics-100", "topics-10000"),
    "subscribe": ("subscribe-10", "subscribe-1000", "subscribe-100000"),
}
FLAT_WITHIN = 1.5


def target_of(row: str, version: tuple[int, int] | None = None) -> float | None:
    """Return the limit for a row, on this Python if no other is given; None where there is none."""
    target = TARGETS.get(row)
    return None if target is None else target.limit(version or (sys.version_info[0], sys.version_info[1]))
