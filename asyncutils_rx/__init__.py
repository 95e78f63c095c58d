"""Observables, an event bus and a rendezvous for asyncio.

* :class:`~asyncutils_rx.Observable`: a source of notifications and its observers, with RxPY's operators between them.
* :class:`~asyncutils_rx.EventBus`: topics, subscribers, middlewares, streams, and the interpreter's audit events.
* :class:`~asyncutils_rx.Rendezvous`: values handed over one by one, as over an unbuffered channel.

Beside them:

* :mod:`asyncutils_rx.channels`: the same three, under the name that code written for ``asyncutils.channels`` imports.
* :mod:`asyncutils_rx.context`: the defaults, and how to change them for a block of code.
* :mod:`asyncutils_rx.exceptions`: every error.
* :mod:`asyncutils_rx.mixins`: the life cycle that observables and buses share.
* :mod:`asyncutils_rx.pictures`: operator graphs and marble diagrams, for notebooks and pages.
* :mod:`asyncutils_rx.types`: the protocols and aliases that signatures name.

Importing this package imports none of these; each of the three classes is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["EventBus", "Observable", "Rendezvous"]

__version__: str

if TYPE_CHECKING:
    from ._bus import EventBus
    from ._observable import Observable
    from ._rendezvous import Rendezvous
else:

    def __getattr__(name: str) -> object:
        value = _load(name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, "__version__"})


def _load(name: str) -> object:
    if name == "Observable":
        from ._observable import Observable

        return Observable
    if name == "EventBus":
        from ._bus import EventBus

        return EventBus
    if name == "Rendezvous":
        from ._rendezvous import Rendezvous

        return Rendezvous
    if name == "__version__":
        from importlib.metadata import version

        return version("asyncutils-rx")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
