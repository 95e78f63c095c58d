"""Publications that begin with next to nothing: what they must not lose, and how others take over from them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx._bus import _brief
from asyncutils_rx._runner import HAS_EAGER_TASKS, Runner
from asyncutils_rx.exceptions import BusShutDown, NoLoopError
from tests.observable_kit import Held, Recorder, Tally, begin, failing, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Subscriber = Callable[[Any], Any]

needs_eager_tasks = pytest.mark.skipif(not HAS_EAGER_TASKS, reason="tasks start eagerly from Python 3.12 on")
variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable")


@pytest.fixture
def bus() -> EventBus:
    """A bus without anything."""
    return EventBus("shop")


def subscribe(bus: EventBus, *subscribers: Subscriber) -> None:
    """Subscribe them to the topic, in order; the bus keeps them."""
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic", weak=False)


# Tasks


@pytest.mark.parametrize("count", [1, 3])
async def test_callbacks_that_end_at_once_run_in_a_task_that_is_not_the_publishers(bus: EventBus, count: int) -> None:
    tasks: list[object] = []

    async def note(_: Any) -> None:
        tasks.append(asyncio.current_task())

    subscribe(bus, *(partial(note) for _ in range(count)))
    await bus.publish("topic")
    assert len(tasks) == count
    assert len(set(tasks)) == 1
    assert asyncio.current_task() not in tasks


async def test_a_callback_that_is_suspended_has_the_task_to_itself(bus: EventBus) -> None:
    tasks: list[object] = []

    async def note(_: Any) -> None:
        tasks.append(asyncio.current_task())

    async def wait(_: Any) -> None:
        tasks.append(asyncio.current_task())
        await tick()
        tasks.append(asyncio.current_task())

    subscribe(bus, note, wait, partial(note))
    await bus.publish("topic")
    first, before, third, after = tasks
    assert first is before is after
    assert third is not first


@pytest.mark.parametrize("count", [1, 2])
async def test_a_callback_that_cancels_its_task_after_all_cancels_no_other(bus: EventBus, count: int) -> None:
    def cancel(_: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    later = Recorder()
    subscribe(bus, cancel, *[later][: count - 1])
    await bus.publish("topic", 1)
    assert later.values == [1][: count - 1]
    current = asyncio.current_task()
    assert current is not None
    assert not current.cancelling()


@pytest.mark.parametrize(("value", "other"), [("one", "two"), ([], []), (1, True)])
async def test_a_variable_that_a_callback_sets_reaches_neither_others_nor_the_publisher(
    bus: EventBus, value: object, other: object
) -> None:
    seen: list[object] = []

    def change(_: Any) -> None:
        seen.append(variable.get())
        variable.set(other)

    variable.set(value)
    subscribe(bus, change, partial(change), partial(change))
    await bus.publish("topic")
    assert [each is value for each in [*seen, variable.get()]] == [True] * 4


async def test_a_variable_whose_values_cannot_be_compared_reaches_no_other_callback(bus: EventBus) -> None:
    class Array:
        def __eq__(self, other: object) -> NoReturn:
            raise ValueError

        __hash__ = None  # type: ignore[assignment]  # as arrays have it

    mine = Array()
    seen: list[object] = []

    def change(_: Any) -> None:
        seen.append(variable.get())
        variable.set(Array())

    variable.set(mine)
    subscribe(bus, change, partial(change))
    await bus.publish("topic")
    assert [each is mine for each in seen] == [True] * 2


async def test_a_variable_that_is_set_where_there_was_none_reaches_no_other_callback(bus: EventBus) -> None:
    seen: list[object] = []

    def change(_: Any) -> None:
        seen.append(variable.get("unset"))
        variable.set("set")

    subscribe(bus, lambda _: None, change, partial(change))
    await asyncio.create_task(bus.publish("topic"), context=contextvars.Context())
    assert seen == ["unset"] * 2


@pytest.mark.parametrize("behind_a_middleware", [False, True])
async def test_a_task_that_cannot_be_made_leaves_the_bus_as_it_was(
    bus: EventBus, monkeypatch: pytest.MonkeyPatch, behind_a_middleware: bool
) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise MemoryError

    listener = Tally()
    subscribe(bus, listener, partial(listener))
    if behind_a_middleware:
        bus.add_middleware(lambda _, data: data)
    with monkeypatch.context() as patch:
        patch.setattr(Runner, "start_eagerly", refuse)
        with pytest.raises(MemoryError):
            await bus.publish("topic", 1)
    assert bus.active_tasks == 0
    assert "0 publishing" in repr(bus)
    await bus.publish("topic", 2)
    assert listener.values == [2, 2]


# What can be seen


async def test_a_publication_is_seen_by_its_only_callback(bus: EventBus) -> None:
    seen: list[object] = []
    subscribe(bus, lambda _: seen.append((bus.active_tasks, "1 publishing" in repr(bus))))
    await bus.publish("topic")
    assert seen == [(1, True)]
    assert bus.active_tasks == 0
    assert "0 publishing" in repr(bus)


async def test_what_was_published_is_not_kept(bus: EventBus) -> None:
    class Data:
        pass

    subscribe(bus, lambda _: None, partial(lambda _: None))
    data = Data()
    alive = weakref.ref(data)
    gc.disable()
    try:
        await bus.publish("topic", data)
        del data
        assert alive() is None
    finally:
        gc.enable()


# Errors


@pytest.mark.parametrize("suspends", [False, True])
async def test_errors_come_in_the_order_of_subscription(bus: EventBus, suspends: bool) -> None:
    errors = [ValueError(0), KeyError(1), TypeError(2)]
    first, second, third = errors
    subscribe(bus, failing(first), failing(second, suspends=suspends), failing(third))
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic")
    assert caught.value.exceptions == tuple(errors)


@pytest.mark.parametrize("suspends", [False, True])
async def test_the_first_error_of_an_unsafe_publication_stops_the_rest(bus: EventBus, suspends: bool) -> None:
    error, later = ValueError(), Recorder()

    async def fail(_: Any) -> NoReturn:
        if suspends:
            await tick()
        raise error

    held = Held()
    subscribe(bus, *([held] if suspends else []), fail, *([] if suspends else [later]))
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the very one
        await within(bus.publish("topic", safe=False))
    assert caught.value is error
    assert later.values == []
    assert held.cancelled == held.started


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("count", [1, 2])
async def test_a_callback_that_raises_cancelled_error_stops_no_other(bus: EventBus, count: int, suspends: bool) -> None:
    later = Recorder()
    subscribe(bus, failing(asyncio.CancelledError(), suspends=suspends), *[later][: count - 1])
    with pytest.raises(asyncio.CancelledError):
        await bus.publish("topic", 1)
    assert later.values == [1][: count - 1]
    assert bus.active_tasks == 0


async def test_an_interrupt_starts_no_later_callback(bus: EventBus) -> None:
    later = Recorder()
    subscribe(bus, lambda _: None, failing(KeyboardInterrupt()), later)
    with pytest.raises(KeyboardInterrupt):
        await bus.publish("topic", 1)
    assert later.values == []


async def test_an_interrupt_between_two_callbacks_is_the_publishers(
    bus: EventBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupts(*_: object) -> bool:  # asked once the first callback has ended
        raise KeyboardInterrupt

    first, later = Recorder(suspends=False), Recorder()
    subscribe(bus, first, later)
    variable.set("a variable to look at")
    with monkeypatch.context() as patch:
        patch.setattr(_brief, "differs", interrupts)
        with pytest.raises(KeyboardInterrupt):
            await bus.publish("topic", 1)
    assert (first.values, later.values) == ([1], [])
    assert bus.active_tasks == 0
    await bus.publish("topic", 2)
    assert later.values == [2]


# Fairness


@pytest.mark.parametrize("fails", [False, True])
async def test_a_task_that_only_publishes_lets_the_loop_run(bus: EventBus, fails: bool) -> None:
    turns: list[int] = []
    if fails:
        subscribe(bus, failing(ValueError()))
    asyncio.get_running_loop().call_soon(turns.append, 1)
    for _ in range(100):
        with contextlib.suppress(ExceptionGroup):
            await bus.publish("topic")
    assert turns == [1]


# Somebody else ends it


def started_now(coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Return a task that nobody waits for, and that has run up to its first suspension."""
    return asyncio.Task(coro, loop=asyncio.get_running_loop(), eager_start=True)  # type: ignore[call-arg]  # since 3.12


