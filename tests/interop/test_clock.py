"""The clock that operators of RxPY get where they were given none: the loop's, or that of who subscribes at the end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import reactivex
from reactivex import operators
from reactivex.scheduler.scheduler import Scheduler
from reactivex.testing import TestScheduler

from asyncutils_rx import Observable
from asyncutils_rx.scheduler import LoopScheduler
from tests.observable_kit import Tally, settle


class Plain(Scheduler):
    """A scheduler that knows nothing of periods, and passes all else on."""

    def __init__(self, inner: TestScheduler) -> None:
        super().__init__()
        self.inner = inner

    @property
    def now(self) -> Any:
        return self.inner.now

    def schedule(self, action: Any, state: Any = None) -> Any:
        return self.inner.schedule(action, state)

    def schedule_relative(self, duetime: Any, action: Any, state: Any = None) -> Any:
        return self.inner.schedule_relative(duetime, action, state)

    def schedule_absolute(self, duetime: Any, action: Any, state: Any = None) -> Any:
        return self.inner.schedule_absolute(duetime, action, state)


@pytest.mark.virtual_time
async def test_pipe_operators_tell_the_time_of_the_loop() -> None:
    obs: Observable[[str]] = Observable()
    times: list[Any] = []
    obs.pipe(operators.timestamp(), operators.map(lambda stamped: stamped.timestamp)).subscribe_nowait(times.append)
    await obs.notify("a")
    await asyncio.sleep(90)
    await obs.notify("b")
    assert times[1] - times[0] == timedelta(seconds=90)


@pytest.mark.virtual_time
async def test_pipe_operators_wait_for_a_time_of_the_loop() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    ends = LoopScheduler().now + timedelta(seconds=90)
    obs.pipe(operators.take_until_with_time(ends)).subscribe_nowait(tally)
    for value in range(4):
        await obs.notify(value)
        await asyncio.sleep(40)
    assert tally.values == [0, 1, 2]


async def test_pipe_operators_run_periodically_by_a_subscribers_scheduler_that_cannot_do_so_itself() -> None:
    virtual = TestScheduler()
    obs: Observable[[int]] = Observable()
    seen: list[tuple[int, int]] = []
    twice = operators.flat_map(lambda value: reactivex.interval(10.0).pipe(operators.map(lambda n: (value, n))))
    with obs.pipe(twice).to_rx().subscribe(seen.append, scheduler=Plain(virtual)):
        await obs.notify(5)
        for _ in range(3):
            virtual.advance_by(10.0)
            await settle()
    assert seen == [(5, 0), (5, 1), (5, 2)]


async def test_pipe_operators_begin_by_a_subscribers_scheduler() -> None:
    virtual = TestScheduler()
    obs: Observable[[int]] = Observable()
    seen: list[int] = []
    twice: Any = operators.flat_map(lambda value: reactivex.of(value, value + 1))
    with obs.pipe(twice).to_rx().subscribe(seen.append, scheduler=Plain(virtual)):
        await obs.notify(5)
        assert seen == []
        virtual.advance_by(10.0)
        await settle()
    assert seen == [5, 6]
