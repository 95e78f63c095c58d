"""How one subscriber is held: weakly, for as long as it lives elsewhere, or strongly."""

from __future__ import annotations

from sys import is_finalizing
from types import BuiltinMethodType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias
from warnings import warn
from weakref import ref

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Hashable

    from ..types import WildcardType

__all__ = ["Entry", "StrongEntry", "Subscriber", "WeakEntry", "bury_in", "hold_weakly", "key_of"]

Subscriber: TypeAlias = "Callable[..., object]"
Bury: TypeAlias = "Callable[[ref[Any]], None]"


class WeakEntry(ref[Any]):
    """A subscriber that somebody else keeps alive; calling the entry gives it, or None when it is gone.

    Attributes:
        event_type: What it is subscribed to.
        key: What finds it again.
        label: Its name, for when it is gone.
        called: Whether a publication has reached it.
    """

    __slots__ = ("called", "event_type", "key", "label")

    called: bool
    event_type: str | WildcardType
    key: Hashable
    label: str


class WeakMethodEntry(WeakEntry):
    """A bound method, held for as long as its instance lives.

    Attributes:
        member: The function that is bound, or the name of a built-in method.
    """

    __slots__ = ("member",)

    member: Any

    def __call__(self) -> Any:
        instance = super().__call__()
        if instance is None:
            return None
        member = self.member
        return getattr(instance, member) if isinstance(member, str) else MethodType(member, instance)


class StrongEntry:
    """A subscriber that its holder keeps alive."""

    __slots__ = ("subscriber",)

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber

    def __call__(self) -> Subscriber:
        return self.subscriber


Entry: TypeAlias = WeakEntry | StrongEntry


def key_of(subscriber: Any) -> Any:
    """Return what is equal for equal subscribers, and keeps them alive only where there is no other way."""
    bound = _bound(subscriber)
    if bound is not None:
        return (id(bound[0]), bound[1])
    try:
        return ref(subscriber)
    except TypeError:
        return subscriber


def hold_weakly(subscriber: Any, on_death: Bury | None = None) -> WeakEntry:
    """Return an entry for ``subscriber``, whose ``event_type``, ``label`` and ``called`` are not set yet.

    Raises:
        TypeError: It cannot be referenced weakly.
    """
    bound = _bound(subscriber)
    if bound is None:
        entry = WeakEntry(subscriber, on_death)
        entry.key = ref(subscriber)
        return entry
    method = WeakMethodEntry(bound[0], on_death)
    method.member = bound[1]
    method.key = (id(bound[0]), bound[1])
    return method


def _bound(subscriber: Any) -> tuple[Any, Any] | None:
    """Return the instance that a method is bound to and what it binds, or None for what is no method."""
    if type(subscriber) is MethodType:
        return subscriber.__self__, subscriber.__func__
    if type(subscriber) is BuiltinMethodType:
        # Looked up again, a built-in method is another object, so a reference to it would be dead at once.
        instance: object = subscriber.__self__
        if instance is not None and not isinstance(instance, ModuleType):
            return instance, subscriber.__name__
    return None


def bury_in(dead: deque[WeakEntry]) -> Bury:
    """Return what is called with the entry of a subscriber that died: on any thread, at any time, even at exit."""

    def bury(entry: Any, append: Any = dead.append, at_exit: Any = is_finalizing, tell: Any = warn) -> None:
        append(entry)
        if not entry.called and not at_exit():
            tell(
                f"{entry.label}, subscribed to {entry.event_type!r} of an event bus, is gone without ever having been "
                f"called, because the bus holds subscribers weakly; keep a reference to it, or subscribe it with "
                f"weak=False",
                RuntimeWarning,
                stacklevel=2,
            )

    return bury
