"""Bad input: refused at the call, with parameter, value and rule in the message, and nothing changed."""

from __future__ import annotations

import asyncio
import math
import pickle
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ArgumentError, ArgumentTypeError, ArgumentValueError, AsyncutilsRxError
from tests.observable_kit import Held, Recorder, busy, within

if TYPE_CHECKING:
    from collections.abc import Callable


class Unhashable:
    """Can be called, and is no member of any set."""

    __hash__ = None  # type: ignore[assignment]  # this is what is tested

    def __call__(self, *_: object) -> None:
        """Takes what comes."""

    def __repr__(self) -> str:
        return "<unhashable>"


NOT_CALLABLE = [None, 5, "print", [print]]
NOT_A_COUNT = [None, 1.5, "2", math.nan, [2]]
TOO_FEW = [0, -1, -100]
NOT_A_NUMBER = ["1", None, [1], 1j]
NO_DURATION = [-1, -0.001, math.nan, math.inf, -math.inf]
NO_TIMEOUT = [-1, -0.001, math.nan, -math.inf]


def to_pair(*args: Any) -> tuple[tuple[Any, ...], dict[str, object]]:
    return args, {}


CALLS: dict[str, tuple[str, Callable[[Observable[...], Any], Any]]] = {
    "subscribe": ("observer", lambda obs, bad: obs.subscribe(bad)),
    "subscribe_nowait": ("observer", lambda obs, bad: obs.subscribe_nowait(bad)),
    "subscribe_syncf": ("observer", lambda obs, bad: obs.subscribe_syncf(bad)),
    "ntimes observer": ("observer", lambda obs, bad: obs.ntimes(bad, 1)),
    "ntimes n": ("n", lambda obs, bad: obs.ntimes(Recorder(), bad)),
    "map": ("transform", lambda obs, bad: obs.map(bad)),
    "filter": ("pred", lambda obs, bad: obs.filter(bad)),
    "at_change": ("key", lambda obs, bad: obs.at_change(bad)),
    "buffer": ("count", lambda obs, bad: obs.buffer(bad)),
    "debounce": ("delay", lambda obs, bad: obs.debounce(bad)),
    "throttle": ("interval", lambda obs, bad: obs.throttle(bad)),
    "merge": ("obs", lambda obs, bad: obs.merge(bad)),
    "merge on the class": ("obs", Observable.merge),
    "wait_for_next": ("timeout", lambda obs, bad: obs.wait_for_next(bad)),
    "wait_until_idle": ("timeout", lambda obs, bad: obs.wait_until_idle(bad)),
    "init_observers": ("init_observers", lambda _, bad: Observable(bad)),
    "maxsize": ("maxsize", lambda _, bad: Observable([], bad)),
    "fork scheduler": ("scheduler", lambda obs, bad: obs.fork(scheduler=bad)),
    "map scheduler": ("scheduler", lambda obs, bad: obs.map(to_pair, scheduler=bad)),
    "filter scheduler": ("scheduler", lambda obs, bad: obs.filter(bool, scheduler=bad)),
    "at_change scheduler": ("scheduler", lambda obs, bad: obs.at_change(scheduler=bad)),
    "buffer scheduler": ("scheduler", lambda obs, bad: obs.buffer(1, scheduler=bad)),
    "debounce scheduler": ("scheduler", lambda obs, bad: obs.debounce(1, scheduler=bad)),
    "throttle scheduler": ("scheduler", lambda obs, bad: obs.throttle(1, scheduler=bad)),
    "merge scheduler": ("scheduler", lambda obs, bad: obs.merge(obs, scheduler=bad)),
}

NO_OBSERVABLE: list[Any] = [None, 5, [], print]
NO_SCHEDULER: list[Any] = [5, "now", print]

CASES: list[tuple[str, Any, type[ArgumentError]]] = [
    *((name, bad, ArgumentTypeError) for name in list(CALLS)[:4] for bad in [*NOT_CALLABLE, Unhashable()]),
    *(("ntimes n", bad, ArgumentTypeError) for bad in NOT_A_COUNT[1:]),
    *(("ntimes n", bad, ArgumentValueError) for bad in TOO_FEW),
    *((name, bad, ArgumentTypeError) for name in ("map", "filter") for bad in NOT_CALLABLE),
    *(("at_change", bad, ArgumentTypeError) for bad in NOT_CALLABLE[1:]),
    *(("buffer", bad, ArgumentTypeError) for bad in NOT_A_COUNT),
    *(("buffer", bad, ArgumentValueError) for bad in TOO_FEW),
    *((name, bad, ArgumentTypeError) for name in ("debounce", "throttle") for bad in NOT_A_NUMBER),
    *((name, bad, ArgumentValueError) for name in ("debounce", "throttle") for bad in NO_DURATION),
    *((name, bad, ArgumentTypeError) for name in ("merge", "merge on the class") for bad in NO_OBSERVABLE),
    *((name, bad, ArgumentTypeError) for name in ("wait_for_next", "wait_until_idle") for bad in ["1", [1], 1j]),
    *((name, bad, ArgumentValueError) for name in ("wait_for_next", "wait_until_idle") for bad in NO_TIMEOUT),
    *(("init_observers", bad, ArgumentTypeError) for bad in [5, None, print]),
    *(("maxsize", bad, ArgumentTypeError) for bad in ["5", 1.5, [1]]),
    ("maxsize", -1, ArgumentValueError),
    *((name, bad, ArgumentTypeError) for name in CALLS if "scheduler" in name for bad in NO_SCHEDULER),
]


