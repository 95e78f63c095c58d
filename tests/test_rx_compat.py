"""What the seam relies on in every supported version of RxPY, and what it does about the differences."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import Subject, operators
from reactivex.disposable import Disposable

from asyncutils_rx._rx._compat import AWARE, RX_VERSION, UTC_ZERO, mend_clock, parse_version, subscribe
from asyncutils_rx.scheduler import LoopScheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactivex import Observable

QUIET = """
import asyncutils_rx.scheduler
import reactivex
from reactivex import operators
from reactivex.testing import TestScheduler

source = reactivex.Subject()
got = []
source.pipe(operators.buffer_with_count(1), operators.flat_map(reactivex.of)).subscribe(got.append)
source.on_next(1)
assert got == [[1]], got

clock = TestScheduler()
results = clock.start(lambda: reactivex.of(1).pipe(operators.delay(5, clock)))
assert [message.time for message in results.messages] == [205, 205], results.messages
"""


class FailedError(Exception):
    """What an observer raises."""


def fail_at_first(got: list[Any]) -> Any:
    def on_next(value: Any) -> None:
        got.append(value)
        if len(got) == 1:
            raise FailedError

    return on_next


# The versions


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("4.0.4", (4, 0, 4)), ("6.1.0", (6, 1, 0)), ("5.0", (5, 0, 0)), ("6", (6, 0, 0)), ("5.0.0a2", (5, 0, 0))],
)
def test_parse_version_takes_three_numbers(text: str, numbers: tuple[int, int, int]) -> None:
    assert parse_version(text) == numbers


def test_rx_version_is_that_of_the_distribution() -> None:
    assert parse_version(version("reactivex")) == RX_VERSION
    assert (4, 0, 4) <= RX_VERSION < (7, 0, 0)


def test_datetimes_are_aware_since_rxpy_4_1() -> None:
    assert AWARE is (RX_VERSION >= (4, 1))
    assert UTC_ZERO.replace(tzinfo=UTC) == datetime(1970, 1, 1, tzinfo=UTC)


# Warnings


def test_nothing_of_rxpy_warns_once_the_seam_is_imported() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", QUIET], check=True)


class Naive:
    """RxPY's module of the base scheduler, in an old version, as far as it matters here."""

    class Scheduler:
        @classmethod
        def to_datetime(cls, value: object) -> object:
            return (cls, value)

    default_now: Any = None


def test_mend_clock_replaces_what_is_deprecated_by_the_same() -> None:
    class Derived(Naive.Scheduler):
        pass

    module = SimpleNamespace(Scheduler=Naive.Scheduler, default_now=None)
    moment = datetime(2020, 1, 1)  # noqa: DTZ001  # RxPY 4.0's are naive
    assert mend_clock(module, aware=False, python=(3, 12))
    assert Derived.to_datetime(1.5) == (Derived, timedelta(seconds=1.5))
    assert Derived.to_datetime(timedelta(2)) == (Derived, timedelta(2))
    assert Derived.to_datetime(moment) == (Derived, moment)
    utc_now = datetime.now(UTC).replace(tzinfo=None)
    assert timedelta(0) <= module.default_now() - utc_now < timedelta(minutes=1)


@pytest.mark.parametrize(("aware", "python"), [(True, (3, 13)), (False, (3, 11))])
def test_mend_clock_leaves_alone_what_is_not_deprecated(aware: bool, python: tuple[int, int]) -> None:
    module = SimpleNamespace()
    assert not mend_clock(module, aware=aware, python=python)
    assert vars(module) == {}


# Subscribing


def test_subscribe_passes_its_arguments_by_position() -> None:
    calls: list[Any] = []
    disposable = Disposable()

    class Source:
        def subscribe(self, observer: Any, on_error: Any, on_completed: Any, *, scheduler: Any) -> Disposable:
            calls.append((observer, on_error, on_completed, scheduler))
            return disposable

    scheduler = LoopScheduler()
    assert subscribe(Source(), print, repr, list, scheduler) is disposable
    assert subscribe(Source(), print, repr, list) is disposable
    assert calls == [(print, repr, list, scheduler), (print, repr, list, None)]


# Facts that the operators are built on


def test_an_observer_that_raises_stays_subscribed() -> None:
    subject: Subject[int] = Subject()
    got: list[Any] = []
    errors: list[Exception] = []
    subscription = subject.pipe(operators.map(lambda value: value)).subscribe(fail_at_first(got), errors.append)
    with pytest.raises(FailedError):
        subject.on_next(1)
    subject.on_next(2)
    assert (got, errors) == ([1, 2], [])
    subscription.dispose()


def test_an_observer_that_raises_starves_the_later_ones_of_a_subject() -> None:
    subject: Subject[int] = Subject()
    late: list[int] = []
    with subject.subscribe(fail_at_first([])), subject.subscribe(late.append):
        with pytest.raises(FailedError):
            subject.on_next(1)
        subject.on_next(2)
    assert late == [2]


def test_a_mapper_that_raises_ends_the_subscription() -> None:
    subject: Subject[int] = Subject()
    errors: list[Exception] = []
    inverse: Callable[[Observable[int]], Observable[int]] = operators.map(lambda value: 1 // value)
    subject.pipe(inverse).subscribe(on_error=errors.append)
    subject.on_next(0)
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert subject.observers == []


def test_buffer_with_count_breaks_when_an_observer_raises() -> None:
    subject: Subject[int] = Subject()
    got: list[Any] = []
    with subject.pipe(operators.buffer_with_count(1)).subscribe(fail_at_first(got)):
        with pytest.raises(FailedError):
            subject.on_next(1)
        with pytest.raises(IndexError):
            subject.on_next(2)
    assert got == [[1]]


def test_buffer_with_count_breaks_when_re_entered() -> None:
    subject: Subject[int] = Subject()
    batches = subject.pipe(operators.buffer_with_count(1))
    with batches.subscribe(lambda batch: subject.on_next(batch[0] + 1)), pytest.raises(IndexError):
        subject.on_next(1)


def test_merge_subscribes_to_its_sources_at_once_without_a_scheduler() -> None:
    subject: Subject[int] = Subject()
    got: list[int] = []
    with reactivex.merge(subject, Subject[int]()).subscribe(got.append):
        subject.on_next(1)
    assert got == [1]


async def test_merge_subscribes_to_its_sources_later_with_a_scheduler() -> None:
    subject: Subject[int] = Subject()
    with reactivex.merge(subject, Subject[int]()).subscribe(scheduler=LoopScheduler()):
        assert subject.observers == []


@pytest.mark.virtual_time
async def test_debounce_keeps_what_arrives_while_it_emits_since_rxpy_6_1() -> None:
    subject: Subject[int] = Subject()
    got: list[int] = []

    def on_next(value: int) -> None:
        got.append(value)
        if value == 0:
            subject.on_next(1)

    with subject.pipe(operators.debounce(1.0, LoopScheduler())).subscribe(on_next):
        subject.on_next(0)
        await asyncio.sleep(5.0)
    assert got == ([0, 1] if RX_VERSION >= (6, 1) else [0])
