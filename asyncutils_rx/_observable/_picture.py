"""What an observable tells those who draw it: what hangs together, and, to a recorder, what happens."""

from __future__ import annotations

from asyncio import current_task
from re import compile as pattern
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from .._pictures._bundle import of_graph
from .._pictures._graph import Node, Sketch
from ..exceptions import shown_function
from ._cascade import Emission

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from ._cascade import Notification
    from ._core import Core

__all__ = ["Recorder", "Watch", "describe", "family_of", "name_of", "pictures", "sources_among", "title_of"]

# What a name has before its last part; before 3.12 that of a comprehension too.
_LOCAL = pattern(r"[\w<>.]*<(?:locals|listcomp|setcomp|dictcomp|genexpr)>\.")
_LONG_FLOAT = pattern(r"\b\d+\.\d{13,}\b")  # such as 3 * 0.05 gives
_ENOUGH = 1000


def pictures(
    observable: Core, include: Container[str] | None = None, exclude: Container[str] | None = None
) -> dict[str, str]:
    """Return the pictures of what an observable is derived from, and of what is derived from it."""
    sketch = Sketch(f"The operator graph of {title_of(observable)}")
    describe(sketch, observable)
    return of_graph(sketch.graph(), repr(observable), include, exclude)


def title_of(observable: Core) -> str:
    """Return what an observable is called: as the operator that made it, or else as its class."""
    label = _LONG_FLOAT.sub(lambda digits: f"{float(digits[0]):.12g}", observable._label)
    return _LOCAL.sub("", label) or type(observable).__name__


def name_of(function: object) -> str:
    """Return a short name of a callable."""
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        return _LOCAL.sub("", shown_function(function))
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, (type, ModuleType)):
        name = f"{type(owner).__name__}.{getattr(function, '__name__', name)}"
    return _LOCAL.sub("", name)


def describe(sketch: Sketch, observable: Core, *above: int | None, title: str | None = None) -> None:
    """Add an observable to a sketch, with all that it is derived from, all that is derived from it, and observers."""
    family = family_of(observable)
    numbers: dict[Core, int | None] = {}
    for site in family:
        sources = dict.fromkeys(numbers[source] for source in site._sources if source in numbers)
        kind = "operator" if site._sources else "source"
        roots = above if site is observable else ()
        numbers[site] = sketch.node(
            Node(kind, title if title and roots else title_of(site), _state(site), site is observable and not above),
            *sources,
            *roots,
        )
        for node in _listeners(site):
            sketch.node(node, numbers[site])


def family_of(observable: Core) -> Iterable[Core]:
    """Return an observable, what is derived from it and what all of that is derived from, each after its sources."""
    wanted: dict[Core, None] = {}
    for site in observable._descendants():
        if len(wanted) <= _ENOUGH:
            wanted.update(dict.fromkeys(reversed(list(site._lineage()))))
    missing = {site: sum(1 for source in set(site._sources) if source in wanted) for site in wanted}
    ready = [site for site in wanted if not missing[site]]
    for site in ready:
        for child in [child for child in list(site._children or ()) if child in wanted]:
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return ready


def _state(site: Core) -> str:
    words: list[str] = []
    if site._failure is not None:
        words.append(f"ended by {type(site._failure).__name__}")
    elif site._closed:
        words.append("closed")
    elif site._turn is not None:
        words.append("notifying")
    if site._accumulated:
        words.append(f"{site._accumulated} queued")
    return ", ".join(words)


def _listeners(site: Core) -> Iterable[Node]:
    for observer in list(site._observers):
        yield Node("observer", name_of(observer))
    for buffer in list(site._buffers or ()):
        waiting = f"{len(buffer.items)} buffered" + (f", {buffer.dropped} dropped" if buffer.dropped else "")
        yield Node("stream", "async for", waiting)
    if site._next_waiters:
        yield Node("stream", "wait_for_next()", f"{len(site._next_waiters)} waiting")
    if site._subscribers:
        yield Node("observer", "to_rx()", f"{site._subscribers} subscribed")


class Recorder(Protocol):
    """Who is told what happens on a line."""

    def emitted(
        self, line: int, args: tuple[Any, ...], kwargs: dict[str, Any], cause: object, group: object, /
    ) -> None:
        """Take a notification; equal causes and groups are the same objects, None is none."""

    def failed(self, line: int, error: BaseException, cause: object, /) -> None:
        """Take an error that did not end the line."""

    def ended(self, line: int, failure: Exception | None, /) -> None:
        """Take the end of the line."""


class Watch:
    """Tells a recorder what happens at an observable, from :meth:`begin` to :meth:`end`.

    It is called as observers are, after them, and is not listed among them.

    Args:
        observable: The observable.
        recorder: Who is told.
        line: What the recorder calls the observable.
    """

    __slots__ = ("_line", "_observable", "_recorder")

    def __init__(self, observable: Core, recorder: Recorder, line: int) -> None:
        self._observable = observable
        self._recorder = recorder
        self._line = line

    def begin(self) -> None:
        """Watch from now on."""
        observable = self._observable
        observable._observers.add_tap(self)
        observable._watches = (*observable._watches, self)
        observable._demand_changed()

    def end(self) -> None:
        """Watch no more."""
        observable = self._observable
        observable._observers.remove_tap(self)
        observable._watches = tuple(watch for watch in observable._watches if watch is not self)
        observable._demand_changed()

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Tell of a notification."""
        self.notified((args, kwargs), self._emission())

    def notified(self, notification: Notification, emission: Emission | None) -> None:
        """Tell of a notification and the emission that it is a part of."""
        args, kwargs = notification
        self._recorder.emitted(self._line, args, kwargs, None if emission is None else emission.cascade, emission)

    def failed(self, error: BaseException, cause: object) -> None:
        """Tell of an error that does not end the observable."""
        self._recorder.failed(self._line, error, cause)

    def ended(self, failure: Exception | None) -> None:
        """Tell of the end."""
        self._recorder.ended(self._line, failure)

    def unbuffered(self, dropped: int) -> None:
        """Tell nothing of buffers."""

    def _emission(self) -> Emission | None:
        """Return the emission that this call is a part of; None where there is no loop, or nothing else to reach."""
        runner = self._observable._runner
        try:
            task = current_task()
        except RuntimeError:
            return None
        work = None if runner is None or task is None else runner.work_of(task)
        owner = None if work is None else work.owner
        return owner if isinstance(owner, Emission) else None


def sources_among(observables: Sequence[Core]) -> list[tuple[int, ...]]:
    """Return for each observable the places of those it is derived from, at once or through what is not there."""
    places = {observable: place for place, observable in enumerate(observables)}
    return [_nearest(observable, places) for observable in observables]


def _nearest(observable: Core, places: dict[Core, int]) -> tuple[int, ...]:
    found: dict[int, None] = {}
    waiting = dict.fromkeys(observable._sources)
    for source in iter(lambda: next(iter(waiting), None), None):
        del waiting[source]
        if source in places:
            found[places[source]] = None
        else:
            waiting.update(dict.fromkeys(source._sources))
    return tuple(found)
