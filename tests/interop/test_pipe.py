"""``pipe``: RxPY's operators by RxPY's rules, inside of ``notify``."""

from __future__ import annotations

import asyncio
import gc
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import reactivex
from reactivex import Subject, operators
from reactivex.scheduler import NewThreadScheduler, ThreadPoolScheduler

from asyncutils_rx import Observable
from asyncutils_rx._observable._deriving import derive
from asyncutils_rx._rx._compat import RX_VERSION
from asyncutils_rx.exceptions import ArgumentTypeError, NoLoopError, ObservableClosed
from tests.interop.kit import Closed, Source, Threads, end_of, in_thread, taken, until, values_of
from tests.observable_kit import Held, Recorder, Tally, begin, collect_errors, failing, settle, within
from tests.support import live_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable


class RefusedError(Exception):
    """What a function of the user's raises."""


def refuse_2(value: int) -> int:
    if value == 2:
        raise RefusedError(value)
    return value


# What comes through


async def test_pipe_without_operators_passes_values_on() -> None:
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    none: tuple[Any, ...] = ()
    piped: Observable[[int]] = obs.pipe(*none)
    piped.subscribe_nowait(recorder)
    await obs.notify(1)
    assert recorder.calls == [((1,), {})]


async def test_pipe_applies_operators_from_left_to_right() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    piped = obs.pipe(
        operators.map(lambda value: value + 1), operators.filter(lambda value: value % 2 == 0), operators.pairwise()
    )
    piped.subscribe_nowait(tally)
    for value in range(6):
        await obs.notify(value)
    assert tally.values == [(2, 4), (4, 6)]


async def test_pipe_notify_awaits_observers_behind_operators() -> None:
    obs: Observable[[int]] = Observable()
    held = Held()
    piped = obs.pipe(operators.map(lambda value: value * 10), operators.scan(lambda total, value: total + value, 0))
    piped.subscribe_nowait(held)
    notifier = await begin(obs.notify(1))
    assert held.started == [10]
    assert not notifier.done()
    held.release()
    await within(notifier)
    await within(obs.notify(2))
    assert held.ended == [10, 30]


async def test_pipe_notify_awaits_several_values_of_one_operator_in_order() -> None:
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    piped = obs.pipe(operators.flat_map(lambda value: reactivex.of(value, value + 1, value + 2)))
    piped.subscribe_nowait(recorder)
    await obs.notify(1)
    assert recorder.values == [1, 2, 3]


async def test_pipe_notify_raises_errors_of_observers_behind_operators() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.map(lambda value: value))
    piped.subscribe_nowait(failing(RefusedError("observer"), suspends=True))
    for _ in range(2):
        with pytest.raises(RefusedError, match="observer"):
            await obs.notify(1)
    assert not piped._closed


async def test_pipe_keeps_state_whoever_listens() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.scan(lambda count, _: count + 1, 0))
    await obs.notify(1)
    await obs.notify(1)
    tally = Tally()
    piped.subscribe_nowait(tally)
    await obs.notify(1)
    assert tally.values == [3]


async def test_pipe_result_can_be_derived_from() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    texts: Observable[[str]] = obs.pipe(operators.map(str))
    chain = texts.filter(lambda text: text != "2").pipe(operators.map(int)).buffer(2)
    chain.subscribe_nowait(tally)
    for value in range(5):
        await obs.notify(value)
    assert tally.values == [0, 1, 3, 4]


# What is refused


@pytest.mark.parametrize("wrong", [None, 5, "map", reactivex.of(1)])
async def test_pipe_refuses_what_is_no_operator(wrong: Any) -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(ArgumentTypeError, match=r"Observable\.pipe: operators"):
        obs.pipe(operators.map(str), wrong)
    await obs.notify(1)


async def test_pipe_refuses_an_operator_that_returns_no_observable() -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(ArgumentTypeError, match=r"Observable\.pipe: operators"):
        obs.pipe(lambda _: None)  # type: ignore[arg-type, return-value]  # the point of the test
    await obs.notify(1)


