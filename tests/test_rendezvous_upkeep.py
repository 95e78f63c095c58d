"""What a rendezvous leaves behind: nothing. And the lock that every operation holds while it enters."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Rendezvous
from asyncutils_rx._rendezvous._line import Line
from asyncutils_rx.context import localcontext
from asyncutils_rx.exceptions import RendezvousTimeout
from tests.rendezvous_kit import CANCELLED, begin, counts, ended, settle, then, timers, waiting
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

# Garbage and loops


async def test_rendezvous_that_is_not_used_any_more_is_collected_without_the_collectors_help() -> None:
    rv: Rendezvous[int] = Rendezvous()
    tasks = [begin(rv.get()), begin(rv.put(1)), begin(rv.exchange(2)), begin(rv.exchange(3))]
    await asyncio.gather(*tasks)
    del tasks
    await settle()
    watch = weakref.ref(rv)
    gc.disable()
    try:
        del rv
        assert watch() is None
    finally:
        gc.enable()


@pytest.mark.virtual_time
async def test_rendezvous_with_an_armed_sweep_is_collected() -> None:
    rv: Rendezvous[int] = Rendezvous()
    calls: list[Any] = [rv.get() for _ in range(5)]
    for call in calls:
        call.send(None)
    watch = weakref.ref(rv)
    task = begin(rv.get(None, timeout=0))
    await task
    gets = await waiting(rv.get(), rv.get())
    gets[0].cancel()
    await settle()
    assert len(timers()) == 1
    gets[1].cancel()
    await settle()
    for call in calls:
        call.close()
    del rv, calls, call, task, gets
    gc.collect()
    assert watch() is None


async def test_rendezvous_is_not_kept_alive_by_operations_that_wait_at_it(loop_errors: list[dict[str, Any]]) -> None:
    for lost in (["get"], ["put", "put"], ["exchange"], ["put", "exchange"]):
        rv: Rendezvous[int] = Rendezvous()
        tasks = [begin(rv.get() if call == "get" else getattr(rv, call)(1)) for call in lost]
        await settle()
        watch = weakref.ref(rv)
        del rv, tasks
        gc.collect()
        assert watch() is None
    await settle()
    # Asyncio tells of each task that was lost with it, and there is nothing else to tell.
    assert [error["message"] for error in loop_errors] == ["Task was destroyed but it is pending!"] * 5
    loop_errors.clear()


@pytest.mark.virtual_time
async def test_sweep_of_a_rendezvous_that_is_gone_does_nothing() -> None:
    line: Line[asyncio.Future[None]] = Line(asyncio.get_running_loop(), lambda future: not future.done(), 5)
    futures = [asyncio.get_running_loop().create_future() for _ in range(5)]
    line.entries.extend(futures)
    futures[2].cancel()
    line.slot_left()
    assert len(timers()) == 1
    del line
    await asyncio.sleep(5)
    assert timers() == []


def test_rendezvous_does_not_hold_its_loop_open() -> None:
    async def use() -> None:
        rv: Rendezvous[int] = Rendezvous()
        gets = [begin(rv.get()) for _ in range(5)]
        await tick(2)
        gets[2].cancel()
        await tick(2)
        for get in gets:
            get.cancel()

    asyncio.run(use(), debug=True)


def test_operations_that_end_with_their_loop_leave_nothing_behind() -> None:
    rv: Rendezvous[int] = Rendezvous()

    async def use() -> None:
        for _ in range(3):
            begin(rv.put(1))
        await tick(2)

    asyncio.run(use(), debug=True)
    assert rv.state_snapshot().idle


def test_operations_that_were_left_on_a_closed_loop_can_be_collected() -> None:
    loop = asyncio.new_event_loop()
    rv: Rendezvous[int] = Rendezvous()
    calls: list[Any] = [rv.put(n) for n in range(5)] + [rv.get(None, timeout=0)]

    async def use() -> None:
        for call in calls[:5]:
            call.send(None)

    loop.run_until_complete(use())
    loop.close()
    calls.pop(2).close()
    assert counts(rv) == (0, 4)
    for call in calls:
        call.close()
    assert counts(rv) == (0, 0)


# Timers


@pytest.mark.virtual_time
async def test_operation_without_a_timeout_sets_no_timer() -> None:
    rv: Rendezvous[int] = Rendezvous()
    tasks = await waiting(rv.get(), rv.get())
    assert timers() == []
    for task in tasks:
        assert await rv.put(1)
        await task


@pytest.mark.virtual_time
@pytest.mark.parametrize("how", ["taken", "cancelled", "reset"])
async def test_operation_that_has_ended_leaves_no_timer(how: str) -> None:
    calls: list[Callable[[Rendezvous[int]], Coroutine[Any, Any, object]]] = [
        lambda rv: rv.get(timeout=5),
        lambda rv: rv.put(1, timeout=5),
        lambda rv: rv.exchange(1, timeout=5),
    ]
    for call in calls:
        rv: Rendezvous[int] = Rendezvous()
        (task,) = await waiting(call(rv))
        assert len(timers()) == 1
        match how:
            case "taken":
                await rv.get(None)
                await rv.put(2, timeout=0)
            case "cancelled":
                task.cancel()
            case _:
                await rv.reset()
        await settle()
        assert task.done()
        assert timers() == []


@pytest.mark.virtual_time
async def test_slot_in_the_middle_of_a_long_line_is_swept_after_the_maintenance_interval() -> None:
    with localcontext(RENDEZVOUS_MAINTENANCE_INTERVAL=7.0):
        rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(*(rv.get() for _ in range(5)))
    assert timers() == []
    gets[2].cancel()
    await settle()
    assert [timer.when() for timer in timers()] == [7.0]
    assert _slots(rv) == 5
    await asyncio.sleep(7)
    assert _slots(rv) == 4
    assert timers() == []
    for task in gets:
        task.cancel()
    await settle()


@pytest.mark.virtual_time
async def test_sweep_is_called_off_when_the_line_has_moved_past_the_slot() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(*(rv.put(n) for n in range(5)))
    puts[2].cancel()
    await settle()
    assert len(timers()) == 1
    assert [await rv.get() for _ in range(3)] == [0, 1, 3]
    assert timers() == []
    assert await rv.get() == 4
    await settle()


@pytest.mark.virtual_time
async def test_sweep_stays_due_while_the_line_has_another_slot() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(*(rv.put(n) for n in range(7)))
    for number in (2, 4):
        puts[number].cancel()
        await settle()
    assert [await rv.get() for _ in range(3)] == [0, 1, 3]
    assert len(timers()) == 1
    assert [await rv.get() for _ in range(2)] == [5, 6]
    assert timers() == []
    await settle()


@pytest.mark.virtual_time
async def test_sweep_of_getters_is_called_off_when_the_line_has_moved_past_the_slot() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(*(rv.get() for _ in range(5)))
    gets[2].cancel()
    await settle()
    assert len(timers()) == 1
    for n in range(4):
        assert await rv.put(n)
    assert timers() == []
    assert await ended(*gets) == [0, 1, CANCELLED, 2, 3]


@pytest.mark.virtual_time
@pytest.mark.parametrize("how", ["cleanup", "reset", "snapshot", "hint"])
async def test_sweep_is_called_off_by_whatever_clears_up(how: str) -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(*(rv.get() for _ in range(5)))
    gets[2].cancel()
    await settle()
    match how:
        case "cleanup":
            rv.cleanup()
        case "reset":
            await rv.reset()
        case "snapshot":
            assert rv.state_snapshot().num_getters == 4
        case _:
            assert rv.__length_hint__() == 4
    assert timers() == []
    for get in gets:
        get.cancel()
    await settle()


async def test_whoever_is_next_is_found_behind_the_slots_of_who_left() -> None:
    calls: list[Callable[[Rendezvous[int]], Coroutine[Any, Any, object]]] = [
        lambda rv: rv.put(1),
        lambda rv: rv.put(1, timeout=0),
        lambda rv: rv.exchange(1),
    ]
    for call in calls:
        rv: Rendezvous[int] = Rendezvous()
        gets = await waiting(*(rv.get() for _ in range(5)))
        for number in (1, 2):
            gets[number].cancel()
        assert await rv.put(0)
        task = begin(call(rv))
        assert (await ended(*gets))[:4] == [0, CANCELLED, CANCELLED, 1]
        for pending in (gets[4], task):
            pending.cancel()
        await settle()


async def test_exchange_with_timeout_0_is_not_misled_by_a_slot() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(*(rv.put(n) for n in range(3)))
    puts[1].cancel()
    assert await rv.get() == 0
    with pytest.raises(RendezvousTimeout):
        await rv.exchange(3, timeout=0)
    assert counts(rv) == (0, 1)
    assert await rv.exchange(4, asap=True) == 2
    assert await rv.get() == 4
    await settle()


async def test_slots_never_outnumber_what_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = [begin(rv.put(n)) for n in range(100)]
    await tick(2)
    for put in puts[10:90]:
        put.cancel()
        await tick(2)
        assert _slots(rv) <= 2 * sum(not put.done() for put in puts)
    assert counts(rv) == (0, 20)
    assert [await rv.get() for _ in range(20)] == [*range(10), *range(90, 100)]
    await settle()


async def test_withdrawing_from_both_ends_leaves_no_slots() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = [begin(rv.put(n)) for n in range(20)]
    await tick(2)
    for first, last in zip(puts[:9], reversed(puts[11:]), strict=True):
        first.cancel()
        last.cancel()
        await tick(2)
        assert _slots(rv) == sum(not put.done() for put in puts)
    assert [await rv.get(), await rv.get()] == [9, 10]
    await settle()


async def test_many_cancellations_in_one_turn_take_time_in_proportion() -> None:
    rv: Rendezvous[int] = Rendezvous()
    calls = 0

    def count(frame: Any, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    spent = []
    for number in (200, 400):
        gets = [begin(rv.get()) for _ in range(number)]
        await tick(2)
        puts = [begin(rv.put(n)) for n in range(number)]
        for get in gets:
            then(get.cancel)
        calls = 0
        sys.setprofile(count)
        await tick(4)
        sys.setprofile(None)
        spent.append(calls)
        assert counts(rv) == (0, number)
        assert [await rv.get() for _ in range(number)] == list(range(number))
        await asyncio.gather(*puts)
    assert spent[1] < 2.5 * spent[0]


def test_pending_put_costs_little_memory() -> None:
    # In a process of its own: whatever watches this one would be measured too.
    program = """
        import asyncio, sys, tracemalloc
        from asyncutils_rx import Rendezvous

        async def main():
            rendezvous = Rendezvous()
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            puts = [asyncio.create_task(rendezvous.put(1)) for _ in range(10_000)]
            await asyncio.sleep(0)
            after, _ = tracemalloc.get_traced_memory()
            for put in puts:
                put.cancel()
            return (after - before - sys.getsizeof(puts)) / 10_000

        print(asyncio.run(main(), debug=False))
    """
    ran = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    assert 0 < float(ran.stdout) < 1100


def _slots(rv: Rendezvous[int]) -> int:
    matching = rv._matching
    assert matching is not None
    return len(matching.getters) + len(matching.putters)


def test_rendezvous_never_imports_reactivex() -> None:
    program = "import sys; from asyncutils_rx import Rendezvous; print('reactivex' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


# The lock


@pytest.mark.parametrize("operation", ["put", "raising_put", "get", "exchange", "reset"])
async def test_operation_does_not_begin_while_the_lock_is_held(operation: str) -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    (put,) = await waiting(rv.put(1))
    async with lock:
        task = begin(_operation(rv, operation))
        await settle()
        assert not task.done()
        assert counts(rv) == (0, 1)
    await settle()
    assert not lock.locked()
    for pending in (put, task):
        pending.cancel()
    await settle()


def _operation(rv: Rendezvous[int], name: str) -> Any:
    match name:
        case "put":
            return rv.put(2)
        case "raising_put":
            return rv.raising_put(2, timeout=1000)
        case "get":
            return rv.get()
        case "exchange":
            return rv.exchange(2)
    return rv.reset()


async def test_operation_holds_the_lock_for_no_longer_than_it_takes_to_enter() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    tasks = await waiting(rv.get(), rv.get())
    assert not lock.locked()
    assert await rv.put(1)
    assert await rv.put(2)
    assert await ended(*tasks) == [1, 2]
    assert list(await asyncio.gather(rv.exchange(1), rv.exchange(2))) == [2, 1]
    assert not lock.locked()


async def test_hand_off_that_began_is_completed_while_the_lock_is_held() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    (get,) = await waiting(rv.get())
    put = begin(rv.put(1))
    await tick()
    async with lock:
        assert await ended(get, put) == [1, True]


@pytest.mark.virtual_time
async def test_waiting_for_the_lock_counts_towards_the_timeout() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    async with lock:
        tasks: list[asyncio.Task[Any]] = [
            begin(rv.put(1, timeout=5)),
            begin(rv.get("nothing", timeout=5)),
            begin(rv.get(timeout=5)),
            begin(rv.raising_put(1, timeout=5)),
            begin(rv.exchange(1, timeout=5)),
        ]
        await asyncio.sleep(5)
        assert await ended(*tasks) == [
            False,
            "nothing",
            "RendezvousTimeout",
            "RendezvousTimeout",
            "RendezvousTimeout",
        ]
    assert counts(rv) == (0, 0)
    assert not lock.locked()


@pytest.mark.virtual_time
async def test_timeout_goes_on_after_the_lock_was_acquired() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    async with lock:
        put = begin(rv.put(1, timeout=5))
        await asyncio.sleep(3)
    assert await put is False
    assert asyncio.get_running_loop().time() == 5


async def test_timeout_0_does_not_wait_for_the_lock() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    async with lock:
        assert await rv.put(1, timeout=0) is False
        with pytest.raises(StopIteration) as caught:
            rv.get("nothing").send(None)
        assert caught.value.value == "nothing"
        with pytest.raises(RendezvousTimeout):
            await rv.get(timeout=0)
        with pytest.raises(RendezvousTimeout):
            await rv.exchange(1, timeout=0)
    assert counts(rv) == (0, 0)


async def test_timeout_0_with_the_lock_free_meets_who_waits() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    (get,) = await waiting(rv.get())
    assert await rv.put(1, timeout=0) is True
    assert await get == 1
    (exchange,) = await waiting(rv.exchange(1))
    assert await rv.exchange(2, timeout=0) == 1
    assert await exchange == 2
    assert not lock.locked()


async def test_failed_attempts_release_the_lock() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    assert await rv.put(1, timeout=0) is False
    assert await rv.get("nothing") == "nothing"
    with pytest.raises(RendezvousTimeout):
        await rv.exchange(1, timeout=0)
    assert not lock.locked()


@pytest.mark.virtual_time
@pytest.mark.parametrize("timeout", [None, 100])
async def test_operation_cancelled_while_waiting_for_the_lock_leaves_nothing(timeout: float | None) -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    async with lock:
        tasks: list[asyncio.Task[Any]] = [begin(rv.put(1, timeout=timeout)), begin(rv.get(timeout=timeout))]
        await tick(2)
        for task in tasks:
            task.cancel()
        assert await ended(*tasks) == [CANCELLED, CANCELLED]
    assert counts(rv) == (0, 0)
    assert not lock.locked()


async def test_operations_enter_in_the_order_in_which_they_asked_for_the_lock() -> None:
    lock = asyncio.Lock()
    rv: Rendezvous[int] = Rendezvous(lock=lock)
    async with lock:
        puts = [begin(rv.put(n)) for n in range(3)]
        await tick(2)
    assert [await rv.get() for _ in range(3)] == [0, 1, 2]
    assert await asyncio.gather(*puts) == [True] * 3
