"""Putting and getting: who gets what and when, what timeouts and defaults mean, and which input is refused."""

from __future__ import annotations

import asyncio
import gc
import operator
import pickle
import sys
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest

import asyncutils_rx
from asyncutils_rx import Rendezvous, channels
from asyncutils_rx._runner import CALLS_BETWEEN_TURNS, runner_for
from asyncutils_rx.exceptions import (
    ArgumentTypeError,
    ArgumentValueError,
    AsyncutilsRxError,
    NoLoopError,
    RendezvousTimeout,
    WrongLoopError,
)
from asyncutils_rx.types import StateSnapshot
from tests.rendezvous_kit import CANCELLED, begin, counts, ended, settle, then, waiting
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

# Meeting


async def test_put_waits_until_a_get_takes_the_value() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (put,) = await waiting(rv.put("a"))
    assert await rv.get() == "a"
    assert await put is True


async def test_get_waits_until_a_put_brings_a_value() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    assert await rv.put("a") is True
    assert await get == "a"


async def test_put_to_a_waiting_getter_returns_after_that_getter_has_run() -> None:
    rv: Rendezvous[str] = Rendezvous()
    journal: list[str] = []

    async def take() -> None:
        value = await rv.get()
        journal.append(value)

    getter = begin(take())
    await tick()
    await rv.put("a")
    journal.append("put returned")
    assert journal == ["a", "put returned"]
    await getter


async def test_put_hands_over_none_as_any_other_value() -> None:
    rv: Rendezvous[None] = Rendezvous()
    (put,) = await waiting(rv.put(None))
    assert await rv.get("nothing") is None
    assert await put is True


async def test_put_takes_an_exception_as_a_value() -> None:
    rv: Rendezvous[Exception] = Rendezvous()
    error = ValueError()
    (get,) = await waiting(rv.get())
    assert await rv.put(error)
    assert await get is error


async def test_rendezvous_buffers_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(rv.put(1), rv.put(2))
    assert await rv.get() == 1
    assert await ended(*puts) == [True, None]
    assert await rv.get() == 2
    assert await ended(*puts) == [True, True]


async def test_get_takes_values_in_the_order_of_their_puts() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(*(rv.put(n) for n in range(5)))
    assert [await rv.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert await ended(*puts) == [True] * 5


async def test_put_serves_getters_in_the_order_of_their_arrival() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(*(rv.get() for _ in range(5)))
    for n in range(5):
        assert await rv.put(n)
    assert await ended(*gets) == [0, 1, 2, 3, 4]


async def test_get_that_comes_while_another_one_is_being_served_takes_the_value_after() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (first,) = await waiting(rv.get())
    tasks = [first, begin(rv.put(1)), begin(rv.put(2)), begin(rv.get())]
    assert await ended(*tasks) == [1, True, True, 2]


async def test_get_that_comes_while_another_one_is_being_served_waits_where_nothing_is_left() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (first,) = await waiting(rv.get())
    tasks = [first, begin(rv.put(1)), begin(rv.get())]
    assert await ended(*tasks) == [1, True, None]
    assert await rv.put(2)
    assert await tasks[2] == 2


async def test_get_again_by_the_getter_that_was_just_served_does_not_overtake_who_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    seen: list[tuple[str, int]] = []

    async def greedy() -> None:
        seen.append(("greedy", await rv.get()))
        seen.append(("greedy", await rv.get()))

    async def patient() -> None:
        seen.append(("patient", await rv.get()))

    tasks = [begin(greedy()), begin(patient())]
    await tick()
    for n in range(3):
        assert await rv.put(n)
    assert seen == [("greedy", 0), ("patient", 1), ("greedy", 2)]
    await asyncio.gather(*tasks)


async def test_put_again_by_the_putter_that_was_just_served_does_not_overtake_who_waits() -> None:
    rv: Rendezvous[str] = Rendezvous()

    async def greedy() -> None:
        await rv.put("greedy 1")
        await rv.put("greedy 2")

    tasks = [begin(greedy()), begin(rv.put("patient"))]
    await tick()
    assert [await rv.get() for _ in range(3)] == ["greedy 1", "patient", "greedy 2"]
    await asyncio.gather(*tasks)


async def test_many_puts_and_gets_at_once_lose_and_double_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = [begin(rv.get()) for _ in range(50)]
    puts = [begin(rv.put(n)) for n in range(100)]
    gets += [begin(rv.get()) for _ in range(50)]
    assert await asyncio.gather(*gets) == list(range(100))
    assert await asyncio.gather(*puts) == [True] * 100


async def test_value_that_was_handed_over_is_not_kept_alive() -> None:
    class Big:
        pass

    rv: Rendezvous[Big] = Rendezvous()
    (get,) = await waiting(rv.get())
    assert await rv.put(Big())
    await get
    del get
    assert not [found for found in gc.get_objects() if isinstance(found, Big)]


async def test_value_of_a_put_that_was_withdrawn_is_not_kept_alive() -> None:
    class Big:
        pass

    rv: Rendezvous[Big | int] = Rendezvous()
    puts = await waiting(rv.put(1), rv.put(2), rv.put(Big()), rv.put(3))
    puts.pop(2).cancel()
    await settle()
    assert not [found for found in gc.get_objects() if isinstance(found, Big)]
    assert [await rv.get() for _ in range(3)] == [1, 2, 3]
    await settle()


# Timeouts


@pytest.mark.virtual_time
async def test_put_gives_false_at_its_timeout() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert await rv.put(1, timeout=5) is False
    assert asyncio.get_running_loop().time() == 5
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_put_that_timed_out_is_offered_no_more() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert not await rv.put(1, timeout=5)
    assert await rv.get("nothing") == "nothing"


@pytest.mark.virtual_time
async def test_put_that_is_taken_before_its_timeout_gives_true() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1, timeout=5))
    await asyncio.sleep(4)
    assert await rv.get() == 1
    assert await put is True
    await asyncio.sleep(5)


