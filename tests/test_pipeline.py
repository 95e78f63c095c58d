"""The middleware pipeline by itself: data in, data out."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncutils_rx._pipeline import MiddlewareFailed, run_pipeline
from tests.support import tick


def adding(amount: int, *, suspends: bool) -> Any:
    async def later(_: str, data: int) -> int:
        await tick()
        return data + amount

    def at_once(_: str, data: int) -> int:
        return data + amount

    return later if suspends else at_once


async def test_run_pipeline_without_middlewares_returns_the_data_itself() -> None:
    data = object()
    assert await run_pipeline([], "topic", data) is data


async def test_run_pipeline_gives_each_middleware_what_the_one_before_returned() -> None:
    seen: list[tuple[str, list[int]]] = []

    def note(topic: str, data: list[int]) -> list[int]:
        seen.append((topic, data))
        return [*data, len(data)]

    assert await run_pipeline([note, note], "topic", []) == [0, 1]
    assert seen == [("topic", []), ("topic", [0])]


@pytest.mark.parametrize("suspends", [False, True])
async def test_run_pipeline_takes_sync_and_async_middlewares(suspends: bool) -> None:
    assert await run_pipeline([adding(1, suspends=suspends), adding(2, suspends=not suspends)], "topic", 0) == 3


class Callable:
    async def __call__(self, _: str, data: int) -> int:
        return data + 1

    def method(self, _: str, data: int) -> int:
        return data + 1

    @classmethod
    async def of_class(cls, _: str, data: int) -> int:
        return data + 1


async def add(amount: int, _: str, data: int) -> int:
    return data + amount


async def test_run_pipeline_takes_any_kind_of_callable() -> None:
    thing = Callable()
    middlewares: list[Any] = [thing, thing.method, Callable.of_class, partial(add, 1), lambda _, data: data + 1]
    assert await run_pipeline(middlewares, "topic", 0) == 5


async def test_run_pipeline_awaits_a_future_that_a_middleware_returns() -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_result("result")
    assert await run_pipeline([lambda *_: future], "topic", None) == "result"


async def test_run_pipeline_passes_an_awaitable_on_that_is_the_data() -> None:
    data = asyncio.get_running_loop().create_future()
    assert await run_pipeline([lambda _, data: data], "topic", data) is data


async def test_run_pipeline_does_not_await_what_an_async_middleware_returned() -> None:
    inner = asyncio.get_running_loop().create_future()

    async def wrap(_: str, __: object) -> object:
        return inner

    assert await run_pipeline([wrap], "topic", None) is inner


@pytest.mark.parametrize("suspends", [False, True])
async def test_run_pipeline_stops_at_the_first_error(suspends: bool) -> None:
    reached: list[int] = []
    error = ValueError("no")

    async def fail(_: str, __: object) -> object:
        if suspends:
            await tick()
        raise error

    def unreached(_: str, data: object) -> object:
        reached.append(1)
        return data

    with pytest.raises(MiddlewareFailed) as caught:
        await run_pipeline([fail, unreached], "topic", None)
    assert caught.value.error is error
    assert caught.value.middleware is fail
    assert caught.value.__cause__ is error
    assert reached == []


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(3)])
async def test_run_pipeline_passes_on_what_is_no_ordinary_error(error: BaseException) -> None:
    def fail(_: str, __: object) -> object:
        raise error

    with pytest.raises(type(error)) as caught:
        await run_pipeline([fail], "topic", None)
    assert caught.value is error


async def test_run_pipeline_cancelled_cancels_the_middleware_that_runs() -> None:
    seen: list[str] = []

    async def wait(_: str, data: object) -> object:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return data

    def unreached(_: str, data: object) -> object:
        seen.append("unreached")
        return data

    task = asyncio.ensure_future(run_pipeline([wait, unreached], "topic", None))
    await tick()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


def test_run_pipeline_does_not_suspend_by_itself() -> None:
    coro = run_pipeline([adding(1, suspends=False)] * 3, "topic", 0)
    with pytest.raises(StopIteration) as stopped:
        coro.send(None)
    assert stopped.value.value == 3


@given(st.lists(st.tuples(st.integers(), st.booleans())))
async def test_run_pipeline_is_the_fold_of_its_middlewares(steps: list[tuple[int, bool]]) -> None:
    seen: list[int] = []

    def middleware(number: int, suspends: bool) -> Any:
        async def later(_: str, data: int) -> int:
            seen.append(number)
            await tick()
            return data * 3 + number

        def at_once(_: str, data: int) -> int:
            seen.append(number)
            return data * 3 + number

        return later if suspends else at_once

    expected = 1
    for number, _ in steps:
        expected = expected * 3 + number
    assert await run_pipeline([middleware(*step) for step in steps], "topic", 1) == expected
    assert seen == [number for number, _ in steps]
