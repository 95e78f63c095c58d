"""``feed``, ``notify_threadsafe`` and ``wait_closed``."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest
from reactivex import operators

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import (
    ArgumentTypeError,
    NoLoopError,
    ObservableClosed,
    OverflowPolicyError,
    ReentrancyError,
    WrongLoopError,
)
from tests.interop.kit import Closed, Source, Threads, end_of, in_thread, until
from tests.observable_kit import Held, Recorder, Tally, begin, busy, collect_errors, failing, settle, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


class RefusedError(Exception):
    """What an observer raises."""


async def refuse_2(value: int) -> None:
    await asyncio.sleep(0)
    if value == 2:
        raise RefusedError(value)


# What feed takes


async def slowly(count: int) -> AsyncIterator[int]:
    for value in range(count):
        await asyncio.sleep(0)
        yield value


class Countdown:
    """Can be iterated asynchronously, and is no generator."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __aiter__(self) -> Countdown:
        return self

    async def __anext__(self) -> int:
        if self.count == 0:
            raise StopAsyncIteration
        self.count -= 1
        return self.count


FEEDS: dict[str, tuple[Callable[[], Any], list[Any]]] = {
    "list": (lambda: [0, 1, 2], [0, 1, 2]),
    "empty": (list, []),
    "tuple": (lambda: (0, (1, 2)), [0, (1, 2)]),
    "generator": (lambda: (value for value in range(3)), [0, 1, 2]),
    "string": (lambda: "ab", ["a", "b"]),
    "asynchronous generator": (lambda: slowly(3), [0, 1, 2]),
    "asynchronous iterator": (lambda: Countdown(3), [2, 1, 0]),
}


@pytest.mark.parametrize("name", FEEDS)
async def test_feed_notifies_each_item_as_the_only_argument(name: str) -> None:
    make, expected = FEEDS[name]
    obs: Observable[...] = Observable()
    recorder = Recorder()
    obs.subscribe_nowait(recorder)
    await within(obs.feed(make()))
    assert recorder.calls == [((value,), {}) for value in expected]


async def test_feed_takes_the_values_of_another_observable() -> None:
    source: Observable[[int]] = Observable()
    target: Observable[[int]] = Observable()
    tally = Tally()
    target.subscribe_nowait(tally)
    feeding = await begin(target.feed(source.values()))
    for value in range(5):
        await source.notify(value)
    await source.aclose()
    await within(feeding)
    assert tally.values == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("wrong", [5, None, object(), print])
def test_feed_refuses_at_the_call_what_cannot_be_iterated(wrong: Any) -> None:
    obs: Observable[...] = Observable()
    with pytest.raises(ArgumentTypeError, match=r"Observable\.feed: iterable"):
        _ = obs.feed(wrong)


async def test_feed_returns_a_coroutine() -> None:
    obs: Observable[...] = Observable()
    feeding = obs.feed([])
    assert inspect.iscoroutine(feeding)
    await feeding


# Feed takes one after another


async def test_feed_awaits_the_completion_of_each_item() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    taken: list[int] = []

    def items() -> Iterator[int]:
        for value in range(3):
            taken.append(value)
            yield value

    feeding = await begin(obs.feed(items()))
    for value in range(3):
        assert taken == list(range(value + 1))
        assert held.started == list(range(value + 1))
        held.release(value)
        await settle()
    await within(feeding)
    assert held.most_running == 1


async def test_feed_awaits_what_its_items_reach_further_down() -> None:
    held = Held()
    obs: Observable[[int]] = Observable()
    derived = obs.pipe(operators.map(lambda value: value * 10))
    derived.subscribe_nowait(held)
    feeding = await begin(obs.feed([1, 2]))
    assert held.started == [10]
    held.release()
    await within(feeding)
    assert held.ended == [10, 20]


@pytest.mark.parametrize("maxsize", [0, 1, None])
async def test_feed_waits_for_its_turn_and_for_the_end_of_what_was_queued(maxsize: int | None) -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held], maxsize=maxsize)
    notifier = await busy(obs, held, -1)
    feeding = await begin(obs.feed([1, 2]))
    assert held.started == [-1]
    held.release(-1)
    await held.entered(1)
    assert not feeding.done()
    held.release()
    await within(feeding)
    await within(notifier)
    assert held.ended == [-1, 1, 2]


async def test_feeds_share_an_observable_item_by_item() -> None:
    recorder = Recorder()
    obs: Observable[[int]] = Observable([recorder])
    await within(asyncio.gather(obs.feed(range(20)), obs.feed(range(100, 120))))
    assert [value for value in recorder.values if value < 100] == list(range(20))
    assert [value for value in recorder.values if value >= 100] == list(range(100, 120))


