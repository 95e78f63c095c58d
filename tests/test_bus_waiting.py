"""``wait_for_event`` and ``subscribe_until``."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError, BusShutDown, BusTimeout
from tests.observable_kit import Held, Recorder, Tally, begin, now, settle, within

# wait_for_event


async def test_wait_for_event_returns_a_task_for_the_data() -> None:
    bus = EventBus()
    task = await bus.wait_for_event("topic")
    assert isinstance(task, asyncio.Task)
    assert not task.done()
    await bus.publish("other", 1)
    await bus.publish("topic", 2)
    assert await within(task) == 2


async def test_wait_for_event_has_registered_when_it_returns() -> None:
    bus = EventBus()
    task = await bus.wait_for_event("topic")
    bus.sync_start_publish("topic", 1)
    assert await within(task) == 1


async def test_wait_for_event_takes_the_first_event_only() -> None:
    bus = EventBus()
    task = await bus.wait_for_event("topic")
    await bus.publish("topic", 1)
    await bus.publish("topic", 2)
    assert await within(task) == 1


async def test_wait_for_event_sees_what_the_middlewares_made() -> None:
    bus = EventBus()
    bus.add_middleware(lambda _, data: data + 1)
    task = await bus.wait_for_event("topic")
    await bus.publish("topic", 1)
    assert await within(task) == 2


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_wait_for_event_waits_for_one_that_satisfies_the_condition(asynchronous: bool) -> None:
    bus = EventBus()

    async def later(data: int) -> bool:
        await asyncio.sleep(0)
        return data > 2

    condition: Any = later if asynchronous else lambda data: data > 2
    task = await bus.wait_for_event("topic", condition=condition)
    for number in range(5):
        await bus.publish("topic", number)
    assert await within(task) == 3


async def test_wait_for_event_fails_with_what_the_condition_raises() -> None:
    bus = EventBus()
    error = ValueError()

    def condition(_: Any) -> bool:
        raise error

    task = await bus.wait_for_event("topic", condition=condition)
    await bus.publish("topic", 1)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # it is the very error
        await within(task)
    assert caught.value is error


async def test_publishers_do_not_wait_for_a_condition() -> None:
    bus = EventBus()
    held = Held()

    async def condition(data: Any) -> bool:
        await held(data)
        return True

    task = await bus.wait_for_event("topic", condition=condition)
    for number in range(200):
        await within(bus.publish("topic", number))
    held.release()
    assert await within(task) == 0


async def test_a_wait_is_no_subscriber() -> None:
    bus = EventBus()
    task = await bus.wait_for_event("topic")
    assert bus.event_names() == set()
    assert bus.total_subscribers == 0
    bus.clear()
    await bus.publish("topic", 1)
    assert await within(task) == 1


@pytest.mark.virtual_time
async def test_wait_for_event_fails_at_its_timeout() -> None:
    bus = EventBus("shop")
    task = await bus.wait_for_event("topic", timeout=3)
    await bus.publish("other", 1)
    with pytest.raises(BusTimeout, match="'shop'.*'topic'.*3 s"):
        await task
    assert now() == 3
    assert not bus._core.sinks
    await bus.publish("topic", 1)


@pytest.mark.virtual_time
async def test_the_timeout_of_a_wait_includes_its_condition() -> None:
    bus = EventBus()
    held = Held()

    async def condition(data: Any) -> bool:
        await held(data)
        return True

    task = await bus.wait_for_event("topic", timeout=3, condition=condition)
    await bus.publish("topic", 1)
    with pytest.raises(BusTimeout):
        await task
    assert held.cancelled == [1]
    assert now() == 3


@pytest.mark.virtual_time
async def test_the_timeout_of_a_wait_that_was_served_leaves_no_trace() -> None:
    bus = EventBus()
    task = await bus.wait_for_event("topic", timeout=3)
    await bus.publish("topic", 1)
    assert await task == 1
    await asyncio.sleep(10)


@pytest.mark.parametrize("settled", [False, True])
async def test_cancelling_the_task_ends_the_wait(settled: bool) -> None:
    bus = EventBus()
    task = await bus.wait_for_event("topic")
    if settled:
        await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert not bus._core.sinks
    assert not bus._core.waits


async def test_several_waits_see_the_same_event() -> None:
    bus = EventBus()
    tasks = [await bus.wait_for_event("topic") for _ in range(3)]
    await bus.publish("topic", 1)
    assert await within(asyncio.gather(*tasks)) == [1, 1, 1]


async def test_a_subscriber_may_wait_for_an_event() -> None:
    bus = EventBus(max_concurrent=1)
    seen: list[Any] = []

    @bus.subscribe_to("question")
    async def ask(_: Any) -> None:
        task = await bus.wait_for_event("answer")
        seen.append(await task)

    asking = await begin(bus.publish("question"))
    await within(bus.publish("answer", 42))
    await within(asking)
    assert seen == [42]


@pytest.mark.parametrize("immediate", [False, True])
async def test_a_wait_ends_at_shutdown(immediate: bool) -> None:
    bus = EventBus()
    task = await bus.wait_for_event("topic")
    await within(bus.shutdown(immediate))
    assert task.cancelled()


async def test_a_wait_is_served_by_what_was_published_before_the_shutdown() -> None:
    bus = EventBus()

    async def condition(data: int) -> bool:
        await asyncio.sleep(0)
        return data == 2

    task = await bus.wait_for_event("topic", condition=condition)
    for number in range(5):
        await bus.publish("topic", number)
    await within(bus.shutdown())
    assert task.result() == 2


@pytest.mark.virtual_time
async def test_a_wait_whose_condition_hangs_does_not_hold_a_shutdown_up_for_longer_than_its_timeout() -> None:
    bus = EventBus()
    held = Held()

    async def condition(data: Any) -> bool:
        await held(data)
        return True

    task = await bus.wait_for_event("topic", condition=condition)
    await bus.publish("topic", 1)
    await bus.shutdown(timeout=3)
    assert now() == 3
    assert task.cancelled()
    assert held.cancelled == [1]


async def test_wait_for_event_after_shutdown_raises() -> None:
    bus = EventBus("gone")
    await bus.shutdown()
    with pytest.raises(BusShutDown, match="gone"):
        await bus.wait_for_event("topic")


@pytest.mark.parametrize("event_type", [None, 1, EventBus.WILDCARD])
def test_wait_for_event_refuses_what_is_no_topic_at_the_call(event_type: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="EventBus.wait_for_event: event_type must be a string"):
        EventBus().wait_for_event(event_type)  # type: ignore[unused-coroutine]  # raises before there is one


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("timeout", -1, ArgumentValueError),
        ("timeout", float("nan"), ArgumentValueError),
        ("timeout", True, ArgumentTypeError),
        ("condition", 1, ArgumentTypeError),
    ],
)
def test_wait_for_event_refuses_bad_arguments_at_the_call(parameter: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"EventBus.wait_for_event: {parameter} must be"):
        EventBus().wait_for_event("topic", **{parameter: value})  # type: ignore[unused-coroutine]  # as above


# subscribe_until


async def test_subscribe_until_subscribes_until_the_future_is_done_and_gives_its_result() -> None:
    bus = EventBus()
    tally = Tally()
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, tally, "topic")
    assert isinstance(task, asyncio.Task)
    assert bus.is_subscribed(tally, "topic")
    await bus.publish("topic", 1)
    future.set_result("result")
    assert await within(task) == "result"
    assert not bus.is_subscribed(tally)
    await bus.publish("topic", 2)
    assert tally.values == [1]


async def test_subscribe_until_without_event_type_adds_a_wildcard() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder)
    await bus.publish("topic", 1)
    future.set_result(0)
    await within(task)
    assert recorder.calls == [(("topic", 1), {})]
    assert bus.wildcard_count == 0


async def test_subscribe_until_with_a_future_that_is_done_removes_at_once() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(1)
    task = await bus.subscribe_until(future, recorder)
    assert await within(task) == 1
    assert bus.wildcard_count == 0


async def test_subscribe_until_gives_the_error_of_the_future() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder)
    error = ValueError()
    future.set_exception(error)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # it is the very error
        await within(task)
    assert caught.value is error
    assert bus.wildcard_count == 0


async def test_subscribe_until_is_cancelled_with_the_future() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder)
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(task)
    assert bus.wildcard_count == 0


@pytest.mark.virtual_time
async def test_subscribe_until_leaves_the_subscriber_after_till_permanent() -> None:
    bus = EventBus("shop")
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder, "topic", till_permanent=3)
    with pytest.raises(BusTimeout, match="shop"):
        await task
    assert now() == 3
    assert bus.is_subscribed(recorder, "topic")
    future.set_result(1)
    await settle()
    assert bus.is_subscribed(recorder, "topic")


@pytest.mark.virtual_time
async def test_subscribe_until_is_done_before_till_permanent() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder, "topic", till_permanent=3)
    asyncio.get_running_loop().call_later(2, future.set_result, 1)
    assert await task == 1
    assert now() == 2
    assert not bus.is_subscribed(recorder)


@pytest.mark.parametrize("settled", [False, True])
async def test_cancelling_the_task_of_subscribe_until_removes_the_subscriber_and_spares_the_future(
    settled: bool,
) -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder, "topic")
    if settled:
        await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert not bus.is_subscribed(recorder)
    assert not future.cancelled()


async def test_subscribe_until_keeps_the_subscriber_alive_meanwhile() -> None:
    bus = EventBus()
    seen: list[Any] = []
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, lambda data: seen.append(data), "topic")
    gc.collect()
    await bus.publish("topic", 1)
    assert seen == [1]
    future.set_result(0)
    await within(task)


@pytest.mark.virtual_time
async def test_subscribe_until_holds_strongly_if_told_so() -> None:
    bus = EventBus()
    seen: list[Any] = []
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, lambda data: seen.append(data), "topic", till_permanent=1, weak=False)
    with pytest.raises(BusTimeout):
        await task
    del task
    gc.collect()
    await bus.publish("topic", 1)
    assert seen == [1]


async def test_subscribe_until_of_what_was_removed_meanwhile_is_harmless() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder, "topic")
    bus.unsubscribe(recorder, "topic")
    future.set_result(1)
    assert await within(task) == 1


async def test_subscribe_until_ends_at_shutdown() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = await bus.subscribe_until(future, recorder, "topic")
    await within(bus.shutdown())
    assert task.cancelled()
    assert not future.done()
    with pytest.raises(BusShutDown):
        await bus.subscribe_until(future, recorder, "topic")


async def test_subscribe_until_refuses_bad_arguments_at_the_call() -> None:
    bus = EventBus()
    recorder = Recorder()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    call: Any = bus.subscribe_until
    with pytest.raises(ArgumentTypeError, match="EventBus.subscribe_until: fut must be an asyncio.Future"):
        call(1, recorder, "topic")
    with pytest.raises(ArgumentTypeError, match="EventBus.subscribe_until: subscriber must be callable"):
        call(future, 1, "topic")
    with pytest.raises(ArgumentTypeError, match="EventBus.subscribe_until: event_type must be a string"):
        call(future, recorder, 1)
    with pytest.raises(ArgumentValueError, match="EventBus.subscribe_until: till_permanent must be"):
        call(future, recorder, "topic", till_permanent=-1)
    with pytest.raises(ArgumentTypeError, match="EventBus.subscribe_until: weak must be"):
        call(future, recorder, "topic", weak=1)
    assert bus.total_subscribers == 0


async def test_subscribe_until_refuses_a_future_of_another_loop() -> None:
    bus = EventBus()
    recorder = Recorder()
    other = asyncio.new_event_loop()
    future: asyncio.Future[int] = other.create_future()
    with pytest.raises(ArgumentValueError, match="fut must be a future of the running event loop"):
        await bus.subscribe_until(future, recorder, "topic")
    assert bus.total_subscribers == 0
    other.close()
