"""Play marble diagrams: let sources written as diagrams flow into observables, and draw what comes out.

A character is one unit of time, ``|`` the end and ``#`` an error. Under RxPY's virtual clock no time passes, and the
drawing is exact; on an event loop the same diagrams take their time.

Usage::

    python examples/migration/marbles.py
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import reactivex
from reactivex import operators as ops
from reactivex.scheduler import VirtualTimeScheduler

from asyncutils_rx import Observable
from asyncutils_rx.scheduler import LoopScheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    Build: TypeAlias = Callable[[], Observable[...]]


def cold(diagram: str, lookup: dict[str | float, int] | None = None) -> Observable[[Any]]:
    """A source that plays a diagram to each subscriber; what a letter stands for can be looked up."""
    played: Observable[[Any]] = Observable.from_rx(
        reactivex.cold(diagram, timespan=1.0, lookup=lookup, error=ValueError(diagram))
    )
    return played


def drawn(build: Build) -> str:
    """Draw what an observable emits, on a virtual clock that is handed down to whatever it is derived from."""
    clock = VirtualTimeScheduler()
    marbles: list[str] = []

    def draw(marble: object) -> None:
        now = int(clock.to_seconds(clock.now))
        marbles.append("-" * (now - sum(map(len, marbles))) + str(marble))

    build().to_rx().subscribe(draw, lambda _: draw("#"), lambda: draw("|"), scheduler=clock)
    clock.start()
    return "".join(marbles)


def merged() -> Observable[...]:
    """Two sources in one."""
    return Observable.merge(cold("a-----d---1--------4-|"), cold("--b-c-------2---3-|   "))


def looked_up() -> Observable[...]:
    """Letters that stand for numbers, and what is made of them."""
    return cold("-x---y--x-|", {"x": 2, "y": 4}).map(lambda number: ((number + 1,), {}))


def failing() -> Observable[...]:
    """An error ends the one that it reaches, at once."""
    return Observable.merge(cold("1-2-----4-----6-7--|"), cold("----3-----5-#"))


def flattened() -> Observable[...]:
    """Each letter begins another diagram: an operator that only RxPY has, by ``pipe``."""

    def song(letter: str) -> reactivex.Observable[str]:
        return reactivex.cold(f"{letter}-{letter}-{letter}|", timespan=1.0)

    return cold("a---b---c-|").pipe(ops.flat_map(song))


async def at_a_time() -> None:
    """Let a hot source begin at a point in time, whoever listens by then, and pass its numbers on as they come."""
    scheduler = LoopScheduler()
    begin = scheduler.now + timedelta(seconds=0.25)
    hot = reactivex.hot("10--11--12|", timespan=0.01, duetime=begin, scheduler=scheduler)
    numbers: Observable[[int]] = Observable.from_rx(hot)
    async for number in numbers.values():
        print(f"{number} at {'or after ' if scheduler.now > begin else ''}the time")


def main() -> None:
    """Draw the diagrams, then play one in real time."""
    for build in (merged, looked_up, failing, flattened):
        print(f"{build.__name__:10} {drawn(build)}")
    asyncio.run(at_a_time())


if __name__ == "__main__":
    main()
