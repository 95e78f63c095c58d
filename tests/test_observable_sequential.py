"""``notify_sequential``: one observer after another, each result yielded."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import AsyncutilsRxError, ObservableClosed, ReentrancyError
from tests.observable_kit import Held, Log, Recorder, Tally, begin, busy, failing, settle, within
from tests.support import tick


def plus_one(value: int) -> int:
    return value + 1


def plus_two(value: int) -> int:
    return value + 2


async def results_of(obs: Observable[...], *args: Any, **kwargs: Any) -> list[Any]:
    return [result async for result in obs.notify_sequential(*args, **kwargs)]


async def test_sequential_yields_the_result_of_each_observer_in_order() -> None:
    async def doubles(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    obs: Observable[[int]] = Observable([plus_one, doubles, str])
    assert await within(results_of(obs, 5)) == [6, 10, "5"]


async def test_sequential_passes_the_arguments() -> None:
    observer = Recorder()
    obs: Observable[...] = Observable([observer])
    await results_of(obs, 1, two=2, _silent_=False, _persistent_=False)
    assert observer.calls == [((1,), {"two": 2})]


async def test_sequential_starts_an_observer_when_the_one_before_has_ended() -> None:
    journal: list[str] = []

    def observer(name: str) -> Any:
        async def run() -> None:
            journal.append(f"start {name}")
            await tick(3)
            journal.append(f"end {name}")

        return run

    obs: Observable[[]] = Observable([observer("a"), observer("b")])
    await within(results_of(obs))
    assert journal == ["start a", "end a", "start b", "end b"]


async def test_sequential_without_observers_yields_nothing() -> None:
    assert await within(results_of(Observable(), 1)) == []


async def test_sequential_keeps_the_observable_busy_until_its_end() -> None:
    obs: Observable[[int]] = Observable([str, str])
    async for _ in obs.notify_sequential(1):
        assert obs.notifying
    assert obs.idle


async def test_sequential_reaches_derived_observables() -> None:
    tally, held = Tally(), Held()
    obs: Observable[[int]] = Observable([str])
    doubled = obs.map(lambda value: ((value * 2,), {}))
    doubled.subscribe_nowait(tally)
    doubled.subscribe_nowait(held)
    running = await begin(results_of(obs, 4))
    assert not running.done()
    held.release()
    assert "4" in await within(running)
    assert tally.values == [8]
    assert held.ended == [8]


async def test_sequential_raises_the_error_of_a_derived_observer() -> None:
    error = ValueError("below")
    obs: Observable[[int]] = Observable([str])
    derived = obs.fork()
    derived.subscribe_nowait(failing(error))
    with pytest.raises(ValueError, match="below") as caught:
        await within(results_of(obs, 1))
    assert caught.value is error
    assert obs.idle


# Errors


async def test_sequential_raises_at_the_first_error() -> None:
    error = ValueError("in the middle")
    before, after = Tally(), Tally()
    obs: Observable[[int]] = Observable([before, failing(error), after])
    with pytest.raises(ValueError, match="in the middle") as caught:
        await within(results_of(obs, 1))
    assert caught.value is error
    assert before.values == [1]
    assert after.values == []
    assert obs.idle


async def test_sequential_silent_stops_quietly_at_the_first_error() -> None:
    error = ValueError("in the middle")
    after = Tally()
    obs: Observable[...] = Observable([plus_one, failing(error), after])
    with Log() as log:
        assert await within(results_of(obs, 1, _silent_=True)) == [2]
    assert after.values == []
    assert not log.has(error)
    assert obs.idle


async def test_sequential_persistent_logs_and_goes_on() -> None:
    error = ValueError("in the middle")
    obs: Observable[...] = Observable([plus_one, failing(error), plus_two])
    with Log() as log:
        results = await within(results_of(obs, 1, _persistent_=True))
    assert [result for result in results if result is not None] == [2, 3]
    assert log.has(error)


async def test_sequential_silent_and_persistent_skips_quietly() -> None:
    error = ValueError("in the middle")
    obs: Observable[...] = Observable([plus_one, failing(error), plus_two])
    with Log() as log:
        assert await within(results_of(obs, 1, _silent_=True, _persistent_=True)) == [2, 3]
    assert not log.has(error)


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("persistent", [False, True])
async def test_sequential_lets_a_cancelled_error_of_an_observer_through(silent: bool, persistent: bool) -> None:
    obs: Observable[...] = Observable([failing(asyncio.CancelledError())])
    with pytest.raises(asyncio.CancelledError):
        await within(results_of(obs, 1, _silent_=silent, _persistent_=persistent))
    assert obs.idle


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_sequential_lets_what_ends_the_program_through(kind: type[BaseException]) -> None:
    obs: Observable[...] = Observable([failing(kind())])
    with pytest.raises(kind):
        asyncio.run(results_of(obs, 1, _silent_=True, _persistent_=True))


# Its turn


async def test_sequential_waits_for_a_running_notification() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held, "first")
    sequential = await begin(results_of(obs, "second"))
    assert held.started == ["first"]
    held.release("first")
    await held.entered("second")
    assert held.ended == ["first"]
    held.release()
    await within(asyncio.gather(notifier, sequential))


@pytest.mark.parametrize("maxsize", [0, None])
async def test_sequential_takes_its_turn_first_in_first_out(maxsize: int | None) -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=maxsize)
    calls = [await busy(obs, held, "first")]
    calls.append(await begin(obs.notify("second")))
    calls.append(await begin(results_of(obs, "third")))
    calls.append(await begin(obs.notify("fourth")))
    held.release()
    await within(asyncio.gather(*calls))
    await within(obs.wait_until_idle())
    assert held.ended == ["first", "second", "third", "fourth"]
    assert held.most_running == 1


async def test_sequential_does_not_overtake_a_notification_that_waits_for_room() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held], maxsize=1)
    calls = [await busy(obs, held, "first")]
    calls.append(await begin(obs.notify("second")))
    calls.append(await begin(obs.notify("third")))
    calls.append(await begin(results_of(obs, "fourth")))
    calls.append(await begin(obs.notify("fifth")))
    assert [call.done() for call in calls] == [False, True, False, False, False]
    held.release()
    await within(asyncio.gather(*calls))
    await within(obs.wait_until_idle())
    assert held.ended == ["first", "second", "third", "fourth", "fifth"]


async def test_sequential_lets_notifications_be_queued_meanwhile() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    async for _ in obs.notify_sequential(1):
        await within(obs.notify(2))
        assert tally.values == [1]
    await within(obs.wait_until_idle())
    assert tally.values == [1, 2]


async def test_sequential_closed_early_gives_its_turn_back() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([str, tally])
    results = obs.notify_sequential(1)
    assert await within(anext(results)) == "1"
    await within(results.aclose())
    assert obs.idle
    await within(obs.notify(2))
    assert tally.values == [2]


async def test_sequential_closed_early_delivers_what_was_queued() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([str, tally])
    results = obs.notify_sequential(1)
    await within(anext(results))
    await within(obs.notify(2))
    await within(results.aclose())
    await within(obs.wait_until_idle())
    assert tally.values == [2]


async def test_sequential_dropped_gives_its_turn_back() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([str, tally])
    results = obs.notify_sequential(1)
    assert await within(anext(results)) == "1"
    del results
    gc.collect()
    await settle()
    await within(obs.notify(2))
    await within(obs.wait_until_idle())
    assert tally.values == [2]


async def test_sequential_never_iterated_takes_no_turn() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally])
    results = obs.notify_sequential(1)
    await within(obs.notify(2))
    await results.aclose()
    assert tally.values == [2]
    assert obs.idle


async def test_sequential_cancelled_cancels_the_running_observer_and_gives_its_turn_back() -> None:
    held, after = Held(), Tally()
    obs: Observable[[Any]] = Observable([held, after])
    running = await begin(results_of(obs, 1))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(running)
    assert held.cancelled == [1]
    assert after.values == []
    held.release()
    await within(obs.notify(2))
    assert after.values == [2]


async def test_sequential_cancelled_while_it_waits_for_its_turn_is_withdrawn() -> None:
    held = Held()
    obs: Observable[[Any]] = Observable([held])
    notifier = await busy(obs, held)
    sequential = await begin(results_of(obs, "withdrawn"))
    sequential.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(sequential)
    held.release()
    await within(notifier)
    await within(obs.notify("after"))
    assert held.ended == ["running", "after"]


async def test_sequential_from_inside_works_or_raises_at_once() -> None:
    outcomes: list[Any] = []

    async def observer(value: int) -> None:
        if value == 0:
            try:
                outcomes.append(await within(results_of(obs, 1)))
            except ReentrancyError as error:
                outcomes.append(error)

    obs: Observable[[int]] = Observable([observer])
    await within(obs.notify(0))
    assert len(outcomes) == 1


async def test_sequential_applies_eventual_unsubscriptions() -> None:
    observer = Recorder()
    obs: Observable[[int]] = Observable([observer])
    obs.unsubscribe_eventually(observer, asap=False)
    await within(results_of(obs, 1))
    assert observer.values == [1]
    assert list(obs) == []


async def test_sequential_counts_for_ntimes() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()
    obs.ntimes(tally, 2)
    for value in range(4):
        await within(results_of(obs, value))
    assert tally.values == [0, 1]


async def test_sequential_does_not_call_an_observer_added_or_removed_meanwhile() -> None:
    added, removed = Tally(), Tally()
    obs: Observable[[int]] = Observable()

    def change(_: int) -> None:
        obs.subscribe_nowait(added)
        obs.unsubscribe_nowait(removed)

    obs.subscribe_nowait(change)
    obs.subscribe_nowait(removed)
    await within(results_of(obs, 1))
    assert added.values == []
    assert removed.values == []


# The generator


async def test_sequential_generator_may_be_stepped_from_several_tasks() -> None:
    obs: Observable[[int]] = Observable([plus_one, str, plus_two])
    results = obs.notify_sequential(1)
    steps = [await begin(results.__anext__()) for _ in range(3)]
    assert [step.result() for step in steps] == [2, "1", 3]
    assert await within(anext(results, "over")) == "over"
    assert obs.idle


async def test_sequential_generator_thrown_into_gives_its_turn_back() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([str, tally])
    results = obs.notify_sequential(1)
    await within(anext(results))
    await within(obs.notify(2))
    with pytest.raises(ValueError, match="thrown"):
        await within(results.athrow(ValueError("thrown")))
    await within(obs.wait_until_idle())
    assert tally.values == [2]


async def test_sequential_loop_cancelled_between_two_steps_gives_its_turn_back() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([str, tally])

    async def loop() -> None:
        async for _ in obs.notify_sequential(1):
            await asyncio.Event().wait()

    looping = await begin(loop())
    await within(obs.notify(2))
    looping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(looping)
    del looping
    gc.collect()
    await settle()
    await within(obs.notify(3))
    await within(obs.wait_until_idle())
    assert tally.values == [2, 3]


async def test_sequential_loop_that_fails_gives_its_turn_back() -> None:
    obs: Observable[[int]] = Observable([str, str])

    async def loop() -> None:
        async for _ in obs.notify_sequential(1):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await within(loop())
    gc.collect()
    await settle()
    await within(obs.notify(2))
    assert obs.idle


async def test_sequential_raises_a_derived_error_after_every_own_observer() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([tally, str])
    derived = obs.filter(lambda value: value // 0 > 1)
    with pytest.raises(ZeroDivisionError):
        await within(results_of(obs, 1))
    assert list(derived) == []
    assert obs.idle


@pytest.mark.parametrize(("silent", "persistent"), [(True, False), (False, True), (True, True)])
async def test_sequential_options_cover_derived_observables(silent: bool, persistent: bool) -> None:
    """As they cover its own observers: nothing is raised."""
    obs: Observable[...] = Observable([plus_one])
    derived = obs.fork()
    derived.subscribe_nowait(failing(ValueError("below")))
    with Log() as log:
        results = await within(results_of(obs, 1, _silent_=silent, _persistent_=persistent))
    assert 2 in results
    assert log.has(ValueError("below")) == (not silent)
    assert obs.idle


async def test_sequential_does_not_call_an_observer_removed_and_added_again() -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable()

    def renew(_: int) -> None:
        obs.unsubscribe_nowait(tally)
        obs.subscribe_nowait(tally)

    obs.subscribe_nowait(renew)
    obs.subscribe_nowait(tally)
    await within(results_of(obs, 1))
    assert tally.values == []


async def test_sequential_indirectly_from_inside_raises_at_once() -> None:
    """What it calls, without having been suspended before, is inside of what iterates over it."""
    refused: list[int] = []

    async def innermost(value: int) -> None:
        with pytest.raises(ReentrancyError):
            await within(outer.notify(value))
        refused.append(value)

    async def iterates(value: int) -> None:
        await within(results_of(inner, value + 1))

    inner: Observable[[int]] = Observable([innermost, plus_one])
    outer: Observable[[int]] = Observable([iterates], maxsize=None)
    await within(outer.notify(1))
    assert refused == [2]


# The end of the observable meanwhile


@pytest.mark.parametrize("leave", ["aclose", "context"])
async def test_leaving_does_not_wait_for_a_sequential_generator_that_nobody_steps(leave: str) -> None:
    tally = Tally()
    obs: Observable[[int]] = Observable([str, tally])
    if leave == "context":
        async with obs:
            results = obs.notify_sequential(1)
            await within(anext(results))
            leaving = asyncio.ensure_future(obs.aclose())
            await within(leaving)
    else:
        results = obs.notify_sequential(1)
        await within(anext(results))
        await within(obs.aclose())
    await within(results.aclose())


async def test_close_in_the_body_of_a_sequential_loop_never_hangs() -> None:
    """It works or raises at once; what the loop does then is open."""
    outcomes: list[object] = []
    obs: Observable[[int]] = Observable([str, str])

    async def loop() -> None:
        async for _ in obs.notify_sequential(1):
            try:
                outcomes.append(await within(obs.aclose()))
            except AsyncutilsRxError as error:
                outcomes.append(error)

    with contextlib.suppress(ObservableClosed):
        await within(loop())
    assert outcomes


async def test_sequential_goes_on_to_its_end_while_the_observable_is_left() -> None:
    held, tally = Held(), Tally()
    obs: Observable[[int]] = Observable([held, tally])
    running = await begin(results_of(obs, 1))
    closing = await begin(obs.aclose())
    assert not closing.done()
    held.release()
    await within(asyncio.gather(running, closing))
    assert tally.values == [1]


async def test_leaving_does_not_wait_for_a_sequential_generator_that_got_its_turn_meanwhile() -> None:
    held = Held()
    obs: Observable[[int]] = Observable([held, str])
    running = await busy(obs, held, 1)
    generator = obs.notify_sequential(2)
    step = await begin(anext(generator))
    closing = await begin(obs.aclose())
    held.release()
    await within(closing)
    await running
    assert await step is None
    with pytest.raises(ObservableClosed, match="between two of its observers"):
        await anext(generator)


async def test_leaving_a_source_does_not_wait_for_a_sequential_generator_that_nobody_steps() -> None:
    obs: Observable[[int]] = Observable()
    derived = obs.fork()
    derived.subscribe_nowait(str)
    derived.subscribe_nowait(int)
    generator = derived.notify_sequential(1)
    await anext(generator)
    await within(obs.aclose())
    assert derived._closed
    await generator.aclose()


async def test_sequential_in_a_task_for_each_step_goes_on_to_its_end_while_the_observable_is_left() -> None:
    held, tally = Held(), Tally()
    obs: Observable[[int]] = Observable([held, str, tally])

    async def step_by_step() -> None:
        generator = obs.notify_sequential(1)
        while await asyncio.create_task(anext(generator, "end")) != "end":
            pass

    running = await begin(step_by_step())
    closing = await begin(obs.aclose())
    held.release()
    await within(asyncio.gather(running, closing))
    assert tally.values == [1]


async def test_sequential_reaches_iterations_and_asynchronous_maps() -> None:
    async with Observable[[int]]() as obs:
        values = obs.values()
        mapped = obs.map_async(plus_one).values()
        results = await within(results_of(obs, 1))
        assert results == []
        assert [await within(anext(values)), await within(anext(mapped))] == [1, 2]
