"""Every short program at a rendezvous: beside a plain model, and in every way in which its steps can interleave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from asyncutils_rx import Rendezvous
from tests.rendezvous_book import Action, Book, Cancel, Reset, Start
from tests.rendezvous_kit import CANCELLED, begin, ending
from tests.support import VirtualTimeLoop, tick

if TYPE_CHECKING:
    from collections.abc import Iterator

PUT, GET, SWAP = Start("put", None), Start("get", None), Start("exchange", None)
PUT_0, GET_0, SWAP_0 = Start("put", 0), Start("get", 0), Start("exchange", 0)
PUT_1, GET_1, SWAP_1 = Start("put", 1), Start("get", 1), Start("exchange", 1)
ASAP, ASAP_1 = Start("exchange", None, asap=True), Start("exchange", 1, asap=True)

Step: TypeAlias = "Start | int | str"
"""Begin an operation, cancel the one with this number, ``"reset"``, or ``"wait"`` for a second."""

# The model: one thing at a time


class Operation:
    """An operation in the model, or a value whose operation is gone."""

    def __init__(self, start: Start, value: int, now: float) -> None:
        self.start = start
        self.value = value
        self.deadline = None if start.timeout is None else now + start.timeout
        self.got: int | None = None
        self.given = False
        self.outcome: Any = None


class Model:
    """The plainest rendezvous: two lists, and nothing ever happens at the same time as anything else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.operations: list[Operation] = []
        self.getters: list[Operation] = []
        self.putters: list[Operation] = []

    def step(self, step: Step) -> None:
        """Do what a step says."""
        if isinstance(step, Start):
            self._begin(Operation(step, len(self.operations), self.now))
        elif isinstance(step, int):
            self._cancel(self.operations[step])
        elif step == "reset":
            for operation in self._pending():
                self._end(operation, {"put": False}.get(operation.start.kind, CANCELLED))
        else:
            self.now += 1
            for operation in self._pending():
                if operation.deadline is not None and operation.deadline <= self.now:
                    self._end(operation, {"put": False}.get(operation.start.kind, "RendezvousTimeout"))

    def _pending(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.outcome is None]

    def _begin(self, operation: Operation) -> None:
        self.operations.append(operation)
        kind = operation.start.kind
        puts, gets = kind != "get", kind != "put"
        if operation.start.timeout == 0 and ((puts and not self.getters) or (gets and not self.putters)):
            operation.outcome = {"put": False}.get(kind, "RendezvousTimeout")
            return
        partner = self.putters.pop(0) if gets and self.putters else None
        if puts:
            self._offer(operation, len(self.putters))
        if partner is not None:
            self._hand(partner, operation)
        elif gets:
            self.getters.append(operation)

    def _offer(self, operation: Operation, place: int) -> None:
        if self.getters:
            self._hand(operation, self.getters.pop(0))
        else:
            self.putters.insert(place, operation)

    def _hand(self, putter: Operation, getter: Operation) -> None:
        putter.given = True
        getter.got = putter.value
        for operation in (putter, getter):
            kind, asap = operation.start.kind, operation.start.asap
            if kind == "put":
                operation.outcome = True
            elif operation.got is not None and (kind == "get" or asap or operation.given):
                operation.outcome = operation.got

    def _end(self, operation: Operation, outcome: Any) -> None:
        operation.outcome = outcome if operation.got is None else operation.got
        for line in (self.getters, self.putters):
            if operation in line:
                line.remove(operation)

    def _cancel(self, operation: Operation) -> None:
        if operation.outcome is None:
            self._end(operation, CANCELLED)
            operation.outcome = CANCELLED
            if operation.got is not None:
                self._offer(Operation(PUT, operation.got, self.now), 0)


def programs(starts: list[Start], length: int) -> Iterator[list[Step]]:
    """Yield all programs of a length that begin these operations, cancel them while they run, reset and wait."""

    def further(steps: list[Step], begun: int) -> Iterator[list[Step]]:
        if len(steps) == length:
            yield steps
            return
        for start in starts:
            yield from further([*steps, start], begun + 1)
        model = Model()
        for step in steps:
            model.step(step)
        for number, operation in enumerate(model.operations):
            if operation.outcome is None:
                yield from further([*steps, number], begun)
        if model.getters or model.putters:
            yield from further([*steps, "reset"], begun)
        if any(operation.outcome is None and operation.deadline is not None for operation in model.operations):
            yield from further([*steps, "wait"], begun)

    return further([], 0)


