"""The registry of middlewares: which are in force, in which order, and what removing one gives."""

from __future__ import annotations

from asyncio import Task
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Sequence

    from ..types import Middleware

__all__ = ["UNKNOWN", "Middlewares"]

UNKNOWN = object()
"""What :meth:`Middlewares.remove` gives for what was never added, or is removed already."""


class Middlewares:
    """The middlewares of one bus, in order of insertion. Each is kept under a number that is never used again.

    Attributes:
        entries: Those that are there, by number; a temporary one may have expired.
    """

    __slots__ = ("_cookies", "_futures", "_snapshot", "_temporary", "entries")

    def __init__(self) -> None:
        self._cookies = count(1)
        self.entries: dict[int, Middleware] = {}
        self._temporary: dict[int, Future[Any]] = {}
        # Outlives the middleware, so that its future's result can be asked for afterwards.
        self._futures: WeakKeyDictionary[Future[Any], list[int]] = WeakKeyDictionary()
        self._snapshot: tuple[Middleware, ...] | None = ()

    def __len__(self) -> int:
        return len(self.current())

    def add(self, middleware: Middleware) -> int:
        """Add a middleware at the end; return its number."""
        cookie = next(self._cookies)
        self.entries[cookie] = middleware
        self._snapshot = None
        return cookie

    def add_until(self, middleware: Middleware, until: Future[Any]) -> None:
        """Add a middleware at the end that is in force until the future is done."""
        cookie = self.add(middleware)
        self._temporary[cookie] = until
        self._futures.setdefault(until, []).append(cookie)

    def current(self) -> Sequence[Middleware]:
        """Return those that are in force now."""
        if self._temporary:
            self._expire()
        if self._snapshot is None:
            self._snapshot = tuple(self.entries.values())
        return self._snapshot

    def _expire(self) -> None:
        for cookie in [cookie for cookie, until in self._temporary.items() if until.done()]:
            del self._temporary[cookie]
            del self.entries[cookie]
            self._snapshot = None

    def remove(self, cookie: int | Future[Any], result: object) -> Any:
        """Remove what a number or a future stands for; return its result, or :data:`UNKNOWN`.

        Raises:
            BaseException: The future failed, or was cancelled.
        """
        if isinstance(cookie, int):
            until = self._temporary.get(cookie)
            if until is None:
                return UNKNOWN if not self._drop(cookie) else result
            return UNKNOWN
        cookies = self._futures.pop(cookie, None)
        if cookies is None:
            return UNKNOWN
        for number in cookies:
            self._temporary.pop(number, None)
            self._drop(number)
        if cookie.done():
            return cookie.result()
        if not isinstance(cookie, Task):  # what a task returns is its own business
            cookie.set_result(result)
        return result

    def _drop(self, cookie: int) -> bool:
        if cookie not in self.entries:
            return False
        del self.entries[cookie]
        self._snapshot = None
        return True

    def clear(self) -> None:
        """Remove all of them. Their futures are left as they are."""
        self.entries.clear()
        self._temporary.clear()
        self._futures.clear()
        self._snapshot = ()
