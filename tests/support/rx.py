"""How many RxPY subscriptions are alive."""

from __future__ import annotations

import gc
import sys
from typing import Any


def live_subscriptions() -> list[Any]:
    """Return each RxPY subscription that is neither disposed of nor ended, as far as this test made it.

    Looks at the objects that the garbage collector finds still alive, so nothing of RxPY has to be patched, in
    any of its versions; and imports nothing: a process without RxPY has no subscriptions.
    """
    attached = _named("reactivex.observer.autodetachobserver", "AutoDetachObserver")
    inner = _named("reactivex.subject.innersubscription", "InnerSubscription")
    if attached is inner is None:
        return []
    gc.collect()
    found = [candidate for candidate in gc.get_objects() if type(candidate) is attached or type(candidate) is inner]
    return [candidate for candidate in found if _is_live(candidate)]


def describe_subscription(found: Any) -> str:
    """Return what a subscription calls, and where."""
    if type(found).__name__ == "InnerSubscription":
        return f"{found.observer!r} at {found.subject!r}"
    return f"{found!r} calling {found._on_next!r}"


def _is_live(found: Any) -> bool:
    if type(found).__name__ == "InnerSubscription":
        # A subject that is disposed of has forgotten its observers, and its subscriptions are not told.
        return found.observer is not None and not found.subject.is_disposed
    return not found.is_stopped


def _named(module: str, name: str) -> object:
    return getattr(sys.modules.get(module), name, None)
