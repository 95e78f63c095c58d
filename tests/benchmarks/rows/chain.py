"""The row about operators: a source, map, filter, at_change, one observer, and each notification is awaited."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import count as count_from
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..model import BOUND, OURS, Contestant, Job, Row, need, tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

__all__ = ["CHAIN"]


def plus_one(value: int) -> int:
    """What map does."""
    return value + 1


def plus_one_as_parameters(value: int) -> tuple[tuple[int], dict[str, Any]]:
    """What map does, where it returns the parameters of a call."""
    return (value + 1,), {}


def is_positive(value: int) -> bool:
    """What filter asks; always true, so that every notification goes all the way."""
    return value > 0


def itself(value: int) -> int:
    """What at_change compares; always another, so that every notification goes all the way."""
    return value


@asynccontextmanager
async def bound(_size: int) -> AsyncIterator[Job]:
    """Calls, and one await."""
    (observer,), delivered = tally(1)
    values = count_from()
    last: object = None

    async def run(count: int) -> None:
        nonlocal last
        for value in islice(values, count):
            mapped = plus_one(value)
            if is_positive(mapped):
                key = itself(mapped)
                if key != last:
                    last = key
                    await observer(mapped)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def ours(_size: int) -> AsyncIterator[Job]:
    """Three derived observables."""
    (observer,), delivered = tally(1)
    values = count_from()
    async with need("asyncutils_rx").Observable() as source:
        derived = source.map(plus_one_as_parameters).filter(is_positive).at_change(itself)
        derived.subscribe_nowait(observer)

        async def run(count: int) -> None:
            for value in islice(values, count):
                await source.notify(value)

        yield Job(run, delivered, 1)


@asynccontextmanager
async def ours_piped(_size: int) -> AsyncIterator[Job]:
    """One derived observable, through a pipe of RxPY's operators."""
    (observer,), delivered = tally(1)
    values = count_from()
    operators = need("reactivex.operators")
    async with need("asyncutils_rx").Observable() as source:
        derived = source.pipe(
            operators.map(plus_one), operators.filter(is_positive), operators.distinct_until_changed(itself)
        )
        derived.subscribe_nowait(observer)

        async def run(count: int) -> None:
            for value in islice(values, count):
                await source.notify(value)

        yield Job(run, delivered, 1)


@asynccontextmanager
async def py_asyncutils(_size: int) -> AsyncIterator[Job]:
    """Its derived observables."""
    (observer,), delivered = tally(1)
    values = count_from()
    async with need("asyncutils.channels").Observable() as source:
        derived = source.map(plus_one_as_parameters).filter(is_positive).at_change(itself)
        derived.subscribe_nowait(observer)

        async def run(count: int) -> None:
            for value in islice(values, count):
                await source.notify(value)

        yield Job(run, delivered, 1)


@asynccontextmanager
async def rx_and_task(_size: int) -> AsyncIterator[Job]:
    """A pipe of RxPY, and a task for each item, which is awaited."""
    (observer,), delivered = tally(1)
    values = count_from()
    subject = need("reactivex").Subject()
    operators = need("reactivex.operators")
    started: list[Awaitable[None]] = []
    loop = asyncio.get_running_loop()
    subject.pipe(
        operators.map(plus_one), operators.filter(is_positive), operators.distinct_until_changed(itself)
    ).subscribe(lambda value: started.append(loop.create_task(observer(value))))  # type: ignore[arg-type]  # a coroutine

    async def run(count: int) -> None:
        for value in islice(values, count):
            subject.on_next(value)
            await started.pop()

    yield Job(run, delivered, 1)
    subject.dispose()


@asynccontextmanager
async def aioreactive(_size: int) -> AsyncIterator[Job]:
    """A pipe of its operators."""
    (observer,), delivered = tally(1)
    values = count_from()
    library = need("aioreactive")
    subject = library.AsyncSubject()
    piped = library.distinct_until_changed(library.filter(is_positive)(library.map(plus_one)(subject)))
    await piped.subscribe_async(library.AsyncAnonymousObserver(observer))

    async def run(count: int) -> None:
        expected = delivered()
        for value in islice(values, count):
            await subject.asend(value)
            expected += 1
            while delivered() < expected:  # noqa: ASYNC110  # the last operator hands on in a task, and tells nobody
                await asyncio.sleep(0)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def aiostream(_size: int) -> AsyncIterator[Job]:
    """A pipe that pulls its values."""
    (observer,), delivered = tally(1)
    values = count_from()
    stream = need("aiostream").stream
    last: object = None

    def changed(value: int) -> bool:
        nonlocal last
        key = itself(value)
        differs = key != last
        last = key
        return differs

    async def run(count: int) -> None:
        source: Iterator[int] = islice(values, count)
        piped = stream.filter(stream.filter(stream.map(stream.iterate(source), plus_one), is_positive), changed)
        async with piped.stream() as streamer:
            async for value in streamer:
                await observer(value)

    yield Job(run, delivered, 1)


@asynccontextmanager
async def streamz(_size: int) -> AsyncIterator[Job]:
    """Its nodes, in asynchronous mode."""
    (observer,), delivered = tally(1)
    values = count_from()
    source = need("streamz").Stream(asynchronous=True)
    source.map(plus_one).filter(is_positive).unique(maxsize=1, key=itself).sink(observer)

    async def run(count: int) -> None:
        for value in islice(values, count):
            await source.emit(value)

    yield Job(run, delivered, 1)
    source.destroy()


CHAIN = (
    Row(
        "chain",
        "source, map, filter, at_change, 1 observer",
        1,
        1,
        "notification",
        "y = transform(x); if pred(y) and (k := key(y)) != last: last = k; await f(y)",
        (
            Contestant(BOUND, bound),
            Contestant(OURS, ours),
            Contestant("asyncutils-rx, pipe()", ours_piped, "an error of an operator ends it"),
            Contestant("py-asyncutils", py_asyncutils, "no queue, no turns in derived observables"),
            Contestant("RxPY + a task", rx_and_task, "errors of operators end it; one observer"),
            Contestant("aioreactive", aioreactive, "what is sent returns before it is delivered; at_change has no key"),
            Contestant("aiostream", aiostream, "pulls: one consumer, and nobody is notified"),
            Contestant("streamz", streamz, "no queue: emissions overlap"),
        ),
    ),
)
