"""Merging: one method for the class and for its instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, overload

from ..exceptions import ArgumentTypeError, ArgumentValueError
from ._core import Core
from ._deriving import check_scheduler, derive

if TYPE_CHECKING:
    from reactivex.abc import SchedulerBase

    from ._observable import Observable
    from ._operators import Operators

__all__ = ["Merge", "MergeWith", "merge", "merge_with"]

P = ParamSpec("P")


class Merge(Protocol):
    """The type of ``Observable.merge``: sources that agree in their parameters keep them."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # where the sources agree, more is known
        self, source: Observable[P], /, *obs: Observable[P], ret_exc: bool = ..., scheduler: SchedulerBase | None = ...
    ) -> Observable[P]: ...

    @overload
    def __call__(
        self,
        source: Operators[...],
        /,
        *obs: Operators[...],
        ret_exc: bool = ...,
        scheduler: SchedulerBase | None = ...,
    ) -> Observable[...]: ...


class MergeWith(Protocol[P]):
    """The type of ``merge`` of an observable of ``P``."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # where the sources agree, more is known
        self, other: Observable[P], /, *obs: Observable[P], ret_exc: bool = ..., scheduler: SchedulerBase | None = ...
    ) -> Observable[P]: ...

    @overload
    def __call__(
        self, other: Operators[...], /, *obs: Operators[...], ret_exc: bool = ..., scheduler: SchedulerBase | None = ...
    ) -> Observable[...]: ...


def merge(*obs: Core, ret_exc: bool = False, scheduler: SchedulerBase | None = None) -> Observable[...]:
    """Return an observable that emits every notification of each of ``obs``.

    Notifications of different sources are emitted one by one, in order of arrival. The same source twice counts twice.
    It ends when all its sources have ended.

    Args:
        *obs: The sources. Called on an instance, that instance is one of them.
        ret_exc: Whether errors of the branch are logged instead of raised by the notifier.
        scheduler: Accepted for symmetry; nothing here has a clock.

    Raises:
        ArgumentTypeError: One of them is no observable.
        ArgumentValueError: There is nothing to merge.
        ObservableClosed: One of them is closed.
    """
    for source in obs:
        if not isinstance(source, Core):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all have their types checked
            raise ArgumentTypeError("Observable.merge", "obs", source, "observables only")
    if not obs:
        raise ArgumentValueError("Observable.merge", "obs", obs, "at least one observable")
    check_scheduler("merge()", scheduler)
    return derive(obs, f"merge({len(obs)} sources)", ret_exc, lambda rx, _: rx.chain.merge())


def merge_with(instance: Core, *obs: Core, ret_exc: bool = False, scheduler: Any = None) -> Observable[...]:
    if not obs:
        raise ArgumentValueError("Observable.merge", "obs", obs, "at least one other observable")
    return merge(instance, *obs, ret_exc=ret_exc, scheduler=scheduler)
