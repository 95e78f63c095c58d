"""Names, order and defaults of the parameters of every public member."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Iterator
from typing import Any

import pytest

import asyncutils_rx
from asyncutils_rx import Observable, channels
from asyncutils_rx.mixins import LoopContextMixin
from tests.observable_kit import Recorder, within

SIGNATURES = {
    "__init__": ["init_observers", "maxsize"],
    "at_change": ["key", "ret_exc"],
    "buffer": ["count", "ret_exc"],
    "debounce": ["delay", "ret_exc"],
    "filter": ["pred", "ret_exc"],
    "fork": ["ret_exc"],
    "handle_notifications": [],
    "handle_unsubscriptions": [],
    "map": ["transform", "ret_exc"],
    "ntimes": ["observer", "n"],
    "restart_accumulation": ["flush"],
    "start_accumulation": [],
    "subscribe": ["observer"],
    "subscribe_nowait": ["observer"],
    "subscribe_syncf": ["observer"],
    "throttle": ["interval", "ret_exc"],
    "unsubscribe": ["observer", "strict"],
    "unsubscribe_eventually": ["observer", "asap"],
    "unsubscribe_nowait": ["observer", "strict"],
    "wait_for_next": ["timeout", "strict"],
    "wait_until_idle": ["timeout"],
}
OPTIONAL = {"init_observers", "maxsize", "ret_exc", "key", "n", "flush", "strict", "asap", "timeout"}


@pytest.mark.parametrize("name", SIGNATURES)
def test_parameters_have_their_names_order_and_defaults(name: str) -> None:
    parameters = list(inspect.signature(getattr(Observable, name)).parameters.values())[1:]
    positional = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert [each.name for each in positional] == SIGNATURES[name]
    for each in positional:
        assert (each.default is not each.empty) == (each.name in OPTIONAL)


@pytest.mark.parametrize("name", ["notify", "notify_sequential"])
def test_notifications_take_anything(name: str) -> None:
    parameters = inspect.signature(getattr(Observable, name)).parameters.values()
    assert {each.kind for each in parameters} >= {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


@pytest.mark.parametrize("name", ["map", "filter", "fork", "at_change", "debounce", "throttle", "buffer"])
def test_scheduler_is_for_keywords_only(name: str) -> None:
    scheduler = inspect.signature(getattr(Observable, name)).parameters["scheduler"]
    assert scheduler.kind is scheduler.KEYWORD_ONLY
    assert scheduler.default is None


@pytest.mark.parametrize("name", [*SIGNATURES, "merge", "idle", "notifying", "notify", "notify_sequential", "aclose"])
def test_member_is_documented(name: str) -> None:
    documentation = inspect.getdoc(Observable if name == "__init__" else getattr(Observable, name))
    assert documentation is not None
    assert len(documentation) > 30


async def test_observable_is_the_same_wherever_it_is_imported_from() -> None:
    assert channels.Observable is Observable is asyncutils_rx.Observable
    assert issubclass(Observable, LoopContextMixin)


async def test_constructor_takes_positional_and_keyword_arguments() -> None:
    observer = Recorder()
    for obs in (
        Observable([observer], 5),
        Observable(init_observers=[observer], maxsize=None),
        Observable([observer], maxsize=0),
    ):
        assert list(obs) == [observer]
    assert list(Observable(maxsize=3)) == []


async def test_waiting_members_return_awaitables_and_the_others_their_result() -> None:
    obs: Observable[...] = Observable()
    observer = Recorder()
    waiting: list[Any] = [
        obs.notify(1),
        obs.subscribe(observer),
        obs.unsubscribe(observer),
        obs.wait_until_idle(),
        obs.restart_accumulation(flush=True),
        obs.restart_accumulation(flush=False),
        obs.restart_accumulation(),
        obs.handle_notifications(),
        obs.handle_unsubscriptions(),
    ]
    for each in waiting:
        assert isinstance(each, Awaitable)
        await within(each)
    assert isinstance(obs.start_accumulation(), bool)
    assert callable(obs.subscribe_nowait(observer))
    for outcome in (obs.unsubscribe_nowait(observer), obs.unsubscribe_eventually(observer)):  # type: ignore[func-returns-value]  # this is what is tested
        assert outcome is None
    assert isinstance(obs.notify_sequential(1), AsyncGenerator)
    assert isinstance(iter(obs), Iterator)
    assert isinstance(aiter(obs), AsyncGenerator)


async def test_derived_observables_are_observables() -> None:
    obs: Observable[[]] = Observable()
    for derived in (
        obs.fork(),
        obs.map(lambda: ((), {})),
        obs.filter(lambda: True),
        obs.at_change(),
        obs.debounce(1),
        obs.throttle(1),
        obs.buffer(2),
        obs.merge(Observable()),
        Observable.merge(obs, obs),
    ):
        assert isinstance(derived, Observable)
        assert derived is not obs


async def test_subscripted_class_makes_plain_observables() -> None:
    observer = Recorder()
    obs = Observable[[int, str]]([observer])
    await obs.notify(1, "one")
    assert type(obs) is Observable
    assert observer.calls == [((1, "one"), {})]


async def test_subclass_works_as_an_observable() -> None:
    class Temperature(Observable[[float]]):
        """A subclass with a member of its own."""

        async def report(self, value: float) -> None:
            await self.notify(value)

    observer = Recorder()
    async with Temperature([observer]) as temperature:
        warm = temperature.filter(lambda value: value > 20)
        warm.subscribe_nowait(observer)
        await temperature.report(25.0)
    assert observer.values == [25.0, 25.0]
