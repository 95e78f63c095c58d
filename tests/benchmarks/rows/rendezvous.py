"""Rows about handing values over."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..fresh import fresh
from ..model import BOUND, OURS, Contestant, Job, Row, need

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

__all__ = ["RENDEZVOUS"]


class Bare:
    """The bound: queues of futures, and nothing about cancellation, timeouts or the truth of what a put tells."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._getters: deque[asyncio.Future[int]] = deque()
        self._putters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._swappers: deque[tuple[int, asyncio.Future[int]]] = deque()

    async def put(self, value: int) -> None:
        """Hand a value to a getter, or wait for one."""
        if self._getters:
            self._getters.popleft().set_result(value)
            return
        taken: asyncio.Future[None] = self._loop.create_future()
        self._putters.append((value, taken))
        await taken

    async def sure_put(self, value: int) -> None:
        """Hand a value to a getter and see it take it, or wait for one."""
        if self._getters:
            getter = self._getters.popleft()
            getter.set_result(value)
            await asyncio.sleep(0)
            if getter.cancelled():
                await self.sure_put(value)
            return
        taken: asyncio.Future[None] = self._loop.create_future()
        self._putters.append((value, taken))
        await taken

    async def get(self) -> int:
        """Take a value from a putter, or wait for one."""
        if self._putters:
            value, taken = self._putters.popleft()
            taken.set_result(None)
            return value
        given: asyncio.Future[int] = self._loop.create_future()
        self._getters.append(given)
        return await given

    async def exchange(self, value: int) -> int:
        """Swap values with another one."""
        if self._swappers:
            other, given = self._swappers.popleft()
            given.set_result(value)
            return other
        mine: asyncio.Future[int] = self._loop.create_future()
        self._swappers.append((value, mine))
        return await mine