async def test_feed_lets_the_loop_run() -> None:
    obs: Observable[[int]] = Observable()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await within(obs.feed(range(2000)))
    counting.cancel()
    await asyncio.wait([counting])
    assert turns >= 19  # its first turn is the one that ends with the first sleep


# Where feed stops


async def test_feed_stops_at_the_first_error() -> None:
    recorder = Recorder()
    obs: Observable[[int]] = Observable([refuse_2, recorder])
    items = iter(range(10))
    with pytest.raises(RefusedError, match="2"):
        await within(obs.feed(items))
    assert recorder.values == [0, 1, 2]
    assert list(items) == [3, 4, 5, 6, 7, 8, 9]
    await obs.notify(7)


async def test_feed_raises_the_error_of_an_item_that_waited_for_its_turn() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held, refuse_2])
    notifier = await busy(obs, held, -1)
    feeding = await begin(obs.feed([2, 3]))
    held.release()
    with pytest.raises(RefusedError, match="2"):
        await within(feeding)
    await within(notifier)
    assert held.ended == [-1, 2]


async def test_feed_raises_the_error_of_the_iterable() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise RefusedError("of the iterable")

    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    with pytest.raises(RefusedError, match="of the iterable"):
        await within(obs.feed(broken()))
    assert tally.values == [1]


async def test_feed_that_is_cancelled_takes_no_more_items() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    items = iter(range(5))
    feeding = await begin(obs.feed(items))
    feeding.cancel()
    await within(asyncio.wait([feeding]))
    assert feeding.cancelled()
    assert held.cancelled == [0]
    assert list(items) == [1, 2, 3, 4]
    assert obs.idle


async def test_feed_that_is_cancelled_while_it_waits_for_its_turn_is_withdrawn() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    notifier = await busy(obs, held, -1)
    feeding = await begin(obs.feed([1]))
    feeding.cancel()
    await within(asyncio.wait([feeding]))
    held.release()
    await within(notifier)
    assert held.ended == [-1]


async def test_feed_into_a_closed_observable_is_refused() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    items = iter([1, 2])
    with pytest.raises(ObservableClosed):
        await obs.feed(items)
    with pytest.raises(ObservableClosed):
        await obs.feed([])


async def test_feed_stops_where_the_observable_is_closed_meanwhile() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    feeding = await begin(obs.feed(range(5)))
    closing = await begin(obs.aclose())
    held.release()
    with pytest.raises(ObservableClosed):
        await within(feeding)
    await within(closing)
    assert held.ended == [0]


async def test_feed_inside_an_observer_says_that_it_would_wait_for_itself() -> None:
    obs: Observable[[int]] = Observable()

    async def observer(value: int) -> None:
        await obs.feed([value + 1])

    obs.subscribe_nowait(observer)
    with pytest.raises(ReentrancyError, match="inside an observer"):
        await within(obs.notify(1))


async def test_feed_of_another_observable_inside_an_observer_works() -> None:
    tally = Tally()
    inner: Observable[[int]] = Observable([tally])
    outer: Observable[[int]] = Observable([lambda value: inner.feed(range(value))])
    await within(outer.notify(3))
    assert tally.values == [0, 1, 2]


async def test_feed_is_held_back_by_a_full_iterator() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=2)
    feeding = await begin(obs.feed(range(10)))
    assert iterator.buffered == 2
    assert not feeding.done()
    seen = []
    async for value in iterator:
        seen.append(value)
        if value == 9:
            break
    await within(feeding)
    assert seen == list(range(10))
    await iterator.aclose()


async def test_feed_raises_what_an_iterator_refuses() -> None:
    obs: Observable[[int]] = Observable()
    iterator = obs.values(maxsize=2, overflow="raise")
    with pytest.raises(OverflowPolicyError):
        await within(obs.feed(range(10)))
    assert iterator.buffered == 2
    await iterator.aclose()


# notify_threadsafe


async def test_notify_threadsafe_notifies_on_the_loops_thread() -> None:
    threads = Threads()
    obs: Observable[[int]] = Observable([threads])
    await obs.notify(0)
    futures: list[concurrent.futures.Future[None]] = []
    await in_thread(lambda: futures.append(obs.notify_threadsafe(1)))
    await within(asyncio.wrap_future(futures[0]))
    assert threads.values == [0, 1]
    assert threads.only_here


