"""Publishing from other threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import EventBus
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import BusShutDown, BusTimeout, NoLoopError, ReentrancyError
from tests.observable_kit import Held, Recorder, collect_errors, failing, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def bound() -> EventBus:
    bus = EventBus("shop")
    assert bus.loop is asyncio.get_running_loop()
    return bus


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run a function in a thread of its own, while the loop runs."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return await within(asyncio.wrap_future(future))
    finally:
        thread.join()


async def test_publish_threadsafe_publishes_on_the_loops_thread() -> None:
    bus = bound()
    seen: list[Any] = []

    @bus.subscribe_to("topic")
    async def note(data: Any) -> None:
        await tick()
        seen.append((data, threading.current_thread()))

    def publish() -> Any:
        future = bus.publish_threadsafe("topic", 1)
        assert isinstance(future, concurrent.futures.Future)
        return future.result(5)

    assert await in_thread(publish) is None
    assert seen == [(1, threading.current_thread())]


async def test_publications_of_one_thread_start_in_order() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")

    def publish() -> None:
        futures = [bus.publish_threadsafe("topic", n) for n in range(200)]
        for future in futures:
            future.result(5)

    await in_thread(publish)
    assert recorder.values == list(range(200))


async def test_publications_of_many_threads_all_arrive() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")

    def publish(thread: int) -> None:
        for number in range(100):
            bus.publish_threadsafe("topic", (thread, number))

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await bus.shutdown()
    assert len(recorder.values) == 800
    for thread_number in range(8):
        assert [n for t, n in recorder.values if t == thread_number] == list(range(100))


async def test_publish_threadsafe_raises_the_errors_of_subscribers() -> None:
    bus = bound()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")

    def publish() -> BaseException | None:
        return bus.publish_threadsafe("topic").exception(5)

    raised = await in_thread(publish)
    assert isinstance(raised, ExceptionGroup)
    assert raised.exceptions == (error,)


async def test_publish_threadsafe_takes_what_publish_takes() -> None:
    bus = bound()
    held = Held()
    taken: list[Exception] = []
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(held, "slow")
    bus.subscribe(subscriber, "bad")

    def publish() -> None:
        with pytest.raises(BusTimeout):
            bus.publish_threadsafe("slow", 1, timeout=0.01).result(5)
        bus.publish_threadsafe("bad", chaperone=taken.append).result(5)
        with pytest.raises(ValueError):  # noqa: PT011  # it is the very error
            bus.publish_threadsafe("bad", safe=False).result(5)
        with localcontext(EVENT_BUS_PUBLISH_DEFAULT_SAFE=False), pytest.raises(ValueError):  # noqa: PT011  # as above
            bus.publish_threadsafe("bad").result(5)

    await in_thread(publish)
    assert taken == [error]


async def test_publish_threadsafe_runs_in_the_context_of_its_caller() -> None:
    bus = bound()
    seen: list[str] = []

    @bus.subscribe_to("topic")
    def note(_: Any) -> None:
        seen.append(variable.get())

    def publish() -> None:
        variable.set("of the thread")
        bus.publish_threadsafe("topic").result(5)

    await in_thread(publish)
    assert seen == ["of the thread"]


async def test_cancelling_the_future_cancels_the_publication() -> None:
    bus = bound()
    held = Held()
    bus.subscribe(held, "topic")
    future = bus.publish_threadsafe("topic", 1)
    await held.entered(1)
    assert await in_thread(future.cancel)
    await settle()
    assert held.cancelled == [1]
    assert future.cancelled()


async def test_cancelling_the_future_before_the_start_starts_nothing() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    future = bus.publish_threadsafe("topic", 1)
    assert future.cancel()
    await settle()
    assert recorder.values == []
    await bus.publish("topic", 2)


async def test_a_subscriber_that_raises_cancelled_error_cancels_the_future() -> None:
    bus = bound()
    subscriber = failing(asyncio.CancelledError())
    bus.subscribe(subscriber, "topic")
    future = bus.publish_threadsafe("topic")
    await settle()
    assert future.cancelled()


async def test_the_future_can_be_awaited_through_asyncio() -> None:
    bus = bound()
    recorder = Recorder()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(recorder, "topic")
    bus.subscribe(subscriber, "bad")
    await within(asyncio.wrap_future(bus.publish_threadsafe("topic", 1)))
    assert recorder.values == [1]
    with pytest.raises(ExceptionGroup):
        await within(asyncio.wrap_future(bus.publish_threadsafe("bad")))


async def test_waiting_on_the_loops_own_thread_raises() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    future = bus.publish_threadsafe("topic", 1)
    with pytest.raises(ReentrancyError, match="await publish"):
        future.result()
    with pytest.raises(ReentrancyError, match="await publish"):
        future.exception(1)
    await settle()
    future.result()
    assert future.exception() is None


@pytest.mark.parametrize("has_handler", [False, True])
async def test_an_error_that_nobody_asks_for_is_reported(has_handler: bool, loop_errors: list[dict[str, Any]]) -> None:
    handled: list[BaseException] = []
    bus = EventBus(handler=handled.append) if has_handler else EventBus()
    bus._bind()
    error = ValueError()
    subscriber = failing(error)
    bus.subscribe(subscriber, "topic")
    bus.publish_threadsafe("topic", safe=False)
    await settle()
    gc.collect()
    await settle()
    reported = collect_errors(loop_errors)
    assert (handled, reported) == (([error], []) if has_handler else ([], [error]))


async def test_an_error_that_somebody_asked_for_is_not_reported() -> None:
    bus = bound()
    subscriber = failing(ValueError())
    bus.subscribe(subscriber, "topic")
    future = bus.publish_threadsafe("topic")
    await settle()
    assert future.exception() is not None
    del future
    gc.collect()
    await settle()


def test_an_error_that_nobody_asked_for_by_the_end_of_the_loop_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    bus = EventBus()
    reported: list[Any] = []
    futures: list[Any] = []
    error = ValueError()
    subscriber = failing(error)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        bus.subscribe(subscriber, "topic")
        bus._bind()
        futures.append(bus.publish_threadsafe("topic", safe=False))
        await settle()

    asyncio.run(main())
    assert reported == []
    futures.clear()
    gc.collect()
    assert reported == [error]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_goes_through_the_loop_and_the_future(kind: type[BaseException]) -> None:
    bus = EventBus()
    futures: list[Any] = []
    subscriber = failing(kind())

    async def main() -> None:
        bus.subscribe(subscriber, "topic")
        bus._bind()
        futures.append(bus.publish_threadsafe("topic"))
        await asyncio.sleep(10)

    with pytest.raises(kind):
        asyncio.run(main())
    assert isinstance(futures[0].exception(), kind)


async def test_a_future_cancelled_when_its_publication_has_ended_is_not() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    future = bus.publish_threadsafe("topic", 1)
    await settle()
    assert not future.cancel()
    assert future.result() is None


def test_cancelling_a_future_after_the_loop_is_closed_is_harmless() -> None:
    bus = EventBus()
    futures: list[Any] = []
    loop = asyncio.new_event_loop()
    held = Held()

    async def main() -> None:
        bus.subscribe(held, "topic")
        bus._bind()
        futures.append(bus.publish_threadsafe("topic", 1))
        await held.entered(1)

    loop.run_until_complete(main())
    task = futures[0]._task
    task.cancel()
    futures[0]._task = None
    loop.run_until_complete(asyncio.wait([task]))
    futures[0]._task = task
    loop.close()
    futures[0]._state = "PENDING"
    assert futures[0].cancel()


def closed_before_it_begins(bus: EventBus) -> Any:
    """Publish from outside a loop that is closed before it runs again."""
    loop = asyncio.new_event_loop()

    async def bind() -> None:
        bus._bind()

    loop.run_until_complete(bind())
    future = bus.publish_threadsafe("topic", 1)
    loop.close()
    return future


def test_a_publication_whose_loop_is_closed_before_it_begins_tells_its_thread() -> None:
    future = closed_before_it_begins(EventBus("late"))
    with pytest.raises(NoLoopError, match="late.*closed before"):
        future.result(5)


def test_a_cancelled_publication_whose_loop_is_closed_before_it_begins_stays_cancelled() -> None:
    bus = EventBus()
    loop = asyncio.new_event_loop()

    async def bind() -> None:
        bus._bind()

    loop.run_until_complete(bind())
    future = bus.publish_threadsafe("topic", 1)
    assert future.cancel()
    loop.close()
    assert future.cancelled()


def test_a_publication_whose_loop_is_closed_and_that_nobody_asks_for_is_reported() -> None:
    reported: list[BaseException] = []
    bus = EventBus("late", handler=lambda error: reported.append(error))
    closed_before_it_begins(bus)
    gc.collect()
    (error,) = reported
    assert isinstance(error, NoLoopError)


def test_a_publication_that_has_not_begun_at_the_exit_of_the_interpreter_is_let_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("asyncutils_rx._threads.Errand.__del__.__defaults__", (lambda: True,))
    future = closed_before_it_begins(EventBus())
    assert not future.done()


# The state of the bus


def test_publish_threadsafe_before_the_bus_has_a_loop_raises() -> None:
    with pytest.raises(NoLoopError, match="lonely"):
        EventBus("lonely").publish_threadsafe("topic")


def test_publish_threadsafe_after_the_loop_was_closed_raises() -> None:
    bus = EventBus("late")

    async def main() -> None:
        bus._bind()

    asyncio.run(main())
    with pytest.raises(NoLoopError, match="late.*closed"):
        bus.publish_threadsafe("topic")


async def test_shutdown_serves_what_other_threads_have_called_for() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    futures = [bus.publish_threadsafe("topic", number) for number in range(3)]
    assert futures[1].cancel()
    await within(bus.shutdown())
    assert recorder.values == [0, 2]
    assert futures[0].result() is futures[2].result() is None


async def test_shutdown_does_not_wait_for_what_other_threads_have_cancelled() -> None:
    bus = bound()
    assert bus.publish_threadsafe("topic").cancel()
    await within(bus.shutdown())


async def test_immediate_shutdown_refuses_what_other_threads_have_called_for() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    future = bus.publish_threadsafe("topic", 1)
    await within(bus.shutdown(immediate=True))
    await settle()
    assert recorder.values == []
    with pytest.raises(BusShutDown, match="before this publication had begun"):
        future.result()


async def test_a_refused_future_that_was_cancelled_stays_so() -> None:
    bus = bound()
    future: Any = bus.publish_threadsafe("topic")
    await settle()
    other: Any = bus.publish_threadsafe("topic")
    other.cancel()
    other.refuse(ValueError())
    assert other.cancelled()
    assert future.done()
    await settle()


async def test_shutdown_serves_what_other_threads_published() -> None:
    bus = bound()
    recorder = Recorder()
    bus.subscribe(recorder, "topic")
    future = bus.publish_threadsafe("topic", 1)
    await tick()
    await within(bus.shutdown())
    assert recorder.values == [1]
    assert future.result() is None


async def test_immediate_shutdown_ends_what_other_threads_published() -> None:
    bus = bound()
    held = Held()
    bus.subscribe(held, "topic")
    future = bus.publish_threadsafe("topic", 1)
    await held.entered(1)
    await within(bus.shutdown(immediate=True))
    await settle()
    with pytest.raises(BusShutDown):
        future.result()
