"""The buffer of one event stream: one deque, and waiters on both sides of it."""

from __future__ import annotations

from asyncio import Queue, QueueEmpty, QueueFull, get_running_loop
from collections import OrderedDict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._runner import runner_for
from .._wildcard import WILDCARD, WildcardType
from ..exceptions import BusTimeout, ClosedError
from ._callers import callers

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Task, TimerHandle
    from collections.abc import Callable

    from ._sinks import Pending

__all__ = ["Buffer", "EndOfStreamError", "Ticket"]


class EndOfStreamError(Exception):
    """Nothing is left and nothing more will come; never reaches a user."""


class Ticket:
    """An item that waits for room.

    Attributes:
        item: The item.
        taken: Whether it found room.
        error: Why it did not, where it waited too long.
    """

    __slots__ = ("_buffer", "_on_end", "error", "item", "taken", "timer")

    def __init__(self, buffer: Buffer, item: Any, on_end: Callable[[Pending], None]) -> None:
        self.item = item
        self.taken = False
        self.error: BaseException | None = None
        self.timer: TimerHandle | None = None
        self._buffer = buffer
        self._on_end = on_end

    def cancel(self) -> None:
        """Withdraw the item."""
        if self._buffer.withdraw(self):
            self.end()

    def expire(self, timeout: float) -> None:
        """Withdraw the item, because it waited too long."""
        self._buffer.withdraw(self)
        self.end(self._buffer.too_slow(timeout))

    def end(self, error: BaseException | None = None) -> None:
        """Tell whoever waits."""
        if self.timer is not None:
            self.timer.cancel()
        self.error = error
        self._on_end(self)


