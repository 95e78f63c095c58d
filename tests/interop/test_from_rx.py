"""``from_rx``: when the source is subscribed to and disposed of, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import reactivex
from reactivex import Subject, operators
from reactivex.disposable import Disposable

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError, ObservableClosed
from tests.interop.kit import Closed, Source, end_of, in_thread, values_of
from tests.observable_kit import Held, Recorder, Tally, begin, collect_errors, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable


def nothing(*_: Any) -> None:
    """Observe."""


async def pause(value: int) -> int:
    await asyncio.sleep(0)
    return value


# The signature, and what is refused


def test_from_rx_takes_a_source_a_size_and_a_policy() -> None:
    parameters = inspect.signature(Observable.from_rx).parameters.values()
    assert [(each.name, each.kind.name, each.default) for each in parameters] == [
        ("source", "POSITIONAL_OR_KEYWORD", inspect.Parameter.empty),
        ("maxsize", "KEYWORD_ONLY", 0),
        ("overflow", "KEYWORD_ONLY", "raise"),
    ]


@pytest.mark.parametrize("source", [5, None, [1, 2], "text", object(), Observable(), Observable[[int]], Subject])
def test_from_rx_refuses_what_is_no_source(source: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"Observable\.from_rx: source"):
        Observable.from_rx(source)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"maxsize": -1}, ArgumentValueError),
        ({"maxsize": 1.5}, ArgumentTypeError),
        ({"maxsize": "many"}, ArgumentTypeError),
        ({"overflow": "drop"}, ArgumentValueError),
        ({"overflow": None}, (ArgumentTypeError, ArgumentValueError)),
        ({"overflow": ["wait"]}, (ArgumentTypeError, ArgumentValueError)),
    ],
)
def test_from_rx_refuses_wrong_options_and_leaves_the_source_alone(options: dict[str, Any], error: Any) -> None:
    source = Source()
    with pytest.raises(error, match=r"Observable\.from_rx"):
        Observable.from_rx(source, **options)
    assert source.subscribed == 0


def test_from_rx_of_a_subclass_is_of_that_subclass() -> None:
    class Mine(Observable[[int]]):
        pass

    assert type(Mine.from_rx(Source())) is Mine


def test_from_rx_is_told_by_its_repr() -> None:
    assert "from_rx" in repr(Observable.from_rx(Source()))


# When the source is subscribed to

LISTENERS: dict[str, Callable[[Observable[...]], Any]] = {
    "observer": lambda obs: obs.subscribe_nowait(nothing),
    "ntimes": lambda obs: obs.ntimes(nothing),
    "subscribe_syncf": lambda obs: obs.subscribe_syncf(nothing),
    "values": lambda obs: obs.values(),
    "notifications": lambda obs: obs.notifications(),
    "to_rx": lambda obs: obs.to_rx().subscribe(nothing),
}

DERIVED: dict[str, Callable[[Observable[...]], Observable[...]]] = {
    "fork": lambda obs: obs.fork(),
    "map": lambda obs: obs.map(lambda *args: (args, {})),
    "filter": lambda obs: obs.filter(lambda *_: True),
    "at_change": lambda obs: obs.at_change(),
    "debounce": lambda obs: obs.debounce(1.0),
    "throttle": lambda obs: obs.throttle(1.0),
    "buffer": lambda obs: obs.buffer(2),
    "merge": lambda obs: obs.merge(Observable[...]()),
    "pipe": lambda obs: obs.pipe(operators.map(lambda value: value)),
    "map_async": lambda obs: obs.map_async(pause),
    "several": lambda obs: (
        obs.fork().filter(lambda *_: True).pipe(operators.as_observable()).map_async(pause).buffer(3)
    ),
}


def end_listening(listening: Any) -> None:
    """Undo what :data:`LISTENERS` did."""
    if hasattr(listening, "dispose"):
        listening.dispose()
    elif hasattr(listening, "_close"):
        listening._close()
    else:
        listening()


@pytest.mark.parametrize("derive", DERIVED)
async def test_from_rx_subscribes_to_nothing_while_nobody_listens(derive: str) -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    derived = DERIVED[derive](obs)
    assert not derived._closed
    assert source.subscribed == 0


@pytest.mark.parametrize("listen", LISTENERS)
async def test_from_rx_subscribes_for_the_first_listener(listen: str) -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    listening = LISTENERS[listen](obs)
    assert (source.subscribed, source.live) == (1, 1)
    end_listening(listening)
    assert (source.subscribed, source.live) == (1, 0)


@pytest.mark.parametrize("listen", LISTENERS)
@pytest.mark.parametrize("derive", DERIVED)
async def test_from_rx_subscribes_for_the_first_derived_listener(derive: str, listen: str) -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    derived = DERIVED[derive](obs)
    listening = LISTENERS[listen](derived)
    assert (source.subscribed, source.live) == (1, 1)
    end_listening(listening)
    assert (source.subscribed, source.live) == (1, 0)


async def test_from_rx_subscribes_for_whoever_waits_for_the_next() -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    derived = obs.fork()
    waiting = await begin(derived.wait_for_next())
    assert source.live == 1
    source.on_next(7)
    assert await within(waiting) == ((7,), {})
    assert source.live == 0


async def test_from_rx_disposes_where_waiting_for_the_next_is_cancelled() -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    waiting = await begin(obs.wait_for_next())
    waiting.cancel()
    await asyncio.wait([waiting])
    assert source.live == 0


async def test_from_rx_subscribes_once_for_all_listeners() -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    listening = [LISTENERS[listen](obs) for listen in LISTENERS]
    assert (source.subscribed, source.live) == (1, 1)
    for each in listening:
        assert source.live == 1
        end_listening(each)
    assert source.live == 0


async def test_from_rx_subscribes_on_entering() -> None:
    source = Source()
    async with Observable.from_rx(source):
        assert source.live == 1
    assert (source.subscribed, source.live) == (1, 0)


async def test_from_rx_entered_stays_subscribed_when_listeners_go() -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    async with obs:
        obs.subscribe_nowait(nothing)()
        assert source.live == 1
    assert (source.subscribed, source.live) == (1, 0)


async def test_from_rx_subscribes_again_for_a_new_listener() -> None:
    source, tally = Source("hello"), Tally()
    obs: Observable[[str]] = Observable.from_rx(source)
    obs.subscribe_nowait(tally)()
    await settle()
    obs.subscribe_nowait(tally)()
    await settle()
    assert (source.subscribed, source.live) == (2, 0)


async def test_from_rx_takes_nothing_between_two_subscriptions() -> None:
    subject: Subject[int] = Subject()
    tally = Tally()
    obs: Observable[[int]] = Observable.from_rx(subject)
    for value in range(5):
        subscription = obs.subscribe_nowait(tally) if value % 2 else None
        subject.on_next(value)
        await settle()
        if subscription is not None:
            subscription()
    assert tally.values == [1, 3]


async def test_from_rx_subscribes_without_a_running_loop() -> None:
    """Observers can be added before there is a loop; what comes then is emitted once there is one."""
    source, recorder = Source(), Recorder()

    def make() -> Observable[[int]]:
        obs: Observable[[int]] = Observable.from_rx(source)
        obs.subscribe_nowait(recorder)
        return obs

    made: list[Observable[[int]]] = []
    await in_thread(lambda: made.append(make()))
    source.on_next(1)
    source.on_next(2)
    assert recorder.values == []
    async with made[0]:
        await settle()
    assert recorder.values == [1, 2]


# When it is disposed of


async def test_from_rx_disposes_when_the_last_observer_has_gone() -> None:
    source = Source()
    obs: Observable[...] = Observable.from_rx(source)
    first, second = obs.subscribe_nowait(nothing), obs.fork().subscribe_nowait(nothing)
    first()
    assert source.live == 1
    second()
    assert source.live == 0


async def test_from_rx_disposes_when_a_counted_observer_was_called_often_enough() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.ntimes(tally, 2)
    for value in range(5):
        source.on_next(value)
        await settle()
    assert tally.values == [0, 1]
    assert source.live == 0


async def test_from_rx_disposes_when_an_eventual_unsubscription_is_applied() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(nothing)
    obs.unsubscribe_eventually(nothing)
    assert source.live == 1
    source.on_next(1)
    await settle()
    assert source.live == 0


async def test_from_rx_disposes_when_a_derived_observable_is_closed() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    async with obs.fork() as derived:
        derived.subscribe_nowait(nothing)
        assert source.live == 1
    assert source.live == 0
    assert not obs._closed


async def test_from_rx_disposes_when_an_iterator_is_dropped() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    iterator = obs.values()
    assert source.live == 1
    del iterator
    gc.collect()
    await settle()
    assert source.live == 0


@pytest.mark.parametrize("leave", ["context", "aclose"])
async def test_from_rx_disposes_once_on_the_loops_thread_on_leaving(leave: str) -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(nothing)
    await in_thread(source.on_next, 1)
    if leave == "context":
        async with obs:
            pass
    else:
        await obs.aclose()
    assert source.disposed == [threading.get_ident()]
    assert source.live == 0


async def test_from_rx_never_subscribes_when_closed_before() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    await obs.aclose()
    with pytest.raises(ObservableClosed):
        obs.subscribe_nowait(nothing)
    assert source.subscribed == 0


async def test_from_rx_disposes_where_the_body_fails() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    with pytest.raises(KeyError):
        async with obs:
            raise KeyError
    assert source.live == 0


async def test_from_rx_disposes_when_the_source_has_completed() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(nothing)
    source.on_completed()
    await settle()
    assert source.live == 0


async def test_from_rx_disposes_of_a_source_that_completes_while_it_is_being_subscribed_to() -> None:
    disposed: list[bool] = []

    def subscribe(observer: Any, _: Any = None) -> Any:
        observer.on_completed()
        return Disposable(lambda: disposed.append(True))

    obs: Observable[[int]] = Observable.from_rx(reactivex.create(subscribe))
    obs.subscribe_nowait(nothing)
    assert await end_of(obs) is Closed
    assert disposed == [True]


# What the source says


async def test_from_rx_notifies_each_value_as_the_only_argument() -> None:
    recorder = Recorder()
    obs: Observable[...] = Observable.from_rx(reactivex.of(1, None, (2, 3), {"key": 4}))
    obs.subscribe_nowait(recorder)
    assert await end_of(obs) is Closed
    assert recorder.calls == [((1,), {}), ((None,), {}), (((2, 3),), {}), (({"key": 4},), {})]


async def test_from_rx_keeps_order_while_observers_are_busy() -> None:
    recorder = Recorder()
    obs: Observable[[int]] = Observable.from_rx(reactivex.range(0, 500))
    obs.subscribe_nowait(recorder)
    assert await end_of(obs) is Closed
    assert recorder.values == list(range(500))


async def test_from_rx_runs_one_notification_at_a_time() -> None:
    held = Held()
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(held)
    for value in range(3):
        source.on_next(value)
    await settle()
    assert held.started == [0]
    held.release(0)
    await held.entered(1)
    assert held.started == [0, 1]
    held.release()
    await within(obs.wait_until_idle())
    await settle()
    assert held.ended == [0, 1, 2]
    assert held.most_running == 1


async def test_from_rx_completion_closes_after_what_was_buffered() -> None:
    held, source = Held(), Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(held)
    end = await begin(end_of(obs))
    for value in range(3):
        source.on_next(value)
    source.on_completed()
    await settle()
    assert not end.done()
    held.release()
    assert await within(end) is Closed
    assert held.ended == [0, 1, 2]


async def test_from_rx_error_ends_after_what_was_buffered() -> None:
    held, source, error = Held(), Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(held)
    end = await begin(end_of(obs))
    for value in range(3):
        source.on_next(value)
    source.on_error(error)
    await settle()
    assert not end.done()
    held.release()
    assert await within(end) is error
    assert held.ended == [0, 1, 2]


async def test_from_rx_takes_nothing_after_the_end() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(tally)
    subscription = next(iter(source._live))
    subscription.next(1)
    subscription.completed()
    subscription.next(2)
    subscription.error(ValueError("late"))
    assert await end_of(obs) is Closed
    await settle()
    assert tally.values == [1]


async def test_from_rx_completion_completes_what_is_derived() -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    derived = {name: derive(obs) for name, derive in DERIVED.items() if name != "merge"}
    for each in derived.values():
        each.subscribe_nowait(nothing)
    source.on_completed()
    for each in derived.values():
        assert await end_of(each) is Closed


async def test_from_rx_error_ends_what_is_derived() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    derived = {name: derive(obs) for name, derive in DERIVED.items()}
    ends = [await begin(end_of(each)) for each in derived.values()]
    for each in derived.values():
        each.subscribe_nowait(nothing)
    source.on_error(error)
    assert [await within(end) for end in ends] == [error] * len(ends)


async def test_from_rx_error_reaches_iterators_and_subscribers() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    seen: list[object] = []
    iterator = obs.values()
    subscription = obs.to_rx().subscribe(seen.append, seen.append)
    source.on_next(1)
    source.on_error(error)
    assert await within(anext(iterator)) == 1
    with pytest.raises(ValueError, match="of the source"):
        await within(anext(iterator))
    assert seen == [1, error]
    subscription.dispose()


async def test_from_rx_error_that_nobody_hears_goes_to_the_loops_handler(loop_errors: list[dict[str, Any]]) -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(nothing)
    source.on_error(error)
    await settle()
    assert obs._closed
    assert collect_errors(loop_errors) == [error]


async def test_from_rx_error_that_somebody_hears_goes_nowhere_else() -> None:
    source, error = Source(), ValueError("of the source")
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(nothing)
    end = await begin(end_of(obs))
    source.on_error(error)
    assert await within(end) is error


async def test_from_rx_takes_an_error_that_is_a_mere_string() -> None:
    """RxPY's own subjects pass on whatever they are given."""
    subject: Subject[int] = Subject()
    obs: Observable[[int]] = Observable.from_rx(subject)
    end = await begin(end_of(obs))
    obs.subscribe_nowait(nothing)
    subject.on_error("out of order")  # type: ignore[arg-type]  # as seen in the wild
    error = await within(end)
    assert isinstance(error, Exception)
    assert str(error) == "out of order"


