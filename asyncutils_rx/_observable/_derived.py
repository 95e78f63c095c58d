"""How a derived observable hangs on its sources: held by them weakly, unless somebody listens to it."""

from __future__ import annotations

from asyncio import current_task, get_running_loop
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary, ref

from ..exceptions import ArgumentTypeError, NoLoopError
from . import _loopless
from ._cascade import Cascade, emission_of, logger
from ._flight import Flight, scope_of
from ._inlet import Early

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable, Sequence

    from reactivex.abc import SchedulerBase

    from .._rx._chain import Chain
    from ._cascade import Emission, Notification
    from ._core import Core

__all__ = ["ForeignOutlet", "Outlet", "Outward", "attach", "check_parameters", "runs_here", "settled"]


class Outlet:
    """Where a chain of operators ends: at a derived observable, which it holds weakly.

    Args:
        source: The first source, for its loop; held weakly too.
        target: The derived observable.
        label: What the derived observable is called in messages.
        quiet: Whether errors of its branch are logged instead of raised.
    """

    __slots__ = ("_held", "_label", "_quiet", "_source", "_target", "veto")

    dropped: ClassVar[object] = object()

    def __init__(self, source: Core, target: Core, label: str, quiet: bool) -> None:
        self.veto = False
        self._held: object = None
        self._source = ref(source)
        self._target = ref(target)
        self._label = label
        self._quiet = quiet

    def hold(self, target: object) -> None:
        """Hold the derived observable for as long as the chain is held; None is to let go."""
        self._held = target

    def passed_one(self, notification: Any) -> None:
        """Emit what came through, unless it was dropped."""
        if notification is self.dropped:
            return
        if self.veto:
            self.veto = False
            return
        target = self._target()
        if target is not None:
            runner = target._runner
            if runner is not None and target._turn is None and target._next_waiters is None and not target._quiet:
                flight = runner.scope
                if type(flight) is Flight:
                    # As in Core._arrive, for what is cheap to pass on.
                    observers = target._observers
                    calls = observers.snapshot_or_none
                    if calls is None:
                        calls = observers.snapshot()
                    subject = target._subject
                    if not calls:
                        if subject is not None:
                            # As in its on_next, which is one call less here.
                            for member in subject.current or subject.refreshed():
                                feed = member()
                                if feed is not None:
                                    feed.on_next(notification)
                        return
                    if subject is None and flight.target is None:
                        target._turn = flight
                        flight.target = target
                        flight.calls = calls
                        flight.args, flight.kwargs = notification
                        return
            target._arrive((notification,), soon=True)

    def passed(self, notifications: Sequence[Notification]) -> None:
        """Emit what came through."""
        target = self._target()
        if target is not None:
            # Started soon: an observer that began here, on the stack of an operator, could push into that operator.
            target._arrive(notifications, soon=True)

    def completed(self) -> None:
        """End the derived observable once it has delivered what is queued."""
        target = self._target()
        if target is not None:
            target._finish()

    def ended_by(self, error: Exception) -> None:
        """End the derived observable with an error; the notification that caused it raises it."""
        target = self._target()
        if target is not None:
            scope = self._scope()
            if scope is not None:
                scope.cascade.note(scope, scope.cascade.next_order(), 0, error)
                target._failure_heard = True
            target._finish(error)

    def failed(self, error: BaseException) -> None:
        """Note the error of a predicate, transform or key with the notification that caused it."""
        scope = self._scope()
        if not isinstance(error, Exception) and scope is None:
            raise error
        target = self._target()
        for watch in () if target is None else target._watches:
            watch.failed(error, None if scope is None else scope.cascade)
        if self._quiet and isinstance(error, Exception):
            logger.error("%s: a notification was dropped", self._label, exc_info=error)
        elif scope is not None:
            scope.cascade.note(scope, scope.cascade.next_order(), 0, error)
        else:
            _loopless.note(error)

    def _scope(self) -> Emission | None:
        source = self._source()
        runner = None if source is None else source._runner
        if runner is None:
            return None
        scope = scope_of(runner)
        if scope is None:
            scope = emission_of(runner, current_task())
        return None if scope is None or scope.cascade.cancelled else scope


