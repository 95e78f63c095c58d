"""What the public calls of a bus share: arguments that were not passed, and checks before a coroutine begins."""

from __future__ import annotations

import enum
import sys
from asyncio import isfuture
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .._arguments import check_callable, wrong_type
from .._wildcard import WildcardType

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MISSING",
    "Missing",
    "check_event_type",
    "check_flag",
    "check_future",
    "check_optional_callable",
    "check_topic",
    "checks_first",
]

F = TypeVar("F", bound="Callable[..., Any]")


class Missing(enum.Enum):
    """The type of :data:`MISSING`."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "..."


MISSING: Final = Missing.MISSING
"""Stands for an argument that was not passed, where None means something."""


def checks_first(function: F) -> F:
    """Mark a function as one that returns a coroutine, though it checks its arguments before it makes that.

    Frameworks ask whether a callable is a coroutine function before they decide how to call it.
    """
    if sys.version_info >= (3, 12):
        from inspect import markcoroutinefunction

        return markcoroutinefunction(function)
    from asyncio import coroutines

    function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001  # what 3.11 looks for
    return function


def check_topic(owner: str, parameter: str, value: object) -> None:
    """Refuse what is no string."""
    if not isinstance(value, str):
        raise wrong_type(owner, parameter, value, "a string")


def check_event_type(owner: str, value: object) -> None:
    """Refuse what is neither a string nor the wildcard."""
    if not isinstance(value, str | WildcardType):
        raise wrong_type(owner, "event_type", value, "a string or EventBus.WILDCARD")


def check_flag(owner: str, parameter: str, value: object) -> bool:
    """Return ``value`` where it is a bool."""
    if not isinstance(value, bool):
        raise wrong_type(owner, parameter, value, "True or False")
    return value


def check_future(owner: str, parameter: str, value: object) -> None:
    """Refuse what is no future of asyncio."""
    if not isfuture(value):
        raise wrong_type(owner, parameter, value, "an asyncio.Future")


def check_optional_callable(owner: str, parameter: str, value: object) -> None:
    """Refuse what is neither None nor callable."""
    if value is not None:
        check_callable(owner, parameter, value)
