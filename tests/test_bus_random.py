"""A bus under random load: nested publications, streams, cancellations and shutdowns, all at once."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncutils_rx import EventBus
from asyncutils_rx.exceptions import BusPublishingError, BusShutDown, BusTimeout
from tests.observable_kit import within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED = (ValueError, ExceptionGroup, BusTimeout, BusShutDown, BusPublishingError)


class Load:
    """Subscribers, a middleware and a reader that do something at random."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.errors: list[BaseException] = []
        self.most = 0
        self.limit = random.randint(1, 4)
        self.bus = EventBus(max_concurrent=self.limit, handler=self.errors.append if random.random() < 0.5 else None)
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.errors.append(context["exception"]))
        for topic in "aabbcc":
            self.bus.subscribe(self._subscriber(), topic, weak=False)
        if random.random() < 0.5:
            self.bus.add_middleware(self.middleware)
        self.stream = self.bus.event_stream(bufsize=random.choice([0, 1, 2]), timeout=random.choice([None, 0.002]))

    def _subscriber(self) -> Callable[[int], Any]:
        async def subscriber(depth: int) -> None:
            self.most = max(self.most, self.bus.active_tasks)
            await tick(self.random.randint(0, 3))
            if depth:
                await self.act(depth, self.random.random())
            self.most = max(self.most, self.bus.active_tasks)

        return subscriber

    async def act(self, depth: int, choice: float) -> None:
        random = self.random
        if choice < 0.5:
            timeout = random.choice([None, None, 0.001])
            await self.bus.publish(random.choice("abc"), depth - 1, safe=random.random() < 0.7, timeout=timeout)
        elif choice < 0.6:
            await self.bus.publish("a", depth - 1, wait=False)
        elif choice < 0.65:
            self.bus.sync_start_publish("b", depth - 1)
        elif choice < 0.7:
            raise ValueError(depth)
        elif choice < 0.71:
            await self.bus.shutdown(random.random() < 0.5)

    async def middleware(self, _: str, data: int) -> int:
        if self.random.random() < 0.1:
            await tick()
        if self.random.random() < 0.02:
            raise KeyError(data)
        return data

    async def read(self) -> None:
        async for _ in self.stream:
            if self.random.random() < 0.3:
                await tick()


@pytest.mark.virtual_time
@settings(max_examples=60)
@given(st.integers(0, 2**32))
async def test_nothing_hangs_nothing_is_left_and_the_limit_holds(seed: int) -> None:
    random = Random(seed)
    load = Load(random)
    bus = load.bus
    reading = asyncio.ensure_future(load.read())
    tasks = [asyncio.ensure_future(bus.publish(random.choice("abc"), random.randint(0, 4))) for _ in range(8)]
    for _ in range(20):
        await tick()
        if random.random() < 0.2:
            random.choice(tasks).cancel()
    await within(bus.shutdown(random.random() < 0.3, timeout=random.choice([None, 0.005])), 20)
    await within(asyncio.wait([*tasks, reading]))
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, *EXPECTED):
            task.result()
    core = bus._core
    assert load.most <= load.limit
    assert bus.active_tasks == 0
    assert not core.running
    assert not core.places.waiting
    assert not core.places.urgent
    assert not core.places.shut
    assert core.places.free == load.limit
    assert not core.places._absent
    assert not core.places.owing
    await tick()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [error for error in load.errors if not isinstance(error, EXPECTED)] == []
