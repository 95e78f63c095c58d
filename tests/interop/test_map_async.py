"""``map_async``: three modes, a limit, errors, cancellation, the end and memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from reactivex import Subject

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError, ObservableClosed
from tests.interop.kit import Closed, Source, end_of, taken, until
from tests.observable_kit import Held, Log, Recorder, Tally, begin, collect_errors, failing, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncutils_rx.types import MapMode

MODES: tuple[MapMode, ...] = ("ordered", "unordered", "latest")
KEPT: tuple[MapMode, ...] = ("ordered", "unordered")

setting: ContextVar[str] = ContextVar("setting", default="unset")


class RefusedError(Exception):
    """What a function of the user's raises."""


class Work:
    """An asynchronous function whose calls end when the test releases their values, with ten times the value."""

    def __init__(self) -> None:
        self.held = Held()

    async def __call__(self, value: int) -> int:
        await self.held(value)
        return value * 10


def nothing(_: object) -> None:
    """Observe."""


async def tenfold(value: int) -> int:
    await asyncio.sleep(0)
    return value * 10


def mapped(fn: Callable[..., Any], **options: Any) -> tuple[Observable[[int]], Observable[...], Recorder]:
    """Return an observable, what it is mapped to, and the observer of that."""
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    results = obs.map_async(fn, **options)
    results.subscribe_nowait(recorder)
    return obs, results, recorder


async def notify_all(obs: Observable[[int]], *values: int) -> None:
    for value in values:
        await within(obs.notify(value))
    await settle()


# What is called, and what comes of it


@pytest.mark.parametrize("mode", MODES)
async def test_map_async_emits_the_awaited_result_as_the_only_argument(mode: MapMode) -> None:
    obs, _, recorder = mapped(tenfold, mode=mode)
    for value in range(3):
        await notify_all(obs, value)
    assert recorder.calls == [((0,), {}), ((10,), {}), ((20,), {})]


