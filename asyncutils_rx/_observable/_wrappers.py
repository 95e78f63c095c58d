"""The wrappers that some observers get; loaded with the first that gets one."""

from __future__ import annotations

from asyncio import CancelledError, shield, wrap_future
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from .._alone import is_awaitable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from ._core import Core

__all__ = ["CountedObserver", "ThreadedObserver", "new_executor"]


class CountedObserver:
    """Calls an observer a number of times, and removes it as the last of these begins."""

    __slots__ = ("_left", "_observable", "_observer")

    def __init__(self, observable: Core, observer: Callable[..., object], count: int) -> None:
        self._observable = observable
        self._observer = observer
        self._left = count

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        """Call the observer, unless it has been called often enough."""
        if self._left == 0:
            return None
        self._left -= 1
        if self._left == 0:
            self._observable._forget(self._observer, self)  # a part of it
        return self._observer(*args, **kwargs)


class ThreadedObserver:
    """Calls a synchronous observer in a thread of the observable's executor."""

    __slots__ = ("_observable", "_observer")

    def __init__(self, observable: Core, observer: Callable[..., object]) -> None:
        self._observable = observable
        self._observer = observer

    async def __call__(self, *args: Any, **kwargs: Any) -> object:
        """Wait for the observer's end.

        Cancellation: a call that has not begun in its thread never begins; one that has is awaited. Then
        CancelledError is raised.
        """
        executor = self._observable._threads()  # a part of it
        running = executor.submit(_outcome, partial(copy_context().run, self._observer, *args, **kwargs))
        waiting: Future[Any] = wrap_future(running)
        cancelled: CancelledError | None = None
        while not waiting.done():
            try:
                await shield(waiting)
            except CancelledError as error:
                if running.cancel():
                    raise
                cancelled = error
        if cancelled is not None:
            raise cancelled
        result, failure = waiting.result()
        if failure is not None:
            try:
                raise failure
            finally:
                del failure
        return await result if is_awaitable(result) else result


def _outcome(call: Callable[[], object]) -> tuple[Any, BaseException | None]:
    """Return what a call returned, and what it raised: not every exception can be set on a future."""
    try:
        return call(), None
    except BaseException as error:
        return None, error


def new_executor() -> ThreadPoolExecutor:
    """Return an executor for the synchronous observers of one observable."""
    from concurrent.futures import ThreadPoolExecutor  # costs time that only a threaded observer is worth

    return ThreadPoolExecutor(thread_name_prefix="asyncutils-rx-observer")
