"""What buses tell a live view: how much was published in each topic, and what is going on there."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from .._live._numbers import Numbers
from ._picture import title_of, topics_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._live._ledger import Ledger, Row
    from .._observable._probe import Probes
    from ..types import WildcardType
    from ._bus import EventBus
    from ._core import Core
    from ._statistics import Counts

__all__ = ["BusProbe"]

_STATES = {"draining": "closing", "ending": "closing", "closed": "closed"}


class Topic:
    """What one topic of one bus tells.

    Args:
        probe: The probe of the bus.
        event_type: The topic.
    """

    is_gone = False

    def __init__(self, probe: BusProbe, event_type: str) -> None:
        self._probe = probe
        self._event_type = event_type

    def read(self) -> Numbers:
        """Return the numbers of the moment."""
        return self._probe.read_topic(self._event_type)


class BusProbe:
    """Counts what happens at one bus, from :meth:`begin` to :meth:`end`.

    Args:
        bus: The bus.
    """

    is_gone = False

    def __init__(self, bus: EventBus) -> None:
        self._core: Core = bus._core  # noqa: SLF001  # the room of the bus
        self._name = bus.name
        self._counts: Counts = defaultdict(int)
        self._errors: Counter[str] = Counter()
        self._topics: dict[str, Topic] = {}
        self._leave: Callable[[], None] | None = None

    def begin(self) -> None:
        """Count from now on."""
        core = self._core
        self._leave = core.statistics.watch(self._counts)
        core.watches = (*core.watches, self._failed)

    def end(self) -> None:
        """Count no more."""
        core = self._core
        core.watches = tuple(watch for watch in core.watches if watch != self._failed)
        assert self._leave is not None  # since it began
        self._leave()

    def _failed(self, event_type: str, error: BaseException) -> None:
        self._errors[event_type] += isinstance(error, Exception)

    # What a view asks

    def survey(self, ledger: Ledger, probes: Probes, time: float) -> None:
        """Give a row to the bus, to each topic in which something happens, and to the observables of topics."""
        row = ledger.row(self)
        if row is None:
            if not ledger.has_room():
                return
            row = ledger.add(self, "bus", self._name, None, time)
        observables = self._core.observables.alive()
        for topic in self._found():
            below: Row | None = row
            if isinstance(topic, str):
                below = self._row_of(topic, ledger, row, time)
            for event_type, observable in observables:
                if event_type == topic:
                    probes.survey(ledger, observable, time, below, "observable()")

    def _found(self) -> Iterable[str | WildcardType]:
        found = topics_of(self._core)
        return [*sorted({*self._counts, *self._errors}.difference(found)), *found]

    def _row_of(self, topic: str, ledger: Ledger, above: Row, time: float) -> Row | None:
        source = self._topics.get(topic)
        if source is None:
            if not ledger.has_room():
                return None
            source = self._topics[topic] = Topic(self, topic)
            return ledger.add(source, "topic", title_of(topic), above, time)
        return ledger.row(source)

    def read(self) -> Numbers:
        """Return the numbers of the bus as a whole."""
        core = self._core
        state = _STATES.get(core.state) or ("publishing" if core.running else "idle")
        waiting = sum(publication.load[1] for publication in core.running)
        return Numbers(
            state,
            sum(self._counts.values()),
            core.places.taken,
            waiting + sum(buffer.waiting for buffer in core.streams.open),
            sum(len(buffer.items) for buffer in core.streams.open),
            self._errors.total(),
        )

    def read_topic(self, topic: str) -> Numbers:
        """Return the numbers of one topic."""
        core = self._core
        loads = [publication.load for publication in core.running if publication.event_type == topic]
        buffers = [buffer for buffer in core.streams.open if buffer.event_type == topic]
        return Numbers(
            _STATES.get(core.state) or ("publishing" if loads else "idle"),
            self._counts.get(topic, 0),
            sum(running for running, _ in loads),
            sum(waiting for _, waiting in loads) + sum(buffer.waiting for buffer in buffers),
            sum(len(buffer.items) for buffer in buffers),
            self._errors[topic],
        )
