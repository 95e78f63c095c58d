"""What becomes of the errors of one publication."""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, cast

from .._alone import ENDING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ..exceptions import BusPublishingError
    from ..types import Chaperone
    from ._callbacks import Callbacks
    from ._core import Core

__all__ = ["Outcome"]


class Outcome:
    """The errors of one publication, and who gets them.

    Args:
        bus: The bus, for errors; kept alive until the end.
        core: What the bus is made of.
        event_type: The topic.
        safe: Whether each callback ends in its own time, whatever the others do.
        chaperone: What takes the errors, or None.

    Attributes:
        core: As above.
    """

    __slots__ = (
        "_bus",
        "_callbacks",
        "_chaperone",
        "_event_type",
        "_first",
        "_safe",
        "_sink_errors",
        "_stopped",
        "core",
    )

    def __init__(self, bus: object, core: Core, event_type: str, safe: bool, chaperone: Chaperone | None) -> None:
        self.core = core
        self._bus = bus
        self._event_type = event_type
        self._safe = safe
        self._chaperone = chaperone
        self._callbacks: Callbacks | None = None
        self._first: BaseException | None = None
        self._sink_errors: Sequence[BaseException] = ()
        self._stopped = False

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
        if isinstance(error, ENDING):
            raise error


def _flattened(errors: Iterable[Exception]) -> Iterable[Exception]:
    """Yield the errors, those inside groups one by one."""
    for error in errors:
        if isinstance(error, ExceptionGroup):
            yield from _flattened(cast("ExceptionGroup[Exception]", error).exceptions)
        else:
            yield error
