"""Pictures of living objects: what observables and buses tell, and what a tape records."""

from __future__ import annotations

import asyncio
import gc
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import reactivex
from reactivex import operators as ops

from asyncutils_rx import EventBus, Observable
from asyncutils_rx._observable._picture import name_of
from asyncutils_rx._pictures._graph import Node
from asyncutils_rx._rx._names import operator_name, pipe_name
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError
from asyncutils_rx.pictures import Event, Tape, mermaid, record, svg
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncutils_rx.types import MapMode

Numbers = Observable[[int]]


wrong: Any = 1
wrong_class: Any = Observable


def tree(pictured: Observable[...] | EventBus) -> str:
    """The plain picture without its first line, which is the repr."""
    first, *rest = pictured._repr_mimebundle_()["text/plain"].splitlines()
    assert first == repr(pictured)
    return "\n".join(rest)


def double(value: int) -> tuple[tuple[int], dict[str, object]]:
    return (2 * value,), {}


def show(value: object) -> None:
    """Observe."""


def events(tape: Tape) -> list[tuple[str, str, str]]:
    return [(event.label, event.kind, event.text) for event in tape.events]


# Graphs of observables


def test_observable_pictures_are_svg_mermaid_and_text() -> None:
    bundle = Numbers()._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/vnd.mermaid", "text/plain"}
    ET.fromstring(bundle["image/svg+xml"])
    assert bundle["text/vnd.mermaid"].startswith("flowchart")


def test_observable_picture_has_sources_operators_and_observers() -> None:
    source = Numbers([show])
    doubled = source.map(double)
    batches = doubled.buffer(3)
    batches.subscribe_nowait(show)
    assert tree(source) == "Observable  ◄\n├─ show\n└─ map(double)\n   └─ buffer(3)\n      └─ show"
    assert tree(batches) == "Observable\n├─ show\n└─ map(double)\n   └─ buffer(3)  ◄\n      └─ show"


def test_observable_picture_has_every_source_of_what_is_derived() -> None:
    first, second = Numbers(), Numbers()
    merged = Observable.merge(first, first, second)
    assert tree(first) == "Observable  ◄\n└─ merge(3 sources)\nObservable\n└─ merge(3 sources)"
    assert tree(merged).count("◄") == 1


def test_observable_picture_puts_operators_below_all_their_sources() -> None:
    source = Numbers()
    odd = source.filter(bool)
    merged = Observable.merge(odd, source)
    assert tree(source) == "Observable  ◄\n├─ filter(bool)\n│  └─ merge(2 sources)\n└─ merge(2 sources)"
    assert merged is not None


def test_observable_picture_has_what_is_derived_in_order_of_derivation() -> None:
    source = Numbers()
    branches = [source.filter(show).buffer(size) for size in range(1, 41)]
    assert [line.strip("│├└─ ") for line in tree(source).splitlines() if "buffer" in line] == [
        f"buffer({size})" for size in range(1, len(branches) + 1)
    ]


async def test_observable_picture_tells_the_state() -> None:
    inside = asyncio.Event()
    go = asyncio.Event()

    async def observer(_: int) -> None:
        inside.set()
        await go.wait()

    source = Numbers([observer])
    running = asyncio.create_task(source.notify(1))
    await inside.wait()
    await source.notify(2)
    assert "Observable  (notifying, 1 queued)  ◄" in tree(source)
    go.set()
    await running
    await source.aclose()
    assert "Observable  (closed)  ◄" in tree(source)


