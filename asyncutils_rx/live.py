"""A live view of observables and buses while they run: rates, queues, running callbacks, errors and drops.

:func:`watch` makes a block. Inside it a table is kept up to date, in a notebook, in marimo or in a terminal, and
:meth:`LiveView.snapshot` gives the numbers themselves, to tests, logs and metrics.

>>> import asyncio
>>> from asyncutils_rx import Observable
>>> from asyncutils_rx.live import watch
>>> async def main():
...     async with Observable[[int]]() as numbers:
...         even = numbers.filter(lambda number: number % 2 == 0)
...         with watch(numbers, display=None) as view:
...             await numbers.feed(range(5))
...     return view.snapshot()
>>> [(node.name, node.total) for node in asyncio.run(main()).nodes]
[('Observable', 5), ('filter(<lambda>)', 3)]
"""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

from ._arguments import check_choice, check_duration
from ._bus import EventBus
from ._bus._probe import BusProbe
from ._live._displays import DISPLAYS, opened
from ._live._html import page
from ._live._ledger import Ledger
from ._live._numbers import Node, Snapshot
from ._live._table import table
from ._observable import Observable
from ._observable._probe import Probes
from .exceptions import AlreadyEnteredError, ArgumentTypeError, ArgumentValueError, NoLoopError, WrongLoopError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable, Container
    from types import TracebackType
    from typing import Self

    from ._live._displays import Display

__all__ = ["LiveView", "Node", "Snapshot", "Where", "watch"]

Where: TypeAlias = "Literal['auto', 'html', 'widget', 'rich', 'text'] | TextIO | Callable[[Snapshot], object]"
"""Where a view is shown: by name, in a text stream, or by a function that takes each snapshot."""


def watch(
    *watched: Observable[...] | EventBus,
    interval: float = 0.25,
    window: float = 2.0,
    display: Where | None = "auto",
) -> LiveView:
    """Return a live view, to be used in a ``with`` or an ``async with`` block.

    It shows one row for each observable that is named, and for each that these are derived from or that is derived
    from these; and for a bus, for each topic in which something happens, and the observables of topics. What is
    derived or published first while the view is open gets its row with the next sample, and an observable is counted
    from then on. Counts are exact. The view is no observer: it does not keep a derived observable alive, nor make
    ``from_rx`` subscribe.

    Args:
        *watched: Observables and buses of the running loop. They are held until the block is left.
        interval: Seconds between two samples, by the loop's clock, more than 0. On a loop that is busy for longer,
            there are fewer.
        window: Over how many of the latest seconds rates are taken, more than 0.
        display: Where it is shown. ``"html"``: as the output of the notebook's cell, in Jupyter and marimo.
            ``"widget"``: there too, as a widget; it needs the extra ``notebook``. ``"rich"``: on stderr, by rich; it
            needs the extra ``cli``. ``"text"``: on stderr, as plain text; where that is no terminal, once, at the end.
            ``"auto"``: in marimo as HTML; in Jupyter as a widget, or else HTML; on a terminal by rich, or else as
            text, whatever is installed. A text stream gets plain text. A function is called with each snapshot, the
            last one included. With None nothing is shown.

    Raises:
        ArgumentTypeError: One of them is neither an observable nor a bus, or another argument is of the wrong kind.
        ArgumentValueError: There is nothing to watch, ``interval`` or ``window`` is not more than 0, or no display has
            that name.
        MissingExtraError: The display needs an extra that is not installed; the message names it.

    >>> watch(Observable(), display=None)
    <LiveView of 1 object, not entered>
    """
    owner = "live.watch"
    if not watched:
        raise ArgumentValueError(owner, "watched", watched, "at least one observable or bus")
    for each in watched:
        if not isinstance(each, (Observable, EventBus)):
            raise ArgumentTypeError(owner, "watched", each, "observables and buses only")
    for parameter, value in (("interval", interval), ("window", window)):
        if not check_duration(owner, parameter, value):
            raise ArgumentValueError(owner, parameter, value, "more than 0")
    if isinstance(display, str):
        check_choice(owner, "display", display, DISPLAYS)
    elif display is not None and not callable(display) and not hasattr(display, "write"):
        raise ArgumentTypeError(owner, "display", display, "a name, a text stream, a function or None")
    return LiveView(watched, interval, window, opened(display))


