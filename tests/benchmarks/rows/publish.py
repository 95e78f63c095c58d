"""Rows about publishing to subscribers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..model import BOUND, OURS, Contestant, Job, Row, need, tally
from .notify import ONE_AFTER_THE_OTHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["NO_MIDDLEWARE", "PUBLISH", "PUBLISH_CODE", "TOPIC", "event_bus"]

TOPIC = "topic"


def event_bus() -> Any:
    """Return an event bus of the library."""
    return need("asyncutils_rx").EventBus("benchmark")


@asynccontextmanager
async def bound(size: int) -> AsyncIterator[Job]:
    """A function with a dict of lists."""
    observers, delivered = tally(size)
    topics = {TOPIC: observers}

    async def publish(topic: str, data: int) -> None:
        for observer in topics[topic]:
            await observer(data)

    async def run(count: int) -> None:
        for value in range(count):
            await publish(TOPIC, value)

    yield Job(run, delivered, size)


@asynccontextmanager
async def single(_size: int) -> AsyncIterator[Job]:
    """A dict with one subscriber for each topic."""
    (observer,), delivered = tally(1)
    topics = {TOPIC: observer}

    async def run(count: int) -> None:
        for value in range(count):
            await topics[TOPIC](value)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def ours(size: int) -> AsyncIterator[Job]:
    """``EventBus.publish``."""
    observers, delivered = tally(size)
    async with event_bus() as bus:
        for observer in observers:
            bus.subscribe(observer, TOPIC)

        async def run(count: int) -> None:
            for value in range(count):
                await bus.publish(TOPIC, value)

        yield Job(run, delivered, size)


@asynccontextmanager
async def py_asyncutils(size: int) -> AsyncIterator[Job]:
    """Its ``EventBus``."""
    observers, delivered = tally(size)
    async with need("asyncutils.channels").EventBus() as bus:
        for observer in observers:
            bus.subscribe(observer, TOPIC)

        async def run(count: int) -> None:
            for value in range(count):
                await bus.publish(TOPIC, value)

        yield Job(run, delivered, size)


@asynccontextmanager
async def pyee(size: int) -> AsyncIterator[Job]:
    """``emit`` and ``wait_for_complete``."""
    observers, delivered = tally(size)
    emitter = need("pyee.asyncio").AsyncIOEventEmitter()
    for observer in observers:
        emitter.on(TOPIC, observer)

    async def run(count: int) -> None:
        for value in range(count):
            emitter.emit(TOPIC, value)
            await emitter.wait_for_complete()

    yield Job(run, delivered, size)


@asynccontextmanager
async def blinker(size: int) -> AsyncIterator[Job]:
    """``Namespace.signal`` and ``send_async``; the value is the sender, which its receivers take by position."""
    observers, delivered = tally(size)
    namespace = need("blinker").Namespace()
    for observer in observers:
        namespace.signal(TOPIC).connect(observer)

    async def run(count: int) -> None:
        for value in range(count):
            await namespace.signal(TOPIC).send_async(value)

    yield Job(run, delivered, size)


@asynccontextmanager
async def bubus(size: int) -> AsyncIterator[Job]:
    """``dispatch`` of an event, which is awaited."""
    observers, delivered = tally(size)
    library = need("bubus")
    event_type = type("Event", (library.BaseEvent,), {"__annotations__": {"value": int}, "__module__": __name__})
    bus = library.EventBus(parallel_handlers=True)

    def named(number: int, observer: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        async def handler(event: Any) -> None:
            await observer(event.value)

        handler.__name__ = f"handler_{number}"
        return handler

    for number, observer in enumerate(observers):
        bus.on(event_type, named(number, observer))

    async def run(count: int) -> None:
        for value in range(count):
            await bus.dispatch(event_type(value=value))

    yield Job(run, delivered, size)
    await bus.stop(clear=True)


@asynccontextmanager
async def abxbus(size: int) -> AsyncIterator[Job]:
    """``emit`` of an event, which is awaited."""
    observers, delivered = tally(size)
    library = need("abxbus")
    event_type = type("Event", (library.BaseEvent,), {"__annotations__": {"value": int}, "__module__": __name__})
    bus = library.EventBus(event_handler_concurrency="parallel", max_history_size=50, max_history_drop=True)

    def named(number: int, observer: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        async def handler(event: Any) -> None:
            await observer(event.value)

        handler.__name__ = f"handler_{number}"
        return handler

    for number, observer in enumerate(observers):
        bus.on(event_type, named(number, observer))

    async def run(count: int) -> None:
        for value in range(count):
            await bus.emit(event_type(value=value))

    yield Job(run, delivered, size)
    await bus.stop()


# Middlewares and wildcards


async def middleware_a(_topic: str, data: int) -> int:
    """Return the data; the others do the same, and have code of their own."""
    return data


async def middleware_b(_topic: str, data: int) -> int:
    """Return the data."""
    return data


async def middleware_c(_topic: str, data: int) -> int:
    """Return the data."""
    return data


MIDDLEWARES = (middleware_a, middleware_b, middleware_c)


def wildcard_tally() -> tuple[Callable[[str, Any], Awaitable[None]], Callable[[], int]]:
    """Return a wildcard subscriber, and what counts its deliveries."""
    delivered = 0

    async def wildcard(_topic: str, _data: Any) -> None:
        nonlocal delivered
        delivered += 1

    return wildcard, lambda: delivered


@asynccontextmanager
async def piped_bound(size: int) -> AsyncIterator[Job]:
    """Lists, and a dict."""
    observers, delivered = tally(size)
    wildcard, heard = wildcard_tally()
    topics = {TOPIC: observers}
    wildcards = [wildcard]

    async def publish(topic: str, data: int) -> None:
        for middleware in MIDDLEWARES:
            data = await middleware(topic, data)
        for observer in topics[topic]:
            await observer(data)
        for observer_of_all in wildcards:
            await observer_of_all(topic, data)

    async def run(count: int) -> None:
        for value in range(count):
            await publish(TOPIC, value)

    yield Job(run, lambda: delivered() + heard(), size + 1)


@asynccontextmanager
async def piped_ours(size: int) -> AsyncIterator[Job]:
    """``EventBus.publish``."""
    observers, delivered = tally(size)
    wildcard, heard = wildcard_tally()
    async with event_bus() as bus:
        for observer in observers:
            bus.subscribe(observer, TOPIC)
        bus.subscribe(wildcard)
        for middleware in MIDDLEWARES:
            bus.add_middleware(middleware)

        async def run(count: int) -> None:
            for value in range(count):
                await bus.publish(TOPIC, value)

        yield Job(run, lambda: delivered() + heard(), size + 1)


@asynccontextmanager
async def piped_py_asyncutils(size: int) -> AsyncIterator[Job]:
    """Its ``EventBus``."""
    observers, delivered = tally(size)
    wildcard, heard = wildcard_tally()
    async with need("asyncutils.channels").EventBus() as bus:
        for observer in observers:
            bus.subscribe(observer, TOPIC)
        bus.subscribe(wildcard)
        for middleware in MIDDLEWARES:
            bus.add_middleware(middleware)

        async def run(count: int) -> None:
            for value in range(count):
                await bus.publish(TOPIC, value)

        yield Job(run, lambda: delivered() + heard(), size + 1)


NO_MIDDLEWARE = "no middleware"
_BLINKER = Contestant("blinker", blinker, f"{ONE_AFTER_THE_OTHER}; {NO_MIDDLEWARE}")
_EVENTS = "no middleware that changes the data; errors stay in the event"

SUBSCRIBERS = (
    Contestant(BOUND, bound),
    Contestant(OURS, ours),
    Contestant("py-asyncutils", py_asyncutils, "errors of subscribers go to a handler"),
    _BLINKER,
    Contestant("pyee", pyee, f"errors go to an event, not to the caller; {NO_MIDDLEWARE}"),
    Contestant("bubus", bubus, _EVENTS),
    Contestant("abxbus", abxbus, _EVENTS),
)
PIPED = (
    Contestant(BOUND, piped_bound),
    Contestant(OURS, piped_ours),
    Contestant("py-asyncutils", piped_py_asyncutils, "errors of subscribers go to a handler"),
)
PUBLISH_CODE = "async def publish(name, x): for f in topics[name]: await f(x)"

PUBLISH = (
    Row(
        "publish-1",
        "publish, 1 subscriber",
        1,
        1,
        "publication",
        PUBLISH_CODE,
        (*SUBSCRIBERS, Contestant("await topics[name](x)", single, "one subscriber for each topic")),
    ),
    Row(
        "publish-100",
        "publish, 100 subscribers",
        100,
        100,
        "subscriber",
        PUBLISH_CODE,
        SUBSCRIBERS,
    ),
    Row(
        "publish-piped",
        "publish, 100 subscribers, 3 async middlewares, a wildcard",
        100,
        101,
        "subscriber",
        PUBLISH_CODE.replace("for f", "for m in middlewares: x = await m(name, x); for f")
        + "; for w in wildcards: await w(name, x)",
        PIPED,
    ),
)