async def test_observable_picture_tells_what_ended_it() -> None:
    source = Numbers()
    failing = source.pipe(ops.map(lambda x: 1 // x))
    with pytest.raises(ZeroDivisionError):
        await source.notify(0)
    assert "(ended by ZeroDivisionError)" in tree(failing)


async def test_observable_picture_has_whoever_else_listens() -> None:
    source = Numbers()
    dropping = source.values(maxsize=1, overflow="drop_oldest")
    plain = source.values()
    waiting = asyncio.create_task(source.wait_for_next())
    subscription = source.to_rx().subscribe(lambda _: None)
    await tick()
    found = tree(source)
    assert "wait_for_next()  (1 waiting)" in found
    assert "to_rx()  (1 subscribed)" in found
    await source.notify(1)
    await source.notify(2)
    assert "async for  (1 buffered, 1 dropped)" in tree(source)
    assert "async for  (2 buffered)" in tree(source)
    await waiting
    subscription.dispose()
    await dropping.aclose()
    await plain.aclose()


def test_observable_picture_of_many_says_how_many_are_missing() -> None:
    source = Numbers()
    kept = [source.fork() for _ in range(150)]
    assert tree(source).endswith("… and 31 more")
    last: Numbers = source
    for _ in range(1200):
        last = last.fork()
        kept.append(last)
    assert "more" in mermaid(source)


def test_observable_picture_writes_sums_of_floats_as_people_do() -> None:
    source = Numbers()
    late, later = source.debounce(0.1 + 0.2), source.pipe(ops.delay(3 * 0.05))
    assert tree(source).splitlines()[1:] == ["├─ debounce(0.3)", "└─ pipe(delay(0.15))"]
    del late, later


def test_observable_picture_of_a_local_function_has_its_short_name() -> None:
    source = Numbers()
    derived = source.filter(lambda _: True)
    assert tree(derived).splitlines()[1] == "└─ filter(<lambda>)  ◄"


def test_observable_picture_names_the_class_of_a_callable_object() -> None:
    source = Numbers()
    derived = source.filter(Store())
    derived.subscribe_nowait(Store())
    assert tree(derived).splitlines()[1:] == ["└─ filter(Store)  ◄", "   └─ Store"]


class Store:
    def save(self, value: object) -> None:
        """Observe."""

    @classmethod
    def keep(cls, value: object) -> None:
        """Observe."""

    def __call__(self, value: object) -> bool:
        """Observe, or be a predicate."""
        return True


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (show, "show"),
        (print, "print"),
        (Store().save, "Store.save"),
        (Store.keep, "Store.keep"),
        ([].append, "list.append"),
        (lambda: 0, "<lambda>"),
        (Store(), "Store"),
        (partial(int, base=2), "functools.partial(<class 'int'>, base=2)"),
    ],
)
def test_functions_have_short_names(function: object, name: str) -> None:
    assert name_of(function) == name


def test_names_tell_nothing_of_comprehensions() -> None:
    sources = [Numbers()]
    [derived] = [source.filter(lambda value: value > 0) for source in sources]
    assert tree(derived).splitlines()[1] == "└─ filter(<lambda>)  ◄"
    [function] = (lambda: None for _ in range(1))
    assert name_of(function) == "<lambda>"


# Names of RxPY's operators


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        (ops.map(double), "map(double)"),
        (ops.take(3), "take(3)"),
        (ops.scan(max, 0), "scan(max, 0)"),
        (ops.scan(max), "scan(max)"),
        (ops.distinct_until_changed(), "distinct_until_changed()"),
        (ops.delay(1.5), "delay(1.5)"),
        (ops.start_with(1, 2), "start_with(1, 2)"),
        (ops.pairwise(), "pairwise()"),
        (ops.with_latest_from(reactivex.never()), "with_latest_from(…)"),
        (double, "double"),
        (partial(double, 1), "partial"),
    ],
)
def test_operators_are_named_as_they_are_written(operator: object, name: str) -> None:
    assert operator_name(operator) == name


def test_operators_that_are_plain_closures_are_named_too() -> None:
    def take_(count: int, scheduler: object = None) -> Any:
        def take() -> object:
            return count, scheduler

        take.__module__, take.__qualname__ = "reactivex.operators._take", "take_.<locals>.take"
        return take

    assert operator_name(take_(3)) == "take(3)"


def test_pipe_names_its_operators() -> None:
    source = Numbers()
    assert "pipe(map(double), take(3))" in repr(source.pipe(ops.map(double), ops.take(3)))


def test_composed_operators_are_named_one_by_one() -> None:
    assert operator_name(reactivex.compose(ops.take(1), ops.pairwise())) == "take(1) | pairwise()"


def test_pipe_of_many_operators_has_a_short_name() -> None:
    assert pipe_name([ops.pairwise()] * 9) == f"pipe({'pairwise(), ' * 8}…)"


# Graphs of buses


class Logger:
    def log(self, event_type: str, data: object) -> None:
        """Observe."""


async def stamp(event_type: str, data: object) -> object:
    return data


async def test_bus_picture_has_everybody_who_takes_part() -> None:
    async with EventBus("shop", tracking_stats=True) as bus:
        logger = Logger()
        bus.add_middleware(stamp)
        bus.subscribe(show, "sold")
        bus.subscribe(logger.log)
        stream = bus.event_stream("sold")
        waiting = await bus.wait_for_event("closed")
        large = bus.observable("sold").filter(bool)
        large.subscribe_nowait(show)
        await bus.publish("sold", 1)
        assert tree(bus) == (
            "shop  (open)  ◄\n"
            "└─ stamp\n"
            "   ├─ closed\n"
            "   │  └─ wait_for_event()  (1 waiting)\n"
            "   ├─ sold  (1 published)\n"
            "   │  ├─ show\n"
            "   │  ├─ event_stream()  (1 buffered)\n"
            "   │  └─ observable()\n"
            "   │     └─ filter(bool)\n"
            "   │        └─ show\n"
            "   └─ every topic\n"
            "      └─ Logger.log"
        )
        ET.fromstring(svg(bus))
        waiting.cancel()
        await stream.aclose()


