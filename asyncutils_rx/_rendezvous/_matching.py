"""The synchronous core of a rendezvous: who gets what, decided at once and without waiting.

A getter is a bare future, a putter an :class:`Offer`. A get that finds an offer takes it on the spot. A put that finds
a getter cannot do that: the getter's task runs later, and may be cancelled before. Until it has run, the offer is *in
flight*:

* The offer of a plain put goes to the end of :attr:`Matching.flights`, and the getter's future gets that queue as its
  result. When the getter runs, it takes the first offer. If it fails instead, its claim passes to the next getter in
  line; where there is none, the last offer goes back to the head of the putters. So what is left is matched as if the
  getter that failed had never been there.
* Where an exchange is on either side, the getter's future gets the offer itself as its result, since an exchange must
  never take its own. If that getter fails, that offer passes on.

A match is honoured: nothing but the failure of its getter undoes it. A put that is cancelled, or that times out, while
its offer is in flight leaves it there; the offer does not wait in line again.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from .._runner import runner_for
from ._line import Line

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

__all__ = ["ASAP", "EXPIRED", "KEPT", "RESET", "TAKEN", "Matching", "Offer", "Outcome"]

T = TypeVar("T")

Signal: TypeAlias = "deque[Offer[T]] | Offer[T] | Outcome"
"""What a getter's future gives: where to take a value from, or why there is none."""

Getter: TypeAlias = "Future[Signal[T]]"


class Outcome(Enum):
    """How an offer or a wait ended, or what is to become of an offer."""

    TAKEN = "taken"
    EXPIRED = "expired"
    RESET = "reset"
    KEPT = "kept"
    ASAP = "asap"


TAKEN: Final = Outcome.TAKEN
EXPIRED: Final = Outcome.EXPIRED
RESET: Final = Outcome.RESET
KEPT: Final = Outcome.KEPT
ASAP: Final = Outcome.ASAP


