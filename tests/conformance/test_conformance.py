"""Every fact is true of RxPY's operator, and of ours."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from asyncutils_rx import Observable

from .all_facts import FACTS, OPERATORS
from .fact import Fact, Scene, name_of

BY_NAME = {name_of(fact): fact for fact in FACTS}
TIMED = [name for name, fact in BY_NAME.items() if isinstance(fact, Fact)]


def check(fact: Fact | Scene, ours: bool) -> None:
    assert fact.seen(ours) == fact.expected


def test_facts_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(FACTS)


def test_facts_are_about_every_operator() -> None:
    counts = Counter(fact.about for fact in FACTS)
    assert set(counts) == set(OPERATORS)
    assert min(counts.values()) >= 10


@pytest.mark.parametrize("operator", OPERATORS.values())
def test_operator_exists_under_the_name_that_the_table_gives(operator: str) -> None:
    assert callable(getattr(Observable, operator))


@pytest.mark.parametrize("name", BY_NAME, ids=str)
def test_rxpy(name: str) -> None:
    check(BY_NAME[name], ours=False)


@pytest.mark.parametrize("name", BY_NAME, ids=str)
def test_this_package(name: str) -> None:
    check(BY_NAME[name], ours=True)


@pytest.mark.parametrize("name", TIMED, ids=str)
async def test_this_package_on_an_event_loop(name: str) -> None:
    """The scheduler's clock is not the loop's, and nothing is awaited: still the same comes out, at the same times."""
    check(BY_NAME[name], ours=True)
    await asyncio.sleep(0)
