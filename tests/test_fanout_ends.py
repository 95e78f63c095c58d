"""How a fan-out ends: with errors, cancelled by its first error, or cancelled from outside."""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.fanout_kit import Owner, own, raising
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

    Own = Callable[..., Owner]

__all__ = ["own"]


# Errors


@pytest.mark.parametrize("turns", [None, 0, 2])
async def test_fanout_error_stops_no_sibling(own: Own, turns: int | None) -> None:
    error = LookupError("first")
    ended: list[str] = []

    async def sibling() -> None:
        await tick(4)
        ended.append("sibling")

    assert await own([raising(error, turns), sibling, lambda: ended.append("sync")]).run() == [(0, error)]
    assert ended == ["sync", "sibling"]


async def test_fanout_notes_errors_with_the_index_in_the_order_of_the_failures(own: Own) -> None:
    late, early, sync = LookupError("late"), LookupError("early"), LookupError("sync")
    errors = await own([raising(late, 12), tick, raising(early, 7), raising(sync)]).run()
    assert errors == [(3, sync), (2, early), (0, late)]


@pytest.mark.parametrize("turns", [None, 0, 1])
@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_fanout_notes_once_what_ends_a_coroutine(own: Own, kind: type[BaseException], turns: int | None) -> None:
    error = kind("its own")
    ended: list[str] = []
    assert await own([raising(error, turns), lambda: ended.append("sibling"), tick]).run() == [(0, error)]
    assert ended == ["sibling"]


@pytest.mark.parametrize("turns", [None, 0, 3])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_fanout_interrupt_cancels_the_siblings_and_is_noted(
    own: Own, kind: type[BaseException], turns: int | None
) -> None:
    error = kind("stop")
    ended: list[str] = []

    async def sibling() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await tick(2)
            ended.append("cleaned up")

    errors = await own([sibling, raising(error, turns), sibling]).run()
    assert (1, error) in errors
    assert all(index == 1 or isinstance(other, asyncio.CancelledError) for index, other in errors)
    # The one after it may not have been started any more.
    assert ended in (["cleaned up"], ["cleaned up"] * 2)


async def test_fanout_interrupt_starts_no_further_callable(own: Own) -> None:
    started: list[str] = []
    error = KeyboardInterrupt()
    assert await own([raising(error), partial(started.append, "next")]).run() == [(0, error)]
    assert started == []


async def test_fanout_note_of_an_error_keeps_nothing_alive_after_it(own: Own) -> None:
    class Marker:
        pass

    alive: list[Any] = []

    async def fail() -> None:
        marker = Marker()
        alive.append(marker)
        alive[0] = None
        raise LookupError

    owner = own([fail])
    await owner.run()
    del owner
    gc.collect()
    assert not [found for found in gc.get_objects() if type(found) is Marker]


async def test_fanout_error_of_its_own_making_is_noted_too(own: Own) -> None:
    class Bad(set[object]):
        def __contains__(self, item: object) -> bool:
            raise LookupError("cannot tell")

    [(_, error)] = await own([tick], skip=Bad()).run()
    assert isinstance(error, LookupError)


# fail_fast


@pytest.mark.parametrize("turns", [0, 1, 4])
async def test_fanout_fail_fast_cancels_the_others_and_awaits_them(own: Own, turns: int) -> None:
    error = LookupError("first")
    ended: list[str] = []

    async def sibling() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await tick(3)
            ended.append("cleaned up")

    errors = await own([sibling, raising(error, turns), sibling], fail_fast=True).run()
    assert errors[0] == (1, error)
    assert all(isinstance(other, asyncio.CancelledError) for _, other in errors[1:])
    assert ended in (["cleaned up"], ["cleaned up"] * 2)


async def test_fanout_fail_fast_starts_no_further_callable(own: Own) -> None:
    started: list[str] = []
    error = LookupError()
    assert await own([raising(error), partial(started.append, "next")], fail_fast=True).run() == [(0, error)]
    assert started == []


async def test_fanout_fail_fast_notes_what_cancelled_siblings_raise_and_cancels_once(own: Own) -> None:
    first, second = LookupError("first"), LookupError("second")
    cancellations: list[int] = []

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await tick(2)
            task = asyncio.current_task()
            assert task is not None
            cancellations.append(task.cancelling())
            raise second from None

    errors = await own([stubborn, stubborn, raising(first, 8)], fail_fast=True).run()
    assert errors == [(2, first), (0, second), (1, second)]
    assert cancellations == [1, 1]


async def test_fanout_without_fail_fast_cancels_nobody(own: Own) -> None:
    first, second = LookupError("first"), LookupError("second")
    assert await own([raising(first, 1), raising(second, 6)]).run() == [(0, first), (1, second)]


# Cancelling


async def test_fanout_cancel_ends_what_runs_and_starts_nothing_more(own: Own) -> None:
    started: list[str] = []

    async def call(name: str) -> None:
        started.append(name)
        await asyncio.Event().wait()

    owner = own([partial(call, "a"), partial(call, "b")])
    owner.start()
    owner.fan.cancel()
    errors = await owner.join()
    assert all(isinstance(error, asyncio.CancelledError) for _, error in errors)
    assert len(errors) == len(started)
    assert owner.ends == [owner.fan]
    await tick(5)
    assert len(errors) == len(started)


async def test_fanout_cancelled_join_cancels_and_awaits_the_callables(own: Own) -> None:
    journal: list[str] = []

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await tick(5)
            journal.append("cleaned up")

    async def caller() -> None:
        owner = own([call, call])
        try:
            await owner.run()
        finally:
            journal.append("joined")

    task = asyncio.create_task(caller())
    await tick(10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert journal == ["cleaned up", "cleaned up", "joined"]


async def test_fanout_cancelled_twice_still_awaits_the_callables(own: Own) -> None:
    journal: list[str] = []

    async def call() -> None:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                journal.append("cancelled")
        await tick(3)
        journal.append("ended")

    async def caller() -> None:
        await own([call]).run()

    task = asyncio.create_task(caller())
    for _ in range(2):
        await tick(10)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert journal == ["cancelled", "cancelled", "ended"]


async def test_fanout_whose_tasks_somebody_cancels_before_they_begin_still_runs_the_callables(own: Own) -> None:
    seen: list[str] = []
    owner = own([partial(seen.append, "a"), partial(seen.append, "b")])
    owner.start()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await owner.join()
    assert seen == ["a", "b"]