@pytest.mark.virtual_time
async def test_get_without_a_default_raises_at_its_timeout() -> None:
    rv: Rendezvous[int] = Rendezvous()
    with pytest.raises(RendezvousTimeout) as caught:
        await rv.get(timeout=5)
    assert asyncio.get_running_loop().time() == 5
    assert (caught.value.operation, caught.value.timeout) == ("get", 5)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, AsyncutilsRxError)
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_get_with_default_and_timeout_waits_and_then_gives_the_default() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert await rv.get("nothing", timeout=5) == "nothing"
    assert asyncio.get_running_loop().time() == 5


@pytest.mark.virtual_time
async def test_get_with_default_and_timeout_gives_a_value_that_comes_in_time() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get("nothing", timeout=5))
    await asyncio.sleep(4)
    assert await rv.put(1)
    assert await get == 1


async def test_get_with_a_default_alone_never_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    call = rv.get("nothing")
    with pytest.raises(StopIteration) as caught:
        call.send(None)
    assert caught.value.value == "nothing"


async def test_get_with_a_default_alone_takes_a_value_that_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1))
    assert await rv.get("nothing") == 1
    assert await put


async def test_get_counts_none_as_a_default() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert await rv.get(None) is None


async def test_put_with_timeout_0_is_not_taken_without_a_getter_that_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    call = rv.put(1, timeout=0)
    with pytest.raises(StopIteration) as caught:
        call.send(None)
    assert caught.value.value is False
    assert counts(rv) == (0, 0)
    assert await rv.get("nothing") == "nothing"


async def test_put_with_timeout_0_is_taken_by_a_getter_that_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    assert await rv.put(1, timeout=0) is True
    assert await get == 1


async def test_get_with_timeout_0_raises_without_a_value_that_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    with pytest.raises(RendezvousTimeout):
        await rv.get(timeout=0)
    assert await rv.get("nothing", timeout=0) == "nothing"
    assert counts(rv) == (0, 0)


async def test_get_with_timeout_0_takes_a_value_that_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1))
    assert await rv.get(timeout=0) == 1
    assert await put


async def test_failed_attempts_with_timeout_0_leave_the_counts_exact() -> None:
    rv: Rendezvous[int] = Rendezvous()
    for _ in range(3):
        assert not await rv.put(1, timeout=0)
        with pytest.raises(RendezvousTimeout):
            await rv.raising_put(1, timeout=0)
        assert await rv.get(None, timeout=0) is None
    assert "idle, 0 getters, 0 putters" in repr(rv)


