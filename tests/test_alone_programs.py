"""Small programs, made at random, that run the same way on standby as in an eager task made by hand."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from asyncutils_rx import EventBus, Observable
from asyncutils_rx._alone import CALLS_BEFORE_STANDBY, outcome_alone, start_alone
from asyncutils_rx._runner import Runner, Work, runner_for

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Step = tuple[str, Any]
    Program = list[Step]

var: contextvars.ContextVar[object] = contextvars.ContextVar("var", default="unset")

ERRORS: dict[str, type[BaseException]] = {
    "lookup": LookupError,
    "cancelled": asyncio.CancelledError,
    "stop": StopAsyncIteration,
}

simple = st.one_of(
    st.tuples(st.just("set"), st.sampled_from([1, True, "a"])),
    st.tuples(st.just("cancel"), st.sampled_from([None, "a message"])),
    st.tuples(st.just("cancel_later"), st.integers(1, 3)),
    st.tuples(st.just("raise"), st.sampled_from([*ERRORS])),
    st.tuples(st.just("sleep"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    *(
        st.tuples(st.just(name), st.none())
        for name in ("uncancel", "done", "odd", "name", "callback", "attribute", "know", "notify", "publish", "spawn")
    ),
)
steps = st.recursive(
    simple,
    lambda inner: st.tuples(
        st.sampled_from(["catch", "finally", "timeout", "group", "wait_for", "shield", "context"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)
programs = st.lists(steps, min_size=1, max_size=5)


class Run:
    """One run of a program: what happens, and in which turn of the loop."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.start = world.turn
        self.log: list[object] = []
        self.task: asyncio.Task[Any] | None = None

    def note(self, *what: object) -> None:
        error = sys.exc_info()[1]
        self.log.append((self.world.turn - self.start, *what, type(error).__name__))

    async def main(self, program: Program) -> None:
        """Note in which state it begins, and what it raises."""
        task = self.current()
        known = self.world.known.setdefault(task, {})
        self.note("begins", var.get(), task.cancelling(), {**known}, getattr(task, "mine", None))
        try:
            await self.run(program)
        except BaseException as error:
            self.note("raises", repr(error), repr(error.__context__), repr(error.__cause__))
            raise
        self.note("ends", var.get(), task.cancelling(), task is self.current())

    def current(self) -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task is not None
        return task

    async def run(self, program: Program) -> None:
        for name, value in program:
            self.note(name, value if not isinstance(value, list) else len(value))
            await getattr(self, f"do_{name}")(value)
            self.note("after", name, var.get(), self.current().cancelling())

    async def do_set(self, value: object) -> None:
        var.set(value)

    async def do_cancel(self, message: str | None) -> None:
        self.current().cancel(message)

    async def do_uncancel(self, _: None) -> None:
        self.current().uncancel()

    async def do_cancel_later(self, turns: int) -> None:
        self.later(turns, self.current().cancel)

    def later(self, turns: int, call: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(turns):
            call = partial(loop.call_soon, call)
        call()

    async def do_raise(self, kind: str) -> None:
        raise ERRORS[kind](kind)

    async def do_sleep(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def do_wait(self, turns: int) -> None:
        event = asyncio.Event()
        self.later(turns, event.set)
        await event.wait()

    async def do_done(self, _: None) -> None:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        await done

    async def do_odd(self, _: None) -> None:
        class Odd:
            def __await__(self) -> Any:
                yield "no future"

        await Odd()

    async def do_name(self, _: None) -> None:
        self.current().set_name("mine")

    async def do_callback(self, _: None) -> None:
        self.current().add_done_callback(lambda task: self.note("called back", task.cancelled()))

    async def do_attribute(self, _: None) -> None:
        self.current().mine = "set"  # type: ignore[attr-defined]  # as tasks let everybody do

    async def do_know(self, _: None) -> None:
        self.world.known.setdefault(self.current(), {})["known"] = True

    async def do_notify(self, _: None) -> None:
        await self.world.observable.notify(self)

    async def do_publish(self, _: None) -> None:
        await self.world.bus.publish("topic", self)

    async def do_spawn(self, _: None) -> None:
        async def child() -> None:
            self.note("child", var.get())
            var.set("the child's")

        self.world.children.append(asyncio.create_task(child()))

    async def do_catch(self, program: Program) -> None:
        try:
            await self.run(program)
        except (Exception, asyncio.CancelledError) as error:
            self.note("caught", repr(error))

    async def do_finally(self, program: Program) -> None:
        try:
            await self.run(program)
        finally:
            self.note("at last")
            await asyncio.sleep(0)

    async def do_timeout(self, program: Program) -> None:
        try:
            async with asyncio.timeout(0):
                await self.run(program)
        except TimeoutError:
            self.note("timed out")

    async def do_group(self, program: Program) -> None:
        async def fail() -> None:
            await asyncio.sleep(0)
            raise LookupError("in the group")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await self.run(program)
        except BaseExceptionGroup as error:
            self.note("the group raised", repr(error.exceptions))

    async def do_wait_for(self, program: Program) -> None:
        await asyncio.wait_for(self.run(program), 60)

    async def do_shield(self, program: Program) -> None:
        inner = asyncio.ensure_future(self.run(program))
        self.world.children.append(inner)
        await asyncio.shield(inner)

    async def do_context(self, program: Program) -> None:
        token = var.set("for a while")
        try:
            await self.run(program)
        finally:
            var.reset(token)


class World:
    """What programs run in."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda *_: None)  # as children fail whom nobody asks
        self.runner: Runner = runner_for(self.loop)
        self.known: weakref.WeakKeyDictionary[asyncio.Task[Any], dict[str, bool]] = weakref.WeakKeyDictionary()
        self.children: list[asyncio.Task[Any]] = []
        self.observable: Observable[[Run]] = Observable([self.nested])
        self.bus = EventBus()
        self.bus.subscribe(self.nested, "topic", weak=False)
        self.turn = 0
        self._ticker = self.loop.call_soon(self._tick)

    def _tick(self) -> None:
        self.turn += 1
        self._ticker = self.loop.call_soon(self._tick)

    @staticmethod
    def nested(run: Run) -> None:
        run.note("nested", var.get())
        var.set("the nested one's")

    async def end(self) -> None:
        for child in self.children:
            await asyncio.wait([child])
            if not child.cancelled():
                child.exception()
        self._ticker.cancel()
        await self.bus.shutdown()

    def prepare(self) -> None:
        """Have a task on standby."""
        for _ in range(CALLS_BEFORE_STANDBY + 1):
            if self.runner.standby is None:
                start_alone(self.runner, Work(), lambda: None, (), {})
        assert self.runner.standby is not None

    async def by_hand(self, program: Program) -> list[object]:
        """Run a program in an eager task."""
        run = Run(self)
        coroutine: Coroutine[Any, Any, None] = run.main(program)
        task = self.runner.start_eagerly(coroutine, contextvars.copy_context())
        await asyncio.wait([task])
        await asyncio.sleep(0)
        error = None if task.cancelled() else task.exception()
        return [*run.log, repr(error), task.cancelled()]

    async def on_standby(self, program: Program) -> list[object]:
        """Run a program on standby."""
        self.prepare()
        run, work = Run(self), Work()
        task = start_alone(self.runner, work, run.main, (program,), {})
        if task is None:
            await asyncio.sleep(0)
            return [*run.log, "None", False]
        await asyncio.wait([task])
        await asyncio.sleep(0)
        outcome = outcome_alone(task, work)
        has_raised = any(isinstance(entry, tuple) and entry[1] == "raises" for entry in run.log)
        assert (outcome is not None) == has_raised
        return [*run.log, "None" if task.cancelled() else repr(task.exception()), task.cancelled()]


@settings(max_examples=50)
@given(program=programs)
@example(program=[("cancel", None), ("uncancel", None), ("sleep", 1)])
@example(program=[("cancel", "a message"), ("catch", [("odd", None)]), ("raise", "lookup")])
@example(program=[("catch", [("cancel", None), ("wait", 2)]), ("raise", "lookup")])
@example(program=[("cancel", None), ("callback", None), ("done", None)])
async def test_a_program_runs_on_standby_as_in_a_task_of_its_own(program: Program) -> None:
    world = World()
    var.set("the caller's")
    await asyncio.sleep(0)
    try:
        expected = await world.by_hand(program)
        for _ in range(2):  # the second one would see what the first one left
            assert await world.on_standby(program) == expected
        assert var.get() == "the caller's"
        current = asyncio.current_task()
        assert current is not None
        assert not current.cancelling()
    finally:
        await world.end()
