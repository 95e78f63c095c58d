"""RxPY's time-based operators on a loop's clock, at exact times."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import Subject, operators

from asyncutils_rx.scheduler import LoopScheduler
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reactivex import Observable

pytestmark = pytest.mark.virtual_time


class Record:
    """Subscribes to a source, and notes what comes and when."""

    def __init__(self, source: Observable[Any], scheduler: LoopScheduler | None = None) -> None:
        self.start = asyncio.get_running_loop().time()
        self.events: list[tuple[float, object]] = []
        self.subscription = source.subscribe(
            self.note, lambda error: self.note(type(error)), lambda: self.note("completed"), scheduler=scheduler
        )

    def note(self, event: object) -> None:
        self.events.append((asyncio.get_running_loop().time() - self.start, event))


async def play(subject: Subject[Any], values: Sequence[tuple[float, object]]) -> None:
    """Push each value when the clock has advanced by so much; let what is left happen, and complete."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for time, value in values:
        await asyncio.sleep(start + time - loop.time())
        subject.on_next(value)
    await asyncio.sleep(100.0)
    subject.on_completed()


@pytest.fixture
def scheduler() -> LoopScheduler:
    return LoopScheduler()


async def run(
    operator: Callable[[Observable[Any]], Observable[Any]], values: Sequence[tuple[float, object]]
) -> list[tuple[float, object]]:
    """Play values through an operator, and return what came out before they ended."""
    subject: Subject[Any] = Subject()
    record = Record(subject.pipe(operator))
    await play(subject, values)
    record.subscription.dispose()
    return record.events[:-1] if record.events[-1][1] == "completed" else record.events


EVERY_HALF: Sequence[tuple[float, object]] = [(n / 2, n) for n in range(8)]


async def test_debounce_emits_after_the_quiet_time(scheduler: LoopScheduler) -> None:
    events = await run(operators.debounce(1.0, scheduler), [(0.0, "a"), (0.5, "b"), (1.25, "c"), (5.0, "d")])
    assert events == [(2.25, "c"), (6.0, "d")]


async def test_throttle_first_opens_a_window_each_interval(scheduler: LoopScheduler) -> None:
    assert await run(operators.throttle_first(1.0, scheduler), EVERY_HALF) == [(0.0, 0), (1.0, 2), (2.0, 4), (3.0, 6)]


@pytest.mark.parametrize("interval", [0.1, 0.7])
async def test_throttle_first_passes_what_comes_at_the_end_of_the_window(
    scheduler: LoopScheduler, interval: float
) -> None:
    values = [(n * interval, n) for n in range(50)]
    events = await run(operators.throttle_first(interval, scheduler), values)
    assert [value for _, value in events] == list(range(50))


@pytest.mark.parametrize("delay", [2.0, timedelta(seconds=2)])
async def test_delay_shifts_every_value(scheduler: LoopScheduler, delay: Any) -> None:
    events = await run(operators.delay(delay, scheduler), EVERY_HALF)
    assert events == [(time + 2.0, value) for time, value in EVERY_HALF]


async def test_sample_takes_the_latest_of_each_interval(scheduler: LoopScheduler) -> None:
    events = await run(operators.sample(1.3125, scheduler), EVERY_HALF)
    assert events == [(1.3125, 2), (2.625, 5), (3.9375, 7)]


async def test_buffer_with_time_cuts_at_the_multiples(scheduler: LoopScheduler) -> None:
    events = await run(operators.buffer_with_time(1.3125, scheduler=scheduler), EVERY_HALF)
    assert [event for event in events if event[1]] == [(1.3125, [0, 1, 2]), (2.625, [3, 4, 5]), (3.9375, [6, 7])]


async def test_timestamp_tells_the_loops_time(scheduler: LoopScheduler) -> None:
    await asyncio.sleep(7.0)
    events = await run(operators.timestamp(scheduler), [(0.0, "a"), (1.5, "b")])
    stamps: list[Any] = [value for _, value in events]
    assert [scheduler.to_seconds(stamp.timestamp) for stamp in stamps] == [7.0, 8.5]


async def test_timeout_fires_when_nothing_came_in_time(scheduler: LoopScheduler) -> None:
    subject: Subject[Any] = Subject()
    record = Record(subject.pipe(operators.timeout(1.0, scheduler=scheduler)))
    await asyncio.sleep(0.75)
    subject.on_next("in time")
    await asyncio.sleep(10.0)
    assert record.events == [(0.75, "in time"), (1.75, Exception)]