async def test_from_rx_of_a_source_that_cannot_be_subscribed_to_ends_with_its_error() -> None:
    class Broken:
        def subscribe(self, *_: Any, **__: Any) -> NoReturn:
            raise OSError("no such device")

    obs: Observable[[int]] = Observable.from_rx(Broken())
    end = await begin(end_of(obs))
    obs.subscribe_nowait(nothing)
    assert isinstance(await within(end), OSError)


async def test_from_rx_of_a_source_that_is_interrupted_can_be_subscribed_to_again() -> None:
    class Interrupted(Source):
        def subscribe(self, *args: Any, **options: Any) -> Any:
            if self.subscribed == 0:
                self.subscribed += 1
                raise KeyboardInterrupt
            return super().subscribe(*args, **options)

    source = Interrupted()
    obs: Observable[[int]] = Observable.from_rx(source)
    with pytest.raises(KeyboardInterrupt):
        obs.subscribe_nowait(nothing)
    obs.unsubscribe_nowait(nothing)
    obs.subscribe_nowait(nothing)
    assert source.live == 1
    await obs.aclose()


async def test_from_rx_can_be_notified_too() -> None:
    source, tally = Source(), Tally()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.subscribe_nowait(tally)
    source.on_next(1)
    await settle()
    await obs.notify(2)
    assert tally.values == [1, 2]
    await obs.aclose()


