"""Where a live view is shown in a notebook: in a display handle of IPython, or as the output of a cell of marimo."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._html import page
from ._table import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._numbers import Snapshot

__all__ = ["Handle", "Html", "Marimo", "is_kernel", "new_display", "running_marimo"]


def running_marimo() -> Any:
    """Return the module of marimo, where a notebook of marimo runs this; else None."""
    marimo = sys.modules.get("marimo")
    return marimo if marimo is not None and marimo.running_in_notebook() else None


def is_kernel() -> bool:
    """Whether this runs in a kernel of IPython, which has somebody to send pictures to."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def new_display() -> Html | Marimo:
    """Return a display for the cell that runs.

    Raises:
        ImportError: There is neither marimo nor IPython.
    """
    marimo = running_marimo()
    return Html() if marimo is None else Marimo(marimo)


class Handle:
    """A display handle of IPython, whose output is replaced.

    Raises:
        ImportError: IPython is not installed.
    """

    def __init__(self) -> None:
        self._display: Any = import_module("IPython.display").display
        self._handle: Any = None

    def show(self, bundle: Mapping[str, Any]) -> None:
        """Show a bundle of MIME types, in place of the one before."""
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class Html:
    """The table in a display handle of IPython.

    Raises:
        ImportError: IPython is not installed.
    """

    def __init__(self) -> None:
        self._handle = Handle()

    def __call__(self, snapshot: Snapshot) -> None:
        """Show the table, in place of the one before."""
        self._handle.show({"text/html": page(snapshot), "text/plain": table(snapshot)})


class Marimo:
    """The table in the output of the cell of marimo that runs.

    Args:
        marimo: The module.
    """

    def __init__(self, marimo: Any) -> None:
        self._marimo = marimo

    def __call__(self, snapshot: Snapshot) -> None:
        """Show the table, in place of the one before."""
        self._marimo.output.replace(self._marimo.Html(page(snapshot)))