@pytest.mark.parametrize(("name", "bad", "kind"), CASES, ids=[f"{name}-{bad!r:.20}" for name, bad, _ in CASES])
async def test_bad_argument_is_refused_at_the_call(name: str, bad: Any, kind: type[ArgumentError]) -> None:
    parameter, call = CALLS[name]
    kept = Recorder()
    obs: Observable[...] = Observable([kept])
    before = repr(obs)
    with pytest.raises(kind) as caught:
        call(obs, bad)
    error: ArgumentError = caught.value
    assert isinstance(error, AsyncutilsRxError)
    assert issubclass(type(error), TypeError if kind is ArgumentTypeError else ValueError)
    assert error.parameter == parameter
    assert error.value is bad or error.value == bad
    assert parameter in str(error)
    assert repr(bad)[:20] in str(error)
    assert error.rule in str(error)
    assert type(pickle.loads(pickle.dumps(error))) is kind
    assert repr(obs) == before
    assert list(obs) == [kept]
    await obs.notify(1)
    assert kept.values == [1]


@pytest.mark.parametrize("bad", [*NOT_CALLABLE, Unhashable()], ids=repr)
async def test_bad_observer_among_good_ones_is_refused_by_the_constructor(bad: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="observer"):
        Observable([Recorder(), bad])


async def test_bool_is_no_count_and_no_number() -> None:
    obs: Observable[...] = Observable()
    for refused in (
        lambda: obs.ntimes(Recorder(), True),
        lambda: obs.buffer(True),
        lambda: obs.debounce(True),
        lambda: obs.throttle(False),
    ):
        with pytest.raises(ArgumentTypeError):
            refused()


@pytest.mark.parametrize("call", ["merge on the class", "merge on nothing but keywords"])
async def test_merging_nothing_is_refused(call: str) -> None:
    options = {} if call == "merge on the class" else {"ret_exc": True}
    with pytest.raises(ArgumentError, match="obs"):
        Observable.merge(**options)  # type: ignore[call-overload]  # refused


@pytest.mark.parametrize("count", [2**70])
async def test_large_but_sensible_arguments_are_taken(count: int) -> None:
    obs: Observable[...] = Observable(maxsize=count)
    obs.ntimes(observer := Recorder(), count)
    batches = obs.buffer(count)
    await obs.notify(1)
    assert observer.values == [1]
    await batches.aclose()


@pytest.mark.virtual_time
async def test_infinite_timeout_is_no_timeout() -> None:
    held = Held()
    obs: Observable[...] = Observable([held])
    await within(obs.wait_until_idle(math.inf))
    waiting = asyncio.ensure_future(obs.wait_for_next(math.inf))
    await asyncio.sleep(1)
    assert not waiting.done()
    held.release()
    await obs.notify(1)
    assert await within(waiting) == ((1,), {})


@pytest.mark.parametrize("call", ["debounce", "throttle"])
async def test_delay_beyond_what_floats_hold_is_refused(call: str) -> None:
    obs: Observable[...] = Observable()
    with pytest.raises(ArgumentError):
        getattr(obs, call)(10**400)
    with pytest.raises(ArgumentError):
        getattr(obs, call)(Decimal("NaN"))


async def test_bad_argument_while_a_notification_runs_disturbs_nothing() -> None:
    held = Held()
    obs: Observable[...] = Observable([held])
    notifier = await busy(obs, held)
    with pytest.raises(ArgumentTypeError):
        obs.subscribe(None)  # type: ignore[arg-type,unused-coroutine]  # this is what is tested
    with pytest.raises(ArgumentTypeError):
        obs.unsubscribe_nowait(Unhashable())
    assert not notifier.done()
    held.release()
    await within(notifier)
    assert list(obs) == [held]


@pytest.mark.parametrize("bad", [*NOT_CALLABLE, Unhashable()], ids=repr)
async def test_removing_what_could_never_have_been_subscribed_raises_one_of_the_family(bad: Any) -> None:
    """Whether it is bad input or merely not subscribed is open."""
    kept = Recorder()
    obs: Observable[...] = Observable([kept])
    with pytest.raises(AsyncutilsRxError):
        obs.unsubscribe_nowait(bad, strict=True)
    with pytest.raises(AsyncutilsRxError):
        await obs.unsubscribe(bad, strict=True)
    assert list(obs) == [kept]


async def test_bad_argument_is_refused_before_a_missing_loop_matters() -> None:
    def outside() -> None:
        obs: Observable[...] = Observable()
        with pytest.raises(ArgumentTypeError):
            obs.subscribe(5)  # type: ignore[arg-type,unused-coroutine]  # this is what is tested
        with pytest.raises(ArgumentValueError):
            obs.debounce(-1)

    await asyncio.to_thread(outside)


async def test_refused_derivation_leaves_no_trace_in_the_source() -> None:
    calls: list[int] = []
    obs: Observable[[int]] = Observable()

    def key(value: int) -> int:
        calls.append(value)
        return value

    with pytest.raises(ArgumentTypeError):
        obs.at_change(key, scheduler=5)  # type: ignore[arg-type]  # this is what is tested
    await obs.notify(1)
    assert calls == []