async def gather(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Run tasks until all have ended, on asyncio."""
    await asyncio.gather(*[call() for call in calls])


def hand_over(
    put: Callable[[int], Awaitable[Any]],
    get: Callable[[], Awaitable[Any]],
    size: int,
    together: Callable[[Sequence[Callable[[], Awaitable[None]]]], Awaitable[None]] = gather,
) -> Job:
    """Return the job of handing values over between so many tasks on either side. Each has to arrive once."""
    delivered = 0

    async def run(count: int) -> None:
        nonlocal delivered
        values = count * size
        missing = values * (values - 1) // 2

        async def putter(start: int) -> None:
            for value in range(start, values, size):
                await put(value)

        async def getter(start: int) -> None:
            nonlocal delivered, missing
            total = taken = 0
            for _ in range(start, values, size):
                total += await get()
                taken += 1
            delivered += taken
            missing -= total

        await together(
            [lambda start=start: putter(start) for start in range(size)]
            + [lambda start=start: getter(start) for start in range(size)]
        )
        if missing:
            delivered -= 1

    return Job(run, lambda: delivered, size)


def swap(left: Callable[[int], Awaitable[Any]], right: Callable[[int], Awaitable[Any]]) -> Job:
    """Return the job of exchanging values between two tasks. Each has to get the other's, in order."""
    delivered = 0

    async def run(count: int) -> None:
        async def mine() -> None:
            nonlocal delivered
            for value in range(count):
                if await left(value) == -1 - value:
                    delivered += 1

        async def theirs() -> None:
            nonlocal delivered
            for value in range(count):
                if await right(-1 - value) == value:
                    delivered += 1

        await gather([mine, theirs])

    return Job(run, lambda: delivered, 2)


@asynccontextmanager
async def bound(size: int) -> AsyncIterator[Job]:
    """Futures."""
    bare = Bare()
    yield fresh(hand_over)(bare.put, bare.get, size)


@asynccontextmanager
async def sure_bound(size: int) -> AsyncIterator[Job]:
    """Futures, where a put does not return before its value was taken."""
    bare = Bare()
    yield fresh(hand_over)(bare.sure_put, bare.get, size)


@asynccontextmanager
async def ours(size: int) -> AsyncIterator[Job]:
    """``Rendezvous.put`` and ``get``."""
    rendezvous = need("asyncutils_rx").Rendezvous()
    yield fresh(hand_over)(rendezvous.put, rendezvous.get, size)


@asynccontextmanager
async def py_asyncutils(size: int) -> AsyncIterator[Job]:
    """Its ``Rendezvous``."""
    rendezvous = need("asyncutils.channels").Rendezvous()
    yield fresh(hand_over)(rendezvous.put, rendezvous.get, size)
    rendezvous._task.cancel()


@asynccontextmanager
async def aiochan(size: int) -> AsyncIterator[Job]:
    """A channel without a buffer."""
    channel = need("aiochan").Chan()
    yield fresh(hand_over)(channel.put, channel.get, size)
    channel.close()


@asynccontextmanager
async def anyio(size: int) -> AsyncIterator[Job]:
    """A memory stream without a buffer."""
    send, receive = need("anyio").create_memory_object_stream(0)
    with send, receive:
        yield fresh(hand_over)(send.send, receive.receive, size)


@asynccontextmanager
async def trio(size: int) -> AsyncIterator[Job]:
    """A memory channel without a buffer."""
    library = need("trio")

    async def together(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
        async with library.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(call)

    send, receive = library.open_memory_channel(0)
    with send, receive:
        yield fresh(hand_over)(send.send, receive.receive, size, together)


@asynccontextmanager
async def swap_bound(_size: int) -> AsyncIterator[Job]:
    """Futures."""
    bare = Bare()
    yield fresh(swap)(bare.exchange, bare.exchange)


@asynccontextmanager
async def swap_ours(_size: int) -> AsyncIterator[Job]:
    """``Rendezvous.exchange``."""
    rendezvous = need("asyncutils_rx").Rendezvous()
    yield fresh(swap)(rendezvous.exchange, rendezvous.exchange)


@asynccontextmanager
async def swap_py_asyncutils(_size: int) -> AsyncIterator[Job]:
    """Its ``exchange``."""
    rendezvous = need("asyncutils.channels").Rendezvous()
    yield fresh(swap)(rendezvous.exchange, rendezvous.exchange)
    rendezvous._task.cancel()


@asynccontextmanager
async def swap_anyio(_size: int) -> AsyncIterator[Job]:
    """Two memory streams without room; so one side has to send first, and the other to receive first."""
    library = need("anyio")
    send_left, receive_right = library.create_memory_object_stream(0)
    send_right, receive_left = library.create_memory_object_stream(0)

    async def left(value: int) -> Any:
        await send_left.send(value)
        return await receive_left.receive()

    async def right(value: int) -> Any:
        other = await receive_right.receive()
        await send_right.send(value)
        return other

    with send_left, receive_right, send_right, receive_left:
        yield fresh(swap)(left, right)


_NO_TIMEOUT = "no timeouts of its own"

HAND_OVER = (
    Contestant(BOUND, bound),
    Contestant(OURS, ours),
    Contestant("futures, and a put that waits until its value was taken", sure_bound, "no timeouts, no cancellation"),
    Contestant("py-asyncutils", py_asyncutils, "a put returns before its value was taken"),
    Contestant(
        "aiochan", aiochan, "no timeouts; a get that is cancelled loses the value that its put was told is taken"
    ),
    Contestant("trio", trio, _NO_TIMEOUT, kernel="trio"),
    Contestant("anyio", anyio, _NO_TIMEOUT),
)

_CODE = "if getters: getters.popleft().set_result(x); else: await a future of its own; get likewise"

RENDEZVOUS = (
    Row("rendezvous-1", "rendezvous, 1 putter and 1 getter", 1, 1, "value", _CODE, HAND_OVER, at_least=200),
    Row("rendezvous-100", "rendezvous, 100 putters and 100 getters", 100, 100, "value", _CODE, HAND_OVER, at_least=50),
    Row(
        "exchange",
        "exchange of two tasks",
        2,
        1,
        "exchange",
        "if waiting: other, f = waiting.popleft(); f.set_result(x); else: await a future of its own",
        (
            Contestant(BOUND, swap_bound),
            Contestant(OURS, swap_ours),
            Contestant("py-asyncutils", swap_py_asyncutils, wrong="tasks get values that are not the other's, or hang"),
            Contestant("two anyio streams", swap_anyio, "two fixed sides; no timeouts of its own"),
        ),
        at_least=200,
    ),
)
