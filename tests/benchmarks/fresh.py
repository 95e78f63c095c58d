"""Functions with bytecode of their own.

The interpreter specialises bytecode for what it meets there. Where two contestants ran the same bytecode, each
would spoil it for the other, and the bound would suffer most.
"""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fresh"]

P = ParamSpec("P")
T = TypeVar("T")


def fresh(function: Callable[P, T]) -> Callable[P, T]:
    """Return a copy of a function; it, and what is defined inside it, share no bytecode with the original."""
    original = cast("FunctionType", function)
    copy = FunctionType(
        _copied(original.__code__), original.__globals__, original.__name__, original.__defaults__, original.__closure__
    )
    copy.__kwdefaults__ = original.__kwdefaults__
    return cast("Callable[P, T]", copy)


def _copied(code: CodeType) -> CodeType:
    constants = tuple(_copied(constant) if isinstance(constant, CodeType) else constant for constant in code.co_consts)
    return code.replace(co_consts=constants)
