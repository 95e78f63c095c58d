"""Both ways between RxPY and an observable: a foreign source in, an RxPY observable out, and foreign operators."""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import reactivex
from reactivex import operators as ops
from reactivex.abc import PeriodicSchedulerBase
from reactivex.disposable import Disposable
from reactivex.scheduler import CurrentThreadScheduler
from reactivex.scheduler.periodicscheduler import PeriodicScheduler

from ._compat import subscribe
from ._scheduler import LoopScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reactivex import Observable, abc
    from reactivex.typing import AbsoluteTime, RelativeTime, ScheduledAction, ScheduledPeriodicAction

    from ._chain import Notified, Outlet
    from ._subject import LoopSubject

__all__ = ["Clock", "connect", "outward", "pipe"]

S = TypeVar("S")


class Clock(PeriodicScheduler):
    """The scheduler that an observable gives to RxPY where its user gave none.

    What is due at once runs on the stack of whoever schedules it, as with RxPY's own default; what is due later runs on
    the event loop's thread, by the loop's clock, where RxPY's default would start a thread. A scheduler that was given at
    ``subscribe`` at the far end takes over both.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forwarded: abc.SchedulerBase | None = None
        self._scheduler: LoopScheduler | None = None

    def _timed(self) -> abc.SchedulerBase:
        if self.forwarded is not None:
            return self.forwarded
        if self._scheduler is None:
            self._scheduler = _shared_scheduler()
        return self._scheduler

    @property
    def now(self) -> datetime:
        """The time of the scheduler that was given, else of the event loop."""
        return self._timed().now

    def schedule(self, action: ScheduledAction[S], state: S | None = None) -> abc.DisposableBase:
        """Run an action as soon as the stack of what is being scheduled allows."""
        if self.forwarded is not None:
            return self.forwarded.schedule(action, state)
        return CurrentThreadScheduler.singleton().schedule(action, state)

    def schedule_relative(
        self, duetime: RelativeTime, action: ScheduledAction[S], state: S | None = None
    ) -> abc.DisposableBase:
        """Run an action after a time."""
        return self._timed().schedule_relative(duetime, action, state)

    def schedule_absolute(
        self, duetime: AbsoluteTime, action: ScheduledAction[S], state: S | None = None
    ) -> abc.DisposableBase:
        """Run an action at a time."""
        return self._timed().schedule_absolute(duetime, action, state)

    def schedule_periodic(
        self, period: RelativeTime, action: ScheduledPeriodicAction[S], state: S | None = None
    ) -> abc.DisposableBase:
        """Run an action again and again."""
        timed = self._timed()
        if isinstance(timed, PeriodicSchedulerBase):
            return timed.schedule_periodic(period, action, state)
        return super().schedule_periodic(period, action, state)


_schedulers: WeakValueDictionary[int, LoopScheduler] = WeakValueDictionary()


def _shared_scheduler() -> LoopScheduler:
    """Return the one scheduler of the running loop: what is due at the same time keeps its order within one."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        return LoopScheduler()
    scheduler = _schedulers.get(id(loop))
    if scheduler is None:
        scheduler = _schedulers[id(loop)] = LoopScheduler(loop)
    return scheduler


class Inward(Protocol):
    """What a foreign source is subscribed with."""

    def on_next(self, value: Any) -> None:
        """Take a value."""

    def on_error(self, error: Exception) -> None:
        """Take the error that ends the source."""

    def on_completed(self) -> None:
        """Take the completion."""


def connect(source: Any, clock: Clock) -> Callable[[Inward], Callable[[], None]]:
    """Return what subscribes to ``source``, by position, as RxPY since version 3 understands."""

    def connected(inward: Inward) -> Callable[[], None]:
        scheduler = clock if clock.forwarded is None else clock.forwarded
        subscription = subscribe(source, inward.on_next, inward.on_error, inward.on_completed, scheduler)
        dispose: Callable[[], None] = subscription.dispose
        return dispose

    return connected


class Outward(Protocol):
    """What an RxPY observable of an observable's values asks of it."""

    def subscribed(self, scheduler: abc.SchedulerBase | None) -> None:
        """Count a subscriber; its scheduler is the one to use from here on upwards."""

    def unsubscribed(self) -> None:
        """Count one subscriber less."""

    def failed(self, error: Exception) -> None:
        """Take what a subscriber raised; raise it on where nobody can take it."""


def outward(subject: Callable[[], LoopSubject], site: Outward) -> Observable[Any]:
    """Return an RxPY observable of the values that go through a subject."""

    def subscribe_core(
        observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        def on_next(notification: Notified) -> None:
            args, kwargs = notification
            try:
                observer.on_next(args[0] if len(args) == 1 and not kwargs else notification)
            except Exception as error:
                site.failed(error)

        subscription = subscribe(subject(), on_next, observer.on_error, observer.on_completed, None)
        site.subscribed(scheduler)

        def dispose() -> None:
            subscription.dispose()
            site.unsubscribed()

        return Disposable(dispose)

    return reactivex.Observable(subscribe_core)


def pipe(
    operators: Sequence[Callable[[Any], Any]], value_of: Callable[[Notified], Any], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass values through foreign operators; a notification that is no single value is its notifier's error."""
    dropped = object()

    def value(notification: Notified) -> Any:
        try:
            return value_of(notification)
        except Exception as error:
            outlet.failed(error)
            return dropped

    def operate(sources: Sequence[Observable[Any]]) -> Observable[Any]:
        values: Observable[Any] = sources[0].pipe(ops.map(value), ops.filter(lambda item: item is not dropped))
        for operator in operators:
            values = operator(values)
        return values.pipe(ops.map(lambda item: ((item,), {})))

    return operate
