"""Spread work over processes, and take the results in the order of the questions, or as they are found.

With RxPY this is ``flat_map`` over futures: results come as they are found, called back on threads of the pool, and
every question is asked at once. ``map_async`` awaits them on the loop, keeps their order where it matters, and asks no
more than ``max_concurrent`` questions at a time: the others wait where they come from.

Usage::

    python examples/migration/parallel.py
"""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Literal

from asyncutils_rx import Observable

QUESTIONS = (400_000, 50_000, 100_000, 200_000, 10_000)


def count_primes(below: int) -> tuple[int, int]:
    """Count the primes below a number by sieving, which keeps one core busy."""
    sieve = bytearray([1]) * below
    sieve[:2] = b"\0\0"
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            for multiple in range(number * number, below, number):
                sieve[multiple] = 0
    return below, sum(sieve)


async def ask(pool: ProcessPoolExecutor, mode: Literal["ordered", "unordered"]) -> None:
    """Ask every question, and print the answers; leaving the context waits for the last of them."""

    async def answer(below: int) -> tuple[int, int]:
        return await asyncio.get_running_loop().run_in_executor(pool, count_primes, below)

    def tell(found: tuple[int, int]) -> None:
        print(f"{mode}: {found[1]:,} primes below {found[0]:,}")

    async with Observable[[int]]() as questions:
        questions.map_async(answer, mode=mode, max_concurrent=4).subscribe_nowait(tell)
        await questions.feed(QUESTIONS)


async def main() -> None:
    """Ask twice: once for the answers in order, once for each as soon as it is there."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        await ask(pool, "ordered")
        await ask(pool, "unordered")


if __name__ == "__main__":
    asyncio.run(main())
