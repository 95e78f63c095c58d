"""What objects on one loop share: how tasks start, whose task is running, and that the loop gets its turns."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from typing import Any
from weakref import ref

import pytest

from asyncutils_rx import _runner
from asyncutils_rx._runner import CALLS_BETWEEN_TURNS, EarlyStart, Runner, Work, runner_for
from tests.support import tick

var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")


class Job(Work):
    def __init__(self, coro: Any = None, outer: Work | None = None) -> None:
        super().__init__()
        self.coro = coro
        self.outer = outer


async def test_runner_for_gives_the_same_to_all_on_one_loop() -> None:
    loop = asyncio.get_running_loop()
    runner = runner_for(loop)
    assert runner.loop is loop
    assert runner_for(loop) is runner


async def test_runner_for_gives_another_loop_another_one() -> None:
    other = asyncio.new_event_loop()
    try:
        assert runner_for(other) is not runner_for(asyncio.get_running_loop())
    finally:
        other.close()


async def test_runner_lives_as_long_as_somebody_holds_it() -> None:
    watched = ref(runner_for(asyncio.get_running_loop()))
    gc.collect()
    assert watched() is None


def test_eager_tasks_are_there_from_python_3_12_on() -> None:
    assert (sys.version_info >= (3, 12)) == _runner.HAS_EAGER_TASKS


async def test_runner_breathe_lets_the_loop_run_once_and_counts_anew() -> None:
    runner = runner_for(asyncio.get_running_loop())
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "other")
    runner.calls = CALLS_BETWEEN_TURNS
    await runner.breathe()
    assert turns == ["other"]
    assert runner.calls == 0


async def test_runner_breathe_lets_callbacks_that_are_scheduled_meanwhile_wait_for_the_next_one() -> None:
    runner = runner_for(asyncio.get_running_loop())
    loop = asyncio.get_running_loop()
    turns: list[int] = []

    def turn() -> None:
        turns.append(len(turns))
        if len(turns) < 5:
            loop.call_soon(turn)

    loop.call_soon(turn)
    for passed in range(1, 6):
        await runner.breathe()
        assert len(turns) == passed


async def test_runner_breathe_of_one_task_does_not_use_up_the_turn_of_another() -> None:
    runner = runner_for(asyncio.get_running_loop())
    runner.calls = CALLS_BETWEEN_TURNS
    order: list[str] = []

    async def breather(name: str) -> None:
        await runner.breathe()
        order.append(name)

    tasks = [asyncio.create_task(breather(name)) for name in "ab"]
    await tick()
    # The loop has not run since the first of them asked: the count still tells the second one to let it run too.
    assert runner.calls >= CALLS_BETWEEN_TURNS
    assert order == []
    await asyncio.gather(*tasks)
    assert runner.calls == 0
    assert order == ["a", "b"]


async def test_runner_breathe_can_be_cancelled() -> None:
    runner = runner_for(asyncio.get_running_loop())
    task = asyncio.create_task(runner.breathe())
    await tick()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await runner.breathe()
    assert runner.calls == 0


async def test_runner_breathe_gives_those_who_used_the_calls_up_few_more_before_whoever_they_turned_away() -> None:
    runner = runner_for(asyncio.get_running_loop())
    made = {"a": 0, "b": 0, "c": 0}
    order: list[tuple[str, int]] = []

    async def only_calls(name: str) -> None:
        for _ in range(400):
            runner.calls += 1
            if runner.calls >= CALLS_BETWEEN_TURNS:
                order.append((name, made[name]))
                await runner.breathe()
            made[name] += 1

    await asyncio.gather(*(only_calls(name) for name in made))
    # The second and the third ask for the first time when the first one has used the calls of the turn up.
    assert order[:3] == [("a", CALLS_BETWEEN_TURNS - 1), ("b", 0), ("c", 0)]
    first_of = {name: next(done for who, done in order[3:] if who == name) for name in made}
    assert first_of["a"] <= 100
    assert first_of["b"] <= 100
    assert CALLS_BETWEEN_TURNS <= first_of["c"] <= 100


def test_runner_calls_between_turns_keep_the_promise_of_100() -> None:
    assert 1 <= CALLS_BETWEEN_TURNS < 100


async def test_runner_starts_eagerly() -> None:
    assert runner_for(asyncio.get_running_loop()).starts_eagerly()


async def test_runner_does_not_start_eagerly_past_a_task_factory() -> None:
    loop = asyncio.get_running_loop()
    runner = runner_for(loop)
    loop.set_task_factory(lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options))
    assert not runner.starts_eagerly()
    loop.set_task_factory(None)
    assert runner.starts_eagerly()


async def test_runner_start_eagerly_runs_to_the_first_suspension_in_the_context() -> None:
    seen: list[str] = []

    async def job() -> None:
        seen.append(var.get())
        var.set("changed")
        await tick()
        seen.append(var.get())

    context = contextvars.Context()
    context.run(var.set, "its own")
    task = runner_for(asyncio.get_running_loop()).start_eagerly(job(), context)
    assert seen == ["its own"]
    assert context[var] == "changed"
    await task
    assert seen == ["its own", "changed"]
    assert var.get() == "unset"


async def test_runner_start_eagerly_gives_a_task_that_is_done_where_nothing_suspends() -> None:
    async def job() -> None:
        pass

    assert runner_for(asyncio.get_running_loop()).start_eagerly(job(), contextvars.copy_context()).done()


async def test_runner_start_soon_begins_in_the_next_turn() -> None:
    seen: list[str] = []

    async def job() -> None:
        seen.append("begun")

    task = runner_for(asyncio.get_running_loop()).start_soon(job(), None)
    assert seen == []
    await tick()
    assert seen == ["begun"]
    await task


@pytest.mark.parametrize("passed", [True, False])
async def test_runner_start_soon_runs_in_a_copy_of_the_context(passed: bool) -> None:
    seen: list[str] = []
    var.set("of the caller")
    context = contextvars.Context()
    context.run(var.set, "passed")

    async def job() -> None:
        seen.append(var.get())
        var.set("changed")

    await runner_for(asyncio.get_running_loop()).start_soon(job(), context if passed else None)
    assert seen == ["passed" if passed else "of the caller"]
    assert var.get() == "of the caller"
    assert context[var] == "passed"


async def test_runner_start_soon_uses_the_task_factory() -> None:
    class OwnTask(asyncio.Task[Any]):
        pass

    async def job() -> None:
        pass

    loop = asyncio.get_running_loop()
    loop.set_task_factory(lambda loop, coro, **options: OwnTask(coro, loop=loop, **options))
    task = runner_for(loop).start_soon(job(), None)
    assert type(task) is OwnTask
    await task


async def test_runner_work_of_a_registered_task_is_its_work() -> None:
    runner = runner_for(asyncio.get_running_loop())
    job = Job()
    task = asyncio.current_task()
    assert task is not None
    runner.tasks[task] = job
    assert runner.work_of(task) is job
    assert runner.current_work() is job
    del runner.tasks[task]


async def test_runner_work_of_nobodys_task_is_none() -> None:
    runner = runner_for(asyncio.get_running_loop())
    task = asyncio.current_task()
    assert task is not None
    assert runner.work_of(task) is None
    assert runner.current_work() is None


async def test_runner_current_work_outside_of_any_task_is_none() -> None:
    runner = runner_for(asyncio.get_running_loop())
    seen: list[object] = []
    asyncio.get_running_loop().call_soon(lambda: seen.append(runner.current_work()))
    await tick()
    assert seen == [None]


async def test_runner_work_of_a_task_that_is_starting_is_found_by_its_coroutine() -> None:
    runner = runner_for(asyncio.get_running_loop())
    task = asyncio.current_task()
    assert task is not None
    outer = Job(task.get_coro())
    runner.eager = inner = Job(coro=None, outer=outer)
    assert runner.work_of(task) is outer
    inner.coro = task.get_coro()  # type: ignore[assignment]  # it is a coroutine
    assert runner.work_of(task) is inner
    runner.eager = None
    assert runner.work_of(task) is None


async def test_runner_report_goes_to_the_exception_handler_of_the_loop(loop_errors: list[dict[str, Any]]) -> None:
    error = LookupError("nobody asks")
    runner_for(asyncio.get_running_loop()).report("it failed", error, "the source")
    assert loop_errors == [{"message": "it failed", "exception": error, "source": "the source"}]
    loop_errors.clear()


def test_runner_can_be_made_for_a_loop_that_does_not_run() -> None:
    loop = asyncio.new_event_loop()
    assert isinstance(runner_for(loop), Runner)
    loop.close()


# Eager tasks where Python has none; they can be had on every version


class ShyLoop(asyncio.SelectorEventLoop):
    """A loop whose methods cannot be replaced."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return {}