@pytest.mark.virtual_time
async def test_raising_put_raises_at_its_timeout() -> None:
    rv: Rendezvous[int] = Rendezvous()
    with pytest.raises(RendezvousTimeout) as caught:
        await rv.raising_put(1, timeout=5)
    assert asyncio.get_running_loop().time() == 5
    assert caught.value.operation == "raising_put"
    assert await rv.get("nothing") == "nothing"


async def test_raising_put_returns_none_once_the_value_is_taken() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    outcome: object = await rv.raising_put(1, timeout=5)  # type: ignore[func-returns-value]  # this is what is tested
    assert outcome is None
    assert await get == 1


async def test_raising_put_takes_none_for_no_limit() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.raising_put(1, timeout=None))
    assert await rv.get() == 1
    await put


@pytest.mark.virtual_time
async def test_timeout_of_infinity_is_no_limit() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1, timeout=inf))
    await asyncio.sleep(1e9)
    assert await rv.get() == 1
    assert await put


@pytest.mark.virtual_time
async def test_outer_timeout_is_told_from_the_own_one() -> None:
    rv: Rendezvous[int] = Rendezvous()
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(3):
            await rv.get(timeout=5)
    assert not isinstance(caught.value, RendezvousTimeout)
    with pytest.raises(RendezvousTimeout):
        async with asyncio.timeout(5):
            await rv.get(timeout=3)
    async with asyncio.timeout(5):
        assert await rv.put(1, timeout=3) is False
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await rv.put(1, timeout=5)
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_timed_out_getter_in_the_middle_of_the_line_is_passed_over() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(rv.get(), rv.get(None, timeout=5), rv.get())
    await asyncio.sleep(6)
    assert await rv.put(1)
    assert await rv.put(2)
    assert await ended(*gets) == [1, None, 2]
    assert gets[1].done()


# Looking


async def test_state_snapshot_counts_getters() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(rv.get(), rv.get())
    assert rv.state_snapshot() == StateSnapshot(num_getters=2, num_putters=0, num_ops=2, idle=False)
    for n in range(2):
        await rv.put(n)
    await asyncio.gather(*gets)


async def test_state_snapshot_counts_putters() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(rv.put(1), rv.put(2), rv.put(3))
    assert rv.state_snapshot() == StateSnapshot(num_getters=0, num_putters=3, num_ops=3, idle=False)
    for _ in range(3):
        await rv.get()
    await asyncio.gather(*puts)


async def test_state_snapshot_is_a_named_tuple_in_the_documented_order() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert rv.state_snapshot() == (0, 0, 0, True)
    assert StateSnapshot._fields == ("num_getters", "num_putters", "num_ops", "idle")


async def test_length_hint_is_the_number_of_operations_that_wait() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert operator.length_hint(rv) == 0
    puts = await waiting(rv.put(1), rv.put(2))
    assert operator.length_hint(rv) == 2
    assert await rv.get() == 1
    assert operator.length_hint(rv) == 1
    assert await rv.get() == 2
    assert operator.length_hint(rv) == 0
    await asyncio.gather(*puts)


async def test_counts_are_exact_right_after_a_cancellation() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(rv.get(), rv.get(), rv.get())
    gets[1].cancel()
    assert counts(rv) == (2, 0)
    assert operator.length_hint(rv) == 2
    await settle()
    assert counts(rv) == (2, 0)
    assert "2 getters" in repr(rv)
    for n in range(2):
        await rv.put(n)
    await settle()
    assert counts(rv) == (0, 0)


async def test_counts_are_exact_right_after_a_put_was_cancelled() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(rv.put(1), rv.put(2), rv.put(3))
    puts[0].cancel()
    assert counts(rv) == (0, 2)
    await settle()
    assert counts(rv) == (0, 2)
    assert [await rv.get() for _ in range(2)] == [2, 3]
    await settle()
    assert counts(rv) == (0, 0)


async def test_counts_do_not_include_what_is_being_handed_over() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    put = begin(rv.put(1))
    seen: list[tuple[int, int]] = []
    asyncio.get_running_loop().call_soon(lambda: seen.append(counts(rv)))
    await asyncio.gather(get, put)
    assert seen == [(0, 0)]


async def test_cleanup_needs_no_loop_and_returns_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    outcome: object = rv.cleanup()  # type: ignore[func-returns-value]  # this is what is tested
    assert outcome is None


