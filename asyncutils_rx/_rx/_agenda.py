"""The actions that wait on one event loop, and how they get there, run, and are taken back.

Knows asyncio and what a disposable is. All that is shared is touched on the loop's own thread only; other threads hand
their calls over to the loop and go on.
"""

from __future__ import annotations

from asyncio import get_running_loop
from contextvars import copy_context
from math import floor
from typing import TYPE_CHECKING, Any

from reactivex.abc import DisposableBase

from ..exceptions import LoopError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Handle
    from collections.abc import Callable
    from contextvars import Context
    from typing import TypeVarTuple

    Ts = TypeVarTuple("Ts")

__all__ = ["Agenda", "Periodic", "Scheduled"]


class Agenda:
    """What waits on one event loop.

    Args:
        loop: The event loop.
    """

    __slots__ = ("_instants", "loop")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._instants: dict[float, _Instant] = {}

    @property
    def waiting(self) -> int:
        """How many actions wait for a point in time."""
        return sum(len(instant.members) for instant in list(self._instants.values()))

    def soon(self, scheduled: Scheduled) -> None:
        """Run an action in the loop's next turn.

        Raises:
            LoopError: The loop is closed.
        """
        if self._is_here():
            scheduled.handle = self.loop.call_soon(scheduled.run)
        else:
            self._hand_over(scheduled.run)

    def at(self, when: float, scheduled: Scheduled) -> None:
        """Run an action when the loop's clock reads ``when``.

        Raises:
            LoopError: The loop is closed.
        """
        if self._is_here():
            self._join(when, scheduled)
        else:
            self._hand_over(self._join, when, scheduled)

    def withdraw(self, scheduled: Scheduled) -> None:
        """Take an action back, in the loop's next turn where this is not the loop's thread."""
        if not self._is_here() and self.loop.is_running():
            try:
                self._hand_over(scheduled.withdraw)
            except LoopError:  # it was closed at this very moment, so nothing runs on it
                scheduled.withdraw()
        else:
            scheduled.withdraw()

    def leave(self, instant: _Instant) -> None:
        """Forget an instant that nothing waits for any more."""
        if self._instants.get(instant.when) is instant:
            del self._instants[instant.when]

    def _join(self, when: float, scheduled: Scheduled) -> None:
        if scheduled.is_disposed:
            return
        instant = self._instants.get(when)
        if instant is None:
            instant = self._instants[when] = _Instant(self, when)
            scheduled.context = None
        else:
            scheduled.context = copy_context()
        instant.members[scheduled] = None
        scheduled.instant = instant

    def _is_here(self) -> bool:
        try:
            return get_running_loop() is self.loop
        except RuntimeError:
            return False

    def _hand_over(self, callback: Callable[[*Ts], object], *args: *Ts) -> Handle:
        try:
            return self.loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            raise LoopError(repr(self.loop), "the event loop is closed; make a scheduler for one that runs") from None


class _Instant:
    """The actions that are due at one reading of the clock; they share one timer.

    Asyncio runs timers of the same time in no particular order; here it is the order in which they were scheduled.
    """

    __slots__ = ("_agenda", "_timer", "members", "when")

    def __init__(self, agenda: Agenda, when: float) -> None:
        self.when = when
        self.members: dict[Scheduled, None] = {}
        self._agenda = agenda
        self._timer: Handle = agenda.loop.call_at(when, self._run)

    def drop(self, scheduled: Scheduled) -> None:
        """Take an action out, and the timer with the last one."""
        self.members.pop(scheduled, None)
        if not self.members:
            self._timer.cancel()
            self._agenda.leave(self)

    def _run(self) -> None:
        self._agenda.leave(self)
        members = iter(tuple(self.members))
        try:
            for scheduled in members:
                # The first one was scheduled together with the timer, so it is in its own context here.
                if scheduled.context is None:
                    scheduled.run()
                else:
                    scheduled.context.run(scheduled.run)
        finally:
            # There are some left where one raised: asyncio reports its error, and the others still get their turn.
            self.members = dict.fromkeys(members)
            if self.members:
                self._timer = self._agenda.loop.call_soon(self._run)


