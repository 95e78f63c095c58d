"""The chain of RxPY operators between the subjects of some sources and one derived observable.

Every operator is RxPY's own. What is added here is what RxPY lacks: a predicate, transform or key that raises drops
its notification on its branch, and the stream goes on; and a chain can be completed at its near end, for itself.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import reactivex
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.internal.basic import default_error, identity

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
_PAIR = 2
_PLAIN = frozenset({bool, bytes, float, int, str, tuple, type(None)})

_TOO_LATE = 100
"""An operator that subscribes so often after the end, as ``retry`` without a limit does, would go on for ever."""


class Outlet(Protocol):
    """Where a chain ends.

    Attributes:
        veto: Whether the next value is not to be passed on.
        dropped: What stands for a value that is not to be passed on.
    """

    veto: bool
    dropped: ClassVar[object]

    def passed_one(self, notification: Any) -> None:
        """Take one notification that came through, unless it is :attr:`dropped`, or vetoed."""

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


class _Branch(reactivex.Observable[Any]):
    """What flows from one source into a chain: RxPY's observable, but with as little as possible around the operator.

    RxPY would put an observer of its own before the operator, to detach it after the end. Here the subject lets go of
    whoever it has told of the end, so that would be one more call for each value.

    Args:
        subject: The subject of the source.
        feeds: Holds what the subject holds weakly.
        tell_the_end: Tells an observer that comes after the end of it.
    """

    def __init__(
        self,
        subject: LoopSubject,
        feeds: dict[_Feed, None],
        tell_the_end: Callable[[LoopSubject, abc.ObserverBase[Any]], None],
    ) -> None:
        def subscribe_late(
            observer: abc.ObserverBase[Any],
            scheduler: abc.SchedulerBase | None = None,  # noqa: ARG001  # RxPY's signature
        ) -> abc.DisposableBase:
            tell_the_end(subject, observer)
            return Disposable()

        super().__init__(subscribe_late)
        self._subject = subject
        self._feeds = feeds

    def subscribe(
        self,
        on_next: Any = None,
        on_error: Callable[[Exception], None] | None = None,
        on_completed: Callable[[], None] | None = None,
        *,
        scheduler: abc.SchedulerBase | None = None,
    ) -> abc.DisposableBase:
        """Subscribe an observer, or the three functions of one."""
        if self._subject.is_stopped:
            return super().subscribe(on_next, on_error, on_completed, scheduler=scheduler)
        if hasattr(on_next, "on_next"):
            on_next, on_error, on_completed = on_next.on_next, on_next.on_error, on_next.on_completed
        feed = _Feed(on_next or _ignore, on_error or default_error, on_completed or _ignore)
        self._feeds[feed] = None
        subscription = self._subject.hold_weakly(feed)  # type: ignore[arg-type]  # it has the methods of one

        def leave() -> None:
            feed.on_next = _ignore
            self._feeds.pop(feed, None)
            subscription.dispose()

        feed.leave = leave
        return Disposable(leave)


class _Feed:
    """What the subject of a source tells, as an observer of RxPY.

    Args:
        on_next: Takes each value.
        on_error: Takes the error that ends the source.
        on_completed: Called when the source completes.
    """

    __slots__ = ("__weakref__", "_on_completed", "_on_error", "leave", "on_next")

    def __init__(
        self,
        on_next: Callable[[Any], object],
        on_error: Callable[[Exception], object],
        on_completed: Callable[[], object],
    ) -> None:
        self.on_next = on_next
        self._on_error = on_error
        self._on_completed = on_completed
        self.leave: Callable[[], None] = _ignore

    def on_error(self, error: Exception) -> None:
        if self.on_next is not _ignore:
            self.on_next = _ignore
            try:
                self._on_error(error)
            finally:
                self.leave()

    def on_completed(self) -> None:
        if self.on_next is not _ignore:
            self.on_next = _ignore
            try:
                self._on_completed()
            finally:
                self.leave()


def _ignore(*_: object) -> None:
    pass


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
        self._feeds: dict[_Feed, None] = {}
        result = operate([_Branch(source, self._feeds, self._tell_the_end) for source in sources])
        self._subscription = subscribe(
            result, outlet.passed_one if single else outlet.passed, outlet.ended_by, outlet.completed, scheduler
        )

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


# One argument is passed by itself: that is twice as fast as to unpack a tuple and a dictionary.


def map_(
    transform: Callable[..., Any], parameters: Callable[[Any], Notified], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on what ``transform`` makes of each notification; ``parameters`` checks it, unless it is plainly right."""

    def guarded(notification: Notified) -> Any:
        args, kwargs = notification
        try:
            result = transform(args[0]) if len(args) == 1 and not kwargs else transform(*args, **kwargs)
            kind: object = type(result)  # pyright: ignore[reportUnknownVariableType]
            if (
                kind is tuple
                and len(result) == _PAIR
                and type(result[0]) is tuple
                and type(result[1]) is dict
                and not result[1]
            ):
                return result[0], {}
            return parameters(result)
        except BaseException as error:
            outlet.failed(error)
            return outlet.dropped

    operator = ops.map(guarded)
    return lambda sources: operator(sources[0])


def filter_(
    predicate: Callable[..., Any], plain: Callable[[Any], Any], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on the notifications for which ``predicate`` is true; ``plain`` checks what is neither True nor False."""

    def guarded(notification: Notified) -> bool:
        args, kwargs = notification
        try:
            verdict = predicate(args[0]) if len(args) == 1 and not kwargs else predicate(*args, **kwargs)
            return verdict if verdict is True or verdict is False else bool(plain(verdict))
        except BaseException as error:
            outlet.failed(error)
            return False

    operator: Callable[[Observable[Any]], Observable[Any]] = ops.filter(guarded)
    return lambda sources: operator(sources[0])


def at_change(
    key: Callable[..., Any] | None, plain: Callable[[Any], Any], outlet: Outlet
) -> Callable[[Sequence[Observable[Any]]], Observable[Any]]:
    """Pass on the notifications whose key differs from the one before; ``plain`` checks a key of no common type.

    A key that raised equals whatever came before it, so RxPY's operator drops its notification and keeps the last key.
    Only the first of all is passed on regardless, so that one is vetoed.
    """
    first = True
    mapper: Callable[..., Any] = key or identity

    def guarded(notification: Notified) -> object:
        nonlocal first
        args, kwargs = notification
        try:
            found = mapper(args[0]) if len(args) == 1 and not kwargs else mapper(*args, **kwargs)
            if type(found) not in _PLAIN:
                found = plain(found)
        except BaseException as error:
            outlet.failed(error)
            outlet.veto = first
            found = _DROPPED
        if first:
            first = False
        return found

    def same(last: object, this: object) -> bool:
        if this is _DROPPED or last is _DROPPED:
            return this is _DROPPED
        try:
            equal: Any = last == this
            return equal if equal is True or equal is False else bool(equal)
        except BaseException as error:
            outlet.failed(error)
            return True

    operator = ops.distinct_until_changed(None if key is None else guarded, same)
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