async def test_from_rx_emits_what_a_cold_source_emits_at_once() -> None:
    obs: Observable[[int]] = Observable.from_rx(reactivex.of(1, 2, 3))
    assert await values_of(obs.values()) == [1, 2, 3]


# RxPY 3, by position


class Rx3Source:
    """The shape of ``subscribe`` in RxPY 3, where ``on_next`` came last by name and first by position."""

    def __init__(self, *values: Any) -> None:
        self._values = values

    def subscribe(
        self,
        observer: Any = None,
        on_error: Any = None,
        on_completed: Any = None,
        on_next: Any = None,
        *,
        scheduler: Any = None,
    ) -> Any:
        assert on_next is None
        for value in self._values:
            observer(value)
        on_completed()
        return Disposable()


async def test_from_rx_takes_sources_of_rxpy_3() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable.from_rx(Rx3Source(1, 2))
    obs.subscribe_nowait(tally)
    assert await end_of(obs) is Closed
    assert tally.values == [1, 2]


async def test_from_rx_error_that_somebody_waits_for_is_reported_for_no_branch(
    loop_errors: list[dict[str, Any]],
) -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.fork().subscribe_nowait(Tally())
    obs.fork().fork().subscribe_nowait(Tally())
    waiting = await begin(obs.wait_closed())
    error = ValueError("the end")
    source.on_error(error)
    with pytest.raises(ValueError, match="the end"):
        await waiting
    await settle()
    assert loop_errors == []


async def test_from_rx_error_that_nobody_hears_is_reported_once_for_all_branches(
    loop_errors: list[dict[str, Any]],
) -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    for _ in range(3):
        obs.fork().subscribe_nowait(Tally())
    error = ValueError("the end")
    source.on_error(error)
    await settle()
    assert collect_errors(loop_errors) == [error]


async def test_from_rx_error_that_one_branch_hears_is_reported_for_another(
    loop_errors: list[dict[str, Any]],
) -> None:
    source = Source()
    obs: Observable[[int]] = Observable.from_rx(source)
    obs.fork().subscribe_nowait(Tally())
    values = obs.fork().values()
    source.on_error(ValueError("the end"))
    with pytest.raises(ValueError, match="the end"):
        await anext(values)
    await settle()
    assert len(collect_errors(loop_errors)) == 1