class Buffer(Queue[Any]):
    """A queue between the publishers of a topic and whoever reads it, first in, first out.

    To whom it belongs sees a :class:`asyncio.Queue`; the bus uses :meth:`take` and :meth:`pop`, which are the same
    without the detours. An item that waits for room keeps its place in the order: nothing overtakes it.

    Args:
        owner: The ``repr`` of the bus, for errors.
        event_type: The topic; the items of the wildcard are pairs.
        maxsize: How many items it takes; 0 is any number.
        timeout: How many seconds an item may wait for room; None is any number.
        idle_timeout: How many seconds a reader waits before the stream has ended; None is any number.
        on_end: Called once, when nothing more is taken.
        on_abandoned: Called with this by the finalizer of whoever reads it.

    Attributes:
        event_type: As above.
        items: What is buffered.
        ended: Whether nothing more is taken.
        tickets: What waits for room, in order.
        joiners: Those who wait until nothing is buffered.
        reader: Who read last, so that this task does not wait for room that only it can make.
        abandoned: Whether nobody can read it any more; set by a finalizer, on any thread.
    """

    def __init__(
        self,
        owner: str,
        event_type: str | WildcardType,
        maxsize: int = 0,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        on_end: Callable[[Buffer], None] | None = None,
        on_abandoned: Callable[[Buffer], None] | None = None,
    ) -> None:
        super().__init__(maxsize)
        self.event_type = event_type
        self.items: deque[Any] = deque()
        self.ended = False
        self.abandoned = False
        self._loop: AbstractEventLoop | None = None
        self._owner = owner
        self._limit = maxsize
        self._timeout = timeout
        self._idle_timeout = idle_timeout
        self._idle_since: float | None = None
        self._on_end = on_end
        self._on_abandoned = on_abandoned
        self._why: type[ClosedError] = ClosedError
        self._readers: deque[Future[None]] = deque()
        self.tickets: OrderedDict[Ticket, None] = OrderedDict()
        self.reader: Task[Any] | None = None
        self._undone = 0
        self.joiners: list[Future[None]] = []

    # The side of the publishers

    def accept(self, event_type: str, data: Any, /) -> bool:
        """Take a publication where there is room; see :class:`~asyncutils_rx._bus._sinks.Sink`."""
        items, limit = self.items, self._limit
        if self.tickets or (limit and len(items) >= limit) or self.abandoned or self.ended:
            return False
        items.append((event_type, data) if self.event_type is WILDCARD else data)
        self._idle_since = None
        if self._readers:
            self._wake_reader()
        return True

    def take(self, event_type: str, data: Any, on_end: Callable[[Pending], None], /) -> Ticket | None:
        """Take a publication; see :class:`~asyncutils_rx._bus._sinks.Sink`."""
        return self.offer((event_type, data) if self.event_type is WILDCARD else data, on_end, self._timeout)

    def offer(self, item: Any, on_end: Callable[[Pending], None], timeout: float | None) -> Ticket | None:
        """Take an item now and return None, or return what waits for room.

        The task that read last, and has no timeout, does not wait: only itself could make room.

        Raises:
            BusTimeout: There is no room, and no time to wait for any.
        """
        if self.abandoned:
            self.end(keep=False)
        if self.ended:
            return None
        if self._has_room() or (timeout is None and self._is_read_by_caller()):
            self._append(item)
            return None
        if timeout == 0:
            raise self.too_slow(timeout)
        self._loop = get_running_loop()
        ticket = Ticket(self, item, on_end)
        self.tickets[ticket] = None
        if timeout is not None:
            ticket.timer = self._loop.call_later(timeout, ticket.expire, timeout)
        return ticket

    def withdraw(self, ticket: Ticket) -> bool:
        """Forget an item that waits for room; return whether it did."""
        if ticket not in self.tickets:
            return False
        del self.tickets[ticket]
        return True

    @property
    def waiting(self) -> int:
        """How many items wait for room."""
        return len(self.tickets)

    def too_slow(self, timeout: float) -> BusTimeout:
        """Return the error of an item that waited too long."""
        return BusTimeout(self._owner, f"delivery to a full {self!r}", timeout)

    def _has_room(self) -> bool:
        return not self.tickets and (not self._limit or len(self.items) < self._limit)

    def _is_read_by_caller(self) -> bool:
        return self.reader is not None and self.reader in callers(runner_for(get_running_loop()))

    def _append(self, item: Any) -> None:
        self.items.append(item)
        self._idle_since = None
        self._wake_reader()

    def _refill(self) -> None:
        while self.tickets and (not self._limit or len(self.items) < self._limit):
            self._admit_first()

    def _admit_first(self) -> None:
        ticket, _ = self.tickets.popitem(last=False)
        self._append(ticket.item)
        ticket.taken = True
        ticket.end()

    # The side of the readers

    async def pop(self) -> Any:
        """Take the first item, and wait for one where there is none.

        Raises:
            EndOfStreamError: There is none and there will be none.

        Cancellation: nothing was taken.
        """
        while not self.items:
            if self.ended:
                raise EndOfStreamError
            await self._wait_for_item()
        return self.pop_nowait()

    def pop_nowait(self) -> Any:
        """Take the first item, which has to be there."""
        item = self.items.popleft()
        if self.tickets:
            self._refill()
        if self.joiners:
            self._check_joined()
        return item

    async def _wait_for_item(self) -> None:
        loop = get_running_loop()
        timer = None
        if self._idle_timeout is not None:
            # Counted on where a step was cancelled, or short steps would put the end off for ever.
            if self._idle_since is None:
                self._idle_since = loop.time()
            timer = loop.call_at(self._idle_since + self._idle_timeout, self._end_idle)
        reader = loop.create_future()
        self._readers.append(reader)
        try:
            await reader
        except BaseException:
            if reader.done() and not reader.cancelled():
                self._wake_reader()
            elif reader in self._readers:
                self._readers.remove(reader)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _wake_reader(self) -> None:
        while self._readers and (self.items or self.ended):
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(None)
                return

    # The end

    def end(self, *, keep: bool, why: type[ClosedError] = ClosedError) -> None:
        """Take nothing more. What waits for room is taken still with ``keep``; without, all is dropped."""
        if self.ended:
            return
        self._why = why
        if keep:
            while self.tickets:
                self._admit_first()
        self.ended = True
        if not keep:
            self.items.clear()
            while self.tickets:
                self.tickets.popitem(last=False)[0].end()
        while self._readers:
            self._wake_reader()
        self._check_joined()
        if self._on_end is not None:
            self._on_end(self)

    def lift(self) -> None:
        """Take what waits for room, and all that comes from now on, whatever the limit."""
        self._limit = 0
        self._refill()

    def abandon(self) -> None:
        """Have it ended soon: called by a finalizer, on any thread and in the middle of any line."""
        self.abandoned = True
        if self._on_abandoned is not None and not self.ended:
            self._on_abandoned(self)
        if self._loop is not None and not self.ended:
            with suppress(RuntimeError):  # the loop is closed, so nobody waits
                self._loop.call_soon_threadsafe(self._end_abandoned)

    def _end_abandoned(self) -> None:
        self.end(keep=False)

    def _end_idle(self) -> None:
        if not self.items:
            self.end(keep=True)

    # The face of a queue

    @property
    def maxsize(self) -> int:
        """How many items it takes; 0 is any number."""
        return self._limit

    def qsize(self) -> int:
        """How many items are buffered."""
        return len(self.items)

    def empty(self) -> bool:
        """Whether nothing is buffered."""
        return not self.items

    def full(self) -> bool:
        """Whether there is no room."""
        return not self._has_room()

    def put_nowait(self, item: Any) -> None:
        """Put an item in.

        Raises:
            QueueFull: There is no room.
            ClosedError: The stream has ended.
        """
        self._check_open()
        if not self._has_room():
            raise QueueFull
        self._append(self._entry(item))

    async def put(self, item: Any) -> None:
        """Put an item in, and wait for room where there is none.

        Raises:
            ClosedError: The stream has ended, before or while waiting.

        Cancellation: the item is withdrawn, unless it had found room by then.
        """
        self._check_open()
        done = get_running_loop().create_future()

        def on_end(_: Pending) -> None:
            if not done.done():
                done.set_result(None)

        ticket = self.offer(self._entry(item), on_end, None)
        if ticket is not None:
            try:
                await done
            except BaseException:
                self.withdraw(ticket)
                raise
            if not ticket.taken:
                raise self.closed_error()

    def get_nowait(self) -> Any:
        """Take the first item.

        Raises:
            QueueEmpty: There is none.
            ClosedError: There is none and there will be none.
        """
        if not self.items:
            self._check_open()
            raise QueueEmpty
        self._undone += 1
        return self._shown(self.pop_nowait())

    async def get(self) -> Any:
        """Take the first item, and wait for one where there is none.

        Raises:
            ClosedError: There is none and there will be none.

        Cancellation: nothing was taken.
        """
        try:
            item = await self.pop()
        except EndOfStreamError:
            raise self.closed_error() from None
        self._undone += 1
        return self._shown(item)

    def task_done(self) -> None:
        """Say that an item that :meth:`get` gave has been dealt with.

        Raises:
            ValueError: Called more often than there were such items.
        """
        if not self._undone:
            raise ValueError("task_done() called too many times")
        self._undone -= 1
        self._check_joined()

    async def join(self) -> None:
        """Wait until nothing is buffered, and what :meth:`get` gave has been dealt with.

        Cancellation: raises CancelledError; nothing was changed.
        """
        while self.items or self._undone:
            joiner = get_running_loop().create_future()
            self.joiners.append(joiner)
            try:
                await joiner
            finally:
                self.joiners.remove(joiner)

    def shutdown(self, immediate: bool = False) -> None:
        """End the stream, after what is buffered or at once."""
        self.end(keep=not immediate)

    def __repr__(self) -> str:
        name = "all events" if self.event_type is WILDCARD else repr(self.event_type)
        limit = f" of {self._limit}" if self._limit else ""
        return f"<{type(self).__name__} of {name}, {len(self.items)}{limit} items>"

    __str__ = __repr__

    def _entry(self, item: Any) -> Any:
        return item

    def _shown(self, entry: Any) -> Any:
        return entry

    def _check_open(self) -> None:
        if self.ended:
            raise self.closed_error()

    def closed_error(self) -> ClosedError:
        return self._why(repr(self), "its stream has ended; open another one")

    def _check_joined(self) -> None:
        if not self.items and not self._undone:
            for joiner in self.joiners:
                if not joiner.done():
                    joiner.set_result(None)
