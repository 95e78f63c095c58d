"""What the page about semantics says of backpressure and of threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from reactivex.subject import Subject

from asyncutils_rx import EventBus, Observable, Rendezvous
from asyncutils_rx.exceptions import BusTimeout, OverflowPolicyError, WrongLoopError
from tests.observable_kit import Held, Recorder, Tally, begin, busy, failing, settle, within

Numbers = Observable[[int]]


async def test_b1_the_slowest_observer_sets_the_pace() -> None:
    held = Held()
    source = Numbers([held, Recorder()])
    async with EventBus() as bus:
        bus.subscribe(held, "topic")
        for call in (source.notify(1), bus.publish("topic", 2)):
            waiting = await begin(call)
            assert not waiting.done()
            held.release(held.started[-1])
            await within(waiting)


@pytest.mark.parametrize("maxsize", [2, None])
async def test_b2_a_full_queue_lets_a_notification_wait(maxsize: int | None) -> None:
    held = Held()
    source = Numbers([held], maxsize)
    calls = [await busy(source, held, 0), *[await begin(source.notify(value)) for value in (1, 2, 3)]]
    assert [call.done() for call in calls] == ([False, True, True, False] if maxsize else [False] * 4)
    held.release(0)
    await held.entered(1)
    await settle()
    assert [call.done() for call in calls] == ([False, True, True, True] if maxsize else [True] + [False] * 3)
    held.release()
    await within(asyncio.gather(*calls))
    await within(source.wait_until_idle())
    assert held.ended == [0, 1, 2, 3]


async def test_b3_a_full_buffer_lets_the_notifier_wait_or_fail() -> None:
    async with Numbers() as source:
        waits = source.values(maxsize=1)
        await source.notify(1)
        notifying = await begin(source.notify(2))
        assert not notifying.done()
        assert await anext(waits) == 1
        await within(notifying)
        await waits.aclose()
        raises = source.values(maxsize=1, overflow="raise")
        await source.notify(3)
        with pytest.raises(OverflowPolicyError):
            await source.notify(4)
        assert await anext(raises) == 3
        await raises.aclose()


@pytest.mark.parametrize(
    ("policy", "kept"), [("drop_oldest", [3, 4]), ("drop_newest", [0, 1]), ("latest", [4])], ids=lambda each: str(each)
)
async def test_b4_what_drops_never_waits_and_counts(policy: Any, kept: list[int]) -> None:
    async with Numbers() as source:
        iterator = source.values(maxsize=2, overflow=policy)
        await within(source.feed(range(5)))
    assert [value async for value in iterator] == kept
    assert iterator.dropped == 5 - len(kept)


@pytest.mark.virtual_time
async def test_b5_a_full_stream_lets_the_publisher_wait_until_its_timeout() -> None:
    async with EventBus() as bus:
        stream = bus.event_stream("topic", bufsize=1, timeout=5)
        await bus.publish("topic", 1)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ExceptionGroup) as caught:
            await bus.publish("topic", 2)
        assert asyncio.get_running_loop().time() - began == 5
        assert isinstance(caught.value.exceptions[0], BusTimeout)
        waiting = await begin(bus.publish("topic", 3))
        assert await anext(stream) == 1
        await within(waiting)
        assert await anext(stream) == 3
        await stream.aclose()


async def test_b6_no_more_than_max_concurrent_callbacks_run() -> None:
    held = Held()
    async with EventBus(max_concurrent=2) as bus:
        for _ in range(3):
            bus.subscribe(lambda value: held(value), "topic", weak=False)
        publishing = [await begin(bus.publish("topic", value)) for value in (1, 2)]
        assert (held.running, bus.active_tasks) == (2, 2)
        held.release()
        await within(asyncio.gather(*publishing))
    assert held.most_running == 2
    assert len(held.ended) == 6


async def test_b7_map_async_lets_the_notifier_wait_for_a_place() -> None:
    held = Held()
    async with Numbers() as source:
        mapped = source.map_async(held, max_concurrent=2)
        mapped.subscribe_nowait(Tally())
        for value in (1, 2):
            await within(source.notify(value))
        waiting = await begin(source.notify(3))
        assert not waiting.done()
        held.release(1)
        await within(waiting)
        held.release()
    assert held.most_running == 2


@pytest.mark.virtual_time
async def test_b8_put_tells_whether_somebody_has_taken_the_value() -> None:
    desk: Rendezvous[int] = Rendezvous()
    assert await desk.put(1, timeout=1) is False
    assert await desk.get("nothing") == "nothing"
    putting = await begin(desk.put(2))
    assert not putting.done()
    assert await desk.get() == 2
    assert await putting is True


async def test_b9_closing_does_not_wait_for_somebody_to_iterate() -> None:
    source = Numbers()
    iterator = source.values(maxsize=1)
    await source.notify(1)
    waiting = await begin(source.notify(2))
    await within(source.aclose())
    await within(waiting)
    assert [value async for value in iterator] == [1, 2]


# Threads


async def test_t1_observers_run_on_the_loops_thread() -> None:
    threads: list[threading.Thread] = []
    subject: Subject[int] = Subject()
    async with Observable.from_rx(subject) as source:
        source.subscribe_nowait(lambda _: threads.append(threading.current_thread()))
        await asyncio.to_thread(subject.on_next, 1)
    assert threads == [threading.current_thread()]


async def test_t2_a_threaded_observer_is_awaited() -> None:
    threads: list[threading.Thread] = []
    async with Numbers() as source:
        source.subscribe_syncf(lambda _: threads.append(threading.current_thread()))
        await source.notify(1)
        assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


async def test_t3_a_cancelled_notify_waits_for_the_thread() -> None:
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()

    def blocks(_: int) -> None:
        begun.set()
        release.wait(10)
        ended.set()

    async with Numbers() as source:
        source.subscribe_syncf(blocks)
        notifying = await begin(source.notify(1))
        await asyncio.to_thread(begun.wait)
        notifying.cancel()
        await settle()
        assert not notifying.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await within(notifying)
        assert ended.is_set()


async def test_t4_what_one_thread_notifies_is_delivered_in_order() -> None:
    seen = Tally()

    def sense(source: Numbers) -> None:
        for value in range(100):
            source.notify_threadsafe(value)

    async with Numbers([seen]) as source:
        await asyncio.to_thread(sense, source)
    assert seen.values == list(range(100))


async def test_t5_the_future_of_notify_threadsafe_is_done_with_the_observers() -> None:
    held = Held()
    async with Numbers([held]) as source:
        future = source.notify_threadsafe(1)
        await held.entered(1)
        assert not future.done()
        held.release()
        await within(asyncio.wrap_future(future))
        source.subscribe_nowait(failing(ValueError("bad")))
        with pytest.raises(ValueError, match="bad"):
            await within(asyncio.wrap_future(source.notify_threadsafe(2)))


@pytest.mark.virtual_time
async def test_t6_no_operator_starts_a_thread() -> None:
    before = set(threading.enumerate())
    seen = Tally()
    async with Numbers() as source:
        derived = source.filter(bool).at_change().debounce(1).throttle(1).buffer(1).fork()
        derived.merge(source.map_async(asyncio.sleep)).subscribe_nowait(seen)
        await source.notify(1)
        await asyncio.sleep(3)
        assert set(threading.enumerate()) <= before
    assert len(seen.values) == 2


def test_t7_an_object_belongs_to_its_first_loop() -> None:
    source, bus, desk = Numbers(), EventBus(), Rendezvous[int]()

    async def use() -> None:
        await source.notify(1)
        await bus.publish("topic")
        await desk.get(None)

    asyncio.run(use())
    for call in (lambda: source.notify(1), lambda: bus.publish("topic"), lambda: desk.get(None)):

        async def elsewhere(call: Any = call) -> None:
            with pytest.raises(WrongLoopError):
                await call()

        asyncio.run(elsewhere())
