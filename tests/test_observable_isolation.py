"""What observers keep apart, and what the loop gets: contexts, tasks, timeouts, task factories, fairness and depth."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Self

import pytest

from asyncutils_rx import Observable
from tests.observable_kit import Held, Recorder, begin, busy, now, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME: ContextVar[str] = ContextVar("NAME", default="unset")

# Context variables


async def test_observers_see_the_context_variables_of_the_notifier() -> None:
    seen: list[str] = []

    async def async_observer() -> None:
        await asyncio.sleep(0)
        seen.append(NAME.get())

    obs: Observable[[]] = Observable([lambda: seen.append(NAME.get()), async_observer])
    token = NAME.set("of the notifier")
    await obs.notify()
    NAME.reset(token)
    assert seen == ["of the notifier"] * 2


@pytest.mark.parametrize("suspends", ["never", "before", "after", "around"])
@pytest.mark.parametrize("count", [1, 2, 20])
async def test_context_variable_of_an_observer_reaches_neither_another_nor_the_notifier(
    suspends: str, count: int
) -> None:
    seen: list[str] = []

    async def observer(name: str) -> None:
        if suspends in ("before", "around"):
            await asyncio.sleep(0)
        seen.append(NAME.get())
        NAME.set(name)
        if suspends in ("after", "around"):
            await asyncio.sleep(0)
        assert NAME.get() == name

    obs: Observable[[]] = Observable(partial(observer, str(number)) for number in range(count))
    for _ in range(2):
        await obs.notify()
    assert seen == ["unset"] * count * 2
    assert NAME.get() == "unset"


async def test_context_variable_of_a_sync_observer_reaches_neither_another_nor_the_notifier() -> None:
    seen: list[str] = []

    def observer(name: str) -> None:
        seen.append(NAME.get())
        NAME.set(name)

    obs: Observable[[]] = Observable(partial(observer, str(number)) for number in range(4))
    await obs.notify()
    assert seen == ["unset"] * 4
    assert NAME.get() == "unset"


async def test_context_variable_set_to_a_new_and_back_to_an_equal_value_stays_with_its_observer() -> None:
    """An equal value is not the same object: whoever compares by equality would let it through."""
    marks: ContextVar[list[int]] = ContextVar("marks")
    own: list[int] = []
    token = marks.set(own)
    seen: list[bool] = []

    def observer() -> None:
        seen.append(marks.get() is own)
        marks.set([])

    obs: Observable[[]] = Observable([observer, partial(observer)])
    await obs.notify()
    assert seen == [True, True]
    assert marks.get() is own
    marks.reset(token)


async def test_context_variable_that_an_observer_resets_stays_set_for_the_others() -> None:
    seen: list[str] = []
    token = NAME.set("of the notifier")

    def forgets() -> None:
        for variable in contextvars.copy_context():
            if variable is NAME:
                NAME.set("forgotten")

    obs: Observable[[]] = Observable([forgets, lambda: seen.append(NAME.get())])
    await obs.notify()
    assert seen == ["of the notifier"]
    assert NAME.get() == "of the notifier"
    NAME.reset(token)


async def test_context_variable_of_an_observer_reaches_no_derived_observable() -> None:
    seen: list[str] = []
    obs: Observable[[]] = Observable([lambda: NAME.set("observer")])
    derived = obs.fork()
    derived.subscribe_nowait(lambda: seen.append(NAME.get()))
    await obs.notify()
    assert seen == ["unset"]


async def test_context_variable_of_an_observer_reaches_no_queued_notification() -> None:
    seen: list[str] = []
    obs: Observable[[int]] = Observable()

    async def observer(value: int) -> None:
        seen.append(NAME.get())
        NAME.set("observer")
        if value == 0:
            await obs.notify(1)

    obs.subscribe_nowait(observer)
    await obs.notify(0)
    assert seen[0] == "unset"
    assert NAME.get() == "unset"


async def test_context_variable_of_a_sequential_observer_stays_with_it() -> None:
    seen: list[str] = []

    async def observer(name: str) -> None:
        seen.append(NAME.get())
        NAME.set(name)

    obs: Observable[[]] = Observable(partial(observer, str(number)) for number in range(3))
    async for _ in obs.notify_sequential():
        assert NAME.get() == "unset"
    assert seen == ["unset"] * 3
    assert NAME.get() == "unset"


# Tasks


async def test_suspending_observers_have_tasks_of_their_own() -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def observer() -> None:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        assert asyncio.current_task() is before
        tasks.append(before)

    obs: Observable[[]] = Observable(partial(observer) for _ in range(5))
    await obs.notify()
    assert None not in tasks
    assert asyncio.current_task() not in tasks
    assert len(set(tasks)) == 5


@pytest.mark.parametrize("suspends", [False, True])
async def test_lone_observer_does_not_run_in_the_task_of_the_notifier(suspends: bool) -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def observer() -> None:
        if suspends:
            await asyncio.sleep(0)
        tasks.append(asyncio.current_task())

    obs: Observable[[]] = Observable([observer])
    await obs.notify()
    await obs.notify()
    assert None not in tasks
    assert asyncio.current_task() not in tasks
    assert len({id(task) for task in tasks}) == 2


@pytest.mark.virtual_time
async def test_timeout_inside_a_lone_observer_is_its_own() -> None:
    outcomes: list[float] = []

    async def impatient() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.sleep(10)
        outcomes.append(now() - started)

    obs: Observable[[]] = Observable([impatient])
    started = now()
    await obs.notify()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert outcomes == [2]


async def test_sequential_observers_do_not_run_in_the_task_of_the_notifier() -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def observer() -> None:
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())

    obs: Observable[[]] = Observable([observer, partial(observer)])
    async for _ in obs.notify_sequential():
        pass
    assert len(set(tasks)) == 2
    assert asyncio.current_task() not in tasks


@pytest.mark.virtual_time
async def test_timeout_inside_an_observer_is_its_own() -> None:
    outcomes: list[str] = []

    async def impatient() -> None:
        try:
            async with asyncio.timeout(2):
                await asyncio.sleep(10)
        except TimeoutError:
            outcomes.append(f"timed out at {now() - started:g}")

    async def patient() -> None:
        async with asyncio.timeout(20):
            await asyncio.sleep(5)
        outcomes.append(f"ended at {now() - started:g}")

    obs: Observable[[]] = Observable([patient, impatient])
    started = now()
    await obs.notify()
    assert outcomes == ["timed out at 2", "ended at 5"]


@pytest.mark.virtual_time
async def test_timeout_that_leaves_an_observer_is_its_error() -> None:
    async def impatient() -> None:
        async with asyncio.timeout(2):
            await asyncio.sleep(10)

    held = Held()
    obs: Observable[[]] = Observable([impatient, held])
    notifier = await begin(obs.notify())
    await asyncio.sleep(5)
    assert not notifier.done()
    held.release()
    with pytest.raises(TimeoutError):
        await notifier
    assert held.ended == [None]


@pytest.mark.virtual_time
async def test_timeout_of_the_notifier_cancels_its_observers() -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await obs.notify("slow")
    assert held.cancelled == ["slow"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_observer_that_cancels_its_own_task_cancels_nobody_else() -> None:
    other = Held()

    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    obs: Observable[[]] = Observable([other, cancels_itself])
    notifier = await begin(obs.notify())
    assert not notifier.done()
    assert other.cancelled == []
    other.release()
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    assert other.ended == [None]
    assert notifier.cancelling() == 0


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_cancellation_that_an_observer_leaves_behind_reaches_nobody(kind: str, alone: bool) -> None:
    """It ends without being suspended, so the request it made for its task is never answered."""
    ended: list[str] = []

    def request() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def request_async() -> None:
        request()

    async def next_one() -> None:
        await asyncio.sleep(0)
        ended.append("next")

    first: Callable[[], Any] = request if kind == "sync" else request_async
    obs: Observable[[]] = Observable([first] if alone else [first, next_one])
    await within(obs.notify())
    await tick(3)
    assert ended == ([] if alone else ["next"])
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_task_group_inside_an_observer_works() -> None:
    seen: list[int] = []

    async def child(value: int) -> None:
        await tick(value)
        seen.append(value)

    async def observer(value: int) -> None:
        async with asyncio.TaskGroup() as group:
            for offset in range(3):
                group.create_task(child(value + offset))

    obs: Observable[[int]] = Observable([observer, Recorder()])
    await within(obs.notify(1))
    assert sorted(seen) == [1, 2, 3]


async def test_notify_inside_a_task_group_fails_as_any_task() -> None:
    async def fails() -> None:
        raise ValueError("inside")

    held = Held()
    obs: Observable[[]] = Observable([fails])
    slow: Observable[[]] = Observable([held])

    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(slow.notify())
            await settle()
            group.create_task(obs.notify())

    with pytest.raises(ExceptionGroup) as caught:
        await together()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert held.cancelled == [None]


# Task factories


class NamedTask(asyncio.Task[Any]):
    """What the factory of a test makes."""


def named(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
    return NamedTask(coro, loop=loop, **options)


async def test_task_factory_makes_the_tasks_of_observers() -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def observer() -> None:
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())

    obs: Observable[[]] = Observable(partial(observer) for _ in range(3))
    loop = asyncio.get_running_loop()
    loop.set_task_factory(named)
    try:
        await obs.notify()
        async for _ in obs.notify_sequential():
            pass
    finally:
        loop.set_task_factory(None)
    assert len(tasks) == 6
    assert {type(task) for task in tasks} == {NamedTask}
    assert len(set(tasks)) == 6


async def test_task_factory_keeps_order_errors_and_contexts_as_they_are() -> None:
    journal: list[Any] = []

    async def observer(number: int) -> None:
        journal.append((number, NAME.get()))
        NAME.set(str(number))
        if number % 2:
            await asyncio.sleep(0)
        if number == 3:
            raise ValueError("three")

    obs: Observable[[]] = Observable(partial(observer, number) for number in range(6))
    loop = asyncio.get_running_loop()
    loop.set_task_factory(named)
    try:
        with pytest.raises(ValueError, match="three"):
            await obs.notify()
    finally:
        loop.set_task_factory(None)
    assert journal == [(number, "unset") for number in range(6)]


@contextmanager
def eager_tasks() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]  # since 3.12
    probe = asyncio.sleep(0)
    try:
        probing = loop.create_task(probe)
    except TypeError:
        probe.close()
        pytest.skip("this uvloop cannot call the eager task factory of this Python")
    else:
        yield
        assert probing.done()
    finally:
        loop.set_task_factory(None)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_task_factory_is_respected() -> None:
    started: list[str] = []
    meeting = asyncio.Barrier(2)

    async def observer(name: str) -> None:
        started.append(name)
        await meeting.wait()

    obs: Observable[[]] = Observable([partial(observer, "a"), partial(observer, "b")])
    with eager_tasks():
        await within(obs.notify())
        await within(asyncio.gather(obs.notify(), obs.notify()))
    assert started == ["a", "b"] * 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_task_that_an_observer_spawned_eagerly_is_not_inside() -> None:
    """Its first step runs on the observer's stack, and still it is a task of its own."""
    seen: list[int] = []
    spawned: list[asyncio.Task[None]] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value == 0:
            spawned.append(asyncio.create_task(obs.notify(1)))
            await asyncio.sleep(0)

    obs: Observable[[int]] = Observable([observer], maxsize=None)
    with eager_tasks():
        await within(obs.notify(0))
        await within(asyncio.gather(*spawned))
    assert seen == [0, 1]


