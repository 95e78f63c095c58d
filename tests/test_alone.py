"""The task on standby, which serves callables that end at once."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import EventBus, Observable
from asyncutils_rx._alone import CALLS_BEFORE_STANDBY, Standby, outcome_alone, start_alone
from asyncutils_rx._runner import Runner, Work, runner_for
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

var: contextvars.ContextVar[Any] = contextvars.ContextVar("var")


def nothing() -> None:
    """Do it."""


def running() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


class Place:
    """Where callables are started alone; the runner of the loop lives as long as this."""

    def __init__(self) -> None:
        self.runner: Runner = runner_for(asyncio.get_running_loop())

    def start(self, call: Callable[..., object], *args: object, **kwargs: object) -> asyncio.Task[Any] | None:
        self.work = Work()
        return start_alone(self.runner, self.work, call, args, kwargs)

    def prepare(self) -> Standby:
        """Start callables until a task is on standby; return that."""
        for _ in range(CALLS_BEFORE_STANDBY + 1):
            if self.runner.standby is None:
                assert self.start(nothing) is None
        assert self.runner.standby is not None
        return self.runner.standby

    async def outcome(self, call: Callable[..., object], *args: object) -> BaseException | None:
        """Start a callable on standby, see it to its end, and return what it raised."""
        self.prepare()
        task = self.start(call, *args)
        if task is None:
            return None
        await asyncio.wait([task])
        try:
            return outcome_alone(task, self.work)
        finally:
            del task  # the traceback of an error holds this frame


# Who gets one


async def test_a_task_is_on_standby_after_regular_calls_that_end_at_once() -> None:
    place = Place()
    for _ in range(CALLS_BEFORE_STANDBY - 1):
        place.start(nothing)
        assert place.runner.standby is None
    place.start(nothing)
    assert place.runner.standby is not None


async def test_calls_that_suspend_are_not_regular() -> None:
    place = Place()
    for _ in range(3 * CALLS_BEFORE_STANDBY):
        task = place.start(tick)
        assert task is not None
        await task
    place.start(nothing)
    assert place.runner.standby is None or CALLS_BEFORE_STANDBY == 1


@pytest.mark.skipif(CALLS_BEFORE_STANDBY == 1, reason="each call is regular")
async def test_calls_of_tasks_in_turn_are_not_regular() -> None:
    place = Place()

    async def call() -> None:
        for _ in range(3 * CALLS_BEFORE_STANDBY):
            place.start(nothing)
            await tick()

    await asyncio.gather(call(), call())
    assert place.runner.standby is None


async def test_what_is_served_runs_in_one_task_that_is_not_the_callers() -> None:
    place = Place()
    place.prepare()
    tasks: list[asyncio.Task[Any]] = []
    place.start(lambda: tasks.append(running()))
    first = repr(tasks.pop())
    place.prepare()
    place.start(lambda: tasks.append(running()))
    assert tasks[0] is not asyncio.current_task()
    assert "Task" in first


async def test_the_standby_serves_again_and_again() -> None:
    place = Place()
    standby = place.prepare()
    names = set[str]()
    for _ in range(50):
        place.start(lambda: names.add(running().get_name()))
    assert place.runner.standby is standby
    assert len(names) == 1


async def test_the_standby_serves_where_no_task_runs() -> None:
    place = Place()
    name = place.prepare().task.get_name()
    seen: list[object] = []

    def by_hand() -> None:
        place.start(lambda: seen.append(running().get_name()))
        seen.append(asyncio.current_task())

    asyncio.get_running_loop().call_soon(by_hand)
    await tick()
    assert seen == [name, None]


async def test_the_standby_is_not_among_the_tasks() -> None:
    place = Place()
    place.prepare()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_arguments_are_passed_and_what_is_returned_is_awaited() -> None:
    place = Place()
    standby = place.prepare()
    seen: list[object] = []

    async def call(*args: object, **kwargs: object) -> None:
        seen.append((args, kwargs))

    class Custom:
        def __await__(self) -> Generator[Any, None, None]:
            seen.append("awaited")
            yield from ()

    assert place.start(call, 1) is None
    assert place.start(call, 1, two=2) is None
    assert place.start(Custom) is None
    assert place.start(lambda: "ignored") is None
    assert seen == [((1,), {}), ((1,), {"two": 2}), "awaited"]
    assert place.runner.standby is standby


async def test_what_was_passed_is_let_go() -> None:
    place = Place()
    place.prepare()

    class Value:
        pass

    async def call(_value: Value) -> Value:
        return Value()

    value = Value()
    reference, callable_reference = weakref.ref(value), weakref.ref(call)
    assert place.start(call, value) is None
    del value, call
    assert reference() is None
    assert callable_reference() is None


# Contexts


class Level(str):
    """Equals the string that it is of, as members of an enumeration do."""

    __slots__ = ()


class EqualsAll:
    """Equals whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # not needed