async def test_notify_threadsafe_future_is_done_when_every_observer_has_ended() -> None:
    held = Held()
    obs: Observable[...] = Observable([held])
    futures: list[concurrent.futures.Future[None]] = []
    async with obs:
        await in_thread(lambda: futures.append(obs.notify_threadsafe("value", key=1)))
        await held.entered("value")
        assert not futures[0].done()
        held.release()
        assert await within(asyncio.wrap_future(futures[0])) is None


async def test_notify_threadsafe_lets_the_thread_wait_for_the_end() -> None:
    recorder = Recorder()
    obs: Observable[[int]] = Observable([recorder])
    seen: list[int] = []

    def work() -> None:
        for value in range(20):
            obs.notify_threadsafe(value).result(5)
            seen.append(len(recorder.values))

    async with obs:
        await in_thread(work)
    assert seen == list(range(1, 21))


async def test_notify_threadsafe_future_has_the_error() -> None:
    obs: Observable[[int]] = Observable([refuse_2])
    errors: list[BaseException | None] = []
    async with obs:
        await in_thread(lambda: errors.append(obs.notify_threadsafe(2).exception(5)))
    assert [str(error) for error in errors] == ["2"]


async def test_notify_threadsafe_future_has_the_error_of_a_queued_notification() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held, refuse_2])
    notifier = await busy(obs, held, -1)
    future = obs.notify_threadsafe(2)
    await settle()
    held.release()
    with pytest.raises(RefusedError):
        await within(asyncio.wrap_future(future))
    await within(notifier)
    await obs.aclose()


async def test_notify_threadsafe_keeps_the_order_of_each_thread() -> None:
    recorder = Recorder()
    obs: Observable[[tuple[int, int]]] = Observable([recorder])

    def work(thread: int) -> None:
        futures = [obs.notify_threadsafe((thread, value)) for value in range(100)]
        concurrent.futures.wait(futures, 10)

    async with obs:
        await asyncio.gather(*(in_thread(work, thread) for thread in range(4)))
    for thread in range(4):
        assert [value for which, value in recorder.values if which == thread] == list(range(100))


async def test_notify_threadsafe_works_on_the_loops_thread_too() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    await obs.notify(0)
    future = obs.notify_threadsafe(1)
    assert tally.values == [0]
    await within(asyncio.wrap_future(future))
    assert tally.values == [0, 1]


async def test_notify_threadsafe_future_can_be_cancelled() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    async with obs:
        future = obs.notify_threadsafe(1)
        await held.entered(1)
        await in_thread(future.cancel)
        await within(obs.wait_until_idle())
        assert held.cancelled == [1]


async def test_notify_threadsafe_before_the_close_is_delivered_by_it() -> None:
    """However late its turn comes: it was called before the close began."""
    recorder = Recorder()
    obs: Observable[[int]] = Observable([recorder])
    await obs.notify(0)
    futures = [obs.notify_threadsafe(value) for value in range(1, 6)]
    await within(obs.aclose())
    for future in futures:
        await within(asyncio.wrap_future(future))
    assert recorder.values == [0, 1, 2, 3, 4, 5]


async def test_notify_threadsafe_before_the_close_is_delivered_where_an_observer_is_busy() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    notifier = await busy(obs, held, 0)
    futures: list[concurrent.futures.Future[None]] = []
    await in_thread(lambda: futures.append(obs.notify_threadsafe(1)))
    closing = await begin(obs.aclose())
    held.release()
    await within(closing)
    await within(notifier)
    await within(asyncio.wrap_future(futures[0]))
    assert held.ended == [0, 1]


async def test_notify_threadsafe_after_the_close_raises() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    with pytest.raises(ObservableClosed):
        obs.notify_threadsafe(1)


def test_notify_threadsafe_needs_a_loop() -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(NoLoopError, match="belongs to no event loop yet"):
        obs.notify_threadsafe(1)


def test_notify_threadsafe_says_that_its_loop_is_closed() -> None:
    obs: Observable[[int]] = Observable()
    asyncio.run(obs.notify(1))
    with pytest.raises(NoLoopError, match="its event loop is closed"):
        obs.notify_threadsafe(2)


async def test_notify_threadsafe_error_that_nobody_asks_for_is_reported(loop_errors: list[dict[str, Any]]) -> None:
    error = RefusedError()
    obs: Observable[[int]] = Observable([failing(error)])
    async with obs:
        obs.notify_threadsafe(1)
        await settle()
        gc.collect()
        await settle()
    assert collect_errors(loop_errors) == [error]


async def test_notify_threadsafe_error_that_somebody_asked_for_is_not_reported() -> None:
    obs: Observable[[int]] = Observable([failing(RefusedError())])
    async with obs:
        future = obs.notify_threadsafe(1)
        await settle()
        assert isinstance(future.exception(), RefusedError)
        del future
        gc.collect()
        await settle()


