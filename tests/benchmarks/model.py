"""What is measured: rows, their contestants, and the job that each of them does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

__all__ = [
    "BOUND",
    "OURS",
    "Contestant",
    "Job",
    "Make",
    "Row",
    "UnavailableError",
    "need",
    "nothing_to_check",
    "tally",
]

OURS = "asyncutils-rx"
BOUND = "bound"


class UnavailableError(Exception):
    """A contestant cannot take part here; the message is the reason."""


def need(module: str) -> Any:
    """Return a module that a contestant consists of.

    Raises:
        UnavailableError: It cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnavailableError(f"{module} cannot be imported: {error}") from error


async def nothing_to_check() -> None:
    """What a job that is checked by its deliveries alone checks besides."""


class Job(NamedTuple):
    """One contestant, set up and ready to run.

    Attributes:
        run: Does the operation so many times, and returns when everything was delivered.
        delivered: How many deliveries there were so far.
        per_operation: How many deliveries one operation is.
        check: Raises where what was set up does not work as it should; called once, not measured.
    """

    run: Callable[[int], Awaitable[None]]
    delivered: Callable[[], int]
    per_operation: int
    check: Callable[[], Awaitable[None]] = nothing_to_check


Make: TypeAlias = "Callable[[int], AbstractAsyncContextManager[Any]]"


class Contestant(NamedTuple):
    """One way to do the job of a row.

    Attributes:
        name: The library's name, or what else it is.
        make: Sets the job up, for the size of a row.
        less: What it does less than the library does, in a few words; empty for nothing.
        kernel: Whose event loop it runs on: ``asyncio`` or ``trio``.
        wrong: Why it is known not to deliver what it should; such a contestant is shown and does not fail the run.
        statement: What to import, in rows of that kind.
    """

    name: str
    make: Make | None
    less: str = ""
    kernel: str = "asyncio"
    wrong: str = ""
    statement: str = ""

    def set_up(self, size: int) -> AbstractAsyncContextManager[Any]:
        """Return a context with the job, for a size."""
        assert self.make is not None
        return self.make(size)


class Row(NamedTuple):
    """One line of the table: the same job, done by several contestants.

    Attributes:
        name: What it is called on the command line.
        title: What it is called in the table.
        size: The number that the contestants are set up for.
        units: How many units of work one operation is; times are given per unit.
        unit: What a unit is.
        bound: The code of the bound, on one line.
        contestants: The bound, the library, then the others.
        kind: What is measured: ``time``, ``memory`` or ``import``.
        at_least: How many operations a round has at least, so that what it starts with does not matter.
        curve: Which curve it is a point of; none, if empty.
    """

    name: str
    title: str
    size: int
    units: int
    unit: str
    bound: str
    contestants: tuple[Contestant, ...]
    kind: str = "time"
    at_least: int = 1
    curve: str = ""


def tally(count: int) -> tuple[list[Callable[[Any], Awaitable[None]]], Callable[[], int]]:
    """Return so many asynchronous observers that count what they get, and a function that returns the count."""
    delivered = 0

    def make() -> Callable[[Any], Awaitable[None]]:
        async def observer(_value: Any) -> None:
            nonlocal delivered
            delivered += 1

        return observer

    return [make() for _ in range(count)], lambda: delivered
