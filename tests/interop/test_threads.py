"""Many threads at once: each keeps its order, nothing is lost at the close, observers stay on the loop's thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import Subject, operators
from reactivex.scheduler import NewThreadScheduler, ThreadPoolScheduler, TimeoutScheduler

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ObservableClosed
from tests.interop.kit import Closed, Source, end_of, feed_of, in_thread, until
from tests.observable_kit import Tally, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(300)  # on a loaded machine the loop and eight threads share one interpreter

THREADS = 8
ITEMS = 100_000
EACH = ITEMS // THREADS
SOME = EACH // 10

Item = tuple[int, int]
"""The number of a thread, and the number of an item in that thread."""


class Ledger:
    """A sync observer that checks what it gets: each thread's numbers one by one, and on one thread only."""

    def __init__(self) -> None:
        self.next = [0] * THREADS
        self.mistakes: list[object] = []
        self._here = threading.get_ident()

    def __call__(self, item: Item) -> None:
        which, number = item
        if number != self.next[which] or threading.get_ident() != self._here:
            self.mistakes.append(item)
        self.next[which] = number + 1

    @property
    def total(self) -> int:
        """How many items came."""
        return sum(self.next)


def at_full_speed() -> None:
    """Take the loop out of its debug mode, in which each item would take ten times as long."""
    asyncio.get_running_loop().set_debug(False)


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Keep coverage out of the threads: of the tens of thousands that begin here, one would die of its tracer.

    CPython 3.11 refuses to install a tracer while another thread installs one.
    """
    tracer = threading.gettrace()
    threading.settrace(None)
    yield
    threading.settrace(tracer)


@pytest.fixture
def pool() -> Iterator[ThreadPoolScheduler]:
    scheduler = ThreadPoolScheduler(THREADS)
    yield scheduler
    scheduler.executor.shutdown()


async def push_from_threads(on_next: Callable[[Item], object], each: int = EACH) -> None:
    """Push from plain threads, all at once; wait until all of them have ended."""
    start = threading.Barrier(THREADS)

    def work(which: int) -> None:
        start.wait()
        for number in range(each):
            on_next((which, number))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)


# Plain threads


@pytest.mark.parametrize(("make", "each"), [(Source, EACH), (Subject, SOME)], ids=["source", "subject"])
async def test_threads_that_push_into_one_source_lose_nothing(make: Callable[[], Any], each: int) -> None:
    at_full_speed()
    source, ledger = make(), Ledger()
    obs: Observable[[Item]] = Observable.from_rx(source)
    async with obs:
        obs.subscribe_nowait(ledger)
        await push_from_threads(source.on_next, each)
    assert ledger.mistakes == []
    assert ledger.total == each * THREADS


async def test_threads_that_wait_for_room_lose_nothing() -> None:
    at_full_speed()
    source, ledger = Source(), Ledger()
    obs: Observable[[Item]] = Observable.from_rx(source, maxsize=50, overflow="wait")
    async with obs:
        obs.subscribe_nowait(ledger)
        await push_from_threads(source.on_next, SOME)
    assert ledger.mistakes == []
    assert ledger.total == SOME * THREADS
    assert feed_of(obs).dropped == 0


async def test_threads_reach_derived_observers_too() -> None:
    at_full_speed()
    source, ledger, batches = Source(), Ledger(), Ledger()
    obs: Observable[[Item]] = Observable.from_rx(source)
    async with obs:
        obs.fork().subscribe_nowait(ledger)
        obs.buffer(7).subscribe_nowait(batches)
        await push_from_threads(source.on_next, SOME)
    assert ledger.mistakes == batches.mistakes == []
    assert ledger.total == batches.total == SOME * THREADS


async def test_threads_keep_their_order_where_observers_suspend() -> None:
    source, ledger = Source(), Ledger()
    obs: Observable[[Item]] = Observable.from_rx(source, maxsize=50, overflow="wait")

    async def observer(item: Item) -> None:
        await asyncio.sleep(0)
        ledger(item)

    async with obs:
        obs.subscribe_nowait(observer)
        await push_from_threads(source.on_next, 250)
    assert ledger.mistakes == []
    assert ledger.total == 250 * THREADS


async def test_threads_are_iterated_over_without_a_loss() -> None:
    at_full_speed()
    source, ledger = Source(), Ledger()
    obs: Observable[[Item]] = Observable.from_rx(source, maxsize=100, overflow="wait")
    iterator = obs.values(maxsize=10)

    async def consume() -> None:
        async for item in iterator:
            ledger(item)

    consuming = asyncio.create_task(consume())
    await push_from_threads(source.on_next, 1000)
    await obs.aclose()
    await within(consuming)
    assert ledger.mistakes == []
    assert ledger.total == 1000 * THREADS


async def test_threads_that_notify_keep_their_order() -> None:
    at_full_speed()
    ledger = Ledger()
    obs: Observable[[Item]] = Observable()
    async with obs:
        obs.subscribe_nowait(ledger)
        await push_from_threads(obs.notify_threadsafe, 500)
    assert ledger.mistakes == []
    assert ledger.total == 500 * THREADS


async def test_threads_that_go_on_at_the_close_lose_nothing_that_came_before() -> None:
    """What one thread has pushed is delivered without a gap up to some item, and the next ones are refused."""
    at_full_speed()
    source, ledger = Source(), Ledger()
    obs: Observable[[Item]] = Observable.from_rx(source, maxsize=20, overflow="wait")
    obs.subscribe_nowait(ledger)
    pushed = [0] * THREADS

    def work(which: int) -> None:
        number = 0
        while source.live:
            source.on_next((which, number))
            pushed[which] = number = number + 1

    threads = [threading.Thread(target=work, args=(which,)) for which in range(THREADS)]
    for thread in threads:
        thread.start()
    await until(lambda: ledger.total > 2000)
    before = list(pushed)
    await within(obs.aclose())
    delivered = list(ledger.next)
    for thread in threads:
        await in_thread(thread.join)
    assert ledger.mistakes == []
    assert ledger.next == delivered
    assert all(each >= least for each, least in zip(delivered, before, strict=True))


async def test_threads_that_complete_lose_nothing() -> None:
    at_full_speed()
    source, ledger = Source(), Ledger()
    obs: Observable[[Item]] = Observable.from_rx(source, maxsize=5, overflow="wait")
    obs.subscribe_nowait(ledger)
    await push_from_threads(source.on_next, 500)
    await in_thread(source.on_completed)
    assert await end_of(obs) is Closed
    assert ledger.mistakes == []
    assert ledger.total == 500 * THREADS


async def test_threads_that_subscribe_and_dispose_leave_nothing_behind() -> None:
    obs: Observable[[int]] = Observable()
    await obs.notify(0)
    values = obs.to_rx()

    def work() -> None:
        for _ in range(50):
            values.subscribe(print).dispose()

    await asyncio.gather(*(in_thread(work) for _ in range(THREADS)))
    await asyncio.sleep(0)
    assert obs._subscribers == 0
    await obs.notify(1)


# RxPY's schedulers of threads


def numbered(which: int, each: int, scheduler: Any) -> reactivex.Observable[Item]:
    """Return a source that emits on a thread of a scheduler."""
    numbers: reactivex.Observable[int] = reactivex.range(0, each, scheduler=scheduler)
    return numbers.pipe(operators.map(lambda number: (which, number)))


SCHEDULERS: dict[str, Callable[[ThreadPoolScheduler], Any]] = {
    "pool": lambda pool: pool,
    "new threads": lambda _: NewThreadScheduler(),
    "timeouts": lambda _: TimeoutScheduler(),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("merged", ["by RxPY", "here"])
async def test_schedulers_of_threads_lose_nothing(name: str, merged: str, pool: ThreadPoolScheduler) -> None:
    at_full_speed()
    ledger = Ledger()
    sources = [numbered(which, SOME, SCHEDULERS[name](pool)) for which in range(THREADS)]
    obs: Observable[[Item]]
    if merged == "here":
        obs = Observable.merge(*(Observable.from_rx(source) for source in sources))
    else:
        obs = Observable.from_rx(reactivex.merge(*sources))
    obs.subscribe_nowait(ledger)
    async with asyncio.timeout(250):
        await obs.wait_closed()
    assert ledger.mistakes == []
    assert ledger.total == SOME * THREADS


@pytest.mark.parametrize("name", SCHEDULERS)
async def test_schedulers_of_threads_may_hand_over_within_a_pipe(name: str, pool: ThreadPoolScheduler) -> None:
    ledger = Ledger()
    obs: Observable[[Item]] = Observable()
    piped = obs.pipe(operators.observe_on(SCHEDULERS[name](pool)))
    piped.subscribe_nowait(ledger)
    for number in range(500):
        await obs.notify((0, number))
    await until(lambda: ledger.total == 500)
    assert ledger.mistakes == []
    await obs.aclose()


async def test_timers_on_threads_keep_their_order() -> None:
    ledger = Ledger()

    def tick(which: int) -> reactivex.Observable[Item]:
        numbers: reactivex.Observable[int] = reactivex.interval(0.002, TimeoutScheduler()).pipe(operators.take(25))
        return numbers.pipe(operators.map(lambda number: (which, number)))

    ticks = [tick(which) for which in range(THREADS)]
    obs: Observable[[Item]] = Observable.merge(*(Observable.from_rx(each) for each in ticks))
    obs.subscribe_nowait(ledger)
    async with asyncio.timeout(20):
        await obs.wait_closed()
    assert ledger.mistakes == []
    assert ledger.total == 25 * THREADS


async def test_notify_threadsafe_that_is_cancelled_before_the_loop_took_it_up_never_begins() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    obs.subscribe_nowait(tally)
    await obs.notify(0)
    assert obs.notify_threadsafe(1).cancel()
    await settle()
    assert tally.values == [0]


async def test_notify_threadsafe_of_an_observable_that_ended_before_the_loop_took_it_up_is_refused() -> None:
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    tally = Tally()
    obs.subscribe_nowait(tally)
    future = obs.notify_threadsafe(1)
    subject.on_completed()
    await settle()
    with pytest.raises(ObservableClosed):
        future.result(0)
    assert tally.values == []
