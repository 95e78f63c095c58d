"""The books over what is done at a rendezvous: what was offered, how each operation ended, what was received."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from asyncutils_rx import Rendezvous
from asyncutils_rx.exceptions import RendezvousTimeout
from tests.rendezvous_kit import begin, timers
from tests.support import tick

__all__ = ["Action", "Book", "Cancel", "Kind", "Pass", "Reset", "Start"]

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


class Book:
    """Keeps the books over one run: what was offered, how each operation ended, what was received."""

    def __init__(self) -> None:
        self.rv: Rendezvous[int] = Rendezvous()
        self.started: list[tuple[Start, int, asyncio.Task[Any]]] = []
        self.resets: list[asyncio.Task[None]] = []
        self.cancelled: set[int] = set()

    def act(self, action: Action) -> None:
        """Begin what an action says; it happens in the next turn."""
        match action:
            case Start():
                value = len(self.started)
                self.started.append((action, value, begin(self._call(action, value))))
            case Cancel() if action.back < len(self.started):
                # As a callback, so that it falls between the steps of what was begun before and after it.
                _, value, task = self.started[-1 - action.back]
                self.cancelled.add(value)
                asyncio.get_running_loop().call_soon(task.cancel)
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
        await tick(4)
        for start, value, task in self.started:
            if start.kind != "put" and not task.done():
                self.cancelled.add(value)
                task.cancel()
        await tick(4)
        late: list[int] = []
        while (found := await self.rv.get(None)) is not None:
            late.append(found)
        await tick(4)
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
            assert task.cancelling() == 0 or value in self.cancelled
            if task.cancelled():
                assert value in self.cancelled or self.resets, f"{start} raised CancelledError for no reason"
                continue
            failed = task.exception() is not None
            if failed:
                assert isinstance(task.exception(), RendezvousTimeout)
                assert start.timeout is not None, f"{start} ended before its time"
            if start.kind == "put":
                assert task.result() is bool(times), f"put of {value} gave {task.result()}"
                assert times or start.timeout is not None or self.resets, "a put gave False for no reason"
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
