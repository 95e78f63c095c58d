"""The task on standby, which serves callables that end at once."""

from __future__ import annotations

import asyncio
import contextvars
import gc
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
        return start_alone(self.runner, Work(), call, args, kwargs)

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
            return outcome_alone(task)
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


async def test_what_is_served_sees_the_callers_variables_and_sets_only_its_own() -> None:
    place = Place()
    var.set("the caller's")
    standby = place.prepare()
    seen: list[str] = []

    def set_it() -> None:
        seen.append(var.get())
        var.set("mine")

    task = place.start(set_it)
    assert task is not None
    assert task.done()
    assert outcome_alone(task) is None
    assert place.runner.standby is not standby
    place.start(set_it)
    assert seen == ["the caller's", "the caller's"]
    assert var.get() == "the caller's"


async def test_a_variable_that_was_set_since_is_seen() -> None:
    place = Place()
    var.set("before")
    place.prepare()
    var.set("after")
    seen: list[str] = []
    place.start(lambda: seen.append(var.get()))
    place.prepare()
    place.start(lambda: seen.append(var.get()))
    assert seen == ["after", "after"]


class Incomparable:
    """Refuses to be compared, as arrays do."""

    def __eq__(self, other: object) -> bool:
        raise TypeError("no truth in it")

    __hash__ = None  # type: ignore[assignment]  # as for arrays


async def test_a_standby_whose_variables_are_outdated_makes_room_for_another_one() -> None:
    place = Place()
    outdated = place.prepare()
    var.set("new")
    seen: list[object] = []
    for _ in range(2 * CALLS_BEFORE_STANDBY):
        place.start(lambda: seen.append(var.get()))
    assert seen == ["new"] * 2 * CALLS_BEFORE_STANDBY
    assert place.runner.standby not in {None, outdated}
    assert outdated.before is None


async def test_values_that_cannot_be_compared_are_seen() -> None:
    place = Place()
    var.set("before")
    place.prepare()
    value = Incomparable()
    var.set(value)
    seen: list[object] = []
    place.start(lambda: seen.append(var.get()))
    assert len(seen) == 1
    assert seen[0] is value


async def test_a_value_that_cannot_be_compared_is_a_trace() -> None:
    place = Place()
    var.set(object())
    standby = place.prepare()

    def leave() -> None:
        var.set(Incomparable())

    place.start(leave)
    assert place.runner.standby is not standby


async def test_there_is_no_standby_where_a_variable_can_be_set_to_something_that_only_equals_it() -> None:
    place = Place()
    var.set(1)
    for _ in range(3 * CALLS_BEFORE_STANDBY):
        place.start(nothing)
    assert place.runner.standby is None
    var.set(True)
    seen: list[object] = []
    place.start(lambda: seen.append(var.get()))
    assert seen == [True]
    assert seen[0] is True


async def test_variables_are_the_callables_own_after_it_was_suspended() -> None:
    place = Place()
    var.set("the caller's")

    async def call() -> None:
        var.set("mine")
        await tick(2)
        assert var.get() == "mine"

    assert await place.outcome(call) is None
    assert var.get() == "the caller's"


async def test_a_context_is_let_go_with_the_task_that_it_is_of() -> None:
    place = Place()

    class Value:
        pass

    references: list[weakref.ref[Value]] = []

    async def user() -> None:
        value = Value()
        references.append(weakref.ref(value))
        var.set(value)
        place.prepare()

    await asyncio.create_task(user())
    await tick(2)
    gc.collect()
    assert references[0]() is None


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
    assert isinstance(outcome_alone(task), asyncio.CancelledError)


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
    assert outcome_alone(task) is None
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


async def test_a_cancellation_that_was_taken_back_is_not_raised() -> None:
    seen: list[str] = []

    async def call() -> None:
        running().cancel()
        running().uncancel()
        await tick()
        seen.append("went on")

    assert await Place().outcome(call) is None
    assert seen == ["went on"]


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
    assert isinstance(outcome_alone(task), LookupError)
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
    assert standby.before is None


async def test_a_standby_that_was_dismissed_serves_nobody() -> None:
    place = Place()
    standby = place.prepare()
    standby.dismiss()
    standby.dismiss()
    assert place.start(nothing) is None
    assert place.runner.standby is not standby or place.runner.standby.before is None


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
