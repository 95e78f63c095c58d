"""What observables tell a live view: how much went through, and what they are doing at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from .._fanout import FanOut
from .._live._numbers import Numbers
from ._async_map import AsyncMap
from ._cascade import Emission
from ._flight import Flight
from ._inlet import Inlet
from ._picture import family_of, title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._live._ledger import Ledger, Row
    from ._cascade import Notification
    from ._core import Core

__all__ = ["Probe", "Probes"]


class Probe:
    """Counts what happens at one observable, from :meth:`begin` to :meth:`end`, and knows it weakly.

    It takes every notification before anybody else does, is no observer, starts nothing and never raises.

    Args:
        observable: The observable.
    """

    __slots__ = ("_dropped", "_ended", "_errors", "_leave", "_seen", "_site", "_total", "_walked")

    def __init__(self, observable: Core) -> None:
        self._site = ref(observable)
        self._total = 0
        self._errors = 0
        self._dropped = self._seen = 0
        self._ended = ""
        self._walked: Notification | None = None
        self._leave: Callable[[], None] | None = None

    def begin(self) -> None:
        """Count from now on."""
        site = self._site()
        if site is None or site._closed:
            return
        from .._rx._subject import LoopSubject  # RxPY is imported when first needed

        if site._subject is None:
            site._subject = LoopSubject()
        self._leave = site._subject.tap(self._take)
        site._watches = (*site._watches, self)
        self._dropped = -_dropped_now(site)

    def end(self) -> None:
        """Count no more."""
        leave, self._leave, self._walked = self._leave, None, None
        site = self._site()
        if site is None or leave is None:
            return
        self._dropped += _dropped_now(site)
        leave()
        site._watches = tuple(watch for watch in site._watches if watch is not self)
        subject = site._subject
        if subject is not None and not subject.in_use and not site._children:
            # Without one, a notification takes the short ways again.
            site._subject = None

    def _take(self, notification: Notification) -> None:
        if notification is not self._walked:
            self._total += 1
        self._walked = None

    # What the observable tells

    def notified(self, notification: Notification, emission: Emission | None) -> None:  # noqa: ARG002  # a witness's
        """Count a notification that comes through the subject later, if at all."""
        self._total += 1
        self._walked = notification

    def failed(self, error: BaseException, cause: object) -> None:  # noqa: ARG002  # a witness's
        """Count an error."""
        self._errors += isinstance(error, Exception)

    def ended(self, failure: Exception | None) -> None:
        """Count the error that ended it, if one did."""
        self._errors += failure is not None
        self._ended = "closed" if failure is None else "failed"

    def unbuffered(self, dropped: int) -> None:
        """Keep the number of a buffer that goes."""
        self._dropped += dropped

    # What a view asks

    @property
    def is_gone(self) -> bool:
        """Whether the observable was collected."""
        return self._site() is None

    def read(self) -> Numbers:
        """Return the numbers of the moment; of an observable that is gone, what was counted."""
        site = self._site()
        if site is None:
            return Numbers(self._ended or "collected", self._total, errors=self._errors, dropped=self._seen)
        self._seen = self._dropped + (0 if self._leave is None else _dropped_now(site))
        return Numbers(
            _state(site), self._total, _running(site), _queued(site), _buffered(site), self._errors, self._seen
        )


def _state(site: Core) -> str:
    if site._closed:
        return "closed" if site._failure is None else "failed"
    if site._closing is not None or site._finishing:
        return "closing"
    return "idle" if site._turn is None else "notifying"


def _running(site: Core) -> int:
    calls = len(site._chain._calls) if isinstance(site._chain, AsyncMap) else 0
    turn = site._turn
    if isinstance(turn, Emission):
        fans = [fan for fan in turn.cascade.live if fan.owner is turn]
        calls += sum(fan.running for fan in fans) + _on_the_stack(site, fans)
    elif isinstance(turn, FanOut):
        calls += turn.running + _on_the_stack(site, [turn])
    elif isinstance(turn, Flight):
        calls += turn.target is site
    return calls


def _on_the_stack(site: Core, fans: Sequence[FanOut]) -> int:
    """Return how many callables of ``fans`` are in their first step, which asks for this."""
    work = None if site._runner is None else site._runner.eager
    count = 0
    while work is not None:
        count += work in fans
        work = work.outer
    return count


def _queued(site: Core) -> int:
    waiting = sum(not item.withdrawn for item in site._queue or ()) + len(site._overflow or ())
    if isinstance(site._chain, AsyncMap):
        waiting += len(site._chain._waiting)
    return waiting


def _buffered(site: Core) -> int:
    items = sum(len(buffer.items) for buffer in site._buffers or ())
    return items + (len(site._inlet._items) if isinstance(site._inlet, Inlet) else 0)


def _dropped_now(site: Core) -> int:
    dropped = sum(buffer.dropped for buffer in site._buffers or ())
    return dropped + (site._inlet.dropped if isinstance(site._inlet, Inlet) else 0)


class Probes:
    """The probes of one view, each of which stays at its observable until :meth:`end`."""

    def __init__(self) -> None:
        self._probes: WeakKeyDictionary[Core, Probe] = WeakKeyDictionary()

    def survey(
        self, ledger: Ledger, observable: Core, time: float, above: Row | None = None, title: str | None = None
    ) -> None:
        """Give a row to an observable and to each that hangs together with it, where there is none yet.

        Args:
            ledger: Where the rows are.
            observable: The observable.
            time: Since when what is new is counted.
            above: The row that the observable stands below, if it is derived from no other.
            title: What it is called there.
        """
        for site in family_of(observable):
            probe = self._probes.get(site)
            if probe is not None or not ledger.has_room():
                continue
            sources = [row for source in dict.fromkeys(site._sources) if (row := self._row(ledger, source)) is not None]
            if above is not None and site is observable and not sources:
                sources = [above]
            probe = self._probes[site] = Probe(site)
            probe.begin()
            kind = "operator" if site._sources else "source"
            name = title if title is not None and site is observable else title_of(site)
            row = ledger.add(probe, kind, name, sources[0] if sources else None, time)
            row.sources = sources

    def _row(self, ledger: Ledger, site: Core) -> Row | None:
        probe = self._probes.get(site)
        return None if probe is None else ledger.row(probe)

    def end(self) -> None:
        """Let all observables go."""
        for probe in list(self._probes.values()):
            probe.end()
        self._probes.clear()
