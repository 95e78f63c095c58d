"""What one notification causes: cascades, emissions, and the items that wait for a turn.

* A :class:`Cascade` is everything that one call (or one emission that no call caused) has to see ended.
* An :class:`Emission` is one notification at one observable, until its observers and whatever it reached further
  down have ended. Emissions form the tree below their cascade.
* An :class:`Item` is a notification that waits for an observable's turn.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError, current_task
from collections import deque
from typing import TYPE_CHECKING, Any

from .._alone import ENDING
from .._fanout import FanOut, Scope

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Container, Sequence
    from contextvars import Context
    from typing import Protocol

    from .._runner import Runner, Work

__all__ = ["MUTE", "Cascade", "Emission", "Item", "Notification", "emission_of", "is_inside", "logger"]

Notification = tuple[tuple[Any, ...], dict[str, Any]]
"""The parameters of one notification: ``(args, kwargs)``."""

logger = logging.getLogger("asyncutils_rx")

MUTE = "mute"
"""An emission so quiet that its errors are not logged."""

_NEVER_REPORTED = (CancelledError, *ENDING)
"""What no handler gets."""


if TYPE_CHECKING:

    class Witness(Protocol):
        """Who is told what happens at an observable besides its notifications. None of these may raise."""

        def notified(self, notification: Notification, emission: Emission | None) -> None:
            """Take a notification that goes through the observers one after another, as that begins."""

        def failed(self, error: BaseException, cause: object) -> None:
            """Take an error that does not end the observable."""

        def ended(self, failure: Exception | None) -> None:
            """Take the end."""

        def unbuffered(self, dropped: int) -> None:
            """Take the end of a buffer, which has dropped so many items."""

    class Site(Protocol):
        """What an emission needs of the observable at which it happens."""

        _watches: tuple[Witness, ...]

        def _open(self, cascade: Cascade, parent: Emission | None, item: Item) -> None:
            """Begin an emission; the turn is the caller's."""

        def _release(self, emission: Emission | None) -> None:
            """Give the turn to what waits longest, or be idle."""


class Emission:
    """One notification at one observable, until all that it reached has ended.

    Attributes:
        cascade: The cascade that it belongs to.
        parent: The emission that reached this observable, or None at the top of the cascade.
        site: The observable.
        quiet: Whether errors from here on down are logged instead of raised; :data:`MUTE` is not even logged.
        wave: Whether several notifications go through at once, as when a buffer is full.
        order: Its place among the emissions of the cascade, for the order of errors.
        pending: How many pieces (fan-outs, emissions below, the routing itself) have not ended.
    """

    __slots__ = ("cascade", "order", "parent", "pending", "quiet", "site", "wave")

    def __init__(self, cascade: Cascade, parent: Emission | None, site: Site, quiet: object, wave: bool) -> None:
        self.cascade = cascade
        self.parent = parent
        self.site = site
        self.quiet = quiet
        self.wave = wave
        self.order = cascade.next_order()
        self.pending = 1

    @property
    def waiting_task(self) -> Task[Any] | None:
        """The task that waits for all of this; None where none does."""
        return self.cascade.waiting_task

    def fan_ended(self, fan: FanOut) -> None:
        """Take over the errors of a fan-out that has ended."""
        cascade = self.cascade
        cascade.live.pop(fan, None)
        for index, error in fan.errors:
            cascade.note(self, self.order, index, error)
            for watch in self.site._watches:
                watch.failed(error, cascade)
        self.piece_ended()

    def piece_ended(self) -> None:
        """Count one piece less; the last one ends this emission, and so a piece of the one above."""
        emission = self
        while True:
            emission.pending -= 1
            if emission.pending:
                return
            emission.site._release(emission)  # a site's own protocol
            parent = emission.parent
            if parent is None:
                emission.cascade.end()
                return
            emission = parent

    def is_inside(self, sites: Container[object]) -> bool:
        """Whether this emission, or one above it, happens at one of ``sites``."""
        emission: Emission | None = self
        while emission is not None:
            if emission.site in sites:
                return True
            emission = emission.parent
        return False


