"""Random interleavings of puts, gets, exchanges, cancellations, timeouts and resets, and what holds for each."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncutils_rx import Rendezvous
from tests.rendezvous_kit import begin, settle, timers
from tests.support import tick

Kind: TypeAlias = Literal["put", "get", "exchange"]


@dataclass(frozen=True)
class Start:
    """Begin an operation."""

    kind: Kind
    timeout: float | None
    asap: bool = False


@dataclass(frozen=True)
class Cancel:
    """Cancel the task of an operation, counted from the newest."""

    back: int


@dataclass(frozen=True)
class Reset:
    """Reset the rendezvous."""


@dataclass(frozen=True)
class Pass:
    """Let turns or seconds pass; 0 seconds are that many turns."""

    turns: int
    seconds: float


Action: TypeAlias = Start | Cancel | Reset | Pass

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


class Book:
    """Keeps the books over one run: what was offered, how each operation ended, what was received."""

    def __init__(self) -> None:
        self.rv: Rendezvous[int] = Rendezvous()
        self.started: list[tuple[Start, int, asyncio.Task[Any]]] = []
        self.resets: list[asyncio.Task[None]] = []

    def act(self, action: Action) -> None:
        """Begin what an action says; it happens in the next turn."""
        match action:
            case Start():
                value = len(self.started)
                self.started.append((action, value, begin(self._call(action, value))))
            case Cancel() if action.back < len(self.started):
                # As a callback, so that it falls between the steps of what was begun before and after it.
                asyncio.get_running_loop().call_soon(self.started[-1 - action.back][2].cancel)
            case Reset():
                self.resets.append(begin(self.rv.reset()))
            case _:
                pass

    def _call(self, start: Start, value: int) -> Any:
        match start.kind:
            case "put":
                return self.rv.put(value, timeout=start.timeout)
            case "get":
                return self.rv.get(timeout=start.timeout)
        return self.rv.exchange(value, timeout=start.timeout, asap=start.asap)

    async def close(self) -> list[int]:
        """End the run: cancel the gets that wait, take what is on offer; return what was received after the run."""
        await settle()
        for start, _, task in self.started:
            if start.kind != "put":
                task.cancel()
        await settle()
        late = []
        while (value := await self.rv.get(None)) is not None:
            late.append(value)
        await settle()
        return late

    def check(self, late: list[int]) -> None:
        """See that the books balance."""
        received = Counter(late)
        for start, _, task in self.started:
            assert task.done()
            if start.kind != "put" and not task.cancelled() and task.exception() is None:
                received[task.result()] += 1
        assert not [value for value, times in received.items() if times > 1], "a value was received twice"
        for start, value, task in self.started:
            times = received.pop(value, 0)
            if task.cancelled():
                continue
            failed = task.exception() is not None
            if start.kind == "put":
                assert task.result() == bool(times), f"put of {value} gave {task.result()}"
            elif start.kind == "get":
                assert not times
            elif start.asap and not failed and start.timeout != 0:
                assert times, f"the put of the asap exchange {value} was lost"
            elif start.timeout == 0:
                assert bool(times) != failed, f"exchange {value} was not all or nothing"
            elif not failed and start.timeout is None and not self.resets:
                assert times, f"exchange {value} returned before its put was taken"
            assert failed or start.kind == "put" or task.result() != value, "an exchange took its own value"
        assert not received, "something was received that nobody offered"

    def check_clean(self) -> None:
        """See that nothing is left."""
        assert self.rv.state_snapshot() == (0, 0, 0, True)
        assert "idle, 0 getters, 0 putters" in repr(self.rv)
        assert timers() == []
        matching = self.rv._matching
        assert matching is not None
        assert not matching.flights
        assert not matching.due
        assert not matching.getter_line.slots
        assert not matching.putter_line.slots


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