async def test_bus_picture_tells_that_it_publishes() -> None:
    pictures: list[str] = []

    def look(_: object) -> None:
        pictures.append(tree(bus))

    async with EventBus("shop") as bus:
        bus.subscribe(look, "")
        await bus.publish("", None)
        everything = bus.observable()
        assert "every topic\n   └─ observable()" in tree(bus)
        assert everything is not None
    assert pictures == ["shop  (1 publishing)  ◄\n└─ ''\n   └─ look"]
    assert tree(bus).startswith("shop  (closed)")


# Tapes


@pytest.mark.virtual_time
async def test_tape_records_source_and_derived_with_the_time_of_the_loop() -> None:
    source = Numbers()
    doubled = source.map(double)
    with record(source, twice=doubled) as tape:
        await asyncio.sleep(1)
        await source.notify(1)
        await asyncio.sleep(2)
        await source.notify(2)
    assert tape.events == [
        Event("Observable", 1.0, "value", "1"),
        Event("Observable", 3.0, "value", "2"),
        Event("twice", 1.0, "value", "2"),
        Event("twice", 3.0, "value", "4"),
    ]
    assert repr(tape) == "<Tape of 2 lines, 4 events, ended>"
    assert "L0->>L1: 2\n" in tape.mermaid()
    ET.fromstring(tape.svg())


async def test_tape_shows_long_floats_with_six_digits() -> None:
    source = Observable[[Any]]()
    with record(source) as tape:
        for value in (64 / 3, 0.1 + 0.2, 1e300, 40.0, float("nan"), ("oven", 200 / 3)):
            await source.notify(value)
    assert [event.text for event in tape.events] == ["21.3333", "0.3", "1e+300", "40.0", "nan", "('oven', 66.6667)"]


@pytest.mark.parametrize(("numbers", "words"), [((1,), "1 event"), ((1, 2), "2 events")])
async def test_tape_tells_in_words_what_its_picture_is_of(numbers: tuple[int, ...], words: str) -> None:
    source = Numbers()
    with record(raw=source) as tape:
        await source.feed(numbers)
    assert f'aria-label="A marble diagram of raw: {words}"' in tape.svg()


@pytest.mark.virtual_time
async def test_tape_draws_batches_as_one() -> None:
    async with Numbers() as source:
        batches = source.buffer(2)
        with record(source, batches) as tape:
            await source.feed([1, 2])
        assert tape._repr_mimebundle_()["text/plain"].endswith(
            "0 µs  Observable: 1\n0 µs  Observable: 2  |  buffer(2): 1, 2"
        )


async def test_tape_records_completion() -> None:
    source = Numbers()
    forked = source.fork()
    with record(source, forked) as tape:
        await source.aclose()
    assert events(tape) == [("Observable", "completed", ""), ("fork()", "completed", "")]


