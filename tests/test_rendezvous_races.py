"""Cancellations and timeouts of gets and puts, in every order around the hand-off; each test spells the order out.

A hand-off to a getter that waits takes two turns: in the first one the put matches it, in the second one the getter
runs and takes the value, and after it the put sees that. A getter that is cancelled in between hands the value on in
the very moment of the cancellation. What ``begin`` and ``then`` note runs in one turn, in the order of the
calls.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from asyncutils_rx import Rendezvous
from asyncutils_rx.exceptions import RendezvousTimeout
from tests.rendezvous_kit import CANCELLED, begin, counts, ended, settle, then, waiting
from tests.support import tick

# A getter that is cancelled while it waits


async def test_get_cancelled_while_waiting_leaves_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    get.cancel()
    assert await ended(get) == [CANCELLED]
    assert counts(rv) == (0, 0)
    assert await rv.put(1, timeout=0) is False


async def test_get_cancelled_while_waiting_is_passed_over_before_it_has_noticed() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(rv.get(), rv.get())
    gets[0].cancel()
    put = begin(rv.put(1))
    assert await ended(*gets, put) == [CANCELLED, 1, True]


async def test_only_getter_cancelled_before_it_has_noticed_is_not_handed_a_value() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    get.cancel()
    assert await rv.put(1, timeout=0) is False
    assert await ended(get) == [CANCELLED]


# A getter that is cancelled in the turn of its hand-off


async def test_getter_cancelled_in_the_turn_of_its_hand_off_hands_the_value_to_the_next_getter() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    put = begin(rv.put(1))
    then(first.cancel)
    assert await ended(first, second, put) == [CANCELLED, 1, True]


async def test_getter_cancelled_in_the_turn_of_its_hand_off_leaves_the_value_first_in_line() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    puts = [begin(rv.put(1)), begin(rv.put(2))]
    then(get.cancel)
    assert await ended(get, *puts) == [CANCELLED, None, None]
    assert counts(rv) == (0, 2)
    assert [await rv.get() for _ in range(2)] == [1, 2]
    assert await asyncio.gather(*puts) == [True, True]


async def test_put_whose_getter_was_cancelled_is_not_true_before_somebody_takes_the_value() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    put = begin(rv.put(1))
    then(get.cancel)
    assert await ended(put) == [None]
    assert await rv.get() == 1
    assert await put is True


async def test_getters_cancelled_one_after_the_other_hand_the_value_on_and_on() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second, third = await waiting(rv.get(), rv.get(), rv.get())
    put = begin(rv.put(1))
    then(first.cancel)
    await tick()
    # The value is on its way to the second one, which has not run yet.
    second.cancel()
    assert await ended(first, second, third, put) == [CANCELLED, CANCELLED, 1, True]


async def test_getters_cancelled_in_one_turn_leave_the_values_in_order() -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = await waiting(rv.get(), rv.get(), rv.get())
    puts = [begin(rv.put(n)) for n in range(3)]
    for get in gets:
        then(get.cancel)
    assert await ended(*gets) == [CANCELLED] * 3
    assert [await rv.get() for _ in range(3)] == [0, 1, 2]
    assert await asyncio.gather(*puts) == [True] * 3


async def test_first_of_two_getters_cancelled_in_one_turn_leaves_the_first_value_to_the_second() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    puts = [begin(rv.put(1)), begin(rv.put(2))]
    then(first.cancel)
    assert await ended(first, second, *puts) == [CANCELLED, 1, True, None]
    assert await rv.get() == 2
    assert await puts[1]


async def test_first_two_of_three_getters_cancelled_in_one_turn_leave_the_first_value_to_the_third() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second, third = await waiting(rv.get(), rv.get(), rv.get())
    puts = [begin(rv.put(1)), begin(rv.put(2))]
    then(first.cancel)
    then(second.cancel)
    assert await ended(first, second, third, *puts) == [CANCELLED, CANCELLED, 1, True, None]
    assert await rv.get() == 2
    assert await puts[1]


async def test_getter_cancelled_in_the_turn_of_its_hand_off_does_not_undo_what_came_later() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (first,) = await waiting(rv.get())
    tasks = [begin(rv.put(1)), begin(rv.put(2)), begin(rv.get())]
    then(first.cancel)
    assert await ended(first, *tasks) == [CANCELLED, None, True, 2]
    assert await rv.get() == 1
    assert await tasks[0]


async def test_getter_cancelled_after_it_took_the_value_keeps_it() -> None:
    rv: Rendezvous[int] = Rendezvous()
    seen: list[int] = []

    async def take() -> None:
        seen.append(await rv.get())
        await asyncio.Event().wait()

    taker = begin(take())
    await tick()
    assert await rv.put(1) is True
    taker.cancel()
    assert await ended(taker) == [CANCELLED]
    assert seen == [1]
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_wait_for_around_a_get_that_times_out_in_the_turn_of_the_hand_off_loses_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()

    async def late() -> bool:
        await asyncio.sleep(5)
        return await rv.put(1)

    put = begin(late())
    await tick()
    try:
        seen = await asyncio.wait_for(rv.get(), 5)
    except TimeoutError:
        seen = await rv.get()
    assert seen == 1
    assert await put is True


# A getter that times out around its hand-off


@pytest.mark.virtual_time
async def test_put_that_comes_in_the_turn_of_a_getters_timeout_but_after_it_is_not_taken() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get("nothing", timeout=5))
    outcome: list[bool] = []

    async def put() -> None:
        outcome.append(await rv.put(1, timeout=0))

    tasks: list[asyncio.Task[None]] = []
    asyncio.get_running_loop().call_at(5, lambda: tasks.append(begin(put())))
    assert await get == "nothing"
    await settle()
    assert outcome == [False]


@pytest.mark.virtual_time
async def test_getter_that_is_matched_before_its_timeout_in_the_same_turn_takes_the_value() -> None:
    rv: Rendezvous[int] = Rendezvous()
    offer = rv.put(1)
    asyncio.get_running_loop().call_at(5, lambda: offer.send(None))
    (get,) = await waiting(rv.get("nothing", timeout=5))
    assert await get == 1
    with pytest.raises(StopIteration) as caught:
        offer.send(None)
    assert caught.value.value is True


@pytest.mark.virtual_time
async def test_get_timed_out_and_cancelled_in_the_same_turn_raises_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get("nothing", timeout=5))
    asyncio.get_running_loop().call_at(5, get.cancel)
    await asyncio.sleep(5)
    assert await ended(get) == [CANCELLED]
    assert counts(rv) == (0, 0)


# A put that is cancelled


async def test_put_cancelled_while_waiting_raises_cancelled_error_and_is_not_taken() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1))
    put.cancel()
    assert await rv.get("nothing") == "nothing"
    assert await ended(put) == [CANCELLED]
    assert counts(rv) == (0, 0)


async def test_cancelled_put_is_not_reported_as_an_ordinary_false() -> None:
    rv: Rendezvous[int] = Rendezvous()
    seen: list[object] = []

    async def put() -> None:
        seen.append(await rv.put(1))

    task = begin(put())
    await tick(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == []
    assert task.cancelled()


async def test_put_cancelled_in_the_turn_in_which_a_get_took_its_value_raises_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1))
    assert await rv.get() == 1
    put.cancel()
    assert await ended(put) == [CANCELLED]
    assert await rv.get("nothing") == "nothing"


async def test_put_cancelled_in_the_turn_of_its_hand_off_is_taken_once() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    put = begin(rv.put(1))
    then(put.cancel)
    assert await ended(get, put) == [1, CANCELLED]
    assert await rv.get("nothing") == "nothing"


async def test_put_and_getter_cancelled_in_the_turn_of_the_hand_off_leave_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    put = begin(rv.put(1))
    then(get.cancel)
    then(put.cancel)
    assert await ended(get, put) == [CANCELLED, CANCELLED]
    assert counts(rv) == (0, 0)
    assert await rv.get("nothing") == "nothing"


async def test_put_cancelled_while_its_value_is_handed_on_is_taken_once() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    put = begin(rv.put(1))
    then(first.cancel)
    then(put.cancel)
    assert await ended(first, second, put) == [CANCELLED, 1, CANCELLED]


async def test_put_cancelled_while_its_value_is_handed_on_does_not_come_back() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    put = begin(rv.put(1))
    then(first.cancel)
    then(put.cancel)
    await tick()
    second.cancel()
    assert await ended(first, second, put) == [CANCELLED, CANCELLED, CANCELLED]
    assert counts(rv) == (0, 0)


async def test_put_whose_value_is_handed_on_waits_for_the_next_getter_to_take_it() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (first,) = await waiting(rv.get())
    # Driven by hand, so the value is on its way for as long as the test likes.
    second: Any = rv.get()
    second.send(None)
    put = begin(rv.put(1))
    then(first.cancel)
    assert await ended(first, put) == [CANCELLED, None]
    with pytest.raises(StopIteration) as caught:
        second.send(None)
    assert caught.value.value == 1
    assert await put is True


async def test_put_with_timeout_0_is_handed_on_but_does_not_wait_in_line() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    put = begin(rv.put(1, timeout=0))
    then(first.cancel)
    assert await ended(first, second, put) == [CANCELLED, 1, True]
    (third,) = await waiting(rv.get())
    put = begin(rv.put(2, timeout=0))
    then(third.cancel)
    assert await ended(third, put) == [CANCELLED, False]
    assert counts(rv) == (0, 0)


async def test_put_with_timeout_0_that_is_handed_on_twice_still_tells_the_truth() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    put = begin(rv.put(1, timeout=0))
    then(first.cancel)
    await tick()
    second.cancel()
    assert await ended(first, second, put) == [CANCELLED, CANCELLED, False]
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_put_whose_getter_was_cancelled_gives_false_at_its_own_timeout() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    put = begin(rv.put(1, timeout=5))
    then(get.cancel)
    assert await put is False
    assert asyncio.get_running_loop().time() == 5
    assert await rv.get("nothing") == "nothing"
    assert await ended(get) == [CANCELLED]


async def handed_on_past_its_timeout(rv: Rendezvous[int]) -> tuple[asyncio.Task[bool], Any]:
    """Return a put that timed out while its value was on its way to a getter, and that getter, driven by hand."""
    (first,) = await waiting(rv.get())
    second = rv.get()
    second.send(None)
    put = begin(rv.put(1, timeout=5))
    then(first.cancel)
    await asyncio.sleep(6)
    assert await ended(first, put) == [CANCELLED, None]
    assert counts(rv) == (0, 0)
    return put, second


@pytest.mark.virtual_time
async def test_put_that_timed_out_while_its_value_was_handed_on_is_true_where_it_is_taken() -> None:
    put, second = await handed_on_past_its_timeout(Rendezvous())
    with pytest.raises(StopIteration) as caught:
        second.send(None)
    assert caught.value.value == 1
    assert await put is True


@pytest.mark.virtual_time
async def test_put_that_timed_out_while_its_value_was_handed_on_does_not_wait_in_line_again() -> None:
    rv: Rendezvous[int] = Rendezvous()
    put, second = await handed_on_past_its_timeout(rv)
    second.close()
    assert counts(rv) == (0, 0)
    assert await put is False


@pytest.mark.virtual_time
async def test_put_timed_out_and_cancelled_in_the_same_turn_raises_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1, timeout=5))
    asyncio.get_running_loop().call_at(5, put.cancel)
    await asyncio.sleep(5)
    assert await ended(put) == [CANCELLED]
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_get_in_the_turn_of_a_puts_timeout_but_after_it_takes_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1, timeout=5))
    seen: list[Any] = []

    def get() -> None:
        with pytest.raises(StopIteration) as caught:
            rv.get("nothing").send(None)
        seen.append(caught.value.value)

    asyncio.get_running_loop().call_at(5, get)
    assert await put is False
    assert seen == ["nothing"]


# What is around the call


async def test_task_group_that_fails_cancels_waiting_operations_cleanly() -> None:
    rv: Rendezvous[int] = Rendezvous()

    async def fail() -> None:
        await tick(3)
        raise ValueError

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(rv.get())
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert counts(rv) == (0, 0)
    assert await rv.put(1, timeout=0) is False


@pytest.mark.virtual_time
async def test_raising_put_tells_its_timeout_from_a_cancellation_in_the_turn_after() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.raising_put(1, timeout=5))
    await asyncio.sleep(5)
    await tick()
    assert put.done()
    with pytest.raises(RendezvousTimeout):
        await put


# Coroutines that are closed, or driven by hand


async def test_get_that_is_closed_while_waiting_leaves_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    call = rv.get()
    call.send(None)
    assert counts(rv) == (1, 0)
    call.close()
    assert counts(rv) == (0, 0)
    assert await rv.put(1, timeout=0) is False


async def test_get_that_is_closed_in_the_turn_of_its_hand_off_hands_the_value_on() -> None:
    rv: Rendezvous[int] = Rendezvous()
    call = rv.get()
    call.send(None)
    (second,) = await waiting(rv.get())
    put = begin(rv.put(1))
    then(call.close)
    assert await ended(second, put) == [1, True]


async def test_put_that_is_closed_while_waiting_leaves_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    call = rv.put(1)
    call.send(None)
    assert counts(rv) == (0, 1)
    call.close()
    assert counts(rv) == (0, 0)
    assert await rv.get("nothing") == "nothing"


async def test_put_that_is_closed_in_the_turn_of_its_hand_off_is_taken_once() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    call = rv.put(1)
    call.send(None)
    call.close()
    assert await get == 1
    assert await rv.get("nothing") == "nothing"


async def test_error_thrown_into_a_get_by_hand_withdraws_it() -> None:
    rv: Rendezvous[int] = Rendezvous()
    call = rv.get()
    call.send(None)
    with pytest.raises(ValueError, match="by hand"):
        call.throw(ValueError("by hand"))
    assert counts(rv) == (0, 0)


def test_getters_whose_loop_was_closed_in_the_turn_of_a_hand_off_call_on_it_no_more() -> None:
    watch = hand_over_on_a_loop_that_closes()
    gc.collect()
    assert watch() is None


def hand_over_on_a_loop_that_closes() -> weakref.ref[Rendezvous[int]]:
    loop = asyncio.new_event_loop()
    rv: Rendezvous[int] = Rendezvous()
    get: Any = rv.get()
    put: Any = rv.put(1)
    tasks: list[Any] = []

    async def hand_over() -> None:
        get.send(None)
        tasks.append(begin(rv.get()))
        await tick()
        put.send(None)

    loop.run_until_complete(hand_over())
    loop.close()
    # The first getter would hand the value on to the task, which cannot be woken any more.
    get.close()
    put.close()
    # Asyncio would tell that the task is lost; here it is to be.
    tasks[0]._log_destroy_pending = False
    return weakref.ref(rv)


def test_get_whose_loop_was_closed_in_the_turn_of_its_hand_off_can_be_closed() -> None:
    loop = asyncio.new_event_loop()
    rv: Rendezvous[int] = Rendezvous()
    calls: list[Any] = [rv.get(), rv.put(1)]

    async def hand_over() -> None:
        for call in calls:
            call.send(None)

    loop.run_until_complete(hand_over())
    loop.close()
    for call in calls:
        call.close()
    assert rv.state_snapshot().idle
