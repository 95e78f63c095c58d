"""Rows about subscribing and unsubscribing, beside others that stay."""

from __future__ import annotations

from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Any

from ..model import BOUND, OURS, Contestant, Job, Row, need, tally
from .publish import TOPIC, event_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["SUBSCRIPTIONS"]


# Beside more others than this, libraries that make a task for each are checked for longer than they are measured.
MOST_CHECKED = 10_000


class MisdeliveryError(Exception):
    """Not everybody who is subscribed got the value, or somebody who is not."""


def checked(
    size: int,
    delivered: Callable[[], int],
    send: Callable[[], Awaitable[Any]],
    subscribe: Callable[[], Any],
    unsubscribe: Callable[[], Any],
    most: float = MOST_CHECKED,
) -> Callable[[], Awaitable[None]]:
    """Return what sees that one more subscriber gets the value while it is subscribed, and not later."""

    async def check() -> None:
        if size > most:
            return
        for change, expected in ((subscribe, size + 1), (unsubscribe, size)):
            change()
            before = delivered()
            await send()
            if delivered() - before != expected:
                raise MisdeliveryError(f"{delivered() - before} deliveries to {expected} subscribers")

    return check


@asynccontextmanager
async def bound(size: int) -> AsyncIterator[Job]:
    """A dict."""
    (observer, *others), _ = tally(size + 1)
    observers = dict.fromkeys(others)
    done = 0

    async def run(count: int) -> None:
        nonlocal done
        for _ in range(count):
            observers[observer] = None
            del observers[observer]
        done += count

    yield Job(run, lambda: done, 1)


@asynccontextmanager
async def ours(size: int) -> AsyncIterator[Job]:
    """``Observable.subscribe_nowait`` and ``unsubscribe_nowait``."""
    (observer, *others), delivered = tally(size + 1)
    done = 0
    async with need("asyncutils_rx").Observable(others) as observable:

        async def run(count: int) -> None:
            nonlocal done
            for _ in range(count):
                observable.subscribe_nowait(observer)
                observable.unsubscribe_nowait(observer, True)
            done += count

        check = checked(
            size,
            delivered,
            lambda: observable.notify(0),
            lambda: observable.subscribe_nowait(observer),
            lambda: observable.unsubscribe_nowait(observer, True),
            most=inf,
        )
        yield Job(run, lambda: done, 1, check)


@asynccontextmanager
async def ours_bus(size: int) -> AsyncIterator[Job]:
    """``EventBus.subscribe`` and ``unsubscribe``."""
    (observer, *others), delivered = tally(size + 1)
    done = 0
    async with event_bus() as bus:
        for other in others:
            bus.subscribe(other, TOPIC)

        async def run(count: int) -> None:
            nonlocal done
            for _ in range(count):
                bus.subscribe(observer, TOPIC)
                bus.unsubscribe(observer, TOPIC)
            done += count

        check = checked(
            size,
            delivered,
            lambda: bus.publish(TOPIC, 0),
            lambda: bus.subscribe(observer, TOPIC),
            lambda: bus.unsubscribe(observer, TOPIC),
            most=inf,
        )
        yield Job(run, lambda: done, 1, check)


@asynccontextmanager
async def py_asyncutils(size: int) -> AsyncIterator[Job]:
    """Its ``Observable``."""
    (observer, *others), delivered = tally(size + 1)
    done = 0
    async with need("asyncutils.channels").Observable(others) as observable:

        async def run(count: int) -> None:
            nonlocal done
            for _ in range(count):
                observable.subscribe_nowait(observer)
                observable.unsubscribe_nowait(observer, True)
            done += count

        check = checked(
            size,
            delivered,
            lambda: observable.notify(0),
            lambda: observable.subscribe_nowait(observer),
            lambda: observable.unsubscribe_nowait(observer, True),
        )
        yield Job(run, lambda: done, 1, check)


@asynccontextmanager
async def pyee(size: int) -> AsyncIterator[Job]:
    """``on`` and ``remove_listener``."""
    (observer, *others), delivered = tally(size + 1)
    emitter = need("pyee.asyncio").AsyncIOEventEmitter()
    done = 0
    for other in others:
        emitter.on(TOPIC, other)

    async def run(count: int) -> None:
        nonlocal done
        for _ in range(count):
            emitter.on(TOPIC, observer)
            emitter.remove_listener(TOPIC, observer)
        done += count

    async def send() -> None:
        emitter.emit(TOPIC, 0)
        await emitter.wait_for_complete()

    check = checked(
        size,
        delivered,
        send,
        lambda: emitter.on(TOPIC, observer),
        lambda: emitter.remove_listener(TOPIC, observer),
    )
    yield Job(run, lambda: done, 1, check)


@asynccontextmanager
async def blinker(size: int) -> AsyncIterator[Job]:
    """``connect`` and ``disconnect``."""
    (observer, *others), delivered = tally(size + 1)
    signal = need("blinker").Signal()
    done = 0
    for other in others:
        signal.connect(other)

    async def run(count: int) -> None:
        nonlocal done
        for _ in range(count):
            signal.connect(observer)
            signal.disconnect(observer)
        done += count

    check = checked(
        size,
        delivered,
        lambda: signal.send_async(0),
        lambda: signal.connect(observer),
        lambda: signal.disconnect(observer),
    )
    yield Job(run, lambda: done, 1, check)


@asynccontextmanager
async def rx(size: int) -> AsyncIterator[Job]:
    """``Subject.subscribe``, and ``dispose`` of what it returns."""
    subject = need("reactivex").Subject()
    done = delivered = 0

    def observer(_value: int) -> None:
        nonlocal delivered
        delivered += 1

    for _ in range(size):
        subject.subscribe(observer)

    async def run(count: int) -> None:
        nonlocal done
        for _ in range(count):
            subject.subscribe(observer).dispose()
        done += count

    subscriptions: list[Any] = []

    async def send() -> None:
        subject.on_next(0)

    check = checked(
        size,
        lambda: delivered,
        send,
        lambda: subscriptions.append(subject.subscribe(observer)),
        lambda: subscriptions.pop().dispose(),
    )
    yield Job(run, lambda: done, 1, check)
    subject.dispose()


CONTESTANTS = (
    Contestant(BOUND, bound),
    Contestant(OURS, ours),
    Contestant("asyncutils-rx, EventBus", ours_bus),
    Contestant("py-asyncutils", py_asyncutils, "no order"),
    Contestant("pyee", pyee),
    Contestant("blinker", blinker, "no order"),
    Contestant("RxPY", rx),
)

SUBSCRIPTIONS = tuple(
    Row(
        f"subscribe-{size}",
        f"subscribe and unsubscribe, beside {size:,} others",
        size,
        1,
        "pair",
        "observers[f] = None; del observers[f]",
        CONTESTANTS,
    )
    for size in (10, 1000, 100_000)
)