class Incomparable:
    """Refuses to be compared, as arrays do."""

    def __eq__(self, other: object) -> bool:
        raise TypeError("no truth in it")

    __hash__ = None  # type: ignore[assignment]  # as for arrays


@pytest.mark.parametrize(
    ("before", "after"),
    [("a", "b"), (1, True), ("debug", Level("debug")), (object(), EqualsAll()), (object(), Incomparable()), ([], [])],
)
async def test_what_is_served_sees_the_callers_variables_and_sets_only_its_own(before: object, after: object) -> None:
    place = Place()
    var.set(before)
    standby = place.prepare()
    seen: list[object] = []

    def set_it() -> None:
        seen.append(var.get())
        var.set(after)

    for _ in range(3):
        assert place.start(set_it) is None
    assert place.runner.standby is standby
    assert all(value is before for value in [*seen, var.get()])


@pytest.mark.parametrize(
    ("before", "after"), [("a", "b"), (1, True), ("debug", Level("debug")), (object(), EqualsAll())]
)
async def test_a_variable_that_was_set_since_is_seen(before: object, after: object) -> None:
    place = Place()
    var.set(before)
    place.prepare()
    var.set(after)
    seen: list[object] = []
    assert place.start(lambda: seen.append(var.get())) is None
    assert seen[0] is after


async def test_a_token_is_of_no_use_to_the_next_callable() -> None:
    place = Place()
    place.prepare()
    tokens = list[contextvars.Token[Any]]()
    place.start(lambda: tokens.append(var.set("mine")))
    errors: list[str] = []

    def reset() -> None:
        try:
            var.reset(tokens[0])
        except ValueError as error:
            errors.append(str(error))

    place.start(reset)
    assert "different Context" in errors[0]


async def test_what_a_callable_set_is_let_go_with_it() -> None:
    place = Place()
    place.prepare()

    class Value:
        pass

    references: list[weakref.ref[Value]] = []

    def leave() -> None:
        value = Value()
        references.append(weakref.ref(value))
        var.set(value)

    assert place.start(leave) is None
    assert references[0]() is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks tell their context from Python 3.12 on")
@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_the_context_of_the_task_is_the_callables(turns: int) -> None:
    place = Place()
    contexts: list[contextvars.Context] = []

    async def call() -> None:
        var.set("mine")
        await tick(turns)
        contexts.append(running().get_context())  # type: ignore[attr-defined]  # since 3.12

    assert await place.outcome(call) is None
    assert contexts[0][var] == "mine"
    contexts[0].run(var.set, "set later")
    seen: list[object] = []
    place.prepare()
    place.start(lambda: seen.append(var.get("unset")))
    assert seen == ["unset"]


async def test_variables_are_the_callables_own_after_it_was_suspended() -> None:
    place = Place()
    var.set("the caller's")

    async def call() -> None:
        var.set("mine")
        await tick(2)
        assert var.get() == "mine"

    assert await place.outcome(call) is None
    assert var.get() == "the caller's"