async def test_cleanup_leaves_what_waits() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(rv.put(1), rv.put(2))
    rv.cleanup()
    assert [await rv.get() for _ in range(2)] == [1, 2]
    assert await asyncio.gather(*puts) == [True, True]


async def test_repr_tells_state_and_counts() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert repr(rv) == f"<Rendezvous at {id(rv):#x}: idle, 0 getters, 0 putters>"
    (put,) = await waiting(rv.put(1))
    assert repr(rv) == f"<Rendezvous at {id(rv):#x}: waiting, 0 getters, 1 putters>"
    await rv.get()
    await put


def test_repr_works_on_what_was_never_initialised() -> None:
    assert "Rendezvous" in repr(Rendezvous.__new__(Rendezvous))


# Loops


def test_rendezvous_can_be_made_and_looked_at_without_a_loop() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert rv.state_snapshot() == (0, 0, 0, True)
    assert operator.length_hint(rv) == 0
    rv.cleanup()


def test_rendezvous_makes_and_sets_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: made.append("made"))
    monkeypatch.setattr(asyncio, "set_event_loop", made.append)
    Rendezvous[int]()
    assert made == []


@pytest.mark.parametrize("operation", ["put", "raising_put", "get", "exchange", "reset"])
def test_operation_without_a_running_loop_raises(operation: str) -> None:
    call = _operation(Rendezvous(), operation)
    with pytest.raises(NoLoopError, match=r"asyncio\.run"):
        call.send(None)


@pytest.mark.parametrize("operation", ["put", "raising_put", "get", "exchange", "reset"])
def test_operation_on_another_loop_raises(operation: str) -> None:
    rv: Rendezvous[int] = Rendezvous()

    async def use() -> None:
        assert await rv.get(None) is None

    asyncio.run(use())
    with pytest.raises(WrongLoopError, match="another event loop"):
        asyncio.run(_operation(rv, operation))
    assert rv.state_snapshot().idle


@pytest.mark.parametrize("operation", ["put", "raising_put", "get", "exchange", "reset"])
async def test_operation_on_another_loop_than_the_one_passed_raises(operation: str) -> None:
    other = asyncio.new_event_loop()
    rv: Rendezvous[int] = Rendezvous(loop=other)
    with pytest.raises(WrongLoopError):
        await _operation(rv, operation)
    other.close()


async def test_rendezvous_works_on_the_loop_that_was_passed() -> None:
    rv: Rendezvous[int] = Rendezvous(loop=asyncio.get_running_loop())
    (put,) = await waiting(rv.put(1))
    assert await rv.get() == 1
    assert await put


def test_call_made_outside_a_loop_can_be_awaited_inside() -> None:
    rv: Rendezvous[int] = Rendezvous()
    assert asyncio.run(rv.put(1, timeout=0)) is False


def _operation(rv: Rendezvous[int], name: str) -> Any:
    match name:
        case "put":
            return rv.put(1, timeout=0)
        case "raising_put":
            return rv.raising_put(1, timeout=0)
        case "get":
            return rv.get(None)
        case "exchange":
            return rv.exchange(1, timeout=0)
    return rv.reset()


# Bad input


@pytest.mark.parametrize("timeout", [-1, -0.5, nan, -inf])
@pytest.mark.parametrize("operation", ["put", "raising_put", "get", "exchange"])
def test_timeout_out_of_range_is_refused_at_the_call(operation: str, timeout: float) -> None:
    rv: Rendezvous[int] = Rendezvous()
    arguments = () if operation == "get" else (1,)
    with pytest.raises(ArgumentValueError, match=f"Rendezvous.{operation}: timeout must be"):
        getattr(rv, operation)(*arguments, timeout=timeout)


@pytest.mark.parametrize("timeout", ["1", True, [], object()])
@pytest.mark.parametrize("operation", ["put", "raising_put", "get", "exchange"])
def test_timeout_of_the_wrong_kind_is_refused_at_the_call(operation: str, timeout: object) -> None:
    rv: Rendezvous[int] = Rendezvous()
    arguments = () if operation == "get" else (1,)
    with pytest.raises(ArgumentTypeError, match=f"Rendezvous.{operation}: timeout must be"):
        getattr(rv, operation)(*arguments, timeout=timeout)


