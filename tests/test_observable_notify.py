"""``notify``: whom it calls, with what and in which order, which errors come back, and what a cancellation ends."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from tests.observable_kit import Held, Log, Recorder, Tally, begin, busy, collect_errors, failing, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

# Whom it calls


async def test_notify_passes_the_arguments_to_every_observer() -> None:
    first, second = Recorder(), Recorder()
    obs: Observable[...] = Observable([first, second])
    await obs.notify(1, "two", three=3)
    assert first.calls == second.calls == [((1, "two"), {"three": 3})]


async def test_notify_without_arguments_calls_observers_without_arguments() -> None:
    observer = Recorder()
    obs: Observable[[]] = Observable([observer])
    await obs.notify()
    assert observer.calls == [((), {})]


async def test_notify_returns_none_whatever_observers_return() -> None:
    obs: Observable[[int]] = Observable([lambda value: value + 1])
    outcome: object = await obs.notify(1)  # type: ignore[func-returns-value]  # this is what is tested
    assert outcome is None


async def test_notify_without_observers_does_nothing() -> None:
    obs: Observable[[int]] = Observable()
    await within(obs.notify(1))
    assert obs.idle


class Listener:
    """Observers of every kind that is bound to an object."""

    def __init__(self, seen: list[int]) -> None:
        self.seen = seen

    def sync_method(self, value: int) -> None:
        self.seen.append(value)

    async def async_method(self, value: int) -> None:
        await asyncio.sleep(0)
        self.seen.append(value)


class SyncObject(Listener):
    def __call__(self, value: int) -> None:
        self.seen.append(value)


class AsyncObject(Listener):
    async def __call__(self, value: int) -> None:
        await asyncio.sleep(0)
        self.seen.append(value)


async def append(seen: list[int], value: int) -> None:
    await asyncio.sleep(0)
    seen.append(value)


def future_of(seen: list[int], value: int) -> asyncio.Future[None]:
    return asyncio.ensure_future(append(seen, value))


KINDS: dict[str, Callable[[list[int]], Any]] = {
    "builtin method": lambda seen: seen.append,
    "lambda": lambda seen: lambda value: seen.append(value),
    "bound method": lambda seen: Listener(seen).sync_method,
    "bound coroutine method": lambda seen: Listener(seen).async_method,
    "partial of a coroutine function": lambda seen: partial(append, seen),
    "callable object": SyncObject,
    "callable object with a coroutine method": AsyncObject,
    "lambda that returns a coroutine": lambda seen: lambda value: append(seen, value),
    "function that returns a future": lambda seen: partial(future_of, seen),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_notify_calls_every_kind_of_callable_and_awaits_what_it_returns(kind: str) -> None:
    seen: list[int] = []
    obs: Observable[[int]] = Observable([KINDS[kind](seen)])
    await obs.notify(7)
    assert seen == [7]


async def test_notify_runs_sync_observers_on_the_loops_thread() -> None:
    threads: list[int] = []
    obs: Observable[[]] = Observable([lambda: threads.append(threading.get_ident())])
    await obs.notify()
    assert threads == [threading.get_ident()]


# In which order


async def test_notify_starts_observers_in_subscription_order() -> None:
    journal: list[str] = []

    async def waits(name: str) -> None:
        journal.append(name)
        await tick(3)

    observers: list[Any] = [partial(waits, "a"), lambda: journal.append("b"), partial(waits, "c")]
    obs: Observable[[]] = Observable(observers)
    for name in "defghij":
        obs.subscribe_nowait(partial(waits, name))
    await obs.notify()
    assert journal == list("abcdefghij")


async def test_notify_starts_a_thousand_observers_in_order() -> None:
    journal: list[int] = []
    obs: Observable[[]] = Observable()

    async def observer(number: int) -> None:
        journal.append(number)
        if number % 3 == 0:
            await asyncio.sleep(0)

    for number in range(1000):
        obs.subscribe_nowait(partial(observer, number))
    await obs.notify()
    assert journal == list(range(1000))


@pytest.mark.parametrize("count", [2, 3, 40])
async def test_notify_starts_every_observer_before_it_waits_for_one(count: int) -> None:
    arrived = 0
    all_there = asyncio.Event()

    async def meets_the_others() -> None:
        nonlocal arrived
        arrived += 1
        if arrived == count:
            all_there.set()
        await all_there.wait()

    obs: Observable[[]] = Observable(partial(meets_the_others) for _ in range(count))
    await within(obs.notify())
    assert arrived == count


@pytest.mark.virtual_time
async def test_notify_takes_as_long_as_the_slowest_observer() -> None:
    obs: Observable[[]] = Observable(partial(asyncio.sleep, delay) for delay in (5, 20, 10))
    started = asyncio.get_running_loop().time()
    await obs.notify()
    assert asyncio.get_running_loop().time() - started == 20


async def test_notify_waits_for_each_observer() -> None:
    slow, quick = Held(), Recorder()
    obs: Observable[[int]] = Observable([slow, quick])
    notifier = await begin(obs.notify(1))
    assert quick.values == [1]
    assert not notifier.done()
    slow.release()
    await within(notifier)
    assert slow.ended == [1]


# What it reaches

DERIVATIONS: dict[str, Callable[[Observable[[int]]], Observable[...]]] = {
    "fork": lambda obs: obs.fork(),
    "map": lambda obs: obs.map(lambda value: ((value,), {})),
    "filter": lambda obs: obs.filter(lambda value: value > 0),
    "at_change": lambda obs: obs.at_change(),
    "throttle": lambda obs: obs.throttle(0),
    "buffer": lambda obs: obs.buffer(1),
    "merge": lambda obs: obs.merge(Observable()),
    "chain": lambda obs: obs.fork().filter(lambda value: value > 0).map(lambda value: ((value,), {})).at_change(),
}


@pytest.mark.parametrize("name", DERIVATIONS)
async def test_notify_awaits_observers_of_derived_observables(name: str) -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    derived = DERIVATIONS[name](obs)
    derived.subscribe_nowait(held)
    notifier = await begin(obs.notify(1))
    assert held.started == [1]
    assert not notifier.done()
    held.release()
    await within(notifier)
    assert held.ended == [1]


@pytest.mark.parametrize("name", DERIVATIONS)
async def test_notify_raises_the_error_of_an_observer_of_a_derived_observable(name: str) -> None:
    obs: Observable[[int]] = Observable()
    error = ValueError("in a derived observable")
    derived = DERIVATIONS[name](obs)
    derived.subscribe_nowait(failing(error, suspends=True))
    with pytest.raises(ValueError, match="in a derived observable") as caught:
        await obs.notify(1)
    assert caught.value is error


async def test_notify_runs_observers_of_source_and_derived_concurrently() -> None:
    obs: Observable[[int]] = Observable()
    above, below = Held(), Held()
    obs.subscribe_nowait(above)
    derived = obs.fork()
    derived.subscribe_nowait(below)
    notifier = await begin(obs.notify(1))
    assert above.started == below.started == [1]
    below.release()
    await settle()
    assert not notifier.done()
    above.release()
    await within(notifier)


async def test_notify_on_a_derived_observable_reaches_its_own_observers_only() -> None:
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    above, below = Recorder(), Recorder()
    obs.subscribe_nowait(above)
    derived.subscribe_nowait(below)
    await derived.notify(1)
    assert above.values == []
    assert below.values == [1]


# Which errors come back


@pytest.mark.parametrize("suspends", [False, True])
async def test_notify_raises_the_one_error_itself(suspends: bool) -> None:
    error = ValueError("one")
    obs: Observable[[int]] = Observable([Recorder(), failing(error, suspends=suspends), Recorder()])
    with pytest.raises(ValueError, match="one") as caught:
        await obs.notify(1)
    assert caught.value is error


async def test_notify_raises_the_error_of_a_sync_observer_itself() -> None:
    error = ValueError("sync")

    def observer() -> None:
        raise error

    obs: Observable[[]] = Observable([observer])
    with pytest.raises(ValueError, match="sync") as caught:
        await obs.notify()
    assert caught.value is error


async def test_notify_groups_several_errors_in_subscription_order() -> None:
    errors = [ValueError("first"), TypeError("second"), KeyError("third")]

    async def late(error: Exception, turns: int) -> None:
        await tick(turns)
        raise error

    obs: Observable[[]] = Observable(partial(late, error, 9 - 3 * i) for i, error in enumerate(errors))
    with pytest.raises(ExceptionGroup) as caught:
        await obs.notify()
    assert list(caught.value.exceptions) == errors


async def test_notify_groups_errors_of_sync_and_async_observers_in_subscription_order() -> None:
    errors = [ValueError("slow"), ValueError("sync"), ValueError("quick")]

    def sync_observer() -> None:
        raise errors[1]

    obs: Observable[[]] = Observable([failing(errors[0], suspends=True), sync_observer, failing(errors[2])])
    with pytest.raises(ExceptionGroup) as caught:
        await obs.notify()
    assert list(caught.value.exceptions) == errors


@pytest.mark.parametrize("count", [1, 2])
async def test_notify_errors_can_be_taken_by_except_star_however_many(count: int) -> None:
    errors = [ValueError(str(number)) for number in range(count)]
    obs: Observable[[]] = Observable(failing(error) for error in errors)
    seen: list[BaseException] = []
    try:
        await obs.notify()
    except* ValueError as group:
        seen.extend(group.exceptions)
    assert seen == errors


async def test_notify_groups_errors_of_source_and_derived_observers() -> None:
    obs: Observable[[]] = Observable()
    above, below = ValueError("above"), ValueError("below")
    obs.subscribe_nowait(failing(above))
    derived = obs.fork()
    derived.subscribe_nowait(failing(below))
    with pytest.raises(ExceptionGroup) as caught:
        await obs.notify()
    assert set(caught.value.exceptions) == {above, below}


async def test_notify_error_stops_no_sibling() -> None:
    before, after = Held(), Held()
    obs: Observable[[int]] = Observable([before, failing(ValueError("no stop")), after])
    notifier = await begin(obs.notify(1))
    assert before.started == after.started == [1]
    assert not notifier.done()
    before.release()
    after.release()
    with pytest.raises(ValueError, match="no stop"):
        await within(notifier)
    assert before.ended == after.ended == [1]


async def test_notify_error_stops_no_derived_observable() -> None:
    obs: Observable[[int]] = Observable([failing(ValueError("no stop"))])
    derived = obs.fork()
    observer = Recorder()
    derived.subscribe_nowait(observer)
    with pytest.raises(ValueError, match="no stop"):
        await obs.notify(1)
    assert observer.values == [1]


async def test_notify_error_stops_no_later_notification() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable([failing(ValueError("again")), observer])
    for value in range(3):
        with pytest.raises(ValueError, match="again"):
            await obs.notify(value)
        assert obs.idle
    assert observer.values == [0, 1, 2]


async def test_notify_ret_exc_logs_and_does_not_raise() -> None:
    first, second = ValueError("first of two"), KeyError("second of two")
    observer = Recorder()
    obs: Observable[[int]] = Observable([failing(first), observer, failing(second, suspends=True)])
    with Log() as log:
        await obs.notify(1, _ret_exc_=True)
    assert observer.values == [1]
    assert log.has(first)
    assert log.has(second)


async def test_notify_ret_exc_is_not_passed_to_observers() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable([observer])
    await obs.notify(1, _ret_exc_=True, other=2)
    await obs.notify(1, _ret_exc_=False, other=2)
    assert observer.calls == [((1,), {"other": 2})] * 2


async def test_notify_ret_exc_covers_derived_observables() -> None:
    obs: Observable[[int]] = Observable()
    error = ValueError("below")
    derived = obs.fork()
    derived.subscribe_nowait(failing(error))
    with Log() as log:
        await obs.notify(1, _ret_exc_=True)
    assert log.has(error)


@pytest.mark.parametrize("ret_exc", [False, True])
async def test_notify_raises_a_cancelled_error_of_an_observer_once_all_have_ended(
    ret_exc: bool, loop_errors: list[dict[str, Any]]
) -> None:
    other, beside = Held(), ValueError("beside")
    obs: Observable[...] = Observable([failing(asyncio.CancelledError("mine")), failing(beside), other])
    with Log() as log:
        notifier = await begin(obs.notify(1, _ret_exc_=ret_exc))
        assert not notifier.done()
        other.release()
        with pytest.raises(asyncio.CancelledError):
            await within(notifier)
    assert other.ended == [1]
    assert obs.idle
    assert collect_errors(loop_errors) == ([] if ret_exc else [beside])
    assert log.has(beside) == ret_exc


async def test_notify_stays_usable_after_an_observer_raised_cancelled_error() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable([observer, failing(asyncio.CancelledError())])
    for value in range(2):
        with pytest.raises(asyncio.CancelledError):
            await obs.notify(value)
    assert observer.values == [0, 1]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("ret_exc", [False, True])
@pytest.mark.parametrize("suspends", [False, True])
def test_notify_lets_what_ends_the_program_through(
    kind: type[BaseException], ret_exc: bool, suspends: bool, loop_errors: list[dict[str, Any]]
) -> None:
    stop, beside = kind(), ValueError("beside")

    async def main() -> None:
        obs: Observable[...] = Observable([failing(beside), failing(stop, suspends=suspends)])
        await obs.notify(1, _ret_exc_=ret_exc)

    with Log() as log, pytest.raises(kind) as caught:
        asyncio.run(main())
    assert caught.value is stop
    assert log.has(beside) or collect_errors(loop_errors) == [beside]


# Whether it is idle


async def test_notify_makes_the_observable_busy_and_idle_again() -> None:
    seen: list[tuple[bool, bool]] = []
    obs: Observable[[]] = Observable()
    obs.subscribe_nowait(lambda: seen.append((obs.idle, obs.notifying)))
    assert (obs.idle, obs.notifying) == (True, False)
    await obs.notify()
    assert seen == [(False, True)]
    assert (obs.idle, obs.notifying) == (True, False)


async def test_notify_keeps_the_observable_busy_while_an_observer_of_a_derived_one_runs() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    notifier = await busy(obs, held, 1)
    assert obs.notifying
    assert derived.notifying
    held.release()
    await notifier
    assert obs.idle
    assert derived.idle


# Observers that come and go meanwhile


async def test_notify_does_not_call_an_observer_added_meanwhile() -> None:
    added = Recorder()
    obs: Observable[[int]] = Observable()
    obs.subscribe_nowait(lambda _: obs.subscribe_nowait(added))
    await obs.notify(1)
    assert added.values == []
    await obs.notify(2)
    assert added.values == [2]


async def test_notify_does_not_call_an_observer_added_to_a_derived_observable_meanwhile() -> None:
    added = Recorder()
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    held = Held()
    derived.subscribe_nowait(held)
    notifier = await busy(obs, held, 1)
    derived.subscribe_nowait(added)
    held.release()
    await notifier
    assert added.values == []
    await obs.notify(2)
    assert added.values == [2]


async def test_notify_does_not_start_an_observer_removed_before_its_turn() -> None:
    victim = Recorder()
    obs: Observable[[int]] = Observable()
    obs.subscribe_nowait(lambda _: obs.unsubscribe_nowait(victim))
    obs.subscribe_nowait(victim)
    await obs.notify(1)
    assert victim.values == []


async def test_notify_does_not_start_an_observer_removed_before_its_turn_and_added_again() -> None:
    observer = Tally()
    obs: Observable[[int]] = Observable()

    def renew(_: int) -> None:
        obs.unsubscribe_nowait(observer)
        obs.subscribe_nowait(observer)

    obs.subscribe_nowait(renew)
    obs.subscribe_nowait(observer)
    await obs.notify(1)
    assert observer.values == []


async def test_notify_awaits_an_observer_that_was_removed_after_its_start() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held])
    notifier = await busy(obs, held, 1)
    obs.unsubscribe_nowait(held)
    await settle()
    assert not notifier.done()
    held.release()
    await notifier
    assert held.ended == [1]
    await obs.notify(2)
    assert held.started == [1]


async def test_notify_does_not_start_twice_an_observer_that_was_removed_and_added_again() -> None:
    observer = Tally()
    obs: Observable[[int]] = Observable([observer])

    def renew(_: int) -> None:
        obs.unsubscribe_nowait(observer)
        obs.subscribe_nowait(observer)

    renewal = obs.subscribe_nowait(renew)
    await obs.notify(1)
    assert observer.values == [1]
    renewal()
    await obs.notify(2)
    assert observer.values == [1, 2]


# What a cancellation ends


async def test_notify_cancelled_cancels_and_awaits_its_observers() -> None:
    journal: list[str] = []
    may_end = asyncio.Event()
    running = asyncio.Event()

    async def slow_to_end() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            journal.append("cancelled")
            await may_end.wait()
            journal.append("ended")

    obs: Observable[[]] = Observable([slow_to_end])
    notifier = asyncio.ensure_future(obs.notify())
    await running.wait()
    notifier.cancel()
    await settle()
    assert journal == ["cancelled"]
    assert not notifier.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert journal == ["cancelled", "ended"]
    assert obs.idle


async def test_notify_cancelled_cancels_observers_of_derived_observables() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    derived = obs.fork()
    derived.subscribe_nowait(held)
    notifier = await busy(obs, held, 1)
    notifier.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert held.cancelled == [1]
    assert obs.idle
    assert derived.idle


async def test_notify_cancelled_leaves_observers_of_other_observables_alone() -> None:
    held = Held()
    one: Observable[[str]] = Observable([held])
    other: Observable[[str]] = Observable([held])
    cancelled, kept = await busy(one, held, "one"), await busy(other, held, "other")
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(cancelled)
    assert held.cancelled == ["one"]
    held.release()
    await within(kept)
    assert held.ended == ["other"]


async def test_notify_cancelled_twice_still_awaits_its_observers() -> None:
    may_end = asyncio.Event()
    running = asyncio.Event()
    ended: list[bool] = []

    async def stubborn() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            while not may_end.is_set():
                try:
                    await may_end.wait()
                except asyncio.CancelledError:
                    continue
            ended.append(True)
            raise

    obs: Observable[[]] = Observable([stubborn])
    notifier = asyncio.ensure_future(obs.notify())
    await running.wait()
    for _ in range(3):
        notifier.cancel()
        await settle()
        assert not notifier.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert ended == [True]


async def test_notify_cancelled_before_its_first_step_delivers_nothing() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable([observer])
    notifier = asyncio.ensure_future(obs.notify(1))
    notifier.cancel()
    with pytest.raises(asyncio.CancelledError):
        await notifier
    assert observer.values == []
    await obs.notify(2)
    assert observer.values == [2]


@pytest.mark.parametrize("turns", range(8))
async def test_notify_cancelled_at_any_turn_leaves_a_usable_observable(turns: int) -> None:
    running = 0
    values: list[int] = []

    async def observer(value: int) -> None:
        nonlocal running
        running += 1
        try:
            await tick(3)
            values.append(value)
        finally:
            running -= 1

    obs: Observable[[int]] = Observable(partial(observer) for _ in range(3))
    notifier = asyncio.ensure_future(obs.notify(1))
    await tick(turns)
    notifier.cancel()
    await asyncio.wait([notifier])
    assert running == 0
    values.clear()
    await within(obs.notify(2))
    assert values == [2, 2, 2]


async def test_notify_cancelled_does_not_lose_an_error_raised_while_an_observer_ends(
    loop_errors: list[dict[str, Any]],
) -> None:
    error = ValueError("while ending")
    running = asyncio.Event()

    async def observer() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise error

    obs: Observable[[]] = Observable([observer])
    notifier = asyncio.ensure_future(obs.notify())
    await running.wait()
    notifier.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert collect_errors(loop_errors) == [error]


# What serves again from one notification to the next


async def test_notifications_reach_the_observers_of_their_own_moment_whatever_came_before() -> None:
    log: list[tuple[str, int]] = []

    def observer(name: str) -> Callable[[int], None]:
        return lambda value: log.append((name, value))

    first, second, third = observer("first"), observer("second"), observer("third")
    obs: Observable[[int]] = Observable([first, second])
    await obs.notify(1)
    await obs.notify(2)
    obs.subscribe_nowait(third)
    await obs.notify(3)
    obs.unsubscribe_nowait(first)
    await obs.notify(4)
    assert log == [
        *(("first", 1), ("second", 1)),
        *(("first", 2), ("second", 2)),
        *(("first", 3), ("second", 3), ("third", 3)),
        *(("second", 4), ("third", 4)),
    ]


async def test_a_notification_after_one_that_failed_or_was_suspended_is_like_any_other() -> None:
    seen: list[int] = []

    async def unsteady(value: int) -> None:
        if value == 1:
            await asyncio.sleep(0)
        elif value == 2:
            raise LookupError

    async def steady(value: int) -> None:
        seen.append(value)

    obs: Observable[[int]] = Observable([steady, unsteady])
    obs.subscribe_nowait(seen.append)
    for value in range(5):
        if value == 2:
            with pytest.raises(LookupError):
                await obs.notify(value)
        else:
            await obs.notify(value)
        assert obs.idle
    assert seen == [number for value in range(5) for number in (value, value)]


async def test_an_observer_that_notifies_while_several_are_being_notified_is_queued_behind() -> None:
    log: list[tuple[str, int]] = []

    async def again(value: int) -> None:
        log.append(("again", value))
        if value % 2:
            await obs.notify(value + 1)

    async def other(value: int) -> None:
        log.append(("other", value))

    obs: Observable[[int]] = Observable([again, other])
    await obs.notify(0)
    await obs.notify(1)
    await obs.notify(4)
    assert log == [(name, value) for value in (0, 1, 2, 4) for name in ("again", "other")]