async def test_early_start_runs_to_the_first_suspension_with_a_task_of_its_own() -> None:
    loop = asyncio.get_running_loop()
    mine = asyncio.current_task()
    seen: list[object] = []

    async def job() -> str:
        seen.append(asyncio.current_task())
        await tick()
        seen.append(asyncio.current_task())
        return "result"

    task = EarlyStart(loop).start(job(), None)
    assert asyncio.current_task() is mine
    assert seen == [task]
    assert await task == "result"
    assert seen == [task, task]


async def test_early_start_runs_in_the_context_or_in_a_copy_of_the_current_one() -> None:
    start = EarlyStart(asyncio.get_running_loop()).start
    seen: list[str] = []

    async def job() -> None:
        seen.append(var.get())
        var.set("changed")

    context = contextvars.Context()
    context.run(var.set, "its own")
    var.set("the current one")
    await start(job(), context)
    await start(job(), None)
    assert seen == ["its own", "the current one"]
    assert (context[var], var.get()) == ("changed", "the current one")


async def test_early_start_gives_a_task_that_has_what_it_raised() -> None:
    async def job() -> None:
        raise LookupError("its own")

    task = EarlyStart(asyncio.get_running_loop()).start(job(), None)
    assert task.done()
    with pytest.raises(LookupError, match="its own"):
        await task