async def test_map_async_calls_with_all_parameters() -> None:
    obs: Observable[...] = Observable()
    recorder = Recorder()

    async def join(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    results = obs.map_async(join)
    results.subscribe_nowait(recorder)
    await obs.notify(1, 2, key=3)
    await settle()
    assert recorder.values == [((1, 2), {"key": 3})]


class Callables:
    async def method(self, value: int) -> int:
        return await tenfold(value)

    async def __call__(self, value: int) -> int:
        return await tenfold(value)


@pytest.mark.parametrize(
    "fn",
    [
        tenfold,
        Callables().method,
        Callables(),
        partial(tenfold),
        lambda value: tenfold(value),
        lambda value: value * 10,
    ],
    ids=["function", "method", "object", "partial", "lambda", "synchronous"],
)
async def test_map_async_takes_any_callable(fn: Callable[..., Any]) -> None:
    obs, _, recorder = mapped(fn)
    await notify_all(obs, 1, 2)
    assert recorder.values == [10, 20]


async def test_map_async_is_ordered_and_unlimited_unless_told_otherwise() -> None:
    work = Work()
    obs, _, recorder = mapped(work)
    await notify_all(obs, *range(20))
    assert work.held.running == 20
    for value in reversed(range(20)):
        work.held.release(value)
    await until(lambda: len(recorder.values) == 20)
    await obs.aclose()
    assert recorder.values == [value * 10 for value in range(20)]


async def test_map_async_notify_does_not_wait_for_the_result() -> None:
    work = Work()
    obs, _, recorder = mapped(work)
    await within(obs.notify(1))
    await work.held.entered(1)
    assert recorder.values == []
    work.held.release()
    await settle()
    assert recorder.values == [10]


async def test_map_async_calls_run_in_the_context_of_their_notify() -> None:
    seen: list[str] = []

    async def look(_: int) -> None:
        await asyncio.sleep(0)
        seen.append(setting.get())
        setting.set("changed")

    obs, _, _ = mapped(look)
    for name in ("first", "second"):
        setting.set(name)
        await obs.notify(1)
        await settle()
    assert seen == ["first", "second"]
    assert setting.get() == "second"


async def test_map_async_results_that_wait_are_delivered_in_the_context_of_their_notify() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    seen: list[tuple[int, str]] = []

    async def look(value: int) -> None:
        seen.append((value, setting.get()))
        setting.set("changed")

    results = obs.map_async(tenfold, mode="unordered")
    results.subscribe_nowait(look)
    results.subscribe_nowait(held)
    for value in range(3):
        setting.set(f"notify {value}")
        await obs.notify(value)
    setting.set("test")
    await settle()
    held.release()
    await settle()
    assert seen == [(0, "notify 0"), (10, "notify 1"), (20, "notify 2")]


async def test_map_async_each_call_has_a_task_of_its_own() -> None:
    tasks: set[Any] = set()

    async def note(_: int) -> None:
        tasks.add(asyncio.current_task())

    obs, _, _ = mapped(note)
    await obs.notify(1)
    await obs.notify(2)
    await settle()
    assert len(tasks) == 2
    assert asyncio.current_task() not in tasks


async def test_map_async_calls_for_its_own_sake_too() -> None:
    """Whether somebody listens does not matter, as with any derived observable."""
    tally = Tally()
    obs: Observable[[int]] = Observable()
    results = obs.map_async(tally)
    await obs.notify(1)
    await settle()
    assert tally.values == [1]
    assert list(results) == []


async def test_map_async_result_can_be_derived_from() -> None:
    obs: Observable[[int]] = Observable()
    results = obs.map_async(tenfold).filter(lambda value: value > 10).map_async(tenfold)
    iterator = results.values()
    for value in range(4):
        await obs.notify(value)
    assert await taken(iterator, 2) == [200, 300]


# What is refused


@pytest.mark.parametrize(
    ("fn", "options", "error"),
    [
        (5, {}, ArgumentTypeError),
        (None, {}, ArgumentTypeError),
        (tenfold(0), {}, ArgumentTypeError),
        (tenfold, {"mode": "fastest"}, ArgumentValueError),
        (tenfold, {"mode": None}, (ArgumentTypeError, ArgumentValueError)),
        (tenfold, {"max_concurrent": 0}, ArgumentValueError),
        (tenfold, {"max_concurrent": -1}, ArgumentValueError),
        (tenfold, {"max_concurrent": 1.5}, ArgumentTypeError),
        (tenfold, {"max_concurrent": "all"}, ArgumentTypeError),
    ],
)
async def test_map_async_refuses_wrong_arguments(fn: Any, options: dict[str, Any], error: Any) -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(error, match=r"Observable\.map_async"):
        obs.map_async(fn, **options)
    if hasattr(fn, "close"):
        fn.close()
    assert not obs._observers.taps
    await obs.notify(1)


async def test_map_async_of_a_closed_observable_is_refused() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    with pytest.raises(ObservableClosed):
        obs.map_async(tenfold)


# The modes


async def test_map_async_ordered_emits_in_the_order_of_the_notifications() -> None:
    work = Work()
    obs, _, recorder = mapped(work, mode="ordered")
    await notify_all(obs, 1, 2, 3)
    work.held.release(3)
    work.held.release(2)
    await settle()
    assert recorder.values == []
    work.held.release(1)
    await settle()
    assert recorder.values == [10, 20, 30]


async def test_map_async_unordered_emits_as_results_come() -> None:
    work = Work()
    obs, _, recorder = mapped(work, mode="unordered")
    await notify_all(obs, 1, 2, 3)
    for value in (3, 1, 2):
        work.held.release(value)
        await settle()
    assert recorder.values == [30, 10, 20]


async def test_map_async_latest_cancels_the_call_before() -> None:
    work = Work()
    obs, _, recorder = mapped(work, mode="latest")
    for value in (1, 2, 3):
        await notify_all(obs, value)
    assert work.held.cancelled == [1, 2]
    assert work.held.running == 1
    work.held.release()
    await settle()
    assert recorder.values == [30]


async def test_map_async_latest_lets_a_result_be_delivered() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    results = obs.map_async(tenfold, mode="latest")
    results.subscribe_nowait(held)
    await notify_all(obs, 1)
    assert held.started == [10]
    await notify_all(obs, 2)
    assert held.cancelled == []
    held.release()
    await settle()
    assert held.ended == [10, 20]


async def test_map_async_latest_drops_the_result_of_a_call_that_would_not_be_cancelled() -> None:
    work = Work()

    async def stubborn(value: int) -> int:
        try:
            return await work(value)
        except asyncio.CancelledError:
            return -value

    obs, _, recorder = mapped(stubborn, mode="latest")
    await notify_all(obs, 1)
    await notify_all(obs, 2)
    work.held.release()
    await settle()
    assert recorder.values == [20]


async def test_map_async_latest_lets_a_cancelled_call_tidy_up_in_peace() -> None:
    work, tidied = Work(), []

    async def tidy(value: int) -> int:
        try:
            return await work(value)
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            tidied.append(value)

    obs, _, recorder = mapped(tidy, mode="latest")
    await notify_all(obs, 1)
    await obs.notify(2)
    await obs.notify(3)
    await settle()
    assert tidied in ([1], [1, 2])  # depending on whether 2 had begun
    work.held.release()
    await settle()
    assert recorder.values == [30]


async def test_map_async_latest_reports_the_error_of_a_call_that_fails_as_it_is_cancelled(
    loop_errors: list[dict[str, Any]],
) -> None:
    work = Work()

    async def untidy(value: int) -> int:
        try:
            return await work(value)
        finally:
            if value == 1:
                raise RefusedError("while tidying up")

    obs, _, recorder = mapped(untidy, mode="latest")
    await notify_all(obs, 1)
    await notify_all(obs, 2)
    work.held.release()
    await settle()
    assert recorder.values == [20]
    assert [str(error) for error in collect_errors(loop_errors)] == ["while tidying up"]


@pytest.mark.parametrize("mode", KEPT)
async def test_map_async_emits_one_result_at_a_time(mode: MapMode) -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    results = obs.map_async(tenfold, mode=mode)
    results.subscribe_nowait(held)
    await notify_all(obs, 1, 2, 3)
    assert held.started == [10]
    held.release()
    await settle()
    assert held.ended == [10, 20, 30]
    assert held.most_running == 1


# The limit


@pytest.mark.parametrize("mode", KEPT)
@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_map_async_runs_at_most_so_many_calls(mode: MapMode, limit: int) -> None:
    work = Work()
    obs, _, recorder = mapped(work, mode=mode, max_concurrent=limit)
    feeding = await begin(obs.feed(range(12)))
    assert work.held.running == limit
    work.held.release()
    await within(feeding)
    await settle()
    assert work.held.most_running == limit
    assert recorder.values == [value * 10 for value in range(12)]


async def test_map_async_holds_the_notifier_back_at_the_limit() -> None:
    work = Work()
    obs, _, _ = mapped(work, max_concurrent=1)
    await within(obs.notify(1))
    second = await begin(obs.notify(2))
    assert not second.done()
    assert work.held.started == [1]
    work.held.release(1)
    await within(second)
    await work.held.entered(2)
    work.held.release()
    await settle()


async def test_map_async_keeps_its_place_until_the_result_is_delivered() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    results = obs.map_async(tenfold, max_concurrent=1)
    results.subscribe_nowait(held)
    await notify_all(obs, 1)
    second = await begin(obs.notify(2))
    assert not second.done()
    held.release()
    await within(second)
    await settle()
    assert held.ended == [10, 20]


async def test_map_async_gives_the_place_of_a_failed_call_back(loop_errors: list[dict[str, Any]]) -> None:
    obs, _, _ = mapped(failing(RefusedError("no"), suspends=True), max_concurrent=1)
    for value in range(3):
        await notify_all(obs, value)
    assert len(collect_errors(loop_errors)) == 3


async def test_map_async_notify_that_is_cancelled_at_the_limit_never_calls() -> None:
    work = Work()
    obs, _, recorder = mapped(work, max_concurrent=1)
    await within(obs.notify(1))
    second = await begin(obs.notify(2))
    second.cancel()
    await within(asyncio.wait([second]))
    assert second.cancelled()
    work.held.release()
    await notify_all(obs, 3)
    assert work.held.started == [1, 3]
    assert recorder.values == [10, 30]


async def test_map_async_notify_that_is_cancelled_as_it_gets_its_place_gives_it_back() -> None:
    work = Work()
    obs, _, _ = mapped(work, max_concurrent=1)
    await within(obs.notify(1))
    second = await begin(obs.notify(2))
    work.held.release(1)
    for turns in range(8):
        await asyncio.sleep(0)
        if turns == 3:
            second.cancel()
    await within(asyncio.wait([second]))
    work.held.release()
    await notify_all(obs, 3)
    assert 3 in work.held.ended


@pytest.mark.parametrize("limit", [1, 2])
async def test_map_async_latest_with_a_limit_emits_only_the_latest_of_a_batch(limit: int) -> None:
    """A batch comes all at once; those of it that wait for a place are out of date, too."""
    work = Work()
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    results = obs.buffer(4).map_async(work, mode="latest", max_concurrent=limit)
    results.subscribe_nowait(recorder)
    for value in range(4):
        await within(obs.notify(value))
    await settle()
    work.held.release()
    await settle()
    assert recorder.values == [30]


# Errors


@pytest.mark.parametrize("mode", MODES)
async def test_map_async_error_drops_its_notification_and_is_reported(
    mode: MapMode, loop_errors: list[dict[str, Any]]
) -> None:
    async def refuse_2(value: int) -> int:
        if value == 2:
            raise RefusedError(value)
        return await tenfold(value)

    obs, results, recorder = mapped(refuse_2, mode=mode)
    for value in (1, 2, 3):
        await notify_all(obs, value)
    assert recorder.values == [10, 30]
    assert [str(error) for error in collect_errors(loop_errors)] == ["2"]
    assert not results._closed


async def test_map_async_error_of_an_observer_is_reported(loop_errors: list[dict[str, Any]]) -> None:
    error = RefusedError("observer")
    obs: Observable[[int]] = Observable()
    results = obs.map_async(tenfold)
    results.subscribe_nowait(failing(error))
    await notify_all(obs, 1)
    assert collect_errors(loop_errors) == [error]


async def test_map_async_errors_of_a_quiet_branch_are_logged() -> None:
    error = RefusedError("quiet")
    obs: Observable[[int]] = Observable()
    results = obs.map_async(failing(error), ret_exc=True)
    with Log() as log:
        await notify_all(obs, 1)
    assert log.has(error)
    assert list(results) == []


async def test_map_async_synchronous_error_is_reported_too(loop_errors: list[dict[str, Any]]) -> None:
    def refuse(value: int) -> int:
        raise RefusedError(value)

    obs, _, _ = mapped(refuse)
    await notify_all(obs, 1)
    assert [str(error) for error in collect_errors(loop_errors)] == ["1"]


async def test_map_async_error_of_one_hinders_no_other(loop_errors: list[dict[str, Any]]) -> None:
    work = Work()

    async def fn(value: int) -> int:
        if value == 1:
            raise RefusedError(value)
        return await work(value)

    obs, _, recorder = mapped(fn, mode="ordered")
    await notify_all(obs, 0, 1, 2)
    work.held.release()
    await settle()
    assert recorder.values == [0, 20]
    assert len(collect_errors(loop_errors)) == 1


# The end


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("leave", ["source", "derived"])
async def test_map_async_close_awaits_what_is_under_way(mode: MapMode, leave: str) -> None:
    work = Work()
    obs, results, recorder = mapped(work, mode=mode)
    await notify_all(obs, 1, 2)
    closing = await begin((obs if leave == "source" else results).aclose())
    assert not closing.done()
    work.held.release()
    await within(closing)
    assert recorder.values == ([20] if mode == "latest" else [10, 20])
    assert results._closed
    assert not results.running_tasks
    await obs.aclose()


async def test_map_async_close_that_is_cancelled_cancels_what_is_under_way() -> None:
    work = Work()
    obs, results, recorder = mapped(work)
    await notify_all(obs, 1, 2)
    closing = await begin(obs.aclose())
    closing.cancel()
    await within(asyncio.wait([closing]))
    assert closing.cancelled()
    assert sorted(work.held.cancelled) == [1, 2]
    assert recorder.values == []
    assert obs._closed
    assert not results.running_tasks


async def test_map_async_completes_with_its_source() -> None:
    source, work = Source(), Work()
    obs: Observable[[int]] = Observable.from_rx(source)
    recorder = Recorder()
    results = obs.map_async(work)
    results.subscribe_nowait(recorder)
    source.on_next(1)
    source.on_completed()
    await settle()
    assert not results._closed
    work.held.release()
    assert await end_of(results) is Closed
    assert recorder.values == [10]


async def test_map_async_ends_with_the_error_of_its_source_after_what_is_under_way() -> None:
    source, work, error = Source(), Work(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    recorder = Recorder()
    results = obs.map_async(work)
    results.subscribe_nowait(recorder)
    end = await begin(end_of(results))
    source.on_next(1)
    source.on_error(error)
    await settle()
    assert not end.done()
    work.held.release()
    assert await within(end) is error
    assert recorder.values == [10]


# Memory


async def test_map_async_that_nobody_holds_is_collected_and_detached() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    reference = weakref.ref(obs.map_async(tally))
    gc.collect()
    assert reference() is None
    assert not obs._observers.taps
    await obs.notify(1)
    await settle()
    assert tally.values == []


async def test_map_async_that_nobody_holds_lives_until_its_calls_have_ended() -> None:
    work = Work()
    obs: Observable[[int]] = Observable()
    results = obs.map_async(work)
    reference = weakref.ref(results)
    await notify_all(obs, 1)
    del results
    gc.collect()
    assert reference() is not None
    work.held.release()
    await settle()
    gc.collect()
    assert work.held.ended == [1]
    assert reference() is None


async def test_map_async_with_an_observer_lives_as_long_as_its_source() -> None:
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    obs.map_async(tenfold).subscribe_nowait(recorder)
    gc.collect()
    await notify_all(obs, 1)
    assert recorder.values == [10]


async def test_map_async_keeps_nothing_of_what_has_passed() -> None:
    class Value:
        pass

    obs: Observable[...] = Observable()

    async def same(value: Any) -> Any:
        return value

    results = obs.map_async(same, max_concurrent=2)
    results.subscribe_nowait(nothing)
    values: list[Any] = [Value() for _ in range(5)]
    references = [weakref.ref(value) for value in values]
    while values:
        await obs.notify(values.pop())
    await settle()
    gc.collect()
    assert [reference() for reference in references] == [None] * 5


async def test_map_async_of_a_hot_source_wakes_up_for_every_value() -> None:
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    work = Work()
    recorder = Recorder()
    obs.map_async(work).subscribe_nowait(recorder)
    for value in range(10):
        subject.on_next(value)
    await settle()
    work.held.release()
    await until(lambda: len(recorder.values) == 10)
    assert recorder.values == [value * 10 for value in range(10)]
    await obs.aclose()
