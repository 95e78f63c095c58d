"""What RxPY's operators make of an observable's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .._arguments import check_callable
from ._operators import Operators, derive

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import reactivex
    from typing_extensions import TypeVar as TypeVarWithDefault

    from ..types import SingleValued
    from ._cascade import Notification
    from ._observable import Observable

    A = TypeVar("A")
    B = TypeVar("B")
    RxOperator: TypeAlias = Callable[[reactivex.Observable[A]], reactivex.Observable[B]]

    B1 = TypeVar("B1")
    B2 = TypeVarWithDefault("B2", default=B1)
    B3 = TypeVarWithDefault("B3", default=B2)
    B4 = TypeVarWithDefault("B4", default=B3)
    B5 = TypeVarWithDefault("B5", default=B4)
    B6 = TypeVarWithDefault("B6", default=B5)
    B7 = TypeVarWithDefault("B7", default=B6)
    B8 = TypeVarWithDefault("B8", default=B7)

__all__ = ["Piped"]

P = ParamSpec("P")

MYPY = False  # which mypy takes for true


class Piped(Operators[P]):
    """What can be derived by RxPY's own operators, each of which takes what the one before it gives."""

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