async def test_interval_ticks_at_the_multiples(scheduler: LoopScheduler) -> None:
    await asyncio.sleep(3.0)
    record = Record(reactivex.interval(0.25, scheduler))
    await asyncio.sleep(100.125)
    record.subscription.dispose()
    assert record.events == [((n + 1) * 0.25, n) for n in range(400)]


@pytest.mark.parametrize("duetime", [2.0, timedelta(seconds=2)])
async def test_timer_fires_once(scheduler: LoopScheduler, duetime: Any) -> None:
    record = Record(reactivex.timer(duetime, scheduler=scheduler))
    await asyncio.sleep(10.0)
    assert record.events == [(2.0, 0), (2.0, "completed")]


async def test_timer_with_a_period_keeps_to_its_grid(scheduler: LoopScheduler) -> None:
    record = Record(reactivex.timer(1.0, 0.5, scheduler))
    await asyncio.sleep(3.25)
    record.subscription.dispose()
    assert record.events == [(1.0, 0), (1.5, 1), (2.0, 2), (2.5, 3), (3.0, 4)]


async def test_timer_with_a_period_starts_at_a_point_in_time(scheduler: LoopScheduler) -> None:
    await asyncio.sleep(50.0)
    record = Record(reactivex.timer(scheduler.now + timedelta(seconds=3), 0.5, scheduler).pipe(operators.take(3)))
    await asyncio.sleep(10.0)
    assert record.events == [(3.0, 0), (3.5, 1), (4.0, 2), (4.0, "completed")]


async def test_absolute_times_are_those_of_now(scheduler: LoopScheduler) -> None:
    await asyncio.sleep(50.0)
    at = scheduler.now + timedelta(seconds=3)
    record = Record(
        reactivex.merge(
            reactivex.timer(at, scheduler=scheduler).pipe(operators.map(lambda _: "timer")),
            reactivex.never().pipe(operators.take_until_with_time(at, scheduler)),
            reactivex.of("delayed").pipe(operators.delay(at, scheduler)),
        )
    )
    await asyncio.sleep(10.0)
    assert record.events == [(3.0, "timer"), (3.0, "delayed"), (3.0, "completed")]


@pytest.mark.parametrize(
    "source",
    [
        lambda at, scheduler: reactivex.timer(at, scheduler=scheduler),
        lambda at, scheduler: reactivex.never().pipe(operators.take_until_with_time(at, scheduler)),
        lambda at, scheduler: reactivex.never().pipe(operators.timeout(at, scheduler=scheduler)),
        lambda at, scheduler: reactivex.interval(0.25, scheduler).pipe(
            operators.skip_until_with_time(at, scheduler), operators.take(1)
        ),
    ],
    ids=["timer", "take_until_with_time", "timeout", "skip_until_with_time"],
)
async def test_absolute_times_on_the_wall_clock_are_converted(
    scheduler: LoopScheduler, source: Callable[[datetime, LoopScheduler], Observable[Any]]
) -> None:
    await asyncio.sleep(50.0)
    record = Record(source(datetime.now(UTC) + timedelta(hours=1), scheduler))
    await asyncio.sleep(3700.0)
    assert 3590.0 < record.events[0][0] < 3601.0


async def test_a_scheduler_given_at_subscribe_drives_the_chain(scheduler: LoopScheduler) -> None:
    record = Record(reactivex.of("a", "b").pipe(operators.delay(1.0)), scheduler)
    assert record.events == []
    await asyncio.sleep(5.0)
    assert record.events == [(1.0, "a"), (1.0, "b"), (1.0, "completed")]


async def test_disposing_of_a_chain_leaves_no_timer(scheduler: LoopScheduler) -> None:
    subject: Subject[Any] = Subject()
    chain = subject.pipe(operators.debounce(1.0, scheduler), operators.delay(2.0, scheduler))
    record = Record(
        reactivex.merge(chain, reactivex.interval(0.5, scheduler), reactivex.timer(9.0, scheduler=scheduler))
    )
    subject.on_next("pending")
    await tick()
    record.subscription.dispose()
    loop: Any = asyncio.get_running_loop()
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
    assert repr(scheduler).endswith(", 0 waiting>")
