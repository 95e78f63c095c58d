"""The three classes of this package, under the name that code written for ``asyncutils.channels`` imports.

Such code moves by changing its import to ``from asyncutils_rx.channels import EventBus, Observable, Rendezvous``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncutils_rx

__all__ = ["EventBus", "Observable", "Rendezvous"]

if TYPE_CHECKING:
    from asyncutils_rx import EventBus, Observable, Rendezvous
else:

    def __getattr__(name: str) -> object:
        if name in __all__:
            return getattr(asyncutils_rx, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
