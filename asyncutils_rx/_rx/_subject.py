"""The subject that carries an observable's notifications: RxPY's own, confined to one thread and so without locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reactivex.disposable import Disposable
from reactivex.subject import Subject

if TYPE_CHECKING:
    from reactivex import abc

__all__ = ["LoopSubject"]


class LoopSubject(Subject[Any]):
    """A subject for the loop's thread: removal of an observer takes constant time, and nothing is locked.

    An observer that subscribes or is disposed of during a notification counts from the next one on. Observers are
    expected not to raise: those of this package note their errors.
    """

    def __init__(self) -> None:
        super().__init__()
        self._members: dict[abc.ObserverBase[Any], None] = {}
        self._current: tuple[abc.ObserverBase[Any], ...] = ()

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
        self._members[observer] = None
        self._current = tuple(self._members)
        return Disposable(lambda: self._leave(observer))

    def _leave(self, observer: abc.ObserverBase[Any]) -> None:
        if self._members.pop(observer, self) is None:
            self._current = tuple(self._members)

    def on_next(self, value: Any) -> None:
        """Pass a value on to every observer, in order of subscription."""
        for observer in self._current:
            observer.on_next(value)

    def on_completed(self) -> None:
        """Complete every observer, once."""
        for observer in self._stop():
            observer.on_completed()

    def on_error(self, error: Exception) -> None:
        """End every observer with an error, once."""
        self.exception = error
        for observer in self._stop():
            observer.on_error(error)

    def _stop(self) -> tuple[abc.ObserverBase[Any], ...]:
        self.is_stopped = True
        observers, self._current = self._current, ()
        self._members.clear()
        return observers
