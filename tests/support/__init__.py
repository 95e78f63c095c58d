"""What the tests share: stepping the loop, a virtual clock, and the watch over leaks."""

from __future__ import annotations

from .loops import DeadlockError, VirtualTimeLoop
from .rx import live_subscriptions
from .stepping import tick

__all__ = ["DeadlockError", "VirtualTimeLoop", "live_subscriptions", "tick"]
