"""The scheduler on a loop's clock: actions that are taken back, that fail, and that come from other threads."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import weakref
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from reactivex.disposable import CompositeDisposable, Disposable
from reactivex.scheduler import CatchScheduler

from asyncutils_rx import exceptions
from asyncutils_rx.scheduler import LoopScheduler
from tests.support import VirtualTimeLoop, tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactivex import abc

PATIENCE = 10.0
HOUR = timedelta(hours=1)


def timers() -> list[Any]:
    """Return the timers that the running loop would still fire; only asyncio's own loops can be asked."""
    loop: Any = asyncio.get_running_loop()
    return [timer for timer in getattr(loop, "_scheduled", ()) if not timer.cancelled()]


def fail(*_: object) -> None:
    raise ZeroDivisionError("on purpose")


def exit_now(*_: object) -> None:
    raise SystemExit("on purpose")


async def in_thread(function: Callable[[], object]) -> None:
    """Run ``function`` in a thread of its own; what it raises is raised here."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def target() -> None:
        try:
            function()
        except Exception as error:
            loop.call_soon_threadsafe(done.set_exception, error)
        else:
            loop.call_soon_threadsafe(done.set_result, None)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        await done
    finally:
        thread.join(PATIENCE)


# Taking back


@pytest.mark.parametrize("delay", [0.0, 3600.0, -1.0])
async def test_a_disposed_action_does_not_run_and_leaves_no_timer(delay: float) -> None:
    scheduled = LoopScheduler().schedule_relative(delay, fail)
    scheduled.dispose()
    scheduled.dispose()
    assert timers() == []
    await tick(3)


async def test_an_action_disposed_by_one_due_at_the_same_time_does_not_run() -> None:
    scheduler = LoopScheduler()
    scheduler.schedule(lambda *_: second.dispose())
    second = scheduler.schedule(fail)
    await tick(3)


@pytest.mark.virtual_time
async def test_a_timed_action_disposed_by_one_due_at_the_same_time_does_not_run() -> None:
    scheduler = LoopScheduler()
    ran: list[None] = []
    scheduler.schedule_relative(1.0, lambda *_: others.dispose())
    others = CompositeDisposable(scheduler.schedule_relative(1.0, fail), scheduler.schedule_periodic(1.0, fail))
    scheduler.schedule_relative(1.0, lambda *_: ran.append(None))
    await asyncio.sleep(2.0)
    assert ran == [None]


async def test_disposing_after_the_run_disposes_what_the_action_returned() -> None:
    disposed: list[None] = []
    scheduled = LoopScheduler().schedule(lambda *_: Disposable(lambda: disposed.append(None)))
    await tick()
    assert disposed == []
    scheduled.dispose()
    scheduled.dispose()
    assert disposed == [None]


async def test_disposing_during_the_run_disposes_what_the_action_returns() -> None:
    disposed: list[None] = []

    def run(*_: object) -> abc.DisposableBase:
        scheduled.dispose()
        return Disposable(lambda: disposed.append(None))

    scheduled = LoopScheduler().schedule(run)
    await tick()
    assert disposed == [None]


@pytest.mark.virtual_time
async def test_disposing_a_chain_of_actions_that_schedule_the_next_stops_the_last() -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def run(scheduler: abc.SchedulerBase, state: object = None) -> abc.DisposableBase:
        times.append(loop.time())
        return scheduler.schedule_relative(1.0, run)

    first = LoopScheduler().schedule(run)
    await asyncio.sleep(4999.5)
    assert times == [float(time) for time in range(5000)]
    first.dispose()
    assert timers() == []


@pytest.mark.virtual_time
async def test_disposing_a_link_of_a_chain_stops_the_last() -> None:
    links: list[abc.DisposableBase] = []

    def run(scheduler: abc.SchedulerBase, state: object = None) -> abc.DisposableBase:
        links.append(scheduler.schedule_relative(1.0, run))
        return links[-1]

    first = LoopScheduler().schedule(run)
    await asyncio.sleep(3.5)
    links[2].dispose()
    assert timers() == []
    await asyncio.sleep(3.5)
    assert len(links) == 4
    first.dispose()


@pytest.mark.virtual_time
async def test_an_action_returned_by_two_belongs_to_both() -> None:
    scheduler = LoopScheduler()
    shared = scheduler.schedule_relative(2.0, lambda *_: scheduler.schedule_relative(HOUR, fail))
    first = scheduler.schedule(lambda *_: shared)
    second = scheduler.schedule(lambda *_: shared)
    await asyncio.sleep(3.0)
    assert len(timers()) == 1
    first.dispose()
    assert timers() == []
    second.dispose()


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_disposing_after_the_loop_was_closed_is_harmless(kind: str) -> None:
    loop = pytest.importorskip(kind).new_event_loop()
    scheduler = LoopScheduler(loop)
    disposed: list[None] = []
    scheduled: list[abc.DisposableBase] = []

    async def main() -> None:
        scheduled.append(scheduler.schedule(lambda *_: Disposable(lambda: disposed.append(None))))
        scheduled.append(scheduler.schedule_relative(HOUR, fail))
        scheduled.append(scheduler.schedule_periodic(HOUR, fail))
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    scheduled.append(scheduler.schedule(fail))
    loop.close()
    for one in scheduled:
        one.dispose()
    assert disposed == [None]


def test_disposing_while_the_loop_stands_still_takes_effect_at_once() -> None:
    loop = VirtualTimeLoop()
    disposed: list[None] = []

    async def main() -> abc.DisposableBase:
        scheduled = LoopScheduler().schedule(lambda *_: Disposable(lambda: disposed.append(None)))
        await asyncio.sleep(0)
        return scheduled

    loop.run_until_complete(main()).dispose()
    assert disposed == [None]
    loop.close()


async def test_a_finished_action_keeps_nothing_alive_but_what_it_returned() -> None:
    class State:
        pass

    state = State()
    gone = weakref.ref(state)
    scheduled = LoopScheduler().schedule(lambda *_: None, state)
    del state
    await tick()
    assert gone() is None
    scheduled.dispose()


# Errors


async def test_an_action_that_raises_reaches_the_loops_handler_and_harms_no_other(
    loop_errors: list[dict[str, Any]],
) -> None:
    scheduler, ran = LoopScheduler(), asyncio.Event()
    scheduler.schedule(fail)
    scheduler.schedule(lambda *_: ran.set())
    await ran.wait()
    assert [type(error["exception"]) for error in loop_errors] == [ZeroDivisionError]
    loop_errors.clear()


@pytest.mark.virtual_time
async def test_a_timed_action_that_raises_harms_no_other_due_at_the_same_time(
    loop_errors: list[dict[str, Any]],
) -> None:
    scheduler, ran = LoopScheduler(), []
    for state in range(6):
        scheduler.schedule_relative(1.0, fail if state % 2 else lambda _, state: ran.append(state), state)
    scheduler.schedule_relative(1.0, fail).dispose()
    await asyncio.sleep(1.5)
    assert ran == [0, 2, 4]
    assert [type(error["exception"]) for error in loop_errors] == [ZeroDivisionError] * 3
    loop_errors.clear()


def test_what_stops_the_loop_passes_and_the_others_run_when_the_loop_does() -> None:
    ran: list[object] = []
    loop = VirtualTimeLoop()
    try:
        scheduler = LoopScheduler(loop)
        for action in (exit_now, lambda *_: ran.append(1), exit_now, lambda *_: ran.append(2)):
            scheduler.schedule_relative(1.0, action)
        with pytest.raises(SystemExit):
            loop.run_until_complete(asyncio.sleep(2.0))
        assert ran == []
        with pytest.raises(SystemExit):
            loop.run_until_complete(asyncio.sleep(2.0))
        loop.run_until_complete(asyncio.sleep(2.0))
        assert ran == [1, 2]
        for task in asyncio.all_tasks(loop):
            loop.run_until_complete(task)
    finally:
        loop.close()


async def test_rxpys_catch_scheduler_wraps_it() -> None:
    caught: list[Exception] = []

    def handle(error: Exception) -> bool:
        caught.append(error)
        return True

    CatchScheduler(LoopScheduler(), handle).schedule(fail)
    await tick()
    assert [type(error) for error in caught] == [ZeroDivisionError]


# Other threads


async def test_actions_from_another_thread_run_on_the_loops_in_order() -> None:
    scheduler = LoopScheduler(asyncio.get_running_loop())
    variable = contextvars.ContextVar("variable", default="unset")
    log: list[object] = []
    done = asyncio.Event()

    def note(_: object, state: object = None) -> None:
        log.append((threading.current_thread() is threading.main_thread(), state, variable.get()))

    def schedule() -> None:
        variable.set("in the thread")
        scheduler.schedule(note, 1)
        scheduler.schedule_relative(-1.0, note, 2)
        scheduler.schedule_absolute(0.0, note, 3)
        scheduler.schedule_relative(0.001, lambda *_: done.set())

    await in_thread(schedule)
    await done.wait()
    assert log == [(True, state, "in the thread") for state in (1, 2, 3)]


@pytest.mark.virtual_time
async def test_a_timed_action_from_another_thread_is_due_from_the_call_on() -> None:
    loop = asyncio.get_running_loop()
    scheduler, times = LoopScheduler(loop), []
    await in_thread(lambda: scheduler.schedule_relative(5.0, lambda *_: times.append(loop.time())))
    await asyncio.sleep(10.0)
    assert times == [5.0]


async def test_a_periodic_action_from_another_thread_runs_on_the_loops() -> None:
    scheduler = LoopScheduler(asyncio.get_running_loop())
    enough = asyncio.Event()
    threads: list[threading.Thread] = []
    series: list[abc.DisposableBase] = []

    def run(_: object) -> None:
        threads.append(threading.current_thread())
        if len(threads) == 3:
            series[0].dispose()
            enough.set()

    await in_thread(lambda: series.append(scheduler.schedule_periodic(0.001, run)))
    await enough.wait()
    assert threads == [threading.main_thread()] * 3


@pytest.mark.parametrize("delay", [0.0, 3600.0])
async def test_disposing_from_another_thread_never_waits_for_the_loop(delay: float) -> None:
    scheduler = LoopScheduler(asyncio.get_running_loop())
    scheduled = scheduler.schedule_relative(delay, fail)
    disposed = threading.Event()

    def dispose() -> None:
        scheduled.dispose()
        scheduler.schedule_relative(3600.0, fail).dispose()
        disposed.set()

    thread = threading.Thread(target=dispose)
    thread.start()
    assert disposed.wait(PATIENCE)  # this blocks the loop
    thread.join()
    await tick(3)
    assert timers() == []


async def test_disposing_from_another_thread_disposes_what_was_returned_on_the_loops() -> None:
    scheduler = LoopScheduler(asyncio.get_running_loop())
    disposed: asyncio.Future[threading.Thread] = asyncio.get_running_loop().create_future()
    inner = Disposable(lambda: disposed.set_result(threading.current_thread()))
    scheduled = scheduler.schedule(lambda *_: inner)
    await tick()
    await in_thread(scheduled.dispose)
    assert await disposed is threading.main_thread()


async def test_disposing_from_another_thread_while_the_action_runs_disposes_what_it_returns() -> None:
    scheduler = LoopScheduler(asyncio.get_running_loop())
    disposed: asyncio.Future[threading.Thread] = asyncio.get_running_loop().create_future()

    def run(*_: object) -> abc.DisposableBase:
        thread = threading.Thread(target=scheduled.dispose)
        thread.start()
        thread.join(PATIENCE)
        return Disposable(lambda: disposed.set_result(threading.current_thread()))

    scheduled = scheduler.schedule(run)
    assert await disposed is threading.main_thread()


async def test_scheduling_from_another_thread_without_a_loop_says_so() -> None:
    scheduler = LoopScheduler()
    with pytest.raises(exceptions.NoLoopError):
        await in_thread(lambda: scheduler.schedule(fail))


class ClosingLoop(VirtualTimeLoop):
    """A loop that another thread sees running, and then finds closed."""

    seen_running = False

    def is_running(self) -> bool:
        return self.seen_running or super().is_running()

    def _check_closed(self) -> None:
        if self.seen_running:
            raise RuntimeError("Event loop is closed")


def test_disposing_while_the_loop_is_being_closed_is_harmless() -> None:
    loop = ClosingLoop()
    scheduled = LoopScheduler(loop).schedule(fail)
    loop.seen_running = True
    scheduled.dispose()
    loop.seen_running = False
    loop.run_until_complete(asyncio.sleep(1.0))
    loop.close()
