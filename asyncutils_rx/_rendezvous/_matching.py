"""The synchronous core of a rendezvous: who gets what, decided at once and without waiting.

A get that finds an offer takes it on the spot. A put that finds a getter cannot do that: the getter's task runs later,
and may be cancelled before. Until it has run, the offer is *in flight*:

* The offer of a plain put goes to the end of :attr:`Matching.flights`, which is noted as the getter's outcome. When
  the getter runs, it takes the first offer. If it fails instead, its claim passes to the next getter in line; where
  there is none, the last offer goes back to the head of the putters. So what is left is matched as if the getter that
  failed had never been there.
* Where an exchange is on either side, its outcome is the offer itself, since an exchange must never take its
  own. If that getter fails, that offer passes on.

A match is honoured: nothing but the failure of its getter undoes it. A put that is cancelled, or that times out, while
its offer is in flight leaves it there; the offer does not wait in line again.

A cancellation is heard of when it is asked for, before the task has run: what it changes has changed from then on.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

from ._line import Line
from ._waking import Waiter, Waker

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["ASAP", "CANCELLED", "EXPIRED", "GETS", "KEPT", "RESET", "TAKEN", "Half", "Matching", "Outcome"]

T = TypeVar("T")


class Outcome(Enum):
    """How an offer or the wait of a getter ended, or what is to become of an offer."""

    TAKEN = "taken"
    EXPIRED = "expired"
    RESET = "reset"
    CANCELLED = "cancelled"
    KEPT = "kept"
    ASAP = "asap"
    GETS = "gets"


TAKEN: Final = Outcome.TAKEN
EXPIRED: Final = Outcome.EXPIRED
RESET: Final = Outcome.RESET
CANCELLED: Final = Outcome.CANCELLED
KEPT: Final = Outcome.KEPT
ASAP: Final = Outcome.ASAP
GETS: Final = Outcome.GETS

Flights: TypeAlias = "deque[Half[T]]"
"""Offers in flight to getters any of which may take any of them."""


class Half(Waiter["Matching[T]"], Generic[T]):
    """One half of a hand-over: an *offer*, which is a value and whoever puts it, or a *getter*.

    Both are of one class, since the interpreter runs code faster that always meets the same one.

    Attributes:
        value: The value of an offer; gone once the offer has ended without being taken.
        outcome: None while it waits, and while an offer is in flight. Then how it ended; or, for a getter that was
            matched, where to take a value from: flights, or the very offer.
        flight: While an offer is in flight, the matching's flights at the time of the match; else None.
        fate: What becomes of an offer when no getter is left for it. None: it waits in line until a reset. KEPT: it
            waits in line whatever happens, because nobody is left who could be told. ASAP: it turns to KEPT as soon as
            the get half of its exchange is matched. EXPIRED, CANCELLED: it ends so.
            GETS: it is no offer, but a getter.
        other: The other half of its exchange, if its get half had to wait.
    """

    __slots__ = ("fate", "flight", "other", "outcome", "value")

    value: T

    def __init__(self, matching: Matching[T], fate: Outcome | None = None) -> None:
        self.waker = matching
        self.outcome: Flights[T] | Half[T] | Outcome | None = None
        self.flight: Flights[T] | None = None
        self.fate = fate
        self.other: Half[T] | None = None
        self.resume = None

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002  # the task keeps the message
        if self.outcome is None:
            self.waker.wake(self)
        if self.fate is not GETS:
            self.waker.withdraw(self, CANCELLED)
            return False
        if self.other is not None:
            self.waker.withdraw(self.other, CANCELLED)
        self.waker.leave(self)
        return False

    def settle(self, outcome: Outcome) -> None:
        """End an offer that was not taken, or the wait of a getter, and wake its task."""
        self.outcome = outcome
        if self.fate is not GETS:
            del self.value
        if self.resume is not None:
            self.waker.wake(self)


class Matching(Waker, Generic[T]):
    """Who waits at one rendezvous on its loop, and what is in flight.

    Args:
        loop: The loop.
        interval: How many seconds the slot of an operation that was withdrawn may stay.

    Attributes:
        getters: The entries of :attr:`getter_line`.
        putters: The entries of :attr:`putter_line`.
        flights: The offers of plain puts that are in flight to plain gets; a reset begins a new queue.
    """

    __slots__ = ("flights", "getter_line", "getters", "putter_line", "putters")

    def __init__(self, loop: AbstractEventLoop, interval: float) -> None:
        super().__init__(loop)
        self.getter_line: Line[Half[T]] = Line(loop, _waits, interval)
        self.getters = self.getter_line.entries
        self.putter_line: Line[Half[T]] = Line(loop, _waits, interval)
        self.putters = self.putter_line.entries
        self.flights: Flights[T] = deque()

    # Meeting

    def offer(self, value: T) -> Half[T]:
        """Return an offer, which does not wait yet."""
        offer = Half(self)
        offer.value = value
        return offer

    def take(self) -> Half[T]:
        """Take the first offer that waits; there has to be one."""
        while True:
            offer = self.putters.popleft()
            if offer.outcome is None:
                offer.outcome = TAKEN
                if offer.resume is not None:
                    self.due.append(offer)
                    if not self.scheduled:
                        self.schedule()
                return offer
            self.putter_line.slot_gone()

    def give(self, offer: Half[T]) -> None:
        """Put the offer of a plain put in flight to the first getter that waits; there has to be one."""
        while True:
            getter = self.getters.popleft()
            if getter.outcome is not None:
                self.getter_line.slot_gone()
            elif getter.other is not None:
                return self._send(offer, getter)
            else:
                getter.outcome = offer.flight = self.flights
                self.flights.append(offer)
                return self.wake(getter)

    def swap(self, offer: Half[T]) -> Half[T] | None:
        """Enter both halves of an exchange; return the offer that it took, or None where its get half waits."""
        taken = self.take() if self.putters else None
        getter = self._next_getter() if self.getters else None
        if getter is None:
            self.putters.append(offer)
        else:
            self._send(offer, getter)
        if taken is None:
            getter = offer.other = Half(self, GETS)
            getter.other = offer
            self.getters.append(getter)
        return taken

    def can_swap(self) -> bool:
        """Whether both halves of an exchange would be matched at once."""
        return bool(self.putters) and bool(self.getters)

    def land(self, getter: Half[T]) -> Half[T]:
        """Take what is in flight to a getter that was matched."""
        source = cast("Flights[T] | Half[T]", getter.outcome)
        offer = source if isinstance(source, Half) else source.popleft()
        offer.outcome = TAKEN
        if offer.resume is not None:
            self.due.append(offer)
            if not self.scheduled:
                self.schedule()
        return offer

    # Leaving

    def leave(self, getter: Half[T]) -> None:
        """Let go of a getter that is cancelled or was thrown into; what was in flight to it passes on."""
        source = getter.outcome
        if isinstance(source, Outcome):
            return
        getter.outcome = CANCELLED
        if source is None:
            self.getter_line.slot_left()
        elif self.loop.is_closed():
            pass
        elif isinstance(source, Half):
            self._pass_on(source)
        else:
            self._pass_claim_on(source)

    def withdraw(self, offer: Half[T], outcome: Outcome) -> None:
        """End an offer that waits in line; one that is in flight does not wait in line again."""
        if offer.outcome is not None:
            return
        if offer.flight is not None:
            offer.fate = outcome
        else:
            offer.settle(outcome)
            self.putter_line.slot_left()

    def quit(self, offer: Half[T]) -> None:
        """Withdraw an offer whose task stopped waiting with an exception."""
        # Where the coroutine was closed, its task is lost, and waking it would bring it back.
        offer.resume = None
        self.withdraw(offer, CANCELLED)

    def expire(self, half: Half[T]) -> None:
        """End the wait of a getter or an offer, unless it is matched."""
        if half.fate is not GETS:
            self.withdraw(half, EXPIRED)
        elif half.outcome is None:
            half.settle(EXPIRED)
            self.getter_line.slot_left()

    def expire_swap(self, offer: Half[T]) -> None:
        """End the waits of both halves of an exchange, as far as they are not matched."""
        if offer.other is not None:
            self.expire(offer.other)
        if offer.fate is not KEPT:
            self.expire(offer)

    def quit_swap(self, offer: Half[T], taken: Half[T] | None) -> None:
        """Let go of an exchange whose task stopped waiting with an exception, and had taken ``taken`` if not None."""
        self.quit(offer)
        if taken is not None:
            self.offer_again(taken.value)
        else:
            assert offer.other is not None
            self.leave(offer.other)

    def offer_again(self, value: T) -> None:
        """Offer a value, first in line, whose put has been told already that it was taken."""
        if not self.loop.is_closed():
            offer = self.offer(value)
            offer.fate = KEPT
            self._pass_on(offer)

    def reset(self) -> None:
        """End every wait. What is in flight stays matched; it is not passed on to anyone who comes later."""
        self.flights = deque()
        for getter in self.getter_line.drain():
            getter.settle(RESET)
        for offer in self.putter_line.drain():
            if offer.fate is KEPT:
                self.putters.append(offer)
            else:
                offer.settle(RESET)

    # Passing on

    def _send(self, offer: Half[T], getter: Half[T]) -> None:
        """Put an offer in flight to this very getter."""
        offer.flight = self.flights
        getter.outcome = offer
        self.wake(getter)
        own = getter.other
        if own is not None and own.fate is ASAP:
            own.fate = KEPT

    def _next_getter(self, but: Half[T] | None = None) -> Half[T] | None:
        """Remove and return the first getter that waits, ``but`` aside."""
        getters = self.getters
        while getters:
            getter = getters.popleft()
            if getter.outcome is not None:
                self.getter_line.slot_gone()
            elif getter is but:
                found = self._next_getter()
                getters.appendleft(getter)
                return found
            else:
                return getter
        return None

    def _pass_claim_on(self, flights: Flights[T]) -> None:
        """Give a claim on one of ``flights`` to the next getter; without one, the last offer has no getter any more."""
        getter = self._next_getter() if flights is self.flights else None
        if getter is None:
            self._pass_on(flights.pop())
        elif getter.other is not None:
            self._send(flights.pop(), getter)
        else:
            getter.outcome = flights
            self.wake(getter)

    def _pass_on(self, offer: Half[T]) -> None:
        """Give an offer to the next getter; without one, it waits first in line, or ends."""
        outdated = offer.flight is not None and offer.flight is not self.flights
        offer.flight = None
        if outdated and offer.fate is not KEPT:
            offer.settle(RESET)
            return
        getter = self._next_getter(but=offer.other)
        if getter is not None:
            self._send(offer, getter)
        elif offer.fate is EXPIRED or offer.fate is CANCELLED:
            offer.settle(offer.fate)
        else:
            self.putters.appendleft(offer)


def _waits(half: Half[Any]) -> bool:
    return half.outcome is None
