"""Right uses of what ``Observable`` derives: types that follow the parameters of a notification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never, assert_type

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


def one_value(number: int, name: str) -> tuple[tuple[str], dict[str, Never]]:
    return (name * number,), {}


def with_keywords(number: int, name: str) -> tuple[tuple[str], dict[str, int]]:
    return (name,), {"number": number}


def any_number_of_values(number: int, name: str) -> tuple[tuple[str, ...], dict[str, Never]]:
    return (name,) * number, {}


def mapped(obs: Observable[[int]], pairs: Observable[[int, str]], unknown: Any) -> None:
    assert_type(obs.map(lambda number: ((str(number),), {})), Observable[[str]])
    assert_type(obs.map(lambda number: ((str(number), number), {})), Observable[[str, int]])
    assert_type(obs.map(lambda number: ((str(number), number, number * 0.5), {})), Observable[[str, int, float]])
    assert_type(obs.map(lambda number: (([number],), {}), ret_exc=True), Observable[[list[int]]])
    assert_type(pairs.map(lambda number, name: ((name, number), {})), Observable[[str, int]])
    assert_type(pairs.map(one_value), Observable[[str]])
    assert_type(obs.map(lambda number: ((unknown, number), {})), Observable[[Any, int]])
    assert_type(
        obs.filter(lambda number: number > 1).map(lambda number: ((str(number),), {})).map(lambda t: ((len(t),), {})),
        Observable[[int]],
    )


def mapped_to_what_has_no_name(obs: Observable[[int]], pairs: Observable[[int, str]]) -> None:
    assert_type(obs.map(lambda number: ((number, number, number, number), {})), Observable[...])
    assert_type(obs.map(lambda number: ((number,), {"key": number})), Observable[...])
    assert_type(obs.map(lambda number: ([number], {})), Observable[...])
    assert_type(obs.map(lambda number: ((), {})), Observable[...])
    assert_type(pairs.map(with_keywords), Observable[...])
    assert_type(pairs.map(any_number_of_values), Observable[...])
    declared: Observable[[int]] = obs.map(lambda number: ([number], {}))
    assert_type(declared, Observable[[int]])


def merged(one: Observable[[int, str]], two: Observable[[int, str]], scheduler: SchedulerBase) -> None:
    assert_type(Observable.merge(one, two), Observable[[int, str]])
    assert_type(Observable.merge(one, ret_exc=True, scheduler=scheduler), Observable[[int, str]])
    assert_type(one.merge(two, one), Observable[[int, str]])
    assert_type(one.merge(two, ret_exc=True, scheduler=scheduler), Observable[[int, str]])
    assert_type(Observable.merge(*[one, two]), Observable[[int, str]])
    assert_type(one.merge(two.filter(is_even), two.debounce(1)), Observable[[int, str]])


def merged_with_others(one: Observable[[int]], two: Observable[[int, str]]) -> None:
    assert_type(one.merge(two), Observable[...])
    mixed: Observable[...] = Observable.merge(one, two)
    mixed.subscribe_nowait(lambda *args: args)
    declared: Observable[[int]] = one.merge(Observable())
    assert_type(declared, Observable[[int]])


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
