"""The end of a bus: what it waits for, what it cuts short, and who may end it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from asyncutils_rx import EventBus, Observable
from asyncutils_rx.exceptions import (
    AlreadyEnteredError,
    ArgumentTypeError,
    ArgumentValueError,
    BusShutDown,
    ClosedError,
)
from tests.observable_kit import Held, Recorder, begin, collect_errors, failing, now, settle, within
from tests.support import tick

# Graceful


@pytest.mark.parametrize("wait", [True, False])
async def test_shutdown_waits_for_running_publications(wait: bool) -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1, wait=wait))
    ending = await begin(bus.shutdown())
    assert not ending.done()
    held.release()
    await within(ending)
    assert held.ended == [1]
    await publishing


async def test_shutdown_serves_publications_that_have_not_started() -> None:
    bus = EventBus(max_concurrent=1)
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    for number in range(5):
        bus.sync_start_publish("topic", number)
    await within(bus.shutdown())
    assert recorder.values == [0, 1, 2, 3, 4]


async def test_shutdown_takes_time_in_proportion_to_what_it_serves() -> None:
    class Looked(dict[Any, None]):
        looks = 0

        def __iter__(self) -> Any:
            for each in super().__iter__():
                type(self).looks += 1
                yield each

    bus = EventBus(max_concurrent=1)
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    bus._core.running = Looked()
    for number in range(300):
        bus.sync_start_publish("topic", number)
    await within(bus.shutdown())
    assert recorder.values == list(range(300))
    assert Looked.looks < 300 * 10


async def test_shutdown_serves_publications_that_wait_for_a_place() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "topic")
    publications = [await begin(bus.publish("topic", n)) for n in range(3)]
    ending = await begin(bus.shutdown())
    held.release()
    await within(asyncio.gather(ending, *publications))
    assert held.ended == [0, 1, 2]


async def test_shutdown_serves_a_publication_that_lets_the_loop_run_first() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    bus._bind().calls = 1000
    publishing = asyncio.ensure_future(bus.publish("topic", 1))
    await asyncio.sleep(0)
    await within(bus.shutdown())
    await within(publishing)
    assert recorder.values == [1]


async def test_shutdown_serves_what_a_running_callback_publishes_and_waits_for() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    recorder = Recorder()
    bus.subscribe(recorder, "inner")
    refused: list[BaseException] = []

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await held(data)
        await bus.publish("inner", data)
        try:
            bus.sync_start_publish("inner", "too late")
        except BusShutDown as error:
            refused.append(error)

    publishing = await begin(bus.publish("outer", 1))
    ending = await begin(bus.shutdown())
    with pytest.raises(BusShutDown):
        await bus.publish("inner", "from outside")
    held.release()
    await within(asyncio.gather(ending, publishing))
    assert recorder.values == [1]
    assert len(refused) == 1


async def test_shutdown_waits_for_an_async_handler() -> None:
    held = Held()
    bus = EventBus(handler=held)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.sync_start_publish("topic")
    ending = await begin(bus.shutdown())
    assert held.started == [error]
    assert not ending.done()
    held.release()
    await within(ending)


async def test_shutdown_waits_for_a_report_to_an_async_handler() -> None:
    held = Held()
    bus = EventBus(handler=held)
    waiting = Held()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.subscribe(waiting, "topic")
    publishing = await begin(bus.publish("topic", 1))
    publishing.cancel()
    await settle()
    ending = await begin(bus.shutdown())
    assert not ending.done()
    held.release()
    await within(ending)
    assert held.ended == [error]


async def test_after_shutdown_whatever_needs_an_open_bus_raises() -> None:
    bus = EventBus("gone")
    recorder = Recorder()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await bus.shutdown()
    calls: list[Any] = [
        lambda: bus.subscribe(recorder, "topic"),
        lambda: bus.unsubscribe(recorder, "topic"),
        lambda: bus.event_stream("topic"),
        lambda: bus.add_middleware(lambda _, data: data),
        lambda: bus.add_temp_middleware(lambda _, data: data, future),
        lambda: bus.sync_start_publish("topic"),
        bus.start_tracking,
        bus.start_audit,
        bus.raise_for_shutdown,
        lambda: bus.audit_context().__enter__(),
    ]
    for call in calls:
        with pytest.raises(BusShutDown, match="gone.*shut down"):
            call()
    for awaitable in (
        bus.publish("topic"),
        bus.publish("topic", wait=False),
        bus.feed_event("topic", 1),
        bus.wait_for_event("topic"),
        bus.subscribe_until(future, recorder),
    ):
        with pytest.raises(BusShutDown, match="gone"):
            await awaitable
    assert issubclass(BusShutDown, ClosedError)


def test_raise_for_shutdown_does_nothing_while_the_bus_is_open() -> None:
    EventBus().raise_for_shutdown()


async def test_raise_for_shutdown_raises_while_the_bus_is_shutting_down() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    ending = await begin(bus.shutdown())
    with pytest.raises(BusShutDown):
        bus.raise_for_shutdown()
    held.release()
    await within(asyncio.gather(ending, publishing))


async def test_shutdown_lets_subscribers_and_middlewares_go() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    bus.add_middleware(lambda _, data: data)
    await bus.shutdown()
    assert bus.total_subscribers == 0
    assert len(bus._core.middlewares) == 0


async def test_shutdown_cancels_and_awaits_owned_tasks() -> None:
    bus = EventBus()
    held = Held()
    task = bus.make(held(1))
    await settle()
    await within(bus.shutdown())
    assert task.cancelled()
    assert held.cancelled == [1]


# With a timeout, and at once


@pytest.mark.virtual_time
async def test_shutdown_cancels_what_runs_after_its_timeout() -> None:
    bus = EventBus("gone")
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    await bus.shutdown(timeout=3)
    assert now() == 3
    assert held.cancelled == [1]
    with pytest.raises(BusShutDown, match="gone"):
        await publishing
    task = asyncio.current_task()
    assert task is not None


@pytest.mark.virtual_time
async def test_shutdown_waits_for_what_it_cancelled() -> None:
    bus = EventBus()
    ended: list[float] = []

    @bus.subscribe_to("topic")
    async def slow_to_end(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2)
            ended.append(now())

    publishing = await begin(bus.publish("topic", 1))
    await bus.shutdown(timeout=3)
    assert ended == [5]
    assert now() == 5
    with pytest.raises(BusShutDown):
        await publishing


@pytest.mark.virtual_time
async def test_shutdown_that_needs_less_than_its_timeout_leaves_no_trace() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    bus.sync_start_publish("topic", 1)
    await bus.shutdown(timeout=3)
    assert now() == 0
    assert recorder.values == [1]
    await asyncio.sleep(10)


@pytest.mark.virtual_time
async def test_shutdown_after_its_timeout_leaves_streams_what_was_buffered() -> None:
    bus = EventBus()
    held = Held()
    stream = bus.event_stream("topic")
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    await bus.shutdown(timeout=3)
    assert [data async for data in stream] == [1]
    with pytest.raises(BusShutDown):
        await publishing


async def test_immediate_shutdown_cancels_what_runs_at_once() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    await within(bus.shutdown(immediate=True))
    assert held.cancelled == [1]
    with pytest.raises(BusShutDown):
        await publishing
    assert publishing.cancelling() == 0


async def test_immediate_shutdown_cancels_a_middleware_that_runs() -> None:
    bus = EventBus()
    held = Held()

    async def middleware(_: str, data: Any) -> Any:
        await held(data)
        return data

    bus.add_middleware(middleware)
    publishing = await begin(bus.publish("topic", 1))
    await within(bus.shutdown(immediate=True))
    assert held.cancelled == [1]
    with pytest.raises(BusShutDown):
        await publishing


async def test_immediate_shutdown_starts_nothing_that_waits_for_a_place() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "topic")
    publications = [await begin(bus.publish("topic", n)) for n in range(3)]
    await within(bus.shutdown(immediate=True))
    results = await asyncio.gather(*publications, return_exceptions=True)
    assert [type(result) for result in results] == [BusShutDown] * 3
    assert held.started == [0]
    assert bus.active_tasks == 0


async def test_immediate_shutdown_of_nested_publications_ends_the_outermost_with_bus_shut_down() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    seen: list[str] = []
    bus.subscribe(held, "inner")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        try:
            await bus.publish("inner", data)
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    publishing = await begin(bus.publish("outer", 1))
    await within(bus.shutdown(immediate=True))
    with pytest.raises(BusShutDown):
        await publishing
    assert seen == ["CancelledError"]
    assert held.cancelled == [1]


async def test_immediate_shutdown_of_a_publication_inside_a_middleware() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "inner")

    async def middleware(event_type: str, data: Any) -> Any:
        if event_type == "outer":
            await bus.publish("inner", data)
        return data

    bus.add_middleware(middleware)
    publishing = await begin(bus.publish("outer", 1))
    await within(bus.shutdown(immediate=True))
    with pytest.raises(BusShutDown):
        await publishing
    assert held.cancelled == [1]


async def test_a_publication_that_nobody_waits_for_and_that_is_cut_short_is_reported(
    loop_errors: list[dict[str, Any]],
) -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    bus.sync_start_publish("topic", 1)
    await settle()
    bus.sync_start_publish("topic", 2)
    await within(bus.shutdown(immediate=True))
    assert held.started == [1]
    assert [type(error) for error in collect_errors(loop_errors)] == [BusShutDown, BusShutDown]


async def test_a_publication_that_ends_while_it_is_cut_short_publishes_nothing_more() -> None:
    bus = EventBus()
    seen: list[BaseException] = []
    recorder = Recorder()
    bus.subscribe(recorder, "inner")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await bus.publish("inner", data)
            except BusShutDown as error:
                seen.append(error)

    publishing = await begin(bus.publish("outer", 1))
    await within(bus.shutdown(immediate=True))
    with pytest.raises(BusShutDown):
        await publishing
    assert len(seen) == 1
    assert recorder.values == []


async def test_an_error_raised_while_it_is_cut_short_is_reported(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    late = ValueError("late")

    @bus.subscribe_to("topic")
    async def bad(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise late from None

    publishing = await begin(bus.publish("topic", 1))
    await within(bus.shutdown(immediate=True))
    with pytest.raises(BusShutDown):
        await publishing
    assert collect_errors(loop_errors) == [late]


# Again, and concurrently


async def test_shutdown_again_is_harmless() -> None:
    bus = EventBus()
    await bus.shutdown()
    await bus.shutdown()
    await bus.shutdown(immediate=True, timeout=1, preserve_stats=True)
    await bus.aclose()


async def test_concurrent_shutdowns_wait_for_the_first() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    endings = [await begin(bus.shutdown()), await begin(bus.shutdown()), await begin(bus.aclose())]
    assert not any(ending.done() for ending in endings)
    held.release()
    await within(asyncio.gather(publishing, *endings))


async def test_an_immediate_shutdown_makes_one_that_is_under_way_immediate() -> None:
    bus = EventBus()
    held = Held()
    stream = bus.event_stream("topic")
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    graceful = await begin(bus.shutdown())
    assert not graceful.done()
    await within(bus.shutdown(immediate=True))
    await within(graceful)
    assert held.cancelled == [1]
    assert [data async for data in stream] == []
    with pytest.raises(BusShutDown):
        await publishing


async def test_a_graceful_shutdown_leaves_one_that_is_under_way_as_it_is() -> None:
    bus = EventBus(tracking_stats=True)
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    first = await begin(bus.shutdown(preserve_stats=True))
    second = await begin(bus.shutdown(preserve_stats=False))
    held.release()
    await within(asyncio.gather(first, second, publishing))
    assert bus.get_event_stats() == {"topic": 1}


async def test_shutdown_cancelled_cuts_short_what_runs_and_shuts_down() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    ending = await begin(bus.shutdown())
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(ending)
    assert held.cancelled == [1]
    with pytest.raises(BusShutDown):
        await publishing
    with pytest.raises(BusShutDown):
        bus.raise_for_shutdown()


async def test_shutdown_cancelled_again_still_awaits_what_runs() -> None:
    bus = EventBus()
    release = asyncio.Event()
    ended: list[int] = []

    @bus.subscribe_to("topic")
    async def slow_to_end(data: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()
            ended.append(data)

    publishing = await begin(bus.publish("topic", 1))
    ending = await begin(bus.shutdown())
    for _ in range(3):
        ending.cancel()
        await settle()
        assert not ending.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await within(ending)
    assert ended == [1]
    with pytest.raises(BusShutDown):
        await publishing


async def test_a_second_shutdown_cancelled_leaves_the_first_alone() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    first, second = await begin(bus.shutdown()), await begin(bus.shutdown())
    second.cancel()
    await settle()
    assert second.cancelled()
    assert not first.done()
    held.release()
    await within(asyncio.gather(first, publishing))


# From inside


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("immediate", [True, False])
async def test_a_callback_may_shut_the_bus_down(immediate: bool, wait: bool) -> None:
    bus = EventBus(max_concurrent=1)
    seen: list[str] = []

    @bus.subscribe_to("quit")
    async def finish(_: Any) -> None:
        await bus.shutdown(immediate)
        seen.append("shut down")
        await tick()
        seen.append("went on")

    await within(bus.publish("quit", wait=wait))
    await within(bus.aclose())
    assert seen == ["shut down", "went on"]
    assert not bus.running_tasks
    assert bus.active_tasks == 0


async def test_a_callback_that_shuts_the_bus_down_waits_for_the_others() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    seen: list[str] = []

    @bus.subscribe_to("quit")
    async def finish(_: Any) -> None:
        await bus.shutdown()
        seen.append("shut down")

    publishing = await begin(bus.publish("topic", 1))
    quitting = await begin(bus.publish("quit"))
    assert seen == []
    held.release()
    await within(asyncio.gather(quitting, publishing))
    assert seen == ["shut down"]


async def test_a_callback_lends_its_place_while_it_shuts_the_bus_down() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")

    @bus.subscribe_to("quit")
    async def finish(data: Any) -> None:
        await held(data)
        await bus.shutdown()

    quitting = await begin(bus.publish("quit", 1))
    publishing = await begin(bus.publish("topic", 2))
    held.release()
    await within(asyncio.gather(quitting, publishing))
    assert recorder.values == [2]
    assert bus.active_tasks == 0


async def test_a_nested_callback_may_shut_the_bus_down() -> None:
    bus = EventBus(max_concurrent=1)
    seen: list[str] = []

    @bus.subscribe_to("inner")
    async def inner(_: Any) -> None:
        await bus.shutdown()
        seen.append("inner")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data)
        seen.append("outer")

    await within(bus.publish("outer"))
    assert seen == ["inner", "outer"]


async def test_an_observer_that_a_callback_notifies_may_shut_the_bus_down() -> None:
    bus = EventBus(max_concurrent=1)
    obs: Observable[[int]] = Observable()

    async def observer(_: int) -> None:
        await tick()
        await bus.shutdown()

    obs.subscribe_nowait(observer)
    bus.subscribe(obs.notify, "topic")
    await within(bus.publish("topic", 1))
    with pytest.raises(BusShutDown):
        bus.raise_for_shutdown()
    await obs.aclose()


async def test_two_callbacks_may_shut_the_bus_down_at_once() -> None:
    bus = EventBus()
    seen: list[int] = []

    @bus.subscribe_to("quit")
    async def finish(number: int) -> None:
        await tick(3)
        await bus.shutdown()
        seen.append(number)

    await within(asyncio.gather(*(bus.publish("quit", n) for n in range(3))))
    assert sorted(seen) == [0, 1, 2]


async def test_a_callback_may_shut_the_bus_down_while_somebody_else_does() -> None:
    bus = EventBus()
    held = Held()
    seen: list[str] = []

    @bus.subscribe_to("quit")
    async def finish(data: Any) -> None:
        await held(data)
        await bus.shutdown()
        seen.append("inside")
        await tick(5)
        seen.append("ended")

    publishing = await begin(bus.publish("quit", 1))
    ending = await begin(bus.shutdown())
    held.release()
    await within(ending)
    assert seen == ["inside", "ended"]
    await within(publishing)


async def test_a_middleware_may_shut_the_bus_down() -> None:
    bus = EventBus()
    seen: list[Any] = []

    async def middleware(_: str, data: Any) -> Any:
        await bus.shutdown()
        seen.append(data)
        return data

    bus.add_middleware(middleware)
    await within(bus.publish("topic", 1))
    assert seen == [1]


async def test_a_handler_may_shut_the_bus_down() -> None:
    seen: list[BaseException] = []

    async def handler(error: BaseException) -> None:
        await bus.shutdown()
        seen.append(error)

    bus = EventBus(handler=handler)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    await within(bus.publish("topic"))
    assert seen == [error]


async def test_a_handler_of_an_error_that_nobody_waits_for_may_shut_the_bus_down() -> None:
    seen: list[BaseException] = []

    async def handler(error: BaseException) -> None:
        await bus.shutdown()
        seen.append(error)

    bus = EventBus(handler=handler)
    held = Held()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    publishing.cancel()
    await settle()
    assert seen == [error]


async def test_an_owned_task_may_shut_the_bus_down() -> None:
    bus = EventBus()
    task = bus.make(bus.shutdown())
    await within(asyncio.wait([task]))
    assert task.exception() is None


async def test_an_immediate_end_cuts_short_a_callback_that_shut_the_bus_down() -> None:
    bus = EventBus()
    held = Held()
    cut: list[str] = []

    @bus.subscribe_to("quit")
    async def finish(data: Any) -> None:
        await bus.shutdown()
        try:
            await held(data)
        except asyncio.CancelledError:
            cut.append("cut short")
            raise

    with pytest.raises(ValueError, match="body"):
        async with bus:
            publishing = await begin(bus.publish("quit", 1))
            raise ValueError("body")
    assert cut == ["cut short"]
    with pytest.raises(BusShutDown):
        await publishing


# The context


async def test_leaving_the_context_after_a_clean_body_serves_what_was_published() -> None:
    recorder = Recorder()
    async with EventBus() as bus:
        bus.subscribe(recorder, "topic")
        for number in range(3):
            bus.sync_start_publish("topic", number)
    assert recorder.values == [0, 1, 2]
    with pytest.raises(BusShutDown):
        await bus.publish("topic")


async def test_leaving_the_context_by_an_exception_ends_at_once(loop_errors: list[dict[str, Any]]) -> None:
    held = Held()
    with pytest.raises(ValueError, match="body"):
        async with EventBus() as bus:
            bus.subscribe(held, "topic")
            bus.sync_start_publish("topic", 1)
            await settle()
            raise ValueError("body")
    assert held.cancelled == [1]
    assert [type(error) for error in collect_errors(loop_errors)] == [BusShutDown]


async def test_the_context_gives_the_bus() -> None:
    bus = EventBus()
    async with bus as entered:
        assert entered is bus


async def test_shutdown_inside_the_context_is_fine() -> None:
    async with EventBus(tracking_stats=True) as bus:
        await bus.publish("topic")
        await bus.shutdown(preserve_stats=True)
    assert bus.get_event_stats() == {"topic": 1}


async def test_the_context_cannot_be_entered_twice() -> None:
    bus = EventBus("once")
    async with bus:
        with pytest.raises(AlreadyEnteredError, match="once"):
            await bus.__aenter__()
    with pytest.raises(AlreadyEnteredError, match="once"):
        await bus.__aenter__()


async def test_a_bus_that_was_shut_down_cannot_be_entered() -> None:
    bus = EventBus("gone")
    await bus.shutdown()
    with pytest.raises(BusShutDown, match="gone"):
        await bus.__aenter__()


async def test_a_failing_set_up_leaves_nothing_behind() -> None:
    held = Held()

    class Failing(EventBus):
        async def __setup__(self) -> None:
            await super().__setup__()
            self.make(held(1))
            await tick()
            raise ValueError("set-up")

    bus = Failing()
    with pytest.raises(ValueError, match="set-up"):
        async with bus:
            pass
    assert held.cancelled == [1]
    with pytest.raises(BusShutDown):
        await bus.publish("topic")


async def test_aclose_is_the_end_without_a_context() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    bus.sync_start_publish("topic", 1)
    await within(bus.aclose())
    assert recorder.values == [1]
    with pytest.raises(BusShutDown):
        bus.raise_for_shutdown()


def test_closing_again_on_another_loop_is_harmless() -> None:
    bus = EventBus()
    asyncio.run(bus.shutdown())
    asyncio.run(bus.shutdown())


@pytest.mark.parametrize(
    ("arguments", "error", "parameter"),
    [
        ({"immediate": 1}, ArgumentTypeError, "immediate"),
        ({"timeout": -1}, ArgumentValueError, "timeout"),
        ({"timeout": "1"}, ArgumentTypeError, "timeout"),
        ({"preserve_stats": None}, ArgumentTypeError, "preserve_stats"),
    ],
)
def test_shutdown_refuses_bad_arguments_at_the_call(
    arguments: dict[str, Any], error: type[Exception], parameter: str
) -> None:
    bus = EventBus()
    with pytest.raises(error, match=f"EventBus.shutdown: {parameter} must be"):
        bus.shutdown(**arguments)  # type: ignore[unused-coroutine]  # raises before there is one
    bus.raise_for_shutdown()


# The object


def test_a_bus_shows_name_state_and_counts() -> None:
    bus = EventBus("shop")
    recorder = Recorder()
    assert repr(bus) == "<EventBus 'shop' open, 0 topics, 0 subscribers, 0 publishing>"
    bus.subscribe(recorder, "topic")
    assert repr(bus) == "<EventBus 'shop' open, 1 topic, 1 subscriber, 0 publishing>"


async def test_a_bus_shows_that_it_ends_and_has_ended() -> None:
    bus = EventBus("shop")
    held = Held()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    ending = await begin(bus.shutdown())
    assert repr(bus) == "<EventBus 'shop' shutting down, 1 topic, 1 subscriber, 1 publishing>"
    held.release()
    await within(asyncio.gather(ending, publishing))
    assert repr(bus) == "<EventBus 'shop' shut down, 0 topics, 0 subscribers, 0 publishing>"


async def test_the_repr_of_a_bus_counts_the_living_and_changes_nothing() -> None:
    bus = EventBus("shop")

    def first(*_: object) -> None: ...

    def second(*_: object) -> None: ...

    for event_type in ("one", "two", EventBus.WILDCARD):
        bus.subscribe(first, event_type)
    bus.subscribe(second, "one")
    await bus.publish("one")
    await bus.publish("two")
    assert "2 topics, 4 subscribers" in repr(bus)
    del first
    gc.collect()
    assert "1 topic, 1 subscriber," in repr(bus)
    # Other threads may look too, so what has died is removed later.
    assert set(bus._core.topics.topics) == {"one", "two"}
    assert bus.event_names() == {"one"}
    assert "1 topic, 1 subscriber," in repr(bus)


def test_the_repr_of_a_bus_that_was_not_initialised_does_not_raise() -> None:
    class Late(EventBus):
        def __init__(self) -> None:
            self.shown = repr(self)
            super().__init__()

    assert "Late object" in Late().shown


def test_buses_without_a_name_are_numbered() -> None:
    assert EventBus().name != EventBus().name
    assert EventBus("shop").name == "shop"


@pytest.mark.parametrize("name", [1, b"bus", object()])
def test_a_name_that_is_no_string_is_refused(name: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="EventBus: name must be a string"):
        EventBus(name)


@pytest.mark.parametrize("handler", [1, "handler"])
def test_a_handler_that_is_not_callable_is_refused(handler: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="EventBus: handler must be callable"):
        EventBus(handler=handler)


async def test_shutdown_waits_for_the_handler_of_a_publication_that_nobody_waits_for() -> None:
    held = Held()
    bus = EventBus(handler=held)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.sync_start_publish("topic", safe=False)
    ending = await begin(bus.shutdown())
    assert held.started == [error]
    assert not ending.done()
    held.release()
    await within(ending)
    assert held.ended == [error]


async def test_immediate_shutdown_cancels_the_handler_of_a_publication_that_nobody_waits_for() -> None:
    held = Held()
    bus = EventBus(handler=held)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.sync_start_publish("topic", safe=False)
    await held.entered(error)
    await within(bus.shutdown(immediate=True))
    assert held.cancelled == [error]


async def test_the_handler_of_a_publication_that_nobody_waits_for_may_shut_the_bus_down() -> None:
    seen: list[BaseException] = []

    async def handler(error: BaseException) -> None:
        await bus.shutdown()
        seen.append(error)

    bus = EventBus(handler=handler)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.sync_start_publish("topic", safe=False)
    await settle()
    assert seen == [error]


async def test_immediate_shutdown_does_not_wait_for_a_callback_that_waits_for_its_place() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data)

    publications = [await begin(bus.publish("outer", 1)), await begin(bus.publish("other", 2))]
    held.release()
    await settle()
    await within(bus.shutdown(immediate=True))
    results = await asyncio.gather(*publications, return_exceptions=True)
    assert [type(result) for result in results] == [BusShutDown, BusShutDown]
