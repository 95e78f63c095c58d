"""The live view: what it counts and what it sees at observables, when it samples, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import operators as ops

from asyncutils_rx import EventBus, Observable
from asyncutils_rx._observable._picture import title_of
from asyncutils_rx.exceptions import (
    AlreadyEnteredError,
    ArgumentTypeError,
    ArgumentValueError,
    NoLoopError,
    OverflowPolicyError,
    WrongLoopError,
)
from asyncutils_rx.live import LiveView, Node, Snapshot, watch
from asyncutils_rx.pictures import record
from asyncutils_rx.scheduler import LoopScheduler
from tests.observable_kit import Held, begin, failing, settle
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

Numbers = Observable[[int]]
ERROR = ValueError("bad")
wrong: Any = 1


def nothing(value: object) -> None:
    """Observe."""


def is_even(value: int) -> bool:
    return value % 2 == 0


def quiet(*watched: Observable[...] | EventBus, **options: Any) -> LiveView:
    """A view that shows nothing."""
    return watch(*watched, display=None, **options)


def totals(snapshot: Snapshot) -> dict[str, int]:
    return {node.name: node.total for node in snapshot.nodes}


# What is counted


async def test_totals_are_what_was_sent() -> None:
    source = Numbers()
    even = source.filter(is_even)
    pairs = even.buffer(2)
    pairs.subscribe_nowait(nothing)
    with quiet(source) as view:
        await source.feed(range(9))
    assert totals(view.snapshot()) == {"Observable": 9, "filter(is_even)": 5, "buffer(2)": 4}


async def test_totals_count_from_the_beginning_of_the_block() -> None:
    source = Numbers([nothing])
    await source.notify(1)
    with quiet(source) as view:
        await source.notify(2)
    await source.notify(3)
    assert totals(view.snapshot()) == {"Observable": 1}


async def test_total_counts_a_notification_as_it_begins() -> None:
    held = Held()
    source = Numbers([held])
    with quiet(source) as view:
        task = await begin(source.notify(1))
        assert view.snapshot().node("Observable").total == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert view.snapshot().node("Observable").total == 1


async def test_total_counts_what_is_notified_one_observer_after_another_once() -> None:
    source = Numbers([nothing])
    derived = source.filter(is_even)
    with quiet(source) as view:
        async for _ in source.notify_sequential(2):
            pass
        await source.notify(6)
    assert totals(view.snapshot()) == {"Observable": 2, title_of(derived): 2}


async def test_total_counts_a_sequential_notification_that_is_left_early() -> None:
    source = Numbers([nothing, failing(ERROR)])
    with quiet(source) as view:
        steps = source.notify_sequential(1)
        await anext(steps)
        await steps.aclose()
        await source.notify(2, _ret_exc_=True)
    assert view.snapshot().node("Observable").total == 2


async def test_errors_of_observers_are_counted_each() -> None:
    source = Numbers([failing(ERROR), failing(ERROR), nothing])
    with quiet(source) as view:
        for number in range(3):
            with pytest.raises(ExceptionGroup):
                await source.notify(number)
    assert view.snapshot().node("Observable").errors == 6


async def test_errors_of_functions_are_counted_at_their_operator() -> None:
    source = Numbers()
    halves = source.filter(lambda value: bool(1 // value))
    with quiet(source) as view, pytest.raises(ZeroDivisionError):
        await source.notify(0)
    assert {node.name: node.errors for node in view.snapshot().nodes} == {"Observable": 0, title_of(halves): 1}


async def test_errors_of_sequential_notifications_are_counted() -> None:
    source = Numbers([failing(ERROR)])
    with quiet(source) as view:
        async for _ in source.notify_sequential(1, _silent_=True):
            pass
    assert view.snapshot().node("Observable").errors == 1


async def test_errors_of_a_mapped_function_are_counted_once(loop_errors: list[dict[str, Any]]) -> None:
    async def half(value: int) -> float:
        return 1 / value

    source = Numbers()
    halves = source.map_async(half)
    halves.subscribe_nowait(failing(ERROR))
    with quiet(source) as view:
        await source.feed([0, 1])
        await settle()
    assert view.snapshot().node(title_of(halves)).errors == 2
    assert len(loop_errors) == 2
    loop_errors.clear()
    await source.aclose()


async def test_a_cancellation_is_no_error() -> None:
    held = Held()
    source = Numbers([held])
    with quiet(source) as view:
        task = await begin(source.notify(1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert view.snapshot().node("Observable").errors == 0


async def test_the_error_that_ends_an_observable_is_counted_and_shown() -> None:
    source = Numbers()
    failed = source.pipe(ops.map(lambda value: 1 // value))
    with quiet(source) as view, pytest.raises(ZeroDivisionError):
        await source.notify(0)
    node = view.snapshot().node(title_of(failed))
    assert (node.state, node.errors) == ("failed", 1)


@pytest.mark.parametrize(("overflow", "dropped"), [("drop_oldest", 7), ("drop_newest", 7), ("latest", 9)])
async def test_drops_of_iterations_are_counted(overflow: Any, dropped: int) -> None:
    source = Numbers()
    with quiet(source) as view:
        values = source.values(maxsize=3, overflow=overflow)
        await source.feed(range(10))
        node = view.snapshot().node("Observable")
        assert (node.buffered, node.dropped) == (10 - dropped, dropped)
        await values.aclose()
        await values.aclose()
    node = view.snapshot().node("Observable")
    assert (node.buffered, node.dropped) == (0, dropped)


async def test_drops_before_the_block_are_not_counted() -> None:
    source = Numbers()
    values = source.values(maxsize=1, overflow="drop_newest")
    await source.feed(range(5))
    with quiet(source) as view:
        await source.notify(5)
        await values.aclose()
    assert view.snapshot().node("Observable").dropped == 1


async def test_an_overflow_that_raises_is_an_error() -> None:
    source = Numbers()
    values = source.values(maxsize=1, overflow="raise")
    with quiet(source) as view:
        await source.notify(1)
        with pytest.raises(OverflowPolicyError):
            await source.notify(2)
    assert view.snapshot().node("Observable").errors == 1
    await values.aclose()


async def test_the_buffer_of_a_foreign_source_is_seen() -> None:
    subject: reactivex.Subject[int] = reactivex.Subject()
    held = Held()
    async with Observable.from_rx(subject, maxsize=2, overflow="drop_newest") as source:
        source.subscribe_nowait(held)
        with quiet(source) as view:
            for number in range(5):
                subject.on_next(number)
            await settle()
            node = view.snapshot().node(title_of(source))
            assert (node.total, node.running, node.buffered, node.dropped) == (1, 1, 2, 2)
            held.release()
            await source.handle_notifications()
            await settle()
            assert view.snapshot().node(title_of(source)).total == 3


# What is seen


async def test_running_callbacks_are_seen() -> None:
    held = Held()
    other = Held()
    source = Numbers([held, other, nothing])
    source.filter(is_even).subscribe_nowait(held)
    with quiet(source) as view:
        task = await begin(source.notify(2))
        await settle()
        snapshot = view.snapshot()
        assert [(node.name, node.running, node.state) for node in snapshot.nodes] == [
            ("Observable", 2, "notifying"),
            ("filter(is_even)", 1, "notifying"),
        ]
        other.release()
        await settle()
        assert view.snapshot().node("Observable").running == 1
        held.release()
        await task
        assert [(node.running, node.state) for node in view.snapshot().nodes] == [(0, "idle"), (0, "idle")]


@pytest.mark.parametrize("count", [1, 2])
async def test_callbacks_that_ran_before_the_block_are_seen(count: int) -> None:
    held = [Held() for _ in range(count)]
    source = Numbers(held)
    task = await begin(source.notify(1))
    await settle()
    with quiet(source) as view:
        assert view.snapshot().node("Observable").running == count
        for each in held:
            each.release()
        await task
    assert view.snapshot().node("Observable").running == 0


async def test_a_callback_sees_itself_run() -> None:
    seen: list[int] = []
    source = Numbers()
    with quiet(source) as view:
        source.subscribe_nowait(lambda value: seen.append(view.snapshot().node("Observable").running))
        await source.notify(1)
    assert seen == [1]


@pytest.mark.parametrize("others", [0, 1])
async def test_a_callback_that_opens_a_view_sees_itself_run(others: int) -> None:
    seen: list[int] = []

    def look(value: int) -> None:
        with quiet(source) as view:
            seen.append(view.snapshot().node("Observable").running)

    source = Numbers([look, *[nothing] * others])
    await source.notify(1)
    assert seen == [1]


@pytest.mark.parametrize("others", [0, 1])
async def test_the_error_of_a_callback_that_opens_a_view_is_counted(others: int) -> None:
    with ExitStack() as views:

        def fail(value: int) -> None:
            opened.append(views.enter_context(quiet(source)))
            raise KeyError(value)

        opened: list[LiveView] = []
        source = Numbers([fail, *[nothing] * others])
        with pytest.raises(KeyError):
            await source.notify(1)
        assert opened[0].snapshot().node("Observable").errors == 1


async def test_calls_of_a_mapped_function_are_seen() -> None:
    gate = asyncio.Event()

    async def wait(value: int) -> int:
        await gate.wait()
        return value

    source = Numbers()
    mapped = source.map_async(wait, max_concurrent=2)
    mapped.subscribe_nowait(nothing)
    with quiet(source) as view:
        feeding = await begin(source.feed(range(3)))
        await settle()
        node = view.snapshot().node(title_of(mapped))
        assert (node.running, node.queued, node.total) == (2, 1, 0)
        gate.set()
        await feeding
        await source.aclose()
    assert view.snapshot().node(title_of(mapped)).total == 3


async def test_queued_notifications_are_seen() -> None:
    held = Held()
    source: Numbers = Observable([held], maxsize=2)
    with quiet(source) as view:
        tasks = [await begin(source.notify(number)) for number in range(4)]
        await settle()
        node = view.snapshot().node("Observable")
        assert (node.total, node.queued) == (1, 3)
        held.release()
        await asyncio.gather(*tasks)
        node = view.snapshot().node("Observable")
        assert (node.total, node.queued) == (4, 0)


async def test_a_granted_turn_that_has_not_begun_runs_nothing() -> None:
    held = Held()
    source: Numbers = Observable([held], maxsize=None)
    tasks = [await begin(source.notify(number)) for number in range(2)]
    with quiet(source) as view:
        await settle()
        held.release(0)
        while source._turn is not None and type(source._turn).__name__ != "Item":
            await tick(1)
        assert view.snapshot().node("Observable").running == 0
        held.release()
        await asyncio.gather(*tasks)


async def test_closing_and_closed_are_seen() -> None:
    held = Held()
    source = Numbers([held])
    with quiet(source) as view:
        notifying = await begin(source.notify(1))
        closing = await begin(source.aclose())
        assert view.snapshot().node("Observable").state == "closing"
        held.release()
        await notifying
        await closing
        assert view.snapshot().node("Observable").state == "closed"


async def test_what_is_closed_already_is_shown_as_that() -> None:
    source = Numbers()
    await source.aclose()
    with quiet(source) as view:
        [node] = view.snapshot().nodes
    assert (node.state, node.total, node.dropped) == ("closed", 0, 0)


# Which rows there are


async def test_rows_stand_below_what_they_are_derived_from() -> None:
    source = Numbers()
    left, right = source.filter(is_even), source.filter(lambda value: value > 0)
    merged = Observable.merge(left, right)
    assert title_of(merged) == "merge(2 sources)"
    with quiet(left) as view:
        rows = [(node.name, node.kind, node.depth, node.sources) for node in view.snapshot().nodes]
    assert rows == [
        ("Observable", "source", 0, ()),
        ("filter(is_even)", "operator", 1, ("Observable",)),
        ("merge(2 sources)", "operator", 2, ("filter(is_even)", "filter(<lambda>)")),
        ("filter(<lambda>)", "operator", 1, ("Observable",)),
    ]


async def test_rows_of_one_name_are_numbered() -> None:
    source = Numbers()
    kept = [source.filter(is_even) for _ in range(3)]
    with quiet(source, kept[0]) as view:
        names = [node.name for node in view.snapshot().nodes]
    assert names == ["Observable", "filter(is_even)", "filter(is_even) 2", "filter(is_even) 3"]


@pytest.mark.virtual_time
async def test_what_is_derived_meanwhile_is_counted_from_the_next_sample_on() -> None:
    source = Numbers()
    with quiet(source, interval=0.5) as view:
        derived = source.filter(is_even)
        await source.notify(2)
        await asyncio.sleep(0.6)
        await source.notify(4)
    assert totals(view.snapshot()) == {"Observable": 2, title_of(derived): 1}


async def test_what_is_collected_keeps_its_row() -> None:
    source = Numbers()
    with quiet(source) as view:
        derived = source.filter(is_even)
        values = derived.values(maxsize=1, overflow="drop_newest")
        view.snapshot()
        await source.feed([2, 4])
        view.snapshot()
        await values.aclose()
        view.snapshot()
        del derived, values
        gc.collect()
        node = view.snapshot().node("filter(is_even)")
    assert (node.state, node.total, node.dropped) == ("collected", 2, 1)


async def test_what_has_ended_and_is_collected_has_ended() -> None:
    source = Numbers()
    source.filter(is_even).subscribe_nowait(nothing)
    with quiet(source) as view:
        await source.notify(2)
        await source.aclose()
        gc.collect()
    assert view.snapshot().node("filter(is_even)").state == "closed"


async def test_there_is_room_for_120_rows_and_the_others_are_counted() -> None:
    source = Numbers()
    kept = [source.fork() for _ in range(130)]
    with quiet(source) as view:
        snapshot = view.snapshot()
        assert (len(snapshot.nodes), snapshot.missing) == (120, 11)
        view.snapshot()
        assert view.snapshot().missing == 11
        kept.clear()
        gc.collect()
        kept = [source.fork() for _ in range(5)]
        snapshot = view.snapshot()
        assert sum(node.state == "idle" for node in snapshot.nodes) == 6
        assert snapshot.missing == 0


async def test_a_second_source_that_is_gone_makes_room_too() -> None:
    source, other = Numbers(), Numbers()
    merged = Observable.merge(source, other)
    with quiet(source) as view:
        assert len(view.snapshot().nodes) == 3
        del other, merged
        kept = [source.fork() for _ in range(119)]
        snapshot = view.snapshot()
    assert (len(kept), len(snapshot.nodes), snapshot.missing) == (119, 120, 0)


async def test_of_what_is_gone_the_lowest_rows_make_room_first() -> None:
    source = Numbers()
    with quiet(source) as view:
        upper = source.fork()
        lower = upper.fork()
        view.snapshot()
        del upper, lower
        kept = [source.fork() for _ in range(118)]
        snapshot = view.snapshot()
    assert (len(kept), len(snapshot.nodes), snapshot.missing) == (118, 120, 0)


async def test_deep_pipelines_have_their_rows() -> None:
    source = Numbers()
    last: Observable[...] = source
    for _ in range(50):
        last = last.fork()
    with quiet(last) as view:
        await source.notify(1)
    assert [node.depth for node in view.snapshot().nodes] == list(range(51))
    assert set(totals(view.snapshot()).values()) == {1}


async def test_the_name_of_a_row_has_to_be_known() -> None:
    with quiet(Numbers()) as view, pytest.raises(ArgumentValueError, match="the name of a row \\('Observable'\\)"):
        view.snapshot().node("other")
    with pytest.raises(ArgumentValueError, match="nothing yet"):
        Snapshot(0.0, ()).node("other")


# Time


@pytest.mark.virtual_time
async def test_rates_are_taken_over_the_window() -> None:
    source = Numbers()
    with quiet(source, interval=0.5, window=2.0) as view:
        for _ in range(4):
            await source.feed(range(5))
            await asyncio.sleep(0.5)
        assert view.snapshot().node("Observable").rate == 10.0
        await asyncio.sleep(1.0)
        assert view.snapshot().node("Observable").rate == 5.0
        await asyncio.sleep(1.5)
        assert view.snapshot().node("Observable").rate == 0.0


@pytest.mark.virtual_time
async def test_the_history_has_one_rate_for_each_sample() -> None:
    source = Numbers()
    with quiet(source, interval=0.5) as view:
        await asyncio.sleep(0.25)
        for count in (1, 2, 3):
            await source.feed(range(count))
            await asyncio.sleep(0.5)
        assert view.snapshot().node("Observable").recent == (2.0, 4.0, 6.0)
        await asyncio.sleep(60)
        assert len(view.snapshot().node("Observable").recent) == 60


@pytest.mark.virtual_time
async def test_samples_are_taken_at_the_interval() -> None:
    shown: list[tuple[float, bool]] = []
    with watch(Numbers(), interval=0.5, display=lambda snapshot: shown.append((snapshot.time, snapshot.ended))):
        await asyncio.sleep(1.25)
    assert shown == [(0.0, False), (0.5, False), (1.0, False), (1.25, True)]


@pytest.mark.virtual_time
async def test_no_time_makes_no_rate() -> None:
    source = Numbers()
    with quiet(source) as view:
        await source.notify(1)
        view._ledger.mark(view._elapsed())
        node = view.snapshot().node("Observable")
        assert (node.total, node.rate, node.recent) == (1, 0.0, ())


# The block


async def test_the_view_leaves_nothing_behind() -> None:
    source = Numbers([nothing])
    derived: Any = source.filter(is_even)
    tasks = asyncio.all_tasks()
    with quiet(source) as view:
        assert asyncio.all_tasks() == tasks
        assert list(source) == [nothing]
        assert derived._subject is not None
    assert view._timer is None
    assert (source._watches, derived._watches) == ((), ())
    assert derived._subject is None
    assert source._subject is not None
    assert not derived._observers.taps


async def test_views_can_overlap() -> None:
    source = Numbers()
    with quiet(source) as outer:
        with quiet(source) as inner:
            await source.notify(1)
        await source.notify(2)
    assert (totals(outer.snapshot()), totals(inner.snapshot())) == ({"Observable": 2}, {"Observable": 1})
    assert source._subject is None


async def test_the_view_lets_what_it_watched_go() -> None:
    source = Numbers()
    gone = [weakref.ref(source), weakref.ref(source.filter(is_even))]
    with quiet(source) as view:
        pass
    del source
    assert [reference() for reference in gone] == [None, None]
    assert len(view.snapshot().nodes) == 1


async def test_a_watched_observable_that_nobody_needs_is_collected_without_the_collector() -> None:
    source = Numbers()
    derived = source.filter(is_even)
    gone = weakref.ref(derived)
    with quiet(source):
        gc.disable()
        try:
            del derived
            collected = gone() is None
        finally:
            gc.enable()
    assert collected


async def test_the_view_does_not_listen() -> None:
    subscribed: list[object] = []

    def subscribe(observer: Any, scheduler: Any = None) -> Any:
        subscribed.append(observer)
        return reactivex.disposable.Disposable()

    source = Observable.from_rx(reactivex.Observable(subscribe))
    with quiet(source.filter(is_even)):
        await tick(3)
    assert subscribed == []


async def test_the_end_of_a_view_is_not_the_end_of_a_subject_in_use() -> None:
    source = Numbers()
    with quiet(source):
        derived = source.filter(is_even)
        seen: list[int] = []
        derived.subscribe_nowait(seen.append)
    await source.notify(2)
    assert seen == [2]


@pytest.mark.virtual_time
async def test_the_end_of_a_view_is_not_the_end_of_a_subject_that_will_be_used() -> None:
    source = Numbers()
    seen: list[int] = []
    scheduler = LoopScheduler()  # RxPY 4 does not forward the one of the subscription here
    source.pipe(ops.delay_subscription(1.0, scheduler)).subscribe_nowait(seen.append)
    with quiet(source):
        pass
    await asyncio.sleep(2)
    await source.notify(1)
    await source.aclose()
    assert seen == [1]


def test_a_tap_of_a_subject_comes_first() -> None:
    from asyncutils_rx._rx._subject import LoopSubject

    order: list[str] = []
    subject = LoopSubject()
    subscription = subject.subscribe(lambda _: order.append("observer"))
    leave = subject.tap(lambda _: order.append("tap"))
    subject.on_next(1)
    leave()
    used = [subject.in_use]
    subscription.dispose()
    used.append(subject.in_use)
    assert used == [True, False]
    assert order == ["tap", "observer"]


async def test_a_source_that_closes_meanwhile_stays_closed_for_rxpy() -> None:
    source = Numbers()
    with quiet(source):
        await source.aclose()
    completed: list[bool] = []
    source.to_rx().subscribe(on_completed=lambda: completed.append(True))
    assert completed == [True]


async def test_an_async_block_does_the_same() -> None:
    source = Numbers()
    async with quiet(source) as view:
        await source.notify(1)
    assert view.snapshot().ended
    assert totals(view.snapshot()) == {"Observable": 1}


async def test_the_block_ends_with_an_exception() -> None:
    source = Numbers()
    with pytest.raises(KeyError), quiet(source) as view:
        raise KeyError
    assert view.snapshot().ended
    assert source._watches == ()


async def test_the_view_tells_its_state() -> None:
    view = quiet(Numbers(), Numbers())
    assert repr(view) == "<LiveView of 2 objects, not entered>"
    assert view.snapshot() == Snapshot(0.0, ())
    view.__exit__(None, None, None)
    with view:
        assert repr(view) == "<LiveView of 2 objects, open>"
    assert repr(view) == "<LiveView of 2 objects, ended>"


async def test_a_view_cannot_be_used_twice() -> None:
    view = quiet(Numbers())
    with view, pytest.raises(AlreadyEnteredError), view:
        pass
    with pytest.raises(AlreadyEnteredError), view:
        pass


def test_a_view_needs_a_running_loop() -> None:
    view = quiet(Numbers())
    with pytest.raises(NoLoopError, match="needs a running event loop"), view:
        pass


def test_a_view_needs_the_loop_of_what_it_watches() -> None:
    source = Numbers()

    async def use() -> None:
        await source.notify(1)

    async def look() -> None:
        with quiet(source):
            pass

    asyncio.run(use())
    with pytest.raises(WrongLoopError):
        asyncio.run(look())
    assert source._watches == ()


async def test_a_display_that_raises_is_reported_once(loop_errors: list[dict[str, Any]]) -> None:
    calls: list[Snapshot] = []

    def show(snapshot: Snapshot) -> None:
        calls.append(snapshot)
        raise OSError("gone")

    source = Numbers()
    with watch(source, display=show, interval=0.001) as view:
        await source.notify(1)
        await asyncio.sleep(0.01)
    assert len(calls) == 1
    assert [error["message"] for error in loop_errors] == ["<LiveView of 1 object, open> cannot be shown any more"]
    assert totals(view.snapshot()) == {"Observable": 1}
    loop_errors.clear()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (watch, ArgumentValueError),
        (lambda: watch(wrong), ArgumentTypeError),
        (lambda: watch(Numbers(), interval=0), ArgumentValueError),
        (lambda: watch(Numbers(), interval=-1), ArgumentValueError),
        (lambda: watch(Numbers(), window=0.0), ArgumentValueError),
        (lambda: watch(Numbers(), window=wrong_text), ArgumentTypeError),
        (lambda: watch(Numbers(), display=wrong_text), ArgumentValueError),
        (lambda: watch(Numbers(), display=wrong), ArgumentTypeError),
    ],
)
def test_bad_arguments_fail_at_the_call(call: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


wrong_text: Any = "x"


def test_a_row_can_be_logged() -> None:
    node = Node("a", "source", 0, (), 1.5, (), "idle", 1, 0, 0, 0, 0, 0)
    assert node._asdict()["rate"] == 1.5


# Watching changes nothing


async def scenario(source: Numbers, log: list[Any]) -> None:
    """A pipeline whose observers overlap, fail, and notify again."""
    slow = Held()

    async def note(value: int) -> None:
        log.append(("begin", value))
        await asyncio.sleep(0)
        log.append(("end", value))

    left, right = source.filter(is_even), source.filter(lambda value: value > 1)
    merged = Observable.merge(left, right)
    merged.subscribe_nowait(note)
    merged.throttle(5).subscribe_nowait(lambda value: log.append(("throttled", value)))
    left.buffer(2).subscribe_nowait(lambda value: log.append(("batch", value)))
    source.debounce(1).subscribe_nowait(lambda value: log.append(("late", value)))
    slow.release()
    for value in range(4):
        await source.notify(value)
    await asyncio.gather(*(source.notify(value) for value in range(4, 8)))
    await asyncio.sleep(2)
    await source.aclose()


@pytest.mark.virtual_time
async def test_a_pipeline_does_the_same_when_it_is_watched() -> None:
    plain: list[Any] = []
    watched: list[Any] = []
    await scenario(Numbers(), plain)
    source = Numbers()
    with quiet(source):
        await scenario(source, watched)
    assert watched == plain


@pytest.mark.virtual_time
async def test_an_operator_without_observers_holds_nothing_up_while_it_is_watched() -> None:
    source = Numbers()
    middle = source.fork()
    held = Held()
    middle.fork().subscribe_nowait(held)
    seen: list[int] = []
    middle.filter(is_even).subscribe_nowait(seen.append)
    other = Numbers()
    joined = Observable.merge(middle, other)
    with quiet(joined):
        task = await begin(source.notify(2))
        await settle()
        assert middle._turn is None
        held.release()
        await task
    assert seen == [2]


# What recorders are told since then


async def test_tape_records_the_error_of_a_mapped_function(loop_errors: list[dict[str, Any]]) -> None:
    async def half(value: int) -> float:
        return 1 / value

    source = Numbers()
    halves = source.map_async(half)
    with record(halves) as tape:
        await source.notify(0)
        await settle()
    assert [(event.kind, event.text.partition(":")[0]) for event in tape.events] == [("error", "ZeroDivisionError")]
    loop_errors.clear()
    await source.aclose()


async def test_tape_records_the_errors_of_sequential_notifications() -> None:
    source = Numbers([failing(ERROR)])
    with record(source) as tape:
        async for _ in source.notify_sequential(1, _silent_=True):
            pass
    assert [event.kind for event in tape.events] == ["value", "error"]


async def test_tape_takes_no_notice_of_buffers() -> None:
    source = Numbers()
    values = source.values()
    with record(source) as tape:
        await values.aclose()
    assert tape.events == []
