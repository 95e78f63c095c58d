"""The short ways of the fan-out: one callable in one task, and drivers that are made on the spot."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import _fanout
from asyncutils_rx._alone import drive_alone, outcome_alone
from asyncutils_rx._fanout import Alone, FanOut
from asyncutils_rx._runner import Runner, Work, runner_for
from tests.fanout_kit import Owner, plain_factory, raising, var
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable


def alone(call: Callable[..., object], *args: Any, **kwargs: Any) -> tuple[asyncio.Task[None], Work]:
    work = Work()
    return asyncio.create_task(drive_alone(work, call, args, kwargs)), work


async def test_drive_alone_calls_with_the_arguments_and_awaits_the_result() -> None:
    seen: list[object] = []

    async def call(*args: object, **kwargs: object) -> str:
        await tick()
        seen.append((args, kwargs))
        return "ignored"

    task, work = alone(call, 1, two=2)
    await asyncio.wait([task])
    assert seen == [((1,), {"two": 2})]
    assert outcome_alone(task, work) is None


@pytest.mark.parametrize("result", [None, 5, "text"])
async def test_drive_alone_ignores_other_results(result: object) -> None:
    work = Work()
    await drive_alone(work, lambda: result, (), {})
    assert work.failure is None


@pytest.mark.parametrize("turns", [None, 0, 2])
async def test_drive_alone_notes_that_the_callable_returned(turns: int | None) -> None:
    work = Work()

    async def call() -> None:
        await tick(turns or 0)
        assert not work.returned

    await drive_alone(work, (lambda: None) if turns is None else call, (), {})
    assert work.returned


@pytest.mark.parametrize("kind", [LookupError, SystemExit])
async def test_drive_alone_does_not_note_that_a_callable_returned_that_raised(kind: type[BaseException]) -> None:
    work = Work()
    task = asyncio.create_task(drive_alone(work, raising(kind(), 0), (), {}))
    await asyncio.wait([task])
    assert isinstance(outcome_alone(task, work), kind)
    assert not work.returned


@pytest.mark.parametrize("turns", [None, 0, 2])
@pytest.mark.parametrize("kind", [LookupError, asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit])
async def test_outcome_alone_is_what_the_callable_raised(kind: type[BaseException], turns: int | None) -> None:
    error = kind("its own")
    task, work = alone(raising(error, turns))
    await asyncio.wait([task])
    assert outcome_alone(task, work) is error
    assert work.failure is None


async def test_alone_ends_with_its_task() -> None:
    ended: list[FanOut] = []
    release = asyncio.Event()
    task, work = alone(release.wait)
    await tick()
    runner = runner_for(asyncio.get_running_loop())
    fan = Alone(runner, task, ended.append, "the owner", work)
    assert (fan.ended, fan.owner, runner.work_of(task)) == (False, "the owner", fan)
    release.set()
    await task
    await tick()
    assert ended == [fan]
    assert (fan.ended, fan.errors, runner.tasks) == (True, [], {})


async def test_alone_notes_the_error_of_its_task() -> None:
    error = LookupError("its own")
    ended: list[FanOut] = []
    task, work = alone(raising(error, 2))
    await tick()
    fan = Alone(runner_for(asyncio.get_running_loop()), task, ended.append, None, work)
    await asyncio.wait([task])
    await tick()
    assert fan.errors == [(0, error)]
    assert ended == [fan]


async def test_alone_can_be_cancelled() -> None:
    ended: list[FanOut] = []
    task, work = alone(asyncio.Event().wait)
    await tick()
    fan = Alone(runner_for(asyncio.get_running_loop()), task, ended.append, None, work)
    fan.cancel()
    await asyncio.wait([task])
    await tick()
    [(index, error)] = fan.errors
    assert index == 0
    assert isinstance(error, asyncio.CancelledError)
    assert ended == [fan]


@pytest.mark.parametrize("turns", [None, 0, 2])
async def test_fanout_of_one_skips_it(turns: int | None) -> None:
    call = raising(LookupError("it was started"), turns)
    assert await Owner([call], skip={call}).run() == []


async def test_fanout_of_one_runs_it_where_another_is_to_be_skipped() -> None:
    seen: list[str] = []
    assert await Owner([partial(seen.append, "a")], skip={print}).run() == []
    assert seen == ["a"]


async def test_fanout_of_one_runs_it_in_a_copy_of_the_given_context() -> None:
    context = contextvars.Context()
    context.run(var.set, "given")
    seen: list[str] = []

    async def call() -> None:
        seen.append(var.get())
        var.set("changed")
        await tick()

    await Owner([call], context=context).run()
    assert (seen, context[var], var.get()) == (["given"], "given", "unset")


async def test_fanout_whose_task_cannot_be_made_on_the_spot_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_task(coro: Any, **options: Any) -> None:
        coro.close()
        raise MemoryError

    owner = Owner([tick, tick])
    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(_fanout, "Task", no_task)
        patch.setattr(Runner, "start_eagerly", lambda _, coro, context: no_task(coro, context=context))
        owner.start()
    await owner.join()
    assert owner.fan.ended
    assert (owner.runner.eager, owner.runner.depth, owner.fan.outer, owner.fan.coro) == (None, 0, None, None)


async def test_fanout_notes_the_error_of_a_driver_that_is_not_of_a_callable() -> None:
    error = LookupError("of the task factory")

    async def wrapped(coro: Any) -> None:
        await coro
        raise error

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return plain_factory(loop, wrapped(coro), **options)

    asyncio.get_running_loop().set_task_factory(factory)
    owner = Owner([tick])
    owner.start()
    asyncio.get_running_loop().set_task_factory(None)
    assert await owner.join() == [(0, error)]


@pytest.mark.parametrize("number", [1, 2])
def test_fanout_that_is_destroyed_with_its_loop_does_not_complain(
    number: int, loop_errors: list[dict[str, object]]
) -> None:
    async def main() -> None:
        owner = Owner([asyncio.Event().wait] * number)
        owner.start()
        await tick(5)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    del loop
    gc.collect()
    # asyncio itself tells that they were destroyed; nothing else is told.
    assert len(loop_errors) == number
    assert all("Task was destroyed but it is pending!" in str(error["message"]) for error in loop_errors)
    loop_errors.clear()


async def test_work_waits_for_its_caller_or_for_whoever_waits_for_its_owner() -> None:
    task = asyncio.current_task()

    class Waited:
        waiting_task = task

    work = Work()
    seen = [work.waiting_task]
    work.owner = Waited()
    seen.append(work.waiting_task)
    work.caller = other = asyncio.create_task(tick())
    seen.append(work.waiting_task)
    await other
    assert seen == [None, task, other]


@pytest.mark.parametrize("turns", [0, 1])
async def test_outcome_alone_leaves_out_a_cancellation_that_the_callable_never_saw(turns: int) -> None:
    async def call() -> None:
        await tick(turns)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    task, work = alone(call)
    await asyncio.wait([task])
    assert task.cancelled()
    assert outcome_alone(task, work) is None
