"""What becomes of errors: of subscribers, middlewares and streams, with and without anybody to take them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import ArgumentTypeError, BusPublishingError, BusTimeout
from tests.observable_kit import Held, Recorder, begin, collect_errors, failing, now, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def subscriber(*_: Any) -> NoReturn:
        raise error

    return subscriber


class Unfinished:
    """An async subscriber that raises an error of its own when it is cancelled."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.started = False

    async def __call__(self, *_: Any) -> None:
        self.started = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise self.error from None


# Safe, without anybody to take them


@pytest.mark.parametrize("suspends", [False, True])
async def test_publish_raises_a_group_even_of_one_error(suspends: bool) -> None:
    bus = EventBus("shop")
    error = ValueError("no")
    subscriber = failing(error, suspends=suspends)
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ExceptionGroup, match="1 subscriber of <EventBus 'shop'.*'topic'") as caught:
        await bus.publish("topic")
    assert caught.value.exceptions == (error,)


async def test_publish_raises_all_errors_in_order_of_subscription() -> None:
    bus = EventBus()
    errors = [ValueError(n) for n in range(5)]
    subscribers = [failing(error, suspends=n % 2 == 0) for n, error in enumerate(errors)]
    bus.subscribe(subscribers[4])
    for subscriber in subscribers[:4]:
        bus.subscribe(subscriber, "topic")
    with pytest.raises(ExceptionGroup, match="5 subscribers") as caught:
        await bus.publish("topic")
    assert list(caught.value.exceptions) == errors


async def test_publish_flattens_the_groups_that_subscribers_raise() -> None:
    bus = EventBus()
    a, b, c, d = (ValueError(letter) for letter in "abcd")
    first = failing(ExceptionGroup("outer", [a, ExceptionGroup("inner", [b, c])]))
    second = failing(d)
    bus.subscribe(first, "topic")
    bus.subscribe(second, "topic")
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic")
    assert caught.value.exceptions == (a, b, c, d)


async def test_publish_raises_after_every_subscriber_has_ended() -> None:
    bus = EventBus()
    held = Held()
    subscriber = failing(ValueError())
    bus.subscribe(subscriber, "topic")
    bus.subscribe(held, "topic")
    publishing = await begin(bus.publish("topic", 1))
    assert not publishing.done()
    held.release()
    with pytest.raises(ExceptionGroup):
        await within(publishing)
    assert held.ended == [1]


async def test_a_failing_subscriber_does_not_keep_the_bus_from_publishing() -> None:
    bus = EventBus()
    recorder = Recorder()
    subscriber = failing(ValueError())
    bus.subscribe(subscriber, "bad")
    bus.subscribe(recorder)
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            await bus.publish("bad")
    assert len(recorder.values) == 3
    assert bus.active_tasks == 0


async def test_the_error_keeps_its_own_traceback() -> None:
    bus = EventBus()

    async def subscriber(_: Any) -> NoReturn:
        await tick()
        raise ValueError

    bus.subscribe(subscriber, "topic")
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic")
    traceback = caught.value.exceptions[0].__traceback__
    names = []
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names[-1] == "subscriber"


# Handler and chaperone


@pytest.mark.parametrize("wait", [True, False])
async def test_a_chaperone_takes_each_error_in_order(wait: bool) -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    errors = [ValueError(n) for n in range(3)]
    subscribers = [failing(error, suspends=n == 0) for n, error in enumerate(errors)]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    taken: list[Exception] = []
    await bus.publish("topic", wait=wait, chaperone=taken.append)
    await settle()
    assert taken == errors
    assert handled == []


async def test_a_chaperone_gets_a_group_as_it_is() -> None:
    bus = EventBus()
    group = ExceptionGroup("group", [ValueError()])
    subscriber = failing(group)
    bus.subscribe(subscriber, "topic")
    taken: list[Exception] = []
    await bus.publish("topic", chaperone=taken.append)
    assert taken == [group]


@pytest.mark.parametrize("role", ["handler", "chaperone"])
async def test_an_async_handler_or_chaperone_is_awaited(role: str) -> None:
    held = Held()
    bus = EventBus(handler=held if role == "handler" else None)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    publishing = await begin(bus.publish("topic", chaperone=held if role == "chaperone" else None))
    assert held.started == [error]
    assert not publishing.done()
    held.release()
    await within(publishing)