async def test_a_task_that_uses_many_standbys_does_not_keep_them() -> None:
    place = Place()
    task = asyncio.current_task()
    assert task is not None
    place.prepare()
    callbacks = len(task._callbacks)
    for _ in range(5):
        assert await place.outcome(tick) is None
    place.prepare()
    assert len(task._callbacks) == callbacks


# Suspension


async def test_the_task_is_the_callables_own_once_it_was_suspended() -> None:
    place = Place()
    standby = place.prepare()
    tasks: list[object] = []
    resume = asyncio.Event()

    async def call() -> None:
        tasks.append(asyncio.current_task())
        await resume.wait()
        tasks.append(asyncio.current_task())
        await tick()
        tasks.append(asyncio.current_task())

    task = place.start(call)
    assert task is not None
    assert not task.done()
    assert task in asyncio.all_tasks()
    assert asyncio.current_task() is not task
    assert place.runner.standby is not standby
    place.prepare()
    place.start(lambda: tasks.append(asyncio.current_task() is task))
    resume.set()
    await task
    assert tasks == [task, False, task, task]


async def test_a_suspended_callable_goes_on_as_soon_as_one_with_a_task_of_its_own() -> None:
    place = Place()
    order: list[str] = []

    async def call(name: str) -> None:
        await asyncio.sleep(0)
        order.append(name)

    first = asyncio.create_task(call("a task before"))
    await tick()
    place.prepare()
    ours = place.start(call, "ours")
    second = asyncio.get_running_loop().call_soon(order.append, "what was scheduled after")
    assert ours is not None
    await asyncio.wait([first, ours])
    assert order == ["a task before", "ours", "what was scheduled after"]
    assert not second.cancelled()


async def test_a_suspended_callable_can_be_cancelled_from_outside() -> None:
    place = Place()
    place.prepare()
    seen: list[str] = []

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.extend(error.args)
            raise

    task = place.start(call)
    assert task is not None
    task.cancel("enough")
    await asyncio.wait([task])
    assert seen == ["enough"]
    assert isinstance(outcome_alone(task, place.work), asyncio.CancelledError)


@pytest.mark.virtual_time
async def test_timeouts_work_inside_a_callable_that_is_served() -> None:
    place = Place()
    elapsed: list[float] = []

    async def call() -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.timeout(10):
            await tick(0)
        try:
            async with asyncio.timeout(3):
                await asyncio.sleep(60)
        except TimeoutError:
            elapsed.append(loop.time() - start)

    assert await place.outcome(call) is None
    assert elapsed == [3]


async def test_a_task_group_works_inside_a_callable_that_is_served() -> None:
    place = Place()
    seen: list[str] = []

    async def call() -> None:
        async def fail() -> None:
            raise LookupError("in the group")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.Event().wait()
        except* LookupError as errors:
            seen.append(str(errors.exceptions[0]))

    assert await place.outcome(call) is None
    assert seen == ["in the group"]


async def test_something_that_no_task_can_wait_for_is_the_callables_error() -> None:
    place = Place()
    seen: list[str] = []

    class Odd:
        def __await__(self) -> Generator[Any, None, None]:
            try:
                yield "neither a future nor nothing"
            except RuntimeError as error:
                seen.append(str(error))

    assert await place.outcome(Odd) is None
    assert "neither a future nor nothing" in seen[0]


def test_a_callable_that_is_suspended_for_ever_ends_with_the_loop() -> None:
    seen: list[str] = []

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    async def main() -> None:
        place = Place()
        place.prepare()
        assert place.start(call) is not None

    asyncio.run(main())
    assert seen == ["ended"]


# Cancellation of its own task


