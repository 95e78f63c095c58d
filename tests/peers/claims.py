"""Sentences of the page about other libraries that are no answers in its table, and how each is found out."""

from __future__ import annotations

import asyncio
import importlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["CLAIMS", "NAMES", "Claim"]


class Claim(NamedTuple):
    """A sentence of the page.

    Attributes:
        distribution: What it is about.
        sentence: What the page says, word by word.
        holds: Whether that is so.
    """

    distribution: str
    sentence: str
    holds: Callable[[], Awaitable[bool]]


def of(module: str, name: str) -> Any:
    """Return what a module calls so."""
    return attrgetter(name)(importlib.import_module(module))


async def a_coroutine_function_is_never_awaited() -> bool:
    made: list[Any] = []
    ran: list[int] = []

    async def observe(value: int) -> None:
        ran.append(value)

    def observer(value: int) -> Any:
        made.append(observe(value))
        return made[-1]

    subject = of("reactivex", "Subject")()
    subject.subscribe(observer)
    subject.on_next(1)
    await asyncio.sleep(0.01)
    for coroutine in made:
        coroutine.close()
    return len(made) == 1 and ran == []


async def an_error_of_a_subscriber_vanishes() -> bool:
    called: list[object] = []

    async def subscriber(data: object) -> None:
        called.append(data)
        raise ValueError(data)

    async with of("asyncutils.channels", "EventBus")() as bus:
        bus.subscribe(subscriber, "topic")
        await bus.publish("topic", 1)
    return called == [1]


async def a_nested_publication_hangs() -> bool:
    async with of("asyncutils.channels", "EventBus")(max_concurrent=1) as bus:

        async def subscriber(depth: int) -> None:
            if depth:
                await bus.publish("topic", depth - 1)

        bus.subscribe(subscriber, "topic")
        try:
            await asyncio.wait_for(bus.publish("topic", 1), 0.5)
        except TimeoutError:
            return True
    return False


async def errors_of_handlers_are_an_event() -> bool:
    emitter = of("pyee.asyncio", "AsyncIOEventEmitter")()
    errors: list[object] = []
    error = ValueError("bad")

    async def handler() -> None:
        raise error

    emitter.on("error", errors.append)
    emitter.on("event", handler)
    emitter.emit("event")
    await emitter.wait_for_complete()
    await asyncio.sleep(0)
    return errors == [error]


async def receivers_give_results() -> bool:
    signal = of("blinker", "Signal")()

    def receiver(sender: object) -> str:
        return f"seen {sender}"

    signal.connect(receiver)
    return bool(signal.send("a") == [(receiver, "seen a")])


async def a_buffer_lets_its_source_wait() -> bool:
    stream = of("streamz", "Stream")(asynchronous=True)
    release = asyncio.Event()

    async def slow(_: int) -> None:
        await release.wait()

    sink = stream.buffer(1).sink(slow)
    emitting = []
    for value in range(4):
        emitting.append(asyncio.ensure_future(stream.emit(value)))
        await asyncio.sleep(0.01)
    waited = not emitting[-1].done()
    release.set()
    await asyncio.gather(*emitting)
    await asyncio.sleep(0.01)
    sink.destroy()
    return waited


CLAIMS = (
    Claim(
        "reactivex",
        "A coroutine function that is subscribed is called and never awaited",
        a_coroutine_function_is_never_awaited,
    ),
    Claim("py-asyncutils", "an error of a subscriber vanishes by default", an_error_of_a_subscriber_vanishes),
    Claim(
        "py-asyncutils",
        "a subscriber that publishes on its own bus and waits hangs at `max_concurrent`",
        a_nested_publication_hangs,
    ),
    Claim("pyee", "the error of a handler becomes an `error` event", errors_of_handlers_are_an_event),
    Claim("blinker", "`send` returns what each receiver returned", receivers_give_results),
    Claim("streamz", "`buffer(n)` lets its source wait when it is full", a_buffer_lets_its_source_wait),
)

NAMES = {
    "reactivex": ("reactivex.testing:TestScheduler", "reactivex.operators:debounce"),
    "aioreactive": ("aioreactive:debounce", "aioreactive:to_async_iterable", "aioreactive:flat_map_latest_async"),
    "streamz": (
        "streamz:Stream.timed_window",
        "streamz:Stream.sliding_window",
        "streamz:Stream.from_kafka",
        "streamz:Stream.visualize",
        "streamz:Stream.to_dataframe",
    ),
    "pyee": ("pyee.trio", "pyee.twisted", "pyee.executor:ExecutorEventEmitter"),
    "blinker": ("blinker:ANY", "blinker:Signal.muted"),
    "bubus": ("bubus:EventBus.expect", "bubus:EventBus.log_tree"),
    "abxbus": (
        "abxbus:SQLiteEventBridge",
        "abxbus:WALEventBusMiddleware",
        "abxbus:EventBus.find",
        "abxbus:EventHandlerTimeoutError",
    ),
    "py-asyncutils": ("asyncutils.channels:EventBus", "asyncutils.channels:Rendezvous"),
}
"""What the page says that the others have: distribution, and names in it as ``module:attribute``.

Where a name is a module alone, it takes more to import it.
"""
