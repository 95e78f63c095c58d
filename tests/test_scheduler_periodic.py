"""The scheduler on a loop's clock: what runs again and again."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest

from asyncutils_rx.scheduler import LoopScheduler
from tests.support import VirtualTimeLoop, tick


def timers() -> list[Any]:
    """Return the timers that the running loop would still fire."""
    loop: Any = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]


def fail(*_: object) -> None:
    raise ZeroDivisionError("on purpose")


@pytest.mark.virtual_time
async def test_schedule_periodic_runs_at_the_multiples_of_its_period() -> None:
    scheduler = LoopScheduler()
    loop = asyncio.get_running_loop()
    await asyncio.sleep(7.0)
    times: list[float] = []

    def count(state: int | None) -> int:
        assert state is not None
        times.append(loop.time())
        return state + 1

    series = scheduler.schedule_periodic(timedelta(seconds=0.1), count, 0)
    await asyncio.sleep(100.05)
    series.dispose()
    assert times == [7.0 + n * 0.1 for n in range(1, 1001)]
    assert timers() == []


@pytest.mark.virtual_time
async def test_schedule_periodic_hands_the_state_on() -> None:
    states: list[int | None] = []

    def double(state: int | None) -> int | None:
        states.append(state)
        return 2 * state if state else None

    with LoopScheduler().schedule_periodic(1.0, double, 3):
        await asyncio.sleep(4.5)
    assert states == [3, 6, 12, 24]


class SlowLoop(VirtualTimeLoop):
    """A loop on which callbacks can take time."""

    def work(self, seconds: float) -> None:
        self._now += seconds
        self._clock_resolution = math.ulp(self._now)  # else a timer of this very moment would never be due


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (0.0, [1.0, 2.0, 3.0, 4.0]),
        (0.5, [1.0, 2.0, 3.0, 4.0]),
        (1.0, [1.0, 2.0, 3.0, 4.0]),
        (1.5, [1.0, 3.0, 5.0, 7.0]),
    ],
)
def test_schedule_periodic_skips_what_passed_while_the_loop_was_busy(work: float, expected: list[float]) -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SlowLoop)
        times: list[float] = []
        enough = asyncio.Event()

        def run(state: None) -> None:
            times.append(loop.time())
            loop.work(work)
            if len(times) == len(expected):
                series.dispose()
                enough.set()

        series = LoopScheduler().schedule_periodic(1.0, run)
        await enough.wait()
        return times

    with asyncio.Runner(loop_factory=SlowLoop) as runner:
        assert runner.run(main()) == expected


@pytest.mark.virtual_time
@pytest.mark.parametrize("period", [0.0, -1.0, 1e-12])
async def test_schedule_periodic_without_a_real_period_runs_once_a_turn(period: float) -> None:
    runs: list[float] = []
    loop = asyncio.get_running_loop()
    series = LoopScheduler().schedule_periodic(period, lambda _: runs.append(loop.time()))
    await tick(5)
    series.dispose()
    await tick(5)
    assert runs == [0.0] * 5


@pytest.mark.virtual_time
async def test_schedule_periodic_can_be_ended_by_its_own_action() -> None:
    runs: list[None] = []

    def run(_: None) -> None:
        runs.append(None)
        series.dispose()

    series = LoopScheduler().schedule_periodic(1.0, run)
    await asyncio.sleep(5.0)
    assert runs == [None]
    assert timers() == []


@pytest.mark.virtual_time
async def test_schedule_periodic_ends_with_the_run_that_raises(loop_errors: list[dict[str, Any]]) -> None:
    scheduler = LoopScheduler()
    series = scheduler.schedule_periodic(1.0, fail)
    await asyncio.sleep(5.0)
    assert [type(error["exception"]) for error in loop_errors] == [ZeroDivisionError]
    loop_errors.clear()
    assert timers() == []
    series.dispose()