async def test_a_cancellation_that_is_left_behind_reaches_nobody() -> None:
    place = Place()
    standby = place.prepare()
    task = place.start(lambda: running().cancel())
    assert task is not None
    assert task.done()
    assert outcome_alone(task, place.work) is None
    assert place.runner.standby is not standby
    seen: list[int] = []
    place.start(lambda: seen.append(running().cancelling()))
    await tick(2)
    assert seen == [0]


async def cancel_and_wait(wait: Callable[[], Awaitable[object]], seen: list[object]) -> None:
    running().cancel("by itself")
    try:
        await wait()
    except asyncio.CancelledError as error:
        seen.append(error.args)
        await tick(2)
        seen.append("cleaned up")
        raise
    seen.append("not reached")


@pytest.mark.parametrize("kind", ["event", "turn", "done"])
async def test_a_cancellation_that_a_callable_asks_for_is_raised_where_it_waits(kind: str) -> None:
    seen: list[object] = []
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)

    class OnlyOneTurn:
        def __await__(self) -> Generator[Any, None, None]:
            done._asyncio_future_blocking = True
            yield done

    waits: dict[str, Callable[[], Awaitable[object]]] = {
        "event": asyncio.Event().wait,
        "turn": lambda: asyncio.sleep(0),
        "done": OnlyOneTurn,
    }
    expected: list[object] = []
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(cancel_and_wait(waits[kind], expected))
    error = await Place().outcome(cancel_and_wait, waits[kind], seen)
    assert isinstance(error, asyncio.CancelledError)
    assert seen == expected == [("by itself",), "cleaned up"]


async def test_a_cancellation_without_a_message_is_raised_without_one() -> None:
    seen: list[object] = []

    async def call() -> None:
        running().cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            seen.append(error.args)

    assert await Place().outcome(call) is None
    assert seen == [()]


async def test_what_a_callable_waits_for_is_cancelled_with_it() -> None:
    place = Place()
    place.prepare()
    waited_for = asyncio.get_running_loop().create_future()

    async def call() -> None:
        running().cancel()
        await waited_for

    task = place.start(call)
    assert task is not None
    assert waited_for.cancelled()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_cancellation_that_was_taken_back_comes_out_where_it_does_in_any_task() -> None:
    async def call(seen: list[str]) -> None:
        running().cancel()
        running().uncancel()
        try:
            await tick()
        except asyncio.CancelledError:  # before Python 3.13
            seen.append("cancelled")
        seen.append("went on")

    expected: list[str] = []
    seen: list[str] = []
    await asyncio.create_task(call(expected))
    assert await Place().outcome(call, seen) is None
    assert seen == expected


async def test_a_cancellation_is_raised_where_the_callable_waits_for_what_no_task_can_wait_for() -> None:
    seen: list[str] = []

    class Odd:
        def __await__(self) -> Generator[Any, None, None]:
            running().cancel()
            try:
                yield "neither a future nor nothing"
            except asyncio.CancelledError:
                seen.append("cancelled")

    assert await Place().outcome(Odd) is None
    assert seen == ["cancelled"]


async def test_a_held_task_tells_that_it_was_cancelled_where_nobody_met_that() -> None:
    place = Place()
    place.prepare()
    held: list[asyncio.Task[Any]] = []

    def call() -> None:
        held.append(running())
        running().cancel("unseen")

    task = place.start(call)
    assert task is held[0]
    with pytest.raises(asyncio.CancelledError, match="unseen"):
        await task
    assert outcome_alone(task, place.work) is None


async def test_a_caught_cancellation_lets_the_callable_go_on() -> None:
    seen: list[str] = []

    async def call() -> None:
        running().cancel()
        for number in range(3):
            try:
                await tick()
            except asyncio.CancelledError:
                seen.append(f"caught at {number}")
        seen.append("done")

    assert await Place().outcome(call) is None
    assert seen == ["caught at 0", "done"]


# Traces