async def test_a_handler_takes_each_error_where_there_is_no_chaperone() -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    errors = [ValueError(n) for n in range(3)]
    subscribers = [failing(error) for error in errors]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    await bus.publish("topic")
    assert handled == errors


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("role", ["handler", "chaperone"])
async def test_a_handler_or_chaperone_that_raises_is_reported_and_harms_nobody(
    role: str, suspends: bool, loop_errors: list[dict[str, Any]]
) -> None:
    failure = RuntimeError("cannot handle")
    taken: list[Exception] = []

    async def later(error: Exception) -> None:
        await tick()
        taken.append(error)
        raise failure

    def at_once(error: Exception) -> None:
        taken.append(error)
        raise failure

    receiver: Any = later if suspends else at_once
    bus = EventBus(handler=receiver if role == "handler" else None)
    errors = [ValueError(1), ValueError(2)]
    subscribers = [failing(error) for error in errors]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    await bus.publish("topic", chaperone=receiver if role == "chaperone" else None)
    assert taken == errors
    assert collect_errors(loop_errors) == [failure, failure]
    assert failure.__context__ is errors[0]


async def test_a_handler_that_raises_the_error_again_has_it_reported(loop_errors: list[dict[str, Any]]) -> None:
    def handler(error: BaseException) -> NoReturn:
        raise error

    bus = EventBus(handler=handler)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    await bus.publish("topic")
    assert collect_errors(loop_errors) == [error]


async def test_a_handler_may_publish_on_the_same_bus() -> None:
    recorder = Recorder()

    async def handler(error: BaseException) -> None:
        await bus.publish("errors", error)

    bus = EventBus(handler=handler, max_concurrent=1)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.subscribe(recorder, "errors")
    await within(bus.publish("topic"))
    assert recorder.values == [error]


async def test_publish_cancelled_while_a_handler_runs_reports_the_other_errors(
    loop_errors: list[dict[str, Any]],
) -> None:
    held = Held()
    bus = EventBus(handler=held)
    errors = [ValueError(n) for n in range(3)]
    subscribers = [failing(error) for error in errors]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    publishing = await begin(bus.publish("topic"))
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    assert held.cancelled == errors[:1]
    assert collect_errors(loop_errors) == errors[1:]


# Unsafe


@pytest.mark.parametrize("suspends", [False, True])
async def test_unsafe_raises_the_first_error_as_it_is(suspends: bool) -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    error = ValueError()
    subscriber = failing(error, suspends=suspends)
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # it is the very error
        await bus.publish("topic", safe=False)
    assert caught.value is error
    assert handled == []


async def test_unsafe_cancels_and_awaits_the_others() -> None:
    bus = EventBus()
    held = Held()
    error = ValueError()
    subscriber = failing(error, suspends=True)
    bus.subscribe(held, "topic")
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ValueError):  # noqa: PT011  # it is the very error
        await within(bus.publish("topic", 1, safe=False))
    assert held.cancelled == [1]


async def test_unsafe_does_not_start_what_has_not_started() -> None:
    bus = EventBus(max_concurrent=1)
    recorder = Recorder()
    subscriber = failing(ValueError(), suspends=True)
    bus.subscribe(subscriber, "topic")
    bus.subscribe(recorder, "topic")
    bus.subscribe(recorder)
    with pytest.raises(ValueError):  # noqa: PT011  # it is the very error
        await bus.publish("topic", safe=False)
    assert recorder.values == []
    assert bus.active_tasks == 0


async def test_unsafe_gives_wildcards_their_arguments_in_order() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder)
    await bus.publish("topic", 1, safe=False)
    assert recorder.calls == [(("topic", 1), {})]


@pytest.mark.parametrize("has_handler", [False, True])
async def test_unsafe_loses_no_error_that_a_cancelled_subscriber_raises(
    has_handler: bool, loop_errors: list[dict[str, Any]]
) -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append if has_handler else None)
    first, late = ValueError("first"), ValueError("late")
    unfinished = Unfinished(late)
    subscriber = failing(first, suspends=True)
    bus.subscribe(unfinished, "topic")
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ValueError, match="first"):
        await within(bus.publish("topic", safe=False))
    reported = collect_errors(loop_errors)
    assert (handled, reported) == (([late], []) if has_handler else ([], [late]))


