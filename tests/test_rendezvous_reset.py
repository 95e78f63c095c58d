"""``reset``: what callers see, what is honoured, and that nobody's task is cancelled for good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Rendezvous
from tests.rendezvous_kit import CANCELLED, begin, counts, ended, settle, then, waiting
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def test_put_gives_false_after_a_reset() -> None:
    rv: Rendezvous[int] = Rendezvous()
    puts = await waiting(rv.put(1), rv.put(2))
    await rv.reset()
    assert await ended(*puts) == [False, False]
    assert await rv.get("nothing") == "nothing"


async def test_get_raising_put_and_exchange_raise_cancelled_error_after_a_reset() -> None:
    calls: list[Callable[[Rendezvous[int]], Coroutine[Any, Any, object]]] = [
        lambda rv: rv.get(),
        lambda rv: rv.raising_put(1, timeout=100),
        lambda rv: rv.exchange(1),
    ]
    for call in calls:
        rv: Rendezvous[int] = Rendezvous()
        (task,) = await waiting(call(rv))
        await rv.reset()
        assert await ended(task) == [CANCELLED]


async def test_get_with_a_default_raises_cancelled_error_after_a_reset() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get(None, timeout=100))
    await rv.reset()
    assert await ended(get) == [CANCELLED]


@pytest.mark.parametrize("operation", ["get", "raising_put", "exchange"])
async def test_caller_that_a_reset_hit_can_go_on(operation: str) -> None:
    rv: Rendezvous[int] = Rendezvous()
    arguments: dict[str, Any] = {"get": (), "exchange": (1,), "raising_put": (1,)}

    async def call() -> str:
        with pytest.raises(asyncio.CancelledError, match="was reset"):
            await getattr(rv, operation)(*arguments[operation], timeout=100)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await tick(2)
        return "went on"

    (task,) = await waiting(call())
    await rv.reset()
    assert await task == "went on"


@pytest.mark.virtual_time
async def test_asyncio_timeout_around_a_call_that_a_reset_hit_does_not_take_it_for_its_own() -> None:
    rv: Rendezvous[int] = Rendezvous()

    async def call() -> str:
        scope = asyncio.timeout(5)
        with pytest.raises(asyncio.CancelledError):
            async with scope:
                await rv.get()
        return "expired" if scope.expired() else "reset"

    (task,) = await waiting(call())
    await rv.reset()
    assert await task == "reset"


async def test_task_group_takes_a_child_that_a_reset_hit_for_cancelled_and_goes_on() -> None:
    rv: Rendezvous[int] = Rendezvous()
    seen: list[str] = []

    async def sibling() -> None:
        await tick(10)
        seen.append("sibling ended")

    async with asyncio.TaskGroup() as group:
        child = group.create_task(rv.get())
        group.create_task(sibling())
        await tick(3)
        await rv.reset()
    assert child.cancelled()
    assert seen == ["sibling ended"]


async def test_reset_empties_the_rendezvous_at_once() -> None:
    rv: Rendezvous[int] = Rendezvous()
    tasks = await waiting(rv.get(), rv.get())
    await rv.reset()
    assert counts(rv) == (0, 0)
    assert await ended(*tasks) == [CANCELLED, CANCELLED]
    assert counts(rv) == (0, 0)


async def test_rendezvous_works_after_a_reset() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (old,) = await waiting(rv.get())
    await rv.reset()
    tasks = [begin(rv.get()), begin(rv.put(1))]
    assert await ended(old, *tasks) == [CANCELLED, 1, True]


async def test_reset_with_nothing_waiting_is_harmless() -> None:
    rv: Rendezvous[int] = Rendezvous()
    await rv.reset()
    await rv.reset()
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_reset_in_the_turn_before_the_timeout_wins() -> None:
    rv: Rendezvous[int] = Rendezvous()
    put, raising = await waiting(rv.put(1, timeout=5), rv.raising_put(2, timeout=5))
    await rv.reset()
    await asyncio.sleep(10)
    assert await ended(put, raising) == [False, CANCELLED]


async def test_reset_and_cancellation_in_the_same_turn_raise_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    put, other = await waiting(rv.put(1), rv.put(2))
    reset = begin(rv.reset())
    then(put.cancel)
    assert await ended(put, other, reset) == [CANCELLED, False, None]
    assert reset.done()


async def test_cancelled_put_that_a_reset_finds_raises_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    put, other = await waiting(rv.put(1), rv.put(2))
    put.cancel()
    await rv.reset()
    assert await ended(put, other) == [CANCELLED, False]
    assert counts(rv) == (0, 0)
    assert "idle, 0 getters, 0 putters" in repr(rv)


async def test_reset_and_cancellation_of_a_get_in_the_same_turn_leave_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    await rv.reset()
    get.cancel()
    assert await ended(get) == [CANCELLED]
    assert counts(rv) == (0, 0)


# Between hand-off and wake


async def test_reset_between_hand_off_and_wake_honours_the_hand_off() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    tasks = [begin(rv.put(1)), begin(rv.reset())]
    assert await ended(get, *tasks) == [1, True, None]


async def test_reset_after_a_get_took_a_waiting_value_honours_that() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(1))
    assert await rv.get() == 1
    await rv.reset()
    assert await put is True


async def test_put_whose_getter_fails_after_a_reset_gives_false() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    tasks = [begin(rv.put(1)), begin(rv.reset())]
    then(get.cancel)
    assert await ended(get, *tasks) == [CANCELLED, False, None]
    assert counts(rv) == (0, 0)


async def test_put_whose_getter_fails_after_a_reset_is_not_handed_to_who_came_after_it() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    tasks = [begin(rv.put(1)), begin(rv.reset()), begin(rv.get()), begin(rv.put(2))]
    then(get.cancel)
    assert await ended(get, *tasks) == [CANCELLED, False, None, 2, True]


async def test_put_whose_getter_fails_after_a_reset_is_not_handed_to_who_waits_since() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    tasks = [begin(rv.put(1)), begin(rv.reset()), begin(rv.get())]
    then(get.cancel)
    assert await ended(get, *tasks) == [CANCELLED, False, None, None]
    assert await rv.put(2)
    assert await tasks[2] == 2


async def test_raising_put_whose_getter_fails_after_a_reset_raises_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (get,) = await waiting(rv.get())
    tasks = [begin(rv.raising_put(1, timeout=100)), begin(rv.reset())]
    then(get.cancel)
    assert await ended(get, *tasks) == [CANCELLED, CANCELLED, None]


async def test_first_of_two_getters_that_fails_after_a_reset_leaves_the_other_one_a_value() -> None:
    rv: Rendezvous[int] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    tasks = [begin(rv.put(1)), begin(rv.put(2)), begin(rv.reset())]
    then(first.cancel)
    assert await ended(first, second, *tasks) == [CANCELLED, 1, True, False, None]
    assert counts(rv) == (0, 0)


async def test_get_and_put_after_the_reset_in_that_turn_meet_each_other() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (old,) = await waiting(rv.get())
    tasks = [begin(rv.reset()), begin(rv.put(1)), begin(rv.get())]
    assert await ended(old, *tasks) == [CANCELLED, None, True, 1]


# Exchanges


async def test_exchange_with_nothing_matched_raises_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1))
    await rv.reset()
    assert await ended(exchange) == [CANCELLED]
    assert counts(rv) == (0, 0)


async def test_exchange_with_a_value_in_hand_returns_it_and_withdraws_its_put() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1))
    assert await rv.put(2)
    await rv.reset()
    assert await exchange == 2
    assert await rv.get("nothing") == "nothing"


async def test_exchange_with_only_its_put_taken_raises_cancelled_error() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1))
    assert await rv.get() == 1
    await rv.reset()
    assert await ended(exchange) == [CANCELLED]


async def test_reset_in_the_turn_of_a_swap_honours_it() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (first,) = await waiting(rv.exchange(1))
    tasks = [begin(rv.exchange(2)), begin(rv.reset())]
    assert await ended(first, *tasks) == [2, 1, None]


async def test_exchange_with_a_value_in_hand_that_is_reset_and_cancelled_offers_the_value_again() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1))
    assert await rv.put(2)
    await rv.reset()
    exchange.cancel()
    assert await ended(exchange) == [CANCELLED]
    assert await rv.get() == 2


async def test_exchange_whose_partner_fails_after_a_reset_returns_the_value_and_withdraws_its_put() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (first,) = await waiting(rv.exchange(1))
    tasks = [begin(rv.exchange(2)), begin(rv.reset())]
    then(first.cancel)
    assert await ended(first, *tasks) == [CANCELLED, 1, None]
    assert counts(rv) == (0, 0)


# Values without a caller


async def test_value_that_a_cancelled_exchange_gave_back_is_still_there_after_a_reset() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1))
    assert await rv.put(2) is True
    exchange.cancel()
    await settle()
    (put,) = await waiting(rv.put(3))
    await rv.reset()
    assert await ended(exchange, put) == [CANCELLED, False]
    assert await rv.get() == 2
    assert counts(rv) == (0, 0)


async def test_put_that_asap_left_is_still_there_after_a_reset() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (put,) = await waiting(rv.put(2))
    assert await rv.exchange(1, asap=True) == 2
    await rv.reset()
    assert await rv.get() == 1
    assert await put


async def test_put_that_asap_left_is_handed_on_across_a_reset() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (partner,) = await waiting(rv.exchange(2))
    tasks = [begin(rv.exchange(1, asap=True)), begin(rv.reset()), begin(rv.get())]
    then(partner.cancel)
    assert await ended(partner, *tasks) == [CANCELLED, 2, None, 1]


async def test_put_of_an_asap_exchange_that_is_handed_a_value_before_a_reset_goes_on() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1, asap=True))
    tasks = [begin(rv.put(2)), begin(rv.reset())]
    assert await ended(exchange, *tasks) == [2, True, None]
    assert await rv.get() == 1


async def test_put_of_an_asap_exchange_without_a_value_ends_with_a_reset() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1, asap=True))
    await rv.reset()
    assert await ended(exchange) == [CANCELLED]
    assert counts(rv) == (0, 0)


async def test_asap_exchange_cancelled_in_the_turn_in_which_it_is_handed_a_value_withdraws_its_put() -> None:
    rv: Rendezvous[int] = Rendezvous()
    (exchange,) = await waiting(rv.exchange(1, asap=True))
    put = begin(rv.put(2))
    then(exchange.cancel)
    assert await ended(exchange, put) == [CANCELLED, None]
    assert await rv.get() == 2
    assert await rv.get("nothing") == "nothing"
    assert await put
