"""Points of curves: how the cost of one unit of work changes with how much there is."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ..model import BOUND, OURS, Contestant, Job, Row, need, tally
from .chain import plus_one, plus_one_as_parameters
from .notify import TRIVIAL
from .publish import PUBLISH_CODE, TOPIC, event_bus
from .stream import ROOM
from .subscriptions import CONTESTANTS as SUBSCRIBING
from .topics import CONTESTANTS as TOPICS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

__all__ = ["CURVES", "GROWTH"]

# What each curve is about, and which sizes it has.
CURVES = {
    "observers": "notify: observers of one observable",
    "topics": "publish: topics with a subscriber",
    "subscriptions": "subscribe, unsubscribe: observers that stay",
    "operators": "notify through a chain of operators",
    "streams": "publish: open streams of one topic",
    "queued": "notifications queued while one is running",
}


# Chains


@asynccontextmanager
async def chain_bound(size: int) -> AsyncIterator[Job]:
    """Calls, and one await."""
    (observer,), delivered = tally(1)
    functions = [plus_one] * size

    async def run(count: int) -> None:
        for start in range(count):
            value = start
            for function in functions:
                value = function(value)
            await observer(value)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def chain_ours(size: int) -> AsyncIterator[Job]:
    """Observables derived from each other."""
    (observer,), delivered = tally(1)
    async with need("asyncutils_rx").Observable() as source:
        derived = source
        for _ in range(size):
            derived = derived.map(plus_one_as_parameters)
        derived.subscribe_nowait(observer)

        async def run(count: int) -> None:
            for value in range(count):
                await source.notify(value)

        yield Job(run, delivered, 1)


# Streams


def to_all(
    put: Callable[[Any], Awaitable[Any]], gets: Sequence[Callable[[], Awaitable[Any]]]
) -> tuple[Job, list[asyncio.Task[None]]]:
    """Return the job of putting values that several tasks get, each of them all, and these tasks."""
    delivered = goal = 0
    loop = asyncio.get_running_loop()
    finished = loop.create_future()

    async def reader(get: Callable[[], Awaitable[Any]]) -> None:
        nonlocal delivered
        while True:
            await get()
            delivered += 1
            if delivered == goal:
                finished.set_result(None)

    async def run(count: int) -> None:
        nonlocal goal, finished
        goal = delivered + count * len(gets)
        finished = loop.create_future()
        for value in range(count):
            await put(value)
        await finished

    return Job(run, lambda: delivered, len(gets)), [asyncio.create_task(reader(get)) for get in gets]


async def all_ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@asynccontextmanager
async def streams_bound(size: int) -> AsyncIterator[Job]:
    """A queue for each reader."""
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(ROOM) for _ in range(size)]

    async def put(value: int) -> None:
        for queue in queues:
            await queue.put(value)

    job, tasks = to_all(put, [queue.get for queue in queues])
    yield job
    await all_ended(tasks)


@asynccontextmanager
async def streams_ours(size: int) -> AsyncIterator[Job]:
    """``EventBus.publish`` and ``event_stream``."""
    async with event_bus() as bus:
        job, tasks = to_all(partial(bus.publish, TOPIC), [bus.event_stream(TOPIC).__anext__ for _ in range(size)])
        yield job
        await all_ended(tasks)


# Queues


class Held:
    """An observer that counts, and waits while it is told to."""

    def __init__(self) -> None:
        self.delivered = 0
        self.released: asyncio.Future[None] | None = None

    async def observer(self, _value: int) -> None:
        """Count one delivery."""
        if self.released is not None:
            await self.released
        self.delivered += 1


@asynccontextmanager
async def queued_bound(size: int) -> AsyncIterator[Job]:
    """A deque."""
    held = Held()
    queue: deque[int] = deque()

    async def deliver() -> None:
        await held.observer(-1)
        while queue:
            await held.observer(queue.popleft())

    async def run(count: int) -> None:
        for _ in range(count):
            held.released = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(deliver())
            await asyncio.sleep(0)
            for value in range(size):
                queue.append(value)
            held.released.set_result(None)
            held.released = None
            await task

    yield Job(run, lambda: held.delivered, size + 1)


@asynccontextmanager
async def queued_ours(size: int) -> AsyncIterator[Job]:
    """``Observable.notify``, while it is busy."""
    held = Held()
    async with need("asyncutils_rx").Observable([held.observer]) as observable:

        async def run(count: int) -> None:
            for _ in range(count):
                held.released = asyncio.get_running_loop().create_future()
                task = asyncio.create_task(observable.notify(-1))
                await asyncio.sleep(0)
                for value in range(size):
                    await observable.notify(value)
                held.released.set_result(None)
                held.released = None
                await task

        yield Job(run, lambda: held.delivered, size + 1)


def points(
    curve: str,
    sizes: Sequence[int],
    unit: str,
    code: str,
    contestants: Sequence[Contestant],
    per_size: bool,
    at_least: int = 1,
) -> list[Row]:
    """Return the points of one curve; the bound and the library alone take part."""
    pair = tuple(contestant for contestant in contestants if contestant.name in (BOUND, OURS))
    return [
        Row(
            f"growth-{curve}-{size}",
            f"{CURVES[curve]}: {size:,}",
            size,
            size if per_size else 1,
            unit,
            code,
            pair,
            at_least=at_least,
            curve=curve,
        )
        for size in sizes
    ]


_CHAINING = (Contestant(BOUND, chain_bound), Contestant(OURS, chain_ours))
_STREAMING = (Contestant(BOUND, streams_bound), Contestant(OURS, streams_ours))
_QUEUEING = (Contestant(BOUND, queued_bound), Contestant(OURS, queued_ours))

GROWTH = (
    *points("observers", (1, 10, 100, 1000, 10_000), "observer", "for f in observers: await f(x)", TRIVIAL, True),
    *points("topics", (1, 10, 100, 1000, 10_000), "publication", PUBLISH_CODE, TOPICS, False),
    *points(
        "subscriptions",
        (1, 10, 100, 1000, 10_000, 100_000),
        "pair",
        "observers[f] = None; del observers[f]",
        SUBSCRIBING,
        False,
    ),
    *points(
        "operators", (1, 2, 5, 10, 20, 50), "operator", "for f in functions: x = f(x); await g(x)", _CHAINING, True
    ),
    *points(
        "streams", (1, 10, 100, 1000), "delivery", "for queue in queues: await queue.put(x)", _STREAMING, True, ROOM
    ),
    *points(
        "queued",
        (1, 10, 100, 1000, 10_000, 100_000),
        "notification",
        "while queue: await f(queue.popleft())",
        _QUEUEING,
        True,
    ),
)
