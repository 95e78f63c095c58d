"""Rows about publishing to many topics in turn."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import TYPE_CHECKING

from ..model import BOUND, OURS, Contestant, Job, Row, need, tally
from .notify import ONE_AFTER_THE_OTHER
from .publish import NO_MIDDLEWARE, PUBLISH_CODE, event_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["TOPICS", "names"]


def names(size: int) -> list[str]:
    """Return the names of so many topics."""
    return [f"topic-{number}" for number in range(size)]


@asynccontextmanager
async def bound(size: int) -> AsyncIterator[Job]:
    """A dict."""
    observers, delivered = tally(size)
    topics = names(size)
    table = {topic: [observer] for topic, observer in zip(topics, observers, strict=True)}

    async def publish(topic: str, data: int) -> None:
        for observer in table[topic]:
            await observer(data)

    async def run(count: int) -> None:
        for topic in islice(cycle(topics), count):
            await publish(topic, 0)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def ours(size: int) -> AsyncIterator[Job]:
    """``EventBus.publish``."""
    observers, delivered = tally(size)
    topics = names(size)
    async with event_bus() as bus:
        for topic, observer in zip(topics, observers, strict=True):
            bus.subscribe(observer, topic)

        async def run(count: int) -> None:
            for topic in islice(cycle(topics), count):
                await bus.publish(topic, 0)

        yield Job(run, delivered, 1)


@asynccontextmanager
async def py_asyncutils(size: int) -> AsyncIterator[Job]:
    """Its ``EventBus``."""
    observers, delivered = tally(size)
    topics = names(size)
    async with need("asyncutils.channels").EventBus() as bus:
        for topic, observer in zip(topics, observers, strict=True):
            bus.subscribe(observer, topic)

        async def run(count: int) -> None:
            for topic in islice(cycle(topics), count):
                await bus.publish(topic, 0)

        yield Job(run, delivered, 1)


@asynccontextmanager
async def blinker(size: int) -> AsyncIterator[Job]:
    """``Namespace.signal`` and ``send_async``."""
    observers, delivered = tally(size)
    topics = names(size)
    namespace = need("blinker").Namespace()
    for topic, observer in zip(topics, observers, strict=True):
        namespace.signal(topic).connect(observer)

    async def run(count: int) -> None:
        for topic in islice(cycle(topics), count):
            await namespace.signal(topic).send_async(0)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def pyee(size: int) -> AsyncIterator[Job]:
    """``emit`` and ``wait_for_complete``."""
    observers, delivered = tally(size)
    topics = names(size)
    emitter = need("pyee.asyncio").AsyncIOEventEmitter()
    for topic, observer in zip(topics, observers, strict=True):
        emitter.on(topic, observer)

    async def run(count: int) -> None:
        for topic in islice(cycle(topics), count):
            emitter.emit(topic, 0)
            await emitter.wait_for_complete()

    yield Job(run, delivered, 1)


CONTESTANTS = (
    Contestant(BOUND, bound),
    Contestant(OURS, ours),
    Contestant("py-asyncutils", py_asyncutils, "errors of subscribers go to a handler"),
    Contestant("blinker", blinker, f"{ONE_AFTER_THE_OTHER}; {NO_MIDDLEWARE}"),
    Contestant("pyee", pyee, f"errors go to an event, not to the caller; {NO_MIDDLEWARE}"),
)

TOPICS = tuple(
    Row(
        f"topics-{size}",
        f"publish, {size:,} topic{'s' if size > 1 else ''} in turn",
        size,
        1,
        "publication",
        PUBLISH_CODE,
        CONTESTANTS,
    )
    for size in (1, 100, 10_000)
)
