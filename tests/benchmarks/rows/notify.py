"""Rows about notifying observers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asyncutils_rx import Observable

from ..model import BOUND, OURS, Contestant, Job, Row, need, tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["NOTIFY", "ONE_AFTER_THE_OTHER", "sleepers"]

ONE_AFTER_THE_OTHER = "one after the other; the first error skips the rest"
_NO_ERRORS = "the first error is raised while others still run"


def sleepers(count: int) -> tuple[list[Callable[[Any], Awaitable[None]]], Callable[[], int]]:
    """Return so many observers that suspend once, and what counts their deliveries."""
    delivered = 0

    def make() -> Callable[[Any], Awaitable[None]]:
        async def observer(_value: Any) -> None:
            nonlocal delivered
            await asyncio.sleep(0)
            delivered += 1

        return observer

    return [make() for _ in range(count)], lambda: delivered


@asynccontextmanager
async def bound(size: int) -> AsyncIterator[Job]:
    """Await each."""
    observers, delivered = tally(size)

    async def run(count: int) -> None:
        for value in range(count):
            for observer in observers:
                await observer(value)

    yield Job(run, delivered, size)


@asynccontextmanager
async def single(_size: int) -> AsyncIterator[Job]:
    """Await the one there is; nothing could be subscribed."""
    (observer,), delivered = tally(1)

    async def run(count: int) -> None:
        for value in range(count):
            await observer(value)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def bound_concurrent(size: int) -> AsyncIterator[Job]:
    """Gather."""
    observers, delivered = sleepers(size)

    async def run(count: int) -> None:
        for value in range(count):
            await asyncio.gather(*[observer(value) for observer in observers])

    yield Job(run, delivered, size)


class Notify:
    """The contestants that notify, for observers of one kind.

    Args:
        make_observers: Returns so many observers, and what counts their deliveries.
    """

    def __init__(self, make_observers: Callable[[int], tuple[list[Any], Callable[[], int]]]) -> None:
        self._make = make_observers

    @asynccontextmanager
    async def ours(self, size: int) -> AsyncIterator[Job]:
        """``Observable.notify``."""
        observers, delivered = self._make(size)
        async with Observable(observers) as observable:

            async def run(count: int) -> None:
                for value in range(count):
                    await observable.notify(value)

            yield Job(run, delivered, size)

    @asynccontextmanager
    async def by_gather(self, size: int) -> AsyncIterator[Job]:
        """``asyncio.gather``, by hand."""
        observers, delivered = self._make(size)

        async def run(count: int) -> None:
            for value in range(count):
                await asyncio.gather(*[observer(value) for observer in observers])

        yield Job(run, delivered, size)

    @asynccontextmanager
    async def py_asyncutils(self, size: int) -> AsyncIterator[Job]:
        """Its ``Observable.notify``."""
        observers, delivered = self._make(size)
        async with need("asyncutils.channels").Observable(observers) as observable:

            async def run(count: int) -> None:
                for value in range(count):
                    await observable.notify(value)

            yield Job(run, delivered, size)

    @asynccontextmanager
    async def rx_and_gather(self, size: int) -> AsyncIterator[Job]:
        """An RxPY subject that collects coroutines, and a gather."""
        observers, delivered = self._make(size)
        subject = need("reactivex").Subject()
        started: list[Awaitable[None]] = []

        def subscribe(observer: Callable[[Any], Awaitable[None]]) -> None:
            subject.subscribe(lambda value: started.append(observer(value)))

        for observer in observers:
            subscribe(observer)

        async def run(count: int) -> None:
            for value in range(count):
                subject.on_next(value)
                await asyncio.gather(*started)
                started.clear()

        yield Job(run, delivered, size)
        subject.dispose()

    @asynccontextmanager
    async def pyee(self, size: int) -> AsyncIterator[Job]:
        """``emit`` and ``wait_for_complete``."""
        observers, delivered = self._make(size)
        emitter = need("pyee.asyncio").AsyncIOEventEmitter()
        for observer in observers:
            emitter.on("event", observer)

        async def run(count: int) -> None:
            for value in range(count):
                emitter.emit("event", value)
                await emitter.wait_for_complete()

        yield Job(run, delivered, size)

    @asynccontextmanager
    async def blinker(self, size: int) -> AsyncIterator[Job]:
        """``Signal.send_async``; the value is the sender, which its receivers take by position."""
        observers, delivered = self._make(size)
        signal = need("blinker").Signal()
        for observer in observers:
            signal.connect(observer)

        async def run(count: int) -> None:
            for value in range(count):
                await signal.send_async(value)

        yield Job(run, delivered, size)

    @asynccontextmanager
    async def aioreactive(self, size: int) -> AsyncIterator[Job]:
        """``AsyncSubject.asend``."""
        observers, delivered = self._make(size)
        library = need("aioreactive")
        subject = library.AsyncSubject()
        for observer in observers:
            await subject.subscribe_async(library.AsyncAnonymousObserver(observer))

        async def run(count: int) -> None:
            for value in range(count):
                await subject.asend(value)

        yield Job(run, delivered, size)

    def contestants(self, bound: Contestant) -> tuple[Contestant, ...]:
        """Return the bound and all of these."""
        return (
            bound,
            Contestant(OURS, self.ours),
            Contestant("asyncio.gather", self.by_gather, _NO_ERRORS),
            Contestant("py-asyncutils", self.py_asyncutils, _NO_ERRORS),
            Contestant("RxPY + gather", self.rx_and_gather, _NO_ERRORS),
            Contestant("pyee", self.pyee, "errors go to an event, not to the caller"),
            Contestant("blinker", self.blinker, ONE_AFTER_THE_OTHER),
            Contestant("aioreactive", self.aioreactive, ONE_AFTER_THE_OTHER),
        )


TRIVIAL = Notify(tally).contestants(Contestant(BOUND, bound))
SUSPENDING = Notify(sleepers).contestants(Contestant(BOUND, bound_concurrent))

NOTIFY = (
    Row(
        "notify-1",
        "notify, 1 observer",
        1,
        1,
        "observer",
        "for f in observers: await f(x)",
        (*TRIVIAL, Contestant("await f(x)", single, "no list of observers")),
    ),
    *(
        Row(
            f"notify-{size}",
            f"notify, {size} observers",
            size,
            size,
            "observer",
            "for f in observers: await f(x)",
            TRIVIAL,
        )
        for size in (10, 100, 1000)
    ),
    Row(
        "notify-sleep",
        "notify, 100 observers that await sleep(0)",
        100,
        100,
        "observer",
        "await asyncio.gather(*[f(x) for f in observers])",
        SUSPENDING,
    ),
)
