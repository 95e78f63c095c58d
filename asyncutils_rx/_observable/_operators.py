"""The operators of an observable: each makes a derived observable, through RxPY's operator of the same job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from .._arguments import check_callable, check_count, check_duration
from ._core import Core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Never, TypeAlias

    import reactivex
    from reactivex.abc import SchedulerBase
    from typing_extensions import TypeVar as TypeVarWithDefault

    from ..types import SingleValued
    from ._cascade import Notification
    from ._derived import Outlet
    from ._deriving import Rx
    from ._merge import Merge, MergeWith
    from ._observable import Observable

    Q = ParamSpec("Q")
    A = TypeVar("A")
    B = TypeVar("B")
    C = TypeVar("C")
    Args = TypeVar("Args", bound="Iterable[object]")
    V = TypeVar("V")

    Empty: TypeAlias = Mapping[str, Never]
    RxOperator: TypeAlias = Callable[[reactivex.Observable[A]], reactivex.Observable[B]]

    B1 = TypeVar("B1")
    B2 = TypeVarWithDefault("B2", default=B1)
    B3 = TypeVarWithDefault("B3", default=B2)
    B4 = TypeVarWithDefault("B4", default=B3)
    B5 = TypeVarWithDefault("B5", default=B4)
    B6 = TypeVarWithDefault("B6", default=B5)
    B7 = TypeVarWithDefault("B7", default=B6)
    B8 = TypeVarWithDefault("B8", default=B7)

__all__ = ["Operators", "merge_method"]

P = ParamSpec("P")

MYPY = False  # which mypy takes for true


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

        from ..exceptions import shown_function
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

        from ..exceptions import shown_function
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

        from ..exceptions import shown_function
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

    # RxPY's own, each of which takes what the one before it gives

    if MYPY:  # pragma: no cover  # only mypy goes there
        # Of an overloaded function mypy takes the arguments without any context first, and so complains of every lambda
        # in them. Hence one signature, in which an operator that is left out gives what the one before it gave. For
        # others that would not do: they would let it give whatever is expected.
        def pipe(  # pyright: ignore[reportRedeclaration]  # that is the point
            self: SingleValued[A],
            op1: RxOperator[A, B1],
            op2: RxOperator[B1, B2] = ...,
            op3: RxOperator[B2, B3] = ...,
            op4: RxOperator[B3, B4] = ...,
            op5: RxOperator[B4, B5] = ...,
            op6: RxOperator[B5, B6] = ...,
            op7: RxOperator[B6, B7] = ...,
            op8: RxOperator[B7, B8] = ...,  # pyright: ignore[reportInvalidTypeVarUse]  # B8 has a default
            /,
        ) -> Observable[[B8]]: ...

    else:
        if TYPE_CHECKING:

            @overload
            def pipe(self: SingleValued[A], op1: RxOperator[A, B1], /) -> Observable[[B1]]: ...

            @overload
            def pipe(self: SingleValued[A], op1: RxOperator[A, B1], op2: RxOperator[B1, B2], /) -> Observable[[B2]]: ...

            @overload
            def pipe(
                self: SingleValued[A], op1: RxOperator[A, B1], op2: RxOperator[B1, B2], op3: RxOperator[B2, B3], /
            ) -> Observable[[B3]]: ...

            @overload
            def pipe(
                self: SingleValued[A],
                op1: RxOperator[A, B1],
                op2: RxOperator[B1, B2],
                op3: RxOperator[B2, B3],
                op4: RxOperator[B3, B4],
                /,
            ) -> Observable[[B4]]: ...

            @overload
            def pipe(
                self: SingleValued[A],
                op1: RxOperator[A, B1],
                op2: RxOperator[B1, B2],
                op3: RxOperator[B2, B3],
                op4: RxOperator[B3, B4],
                op5: RxOperator[B4, B5],
                /,
            ) -> Observable[[B5]]: ...

            @overload
            def pipe(
                self: SingleValued[A],
                op1: RxOperator[A, B1],
                op2: RxOperator[B1, B2],
                op3: RxOperator[B2, B3],
                op4: RxOperator[B3, B4],
                op5: RxOperator[B4, B5],
                op6: RxOperator[B5, B6],
                /,
            ) -> Observable[[B6]]: ...

            @overload
            def pipe(
                self: SingleValued[A],
                op1: RxOperator[A, B1],
                op2: RxOperator[B1, B2],
                op3: RxOperator[B2, B3],
                op4: RxOperator[B3, B4],
                op5: RxOperator[B4, B5],
                op6: RxOperator[B5, B6],
                op7: RxOperator[B6, B7],
                /,
            ) -> Observable[[B7]]: ...

            @overload
            def pipe(
                self: SingleValued[A],
                op1: RxOperator[A, B1],
                op2: RxOperator[B1, B2],
                op3: RxOperator[B2, B3],
                op4: RxOperator[B3, B4],
                op5: RxOperator[B4, B5],
                op6: RxOperator[B5, B6],
                op7: RxOperator[B6, B7],
                op8: RxOperator[B7, B8],
                /,
            ) -> Observable[[B8]]: ...

        def pipe(self, *operators: Callable[[Any], Any]) -> Observable[Any]:
            """Return an observable of what RxPY's operators make of the values of this one.

            Here RxPY's rules hold: an error that an operator passes on ends the derived observable, and the ``notify``
            that caused it raises it. A notification without exactly one positional argument is a TypeError to its
            notifier. Values that an operator such as ``delay`` still holds when the context is left are dropped; where
            the source ends by itself, operators go on until they have emitted them. What operators emit on other
            threads reaches the observers on the loop's own; what they emit as they are applied, as ``start_with`` does,
            waits for whoever listens first. Where an operator was given no scheduler, it runs on the loop's clock.

            Args:
                *operators: RxPY's operators, applied from left to right; type checkers take one to eight of them.

            Raises:
                ArgumentTypeError: One of them cannot be called, or returned something else than an RxPY observable.
                Exception: What one of them raised.
                ObservableClosed: This observable is closed. In each of these cases nothing was changed.
            """
            for operator in operators:
                check_callable("Observable.pipe", "operators", operator)

            from ._deriving import derive
            from ._iteration import one_value

            def value_of(notification: Notification) -> Any:
                return one_value("Observable.pipe", notification)

            from .._rx._names import pipe_name  # RxPY is imported when first needed

            return derive(
                (self,),
                pipe_name(operators),
                False,
                lambda rx, outlet: rx.bridge.pipe(operators, value_of, outlet),
                timed=True,
            )

    def _derive(
        self,
        label: str,
        ret_exc: bool,
        scheduler: SchedulerBase | None,
        operate: Callable[[Rx, Outlet], Any],
        single: bool = True,
        holds: bool = False,
    ) -> Observable[Q]:
        from ._deriving import check_scheduler, derive

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