# Loops


def test_loops_of_two_threads_do_not_disturb_each_other() -> None:
    both_running = threading.Barrier(2, timeout=10)
    results: dict[int, list[int]] = {}

    async def main(which: int) -> None:
        seen: list[int] = []
        obs: Observable[[int]] = Observable()
        end = obs.filter(lambda value: value % 2 == which).buffer(5)
        end.subscribe_nowait(nothing)
        end.subscribe_nowait(seen.append)
        both_running.wait()
        async with obs:
            for value in range(301):
                await obs.notify(value)
        results[which] = seen

    threads = [threading.Thread(target=lambda which=which: asyncio.run(main(which))) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == {0: list(range(0, 301, 2)), 1: list(range(1, 301, 2))}


# Fairness


class Turns:
    """Counts the turns of the loop, and the calls between two turns."""

    def __init__(self) -> None:
        self.calls = 0
        self.most = 0
        self._task: asyncio.Task[None] | None = None

    async def _count(self) -> None:
        while True:
            self.calls = 0
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        self._task = await begin(self._count())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    def called(self) -> None:
        self.calls += 1
        self.most = max(self.most, self.calls)


async def nothing(*_: Any) -> None:
    """An async observer that never suspends."""


FAIR: dict[str, Callable[[], Observable[[int]]]] = {
    "without observers": Observable,
    "with a sync observer": lambda: Observable([lambda _: None]),
    "with an async observer": lambda: Observable([nothing]),
    "with many observers": lambda: Observable(partial(nothing) for _ in range(10)),
    "without accumulation": lambda: Observable([nothing], maxsize=None),
}


@pytest.mark.parametrize("name", FAIR)
async def test_task_that_only_notifies_lets_the_loop_run(name: str) -> None:
    obs = FAIR[name]()
    async with Turns() as turns:
        for value in range(1000):
            await obs.notify(value)
            turns.called()
    assert turns.most <= 100


async def test_task_that_only_notifies_several_observables_lets_the_loop_run() -> None:
    observables: list[Observable[[int]]] = [Observable([nothing]) for _ in range(30)]
    async with Turns() as turns:
        for value in range(40):
            for obs in observables:
                await obs.notify(value)
                turns.called()
    assert turns.most <= 100


async def test_task_that_only_queues_lets_the_loop_run() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held)
    async with Turns() as turns:
        for value in range(500):
            await obs.notify(value)
            turns.called()
    assert turns.most <= 100
    held.release()
    await within(notifier, 20)
    assert len(held.ended) == 501


