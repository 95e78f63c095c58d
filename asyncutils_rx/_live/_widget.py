"""The live view as a widget of anywidget: its table is changed in place, and can be held still."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._pictures._text import clean
from ._html import STYLE, page
from ._notebook import Handle, running_marimo
from ._table import COLUMNS, caption, numbers, table

if TYPE_CHECKING:
    from ._numbers import Snapshot

__all__ = ["Widget", "frame", "new_display", "new_widget"]


def new_display() -> Widget:
    """Return a display for the cell that runs.

    Raises:
        ImportError: anywidget is not installed, or nothing that could show it.
    """
    marimo = running_marimo()
    return Widget(new_widget(), InIPython() if marimo is None else InMarimo(marimo))


def new_widget() -> Any:
    """Return the widget; whoever shows it sets its ``frame``.

    Raises:
        ImportError: anywidget is not installed.
    """
    import anywidget
    import traitlets

    class LiveViewWidget(anywidget.AnyWidget):
        """A live view; ``frame`` is what :func:`frame` makes of a snapshot."""

        _esm = Path(__file__).with_name("widget.js").read_text(encoding="utf-8")
        _css = STYLE
        frame = traitlets.Dict().tag(sync=True)

    return LiveViewWidget()


def frame(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the widget draws, as JSON takes it."""
    return {
        "columns": list(COLUMNS),
        "rows": [
            {
                "name": clean(node.name),
                "depth": node.depth,
                "state": node.state,
                "numbers": numbers(node),
                "recent": [float(f"{value:.3g}") for value in node.recent],
            }
            for node in snapshot.nodes
        ],
        "caption": caption(snapshot),
        "ended": snapshot.ended,
    }


class InIPython:
    """Shows a widget in a display handle of IPython, with a table for readers without widgets."""

    def __init__(self) -> None:
        self._handle = Handle()

    def __call__(self, widget: Any, snapshot: Snapshot) -> None:
        """Show the widget, or bring the table beside it up to date."""
        made = widget._repr_mimebundle_()  # the protocol of IPython
        has_metadata = getattr(made, "items", None) is None
        bundle: Any = made[0] if has_metadata else made
        self._handle.show({**bundle, "text/html": page(snapshot), "text/plain": table(snapshot)})


class InMarimo:
    """Shows a widget in the output of the cell of marimo that runs.

    Args:
        marimo: The module.
    """

    def __init__(self, marimo: Any) -> None:
        self._marimo = marimo

    def __call__(self, widget: Any, _: Snapshot) -> None:
        """Show the widget."""
        self._marimo.output.replace(self._marimo.ui.anywidget(widget))


class Widget:
    """A display of a widget.

    Args:
        widget: The widget.
        place: Where it is shown; called with it and the first snapshot, and with the last.
    """

    def __init__(self, widget: Any, place: InIPython | InMarimo) -> None:
        self._widget = widget
        self._place = place
        self._is_shown = False

    def __call__(self, snapshot: Snapshot) -> None:
        """Change what the widget shows."""
        self._widget.frame = frame(snapshot)
        if not self._is_shown or snapshot.ended:
            self._is_shown = True
            self._place(self._widget, snapshot)