async def test_pipe_raises_what_an_operator_raises_as_it_is_applied() -> None:
    obs: Observable[[int]] = Observable()

    def broken(_: Any) -> Any:
        raise RefusedError("as it is applied")

    with pytest.raises(RefusedError, match="as it is applied"):
        obs.pipe(broken)
    await obs.notify(1)


async def test_pipe_of_a_closed_observable_is_refused() -> None:
    obs: Observable[[int]] = Observable()
    await obs.aclose()
    with pytest.raises(ObservableClosed):
        obs.pipe(operators.map(str))


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2), {}), ((1,), {"key": 2}), ((), {"key": 2})], ids=["0", "2", "1+key", "key"]
)
async def test_pipe_notification_that_is_no_single_value_is_its_notifiers_error(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    obs: Observable[...] = Observable()
    beside, tally = Recorder(), Tally()
    obs.subscribe_nowait(beside)
    piped = obs.pipe(operators.map(lambda value: value))
    piped.subscribe_nowait(tally)
    with pytest.raises(TypeError, match="exactly one positional argument"):
        await obs.notify(*args, **kwargs)
    await obs.notify(9)
    assert tally.values == [9]
    assert beside.calls == [(args, kwargs), ((9,), {})]


# An error ends it


async def test_pipe_error_of_an_operator_ends_it_and_is_raised_by_the_notify_that_caused_it() -> None:
    obs: Observable[[int]] = Observable()
    beside, tally = Tally(), Tally()
    piped = obs.pipe(operators.map(refuse_2))
    branch = obs.fork()
    piped.subscribe_nowait(tally)
    branch.subscribe_nowait(beside)
    await obs.notify(1)
    with pytest.raises(RefusedError, match="2"):
        await obs.notify(2)
    await obs.notify(3)
    assert tally.values == [1]
    assert beside.values == [1, 2, 3]
    assert piped._closed
    assert not obs._closed


async def test_pipe_error_of_the_first_notification_is_raised_by_it() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.map(refuse_2))
    with pytest.raises(RefusedError, match="2"):
        await obs.notify(2)
    assert piped._closed


async def test_pipe_error_is_raised_by_what_iterates_it_and_what_waits_for_its_end() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.map(refuse_2))
    iterator, end = piped.values(), await begin(end_of(piped))
    await obs.notify(1)
    with pytest.raises(RefusedError):
        await obs.notify(2)
    assert await taken(iterator, 1) == [1]
    with pytest.raises(RefusedError):
        await within(anext(iterator))
    assert isinstance(await within(end), RefusedError)


async def test_pipe_error_reaches_subscribers_and_what_is_derived() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.map(refuse_2))
    seen: list[Any] = []
    piped.fork().to_rx().subscribe(seen.append, seen.append)
    with pytest.raises(RefusedError) as caught:
        await obs.notify(2)
    assert seen == [caught.value]


async def test_pipe_error_can_be_handled_by_an_operator() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    piped = obs.pipe(operators.map(refuse_2), operators.catch(reactivex.of(-1)))
    piped.subscribe_nowait(tally)
    await obs.notify(1)
    await obs.notify(2)
    assert tally.values == [1, -1]
    assert await end_of(piped) is Closed


async def test_pipe_error_comes_after_the_values_before_it_were_delivered() -> None:
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    piped = obs.pipe(
        operators.flat_map(
            lambda value: reactivex.of(value).pipe(operators.concat(reactivex.throw(RefusedError("end"))))
        )
    )
    piped.subscribe_nowait(recorder)
    with pytest.raises(RefusedError, match="end"):
        await obs.notify(1)
    assert recorder.values == [1]


@pytest.mark.virtual_time
async def test_pipe_error_on_a_timer_goes_to_whoever_listens() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.timeout(5.0))
    end = await begin(end_of(piped))
    await obs.notify(1)
    await asyncio.sleep(6.0)
    assert isinstance(await within(end), Exception)
    await obs.notify(2)


