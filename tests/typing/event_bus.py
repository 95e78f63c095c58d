"""Right uses of ``EventBus``."""

from __future__ import annotations

import asyncio
import functools
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future as ThreadFuture
from typing import Any, Final, Literal, assert_type
from weakref import WeakSet

from asyncutils_rx import EventBus, Observable
from asyncutils_rx.types import WILDCARD, SpecificSubscriber, WildcardSubscriber, WildcardType

SALES: Final = "sales"


def on_sale(data: int) -> str:
    return str(data)


async def on_sale_async(data: dict[str, int]) -> None: ...


def on_anything(event_type: str, data: object) -> None: ...


class Ledger:
    def book(self, data: object) -> None: ...

    async def __call__(self, event_type: str, data: object) -> None: ...


def construct() -> None:
    async def handler(error: BaseException) -> None: ...

    assert_type(EventBus(), EventBus)
    EventBus("name", handler=print, max_concurrent=3, tracking_stats=True)
    EventBus(handler=handler)
    assert_type(EventBus.WILDCARD, Literal[WildcardType.WILDCARD])


def subscribe(bus: EventBus, ledger: Ledger) -> None:
    assert_type(bus.subscribe(on_sale, SALES)(data=1), str)
    bus.subscribe(on_anything)(event_type="sales", data=object())
    bus.subscribe(on_anything, EventBus.WILDCARD)(event_type="sales", data=object())
    assert_type(bus.subscribe(ledger), Ledger)
    bus.subscribe(on_sale_async, SALES)
    bus.subscribe(ledger.book, SALES, weak=False)
    bus.subscribe(functools.partial(on_anything, SALES), SALES, weak=False)
    bus.subscribe(lambda data: data.upper(), SALES, weak=False)
    bus.subscribe(lambda event_type, data: data[event_type.upper()], weak=False)
    assert_type(bus.unsubscribe(on_sale, SALES), bool)
    assert_type(bus.unsubscribe(on_anything), bool)
    assert_type(bus.is_subscribed(on_sale, SALES), bool)
    assert_type(bus.is_subscribed(on_anything, WILDCARD), bool)
    assert_type(bus.subscribers_for(SALES), WeakSet[SpecificSubscriber])
    assert_type(bus.subscribers_for(WILDCARD), WeakSet[WildcardSubscriber])
    assert_type(bus.wildcards, WeakSet[WildcardSubscriber])
    assert_type(bus.clear(SALES), WeakSet[SpecificSubscriber] | None)
    assert_type(bus.clear(WILDCARD), WeakSet[WildcardSubscriber] | None)
    assert_type(bus.clear_wildcards(), WeakSet[WildcardSubscriber] | None)


def decorate(bus: EventBus) -> Callable[[int], Coroutine[Any, Any, str]]:
    @bus.subscribe
    def everything(event_type: str, data: object) -> float:
        return len(event_type)

    @bus.subscribe_to(SALES)
    async def sold(data: int) -> str:
        return str(data)

    @bus.subscribe_to(WILDCARD, weak=False)
    def heard(event_type: str, data: object) -> bytes:
        return event_type.encode()

    assert_type(everything("sales", 1), float)
    assert_type(heard("sales", 1), bytes)
    return sold


async def publish(bus: EventBus) -> None:
    assert_type(await bus.publish(SALES), None)
    await bus.publish(SALES, {"price": 3}, wait=False, safe=True, timeout=1.5, chaperone=print)
    assert_type(asyncio.create_task(bus.publish(SALES, 1)), asyncio.Task[None])
    assert_type(bus.sync_start_publish(SALES, 1, safe=False), None)
    assert_type(bus.publish_threadsafe(SALES, 1), ThreadFuture[None])
    assert_type(await bus.feed_event(1, timeout=None), None)
    assert_type(await bus.feed_event(SALES, 1), None)


async def streams(bus: EventBus) -> None:
    assert_type(bus.event_stream(SALES), AsyncGenerator[Any, None])
    assert_type(bus.event_stream(), AsyncGenerator[tuple[str, Any], None])
    assert_type(bus.event_stream(WILDCARD), AsyncGenerator[tuple[str, Any], None])
    async for event_type, data in bus.event_stream(timeout=1, item_timeout=None, bufsize=3):
        assert_type(event_type, str)
        assert_type(data, Any)
    async for item in bus.event_stream(SALES, bufsize=0):
        assert_type(item, Any)
    task = await bus.wait_for_event(SALES, timeout=3, condition=lambda data: data > 2)
    assert_type(task, asyncio.Task[Any])
    future: asyncio.Future[int] = asyncio.Future()
    assert_type(await bus.subscribe_until(future, on_sale, SALES, till_permanent=3), asyncio.Task[int])
    assert_type(await bus.subscribe_until(future, on_anything), asyncio.Task[int])


async def middlewares(bus: EventBus) -> None:
    async def enriched(event_type: str, data: Any) -> object:
        return {event_type: data}

    cookie = bus.add_middleware(enriched)
    assert_type(cookie, int)
    bus.add_middleware(lambda event_type, data: (event_type, data))
    until: asyncio.Future[Any] = asyncio.Future()
    assert_type(bus.add_temp_middleware(enriched, until), None)
    assert_type(bus.remove_middleware(cookie, result=3, strict=True), Any)
    bus.remove_middleware(until)


def observe(bus: EventBus) -> None:
    assert_type(bus.observable(SALES), Observable[[Any]])
    assert_type(bus.observable(), Observable[[str, Any]])
    assert_type(bus.observable(WILDCARD).filter(lambda event_type, data: event_type != data), Observable[[str, Any]])
    assert_type(bus.observable(SALES).map_async(on_sale), Observable[[str]])


def statistics(bus: EventBus) -> None:
    assert_type(bus.get_event_stats(), defaultdict[str, int])
    assert_type(bus.stop_tracking(), None)
    assert_type(bus.stop_tracking(ret_stats=True), defaultdict[str, int])
    with bus.tracking_context() as nothing:
        assert_type(nothing, None)
    assert_type(bus.event_names(), set[str])
    assert_type((bus.active_tasks, bus.total_subscribers, bus.wildcard_count), tuple[int, int, int])


def narrowed(event_type: object) -> None:
    if EventBus.is_valid_event_type(event_type):
        assert_type(event_type, str | WildcardType)


async def live(bus: EventBus) -> None:
    async with bus as entered:
        assert_type(entered, EventBus)
        async with entered.audit_context():
            assert_type(entered.auditing, bool)
            entered.auditing = False
        with entered.audit_context():
            assert_type(entered.is_auditing(), bool)
    assert_type(await bus.shutdown(True, timeout=1, preserve_stats=True), None)
