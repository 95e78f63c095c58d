"""``exchange``: one put and one get that never match each other, and what becomes of one half if the other fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncutils_rx import Rendezvous
from asyncutils_rx.exceptions import RendezvousTimeout
from tests.rendezvous_kit import CANCELLED, begin, counts, ended, settle, then, waiting
from tests.support import tick

# Both halves


async def test_two_exchanges_swap_their_values() -> None:
    rv: Rendezvous[str] = Rendezvous()
    tasks = [begin(rv.exchange("a")), begin(rv.exchange("b"))]
    assert await ended(*tasks) == ["b", "a"]
    assert counts(rv) == (0, 0)


async def test_exchange_never_takes_its_own_value() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert await ended(exchange) == [None]
    assert await rv.exchange("b") == "a"
    assert await exchange == "b"


async def test_exchange_serves_one_get_and_one_put() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert await rv.get() == "a"
    assert await ended(exchange) == [None]
    assert await rv.put("b")
    assert await exchange == "b"


async def test_exchange_serves_one_put_and_one_get() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert await rv.put("b")
    assert await ended(exchange) == [None]
    assert await rv.get() == "a"
    assert await exchange == "b"


async def test_exchange_takes_a_value_that_waits_and_waits_for_its_own_to_be_taken() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (put,) = await waiting(rv.put("b"))
    exchange = begin(rv.exchange("a"))
    assert await ended(put, exchange) == [True, None]
    assert counts(rv) == (0, 1)
    assert await rv.get() == "a"
    assert await exchange == "b"


async def test_exchange_serves_a_getter_that_waits_and_waits_for_a_value() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    exchange = begin(rv.exchange("a"))
    assert await ended(get, exchange) == ["a", None]
    assert counts(rv) == (1, 0)
    assert await rv.put("b")
    assert await exchange == "b"


async def test_exchange_that_waits_counts_as_one_getter_and_one_putter() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert counts(rv) == (1, 1)
    assert "1 getters, 1 putters" in repr(rv)
    assert await rv.exchange("b") == "a"
    assert await exchange == "b"


async def test_exchange_takes_its_place_behind_putters_that_wait() -> None:
    rv: Rendezvous[str] = Rendezvous()
    puts = await waiting(rv.put("a"), rv.put("b"))
    (exchange,) = await waiting(rv.exchange("c"))
    assert [await rv.get(), await rv.get()] == ["b", "c"]
    assert await exchange == "a"
    assert await asyncio.gather(*puts) == [True, True]


async def test_exchange_takes_its_place_behind_getters_that_wait() -> None:
    rv: Rendezvous[str] = Rendezvous()
    gets = await waiting(rv.get(), rv.get())
    (exchange,) = await waiting(rv.exchange("a"))
    assert await rv.put("b")
    assert await rv.put("c")
    assert await ended(*gets, exchange) == ["a", "b", "c"]


async def test_many_exchanges_at_once_lose_and_double_nothing() -> None:
    rv: Rendezvous[int] = Rendezvous()
    seen = await asyncio.gather(*(rv.exchange(n) for n in range(100)))
    assert sorted(seen) == list(range(100))
    assert all(n != value for n, value in enumerate(seen))
    assert counts(rv) == (0, 0)


async def test_two_tasks_exchange_again_and_again() -> None:
    rv: Rendezvous[tuple[str, int]] = Rendezvous()

    async def play(name: str) -> list[tuple[str, int]]:
        return [await rv.exchange((name, n)) for n in range(50)]

    left, right = await asyncio.gather(play("left"), play("right"))
    assert left == [("right", n) for n in range(50)]
    assert right == [("left", n) for n in range(50)]


# asap


async def test_asap_returns_at_once_with_a_value_that_waits_and_its_put_goes_on() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (put,) = await waiting(rv.put("b"))
    assert await rv.exchange("a", asap=True) == "b"
    assert await put
    assert counts(rv) == (0, 1)
    assert await rv.get() == "a"
    assert counts(rv) == (0, 0)
    assert await rv.get("nothing") == "nothing"


async def test_asap_returns_once_its_get_is_complete_and_its_put_goes_on() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a", asap=True))
    assert await rv.put("b")
    assert await ended(exchange) == ["b"]
    assert counts(rv) == (0, 1)
    assert await rv.get() == "a"
    assert await rv.get("nothing") == "nothing"


async def test_asap_waits_for_a_value_even_if_its_own_was_taken() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a", asap=True))
    assert await rv.get() == "a"
    assert await ended(exchange) == [None]
    assert await rv.put("b")
    assert await exchange == "b"
    assert counts(rv) == (0, 0)


async def test_asap_exchanges_swap() -> None:
    rv: Rendezvous[str] = Rendezvous()
    tasks = [begin(rv.exchange("a", asap=True)), begin(rv.exchange("b", asap=True))]
    assert await ended(*tasks) == ["b", "a"]
    assert counts(rv) == (0, 0)


async def test_put_left_by_asap_survives_a_cancelled_partner() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (partner,) = await waiting(rv.exchange("b"))
    exchange = begin(rv.exchange("a", asap=True))
    then(partner.cancel)
    assert await ended(partner, exchange) == [CANCELLED, "b"]
    assert counts(rv) == (0, 1)
    assert await rv.get() == "a"


@pytest.mark.virtual_time
async def test_put_left_by_asap_outlives_the_timeout_of_its_exchange() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (put,) = await waiting(rv.put("b"))
    assert await rv.exchange("a", timeout=5, asap=True) == "b"
    await asyncio.sleep(100)
    assert await rv.get() == "a"
    assert await put


@pytest.mark.virtual_time
async def test_put_left_by_asap_is_there_long_after() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a", timeout=5, asap=True))
    assert await rv.put("b")
    assert await exchange == "b"
    await asyncio.sleep(100)
    assert await rv.get() == "a"


# Timeouts


@pytest.mark.virtual_time
async def test_exchange_with_nothing_matched_raises_at_its_timeout_and_leaves_nothing() -> None:
    rv: Rendezvous[str] = Rendezvous()
    with pytest.raises(RendezvousTimeout) as caught:
        await rv.exchange("a", timeout=5)
    assert asyncio.get_running_loop().time() == 5
    assert caught.value.operation == "exchange"
    assert counts(rv) == (0, 0)
    assert await rv.get("nothing") == "nothing"
    assert await rv.put("b", timeout=0) is False


@pytest.mark.virtual_time
async def test_exchange_with_a_value_in_hand_returns_it_at_its_timeout_and_withdraws_its_put() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a", timeout=5))
    assert await rv.put("b")
    assert await exchange == "b"
    assert asyncio.get_running_loop().time() == 5
    assert await rv.get("nothing") == "nothing"


@pytest.mark.virtual_time
async def test_exchange_that_took_a_value_at_once_returns_it_at_its_timeout_and_withdraws_its_put() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (put,) = await waiting(rv.put("b"))
    assert await rv.exchange("a", timeout=5) == "b"
    assert asyncio.get_running_loop().time() == 5
    assert await put is True
    assert await rv.get("nothing") == "nothing"


@pytest.mark.virtual_time
async def test_exchange_with_only_its_put_taken_raises_at_its_timeout() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a", timeout=5))
    assert await rv.get() == "a"
    with pytest.raises(RendezvousTimeout):
        await exchange
    assert asyncio.get_running_loop().time() == 5
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_exchange_matched_in_the_turn_of_its_timeout_returns_the_value_and_withdraws_its_put() -> None:
    rv: Rendezvous[str] = Rendezvous()
    offer = rv.put("b")
    asyncio.get_running_loop().call_at(5, lambda: offer.send(None))
    assert await rv.exchange("a", timeout=5) == "b"
    with pytest.raises(StopIteration) as caught:
        offer.send(None)
    assert caught.value.value is True
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_put_of_an_asap_exchange_that_is_matched_in_the_turn_of_its_timeout_goes_on() -> None:
    rv: Rendezvous[str] = Rendezvous()
    offer = rv.put("b")
    asyncio.get_running_loop().call_at(5, lambda: offer.send(None))
    assert await rv.exchange("a", timeout=5, asap=True) == "b"
    offer.close()
    assert await rv.get() == "a"


@pytest.mark.virtual_time
@pytest.mark.parametrize("asap", [False, True])
async def test_exchange_that_times_out_while_its_value_is_handed_over_waits_for_the_outcome(asap: bool) -> None:
    for taken in (True, False):
        rv: Rendezvous[str] = Rendezvous()
        # A getter that is driven by hand, so the value is on its way for as long as the test likes.
        get: Any = rv.get()
        get.send(None)
        (exchange,) = await waiting(rv.exchange("a", timeout=5, asap=asap))
        await asyncio.sleep(6)
        assert not exchange.done()
        if taken:
            with pytest.raises(StopIteration) as caught:
                get.send(None)
            assert caught.value.value == "a"
        else:
            get.close()
        assert await ended(exchange) == ["RendezvousTimeout"]
        assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_exchange_with_a_value_that_times_out_while_its_own_is_handed_over_returns_the_value() -> None:
    for taken in (True, False):
        rv: Rendezvous[str] = Rendezvous()
        get: Any = rv.get()
        get.send(None)
        (exchange,) = await waiting(rv.exchange("a", timeout=5))
        assert await rv.put("b")
        await asyncio.sleep(6)
        assert not exchange.done()
        if taken:
            with pytest.raises(StopIteration):
                get.send(None)
        else:
            get.close()
        assert await exchange == "b"
        assert counts(rv) == (0, 0)


async def test_timeout_0_raises_where_nothing_waits() -> None:
    rv: Rendezvous[str] = Rendezvous()
    call = rv.exchange("a", timeout=0)
    with pytest.raises(RendezvousTimeout):
        call.send(None)
    assert counts(rv) == (0, 0)


@pytest.mark.parametrize("asap", [False, True])
async def test_timeout_0_takes_nothing_where_only_a_put_waits(asap: bool) -> None:
    rv: Rendezvous[str] = Rendezvous()
    (put,) = await waiting(rv.put("b"))
    with pytest.raises(RendezvousTimeout):
        await rv.exchange("a", timeout=0, asap=asap)
    assert counts(rv) == (0, 1)
    assert await rv.get() == "b"
    assert await put


async def test_timeout_0_gives_nothing_where_only_a_get_waits() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    with pytest.raises(RendezvousTimeout):
        await rv.exchange("a", timeout=0)
    assert counts(rv) == (1, 0)
    assert await rv.put("b")
    assert await get == "b"


@pytest.mark.parametrize("asap", [False, True])
async def test_timeout_0_swaps_with_an_exchange_that_waits(asap: bool) -> None:
    rv: Rendezvous[str] = Rendezvous()
    (partner,) = await waiting(rv.exchange("b"))
    assert await rv.exchange("a", timeout=0, asap=asap) == "b"
    assert await partner == "a"


async def test_timeout_0_swaps_nothing_with_a_partner_that_is_cancelled_in_that_turn() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (partner,) = await waiting(rv.exchange("b"))
    exchange = begin(rv.exchange("a", timeout=0))
    then(partner.cancel)
    assert await ended(partner, exchange) == [CANCELLED, "RendezvousTimeout"]
    assert counts(rv) == (0, 0)


async def test_timeout_0_is_handed_on_to_a_getter_that_came_meanwhile() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (partner,) = await waiting(rv.exchange("b"))
    tasks = [begin(rv.exchange("a", timeout=0)), begin(rv.get())]
    then(partner.cancel)
    assert await ended(partner, *tasks) == [CANCELLED, "b", "a"]


async def test_timeout_0_does_not_match_a_partner_that_is_cancelled_and_has_not_noticed() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (partner,) = await waiting(rv.exchange("b"))
    partner.cancel()
    with pytest.raises(RendezvousTimeout):
        await rv.exchange("a", timeout=0)
    assert await ended(partner) == [CANCELLED]


# Cancellations


async def test_exchange_cancelled_with_nothing_matched_leaves_nothing() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    exchange.cancel()
    assert counts(rv) == (0, 0)
    assert await rv.get("nothing") == "nothing"
    assert await ended(exchange) == [CANCELLED]
    assert counts(rv) == (0, 0)
    assert "idle" in repr(rv)


async def test_exchange_cancelled_with_only_its_put_taken_leaves_nothing() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert await rv.get() == "a"
    exchange.cancel()
    assert await ended(exchange) == [CANCELLED]
    assert counts(rv) == (0, 0)


async def test_exchange_cancelled_with_a_value_in_hand_offers_that_value_again() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert await rv.put("b") is True
    exchange.cancel()
    assert await ended(exchange) == [CANCELLED]
    assert counts(rv) == (0, 1)
    assert await rv.get() == "b"
    assert await rv.get("nothing") == "nothing"


async def test_value_that_a_cancelled_exchange_offers_again_is_first_in_line() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert await rv.put("b")
    (put,) = await waiting(rv.put("c"))
    exchange.cancel()
    await settle()
    assert [await rv.get(), await rv.get()] == ["b", "c"]
    assert await put


async def test_value_that_a_cancelled_exchange_offers_again_goes_to_a_getter_that_waits() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    assert await rv.put("b")
    assert await rv.get() == "a"
    exchange.cancel()
    get = begin(rv.get())
    assert await ended(exchange, get) == [CANCELLED, "b"]


async def test_exchange_cancelled_in_the_turn_in_which_a_value_was_handed_to_it_hands_it_on() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a"))
    put = begin(rv.put("b"))
    then(exchange.cancel)
    assert await ended(exchange, put) == [CANCELLED, None]
    assert counts(rv) == (0, 1)
    assert await rv.get() == "b"
    assert await put is True


async def test_exchange_cancelled_in_the_turn_of_a_swap_hands_the_other_value_on() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (first,) = await waiting(rv.exchange("a"))
    second = begin(rv.exchange("b"))
    then(first.cancel)
    assert await ended(first, second) == [CANCELLED, None]
    # The second one has the first one's value, and offers its own.
    assert counts(rv) == (0, 1)
    assert await rv.get() == "b"
    assert await second == "a"


async def test_second_exchange_of_a_swap_that_is_cancelled_in_that_turn_offers_the_first_value_again() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (first,) = await waiting(rv.exchange("a"))
    second = begin(rv.exchange("b"))
    then(second.cancel)
    assert await ended(first, second) == ["b", CANCELLED]
    assert await rv.get() == "a"
    assert counts(rv) == (0, 0)


async def test_exchange_whose_getter_is_cancelled_in_the_turn_of_the_hand_off_waits_with_both_halves() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    exchange = begin(rv.exchange("a"))
    then(get.cancel)
    assert await ended(get, exchange) == [CANCELLED, None]
    assert counts(rv) == (1, 1)
    assert await rv.exchange("b") == "a"
    assert await exchange == "b"


async def test_value_of_an_exchange_whose_getter_is_cancelled_goes_to_the_next_one_but_never_to_itself() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    exchange = begin(rv.exchange("a"))
    then(get.cancel)
    late = begin(rv.get())
    assert await ended(get, exchange, late) == [CANCELLED, None, "a"]
    assert counts(rv) == (1, 0)
    assert await rv.put("b")
    assert await exchange == "b"


async def test_claim_that_passes_to_an_exchange_is_served_with_what_others_put() -> None:
    rv: Rendezvous[str] = Rendezvous()
    first, second = await waiting(rv.get(), rv.get())
    (exchange,) = await waiting(rv.exchange("x"))
    # The exchange's value went to the first getter, so it waits for a value behind the second one.
    assert await ended(first) == ["x"]
    put = begin(rv.put("a"))
    then(second.cancel)
    assert await ended(second, exchange, put) == [CANCELLED, "a", True]


async def test_exchange_cancelled_while_its_value_is_handed_over_has_it_taken_once() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    exchange = begin(rv.exchange("a"))
    then(exchange.cancel)
    assert await ended(get, exchange) == ["a", CANCELLED]
    assert counts(rv) == (0, 0)


async def test_exchange_and_its_getter_cancelled_in_the_turn_of_the_hand_off_leave_nothing() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    exchange = begin(rv.exchange("a"))
    then(get.cancel)
    then(exchange.cancel)
    assert await ended(get, exchange) == [CANCELLED, CANCELLED]
    assert counts(rv) == (0, 0)


@pytest.mark.virtual_time
async def test_exchange_timed_out_and_cancelled_in_the_same_turn_raises_cancelled_error() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (exchange,) = await waiting(rv.exchange("a", timeout=5))
    asyncio.get_running_loop().call_at(5, exchange.cancel)
    await asyncio.sleep(5)
    assert await ended(exchange) == [CANCELLED]
    assert counts(rv) == (0, 0)


async def test_exchange_that_is_closed_while_waiting_leaves_nothing() -> None:
    rv: Rendezvous[str] = Rendezvous()
    call = rv.exchange("a")
    call.send(None)
    assert counts(rv) == (1, 1)
    call.close()
    assert counts(rv) == (0, 0)


def test_exchange_with_a_value_in_hand_can_be_closed_after_its_loop() -> None:
    loop = asyncio.new_event_loop()
    rv: Rendezvous[str] = Rendezvous()
    calls: list[Any] = [rv.put("b"), rv.exchange("a")]

    async def hand_over() -> None:
        for call in calls:
            call.send(None)

    loop.run_until_complete(hand_over())
    loop.close()
    for call in calls:
        call.close()
    assert rv.state_snapshot().idle


async def test_partner_cancelled_before_it_has_noticed_is_passed_over() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (partner,) = await waiting(rv.exchange("b"))
    partner.cancel()
    exchange = begin(rv.exchange("a"))
    assert await ended(partner, exchange) == [CANCELLED, None]
    assert counts(rv) == (1, 1)
    assert await rv.exchange("c") == "a"
    assert await exchange == "c"


async def test_exchange_takes_a_value_that_a_getter_gave_back_in_that_turn() -> None:
    rv: Rendezvous[str] = Rendezvous()
    (get,) = await waiting(rv.get())
    put = begin(rv.put("b"))
    then(get.cancel)
    await tick(2)
    exchange = begin(rv.exchange("a"))
    assert await ended(get, put, exchange) == [CANCELLED, True, None]
    assert await rv.get() == "a"
    assert await exchange == "b"
