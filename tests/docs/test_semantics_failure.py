"""What the page about semantics says of cancellation and of errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from reactivex import operators as ops

from asyncutils_rx import EventBus, Observable, Rendezvous
from asyncutils_rx.exceptions import ArgumentError, BusPublishingError
from tests.observable_kit import Held, Log, Recorder, Tally, begin, busy, collect_errors, failing, settle, within

Numbers = Observable[[int]]
BAD, WORSE = ValueError("bad"), OSError("worse")


def reciprocal(value: int) -> float:
    return 1 / value


# Cancellation


async def cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(task)


async def test_c1_cancelling_notify_cancels_its_observers_and_awaits_their_end() -> None:
    ended: list[str] = []

    async def observer(_: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    source = Numbers([observer])
    await cancel(await begin(source.notify(1)))
    assert ended == ["cleaned up"]


async def test_c2_cancelling_notify_loses_nothing_that_others_had_queued() -> None:
    held = Held()
    source = Numbers([held])
    running = await busy(source, held, 1)
    await source.notify(2)
    await cancel(running)
    held.release()
    await within(source.wait_until_idle())
    assert (held.cancelled, held.ended) == ([1], [2])


@pytest.mark.parametrize("maxsize", [None, 1])
async def test_c3_a_call_that_waited_and_is_cancelled_has_notified_nobody(maxsize: int | None) -> None:
    held = Held()
    source = Numbers([held], maxsize)
    running = await busy(source, held, 1)
    waiting = [await begin(source.notify(value)) for value in (2, 3)]
    await cancel(waiting[1])
    held.release()
    await within(asyncio.gather(running, waiting[0]))
    await within(source.wait_until_idle())
    assert held.ended == [1, 2]


@pytest.mark.virtual_time
async def test_c4_a_timeout_in_one_observer_touches_no_other() -> None:
    journal: list[str] = []

    async def impatient(_: int) -> None:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(10)
        except TimeoutError:
            journal.append("timed out")

    async def patient(_: int) -> None:
        await asyncio.sleep(2)
        journal.append("ended")

    await Numbers([impatient, patient]).notify(1)
    assert journal == ["timed out", "ended"]


@pytest.mark.parametrize("where", ["subscriber", "middleware"])
async def test_c5_cancelling_publish_cancels_what_runs_and_awaits_it(where: str) -> None:
    ended: list[str] = []

    async def waits(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(where)

    async with EventBus() as bus:
        if where == "subscriber":
            bus.subscribe(waits, "topic")
        else:
            bus.add_middleware(waits)
        await cancel(await begin(bus.publish("topic")))
        assert ended == [where]


@pytest.mark.parametrize("kind", ["values", "event_stream"])
async def test_c6_a_cancelled_step_loses_nothing(kind: str) -> None:
    async with EventBus() as bus:
        topic = bus.observable("topic")
        iterator: Any = topic.values() if kind == "values" else bus.event_stream("topic")
        step = await begin(anext(iterator))
        await cancel(step)
        publishing = await begin(bus.publish("topic", 1))
        step = asyncio.ensure_future(anext(iterator))
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        assert await within(anext(iterator)) == 1
        await publishing
        await iterator.aclose()


async def test_c7_latest_cancels_the_call_before() -> None:
    held, emitted = Held(), Tally()
    async with Numbers() as source:

        async def call(value: int) -> int:
            await held(value)
            return value

        source.map_async(call, mode="latest").subscribe_nowait(emitted)
        for value in (1, 2):
            await source.notify(value)
            await held.entered(value)
        assert held.cancelled == [1]
        held.release()
    assert emitted.values == [2]


async def test_c8_a_getter_that_is_cancelled_after_the_hand_over_hands_the_value_on() -> None:
    desk: Rendezvous[int] = Rendezvous()
    leaving = await begin(desk.get())
    putting = asyncio.ensure_future(desk.put(1))
    asyncio.get_running_loop().call_soon(leaving.cancel)
    await settle()
    assert (leaving.cancelled(), putting.done()) == (True, False)
    assert await desk.get() == 1
    assert await putting is True


async def test_c9_a_cancelled_put_raises_and_its_value_is_offered_no_more() -> None:
    desk: Rendezvous[int] = Rendezvous()
    await cancel(await begin(desk.put(1)))
    assert await desk.get("nothing") == "nothing"


async def test_c10_reset_ends_what_waits_without_cancelling_tasks() -> None:
    desk: Rendezvous[int] = Rendezvous()
    left: list[int] = []

    async def wait() -> None:
        try:
            await desk.get()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            left.append(task.cancelling())
            await asyncio.sleep(0)

    waiting = await begin(wait())
    await desk.reset()
    await within(waiting)
    assert left == [0]


async def test_c11_cancelling_the_future_of_notify_threadsafe_cancels_the_notification() -> None:
    held = Held()
    async with Numbers([held]) as source:
        future = source.notify_threadsafe(1)
        await held.entered(1)
        future.cancel()
        await settle()
        assert held.cancelled == [1]


# Errors


async def test_e1_the_only_error_is_raised_as_it_is() -> None:
    with pytest.raises(ValueError, match="bad") as caught:
        await Numbers([failing(BAD), Recorder()]).notify(1)
    assert caught.value is BAD


async def test_e2_several_errors_are_a_group_in_order_of_subscription() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await Numbers([failing(BAD, suspends=True), failing(WORSE)]).notify(1)
    assert caught.value.exceptions == (BAD, WORSE)


async def test_e3_a_failing_observer_stops_nothing_else() -> None:
    held, noted = Held(), Recorder()
    source = Numbers([failing(BAD), held, noted])
    running = await busy(source, held, 1)
    await source.notify(2)
    held.release()
    with pytest.raises(ExceptionGroup) as caught:
        await within(running)
    assert caught.value.exceptions == (BAD, BAD)
    with pytest.raises(ValueError, match="bad"):
        await source.notify(3)
    assert noted.values == [1, 2, 3]


async def test_e4_a_function_that_raises_drops_that_notification_on_its_branch() -> None:
    source, mapped, direct = Numbers(), Tally(), Tally()
    source.map(lambda value: ((reciprocal(value),), {})).subscribe_nowait(mapped)
    source.subscribe_nowait(direct)
    await source.notify(1)
    with pytest.raises(ZeroDivisionError):
        await source.notify(0)
    await source.notify(2)
    assert (mapped.values, direct.values) == ([1.0, 0.5], [1, 0, 2])


async def test_e5_in_pipe_an_error_ends_the_derived_observable() -> None:
    source, piped = Numbers(), Tally()
    derived = source.pipe(ops.map(reciprocal))
    derived.subscribe_nowait(piped)
    with pytest.raises(ZeroDivisionError):
        await source.notify(0)
    await source.notify(1)
    assert piped.values == []
    with pytest.raises(ZeroDivisionError):
        await derived.wait_closed()


@pytest.mark.parametrize("on_operator", [True, False])
async def test_e6_with_ret_exc_errors_are_logged(on_operator: bool) -> None:
    error = ValueError("worth a line in the log")
    source = Numbers()
    source.fork(ret_exc=on_operator).subscribe_nowait(failing(error))
    with Log() as log:
        await source.notify(1, _ret_exc_=not on_operator)
    assert log.has(error)


@pytest.mark.virtual_time
async def test_e7_an_error_of_a_timers_emission_goes_to_the_loop(loop_errors: list[dict[str, Any]]) -> None:
    async with Numbers() as source:
        source.debounce(1).subscribe_nowait(failing(BAD))
        await source.notify(1)
        await asyncio.sleep(2)
    assert collect_errors(loop_errors) == [BAD]


async def test_e8_safe_lets_everybody_end_and_raises_one_group() -> None:
    noted = Recorder()
    async with EventBus() as bus:
        for subscriber in (failing(BAD), noted, failing(ExceptionGroup("inner", [WORSE]), suspends=True)):
            bus.subscribe(subscriber, "topic", weak=False)
        with pytest.raises(ExceptionGroup) as caught:
            await bus.publish("topic", 1)
    assert caught.value.exceptions == (BAD, WORSE)
    assert noted.values == [1]


async def test_e9_unsafe_cancels_the_others_and_raises_the_first_error() -> None:
    held = Held()
    async with EventBus() as bus:
        bus.subscribe(held, "topic")
        bus.subscribe(failing(BAD, suspends=True), "topic", weak=False)
        with pytest.raises(ValueError, match="bad") as caught:
            await within(bus.publish("topic", 1, safe=False))
    assert caught.value is BAD
    assert held.cancelled == [1]


async def test_e10_errors_go_to_the_chaperone_else_the_handler_else_the_publisher() -> None:
    handled, chaperoned = Tally(), Tally()
    for handler in (handled, None):
        async with EventBus(handler=handler) as bus:
            bus.subscribe(failing(BAD), "topic", weak=False)
            await bus.publish("topic", chaperone=chaperoned)
            if handler is not None:
                await bus.publish("topic")
            else:
                with pytest.raises(ExceptionGroup):
                    await bus.publish("topic")
    assert (handled.values, chaperoned.values) == ([BAD], [BAD, BAD])


async def test_e11_a_middleware_that_raises_stops_the_publication() -> None:
    noted = Recorder()
    async with EventBus() as bus:
        bus.subscribe(noted, "topic")
        bus.add_middleware(failing(BAD))
        with pytest.raises(BusPublishingError) as caught:
            await bus.publish("topic", 1)
    assert caught.value.__cause__ is BAD
    assert noted.calls == []


@pytest.mark.parametrize("with_handler", [True, False])
async def test_e12_an_error_nobody_waits_for_is_handled_or_reported(
    with_handler: bool, loop_errors: list[dict[str, Any]]
) -> None:
    handled = Tally()
    async with EventBus(handler=handled if with_handler else None) as bus:
        bus.subscribe(failing(BAD), "topic", weak=False)
        bus.sync_start_publish("topic")
    assert (handled.values, collect_errors(loop_errors)) == (([BAD], []) if with_handler else ([], [BAD]))


async def test_e13_cancelled_error_is_never_handed_to_a_handler() -> None:
    handled = Tally()
    async with EventBus(handler=handled) as bus:
        bus.subscribe(failing(asyncio.CancelledError()), "topic", weak=False)
        with pytest.raises(asyncio.CancelledError):
            await bus.publish("topic", chaperone=handled)
    with pytest.raises(asyncio.CancelledError):
        await Numbers([failing(asyncio.CancelledError())]).notify(1, _ret_exc_=True)
    assert handled.values == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_e13_what_ends_the_program_ends_it(error: BaseException) -> None:
    handled = Tally()

    def ends(_: object) -> None:
        raise error

    async def main(through_bus: bool) -> None:
        if through_bus:
            bus = EventBus(handler=handled)
            bus.subscribe(ends, "topic")
            await bus.publish("topic", chaperone=handled)
        else:
            await Observable([ends]).notify(1, _ret_exc_=True)

    for through_bus in (True, False):
        with pytest.raises(type(error)):
            asyncio.run(main(through_bus))
    assert handled.values == []


async def test_e14_bad_arguments_are_refused_by_the_call_itself() -> None:
    source, bus, desk = Numbers(), EventBus(), Rendezvous[int]()
    wrong: Any = -1
    for call in (
        lambda: source.wait_for_next(timeout=wrong),
        lambda: source.subscribe(wrong),
        lambda: source.feed(wrong),
        lambda: source.debounce(wrong),
        lambda: bus.publish(wrong),
        lambda: bus.event_stream("topic", bufsize=wrong),
        lambda: desk.put(1, timeout=wrong),
    ):
        with pytest.raises(ArgumentError):
            call()
    assert (list(source), bus.total_subscribers, desk.state_snapshot().num_ops) == ([], 0, 0)
