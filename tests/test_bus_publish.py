"""Publishing: whom it reaches, in which order, what it waits for, and where it runs."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx._runner import CALLS_BETWEEN_TURNS, Runner
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError, BusShutDown, NoLoopError, WrongLoopError
from tests.observable_kit import Held, Recorder, Tally, begin, collect_errors, failing, now, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


# Whom it reaches


async def test_publish_gives_specific_subscribers_the_data_and_wildcards_the_event_type_too() -> None:
    bus = EventBus()
    specific, wildcard = Recorder(), Recorder()
    bus.subscribe(specific, "topic")
    bus.subscribe(wildcard)
    await bus.publish("topic", {"key": 1})
    assert specific.calls == [(({"key": 1},), {})]
    assert wildcard.calls == [(("topic", {"key": 1}), {})]


async def test_publish_without_data_gives_none() -> None:
    bus = EventBus()
    specific, wildcard = Recorder(), Recorder()
    bus.subscribe(specific, "topic")
    bus.subscribe(wildcard)
    await bus.publish("topic")
    assert specific.calls == [((None,), {})]
    assert wildcard.calls == [(("topic", None), {})]


async def test_publish_passes_the_very_object_on() -> None:
    bus = EventBus()
    data = object()
    specific = Recorder()
    bus.subscribe(specific, "topic")
    await bus.publish("topic", data)
    assert specific.values[0] is data


def test_publish_leaves_no_trace_in_the_context_of_the_caller() -> None:
    async def main() -> int:
        bus = EventBus()
        bus.event_stream("topic")
        await bus.publish("topic", 1)
        return len(contextvars.copy_context())

    assert contextvars.Context().run(asyncio.run, main()) == 0


async def test_publish_without_subscribers_does_nothing() -> None:
    bus = EventBus()
    outcome: object = await bus.publish("topic", 1)  # type: ignore[func-returns-value]  # this is what is tested
    assert outcome is None
    assert bus.active_tasks == 0


class Listener:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def sync_method(self, data: Any) -> None:
        self.seen.append(data)

    async def async_method(self, data: Any) -> None:
        await tick()
        self.seen.append(data)

    async def __call__(self, data: Any) -> None:
        self.seen.append(data)


async def add(seen: list[Any], data: Any) -> None:
    await tick()
    seen.append(data)


def future_of(seen: list[Any], data: Any) -> asyncio.Future[None]:
    return asyncio.ensure_future(add(seen, data))


async def test_publish_calls_subscribers_of_every_kind() -> None:
    bus = EventBus()
    listener = Listener()
    applied, awaited = partial(add, listener.seen), partial(future_of, listener.seen)
    subscribers: list[Callable[[Any], object]] = [
        listener,
        listener.sync_method,
        listener.async_method,
        applied,
        awaited,
    ]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    await bus.publish("topic", 1)
    assert listener.seen == [1] * 5


# Order, concurrency, waiting


async def test_publish_starts_specific_subscribers_and_then_wildcards_each_in_order() -> None:
    bus = EventBus()
    started: list[str] = []

    def noting(name: str, *, suspends: bool) -> Callable[..., object]:
        async def subscriber(*_: Any) -> None:
            started.append(name)
            if suspends:
                await tick()

        return subscriber

    kept = [noting(f"{kind} {n}", suspends=n % 2 == 1) for n in range(4) for kind in ("wildcard", "specific")]
    for number, subscriber in enumerate(kept):
        if number % 2:
            bus.subscribe(subscriber, "topic")
        else:
            bus.subscribe(subscriber)
    await bus.publish("topic")
    assert started == [f"{kind} {n}" for kind in ("specific", "wildcard") for n in range(4)]


async def test_publish_runs_subscribers_concurrently_and_waits_for_all() -> None:
    bus = EventBus()
    one, other = Held(), Held()
    bus.subscribe(one, "topic")
    bus.subscribe(other, "topic")
    publishing = await begin(bus.publish("topic", 1))
    assert one.started == other.started == [1]
    one.release()
    await settle()
    assert not publishing.done()
    other.release()
    await within(publishing)
    assert one.ended == other.ended == [1]


async def test_publications_of_different_tasks_run_concurrently() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    first = await begin(bus.publish("topic", 1))
    second = await begin(bus.publish("topic", 2))
    assert held.started == [1, 2]
    held.release(2)
    await within(second)
    assert not first.done()
    held.release(1)
    await within(first)


async def test_publish_waits_for_what_a_sync_subscriber_returned_if_it_can_be_awaited() -> None:
    bus = EventBus()
    seen: list[Any] = []
    subscriber = partial(future_of, seen)
    bus.subscribe(subscriber, "topic")
    await bus.publish("topic", 1)
    assert seen == [1]


async def test_publish_that_needs_no_waiting_does_not_suspend() -> None:
    bus = EventBus()
    tally = Tally()
    bus.subscribe(tally, "topic")
    turned: list[bool] = []
    asyncio.get_running_loop().call_soon(turned.append, True)
    await bus.publish("topic", 1)
    assert tally.values == [1]
    assert not turned


# Without waiting


async def test_publish_without_waiting_returns_before_the_subscribers_have_ended() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    await bus.publish("topic", 1, wait=False)
    await held.entered(1)
    assert held.ended == []
    held.release()
    await settle()
    assert held.ended == [1]


async def test_publish_without_waiting_runs_in_a_task_of_the_bus() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    await bus.publish("topic", 1, wait=False)
    assert len(bus.running_tasks) == 1
    held.release()
    await settle()
    assert not bus.running_tasks


async def test_publish_without_waiting_is_not_cancelled_with_its_caller() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")

    async def caller() -> None:
        await bus.publish("topic", 1, wait=False)
        await asyncio.Event().wait()

    task = await begin(caller())
    task.cancel()
    await settle()
    assert held.cancelled == []
    held.release()
    await settle()
    assert held.ended == [1]


async def test_sync_start_publish_returns_none_and_begins_a_publication() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    outcome: object = bus.sync_start_publish("topic", 1)  # type: ignore[func-returns-value]  # this is what is tested
    assert outcome is None
    assert recorder.values == []
    await settle()
    assert recorder.values == [1]


async def test_sync_start_publish_takes_what_publish_takes() -> None:
    bus = EventBus()
    seen: list[BaseException] = []
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.sync_start_publish("topic", 1, safe=True, timeout=10, chaperone=seen.append)
    await settle()
    assert seen == [error]


async def test_publications_that_nobody_waits_for_start_in_order() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    for number in range(0, 20, 2):
        bus.sync_start_publish("topic", number)
        await bus.publish("topic", number + 1, wait=False)
    await settle()
    assert recorder.values == list(range(20))


async def test_publish_starts_after_what_was_begun_before() -> None:
    bus = EventBus()
    recorder = Recorder(suspends=False)
    bus.subscribe(recorder, "topic")
    bus.sync_start_publish("topic", 1)
    await bus.publish("topic", 2)
    await bus.publish("topic", 3, wait=False)
    await bus.publish("topic", 4)
    assert recorder.values == [1, 2, 3, 4]


async def test_publish_starts_after_however_many_were_begun_before() -> None:
    bus = EventBus()
    recorder = Recorder(suspends=False)
    bus.subscribe(recorder, "topic")
    for number in range(CALLS_BETWEEN_TURNS * 2):
        bus.sync_start_publish("topic", number)
    await bus.publish("topic", "last")
    assert recorder.values == [*range(CALLS_BETWEEN_TURNS * 2), "last"]


async def test_publications_begun_in_the_turn_in_which_many_others_start_start_after_these() -> None:
    bus = EventBus()
    recorder = Recorder(suspends=False)
    bus.subscribe(recorder, "topic")
    middle, last = CALLS_BETWEEN_TURNS + 5, CALLS_BETWEEN_TURNS + 10
    for number in range(middle):
        bus.sync_start_publish("topic", number)
    # It runs between the starts of those before and of those after this.
    asyncio.get_running_loop().call_soon(bus.sync_start_publish, "topic", last)
    for number in range(middle, last):
        bus.sync_start_publish("topic", number)
    await settle()
    assert recorder.values == list(range(last + 1))


async def test_publish_is_not_held_up_by_a_begun_publication_that_was_cancelled_at_once() -> None:
    bus = EventBus()
    recorder = Recorder(suspends=False)
    bus.subscribe(recorder, "topic")
    bus.sync_start_publish("topic", 1)
    (task,) = bus.running_tasks
    task.cancel()
    await within(bus.publish("topic", 2))
    assert recorder.values == [2]
    await settle()
    assert bus._core.unstarted == 0
    assert not bus._core.running


async def test_sync_start_publish_inside_a_subscriber_begins_a_publication_of_its_own() -> None:
    bus = EventBus(max_concurrent=1)
    recorder = Recorder()

    @bus.subscribe_to("outer")
    def start(data: Any) -> None:
        bus.sync_start_publish("inner", data)

    bus.subscribe(recorder, "inner")
    await bus.publish("outer", 1)
    await settle()
    assert recorder.values == [1]


# Where it runs


async def test_a_subscriber_that_suspends_has_a_task_of_its_own() -> None:
    bus = EventBus()
    tasks: list[asyncio.Task[Any] | None] = []

    @bus.subscribe_to("topic")
    async def first(_: Any) -> None:
        tasks.append(asyncio.current_task())
        await tick()
        assert asyncio.current_task() is tasks[0]

    @bus.subscribe_to("topic")
    async def second(_: Any) -> None:
        tasks.append(asyncio.current_task())
        await tick()

    await bus.publish("topic")
    assert len({id(task) for task in [*tasks, asyncio.current_task()]}) == 3


async def test_a_subscriber_sees_the_publishers_context_and_leaves_no_trace_in_it() -> None:
    bus = EventBus()
    seen: list[str] = []

    @bus.subscribe_to("topic")
    def first(_: Any) -> None:
        seen.append(variable.get())
        variable.set("changed")

    @bus.subscribe_to("topic")
    async def second(_: Any) -> None:
        seen.append(variable.get())
        variable.set("changed too")
        await tick()

    @bus.subscribe_to("topic")
    def third(_: Any) -> None:
        seen.append(variable.get())

    variable.set("mine")
    await bus.publish("topic")
    assert seen == ["mine"] * 3
    assert variable.get() == "mine"


async def test_a_subscriber_that_had_to_wait_for_its_place_sees_its_own_publishers_context() -> None:
    bus = EventBus(max_concurrent=1)
    held = Held()
    seen: list[str] = []
    bus.subscribe(held, "first")

    @bus.subscribe_to("second")
    def note(_: Any) -> None:
        seen.append(variable.get())

    async def publish(topic: str, value: str) -> None:
        variable.set(value)
        await bus.publish(topic)

    first = await begin(publish("first", "of the first"))
    second = await begin(publish("second", "of the second"))
    held.release()
    await within(asyncio.gather(first, second))
    assert seen == ["of the second"]


async def test_a_begun_publication_runs_in_the_context_of_its_caller() -> None:
    bus = EventBus()
    seen: list[str] = []

    @bus.subscribe_to("topic")
    def note(_: Any) -> None:
        seen.append(variable.get())

    variable.set("then")
    bus.sync_start_publish("topic")
    variable.set("now")
    await settle()
    assert seen == ["then"]


async def test_a_subscriber_that_cancels_its_own_task_cancels_nobody_else() -> None:
    bus = EventBus()
    recorder = Recorder()

    @bus.subscribe_to("topic")
    async def cancelling(_: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await tick()
        except asyncio.CancelledError:
            task.uncancel()

    bus.subscribe(recorder, "topic")
    await bus.publish("topic", 1)
    assert recorder.values == [1]


@pytest.mark.virtual_time
async def test_a_timeout_inside_a_subscriber_is_its_own() -> None:
    bus = EventBus()
    recorder = Recorder()
    seen: list[str] = []

    @bus.subscribe_to("topic")
    async def impatient(_: Any) -> None:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(10)
        except TimeoutError:
            seen.append("timeout")

    bus.subscribe(recorder, "topic")
    await bus.publish("topic", 1)
    assert seen == ["timeout"]
    assert recorder.values == [1]
    assert now() == 1


async def test_a_task_factory_is_respected() -> None:
    loop = asyncio.get_running_loop()
    made: list[Any] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, **kwargs)
        made.append(task)
        return task

    bus = EventBus()
    tasks: list[Any] = []

    @bus.subscribe_to("topic")
    async def note(_: Any) -> None:
        tasks.append(asyncio.current_task())
        await tick()

    loop.set_task_factory(factory)
    await bus.publish("topic")
    await bus.publish("topic", wait=False)
    await settle()
    loop.set_task_factory(None)
    assert len(tasks) == 2
    assert set(map(id, tasks)) <= set(map(id, made))


async def test_a_task_factory_that_fails_leaves_the_bus_as_it_was() -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise MemoryError

    bus = EventBus()
    tally = Tally()
    bus.subscribe(tally, "topic")
    loop = asyncio.get_running_loop()
    loop.set_task_factory(refuse)
    with pytest.raises(MemoryError):
        await bus.publish("topic", 1)
    loop.set_task_factory(None)
    assert bus.active_tasks == 0
    assert "0 publishing" in repr(bus)
    await bus.publish("topic", 2)
    assert tally.values == [2]


async def test_a_task_factory_that_fails_later_is_no_cancellation() -> None:
    error = MemoryError()
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        if made:
            raise error
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **kwargs)

    bus = EventBus()
    recorders = [Recorder() for _ in range(4)]
    for recorder in recorders:
        bus.subscribe(recorder, "topic")
    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic", 1)
    loop.set_task_factory(None)
    assert caught.value.exceptions == (error,)
    assert [recorder.values for recorder in recorders] == [[1], [], [], []]
    assert bus.active_tasks == 0


@pytest.mark.parametrize("nested", [False, True])
async def test_a_task_that_cannot_be_made_ends_the_callbacks_that_have_started(
    nested: bool, monkeypatch: pytest.MonkeyPatch, loop_errors: list[dict[str, Any]]
) -> None:
    bus, outer = EventBus(), EventBus()
    held, failed = Held(), ValueError()
    made: list[object] = []

    def make_two(runner: Runner, coro: Any, context: Any) -> Any:
        made.append(coro)
        if len(made) > 2:
            coro.close()
            raise MemoryError
        return start_eagerly(runner, coro, context)

    start_eagerly = Runner.start_eagerly
    for subscriber in (failing(failed), held, partial(held), partial(held)):
        bus.subscribe(subscriber, "topic", weak=False)

    @outer.subscribe_to("outer")
    async def pass_on(_: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Runner, "start_eagerly", make_two)
            await bus.publish("topic", 1)

    with pytest.raises(MemoryError):
        await within(outer.publish("outer", safe=False) if nested else pass_on(0))
    assert held.started == held.cancelled == [1, 1]
    assert bus.active_tasks == 0
    assert collect_errors(loop_errors) == [failed]
    held.release()
    with pytest.raises(ExceptionGroup):
        await within(bus.publish("topic", 2))
    assert held.ended == [2, 2, 2]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
async def test_an_eager_task_factory_is_respected() -> None:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        pytest.skip("uvloop cannot use this factory on Python 3.13")
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]  # since 3.12
    bus = EventBus(max_concurrent=1)
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    for number in range(5):
        await bus.publish("topic", number)
        await bus.publish("topic", number + 0.5, wait=False)
    await settle()
    assert recorder.values == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]
    assert bus.active_tasks == 0


# Fairness and depth


@pytest.mark.parametrize("wait", [True, False])
async def test_a_task_that_only_publishes_lets_the_loop_run(wait: bool) -> None:
    bus = EventBus()
    tally = Tally()
    bus.subscribe(tally, "topic")
    turns = 0
    over = False

    async def count() -> None:
        nonlocal turns
        while not over:
            turns += 1
            await tick()

    counting = asyncio.ensure_future(count())
    await tick()
    begun = turns
    for number in range(1000):
        await bus.publish("topic", number, wait=wait)
    assert turns - begun >= 10
    over = True
    await counting
    await settle()
    assert tally.values == list(range(1000))


async def test_publish_cancelled_while_it_lets_the_loop_run_changes_nothing() -> None:
    bus = EventBus(tracking_stats=True)
    tally = Tally()
    bus.subscribe(tally, "topic")
    runner = bus._bind()
    runner.calls = 1000
    task = asyncio.ensure_future(bus.publish("topic", 1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tally.values == []
    assert bus.get_event_stats() == {}


@pytest.mark.timeout(120)  # two seconds of work in debug mode, and machines can be loaded
@pytest.mark.parametrize("max_concurrent", [1, 2, 64])
@pytest.mark.parametrize("suspends", [False, True])
async def test_publications_nest_2000_levels_deep(max_concurrent: int, suspends: bool) -> None:
    bus = EventBus(max_concurrent=max_concurrent)
    deepest = 0

    @bus.subscribe_to("topic")
    async def nest(level: int) -> None:
        nonlocal deepest
        if suspends:
            await tick()
        if level < 2000:
            await bus.publish("topic", level + 1)
        else:
            deepest = level

    await within(bus.publish("topic", 0), 100)
    assert deepest == 2000
    assert bus.active_tasks == 0


# Arguments


@pytest.mark.parametrize("method", ["publish", "sync_start_publish", "publish_threadsafe"])
@pytest.mark.parametrize("event_type", [None, 1, b"topic", object(), EventBus.WILDCARD])
async def test_publishing_refuses_what_is_no_topic_at_the_call(method: str, event_type: Any) -> None:
    bus = EventBus()
    bus._bind()
    with pytest.raises(ArgumentTypeError, match=f"EventBus.{method}: event_type must be a string"):
        getattr(bus, method)(event_type)


@pytest.mark.parametrize("method", ["publish", "sync_start_publish", "publish_threadsafe"])
@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("timeout", -1, ArgumentValueError),
        ("timeout", float("nan"), ArgumentValueError),
        ("timeout", "1", ArgumentTypeError),
        ("timeout", True, ArgumentTypeError),
        ("safe", 1, ArgumentTypeError),
        ("safe", "yes", ArgumentTypeError),
        ("chaperone", 1, ArgumentTypeError),
    ],
)
async def test_publishing_refuses_bad_arguments_at_the_call(
    method: str, parameter: str, value: Any, error: type[Exception]
) -> None:
    bus = EventBus(tracking_stats=True)
    bus._bind()
    with pytest.raises(error, match=f"EventBus.{method}: {parameter} must be"):
        getattr(bus, method)("topic", **{parameter: value})
    assert not bus.running_tasks


@pytest.mark.parametrize("wait", [None, 0, "no"])
def test_publish_refuses_a_wait_that_is_no_bool_at_the_call(wait: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="EventBus.publish: wait must be True or False"):
        EventBus().publish("topic", wait=wait)  # type: ignore[unused-coroutine]  # raises before there is one


def test_coroutine_methods_say_that_they_are() -> None:
    bus = EventBus()
    for name in (
        "publish",
        "handle_exception",
        "feed_event",
        "wait_for_event",
        "subscribe_until",
        "shutdown",
        "aclose",
        "__setup__",
        "__cleanup__",
    ):
        method = getattr(bus, name)
        if sys.version_info >= (3, 12):
            assert inspect.iscoroutinefunction(method)
        else:
            # Before 3.12 only asyncio can be told so.
            assert asyncio.iscoroutinefunction(method)  # type: ignore[deprecated]  # since 3.14


def test_signatures_show_what_need_not_be_passed() -> None:
    assert "timeout: 'float | Missing | None' = ..." in str(inspect.signature(EventBus.event_stream))


async def test_publish_takes_safe_from_the_context() -> None:
    bus = EventBus()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    with localcontext(EVENT_BUS_PUBLISH_DEFAULT_SAFE=False):
        unsafe = bus.publish("topic")
    with pytest.raises(ValueError):  # noqa: PT011  # it is the very error
        await unsafe
    with pytest.raises(ExceptionGroup):
        await bus.publish("topic")


# Loops


def test_publish_without_a_loop_raises() -> None:
    bus = EventBus("lonely")
    with pytest.raises(NoLoopError, match="lonely"):
        bus.sync_start_publish("topic")
    publishing = bus.publish("topic")
    with pytest.raises(NoLoopError, match="lonely"):
        publishing.send(None)


def test_publish_outside_a_task_raises() -> None:
    bus = EventBus("lonely")
    errors: list[BaseException] = []

    def step() -> None:
        try:
            bus.publish("topic").send(None)
        except NoLoopError as error:
            errors.append(error)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(step)
        await tick(2)

    asyncio.run(main())
    assert len(errors) == 1
    assert "in a task" in str(errors[0])


def test_publish_on_another_loop_raises() -> None:
    bus = EventBus("settled")
    asyncio.run(bus.publish("topic"))
    with pytest.raises(WrongLoopError, match="settled"):
        asyncio.run(bus.publish("topic"))


async def test_publish_after_shutdown_raises() -> None:
    bus = EventBus("gone")
    await bus.shutdown()
    with pytest.raises(BusShutDown, match="gone"):
        await bus.publish("topic")
    with pytest.raises(BusShutDown):
        await bus.publish("topic", wait=False)
    with pytest.raises(BusShutDown):
        bus.sync_start_publish("topic")
    with pytest.raises(BusShutDown):
        bus.publish_threadsafe("topic")


async def test_publish_without_waiting_has_begun_when_it_lets_the_loop_run() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    bus._bind().calls = CALLS_BETWEEN_TURNS
    publishing = asyncio.ensure_future(bus.publish("topic", 1, wait=False))
    await asyncio.sleep(0)
    bus.sync_start_publish("topic", 2)
    assert not publishing.done()
    await bus.shutdown()
    await publishing
    assert recorder.values == [1, 2]


async def test_publishing_from_a_subscriber_that_nobody_waits_for_reports_errors(
    loop_errors: list[dict[str, Any]],
) -> None:
    bus = EventBus()
    error = ValueError()
    inner = failing(error)
    bus.subscribe(inner, "inner")

    @bus.subscribe_to("outer")
    async def outer(data: Any) -> None:
        await bus.publish("inner", data, wait=False)

    await bus.publish("outer")
    await settle()
    assert collect_errors(loop_errors) == [error]
