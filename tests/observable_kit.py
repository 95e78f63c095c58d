"""What the tests of ``Observable`` share: observers that note, hold and fail, and ways to reach a known moment."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NoReturn, Self

from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from asyncutils_rx import Observable

__all__ = [
    "SETTLED",
    "Held",
    "Log",
    "Recorder",
    "Tally",
    "begin",
    "busy",
    "collect_errors",
    "failing",
    "now",
    "settle",
    "within",
]

SETTLED = 25
"""So many turns of the loop are enough for anything that waits for nothing but the loop."""


class Recorder:
    """An async observer that notes each call; it suspends once, unless told not to."""

    def __init__(self, *, suspends: bool = True, journal: list[Any] | None = None) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.suspends = suspends
        self.journal = journal

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append((args, kwargs))
        if self.journal is not None:
            self.journal.append(args[0])
        if self.suspends:
            await asyncio.sleep(0)

    @property
    def values(self) -> list[Any]:
        """The first positional argument of each call."""
        return [args[0] for args, _ in self.calls]


class Tally:
    """A sync observer that notes the first argument of each call."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def __call__(self, value: Any, *_: Any, **__: Any) -> None:
        self.values.append(value)


class Held:
    """An async observer each of whose calls ends when the test releases its value."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.ended: list[Any] = []
        self.cancelled: list[Any] = []
        self.running = 0
        self.most_running = 0
        self._gates: dict[Any, asyncio.Event] = {}
        self._all_released = False
        self._moved = asyncio.Event()

    async def __call__(self, value: Any = None, *_: Any, **__: Any) -> None:
        self.started.append(value)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self._moved.set()
        try:
            if not self._all_released:
                await self._gate(value).wait()
        except asyncio.CancelledError:
            self.cancelled.append(value)
            raise
        else:
            self.ended.append(value)
        finally:
            self.running -= 1

    def _gate(self, value: Any) -> asyncio.Event:
        return self._gates.setdefault(value, asyncio.Event())

    def forget(self) -> None:
        """Let go of every value."""
        for noted in (self.started, self.ended, self.cancelled, self._gates):
            noted.clear()

    def release(self, *values: Any) -> None:
        """Let the calls with these values end; without values, let all calls end, the coming ones too."""
        if not values:
            self._all_released = True
        for gate in [self._gate(value) for value in values] or list(self._gates.values()):
            gate.set()

    async def entered(self, value: Any, seconds: float = 5) -> None:
        """Wait until a call with ``value`` has started."""
        async with asyncio.timeout(seconds):
            while value not in self.started:
                self._moved.clear()
                await self._moved.wait()


def failing(error: BaseException, *, suspends: bool = False) -> Callable[..., Coroutine[Any, Any, NoReturn]]:
    """Return an async observer that raises ``error``, at once or after it was suspended."""

    async def observer(*_: Any, **__: Any) -> NoReturn:
        if suspends:
            await asyncio.sleep(0)
        raise error

    return observer


def now() -> float:
    """Return the time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let the loop run until nothing happens any more, unless something waits for a timer, a thread or an event."""
    await tick(SETTLED)


async def begin(awaitable: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Return a task that has come as far as it can without anyone's help."""
    task = asyncio.ensure_future(awaitable)
    await settle()
    return task


async def busy(observable: Observable[...], held: Held, value: Any = "running") -> asyncio.Task[None]:
    """Return the task of a notification of ``value`` that is now held by ``held``."""
    task = asyncio.ensure_future(observable.notify(value))
    await held.entered(value)
    return task


async def within(awaitable: Awaitable[Any], seconds: float = 5) -> Any:
    """Await something that must not hang."""
    async with asyncio.timeout(seconds):
        return await awaitable


class Log(logging.Handler):
    """What the package logs; used as a context manager, it keeps the records from everyone else meanwhile.

    pytest would hold on to the records, and through their tracebacks to all that the test made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __enter__(self) -> Self:
        logger = logging.getLogger("asyncutils_rx")
        logger.addHandler(self)
        logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("asyncutils_rx")
        logger.removeHandler(self)
        logger.propagate = True

    def has(self, error: BaseException) -> bool:
        """Whether ``error`` was logged, with its traceback or by its message."""
        return any(
            (record.exc_info is not None and _mentions(record.exc_info[1], error)) or str(error) in record.getMessage()
            for record in self.records
        )


def _mentions(seen: BaseException | None, error: BaseException) -> bool:
    if isinstance(seen, BaseExceptionGroup):
        return any(_mentions(inner, error) for inner in seen.exceptions)
    return seen is error or (type(seen) is type(error) and str(seen) == str(error))


def collect_errors(contexts: list[dict[str, Any]]) -> list[BaseException]:
    """Return the exceptions that reached the loop's handler, flattened, and forget them."""
    found: list[BaseException] = []
    for context in contexts:
        error = context.get("exception")
        assert isinstance(error, BaseException), context
        pending = [error]
        while pending:
            first = pending.pop(0)
            if isinstance(first, BaseExceptionGroup):
                pending = [*first.exceptions, *pending]
            else:
                found.append(first)
    contexts.clear()
    return found