async def test_observer_that_only_queues_lets_the_loop_run() -> None:
    async with Turns() as turns:

        async def observer(value: int) -> None:
            if value < 500:
                await obs.notify(value + 1)
                turns.called()

        obs: Observable[[int]] = Observable([observer])
        await within(obs.notify(0))
    assert turns.most <= 100


async def test_task_that_only_drains_a_long_queue_lets_the_loop_run() -> None:
    async with Turns() as turns:
        held = Held()
        obs: Observable[[Any]] = Observable([held, lambda _: turns.called()])
        notifier = await busy(obs, held)
        for value in range(1000):
            await obs.notify(value)
        held.release()
        await within(notifier, 20)
    assert turns.most <= 100


async def test_task_that_only_notifies_through_derived_observables_lets_the_loop_run() -> None:
    obs: Observable[[int]] = Observable()
    end = obs.map(lambda value: ((value,), {})).filter(bool).at_change()
    end.subscribe_nowait(nothing)
    async with Turns() as turns:
        for value in range(1000):
            await obs.notify(value)
            turns.called()
    assert turns.most <= 100


async def test_task_that_only_notifies_sequentially_lets_the_loop_run() -> None:
    obs: Observable[[int]] = Observable([nothing])
    async with Turns() as turns:
        for value in range(500):
            async for _ in obs.notify_sequential(value):
                pass
            turns.called()
    assert turns.most <= 100


