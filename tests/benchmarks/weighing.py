"""What things weigh: the memory that Python's allocator gave out while so many of them were made."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import TYPE_CHECKING, Any, TypeAlias

from .model import BOUND, OURS, Contestant, Row, UnavailableError
from .timing import Effort, MiscountError, loop_factory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Fill", "weigh"]

# Makes as many things as it was set up for, and returns how many there are.
Fill: TypeAlias = "Callable[[], Awaitable[int]]"


def weigh(row: Row, effort: Effort, only: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Weigh the contestants of a row; return what became of each.

    Raises:
        MiscountError: The bound or the library did not make as many as it should.
    """
    results: dict[str, dict[str, Any]] = {}
    for contestant in row.contestants:
        if only and contestant.name not in (BOUND, *only):
            continue
        try:
            with asyncio.Runner(loop_factory=loop_factory(effort.loop)) as runner:
                value = runner.run(_weighed(contestant, row.size))
        except UnavailableError as error:
            if contestant.name in (BOUND, OURS):
                raise
            results[contestant.name] = {"status": "skipped", "reason": str(error)}
        except Exception as error:
            if contestant.name in (BOUND, OURS):
                raise MiscountError(f"{contestant.name}: {type(error).__name__}: {error}") from error
            results[contestant.name] = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
        else:
            results[contestant.name] = {
                "status": "measured",
                "value": value,
                "ratio": value / results[BOUND]["value"] if contestant.name != BOUND else 1.0,
                "rounds": 1,
            }
    return results


async def _weighed(contestant: Contestant, size: int) -> float:
    async with contestant.set_up(size) as fill:
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            made = await fill()
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        if made != size:
            raise MiscountError(f"made {made} of {size}")
        return (after - before) / size
