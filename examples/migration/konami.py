"""Spot the Konami code among the keys that somebody presses.

The keys come from standard input, as names (``up up down down left right left right b a``) or as a terminal sends the
arrows. Each is a notification; RxPY's own ``buffer_with_count``, as an operator of ``pipe``, turns them into windows of
ten keys, each begun one key later than the one before.

Usage::

    echo up up down down left right left right b a | python examples/migration/konami.py
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

from reactivex import operators as ops

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import TextIO

CODE = ["up", "up", "down", "down", "left", "right", "left", "right", "b", "a"]
ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left"}
KEY = re.compile(r"\x1b\[[A-Z]|up|down|left|right|\S", re.IGNORECASE)


async def pressed(stream: TextIO) -> AsyncIterator[str]:
    """Read keys, line by line; the loop goes on while somebody types."""
    while line := await asyncio.to_thread(stream.readline):
        for key in KEY.finditer(line):
            yield ARROWS.get(key[0], key[0].lower())


async def watch(keys: AsyncIterator[str], celebrate: Callable[[list[str]], object]) -> None:
    """Celebrate each time that the last keys were the code."""
    async with Observable[[str]]() as key:
        windows: Observable[[list[str]]] = key.pipe(ops.buffer_with_count(len(CODE), 1))
        windows.filter(lambda window: window == CODE).subscribe_nowait(celebrate)
        await key.feed(keys)


if __name__ == "__main__":
    asyncio.run(watch(pressed(sys.stdin), lambda _: print("Konami!")))
