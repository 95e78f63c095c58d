"""The table of a live view by rich: in a terminal kept below what else is printed, elsewhere shown at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._table import ALARMING, caption, is_over, laid_out, trimmed

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ._numbers import Node, Snapshot

__all__ = ["Rich", "new_display"]

_MOODS = {"notifying": "green", "publishing": "green", "failed": "bold red", "closed": "dim", "collected": "dim"}


def new_display() -> Rich:
    """Return a display on stderr.

    Raises:
        ImportError: rich is not installed.
    """
    from rich.console import Console

    return Rich(Console(stderr=True))


class Rich:
    """A display in a console.

    Args:
        console: The console. What is printed to ``sys.stdout`` and ``sys.stderr`` meanwhile appears above the table.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Any = None

    def __call__(self, snapshot: Snapshot) -> None:
        """Show the table, or write it over the one that is shown."""
        shown = self._table(snapshot)
        if not self._console.is_terminal:
            if snapshot.ended:
                self._console.print(shown)
            return
        if self._live is None:
            from rich.live import Live

            # Without its own refreshing there is no thread: the view's timer draws.
            self._live = Live(shown, console=self._console, auto_refresh=False)
            self._live.start(refresh=True)
        else:
            self._live.update(shown, refresh=True)
        if snapshot.ended:
            self._live.stop()

    def _table(self, snapshot: Snapshot) -> Table:
        from rich.table import Table
        from rich.text import Text

        snapshot = trimmed(snapshot, self._console.height - 1)
        headings, rows, widths = laid_out(snapshot.nodes, self._console.width)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), caption=caption(snapshot), caption_justify="left")
        for heading, width in zip(headings, widths, strict=True):
            justify: Any = "left" if heading in {"", "state"} else "right"
            table.add_column(heading, justify=justify, no_wrap=True, width=width)
        for node, row in zip(snapshot.nodes, rows, strict=True):
            words = [
                Text(text, _style(heading, text, node, first=not place), no_wrap=True)
                for place, (heading, text) in enumerate(zip(headings, row, strict=True))
            ]
            table.add_row(*words)
        return table


def _style(heading: str, text: str, node: Node, *, first: bool) -> str:
    if not heading:
        return ("dim" if is_over(node) else "bold") if first else "blue"
    if heading == "state":
        return _MOODS.get(text, "")
    if text in {"0", "0.0"}:
        return "dim"
    return "bold red" if heading in ALARMING else ""