async def test_two_tasks_that_only_notify_let_each_other_run() -> None:
    calls: list[int] = []

    async def work(which: int) -> None:
        obs: Observable[[int]] = Observable([nothing])
        for value in range(500):
            await obs.notify(value)
            calls.append(which)

    await within(asyncio.gather(work(0), work(1)), 20)
    both_at_work = calls[: 1000 - calls[::-1].index(1 - calls[-1])]
    assert max(len(list(run)) for _, run in groupby(both_at_work)) <= 100


# Depth

DEPTH = 2000


def ladder(bottom: Callable[[int], Any], *, suspends: bool) -> list[Observable[[int]]]:
    """Return observables each of which has one observer that notifies the next."""
    rungs: list[Observable[[int]]] = [Observable() for _ in range(DEPTH)]

    async def step(below: Observable[[int]], value: int) -> None:
        if suspends:
            await asyncio.sleep(0)
        await below.notify(value + 1)

    for above, below in pairwise(rungs):
        above.subscribe_nowait(partial(step, below))
    rungs[-1].subscribe_nowait(bottom)
    return rungs


@pytest.mark.parametrize("suspends", [False, True])
async def test_nesting_two_thousand_deep_works(suspends: bool) -> None:
    seen: list[int] = []
    rungs = ladder(seen.append, suspends=suspends)
    await within(rungs[0].notify(0), 30)
    assert seen == [DEPTH - 1]
    assert all(rung.idle for rung in rungs)


async def test_nesting_two_thousand_deep_raises_the_error_at_the_bottom() -> None:
    def fails(value: int) -> None:
        raise ValueError(f"at {value}")

    rungs = ladder(fails, suspends=False)
    with pytest.raises(ValueError, match=f"at {DEPTH - 1}"):
        await within(rungs[0].notify(0), 30)
    assert all(rung.idle for rung in rungs)


async def test_nesting_two_thousand_deep_can_be_cancelled() -> None:
    held = Held()
    rungs = ladder(held, suspends=False)
    notifier = asyncio.ensure_future(rungs[0].notify(0))
    async with asyncio.timeout(30):
        await held.entered(DEPTH - 1, 30)
        notifier.cancel()
        with pytest.raises(asyncio.CancelledError):
            await notifier
    assert held.cancelled == [DEPTH - 1]
    assert all(rung.idle for rung in rungs)


async def test_nesting_two_thousand_deep_inside_one_observable_is_a_queue() -> None:
    seen: list[int] = []

    async def observer(value: int) -> None:
        seen.append(value)
        if value < DEPTH:
            await obs.notify(value + 1)

    obs: Observable[[int]] = Observable([observer])
    await within(obs.notify(0), 30)
    assert seen == list(range(DEPTH + 1))
