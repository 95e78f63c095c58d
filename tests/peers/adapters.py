"""One way to subscribe coroutine functions and to emit a value, for each library: the one that waits, if it has one."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Observer = Callable[[int], Awaitable[None]]

__all__ = ["PEERS", "Peer"]


class Peer:
    """A library, and one object of it.

    Attributes:
        name: What the library is called.
        distribution: What its distribution is called.
        how: How observers are subscribed and a value is emitted, in Markdown.
    """

    name: ClassVar[str]
    distribution: ClassVar[str]
    module: ClassVar[str]
    how: ClassVar[str]

    def __init__(self) -> None:
        self.library: Any = importlib.import_module(self.module)

    async def open(self) -> None:
        """Make the object."""

    async def subscribe(self, observer: Observer) -> None:
        """Have a coroutine function called with what is emitted."""
        raise NotImplementedError

    async def emit(self, value: int) -> None:
        """Emit a value, and wait as the library has it."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the object."""

    def errors_kept(self) -> int:
        """Return how many errors of observers can be looked up after an emission that raised."""
        return 0


class Ours(Peer):
    """Observable."""

    name, distribution, module = "asyncutils-rx", "asyncutils-rx", "asyncutils_rx"
    how = "`await source.notify(value)`"

    async def open(self) -> None:
        self.source = self.library.Observable()

    async def subscribe(self, observer: Observer) -> None:
        self.source.subscribe_nowait(observer)

    async def emit(self, value: int) -> None:
        await self.source.notify(value)

    async def close(self) -> None:
        await self.source.aclose()


class RxPY(Peer):
    """A subject, and the usual way to have coroutines run."""

    name, distribution, module = "RxPY", "reactivex", "reactivex"
    how = "`subject.on_next(value)`, observers by `flat_map` to a future"

    async def open(self) -> None:
        self.subject = self.library.Subject()
        self.tasks: list[asyncio.Future[None]] = []

    async def subscribe(self, observer: Observer) -> None:
        def start(value: int) -> asyncio.Future[None]:
            self.tasks.append(asyncio.ensure_future(observer(value)))
            return self.tasks[-1]

        flat_map = importlib.import_module("reactivex.operators").flat_map
        self.subject.pipe(flat_map(start)).subscribe(on_error=lambda _: None)

    async def emit(self, value: int) -> None:
        self.subject.on_next(value)

    async def close(self) -> None:
        self.subject.dispose()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Aioreactive(Peer):
    """A subject of its own."""

    name, distribution, module = "aioreactive", "aioreactive", "aioreactive"
    how = "`await subject.asend(value)`"

    async def open(self) -> None:
        self.subject = self.library.AsyncSubject()

    async def subscribe(self, observer: Observer) -> None:
        await self.subject.subscribe_async(self.library.AsyncAnonymousObserver(observer))

    async def emit(self, value: int) -> None:
        await self.subject.asend(value)


class Streamz(Peer):
    """A stream on the running loop."""

    name, distribution, module = "streamz", "streamz", "streamz"
    how = "`await stream.emit(value)`, observers by `sink`"

    async def open(self) -> None:
        self.stream = self.library.Stream(asynchronous=True)

    async def subscribe(self, observer: Observer) -> None:
        self.stream.sink(observer)

    async def emit(self, value: int) -> None:
        await self.stream.emit(value)

    async def close(self) -> None:
        for sink in list(self.stream.downstreams):
            sink.destroy()


class PyEE(Peer):
    """The emitter for asyncio."""

    name, distribution, module = "pyee", "pyee", "pyee.asyncio"
    how = "`emitter.emit(name, value)`, then `await emitter.wait_for_complete()`"

    async def open(self) -> None:
        self.emitter = self.library.AsyncIOEventEmitter()
        self.emitter.on("error", lambda _: None)

    async def subscribe(self, observer: Observer) -> None:
        self.emitter.on("event", observer)

    async def emit(self, value: int) -> None:
        self.emitter.emit("event", value)
        await self.emitter.wait_for_complete()

    async def close(self) -> None:
        self.emitter.cancel()


class Blinker(Peer):
    """A signal; the value is its sender."""

    name, distribution, module = "blinker", "blinker", "blinker"
    how = "`await signal.send_async(value)`"

    async def open(self) -> None:
        self.signal = self.library.Signal()

    async def subscribe(self, observer: Observer) -> None:
        self.signal.connect(observer, weak=False)

    async def emit(self, value: int) -> None:
        await self.signal.send_async(value)


class PyAsyncutils(Peer):
    """Its observable."""

    name, distribution, module = "py-asyncutils", "py-asyncutils", "asyncutils.channels"
    how = "`await source.notify(value)`"

    async def open(self) -> None:
        self.source = await self.library.Observable().__aenter__()

    async def subscribe(self, observer: Observer) -> None:
        await self.source.subscribe(observer)

    async def emit(self, value: int) -> None:
        await self.source.notify(value)

    async def close(self) -> None:
        await self.source.__aexit__(None, None, None)


class Bubus(Peer):
    """A bus whose handlers run in parallel."""

    name, distribution, module = "bubus", "bubus", "bubus"
    how = "`await bus.dispatch(event)`, then `await event.event_results_list()`; `parallel_handlers=True`"
    event: Any

    async def open(self) -> None:
        self.event_type = event_type_of(self.library)
        self.bus = self.library.EventBus(parallel_handlers=True)

    async def subscribe(self, observer: Observer) -> None:
        async def handler(event: Any) -> None:
            await observer(event.value)

        handler.__name__ = f"handler_{id(observer)}"
        self.bus.on(self.event_type, handler)

    async def emit(self, value: int) -> None:
        self.event = event = self.bus.dispatch(self.event_type(value=value))
        await event
        await event.event_results_list(raise_if_any=True, raise_if_none=False)

    def errors_kept(self) -> int:
        return sum(result.error is not None for result in self.event.event_results.values())

    async def close(self) -> None:
        await self.bus.stop(timeout=0, clear=True)


class Abxbus(Bubus):
    """Its successor."""

    name, distribution, module = "abxbus", "abxbus", "abxbus"
    how = (
        '`await bus.emit(event).now()`, then `await event.event_results_list()`; `event_handler_concurrency="parallel"`'
    )

    async def open(self) -> None:
        self.event_type = event_type_of(self.library)
        self.bus = self.library.EventBus(event_handler_concurrency="parallel")

    async def emit(self, value: int) -> None:
        self.event = event = self.bus.emit(self.event_type(value=value))
        await event.now()
        await event.event_results_list(raise_if_any=True, raise_if_none=False)

    async def close(self) -> None:
        await self.bus.destroy()


def event_type_of(library: Any) -> Any:
    """Return a class of events with a value."""
    return type("Event", (library.BaseEvent,), {"__annotations__": {"value": int}, "__module__": __name__})


PEERS: tuple[type[Peer], ...] = (Ours, RxPY, Aioreactive, Streamz, PyEE, Blinker, PyAsyncutils, Bubus, Abxbus)