@needs_eager_tasks
@pytest.mark.parametrize("suspends", [False, True])
async def test_a_shutdown_by_a_task_that_a_callback_spawned_ends_its_publication(bus: EventBus, suspends: bool) -> None:
    closing: list[asyncio.Task[Any]] = []
    waits: list[bool] = []
    later = Recorder()

    async def spawn(_: Any) -> None:
        closing.append(started_now(bus.shutdown(immediate=True)))
        waits.append(not closing[0].done())
        if suspends:
            await asyncio.sleep(3600)

    subscribe(bus, spawn, later)
    with pytest.raises(BusShutDown):
        await within(bus.publish("topic", 1))
    assert later.values == []
    assert waits == [True]
    await within(asyncio.gather(*closing))


@needs_eager_tasks
async def test_a_publication_that_waits_for_the_place_of_a_callback_gets_it_at_its_end() -> None:
    bus = EventBus(max_concurrent=1)
    listener = Tally()
    waiting: list[asyncio.Task[Any]] = []
    bus.subscribe(listener, "other")
    subscribe(bus, lambda _: waiting.append(started_now(bus.publish("other", 1))))
    await bus.publish("topic")
    await within(asyncio.gather(*waiting))
    assert listener.values == [1]
    assert bus.active_tasks == 0


