"""How many callbacks run at a time, and how those that wait for publications of their own bus step aside."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncutils_rx import EventBus, Observable
from asyncutils_rx._runner import EAGER_DEPTH
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError
from tests.observable_kit import Held, Recorder, Tally, begin, failing, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def test_active_tasks_is_0_when_idle() -> None:
    bus = EventBus(max_concurrent=3)
    assert bus.active_tasks == 0
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    await bus.publish("topic")
    assert bus.active_tasks == 0


async def test_active_tasks_counts_the_callbacks_that_run() -> None:
    bus = EventBus()
    held, other = Held(), Held()
    bus.subscribe(held, "topic")
    bus.subscribe(other)
    publishing = await begin(bus.publish("topic", 1))
    assert bus.active_tasks == 2
    other.release()
    await settle()
    assert bus.active_tasks == 1
    held.release()
    await publishing
    assert bus.active_tasks == 0


async def test_active_tasks_counts_a_sync_callback_while_it_runs() -> None:
    bus = EventBus()
    seen: list[int] = []

    @bus.subscribe_to("topic")
    def note(_: Any) -> None:
        seen.append(bus.active_tasks)

    await bus.publish("topic")
    assert seen == [1]


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_no_more_callbacks_run_than_allowed(limit: int) -> None:
    bus = EventBus(max_concurrent=limit)
    held = Held()
    subscribers = [lambda data: held(data) for _ in range(4)]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    publications = [await begin(bus.publish("topic", n)) for n in range(3)]
    assert held.running == bus.active_tasks == limit
    held.release()
    await within(asyncio.gather(*publications))
    assert held.most_running == limit
    assert len(held.ended) == 12


async def test_the_limit_is_over_all_publications_and_all_topics() -> None:
    bus = EventBus(max_concurrent=2)
    held = Held()
    bus.subscribe(held, "one")
    bus.subscribe(held, "two")
    publications = [await begin(bus.publish(topic, n)) for n, topic in enumerate(["one", "two", "one"])]
    assert held.started == [0, 1]
    held.release(0)
    await settle()
    assert held.started == [0, 1, 2]
    held.release()
    await within(asyncio.gather(*publications))


async def test_publications_that_wait_for_a_place_start_in_order() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "topic")
    publications = [await begin(bus.publish("topic", n)) for n in range(10)]
    held.release()
    await within(asyncio.gather(*publications))
    assert held.started == list(range(10))


async def test_no_publication_overtakes_those_that_wait_for_a_place_however_many_get_one_at_once() -> None:
    bus = EventBus(max_concurrent=2)
    held = Held()
    tally = Tally()
    bus.subscribe(held, "slow")
    bus.subscribe(tally, "topic")
    slow = [await begin(bus.publish("slow", n)) for n in range(2)]
    for number in range(EAGER_DEPTH * 4):
        bus.sync_start_publish("topic", number)
    await settle()
    assert tally.values == []
    held.release()  # both end in one turn of the loop
    await within(asyncio.gather(*slow))
    await within(bus.shutdown())
    assert tally.values == list(range(EAGER_DEPTH * 4))


@pytest.mark.parametrize("max_concurrent", [1, 2, 3, 64])
async def test_a_wildcard_sees_what_was_begun_in_order_whatever_other_subscribers_do(max_concurrent: int) -> None:
    bus = EventBus(max_concurrent=max_concurrent)
    sync, recorder = Tally(), Recorder()
    others = [Recorder() for _ in range(3)]
    for other in others:
        bus.subscribe(other, "crowded")

    @bus.subscribe_to(EventBus.WILDCARD)
    def note(_: str, data: int) -> None:
        sync(data)

    @bus.subscribe_to(EventBus.WILDCARD)
    async def record(_: str, data: int) -> None:
        await recorder(data)

    for number in range(40):
        bus.sync_start_publish("topic" if number % 2 else "crowded", number)
    await within(bus.shutdown())
    assert sync.values == recorder.values == list(range(40))
    assert [other.values for other in others] == [list(range(0, 40, 2))] * 3


async def test_a_nested_publication_starts_before_what_has_not_started() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    journal: list[str] = []
    bus.subscribe(held, "slow")

    @bus.subscribe_to("outer")
    async def nest(data: object) -> None:
        await bus.publish("inner", data)
        journal.append("nest")

    @bus.subscribe_to("outer")
    def sibling(_: object) -> None:
        journal.append("sibling")

    @bus.subscribe_to("inner")
    async def inner(_: object) -> None:
        await tick()
        journal.append("inner")

    @bus.subscribe_to("later")
    def later(_: object) -> None:
        journal.append("later")

    slow = await begin(bus.publish("slow"))
    bus.sync_start_publish("outer")
    bus.sync_start_publish("later")
    await settle()
    held.release()
    await within(slow)
    await within(bus.shutdown())
    assert journal[0] == "inner"
    assert sorted(journal) == ["inner", "later", "nest", "sibling"]


async def test_a_publication_inside_the_first_subscriber_lets_nobody_start_before_the_second_one() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    tally = Tally()
    journal: list[str] = []
    bus.subscribe(held, "slow")
    bus.subscribe(tally, "inner")

    @bus.subscribe_to("outer")
    async def first(number: int) -> None:
        journal.append(f"first {number}")
        await bus.publish("inner", number)

    @bus.subscribe_to("outer")
    def second(number: int) -> None:
        journal.append(f"second {number}")

    slow = await begin(bus.publish("slow"))
    for number in range(4):
        bus.sync_start_publish("outer", number)
    await settle()
    held.release()
    await within(slow)
    await within(bus.shutdown())
    assert journal == [f"{which} {number}" for number in range(4) for which in ("first", "second")]
    assert tally.values == list(range(4))


async def test_however_many_publications_wait_for_a_place_each_starts_on_a_stack_that_takes_it() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    first, second = Tally(), Tally()
    bus.subscribe(held, "slow")
    bus.subscribe(first, "topic")
    bus.subscribe(second, "topic")
    slow = await begin(bus.publish("slow"))
    for number in range(sys.getrecursionlimit()):
        bus.sync_start_publish("topic", number)
    await settle()
    held.release()
    await within(slow)
    await within(bus.shutdown())
    assert first.values == second.values == list(range(sys.getrecursionlimit()))


async def test_many_publications_of_several_subscribers_pass_a_narrow_gate() -> None:
    bus = EventBus(max_concurrent=4)
    first, second = Recorder(), Recorder()
    bus.subscribe(first, "topic")
    bus.subscribe(second, "topic")
    await within(asyncio.gather(*(bus.publish("topic", n) for n in range(2000))), 30)
    assert sorted(first.values) == sorted(second.values) == list(range(2000))
    assert bus.active_tasks == 0


async def test_streams_are_no_callbacks() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "busy")
    stream = bus.event_stream("topic")
    publishing = await begin(bus.publish("busy", 1))
    await within(bus.publish("topic", 2))
    assert await anext(stream) == 2
    held.release()
    await publishing


async def test_max_concurrent_is_taken_from_the_context() -> None:
    with localcontext(EVENT_BUS_DEFAULT_MAX_CONCURRENT=1):
        bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    publications = [await begin(bus.publish("topic", n)) for n in range(2)]
    assert bus.active_tasks == 1
    held.release()
    await asyncio.gather(*publications)


@pytest.mark.parametrize("value", [0, -1])
def test_max_concurrent_less_than_1_is_refused(value: int) -> None:
    with pytest.raises(ArgumentValueError, match="EventBus: max_concurrent must be an integer of at least 1"):
        EventBus(max_concurrent=value)


@pytest.mark.parametrize("value", [1.5, "1", True, float("nan")])
def test_max_concurrent_that_is_no_integer_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="max_concurrent"):
        EventBus(max_concurrent=value)


# Nesting


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_callback_that_publishes_and_waits_does_not_deadlock(suspends: bool) -> None:
    bus = EventBus(max_concurrent=1)
    inner = Recorder(suspends=suspends)
    bus.subscribe(inner, "inner")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        if suspends:
            await tick()
        await bus.publish("inner", data)

    await within(bus.publish("outer", 1))
    assert inner.values == [1]
    assert bus.active_tasks == 0


async def test_a_callback_that_waits_for_a_publication_does_not_count() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "inner")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        assert bus.active_tasks == 1
        await bus.publish("inner", data)
        assert bus.active_tasks == 1

    publishing = await begin(bus.publish("outer", 1))
    assert held.started == [1]
    assert bus.active_tasks == 1
    held.release()
    await within(publishing)


async def test_a_callback_waits_for_its_place_before_it_goes_on() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    seen: list[str] = []

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data)
        seen.append("went on")

    publishing = await begin(bus.publish("outer", 1))
    waiting = [await begin(bus.publish("other", n)) for n in range(3)]
    held.release()
    await settle()
    assert other.started == [0]
    assert seen == []
    other.release(0)
    await settle()
    assert seen == ["went on"]  # before the others that waited longer
    other.release()
    await within(asyncio.gather(publishing, *waiting))
    assert bus.active_tasks == 0


async def test_a_callback_gives_its_place_up_while_it_waits_for_a_middleware() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    recorder = Recorder()
    bus.subscribe(recorder, "other")

    async def middleware(event_type: str, data: object) -> object:
        if event_type == "inner":
            await held(data)
        return data

    bus.add_middleware(middleware)

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data)

    publishing = await begin(bus.publish("outer", 1))
    await within(bus.publish("other", 2))
    assert recorder.values == [2]
    held.release()
    await within(publishing)


async def test_a_callback_gives_its_place_up_while_it_waits_for_room_in_a_stream() -> None:
    bus = EventBus(max_concurrent=1)
    recorder = Recorder()
    bus.subscribe(recorder, "other")
    stream = bus.event_stream("inner", bufsize=1)
    await bus.publish("inner", 1)

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data)

    publishing = await begin(bus.publish("outer", 2))
    await within(bus.publish("other", 3))
    assert recorder.values == [3]
    assert [await anext(stream), await anext(stream)] == [1, 2]
    await within(publishing)


async def test_a_callback_that_does_not_wait_keeps_its_place() -> None:
    bus = EventBus(max_concurrent=1)
    recorder = Recorder()
    held = Held()
    bus.subscribe(recorder, "inner")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data, wait=False)
        await held(data)

    publishing = await begin(bus.publish("outer", 1))
    assert recorder.values == []
    held.release()
    await within(publishing)
    await settle()
    assert recorder.values == [1]


async def test_a_publication_through_another_bus_does_not_deadlock() -> None:
    bus, between = EventBus(max_concurrent=1), EventBus(max_concurrent=1)
    recorder = Recorder()
    bus.subscribe(recorder, "inner")

    @between.subscribe_to("topic")
    async def pass_on(data: Any) -> None:
        await tick()
        await bus.publish("inner", data)

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await between.publish("topic", data)

    await within(bus.publish("outer", 1))
    assert recorder.values == [1]
    assert bus.active_tasks == between.active_tasks == 0


async def test_publications_through_an_observable_share_the_place_of_one_callback() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "inner")
    obs: Observable[[int]] = Observable()

    def passing(offset: int) -> Callable[[int], Awaitable[None]]:
        async def observer(data: int) -> None:
            await bus.publish("inner", data + offset)

        return observer

    obs.subscribe_nowait(passing(0))
    obs.subscribe_nowait(passing(1))
    went_on: list[int] = []

    @bus.subscribe_to("outer")
    async def outer(data: int) -> None:
        await obs.notify(data)
        went_on.append(bus.active_tasks)

    publishing = await begin(bus.publish("outer", 10))
    assert held.started == [10]
    held.release(10)
    await settle()
    assert held.started == [10, 11]
    held.release(11)
    await within(publishing)
    assert went_on == [1]
    assert bus.active_tasks == 0
    await obs.aclose()


async def test_a_task_that_a_callback_spawned_is_not_inside_it() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    bus.subscribe(held, "inner")
    spawned: list[asyncio.Task[None]] = []

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        spawned.append(asyncio.create_task(bus.publish("inner", data)))
        await tick(3)
        assert held.started == []

    await within(bus.publish("outer", 1))
    await settle()
    assert held.started == [1]
    held.release()
    await within(spawned[0])


# Cancellations while a place is lent


async def outer_publishing_inner(bus: EventBus, seen: list[str], *, swallow: bool = False) -> Callable[..., Any]:
    async def outer(data: Any) -> None:
        try:
            await bus.publish("inner", data)
        except asyncio.CancelledError:
            seen.append(f"cancelled {data}")
            if not swallow:
                raise
            await tick(3)
            await bus.publish("inner", data)
            seen.append(f"went on {data}")

    return outer


async def test_a_callback_cancelled_while_it_waits_for_its_place_ends_at_once() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    seen: list[str] = []
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    outer = await outer_publishing_inner(bus, seen)
    bus.subscribe(outer, "outer")
    publishing = await begin(bus.publish("outer", 1))
    elsewhere = [await begin(bus.publish("other", n)) for n in range(2)]
    held.release()
    await settle()
    assert bus.active_tasks == 1
    assert other.started == [0]
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    assert seen == ["cancelled 1"]
    assert bus.active_tasks == 1
    other.release(0)
    await settle()
    assert other.started == [0, 1]
    other.release()
    await within(asyncio.gather(*elsewhere))
    assert bus.active_tasks == 0


async def test_a_callback_cancelled_while_the_inner_publication_runs_ends_at_once() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    seen: list[str] = []
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    outer = await outer_publishing_inner(bus, seen)
    bus.subscribe(outer, "outer")
    publishing = await begin(bus.publish("outer", 1))
    elsewhere = await begin(bus.publish("other", 2))
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    assert held.cancelled == [1]
    assert other.started == [2]
    assert bus.active_tasks == 1
    other.release()
    await within(elsewhere)
    assert bus.active_tasks == 0


async def test_a_cancelled_callback_that_goes_on_has_the_next_place_that_is_free() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    seen: list[str] = []
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    outer = await outer_publishing_inner(bus, seen, swallow=True)
    bus.subscribe(outer, "outer")
    publishing = await begin(bus.publish("outer", 1))
    elsewhere = [await begin(bus.publish("other", n)) for n in range(2)]
    held.release()
    await settle()
    publishing.cancel()
    await settle()
    assert seen == ["cancelled 1"]
    assert bus.active_tasks == 1
    other.release()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    await within(asyncio.gather(*elsewhere))
    assert seen == ["cancelled 1", "went on 1"]
    assert bus.active_tasks == 0


async def test_a_callback_cancelled_in_the_turn_in_which_its_place_is_given_back_has_it() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    tasks: list[asyncio.Task[Any]] = []
    goes_on = asyncio.Event()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await bus.publish("inner", data)
        except asyncio.CancelledError:
            task.uncancel()
            await goes_on.wait()

    publishing = await begin(bus.publish("outer", 1))
    elsewhere = [await begin(bus.publish("other", n)) for n in range(2)]
    held.release()
    await settle()
    other.release(0)
    await tick()  # it has ended, and gives its place back in the next turn
    tasks[0].cancel()
    await settle()
    assert (bus.active_tasks, other.started) == (1, [0])
    goes_on.set()
    await within(publishing)
    await settle()
    assert (bus.active_tasks, other.started) == (1, [0, 1])
    other.release()
    await within(asyncio.gather(*elsewhere))
    assert bus.active_tasks == 0


async def test_an_error_is_not_lost_when_a_callback_is_cancelled_before_it_has_its_place_back() -> None:
    handled: list[BaseException] = []
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    error = ValueError()
    bus.subscribe(other, "other")

    @bus.subscribe_to("inner")
    async def inner(data: Any) -> None:
        await held(data)
        raise error

    seen: list[str] = []
    outer = await outer_publishing_inner(bus, seen)
    bus.subscribe(outer, "outer")
    asyncio.get_running_loop().set_exception_handler(lambda _, context: handled.append(context["exception"]))
    publishing = await begin(bus.publish("outer", 1))
    elsewhere = await begin(bus.publish("other", 2))
    held.release()
    await settle()
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    other.release()
    await within(elsewhere)
    assert [type(report) for report in handled] == [ExceptionGroup]
    assert isinstance(handled[0], ExceptionGroup)
    assert handled[0].exceptions == (error,)


async def test_an_observer_cancelled_while_it_waits_for_the_callbacks_place_leaves_it_to_the_callback() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    obs: Observable[[int]] = Observable()
    tasks: list[asyncio.Task[Any]] = []

    async def observer(data: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await bus.publish("inner", data)
        except asyncio.CancelledError:
            task.uncancel()

    obs.subscribe_nowait(observer)

    @bus.subscribe_to("outer")
    async def outer(data: int) -> None:
        await obs.notify(data)
        await tick(3)

    publishing = await begin(bus.publish("outer", 1))
    elsewhere = await begin(bus.publish("other", 2))
    held.release()
    await settle()
    tasks[0].cancel()
    await within(publishing)
    assert bus.active_tasks == 1
    other.release()
    await within(elsewhere)
    assert bus.active_tasks == 0
    await obs.aclose()


async def test_a_callback_that_publishes_again_while_its_place_is_on_the_way_waits_once() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    obs: Observable[[int]] = Observable()
    again = asyncio.Event()
    active: list[int] = []

    async def early(data: int) -> None:
        await bus.publish("inner", data)

    async def late(data: int) -> None:
        await again.wait()
        await bus.publish("inner", data + 1)

    obs.subscribe_nowait(early)
    obs.subscribe_nowait(late)

    @bus.subscribe_to("outer")
    async def outer(data: int) -> None:
        await obs.notify(data)
        active.append(bus.active_tasks)

    publishing = await begin(bus.publish("outer", 10))
    elsewhere = await begin(bus.publish("other", 1))
    held.release(10)
    await settle()  # now `early` waits for the place of `outer`, which `other` has
    again.set()
    await settle()
    other.release()
    await settle()
    held.release()
    await within(asyncio.gather(publishing, elsewhere))
    assert held.started == [10, 11]
    assert active == [1]
    assert bus.active_tasks == 0
    await obs.aclose()


async def test_two_observers_that_wait_for_one_place_and_are_cancelled_owe_it_once() -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    obs: Observable[[int]] = Observable()
    again = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    async def publish(data: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await bus.publish("inner" if data == 10 else "nothing", data)
        except asyncio.CancelledError:
            task.uncancel()

    async def early(data: int) -> None:
        await publish(data)

    async def late(data: int) -> None:
        await again.wait()
        await publish(data + 1)

    obs.subscribe_nowait(early)
    obs.subscribe_nowait(late)
    bus.add_middleware(lambda _, data: data)  # so that even a publication without subscribers lends the place
    bus.subscribe(obs.notify, "outer")
    publishing = await begin(bus.publish("outer", 10))
    elsewhere = await begin(bus.publish("other", 1))
    held.release()
    await settle()
    again.set()
    await settle()
    assert len(bus._core.places.urgent) == 2
    for task in tasks:
        task.cancel()
    await within(publishing)
    assert bus.active_tasks == 1
    other.release()
    await within(elsewhere)
    assert bus.active_tasks == 0
    assert bus._core.places.owing == 0
    await obs.aclose()


@pytest.mark.parametrize("first_cancelled", [False, True])
async def test_two_observers_cancelled_while_they_wait_for_one_place_owe_it_once(first_cancelled: bool) -> None:
    bus = EventBus(max_concurrent=1)
    held, other = Held(), Held()
    bus.subscribe(held, "inner")
    bus.subscribe(other, "other")
    obs: Observable[[int]] = Observable()
    tasks: dict[int, asyncio.Task[Any]] = {}

    def passing(offset: int) -> Callable[[int], Awaitable[None]]:
        async def observer(data: int) -> None:
            task = tasks[offset] = asyncio.current_task()  # type: ignore[assignment]  # it runs in one
            assert task is not None
            try:
                await bus.publish("inner", data + offset)
            except asyncio.CancelledError:
                task.uncancel()

        return observer

    observers = [passing(0), passing(1)]
    for observer in observers:
        obs.subscribe_nowait(observer)
    bus.subscribe(obs.notify, "outer")
    publishing = await begin(bus.publish("outer", 10))
    held.release(10)
    await settle()
    elsewhere = await begin(bus.publish("other", 1))
    held.release(11)
    await settle()
    assert other.started == [1]
    for offset in (0, 1) if first_cancelled else (1, 0):
        tasks[offset].cancel()
    await within(publishing)
    assert bus.active_tasks == 1
    other.release()
    await within(elsewhere)
    assert bus.active_tasks == 0
    await obs.aclose()


@given(st.data())
async def test_nested_publications_keep_the_limit_under_random_cancellations(data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, 3))
    reported: list[BaseException] = []
    bus = EventBus(max_concurrent=limit, handler=reported.append)
    most = 0
    bad = failing(ValueError())
    bus.subscribe(bad, "bad", weak=False)

    @bus.subscribe_to("topic")
    async def nest(depth: int) -> None:
        nonlocal most
        most = max(most, bus.active_tasks)
        await tick(depth % 3)
        if depth:
            await bus.publish("topic", depth - 1)
        if depth == 2:
            await bus.publish("bad")
        most = max(most, bus.active_tasks)

    tasks = [asyncio.ensure_future(bus.publish("topic", data.draw(st.integers(0, 4)))) for _ in range(6)]
    for _ in range(12):
        await tick(data.draw(st.integers(0, 3)))
        if data.draw(st.booleans()):
            data.draw(st.sampled_from(tasks)).cancel()
    await within(asyncio.wait(tasks))
    assert most <= limit
    assert bus.active_tasks == 0
    assert not bus._core.places.waiting
    assert not bus._core.running
    assert all(type(error) is ValueError for error in reported)