async def run_beside_the_model(steps: list[Step]) -> None:
    """Run a program, and compare all that can be seen with the model after each step."""
    rv: Rendezvous[int] = Rendezvous()
    model = Model()
    tasks: list[asyncio.Task[Any]] = []
    for done, step in enumerate(steps, 1):
        model.step(step)
        if isinstance(step, Start):
            tasks.append(begin(call(rv, step, len(tasks))))
        elif isinstance(step, int):
            tasks[step].cancel()
        elif step == "reset":
            await rv.reset()
        else:
            await asyncio.sleep(1)
        await tick(2)
        assert [ending(task) for task in tasks] == [o.outcome for o in model.operations], steps[:done]
        assert rv.state_snapshot()[:2] == (len(model.getters), len(model.putters)), steps[:done]
    rest = [await rv.get(None) for _ in model.putters]
    assert rest == [operation.value for operation in model.putters], steps
    for task in tasks:
        task.cancel()
    await tick(2)


def call(rv: Rendezvous[int], start: Start, value: int) -> Any:
    """Return the call that begins an operation."""
    match start.kind:
        case "put":
            return rv.put(value, timeout=start.timeout)
        case "get":
            return rv.get(timeout=start.timeout)
    return rv.exchange(value, timeout=start.timeout, asap=start.asap)


@pytest.mark.parametrize(
    ("starts", "length"),
    [
        ([PUT, GET, SWAP, ASAP, PUT_0, GET_0, SWAP_0, PUT_1, GET_1, SWAP_1, ASAP_1], 3),
        ([PUT, GET, SWAP, ASAP, SWAP_0, PUT_1, SWAP_1], 4),
        ([PUT, GET, SWAP], 5),
    ],
)
def test_every_short_program_does_what_the_model_does(starts: list[Start], length: int) -> None:
    async def run() -> int:
        number = 0
        for steps in programs(starts, length):
            await run_beside_the_model(steps)
            number += 1
        return number

    with asyncio.Runner(loop_factory=VirtualTimeLoop, debug=False) as runner:
        assert runner.run(run()) > 1000


# Interleavings: several things in one turn, or in the turn of a hand-off


def interleavings(starts: list[Start], length: int) -> Iterator[list[Action]]:
    """Yield all sequences of a length that begin these operations, cancel those that were begun, and reset."""

    def further(actions: list[Action], begun: int) -> Iterator[list[Action]]:
        if len(actions) == length:
            yield actions
            return
        for start in starts:
            yield from further([*actions, start], begun + 1)
        if begun:
            for back in range(begun):
                yield from further([*actions, Cancel(back)], begun)
            yield from further([*actions, Reset()], begun)

    return further([], 0)


async def run_interleaved(actions: list[Action], pauses: int) -> None:
    """Run actions, some of them in one turn: each bit of ``pauses`` that is set is a turn after an action."""
    book = Book()
    for number, action in enumerate(actions):
        book.act(action)
        if pauses >> number & 1:
            await tick()
    try:
        book.check(await book.close())
        book.check_clean()
    except AssertionError as error:
        raise AssertionError(f"{actions}, with turns {pauses:b}") from error


@pytest.mark.parametrize(
    ("starts", "length"),
    [
        ([PUT, GET, SWAP, ASAP, PUT_0, SWAP_0], 3),
        ([PUT, GET, SWAP, ASAP], 4),
        ([PUT, GET], 5),
    ],
)
def test_nothing_is_lost_or_doubled_however_a_short_program_interleaves(starts: list[Start], length: int) -> None:
    async def run() -> int:
        number = 0
        for actions in interleavings(starts, length):
            for pauses in range(2 ** (length - 1)):
                await run_interleaved(actions, pauses)
                number += 1
        return number

    assert asyncio.run(run(), debug=False) > 1000
