"""What a call at a rendezvous does while it is awaited: thin waiters on top of the synchronous core."""

from __future__ import annotations

from asyncio import (
    AbstractEventLoop,
    CancelledError,
    Lock,
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # gives None where the public one raises
    timeout_at,
)
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from .._runner import CALLS_BETWEEN_TURNS
from ..context import peek
from ._matching import ASAP, CANCELLED, EXPIRED, GETS, KEPT, RESET, TAKEN, Half, Matching, Outcome
from ._waking import waking

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable

__all__ = ["NO_DEFAULT", "Calls"]

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., object]")

NO_DEFAULT: Final = object()


def shown_as(name: str) -> Callable[[F], F]:
    """Give a coroutine function the name of the public call, which a waiting task shows, and a warning."""

    def rename(function: F) -> F:
        function.__qualname__ = f"Rendezvous.{name}"
        return function

    return rename


class Calls(Generic[T]):
    """The calls of one rendezvous, their arguments checked.

    Those without a timeout, a default or a lock have a short way of their own, which does the same as the long one.
    What each value passes through is written out there, since calls of functions would be a good part of what is left.

    Args:
        loop: The loop to belong to from the start, if not None.
        lock: What each call holds while it enters, if not None.
    """

    __slots__ = ("_interval", "_lock", "_matching")

    def __init__(self, loop: AbstractEventLoop | None, lock: Lock | None) -> None:
        self._lock = lock
        self._interval = peek().RENDEZVOUS_MAINTENANCE_INTERVAL
        self._matching: Matching[T] | None = None if loop is None else Matching(loop, self._interval)

    @shown_as("put")
    async def _put_plainly(self, value: T) -> bool:
        """The same as :meth:`_put` without what a timeout or a lock needs."""
        matching = self._matching
        if matching is None or _get_running_loop() is not matching.loop:
            matching = self._bind()
        if matching.runner.calls >= CALLS_BETWEEN_TURNS:
            await matching.runner.breathe()
        offer = Half(matching)
        offer.value = value
        if matching.getters and (getter := matching.getters[0]).outcome is None and getter.other is None:
            # What Matching.give does.
            getter.outcome = offer.flight = matching.flights
            matching.flights.append(offer)
            matching.due.append(matching.getters.popleft())
            if not matching.scheduled:
                matching.schedule()
        elif matching.getters:
            matching.give(offer)
        else:
            matching.putters.append(offer)
        try:
            while offer.outcome is None:
                await waking(offer)
        except BaseException:
            matching.quit(offer)
            raise
        return offer.outcome is TAKEN or self._not_taken(offer.outcome, None, False)

    @shown_as("put")
    async def _put(self, value: T, timeout: float | None, strict: bool) -> bool:
        matching = self._matching
        if matching is None or _get_running_loop() is not matching.loop:
            matching = self._bind()
        deadline = None if timeout is None else matching.loop.time() + timeout
        if matching.runner.calls >= CALLS_BETWEEN_TURNS:
            await matching.runner.breathe()
        if self._lock is not None and not await self._enter(self._lock, matching, timeout, deadline):
            return self._not_taken(EXPIRED, timeout, strict)
        try:
            offer = matching.offer(value)
            if not matching.getters:
                if timeout == 0:
                    matching.runner.calls += 1
                    return self._not_taken(EXPIRED, timeout, strict)
                matching.putters.append(offer)
            else:
                if timeout == 0:
                    offer.fate = EXPIRED
                matching.give(offer)
        finally:
            if self._lock is not None:
                self._lock.release()
        timer: TimerHandle | None = None
        if deadline is not None and timeout != 0:
            timer = matching.loop.call_at(deadline, matching.expire, offer)
        try:
            while offer.outcome is None:
                await waking(offer)
        except BaseException:
            matching.quit(offer)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        return offer.outcome is TAKEN or self._not_taken(offer.outcome, timeout, strict)

    @shown_as("raising_put")
    async def _raising_put(self, value: T, timeout: float | None) -> None:
        await self._put(value, timeout, True)

    def _not_taken(self, outcome: object, timeout: float | None, strict: bool) -> bool:
        if strict or outcome is CANCELLED:
            raise self._failure("raising_put", outcome, timeout)
        return False

    @shown_as("get")
    async def _get_plainly(self) -> T:
        """The same as :meth:`_get` without what a default, a timeout or a lock needs."""
        matching = self._matching
        if matching is None or _get_running_loop() is not matching.loop:
            matching = self._bind()
        if matching.runner.calls >= CALLS_BETWEEN_TURNS:
            await matching.runner.breathe()
        if matching.putters:
            offer = matching.take()
            matching.runner.calls += 1
            return offer.value
        getter = Half(matching, GETS)
        matching.getters.append(getter)
        try:
            while getter.outcome is None:
                await waking(getter)
        except BaseException:
            matching.leave(getter)
            raise
        if getter.outcome is matching.flights:
            # What Matching.land does.
            offer = matching.flights.popleft()
            offer.outcome = TAKEN
            if offer.resume is not None:
                matching.due.append(offer)
                if not matching.scheduled:
                    matching.schedule()
            return offer.value
        if isinstance(getter.outcome, Outcome):
            raise self._failure("get", getter.outcome, None)
        return matching.land(getter).value

    @shown_as("get")
    async def _get(self, default: object, timeout: float | None) -> object:
        matching = self._matching
        if matching is None or _get_running_loop() is not matching.loop:
            matching = self._bind()
        deadline = None if timeout is None else matching.loop.time() + timeout
        if matching.runner.calls >= CALLS_BETWEEN_TURNS:
            await matching.runner.breathe()
        if self._lock is not None and not await self._enter(self._lock, matching, timeout, deadline):
            return self._nothing_got(default, timeout)
        try:
            offer = matching.take() if matching.putters else None
            if offer is not None or timeout == 0:
                matching.runner.calls += 1
                return self._nothing_got(default, timeout) if offer is None else offer.value
            getter = Half(matching, GETS)
            matching.getters.append(getter)
        finally:
            if self._lock is not None:
                self._lock.release()
        timer = None if deadline is None else matching.loop.call_at(deadline, matching.expire, getter)
        try:
            while getter.outcome is None:
                await waking(getter)
        except BaseException:
            matching.leave(getter)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if getter.outcome is EXPIRED:
            return self._nothing_got(default, timeout)
        if isinstance(getter.outcome, Outcome):
            raise self._failure("get", getter.outcome, timeout)
        return matching.land(getter).value

    def _nothing_got(self, default: object, timeout: float | None) -> object:
        if default is NO_DEFAULT:
            raise self._failure("get", EXPIRED, timeout)
        return default

    @shown_as("exchange")
    async def _exchange(self, value: T, timeout: float | None, asap: bool) -> T:
        matching = self._matching
        if matching is None or _get_running_loop() is not matching.loop:
            matching = self._bind()
        deadline = None if timeout is None else matching.loop.time() + timeout
        if matching.runner.calls >= CALLS_BETWEEN_TURNS:
            await matching.runner.breathe()
        if self._lock is not None and not await self._enter(self._lock, matching, timeout, deadline):
            raise self._failure("exchange", EXPIRED, timeout)
        try:
            if timeout == 0 and not matching.can_swap():
                matching.runner.calls += 1
                raise self._failure("exchange", EXPIRED, timeout)
            offer = matching.offer(value)
            if timeout == 0:
                offer.fate = EXPIRED
            elif asap:
                offer.fate = ASAP
            taken = matching.swap(offer)
        finally:
            if self._lock is not None:
                self._lock.release()
        if asap and taken is not None:
            matching.runner.calls += 1
            offer.fate = KEPT
            return taken.value
        timer: TimerHandle | None = None
        if deadline is not None and timeout != 0:
            timer = matching.loop.call_at(deadline, matching.expire_swap, offer)
        getter = offer.other
        try:
            if getter is not None:
                while getter.outcome is None:
                    await waking(getter)
                if not isinstance(getter.outcome, Outcome):
                    taken = matching.land(getter)
            if taken is None or not asap:
                while offer.outcome is None:
                    await waking(offer)
        except BaseException:
            matching.quit_swap(offer, taken)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if getter is not None:
                # Else the halves would keep each other alive until the garbage collector comes.
                getter.other = offer.other = None
        if offer.outcome is CANCELLED and taken is not None:
            matching.offer_again(taken.value)
            raise self._failure("exchange", CANCELLED, timeout)
        # A getter and a putter that both wait are the halves of one exchange. Where it did not live to take the value,
        # its own is withdrawn with it, so with timeout=0 there is nothing to give back.
        if taken is None or (timeout == 0 and offer.outcome is not TAKEN):
            raise self._failure("exchange", None if getter is None else getter.outcome, timeout)
        return taken.value

    def _bind(self) -> Matching[T]:
        """Belong to the running loop, or see that it is the one belonged to."""
        loop = _get_running_loop()
        if loop is None:
            from ..exceptions import NoLoopError

            raise NoLoopError(
                repr(self), "this needs a running event loop; await it in a coroutine, under asyncio.run()"
            )
        if self._matching is None:
            self._matching = Matching(loop, self._interval)
        elif self._matching.loop is not loop:
            from ..exceptions import WrongLoopError

            raise WrongLoopError(repr(self), "it belongs to another event loop; make one rendezvous for each loop")
        return self._matching

    async def _enter(self, lock: Lock, matching: Matching[T], timeout: float | None, deadline: float | None) -> bool:
        """Acquire the lock and return True, or return False at the deadline.

        Cancellation: raises CancelledError; the lock was not acquired.
        """
        if timeout == 0 and lock.locked():
            matching.runner.calls += 1
            return False
        if deadline is None:
            return await lock.acquire()
        try:
            async with timeout_at(deadline):
                return await lock.acquire()
        except TimeoutError:
            return False

    def _failure(self, operation: str, outcome: object, timeout: float | None) -> BaseException:
        if outcome is RESET:
            return CancelledError(f"{self!r} was reset")
        if outcome is CANCELLED:
            # Only where the cancellation was called off, by Task.uncancel(), after the operation had been withdrawn.
            return CancelledError()
        from ..exceptions import RendezvousTimeout

        return RendezvousTimeout(repr(self), operation, 0.0 if timeout is None else timeout)
