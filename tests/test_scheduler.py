"""The scheduler on a loop's clock: what runs, when, in which order, and how it is taken back."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import math
import subprocess
import sys
import weakref
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from reactivex.scheduler.periodicscheduler import PeriodicScheduler

from asyncutils_rx import exceptions
from asyncutils_rx._rx._compat import AWARE, UTC_ZERO
from asyncutils_rx.scheduler import LoopScheduler
from tests.support import VirtualTimeLoop, tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactivex import abc

HOUR = timedelta(hours=1)


class Log(list[Any]):
    """Actions that note the loop's time and the state with which they ran."""

    def note(self, scheduler: abc.SchedulerBase, state: object = None) -> None:
        self.append((asyncio.get_running_loop().time(), state))

    def note_state(self, scheduler: abc.SchedulerBase, state: object = None) -> None:
        self.append(state)


def timers() -> list[Any]:
    """Return the timers that the running loop would still fire."""
    loop: Any = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]


def fail(*_: object) -> None:
    raise ZeroDivisionError("on purpose")


# The loop


async def test_scheduler_binds_to_the_loop_of_its_first_use() -> None:
    scheduler = LoopScheduler()
    assert scheduler.loop is asyncio.get_running_loop()
    assert isinstance(scheduler, PeriodicScheduler)


def test_scheduler_without_a_running_loop_says_so() -> None:
    scheduler = LoopScheduler()
    uses: list[Callable[[], object]] = [
        lambda: scheduler.loop,
        lambda: scheduler.now,
        lambda: scheduler.schedule(fail),
        lambda: scheduler.schedule_relative(1.0, fail),
        lambda: scheduler.schedule_absolute(1.0, fail),
        lambda: scheduler.schedule_periodic(1.0, fail),
    ]
    for use in uses:
        with pytest.raises(exceptions.NoLoopError, match="no event loop is running in this thread"):
            use()


def test_scheduler_does_not_change_its_loop() -> None:
    scheduler = LoopScheduler()
    loops = []

    async def use() -> None:
        loops.append(scheduler.loop)

    asyncio.run(use())
    asyncio.run(use())
    assert loops[0] is loops[1]


@pytest.mark.parametrize("loop", [1, "loop", asyncio.AbstractEventLoop])
def test_scheduler_refuses_what_is_no_loop(loop: Any) -> None:
    with pytest.raises(exceptions.ArgumentTypeError, match="loop must be an asyncio event loop or None"):
        LoopScheduler(loop)


def test_scheduler_on_a_closed_loop_schedules_nothing_and_says_so() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    scheduler = LoopScheduler(loop)
    uses: list[Callable[[], object]] = [
        lambda: scheduler.schedule(fail),
        lambda: scheduler.schedule_relative(1.0, fail),
        lambda: scheduler.schedule_absolute(loop.time() + 1.0, fail),
        lambda: scheduler.schedule_periodic(1.0, fail),
    ]
    for use in uses:
        with pytest.raises(exceptions.LoopError, match="the event loop is closed; make a scheduler for one that runs"):
            use()


def test_scheduler_used_before_its_loop_runs_keeps_times_and_order() -> None:
    log = Log()
    with asyncio.Runner(loop_factory=VirtualTimeLoop, debug=True) as runner:
        scheduler = LoopScheduler(runner.get_loop())
        scheduler.schedule_relative(1.0, log.note, "later")
        scheduler.schedule(log.note, "first")
        scheduler.schedule(log.note, "second")
        scheduler.schedule_relative(3600.0, log.note, "never").dispose()
        runner.run(asyncio.sleep(2.0))
        assert repr(scheduler).endswith(", 0 waiting>")
    assert log == [(0.0, "first"), (0.0, "second"), (1.0, "later")]


def test_scheduler_does_not_keep_a_closed_loop_alive() -> None:
    async def leave_behind() -> weakref.ref[LoopScheduler]:
        scheduler = LoopScheduler()
        scheduler.schedule_relative(HOUR, fail)
        scheduler.schedule_periodic(HOUR, fail)
        return weakref.ref(scheduler)

    loop = asyncio.new_event_loop()
    scheduler = loop.run_until_complete(leave_behind())
    loop.close()
    closed = weakref.ref(loop)
    del loop
    gc.collect()
    assert scheduler() is None
    assert closed() is None


# The clock


@pytest.mark.virtual_time
async def test_now_is_the_loops_time_since_1970() -> None:
    scheduler = LoopScheduler()
    await asyncio.sleep(3600.25)
    assert scheduler.now == UTC_ZERO + timedelta(seconds=3600.25)
    assert (scheduler.now.tzinfo is not None) is AWARE


