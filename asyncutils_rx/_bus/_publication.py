"""One publication: through the middlewares, and on to sinks and subscribers."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from .._alone import ENDING
from .._fanout import FanOut, Scope
from .._pipeline import MiddlewareFailed, run_pipeline
from .._runner import CALLS_BETWEEN_TURNS
from .._wildcard import WILDCARD
from ..exceptions import BusPublishingError, BusTimeout
from ._callbacks import Callbacks
from ._interruption import Interruption
from ._outcome import Outcome

if TYPE_CHECKING:
    from asyncio import Task, TimerHandle
    from collections.abc import Callable, Sequence

    from ..types import Chaperone, WildcardType
    from ._brief import Brief
    from ._core import Core
    from ._sinks import Pending, Sink

__all__ = ["Publication"]

_NO_KEYWORDS: dict[str, Any] = {}
_NOTHING: dict[Pending, None] = {}  # shared: who adds to it makes one of its own


class Publication(Outcome):
    """One publication of one bus.

    Args:
        bus: The bus, for errors; kept alive until the end.
        core: What the bus is made of.
        event_type: The topic.
        data: What the first middleware gets.
        safe: Whether each callback ends in its own time, whatever the others do.
        timeout: After how many seconds it is ended; None is never.
        chaperone: What takes its errors, or None.

    Attributes:
        core: As above.
        task: The task that it runs in, while it does.
        in_background: Whether it was given a task of its own; it ends when that does.
        unstarted: Whether that has not had its first step yet.
    """

    __slots__ = (
        "_begun",
        "_brief",
        "_counted",
        "_data",
        "_doom",
        "_interruption",
        "_lender",
        "_pending",
        "_scope",
        "_sinks",
        "_timeout",
        "in_background",
        "task",
        "unstarted",
    )

    def __init__(
        self,
        bus: object,
        core: Core,
        event_type: str,
        data: Any,
        safe: bool,
        timeout: float | None,
        chaperone: Chaperone | None,
    ) -> None:
        super().__init__(bus, core, event_type, safe, chaperone)
        self._data = data
        self._timeout = timeout
        self.task: Task[Any] | None = None
        self.in_background = False
        self.unstarted = False
        self._begun: tuple[Brief, Sequence[Callable[..., object]], int] | None = None
        self._brief: Brief | None = None
        self._counted = False
        self._doom: Exception | None = None
        self._interruption: Interruption | None = None
        self._lender: Task[Any] | None = None
        self._pending = _NOTHING
        self._scope: Scope | None = None
        self._sinks: Sequence[Sink] | None = None

    @property
    def event_type(self) -> str:
        """The topic."""
        return self._event_type

    @property
    def load(self) -> tuple[int, int]:
        """How many callbacks run, and how many wait for a place; one that has not begun waits too."""
        callbacks = self._callbacks
        if callbacks is None:
            return 0, int(self.unstarted)
        return callbacks.running, callbacks.waiting

    # The course of it

    def adopt(self, brief: Brief, calls: Sequence[Callable[..., object]], specific: int) -> None:
        """Go on with callbacks that were begun without a publication."""
        self._begun = brief, calls, specific
        self._doom = brief.doom

    def go_on_with(self, sinks: Sequence[Sink]) -> None:
        """Go on where the other sinks have the data."""
        self._sinks = sinks

    async def run(self) -> None:
        """Run from start to end; the call is one of this publication only."""
        core = self.core
        if self.unstarted:
            core.took_first_step(self)
            behind = False
        else:
            core.began(self)
            behind = core.unstarted > 0
        try:
            await self._run_interruptibly(behind)
        except Exception as error:
            await self._return_place(error)
            raise
        except BaseException:
            if self._lender is not None:
                core.places.go_without(self._lender)
            raise
        else:
            if self._lender is not None:
                await self._return_place(None)
        finally:
            # These know this publication, and keep the subscribers and the bus alive.
            self._callbacks = self._interruption = self._lender = None
            if not self.in_background:
                core.ended(self)

    async def _return_place(self, failure: Exception | None) -> None:
        """Give the callback that waited for this its place back, before it goes on."""
        if self._lender is not None:
            try:
                await self.core.places.take_back(self._lender, self.core.runner)
            except BaseException:
                if failure is not None:
                    self.core.report(failure, self._bus)
                raise

    async def _run_interruptibly(self, behind: bool) -> None:
        runner = self.core.runner
        timer: TimerHandle | None = None
        begun = self._begun
        self._interruption = interruption = Interruption(self._bus, None if begun is None else begun[0].cancelling)
        self.task = interruption.task
        try:
            if begun is not None:
                begun = None  # the traceback of an error holds this frame
                await self._see_to_the_end(self._take_over)
            else:
                self._check_doom()
                if self._timeout is not None:
                    timer = runner.loop.call_later(self._timeout, self._expire, self._timeout)
                await self._take_turn(behind)
                await self._process()
        except BaseException as error:
            if interruption.reason is not None:
                await interruption.end(error)
            raise
        else:
            if interruption.reason is not None:
                await interruption.end(None)
        finally:
            interruption.task = None
            if timer is not None:
                timer.cancel()

    async def _take_turn(self, behind: bool) -> None:
        """Let the loop run, where it is time for that."""
        # A task of the bus owes the loop no turn: it starts in one, and would let later ones overtake it. Nor is there
        # time for one while some of the sinks have the data and some have not.
        if not self.in_background and self._sinks is None:
            runner = self.core.runner
            runner.calls += 1
            if behind or runner.calls >= CALLS_BETWEEN_TURNS:
                # In its next turn the loop starts what was to be published before this.
                await runner.breathe()

    def _check_doom(self) -> None:
        if self._doom is not None:
            raise self._doom

    def _expire(self, timeout: float) -> None:
        self.abort(BusTimeout(repr(self._bus), f"a publication of {self._event_type!r}", timeout))

    def abort(self, reason: Exception) -> None:
        """End it from outside: what it runs is cancelled and awaited, and then ``reason`` is raised."""
        if self._interruption is not None:
            self._interruption.interrupt(reason)
        elif self.in_background and not self.unstarted:
            assert self.task is not None
            self.task.cancel()  # it has ended, and its error is being handled
        else:
            self._doom = reason

    async def _process(self) -> None:
        core = self.core
        data = self._data
        middlewares = core.middlewares.current()
        if middlewares:
            self._lend()
            try:
                self._data = data = await run_pipeline(middlewares, self._event_type, data)
            except MiddlewareFailed as failure:
                error = BusPublishingError(repr(self._bus), self._event_type, repr(failure.middleware))
                error.__cause__ = failure.error
                await self._middleware_failed(error)
                return
        core.passed(self._event_type, data)
        sinks = self._sinks
        if sinks is None and core.sinks.any:
            sinks = core.sinks.of(self._event_type)
        if sinks:
            self._hand_to_sinks(sinks, data)
        await self._see_to_the_end(self._start)

    async def _see_to_the_end(self, start: Callable[[], None]) -> None:
        try:
            start()
        except BaseException:
            # A task could not be made: what has been started is not left behind.
            if self._scope is not None:
                self._stop()
                await self._scope.join(self._stop)
                self._cut_short()
            raise
        if self._scope is not None:
            await self._join(self._scope)
        if self._first is not None:
            await self._conclude()

    async def _join(self, scope: Scope) -> None:
        """Wait until sinks and callbacks have ended."""
        if scope.pending:
            self._lend()
            try:
                await scope.join(self._stop)
            except CancelledError:
                self._cut_short()
                raise

    def _begin(self) -> None:
        """Count one more piece of work that is waited for."""
        if self._scope is None:
            self._scope = Scope(self.core.runner)
        self._scope.begin()

    def _hand_to_sinks(self, sinks: Sequence[Sink], data: Any) -> None:
        for sink in sinks:
            try:
                pending = sink.take(self._event_type, data, self._sink_ended)
            except Exception as error:
                self._sink_failed(error)
                if self._stopped:
                    return
            else:
                if pending is not None:
                    if self._pending is _NOTHING:
                        self._pending = {}
                    self._pending[pending] = None
                    self._begin()

    def _start(self) -> None:
        """Start the callbacks."""
        core = self.core
        calls, specific = core.topics.calls(self._event_type)
        if not calls or self._stopped:
            return
        if core.can_start_at_once():
            assert self.task is not None  # it runs
            self._brief = brief = core.spare or core.new_brief()
            is_left_over = brief.start(core, core.runner, self.task, calls, self._data, self._safe)
            self._brief = None
            if is_left_over:
                self._go_on(brief, calls, specific)
        else:
            self._start_callbacks(self._new_callbacks(calls, specific))

    def _take_over(self) -> None:
        """Go on with callbacks that were begun without this."""
        begun, self._begun = self._begun, None
        assert begun is not None
        self._go_on(*begun)
        if self._doom is not None:
            assert self._interruption is not None  # it runs
            self._interruption.interrupt(self._doom)

    def _go_on(self, brief: Brief, calls: Sequence[Callable[..., object]], specific: int) -> None:
        """Take over from what was brief until now."""
        callbacks = self._new_callbacks(calls, specific)
        callbacks.take_over(brief)
        for skipped in brief.skips:
            self.skip(*skipped)
        if self._doom is not None:
            callbacks.stop()
        try:
            callbacks.go_on()
        finally:
            self._count(callbacks)
            brief.open_gate(self.core.places)

    def _new_callbacks(self, calls: Sequence[Callable[..., object]], specific: int) -> Callbacks:
        core = self.core
        self._callbacks = callbacks = Callbacks(
            core.runner,
            calls,
            (self._data,),
            _NO_KEYWORDS,
            self.callbacks_ended,
            core.places,
            gate=core.places,
            fail_fast=not self._safe,
        )
        callbacks.caller = self.task
        callbacks.publication = self
        callbacks.calls = calls
        callbacks.specific = specific
        return callbacks

    def _start_callbacks(self, callbacks: Callbacks) -> None:
        places = self.core.places
        if not places.open:
            # Inside a callback, the place of that one is for this publication, which takes it at once, and not for
            # others.
            places.shut += 1
            self._lend()
            places.shut -= 1
        callbacks.urgent = self._lender is not None
        try:
            callbacks.start()
        finally:
            self._count(callbacks)

    def _count(self, callbacks: Callbacks) -> None:
        """Wait for callbacks that have not ended, whether all of them could be started or not."""
        if not callbacks.ended:
            self._counted = True
            self._begin()

    def _lend(self) -> None:
        """Inside a callback of the same bus: give up the place of that one for as long as this takes."""
        if self._lender is None:
            self._lender = self.core.callback_inside()
            if self._lender is not None:
                self.core.places.lend(self._lender)

    def skip(self, event_type: str | WildcardType, subscriber: Callable[..., object] | None = None) -> None:
        """Start a subscriber of ``event_type`` no more, or all of them."""
        callbacks = self._callbacks
        if callbacks is None:
            if self._brief is not None:
                self._brief.skip(event_type, subscriber)
            return
        if event_type is WILDCARD:
            wildcards = callbacks.calls[callbacks.specific :]
            skipped = {call for call in wildcards if subscriber is None or call.func == subscriber}
        elif event_type == self._event_type:
            skipped = set(callbacks.calls[: callbacks.specific]) if subscriber is None else {subscriber}
        else:
            return
        callbacks.skip = skipped.union(callbacks.skip or ())

    # What ends

    def callbacks_ended(self, _: FanOut) -> None:
        """Take note that no callback runs any more, and that none will be started."""
        if self._counted:
            assert self._scope is not None
            self._scope.end()

    def callback_failed(self, error: BaseException) -> None:
        """Take note of a callback's error."""
        self.core.tell(self._event_type, error)
        if self._first is None:
            self._first = error
        if not self._safe or isinstance(error, ENDING):
            self._stop_sinks()

    def _sink_ended(self, pending: Pending) -> None:
        assert self._scope is not None
        self._pending.pop(pending, None)
        if pending.error is not None:
            self._sink_failed(pending.error)
        self._scope.end()

    def _sink_failed(self, error: BaseException) -> None:
        self.core.tell(self._event_type, error)
        self._sink_errors = [*self._sink_errors, error]
        if self._first is None:
            self._first = error
        if not self._safe:
            self._stop()

    def _stop(self) -> None:
        """Cancel whatever runs for this publication."""
        self._stopped = True
        if self._callbacks is not None:
            self._callbacks.cancel()
        self._stop_sinks()

    def _stop_sinks(self) -> None:
        for pending in list(self._pending):
            pending.cancel()
