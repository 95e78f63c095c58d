"""Waiting for one event, and subscribing until a future is done."""

from __future__ import annotations

from asyncio import CancelledError, wait
from typing import TYPE_CHECKING, Any, TypeVar

from .._alone import is_awaitable
from ..exceptions import BusTimeout
from ._buffer import EndOfStreamError
from ._interruption import Interruption

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable

    from ._buffer import Buffer

__all__ = ["first_event", "result_until"]

T = TypeVar("T")


async def first_event(
    bus: object,
    loop: AbstractEventLoop,
    buffer: Buffer,
    condition: Callable[[Any], object] | None,
    timeout: float | None,
    deadline: float,
) -> Any:
    """Return the first item of ``buffer`` that satisfies the condition.

    Raises:
        BusTimeout: There was none until the deadline, by the loop's clock, which only counts with a timeout.
        Exception: The condition raised it.
        CancelledError: The buffer has ended.

    Cancellation: an asynchronous condition that runs is cancelled.
    """
    timer = None
    async with Interruption(bus) as interruption:
        try:
            if timeout is not None:
                error = BusTimeout(repr(bus), f"waiting for an event of {buffer.event_type!r}", timeout)
                timer = loop.call_at(deadline, interruption.interrupt, error)
            while True:
                item = await _pop(buffer)
                if condition is None:
                    return item
                answer = condition(item)
                if is_awaitable(answer):
                    answer = await answer  # type: ignore[misc]  # is_awaitable was true
                if answer:
                    return item
        finally:
            if timer is not None:
                timer.cancel()


async def _pop(buffer: Buffer) -> Any:
    try:
        return await buffer.pop()
    except EndOfStreamError:
        raise CancelledError("the event bus was shut down") from None


async def result_until(bus: object, until: Future[T], remove: Callable[[], object], till_permanent: float | None) -> T:
    """Wait for a future, call ``remove``, and return its result.

    Raises:
        BusTimeout: The future was not done after so many seconds; ``remove`` was not called.
        BaseException: The future failed or was cancelled; ``remove`` was called.

    Cancellation: ``remove`` is called; the future is left as it is.
    """
    try:
        done, _ = await wait([until], timeout=till_permanent)
    except CancelledError:
        remove()
        raise
    if not done:
        assert till_permanent is not None
        raise BusTimeout(repr(bus), "the future that a subscriber was to be removed after", till_permanent)
    remove()
    return until.result()