class Item:
    """A notification that waits for its turn at an observable.

    Args:
        site: The observable.
        notifications: What to emit; more than one go through concurrently.
        cascade: The cascade that waits for it, or None where its caller has returned.
        parent: The emission that reached the observable, if one did.
        context: The context to run its observers in; the current one if None.
        quiet: Whether its errors are logged instead of raised.
    """

    __slots__ = ("cascade", "context", "notifications", "parent", "quiet", "site", "withdrawn")

    def __init__(
        self,
        site: Site,
        notifications: Sequence[Notification],
        cascade: Cascade | None,
        parent: Emission | None,
        context: Context | None,
        quiet: object,
    ) -> None:
        self.site = site
        self.notifications = notifications
        self.cascade = cascade
        self.parent = parent
        self.context = context
        self.quiet = quiet
        self.withdrawn = False

    def queued(self) -> None:
        """Let whoever waits for it count it."""
        if self.cascade is not None:
            self.cascade.items[self] = None
            if self.parent is not None:
                self.parent.pending += 1
            else:
                self.cascade.begin()

    def grant(self, ended: Emission | None, runner: Runner) -> None:
        """Begin in the loop's next turn. Where nobody waits for it, the call whose emission has ended does."""
        if self.cascade is None:
            self.cascade = Cascade(runner, quiet=bool(self.quiet))
            self.cascade.begin()
            sponsor = None if ended is None else ended.cascade.draining
            if sponsor is not None:
                sponsor.take_over(self.cascade)
        runner.call_in_turn(self.start)

    def start(self) -> None:
        """Begin the emission; the turn is this item's."""
        if self.withdrawn:
            self.site._release(None)  # a site's own protocol
            return
        cascade = self.cascade
        assert cascade is not None
        cascade.items.pop(self, None)
        self.site._open(cascade, self.parent, self)  # a site's own protocol
        cascade.start()

    def withdraw(self) -> None:
        """Never begin; whoever waited for it waits no more."""
        self.withdrawn = True
        assert self.cascade is not None
        if self.parent is not None:
            self.parent.piece_ended()
        else:
            self.cascade.end()


