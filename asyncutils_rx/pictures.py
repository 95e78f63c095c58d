"""Pictures of observables and buses: operator graphs and marble diagrams, as SVG and as Mermaid text.

In a notebook an observable, a bus or a tape that is the last line of a cell shows itself. Elsewhere :func:`svg` and
:func:`mermaid` give the same pictures as text. Nothing but this package is needed to draw them.

>>> import asyncio
>>> from asyncutils_rx import Observable
>>> from asyncutils_rx.pictures import record
>>> async def main():
...     async with Observable[[int]]() as numbers:
...         even = numbers.filter(lambda number: number % 2 == 0)
...         with record(numbers, even) as tape:
...             await numbers.feed([1, 2])
...     return tape
>>> [(event.label, event.text) for event in asyncio.run(main()).events]
[('Observable', '1'), ('Observable', '2'), ('filter(<lambda>)', '2')]
"""

from __future__ import annotations

from asyncio import get_running_loop
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ._arguments import check_count
from ._observable import Observable
from ._observable._picture import Watch, sources_among, title_of
from ._pictures import _marbles
from ._pictures._bundle import MERMAID, SVG, of_score
from ._pictures._recording import Recording
from ._pictures._score import Line, Score
from .exceptions import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from collections.abc import Container
    from types import TracebackType
    from typing import Self

__all__ = ["Event", "Pictured", "Tape", "mermaid", "record", "svg"]


class Pictured(Protocol):
    """What has pictures: an observable, a bus, a tape."""

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """Return the pictures, by MIME type; as IPython asks for them."""
        ...


def svg(pictured: Pictured) -> str:
    """Return the picture of an observable, a bus or a tape as SVG.

    It has a background of its own and follows the reader's preference for light or dark, so it reads on any page.

    Args:
        pictured: What to draw, as it is now.

    Raises:
        ArgumentTypeError: ``pictured`` has no pictures.
    """
    return _picture("svg", pictured, SVG)


def mermaid(pictured: Pictured) -> str:
    """Return the picture of an observable, a bus or a tape as Mermaid text: a flowchart, or a sequence diagram.

    Args:
        pictured: What to draw, as it is now.

    Raises:
        ArgumentTypeError: ``pictured`` has no pictures.
    """
    return _picture("mermaid", pictured, MERMAID)


def _picture(owner: str, pictured: Pictured, kind: str) -> str:
    made = getattr(pictured, "_repr_mimebundle_", None)
    if made is None or isinstance(pictured, type):
        raise ArgumentTypeError(f"pictures.{owner}", "pictured", pictured, "an observable, a bus or a tape")
    bundle: dict[str, str] = made(include={kind})
    return bundle[kind]


def record(*observables: Observable[...], limit: int = 1000, **named: Observable[...]) -> Tape:
    """Return a recorder of what observables emit, to be used in a ``with`` block.

    From the beginning of the block to its end each notification, each error and the end of each observable is noted,
    with the time by the loop's clock. The recorder is not among the observers, but it counts as somebody who
    listens: what begins with the first observer begins with it too.

    Args:
        *observables: What to record: one line each, from top to bottom, called as the operators that made them.
        limit: How many events are noted, at least 1. Those that come later are counted only.
        **named: More observables, and what to call their lines.

    Raises:
        ArgumentTypeError: One of them is no observable, or ``limit`` is no integer.
        ArgumentValueError: There is nothing to record, or ``limit`` is less than 1.

    >>> record(Observable(), ticks=Observable())
    <Tape of 2 lines, 0 events, not begun>
    """
    lines: list[tuple[str | None, Observable[...]]] = [(None, observable) for observable in observables]
    lines += named.items()
    if not lines:
        raise ArgumentValueError("pictures.record", "observables", observables, "at least one observable")
    for _, observable in lines:
        if not isinstance(observable, Observable):
            raise ArgumentTypeError("pictures.record", "observables", observable, "observables only")
    return Tape(lines, check_count("pictures.record", "limit", limit))


class Event(NamedTuple):
    """One event on a tape.

    Attributes:
        label: The line.
        time: When it happened, in seconds since the recording began.
        kind: ``"value"``; ``"error"``: an observer failed, or a function of an operator, and the line goes on;
            ``"failed"``: an error ended the line; ``"completed"``.
        text: The parameters, or the error, as they were shown at that time.
    """

    label: str
    time: float
    kind: str
    text: str


class Tape:
    """A recording; made by :func:`record`. In a notebook it shows itself as a marble diagram.

    It can be looked at while it is being recorded, and holds no value: only what was shown of each. Notifications that
    have the same cause have the same colour; those that were emitted together, as a buffer does, are framed.
    """

    def __init__(self, lines: list[tuple[str | None, Observable[...]]], limit: int) -> None:
        observables = [observable for _, observable in lines]
        self._labels = _labels([name or title_of(observable) for name, observable in lines])
        self._recording = recording = Recording(limit, _now)
        self._watches = [Watch(observable, recording, line) for line, observable in enumerate(observables)]
        self._sources = sources_among(observables)

    def __enter__(self) -> Self:
        """Begin to record.

        Raises:
            RuntimeError: It was begun before.
        """
        if self._recording.began is not None:
            raise RuntimeError(f"{self!r} was begun before; make a new one with record()")
        self._recording.begin()
        for watch in self._watches:
            watch.begin()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """End the recording, and let the observables go."""
        for watch in self._watches:
            watch.end()
        self._watches.clear()
        self._recording.end()

    def __repr__(self) -> str:
        recording = self._recording
        state = "not begun" if recording.began is None else "recording" if recording.duration is None else "ended"
        return f"<Tape of {_counted(len(self._labels), 'line')}, {_counted(len(recording.marks), 'event')}, {state}>"

    @property
    def events(self) -> list[Event]:
        """What was noted so far, line by line, in order."""
        marks = sorted(self._recording.marks, key=lambda mark: mark.line)
        return [Event(self._labels[mark.line], mark.time, mark.kind, mark.text) for mark in marks]

    @property
    def missing(self) -> int:
        """How many events were beyond the limit."""
        return self._recording.missing

    def svg(self) -> str:
        """Return the marble diagram as SVG."""
        return _marbles.svg(self._score())

    def mermaid(self) -> str:
        """Return the recording as a Mermaid sequence diagram."""
        return _marbles.mermaid(self._score())

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """Return the pictures, by MIME type; as IPython asks for them."""
        return of_score(self._score(), repr(self), include, exclude)

    def _score(self) -> Score:
        lines = [Line(label, sources) for label, sources in zip(self._labels, self._sources, strict=True)]
        recording = self._recording
        return Score(lines, tuple(recording.marks), recording.elapsed(), recording.missing)


def _now() -> float:
    """Return the time by the running loop's clock, which is the clock of the interpreter where nobody changed it."""
    try:
        return get_running_loop().time()
    except RuntimeError:
        return monotonic()


def _labels(names: list[str]) -> list[str]:
    """Tell lines of the same name apart."""
    counts: dict[str, int] = {}
    labels: list[str] = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        labels.append(f"{name} {counts[name]}" if names.count(name) > 1 else name)
    return labels


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
