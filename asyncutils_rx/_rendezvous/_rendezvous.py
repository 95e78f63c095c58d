"""The rendezvous: its contract, and the checks of arguments."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Lock
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._arguments import check_timeout, wrong_type, wrong_value
from .._runner import CALLS_BETWEEN_TURNS
from ._calls import NO_DEFAULT, Calls

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..types import StateSnapshot

__all__ = ["Rendezvous"]

T = TypeVar("T")
D = TypeVar("D")


class Rendezvous(Calls[T]):
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

    __slots__ = ("__weakref__",)

    def __init__(self, *, loop: AbstractEventLoop | None = None, lock: Lock | None = None) -> None:
        _check_lock(lock)
        if loop is not None:
            _check_loop(loop)
        super().__init__(loop, lock)

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
        if timeout is None and self._lock is None:
            return self._put_plainly(value)
        return self._put(value, check_timeout("Rendezvous.put", "timeout", timeout), False)

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

    # Getting

    @overload
    def get(self, *, timeout: float | None = None) -> Coroutine[Any, Any, T]: ...
    @overload
    def get(self, default: D, *, timeout: float | None = None) -> Coroutine[Any, Any, T | D]: ...
    def get(self, default: object = NO_DEFAULT, *, timeout: float | None = None) -> Coroutine[Any, Any, object]:
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
        if timeout is None and default is NO_DEFAULT and self._lock is None:
            return self._get_plainly()
        if timeout is not None:
            timeout = check_timeout("Rendezvous.get", "timeout", timeout)
        elif default is not NO_DEFAULT:
            timeout = 0.0
        return self._get(default, timeout)

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
        """Remove the empty slots of operations that were withdrawn from the middle of a queue.

        There is no need to call this: operations remove what is theirs as they end. What can be left for a while is
        such a slot in a long queue, for at most the ``RENDEZVOUS_MAINTENANCE_INTERVAL`` that was current where the
        rendezvous was made.
        """
        if self._matching is not None:
            self._matching.getter_line.sweep()
            self._matching.putter_line.sweep()

    def state_snapshot(self) -> StateSnapshot:
        """Clean up, and return how many operations wait at this moment.

        A put or get that was matched, or whose task was cancelled, does not wait any more, even if it has not returned
        yet. An exchange counts as a getter while it has no value, and as a putter while its own is not taken.
        """
        from ..types import StateSnapshot

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


def _check_loop(loop: object) -> None:
    if not isinstance(loop, AbstractEventLoop):
        raise wrong_type("Rendezvous", "loop", loop, "an event loop")
    if loop.is_closed():
        raise wrong_value("Rendezvous", "loop", loop, "an event loop that is not closed")


def _check_lock(lock: object) -> None:
    if lock is not None and not isinstance(lock, Lock):
        raise wrong_type("Rendezvous", "lock", lock, "an asyncio.Lock")
