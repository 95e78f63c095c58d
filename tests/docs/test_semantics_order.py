"""What the page about semantics says of order and of re-entrancy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncutils_rx import EventBus, Observable, Rendezvous
from asyncutils_rx.exceptions import ReentrancyError
from tests.observable_kit import Held, Recorder, Tally, begin, busy, settle, within

Numbers = Observable[[int]]


def noting(journal: list[Any], name: str, *, waits: bool = True) -> Any:
    async def observer(*args: Any) -> None:
        journal.append(f"{name} starts")
        if waits:
            await asyncio.sleep(0)
        journal.append(f"{name} ends")

    return observer


async def test_o1_observers_start_in_order_of_subscription() -> None:
    journal: list[str] = []
    source = Numbers([noting(journal, name, waits=name != "b") for name in "abc"])
    await source.notify(1)
    assert [line for line in journal if "starts" in line] == ["a starts", "b starts", "c starts"]


async def test_o2_one_that_waits_does_not_hold_up_those_after_it() -> None:
    held, after = Held(), Tally()
    source = Numbers([held, after])
    notifying = await begin(source.notify(1))
    assert (held.ended, after.values) == ([], [1])
    held.release()
    await notifying


async def test_o3_notify_returns_when_all_have_ended_derived_ones_included() -> None:
    direct, derived = Held(), Held()
    source = Numbers([direct])
    source.filter(bool).at_change().subscribe_nowait(derived)
    notifying = await begin(source.notify(1))
    direct.release()
    await settle()
    assert not notifying.done()
    derived.release()
    await within(notifying)
    assert derived.ended == [1]


async def test_o4_what_is_notified_meanwhile_is_delivered_in_order() -> None:
    held = Held()
    source = Numbers([held])
    running = await busy(source, held, 1)
    for value in (2, 3):
        await within(source.notify(value))
    assert held.started == [1]
    held.release()
    await within(running)
    assert held.started == [1, 2, 3]
    assert held.most_running == 1


async def test_o5_observers_of_a_source_start_before_those_of_what_is_derived() -> None:
    journal: list[str] = []
    source = Numbers()
    source.fork().subscribe_nowait(noting(journal, "derived"))
    source.subscribe_nowait(noting(journal, "direct"))
    await source.notify(1)
    assert [line for line in journal if "starts" in line] == ["direct starts", "derived starts"]


async def test_o6_an_observer_added_during_a_notification_sees_the_next_one() -> None:
    held, late = Held(), Tally()
    source = Numbers([held])
    running = await busy(source, held, 1)
    source.subscribe_nowait(late)
    held.release()
    await running
    await source.notify(2)
    assert late.values == [2]


async def test_o7_an_observer_removed_before_it_started_is_not_started() -> None:
    removed = Tally()
    source = Numbers()
    source.subscribe_nowait(lambda _: source.unsubscribe_nowait(removed))
    source.subscribe_nowait(removed)
    await source.notify(1)
    assert removed.values == []


@pytest.mark.virtual_time
@pytest.mark.parametrize(("mode", "results"), [("ordered", [3, 1, 2]), ("unordered", [1, 2, 3])])
async def test_o8_map_async_emits_in_order_or_as_they_finish(mode: Any, results: list[int]) -> None:
    async def after_seconds(value: int) -> int:
        await asyncio.sleep(value)
        return value

    emitted = Tally()
    async with Numbers() as source:
        source.map_async(after_seconds, mode=mode).subscribe_nowait(emitted)
        await source.feed([3, 1, 2])
    assert emitted.values == results


async def test_o9_publish_starts_the_topics_subscribers_and_then_the_wildcards() -> None:
    journal: list[str] = []
    bus = EventBus()
    kept = [noting(journal, name) for name in ("wildcard", "first", "second")]
    bus.subscribe(kept[0])
    bus.subscribe(kept[1], "topic")
    bus.subscribe(kept[2], "topic")
    await bus.publish("topic")
    assert [line for line in journal if "starts" in line] == ["first starts", "second starts", "wildcard starts"]
    await bus.shutdown()


async def test_o9_a_subscriber_that_waits_does_not_hold_up_the_others() -> None:
    held, after = Held(), Tally()
    async with EventBus() as bus:
        bus.subscribe(held, "topic")
        bus.subscribe(after, "topic", weak=False)
        publishing = await begin(bus.publish("topic", 1))
        assert (held.ended, after.values) == ([], [1])
        held.release()
        await within(publishing)


async def test_o10_middlewares_run_one_after_another_on_the_result_of_the_one_before() -> None:
    seen = Tally()
    bus = EventBus()
    bus.subscribe(seen, "topic", weak=False)

    async def add(topic: str, data: int) -> int:
        await asyncio.sleep(0)
        return data + 1

    bus.add_middleware(add)
    bus.add_middleware(lambda topic, data: data * 10)
    await bus.publish("topic", 1)
    assert seen.values == [20]
    await bus.shutdown()


async def test_o11_each_stream_has_every_publication_in_order() -> None:
    async with EventBus() as bus:
        streams = [bus.event_stream("topic"), bus.event_stream("topic")]
        for value in range(5):
            await bus.publish("topic", value)
    for stream in streams:
        assert [value async for value in stream] == [0, 1, 2, 3, 4]


async def test_o12_what_is_begun_starts_in_order_and_before_what_is_published_later() -> None:
    seen = Tally()
    async with EventBus() as bus:
        bus.subscribe(seen, "topic", weak=False)
        bus.sync_start_publish("topic", 1)
        await bus.publish("topic", 2, wait=False)
        await bus.publish("topic", 3)
        assert seen.values == [1, 2, 3]


async def test_o13_a_rendezvous_serves_first_in_first_out() -> None:
    desk: Rendezvous[int] = Rendezvous()
    puts = [await begin(desk.put(value)) for value in (1, 2)]
    assert await desk.get() == 1
    late = await begin(desk.put(3))
    assert [await desk.get(), await desk.get()] == [2, 3]
    assert await asyncio.gather(*puts, late) == [True] * 3
    gets = [await begin(desk.get()) for _ in range(2)]
    await desk.put(4)
    await desk.put(5)
    assert await asyncio.gather(*gets) == [4, 5]


async def test_o14_publications_reach_each_subscriber_in_order() -> None:
    slow, log = Recorder(), Tally()
    async with EventBus(max_concurrent=2) as bus:
        bus.subscribe(slow, "crowded")

        @bus.subscribe_to(EventBus.WILDCARD)
        def note(_: str, number: int) -> None:
            log(number)

        for number in range(20):
            bus.sync_start_publish("crowded" if number % 2 else "topic", number)
    assert log.values == list(range(20))
    assert slow.values == list(range(1, 20, 2))


# Re-entrancy


async def test_r1_a_notify_from_inside_is_queued_and_returns_at_once() -> None:
    journal: list[str] = []
    source = Numbers()

    async def again(value: int) -> None:
        journal.append(f"{value} starts")
        if value:
            await source.notify(value - 1)
        journal.append(f"{value} ends")

    source.subscribe_nowait(again)
    await within(source.notify(2))
    assert journal == ["2 starts", "2 ends", "1 starts", "1 ends", "0 starts", "0 ends"]


@pytest.mark.parametrize("call", ["notify", "wait_until_idle", "wait_for_next", "wait_closed", "handle_notifications"])
async def test_r2_a_call_that_would_wait_for_its_own_observer_raises_at_once(call: str) -> None:
    source: Observable[...] = Observable(maxsize=None)

    async def observer() -> None:
        await getattr(source, call)()

    source.subscribe_nowait(observer)
    with pytest.raises(ReentrancyError):
        await within(source.notify())


async def test_r3_subscribe_and_unsubscribe_from_inside_do_not_wait() -> None:
    late = Tally()
    source = Numbers()

    async def swap(_: int) -> None:
        await source.subscribe(late)
        await source.unsubscribe(swap)

    source.subscribe_nowait(swap)
    await within(source.notify(1))
    assert list(source) == [late]


async def test_r4_ntimes_calls_exactly_n_times_also_where_it_notifies_itself() -> None:
    calls: list[int] = []
    source = Numbers()

    async def observer(value: int) -> None:
        calls.append(value)
        await source.notify(value + 1)

    source.ntimes(observer, 3)
    await within(source.notify(1))
    assert calls == [1, 2, 3]


async def test_r5_a_task_that_an_observer_spawned_waits_as_anybody_else() -> None:
    spawned: list[asyncio.Task[None]] = []
    source = Numbers(maxsize=None)

    async def observer(value: int) -> None:
        if value == 1:
            spawned.append(asyncio.create_task(source.notify(2)))
            await settle()
            assert not spawned[0].done()

    noted = Recorder()
    source.subscribe_nowait(observer)
    source.subscribe_nowait(noted)
    await within(source.notify(1))
    await within(spawned[0])
    assert noted.values == [1, 2]


async def test_r6_a_nested_publication_does_not_deadlock() -> None:
    reached: list[int] = []
    async with EventBus(max_concurrent=1) as bus:

        @bus.subscribe_to("down")
        async def nest(depth: int) -> None:
            reached.append(depth)
            if depth:
                await bus.publish("down", depth - 1)

        await within(bus.publish("down", 50))
    assert reached == list(range(50, -1, -1))


async def test_r7_a_subscriber_may_shut_its_own_bus_down() -> None:
    journal: list[str] = []
    bus = EventBus()

    @bus.subscribe_to("end")
    async def end(_: object) -> None:
        await bus.shutdown()
        journal.append("shut down")

    await within(bus.publish("end"))
    assert journal == ["shut down"]
