"""What makes a derived observable; loaded when the first one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec
from weakref import ref

from ..exceptions import ArgumentTypeError
from ._derived import attach
from ._observable import Observable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence

    from reactivex.abc import SchedulerBase

    from .._rx import _chain
    from .._rx._bridge import Clock
    from ._core import Core
    from ._derived import Outlet

__all__ = ["Rx", "check_scheduler", "clock_of", "derive"]

Q = ParamSpec("Q")


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
