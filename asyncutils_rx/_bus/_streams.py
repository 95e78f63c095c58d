"""The event streams of a bus: those that are open, and what was fed for the next one."""

from __future__ import annotations

from asyncio import current_task, get_running_loop
from collections import deque
from collections.abc import AsyncGenerator
from sys import is_finalizing
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .._fanout import Scope
from .._runner import CALLS_BETWEEN_TURNS
from .._wildcard import WILDCARD, WildcardType
from ..exceptions import BusShutDown
from ._buffer import Buffer, EndOfStreamError, Ticket
from ._calls import MISSING, Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from .._runner import Runner
    from ._sinks import Pending, Sinks

__all__ = ["EventStream", "Streams"]

T = TypeVar("T")


class EventStream(AsyncGenerator[T, None]):
    """The events of a topic, or of all, as an async generator.

    It sees every event from the call of ``event_stream`` on, in order. A step that is cancelled loses nothing, and the
    next one goes on. Where several tasks step one stream, each event goes to one of them. :meth:`aclose` ends it, and
    so does the garbage collector; then publishers no longer wait for it.
    """

    __slots__ = ("__weakref__", "_bind", "_buffer", "_runner")

    def __init__(self, buffer: Buffer, bind: Callable[[], Runner]) -> None:
        self._buffer = buffer
        self._bind = bind
        self._runner: Runner | None = None

    async def __anext__(self) -> T:
        """Return the next event, and wait for it where none is buffered.

        Raises:
            StopAsyncIteration: The stream was closed, its ``item_timeout`` has passed, or the bus was shut down and
                nothing is left.
            WrongLoopError: The bus belongs to another loop.

        Cancellation: nothing was taken; the stream stays open.
        """
        runner = self._runner
        if runner is None or runner.loop is not get_running_loop():
            runner = self._runner = self._bind()
        buffer = self._buffer
        buffer.reader = current_task(runner.loop)
        waits = not buffer.items
        item: T
        if not waits:
            runner.calls += 1
            if runner.calls < CALLS_BETWEEN_TURNS:
                item = buffer.pop_nowait() if buffer.tickets or buffer.joiners else buffer.items.popleft()
                return item
            await runner.breathe()
        try:
            item = await buffer.pop()
        except EndOfStreamError:
            raise StopAsyncIteration from None
        if waits:
            # The loop has run, so this task may do as much as any that begins.
            runner.calls = 0
        return item

    async def asend(self, _value: None, /) -> T:
        """Return the next event; as the loop over the stream does. The value is not used.

        Raises:
            StopAsyncIteration: The stream has ended.

        Cancellation: nothing was taken; the stream stays open.
        """
        return await self.__anext__()

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> T:
        """Close the stream and raise the exception.

        Raises:
            BaseException: What was passed.

        Cancellation: does not wait.
        """
        await self.aclose()
        return await super().athrow(typ, val, tb)  # type: ignore[arg-type]  # one overload takes them all

    async def aclose(self) -> None:
        """End the stream, drop what is buffered, and let the publishers that wait for room go on. Idempotent.

        Cancellation: does not wait.
        """
        self._buffer.end(keep=False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'closed' if self._buffer.ended else 'open'}, {self._buffer!r}>"

    def __del__(self, at_exit: Any = is_finalizing) -> None:
        if not at_exit():
            self._buffer.abandon()


class Fed(NamedTuple):
    """An event that was fed while no stream took it.

    Attributes:
        event_type: What it was fed with; MISSING where with nothing.
        data: The data.
    """

    event_type: str | Missing
    data: Any

    def as_item_of(self, event_type: str | WildcardType) -> Any:
        """Return what a stream of ``event_type`` gives, or MISSING where it does not take it."""
        if self.event_type is MISSING or self.event_type == event_type:
            return self.data
        return (self.event_type, self.data) if event_type is WILDCARD else MISSING


class FeedBuffer(Buffer):
    """What was fed for the next stream. As a queue it shows what a stream of everything would give."""

    def _entry(self, item: Any) -> Any:
        return Fed(MISSING, item)

    def _shown(self, entry: Any) -> Any:
        return entry.as_item_of(WILDCARD)

    def claim(self, event_type: str | WildcardType) -> Iterator[Any]:
        """Give away what a stream of ``event_type`` takes, in order, and what waits for room as far as it can now."""
        while True:
            entries = list(self.items)
            self.items.clear()
            for entry in entries:
                item = entry.as_item_of(event_type)
                if item is MISSING:
                    self.items.append(entry)
                else:
                    yield item
            if len(self.items) == len(entries):
                break
            self._refill()
        self._check_joined()


