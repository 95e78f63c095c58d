"""The scheduler that lets RxPY's operators run on an event loop's clock.

Importing this module imports :mod:`reactivex`; importing the package does not.

>>> import asyncio
>>> import reactivex
>>> from asyncutils_rx.scheduler import LoopScheduler
>>> async def main():
...     done = asyncio.Event()
...     scheduler = LoopScheduler()
...     reactivex.timer(0.01, scheduler=scheduler).subscribe(print, on_completed=done.set)
...     await done.wait()
>>> asyncio.run(main())
0
"""

from __future__ import annotations

from ._rx._scheduler import LoopScheduler

__all__ = ["LoopScheduler"]
