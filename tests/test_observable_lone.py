"""One observer, or a few that do not suspend: what goes on while the short way is taken that they allow."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable
from asyncutils_rx.exceptions import ObservableClosed, ReentrancyError
from tests.observable_kit import Held, Recorder, Tally, begin, collect_errors, failing, settle, within

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

COMPANY: dict[str, Callable[[], list[Any]]] = {
    "alone": list,
    "beside a sync one": lambda: [Tally()],
    "beside an async one": lambda: [Recorder(suspends=False)],
    "beside one that suspends": lambda: [Recorder()],
}


@pytest.fixture(params=COMPANY)
def company(request: pytest.FixtureRequest) -> list[Any]:
    """Other observers, which come after the one that the test is about."""
    return COMPANY[request.param]()


@pytest.fixture(params=["does not suspend", "suspends before", "suspends after", "suspends around"])
def pauses(request: pytest.FixtureRequest) -> Pauses:
    """When the observer that the test is about lets the loop run."""
    return Pauses(request.param)


class Pauses:
    def __init__(self, when: str) -> None:
        self._before = when in ("suspends before", "suspends around")
        self._after = when in ("suspends after", "suspends around")

    async def before(self) -> None:
        if self._before:
            await asyncio.sleep(0)

    async def after(self) -> None:
        if self._after:
            await asyncio.sleep(0)


async def test_observer_that_notifies_itself_is_queued(company: list[Any], pauses: Pauses) -> None:
    journal: list[str] = []

    async def observer(value: int) -> None:
        journal.append(f"start {value}")
        await pauses.before()
        if value < 3:
            await within(obs.notify(value + 1))
            await within(obs.notify(value + 10))
        await pauses.after()
        journal.append(f"end {value}")

    obs: Observable[[int]] = Observable([observer, *company])
    await within(obs.notify(1))
    order = [1, 2, 11, 3, 12]
    assert journal == [text for value in order for text in (f"start {value}", f"end {value}")]
    assert obs.idle
    assert all(each.values == order for each in company)


async def test_observer_that_notifies_itself_and_fails_has_its_errors_grouped_in_order(
    company: list[Any], pauses: Pauses
) -> None:
    async def observer(value: int) -> None:
        await pauses.before()
        if value < 3:
            await within(obs.notify(value + 1))
        await pauses.after()
        raise ValueError(value)

    obs: Observable[[int]] = Observable([observer, *company])
    with pytest.raises(ExceptionGroup) as caught:
        await within(obs.notify(1))
    assert [error.args for error in caught.value.exceptions] == [(1,), (2,), (3,)]
    assert obs.idle


async def test_observer_that_removes_itself_and_fails_raises_its_error(company: list[Any], pauses: Pauses) -> None:
    error = ValueError("last words")

    async def observer(value: int) -> None:
        await pauses.before()
        obs.unsubscribe_nowait(observer, strict=True)
        await pauses.after()
        raise error

    obs: Observable[[int]] = Observable([observer, *company])
    with pytest.raises(ValueError, match="last words") as caught:
        await within(obs.notify(1))
    assert caught.value is error
    assert list(obs) == company
    await within(obs.notify(2))
    assert all(each.values == [1, 2] for each in company)


async def test_observer_that_adds_another_does_not_have_it_called(company: list[Any], pauses: Pauses) -> None:
    added = Tally()

    async def observer(_: int) -> None:
        await pauses.before()
        obs.subscribe_nowait(added)
        await pauses.after()

    obs: Observable[[int]] = Observable([observer, *company])
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert added.values == [2]


async def test_observer_that_derives_does_not_have_the_derived_one_see_it(company: list[Any], pauses: Pauses) -> None:
    below = Tally()
    derived: list[Observable[[int]]] = []

    async def observer(value: int) -> None:
        await pauses.before()
        if value == 1:
            derived.append(obs.filter(lambda value: value > 0))
            derived[0].subscribe_nowait(below)
        await pauses.after()

    obs: Observable[[int]] = Observable([observer, *company])
    await within(obs.notify(1))
    await within(obs.notify(2))
    assert below.values == [2]
    derived.clear()


async def test_observer_that_has_an_unsubscription_put_off_is_called_no_more(
    company: list[Any], pauses: Pauses
) -> None:
    seen: list[int] = []

    async def observer(value: int) -> None:
        await pauses.before()
        seen.append(value)
        obs.unsubscribe_eventually(observer)
        if value == 1:
            await obs.notify(2)
        await pauses.after()

    obs: Observable[[int]] = Observable([observer, *company])
    await within(obs.notify(1))
    assert list(obs) == company
    await within(obs.notify(3))
    assert seen == [1, 2]


async def test_observer_that_waits_for_its_own_end_is_refused(company: list[Any], pauses: Pauses) -> None:
    refused: list[str] = []

    async def observer(_: int) -> None:
        await pauses.before()
        calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "notify": lambda: obs.notify(2),
            "wait_until_idle": obs.wait_until_idle,
            "wait_for_next": obs.wait_for_next,
            "aclose": obs.aclose,
        }
        for name, call in calls.items():
            with pytest.raises(ReentrancyError):
                await within(call())
            refused.append(name)
        await pauses.after()

    obs: Observable[[int]] = Observable([observer, *company], maxsize=None)
    await within(obs.notify(1))
    assert refused == ["notify", "wait_until_idle", "wait_for_next", "aclose"]
    assert obs.idle


async def test_task_that_an_observer_spawned_is_served_after_it(company: list[Any], pauses: Pauses) -> None:
    seen: list[int] = []
    spawned: list[asyncio.Task[None]] = []

    async def observer(value: int) -> None:
        await pauses.before()
        seen.append(value)
        if value == 1:
            spawned.append(asyncio.create_task(obs.notify(2)))
        await pauses.after()

    obs: Observable[[int]] = Observable([observer, *company], maxsize=None)
    await within(obs.notify(1))
    await within(asyncio.gather(*spawned))
    assert seen == [1, 2]


async def test_close_that_an_observer_spawned_waits_for_it(company: list[Any], pauses: Pauses) -> None:
    ended: list[int] = []
    closing: list[asyncio.Task[None]] = []

    async def observer(value: int) -> None:
        await pauses.before()
        closing.append(asyncio.create_task(obs.aclose()))
        await settle()
        assert not closing[0].done()
        await pauses.after()
        ended.append(value)

    obs: Observable[[int]] = Observable([observer, *company])
    await within(obs.notify(1))
    await within(asyncio.gather(*closing))
    assert ended == [1]
    with pytest.raises(ObservableClosed):
        await obs.notify(2)


async def test_observer_on_whose_stack_others_are_notified_is_known_as_inside(
    company: list[Any], pauses: Pauses
) -> None:
    """The innermost call walks up through observables that each have one observer only."""
    refused: list[int] = []

    async def bottom(value: int) -> None:
        with pytest.raises(ReentrancyError):
            await within(chain[0].notify(value))
        refused.append(value)

    chain: list[Observable[[int]]] = [Observable(maxsize=None) for _ in range(4)]

    def passes_on(below: Observable[[int]]) -> Callable[[int], Any]:
        async def observer(value: int) -> None:
            await pauses.before()
            await below.notify(value + 1)
            await pauses.after()

        return observer

    for above, below in pairwise(chain):
        above.subscribe_nowait(passes_on(below))
    for each in company:
        chain[0].subscribe_nowait(each)
    chain[-1].subscribe_nowait(bottom)
    await within(chain[0].notify(1))
    assert refused == [4]
    assert all(each.idle for each in chain)


@pytest.mark.parametrize("turns", range(5))
async def test_cancelled_notification_awaits_its_observer_and_leaves_the_rest_alone(
    company: list[Any], turns: int
) -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held, *company])
    notifier = asyncio.ensure_future(obs.notify("first"))
    for _ in range(turns):
        await asyncio.sleep(0)
    queued = obs.notifying
    if queued:
        await within(obs.notify("second"))
    notifier.cancel()
    held.release("second")
    with pytest.raises(asyncio.CancelledError):
        await within(notifier)
    await within(obs.wait_until_idle())
    assert held.running == 0
    assert held.ended == (["second"] if queued else [])
    held.release()
    await within(obs.notify("third"))
    assert held.ended[-1] == "third"


async def test_timeouts_and_waiters_that_come_while_it_runs_are_served(company: list[Any]) -> None:
    held = Held()
    obs: Observable[[str]] = Observable([held, *company])
    notifier = await begin(obs.notify("first"))
    idle, following = await begin(obs.wait_until_idle()), await begin(obs.wait_for_next())
    adding = await begin(obs.subscribe(Recorder()))
    await within(obs.notify("second"))
    held.release()
    await within(asyncio.gather(notifier, idle, adding))
    assert await within(following) == (("second",), {})


async def test_error_queued_behind_a_sequential_notification_is_not_lost(loop_errors: list[dict[str, Any]]) -> None:
    """Who gets it is open: the loop over the sequential notification, or the loop's handler."""
    errors: list[BaseException] = []

    def observer(value: int) -> None:
        if value == 2:
            raise ValueError("queued")

    obs: Observable[[int]] = Observable([observer])
    try:
        async for _ in obs.notify_sequential(1):
            await obs.notify(2)
    except ValueError as error:
        errors.append(error)
    await within(obs.wait_until_idle())
    await settle()
    errors += collect_errors(loop_errors)
    assert [str(error) for error in errors] == ["queued"]