async def test_a_task_that_is_still_held_serves_nobody_else() -> None:
    place = Place()
    standby = place.prepare()
    held: list[asyncio.Task[Any]] = []
    place.start(lambda: held.append(running()))
    assert place.runner.standby is not standby
    assert held[0].done()
    await held[0]
    place.start(lambda: held.append(running()))
    assert held[0] is not held[1]


async def test_a_callback_of_the_task_is_called_once_the_callable_has_ended() -> None:
    place = Place()
    standby = place.prepare()
    ended: list[bool] = []
    place.start(lambda: running().add_done_callback(lambda task: ended.append(task.done())))
    assert place.runner.standby is not standby
    await tick(2)
    assert ended == [True]


async def test_a_name_reaches_nobody_else() -> None:
    place = Place()
    place.prepare()
    place.start(lambda: running().set_name("mine"))
    names: list[str] = []
    place.prepare()
    place.start(lambda: names.append(running().get_name()))
    assert names != ["mine"]


async def test_what_is_known_of_the_task_reaches_nobody_else() -> None:
    place = Place()
    place.prepare()
    known: weakref.WeakKeyDictionary[asyncio.Task[Any], str] = weakref.WeakKeyDictionary()
    seen: list[object] = []

    def call() -> None:
        seen.append(known.setdefault(running(), f"call {len(seen)}"))

    for _ in range(3):
        place.prepare()
        place.start(call)
    assert seen == ["call 0", "call 1", "call 2"]


async def test_an_attribute_of_the_task_reaches_nobody_else() -> None:
    place = Place()
    seen: list[object] = []

    def call() -> None:
        seen.append(getattr(running(), "mine", None))
        running().mine = "set"  # type: ignore[attr-defined]  # as tasks let everybody do

    for _ in range(2):
        place.prepare()
        place.start(call)
    assert seen == [None, None]


# Awaitables


async def test_a_generator_that_is_a_coroutine_is_awaited() -> None:
    place = Place()
    seen: list[str] = []

    @types.coroutine
    def call(turns: int) -> Generator[None, None, None]:
        for _ in range(turns):
            yield
        seen.append(f"after {turns} turns")

    assert await place.outcome(call, 0) is None
    assert await place.outcome(call, 2) is None
    assert seen == ["after 0 turns", "after 2 turns"]


async def test_a_coroutine_that_another_task_awaits_is_left_alone() -> None:
    event = asyncio.Event()
    coroutine = event.wait()
    task = asyncio.create_task(coroutine)
    await tick()
    outcome = await Place().outcome(lambda: coroutine)
    assert "being awaited already" in str(outcome)
    event.set()
    assert await task


@pytest.mark.parametrize("result", [5, []])
async def test_an_awaitable_that_gives_no_iterator_is_the_callables_error(result: object) -> None:
    class Odd:
        def __await__(self) -> Any:
            return result

    assert "non-iterator" in str(await Place().outcome(Odd))


# Errors


