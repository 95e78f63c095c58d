"""Rows about what things weigh."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..model import BOUND, OURS, Contestant, Row, need, tally
from .publish import event_bus
from .topics import names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from ..weighing import Fill

__all__ = ["MEMORY"]


@asynccontextmanager
async def observer_bound(size: int) -> AsyncIterator[Fill]:
    """A dict."""
    observers, _ = tally(size)
    kept: dict[Any, None] = {}

    async def fill() -> int:
        for observer in observers:
            kept[observer] = None
        return len(kept)

    yield fill


@asynccontextmanager
async def observer_ours(size: int) -> AsyncIterator[Fill]:
    """``Observable.subscribe_nowait``."""
    observers, _ = tally(size)
    async with need("asyncutils_rx").Observable() as observable:

        async def fill() -> int:
            for observer in observers:
                observable.subscribe_nowait(observer)
            return len(list(observable))

        yield fill


@asynccontextmanager
async def observer_py_asyncutils(size: int) -> AsyncIterator[Fill]:
    """Its ``Observable``."""
    observers, _ = tally(size)
    async with need("asyncutils.channels").Observable() as observable:

        async def fill() -> int:
            for observer in observers:
                observable.subscribe_nowait(observer)
            return len(list(observable))

        yield fill


@asynccontextmanager
async def observer_pyee(size: int) -> AsyncIterator[Fill]:
    """``on``."""
    observers, _ = tally(size)
    emitter = need("pyee.asyncio").AsyncIOEventEmitter()

    async def fill() -> int:
        for observer in observers:
            emitter.on("event", observer)
        return len(emitter.listeners("event"))

    yield fill


@asynccontextmanager
async def observer_blinker(size: int) -> AsyncIterator[Fill]:
    """``connect``."""
    observers, _ = tally(size)
    signal = need("blinker").Signal()

    async def fill() -> int:
        for observer in observers:
            signal.connect(observer)
        return len(signal.receivers)

    yield fill


@asynccontextmanager
async def observer_rx(size: int) -> AsyncIterator[Fill]:
    """``Subject.subscribe``."""
    observers, _ = tally(size)
    subject = need("reactivex").Subject()

    async def fill() -> int:
        for observer in observers:
            subject.subscribe(observer)
        return len(subject.observers)

    yield fill
    subject.dispose()


@asynccontextmanager
async def topic_bound(size: int) -> AsyncIterator[Fill]:
    """A dict of lists."""
    observers, _ = tally(size)
    topics = names(size)
    kept: dict[str, list[Any]] = {}

    async def fill() -> int:
        for topic, observer in zip(topics, observers, strict=True):
            kept[topic] = [observer]
        return len(kept)

    yield fill


@asynccontextmanager
async def topic_ours(size: int) -> AsyncIterator[Fill]:
    """``EventBus.subscribe``."""
    observers, _ = tally(size)
    topics = names(size)
    async with event_bus() as bus:

        async def fill() -> int:
            for topic, observer in zip(topics, observers, strict=True):
                bus.subscribe(observer, topic)
            return len(bus.event_names())

        yield fill


@asynccontextmanager
async def topic_py_asyncutils(size: int) -> AsyncIterator[Fill]:
    """Its ``EventBus``."""
    observers, _ = tally(size)
    topics = names(size)
    async with need("asyncutils.channels").EventBus() as bus:

        async def fill() -> int:
            for topic, observer in zip(topics, observers, strict=True):
                bus.subscribe(observer, topic)
            return len(bus.events())

        yield fill


@asynccontextmanager
async def topic_pyee(size: int) -> AsyncIterator[Fill]:
    """``on``."""
    observers, _ = tally(size)
    topics = names(size)
    emitter = need("pyee.asyncio").AsyncIOEventEmitter()

    async def fill() -> int:
        for topic, observer in zip(topics, observers, strict=True):
            emitter.on(topic, observer)
        return len(emitter.event_names())

    yield fill


@asynccontextmanager
async def topic_blinker(size: int) -> AsyncIterator[Fill]:
    """``Namespace.signal`` and ``connect``."""
    observers, _ = tally(size)
    topics = names(size)
    namespace = need("blinker").Namespace()

    async def fill() -> int:
        for topic, observer in zip(topics, observers, strict=True):
            namespace.signal(topic).connect(observer)
        return len(namespace)

    yield fill


async def waiting(size: int, put: Callable[[int], Coroutine[Any, Any, Any]]) -> list[asyncio.Task[Any]]:
    """Return so many tasks that wait for somebody to take their value."""
    tasks = [asyncio.create_task(put(value)) for value in range(size)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


@asynccontextmanager
async def put_bound(size: int) -> AsyncIterator[Fill]:
    """A task, and a future in a deque."""
    loop = asyncio.get_running_loop()
    putters: deque[tuple[int, asyncio.Future[None]]] = deque()
    tasks: list[asyncio.Task[Any]] = []

    async def put(value: int) -> None:
        taken = loop.create_future()
        putters.append((value, taken))
        await taken

    async def fill() -> int:
        tasks.extend(await waiting(size, put))
        return len(putters)

    yield fill
    await cancelled(tasks)


@asynccontextmanager
async def put_ours(size: int) -> AsyncIterator[Fill]:
    """``Rendezvous.put``."""
    rendezvous = need("asyncutils_rx").Rendezvous()
    tasks: list[asyncio.Task[Any]] = []
    rendezvous.state_snapshot()  # the first one imports what it returns

    async def fill() -> int:
        tasks.extend(await waiting(size, rendezvous.put))
        return int(rendezvous.state_snapshot().num_putters)

    yield fill
    await cancelled(tasks)


@asynccontextmanager
async def put_py_asyncutils(size: int) -> AsyncIterator[Fill]:
    """Its ``Rendezvous``."""
    rendezvous = need("asyncutils.channels").Rendezvous()
    tasks: list[asyncio.Task[Any]] = []

    async def fill() -> int:
        tasks.extend(await waiting(size, rendezvous.put))
        return int(rendezvous.state_snapshot().num_putters)

    yield fill
    rendezvous._task.cancel()
    await cancelled(tasks)


@asynccontextmanager
async def put_aiochan(size: int) -> AsyncIterator[Fill]:
    """A channel."""
    channel = need("aiochan").Chan()
    tasks: list[asyncio.Task[Any]] = []

    async def put(value: int) -> None:
        await channel.put(value)  # which is no coroutine

    async def fill() -> int:
        tasks.extend(await waiting(size, put))
        return len(channel._puts)

    yield fill
    await cancelled(tasks)


@asynccontextmanager
async def put_anyio(size: int) -> AsyncIterator[Fill]:
    """A memory stream."""
    send, receive = need("anyio").create_memory_object_stream(0)
    tasks: list[asyncio.Task[Any]] = []

    async def fill() -> int:
        tasks.extend(await waiting(size, send.send))
        return int(send.statistics().tasks_waiting_send)

    with send, receive:
        yield fill
        await cancelled(tasks)


async def cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


MEMORY = (
    Row(
        "bytes-observer",
        "memory of an observer",
        10_000,
        1,
        "observer",
        "observers[f] = None",
        (
            Contestant(BOUND, observer_bound),
            Contestant(OURS, observer_ours),
            Contestant("py-asyncutils", observer_py_asyncutils, "no order"),
            Contestant("pyee", observer_pyee),
            Contestant("blinker", observer_blinker, "no order"),
            Contestant("RxPY", observer_rx),
        ),
        kind="memory",
    ),
    Row(
        "bytes-topic",
        "memory of a topic with a subscriber",
        10_000,
        1,
        "topic",
        "topics[name] = [f]",
        (
            Contestant(BOUND, topic_bound),
            Contestant(OURS, topic_ours),
            Contestant("py-asyncutils", topic_py_asyncutils, "no order"),
            Contestant("pyee", topic_pyee),
            Contestant("blinker", topic_blinker, "no order"),
        ),
        kind="memory",
    ),
    Row(
        "bytes-put",
        "memory of a pending put, its task included",
        1000,
        1,
        "put",
        "putters.append((x, f := loop.create_future())); await f",
        (
            Contestant(BOUND, put_bound),
            Contestant(OURS, put_ours),
            Contestant("py-asyncutils", put_py_asyncutils),
            Contestant("aiochan", put_aiochan),
            Contestant("anyio", put_anyio),
        ),
        kind="memory",
    ),
)