async def test_unsafe_asks_no_chaperone_about_subscribers() -> None:
    bus = EventBus()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    taken: list[Exception] = []
    with pytest.raises(ValueError):  # noqa: PT011  # it is the very error
        await bus.publish("topic", safe=False, chaperone=taken.append)
    assert taken == []


async def test_unsafe_without_errors_returns() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    await bus.publish("topic", 1, safe=False)
    assert recorder.values == [1]


@pytest.mark.virtual_time
async def test_unsafe_stops_to_wait_for_room_in_a_stream() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1)
    await bus.publish("topic", 1)
    error = ValueError()
    subscriber = failing(error, suspends=True)
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ValueError):  # noqa: PT011  # it is the very error
        await within(bus.publish("topic", 2, safe=False))
    assert now() == 0
    assert await anext(stream) == 1
    assert bus.stream_queue.empty()


@pytest.mark.virtual_time
async def test_unsafe_is_ended_by_a_stream_that_is_too_slow() -> None:
    bus = EventBus()
    held = Held()
    bus.subscribe(held, "topic")
    stream = bus.event_stream("topic", bufsize=1, timeout=3)
    held.release()
    await bus.publish("topic", 1)
    bus.unsubscribe(held, "topic")
    other = Held()
    bus.subscribe(other, "topic")
    with pytest.raises(BusTimeout):
        await bus.publish("topic", 2, safe=False)
    assert now() == 3
    assert other.cancelled == [2]
    await stream.aclose()


async def test_unsafe_starts_no_subscriber_where_a_stream_has_no_room_and_no_time() -> None:
    bus = EventBus()
    recorder = Recorder()
    stream = bus.event_stream("topic", bufsize=1, timeout=0)
    other = bus.event_stream(bufsize=0)
    await bus.publish("topic", 1)
    bus.subscribe(recorder, "topic")
    with pytest.raises(BusTimeout):
        await bus.publish("topic", 2, safe=False)
    assert recorder.values == []
    await stream.aclose()
    await other.aclose()


@pytest.mark.virtual_time
async def test_safe_raises_what_streams_and_subscribers_raise_together() -> None:
    bus = EventBus()
    stream = bus.event_stream("topic", bufsize=1, timeout=3)
    await bus.publish("topic", 1)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    with pytest.raises(ExceptionGroup) as caught:
        await bus.publish("topic", 2)
    assert caught.value.exceptions[0] is error
    assert isinstance(caught.value.exceptions[1], BusTimeout)
    await stream.aclose()


# Where nobody waits


