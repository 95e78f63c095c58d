"""Where a live view is shown. A display is called with each snapshot; the last one says that it has ended.

What an extra brings is imported here, when it is asked for.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from os import get_terminal_size
from typing import TYPE_CHECKING, TextIO, TypeAlias

from ..exceptions import MissingExtraError
from ._notebook import is_kernel, running_marimo
from ._table import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._numbers import Snapshot

__all__ = ["DISPLAYS", "Display", "opened"]

Display: TypeAlias = "Callable[[Snapshot], object]"

DISPLAYS = ("auto", "html", "widget", "rich", "text")


def opened(display: str | TextIO | Display | None) -> Display | None:
    """Return the display that was asked for.

    Raises:
        MissingExtraError: It needs an extra that is not installed.
    """
    if display is None:
        return None
    if not isinstance(display, str):
        return display if callable(display) else Text(display)
    name = _found() if display == "auto" else display
    if name == "text":
        return Text(sys.stderr)
    return {"html": _html, "widget": _widget, "rich": _rich}[name]()


def _found() -> str:
    """Return the name of the best display that there is."""
    if running_marimo() is not None:
        return "html"
    if is_kernel():
        return "widget" if find_spec("anywidget") is not None else "html"
    return "rich" if _is_terminal(sys.stderr) and find_spec("rich") is not None else "text"


def _is_terminal(stream: TextIO) -> bool:
    return hasattr(stream, "isatty") and stream.isatty()


class Text:
    """A table of plain text: on a terminal it is written over itself, in any other stream it is written at the end.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = _is_terminal(stream)
        self._height = 0

    def __call__(self, snapshot: Snapshot) -> None:
        """Write the table."""
        if not self._is_terminal:
            if snapshot.ended:
                self._stream.write(table(snapshot) + "\n")
                self._stream.flush()
            return
        width, height = self._size()
        shown = table(snapshot, width, height - 1)
        back = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        self._height = shown.count("\n") + 1
        self._stream.write(f"{back}{shown}\n")
        self._stream.flush()

    def _size(self) -> tuple[int, int]:
        try:
            width, height = get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            width, height = 0, 0
        return width or 80, height or 24


def _html() -> Display:
    try:
        from ._notebook import new_display

        return new_display()
    except ImportError:
        raise MissingExtraError("a live view in a notebook", "notebook") from None


def _widget() -> Display:
    try:
        from ._widget import new_display

        return new_display()
    except ImportError:
        raise MissingExtraError("a live view as a widget", "notebook") from None


def _rich() -> Display:
    try:
        from ._rich import new_display

        return new_display()
    except ImportError:
        raise MissingExtraError("a live view by rich", "cli") from None
