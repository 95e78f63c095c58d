"""Right uses of ``Observable``: what is inferred for construction, notifying, observers and waiting."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Iterator
from typing import Any, assert_type

import asyncutils_rx
from asyncutils_rx import Observable, channels
from asyncutils_rx.exceptions import AsyncutilsRxError
from asyncutils_rx.types import Observer, SubscriptionRV


def sync_observer(number: int, name: str) -> None: ...


async def async_observer(number: int, name: str) -> float:
    return number / len(name)


def wider_observer(number: float, name: object = "", *rest: object) -> None: ...


def keyword_observer(*, key: int) -> None: ...


class Listener:
    def method(self, number: int, name: str) -> None: ...

    async def __call__(self, number: int, name: str) -> None: ...


def construct() -> None:
    explicit = Observable[[int, str]]()
    assert_type(explicit, Observable[[int, str]])
    from_sync: Observable[[int, str]] = Observable([sync_observer])
    from_async: Observable[[int, str]] = Observable((async_observer,), maxsize=3)
    assert_type(from_sync, Observable[[int, str]])
    assert_type(from_async, Observable[[int, str]])
    assert_type(Observable[[]](maxsize=None), Observable[[]])
    annotated: Observable[[int, str]] = Observable()
    assert_type(annotated, Observable[[int, str]])
    anything: Observable[...] = Observable()
    assert_type(anything, Observable[...])
    assert_type(asyncutils_rx.Observable[[int]](), channels.Observable[[int]])


async def notify(obs: Observable[[int, str]], keyed: Observable[...]) -> None:
    assert_type(await obs.notify(1, "one"), None)
    assert_type(await obs.notify(1, "one", _ret_exc_=True), None)
    await keyed.notify(1, "two", three=3)
    results = obs.notify_sequential(1, "one")
    assert_type(results, AsyncGenerator[Any, None])
    async for _ in obs.notify_sequential(1, "one", _silent_=True, _persistent_=True):
        pass
    task = asyncio.create_task(obs.notify(1, "one"))
    assert_type(task, asyncio.Task[None])


async def notify_inferred() -> None:
    inferred = Observable([sync_observer, async_observer])
    await inferred.notify(1, "one")
    await inferred.notify(number=1, name="one")


async def subscribe(obs: Observable[[int, str]]) -> None:
    listener = Listener()
    assert_type(obs.subscribe_nowait(sync_observer), SubscriptionRV)
    obs.subscribe_nowait(async_observer)
    obs.subscribe_nowait(wider_observer)
    obs.subscribe_nowait(listener)
    obs.subscribe_nowait(listener.method)
    obs.subscribe_nowait(lambda number, name: number + len(name))
    obs.subscribe_nowait(functools.partial(sync_observer))
    assert_type(await obs.subscribe(async_observer), SubscriptionRV)
    assert_type(obs.subscribe_syncf(sync_observer), SubscriptionRV)
    assert_type(obs.ntimes(async_observer), SubscriptionRV)
    obs.ntimes(observer=async_observer, n=3)
    assert_type(await obs.unsubscribe(sync_observer, strict=True), None)
    assert_type(obs.unsubscribe_nowait(sync_observer), None)
    assert_type(obs.unsubscribe_eventually(sync_observer, asap=True), None)
    observer: Observer[[int, str]] = sync_observer
    subscription = obs.subscribe_nowait(observer)
    assert_type(subscription(strict=False), None)
    with obs.subscribe_nowait(observer) as entered:
        entered()


async def no_parameters(obs: Observable[[]]) -> None:
    obs.subscribe_nowait(lambda: None)
    await obs.notify()


async def wait(obs: Observable[[int, str]]) -> None:
    args, kwargs = await obs.wait_for_next(timeout=1.5, strict=True)
    assert_type(args, tuple[Any, ...])
    assert_type(kwargs, dict[str, Any])
    assert_type(await obs.wait_until_idle(timeout=None), None)
    assert_type(obs.idle, bool)
    assert_type(obs.notifying, bool)
    assert_type(obs.start_accumulation(), bool)
    assert_type(await obs.restart_accumulation(flush=True), None)
    assert_type(await obs.handle_notifications(), None)
    assert_type(await obs.handle_unsubscriptions(), None)


async def iterate(obs: Observable[[int, str]]) -> None:
    iterator = iter(obs)
    assert_type(iterator, Iterator[Observer[[int, str]]])
    for observer in obs:
        observer(1, "one")
    async for observer in obs:
        observer(2, "two")


async def live(obs: Observable[[int, str]]) -> None:
    async with obs as entered:
        assert_type(entered, Observable[[int, str]])
        assert_type(entered.loop, asyncio.AbstractEventLoop)
        assert_type(entered.make(asyncio.sleep(1, "done")), asyncio.Task[str])
    assert_type(await obs.aclose(), None)
    try:
        await obs.notify(1, "one")
    except AsyncutilsRxError as error:
        assert_type(error, AsyncutilsRxError)
