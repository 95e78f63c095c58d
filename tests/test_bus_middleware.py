"""The registry of middlewares: what is in force, in which order, and what removing one gives."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError, BusShutDown
from tests.observable_kit import Held, Recorder, begin, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable


def adding(mark: str) -> Callable[[str, str], str]:
    def middleware(_: str, data: str) -> str:
        return data + mark

    return middleware


def listening(bus: EventBus) -> Recorder:
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    return recorder


# In force


async def test_middlewares_process_the_data_in_order_of_insertion() -> None:
    bus = EventBus()
    recorder = listening(bus)
    for mark in "abc":
        bus.add_middleware(adding(mark))
    await bus.publish("topic", "_")
    assert recorder.values == ["_abc"]


async def test_a_middleware_takes_the_event_type_and_the_data() -> None:
    bus = EventBus()
    seen: list[tuple[str, Any]] = []

    async def middleware(event_type: str, data: Any) -> Any:
        seen.append((event_type, data))
        await tick()
        return data

    bus.add_middleware(middleware)
    await bus.publish("topic", 1)
    assert seen == [("topic", 1)]


async def test_subscribers_streams_and_wildcards_see_what_the_last_middleware_returned() -> None:
    bus = EventBus()
    recorder, wildcard = listening(bus), Recorder()
    bus.subscribe(wildcard)
    stream = bus.event_stream("topic")
    bus.add_middleware(adding("!"))
    await bus.publish("topic", "data")
    assert recorder.values == ["data!"]
    assert wildcard.calls == [(("topic", "data!"), {})]
    assert await anext(stream) == "data!"


async def test_a_middleware_that_returns_none_makes_the_data_none() -> None:
    bus = EventBus()
    recorder = listening(bus)
    bus.add_middleware(lambda *_: None)
    await bus.publish("topic", 1)
    assert recorder.values == [None]


async def test_middlewares_are_held_strongly() -> None:
    bus = EventBus()
    recorder = listening(bus)
    bus.add_middleware(lambda _, data: data + 1)
    gc.collect()
    await bus.publish("topic", 1)
    assert recorder.values == [2]


async def test_the_same_middleware_can_be_added_repeatedly() -> None:
    bus = EventBus()
    recorder = listening(bus)
    middleware = adding("a")
    first, second = bus.add_middleware(middleware), bus.add_middleware(middleware)
    assert first != second
    await bus.publish("topic", "")
    bus.remove_middleware(first)
    await bus.publish("topic", "")
    assert recorder.values == ["aa", "a"]


async def test_an_unhashable_middleware_can_be_added() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ alone has it

        def __eq__(self, other: object) -> bool:
            return True

        def __call__(self, _: str, data: str) -> str:
            return data + "u"

    bus = EventBus()
    recorder = listening(bus)
    cookies = [bus.add_middleware(Unhashable()), bus.add_middleware(Unhashable())]
    future = asyncio.get_running_loop().create_future()
    bus.add_temp_middleware(Unhashable(), future)
    await bus.publish("topic", "")
    assert bus.remove_middleware(cookies[0], result="removed", strict=True) == "removed"
    assert bus.remove_middleware(future, strict=True) is None
    await bus.publish("topic", "")
    assert recorder.values == ["uuu", "u"]


async def test_middlewares_added_or_removed_during_a_publication_are_for_the_next_one() -> None:
    bus = EventBus()
    recorder = listening(bus)
    held = Held()

    async def first(_: str, data: str) -> str:
        await held(data)
        return data + "1"

    bus.add_middleware(first)
    cookie = bus.add_middleware(adding("2"))
    publishing = await begin(bus.publish("topic", "_"))
    bus.remove_middleware(cookie)
    bus.add_middleware(adding("3"))
    held.release()
    await within(publishing)
    await bus.publish("topic", "_")
    assert recorder.values == ["_12", "_13"]


async def test_a_publication_waits_for_an_async_middleware() -> None:
    bus = EventBus()
    recorder = listening(bus)
    held = Held()

    async def slow(_: str, data: Any) -> Any:
        await held(data)
        return data

    bus.add_middleware(slow)
    publishing = await begin(bus.publish("topic", 1))
    assert recorder.values == []
    held.release()
    await within(publishing)
    assert recorder.values == [1]


async def test_publish_cancelled_cancels_the_middleware_that_runs() -> None:
    bus = EventBus()
    recorder = listening(bus)
    held = Held()

    async def slow(_: str, data: Any) -> Any:
        await held(data)
        return data

    bus.add_middleware(slow)
    publishing = await begin(bus.publish("topic", 1))
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert held.cancelled == [1]
    await bus.publish("topic", 2, wait=False)
    held.release()
    await settle()
    assert recorder.values == [2]


@pytest.mark.parametrize("max_concurrent", [1, 64])
async def test_a_middleware_may_publish_on_the_same_bus(max_concurrent: int) -> None:
    bus = EventBus(max_concurrent=max_concurrent)
    recorder, log = listening(bus), Recorder()
    bus.subscribe(log, "log")

    async def middleware(event_type: str, data: Any) -> Any:
        if event_type != "log":
            await bus.publish("log", data)
        return data

    bus.add_middleware(middleware)

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("topic", data)

    await within(bus.publish("outer", 1))
    assert log.values == [1, 1]
    assert recorder.values == [1]
    assert bus.active_tasks == 0


# Cookies


async def test_cookies_are_ints_and_never_used_again() -> None:
    bus = EventBus()
    seen: set[int] = set()
    for number in range(100):
        cookie = bus.add_middleware(adding("a"))
        assert type(cookie) is int
        assert cookie not in seen
        seen.add(cookie)
        if number % 2:
            bus.remove_middleware(cookie)
    assert len(seen) == 100


async def test_remove_of_a_plain_middleware_gives_the_result_passed() -> None:
    bus = EventBus()
    recorder = listening(bus)
    cookie = bus.add_middleware(adding("a"))
    assert bus.remove_middleware(cookie, result="result", strict=True) == "result"
    await bus.publish("topic", "_")
    assert recorder.values == ["_"]


def test_remove_without_a_result_gives_none() -> None:
    bus = EventBus()
    assert bus.remove_middleware(bus.add_middleware(adding("a"))) is None


def test_remove_of_an_unknown_cookie_gives_the_result_unless_strict() -> None:
    bus = EventBus()
    cookie = bus.add_middleware(adding("a"))
    bus.remove_middleware(cookie)
    for unknown in (cookie, 0, -1, 10**9):
        assert bus.remove_middleware(unknown, result="result") == "result"
        with pytest.raises(ValueError, match=r"EventBus\.remove_middleware: cookie must be .*strict=False") as caught:
            bus.remove_middleware(unknown, strict=True)
        assert isinstance(caught.value, ArgumentValueError)


@pytest.mark.parametrize("cookie", [None, "1", 1.0, True, adding("a")])
def test_remove_refuses_what_is_neither_a_cookie_nor_a_future(cookie: Any) -> None:
    bus = EventBus()
    bus.add_middleware(adding("a"))
    with pytest.raises(ArgumentTypeError, match="cookie must be an int, or a future"):
        bus.remove_middleware(cookie)
    assert len(bus._core.middlewares) == 1


@pytest.mark.parametrize("strict", [None, 1])
def test_remove_refuses_a_strict_that_is_no_bool(strict: Any) -> None:
    bus = EventBus()
    cookie = bus.add_middleware(adding("a"))
    with pytest.raises(ArgumentTypeError, match="strict must be True or False"):
        bus.remove_middleware(cookie, strict=strict)
    assert len(bus._core.middlewares) == 1


@pytest.mark.parametrize("middleware", [None, 1, "name"])
async def test_adding_refuses_what_is_not_callable(middleware: Any) -> None:
    bus = EventBus()
    with pytest.raises(ArgumentTypeError, match=r"EventBus\.add_middleware: middleware must be callable"):
        bus.add_middleware(middleware)
    future = asyncio.get_running_loop().create_future()
    with pytest.raises(ArgumentTypeError, match=r"EventBus\.add_temp_middleware: middleware must be callable"):
        bus.add_temp_middleware(middleware, future)
    assert len(bus._core.middlewares) == 0


@pytest.mark.parametrize("until", [None, 1, "future"])
def test_add_temp_middleware_refuses_what_is_no_future(until: Any) -> None:
    bus = EventBus()
    with pytest.raises(ArgumentTypeError, match="until must be an asyncio.Future"):
        bus.add_temp_middleware(adding("a"), until)
    assert len(bus._core.middlewares) == 0


# Temporary ones


async def test_a_temporary_middleware_is_in_force_until_its_future_is_done() -> None:
    bus = EventBus()
    recorder = listening(bus)
    until = asyncio.get_running_loop().create_future()
    outcome: object = bus.add_temp_middleware(adding("t"), until)  # type: ignore[func-returns-value]  # what is tested
    assert outcome is None
    bus.add_middleware(adding("p"))
    await bus.publish("topic", "_")
    until.set_result(None)
    await bus.publish("topic", "_")
    assert recorder.values == ["_tp", "_p"]


@pytest.mark.parametrize("how", ["result", "exception", "cancelled"])
async def test_a_future_done_in_any_way_ends_its_middleware_at_once(how: str) -> None:
    bus = EventBus()
    recorder = listening(bus)
    until = asyncio.get_running_loop().create_future()
    bus.add_temp_middleware(adding("t"), until)
    if how == "result":
        until.set_result(1)
    elif how == "exception":
        until.set_exception(ValueError())
        until.exception()
    else:
        until.cancel()
    await bus.publish("topic", "_")
    assert recorder.values == ["_"]


async def test_a_future_that_is_done_already_never_lets_its_middleware_in() -> None:
    bus = EventBus()
    recorder = listening(bus)
    until = asyncio.get_running_loop().create_future()
    until.set_result("over")
    bus.add_temp_middleware(adding("t"), until)
    await bus.publish("topic", "_")
    assert recorder.values == ["_"]
    assert bus.remove_middleware(until, strict=True) == "over"


@pytest.mark.parametrize("published", [False, True])
async def test_remove_by_a_future_that_is_done_gives_its_result(published: bool) -> None:
    bus = EventBus()
    until = asyncio.get_running_loop().create_future()
    bus.add_temp_middleware(adding("t"), until)
    until.set_result("of the future")
    if published:
        await bus.publish("topic", "_")
    assert bus.remove_middleware(until, result="passed", strict=True) == "of the future"
    assert bus.remove_middleware(until, result="passed") == "passed"
    with pytest.raises(ValueError, match="cookie"):
        bus.remove_middleware(until, strict=True)


async def test_remove_by_a_future_that_failed_raises_its_error() -> None:
    bus = EventBus()
    recorder = listening(bus)
    until = asyncio.get_running_loop().create_future()
    bus.add_temp_middleware(adding("t"), until)
    error = ValueError()
    until.set_exception(error)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # it is the very error
        bus.remove_middleware(until)
    assert caught.value is error
    await bus.publish("topic", "_")
    assert recorder.values == ["_"]


async def test_remove_by_a_future_that_was_cancelled_raises_that() -> None:
    bus = EventBus()
    until = asyncio.get_running_loop().create_future()
    bus.add_temp_middleware(adding("t"), until)
    until.cancel()
    with pytest.raises(asyncio.CancelledError):
        bus.remove_middleware(until)


async def test_remove_by_a_pending_future_sets_its_result() -> None:
    bus = EventBus()
    recorder = listening(bus)
    until = asyncio.get_running_loop().create_future()
    bus.add_temp_middleware(adding("t"), until)
    assert bus.remove_middleware(until, result="passed", strict=True) == "passed"
    assert until.result() == "passed"
    await bus.publish("topic", "_")
    assert recorder.values == ["_"]


async def test_remove_by_a_pending_task_leaves_the_task_alone() -> None:
    bus = EventBus()
    recorder = listening(bus)
    held = Held()
    task = await begin(held(1))
    bus.add_temp_middleware(adding("t"), task)
    assert bus.remove_middleware(task, result="passed", strict=True) == "passed"
    await bus.publish("topic", "_")
    assert recorder.values == ["_"]
    held.release()
    await task
    assert held.ended == [1]


async def test_one_future_can_stand_for_several_middlewares() -> None:
    bus = EventBus()
    recorder = listening(bus)
    until = asyncio.get_running_loop().create_future()
    bus.add_temp_middleware(adding("a"), until)
    bus.add_middleware(adding("b"))
    bus.add_temp_middleware(adding("c"), until)
    await bus.publish("topic", "_")
    bus.remove_middleware(until)
    await bus.publish("topic", "_")
    assert recorder.values == ["_abc", "_b"]


async def test_a_temporary_middleware_has_no_cookie() -> None:
    bus = EventBus()
    recorder = listening(bus)
    until = asyncio.get_running_loop().create_future()
    first = bus.add_middleware(adding("a"))
    bus.add_temp_middleware(adding("t"), until)
    last = bus.add_middleware(adding("b"))
    for cookie in range(first + 1, last):
        with pytest.raises(ValueError, match="cookie"):
            bus.remove_middleware(cookie, strict=True)
    await bus.publish("topic", "_")
    assert recorder.values == ["_atb"]


async def test_an_expired_middleware_is_let_go_with_its_future() -> None:
    class Middleware:
        def __call__(self, _: str, data: Any) -> Any:
            return data

    bus = EventBus()
    loop = asyncio.get_running_loop()
    middleware, until = Middleware(), loop.create_future()
    alive = weakref.ref(middleware)
    bus.add_temp_middleware(middleware, until)
    until.set_result(None)
    del middleware
    await bus.publish("topic", 1)
    gc.collect()
    assert alive() is None
    del until
    gc.collect()
    assert len(bus._core.middlewares._futures) == 0


async def test_a_pending_future_that_nobody_holds_keeps_its_middleware_in_force() -> None:
    bus = EventBus()
    recorder = listening(bus)
    bus.add_temp_middleware(adding("t"), asyncio.get_running_loop().create_future())
    gc.collect()
    await bus.publish("topic", "_")
    assert recorder.values == ["_t"]


# The end


async def test_adding_after_shutdown_raises_and_removing_is_harmless() -> None:
    bus = EventBus()
    loop = asyncio.get_running_loop()
    until = loop.create_future()
    cookie = bus.add_middleware(adding("a"))
    bus.add_temp_middleware(adding("t"), until)
    await bus.shutdown()
    with pytest.raises(BusShutDown):
        bus.add_middleware(adding("a"))
    with pytest.raises(BusShutDown):
        bus.add_temp_middleware(adding("a"), loop.create_future())
    assert bus.remove_middleware(cookie, result=1) == 1
    assert bus.remove_middleware(until, result=1) == 1
    assert not until.done()


# All of it, at random


@given(st.lists(st.tuples(st.sampled_from(["add", "temp", "remove", "finish", "publish"]), st.integers(0, 9))))
async def test_middlewares_agree_with_a_list(steps: list[tuple[str, int]]) -> None:
    bus = EventBus()
    loop = asyncio.get_running_loop()
    recorder = listening(bus)
    model: list[tuple[str, Any]] = []
    for mark, (step, number) in enumerate(steps):
        if step == "add":
            model.append((f"{mark},", bus.add_middleware(adding(f"{mark},"))))
        elif step == "temp":
            until = loop.create_future()
            bus.add_temp_middleware(adding(f"{mark},"), until)
            model.append((f"{mark},", until))
        elif step == "remove" and model:
            _, handle = model.pop(number % len(model))
            assert bus.remove_middleware(handle, result=mark, strict=True) == mark
        elif step == "finish" and model:
            index = number % len(model)
            if not isinstance(model[index][1], int):
                model.pop(index)[1].set_result(None)
        await bus.publish("topic", "")
        assert recorder.values[-1] == "".join(text for text, _ in model)
    await bus.publish("topic", "")