async def test_now_keeps_up_with_a_real_loop() -> None:
    scheduler = LoopScheduler()
    before = scheduler.loop.time()
    now = scheduler.to_seconds(scheduler.now)
    assert before - 1e-6 <= now <= scheduler.loop.time() + 1e-6


# When, and in which order


@pytest.mark.virtual_time
async def test_schedule_runs_in_the_next_turn_in_order() -> None:
    scheduler, log = LoopScheduler(), Log()
    for state in range(5):
        scheduler.schedule(log.note, state)
    assert log == []
    await tick()
    assert log == [(0.0, state) for state in range(5)]


@pytest.mark.virtual_time
@pytest.mark.parametrize("duetime", [2.5, timedelta(seconds=2.5), Decimal("2.5")])
async def test_schedule_relative_runs_after_that_time(duetime: Any) -> None:
    scheduler, log = LoopScheduler(), Log()
    await asyncio.sleep(10.0)
    scheduler.schedule_relative(duetime, log.note, "state")
    await asyncio.sleep(5.0)
    assert log == [(12.5, "state")]


@pytest.mark.virtual_time
async def test_schedule_absolute_takes_a_reading_of_the_loops_clock() -> None:
    scheduler, log = LoopScheduler(), Log()
    await asyncio.sleep(10.0)
    scheduler.schedule_absolute(12.5, log.note)
    scheduler.schedule_absolute(scheduler.now + timedelta(seconds=3), log.note)
    await asyncio.sleep(5.0)
    assert log == [(12.5, None), (13.0, None)]


@pytest.mark.virtual_time
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-8))])
async def test_schedule_absolute_takes_a_time_on_the_wall_clock(zone: timezone) -> None:
    scheduler, log = LoopScheduler(), Log()
    await asyncio.sleep(50.0)
    scheduler.schedule_absolute(datetime.now(zone) + HOUR, log.note)
    await asyncio.sleep(3700.0)
    [(time, _)] = log
    assert 3640.0 < time <= 3650.0


@pytest.mark.virtual_time
async def test_schedule_absolute_runs_soon_what_has_passed_on_the_wall_clock() -> None:
    scheduler, log = LoopScheduler(), Log()
    scheduler.schedule_absolute(datetime.now(UTC) - 1000 * HOUR, log.note)
    await tick()
    assert log == [(0.0, None)]


@pytest.mark.virtual_time
async def test_schedule_absolute_agrees_with_a_loop_that_keeps_the_wall_clock() -> None:
    loop = asyncio.get_running_loop()
    scheduler, log = LoopScheduler(), Log()
    await asyncio.sleep(datetime.now(UTC).timestamp())
    start = loop.time()
    scheduler.schedule_absolute(scheduler.now + timedelta(seconds=5), log.note)
    await asyncio.sleep(20.0)
    assert [time - start for time, _ in log] == [pytest.approx(5.0, abs=1e-6)]


@pytest.mark.virtual_time
async def test_schedule_absolute_takes_naive_datetimes_only_where_rxpy_makes_them() -> None:
    scheduler, log = LoopScheduler(), Log()
    naive = datetime(1970, 1, 1) + timedelta(seconds=5)  # noqa: DTZ001  # that is the point
    if AWARE:
        with pytest.raises(exceptions.ArgumentTypeError, match="duetime must be an aware datetime"):
            scheduler.schedule_absolute(naive, log.note)
    else:
        scheduler.schedule_absolute(naive, log.note)
        await asyncio.sleep(10.0)
        assert log == [(5.0, None)]


@pytest.mark.virtual_time
async def test_actions_due_at_once_or_before_run_in_the_order_of_their_scheduling() -> None:
    scheduler, log = LoopScheduler(), Log()
    await asyncio.sleep(10.0)
    scheduler.schedule_relative(0.0, log.note, 0)
    scheduler.schedule_relative(-5.0, log.note, 1)
    scheduler.schedule(log.note, 2)
    scheduler.schedule_absolute(10.0, log.note, 3)
    scheduler.schedule_absolute(3.0, log.note, 4)
    scheduler.schedule_relative(timedelta(days=-1), log.note, 5)
    scheduler.schedule_absolute(scheduler.now, log.note, 6)
    await tick()
    assert log == [(10.0, state) for state in range(7)]


@pytest.mark.virtual_time
async def test_actions_due_at_the_same_time_run_in_the_order_of_their_scheduling() -> None:
    scheduler, log = LoopScheduler(), Log()
    scheduler.schedule_relative(2.0, log.note, "last")
    for state in range(20):
        scheduler.schedule_relative(1.0, log.note, state)
    await asyncio.sleep(0.5)
    scheduler.schedule_relative(0.5, log.note, 20)
    await asyncio.sleep(5.0)
    assert log == [*((1.0, state) for state in range(21)), (2.0, "last")]


