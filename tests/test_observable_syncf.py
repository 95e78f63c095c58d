"""``subscribe_syncf``: an observer that runs in a thread of an executor."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextvars import ContextVar
from functools import partial

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ArgumentTypeError
from tests.observable_kit import Recorder, begin, settle, within

NAME: ContextVar[str] = ContextVar("NAME", default="unset")
PATIENCE = 5


class Blocking:
    """A sync observer that occupies its thread until the test releases it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()
        self.values: list[int] = []

    def __call__(self, value: int) -> None:
        self.started.set()
        assert self.release.wait(PATIENCE)
        self.values.append(value)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self.started.wait, PATIENCE)


async def test_subscribe_syncf_calls_the_observer_in_another_thread() -> None:
    threads: list[int] = []
    obs: Observable[[]] = Observable()
    obs.subscribe_syncf(lambda: threads.append(threading.get_ident()))
    await within(obs.notify())
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_subscribe_syncf_passes_the_arguments() -> None:
    calls: list[tuple[int, str]] = []

    def observer(number: int, *, name: str) -> None:
        calls.append((number, name))

    obs: Observable[...] = Observable()
    obs.subscribe_syncf(observer)
    await within(obs.notify(1, name="one"))
    assert calls == [(1, "one")]


async def test_subscribe_syncf_is_awaited_and_does_not_block_the_loop() -> None:
    blocking, other = Blocking(), Recorder()
    obs: Observable[[int]] = Observable()
    obs.subscribe_syncf(blocking)
    obs.subscribe_nowait(other)
    notifier = await begin(obs.notify(1))
    await blocking.entered()
    assert other.values == [1]
    assert not notifier.done()
    blocking.release.set()
    await within(notifier)
    assert blocking.values == [1]


async def test_subscribe_syncf_error_is_raised_by_the_notification() -> None:
    error = ValueError("in a thread")

    def observer() -> None:
        raise error

    obs: Observable[[]] = Observable()
    obs.subscribe_syncf(observer)
    with pytest.raises(ValueError, match="in a thread") as caught:
        await within(obs.notify())
    assert caught.value is error


async def test_subscribe_syncf_errors_keep_their_place_in_the_order() -> None:
    errors = [ValueError("inline"), ValueError("thread"), ValueError("inline again")]

    def raising(number: int) -> None:
        raise errors[number]

    obs: Observable[[]] = Observable([lambda: raising(0)])
    obs.subscribe_syncf(lambda: raising(1))
    obs.subscribe_nowait(lambda: raising(2))
    with pytest.raises(ExceptionGroup) as caught:
        await within(obs.notify())
    assert list(caught.value.exceptions) == errors


async def test_subscribe_syncf_lists_the_callable_that_was_given() -> None:
    def observer() -> None:
        """Is only looked at."""

    obs: Observable[[]] = Observable()
    obs.subscribe_syncf(observer)
    assert list(obs) == [observer]


async def test_subscribe_syncf_observer_is_removable_as_the_callable_that_was_given() -> None:
    seen: list[int] = []
    observer = seen.append
    obs: Observable[[int]] = Observable()
    obs.subscribe_syncf(observer)
    obs.unsubscribe_nowait(observer, strict=True)
    obs.subscribe_syncf(observer)
    await obs.unsubscribe(observer, strict=True)
    obs.subscribe_syncf(observer)
    obs.unsubscribe_eventually(observer, asap=True)
    await within(obs.notify(1))
    assert seen == []
    assert list(obs) == []


async def test_subscribe_syncf_of_an_observer_already_subscribed_does_not_call_it_twice() -> None:
    seen: list[int] = []
    observer = seen.append
    obs: Observable[[int]] = Observable([observer])
    obs.subscribe_syncf(observer)
    await within(obs.notify(1))
    assert seen == [1]


async def test_cancelled_notify_awaits_the_thread_of_a_subscribe_syncf_observer() -> None:
    blocking = Blocking()
    obs: Observable[[int]] = Observable()
    obs.subscribe_syncf(blocking)
    notifier = await begin(obs.notify(1))
    await blocking.entered()
    for _ in range(3):
        notifier.cancel()
        await settle()
        assert not notifier.done()
        assert obs.notifying
    blocking.release.set()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert blocking.values == [1]
    assert obs.idle


async def test_cancelled_notify_awaits_the_thread_of_a_derived_observer_too() -> None:
    blocking = Blocking()
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    derived.subscribe_syncf(blocking)
    notifier = await begin(obs.notify(1))
    await blocking.entered()
    notifier.cancel()
    await settle()
    assert not notifier.done()
    blocking.release.set()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert blocking.values == [1]


async def test_leaving_the_context_awaits_the_thread_of_a_subscribe_syncf_observer() -> None:
    blocking = Blocking()
    obs: Observable[[int]] = Observable()
    obs.subscribe_syncf(blocking)
    notifier = await begin(obs.notify(1))
    await blocking.entered()
    closing = await begin(obs.aclose())
    assert not closing.done()
    blocking.release.set()
    await within(closing)
    assert blocking.values == [1]
    await within(notifier)


async def test_subscribe_syncf_sees_the_context_variables_of_the_notification() -> None:
    seen: list[str] = []
    obs: Observable[[]] = Observable()
    obs.subscribe_syncf(lambda: seen.append(NAME.get()))
    token = NAME.set("of the notifier")
    try:
        await within(obs.notify())
    finally:
        NAME.reset(token)
    assert seen == ["of the notifier"]


async def test_subscribe_syncf_context_variables_set_in_the_thread_stay_there() -> None:
    seen: list[str] = []
    obs: Observable[[]] = Observable()
    obs.subscribe_syncf(lambda: NAME.set("of the thread"))  # type: ignore[arg-type,return-value,unused-ignore]  # any result
    obs.subscribe_nowait(lambda: seen.append(NAME.get()))
    await within(obs.notify())
    await within(obs.notify())
    assert seen == ["unset", "unset"]
    assert NAME.get() == "unset"


async def test_subscribe_syncf_observer_may_notify_through_the_loop() -> None:
    seen: list[int] = []
    loop = asyncio.get_running_loop()
    obs: Observable[[int]] = Observable([seen.append])

    def observer(value: int) -> None:
        if value == 1:
            asyncio.run_coroutine_threadsafe(obs.notify(2), loop).result(PATIENCE)

    obs.subscribe_syncf(observer)
    await within(obs.notify(1))
    await within(obs.wait_until_idle())
    assert seen == [1, 2]


async def test_subscribe_syncf_of_a_coroutine_function_is_refused_or_awaited() -> None:
    """Which of the two is open; a coroutine that nobody awaits would be a lost notification."""
    observer = Recorder()
    obs: Observable[[int]] = Observable()
    with contextlib.suppress(ArgumentTypeError):
        obs.subscribe_syncf(observer)
    subscribed = list(obs) == [observer]
    await within(obs.notify(1))
    assert observer.values == ([1] if subscribed else [])


async def test_subscribe_syncf_runs_observers_in_parallel() -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE)
    obs: Observable[[]] = Observable()
    obs.subscribe_syncf(partial(meeting.wait))
    obs.subscribe_syncf(partial(meeting.wait))
    await within(obs.notify(), 2 * PATIENCE)
    assert not meeting.broken
