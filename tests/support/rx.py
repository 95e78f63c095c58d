"""How many RxPY subscriptions are alive."""

from __future__ import annotations

import gc
import sys
from typing import Any


def live_subscriptions() -> list[str]:
    """Return a description of each RxPY subscription that is neither disposed of nor ended.

    Looks at the objects that the garbage collector finds still alive, so nothing of RxPY has to be patched, in
    any of its versions; and imports nothing: a process without RxPY has no subscriptions.
    """
    if "reactivex" not in sys.modules:
        return []
    gc.collect()
    return [shown for found in gc.get_objects() if (shown := _described(found)) is not None]


def _described(found: Any) -> str | None:
    kind = type(found)
    if not kind.__module__.startswith("reactivex."):
        return None
    if kind.__name__ == "AutoDetachObserver" and not found.is_stopped:
        return f"observer attached by subscribe(): {found._on_next!r}"
    if kind.__name__ == "InnerSubscription" and found.observer is not None:
        return f"{found.observer!r} in {found.subject!r}"
    return None
