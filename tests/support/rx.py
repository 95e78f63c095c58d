"""How many RxPY subscriptions are alive."""

from __future__ import annotations

import gc
import sys
from typing import Any


def live_subscriptions() -> list[Any]:
    """Return each RxPY subscription that is neither disposed of nor ended.

    Looks at the objects that the garbage collector finds still alive, so nothing of RxPY has to be patched, in
    any of its versions; and imports nothing: a process without RxPY has no subscriptions.
    """
    if "reactivex" not in sys.modules:
        return []
    gc.collect()
    return [found for found in gc.get_objects() if _is_live(found)]


def describe_subscription(found: Any) -> str:
    """Return what a subscription calls, and where."""
    if type(found).__name__ == "InnerSubscription":
        return f"{found.observer!r} at {found.subject!r}"
    return f"{found!r} calling {found._on_next!r}"


def _is_live(found: Any) -> bool:
    if type(found) is _named("reactivex.observer.autodetachobserver", "AutoDetachObserver"):
        return not found.is_stopped
    if type(found) is _named("reactivex.subject.innersubscription", "InnerSubscription"):
        # A subject that is disposed of has forgotten its observers, and its subscriptions are not told.
        return found.observer is not None and not found.subject.is_disposed
    return False


def _named(module: str, name: str) -> object:
    return getattr(sys.modules.get(module), name, None)
