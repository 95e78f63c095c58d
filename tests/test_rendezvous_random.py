"""Random interleavings of puts, gets, exchanges, cancellations, timeouts and resets, and what holds for each."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncutils_rx import Rendezvous
from tests.rendezvous_book import Action, Book, Cancel, Pass, Reset, Start
from tests.rendezvous_kit import begin, settle
from tests.support import tick

TIMEOUTS = st.sampled_from([None, None, None, 0, 1, 2])
STARTS = st.builds(Start, st.sampled_from(["put", "get", "exchange"]), TIMEOUTS, st.booleans())
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    STARTS,
    STARTS,
    STARTS,
    st.builds(Cancel, st.integers(0, 5)),
    st.builds(Cancel, st.integers(0, 5)),
    st.just(Reset()),
    st.builds(Pass, st.integers(1, 2), st.sampled_from([0, 0, 0, 1])),
)


@pytest.mark.virtual_time
@settings(max_examples=150)
@given(st.lists(ACTIONS, max_size=25))
async def test_nothing_is_lost_or_doubled_and_every_put_is_told_the_truth(actions: list[Action]) -> None:
    book = Book()
    for action in actions:
        book.act(action)
        if isinstance(action, Pass):
            await (asyncio.sleep(action.seconds) if action.seconds else tick(action.turns))
    # Whatever has a timeout ends by it.
    await asyncio.sleep(3)
    book.check(await book.close())
    book.check_clean()


@pytest.mark.virtual_time
@settings(max_examples=60)
@given(st.lists(ACTIONS, max_size=25))
async def test_what_can_be_matched_does_not_wait(actions: list[Action]) -> None:
    book = Book()
    for action in actions:
        book.act(action)
        await settle()
        getters, putters, *_ = book.rv.state_snapshot()
        # An exchange does not match itself.
        assert not getters or not putters or getters == putters == 1
        assert "waiting" in repr(book.rv) if getters or putters else "idle" in repr(book.rv)
    await asyncio.sleep(3)
    book.check(await book.close())
    book.check_clean()


class Model:
    """The plainest rendezvous: two queues of numbers of operations, in which nothing happens at the same time."""

    def __init__(self) -> None:
        self.getters: deque[int] = deque()
        self.putters: deque[int] = deque()
        self.taken: dict[int, int] = {}

    def start(self, kind: str, number: int) -> None:
        if kind == "get":
            if self.putters:
                self.taken[number] = self.putters.popleft()
            else:
                self.getters.append(number)
        elif self.getters:
            self.taken[self.getters.popleft()] = number
        else:
            self.putters.append(number)

    def cancel(self, number: int) -> None:
        for line in (self.getters, self.putters):
            if number in line:
                line.remove(number)


@pytest.mark.virtual_time
@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(["put", "get", "cancel"]), st.integers(0, 8)), max_size=30))
async def test_puts_and_gets_are_matched_first_in_first_out(actions: list[tuple[str, int]]) -> None:
    rv: Rendezvous[int] = Rendezvous()
    model = Model()
    tasks: list[asyncio.Task[Any]] = []
    for kind, back in actions:
        if kind == "cancel":
            if back < len(tasks):
                tasks[-1 - back].cancel()
                model.cancel(len(tasks) - 1 - back)
        else:
            model.start(kind, len(tasks))
            tasks.append(begin(rv.put(len(tasks)) if kind == "put" else rv.get()))
        await settle()
    done = {number: task.result() for number, task in enumerate(tasks) if task.done() and not task.cancelled()}
    assert {number: value for number, value in done.items() if value is not True} == model.taken
    assert rv.state_snapshot()[:2] == (len(model.getters), len(model.putters))
    for task in tasks:
        task.cancel()
    await settle()


@pytest.mark.virtual_time
@settings(max_examples=100)
@given(st.integers(1, 5), st.integers(1, 5), st.sets(st.integers(0, 4)), st.sets(st.integers(0, 4)))
async def test_what_survives_cancellations_in_the_turn_of_the_hand_off_is_matched_in_order(
    getters: int, putters: int, failing_gets: set[int], failing_puts: set[int]
) -> None:
    rv: Rendezvous[int] = Rendezvous()
    gets = [begin(rv.get()) for _ in range(getters)]
    await settle()
    puts = [begin(rv.put(n)) for n in range(putters)]
    loop = asyncio.get_running_loop()
    for number in failing_gets & set(range(getters)):
        loop.call_soon(gets[number].cancel)
    await settle()
    received = [get.result() for get in gets if get.done() and not get.cancelled()]
    assert received == list(range(min(putters, getters - len(failing_gets & set(range(getters))))))
    for number in failing_puts & set(range(putters)):
        puts[number].cancel()
    await settle()
    rest = [n for n in range(len(received), putters) if n not in failing_puts]
    if rest:
        assert [await rv.get() for _ in rest] == rest
    await settle()
    assert rv.state_snapshot().num_putters == 0
    for task in (*gets, *puts):
        task.cancel()
    await settle()
