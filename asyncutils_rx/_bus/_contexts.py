"""Contexts that can be entered with ``with`` and with ``async with``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import AlreadyEnteredError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["DualContext"]


class DualContext:
    """A context that runs a function on entry, and what that returns on exit. It can be used again after it was left.

    Args:
        name: What it is called in errors.
        enter: Called on entry; returns what is called on exit.
    """

    __slots__ = ("_enter", "_leave", "_name")

    def __init__(self, name: str, enter: Callable[[], Callable[[], None]]) -> None:
        self._name = name
        self._enter = enter
        self._leave: Callable[[], None] | None = None

    def __enter__(self) -> None:
        """Enter.

        Raises:
            AlreadyEnteredError: It was entered before and not left yet.
        """
        if self._leave is not None:
            raise AlreadyEnteredError(repr(self), "it was entered and not left yet; make one for each block")
        self._leave = self._enter()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Leave; leaving what was not entered is harmless."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    async def __aenter__(self) -> None:
        """Enter; as without ``async``.

        Cancellation: does not wait.
        """
        self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Leave; as without ``async``.

        Cancellation: does not wait.
        """
        self.__exit__(exc_type, exc, traceback)

    def __repr__(self) -> str:
        return f"<{self._name}, {'not entered' if self._leave is None else 'entered'}>"
