"""Ordering events without a clock."""

from __future__ import annotations

from asyncio import sleep


async def tick(n: int = 1) -> None:
    """Let the loop run ``n`` turns.

    Args:
        n: The number of turns, at least 0.
    """
    for _ in range(n):
        await sleep(0)