@pytest.mark.parametrize("kind", [LookupError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
@pytest.mark.parametrize("turns", [None, 0, 2])
async def test_what_a_callable_raises_is_its_outcome(kind: type[BaseException], turns: int | None) -> None:
    error = kind("of its own")

    def fails() -> None:
        raise error

    async def fails_later() -> None:
        await tick(turns or 0)
        raise error

    outcome = await Place().outcome(fails if turns is None else fails_later)
    if kind is asyncio.CancelledError:
        assert isinstance(outcome, asyncio.CancelledError)
    else:
        assert outcome is error


@pytest.mark.parametrize("calls", [0, 3 * CALLS_BEFORE_STANDBY])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_ends_the_program_is_not_lost_with_a_cancellation(kind: type[BaseException], calls: int) -> None:
    place = Place()
    for _ in range(calls):
        place.start(nothing)

    def call() -> None:
        running().cancel()
        raise kind

    task = place.start(call)
    assert task is not None
    assert isinstance(outcome_alone(task, place.work), kind)


@pytest.mark.parametrize("calls", [0, 3 * CALLS_BEFORE_STANDBY])
async def test_a_cancellation_is_not_lost_where_somebody_else_asks_first(calls: int) -> None:
    place = Place()
    for _ in range(calls):
        place.start(nothing)

    async def call() -> None:
        await tick()
        raise asyncio.CancelledError

    task = place.start(call)
    assert task is not None
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(outcome_alone(task, place.work), asyncio.CancelledError)


async def test_an_error_that_is_false_is_an_error() -> None:
    class EmptyError(Exception):
        def __len__(self) -> int:
            return 0

    def call() -> None:
        raise EmptyError

    assert isinstance(await Place().outcome(call), EmptyError)


async def test_an_error_that_was_handled_is_no_context_of_the_next_one() -> None:
    errors: list[BaseException | None] = []

    async def call() -> None:
        asyncio.get_running_loop().call_soon(running().cancel)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            del errors[:]
        errors.append(sys.exc_info()[1])
        raise LookupError

    outcome = await Place().outcome(call)
    assert isinstance(outcome, LookupError)
    assert outcome.__context__ is None
    assert errors == [None]


@pytest.mark.parametrize("turns", [0, 1])
async def test_a_signal_at_any_moment_leaves_the_current_task_as_it_was(turns: int) -> None:
    place = Place()
    me = running()
    codes = {start_alone.__code__, Standby.go_on.__code__}
    left = 0

    def profile(frame: types.FrameType, event: str, _: object) -> None:
        nonlocal left
        if event == "c_return" and frame.f_code in codes:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    interrupted = 0
    for moment in range(1, 40):
        place.prepare()
        left = moment
        sys.setprofile(profile)
        try:
            task = place.start(tick, turns)
        except KeyboardInterrupt:
            interrupted += 1
            task = None
        finally:
            sys.setprofile(None)
        assert asyncio.current_task() is me
        assert place.runner.eager is None
        if task is not None:
            await asyncio.wait([task])
            outcome_alone(task, place.work)
        if left > 0:
            break
    assert interrupted > 1
    gc.collect()


async def test_stop_iteration_is_an_error_as_in_a_coroutine() -> None:
    def stop() -> None:
        raise StopIteration

    outcome = await Place().outcome(stop)
    assert isinstance(outcome, RuntimeError)
    assert isinstance(outcome.__cause__, StopIteration)


@pytest.mark.parametrize("turns", [0, 2])
async def test_an_error_does_not_keep_what_was_passed_in_a_cycle(turns: int) -> None:
    place = Place()

    class Value:
        pass

    async def fails(_value: Value) -> None:
        await tick(turns)
        raise LookupError

    value = Value()
    reference = weakref.ref(value)
    gc.collect()
    gc.disable()
    try:
        outcome = await place.outcome(fails, value)
        assert isinstance(outcome, LookupError)
        del outcome, value
        await tick(2)
        assert reference() is None
    finally:
        gc.enable()


async def test_there_is_another_standby_after_an_error() -> None:
    place = Place()
    standby = place.prepare()

    def fails() -> None:
        raise LookupError

    task = place.start(fails)
    assert task is not None
    assert task.done()
    assert isinstance(outcome_alone(task, place.work), LookupError)
    assert place.prepare() is not standby


async def test_a_standby_that_cannot_be_made_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    for _ in range(CALLS_BEFORE_STANDBY - 1):
        place.start(nothing)

    def refuses(*_args: object) -> None:
        raise RuntimeError("no more tasks")

    seen: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Runner, "start_eagerly", refuses)
        with pytest.raises(RuntimeError, match="no more tasks"):
            place.start(seen.append, 1)
    assert place.runner.standby is None
    assert place.runner.eager is None
    assert place.start(seen.append, 2) is None
    assert seen == [2]


# The end


async def test_closing_an_object_ends_the_standby() -> None:
    async with Observable[[int]]([lambda _: None]) as obs:
        for value in range(3 * CALLS_BEFORE_STANDBY):
            await obs.notify(value)
        runner = runner_for(asyncio.get_running_loop())
        standby = runner.standby
        assert standby is not None
        task = weakref.ref(standby.task)
    assert task() is None or task().done()  # type: ignore[union-attr]  # it was not None before
    assert standby.serves is False


async def test_a_standby_that_was_dismissed_serves_nobody() -> None:
    place = Place()
    standby = place.prepare()
    standby.dismiss()
    standby.dismiss()
    assert place.start(nothing) is None
    assert place.runner.standby is not standby or place.runner.standby.serves is False


def test_no_task_is_left_when_the_loop_is_closed() -> None:
    tasks: list[weakref.ref[asyncio.Task[Any]]] = []

    async def main() -> None:
        place = Place()
        tasks.append(weakref.ref(place.prepare().task))

    asyncio.run(main())
    gc.collect()
    assert tasks[0]() is None


# By way of the objects


async def test_an_observer_that_notifies_another_observable_is_served() -> None:
    seen: list[int] = []
    inner: Observable[[int]] = Observable([seen.append])
    outer: Observable[[int]] = Observable([inner.notify])
    for value in range(5 * CALLS_BEFORE_STANDBY):
        await outer.notify(value)
    assert seen == [*range(5 * CALLS_BEFORE_STANDBY)]
    assert outer.idle
    assert inner.idle


async def test_an_observer_that_notifies_the_same_observable_is_served() -> None:
    seen: list[int] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value > 0:
            await obs.notify(-value)

    obs: Observable[[int]] = Observable([observer])
    for value in range(1, 3 * CALLS_BEFORE_STANDBY):
        await obs.notify(value)
    assert seen == [signed for value in range(1, 3 * CALLS_BEFORE_STANDBY) for signed in (value, -value)]


async def test_subscribers_and_observers_share_the_standby() -> None:
    bus = EventBus()
    names: list[str] = []

    async def note(_data: object) -> None:
        names.append(running().get_name())

    bus.subscribe(note, "topic", weak=False)
    obs: Observable[[int]] = Observable([note])
    for value in range(5 * CALLS_BEFORE_STANDBY):
        await obs.notify(value)
        await bus.publish("topic", value)
    assert len(names) == 10 * CALLS_BEFORE_STANDBY
    assert len(set(names[2 * CALLS_BEFORE_STANDBY :])) == 1


async def test_a_notification_that_no_task_makes_is_delivered() -> None:
    obs: Observable[[int]] = Observable()
    tasks: list[object] = []

    def observer(_value: int) -> None:
        tasks.append(asyncio.current_task())

    obs.subscribe_nowait(observer)
    for value in range(3 * CALLS_BEFORE_STANDBY):
        await obs.notify(value)
    done = asyncio.get_running_loop().create_future()

    def by_hand() -> None:
        coroutine = obs.notify(0)
        with pytest.raises(StopIteration):
            coroutine.send(None)
        done.set_result(asyncio.current_task())

    asyncio.get_running_loop().call_soon(by_hand)
    assert await done is None
    assert tasks[-1] is not None
    assert len(tasks) == 3 * CALLS_BEFORE_STANDBY + 1


@pytest.mark.parametrize("turns", [0, 2])
@pytest.mark.parametrize("calls", [0, 3 * CALLS_BEFORE_STANDBY])
async def test_an_error_of_a_notification_is_in_no_cycle(turns: int, calls: int) -> None:
    class Value:
        pass

    obs: Observable[[object]] = Observable([lambda _: None])
    for _ in range(calls):
        await obs.notify(None)

    async def fails(_value: object) -> None:
        await tick(turns)
        raise LookupError

    obs.unsubscribe_nowait(next(iter(obs)))
    obs.subscribe_nowait(fails)
    value = Value()
    reference = weakref.ref(value)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(LookupError):
            await obs.notify(value)
        del value
        await tick(2)
        assert reference() is None
    finally:
        gc.enable()