@pytest.mark.virtual_time
async def test_pipe_error_on_a_timer_that_nobody_hears_goes_to_the_loops_handler(
    loop_errors: list[dict[str, Any]],
) -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.timeout(5.0))
    await obs.notify(1)
    await asyncio.sleep(6.0)
    assert piped._closed
    assert len(collect_errors(loop_errors)) == 1


async def test_pipe_error_while_it_is_applied_is_raised_by_the_call() -> None:
    obs: Observable[[int]] = Observable()
    with pytest.raises(RefusedError, match="at once"):
        obs.pipe(lambda _: reactivex.throw(RefusedError("at once")))
    await obs.notify(1)


# Completion


async def test_pipe_completion_by_an_operator_closes_it_and_not_its_source() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    piped = obs.pipe(operators.take(2))
    piped.subscribe_nowait(tally)
    for value in range(4):
        await obs.notify(value)
    assert tally.values == [0, 1]
    assert await end_of(piped) is Closed
    with pytest.raises(ObservableClosed):
        await piped.notify(1)
    assert live_subscriptions() == []
    await obs.notify(9)


async def test_pipe_completes_with_its_source() -> None:
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    piped = obs.pipe(operators.to_list())
    piped.subscribe_nowait(recorder)
    for value in range(3):
        await obs.notify(value)
    await obs.aclose()
    assert recorder.values == [[0, 1, 2]]
    assert piped._closed


@pytest.mark.virtual_time
@pytest.mark.parametrize("leave", ["source", "derived"])
async def test_pipe_drops_what_an_operator_still_holds_on_leaving(leave: str) -> None:
    loop: Any = asyncio.get_running_loop()
    obs: Observable[[int]] = Observable()
    tally = Tally()
    piped = obs.pipe(operators.delay(5.0))
    piped.subscribe_nowait(tally)
    await obs.notify(1)
    await asyncio.sleep(3.0)
    await obs.notify(2)
    await asyncio.sleep(3.0)
    await (obs if leave == "source" else piped).aclose()
    assert tally.values == [1]
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
    assert live_subscriptions() == []
    await asyncio.sleep(10.0)
    assert tally.values == [1]
    await obs.aclose()


# What operators emit as they are applied


async def test_pipe_start_with_waits_for_whoever_listens_first() -> None:
    obs: Observable[[int]] = Observable()
    tally, late = Tally(), Tally()
    piped = obs.pipe(operators.start_with(-2, -1))
    await settle()
    piped.subscribe_nowait(tally)
    await settle()
    piped.subscribe_nowait(late)
    await obs.notify(1)
    assert tally.values == [-2, -1, 1]
    assert late.values == [1]


async def test_pipe_start_with_reaches_asynchronous_observers_in_order() -> None:
    obs: Observable[[int]] = Observable()
    recorder = Recorder()
    piped = obs.pipe(operators.start_with(-2, -1))
    piped.subscribe_nowait(recorder)
    await obs.notify(1)
    await obs.aclose()
    assert sorted(recorder.values) == [-2, -1, 1]
    assert recorder.values[0] == -2


@pytest.mark.parametrize("listen", ["values", "to_rx", "derived", "entered"])
async def test_pipe_start_with_waits_for_any_listener(listen: str) -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.start_with(0))
    seen = Tally()
    if listen == "values":
        seen.values = await taken(piped.values(), 1)
    elif listen == "to_rx":
        piped.to_rx().subscribe(seen)
    elif listen == "derived":
        piped.buffer(1).subscribe_nowait(seen)
    else:
        async with piped:
            piped.subscribe_nowait(seen)
    await settle()
    assert seen.values == [0]
    await obs.aclose()


async def test_pipe_that_has_ended_as_it_is_applied_delivers_and_then_ends() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(lambda _: reactivex.of(1, 2))
    assert await values_of(piped.values()) == [1, 2]
    assert await end_of(piped) is Closed


