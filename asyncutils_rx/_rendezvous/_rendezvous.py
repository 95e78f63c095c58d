"""The rendezvous: thin waiters on top of the synchronous core."""

from __future__ import annotations

from asyncio import (
    AbstractEventLoop,
    CancelledError,
    Lock,
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # gives None where the public one raises
    timeout_at,
)
from types import coroutine
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

from .._arguments import check_timeout
from .._runner import CALLS_BETWEEN_TURNS
from ..context import peek
from ..exceptions import ArgumentTypeError, ArgumentValueError, NoLoopError, RendezvousTimeout, WrongLoopError
from ..types import StateSnapshot
from ._matching import ASAP, EXPIRED, KEPT, RESET, TAKEN, Matching, Offer, Outcome

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Coroutine, Generator

__all__ = ["Rendezvous"]

T = TypeVar("T")
D = TypeVar("D")

_NO_DEFAULT: Final = object()


class Rendezvous(Generic[T]):
    """A meeting point of tasks that hand values over one by one, as Go's unbuffered channels do.

    Nothing is stored: a put ends when its value was taken, and not before. Where it returned True, exactly one get or
    exchange took the value, whatever was cancelled, timed out or reset meanwhile; no value is taken twice.

    Order: gets are served in the order in which they began to wait, and values are taken in the order in which their
    puts did. Who arrives later overtakes nobody.

    Fairness: a task that does nothing but put and get lets the loop run in between, even where nothing has to wait.

    A rendezvous can be made anywhere, belongs to the event loop on which it is used first, and is not thread-safe. It
    has no end to be called: one that is not used any more is garbage-collected.

    Args:
        loop: The event loop to belong to from the start. No loop is created or set.
        lock: A lock that each operation holds for the instant in which it enters, ``reset`` included. Whoever holds it
            sees a rendezvous at which nothing begins, and must not wait for an operation that needs it. Operations that
            wait already can still end. Without a lock, there is no locking at all.

    Raises:
        ArgumentTypeError: ``loop`` is no event loop, or ``lock`` is no :class:`asyncio.Lock`.
        ArgumentValueError: ``loop`` is closed.

    Every operation raises NoLoopError where no event loop is running, and WrongLoopError on another loop than its own;
    nothing has changed then.
    """

    __slots__ = ("__weakref__", "_interval", "_lock", "_matching")

    def __init__(self, *, loop: AbstractEventLoop | None = None, lock: Lock | None = None) -> None:
        self._matching: Matching[T] | None = None
        self._lock = lock
        self._interval = peek().RENDEZVOUS_MAINTENANCE_INTERVAL
        _check_lock(lock)
        if loop is not None:
            _check_loop(loop)
            self._matching = Matching(loop, self._interval)

    # Putting

    def put(self, value: T, /, *, timeout: float | None = None) -> Coroutine[Any, Any, bool]:
        """Offer ``value`` until it is taken, and return whether it was.

        Args:
            value: Any object.
            timeout: For how many seconds to offer it, not negative; None for as long as it takes. With 0, it is taken
                by a get or an exchange that waits already, or not at all.

        Returns:
            True if and only if one get or exchange took the value. False at the timeout, and after :meth:`reset`:
            nobody took it then, and nobody will.

        Raises:
            ArgumentTypeError: ``timeout`` is no number. Raised at the call.
            ArgumentValueError: ``timeout`` is negative or NaN. Raised at the call.

        Cancellation: raises CancelledError, and the value is offered no more; it was taken at most once, possibly in
        the very turn of the loop in which the cancellation came.
        """
        if timeout is not None:
            timeout = check_timeout("Rendezvous.put", "timeout", timeout)
        return self._put(value, timeout, False)

    def raising_put(self, value: T, /, *, timeout: float | None) -> Coroutine[Any, Any, None]:
        """Offer ``value`` until it is taken; raise where :meth:`put` returns False.

        Args:
            value: Any object.
            timeout: For how many seconds to offer it, as in :meth:`put`.

        Raises:
            ArgumentTypeError: ``timeout`` is no number. Raised at the call.
            ArgumentValueError: ``timeout`` is negative or NaN. Raised at the call.
            RendezvousTimeout: Nobody took the value in time, and nobody will.
            asyncio.CancelledError: :meth:`reset` was called: nobody took the value, and nobody will. The task itself is
                not being cancelled then.

        Cancellation: as in :meth:`put`.
        """
        if timeout is not None:
            timeout = check_timeout("Rendezvous.raising_put", "timeout", timeout)
        return self._raising_put(value, timeout)

    async def _raising_put(self, value: T, timeout: float | None) -> None:
        await self._put(value, timeout, True)

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
            offer = Offer(value)
            if timeout == 0:
                offer.fate = EXPIRED
            matched = matching.give(offer)
            if not matched and timeout != 0:
                matching.putters.append(offer)
        finally:
            if self._lock is not None:
                self._lock.release()
        if not matched and timeout == 0:
            matching.runner.calls += 1
            return self._not_taken(EXPIRED, timeout, strict)
        timer: TimerHandle | None = None
        try:
            if matched:
                # The getter's task was made ready just now, so it has run when this one runs again.
                await _turn()
                if offer.outcome is TAKEN:
                    return True
            if offer.outcome is None:
                offer.future = matching.loop.create_future()
                if deadline is not None and timeout != 0:
                    timer = matching.loop.call_at(deadline, matching.withdraw, offer)
                await offer.future
        except BaseException:
            matching.quit(offer)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        return offer.outcome is TAKEN or self._not_taken(offer.outcome, timeout, strict)

    def _not_taken(self, outcome: Outcome | None, timeout: float | None, strict: bool) -> bool:
        if strict:
            raise self._failure("raising_put", outcome, timeout)
        return False

    # Getting

    @overload
    def get(self, *, timeout: float | None = None) -> Coroutine[Any, Any, T]: ...
    @overload
    def get(self, default: D, *, timeout: float | None = None) -> Coroutine[Any, Any, T | D]: ...
    def get(self, default: object = _NO_DEFAULT, *, timeout: float | None = None) -> Coroutine[Any, Any, object]:
        """Take a value from a put or an exchange.

        With neither argument, it waits until there is a value. ``get(default)`` never waits: where no value waits, it
        returns ``default``. ``get(default, timeout=t)`` waits first.

        Args:
            default: What to return where there is no value; None counts as passed.
            timeout: For how many seconds to wait, not negative. With 0, a value is taken only if it waits already.

        Returns:
            The value, or ``default``.

        Raises:
            ArgumentTypeError: ``timeout`` is no number. Raised at the call.
            ArgumentValueError: ``timeout`` is negative or NaN. Raised at the call.
            RendezvousTimeout: There was no value in time, and no ``default`` was passed.
            asyncio.CancelledError: :meth:`reset` was called while this waited. The task itself is not being cancelled
                then.

        Cancellation: raises CancelledError. A value that was handed over in that very turn of the loop is handed on
        to the next getter, or waits first in line again; its put goes on waiting.
        """
        if timeout is not None:
            timeout = check_timeout("Rendezvous.get", "timeout", timeout)
        elif default is not _NO_DEFAULT:
            timeout = 0.0
        return self._get(default, timeout)

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
            getter = matching.loop.create_future()
            matching.getters.append(getter)
        finally:
            if self._lock is not None:
                self._lock.release()
        timer = None if deadline is None else matching.loop.call_at(deadline, matching.expire_getter, getter)
        try:
            signal = await getter
        except BaseException:
            matching.leave(getter)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if signal is EXPIRED:
            return self._nothing_got(default, timeout)
        if signal is RESET:
            raise self._failure("get", RESET, timeout)
        return matching.land(signal).value

    def _nothing_got(self, default: object, timeout: float | None) -> object:
        if default is _NO_DEFAULT:
            raise self._failure("get", EXPIRED, timeout)
        return default

    # Exchanging

    def exchange(self, put_val: T, /, *, timeout: float | None = None, asap: bool = False) -> Coroutine[Any, Any, T]:
        """Put a value and get another one: one put and one get, which never match each other.

        Two exchanges swap their values; one exchange also serves one get and one put. It returns when both of its
        halves are complete.

        Args:
            put_val: The value to put.
            timeout: For how many seconds to wait, not negative. With 0, both halves are matched by who waits already,
                or neither is.
            asap: Whether to return as soon as there is a value. The put goes on, without a limit, until it is taken;
                since nobody is left who could be told, not even :meth:`reset` ends it.

        Returns:
            The value that was got. If the timeout or a :meth:`reset` comes with a value in hand and the put not taken,
            the value is returned all the same, and the put is withdrawn.

        Raises:
            ArgumentTypeError: ``timeout`` is no number. Raised at the call.
            ArgumentValueError: ``timeout`` is negative or NaN. Raised at the call.
            RendezvousTimeout: There was no value in time. The put was withdrawn, unless it had been taken.
            asyncio.CancelledError: :meth:`reset` was called while there was no value; the put as above. The task itself
                is not being cancelled then.

        Cancellation: raises CancelledError. The put was taken at most once and is offered no more. A value that was got
        already is offered again, first in line; one that was handed over in that very turn of the loop is handed on, as
        in :meth:`get`.
        """
        if timeout is not None:
            timeout = check_timeout("Rendezvous.exchange", "timeout", timeout)
        return self._exchange(put_val, timeout, asap and timeout != 0)

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
            offer = Offer(value)
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
        signal: object = None
        try:
            if offer.getter is not None:
                signal = await offer.getter
                if isinstance(signal, Offer):
                    taken = matching.land(signal)
            if offer.outcome is None and (taken is None or not asap):
                if offer.flight is not None:
                    await _turn()
                if offer.outcome is None:
                    offer.future = matching.loop.create_future()
                    await offer.future
        except BaseException:
            matching.quit_swap(offer, taken)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if offer.getter is not None:
                matching.swaps.pop(offer.getter, None)
        # A getter and a putter that both wait are the halves of one exchange. Where it did not live to take the value,
        # its own is withdrawn with it, so with timeout=0 there is nothing to give back.
        if taken is None or (timeout == 0 and offer.outcome is not TAKEN):
            raise self._failure("exchange", signal, timeout)
        return taken.value

    # Looking and clearing up

    async def reset(self) -> None:
        """End everything that waits: a put returns False, get, exchange and raising_put raise CancelledError.

        Their tasks are not cancelled: ``Task.cancelling()`` stays as it is. What was handed over in this very turn of
        the loop is honoured. Afterwards the rendezvous is as good as new, except that values without a caller (what an
        ``asap`` exchange left, what a cancelled exchange gave back) are still there for whoever comes next.

        Cancellation: raises CancelledError; nothing was reset.
        """
        matching = self._bind()
        if matching.runner.calls >= CALLS_BETWEEN_TURNS:
            await matching.runner.breathe()
        if self._lock is None:
            matching.reset()
        else:
            async with self._lock:
                matching.reset()
        matching.runner.calls += 1

    def cleanup(self) -> None:
        """Forget at once what was cancelled and has not noticed it yet, and the slots of what was withdrawn.

        There is no need to call this: operations remove what is theirs as they end. What can be left for a while is the
        empty slot of one that was withdrawn from the middle of a long queue, for at most the
        ``RENDEZVOUS_MAINTENANCE_INTERVAL`` that was current where the rendezvous was made.
        """
        if self._matching is not None:
            self._matching.getter_line.sweep()
            self._matching.putter_line.sweep()

    def state_snapshot(self) -> StateSnapshot:
        """Clean up, and return how many operations wait at this moment.

        A put or get that was matched, or whose task was cancelled, does not wait any more, even if it has not returned
        yet. An exchange counts as a getter while it has no value, and as a putter while its own is not taken.
        """
        self.cleanup()
        matching = self._matching
        getters = 0 if matching is None else len(matching.getters)
        putters = 0 if matching is None else len(matching.putters)
        return StateSnapshot(getters, putters, getters + putters, getters + putters == 0)

    def __length_hint__(self) -> int:
        """Return how many operations wait; exact, as :meth:`state_snapshot`."""
        return self.state_snapshot().num_ops

    def __repr__(self) -> str:
        try:
            matching = self._matching
        except AttributeError:  # not initialised
            return object.__repr__(self)
        getters = 0 if matching is None else matching.getter_line.pending
        putters = 0 if matching is None else matching.putter_line.pending
        state = "waiting" if getters or putters else "idle"
        return f"<{type(self).__name__} at {id(self):#x}: {state}, {getters} getters, {putters} putters>"

    # What all operations need

    def _bind(self) -> Matching[T]:
        """Belong to the running loop, or see that it is the one belonged to."""
        loop = _get_running_loop()
        if loop is None:
            raise NoLoopError(
                repr(self), "this needs a running event loop; await it in a coroutine, under asyncio.run()"
            )
        if self._matching is None:
            self._matching = Matching(loop, self._interval)
        elif self._matching.loop is not loop:
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
        return RendezvousTimeout(repr(self), operation, 0.0 if timeout is None else timeout)


def _check_loop(loop: object) -> None:
    if not isinstance(loop, AbstractEventLoop):
        raise ArgumentTypeError("Rendezvous", "loop", loop, "an event loop")
    if loop.is_closed():
        raise ArgumentValueError("Rendezvous", "loop", loop, "an event loop that is not closed")


def _check_lock(lock: object) -> None:
    if lock is not None and not isinstance(lock, Lock):
        raise ArgumentTypeError("Rendezvous", "lock", lock, "an asyncio.Lock")


@coroutine
def _turn() -> Generator[None, None, None]:
    """Let the loop run what is ready."""
    yield
