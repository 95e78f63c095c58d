"""The chain of RxPY operators between the subjects of some sources and one derived observable.

Every operator is RxPY's own. What is added here is what RxPY lacks: a predicate, transform or key that raises drops
its notification on its branch, and the stream goes on; and a chain can be completed at its near end, for itself.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import reactivex
from reactivex import operators as ops
from reactivex.disposable import Disposable

from ._compat import subscribe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reactivex import Observable, abc

    from ._subject import LoopSubject

__all__ = [
    "Chain",
    "Notified",
    "Outlet",
    "at_change",
    "buffer",
    "debounce",
    "filter_",
    "fork",
    "map_",
    "merge",
    "serial",
    "throttle",
]

Notified = tuple[tuple[Any, ...], dict[str, Any]]
"""What flows through a chain: the parameters of one notification."""

_DROPPED = object()

_TOO_LATE = 100
"""An operator that subscribes so often after the end, as ``retry`` without a limit does, would go on for ever."""


class Outlet(Protocol):
    """Where a chain ends.

    Attributes:
        veto: Whether the next value is not to be passed on.
    """

    veto: bool

    def passed(self, notifications: Sequence[Notified]) -> None:
        """Take what came through; more than one go on concurrently."""

    def completed(self) -> None:
        """Take the completion."""

    def ended_by(self, error: Exception) -> None:
        """Take an error that ended the stream."""

    def failed(self, error: BaseException) -> None:
        """Take the error of a predicate, transform or key; the stream goes on."""

    def hold(self, target: object) -> None:
        """Hold something for as long as the chain may emit; None is to let go."""


class Chain:
    """The subscription of one derived observable to its sources, through one operator.

    Args:
        sources: The subjects of the sources, one for each time that a source counts.
        operate: Makes one RxPY observable out of those of the sources.
        outlet: Where the result goes.
        single: Whether each value of the result is one notification; else it is a list of them.
        scheduler: What operators run on that were given no scheduler of their own.
        may_go_on: Whether the operators may emit after their sources have ended.
        holds: Whether the operator holds values back for a time.

    Attributes:
        holds: The same: then the derived observable has to live until they have been emitted.
    """

    __slots__ = ("_feeds", "_late", "_may_go_on", "_outlet", "_subscription", "holds")

    def __init__(
        self,
        sources: Sequence[LoopSubject],
        operate: Callable[[Sequence[Observable[Any]]], Observable[Any]],
        outlet: Outlet,
        single: bool = True,
        scheduler: abc.SchedulerBase | None = None,
        may_go_on: bool = False,
        holds: bool = False,
    ) -> None:
        self.holds = holds
        self._outlet = outlet
        self._may_go_on = may_go_on
        self._late = 0
        # The sources hold these weakly, so that what the derived observable's own functions refer to can be collected.
        self._feeds: dict[abc.ObserverBase[Any], None] = {}
        result = operate([self._branch(source) for source in sources])
        self._subscription = subscribe(
            result, _one_by_one(outlet) if single else outlet.passed, outlet.ended_by, outlet.completed, scheduler
        )

    def _branch(self, subject: LoopSubject) -> Observable[Any]:
        feeds = self._feeds

        def subscribe_core(
            observer: abc.ObserverBase[Any],
            scheduler: abc.SchedulerBase | None = None,  # noqa: ARG001  # RxPY's signature
        ) -> abc.DisposableBase:
            if subject.is_stopped:
                self._tell_the_end(subject, observer)
                return Disposable()
            feeds[observer] = None
            subscription = subject.hold_weakly(observer)

            def leave() -> None:
                feeds.pop(observer, None)
                subscription.dispose()

            return Disposable(leave)

        return reactivex.Observable(subscribe_core)

    def _tell_the_end(self, subject: LoopSubject, observer: abc.ObserverBase[Any]) -> None:
        """Tell an operator that subscribes after the end of it; one that does so again and again is over."""
        self._late += 1
        over = self._late >= _TOO_LATE
        if subject.exception is None:
            (self._outlet.completed if over else observer.on_completed)()
        else:
            (self._outlet.ended_by if over else observer.on_error)(subject.exception)

    def complete(self) -> None:
        """Complete the chain at its near end, as if every source had completed."""
        for feed in list(self._feeds):
            feed.on_completed()

    def exhausted(self, failure: Exception | None) -> bool:  # noqa: ARG002  # the chain has passed it on itself
        """Return whether nothing more will be emitted, now that the sources have ended; foreign operators may go on."""
        return not self._may_go_on

    def may_be_left(self) -> bool:
        """Return whether the end need not wait for what is still held here: it is dropped."""
        return True

    def hold(self, target: object) -> None:
        """Hold what the outlet holds weakly only, for as long as an operator may still emit; None is to let go."""
        self._outlet.hold(target)

    async def drain(self) -> None:
        """Wait for nothing: operators emit what they hold as they complete."""

    def runs(self, task: object) -> bool:  # noqa: ARG002  # no task of its own
        """Return whether ``task`` is work of this chain that its end waits for."""
        return False

    def dispose(self) -> None:
        """Detach from the sources; what an operator still holds is dropped."""
        self._subscription.dispose()


def _one_by_one(outlet: Outlet) -> Callable[[Any], None]:
    passed = outlet.passed

    def on_next(value: Any) -> None:
        if value is _DROPPED:
            return
        if outlet.veto:
            outlet.veto = False
            return
        passed((value,))

    return on_next


def serial(source: Observable[Any]) -> Observable[Any]:
    """Have what is pushed in while a value is on its way come after it.

    RxPY goes depth first, and its ``buffer_with_count`` is broken for good once it was entered a second time.
    """

    def subscribe_core(
        observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        calls: deque[Callable[[], None]] = deque()

        def call(function: Callable[..., None], *args: Any) -> None:
            calls.append(partial(function, *args))
            if len(calls) > 1:
                return  # the first one is still under way
            try:
                while calls:
                    calls[0]()
                    calls.popleft()
            finally:
                calls.clear()

        return subscribe(
            source,
            partial(call, observer.on_next),
            partial(call, observer.on_error),
            partial(call, observer.on_completed),
            scheduler,
        )

    return reactivex.Observable(subscribe_core)


def fork() -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass everything on."""
    return lambda sources: sources[0]