class LiveView:
    """A view of what observables and buses do; made by :func:`watch`.

    It has one timer on the loop, from the beginning to the end of its block, and nothing else: no task, no thread.
    What a display raises goes to the loop's exception handler, once, and nothing is shown any more; the samples go on.
    As the last line of a notebook's cell it shows the latest table.
    """

    def __init__(
        self, watched: tuple[Observable[...] | EventBus, ...], interval: float, window: float, display: Display | None
    ) -> None:
        self._watched = watched
        self._count = len(watched)
        self._interval = interval
        self._display = display
        self._ledger = Ledger(window)
        self._probes = Probes()
        self._buses: list[BusProbe] = []
        self._loop: AbstractEventLoop | None = None
        self._timer: TimerHandle | None = None
        self._began = 0.0
        self._last: Snapshot | None = None

    def __enter__(self) -> Self:
        """Begin to count and to show.

        Raises:
            AlreadyEnteredError: It was entered before.
            NoLoopError: No event loop is running.
            WrongLoopError: What is to be watched belongs to another loop.
        """
        if self._loop is not None:
            raise AlreadyEnteredError(repr(self), "it was entered before; make a new one with watch()")
        try:
            loop = get_running_loop()
        except RuntimeError:
            raise NoLoopError(
                repr(self), "a live view needs a running event loop; use it in a coroutine, under asyncio.run()"
            ) from None
        for each in self._watched:
            if each._loop not in {None, loop}:  # noqa: SLF001  # looking binds it to no loop
                raise WrongLoopError(repr(each), "it belongs to another event loop; watch it from a coroutine there")
        self._loop = loop
        self._began = loop.time()
        self._buses = [BusProbe(each) for each in self._watched if isinstance(each, EventBus)]
        for probe in self._buses:
            probe.begin()
        self._survey()
        self._timer = loop.call_later(self._interval, self._tick)
        self._show(self._ledger.snapshot(0.0))
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Show the last numbers, and let everything go; leaving what was not entered is harmless."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self._survey()
        self._ledger.look()  # and no sample: since the last one there may have been next to no time
        self._last = self._ledger.snapshot(self._elapsed(), ended=True)
        self._probes.end()
        for probe in self._buses:
            probe.end()
        self._watched = ()
        self._buses = []
        self._ledger = Ledger(1.0)
        self._show(self._last)
        self._display = None

    async def __aenter__(self) -> Self:
        """Begin; as without ``async``.

        Cancellation: does not wait.
        """
        return self.__enter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """End; as without ``async``.

        Cancellation: does not wait.
        """
        self.__exit__(exc_type, exc, traceback)

    def __repr__(self) -> str:
        state = "not entered" if self._loop is None else "ended" if self._timer is None else "open"
        return f"<LiveView of {self._count} object{'s' * (self._count != 1)}, {state}>"

    def snapshot(self) -> Snapshot:
        """Return the numbers of this moment; after the block, the last ones; before it, none."""
        if self._last is not None:
            return self._last
        if self._timer is not None:
            self._survey()
            self._ledger.look()
        return self._ledger.snapshot(self._elapsed())

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """Return the table as HTML and as text, by MIME type; as IPython asks for it."""
        snapshot = self.snapshot()
        bundle = {"text/html": page(snapshot), "text/plain": f"{self!r}\n{table(snapshot)}"}
        return {
            kind: shown
            for kind, shown in bundle.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }

    def _elapsed(self) -> float:
        return 0.0 if self._loop is None else self._loop.time() - self._began

    def _survey(self) -> None:
        """Find what is new."""
        ledger, now = self._ledger, self._elapsed()
        ledger.begin_survey()
        for probe in self._buses:
            probe.survey(ledger, self._probes, now)
        for each in self._watched:
            if isinstance(each, Observable):
                self._probes.survey(ledger, each, now)

    def _tick(self) -> None:
        assert self._loop is not None
        self._survey()
        self._ledger.mark(self._elapsed())
        self._show(self._ledger.snapshot(self._elapsed()))
        self._timer = self._loop.call_later(self._interval, self._tick)

    def _show(self, snapshot: Snapshot) -> None:
        if self._display is None:
            return
        try:
            self._display(snapshot)
        except Exception as error:
            self._display = None
            assert self._loop is not None
            self._loop.call_exception_handler(
                {"message": f"{self!r} cannot be shown any more", "exception": error, "source": self}
            )
