"""One fact about an operator: what goes in, what comes out, when, and while which sources are subscribed to.

A fact is checked twice under a ``TestScheduler``: on RxPY's own operator, so that it is true, and on ours, from an RxPY
source to an RxPY subscriber.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reactivex.notification import OnCompleted, OnError, OnNext
from reactivex.testing import ReactiveTest, TestScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reactivex import Observable
    from reactivex.testing.recorded import Recorded

__all__ = [
    "DISPOSED",
    "SUBSCRIBED",
    "Cold",
    "End",
    "Fact",
    "Hot",
    "Operator",
    "Outcome",
    "Scene",
    "SourceError",
    "completed",
    "error",
    "holds",
    "name_of",
    "value",
]

SUBSCRIBED = 200
"""When the result is subscribed to, unless a fact says otherwise."""

DISPOSED = 1000
"""When the result is disposed of, unless a fact says otherwise."""


class SourceError(Exception):
    """What a source ends with."""


class End(NamedTuple):
    """The end of a stream.

    Attributes:
        error: What it ends with; empty where it completes.
    """

    error: str = ""


Event = tuple[int, object]
"""When, and what: a value or an :class:`End`."""


def value(time: int, what: object) -> Event:
    """Return a value that comes at a time."""
    return time, what


def completed(time: int) -> Event:
    """Return a completion at a time."""
    return time, End()


def error(time: int, text: str = "broken") -> Event:
    """Return an error at a time."""
    return time, End(text)


class Hot(NamedTuple):
    """A source that emits whether it is subscribed to or not; times are on the scheduler's clock.

    Attributes:
        events: What it emits.
    """

    events: Sequence[Event]


class Cold(NamedTuple):
    """A source that emits for each subscriber; times count from the subscription.

    Attributes:
        events: What it emits.
    """

    events: Sequence[Event]


class Operator(NamedTuple):
    """An operator with its arguments, in RxPY and here.

    Attributes:
        name: What it is called in RxPY.
        theirs: Makes the result with RxPY's own operator, from the scheduler and the sources.
        ours: The same with this package's.
        batches: Whether theirs emits lists of what ours emits one by one.
    """

    name: str
    theirs: Callable[..., Observable[Any]]
    ours: Callable[..., Observable[Any]]
    batches: bool = False


class Fact(NamedTuple):
    """What an operator does.

    Attributes:
        sentence: The fact, as a predicate of the operator.
        operator: The operator with its arguments.
        sources: What goes in.
        result: What comes out.
        subscriptions: From when to when each of the sources is subscribed to.
        subscribed: When the result is subscribed to.
        disposed: When the result is disposed of.
    """

    sentence: str
    operator: Operator
    sources: Sequence[Hot | Cold]
    result: Sequence[Event]
    subscriptions: Sequence[Sequence[tuple[int, int]]]
    subscribed: int = SUBSCRIBED
    disposed: int = DISPOSED

    @property
    def about(self) -> str:
        """The name of the operator."""
        return self.operator.name

    def seen(self, ours: bool) -> Outcome:
        """Return what comes out of one of the two operators."""
        return outcome_of(self, ours)

    @property
    def expected(self) -> Outcome:
        """What has to come out."""
        return Outcome(list(self.result), [list(each) for each in self.subscriptions])


class Scene(NamedTuple):
    """A fact that is no matter of times: a function that is called, a subscriber that raises.

    Attributes:
        sentence: The fact, as a predicate of the operator.
        about: The name of the operator.
        seen: Plays the scene with one of the two operators, ours if true; returns what there is to see.
        expected: What has to be seen.
    """

    sentence: str
    about: str
    seen: Callable[[bool], object]
    expected: object


def name_of(fact: Fact | Scene) -> str:
    """Return what a fact is called."""
    return f"{fact.about} {fact.sentence}"


def holds(fact: Fact | Scene, ours: bool) -> bool:
    """Whether a fact is true of one of the two operators."""
    return fact.seen(ours) == fact.expected


class Outcome(NamedTuple):
    """What was seen.

    Attributes:
        result: What came out.
        subscriptions: From when to when each of the sources was subscribed to.
    """

    result: list[Event]
    subscriptions: list[list[tuple[int, int]]]


def outcome_of(fact: Fact, ours: bool) -> Outcome:
    """Run a fact on one of the two operators; return what is seen."""
    scheduler = TestScheduler()
    sources: list[Any] = []
    for source in fact.sources:
        create = scheduler.create_hot_observable if isinstance(source, Hot) else scheduler.create_cold_observable
        sources.append(create([_message(event) for event in source.events]))
    operate = fact.operator.ours if ours else fact.operator.theirs
    observer = scheduler.start(lambda: operate(scheduler, *sources), subscribed=fact.subscribed, disposed=fact.disposed)
    seen: list[Event] = []
    for message in observer.messages:
        time, what = _event(message)
        if fact.operator.batches and not ours and not isinstance(what, End):
            assert isinstance(what, list)
            seen.extend((time, each) for each in what)
        else:
            seen.append((time, what))
    return Outcome(
        seen, [[(int(each.subscribe), int(each.unsubscribe)) for each in source.subscriptions] for source in sources]
    )


def _message(event: Event) -> Recorded[Any]:
    time, what = event
    if not isinstance(what, End):
        return ReactiveTest.on_next(time, what)
    return ReactiveTest.on_error(time, SourceError(what.error)) if what.error else ReactiveTest.on_completed(time)


def _event(message: Recorded[Any]) -> Event:
    kind = message.value
    if isinstance(kind, OnNext):
        return int(message.time), kind.value
    if isinstance(kind, OnError):
        assert isinstance(kind.exception, SourceError)
        return int(message.time), End(str(kind.exception))
    assert isinstance(kind, OnCompleted)
    return int(message.time), End()