async def test_early_start_lets_a_cancellation_and_a_timeout_reach_its_task_alone() -> None:
    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async def times_out() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "went on"

    start = EarlyStart(asyncio.get_running_loop()).start
    cancelled, timed = start(cancels_itself(), None), start(times_out(), None)
    await asyncio.wait([cancelled, timed])
    assert cancelled.cancelled()
    assert timed.result() == "timed out"
    mine = asyncio.current_task()
    assert mine is not None
    assert mine.cancelling() == 0


async def test_early_start_nests() -> None:
    start = EarlyStart(asyncio.get_running_loop()).start
    seen: list[bool] = []

    async def job(levels: int) -> None:
        mine = asyncio.current_task()
        if levels:
            await start(job(levels - 1), None)
        seen.append(asyncio.current_task() is mine)

    await start(job(5), None)
    assert seen == [True] * 6


def test_early_start_is_possible_outside_of_a_task() -> None:
    loop = asyncio.new_event_loop()
    seen: list[object] = []

    async def job() -> None:
        seen.append(asyncio.current_task())

    tasks: list[asyncio.Task[None]] = []
    loop.call_soon(lambda: tasks.append(EarlyStart(loop).start(job(), None)))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert seen == tasks
    assert tasks[0].done()


async def test_early_start_leaves_the_loop_as_it_was() -> None:
    loop = asyncio.get_running_loop()
    scheduled: list[object] = []
    start = EarlyStart(loop).start

    async def job() -> None:
        pass

    before = dict(vars(loop))
    await start(job(), None)
    assert vars(loop) == before

    def call_soon(callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        scheduled.append(callback)
        return type(loop).call_soon(loop, callback, *args, context=context)

    loop.call_soon = call_soon  # type: ignore[method-assign, assignment]
    try:
        start(job(), None)
        assert vars(loop)["call_soon"] is call_soon
        assert scheduled == []
    finally:
        del loop.call_soon


async def test_early_start_lets_others_schedule_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finaliser can run while a task is made, and can schedule what it likes, tasks too."""
    loop = asyncio.get_running_loop()
    seen: list[str] = []

    async def job(name: str) -> None:
        seen.append(name)

    def make(coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, **options)
        others.append(asyncio.Task(job("another task"), loop=loop))
        loop.call_soon(seen.append, "a callback")
        return task

    others: list[asyncio.Task[None]] = []
    early = EarlyStart(loop)
    monkeypatch.setattr(_runner, "Task", make)
    monkeypatch.setattr(_runner, "isinstance", lambda value, _: isinstance(value, asyncio.Task), raising=False)
    early.start(job("the task"), None)
    assert seen == ["the task"]
    await tick()
    assert sorted(seen) == ["a callback", "another task", "the task"]


def test_early_start_does_not_work_on_a_loop_that_hides_its_calls() -> None:
    loop = ShyLoop()
    try:
        assert not EarlyStart(loop).works()
        loop.call_soon(loop.stop)
        loop.run_forever()
    finally:
        loop.close()


async def test_early_start_works_on_the_loops_of_the_tests() -> None:
    assert EarlyStart(asyncio.get_running_loop()).works()


async def test_runner_without_eager_tasks_starts_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runner, "HAS_EAGER_TASKS", False)
    seen: list[str] = []

    async def job() -> None:
        seen.append("begun")

    runner = Runner(asyncio.get_running_loop())
    assert runner.starts_eagerly()
    assert runner.start_eagerly(job(), None).done()
    assert seen == ["begun"]


# What has its turn


async def test_runner_calls_in_the_next_turn_in_order_and_what_is_asked_for_meanwhile_too() -> None:
    runner = runner_for(asyncio.get_running_loop())
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        runner.call_in_turn(lambda: seen.append("third"))

    runner.call_in_turn(first)
    runner.call_in_turn(lambda: seen.append("second"))
    assert seen == []
    await tick()
    assert seen == ["first", "second", "third"]


async def test_runner_lets_the_loop_run_between_calls_without_an_end() -> None:
    runner = runner_for(asyncio.get_running_loop())
    called = 0

    def again() -> None:
        nonlocal called
        called += 1
        if called < 500:
            runner.call_in_turn(again)

    runner.call_in_turn(again)
    turns = 0
    while called < 500:
        await tick()
        turns += 1
        assert called <= turns * CALLS_BETWEEN_TURNS
    assert turns > 1


async def test_runner_goes_on_after_a_call_that_raised(loop_errors: list[dict[str, Any]]) -> None:
    runner = runner_for(asyncio.get_running_loop())
    seen: list[str] = []

    def fails() -> None:
        raise LookupError("its own")

    runner.call_in_turn(fails)
    runner.call_in_turn(lambda: seen.append("second"))
    await tick(2)
    assert seen == ["second"]
    assert [str(context["exception"]) for context in loop_errors] == ["its own"]
    loop_errors.clear()