async def test_errors_that_nobody_waits_for_go_to_the_loop(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    errors = [ValueError(1), ValueError(2)]
    subscribers = [failing(error) for error in errors]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    await bus.publish("topic", wait=False)
    await settle()
    assert loop_errors[0]["source"] is bus
    assert collect_errors(loop_errors) == errors


@pytest.mark.parametrize("safe", [False, True])
async def test_errors_that_nobody_waits_for_go_to_the_handler(safe: bool) -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.sync_start_publish("topic", safe=safe)
    await settle()
    assert handled == [error]


async def test_an_unsafe_error_that_nobody_waits_for_goes_to_the_loop(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.sync_start_publish("topic", safe=False)
    await settle()
    assert collect_errors(loop_errors) == [error]


async def test_errors_of_a_cancelled_publication_are_not_lost(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    early, late = ValueError("early"), ValueError("late")
    unfinished = Unfinished(late)
    subscriber = failing(early)
    bus.subscribe(subscriber, "topic")
    bus.subscribe(unfinished, "topic")
    publishing = await begin(bus.publish("topic"))
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    assert collect_errors(loop_errors) == [early, late]


async def test_errors_of_a_cancelled_publication_go_to_an_async_handler() -> None:
    held = Held()
    bus = EventBus(handler=held)
    early = ValueError("early")
    waiting = Held()
    subscriber = failing(early)
    bus.subscribe(subscriber, "topic")
    bus.subscribe(waiting, "topic")
    publishing = await begin(bus.publish("topic"))
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    await held.entered(early)
    assert len(bus.running_tasks) == 1
    held.release()
    await settle()
    assert not bus.running_tasks


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_handler_that_fails_on_an_error_nobody_waits_for_is_reported(
    suspends: bool, loop_errors: list[dict[str, Any]]
) -> None:
    failure = RuntimeError("cannot handle")
    handler = failing(failure, suspends=True) if suspends else raising(failure)
    bus = EventBus(handler=handler)
    waiting = Held()
    subscriber = failing(ValueError("early"))
    bus.subscribe(subscriber, "topic")
    bus.subscribe(waiting, "topic")
    publishing = await begin(bus.publish("topic"))
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    await settle()
    assert collect_errors(loop_errors) == [failure]


# Cancellation


async def test_publish_cancelled_cancels_and_awaits_its_subscribers() -> None:
    bus = EventBus()
    ended: list[int] = []

    @bus.subscribe_to("topic")
    async def slow_to_end(data: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await tick(5)
            ended.append(data)

    publishing = await begin(bus.publish("topic", 1))
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    assert ended == [1]
    assert bus.active_tasks == 0


async def test_publish_cancelled_leaves_other_publications_alone() -> None:
    bus = EventBus(max_concurrent=2)
    held = Held()
    bus.subscribe(held, "topic")
    publications = [await begin(bus.publish("topic", n)) for n in range(4)]
    publications[0].cancel()
    publications[3].cancel()
    await settle()
    assert held.cancelled == [0]
    assert held.started == [0, 1, 2]
    held.release()
    await within(asyncio.wait(publications))
    assert held.ended == [1, 2]
    assert [task.cancelled() for task in publications] == [True, False, False, True]
    assert bus.active_tasks == 0


async def test_publish_cancelled_before_anything_started_starts_nothing() -> None:
    bus = EventBus()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    task = asyncio.ensure_future(bus.publish("topic"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorder.values == []


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("safe", [False, True])
async def test_a_subscriber_that_raises_cancelled_error_makes_publish_raise_it(suspends: bool, safe: bool) -> None:
    bus = EventBus()
    subscriber = failing(asyncio.CancelledError(), suspends=suspends)
    bus.subscribe(subscriber, "topic")
    with pytest.raises(asyncio.CancelledError):
        await bus.publish("topic", safe=safe)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await tick()


@pytest.mark.parametrize("receiver", ["loop", "handler", "chaperone"])
async def test_a_subscriber_that_raises_cancelled_error_does_not_hide_the_others_errors(
    receiver: str, loop_errors: list[dict[str, Any]]
) -> None:
    handled: list[BaseException] = []
    taken: list[BaseException] = []
    bus = EventBus(handler=handled.append if receiver == "handler" else None)
    held = Held()
    error = ValueError()
    subscribers: list[Callable[..., object]] = [failing(asyncio.CancelledError()), failing(error), held]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    publishing = await begin(bus.publish("topic", 1, chaperone=taken.append if receiver == "chaperone" else None))
    assert not publishing.done()
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(publishing)
    assert held.ended == [1]
    assert {"loop": collect_errors(loop_errors), "handler": handled, "chaperone": taken}[receiver] == [error]


# What ends the program


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_program_goes_to_no_handler(
    kind: type[BaseException], safe: bool, suspends: bool, loop_errors: list[dict[str, Any]]
) -> None:
    taken: list[BaseException] = []
    bus = EventBus(handler=taken.append)
    held = Held()
    subscriber = failing(kind(), suspends=suspends)
    other = failing(ValueError("other"))
    bus.subscribe(other, "topic")
    bus.subscribe(held, "topic")
    bus.subscribe(subscriber, "topic")
    publishing = bus.publish("topic", 1, safe=True, chaperone=taken.append)
    if not safe:
        publishing.close()
        bus.unsubscribe(other, "topic")
        publishing = bus.publish("topic", 1, safe=False, chaperone=taken.append)
    with pytest.raises(kind):
        await publishing
    assert not [error for error in taken if isinstance(error, kind)]
    assert len(taken) == safe
    assert held.cancelled == held.started
    assert bus.active_tasks == 0


async def test_what_ends_the_program_comes_before_a_cancellation() -> None:
    bus = EventBus()

    @bus.subscribe_to("topic")
    async def stubborn(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise SystemExit(3) from None

    publishing = bus.publish("topic")
    seen: list[BaseException] = []

    async def publisher() -> None:
        try:
            await publishing
        except SystemExit as error:
            seen.append(error)

    task = await begin(publisher())
    task.cancel()
    await within(asyncio.wait([task]))
    assert len(seen) == 1


async def test_a_base_exception_group_is_raised_as_it_is(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    group = BaseExceptionGroup("group", [GeneratorExit(), ValueError()])
    error = ValueError()
    subscribers = [failing(error), failing(group)]
    for subscriber in subscribers:
        bus.subscribe(subscriber, "topic")
    with pytest.raises(BaseExceptionGroup) as caught:
        await bus.publish("topic")
    assert caught.value is group
    assert collect_errors(loop_errors) == [error]


# Middlewares


async def test_a_failing_middleware_stops_the_publication() -> None:
    bus = EventBus("shop", tracking_stats=True)
    recorder = Recorder()
    error = ValueError("no")
    middleware = raising(error)
    bus.add_middleware(middleware)
    bus.subscribe(recorder)
    bus.subscribe(recorder, "topic")
    stream = bus.event_stream()
    with pytest.raises(BusPublishingError, match="'shop'.*'topic'") as caught:
        await bus.publish("topic", 1)
    assert caught.value.__cause__ is error
    assert caught.value.event_type == "topic"
    assert caught.value.middleware == repr(middleware)
    assert recorder.values == []
    assert bus.stream_queue.empty()
    assert bus.get_event_stats() == {}
    await stream.aclose()


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("safe", [False, True])
async def test_a_chaperone_takes_the_failure_of_a_middleware(suspends: bool, safe: bool) -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    error = ValueError()
    bus.add_middleware(failing(error))
    taken: list[Exception] = []

    async def later(error: Exception) -> None:
        await tick()
        taken.append(error)

    await bus.publish("topic", safe=safe, chaperone=later if suspends else taken.append)
    assert [type(error) for error in taken] == [BusPublishingError]
    assert taken[0].__cause__ is error
    assert handled == []


async def test_a_middleware_failure_is_raised_though_there_is_a_handler() -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    bus.add_middleware(raising(ValueError()))
    with pytest.raises(BusPublishingError):
        await bus.publish("topic")
    assert handled == []


async def test_a_middleware_failure_that_nobody_waits_for_goes_to_the_handler() -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    bus.add_middleware(raising(ValueError()))
    bus.sync_start_publish("topic")
    await settle()
    assert [type(error) for error in handled] == [BusPublishingError]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit()])
async def test_what_is_no_ordinary_error_of_a_middleware_is_raised_as_it_is(error: BaseException) -> None:
    bus = EventBus()
    bus.add_middleware(raising(error))
    with pytest.raises(type(error)) as caught:
        await bus.publish("topic")
    assert caught.value is error


# handle_exception


async def test_handle_exception_gives_the_error_to_the_handler() -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    error = ValueError()
    await bus.handle_exception(error)
    assert handled == [error]


async def test_handle_exception_awaits_an_async_handler() -> None:
    held = Held()
    bus = EventBus(handler=held)
    handling = await begin(bus.handle_exception(ValueError()))
    assert not handling.done()
    held.release()
    await within(handling)


async def test_handle_exception_cancelled_cancels_the_handler() -> None:
    held = Held()
    bus = EventBus(handler=held)
    error = ValueError()
    handling = await begin(bus.handle_exception(error))
    handling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handling
    assert held.cancelled == [error]


async def test_handle_exception_without_a_handler_reports_to_the_loop(loop_errors: list[dict[str, Any]]) -> None:
    bus = EventBus()
    error = ValueError()
    await bus.handle_exception(error)
    assert loop_errors[0]["source"] is bus
    assert collect_errors(loop_errors) == [error]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit()])
async def test_handle_exception_raises_what_no_handler_gets(error: BaseException) -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append)
    with pytest.raises(type(error)) as caught:
        await bus.handle_exception(error)
    assert caught.value is error
    assert handled == []


@pytest.mark.parametrize("value", [None, "error", ValueError])
def test_handle_exception_refuses_what_is_no_exception_at_the_call(value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="EventBus.handle_exception: e must be an exception"):
        EventBus().handle_exception(value)  # type: ignore[unused-coroutine]  # raises before there is one


async def test_errors_do_not_keep_a_publication_alive_in_a_cycle() -> None:
    class Data:
        pass

    bus = EventBus()

    async def subscriber(_: Any) -> NoReturn:
        await tick()
        raise ValueError

    bus.subscribe(subscriber, "topic")
    data = Data()
    alive = weakref.ref(data)
    gc.disable()
    try:
        with contextlib.suppress(ExceptionGroup):
            await bus.publish("topic", data)
        del data
        await settle()
        assert alive() is None
    finally:
        gc.enable()
