"""What RxPY's operators are called: they are closures, and their names and parameters are inside."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from ..exceptions import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["operator_name", "pipe_name"]

_MOST = 24
_MOST_OPERATORS = 8
_UNTOLD = frozenset({"has_seed", "scheduler", "skip"})


def pipe_name(operators: Sequence[object]) -> str:
    """Return a pipe of operators as it is written, shortened where it is long."""
    names = [operator_name(operator) for operator in operators[:_MOST_OPERATORS]]
    return f"pipe({', '.join(names + ['…'] * (len(operators) > _MOST_OPERATORS))})"


def operator_name(operator: object) -> str:
    """Return an operator as it is written, such as ``take(3)``; of what is no operator of RxPY's, its name.

    Until 4.1 an operator is a closure over its parameters; since then it is one over the function that takes the
    source and over the arguments.
    """
    inside = _inside(operator)
    made_by = inside.get("fun")
    if made_by is not None:
        values = [*inside.get("args", ()), *inside.get("kwargs", {}).values()]
        return f"{_name(made_by)}({_listed(values)})"
    if "operators" in inside:
        return " | ".join([operator_name(each) for each in inside["operators"]])
    name = _name(operator)
    if not _is_rxpys(operator):
        return name
    values = [value for key, value in inside.items() if key not in _UNTOLD and key != "args"]
    return f"{name}({_listed([*inside.get('args', ()), *values])})"


def _inside(operator: object) -> dict[str, Any]:
    """Return what a closure of RxPY's holds, by name."""
    if not isinstance(operator, FunctionType) or operator.__closure__ is None or not _is_rxpys(operator):
        return {}
    names = operator.__code__.co_freevars
    return {name: cell.cell_contents for name, cell in zip(names, operator.__closure__, strict=True)}


def _is_rxpys(function: object) -> bool:
    return str(getattr(function, "__module__", "")).startswith("reactivex.")


def _listed(values: list[object]) -> str:
    return ", ".join(_shown(value) for value in values if _was_given(value))


def _was_given(value: object) -> bool:
    """Whether a parameter is worth telling: no scheduler, and none of RxPY's own defaults."""
    is_default = value is None or str(getattr(value, "__module__", "")).startswith("reactivex.internal.")
    return not is_default and not hasattr(value, "schedule_relative")


def _shown(value: object) -> str:
    text = _name(value) if callable(value) else shown(value)
    return text if len(text) <= _MOST else "…"


def _name(function: object) -> str:
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        return type(function).__name__
    if _is_rxpys(function):
        return name.partition(".<locals>")[0].rstrip("_")
    return name.rpartition("<locals>.")[2]
