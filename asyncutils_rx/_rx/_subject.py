"""The subject that carries an observable's notifications: RxPY's own, confined to one thread and so without locks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from reactivex.disposable import Disposable
from reactivex.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactivex import abc

__all__ = ["LoopSubject"]


class _Tap:
    """An observer of values alone, without RxPY's machinery."""

    __slots__ = ("on_next",)

    def __init__(self, take: Callable[[Any], object]) -> None:
        self.on_next = take

    def on_completed(self) -> None:
        """Take no notice."""

    def on_error(self, _: Exception) -> None:
        """Take no notice."""


class LoopSubject(Subject[Any]):
    """A subject for the loop's thread: removal of an observer takes constant time, and nothing is locked.

    An observer that subscribes or is disposed of during a notification counts from the next one on. Observers are
    expected not to raise: those of this package note their errors. They can be held weakly: then whoever needs them
    holds them, and they leave when they are collected, on whichever thread that happens.

    Attributes:
        current: What tells each observer, or None where it is gone; in order of subscription. None where observers have
            come or gone since :meth:`refreshed`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._members: dict[Callable[[], abc.ObserverBase[Any] | None], None] = {}
        self.current: tuple[Callable[[], abc.ObserverBase[Any] | None], ...] | None = ()

    def _subscribe_core(
        self,
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase | None = None,  # noqa: ARG002  # RxPY's signature
    ) -> abc.DisposableBase:
        if self.is_stopped:
            if self.exception is None:
                observer.on_completed()
            else:
                observer.on_error(self.exception)
            return Disposable()
        return self._join(lambda: observer)

    def hold_weakly(self, observer: abc.ObserverBase[Any]) -> abc.DisposableBase:
        """Subscribe an observer that somebody else holds; the subject has not stopped."""
        return self._join(ref(observer, self._leave))

    def tap(self, take: Callable[[Any], object]) -> Callable[[], None]:
        """Have ``take`` called with every value before anybody else; return what ends that."""
        tap = _Tap(take)

        def member() -> Any:
            return tap

        self._members = {member: None, **self._members}
        self.current = None
        return partial(self._leave, member)

    @property
    def in_use(self) -> bool:
        """Whether anybody is subscribed."""
        return bool(self._members)

    def _join(self, member: Callable[[], abc.ObserverBase[Any] | None]) -> abc.DisposableBase:
        self._members[member] = None
        self.current = None
        return Disposable(lambda: self._leave(member))

    def _leave(self, member: Callable[[], abc.ObserverBase[Any] | None]) -> None:
        self._members.pop(member, None)
        self.current = None

    def on_next(self, value: Any) -> None:
        """Pass a value on to every observer, in order of subscription."""
        members = self.current
        if members is None:
            members = self.refreshed()
        for member in members:
            observer = member()
            if observer is not None:
                observer.on_next(value)

    def refreshed(self) -> tuple[Callable[[], abc.ObserverBase[Any] | None], ...]:
        """Return what tells the observers, in order of subscription; it is kept in ``current`` until they change."""
        self.current = tuple(self._members)
        return self.current

    def on_completed(self) -> None:
        """Complete every observer, once."""
        for member in self._stop():
            observer = member()
            if observer is not None:
                observer.on_completed()

    def on_error(self, error: Exception) -> None:
        """End every observer with an error, once."""
        self.exception = error
        for member in self._stop():
            observer = member()
            if observer is not None:
                observer.on_error(error)

    def _stop(self) -> tuple[Callable[[], abc.ObserverBase[Any] | None], ...]:
        self.is_stopped = True
        members = tuple(self._members)
        self._members.clear()
        self.current = ()
        return members
