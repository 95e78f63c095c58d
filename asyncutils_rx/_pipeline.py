"""Data through middlewares, one after another: data in, data out.

Knows no registry, no task and no bus, only the callables it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from .types import Middleware

__all__ = ["MiddlewareFailed", "run_pipeline"]


class MiddlewareFailed(Exception):  # noqa: N818  # says what happened, and never reaches a user
    """A middleware raised an ordinary error; those after it were not called.

    Attributes:
        middleware: The one that raised.
        error: What it raised.
    """

    def __init__(self, middleware: Middleware, error: Exception) -> None:
        super().__init__(middleware, error)
        self.middleware = middleware
        self.error = error


async def run_pipeline(middlewares: Iterable[Middleware], event_type: str, data: Any) -> Any:
    """Return what the last middleware makes of ``data``, each having the result of the one before.

    A result that can be awaited is awaited, unless it is the very data that went in: what is passed on is not touched.
    Does not suspend unless a middleware does.

    Args:
        middlewares: The middlewares in order; must not change meanwhile.
        event_type: The topic, the same for all of them.
        data: What the first one gets.

    Raises:
        MiddlewareFailed: A middleware raised an ``Exception``.
        BaseException: A middleware raised something else, such as ``CancelledError``, which is passed on as it is.

    Cancellation: the middleware that runs is cancelled, and those after it are not called.
    """
    for middleware in middlewares:
        try:
            result: object = middleware(event_type, data)
            if result is not data and hasattr(type(result), "__await__"):
                result = await cast("Awaitable[object]", result)
        except Exception as error:
            raise MiddlewareFailed(middleware, error) from error
        data = result
    return data