async def test_pipe_that_has_ended_without_a_value_is_closed() -> None:
    obs: Observable[[int]] = Observable()
    assert await end_of(obs.pipe(operators.take(0))) is Closed


async def test_pipe_start_with_is_dropped_where_nobody_ever_listens() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.start_with(0))
    await within(obs.aclose())
    assert piped._closed


# Threads and clocks


def _timer() -> reactivex.Observable[Any]:
    return reactivex.timer(1.0)


TIMED: dict[str, Callable[[], tuple[Callable[[Any], Any], ...]]] = {
    "delay": lambda: (operators.delay(1.0),),
    "debounce": lambda: (operators.debounce(1.0),),
    "throttle_first": lambda: (operators.throttle_first(1.0),),
    "sample": lambda: (operators.sample(1.0),),
    "timeout": lambda: (operators.timeout(1.0, reactivex.of("late")),),
    "buffer_with_time": lambda: (operators.buffer_with_time(1.0),),
    "window_with_time": lambda: (operators.window_with_time(1.0), operators.merge_all()),
    "timestamp": lambda: (operators.timestamp(),),
    "time_interval": lambda: (operators.time_interval(),),
    "take_with_time": lambda: (operators.take_with_time(10.0),),
    "flat_map": lambda: (operators.flat_map(lambda _: _timer()),),
    "switch_latest": lambda: (operators.map(lambda _: _timer()), operators.switch_latest()),
    "repeat": lambda: (operators.flat_map(lambda _: _timer().pipe(operators.repeat(2))),),
    "merge": lambda: (operators.merge(_timer()),),
    "take_until": lambda: (operators.take_until(_timer()),),
    "delay_with_mapper": lambda: (operators.delay_with_mapper(lambda _: _timer()),),
    "catch": lambda: (operators.map(refuse_2), operators.catch(lambda *_: _timer())),
    "expand": lambda: (operators.expand(lambda _: _timer().pipe(operators.filter(lambda _: False))),),
    "start_with": lambda: (operators.start_with(0), operators.delay(1.0)),
}
if RX_VERSION >= (5, 0):
    # Before, it starts a thread whatever scheduler it is subscribed with.
    TIMED["delay_subscription"] = lambda: (operators.delay_subscription(1.0),)


@pytest.mark.virtual_time
@pytest.mark.parametrize("name", TIMED)
async def test_pipe_uses_no_thread_unless_it_is_told_to(name: str) -> None:
    before = threading.active_count()
    obs: Observable[[int]] = Observable()
    threads = Threads()
    piped = obs.pipe(*TIMED[name]())
    piped.subscribe_nowait(threads)
    for value in range(4):
        await obs.notify(value)
        assert threading.active_count() == before
        await asyncio.sleep(0.75)
    await asyncio.sleep(5.0)
    assert threads.only_here
    await obs.aclose()


@pytest.mark.parametrize("scheduler", [NewThreadScheduler, partial(ThreadPoolScheduler, 2)], ids=["new", "pool"])
async def test_pipe_that_is_told_to_use_threads_calls_observers_on_the_loops_own(scheduler: Callable[[], Any]) -> None:
    made = scheduler()
    obs: Observable[[int]] = Observable()
    inside, direct, derived = Threads(), Threads(), Threads()
    piped = obs.pipe(operators.observe_on(made), operators.do_action(inside))
    piped.subscribe_nowait(direct)
    piped.fork().subscribe_nowait(derived)
    for value in range(20):
        await obs.notify(value)
    await until(lambda: len(derived.values) == 20)
    assert direct.values == derived.values == list(range(20))
    assert direct.only_here
    assert derived.only_here
    assert threading.get_ident() not in inside.idents
    await obs.aclose()
    if hasattr(made, "executor"):
        await in_thread(made.executor.shutdown)


