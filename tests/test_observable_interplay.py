"""Derived observables that are notified directly too, graphs that change while they are used, and unusual errors."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import AsyncutilsRxError
from tests.observable_kit import Held, Recorder, Tally, begin, busy, collect_errors, failing, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

# A derived observable that is notified directly


async def test_direct_notification_of_a_busy_derived_observable_is_queued_and_delivered() -> None:
    held = Held()
    obs: Observable[[str]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    notifier = await busy(obs, held, "from above")
    await within(derived.notify("direct"))
    assert held.started == ["from above"]
    held.release()
    await within(notifier)
    await within(derived.wait_until_idle())
    assert held.ended == ["from above", "direct"]


async def test_error_of_a_direct_notification_that_was_queued_is_not_lost(loop_errors: list[dict[str, Any]]) -> None:
    """Who gets it is open: whoever drains the queue, or the loop's handler."""
    held = Held()

    def observer(value: str) -> None:
        if value == "direct":
            raise ValueError("direct")

    obs: Observable[[str]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    derived.subscribe_nowait(observer)
    notifier = await busy(obs, held, "from above")
    await within(derived.notify("direct"))
    held.release()
    outcome = await within(asyncio.gather(notifier, return_exceptions=True))
    await within(derived.wait_until_idle())
    await settle()
    errors = [error for error in outcome if error is not None] + collect_errors(loop_errors)
    assert [str(error) for error in errors] == ["direct"]


async def test_notification_from_above_awaits_its_turn_at_a_busy_derived_observable() -> None:
    held = Held()
    obs: Observable[[str]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    direct = await busy(derived, held, "direct")
    notifier = await begin(obs.notify("from above"))
    held.release("direct")
    await within(direct)
    await held.entered("from above")
    assert not notifier.done()
    held.release()
    await within(notifier)
    assert held.ended == ["direct", "from above"]


async def test_errors_at_a_busy_derived_observable_go_each_to_its_own_notifier() -> None:
    held = Held()
    errors = {"direct": ValueError("direct"), "from above": KeyError("from above")}

    def observer(value: str) -> None:
        raise errors[value]

    obs: Observable[[str]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    derived.subscribe_nowait(observer)
    calls = [await busy(derived, held, "direct"), await begin(obs.notify("from above"))]
    held.release()
    assert await within(asyncio.gather(*calls, return_exceptions=True)) == list(errors.values())


@pytest.mark.parametrize("cancelled", ["direct", "from above"])
async def test_cancelled_call_at_a_busy_derived_observable_takes_no_other_along(cancelled: str) -> None:
    held = Held()
    obs: Observable[[str]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    calls = {"direct": await busy(derived, held, "direct"), "from above": await begin(obs.notify("from above"))}
    await within(derived.notify("queued"))
    calls[cancelled].cancel()
    held.release()
    await within(asyncio.wait(calls.values()))
    await within(derived.wait_until_idle())
    await within(obs.wait_until_idle())
    assert {*held.ended, cancelled} == {"direct", "from above", "queued"}
    assert calls[cancelled].cancelled()
    await within(obs.notify("later"))
    assert held.ended[-1] == "later"


async def test_observer_of_a_source_may_notify_what_is_derived_from_it() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(Recorder())
    derived.subscribe_nowait(tally)

    async def observer(value: int) -> None:
        await within(derived.notify(value + 10))

    obs.subscribe_nowait(observer)
    await within(obs.notify(1))
    await within(derived.wait_until_idle())
    assert sorted(tally.values) == [1, 11]


async def test_observers_of_two_branches_may_notify_each_other() -> None:
    seen: list[tuple[str, int]] = []
    obs: Observable[[int]] = Observable()
    left, right = obs.fork(), obs.fork()

    async def on_left(value: int) -> None:
        seen.append(("left", value))
        await asyncio.sleep(0)
        if value < 3:
            await within(right.notify(value + 1))

    async def on_right(value: int) -> None:
        seen.append(("right", value))
        await asyncio.sleep(0)
        if value < 3:
            await within(left.notify(value + 1))

    left.subscribe_nowait(on_left)
    right.subscribe_nowait(on_right)
    await within(obs.notify(1))
    for each in (left, right):
        await within(each.wait_until_idle())
    assert sorted(seen) == sorted((side, value) for side in ("left", "right") for value in (1, 2, 3))


# A graph that changes while a notification is on its way through it


async def test_predicate_may_subscribe_and_unsubscribe() -> None:
    """Both happen during the notification: who is added sees the next one, who is removed is not started."""
    added, removed, below = Tally(), Tally(), Tally()
    obs: Observable[[int]] = Observable([removed])

    def predicate(_: int) -> bool:
        obs.subscribe_nowait(added)
        obs.unsubscribe_nowait(removed)
        derived.unsubscribe_nowait(below)
        return True

    derived = obs.filter(predicate)
    derived.subscribe_nowait(below)
    await obs.notify(1)
    await obs.notify(2)
    assert added.values == [2]
    assert removed.values == []
    assert below.values == []


async def test_predicate_may_derive_and_close() -> None:
    tally = Tally()
    derived: list[Observable[[int]]] = []
    closing: list[asyncio.Task[None]] = []
    obs: Observable[[int]] = Observable()

    def predicate(value: int) -> bool:
        if value == 1:
            derived.append(obs.fork())
            derived[0].subscribe_nowait(tally)
            closing.append(asyncio.ensure_future(other.aclose()))
        return True

    first, other = obs.filter(predicate), obs.fork()
    await within(obs.notify(1))
    await within(asyncio.gather(*closing))
    tally.values.clear()
    await within(obs.notify(2))
    assert tally.values == [2]
    assert first.idle


async def test_predicate_may_have_its_notification_queued() -> None:
    tally = Tally()
    tasks: list[asyncio.Task[None]] = []
    obs: Observable[[int]] = Observable()

    def predicate(value: int) -> bool:
        if value < 3:
            tasks.append(asyncio.ensure_future(obs.notify(value + 1)))
        return True

    obs.filter(predicate).subscribe_nowait(tally)
    await within(obs.notify(1))
    await settle()
    await within(asyncio.gather(*tasks))
    await within(obs.wait_until_idle())
    assert tally.values == [1, 2, 3]


async def test_observer_may_drop_a_derived_observable_during_the_notification() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    victims = [obs.map(lambda value: ((value,), {})).fork() for _ in range(3)]
    kept = obs.fork()
    kept.subscribe_nowait(tally)

    def observer(_: int) -> None:
        victims.clear()
        gc.collect()

    obs.subscribe_nowait(observer)
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert tally.values == [1, 2]


async def test_derived_observable_made_during_a_notification_sees_the_next_one() -> None:
    held, tally = Held(), Tally()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    obs.fork().subscribe_nowait(tally)
    await obs.notify("second")
    held.release()
    await within(notifier)
    assert tally.values == ["second"]


# Errors that are easily lost or mistaken for something else


class Severe(BaseException):
    """Is no Exception, and not one of the three that end things either."""


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, Severe])
@pytest.mark.parametrize("way", ["sync", "async", "sequential", "derived", "predicate"])
async def test_error_that_means_something_to_python_is_not_lost(way: str, kind: type[BaseException]) -> None:
    error = kind("meaningful")

    def observer(_: int) -> bool:
        raise error

    obs: Observable[[int]] = Observable()
    if way in ("sync", "sequential"):
        obs.subscribe_nowait(observer)
    elif way == "async":
        obs.subscribe_nowait(failing(error, suspends=True))
    elif way == "derived":
        obs.fork().subscribe_nowait(observer)
    else:
        obs.filter(observer).subscribe_nowait(Recorder())

    async def notify() -> None:
        if way == "sequential":
            async for _ in obs.notify_sequential(1):
                pass
        else:
            await obs.notify(1)

    with pytest.raises(BaseException, match=r"meaningful|StopIteration|StopAsyncIteration") as caught:
        await within(notify())
    assert not isinstance(caught.value, (TimeoutError, asyncio.CancelledError))
    assert obs.idle
    obs.unsubscribe_nowait(observer)
    await within(obs.aclose())


@pytest.mark.parametrize("kind", ["StopIteration", "StopAsyncIteration", "GeneratorExit"])
def test_error_that_means_something_to_python_gets_out_of_a_thread(kind: str) -> None:
    """In a process of its own: asyncio's futures refuse some of these, and whoever waits for them waits for ever."""
    program = f"""
import asyncio
from asyncutils_rx import Observable

def observer():
    raise {kind}("meaningful")

async def main():
    obs = Observable()
    obs.subscribe_syncf(observer)
    try:
        await obs.notify()
    except BaseException as error:
        print("raised", type(error).__name__)
    await obs.aclose()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.startswith("raised")
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["filter", "map", "at_change"])
async def test_cancelled_error_of_a_function_reaches_the_notifier_and_harms_nothing(name: str) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()

    def function(value: int) -> Any:
        if value == 1:
            raise asyncio.CancelledError
        return (value,), {}

    getattr(obs, name)(function).subscribe_nowait(tally)
    with pytest.raises(asyncio.CancelledError):
        await within(obs.notify(1))
    assert obs.idle
    await within(obs.notify(2))
    assert tally.values == [2]


async def test_one_error_raised_by_two_observers_counts_twice() -> None:
    error = ValueError("shared")
    obs: Observable[[]] = Observable([failing(error), failing(error)])
    with pytest.raises(ExceptionGroup) as caught:
        await obs.notify()
    assert list(caught.value.exceptions) == [error, error]


async def test_group_raised_by_one_observer_is_raised_itself() -> None:
    group = ExceptionGroup("of the observer", [ValueError("one"), KeyError("two")])
    obs: Observable[[]] = Observable([failing(group), Recorder()])
    with pytest.raises(ExceptionGroup) as caught:
        await obs.notify()
    assert caught.value is group


async def test_cancelled_error_of_an_observer_of_a_queued_notification_reaches_the_draining_call() -> None:
    held, tally = Held(), Tally()

    def observer(value: str) -> None:
        if value == "second":
            raise asyncio.CancelledError

    obs: Observable[[str]] = Observable([held, observer, tally])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    await obs.notify("third")
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(obs.wait_until_idle())
    assert tally.values == ["first", "second", "third"]
    assert notifier.cancelling() == 0


async def test_observer_that_returns_a_cancelled_future_raises_cancelled_error() -> None:
    cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    tally = Tally()
    obs: Observable[[int]] = Observable([lambda _: cancelled, tally])
    with pytest.raises(asyncio.CancelledError):
        await within(obs.notify(1))
    assert tally.values == [1]


async def test_observer_that_returns_a_broken_awaitable_raises_its_error() -> None:
    class Broken:
        def __await__(self) -> Generator[Any, None, None]:
            raise ValueError("broken")

    obs: Observable[[int]] = Observable([lambda _: Broken()])
    with pytest.raises(ValueError, match="broken"):
        await within(obs.notify(1))
    assert obs.idle


async def test_observer_called_with_the_wrong_parameters_tells_the_notifier() -> None:
    def observer(one: int, two: int) -> None:
        """Takes two."""

    tally = Tally()
    obs: Observable[...] = Observable([observer, tally])
    with pytest.raises(TypeError, match="two"):
        await obs.notify(1)
    assert tally.values == [1]


async def test_keyword_parameters_may_have_any_name_but_the_one_that_is_taken() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable()
    obs.fork().subscribe_nowait(observer)
    names = {"obs": 1, "args": 2, "kwargs": 3, "observer": 4, "notification": 5, "_silent_": 6}
    await obs.notify(**names)
    assert observer.calls == [((), names)]


@pytest.mark.virtual_time
async def test_cancelled_error_of_a_background_observer_stops_no_later_emission() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)

    def observer(value: int) -> None:
        tally(value)
        if value == 1:
            raise asyncio.CancelledError

    quiet.subscribe_nowait(observer)
    for value in (1, 2):
        await obs.notify(value)
        await asyncio.sleep(2)
    assert tally.values == [1, 2]
    await within(obs.aclose())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("way", ["background", "thread", "queued"])
def test_what_ends_the_program_is_let_through_wherever_it_comes_from(kind: type[BaseException], way: str) -> None:
    stop = kind()

    def observer(value: int) -> None:
        if value == 2:
            raise stop

    async def main() -> None:
        obs: Observable[[int]] = Observable()
        if way == "background":
            obs.debounce(0).subscribe_nowait(observer)
            await obs.notify(2)
            await settle()
            await asyncio.sleep(0.01)
        elif way == "thread":
            obs.subscribe_syncf(observer)
            await obs.notify(2)
        else:
            obs.subscribe_nowait(observer)

            async def queues(value: int) -> None:
                if value == 1:
                    await obs.notify(2)

            obs.subscribe_nowait(queues)
            await obs.notify(1)

    with pytest.raises(kind) as caught:
        asyncio.run(main())
    assert caught.value is stop


# Every way to derive, with an error and a cancellation on the way

WAYS: dict[str, Callable[[Observable[[str]]], Observable[[str]]]] = {
    "fork": Observable.fork,
    "merge": lambda obs: obs.merge(obs),
    "buffer": lambda obs: obs.buffer(1),
    "chain": lambda obs: obs.fork().merge(obs.fork()).fork(),
}


@pytest.mark.parametrize("way", WAYS)
async def test_cancelled_notification_leaves_every_derived_observable_usable(way: str) -> None:
    held = Held()
    obs: Observable[[str]] = Observable()
    derived = WAYS[way](obs)
    derived.subscribe_nowait(held)
    notifier = await busy(obs, held, "cancelled")
    notifier.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert derived.idle
    assert held.running == 0
    held.release()
    await within(obs.notify("after"))
    assert set(held.ended) == {"after"}


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("way", WAYS)
async def test_notification_cancelled_at_any_turn_leaves_every_derived_observable_usable(way: str, turns: int) -> None:
    held = Held()
    obs: Observable[[str]] = Observable([Recorder()])
    derived = WAYS[way](obs)
    derived.subscribe_nowait(Recorder())
    derived.subscribe_nowait(held)
    notifier = asyncio.ensure_future(obs.notify("cancelled"))
    for _ in range(turns):
        await asyncio.sleep(0)
    notifier.cancel()
    await within(asyncio.wait([notifier]))
    assert held.running == 0
    assert obs.idle
    assert derived.idle
    held.release()
    await within(obs.notify("after"))
    assert set(held.ended) == {"after"}


async def test_reentrant_call_that_is_refused_leaves_every_derived_observable_usable() -> None:
    refused: list[str] = []
    obs: Observable[[str]] = Observable(maxsize=None)
    derived = obs.fork()

    async def observer(value: str) -> None:
        if value == "outer":
            with pytest.raises(AsyncutilsRxError):
                await within(obs.notify("inner"))
            refused.append("inner")

    derived.subscribe_nowait(observer)
    await within(obs.notify("outer"))
    await within(obs.notify("after"))
    assert refused == ["inner"]
    assert derived.idle
