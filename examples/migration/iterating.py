"""Iterate over an RxPY source with ``async for``: the consumer sets the pace, or a policy says what it misses.

With RxPY alone this takes a class that queues notifications and hands out futures. ``values()`` is that class: its
buffer is bounded, and whoever wants to put something into a full one waits, unless another policy is named.

Usage::

    python examples/migration/iterating.py
"""

from __future__ import annotations

import asyncio

import reactivex

from asyncutils_rx import Observable


def numbers() -> Observable[[int]]:
    """An RxPY source that emits ten numbers as fast as it can, as soon as somebody listens."""
    source: Observable[[int]] = Observable.from_rx(reactivex.range(10))
    return source


async def at_leisure() -> None:
    """Take every number, though slowly: only two of them wait in this buffer, the others before it."""
    print("all:        ", end="")
    async for number in numbers().values(maxsize=2):
        await asyncio.sleep(0.005)
        print("", number, end="")
    print()


async def the_newest() -> None:
    """Look away for a while: what is left then are the newest, and how many are gone is known."""
    taken = numbers().values(maxsize=3, overflow="drop_oldest")
    await asyncio.sleep(0.05)
    print("the newest: ", *[number async for number in taken], f"({taken.dropped} dropped)")


async def with_a_limit() -> None:
    """Give up a step when it takes too long, and go on with the next: nothing is lost in between."""
    ticks: Observable[[int]] = Observable.from_rx(reactivex.interval(0.25))
    print("with limit: ", end="")
    async with ticks.values() as steps:
        for patience in (0.01, 5.0, 5.0):
            try:
                print("", await asyncio.wait_for(anext(steps), patience), end="")
            except TimeoutError:
                print(" too early,", end="")
    print()


async def main() -> None:
    """Iterate in each of these ways."""
    await at_leisure()
    await the_newest()
    await with_a_limit()


if __name__ == "__main__":
    asyncio.run(main())