async def test_pipe_that_ends_on_another_thread_ends_on_the_loops_own() -> None:
    other: Subject[int] = Subject()
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.merge(other))
    threads = Threads()
    piped.subscribe_nowait(threads)
    await obs.notify(1)
    end = await begin(end_of(piped))
    await in_thread(other.on_next, 2)
    await in_thread(other.on_error, RefusedError("elsewhere"))
    assert isinstance(await within(end), RefusedError)
    assert threads.values == [1, 2]
    assert threads.only_here


async def test_pipe_completes_on_the_loops_thread_where_an_operator_completes_on_another() -> None:
    other: Subject[int] = Subject()
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.take_until(other))
    await obs.notify(1)
    await in_thread(other.on_next, 0)
    assert await end_of(piped) is Closed


async def test_debounce_with_a_scheduler_of_threads_calls_observers_on_the_loops_own() -> None:
    from reactivex.scheduler import TimeoutScheduler

    obs: Observable[[int]] = Observable()
    threads = Threads()
    late = obs.debounce(0.001, scheduler=TimeoutScheduler())
    late.subscribe_nowait(threads)
    await obs.notify(1)
    await until(lambda: threads.values)
    assert threads.only_here
    await obs.aclose()


async def test_pipe_takes_nothing_from_another_thread_after_it_was_closed() -> None:
    other = Source()
    obs: Observable[[int]] = Observable()

    def subscribe(observer: Any, _: Any = None) -> Any:
        return other.subscribe(observer.on_next, observer.on_error, observer.on_completed)

    piped = obs.pipe(operators.merge(reactivex.create(subscribe)))
    tally = Tally()
    piped.subscribe_nowait(tally)
    await obs.notify(1)
    thread = threading.Thread(target=other.on_next, args=(2,))
    thread.start()
    thread.join()
    await piped.aclose()
    await settle()
    assert tally.values == [1]
    await obs.aclose()


def test_pipe_tells_a_thread_whose_loop_is_closed() -> None:
    other: Subject[int] = Subject()
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.merge(other))
    asyncio.run(obs.notify(1))
    with pytest.raises(NoLoopError, match="its event loop is closed"):
        other.on_next(1)
    assert not piped._closed


@pytest.mark.parametrize(
    ("call", "args"), [("passed_one", [((2,), {})]), ("completed", []), ("ended_by", [KeyError()])]
)
def test_pipe_lets_a_thread_be_that_comes_after_its_end_and_that_of_the_loop(call: str, args: list[Any]) -> None:
    """A thread that had passed RxPY's last check when the pipe was closed."""

    async def main() -> None:
        async with obs:
            await obs.notify(1)

    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.map(str))
    chain: Any = piped._chain
    asyncio.run(main())
    assert piped._closed
    getattr(chain._outlet, call)(*args)


# Memory


async def test_pipe_that_nobody_holds_or_listens_to_is_collected_and_detached() -> None:
    obs: Observable[[int]] = Observable()
    piped = obs.pipe(operators.debounce(1.0), operators.delay(1.0))
    assert live_subscriptions() != []
    del piped
    gc.collect()
    await settle()
    assert live_subscriptions() == []


async def test_pipe_with_an_observer_lives_as_long_as_its_source() -> None:
    obs: Observable[[int]] = Observable()
    tally = Tally()
    obs.pipe(operators.map(str)).subscribe_nowait(tally)
    gc.collect()
    await obs.notify(1)
    assert tally.values == ["1"]


async def test_operator_may_subscribe_with_an_observer_instead_of_functions() -> None:
    """As :func:`reactivex.create` has people do."""
    obs: Observable[[int]] = Observable()
    tally = Tally()

    def operate(sources: Any) -> Any:
        return reactivex.create(lambda observer, scheduler: sources[0].subscribe(observer, scheduler=scheduler))

    derived: Observable[[int]] = derive((obs,), "created", False, lambda *_: operate)
    derived.subscribe_nowait(tally)
    await obs.notify(1)
    await obs.aclose()
    assert tally.values == [1]
    assert await end_of(derived) is Closed
