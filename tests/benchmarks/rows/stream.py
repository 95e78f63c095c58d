"""The row about streams: publishing to one task that iterates."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ..fresh import fresh
from ..model import BOUND, OURS, Contestant, Job, Row, need
from .publish import TOPIC, event_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["STREAM"]

ROOM = 100


def pumped(
    put: Callable[[Any], Any], get: Callable[[], Awaitable[Any]], waits: bool = True
) -> tuple[Job, asyncio.Task[None]]:
    """Return the job of putting values that a task gets, one by one and in order, and that task."""
    received = expected = goal = 0
    loop = asyncio.get_running_loop()
    finished = loop.create_future()

    async def reader() -> None:
        nonlocal received, expected
        while True:
            if await get() == expected:
                received += 1
            expected += 1
            if expected == goal:
                finished.set_result(None)

    async def run(count: int) -> None:
        nonlocal goal, finished
        start = goal
        goal += count
        finished = loop.create_future()
        if waits:
            for value in range(start, goal):
                await put(value)
        else:
            for value in range(start, goal):
                put(value)
        await finished

    return Job(run, lambda: received, 1), asyncio.create_task(reader())


def streamed(put: Callable[[Any], Awaitable[Any]], stream: AsyncIterator[Any]) -> tuple[Job, asyncio.Task[None]]:
    """Return the job of putting values that a task iterates over, in order, and that task."""
    received = expected = goal = 0
    loop = asyncio.get_running_loop()
    finished = loop.create_future()

    async def reader() -> None:
        nonlocal received, expected
        async for value in stream:
            if value == expected:
                received += 1
            expected += 1
            if expected == goal:
                finished.set_result(None)

    async def run(count: int) -> None:
        nonlocal goal, finished
        start = goal
        goal += count
        finished = loop.create_future()
        for value in range(start, goal):
            await put(value)
        await finished

    return Job(run, lambda: received, 1), asyncio.create_task(reader())


async def ended(task: asyncio.Future[Any]) -> None:
    """Cancel a reader, and see it end."""
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def bound(_size: int) -> AsyncIterator[Job]:
    """A queue."""
    queue: asyncio.Queue[int] = asyncio.Queue(ROOM)
    job, task = fresh(pumped)(queue.put, queue.get)
    yield job
    await ended(task)


@asynccontextmanager
async def ours(_size: int) -> AsyncIterator[Job]:
    """``EventBus.publish`` and ``event_stream``."""
    async with event_bus() as bus:
        job, task = fresh(streamed)(partial(bus.publish, TOPIC), bus.event_stream(TOPIC))
        yield job
        await ended(task)


@asynccontextmanager
async def py_asyncutils(_size: int) -> AsyncIterator[Job]:
    """Its ``EventBus``; the loop over its ``event_stream`` subscribes and gets nothing, so its queue is read."""
    async with need("asyncutils.channels").EventBus() as bus:
        stream = bus.event_stream(TOPIC, timeout=None, item_timeout=None)
        subscribing = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.01)
        job, task = fresh(pumped)(partial(bus.publish, TOPIC), bus.stream_queue.get)
        yield job
        await ended(task)
        await ended(subscribing)


@asynccontextmanager
async def anyio(_size: int) -> AsyncIterator[Job]:
    """A memory stream."""
    send, receive = need("anyio").create_memory_object_stream(ROOM)
    with send, receive:
        job, task = fresh(streamed)(send.send, receive)
        yield job
        await ended(task)


@asynccontextmanager
async def rx(_size: int) -> AsyncIterator[Job]:
    """A subject that puts into an unbounded queue."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    subject = need("reactivex").Subject()
    subject.subscribe(queue.put_nowait)
    job, task = fresh(pumped)(subject.on_next, queue.get, waits=False)
    yield job
    await ended(task)
    subject.dispose()


STREAM = (
    Row(
        "stream",
        "publish to one event_stream loop",
        1,
        1,
        "publication",
        f"await queue.put(x) and await queue.get() of an asyncio.Queue({ROOM})",
        (
            Contestant(BOUND, bound),
            Contestant(OURS, ours),
            Contestant(
                "py-asyncutils", py_asyncutils, "event_stream yields nothing, so its queue is read; one for all streams"
            ),
            Contestant("RxPY into a queue", rx, "unbounded: no backpressure"),
            Contestant("anyio", anyio, "no topics: each value goes to one receiver"),
        ),
        at_least=2 * ROOM,
    ),
)
