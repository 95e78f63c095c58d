"""Right uses of what ``Observable`` derives: types that follow the parameters of a notification."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from reactivex.scheduler import VirtualTimeScheduler
from reactivex.testing import TestScheduler

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactivex.abc import SchedulerBase


def is_even(number: int, name: str) -> bool:
    return number % 2 == 0 and bool(name)


def to_pair(number: int, name: str) -> tuple[list[object], dict[str, object]]:
    return [name, number], {"doubled": number * 2}


def same_parameters(obs: Observable[[int, str]], scheduler: SchedulerBase) -> None:
    assert_type(obs.filter(is_even), Observable[[int, str]])
    assert_type(obs.filter(lambda number, name: number > 1 and name != ""), Observable[[int, str]])
    assert_type(obs.filter(pred=is_even, ret_exc=True, scheduler=None), Observable[[int, str]])
    assert_type(obs.debounce(0.5), Observable[[int, str]])
    assert_type(obs.debounce(delay=1, ret_exc=True, scheduler=scheduler), Observable[[int, str]])
    assert_type(obs.throttle(0.5), Observable[[int, str]])
    assert_type(obs.throttle(interval=1, ret_exc=False, scheduler=TestScheduler()), Observable[[int, str]])
    assert_type(obs.buffer(10), Observable[[int, str]])
    assert_type(obs.buffer(count=2, ret_exc=True, scheduler=VirtualTimeScheduler()), Observable[[int, str]])
    assert_type(obs.at_change(), Observable[[int, str]])
    assert_type(obs.at_change(lambda number, name: (number, name)), Observable[[int, str]])
    assert_type(obs.at_change(key=is_even, ret_exc=True, scheduler=scheduler), Observable[[int, str]])
    assert_type(obs.fork(), Observable[[int, str]])
    assert_type(obs.fork(ret_exc=True, scheduler=scheduler), Observable[[int, str]])


async def other_parameters(obs: Observable[[int, str]], scheduler: SchedulerBase) -> None:
    mapped = obs.map(to_pair)
    assert_type(mapped, Observable[...])
    assert_type(obs.map(lambda number, name: ((name, number), {"sum": number + 1})), Observable[...])
    assert_type(obs.map(transform=to_pair, ret_exc=True, scheduler=scheduler), Observable[...])
    await mapped.notify("anything", key=object())


def merged(one: Observable[[int, str]], two: Observable[[int, str]], scheduler: SchedulerBase) -> None:
    assert_type(Observable.merge(one, two), Observable[[int, str]])
    assert_type(Observable.merge(one, ret_exc=True, scheduler=scheduler), Observable[[int, str]])
    assert_type(one.merge(two, one), Observable[[int, str]])
    assert_type(one.merge(two, ret_exc=True, scheduler=scheduler), Observable[[int, str]])


def chained(obs: Observable[[int]]) -> None:
    chain = obs.filter(lambda value: value > 0).at_change(lambda value: value // 10).buffer(3).throttle(0.1).fork()
    assert_type(chain, Observable[[int]])
    chain.subscribe_nowait(lambda value: value.bit_length())


async def chained_notifications(source: Observable[[int]], target: Observable[[int]]) -> None:
    source.subscribe_nowait(target.notify)
    await source.notify(1)


def generic(obs: Observable[[float]], make: Callable[[Observable[[float]]], Observable[[float]]]) -> None:
    assert_type(make(obs).debounce(1), Observable[[float]])


class Temperature(Observable[[float]]):
    """A subclass with parameters of its own."""

    async def report(self, value: float) -> None:
        await self.notify(value)


async def subclassed() -> None:
    async with Temperature() as temperature:
        assert_type(temperature, Temperature)
        assert_type(temperature.filter(lambda value: value > 0), Observable[[float]])
        await temperature.report(1.5)
