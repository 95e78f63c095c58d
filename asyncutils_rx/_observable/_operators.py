"""The operators of an observable: each makes a derived observable, through RxPY's operator of the same job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload
from weakref import ref

from .._arguments import check_callable, check_count, check_duration
from ..exceptions import ArgumentTypeError, shown_function
from ._core import Core

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Never, TypeAlias

    from reactivex.abc import SchedulerBase

    from .._rx import _chain
    from .._rx._bridge import Clock
    from ._cascade import Notification
    from ._derived import Outlet
    from ._merge import Merge, MergeWith
    from ._observable import Observable

    Q = ParamSpec("Q")
    A = TypeVar("A")
    B = TypeVar("B")
    C = TypeVar("C")
    Args = TypeVar("Args", bound="Iterable[object]")
    V = TypeVar("V")

    Empty: TypeAlias = Mapping[str, Never]

__all__ = ["Operators", "merge_method"]

P = ParamSpec("P")


class Operators(Core, Generic[P]):
    """What can be derived from an observable.

    A derived observable emits while its source's notification runs, so the source's ``notify`` awaits its observers
    and raises their errors; with ``ret_exc=True`` the errors of that branch are logged instead. A function that raises
    drops the notification on that branch, and the next one flows. Functions are called synchronously.
    """

    def fork(self, ret_exc: bool = False, *, scheduler: SchedulerBase | None = None) -> Observable[P]:
        """Return an observable that emits every notification of this one.

        Args:
            ret_exc: Whether errors of the branch are logged instead of raised by the notifier.
            scheduler: Accepted for symmetry; nothing here has a clock.

        Raises:
            ObservableClosed: This observable is closed.
        """
        return self._derive("fork()", ret_exc, scheduler, lambda rx, _: rx.chain.fork())

    if TYPE_CHECKING:
        # Of a lambda, the last one asks for the very type that the one before did: or mypy would take both for right.
        @overload
        def map(
            self,
            transform: Callable[P, tuple[tuple[A], Empty]],
            ret_exc: bool = ...,
            *,
            scheduler: SchedulerBase | None = ...,
        ) -> Observable[[A]]: ...

        @overload
        def map(
            self,
            transform: Callable[P, tuple[tuple[A, B], Empty]],
            ret_exc: bool = ...,
            *,
            scheduler: SchedulerBase | None = ...,
        ) -> Observable[[A, B]]: ...

        @overload
        def map(
            self,
            transform: Callable[P, tuple[tuple[A, B, C], Empty]],
            ret_exc: bool = ...,
            *,
            scheduler: SchedulerBase | None = ...,
        ) -> Observable[[A, B, C]]: ...

        @overload
        def map(
            self,
            transform: Callable[P, tuple[Args, Mapping[str, V]]],
            ret_exc: bool = ...,
            *,
            scheduler: SchedulerBase | None = ...,
        ) -> Observable[...]: ...

    def map(
        self,
        transform: Callable[P, tuple[Iterable[object], Mapping[str, object]]],
        ret_exc: bool = False,
        *,
        scheduler: SchedulerBase | None = None,
    ) -> Observable[...]:
        """Return an observable that emits each notification with other parameters.

        Args:
            transform: Takes the parameters of a notification and returns those of the derived one, as a pair
                ``(args, kwargs)``.
            ret_exc: Whether errors of the branch are logged instead of raised by the notifier.
            scheduler: Accepted for symmetry; nothing here has a clock.

        Raises:
            ArgumentTypeError: ``transform`` cannot be called. (One that returns something else than a pair fails in
                the ``notify`` that called it.)
            ObservableClosed: This observable is closed.
        """
        check_callable("Observable.map", "transform", transform)

        from ._derived import check_parameters, settled

        def parameters(result: Any) -> Notification:
            return check_parameters("Observable.map", settled("Observable.map", "transform", transform, result))

        label = f"map({shown_function(transform)})"
        return self._derive(label, ret_exc, scheduler, lambda rx, outlet: rx.chain.map_(transform, parameters, outlet))

    def filter(
        self,
        pred: Callable[P, object],
        ret_exc: bool = False,
        *,
        scheduler: SchedulerBase | None = None,
    ) -> Observable[P]:
        """Return an observable that emits the notifications for which ``pred`` is true.

        Args:
            pred: Takes the parameters of a notification; its result counts by its truth.
            ret_exc: Whether errors of the branch are logged instead of raised by the notifier.
            scheduler: Accepted for symmetry; nothing here has a clock.

        Raises:
            ArgumentTypeError: ``pred`` cannot be called.
            ObservableClosed: This observable is closed.
        """
        check_callable("Observable.filter", "pred", pred)

        from ._derived import settled

        def plain(verdict: object) -> object:
            return settled("Observable.filter", "pred", pred, verdict)

        label = f"filter({shown_function(pred)})"
        return self._derive(label, ret_exc, scheduler, lambda rx, outlet: rx.chain.filter_(pred, plain, outlet))

    def at_change(
        self,
        key: Callable[P, object] | None = None,
        ret_exc: bool = False,
        *,
        scheduler: SchedulerBase | None = None,
    ) -> Observable[P]:
        """Return an observable that emits a notification when its key differs from the key of the one before.

        The first notification is always emitted. Keys are compared with ``==``; what was seen last does not depend on
        when observers come and go.

        Args:
            key: Takes the parameters of a notification; the parameters themselves are the key if not passed.
            ret_exc: Whether errors of the branch are logged instead of raised by the notifier.
            scheduler: Accepted for symmetry; nothing here has a clock.

        Raises:
            ArgumentTypeError: ``key`` cannot be called.
            ObservableClosed: This observable is closed.
        """
        if key is not None:
            check_callable("Observable.at_change", "key", key)

        from ._derived import settled

        def plain(found: object) -> object:
            return settled("Observable.at_change", "key", key, found)

        label = f"at_change({'' if key is None else shown_function(key)})"
        return self._derive(label, ret_exc, scheduler, lambda rx, outlet: rx.chain.at_change(key, plain, outlet))

    def debounce(self, delay: float, ret_exc: bool = False, *, scheduler: SchedulerBase | None = None) -> Observable[P]:
        """Return an observable that emits the latest notification once ``delay`` went by without another.

        The emission is no part of any ``notify``: the derived observable owns it, and an error of its observers goes
        to the loop's exception handler. On leaving the context of either observable the pending notification is
        emitted.

        Args:
            delay: Seconds, finite and not negative. 0 still joins what is notified in one turn of the loop.
            ret_exc: Whether errors of the branch are logged instead of reported.
            scheduler: The clock; that of the running loop if not passed.

        Raises:
            ArgumentTypeError: ``delay`` is no number.
            ArgumentValueError: ``delay`` is outside its range.
            ObservableClosed: This observable is closed.
        """
        seconds = check_duration("Observable.debounce", "delay", delay)
        return self._derive(
            f"debounce({delay:g})",
            ret_exc,
            scheduler,
            lambda rx, _: rx.chain.debounce(seconds, rx.scheduler),
            holds=True,
        )

    def throttle(
        self, interval: float, ret_exc: bool = False, *, scheduler: SchedulerBase | None = None
    ) -> Observable[P]:
        """Return an observable that emits the first notification of each window and drops the others.

        A window begins with a notification that is emitted and lasts ``interval``.

        Args:
            interval: Seconds, finite and not negative. 0 passes everything.
            ret_exc: Whether errors of the branch are logged instead of raised by the notifier.
            scheduler: The clock; that of the running loop if not passed.

        Raises:
            ArgumentTypeError: ``interval`` is no number.
            ArgumentValueError: ``interval`` is outside its range.
            ObservableClosed: This observable is closed.
        """
        seconds = check_duration("Observable.throttle", "interval", interval)
        return self._derive(
            f"throttle({interval:g})",
            ret_exc,
            scheduler,
            lambda rx, _: rx.chain.throttle(seconds, rx.scheduler) if seconds else rx.chain.fork(),
        )

    def buffer(self, count: int, ret_exc: bool = False, *, scheduler: SchedulerBase | None = None) -> Observable[P]:
        """Return an observable that holds notifications back and emits them concurrently, ``count`` at a time.

        The notification that fills the batch emits all of it and awaits it. On leaving the context of either observable
        a partial batch is emitted.

        Args:
            count: How many notifications make a batch; at least 1.
            ret_exc: Whether errors of the branch are logged instead of raised by the notifier.
            scheduler: Accepted for symmetry; nothing here has a clock.

        Raises:
            ArgumentTypeError: ``count`` is no integer.
            ArgumentValueError: ``count`` is less than 1.
            ObservableClosed: This observable is closed.
        """
        size = check_count("Observable.buffer", "count", count)
        return self._derive(f"buffer({count})", ret_exc, scheduler, lambda rx, _: rx.chain.buffer(size), single=False)

    def _derive(
        self,
        label: str,
        ret_exc: bool,
        scheduler: SchedulerBase | None,
        operate: Callable[[Rx, Outlet], Any],
        single: bool = True,
        holds: bool = False,
    ) -> Observable[Q]:
        check_scheduler(label, scheduler)
        return derive((self,), label, ret_exc, operate, single, scheduler, holds=holds)


class merge_method:  # noqa: N801  # used as a decorator is
    """``merge``, which can be called on the class and on an instance; the instance then is the first source."""

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[Core]) -> Merge: ...

        @overload
        def __get__(self, instance: Observable[P], owner: type[Core]) -> MergeWith[P]: ...

    def __get__(self, instance: Core | None, owner: type[Core]) -> Callable[..., Observable[...]]:
        from ._merge import merge, merge_with

        return merge if instance is None else partial(merge_with, instance)


def check_scheduler(label: str, scheduler: object) -> None:
    """Refuse what cannot schedule."""
    if scheduler is not None and not callable(getattr(scheduler, "schedule_relative", None)):
        owner = "Observable." + label.partition("(")[0]
        raise ArgumentTypeError(owner, "scheduler", scheduler, "an RxPY scheduler or None")


class Rx:
    """What an operator needs of the seam to RxPY, imported when the first operator is used.

    Args:
        target: The derived observable.
        scheduler: What the user gave as scheduler.

    Attributes:
        chain: The module of the operators.
        bridge: The module of the ways in and out.
    """

    def __init__(self, target: Core, scheduler: SchedulerBase | None) -> None:
        from .._rx import _bridge, _chain

        self.chain = _chain
        self.bridge = _bridge
        self._target = target
        self._scheduler = scheduler

    @property
    def scheduler(self) -> SchedulerBase:
        """What the user gave, or else the clock of the derived observable."""
        if self._scheduler is not None:
            return self._scheduler
        return clock_of(self._target)


def clock_of(target: Core) -> Clock:
    """Make the scheduler that ``target``, a new observable, gives to RxPY where the user gave none."""
    from .._rx._bridge import Clock

    weak = ref(target)

    def loop_of() -> AbstractEventLoop | None:
        alive = weak()
        runner = None if alive is None else alive._runner_of_family()
        return None if runner is None else runner.loop

    clock = target._clock = Clock(loop_of)
    return clock


def derive(
    sources: Sequence[Core],
    label: str,
    ret_exc: bool,
    operate: Callable[[Rx, Outlet], Any],
    single: bool = True,
    scheduler: SchedulerBase | None = None,
    timed: bool = False,
    holds: bool = False,
) -> Observable[Q]:
    """Return a new observable that emits what an operator makes of ``sources``.

    Args:
        sources: The sources, one for each time that it counts.
        label: What the new observable is called in messages.
        ret_exc: Whether errors of the branch are logged instead of raised.
        operate: Makes the operator.
        single: Whether the operator gives single notifications; else lists of them.
        scheduler: What the user gave as scheduler.
        timed: Whether the operator is foreign: it is given a scheduler as it is subscribed, and may outlive its source.
        holds: Whether the operator holds notifications back for a time.
    """
    from ._derived import attach
    from ._observable import Observable

    for source in sources:
        source._check_usable()
    target: Observable[Q] = Observable()

    def build(subjects: Sequence[Any], outlet: Outlet) -> _chain.Chain:
        rx = Rx(target, scheduler)
        given = rx.scheduler if timed else None
        built: _chain.Chain = rx.chain.Chain(subjects, operate(rx, outlet), outlet, single, given, timed, holds)
        return built

    attach(target, sources, label, bool(ret_exc), build, foreign=timed or scheduler is not None)
    return target