async def test_tape_records_the_error_that_ends_a_line() -> None:
    source = Numbers()
    failing = source.pipe(ops.map(lambda x: 1 // x))
    with record(failing) as tape, pytest.raises(ZeroDivisionError):
        await source.notify(0)
    [(_, kind, text)] = events(tape)
    assert (kind, text.partition(":")[0]) == ("failed", "ZeroDivisionError")


async def test_tape_records_errors_of_observers_and_of_functions() -> None:
    def fail(value: int) -> bool:
        raise ValueError("bad")

    source = Numbers([fail])
    odd = source.filter(fail)
    with record(source, odd) as tape, pytest.raises(ExceptionGroup):
        await source.notify(1)
    assert events(tape) == [
        ("Observable", "value", "1"),
        ("Observable", "error", "ValueError: bad"),
        ("filter(fail)", "error", "ValueError: bad"),
    ]


async def test_tape_records_errors_of_observers_where_nothing_is_derived() -> None:
    def fail(value: int) -> None:
        raise ValueError("bad")

    source = Numbers([fail])
    with record(source) as tape, pytest.raises(ValueError, match="bad"):
        await source.notify(1)
    assert [event.kind for event in tape.events] == ["value", "error"]


@pytest.mark.parametrize("mode", ["ordered", "unordered", "latest"])
async def test_tape_records_errors_of_map_async_once(mode: MapMode, loop_errors: list[dict[str, Any]]) -> None:
    async def halve(number: float) -> float:
        return 1 / number

    def observe(half: float) -> None:
        raise ValueError(half)

    async with Observable[[float]]() as source:
        halves = source.map_async(halve, mode=mode)
        halves.subscribe_nowait(observe)
        with record(halves=halves) as tape:
            for number in (2, 0):
                await source.notify(number)
                await tick(9)
    assert [(event.kind, event.text) for event in tape.events] == [
        ("value", "0.5"),
        ("error", "ValueError: 0.5"),
        ("error", "ZeroDivisionError: division by zero"),
    ]
    loop_errors.clear()


def test_tape_records_functions_that_fail_where_no_loop_runs() -> None:
    subject: reactivex.Subject[int] = reactivex.Subject()
    derived = Observable.from_rx(subject).filter(lambda x: bool(1 // x))
    with record(derived) as tape, pytest.raises(ZeroDivisionError):
        subject.on_next(0)
    assert [event.kind for event in tape.events] == ["error"]


async def test_tape_records_what_is_notified_one_observer_after_another() -> None:
    source = Numbers([show])
    with record(source) as tape:
        async for _ in source.notify_sequential(1):
            pass
    assert events(tape) == [("Observable", "value", "1")]


def test_tape_records_where_no_loop_runs() -> None:
    subject: reactivex.Subject[int] = reactivex.Subject()
    with record(Observable.from_rx(subject)) as tape:
        subject.on_next(1)
    assert [event.text for event in tape.events] == ["1"]


async def test_tape_is_no_observer_and_leaves_nothing_behind() -> None:
    source = Numbers()
    with record(source):
        assert list(source) == []
        assert source._watches
    assert source._watches == ()
    assert not source._observers.taps


async def test_tapes_can_overlap() -> None:
    source = Numbers()
    with record(source) as outer:
        with record(source) as inner:
            await source.notify(1)
        await source.notify(2)
    assert (len(outer.events), len(inner.events)) == (2, 1)


async def test_tape_lets_the_observables_and_values_go() -> None:
    class Value:
        pass

    source: Observable[[Value]] = Observable()
    value = Value()
    gone: list[weakref.ref[Any]] = [weakref.ref(source), weakref.ref(value)]
    with record(source) as tape:
        await source.notify(value)
    del source, value
    gc.collect()
    assert [reference() for reference in gone] == [None, None]
    assert len(tape.events) == 1


async def test_tape_stops_at_its_limit() -> None:
    source = Numbers()
    with record(source, limit=2) as tape:
        await source.feed(range(5))
    assert (len(tape.events), tape.missing) == (2, 3)


async def test_tape_can_be_looked_at_while_it_records() -> None:
    source = Numbers()
    tape = record(source)
    assert repr(tape) == "<Tape of 1 line, 0 events, not begun>"
    ET.fromstring(tape.svg())
    with tape:
        await source.notify(1)
        assert repr(tape) == "<Tape of 1 line, 1 event, recording>"
        ET.fromstring(tape.svg())


def test_tape_cannot_be_used_twice() -> None:
    tape = record(Numbers())
    with tape:
        pass
    with pytest.raises(RuntimeError, match="was begun before"), tape:
        pass


def test_tape_tells_lines_of_one_name_apart() -> None:
    first, second = Numbers(), Numbers()
    assert "Observable 1" in record(first, second).svg()
    assert "Observable 2" in record(first, second).svg()


@pytest.mark.virtual_time
async def test_tape_knows_the_source_through_what_is_not_recorded() -> None:
    source = Numbers()
    deep = Observable.merge(source.fork(), source.fork()).map(double)
    with record(source, deep) as tape:
        await source.notify(1)
    assert tape.mermaid().count("L0->>L1") == 1


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (record, ArgumentValueError),
        (lambda: record(wrong), ArgumentTypeError),
        (lambda: record(x=wrong), ArgumentTypeError),
        (lambda: record(Numbers(), limit=0), ArgumentValueError),
        (lambda: svg(wrong), ArgumentTypeError),
        (lambda: mermaid(wrong_class), ArgumentTypeError),
    ],
)
def test_bad_arguments_fail_at_the_call(call: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_pictures_can_be_had_as_text() -> None:
    source = Numbers()
    assert svg(source) == source._repr_mimebundle_()["image/svg+xml"]
    assert mermaid(record(source)).startswith("sequenceDiagram")


def test_nodes_need_no_detail() -> None:
    assert Node("source", "a").detail == ""
