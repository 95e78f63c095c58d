"""Checks of arguments, shared by every public call: bad input fails at once and names parameter, value and rule."""

from __future__ import annotations

from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .exceptions import ArgumentTypeError, ArgumentValueError

__all__ = [
    "check_awaitable",
    "check_callable",
    "check_choice",
    "check_count",
    "check_duration",
    "check_hashable_callable",
    "check_iterable",
    "check_size",
    "check_timeout",
    "wrong_type",
    "wrong_value",
]


def wrong_type(owner: str, parameter: str, value: object, rule: str) -> ArgumentTypeError:
    """Return the error that says that an argument is of the wrong kind."""
    from .exceptions import ArgumentTypeError

    return ArgumentTypeError(owner, parameter, value, rule)


def wrong_value(owner: str, parameter: str, value: object, rule: str) -> ArgumentValueError:
    """Return the error that says that an argument is outside its range."""
    from .exceptions import ArgumentValueError

    return ArgumentValueError(owner, parameter, value, rule)


def check_callable(owner: str, parameter: str, value: object) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise wrong_type(owner, parameter, value, "callable")


def check_hashable_callable(owner: str, parameter: str, value: object) -> None:
    """Refuse what cannot be called or cannot be a member of a set."""
    check_callable(owner, parameter, value)
    try:
        hash(value)
    except TypeError:
        raise wrong_type(owner, parameter, value, "hashable") from None


def check_awaitable(owner: str, parameter: str, value: object) -> None:
    """Refuse what cannot be awaited."""
    if not hasattr(type(value), "__await__"):
        raise wrong_type(owner, parameter, value, "awaitable")


def check_iterable(owner: str, parameter: str, value: object) -> Iterable[Any]:
    """Refuse what cannot be iterated; return it as it is."""
    if not hasattr(type(value), "__iter__"):
        raise wrong_type(owner, parameter, value, "iterable")
    return value  # type: ignore[return-value]  # __iter__ was seen just now


def check_count(owner: str, parameter: str, value: object) -> int:
    """Return ``value`` where it is an integer of at least 1."""
    return _integer(owner, parameter, value, "an integer of at least 1", 1)


def check_size(owner: str, parameter: str, value: object) -> int:
    """Return ``value`` where it is an integer of at least 0."""
    return _integer(owner, parameter, value, "an integer of at least 0", 0)


def check_duration(owner: str, parameter: str, value: object) -> float:
    """Return ``value`` where it is a finite number of seconds that is not negative."""
    rule = "a finite number of seconds, not negative"
    number = _number(owner, parameter, value, rule)
    if not isfinite(number) or number < 0:
        raise wrong_value(owner, parameter, value, rule)
    return number


def check_timeout(owner: str, parameter: str, value: object) -> float | None:
    """Return ``value`` where it is None (no limit) or a number of seconds that is not negative; infinity is None."""
    if value is None:
        return None
    rule = "None or a number of seconds, not negative"
    number = _number(owner, parameter, value, rule)
    if isnan(number) or number < 0:
        raise wrong_value(owner, parameter, value, rule)
    return number if isfinite(number) else None


def check_choice(owner: str, parameter: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is not one of ``choices``."""
    if value not in choices:
        raise wrong_value(owner, parameter, value, "one of " + ", ".join(map(repr, choices)))


def _integer(owner: str, parameter: str, value: object, rule: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(owner, parameter, value, rule)
    if value < least:
        raise wrong_value(owner, parameter, value, rule)
    return value


def _number(owner: str, parameter: str, value: object, rule: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(owner, parameter, value, rule)
    try:
        return float(value)
    except OverflowError:
        raise wrong_value(owner, parameter, value, rule) from None
