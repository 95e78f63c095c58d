"""``from_rx``: the buffer for what comes while observers are busy, its policies, and the end."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import AsyncutilsRxError, NoLoopError, OverflowPolicyError
from tests.interop.kit import POLICIES, Closed, Source, Threads, end_of, feed_of, in_thread, until
from tests.observable_kit import Held, Recorder, Tally, begin, collect_errors, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncutils_rx.types import OverflowPolicy


setting: ContextVar[str] = ContextVar("setting", default="unset")


def nothing(*_: Any) -> None:
    """Observe."""


async def held_source(maxsize: int, overflow: OverflowPolicy) -> tuple[Source, Observable[[int]], Held]:
    """Return a source, its observable, and the observer that is busy with 0."""
    source, held = Source(), Held()
    obs: Observable[[int]] = Observable.from_rx(source, maxsize=maxsize, overflow=overflow)
    obs.subscribe_nowait(held)
    source.on_next(0)
    await held.entered(0)
    return source, obs, held


async def finish(obs: Observable[...], held: Held) -> list[Any]:
    """Let everything be delivered; return what was."""
    held.release()
    await within(obs.aclose())
    assert held.ended == held.started
    return held.ended


async def push_here(source: Source, *values: int) -> None:
    for value in values:
        source.on_next(value)


async def push_there(source: Source, *values: int) -> None:
    for value in values:
        await in_thread(source.on_next, value)


PUSH: dict[str, Callable[..., Any]] = {"loop": push_here, "thread": push_there}


# The size


@pytest.mark.parametrize("overflow", POLICIES)
@pytest.mark.parametrize("where", PUSH)
async def test_from_rx_buffer_of_size_0_takes_any_number(overflow: OverflowPolicy, where: str) -> None:
    source, obs, held = await held_source(0, overflow)
    await PUSH[where](source, *range(1, 200))
    assert await finish(obs, held) == list(range(200))
    assert feed_of(obs).dropped == 0


@pytest.mark.parametrize("overflow", POLICIES)
@pytest.mark.parametrize("where", PUSH)
async def test_from_rx_buffer_takes_as_many_as_its_size(overflow: OverflowPolicy, where: str) -> None:
    source, obs, held = await held_source(3, overflow)
    await PUSH[where](source, 1, 2, 3)
    assert await finish(obs, held) == [0, 1, 2, 3]
    assert feed_of(obs).dropped == 0


async def test_from_rx_buffer_counts_what_waits_and_not_what_is_being_delivered() -> None:
    source, obs, held = await held_source(1, "raise")
    for value in range(1, 5):
        source.on_next(value)
        held.release(value - 1)
        await held.entered(value)
    assert await finish(obs, held) == [0, 1, 2, 3, 4]


# The policies that drop


@pytest.mark.parametrize("where", PUSH)
@pytest.mark.parametrize(
    ("overflow", "delivered", "dropped"),
    [("drop_oldest", [0, 4, 5], 3), ("drop_newest", [0, 1, 2], 3), ("latest", [0, 5], 4)],
)
async def test_from_rx_overflow_drops_and_counts(
    overflow: OverflowPolicy, delivered: list[int], dropped: int, where: str
) -> None:
    source, obs, held = await held_source(2, overflow)
    await PUSH[where](source, 1, 2, 3, 4, 5)
    assert feed_of(obs).dropped == dropped
    assert await finish(obs, held) == delivered


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "latest"])
async def test_from_rx_overflow_that_drops_does_not_end_the_observable(overflow: OverflowPolicy) -> None:
    source, obs, held = await held_source(1, overflow)
    await push_here(source, 1, 2, 3)
    held.release()
    await within(obs.wait_until_idle())
    await settle()
    source.on_next(9)
    await settle()
    assert held.ended[-1] == 9
    assert not obs._closed
    await obs.aclose()


# raise


@pytest.mark.parametrize("where", PUSH)
async def test_from_rx_overflow_raise_ends_the_observable_after_what_is_buffered(where: str) -> None:
    source, obs, held = await held_source(2, "raise")
    end = await begin(end_of(obs))
    await PUSH[where](source, 1, 2, 3, 4)
    await settle()
    assert not end.done()
    held.release()
    error = await within(end)
    assert isinstance(error, OverflowPolicyError)
    assert error.maxsize == 2
    assert held.ended == [0, 1, 2]
    assert source.live == 0


async def test_from_rx_overflow_is_raise_unless_told_otherwise() -> None:
    source, held = Source(), Held()
    obs: Observable[[int]] = Observable.from_rx(source, maxsize=1)
    obs.subscribe_nowait(held)
    end = await begin(end_of(obs))
    await push_here(source, 0, 1, 2)
    held.release()
    assert isinstance(await within(end), OverflowPolicyError)


async def test_from_rx_overflow_that_nobody_hears_of_goes_to_the_loops_handler(
    loop_errors: list[dict[str, Any]],
) -> None:
    source, obs, held = await held_source(1, "raise")
    await push_here(source, 1, 2)
    held.release()
    await settle()
    assert obs._closed
    (error,) = collect_errors(loop_errors)
    assert isinstance(error, OverflowPolicyError)
    assert "from_rx" in str(error)


# wait


async def test_from_rx_overflow_wait_keeps_a_foreign_thread_waiting_for_room() -> None:
    source, obs, held = await held_source(1, "wait")
    await in_thread(source.on_next, 1)
    pushing = asyncio.create_task(in_thread(source.on_next, 2))
    await until(lambda: feed_of(obs)._waiting == 1)
    assert not pushing.done()
    held.release(0)
    await within(pushing)
    assert await finish(obs, held) == [0, 1, 2]
    assert feed_of(obs).dropped == 0


async def test_from_rx_overflow_wait_keeps_the_order_of_a_foreign_thread() -> None:
    recorder, source = Recorder(), Source()
    obs: Observable[[int]] = Observable.from_rx(source, maxsize=2, overflow="wait")
    obs.subscribe_nowait(recorder)

    def push() -> None:
        for value in range(300):
            source.on_next(value)

    await in_thread(push)
    await within(obs.aclose())
    assert recorder.values == list(range(300))


async def test_from_rx_overflow_wait_on_the_loops_thread_ends_the_observable() -> None:
    source, obs, held = await held_source(1, "wait")
    end = await begin(end_of(obs))
    await push_here(source, 1, 2)
    held.release()
    assert isinstance(await within(end), OverflowPolicyError)
    assert held.ended == [0, 1]


def test_from_rx_overflow_wait_never_waits_for_a_loop_of_the_own_thread_that_stands_still() -> None:
    held, source, ends = Held(), Source(), []
    with asyncio.Runner() as runner:

        async def begin_it() -> Observable[[int]]:
            obs: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow="wait")
            obs.subscribe_nowait(held)
            source.on_next(0)
            await held.entered(0)
            return obs

        async def end_it() -> None:
            held.release()
            ends.append(await end_of(obs))

        obs = runner.run(begin_it())
        source.on_next(1)
        source.on_next(2)
        runner.run(end_it())
    assert [type(end) for end in ends] == [OverflowPolicyError]


async def test_from_rx_overflow_wait_lets_several_threads_wait() -> None:
    source, obs, held = await held_source(1, "wait")
    await in_thread(source.on_next, 1)
    pushing = [asyncio.create_task(in_thread(source.on_next, value)) for value in (2, 3, 4)]
    await until(lambda: feed_of(obs)._waiting == 3)
    held.release()
    for each in pushing:
        await within(each)
    await within(obs.aclose())
    assert held.ended[:2] == [0, 1]
    assert sorted(held.ended) == [0, 1, 2, 3, 4]


async def test_from_rx_close_delivers_what_a_waiting_thread_brings() -> None:
    source, obs, held = await held_source(1, "wait")
    await in_thread(source.on_next, 1)
    pushing = [asyncio.create_task(in_thread(source.on_next, value)) for value in (2, 3, 4)]
    await until(lambda: feed_of(obs)._waiting == 3)
    closing = await begin(obs.aclose())
    for each in pushing:
        await within(each)
    assert not closing.done()
    held.release()
    await within(closing)
    assert held.ended[:2] == [0, 1]
    assert sorted(held.ended) == [0, 1, 2, 3, 4]


async def test_from_rx_completion_on_another_thread_waits_for_what_waits_for_room() -> None:
    source, obs, held = await held_source(1, "wait")
    await in_thread(source.on_next, 1)
    end = await begin(end_of(obs))
    pushing = [asyncio.create_task(in_thread(source.on_next, value)) for value in (2, 3)]
    await until(lambda: feed_of(obs)._waiting == 2)
    await in_thread(source.on_completed)
    for each in pushing:
        await within(each)
    held.release()
    assert await within(end) is Closed
    assert sorted(held.ended) == [0, 1, 2, 3]


async def test_from_rx_lets_waiting_threads_go_when_the_last_observer_has_gone() -> None:
    source, obs, held = await held_source(1, "wait")
    await in_thread(source.on_next, 1)
    pushing = asyncio.create_task(in_thread(source.on_next, 2))
    await until(lambda: feed_of(obs)._waiting == 1)
    obs.unsubscribe_nowait(held)
    held.release()
    await within(pushing)
    assert source.live == 0


# The end


async def test_from_rx_close_delivers_what_has_come() -> None:
    source, obs, held = await held_source(0, "raise")
    await in_thread(source.on_next, 1)
    source.on_next(2)
    await in_thread(source.on_next, 3)
    closing = await begin(obs.aclose())
    assert source.live == 0
    assert not closing.done()
    held.release()
    await within(closing)
    assert held.ended == [0, 1, 2, 3]


async def test_from_rx_close_takes_nothing_that_comes_later() -> None:
    source, obs, held = await held_source(0, "raise")
    (subscription,) = source._live
    closing = await begin(obs.aclose())
    subscription.next(1)
    await in_thread(subscription.next, 2)
    held.release()
    await within(closing)
    subscription.next(3)
    await settle()
    assert held.ended == [0]


async def test_from_rx_close_reaches_derived_observers_with_what_has_come() -> None:
    source, held, tally = Source(), Held(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    async with obs:
        obs.subscribe_nowait(held)
        obs.buffer(2).debounce(60.0).subscribe_nowait(tally)
        for value in range(5):
            source.on_next(value)
        await settle()
        held.release()
    assert held.ended == [0, 1, 2, 3, 4]
    assert tally.values == [4]


async def test_from_rx_close_that_is_cancelled_lets_go_of_what_waits() -> None:
    source, obs, held = await held_source(0, "raise")
    await push_here(source, 1, 2)
    closing = await begin(obs.aclose())
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    await settle()
    assert held.cancelled == [0]
    assert held.started == [0]
    assert obs._closed
    assert len(feed_of(obs)._items) == 0


async def test_from_rx_failing_setup_of_a_subclass_disposes_of_the_source() -> None:
    class Fails(Observable[[int]]):
        async def __setup__(self) -> None:
            await super().__setup__()
            raise OSError("no such device")

    source = Source()
    obs: Observable[[int]] = Fails.from_rx(source)
    with pytest.raises(OSError, match="no such device"):
        async with obs:
            pass
    assert await end_of(obs) is Closed
    assert source.live == 0


async def test_from_rx_is_collected_with_its_source() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    held = feed_of(obs)
    del obs, source
    gc.collect()
    assert held is not None


# A loop that is gone


def abandoned(overflow: OverflowPolicy, *values: int) -> tuple[Source, Observable[[int]]]:
    """Return a source whose observable was left open, with these values in its buffer, on a loop that is closed."""
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow=overflow)

    async def main() -> None:
        obs.subscribe_nowait(nothing)
        for value in values:
            await asyncio.to_thread(source.on_next, value)

    asyncio.run(main())
    return source, obs


def test_from_rx_tells_a_source_whose_loop_is_closed_and_disposes_of_it() -> None:
    source, _ = abandoned("raise")
    with pytest.raises(NoLoopError, match="its event loop is closed"):
        source.on_next(1)
    assert source.live == 0
    source.on_next(2)


def test_from_rx_end_on_a_closed_loop_is_harmless() -> None:
    source, _ = abandoned("raise")
    source.on_completed()
    assert source.live == 0


def test_from_rx_lets_a_thread_go_that_waits_for_a_loop_that_was_closed() -> None:
    source, errors = Source(), []
    obs: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow="wait")

    def push() -> None:
        try:
            for value in range(5):
                source.on_next(value)
        except AsyncutilsRxError as error:
            errors.append(error)

    thread = threading.Thread(target=push)

    async def main() -> None:
        obs.subscribe_nowait(Held())
        source.on_next(-1)
        thread.start()
        await until(lambda: feed_of(obs)._waiting == 1)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is abandoned on purpose
    loop.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in errors] == [NoLoopError]
    assert source.live == 0


# Threads


async def test_from_rx_calls_observers_on_the_loops_thread() -> None:
    source, direct, derived = Source(), Threads(), Threads()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(direct)
    obs.filter(lambda _: threading.get_ident() in derived.idents or True).subscribe_nowait(derived)
    await in_thread(source.on_next, 1)
    source.on_next(2)
    await in_thread(source.on_next, 3)
    await within(obs.aclose())
    assert direct.values == derived.values == [1, 2, 3]
    assert direct.only_here
    assert derived.only_here


@pytest.mark.parametrize("where", PUSH)
async def test_from_rx_runs_observers_in_the_context_of_the_source(where: str) -> None:
    seen: list[tuple[int, str]] = []
    source, held = Source(), Held()
    obs: Observable[[int]] = Observable.from_rx(source)

    async def look(value: int) -> None:
        seen.append((value, setting.get()))
        setting.set("changed")

    for observer in (look, held):
        obs.subscribe_nowait(observer)
    for value in range(4):
        setting.set(f"value {value}")
        await PUSH[where](source, value)
    setting.set("test")
    held.release()
    await within(obs.aclose())
    assert seen == [(value, f"value {value}") for value in range(4)]


async def test_from_rx_finds_its_loop_where_another_thread_emits_first() -> None:
    source, threads = Source(), Threads()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(threads)
    await in_thread(source.on_next, 1)
    await settle()
    assert threads.values == [1]
    assert threads.only_here
    await obs.aclose()


async def test_from_rx_belongs_to_the_loop_of_its_observer_and_not_to_that_of_the_first_emission() -> None:
    source, threads = Source(), Threads()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(threads)

    async def elsewhere() -> None:
        source.on_next(1)

    await in_thread(asyncio.run, elsewhere())
    await settle()
    assert obs.loop is asyncio.get_running_loop()
    assert threads.values == [1]
    assert threads.only_here
    await obs.aclose()


@pytest.mark.parametrize("end", ["on_completed", "on_error"])
async def test_from_rx_ends_on_the_loops_thread(end: str) -> None:
    source, threads = Source(), Threads()
    obs: Observable[[int]] = Observable.from_rx(source)
    subscription = obs.to_rx().subscribe(threads, threads, lambda: threads("completed"))
    await in_thread(source.on_next, 1)
    await in_thread(getattr(source, end), *[ValueError("of the source")] * (end == "on_error"))
    await settle()
    assert len(threads.values) == 2
    assert threads.only_here
    assert source.disposed == [threading.get_ident()]
    subscription.dispose()


async def test_from_rx_thread_that_waited_for_room_goes_on_after_a_cancelled_close_and_is_forgotten() -> None:
    source, held = Source(), Held()
    obs: Observable[[int]] = Observable.from_rx(source, maxsize=1, overflow="wait")
    obs.subscribe_nowait(held)
    source.on_next(0)
    await held.entered(0)
    source.on_next(1)
    waiting = asyncio.ensure_future(in_thread(source.on_next, 2))
    feed = feed_of(obs)
    await until(lambda: feed._waiting)
    # The thread must not go on before the close is over.
    with feed._guard:
        closing = await begin(obs.aclose())
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(closing)
    await within(waiting)
    await settle()
    assert held.started == [0]
    assert not feed._items
