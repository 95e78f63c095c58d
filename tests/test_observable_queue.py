"""What happens to a notification that meets another one: it is queued, waits for room, or is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ReentrancyError
from tests.observable_kit import Held, Log, Recorder, Tally, begin, busy, collect_errors, failing, settle, within
from tests.support import tick

# With a queue that has room


async def test_notify_meanwhile_is_queued_and_returns() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await within(obs.notify("second"))
    assert held.started == ["first"]
    held.release()
    await within(notifier)
    assert held.ended == ["first", "second"]


async def test_queued_notifications_run_one_by_one_first_in_first_out() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held)
    for value in range(5):
        await obs.notify(value)
    held.release("running")
    for value in range(5):
        await held.entered(value)
        assert held.started == ["running", *range(value + 1)]
        held.release(value)
    await within(notifier)
    assert held.most_running == 1


async def test_queued_notifications_keep_their_arguments() -> None:
    held, observer = Held(), Recorder()
    obs: Observable[...] = Observable([held, observer])
    notifier = await busy(obs, held)
    await obs.notify(1, key="one")
    await obs.notify(2, 3)
    held.release()
    await within(notifier)
    assert observer.calls[1:] == [((1,), {"key": "one"}), ((2, 3), {})]


async def test_draining_call_returns_after_the_last_queued_notification() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    held.release("first")
    await held.entered("second")
    await settle()
    assert not notifier.done()
    assert obs.notifying
    held.release("second")
    await within(notifier)
    assert obs.idle


async def test_notify_queued_while_a_queued_one_runs_is_drained_too() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    held.release("first")
    await held.entered("second")
    await obs.notify("third")
    held.release()
    await within(notifier)
    assert held.ended == ["first", "second", "third"]


async def test_queued_notification_reaches_observers_added_meanwhile() -> None:
    held, added = Held(), Recorder()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    obs.subscribe_nowait(added)
    held.release()
    await within(notifier)
    assert added.values == ["second"]


async def test_queued_notification_reaches_derived_observables() -> None:
    held, below = Held(), Recorder()
    obs: Observable[[str]] = Observable([held])
    derived = obs.fork()
    derived.subscribe_nowait(below)
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    held.release()
    await within(notifier)
    assert below.values == ["first", "second"]


async def test_queue_of_many_notifications_is_drained_in_order() -> None:
    tally, held = Tally(), Held()
    obs: Observable[[Any]] = Observable([held, tally])
    notifier = await busy(obs, held)
    for value in range(5000):
        await obs.notify(value)
    held.release()
    await within(notifier, 30)
    assert tally.values == ["running", *range(5000)]


# From inside an observer


async def test_notify_from_inside_is_queued_and_runs_after_this_notification() -> None:
    journal: list[str] = []

    async def observer(value: int) -> None:
        journal.append(f"start {value}")
        if value < 3:
            await within(obs.notify(value + 1))
        await asyncio.sleep(0)
        journal.append(f"end {value}")

    obs: Observable[[int]] = Observable([observer])
    await within(obs.notify(1))
    assert journal == ["start 1", "end 1", "start 2", "end 2", "start 3", "end 3"]


async def test_notify_from_inside_keeps_breadth_first_order() -> None:
    journal: list[str] = []

    async def observer(path: str) -> None:
        journal.append(path)
        if len(path) < 3:
            await obs.notify(path + "a")
            await obs.notify(path + "b")

    obs: Observable[[str]] = Observable([observer])
    await within(obs.notify("-"))
    assert journal == ["-", "-a", "-b", "-aa", "-ab", "-ba", "-bb"]


async def test_notify_from_inside_an_observer_of_a_derived_observable_is_queued() -> None:
    seen: list[int] = []
    obs: Observable[[int]] = Observable()

    async def observer(value: int) -> None:
        seen.append(value)
        if value < 3:
            await within(obs.notify(value + 1))

    derived = obs.map(lambda value: ((value,), {}))
    derived.subscribe_nowait(observer)
    await within(obs.notify(1))
    assert seen == [1, 2, 3]


async def test_notify_of_a_derived_observable_from_inside_its_observer_works() -> None:
    seen: list[int] = []
    obs: Observable[[int]] = Observable()
    derived = obs.fork()

    async def observer(value: int) -> None:
        seen.append(value)
        if value < 3:
            await within(derived.notify(value + 1))

    derived.subscribe_nowait(observer)
    await within(obs.notify(1))
    assert seen == [1, 2, 3]


async def test_notify_between_two_observables_that_notify_each_other_does_not_hang() -> None:
    seen: list[tuple[str, int]] = []

    async def on_left(value: int) -> None:
        seen.append(("left", value))
        await within(right.notify(value + 1))

    async def on_right(value: int) -> None:
        seen.append(("right", value))
        if value < 5:
            await within(left.notify(value + 1))

    left: Observable[[int]] = Observable([on_left])
    right: Observable[[int]] = Observable([on_right])
    await within(left.notify(0))
    assert sorted(seen) == [("left", 0), ("left", 2), ("left", 4), ("right", 1), ("right", 3), ("right", 5)]


# Errors of queued notifications


async def test_error_of_a_queued_notification_is_raised_by_the_draining_call() -> None:
    held = Held()
    error = ValueError("queued")

    def observer(value: str) -> None:
        if value == "second":
            raise error

    obs: Observable[[str]] = Observable([held, observer])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    held.release()
    with pytest.raises(ValueError, match="queued") as caught:
        await within(notifier)
    assert caught.value is error


async def test_errors_of_own_and_queued_notifications_are_grouped_in_order() -> None:
    held = Held()
    errors = {"first": ValueError("first"), "second": KeyError("second"), "third": TypeError("third")}

    def observer(value: str) -> None:
        raise errors[value]

    obs: Observable[[str]] = Observable([held, observer])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    await obs.notify("third")
    held.release()
    with pytest.raises(ExceptionGroup) as caught:
        await within(notifier)
    assert list(caught.value.exceptions) == list(errors.values())


async def test_error_does_not_stop_the_queue() -> None:
    held, tally = Held(), Tally()
    obs: Observable[[Any]] = Observable([held, failing(ValueError("each time")), tally])
    notifier = await busy(obs, held)
    for value in range(3):
        await obs.notify(value)
    held.release()
    with pytest.raises(ExceptionGroup):
        await within(notifier)
    assert tally.values == ["running", 0, 1, 2]
    assert obs.idle


async def test_cancelled_error_of_an_observer_does_not_stop_the_queue() -> None:
    held, tally = Held(), Tally()

    def observer(value: str) -> None:
        if value == "first":
            raise asyncio.CancelledError

    obs: Observable[[str]] = Observable([held, observer, tally])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(obs.wait_until_idle())
    assert tally.values == ["first", "second"]


async def test_ret_exc_of_a_queued_notification_keeps_its_errors_from_the_draining_call() -> None:
    held = Held()
    error = ValueError("to be logged")

    def observer(value: str) -> None:
        if value == "second":
            raise error

    obs: Observable[...] = Observable([held, observer])
    notifier = await busy(obs, held, "first")
    await obs.notify("second", _ret_exc_=True)
    held.release()
    with Log() as log:
        await within(notifier)
    assert log.has(error)


# With a full queue


async def test_notify_waits_for_room_in_a_full_queue() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], 1)
    notifier = await busy(obs, held, "first")
    await within(obs.notify("second"))
    waiting = await begin(obs.notify("third"))
    assert not waiting.done()
    held.release("first")
    await held.entered("second")
    await within(waiting)
    assert held.started == ["first", "second"]
    held.release()
    await within(notifier)
    assert held.ended == ["first", "second", "third"]


async def test_full_queue_takes_maxsize_notifications_before_anyone_waits() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=3)
    notifier = await busy(obs, held)
    for value in range(3):
        await within(obs.notify(value))
    waiting = await begin(obs.notify(3))
    assert not waiting.done()
    held.release()
    await within(asyncio.gather(notifier, waiting))
    assert held.ended == ["running", 0, 1, 2, 3]


async def test_notifications_that_wait_for_room_keep_their_order() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=1)
    notifier = await busy(obs, held)
    waiting = [await begin(obs.notify(value)) for value in range(6)]
    held.release()
    await within(asyncio.gather(notifier, *waiting))
    assert held.ended == ["running", *range(6)]


async def test_notify_does_not_overtake_one_that_waits_for_room() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=1)
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    early = asyncio.ensure_future(obs.notify("early"))
    await settle()
    late: list[asyncio.Task[None]] = []
    obs.subscribe_nowait(
        lambda value: late.append(asyncio.ensure_future(obs.notify("late"))) if value == "second" else None
    )
    held.release()
    await within(notifier)
    await within(asyncio.gather(early, *late))
    await within(obs.wait_until_idle())
    assert held.ended == ["first", "second", "early", "late"]


async def test_notify_from_inside_with_a_full_queue_raises_at_once_and_changes_nothing() -> None:
    seen: list[int] = []
    refused: list[int] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value == 0:
            await within(obs.notify(1))
            with pytest.raises(ReentrancyError):
                await within(obs.notify(2))
            refused.append(2)

    obs: Observable[[int]] = Observable([observer], maxsize=1)
    await within(obs.notify(0))
    assert seen == [0, 1]
    assert refused == [2]
    await obs.notify(3)
    assert seen == [0, 1, 3]


async def test_notify_indirectly_from_inside_with_a_full_queue_raises_at_once() -> None:
    refused: list[int] = []
    held_out: list[int] = []

    async def on_other(value: int) -> None:
        with pytest.raises(ReentrancyError):
            await within(obs.notify(value))
        refused.append(value)

    async def observer(value: int) -> None:
        held_out.append(value)
        if value == 0:
            await within(obs.notify(1))
            await within(other.notify(2))

    obs: Observable[[int]] = Observable([observer], maxsize=1)
    other: Observable[[int]] = Observable([on_other])
    await within(obs.notify(0))
    assert refused == [2]
    assert held_out == [0, 1]


async def test_task_spawned_by_an_observer_waits_for_room_like_anyone() -> None:
    seen: list[int] = []
    spawned: list[asyncio.Task[None]] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value == 0:
            await obs.notify(1)
            spawned.append(asyncio.ensure_future(obs.notify(2)))
            await settle()

    obs: Observable[[int]] = Observable([observer], maxsize=1)
    await within(obs.notify(0))
    await within(asyncio.gather(*spawned))
    await within(obs.wait_until_idle())
    assert seen == [0, 1, 2]


# Switching accumulation on


async def test_start_accumulation_tells_whether_it_began() -> None:
    off: Observable[[int]] = Observable(maxsize=None)
    assert off.start_accumulation() is True
    assert off.start_accumulation() is False
    on: Observable[[int]] = Observable()
    assert on.start_accumulation() is False


async def test_start_accumulation_lets_notifications_be_queued() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)
    notifier = await busy(obs, held, "first")
    assert obs.start_accumulation()
    await within(obs.notify("second"))
    held.release()
    await within(notifier)
    assert held.ended == ["first", "second"]


async def test_start_accumulation_forgets_nobody_who_waits_for_a_turn() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)
    notifier = await busy(obs, held, "first")
    waiting = await begin(obs.notify("second"))
    assert obs.start_accumulation()
    later = await begin(obs.notify("third"))
    held.release()
    await within(asyncio.gather(notifier, waiting, later))
    await within(obs.wait_until_idle())
    assert held.ended == ["first", "second", "third"]


async def test_restart_accumulation_with_flush_completes_what_is_queued() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    restart = await begin(obs.restart_accumulation(flush=True))
    assert not restart.done()
    held.release()
    await within(restart)
    assert held.ended == ["first", "second"]
    await within(notifier)
    await obs.notify("third")
    assert held.ended == ["first", "second", "third"]


async def test_restart_accumulation_without_flush_keeps_what_is_queued() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held)
    for value in range(3):
        await obs.notify(value)
    await within(obs.restart_accumulation(flush=False))
    assert held.started == ["running"]
    await obs.notify(3)
    held.release()
    await within(notifier)
    assert held.ended == ["running", 0, 1, 2, 3]


async def test_restart_accumulation_switches_accumulation_on() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=None)
    await within(obs.restart_accumulation(flush=False))
    assert obs.start_accumulation() is False
    notifier = await busy(obs, held, "first")
    await within(obs.notify("second"))
    held.release()
    await within(notifier)
    assert held.ended == ["first", "second"]


async def test_restart_accumulation_forgets_nobody_who_waits_for_room() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=1)
    calls = [await busy(obs, held)]
    calls += [await begin(obs.notify(value)) for value in range(4)]
    await within(obs.restart_accumulation(flush=False))
    held.release()
    await within(asyncio.gather(*calls))
    await within(obs.wait_until_idle())
    assert held.ended == ["running", *range(4)]


async def test_restart_accumulation_cancelled_while_it_flushes_changes_nothing() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held)
    await obs.notify(1)
    restart = await begin(obs.restart_accumulation(flush=True))
    restart.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(restart)
    await obs.notify(2)
    held.release()
    await within(notifier)
    assert held.ended == ["running", 1, 2]


async def test_handle_notifications_cancelled_stops_no_notification() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held)
    await obs.notify(1)
    handling = await begin(obs.handle_notifications())
    handling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(handling)
    held.release()
    await within(notifier)
    assert held.ended == ["running", 1]
    assert held.cancelled == []


async def test_handle_notifications_when_idle_returns() -> None:
    obs: Observable[[int]] = Observable([Recorder()])
    await within(obs.handle_notifications())
    assert obs.idle


async def test_handle_notifications_waits_for_what_is_queued() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    handling = await begin(obs.handle_notifications())
    assert not handling.done()
    assert held.started == ["first"]
    held.release("first")
    await held.entered("second")
    await settle()
    assert not handling.done()
    held.release()
    await within(asyncio.gather(handling, notifier))
    assert held.ended == ["first", "second"]


# Cancelled calls


async def test_draining_call_cancelled_still_delivers_what_others_queued() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    await obs.notify("third")
    notifier.cancel()
    await held.entered("second")
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(obs.wait_until_idle())
    assert held.cancelled == ["first"]
    assert held.ended == ["second", "third"]


async def test_draining_call_cancelled_in_the_middle_of_the_queue_still_delivers_the_rest() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    await obs.notify("third")
    held.release("first")
    await held.entered("second")
    notifier.cancel()
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(obs.wait_until_idle())
    assert held.ended == ["first", "second", "third"]
    assert held.cancelled == []


async def test_draining_call_cancelled_reports_errors_of_queued_ones_to_the_loop(
    loop_errors: list[dict[str, Any]],
) -> None:
    held = Held()
    error = ValueError("nobody waits for this")

    def observer(value: str) -> None:
        if value == "second":
            raise error

    obs: Observable[[str]] = Observable([held, observer])
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    notifier.cancel()
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(obs.wait_until_idle())
    await settle()
    assert collect_errors(loop_errors) == [error]


async def test_draining_call_cancelled_lets_those_who_wait_for_room_in() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=1)
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    waiting = await begin(obs.notify("third"))
    notifier.cancel()
    held.release()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(waiting)
    await within(obs.wait_until_idle())
    assert held.ended == ["second", "third"]


async def test_notify_cancelled_while_it_waits_for_room_is_withdrawn_alone() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held], maxsize=1)
    notifier = await busy(obs, held, "first")
    await obs.notify("second")
    withdrawn = await begin(obs.notify("withdrawn"))
    waiting = await begin(obs.notify("third"))
    withdrawn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(withdrawn)
    held.release()
    await within(asyncio.gather(notifier, waiting))
    assert held.ended == ["first", "second", "third"]


@pytest.mark.parametrize("turns", range(10))
@pytest.mark.parametrize("maxsize", [1, None])
async def test_notify_cancelled_as_it_gets_room_or_its_turn_passes_it_on(maxsize: int | None, turns: int) -> None:
    seen: list[str] = []
    gate = asyncio.Event()

    async def observer(value: str) -> None:
        await gate.wait()
        seen.append(value)

    obs: Observable[[str]] = Observable([observer], maxsize=maxsize)
    calls = {name: await begin(obs.notify(name)) for name in ("first", "second", "cancelled", "last")}
    gate.set()
    await tick(turns)
    calls["cancelled"].cancel()
    await within(asyncio.wait(calls.values()))
    await within(obs.wait_until_idle())
    assert [value for value in seen if value != "cancelled"] == ["first", "second", "last"]
    assert calls["last"].exception() is None
    assert seen.count("cancelled") <= 1