def map_(
    transform: Callable[[Notified], Notified], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on what ``transform`` makes of each notification."""

    def guarded(notification: Notified) -> Any:
        try:
            return transform(notification)
        except BaseException as error:
            outlet.failed(error)
            return _DROPPED

    operator = ops.map(guarded)
    return lambda sources: operator(sources[0])


def filter_(
    predicate: Callable[[Notified], bool], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on the notifications for which ``predicate`` is true."""

    def guarded(notification: Notified) -> bool:
        try:
            return predicate(notification)
        except BaseException as error:
            outlet.failed(error)
            return False

    operator: Callable[[Observable[Any]], Observable[Any]] = ops.filter(guarded)
    return lambda sources: operator(sources[0])


def at_change(
    key: Callable[[Notified], object], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on the notifications whose key differs from the one before.

    A key that raised equals whatever came before it, so RxPY's operator drops its notification and keeps the last key.
    Only the first of all is passed on regardless, so that one is vetoed.
    """
    first = True

    def guarded(notification: Notified) -> object:
        nonlocal first
        was_first, first = first, False
        try:
            return key(notification)
        except BaseException as error:
            outlet.failed(error)
            outlet.veto = was_first
            return _DROPPED

    def same(last: object, this: object) -> bool:
        if this is _DROPPED or last is _DROPPED:
            return this is _DROPPED
        try:
            return bool(last == this)
        except BaseException as error:
            outlet.failed(error)
            return True

    operator = ops.distinct_until_changed(guarded, same)
    return lambda sources: operator(sources[0])


def debounce(delay: float, scheduler: abc.SchedulerBase) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on the latest notification once ``delay`` seconds went by without another."""
    operator: Callable[[Observable[Any]], Observable[Any]] = ops.debounce(delay, scheduler)
    return lambda sources: operator(sources[0])


def throttle(interval: float, scheduler: abc.SchedulerBase) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on the first notification of each window of ``interval`` seconds."""
    operator: Callable[[Observable[Any]], Observable[Any]] = ops.throttle_first(interval, scheduler)
    return lambda sources: operator(sources[0])


def buffer(count: int) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on lists of ``count`` notifications."""
    operator: Callable[[Observable[Any]], Observable[Any]] = ops.buffer_with_count(count)
    return lambda sources: operator(serial(sources[0]))


def merge() -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on what any of the sources emits."""
    return lambda sources: reactivex.merge(*sources)
