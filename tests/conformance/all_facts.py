"""Every fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import one_source, scenes, several_sources, timed

if TYPE_CHECKING:
    from .fact import Fact, Scene

__all__ = ["FACTS", "OPERATORS"]

FACTS: list[Fact | Scene] = [*timed.FACTS, *one_source.FACTS, *several_sources.FACTS, *scenes.FACTS]

OPERATORS = {
    "debounce": "debounce",
    "throttle_first": "throttle",
    "buffer_with_count": "buffer",
    "distinct_until_changed": "at_change",
    "merge": "merge",
    "map": "map",
    "filter": "filter",
}
"""What each operator of RxPY is called here."""