class Cascade(Scope):
    """Everything that one call, or one emission that no call caused, has to see ended.

    Args:
        runner: The runner of the loop.
        quiet: Whether errors are logged instead of raised.

    Attributes:
        background: Whether no call waits for it, so that its errors go to the loop's exception handler.
        sponsor: The cascade that waits for this one, because its call drains the queue.
    """

    __slots__ = (
        "_errors",
        "_order",
        "_starting",
        "background",
        "cancelled",
        "items",
        "live",
        "quiet",
        "sponsor",
        "sponsored",
        "starts",
    )

    def __init__(self, runner: Runner, quiet: bool = False, background: bool = True) -> None:
        super().__init__(runner)
        self.quiet = quiet
        self.background = background
        self.cancelled = False
        self.sponsor: Cascade | None = None
        self.sponsored: dict[Cascade, None] = {}
        self.live: dict[FanOut, None] = {}
        self.items: dict[Item, None] = {}
        self.starts: deque[tuple[Emission, FanOut]] = deque()
        self._starting = False
        self._order = 0
        self._errors: list[tuple[int, int, BaseException]] = []

    # Errors

    def next_order(self) -> int:
        """Return the next place in the order of errors."""
        self._order += 1
        return self._order

    def note(self, emission: Emission | None, order: int, index: int, error: BaseException) -> None:
        """Keep an error for whoever waits, log it where the branch is quiet, report it where nobody waits any more."""
        if isinstance(error, _NEVER_REPORTED) and self.cancelled:
            return
        if isinstance(error, Exception) and (self.quiet or (emission is not None and emission.quiet)):
            site = "an observable" if emission is None else repr(emission.site)
            if emission is None or emission.quiet is not MUTE:
                logger.error("%s: an observer failed", site, exc_info=error)
        elif self.cancelled:
            self.report(error)
        else:
            self._errors.append((order, index, error))
            if isinstance(error, ENDING):
                for fan in list(self.live):
                    fan.cancel()

    def report(self, error: BaseException) -> None:
        """Give an error that nobody waits for to the loop's exception handler."""
        if not isinstance(error, _NEVER_REPORTED):
            self.runner.report("an error that no notify() waits for", error, self)

    def outcome(self) -> BaseException | None:
        """Return what the call has to raise, if anything; the errors are the caller's from now on."""
        errors, self._errors = self._errors, []
        if not errors:
            return None
        if len(errors) == 1:
            return errors[0][2]
        errors.sort(key=_place)
        severe = next((error for _, _, error in errors if not isinstance(error, Exception)), None)
        if severe is not None:
            for _, _, error in errors:
                if error is not severe:
                    self.report(error)
            return severe
        ordinary = [error for _, _, error in errors if isinstance(error, Exception)]
        return ExceptionGroup(f"{len(ordinary)} observers failed", ordinary)

    # Starting

    def start(self) -> None:
        """Start the fan-outs that routing has collected, in order."""
        self._starting = True
        try:
            while self.starts:
                emission, fan = self.starts.popleft()
                self.live[fan] = None
                if fan.start():
                    emission.fan_ended(fan)
        finally:
            self._starting = False

    def start_soon(self) -> None:
        """Start what was added outside of routing, in the loop's next turn."""
        if not self._starting:
            self.runner.loop.call_soon(self.start)

    # Ending

    def end(self) -> None:
        """Count one piece of work less; after the last one, tell whoever waits."""
        self.pending -= 1
        if self.pending:
            return
        if self.background:
            self._end_in_background()
        else:
            self.wake()

    def _end_in_background(self) -> None:
        sponsor = self.sponsor
        if sponsor is not None:
            sponsor.absorb(self)
        else:
            errors, self._errors = self._errors, []
            for _, _, error in sorted(errors, key=_place):
                if isinstance(error, ENDING):
                    self.runner.loop.call_soon(_raise, error)
                else:
                    self.report(error)

    async def run(self) -> None:
        """Start what routing has collected, wait until all has ended, and raise what went wrong.

        Cancellation: what this cascade started is cancelled and awaited, what others had queued goes on in the
        background, and CancelledError is raised.
        """
        try:
            self.start()
        except BaseException:
            self.cancel()
            await self.join(self.cancel)
            raise
        if self.pending:
            self.caller = current_task()
            await self.join(self.cancel)
        error = self.outcome()
        if error is not None:
            try:
                raise error
            finally:
                del error

    def cancel(self) -> None:
        """Cancel all that was started for this cascade; let go of what it only waits for."""
        self.cancelled = True
        for _, _, error in self._errors:
            self.report(error)
        self._errors.clear()
        for other in list(self.sponsored):
            other.sponsor = None
            del self.sponsored[other]
            self.end()
        for item in list(self.items):
            del self.items[item]
            item.withdraw()
        while self.starts:
            emission, _ = self.starts.popleft()
            emission.piece_ended()
        for fan in list(self.live):
            fan.cancel()

    # Draining: the errors of what others had queued are raised by the call that drains the queue.

    @property
    def draining(self) -> Cascade | None:
        """The cascade of the call that goes on with a queue where an emission of this one has ended, if one does."""
        cascade = self if self.sponsor is None else self.sponsor
        return None if cascade.background or cascade.cancelled else cascade

    def take_over(self, other: Cascade) -> None:
        """Wait for another cascade too, and raise its errors."""
        other.sponsor = self
        self.sponsored[other] = None
        self.begin()

    def absorb(self, other: Cascade) -> None:
        """Take the errors of a sponsored cascade that has ended."""
        base = self._order
        for order, index, error in other._errors:  # of the same class
            self._errors.append((base + order, index, error))
            self._order = max(self._order, base + order)
        other._errors.clear()  # of the same class
        del self.sponsored[other]
        self.end()

    @property
    def waiting_task(self) -> Task[Any] | None:
        """The task that waits for this cascade, or for the one that drains it; None where none does."""
        return self.caller if self.sponsor is None else self.sponsor.caller


def is_inside(runner: Runner, task: Task[Any] | None, sites: Container[object]) -> bool:
    """Whether an emission at one of ``sites`` waits, at some remove, for ``task`` to end."""
    while task is not None:
        work = runner.work_of(task)
        if work is None:
            return False
        owner = work.owner
        if isinstance(owner, Emission):
            if owner.is_inside(sites):
                return True
            task = owner.cascade.waiting_task
        elif owner in sites or getattr(work, "target", None) in sites:
            return True
        else:
            task = work.caller
    return False


def _raise(error: BaseException) -> None:
    raise error


def _place(entry: tuple[int, int, BaseException]) -> tuple[int, int]:
    return entry[:2]


def emission_of(runner: Runner, task: Task[Any] | None) -> Emission | None:
    """Return the emission that ``task`` drives an observer of, or None."""
    if task is None:
        return None
    work = runner.work_of(task)
    if work is None:
        return None
    owner = work.owner
    if isinstance(owner, Emission):
        return owner
    promote: Callable[[Work], Emission] | None = getattr(owner, "_promote", None)
    return None if promote is None else promote(work)