async def test_refused_call_changes_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1))
    calls: list[Callable[[], object]] = [
        lambda: rv.get(timeout=-1),
        lambda: rv.put(2, timeout=-1),
        lambda: rv.exchange(2, timeout=-1),
    ]
    for call in calls:
        with pytest.raises(ArgumentValueError):
            call()
    assert counts(rv) == (0, 1)
    assert await rv.get() == 1
    assert await put


def test_raising_put_requires_a_timeout() -> None:
    rv: Any = Rendezvous()
    with pytest.raises(TypeError, match="timeout"):
        rv.raising_put(1)


@pytest.mark.parametrize("loop", [1, "loop", asyncio.AbstractEventLoop])
def test_loop_of_the_wrong_kind_is_refused(loop: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="Rendezvous: loop must be an event loop"):
        Rendezvous(loop=loop)


def test_closed_loop_is_refused() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(ArgumentValueError, match="not closed"):
        Rendezvous(loop=loop)


@pytest.mark.parametrize("lock", [1, asyncio.Event(), asyncio.Lock])
def test_lock_of_the_wrong_kind_is_refused(lock: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"Rendezvous: lock must be an asyncio\.Lock"):
        Rendezvous(lock=lock)


def test_rendezvous_is_exported_under_both_names() -> None:
    assert asyncutils_rx.Rendezvous is channels.Rendezvous is Rendezvous


async def test_timeout_error_survives_pickling() -> None:
    rv: Rendezvous[int] = Rendezvous()
    with pytest.raises(RendezvousTimeout) as caught:
        await rv.get(timeout=0)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


# Task factories


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
async def test_eager_tasks_are_matched_as_others_are() -> None:
    def eagerly(loop: asyncio.AbstractEventLoop, call: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(call, loop=loop, **options | {"eager_start": True})

    asyncio.get_running_loop().set_task_factory(eagerly)
    rv: Rendezvous[int] = Rendezvous()
    gets = [begin(rv.get()) for _ in range(3)]
    assert counts(rv) == (3, 0)
    puts = [begin(rv.put(n)) for n in range(5)]
    gets[0].cancel()
    assert await ended(*gets, *puts) == [CANCELLED, 0, 1, True, True, None, None, None]
    assert [begin(rv.get()).result() for _ in range(3)] == [2, 3, 4]
    exchanges = [begin(rv.exchange(n)) for n in range(2)]
    assert await ended(*puts, *exchanges) == [True] * 5 + [1, 0]


# Fairness


@pytest.mark.parametrize("operation", ["put", "get", "exchange", "default", "asap", "reset"])
async def test_task_that_never_has_to_wait_lets_the_loop_run(operation: str) -> None:
    rv: Rendezvous[int] = Rendezvous()
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1

    feeders = [begin(rv.put(n)) for n in range(100)] if operation in {"get", "asap"} else []
    await tick(2)
    asyncio.get_running_loop().call_soon(turn)
    for n in range(100):
        match operation:
            case "put":
                await rv.put(n, timeout=0)
            case "get":
                await rv.get()
            case "default":
                await rv.get(None)
            case "asap":
                await rv.exchange(n, asap=True)
            case "reset":
                await rv.reset()
            case _:
                with pytest.raises(RendezvousTimeout):
                    await rv.exchange(n, timeout=0)
    assert turns == 1
    await asyncio.gather(*feeders)


async def test_task_that_only_puts_and_gets_by_turns_lets_others_run() -> None:
    rv: Rendezvous[int] = Rendezvous()
    done = False

    async def produce() -> None:
        for n in range(100):
            await rv.put(n)

    async def consume() -> None:
        for _ in range(100):
            await rv.get()

    async def bystand() -> int:
        turns = 0
        while not done:
            turns += 1
            await tick()
        return turns

    bystander = begin(bystand())
    await asyncio.gather(produce(), consume())
    done = True
    assert await bystander >= 2


@pytest.mark.parametrize("operation", ["put", "raising_put", "get", "exchange", "reset"])
async def test_operation_cancelled_while_it_lets_the_loop_run_has_changed_nothing(operation: str) -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1))
    runner_for(asyncio.get_running_loop()).calls = CALLS_BETWEEN_TURNS
    task = begin(_operation(rv, operation))
    then(task.cancel)
    assert await ended(task) == [CANCELLED]
    assert counts(rv) == (0, 1)
    assert await rv.get() == 1
    assert await put
