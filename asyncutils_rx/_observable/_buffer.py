"""A bounded buffer between one producer side and one consumer side, with a named policy for when it is full."""

from __future__ import annotations

from asyncio import wait
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from ..exceptions import OverflowPolicyError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Awaitable, Callable

__all__ = ["POLICIES", "Buffer"]

T = TypeVar("T")

POLICIES = ("wait", "drop_oldest", "drop_newest", "latest", "raise")


class Buffer(Generic[T]):
    """Items on their way from a notifier to whoever iterates.

    For one loop's thread. The items stay in the buffer until a step of the iteration really takes them, so a cancelled
    step loses nothing.

    Args:
        loop: The event loop.
        owner: Tells the owner's ``repr`` for messages.
        maxsize: How many items it takes; 0 is any number.
        overflow: One of :data:`POLICIES`.

    Attributes:
        dropped: How many items the policy dropped.
        ended: Whether no more items come.
        seen: What was running when the last item came, or when the iteration began; None where that does not matter.
    """

    __slots__ = (
        "_failure",
        "_loop",
        "_overflow",
        "_owner",
        "_reader",
        "_writers",
        "dropped",
        "ended",
        "items",
        "maxsize",
        "seen",
    )

    def __init__(self, loop: AbstractEventLoop, owner: Callable[[], str], maxsize: int, overflow: str) -> None:
        self.items: deque[T] = deque()
        self.maxsize = maxsize
        self.dropped = 0
        self.ended = False
        self.seen: object = None
        self._loop = loop
        self._owner = owner
        self._overflow = overflow
        self._failure: Exception | None = None
        self._reader: Future[None] | None = None
        self._writers: deque[tuple[Future[None], T]] = deque()

    # The producer's side

    def put(self, item: T) -> Awaitable[None] | None:
        """Take an item; return None, or with a full buffer and the policy ``wait`` an awaitable that puts it in.

        Raises:
            OverflowPolicyError: It is full, and its policy is to raise.
        """
        if self.ended:
            return None
        if (self.maxsize and len(self.items) >= self.maxsize) or self._writers:
            return self._put_into_full(item)
        self.items.append(item)
        self._wake_reader()
        return None

    def _put_into_full(self, item: T) -> Awaitable[None] | None:
        policy = self._overflow
        if policy == "wait":
            return self._put_when_room(item)
        if policy == "raise":
            raise OverflowPolicyError(self._owner(), self.maxsize)
        if policy == "drop_newest":
            self.dropped += 1
            return None
        if policy == "latest":
            self.dropped += len(self.items)
            self.items.clear()
        else:
            self.dropped += 1
            self.items.popleft()
        self.items.append(item)
        self._wake_reader()
        return None

    async def _put_when_room(self, item: T) -> None:
        """Wait for room, first come, first served.

        Cancellation: raises CancelledError; the item was not put in, unless room had been made for it already.
        """
        writer: Future[None] = self._loop.create_future()
        entry = (writer, item)
        self._writers.append(entry)
        try:
            await writer
        except BaseException:
            if entry in self._writers:
                self._writers.remove(entry)
            raise

    def _admit(self) -> None:
        """Take the items of those who wait for room, as far as there is room."""
        while self._writers and (not self.maxsize or len(self.items) < self.maxsize):
            writer, item = self._writers.popleft()
            if not writer.done():
                self.items.append(item)
                writer.set_result(None)
        self._wake_reader()

    def open_wide(self) -> None:
        """Take any number of items from now on: whoever waits for room goes on."""
        self.maxsize = 0
        self._admit()

    def end(self, failure: Exception | None = None) -> None:
        """Take no more items; the iteration ends, with ``failure``, after those that are there."""
        self.open_wide()
        self.ended = True
        self._failure = failure
        self._wake_reader()

    def close(self) -> None:
        """Take no more items, forget those that are there, and let whoever waits for room go."""
        self.ended = True
        self._failure = None
        self.open_wide()
        self.items.clear()

    # The consumer's side

    def has_seen(self, turn: object) -> bool:
        """Whether nothing more can come before ``turn``, the notification that is running, has ended."""
        if self.items or self.ended or getattr(turn, "wave", False):
            return False
        # What began without an emission has become one, its owner, when somebody asked for it.
        return turn is self.seen or (self.seen is not None and turn is getattr(self.seen, "owner", None))

    async def get(self) -> T:
        """Wait for the next item and take it.

        Raises:
            StopAsyncIteration: There are no more.
            Exception: What ended the source; once, and then StopAsyncIteration.

        Cancellation: raises CancelledError; the item stays.
        """
        while not self.items:
            if self.ended:
                failure, self._failure = self._failure, None
                if failure is not None:
                    raise failure
                raise StopAsyncIteration
            if self._reader is None or self._reader.done():
                self._reader = self._loop.create_future()
            # Shared by those who step at the same time, so a cancelled step must not cancel it.
            await wait([self._reader])
        item = self.items.popleft()
        if self._writers:
            self._admit()
        return item

    def _wake_reader(self) -> None:
        if self._reader is not None and (self.items or self.ended) and not self._reader.done():
            self._reader.set_result(None)
