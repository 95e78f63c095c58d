"""Observables against plain models, under whatever order of events hypothesis thinks of."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncutils_rx import Observable
from tests.observable_kit import Held, Recorder, Tally, begin, now, settle, within
from tests.support import tick

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = settings(max_examples=60, deadline=None)

# Operators


class Model:
    """A chain of operators on plain lists: what comes out at once, and what comes out at the end."""

    def __init__(self, steps: list[tuple[str, int]]) -> None:
        self.steps = steps
        self.state: list[Any] = [[] if name == "buffer" else None for name, _ in steps]

    def push(self, value: int, start: int = 0) -> list[int]:
        values = [value]
        for place in range(start, len(self.steps)):
            values = [out for each in values for out in self._step(place, each)]
        return values

    def _step(self, place: int, value: int) -> list[int]:
        name, number = self.steps[place]
        if name == "map":
            return [value + number]
        if name == "filter":
            return [value] if value % (number + 1) else []
        if name == "at_change":
            key = value // number
            changed = self.state[place] != [key]
            self.state[place] = [key]
            return [value] if changed else []
        if name == "buffer":
            self.state[place].append(value)
            if len(self.state[place]) < number:
                return []
            batch, self.state[place] = self.state[place], []
            return list(batch)
        return [value]

    def close(self) -> list[int]:
        out: list[int] = []
        for place, (name, _) in enumerate(self.steps):
            if name == "buffer":
                batch, self.state[place] = self.state[place], []
                out += [each for value in batch for each in self.push(value, place + 1)]
        return out


def derive(obs: Observable[[int]], name: str, number: int) -> Observable[[int]]:
    if name == "map":
        return obs.map(lambda value: ((value + number,), {}))
    if name == "filter":
        return obs.filter(lambda value: value % (number + 1) != 0)
    if name == "at_change":
        return obs.at_change(lambda value: value // number)
    if name == "buffer":
        return obs.buffer(number)
    if name == "throttle":
        return obs.throttle(0)
    return obs.fork() if name == "fork" else Observable.merge(obs)


OPERATORS = st.tuples(
    st.sampled_from(["map", "filter", "at_change", "buffer", "fork", "throttle", "merge"]), st.integers(1, 4)
)
VALUES = st.lists(st.integers(-6, 6), max_size=25)


@EXAMPLES
@given(steps=st.lists(OPERATORS, max_size=5), values=VALUES)
async def test_chain_of_operators_is_like_its_model(steps: list[tuple[str, int]], values: list[int]) -> None:
    model, expected, tally = Model(steps), [], Tally()
    obs: Observable[[int]] = Observable()
    end = obs
    for name, number in steps:
        end = derive(end, name, number)
    end.subscribe_nowait(tally)
    async with obs:
        for value in values:
            await obs.notify(value)
            expected += model.push(value)
            assert tally.values == expected
    assert tally.values == expected + model.close()


@EXAMPLES
@given(
    parents=st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=3), min_size=1, max_size=8),
    turns=st.lists(st.integers(0, 4), min_size=9, max_size=9),
    failing=st.sets(st.integers(0, 8)),
)
async def test_graph_of_merges_delivers_along_every_path_and_is_awaited(
    parents: list[list[int]], turns: list[int], failing: set[int]
) -> None:
    obs: Observable[[int]] = Observable()
    nodes, paths = [obs], [1]
    for choices in parents:
        chosen = [choice % len(nodes) for choice in choices]
        nodes.append(Observable.merge(*(nodes[each] for each in chosen)))
        paths.append(sum(paths[each] for each in chosen))
    ended = [0] * len(nodes)

    async def observer(place: int, _: int) -> None:
        await tick(turns[place])
        ended[place] += 1
        if place in failing:
            raise LookupError(place)

    for place, node in enumerate(nodes):
        node.subscribe_nowait(partial(observer, place))
    errors: list[BaseException] = []
    try:
        await within(obs.notify(0), 20)
    except LookupError as error:
        errors.append(error)
    except ExceptionGroup as group:
        errors += group.exceptions
    assert ended == paths
    expected = [place for place in range(len(nodes)) if place in failing for _ in range(paths[place])]
    assert sorted(error.args[0] for error in errors) == expected
    assert all(node.idle for node in nodes)


GAPS = st.lists(st.integers(0, 8).map(lambda half: half / 2), min_size=1, max_size=15)


class Timed:
    def __init__(self) -> None:
        self.started = now()
        self.seen: list[tuple[float, int]] = []

    def __call__(self, value: int) -> None:
        self.seen.append((now() - self.started, value))


@pytest.mark.virtual_time
@EXAMPLES
@given(gaps=GAPS, delay=st.integers(0, 3).map(lambda whole: whole + 0.25))
async def test_debounce_is_like_its_model(gaps: list[float], delay: float) -> None:
    obs: Observable[[int]] = Observable()
    obs.debounce(delay).subscribe_nowait(timed := Timed())
    times: list[float] = []
    for number, gap in enumerate(gaps):
        await asyncio.sleep(gap)
        times.append(now() - timed.started)
        await obs.notify(number)
    await asyncio.sleep(2 * delay)
    follow = [*times[1:], float("inf")]
    assert timed.seen == [
        (time + delay, number)
        for number, (time, later) in enumerate(zip(times, follow, strict=True))
        if later > time + delay
    ]


@pytest.mark.virtual_time
@EXAMPLES
@given(gaps=GAPS, interval=st.integers(0, 3).map(lambda whole: whole + 0.25))
async def test_throttle_is_like_its_model(gaps: list[float], interval: float) -> None:
    obs: Observable[[int]] = Observable()
    obs.throttle(interval).subscribe_nowait(timed := Timed())
    expected: list[tuple[float, int]] = []
    for number, gap in enumerate(gaps):
        await asyncio.sleep(gap)
        time = now() - timed.started
        if not expected or time - expected[-1][0] >= interval:
            expected.append((time, number))
        await obs.notify(number)
    assert timed.seen == expected


# Queueing


ACTIONS = st.lists(
    st.one_of(
        st.just(("notify", 0)),
        st.just(("notify", 0)),
        st.just(("sequential", 0)),
        st.tuples(st.just("release"), st.integers(0, 10)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("tick"), st.integers(1, 4)),
    ),
    max_size=30,
)


@EXAMPLES
@given(
    actions=ACTIONS,
    maxsize=st.sampled_from([0, 1, 2, None]),
    company=st.sampled_from(["none", "sync", "async", "derived", "held below"]),
)
async def test_queue_keeps_order_and_loses_nothing(
    actions: list[tuple[str, int]], maxsize: int | None, company: str
) -> None:
    """Calls arrive one after another; observers end, and calls are cancelled, at any time."""
    held, beside = Held(), Tally()
    obs: Observable[[int]] = Observable(maxsize=maxsize)
    listening = obs.fork() if company == "held below" else obs
    listening.subscribe_nowait(held)
    if company == "sync":
        obs.subscribe_nowait(beside)
    elif company == "async":
        obs.subscribe_nowait(Recorder())
        obs.subscribe_nowait(beside)
    elif company == "derived":
        obs.filter(lambda value: value >= 0).subscribe_nowait(beside)
    calls: list[asyncio.Task[Any]] = []
    cancelled: set[int] = set()

    async def sequential(value: int) -> None:
        async for _ in obs.notify_sequential(value):
            pass

    for action, number in actions:
        if action == "notify":
            calls.append(await begin(obs.notify(len(calls))))
        elif action == "sequential":
            calls.append(await begin(sequential(len(calls))))
        elif action == "release":
            held.release(*held.started[: number + 1])
        elif action == "tick":
            await tick(number)
        elif calls and calls[number % len(calls)].cancel():
            cancelled.add(number % len(calls))
    held.release()
    if calls:
        await within(asyncio.wait(calls), 20)
    await within(obs.wait_until_idle(), 20)
    assert held.started == sorted(set(held.started))
    assert held.most_running <= 1
    assert company not in ("sync", "async", "derived") or set(range(len(calls))) - cancelled <= set(beside.values)
    assert set(range(len(calls))) - cancelled <= set(held.ended)
    for number, call in enumerate(calls):
        assert call.cancelled() == (number in cancelled)
        if not call.cancelled():
            assert call.exception() is None


@EXAMPLES
@given(
    n=st.integers(1, 8),
    batch=st.integers(1, 5),
    tasks=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=4),
    again=st.integers(0, 3),
)
async def test_ntimes_calls_exactly_n_times(n: int, batch: int, tasks: list[list[int]], again: int) -> None:
    """Several tasks notify through a batch, and the observer notifies too."""
    calls = 0
    notified = 0
    left = again

    async def notify(value: int) -> None:
        nonlocal notified
        notified += 1
        await obs.notify(value)

    async def observer(value: int) -> None:
        nonlocal calls, left
        calls += 1
        await tick(value)
        if left:
            left -= 1
            await notify(value)

    async def work(values: list[int]) -> None:
        for value in values:
            await notify(value)
            await tick(value)

    obs: Observable[[int]] = Observable()
    batches = obs.buffer(batch)
    batches.ntimes(observer, n)
    await within(asyncio.gather(*(work(values) for values in tasks)), 20)
    await within(obs.wait_until_idle(), 20)
    await within(batches.wait_until_idle(), 20)
    assert calls == min(n, notified - notified % batch)
    left = 0
    await within(obs.aclose(), 20)
    assert calls == min(n, notified)


# Observers that come and go


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["subscribe", "unsubscribe", "eventually", "asap", "ntimes", "dispose", "notify", "apply"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


class ObserversModel:
    """The observers as an ordered dict, of each the number of calls that are left."""

    def __init__(self) -> None:
        self.left: dict[int, float] = {}
        self.eventually: set[int] = set()

    def add(self, who: int, times: float) -> None:
        self.eventually.discard(who)
        self.left.setdefault(who, times)

    def remove(self, who: int) -> None:
        self.eventually.discard(who)
        self.left.pop(who, None)

    def mark(self, who: int) -> None:
        if who in self.left:
            self.eventually.add(who)

    def apply(self) -> None:
        for who in list(self.eventually):
            self.remove(who)

    def notify(self) -> list[int]:
        called = list(self.left)
        for who in called:
            self.left[who] -= 1
            if self.left[who] == 0:
                self.remove(who)
        self.apply()
        return called


@EXAMPLES
@given(steps=STEPS)
async def test_observers_are_like_an_ordered_set(steps: list[tuple[str, int]]) -> None:
    """``ntimes`` is used for observers that are not subscribed: what it does to others is open."""
    model = ObserversModel()
    called: list[int] = []
    observers: list[Callable[[], None]] = [partial(called.append, who) for who in range(4)]
    obs: Observable[[]] = Observable()
    subscriptions: dict[int, Any] = {}
    for step, who in steps:
        observer = observers[who]
        if step == "subscribe":
            subscriptions[who] = obs.subscribe_nowait(observer)
            model.add(who, float("inf"))
        elif step == "unsubscribe":
            obs.unsubscribe_nowait(observer)
            model.remove(who)
        elif step == "eventually":
            obs.unsubscribe_eventually(observer, asap=False)
            model.mark(who)
        elif step == "asap":
            obs.unsubscribe_eventually(observer, asap=True)
            model.remove(who)
        elif step == "ntimes" and who not in model.left:
            subscriptions[who] = obs.ntimes(observer, who + 1)
            model.add(who, who + 1)
        elif step == "dispose" and who in subscriptions and who in model.left:
            subscriptions[who](strict=True)
            model.remove(who)
        elif step == "apply":
            await obs.handle_unsubscriptions()
            model.apply()
        elif step == "notify":
            called.clear()
            await obs.notify()
            assert called == model.notify()
        assert list(obs) == [observers[each] for each in model.left]
    await settle()
    assert obs.idle