class Scheduled(DisposableBase):
    """One action that waits or runs, and the disposable that takes it back.

    Args:
        agenda: Where it waits.
        action: Takes the scheduler and the state; what it returns, if it can be disposed of, belongs to this.
        scheduler: What the action gets as its scheduler.
        state: What the action gets as its state.

    Attributes:
        context: The context to run in, or None where that is the one of the loop's own handle.
        handle: The loop's handle, where the action has one of its own and the loop's thread scheduled it.
        inner: What the action returned, or what the last action that goes back to this one returned.
        instant: What the action waits for, where that is a point in time.
        is_disposed: Whether it was taken back.
        origin: The action that this one goes back to, where it was scheduled and returned by another.
    """

    __slots__ = (
        "__weakref__",
        "_scheduler",
        "action",
        "agenda",
        "context",
        "handle",
        "inner",
        "instant",
        "is_disposed",
        "origin",
        "state",
    )

    def __init__(self, agenda: Agenda, action: Callable[..., Any], scheduler: object, state: Any) -> None:
        self.agenda = agenda
        self.action: Callable[..., Any] | None = action
        self.state = state
        self.context: Context | None = None
        self.handle: Handle | None = None
        self.instant: _Instant | None = None
        self.is_disposed = False
        self._scheduler = scheduler
        self.inner: DisposableBase | None = None
        self.origin: Scheduled | None = None

    def run(self) -> None:
        """Run the action, unless it was taken back; for the loop's thread."""
        if self.is_disposed or self.action is None:
            return
        action, state = self.action, self.state
        self.forget()
        result = action(self._scheduler, state)
        if hasattr(result, "dispose"):
            self._adopt(result)

    def forget(self) -> None:
        """Let go of what was needed until now, so that a disposable that is kept keeps nothing else alive."""
        self.action = self.state = self.context = self.handle = self.instant = None

    def _adopt(self, result: DisposableBase) -> None:
        if self.is_disposed:
            result.dispose()
            return
        self.inner = result
        # An action that schedules the next one, which schedules the next, and so on: without this, the first one's
        # disposable would lead to the last one's through all of those between.
        origin = self.origin
        if origin is not None and origin.inner is self:
            origin.inner = result
        if isinstance(result, Scheduled):
            result.origin = origin or self

    def dispose(self) -> None:
        """Take the action back, or what it returned; from any thread, without waiting."""
        if not self.is_disposed:
            self.is_disposed = True
            self.agenda.withdraw(self)

    def withdraw(self) -> None:
        """Undo what is there to undo; for the loop's thread."""
        handle, instant, inner = self.handle, self.instant, self.inner
        self.forget()
        self.inner = None
        if handle is not None:
            handle.cancel()
        if instant is not None:
            instant.drop(self)
        if inner is not None:
            inner.dispose()


class Periodic(Scheduled):
    """An action that runs on a grid of the loop's clock, again and again.

    Args:
        agenda: Where it waits.
        action: Takes the state and returns the next one.
        state: The first state.
        step: The distance of two points of the grid, in seconds; with 0, it runs once in each turn of the loop.
    """

    __slots__ = ("_count", "_start", "_step")

    def __init__(self, agenda: Agenda, action: Callable[..., Any], state: Any, step: float) -> None:
        super().__init__(agenda, action, None, state)
        self._count = 0
        self._start = agenda.loop.time()
        self._step = step

    def run(self) -> None:
        """Run the action and wait for the next point of the grid; for the loop's thread."""
        if self.is_disposed or self.action is None:
            return
        action, state = self.action, self.state
        self.forget()
        state = action(state)
        if not self.is_disposed:
            self.action, self.state = action, state
            self.wait()

    def wait(self) -> None:
        """Wait for the next point of the grid.

        Raises:
            LoopError: The loop is closed.
        """
        if self._step:
            self.agenda.at(self._next(), self)
        else:
            self.agenda.soon(self)

    def _next(self) -> float:
        self._count += 1
        when = self._start + self._count * self._step
        late = self.agenda.loop.time() - when
        if late > 0:
            # What has passed is skipped.
            self._count += floor(late / self._step) + 1
            when = self._start + self._count * self._step
        return when
