"""What these tests share: sources that emit when told to, threads, and the names of the overflow policies."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asyncutils_rx import Observable
    from asyncutils_rx.types import OverflowPolicy

__all__ = [
    "POLICIES",
    "Closed",
    "Source",
    "Threads",
    "end_of",
    "feed_of",
    "in_thread",
    "numbers",
    "taken",
    "until",
    "values_of",
]

POLICIES: tuple[OverflowPolicy, ...] = ("wait", "drop_oldest", "drop_newest", "latest", "raise")


class Closed:
    """Stands for an end without an error."""


class Source:
    """Has RxPY's ``subscribe``, by position, and nothing else; emits when the test says so, on whichever thread.

    Attributes:
        subscribed: How often it was subscribed to.
        disposed: The identities of the threads that disposed of a subscription.
        schedulers: What was given as scheduler.
    """

    def __init__(self, *first: Any) -> None:
        self.subscribed = 0
        self.disposed: list[int] = []
        self.schedulers: list[Any] = []
        self._first = first
        self._live: dict[Subscription, None] = {}

    def subscribe(
        self,
        on_next: Callable[[Any], object],
        on_error: Callable[[Any], object],
        on_completed: Callable[[], object],
        *,
        scheduler: Any = None,
    ) -> Subscription:
        self.subscribed += 1
        self.schedulers.append(scheduler)
        subscription = Subscription(self, on_next, on_error, on_completed)
        self._live[subscription] = None
        for value in self._first:
            on_next(value)
        return subscription

    @property
    def live(self) -> int:
        """How many subscriptions are not disposed of."""
        return len(self._live)

    def on_next(self, value: Any) -> None:
        for subscription in list(self._live):
            subscription.next(value)

    def on_error(self, error: Any) -> None:
        for subscription in list(self._live):
            subscription.error(error)

    def on_completed(self) -> None:
        for subscription in list(self._live):
            subscription.completed()


class Subscription:
    """What :class:`Source` returns."""

    def __init__(
        self,
        source: Source,
        on_next: Callable[[Any], object],
        on_error: Callable[[Any], object],
        on_completed: Callable[[], object],
    ) -> None:
        self._source = source
        self.next = on_next
        self.error = on_error
        self.completed = on_completed

    def dispose(self) -> None:
        del self._source._live[self]
        self._source.disposed.append(threading.get_ident())


class Threads:
    """A sync observer that notes each value together with the thread that it was called on."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.idents: set[int] = set()

    def __call__(self, value: Any) -> None:
        self.values.append(value)
        self.idents.add(threading.get_ident())

    @property
    def only_here(self) -> bool:
        """Whether it was called, and on this thread only."""
        return self.idents == {threading.get_ident()}


async def in_thread(call: Callable[..., object], *args: Any) -> None:
    """Call something on another thread, and wait until it has returned."""
    async with asyncio.timeout(10):
        await asyncio.to_thread(call, *args)


async def until(condition: Callable[[], object]) -> None:
    """Wait for another thread to come as far as that."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # another thread sets no event of this loop
            await asyncio.sleep(0.001)


async def taken(iterator: Any, count: int) -> list[Any]:
    """Take so many items; fail instead of hanging."""
    async with asyncio.timeout(5):
        return [await anext(iterator) for _ in range(count)]


async def values_of(iterator: Any) -> list[Any]:
    """Take items until there are no more; fail instead of hanging."""
    async with asyncio.timeout(5):
        return [item async for item in iterator]


async def end_of(observable: Observable[...]) -> object:
    """Return what ended an observable: the error, or :class:`Closed`."""
    try:
        async with asyncio.timeout(5):
            await observable.wait_closed()
    except Exception as error:
        return error
    return Closed


def feed_of(observable: Observable[...]) -> Any:
    """Return what a foreign source flows through."""
    return observable._inlet


def numbers(start: int = 0) -> Iterator[int]:
    """Count for ever."""
    while True:
        yield start
        start += 1


async def turns(count: int = 3) -> None:
    """Let the loop take what another thread has handed over."""
    await tick(count)
