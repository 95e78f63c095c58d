"""Await values of a stream: the next one, the first that matters, all of them, the last one, the end.

RxPY's observables can be awaited, which gives their last value. Here each of these waits has a name, and a time limit
where one makes sense.

Usage::

    python examples/migration/awaiting.py
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ObservableTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READINGS = (20.5, 21.0, 23.5, 26.0, 24.5)
WARM = 25


async def thermometer() -> AsyncIterator[float]:
    """Measure now and then."""
    for celsius in READINGS:
        await asyncio.sleep(0.02)
        yield celsius


async def main() -> None:
    """Wait for the same measurements in five ways."""
    readings = Observable[[float]]()
    warm = readings.filter(lambda celsius: celsius > WARM)

    async def tell_all() -> list[float]:
        return [celsius async for celsius in everything]

    async with readings, asyncio.TaskGroup() as waiting:
        everything = readings.values()
        every = waiting.create_task(tell_all())
        following = waiting.create_task(readings.wait_for_next())
        alarm = waiting.create_task(warm.wait_for_next(timeout=5))
        last = asyncio.ensure_future(readings.to_rx())
        await asyncio.sleep(0)  # the tasks above begin to wait
        await readings.feed(thermometer())
        try:
            await readings.wait_for_next(timeout=0.01)
        except ObservableTimeout:
            print("nothing more within 0.01 s")
        await readings.aclose()
        await readings.wait_closed()

    (celsius,), _ = following.result()
    print("next:      ", celsius)
    (celsius,), _ = alarm.result()
    print(f"over {WARM} °C:", celsius)
    print("last:      ", await last)
    print("all:       ", *every.result())


if __name__ == "__main__":
    asyncio.run(main())
