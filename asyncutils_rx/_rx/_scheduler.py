"""The RxPY scheduler on the event loop's own clock."""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from datetime import UTC, datetime, timedelta
from math import isfinite
from threading import Lock
from time import time as wall_clock
from typing import TYPE_CHECKING, TypeVar

from reactivex.scheduler.periodicscheduler import PeriodicScheduler

from .._arguments import check_callable
from ..exceptions import ArgumentTypeError, ArgumentValueError, NoLoopError
from ._agenda import Agenda, Periodic, Scheduled
from ._compat import AWARE

if TYPE_CHECKING:
    from reactivex.abc import DisposableBase
    from reactivex.typing import AbsoluteTime, RelativeTime, ScheduledAction, ScheduledPeriodicAction

__all__ = ["LoopScheduler"]

S = TypeVar("S")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SHORTEST_STEP = 1e-9
"""Below so many seconds, a period is no grid that a clock could keep."""

_A_DAY = 86400.0
"""A clock that is less than so many seconds off the wall clock is meant to be it."""

_binding = Lock()


class LoopScheduler(PeriodicScheduler):
    """An RxPY scheduler whose clock is the clock of an asyncio event loop.

    Pass it to RxPY's operators, or to ``subscribe``, wherever they take a scheduler. Every action runs on the loop's
    own thread, in a copy of the context in which it was scheduled. What is due at once runs in the loop's next turn;
    what is due at the same time runs in the order in which it was scheduled, among the actions of one scheduler.

    :attr:`now` follows ``loop.time()``, so that operators that read the time agree with the timers. RxPY's own
    scheduler for asyncio follows the wall clock since RxPY 5.1: under a loop with a virtual clock, ``throttle_first``
    then lets nothing more through. Here such a loop drives every operator, at exact times.

    It may be used from any thread. What another thread schedules or disposes of is handed over to the loop, and no call
    waits for the loop. An action that was disposed of on the loop's thread does not begin any more; where another
    thread disposed of it, it may still begin if the loop is about to run it at that very moment.

    An action that raises harms neither the scheduler nor the others: the error goes to the loop's exception handler, as
    that of any callback does. While nothing is scheduled, the scheduler has no timer, and never a thread or a task.

    Args:
        loop: The event loop; None is the one that runs when the scheduler is first used. The loop of a scheduler
            does not change.

    Raises:
        ArgumentTypeError: ``loop`` is neither an event loop nor None.
    """

    def __init__(self, loop: AbstractEventLoop | None = None) -> None:
        super().__init__()
        self._agenda = None if loop is None else Agenda(_checked(loop))

    def __repr__(self) -> str:
        agenda = self._agenda
        if agenda is None:
            return "<LoopScheduler of no loop yet>"
        return f"<LoopScheduler of {agenda.loop!r}, {agenda.waiting} waiting>"

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop; a scheduler that has none yet is bound to the running one.

        Raises:
            NoLoopError: The scheduler has no loop yet, and none is running in this thread.
        """
        return self._bound().loop

    def _bound(self) -> Agenda:
        return self._agenda or self._bind()

    def _bind(self) -> Agenda:
        try:
            loop = get_running_loop()
        except RuntimeError:
            raise NoLoopError(
                repr(self), "no event loop is running in this thread; pass loop=, or use it first on a running loop"
            ) from None
        with _binding:  # two threads that come here at once end up with the same loop
            agenda = self._agenda = self._agenda or Agenda(loop)
        return agenda

    @property
    def now(self) -> datetime:
        """The loop's time as RxPY counts it: the loop's clock read 0 at the beginning of 1970.

        An aware datetime in UTC; a naive one under RxPY 4.0, as everywhere there. Rounded to microseconds.

        Raises:
            NoLoopError: The scheduler has no loop yet, and none is running in this thread.
        """
        return self.to_datetime(self._bound().loop.time())

    def schedule(self, action: ScheduledAction[S], state: S | None = None) -> DisposableBase:
        """Run ``action(scheduler, state)`` in the loop's next turn.

        Args:
            action: Takes this scheduler and the state. What it returns, if that can be disposed of, is disposed of
                together with the result of this call.
            state: Anything.

        Returns:
            The disposable that takes the action back.

        Raises:
            ArgumentTypeError: ``action`` is not callable.
            NoLoopError: The scheduler has no loop yet, and none is running in this thread.
            LoopError: The loop is closed. In all three cases nothing was scheduled.
        """
        check_callable("LoopScheduler.schedule", "action", action)
        agenda = self._bound()
        scheduled = Scheduled(agenda, action, self, state)
        agenda.soon(scheduled)
        return scheduled

    def schedule_relative(
        self, duetime: RelativeTime, action: ScheduledAction[S], state: S | None = None
    ) -> DisposableBase:
        """Run ``action(scheduler, state)`` after some time.

        Args:
            duetime: How long from now: finite, in seconds or as a timedelta. Zero or less is the loop's next turn.
            action: As for :meth:`schedule`.
            state: Anything.

        Returns:
            The disposable that takes the action back.

        Raises:
            ArgumentTypeError: ``duetime`` is no length of time, or ``action`` is not callable.
            ArgumentValueError: ``duetime`` is not finite.
            NoLoopError: The scheduler has no loop yet, and none is running in this thread.
            LoopError: The loop is closed. In each of these cases nothing was scheduled.
        """
        check_callable("LoopScheduler.schedule_relative", "action", action)
        seconds = _seconds("LoopScheduler.schedule_relative", "duetime", duetime)
        agenda = self._bound()
        scheduled = Scheduled(agenda, action, self, state)
        if seconds > 0:
            agenda.at(agenda.loop.time() + seconds, scheduled)
        else:
            agenda.soon(scheduled)
        return scheduled

    def schedule_absolute(
        self, duetime: AbsoluteTime, action: ScheduledAction[S], state: S | None = None
    ) -> DisposableBase:
        """Run ``action(scheduler, state)`` at a point in time.

        A number is a reading of the loop's clock. A datetime is read on the clock of :attr:`now`, as the datetimes that
        operators compute, unless it is nearer to the wall clock, by more than a day, as ``datetime.now(UTC)`` plus
        five seconds is: the two clocks are decades apart on every loop whose own clock is not the wall clock. A time
        on the wall clock is converted by this call; later changes of that clock move nothing.

        Args:
            duetime: When. A naive datetime is UTC, and taken only under RxPY 4.0. What has passed is the loop's next
                turn.
            action: As for :meth:`schedule`.
            state: Anything.

        Returns:
            The disposable that takes the action back.

        Raises:
            ArgumentTypeError: ``duetime`` is no point in time or a naive datetime, or ``action`` is not callable.
            ArgumentValueError: ``duetime`` is not finite.
            NoLoopError: The scheduler has no loop yet, and none is running in this thread.
            LoopError: The loop is closed. In each of these cases nothing was scheduled.
        """
        check_callable("LoopScheduler.schedule_absolute", "action", action)
        agenda = self._bound()
        now = agenda.loop.time()
        when = _reading("LoopScheduler.schedule_absolute", "duetime", duetime, now)
        scheduled = Scheduled(agenda, action, self, state)
        if when > now:
            agenda.at(when, scheduled)
        else:
            agenda.soon(scheduled)
        return scheduled

    def schedule_periodic(
        self, period: RelativeTime, action: ScheduledPeriodicAction[S], state: S | None = None
    ) -> DisposableBase:
        """Run ``state = action(state)`` again and again.

        It runs when the loop's clock has advanced by 1, 2, 3, … times ``period`` since this call, so nothing drifts.
        What falls into a time in which the loop was busy is skipped, not made up for. A run that raises is the last.

        Args:
            period: The time between two runs: finite, in seconds or as a timedelta. Zero or less, or less than
                a nanosecond, is once in each turn of the loop.
            action: Takes the state, and returns the next one.
            state: The first state.

        Returns:
            The disposable that ends the series.

        Raises:
            ArgumentTypeError: ``period`` is no length of time, or ``action`` is not callable.
            ArgumentValueError: ``period`` is not finite.
            NoLoopError: The scheduler has no loop yet, and none is running in this thread.
            LoopError: The loop is closed. In each of these cases nothing was scheduled.
        """
        check_callable("LoopScheduler.schedule_periodic", "action", action)
        seconds = _seconds("LoopScheduler.schedule_periodic", "period", period)
        agenda = self._bound()
        series = Periodic(agenda, action, state, seconds if seconds >= _SHORTEST_STEP else 0.0)
        series.wait()
        return series


def _checked(loop: object) -> AbstractEventLoop:
    if not isinstance(loop, AbstractEventLoop):
        raise ArgumentTypeError("LoopScheduler", "loop", loop, "an asyncio event loop or None")
    return loop


def _seconds(owner: str, parameter: str, value: object, rule: str = "a number of seconds or a timedelta") -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    # Whatever has a value as a float is a number here: RxPY takes those of numpy and decimal too.
    if not hasattr(type(value), "__float__"):
        raise ArgumentTypeError(owner, parameter, value, rule)
    try:
        seconds = float(value)  # type: ignore[arg-type]  # __float__ was seen just now
    except OverflowError:
        raise ArgumentValueError(owner, parameter, value, "a finite number of seconds") from None
    if not isfinite(seconds):
        raise ArgumentValueError(owner, parameter, value, "a finite number of seconds")
    return seconds


def _reading(owner: str, parameter: str, value: object, now: float) -> float:
    """Return what the loop's clock reads at a point in time, given what it reads now."""
    if not isinstance(value, datetime):
        return _seconds(owner, parameter, value, "an aware datetime or a reading of the loop's clock")
    if AWARE and value.tzinfo is None:
        raise ArgumentTypeError(owner, parameter, value, "an aware datetime, such as datetime.now(UTC) gives")
    seconds = (value.replace(tzinfo=value.tzinfo or UTC) - _EPOCH).total_seconds()
    wall = wall_clock()
    return seconds if abs(seconds - now) <= abs(seconds - wall) + _A_DAY else now + (seconds - wall)
