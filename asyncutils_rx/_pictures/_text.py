"""Labels made safe: whatever a name or a ``repr`` holds, what is drawn is one line of visible text."""

from __future__ import annotations

import re
from html import escape
from itertools import accumulate
from unicodedata import category, east_asian_width

__all__ = ["cells", "clean", "clip", "for_mermaid", "for_xml", "is_plain"]

_JOINER = "\u200d"
_SELECTOR = "\ufe0f"
_MOST_MARKS = 2
_FULL = 1000


def clean(text: str) -> str:
    """Return one line of ``text`` in which everything can be seen.

    Control and format characters, those that change the direction of writing included, are shown as escapes. Only the
    joiner between two symbols stays, as it makes one of them. Of combining marks a letter keeps two.
    """
    shown: list[str] = []
    marks = 0
    for character in text[:_FULL]:
        if character.isprintable():
            marks = marks + 1 if category(character).startswith("M") else 0
            if marks <= _MOST_MARKS:
                shown.append(character)
        elif character == _JOINER and shown and not shown[-1].isascii():
            shown.append(character)
        else:
            shown.append(character.encode("unicode_escape").decode("ascii"))
    return "".join(shown) + "…" * (len(text) > _FULL)


def cells(text: str) -> int:
    """Return how wide ``text`` is, in columns of a fixed font; where in doubt, rather too wide."""
    return sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if character.isascii():
        return 1
    if character in {_JOINER, _SELECTOR} or category(character) in {"Mn", "Me"}:
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} or category(character) == "So" else 1


def clip(text: str, width: int) -> str:
    """Return what fits into ``width`` columns: the text, or its beginning and an ellipsis."""
    if cells(text) <= width:
        return text
    kept = sum(used < width for used in accumulate(map(_cells_of, text)))
    return text[:kept].rstrip(_JOINER + _SELECTOR + " ") + "…"


def is_plain(text: str) -> bool:
    """Whether every character surely is as wide as :func:`cells` says."""
    return text.replace("…", "").isascii()


def for_xml(text: str) -> str:
    """Escape cleaned text for an element or an attribute."""
    return escape(text, quote=True)


_UNSAFE = re.compile(
    r"[^\w .,=()…]|_{2,}|(?<![\w])(?:end|graph|subgraph|style|class|click|default)(?!\w)", re.IGNORECASE
)


def for_mermaid(text: str) -> str:
    """Escape cleaned text for a quoted label or a message: what could mean something becomes a numbered entity."""
    return _UNSAFE.sub(lambda found: "".join(f"#{ord(character)};" for character in found[0]), text)