@pytest.mark.virtual_time
async def test_error_queued_behind_a_background_emission_is_not_lost(loop_errors: list[dict[str, Any]]) -> None:
    """The direct call has returned, and no call waits for the emission that drains the queue."""
    held = Held()

    def observer(value: int) -> None:
        if value == 2:
            raise ValueError("queued")

    obs: Observable[[int]] = Observable()
    quiet = obs.debounce(1)
    quiet.subscribe_nowait(held)
    quiet.subscribe_nowait(observer)
    await obs.notify(1)
    await asyncio.sleep(2)
    await within(quiet.notify(2))
    held.release()
    await within(quiet.wait_until_idle())
    await settle()
    assert [str(error) for error in collect_errors(loop_errors)] == ["queued"]
    await within(obs.aclose())


async def test_error_queued_behind_a_sequential_notification_that_was_left_early_is_not_lost(
    loop_errors: list[dict[str, Any]],
) -> None:
    """Who gets it is open: the close of the generator, or the loop's handler."""
    errors: list[BaseException] = []

    def observer(value: int) -> None:
        if value == 2:
            raise ValueError("queued")

    obs: Observable[[int]] = Observable([observer, Tally()])
    results = obs.notify_sequential(1)
    await within(anext(results))
    await within(obs.notify(2))
    try:
        await within(results.aclose())
    except ValueError as error:
        errors.append(error)
    await within(obs.wait_until_idle())
    await settle()
    errors += collect_errors(loop_errors)
    assert [str(error) for error in errors] == ["queued"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_what_ends_the_program_is_let_through_by_the_short_ways(
    kind: type[BaseException], suspends: bool, count: int
) -> None:
    stop = kind()

    async def main() -> None:
        obs: Observable[[int]] = Observable([failing(stop, suspends=suspends), *(Tally() for _ in range(count - 1))])
        await obs.notify(1)

    with pytest.raises(kind) as caught:
        asyncio.run(main())
    assert caught.value is stop