class Offer(Generic[T]):
    """A value on its way from a put, or from the put half of an exchange, to whoever takes it.

    Attributes:
        value: The value; gone once the offer has ended without being taken.
        outcome: How the offer ended, or None.
        future: Gets the outcome; None while nobody waits for it.
        flight: While the offer is in flight, the matching's flights at the time of the match; else None.
        fate: What becomes of the offer when no getter is left for it. None: it waits in line until a reset. KEPT: it
            waits in line whatever happens, because nobody is left who could be told. ASAP: it turns to KEPT as soon as
            the get half of its exchange is matched. EXPIRED: it ends.
        getter: For an exchange whose get half had to wait, the future of that half.
    """

    __slots__ = ("fate", "flight", "future", "getter", "outcome", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self.outcome: Outcome | None = None
        self.future: Future[Outcome] | None = None
        self.flight: deque[Offer[T]] | None = None
        self.fate: Outcome | None = None
        self.getter: Getter[T] | None = None

    def settle(self, outcome: Outcome) -> None:
        """End the offer, and wake whoever waits for that."""
        self.outcome = outcome
        if outcome is not TAKEN:
            del self.value
        if self.future is not None and not self.future.done():
            self.future.set_result(outcome)


class Matching(Generic[T]):
    """Who waits at one rendezvous on its loop, and what is in flight.

    Args:
        loop: The loop.
        interval: How many seconds the slot of an operation that was withdrawn may stay.

    Attributes:
        getters: The entries of :attr:`getter_line`.
        putters: The entries of :attr:`putter_line`.
        flights: The offers of plain puts that are in flight to plain gets; a reset begins a new queue.
        swaps: The put halves of the exchanges whose get half had to wait, by the future of that half.
    """

    __slots__ = ("flights", "getter_line", "getters", "loop", "putter_line", "putters", "runner", "swaps")

    def __init__(self, loop: AbstractEventLoop, interval: float) -> None:
        self.loop = loop
        self.runner = runner_for(loop)
        self.getter_line: Line[Getter[T]] = Line(loop, _is_waiting, interval)
        self.getters = self.getter_line.entries
        self.putter_line: Line[Offer[T]] = Line(loop, _is_on_offer, interval)
        self.putters = self.putter_line.entries
        self.flights: deque[Offer[T]] = deque()
        self.swaps: dict[Getter[T], Offer[T]] = {}

    # Meeting

    def take(self) -> Offer[T] | None:
        """Take the first offer that waits, or return None."""
        putters = self.putters
        while putters:
            offer = putters.popleft()
            if _is_on_offer(offer):
                offer.outcome = TAKEN
                if offer.future is not None:
                    offer.future.set_result(TAKEN)
                return offer
            self.putter_line.slot_gone()
        return None

    def give(self, offer: Offer[T]) -> bool:
        """Put the offer of a plain put in flight to the first getter that waits; return whether there was one."""
        getters = self.getters
        while getters:
            getter = getters.popleft()
            if not getter.done():
                if self.swaps and getter in self.swaps:
                    self._send(offer, getter)
                else:
                    flights = offer.flight = self.flights
                    flights.append(offer)
                    getter.set_result(flights)
                return True
            self.getter_line.slot_gone()
        return False

    def swap(self, offer: Offer[T]) -> Offer[T] | None:
        """Enter both halves of an exchange; return the offer that it took, or None where its get half waits."""
        taken = self.take() if self.putters else None
        getter = self._next_getter() if self.getters else None
        if getter is None:
            self.putters.append(offer)
        else:
            self._send(offer, getter)
        if taken is None:
            offer.getter = self.loop.create_future()
            self.swaps[offer.getter] = offer
            self.getters.append(offer.getter)
        return taken

    def can_swap(self) -> bool:
        """Whether both halves of an exchange would be matched at once."""
        return self.putter_line.has_live() and self.getter_line.has_live()

    def land(self, signal: deque[Offer[T]] | Offer[T]) -> Offer[T]:
        """Take what is in flight to the getter whose future gave ``signal``."""
        offer = signal if isinstance(signal, Offer) else signal.popleft()
        if offer.future is None:
            offer.outcome = TAKEN
        else:
            offer.settle(TAKEN)
        return offer

    # Leaving

    def leave(self, getter: Getter[T]) -> None:
        """Let go of a getter whose task stopped waiting with an exception; what was in flight to it passes on."""
        if not getter.done():
            # Its coroutine was closed, or thrown into by hand. Cancelling the future would call on a loop that may be
            # gone, so this is the one case that has to search.
            self.getters.remove(getter)
        elif getter.cancelled():
            self.getter_line.slot_left()
        elif not self.loop.is_closed():
            signal = getter.result()
            if isinstance(signal, Offer):
                self._pass_on(signal)
            elif isinstance(signal, deque):
                self._pass_claim_on(signal)

    def withdraw(self, offer: Offer[T]) -> None:
        """End an offer that waits in line; one that is in flight does not wait in line again."""
        if offer.outcome is not None:
            return
        if offer.flight is not None:
            offer.fate = EXPIRED
        else:
            offer.settle(EXPIRED)
            self.putter_line.slot_left()

    def quit(self, offer: Offer[T]) -> None:
        """Withdraw an offer whose task stopped waiting with an exception."""
        offer.future = None
        self.withdraw(offer)

    def expire_getter(self, getter: Getter[T]) -> None:
        """End the wait of a getter, unless something is in flight to it."""
        if not getter.done():
            getter.set_result(EXPIRED)
            self.getter_line.slot_left()

    def expire_swap(self, offer: Offer[T]) -> None:
        """End the waits of both halves of an exchange, as far as they are not matched."""
        if offer.getter is not None:
            self.expire_getter(offer.getter)
        if offer.fate is not KEPT:
            self.withdraw(offer)

    def quit_swap(self, offer: Offer[T], taken: Offer[T] | None) -> None:
        """Let go of an exchange whose task stopped waiting with an exception, and had taken ``taken`` if not None."""
        self.quit(offer)
        if taken is not None:
            self.offer_again(taken.value)
        else:
            assert offer.getter is not None
            self.leave(offer.getter)

    def offer_again(self, value: T) -> None:
        """Offer a value, first in line, whose put has been told already that it was taken."""
        if not self.loop.is_closed():
            offer = Offer(value)
            offer.fate = KEPT
            self._pass_on(offer)

    def reset(self) -> None:
        """End every wait. What is in flight stays matched; it is not passed on to anyone who comes later."""
        self.flights = deque()
        for getter in self.getter_line.drain():
            getter.set_result(RESET)
        for offer in self.putter_line.drain():
            if offer.fate is KEPT:
                self.putters.append(offer)
            else:
                offer.settle(RESET)

    # Passing on

    def _send(self, offer: Offer[T], getter: Getter[T]) -> None:
        """Put an offer in flight to this very getter."""
        offer.flight = self.flights
        getter.set_result(offer)
        own = self.swaps.get(getter)
        if own is not None and own.fate is ASAP:
            own.fate = KEPT

    def _next_getter(self, but: Getter[T] | None = None) -> Getter[T] | None:
        """Remove and return the first getter that waits, ``but`` aside."""
        getters = self.getters
        while getters:
            getter = getters.popleft()
            if getter.done():
                self.getter_line.slot_gone()
            elif getter is but:
                found = self._next_getter()
                getters.appendleft(getter)
                return found
            else:
                return getter
        return None

    def _pass_claim_on(self, flights: deque[Offer[T]]) -> None:
        """Give a claim on one of ``flights`` to the next getter; without one, the last offer has no getter any more."""
        getter = self._next_getter() if flights is self.flights else None
        if getter is None:
            self._pass_on(flights.pop())
        elif getter in self.swaps:
            self._send(flights.pop(), getter)
        else:
            getter.set_result(flights)

    def _pass_on(self, offer: Offer[T]) -> None:
        """Give an offer to the next getter; without one, it waits first in line, or ends."""
        outdated = offer.flight is not None and offer.flight is not self.flights
        offer.flight = None
        if outdated and offer.fate is not KEPT:
            offer.settle(RESET)
            return
        getter = self._next_getter(but=offer.getter)
        if getter is not None:
            self._send(offer, getter)
        elif offer.fate is EXPIRED:
            offer.settle(EXPIRED)
        else:
            self.putters.appendleft(offer)


def _is_waiting(getter: Getter[Any]) -> bool:
    return not getter.done()


def _is_on_offer(offer: Offer[Any]) -> bool:
    """Whether nobody has ended it or cancelled its task; the latter shows on a future before the task has run."""
    if offer.outcome is not None or (offer.future is not None and offer.future.done()):
        return False
    return offer.getter is None or not offer.getter.cancelled()
