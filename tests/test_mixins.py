"""The life cycle: binding to a loop, owned tasks, entry and exit, closing."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

from asyncutils_rx.exceptions import (
    AlreadyEnteredError,
    ArgumentTypeError,
    ClosedError,
    NoLoopError,
    WrongLoopError,
)
from asyncutils_rx.mixins import LoopContextMixin
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator


class Thing(LoopContextMixin):
    """Notes what happens to it, and does in its hooks what it is told."""

    def __init__(
        self,
        setup: Callable[[Thing], Awaitable[object]] | None = None,
        cleanup: Callable[[Thing], Awaitable[object]] | None = None,
    ) -> None:
        super().__init__()
        self.journal: list[str] = []
        self._hooks = (setup, cleanup)

    def __repr__(self) -> str:
        return "<Thing>"

    async def __setup__(self) -> None:
        self.journal.append("setup")
        if self._hooks[0] is not None:
            await self._hooks[0](self)

    async def __cleanup__(self) -> None:
        self.journal.append("cleanup")
        if self._hooks[1] is not None:
            await self._hooks[1](self)

    async def sleeper(self, turns: int = 0) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            if turns:
                await tick(turns)
            self.journal.append("task ended")


async def fail(_: object = None) -> None:
    raise LookupError("on purpose")


async def make_a_task(thing: Thing) -> None:
    thing.make(fail())


# The loop


def test_object_can_be_made_without_a_loop() -> None:
    thing = Thing()
    assert thing.running_tasks == frozenset()
    with pytest.raises(NoLoopError, match=r"<Thing>: .*running event loop"):
        _ = thing.loop


async def test_object_is_bound_to_the_loop_of_its_first_use() -> None:
    thing = Thing()
    assert thing.loop is asyncio.get_running_loop()


def test_object_that_is_bound_tells_its_loop_from_outside_too() -> None:
    async def bind() -> asyncio.AbstractEventLoop:
        assert thing.loop is asyncio.get_running_loop()
        return thing.loop

    thing = Thing()
    loop = asyncio.run(bind())
    assert thing.loop is loop


@pytest.mark.parametrize("use", [lambda thing: thing.aclose(), lambda thing: thing.__aenter__(), make_a_task])
def test_object_of_another_loop_refuses_to_be_used(use: Callable[[Thing], Any]) -> None:
    async def bind() -> None:
        _ = thing.loop

    async def run() -> None:
        await use(thing)

    thing = Thing()
    asyncio.run(bind())
    with pytest.raises(WrongLoopError, match="<Thing>: it belongs to another event loop"):
        asyncio.run(run())
    assert thing.journal == []


# The context


async def test_context_runs_setup_and_cleanup_around_the_body() -> None:
    thing = Thing()
    async with thing as entered:
        assert entered is thing
        thing.journal.append("body")
    assert thing.journal == ["setup", "body", "cleanup"]


async def test_context_binds_the_object() -> None:
    async with Thing(setup=lambda thing: tick(thing.loop is asyncio.get_running_loop())) as thing:
        assert thing.loop is asyncio.get_running_loop()


async def test_context_passes_the_error_of_its_body_on() -> None:
    thing = Thing()
    with pytest.raises(LookupError, match="on purpose"):
        async with thing:
            await fail()
    assert thing.journal == ["setup", "cleanup"]


@pytest.mark.parametrize("closed", [False, True])
async def test_context_entered_a_second_time_raises(closed: bool) -> None:
    thing = Thing()
    async with thing:
        if not closed:
            with pytest.raises(AlreadyEnteredError, match="<Thing>"):
                await thing.__aenter__()
            assert thing.make(tick()) in thing.running_tasks
    if closed:
        with pytest.raises(AlreadyEnteredError, match="<Thing>"):
            await thing.__aenter__()
    assert thing.journal == ["setup", "cleanup"]


async def test_context_of_a_closed_object_raises() -> None:
    thing = Thing()
    await thing.aclose()
    with pytest.raises(ClosedError, match="<Thing>: it is closed"):
        await thing.__aenter__()
    assert thing.journal == ["cleanup"]


async def test_context_cancels_and_awaits_owned_tasks_after_cleanup() -> None:
    thing = Thing()
    async with thing:
        task = thing.make(thing.sleeper(3))
        await tick()
    assert thing.journal == ["setup", "cleanup", "task ended"]
    assert task.cancelled()
    assert thing.running_tasks == frozenset()


async def test_context_whose_setup_fails_leaves_nothing_behind() -> None:
    async def setup(thing: Thing) -> None:
        thing.make(thing.sleeper(2))
        await tick()
        await fail()

    thing = Thing(setup=setup)
    with pytest.raises(LookupError, match="on purpose"):
        await thing.__aenter__()
    assert thing.journal == ["setup", "task ended"]
    with pytest.raises(ClosedError):
        thing.make(fail())


async def test_context_whose_setup_is_cancelled_leaves_nothing_behind() -> None:
    async def setup(thing: Thing) -> None:
        thing.make(thing.sleeper(2))
        await asyncio.Event().wait()

    thing = Thing(setup=setup)
    entering = asyncio.create_task(thing.__aenter__())
    await tick(2)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert thing.journal == ["setup", "task ended"]
    with pytest.raises(ClosedError):
        thing.make(fail())


async def test_context_whose_cleanup_fails_still_ends_owned_tasks_and_is_closed() -> None:
    thing = Thing(cleanup=fail)
    await thing.__aenter__()
    thing.make(thing.sleeper(2))
    await tick()
    with pytest.raises(LookupError, match="on purpose"):
        await thing.__aexit__(None, None, None)
    assert thing.journal == ["setup", "cleanup", "task ended"]
    await thing.aclose()
    with pytest.raises(ClosedError):
        thing.make(fail())


async def test_cleanup_can_still_use_the_tasks_that_the_object_owns() -> None:
    release = asyncio.Event()

    async def cleanup(_: Thing) -> None:
        release.set()
        await task

    thing = Thing(cleanup=cleanup)
    async with thing:
        task = thing.make(release.wait())
    assert task.result() is True


# Closing


async def test_aclose_ends_an_object_that_was_never_entered() -> None:
    thing = Thing()
    task = thing.make(thing.sleeper())
    await tick()
    await thing.aclose()
    assert task.cancelled()
    assert thing.journal == ["cleanup", "task ended"]


async def test_aclose_again_is_harmless() -> None:
    thing = Thing()
    async with thing:
        await thing.aclose()
        await thing.aclose()
    await thing.aclose()
    assert thing.journal == ["setup", "cleanup"]


async def test_aclose_waits_for_a_close_that_is_under_way() -> None:
    release = asyncio.Event()
    thing = Thing(cleanup=lambda _: release.wait())
    first = asyncio.create_task(thing.aclose())
    await tick()
    second = asyncio.create_task(thing.aclose())
    await tick(3)
    assert not second.done()
    release.set()
    await second
    assert first.done()
    assert thing.journal == ["cleanup"]


async def test_aclose_that_waits_for_another_can_be_cancelled_alone() -> None:
    release = asyncio.Event()
    thing = Thing(cleanup=lambda _: release.wait())
    first = asyncio.create_task(thing.aclose())
    await tick()
    second = asyncio.create_task(thing.aclose())
    await tick()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not first.done()
    release.set()
    await first


async def test_aclose_cancelled_cuts_cleanup_short_and_still_ends_owned_tasks() -> None:
    thing = Thing(cleanup=lambda _: asyncio.Event().wait())
    thing.make(thing.sleeper(3))
    closing = asyncio.create_task(thing.aclose())
    await tick(2)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert thing.journal == ["cleanup", "task ended"]
    with pytest.raises(ClosedError):
        thing.make(fail())
    await thing.aclose()


async def test_aclose_from_an_owned_task_does_not_wait_for_itself() -> None:
    thing = Thing()
    other = thing.make(thing.sleeper())
    await tick()

    async def close() -> str:
        await thing.aclose()
        return "closed"

    assert await thing.make(close()) == "closed"
    assert other.cancelled()


async def test_aclose_from_cleanup_does_not_wait_for_itself() -> None:
    thing = Thing(cleanup=lambda thing: thing.aclose())
    async with asyncio.timeout(5):
        await thing.aclose()
    assert thing.journal == ["cleanup"]


async def test_aclose_ends_tasks_that_are_made_while_it_cancels() -> None:
    thing = Thing()

    async def spawns() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            thing._own(asyncio.create_task(thing.sleeper()))
            await tick()

    thing.make(spawns())
    await tick()
    await thing.aclose()
    assert thing.journal == ["cleanup", "task ended"]
    assert thing.running_tasks == frozenset()


async def test_aclose_cancelled_while_it_awaits_owned_tasks_cancels_them_again_and_awaits_them() -> None:
    thing = Thing()

    async def stubborn() -> None:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                thing.journal.append("cancelled")
        await tick(5)
        thing.journal.append("task ended")

    thing.make(stubborn())
    await tick()
    closing = asyncio.create_task(thing.aclose())
    await tick(3)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert thing.journal == ["cleanup", "cancelled", "cancelled", "task ended"]
    assert thing.running_tasks == frozenset()


async def test_aclose_reports_what_an_owned_task_raises_on_its_cancellation(loop_errors: list[dict[str, Any]]) -> None:
    thing = Thing()

    async def fails_late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await fail()

    thing.make(fails_late())
    await tick()
    await thing.aclose()
    [error] = loop_errors
    assert isinstance(error["exception"], LookupError)
    assert "<Thing>" in error["message"]
    assert error["source"] is thing
    loop_errors.clear()


# Owned tasks


async def test_make_gives_a_task_with_the_result() -> None:
    async def job() -> int:
        await tick()
        return 5

    thing = Thing()
    task = thing.make(job())
    assert isinstance(task, asyncio.Task)
    assert thing.running_tasks == {task}
    assert await task == 5
    assert thing.running_tasks == frozenset()


async def test_make_takes_futures_and_own_awaitables() -> None:
    class Own:
        def __await__(self) -> Generator[Any, Any, str]:
            yield from tick().__await__()
            return "own"

    thing = Thing()
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waits = thing.make(future)
    future.set_result("future")
    assert await waits == "future"
    assert await thing.make(Own()) == "own"


async def test_make_takes_a_task_over() -> None:
    thing = Thing()
    task = asyncio.create_task(thing.sleeper())
    assert thing.make(task) is task
    await tick()
    await thing.aclose()
    assert task.cancelled()


async def test_make_uses_the_task_factory() -> None:
    class OwnTask(asyncio.Task[Any]):
        pass

    asyncio.get_running_loop().set_task_factory(lambda loop, coro, **options: OwnTask(coro, loop=loop, **options))
    task = Thing().make(tick())
    assert type(task) is OwnTask
    await task


async def test_make_leaves_the_error_of_the_task_to_its_awaiter() -> None:
    task = Thing().make(fail())
    with pytest.raises(LookupError, match="on purpose"):
        await task


async def test_make_leaves_an_error_that_nobody_takes_to_asyncio(loop_errors: list[dict[str, Any]]) -> None:
    Thing().make(fail())
    await tick(2)
    gc.collect()
    assert [type(error["exception"]) for error in loop_errors] == [LookupError]
    loop_errors.clear()


@pytest.mark.parametrize("value", [None, 3, fail])
async def test_make_refuses_what_cannot_be_awaited(value: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"Thing\.make: awaitable must be awaitable"):
        Thing().make(value)


@pytest.mark.parametrize("kind", ["task", "future"])
async def test_make_refuses_what_belongs_to_another_loop(kind: str) -> None:
    thing = Thing()
    other = asyncio.new_event_loop()
    task = other.create_task(asyncio.sleep(0))
    with pytest.raises(WrongLoopError, match=r"another event loop"):
        thing.make(task if kind == "task" else other.create_future())
    assert thing.running_tasks == frozenset()
    await thing.aclose()
    await asyncio.to_thread(other.run_until_complete, task)
    other.close()


async def test_make_works_in_cleanup_and_ends_what_it_made() -> None:
    made: list[asyncio.Task[None]] = []

    async def cleanup(thing: Thing) -> None:
        await thing.make(tick())
        made.append(thing.make(thing.sleeper()))
        await tick()

    thing = Thing(cleanup=cleanup)
    async with thing:
        pass
    assert thing.journal == ["setup", "cleanup", "task ended"]
    assert made[0].cancelled()


async def test_make_of_others_while_cleanup_runs_raises() -> None:
    release = asyncio.Event()

    async def cleanup(_: Thing) -> None:
        await release.wait()

    thing = Thing(cleanup=cleanup)
    closing = asyncio.create_task(thing.aclose())
    await tick()
    with pytest.raises(ClosedError):
        thing.make(tick())
    release.set()
    await closing


async def test_make_on_a_closed_object_raises_and_closes_the_coroutine() -> None:
    thing = Thing()
    await thing.aclose()
    coroutine = thing.sleeper()
    with pytest.raises(ClosedError, match="<Thing>: it is closed"):
        thing.make(coroutine)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        await coroutine


async def test_make_on_a_closed_object_leaves_a_future_alone() -> None:
    thing = Thing()
    await thing.aclose()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(ClosedError):
        thing.make(future)
    assert not future.done()


def test_make_without_a_running_loop_raises_and_closes_the_coroutine() -> None:
    with pytest.raises(NoLoopError):
        Thing().make(fail())


async def test_object_without_tasks_is_free_to_go() -> None:
    thing = Thing()
    await thing.make(tick())
    watched = ref(thing)
    del thing
    gc.collect()
    assert watched() is None


async def test_mixin_itself_is_a_working_object() -> None:
    async with LoopContextMixin() as plain:
        assert plain.running_tasks == frozenset()
