"""Right uses of ``Rendezvous``."""

from __future__ import annotations

import asyncio
import operator
from typing import assert_type

from asyncutils_rx import Rendezvous
from asyncutils_rx.types import StateSnapshot


async def put(meeting: Rendezvous[float]) -> None:
    assert_type(await meeting.put(1.5), bool)
    assert_type(await meeting.put(1, timeout=0), bool)
    assert_type(await meeting.raising_put(1.5, timeout=None), None)
    assert_type(asyncio.create_task(meeting.put(1)), asyncio.Task[bool])


async def get(meeting: Rendezvous[int]) -> None:
    assert_type(await meeting.get(), int)
    assert_type(await meeting.get(timeout=1.5), int)
    assert_type(await meeting.get(None), int | None)
    assert_type(await meeting.get("nothing", timeout=1), int | str)
    assert_type(await meeting.exchange(1, timeout=3, asap=True), int)
    values = await asyncio.gather(meeting.get(), meeting.exchange(2))
    assert_type(values, tuple[int, int])


async def look(meeting: Rendezvous[int]) -> None:
    snapshot = meeting.state_snapshot()
    assert_type(snapshot, StateSnapshot)
    getters, putters, total, idle = snapshot
    assert_type((getters, putters, total, idle), tuple[int, int, int, bool])
    assert_type(snapshot.num_ops, int)
    assert_type(operator.length_hint(meeting), int)
    assert_type(meeting.cleanup(), None)
    assert_type(await meeting.reset(), None)


def construct(loop: asyncio.AbstractEventLoop) -> None:
    assert_type(Rendezvous[bytes](), Rendezvous[bytes])
    declared: Rendezvous[bytes] = Rendezvous(loop=loop, lock=asyncio.Lock())
    assert_type(declared, Rendezvous[bytes])


async def worker(meeting: Rendezvous[list[str]]) -> None:
    while words := await meeting.get(timeout=3):
        assert_type(words, list[str])