class ForeignOutlet(Outlet):
    """Where a chain ends that may emit on any thread, and while it is being made.

    Args:
        source: The first source.
        target: The derived observable.
        label: What the derived observable is called in messages.
        quiet: Whether errors of its branch are logged instead of raised.
    """

    __slots__ = ("_early",)

    def __init__(self, source: Core, target: Core, label: str, quiet: bool) -> None:
        super().__init__(source, target, label, quiet)
        self._early: list[tuple[str, tuple[Any, ...]]] | None = []

    def attached(self) -> None:
        """Have what was emitted until now wait for whoever listens first; what ended without a value has ended.

        Raises:
            Exception: The error that it ended with, without a value.
        """
        early, self._early = self._early, None
        target = self._target()
        if early and target is not None:
            name, args = early[0]
            if name == "on_error":
                raise args[0]
            target._inlet = Early(target, early)
            target._put_off = True
            if name == "on_completed":
                target._inlet.start()

    def passed_one(self, notification: Any) -> None:
        """Emit what came through, on the loop's thread."""
        target = self._target()
        runner = None if target is None or self._early is not None else target._runner
        if runner is not None and runs_here(runner.loop):
            super().passed_one(notification)
        elif notification is not self.dropped:
            self.passed((notification,))

    def passed(self, notifications: Sequence[Notification]) -> None:
        """Emit what came through, on the loop's thread."""
        if self._early is not None:
            self._early += [("on_next", args) for args, _ in notifications]
        elif not self._handed_over(self.passed, notifications):
            target = self._target()
            if target is not None and not target._closed:
                super().passed(notifications)

    def completed(self) -> None:
        """End the derived observable, on the loop's thread."""
        if self._early is not None:
            self._early.append(("on_completed", ()))
        elif not self._handed_over(self.completed):
            super().completed()

    def ended_by(self, error: Exception) -> None:
        """End the derived observable with an error, on the loop's thread."""
        if self._early is not None:
            self._early.append(("on_error", (error,)))
        elif not self._handed_over(self.ended_by, error):
            super().ended_by(error)

    def _handed_over(self, call: Callable[..., None], *args: Any) -> bool:
        """Have the loop's thread call, if this is another one."""
        target = self._target()
        runner = None if target is None else target._runner_of_family()
        if target is None or runner is None or runs_here(runner.loop):
            return False
        try:
            runner.loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            if not target._closed:  # else nobody is to hear of it, whatever the loop does
                raise NoLoopError(
                    repr(target),
                    "its event loop is closed, so what operators emit reaches nobody; close it before the loop",
                ) from None
        return True


class Outward:
    """What an RxPY observable of an observable's values does to that observable."""

    def __init__(self, observable: Core) -> None:
        self._observable = observable

    def run(self, call: Callable[[], object]) -> None:
        """Call on the loop's thread: at once if this is it, or if there is no loop to wait for."""
        runner = self._observable._runner_of_family()
        if runner is not None and not runs_here(runner.loop):
            try:
                runner.loop.call_soon_threadsafe(call)
            except RuntimeError:  # closed
                pass
            else:
                return
        call()

    def subscribed(self, scheduler: SchedulerBase | None) -> None:
        """Count a subscriber; its scheduler is the one to use from here on upwards."""
        if scheduler is not None:
            for site in self._observable._lineage():
                if site._clock is not None:
                    site._clock.forwarded = scheduler
        self._observable._subscribers += 1
        self._observable._demand_changed()

    def unsubscribed(self, scheduler: SchedulerBase | None) -> None:
        """Count one subscriber less, and use its scheduler no more."""
        self._observable._subscribers -= 1
        self._observable._demand_changed()
        for site in self._observable._lineage():
            if site._clock is not None and site._clock.forwarded is scheduler:
                site._clock.forwarded = None

    def failed(self, error: Exception) -> None:
        """Have the notifier raise what a subscriber raised; where there is none, report it."""
        runner = self._observable._runner_of_family()
        scope = None if runner is None else scope_of(runner)
        if scope is not None:
            scope.cascade.note(scope, scope.cascade.next_order(), 0, error)
        elif runner is not None:
            Cascade(runner).report(error)
        else:
            _loopless.note(error)