async def test_a_cancellation_by_a_callback_is_no_shutdown(bus: EventBus) -> None:
    held = Held()

    def cancel(_: Any) -> Any:
        publishing.cancel()
        return held(1)

    subscribe(bus, cancel)
    publishing = asyncio.create_task(bus.publish("topic"))
    await held.entered(1)
    closing = await begin(bus.shutdown(immediate=True))
    await asyncio.wait([publishing])
    assert publishing.cancelled()
    await closing


async def test_clearing_a_topic_inside_a_callback_keeps_the_others_from_starting(bus: EventBus) -> None:
    later, wildcard = Recorder(), Recorder()
    subscribe(bus, lambda _: bus.clear("topic") and None, later)
    bus.subscribe(wildcard)
    await bus.publish("topic", 1)
    assert later.values == []
    assert wildcard.calls == [(("topic", 1), {})]


# Middlewares before it


async def test_what_is_unsubscribed_behind_a_middleware_is_not_started(bus: EventBus) -> None:
    later = Recorder()
    bus.add_middleware(lambda _, data: data)
    subscribe(bus, lambda _: bus.unsubscribe(later, "topic") and None, later)
    await bus.publish("topic", 1)
    assert later.values == []


# Streams


async def test_streams_behind_a_full_one_have_what_waits_after_it() -> None:
    bus = EventBus()
    first, full, last = bus.event_stream("topic"), bus.event_stream("topic", bufsize=1), bus.event_stream("topic")
    await bus.publish("topic", 1)
    publishing = await begin(bus.publish("topic", 2))
    assert not publishing.done()
    assert [await anext(stream) for stream in (first, first, last, last)] == [1, 2, 1, 2]
    assert [await anext(full), await anext(full)] == [1, 2]
    await publishing


async def test_publishing_to_a_full_stream_outside_of_a_task_fails() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    errors: list[BaseException] = []

    def publish() -> None:
        for data in (1, 2):
            try:
                bus.publish("topic", data).send(None)
            except (StopIteration, NoLoopError) as error:
                errors.append(error)

    asyncio.get_running_loop().call_soon(publish)
    await tick(2)
    assert [type(error) for error in errors] == [StopIteration, NoLoopError]
    assert await anext(stream) == 1
