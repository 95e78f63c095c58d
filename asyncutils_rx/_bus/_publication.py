"""One publication: through the middlewares, on to sinks and subscribers, and what becomes of their errors."""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from .._fanout import FanOut, Scope
from .._pipeline import MiddlewareFailed, run_pipeline
from .._runner import CALLS_BETWEEN_TURNS
from ..exceptions import BusPublishingError, BusTimeout
from ..types import WILDCARD
from ._interruption import Interruption

if TYPE_CHECKING:
    from asyncio import Task, TimerHandle
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ..types import Chaperone, WildcardType
    from ._brief import Brief
    from ._core import Core
    from ._sinks import Pending, Sink

__all__ = ["Publication"]

_ENDING = (KeyboardInterrupt, SystemExit)
_NO_KEYWORDS: dict[str, Any] = {}
_NOTHING: dict[Pending, None] = {}  # shared: who adds to it makes one of its own


class Callbacks(FanOut):
    """The callbacks of one publication, which tell it when they fail.

    Attributes:
        publication: The publication.
        calls: What is called; wildcards are partials.
        specific: How many of these are the topic's own.
    """

    publication: Publication
    calls: Sequence[Any]
    specific: int

    def take_over(self, brief: Brief, task: Task[None]) -> None:
        """Go on with what was begun without this. The task is one of its drivers from now on."""
        self._rest = brief.rest
        self._calls = brief.numbered
        self._turn += 1
        errors, brief.errors = brief.errors, []
        brief.callbacks = self
        brief.caller = None
        for index, error in errors:
            self.failed(index, error)
        self._watch(task)

    def go_on(self) -> bool:
        """Start what is left, before whoever comes after this; return whether all have ended."""
        if self.waiting:
            self._advance(first=True)
        self._over = self.ended
        return self._over

    def stop(self) -> None:
        """Start no more."""
        self._stop()

    def failed(self, index: int, error: BaseException) -> None:
        """Take note of a callback's error."""
        self._note(index, error)

    def _note(self, index: int, error: BaseException) -> None:
        super()._note(index, error)
        self.publication.callback_failed(error)


