"""The callbacks of a publication for as long as none of them is suspended: one task, and next to nothing besides.

Most publications end like that. What is left over when one does not is for a fan-out: see
:meth:`asyncutils_rx._bus._callbacks.Callbacks.take_over`.
"""

from __future__ import annotations

from asyncio import CancelledError, current_task
from contextvars import copy_context
from operator import length_hint
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from .._alone import ENDING, differs, is_awaitable, start_alone, start_coroutine
from .._runner import Work

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Iterator, Sequence
    from contextvars import Context, ContextVar

    from .._runner import Runner
    from ..types import WildcardType
    from ._callbacks import Callbacks
    from ._core import Core
    from ._places import Places

__all__ = ["Brief"]

_NO_KEYWORDS: dict[str, Any] = {}
_NONE: Iterator[Callable[..., object]] = iter(())
_NONE_NUMBERED = enumerate(_NONE)


class Brief(Work):
    """Runs callbacks in one task that starts at once, as a driver of a fan-out does; serves until one is suspended.

    It can stand for a publication meanwhile.

    Args:
        places: The places of the bus.

    Attributes:
        callbacks: What has taken over, if anything has.
        cancelling: How many cancellations of the publisher's task were under way at the start.
        doom: Why the publication is to be ended, where it is.
        driver: The task, if it has not ended well.
        errors: ``(index, error)`` of each callback that raised, until something has taken over.
        numbered: What of the callbacks has not been taken, with the indices.
        rest: The same without.
        shuts: Whether nobody else is let in as long as some have not started.
        skips: What was unsubscribed meanwhile.
        stopped: Whether the task takes no more callbacks.
    """

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self.callbacks: Callbacks | None = None
        self.cancelling = 0
        self.doom: Exception | None = None
        self.driver: Task[None] | None = None
        self.errors: list[tuple[int, BaseException]] = []
        self.rest = _NONE
        self.numbered = _NONE_NUMBERED
        self.skips: list[tuple[str | WildcardType, Callable[..., object] | None]] = []
        self.shuts = False
        self.stopped = False
        self._fail_fast = False

    @property
    def task(self) -> Task[Any] | None:
        """The task of the publisher."""
        return self.caller

    def start(
        self,
        core: Core,
        runner: Runner,
        publisher: Task[Any],
        calls: Sequence[Callable[..., object]],
        data: Any,
        safe: bool,
    ) -> bool:
        """Start callbacks, with a place that is free; return whether something has to take over.

        This is the case where a callback is suspended, failed or left a trace, or where something was unsubscribed.
        """
        places = core.places
        places.free -= 1
        self.caller = publisher
        self.cancelling = publisher.cancelling()
        del publisher  # the traceback of what a callback raises holds this frame
        several = len(calls) > 1
        try:
            if several:
                # What starts on the stack can give places back, and those are not for whoever comes after this.
                places.shut += 1
                self.shuts = True
                self.rest = iter(calls)
                self.numbered = enumerate(self.rest)
                self._fail_fast = not safe
                self._start_driver(runner, data)
            else:
                self.driver = start_alone(runner, self, calls[0], (data,), _NO_KEYWORDS)
        except BaseException:
            self.open_gate(places)
            places.leave()
            raise
        finally:
            core.brief = None
        if self.driver is not None or self.stopped or self.errors:
            self.stopped = True
            core.spare = None
            return True
        self.caller = None
        if several:
            self.rest = _NONE
            self.numbered = _NONE_NUMBERED
            self.shuts = False
            places.shut -= 1
        if places.waiting or places.urgent or places.owing:
            places.leave()
        else:
            places.free += 1
        return False

    def _start_driver(self, runner: Runner, data: Any) -> None:
        context = copy_context()
        task = start_coroutine(runner, self, self._drive(data, context), context)
        if not task.done() or length_hint(self.rest):
            self.driver = task

    def open_gate(self, places: Places) -> None:
        """Let others in again."""
        if self.shuts:
            self.shuts = False
            places.shut -= 1
            places.admit()

    async def _drive(self, data: Any, context: Context) -> None:
        """Take callbacks, one after another, for as long as none of them suspends or leaves a trace."""
        before = context.copy()
        held: tuple[tuple[ContextVar[Any], object], ...] = ()
        cancelling: Callable[[], int] | None = None
        index = -1
        try:
            for index, call in self.numbered:
                try:
                    result = call(data)
                    if type(result) is CoroutineType or (result is not None and is_awaitable(result)):
                        await result  # type: ignore[misc]  # is_awaitable was true
                except CancelledError:
                    raise
                except BaseException as error:
                    self._note(index, error)
                if self.stopped:
                    return
                if cancelling is None:
                    task = current_task()
                    assert task is not None
                    cancelling = task.cancelling
                    held = tuple(before.items()) if before else ()
                if (differs(context, before, held) if held else context) or cancelling():
                    return
        except CancelledError as error:
            self._note(index, error)
            raise
        except BaseException as error:
            self._note(index, error)

    def _note(self, index: int, error: BaseException) -> None:
        if self.callbacks is not None:
            self.callbacks.failed(index, error)
            return
        self.errors.append((index, error))
        if self._fail_fast or isinstance(error, ENDING):
            self.stopped = True

    # In place of the publication

    def abort(self, reason: Exception) -> None:
        """Have the publication ended once its task goes on."""
        self.doom = reason
        self.stopped = True

    def skip(self, event_type: str | WildcardType, subscriber: Callable[..., object] | None = None) -> None:
        """Start a subscriber of ``event_type`` no more, or all of them."""
        self.skips.append((event_type, subscriber))
        self.stopped = True