def test_notify_threadsafe_tells_its_thread_that_the_loop_was_closed_before_it_began() -> None:
    obs: Observable[[int]] = Observable()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(obs.notify(1))
    future = obs.notify_threadsafe(2)
    loop.close()
    with pytest.raises(NoLoopError, match="closed before this notification had begun"):
        future.result(5)


async def test_notify_threadsafe_future_refuses_to_stop_the_loop_that_it_waits_for() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(1)
    future = obs.notify_threadsafe(2)
    with pytest.raises(ReentrancyError, match=r"await notify\(\) instead"):
        future.result()
    await settle()
    future.result()


async def test_notify_threadsafe_interrupted_close_cancels_it() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    await obs.feed([])
    future = obs.notify_threadsafe(1)
    assert not future.done()
    await held.entered(1)
    closing = await begin(obs.aclose())
    closing.cancel()
    await within(asyncio.wait([closing]))
    await settle()
    held.release()
    await until(future.done)
    assert held.ended == [1] or held.cancelled == [1]


# wait_closed


async def test_wait_closed_returns_on_close() -> None:
    obs: Observable[[int]] = Observable()
    waiting = [await begin(obs.wait_closed()) for _ in range(3)]
    await obs.notify(1)
    assert not any(each.done() for each in waiting)
    await obs.aclose()
    for each in waiting:
        assert await within(each) is None


async def test_wait_closed_returns_at_once_where_it_is_closed() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    assert await within(obs.wait_closed()) is None


async def test_wait_closed_raises_what_ended_it_every_time() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    waiting = [await begin(obs.wait_closed()) for _ in range(2)]
    obs.subscribe_nowait(print)
    source.on_error(error)
    for each in (*waiting, obs.wait_closed(), obs.wait_closed()):
        with pytest.raises(ValueError, match="of the source"):
            await within(each)


async def test_wait_closed_waits_for_what_is_being_delivered() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    notifier = await busy(obs, held, 1)
    waiting, closing = await begin(obs.wait_closed()), await begin(obs.aclose())
    assert not waiting.done()
    held.release()
    for each in (waiting, closing, notifier):
        await within(each)


async def test_wait_closed_of_a_derived_observable_returns_when_its_sources_have_ended() -> None:
    one: Observable[[int]] = Observable()
    two: Observable[[int]] = Observable()
    both = one.merge(two)
    waiting = await begin(both.fork().wait_closed())
    await one.aclose()
    await settle()
    assert not waiting.done()
    await two.aclose()
    await within(waiting)


async def test_wait_closed_that_is_cancelled_leaves_everything_as_it_was() -> None:
    obs: Observable[[int]] = Observable()
    waiting = await begin(obs.wait_closed())
    waiting.cancel()
    await within(asyncio.wait([waiting]))
    assert waiting.cancelled()
    await obs.notify(1)
    assert await end_of(obs) is Closed if obs._closed else not obs._closed
    await obs.aclose()


async def test_wait_closed_is_no_demand() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    waiting = await begin(obs.wait_closed())
    assert source.subscribed == 0
    await obs.aclose()
    await within(waiting)


@pytest.mark.parametrize("suspends", [False, True])
async def test_wait_closed_inside_an_observer_says_that_it_would_wait_for_itself(suspends: bool) -> None:
    obs: Observable[[int]] = Observable()

    async def observer(_: int) -> None:
        if suspends:
            await asyncio.sleep(0)
        await obs.wait_closed()

    obs.subscribe_nowait(observer)
    with pytest.raises(ReentrancyError, match="inside an observer"):
        await within(obs.notify(1))


async def test_wait_closed_is_for_the_loop_of_its_observable() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(1)
    with pytest.raises(WrongLoopError):
        await in_thread(asyncio.run, obs.wait_closed())


async def test_wait_closed_hears_an_error_so_that_nobody_else_has_to(loop_errors: list[dict[str, Any]]) -> None:
    heard, unheard = Source(), Source()
    first: Observable[[int]] = Observable.from_rx(heard)
    second: Observable[[int]] = Observable.from_rx(unheard)
    waiting = await begin(end_of(first))
    for obs in (first, second):
        obs.subscribe_nowait(failing(RefusedError("never")))
    errors = [ValueError("heard"), ValueError("unheard")]
    heard.on_error(errors[0])
    unheard.on_error(errors[1])
    assert await within(waiting) is errors[0]
    await settle()
    assert collect_errors(loop_errors) == [errors[1]]
    assert threading.current_thread() is threading.main_thread()