class Publication:
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
        "_bus",
        "_callbacks",
        "_chaperone",
        "_data",
        "_doom",
        "_event_type",
        "_first",
        "_interruption",
        "_lender",
        "_pending",
        "_safe",
        "_scope",
        "_sink_errors",
        "_sinks",
        "_stopped",
        "_timeout",
        "core",
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
        self.core = core
        self._bus = bus
        self._event_type = event_type
        self._data = data
        self._safe = safe
        self._timeout = timeout
        self._chaperone = chaperone
        self.task: Task[Any] | None = None
        self.in_background = False
        self.unstarted = False
        self._begun: tuple[Brief, Task[None], Sequence[Callable[..., object]], int] | None = None
        self._brief: Brief | None = None
        self._callbacks: Callbacks | None = None
        self._doom: Exception | None = None
        self._first: BaseException | None = None
        self._interruption: Interruption | None = None
        self._lender: Task[Any] | None = None
        self._pending = _NOTHING
        self._scope: Scope | None = None
        self._sinks: Sequence[Sink] | None = None
        self._sink_errors: Sequence[BaseException] = ()
        self._stopped = False

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

    def adopt(self, brief: Brief, task: Task[None], calls: Sequence[Callable[..., object]], specific: int) -> None:
        """Go on with callbacks that were begun without a publication."""
        self._begun = brief, task, calls, specific
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
                self._go_on(*begun)
                self._begun = begun = None  # the traceback of an error holds this frame
                if self._doom is not None:
                    interruption.interrupt(self._doom)
                await self._see_to_the_end()
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
        calls, specific = core.topics.calls(self._event_type)
        if calls and not self._stopped:
            self._start(calls, specific, data)
        await self._see_to_the_end()

    async def _see_to_the_end(self) -> None:
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

    def _start(self, calls: Sequence[Callable[..., object]], specific: int, data: Any) -> None:
        core = self.core
        if core.can_start_at_once():
            assert self.task is not None  # it runs
            self._brief = brief = core.spare or core.new_brief()
            started = brief.start(core, core.runner, self.task, calls, data, self._safe)
            self._brief = None
            if started is not None:
                self._go_on(brief, started, calls, specific)
        else:
            self._start_callbacks(self._new_callbacks(calls, specific))

    def _go_on(self, brief: Brief, task: Task[None], calls: Sequence[Callable[..., object]], specific: int) -> None:
        """Take over from what was brief until now."""
        callbacks = self._new_callbacks(calls, specific)
        callbacks.take_over(brief, task)
        for skipped in brief.skips:
            self.skip(*skipped)
        if self._doom is not None:
            callbacks.stop()
        if not callbacks.go_on():
            self._begin()
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
        crowded = not places.open
        if crowded:
            # Inside a callback, the place of that one is for this publication before it is for others.
            places.shut += 1
            self._lend()
            places.shut -= 1
        callbacks.urgent = self._lender is not None
        if not callbacks.start():
            self._begin()
        if crowded:
            places.admit()

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
        if self._scope is not None:
            self._scope.end()

    def callback_failed(self, error: BaseException) -> None:
        """Take note of a callback's error."""
        self.core.tell(self._event_type, error)
        if self._first is None:
            self._first = error
        if not self._safe or isinstance(error, _ENDING):
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

    # Errors

    def _errors(self) -> list[BaseException]:
        """Return what callbacks and sinks raised, in order of subscription, without what their own ending raised."""
        callbacks = [] if self._callbacks is None else sorted(self._callbacks.errors, key=_INDEX)
        errors = [*(error for _, error in callbacks), *self._sink_errors]
        if self._stopped or not self._safe:
            return [error for error in errors if not isinstance(error, CancelledError)]
        return errors

    def _cut_short(self) -> None:
        """After a cancellation from outside: nobody is there to get the errors, but they are not lost."""
        errors = self._errors()
        self._forget_errors()
        self._report(errors)
        _raise_ending(errors)

    def _forget_errors(self) -> None:
        """Let go of what was raised: its traceback holds the frames that hold this."""
        if self._callbacks is not None:
            self._callbacks.errors.clear()
            self._callbacks.caller = None
        self._sink_errors = ()
        self._first = None

    async def _conclude(self) -> None:
        """After all have ended: hand over what they raised."""
        errors = self._errors()
        try:
            if not self._safe and self._first is not None:
                self._report(error for error in errors if error is not self._first)
                _raise_ending(errors)
                raise self._first
            ordinary = [error for error in errors if isinstance(error, Exception)]
            severe = len(ordinary) < len(errors)
            if ordinary:
                receiver = self._receiver()
                if receiver is not None:
                    await self._hand_over(ordinary, receiver)
                elif severe:
                    self._report(ordinary)
                else:
                    raise self._group(ordinary)
            if severe:
                _raise_ending(errors)
                raise next(error for error in errors if not isinstance(error, Exception))
        finally:
            errors.clear()
            self._forget_errors()

    def _receiver(self) -> Callable[[Exception], Awaitable[None]] | None:
        core = self.core
        chaperone = self._chaperone
        if chaperone is not None:
            return lambda error: core.give(chaperone, error, self._bus)
        return None if core.handler is None else lambda error: core.handle(error, self._bus)

    async def _hand_over(self, errors: Iterable[Exception], receiver: Callable[[Exception], Awaitable[None]]) -> None:
        """Give each error to what takes it, one after another."""
        waiting = deque(errors)
        try:
            while waiting:
                await receiver(waiting.popleft())
        except BaseException:
            for error in waiting:
                self.core.to_loop("a publication was cut short before this error was handled", error, self._bus)
            raise

    def _report(self, errors: Iterable[BaseException]) -> None:
        for error in errors:
            if isinstance(error, Exception):
                self.core.report(error, self._bus)

    def _group(self, errors: Sequence[Exception]) -> ExceptionGroup[Exception]:
        flat = list(_flattened(errors))
        failed = "1 subscriber" if len(flat) == 1 else f"{len(flat)} subscribers"
        return ExceptionGroup(f"{failed} of {self._bus!r} failed on a publication of {self._event_type!r}", flat)

    async def _middleware_failed(self, error: BusPublishingError) -> None:
        self.core.tell(self._event_type, error)
        if self._chaperone is None:
            raise error
        await self.core.give(self._chaperone, error, self._bus)


_INDEX = itemgetter(0)


def _raise_ending(errors: Iterable[BaseException]) -> None:
    """Raise what ends the program, if it is there."""
    for error in errors:
        if isinstance(error, _ENDING):
            raise error


def _flattened(errors: Iterable[Exception]) -> Iterable[Exception]:
    """Yield the errors, those inside groups one by one."""
    for error in errors:
        if isinstance(error, ExceptionGroup):
            yield from _flattened(cast("ExceptionGroup[Exception]", error).exceptions)
        else:
            yield error