class Streams:
    """The open streams of one bus, in the order in which they were opened."""

    __slots__ = ("_abandoned", "_fed", "_over", "_owner", "_sinks", "open")

    def __init__(self, owner: str, sinks: Sinks) -> None:
        self.open: dict[Buffer, None] = {}
        self._owner = owner
        self._sinks = sinks
        self._fed: FeedBuffer | None = None
        self._over = False
        # A stream can be collected on any thread and in the middle of any line, so it is only noted here.
        self._abandoned: deque[Buffer] = deque()

    def _reap(self) -> None:
        while self._abandoned:
            self._abandoned.popleft().end(keep=False)

    def add(
        self, event_type: str | WildcardType, timeout: float | None, item_timeout: float | None, bufsize: int
    ) -> Buffer:
        """Open a stream; it starts with what was fed for it."""
        self._reap()
        buffer = Buffer(self._owner, event_type, bufsize, timeout, item_timeout, self._forget, self._abandoned.append)
        self.open[buffer] = None
        self._sinks.add(buffer, event_type)
        if self._fed is not None:
            buffer.items.extend(self._fed.claim(event_type))
        return buffer

    def _forget(self, buffer: Buffer) -> None:
        self.open.pop(buffer, None)
        self._sinks.remove(buffer, buffer.event_type)

    def queue(self, bufsize: int) -> Buffer:
        """Return the buffer of the newest stream, or what is fed for the next one."""
        self._reap()
        newest = self._newest()
        return self._feed(bufsize) if newest is None else newest

    def _newest(self) -> Buffer | None:
        return next((buffer for buffer in reversed(self.open) if not buffer.abandoned), None)

    def _feed(self, bufsize: int) -> FeedBuffer:
        if self._fed is None:
            self._fed = FeedBuffer(self._owner, WILDCARD, bufsize)
        return self._fed

    async def feed(
        self, runner: Runner, event_type: str | Missing, data: Any, timeout: float | None, bufsize: int
    ) -> None:
        """Put an event into the open streams that take it; where there is none, keep it for the next stream."""
        fed = Fed(event_type, data)
        scope = Scope(runner)
        tickets: list[Ticket] = []
        errors: list[Exception] = []

        def ended(_: Pending) -> None:
            scope.end()

        def cancel() -> None:
            for ticket in tickets:
                ticket.cancel()

        for buffer, item in list(self._takers(fed)) or [(self._feed(bufsize), fed)]:
            try:
                ticket = buffer.offer(item, ended, timeout)
            except Exception as error:
                errors.append(error)
            else:
                if ticket is not None:
                    tickets.append(ticket)
                    scope.begin()
        await scope.join(cancel)
        errors.extend(ticket.error for ticket in tickets if isinstance(ticket.error, Exception))
        if len(errors) > 1:
            raise ExceptionGroup(f"an event found no room in {len(errors)} streams of {self._owner}", errors)
        if errors:
            raise errors[0]
        if self._over and not all(ticket.taken for ticket in tickets):
            raise BusShutDown(self._owner, "it was shut down while an event waited for room")

    def _takers(self, fed: Fed) -> Iterator[tuple[Buffer, Any]]:
        newest = self._newest()
        if fed.event_type is not MISSING:
            for buffer in self.open:
                item = fed.as_item_of(buffer.event_type)
                if item is not MISSING and not buffer.abandoned:
                    yield buffer, item
        elif newest is not None:
            yield newest, fed.data

    # The end of the bus

    def lift(self) -> None:
        """Let every publisher that waits for room go on: what it waits with is buffered, whatever the limit."""
        for buffer in (*self.open, *((self._fed,) if self._fed is not None else ())):
            buffer.lift()

    def end(self, *, keep: bool) -> None:
        """End the streams, after what is buffered or at once."""
        self._over = True
        for buffer in list(self.open):
            buffer.end(keep=keep, why=BusShutDown)
        if self._fed is not None:
            self._fed.end(keep=True, why=BusShutDown)
