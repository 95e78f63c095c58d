"""Errors: which ones a stream survives, where each arrives, and when to retry.

In RxPY a mapper that raises ends the stream, and ``retry`` subscribes to its source once more. Here it costs one
notification, whoever notified gets the error, and there is nothing to retry. ``retry`` keeps its job where a *source*
fails: it stands before ``from_rx``.

Usage::

    python examples/migration/failing.py
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import reactivex
from reactivex import operators as ops

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from reactivex.abc import SchedulerBase


def odd(number: int) -> tuple[tuple[int], dict[str, object]]:
    """Refuse even numbers."""
    if number % 2 == 0:
        raise ValueError(f"{number} is even")
    return (number,), {}


async def a_transform_that_raises() -> None:
    """The notifier gets the error, and the next number passes."""
    async with Observable[[int]]() as numbers:
        numbers.map(odd).subscribe_nowait(partial(print, "transform:"))
        for number in range(1, 6):
            try:
                await numbers.notify(number)
            except ValueError as error:
                print("transform:", error)


async def a_source_that_fails_at_first() -> None:
    """RxPY subscribes to the source until it succeeds; only then does anything arrive here."""
    obstacles = [ConnectionError("refused"), ConnectionError("reset")]

    def connect(_: SchedulerBase) -> reactivex.Observable[str]:
        return reactivex.throw(obstacles.pop()) if obstacles else reactivex.of("hello", "world")

    greetings: Observable[[str]] = Observable.from_rx(reactivex.defer(connect).pipe(ops.retry(5)))
    async for greeting in greetings.values():
        print("source:", greeting)


async def a_source_that_fails_for_good() -> None:
    """Whoever iterates, or waits for the end, gets the error that ended the stream."""
    broken = reactivex.concat(reactivex.of(1, 2), reactivex.throw(ConnectionError("line cut")))
    numbers: Observable[[int]] = Observable.from_rx(broken)
    try:
        async for number in numbers.values():
            print("for good:", number)
    except ConnectionError as error:
        print("for good:", error)


async def an_error_that_nobody_waits_for() -> None:
    """A timer has no caller; the loop's exception handler gets what its observers raise, and nothing ends."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: print("timer:", context["exception"]))
    ticks: Observable[[int]] = Observable.from_rx(reactivex.interval(0.01).pipe(ops.take(5)))
    ticks.map(odd).subscribe_nowait(partial(print, "timer:"))
    await ticks.wait_closed()


async def main() -> None:
    """Show one error after the other."""
    await a_transform_that_raises()
    await a_source_that_fails_at_first()
    await a_source_that_fails_for_good()
    await an_error_that_nobody_waits_for()


if __name__ == "__main__":
    asyncio.run(main())