def attach(
    target: Core,
    sources: Sequence[Core],
    label: str,
    quiet: bool,
    build: Callable[[Sequence[Any], Outlet], Chain],
    foreign: bool = False,
) -> None:
    """Make ``target`` a derived observable of ``sources``.

    Args:
        target: A new observable without observers.
        sources: Open observables, one for each time that it counts.
        label: What the derived observable is called in messages.
        quiet: Whether errors of its branch are logged instead of raised.
        build: Makes the chain from the sources' subjects to the outlet.
        foreign: Whether the chain may emit on any thread, and while it is being made.
    """
    from .._rx._subject import LoopSubject  # RxPY is imported when first needed

    target._sources = tuple(sources)
    target._label = label
    target._quiet = quiet
    subjects: list[LoopSubject] = []
    for source in sources:
        if source._subject is None:
            source._subject = LoopSubject()
        if source._children is None:
            source._children = WeakKeyDictionary()
        source._children[target] = None
        subjects.append(source._subject)
    outlet = (ForeignOutlet if foreign else Outlet)(sources[0], target, label, quiet)
    chain = build(subjects, outlet)
    target._chain = chain
    target._detacher = _Detacher(chain, sources[0])
    if isinstance(outlet, ForeignOutlet):
        outlet.attached()


class _Detacher:
    """Detaches a chain when the derived observable that holds this is collected."""

    __slots__ = ("_chain", "_source")

    def __init__(self, chain: Chain, source: Core) -> None:
        self._chain = chain
        self._source = ref(source)

    def __del__(self) -> None:
        _detach(self._chain, self._source)


def _detach(chain: Chain, source: ref[Core]) -> None:
    """Detach a collected observable; on the loop's thread, wherever the collector happens to run."""
    alive = source()
    loop = None if alive is None else alive._loop
    if loop is None or runs_here(loop) or not loop.is_running():
        chain.dispose()
        return
    try:
        loop.call_soon_threadsafe(chain.dispose)
    except RuntimeError:  # pragma: no cover  # its own thread would have to stop and close it between these lines
        chain.dispose()


def runs_here(loop: AbstractEventLoop) -> bool:
    """Whether ``loop`` is the one that is running on this thread."""
    try:
        return get_running_loop() is loop
    except RuntimeError:
        return False


def settled(owner: str, parameter: str, function: object, result: object) -> Any:
    """Refuse an awaitable where a plain value is needed: RxPY's operators are synchronous."""
    if hasattr(type(result), "__await__"):
        if hasattr(result, "close"):
            result.close()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]  # it was seen just now
        raise ArgumentTypeError(owner, parameter, function, "a synchronous function")
    return result


def check_parameters(owner: str, result: tuple[Iterable[Any], Mapping[Any, Any]]) -> Notification:
    """Return what a transform made, as the parameters of a notification."""
    if type(result) is tuple and len(result) == _PAIR:
        args, kwargs = result
        if hasattr(type(args), "__iter__") and not isinstance(args, (str, bytes)) and isinstance(kwargs, Mapping):
            named = dict(kwargs)
            if all(isinstance(name, str) for name in named):
                return tuple(args), named
    rule = "a pair (tuple) of an iterable of positional and a mapping of keyword arguments"
    raise ArgumentTypeError(owner, "transform's result", result, rule)


_PAIR = 2
