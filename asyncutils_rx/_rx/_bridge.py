"""Both ways between RxPY and an observable: a foreign source in, an RxPY observable out, and foreign operators."""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import reactivex
from reactivex import operators as ops
from reactivex.abc import ObservableBase, PeriodicSchedulerBase
from reactivex.disposable import Disposable
from reactivex.scheduler import CurrentThreadScheduler
from reactivex.scheduler.periodicscheduler import PeriodicScheduler

from ..exceptions import ArgumentTypeError
from ._chain import serial
from ._compat import subscribe
from ._scheduler import LoopScheduler

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
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

    What is due at once runs on the stack of whoever schedules it, as with RxPY's own default; what is due later runs
    on the event loop's thread, by the loop's clock, where RxPY's default would start a thread. A scheduler that was
    given at ``subscribe`` at the far end takes over both.

    Args:
        loop_of: Tells the observable's event loop, or None where it has none yet. RxPY may ask on any thread.

    Attributes:
        forwarded: The scheduler that was given at ``subscribe`` at the far end.
    """

    def __init__(self, loop_of: Callable[[], AbstractEventLoop | None]) -> None:
        super().__init__()
        self.forwarded: abc.SchedulerBase | None = None
        self._loop_of = loop_of
        self._scheduler: LoopScheduler | None = None

    def _timed(self) -> abc.SchedulerBase:
        if self.forwarded is not None:
            return self.forwarded
        if self._scheduler is None:
            loop = self._loop_of() or _running_loop()
            if loop is None:
                return LoopScheduler()
            self._scheduler = _shared_scheduler(loop)
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


def _shared_scheduler(loop: AbstractEventLoop) -> LoopScheduler:
    """Return the one scheduler of a loop: what is due at the same time keeps its order within one."""
    scheduler = _schedulers.get(id(loop))
    if scheduler is None:
        scheduler = _schedulers[id(loop)] = LoopScheduler(loop)
    return scheduler


def _running_loop() -> AbstractEventLoop | None:
    try:
        return get_running_loop()
    except RuntimeError:
        return None


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

    def unsubscribed(self, scheduler: abc.SchedulerBase | None) -> None:
        """Count one subscriber less, and use its scheduler no more."""

    def run(self, call: Callable[[], object]) -> None:
        """Call on the thread where what is shared may be touched."""

    def failed(self, error: Exception) -> None:
        """Take what a subscriber raised."""


def outward(subject: Callable[[], LoopSubject], site: Outward) -> Observable[Any]:
    """Return an RxPY observable of the values that go through a subject."""

    def subscribe_core(
        observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        link = _Link(subject, site, observer, scheduler)
        site.run(link.open)
        return Disposable(lambda: site.run(link.close))

    return reactivex.Observable(subscribe_core)


class _Link:
    """One subscription to what :func:`outward` made. A subscriber that raises hinders neither others nor the end."""

    def __init__(
        self,
        subject: Callable[[], LoopSubject],
        site: Outward,
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase | None,
    ) -> None:
        self._subject = subject
        self._site = site
        self._observer = observer
        self._scheduler = scheduler
        self._subscription: abc.DisposableBase | None = None
        self._closed = False

    def open(self) -> None:
        if not self._closed:
            self._subscription = subscribe(self._subject(), self.on_next, self.on_error, self.on_completed)
            self._site.subscribed(self._scheduler)

    def close(self) -> None:
        self._closed = True
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.dispose()
            self._site.unsubscribed(self._scheduler)

    def on_next(self, notification: Notified) -> None:
        args, kwargs = notification
        try:
            self._observer.on_next(args[0] if len(args) == 1 and not kwargs else notification)
        except Exception as error:
            self._site.failed(error)

    def on_error(self, error: Exception) -> None:
        try:
            self._observer.on_error(error)
        except Exception as raised:
            self._site.failed(raised)

    def on_completed(self) -> None:
        try:
            self._observer.on_completed()
        except Exception as error:
            self._site.failed(error)


def pipe(
    operators: Sequence[Callable[[Any], Any]], value_of: Callable[[Notified], Any], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass values through foreign operators; a notification that is no single value is its notifier's error."""
    dropped = object()

    def value(notification: Notified) -> Any:
        try:
            return value_of(notification)
        except BaseException as error:
            outlet.failed(error)
            return dropped

    def operate(sources: Sequence[Observable[Any]]) -> Observable[Any]:
        values: Observable[Any] = serial(sources[0]).pipe(ops.map(value), ops.filter(lambda item: item is not dropped))
        for operator in operators:
            values = operator(values)
            if not isinstance(values, ObservableBase):
                raise ArgumentTypeError("Observable.pipe", "operators", operator, "operators of RxPY")
        return values.pipe(ops.map(lambda item: ((item,), {})))

    return operate
