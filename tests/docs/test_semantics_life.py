"""What the page about semantics says of the life cycle."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
import weakref
from typing import Any

import pytest

from asyncutils_rx import EventBus, Observable
from asyncutils_rx.exceptions import AlreadyEnteredError, BusShutDown, ObservableClosed
from tests.observable_kit import Held, Recorder, Tally, begin, busy, within

Numbers = Observable[[int]]


def test_l1_objects_can_be_made_without_a_loop() -> None:
    seen = Tally()
    source, bus = Numbers([seen]), EventBus()
    source.filter(bool).subscribe_nowait(seen)
    bus.subscribe(seen, "topic", weak=False)

    async def main() -> None:
        await source.notify(1)
        await bus.publish("topic", 2)

    asyncio.run(main())
    assert seen.values == [1, 1, 2]


@pytest.mark.virtual_time
async def test_l2_leaving_emits_what_is_held_back_and_awaits_it() -> None:
    batched, latest = Recorder(), Recorder()
    async with Numbers() as source:
        source.buffer(3).subscribe_nowait(batched)
        source.debounce(60).subscribe_nowait(latest)
        await source.feed([1, 2])
        assert (batched.values, latest.values) == ([], [])
    assert (batched.values, latest.values) == ([1, 2], [2])
    assert asyncio.get_running_loop().time() < 60


@pytest.mark.virtual_time
async def test_l3_leaving_leaves_no_task_and_no_timer() -> None:
    loop: Any = asyncio.get_running_loop()
    async with Numbers() as source:
        source.debounce(60).subscribe_nowait(Tally())
        source.map_async(asyncio.sleep).subscribe_nowait(Tally())
        source.make(asyncio.sleep(3600))
        await source.notify(1)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []


@pytest.mark.parametrize("maxsize", [None, 1])
async def test_l4_calls_that_wait_as_the_exit_begins_are_served(maxsize: int | None) -> None:
    held = Held()
    source = Numbers([held], maxsize)
    running = await busy(source, held, 1)
    waiting = [await begin(source.notify(value)) for value in (2, 3)]
    closing = await begin(source.aclose())
    assert not closing.done()
    held.release()
    await within(asyncio.gather(running, *waiting, closing))
    assert held.ended == [1, 2, 3]


async def test_l5_a_closed_object_raises_from_what_needs_it_open_alone() -> None:
    seen = Tally()
    source, bus = Numbers(), EventBus()
    subscription = source.subscribe_nowait(seen)
    bus.subscribe(seen, "topic", weak=False)
    await source.aclose()
    await bus.shutdown()
    with pytest.raises(ObservableClosed):
        await source.notify(1)
    with pytest.raises(ObservableClosed):
        source.subscribe_nowait(seen)
    with pytest.raises(BusShutDown):
        await bus.publish("topic")
    with pytest.raises(BusShutDown):
        bus.event_stream("topic")
    subscription()
    assert (list(source), source.idle, bus.event_names(), bus.active_tasks) == ([], True, set(), 0)
    assert "closed" in repr(source)
    assert "shut down" in repr(bus)
    await source.aclose()
    await bus.shutdown()


@pytest.mark.parametrize("make", [Numbers, EventBus])
async def test_l6_entering_a_second_time_raises(make: Any) -> None:
    entered = make()
    async with entered:
        with pytest.raises(AlreadyEnteredError):
            await entered.__aenter__()
    with pytest.raises(AlreadyEnteredError):
        await entered.__aenter__()


async def test_l7_a_source_that_closes_completes_what_is_derived() -> None:
    source = Numbers()
    derived = source.filter(bool).fork()
    waiting = await begin(derived.wait_closed())
    await source.aclose()
    await within(waiting)


async def test_l8_a_derived_observable_lives_while_it_is_observed_or_referred_to() -> None:
    source, seen = Numbers(), Tally()
    unused = weakref.ref(source.filter(bool))
    observed = source.filter(bool)
    observed.subscribe_nowait(seen)
    alive = weakref.ref(observed)
    del observed
    gc.collect()
    assert unused() is None
    assert alive() is not None
    await source.notify(1)
    assert seen.values == [1]
    del source
    gc.collect()
    assert alive() is None


async def test_l9_what_an_operator_remembers_is_independent_of_observers() -> None:
    source, seen = Numbers(), Tally()
    changes = source.at_change()
    with changes.subscribe_nowait(Tally()):
        await source.notify(1)
    await source.notify(2)
    changes.subscribe_nowait(seen)
    await source.feed([2, 3])
    assert seen.values == [3]


@pytest.mark.parametrize("fails", [False, True])
async def test_l10_a_bus_drains_after_a_clean_body_and_cancels_after_an_error(fails: bool) -> None:
    held = Held()
    bus = EventBus()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))

    async def live() -> None:
        async with bus:
            if fails:
                raise LookupError

    living = await begin(live())
    if fails:
        with pytest.raises(LookupError):
            await within(living)
        assert held.cancelled == [1]
        with pytest.raises(BusShutDown):
            await publishing
    else:
        assert not living.done()
        held.release()
        await within(asyncio.gather(living, publishing))
        assert held.ended == [1]


@pytest.mark.virtual_time
async def test_l11_shutdown_cancels_what_runs_after_its_timeout() -> None:
    held = Held()
    bus = EventBus()
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    began = asyncio.get_running_loop().time()
    await bus.shutdown(timeout=5)
    assert asyncio.get_running_loop().time() - began == 5
    assert held.cancelled == [1]
    with pytest.raises(BusShutDown):
        await publishing


@pytest.mark.parametrize(("immediate", "read"), [(False, [1, 2]), (True, [])])
async def test_l12_streams_end_after_their_buffer_or_at_once(immediate: bool, read: list[int]) -> None:
    bus = EventBus()
    stream = bus.event_stream("topic")
    for value in (1, 2):
        await bus.publish("topic", value)
    await bus.shutdown(immediate)
    assert [value async for value in stream] == read


async def test_l13_a_bus_holds_its_subscribers_weakly() -> None:
    class Owner:
        def method(self, data: object) -> None:
            """Take part."""

    def local(data: object) -> None:
        """Take part."""

    owner = Owner()
    async with EventBus() as bus:
        bus.subscribe(owner.method, "topic")
        bus.subscribe(local, "topic")
        bus.subscribe(lambda data: None, "topic", weak=False)
        await bus.publish("topic")
        gc.collect()
        assert bus.subscriber_count("topic") == 3
        del owner, local
        gc.collect()
        assert bus.subscriber_count("topic") == 1


async def test_l14_a_subscriber_that_was_never_called_warns_as_it_goes() -> None:
    async with EventBus() as bus:
        with pytest.warns(RuntimeWarning, match="weak=False"):
            bus.subscribe(lambda data: None, "topic")
            gc.collect()


async def test_l15_topics_without_subscribers_take_no_memory() -> None:
    async with EventBus() as bus:

        async def ask(first: int) -> None:
            for number in range(first, first + 1000):
                bus.has_subscribers(f"topic {number}")
                await bus.publish(f"topic {number}")

        await ask(0)
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            await ask(1000)
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 20_000
        finally:
            tracemalloc.stop()
        assert bus.event_names() == set()
