"""Iteration over what an observable emits, with a bounded buffer."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._runner import CALLS_BETWEEN_TURNS
from ..exceptions import ArgumentTypeError, ReentrancyError
from ._buffer import Buffer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from ._cascade import Notification
    from ._core import Core

__all__ = ["Iteration", "one_value", "whole_notification"]

T_co = TypeVar("T_co", covariant=True)


class Iteration(Generic[T_co]):
    """An asynchronous iterator over an observable, registered from the moment it was made.

    Each step takes one item. A step that is cancelled, by :func:`asyncio.wait_for` for one, loses nothing, and the
    iterator goes on. It ends, after what is buffered, when the observable is closed, and raises what ended the
    observable. Leaving it as an asynchronous context, :meth:`aclose`, or dropping it, unregisters it, and whoever
    waited for room in its buffer goes on.

    Attributes:
        dropped: How many items its overflow policy dropped.
        buffered: How many items wait to be taken.
    """

    __slots__ = ("__weakref__", "_buffer", "_observable", "_tap")

    def __init__(
        self,
        observable: Core,
        item_of: Callable[[str, Notification], T_co],
        label: str,
        maxsize: int,
        overflow: str,
    ) -> None:
        runner = observable._bind()
        buffer: Buffer[T_co] = Buffer(runner.loop, observable.__repr__, maxsize, overflow)

        def tap(*args: Any, **kwargs: Any) -> Awaitable[None] | None:
            buffer.seen = observable._turn
            return buffer.put(item_of(label, (args, kwargs)))

        buffer.seen = observable._turn
        self._buffer = buffer
        self._tap = tap
        self._observable = observable
        if observable._buffers is None:
            observable._buffers = {}
        observable._buffers[buffer] = None
        observable._observers.add_tap(tap)
        observable._demand_changed()

    @property
    def dropped(self) -> int:
        """How many items the overflow policy dropped so far."""
        return self._buffer.dropped

    @property
    def buffered(self) -> int:
        """How many items wait to be taken."""
        return len(self._buffer.items)

    def __aiter__(self) -> Self:
        """Return the iterator itself."""
        return self

    async def __anext__(self) -> T_co:
        """Wait for the next item.

        Raises:
            StopAsyncIteration: The observable is closed, and everything was taken.
            Exception: What ended the observable; once.
            ReentrancyError: Stepped inside an observer, for a notification that cannot come before that has ended.
            WrongLoopError: The observable belongs to another loop.

        Cancellation: raises CancelledError; nothing is lost, and the iterator can be stepped again.
        """
        buffer, observable = self._buffer, self._observable
        runner = observable._bind()
        runner.calls += 1
        if runner.calls >= CALLS_BETWEEN_TURNS:
            await runner.breathe()
        if not observable._is_inside(runner):
            buffer.seen = None
        elif buffer.has_seen(observable._turn):
            raise ReentrancyError(
                repr(self), "inside an observer this would wait for that observer; step it in another task"
            )
        return await buffer.get()

    async def aclose(self) -> None:
        """Unregister, and drop what is buffered. Closing again is harmless.

        Cancellation: does not wait.
        """
        self._close()

    def _close(self) -> None:
        _unregister(self._observable, self._buffer, self._tap)

    def __del__(self) -> None:
        observable = getattr(self, "_observable", None)
        if observable is not None and not self._buffer.ended and not observable.loop.is_closed():
            # The collector may run on any thread; what waits for room has to be woken on the loop's own.
            with suppress(RuntimeError):  # closed in between
                observable.loop.call_soon_threadsafe(_unregister, observable, self._buffer, self._tap)

    async def __aenter__(self) -> Self:
        """Return the iterator itself."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Unregister; see :meth:`aclose`."""
        self._close()

    def __repr__(self) -> str:
        state = "ended" if self._buffer.ended else "open"
        return f"<Iteration over {self._observable!r}: {state}, {self.buffered} buffered, {self.dropped} dropped>"


def _unregister(observable: Core, buffer: Buffer[Any], tap: Callable[..., object]) -> None:
    if observable._buffers is not None and buffer in observable._buffers:
        del observable._buffers[buffer]
        for watch in observable._watches:
            watch.unbuffered(buffer.dropped)
    observable._observers.remove_tap(tap)
    observable._demand_changed()
    buffer.close()


def whole_notification(_: str, notification: Notification) -> Notification:
    """Return the notification as it is."""
    return notification


def one_value(label: str, notification: Notification) -> Any:
    """Return the only argument of a notification.

    Raises:
        ArgumentTypeError: It has not exactly one positional argument and no other.
    """
    args, kwargs = notification
    if len(args) != 1 or kwargs:
        raise ArgumentTypeError(label, "notification", notification, "one with exactly one positional argument")
    return args[0]
