"""What changes in the middle of a notification, or in the turn of the loop in which something else happens."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, NoReturn

import pytest
from reactivex import Subject
from reactivex.testing import TestScheduler

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError
from tests.observable_kit import Held, Tally, begin, collect_errors, failing, settle, within

TURNS = range(6)


def everything(_: object) -> bool:
    return True


def interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


# Observers that come and go


async def test_observer_that_removes_two_others_keeps_both_from_starting_and_nobody_further_down() -> None:
    obs: Observable[[int]] = Observable()
    first, second = Tally(), Tally()

    def remove(_: int) -> None:
        obs.unsubscribe_nowait(first)
        obs.unsubscribe_nowait(second)

    for observer in (remove, first, second):
        obs.subscribe_nowait(observer)
    obs.filter(everything).subscribe_nowait(second)
    await within(obs.notify(1))
    assert first.values == []
    assert second.values == [1]  # of the derived observable


async def test_observer_that_was_removed_and_added_in_the_middle_of_a_batch_sees_nothing_of_it() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()

    def renew(value: int) -> bool:
        if value == 2:
            derived.unsubscribe_nowait(tally)
            derived.subscribe_nowait(tally)
        return True

    derived = obs.buffer(3).filter(renew)
    derived.subscribe_nowait(tally)
    for value in range(1, 7):
        await within(obs.notify(value))
        if value == 3:
            assert tally.values == []
            derived.unsubscribe_nowait(tally)
            derived.subscribe_nowait(tally)
    assert tally.values == [4, 5, 6]


async def test_counted_observer_that_is_taken_off_in_the_middle_of_a_batch_is_called_no_more_often() -> None:
    """Nor does its last call take off what was added in its place."""
    obs: Observable[[int]] = Observable()
    tally = Tally()
    batch = obs.buffer(3)

    async def take_off(value: int) -> None:
        if value == 1:
            batch.unsubscribe_eventually(tally)
            await batch.handle_unsubscriptions()
            batch.subscribe_nowait(tally)

    batch.subscribe_nowait(take_off)
    batch.ntimes(tally, 1)
    for value in (1, 2, 3):
        await within(obs.notify(value))
    assert len(tally.values) <= 1
    assert list(batch) == [take_off, tally]


async def test_observers_that_end_at_once_have_what_one_of_them_put_off_applied() -> None:
    tally = Tally()

    def put_off(_: int) -> None:
        obs.unsubscribe_eventually(tally)

    obs: Observable[[int]] = Observable([put_off, tally])
    for value in (1, 2):
        await within(obs.notify(value))
    assert tally.values == [1]
    assert obs.idle


async def test_iteration_goes_on_where_an_observer_came_and_went() -> None:
    tallies = [Tally(), Tally()]
    obs: Observable[[int]] = Observable(tallies)
    seen: list[object] = []
    for observer in obs:
        seen.append(observer)
        obs.subscribe_nowait(interrupt)
        obs.unsubscribe_nowait(interrupt)
    assert seen == tallies


async def test_subscription_tells_what_it_is() -> None:
    obs: Observable[[int]] = Observable()
    text = repr(obs.subscribe_nowait(interrupt))
    assert text.startswith("<Subscription of ")
    assert "interrupt" in text
    assert repr(obs) in text


async def test_threaded_observer_that_waits_for_a_thread_is_not_called_where_notify_is_cancelled() -> None:
    obs: Observable[[int]] = Observable()
    go, running, tally = Event(), Event(), Tally()

    def hold(_: int) -> None:
        running.set()
        go.wait(10)

    obs._executor = ThreadPoolExecutor(1)
    obs.subscribe_syncf(hold)
    obs.subscribe_syncf(tally)
    notifier = await begin(obs.notify(1))
    await asyncio.to_thread(running.wait, 10)
    notifier.cancel()
    await settle()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await obs.aclose()
    assert tally.values == []


# Errors


async def test_error_that_came_before_notify_was_cancelled_is_reported(loop_errors: list[dict[str, Any]]) -> None:
    error, held = ValueError("before"), Held()
    obs: Observable[[int]] = Observable([failing(error)])
    obs.filter(everything).subscribe_nowait(held)
    notifier = await begin(obs.notify(1))
    notifier.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert collect_errors(loop_errors) == [error]


async def test_interruption_by_a_subscriber_is_the_notifiers_and_leaves_the_observable_idle() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    with obs.to_rx().subscribe(interrupt), pytest.raises(KeyboardInterrupt):
        await within(obs.notify(1))
    assert obs.idle
    await within(obs.notify(2))
    assert tally.values == [1, 2]


async def test_task_factory_that_raises_leaves_every_observable_idle() -> None:
    """One that refuses the second task: what runs is cancelled, and what has not begun never begins."""
    held, tally = Held(), Tally()
    obs: Observable[[int]] = Observable([held])
    obs.filter(everything).subscribe_nowait(held)
    below = obs.filter(everything)
    below.subscribe_nowait(tally)
    tasks: list[asyncio.Task[Any]] = []

    def refuse(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        if tasks:
            raise RuntimeError("enough")
        tasks.append(asyncio.Task(coro, loop=loop, **options))
        return tasks[0]

    asyncio.get_running_loop().set_task_factory(refuse)
    try:
        with pytest.raises(RuntimeError, match="enough"):
            await obs.notify(1)
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert tasks[0].cancelled()
    assert obs.idle
    assert below.idle
    assert tally.values == []


async def test_function_that_returns_an_awaitable_that_cannot_be_closed_is_refused() -> None:
    obs: Observable[[int]] = Observable()
    future = asyncio.get_running_loop().create_future()
    derived = obs.filter(lambda _: future)
    with pytest.raises(ArgumentTypeError, match=r"Observable\.filter"):
        await within(obs.notify(1))
    assert derived.idle


async def test_merge_with_nothing_is_refused() -> None:
    obs: Any = Observable()
    with pytest.raises(ArgumentValueError, match=r"Observable\.merge"):
        obs.merge()


# Whom an emission belongs to


@pytest.mark.parametrize("others", [0, 1])
async def test_value_that_an_observer_pushes_is_awaited_by_its_notify(others: int) -> None:
    subject: Subject[int] = Subject()
    inner: Observable[[int]] = Observable.from_rx(subject)
    held = Held()
    inner.subscribe_nowait(held)
    outer: Observable[[int]] = Observable([subject.on_next])
    derived = [outer.filter(everything) for _ in range(others)]
    for each in derived:
        each.subscribe_nowait(Tally())
    notifier = await begin(outer.notify(1))
    assert (held.started, notifier.done()) == ([1], False)
    held.release()
    await within(notifier)
    await inner.aclose()


async def test_emission_of_a_scheduler_that_finds_its_observable_busy_is_awaited_by_its_notify() -> None:
    virtual = TestScheduler()
    obs: Observable[[str]] = Observable()
    derived = obs.debounce(1, scheduler=virtual)
    held = Held()
    derived.subscribe_nowait(held)
    drivers: list[Observable[[]]] = [Observable([lambda: virtual.advance_by(2)]) for _ in range(2)]
    notifiers = []
    for driver, value in zip(drivers, "ab", strict=True):
        await within(obs.notify(value))
        notifiers.append(await begin(driver.notify()))
    assert held.started == ["a"]
    held.release("a")
    await within(notifiers[0])
    await held.entered("b")
    assert not notifiers[1].done()
    held.release()
    await within(notifiers[1])


# The end


async def test_close_of_a_source_and_whoever_waits_for_a_derived_one_both_go_on() -> None:
    held = Held()
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    mapped = obs.map_async(held)
    mapped.subscribe_nowait(Tally())
    subject.on_next(1)
    await held.entered(1)
    waiting = await begin(mapped.wait_closed())
    closing = await begin(obs.aclose())
    assert [waiting.done(), closing.done()] == [False, False]
    held.release()
    await within(waiting)
    await within(closing)


async def test_observable_whose_setup_fails_is_closed() -> None:
    class Failing(Observable[[int]]):
        async def __setup__(self) -> None:
            await super().__setup__()
            raise OSError("no setup")

    obs = Failing()
    with pytest.raises(OSError, match="no setup"):
        await within(obs.__aenter__())
    assert "closed" in repr(obs)


@pytest.mark.parametrize("turns", TURNS)
async def test_sequential_notification_that_is_cancelled_as_it_gets_its_turn_gives_it_back(turns: int) -> None:
    held, tally = Held(), Tally()
    obs: Observable[[int]] = Observable([held, tally])
    notifier = await begin(obs.notify(1))
    generator = obs.notify_sequential(2)
    stepping = await begin(anext(generator))
    held.release(1)
    for _ in range(turns):
        await asyncio.sleep(0)
    stepping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(stepping)
    await within(notifier)
    held.release()
    await within(obs.notify(3))
    assert tally.values == [1, 3]
    assert obs.idle
