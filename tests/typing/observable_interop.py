"""Right uses of what joins ``Observable`` to RxPY, to ``async for`` and to other threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future as ThreadFuture
from typing import TYPE_CHECKING, Any, assert_type

import reactivex
from reactivex import operators as ops
from reactivex.subject import ReplaySubject, Subject

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable

    from asyncutils_rx.types import MapMode, OverflowPolicy, SingleValued, Subscribable


class Foreign:
    """What has RxPY's ``subscribe`` and nothing else of it."""

    def subscribe(self, *callbacks: Callable[..., object]) -> object:
        return callbacks


def to_text(number: int) -> str:
    return str(number)


async def fetched(number: int) -> str:
    return str(number)


def promised(number: int) -> asyncio.Future[str]:
    return asyncio.ensure_future(fetched(number))


def perhaps_promised(number: int) -> Awaitable[str] | str:
    return fetched(number) if number else ""


async def counted(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield number


def from_rx(numbers: reactivex.Observable[int], policy: OverflowPolicy) -> None:
    assert_type(Observable.from_rx(numbers), Observable[[int]])
    assert_type(Observable.from_rx(reactivex.of("a", "b"), maxsize=3, overflow="drop_oldest"), Observable[[str]])
    assert_type(Observable.from_rx(numbers.pipe(ops.map(to_text)), overflow=policy), Observable[[str]])
    assert_type(Observable.from_rx(Subject[bytes]()), Observable[[bytes]])
    assert_type(Observable.from_rx(ReplaySubject[bytes]()), Observable[[bytes]])
    assert_type(Observable.from_rx(reactivex.interval(1.0)).filter(lambda tick: tick > 2), Observable[[int]])
    for each in ("wait", "drop_newest", "latest", "raise"):
        overflow: OverflowPolicy = each
        assert_type(Observable.from_rx(numbers, overflow=overflow), Observable[[int]])


def from_others(untyped: Any, subscribable: Subscribable) -> None:
    assert_type(Observable.from_rx(Foreign()), Observable[[Any]])
    assert_type(Observable.from_rx(subscribable), Observable[[Any]])
    declared: Observable[[int]] = Observable.from_rx(untyped)
    assert_type(declared, Observable[[int]])


def to_rx(obs: Observable[[int]], pairs: Observable[[int, str]], anything: Observable[...]) -> None:
    assert_type(obs.to_rx(), reactivex.Observable[int])
    assert_type(obs.to_rx().pipe(ops.map(to_text)), reactivex.Observable[str])
    assert_type(pairs.to_rx(), reactivex.Observable[tuple[tuple[Any, ...], dict[str, Any]]])
    assert_type(anything.to_rx(), reactivex.Observable[Any])
    assert_type(Observable.from_rx(obs.to_rx()), Observable[[int]])


async def values(obs: Observable[[int]], anything: Observable[...], policy: OverflowPolicy) -> None:
    async for value in obs.values():
        assert_type(value, int)
    async for value in anything.values(maxsize=0):
        assert_type(value, Any)
    iterator: AsyncIterator[int] = obs.values(maxsize=3, overflow=policy)
    assert_type(await asyncio.wait_for(anext(iterator), 1), int)
    async with obs.filter(lambda number: number > 1).values(overflow="latest") as filtered:
        assert_type([value async for value in filtered], list[int])
        assert_type(filtered.dropped, int)
        assert_type(filtered.buffered, int)
        assert_type(await filtered.aclose(), None)


async def notifications(obs: Observable[[int, str]]) -> None:
    async for args, kwargs in obs.notifications(maxsize=5, overflow="raise"):
        assert_type(args, tuple[Any, ...])
        assert_type(kwargs, dict[str, Any])


def map_async(
    obs: Observable[[int]], pairs: Observable[[int, str]], mode: MapMode, awaited: Callable[[int], Awaitable[bytes]]
) -> None:
    assert_type(obs.map_async(fetched), Observable[[str]])
    assert_type(obs.map_async(promised), Observable[[str]])
    assert_type(obs.map_async(to_text), Observable[[str]])
    assert_type(obs.map_async(perhaps_promised), Observable[[str]])
    assert_type(obs.map_async(awaited, mode=mode), Observable[[bytes]])
    assert_type(obs.map_async(lambda number: fetched(number + 1)), Observable[[str]])
    assert_type(obs.map_async(lambda number: promised(number)), Observable[[str]])
    assert_type(obs.map_async(lambda number: asyncio.sleep(number, [number])), Observable[[list[int]]])
    assert_type(obs.map_async(lambda number: number.bit_length()), Observable[[int]])
    assert_type(obs.map_async(fetched, mode="unordered", max_concurrent=3, ret_exc=True), Observable[[str]])
    assert_type(pairs.map_async(lambda number, text: fetched(number + len(text)), mode="latest"), Observable[[str]])


async def feed(obs: Observable[[float]], whole: list[int], words: Observable[[str]]) -> None:
    assert_type(await obs.feed([1.5, 2.5]), None)
    await obs.feed(whole)
    await obs.feed(range(3))
    await obs.feed(counted(3))
    await obs.feed(number / 2 async for number in counted(3))
    await words.feed("word")
    either: Iterable[str] | AsyncIterable[str] = ["a"]
    await words.feed(either)
    lengths: AsyncIterable[int] = words.pipe(ops.map(lambda word: len(word))).values()
    await obs.feed(lengths)


async def threads(obs: Observable[[int, str]], anything: Observable[...]) -> None:
    assert_type(obs.notify_threadsafe(1, "one"), ThreadFuture[None])
    assert_type(anything.notify_threadsafe("anything", key=1), ThreadFuture[None])
    assert_type(await obs.wait_closed(), None)


async def generic(sink: SingleValued[int]) -> None:
    await sink.notify(1)


async def generic_uses(obs: Observable[[int]], wider: Observable[[float]], anything: Observable[...]) -> None:
    await generic(obs)
    await generic(wider)
    await generic(anything)


class Temperature(Observable[[float]]):
    """A subclass with parameters of its own."""


async def subclassed(temperature: Temperature) -> None:
    assert_type(temperature.to_rx(), reactivex.Observable[float])
    async for value in temperature.values():
        assert_type(value, float)
    await temperature.feed([1.5])
    assert_type(temperature.map_async(lambda degrees: degrees.is_integer()), Observable[[bool]])
    assert_type(temperature.merge(temperature), Observable[[float]])