@pytest.mark.virtual_time
async def test_what_an_action_schedules_at_once_runs_after_what_was_due_already() -> None:
    scheduler, log = LoopScheduler(), Log()

    def schedule_more(scheduler: abc.SchedulerBase, state: object = None) -> None:
        log.note(scheduler, state)
        scheduler.schedule(log.note, "more")

    scheduler.schedule_relative(1.0, schedule_more, "first")
    scheduler.schedule_relative(1.0, log.note, "second")
    await asyncio.sleep(2.0)
    assert log == [(1.0, "first"), (1.0, "second"), (1.0, "more")]


@pytest.mark.virtual_time
async def test_many_actions_share_one_timer_per_point_in_time() -> None:
    scheduler = LoopScheduler()
    scheduled = [scheduler.schedule_relative(1.0, fail) for _ in range(50)]
    assert len(timers()) == 1
    for one in scheduled:
        one.dispose()
    assert timers() == []


async def test_an_action_gets_the_scheduler_and_its_state() -> None:
    scheduler = LoopScheduler()
    got: list[object] = []
    scheduler.schedule(lambda scheduler, state: got.extend([scheduler, state]), "state")
    await tick()
    assert got == [scheduler, "state"]


@pytest.mark.virtual_time
async def test_an_action_runs_in_the_context_of_its_scheduling() -> None:
    scheduler = LoopScheduler()
    variable = contextvars.ContextVar("variable", default="unset")
    seen = []

    def read(*_: object) -> None:
        seen.append(variable.get())
        variable.set("changed by an action")

    for value in ("a", "b", "c"):
        variable.set(value)
        scheduler.schedule_relative(1.0, read)
        scheduler.schedule(read)
    variable.set("d")
    await asyncio.sleep(2.0)
    assert seen == ["a", "b", "c"] * 2
    assert variable.get() == "d"


# Bad input


@pytest.mark.parametrize("method", ["schedule_relative", "schedule_absolute", "schedule_periodic"])
@pytest.mark.parametrize(
    ("value", "error", "rule"),
    [
        (math.nan, exceptions.ArgumentValueError, "a finite number of seconds"),
        (math.inf, exceptions.ArgumentValueError, "a finite number of seconds"),
        (10**400, exceptions.ArgumentValueError, "a finite number of seconds"),
        ("1.0", exceptions.ArgumentTypeError, "a number of seconds or a timedelta|an aware datetime or a reading"),
        (None, exceptions.ArgumentTypeError, "a number of seconds or a timedelta|an aware datetime or a reading"),
    ],
)
async def test_scheduling_refuses_what_is_no_time(method: str, value: Any, error: type[Exception], rule: str) -> None:
    with pytest.raises(error, match=rf"LoopScheduler\.{method}: (duetime|period) must be ({rule})"):
        getattr(LoopScheduler(), method)(value, fail)


@pytest.mark.parametrize("method", ["schedule_relative", "schedule_periodic"])
async def test_a_length_of_time_is_no_datetime(method: str) -> None:
    with pytest.raises(exceptions.ArgumentTypeError, match="must be a number of seconds or a timedelta"):
        getattr(LoopScheduler(), method)(datetime.now(UTC), fail)


@pytest.mark.parametrize(
    ("method", "times"),
    [("schedule", ()), ("schedule_relative", (1,)), ("schedule_absolute", (1,)), ("schedule_periodic", (1,))],
)
async def test_scheduling_refuses_what_cannot_be_called(method: str, times: tuple[float, ...]) -> None:
    with pytest.raises(exceptions.ArgumentTypeError, match=rf"LoopScheduler\.{method}: action must be callable"):
        getattr(LoopScheduler(), method)(*times, None)


# What it looks like, and what importing it costs


async def test_repr_tells_the_loop_and_how_much_waits() -> None:
    scheduler = LoopScheduler()
    assert repr(scheduler) == "<LoopScheduler of no loop yet>"
    series = scheduler.schedule_periodic(HOUR, fail)
    with scheduler.schedule_relative(HOUR, fail):
        assert repr(scheduler) == f"<LoopScheduler of {asyncio.get_running_loop()!r}, 2 waiting>"
    series.dispose()
    assert repr(scheduler).endswith(", 0 waiting>")


def test_importing_the_package_does_not_import_rxpy() -> None:
    code = "import sys, asyncutils_rx, asyncutils_rx.exceptions; sys.exit('reactivex' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
