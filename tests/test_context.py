"""The defaults: their values, their checks, and which of them is current where."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import pickle
import re
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from asyncutils_rx import context as module
from asyncutils_rx.context import Context, getcontext, localcontext, setcontext
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError
from tests.support import tick

DEFAULTS: dict[str, object] = {
    "EVENT_BUS_DEFAULT_MAX_CONCURRENT": 64,
    "EVENT_BUS_PUBLISH_DEFAULT_SAFE": True,
    "EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE": 100,
    "EVENT_BUS_STREAM_DEFAULT_ITEM_TIMEOUT": None,
    "EVENT_BUS_STREAM_DEFAULT_TIMEOUT": None,
    "OBSERVABLE_DEFAULT_NTIMES_N": 1,
    "OBSERVABLE_STREAM_DEFAULT_BUFFER_SIZE": 100,
    "RENDEZVOUS_MAINTENANCE_INTERVAL": 30.0,
}
REFUSED: list[tuple[str, object, type[Exception]]] = [
    ("EVENT_BUS_DEFAULT_MAX_CONCURRENT", 0, ArgumentValueError),
    ("EVENT_BUS_DEFAULT_MAX_CONCURRENT", 1.5, ArgumentTypeError),
    ("EVENT_BUS_PUBLISH_DEFAULT_SAFE", 1, ArgumentTypeError),
    ("EVENT_BUS_PUBLISH_DEFAULT_SAFE", None, ArgumentTypeError),
    ("EVENT_BUS_STREAM_DEFAULT_BUFFER_SIZE", -1, ArgumentValueError),
    ("EVENT_BUS_STREAM_DEFAULT_ITEM_TIMEOUT", -1, ArgumentValueError),
    ("EVENT_BUS_STREAM_DEFAULT_TIMEOUT", nan, ArgumentValueError),
    ("OBSERVABLE_DEFAULT_NTIMES_N", 0, ArgumentValueError),
    ("OBSERVABLE_STREAM_DEFAULT_BUFFER_SIZE", "100", ArgumentTypeError),
    ("RENDEZVOUS_MAINTENANCE_INTERVAL", inf, ArgumentValueError),
    ("RENDEZVOUS_MAINTENANCE_INTERVAL", -1, ArgumentValueError),
]


def in_a_fresh_context(function: Any) -> Any:
    return contextvars.Context().run(function)


@pytest.mark.parametrize("name", DEFAULTS)
def test_context_default(name: str) -> None:
    assert getattr(Context(), name) == DEFAULTS[name]


def test_context_has_no_other_defaults() -> None:
    assert set(Context.__slots__) == set(DEFAULTS)


def test_context_documents_each_default() -> None:
    documented = re.findall(r'^    (\w+): .*\n    """', Path(module.__file__).read_text(), re.MULTILINE)
    assert documented == list(Context.__slots__)


def test_context_takes_changes() -> None:
    context = Context(OBSERVABLE_DEFAULT_NTIMES_N=3, EVENT_BUS_STREAM_DEFAULT_TIMEOUT=0.5)
    assert context.OBSERVABLE_DEFAULT_NTIMES_N == 3
    assert context.EVENT_BUS_STREAM_DEFAULT_TIMEOUT == 0.5
    assert context.EVENT_BUS_DEFAULT_MAX_CONCURRENT == 64


def test_context_attribute_can_be_assigned() -> None:
    context = Context()
    context.EVENT_BUS_DEFAULT_MAX_CONCURRENT = 3
    assert context.EVENT_BUS_DEFAULT_MAX_CONCURRENT == 3


def test_context_takes_an_infinite_timeout_as_none() -> None:
    assert Context(EVENT_BUS_STREAM_DEFAULT_TIMEOUT=inf).EVENT_BUS_STREAM_DEFAULT_TIMEOUT is None


@pytest.mark.parametrize(("name", "value", "error"), REFUSED)
def test_context_refuses_a_bad_value(name: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        Context(**{name: value})


@pytest.mark.parametrize(("name", "value", "error"), REFUSED)
def test_context_refuses_a_bad_assignment_and_keeps_its_value(name: str, value: object, error: type[Exception]) -> None:
    context = Context()
    with pytest.raises(error, match=name):
        setattr(context, name, value)
    assert context == Context()


def test_context_refuses_an_unknown_name() -> None:
    with pytest.raises(ArgumentTypeError, match="'NO_SUCH_DEFAULT'"):
        Context(NO_SUCH_DEFAULT=1)


def test_context_refuses_to_assign_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="NO_SUCH_DEFAULT"):
        Context().NO_SUCH_DEFAULT = 1


def test_context_copy_is_another_one_with_changes() -> None:
    context = Context(OBSERVABLE_DEFAULT_NTIMES_N=3)
    other = context.copy(EVENT_BUS_DEFAULT_MAX_CONCURRENT=2)
    assert (other.OBSERVABLE_DEFAULT_NTIMES_N, other.EVENT_BUS_DEFAULT_MAX_CONCURRENT) == (3, 2)
    assert context.EVENT_BUS_DEFAULT_MAX_CONCURRENT == 64


def test_context_copy_refuses_a_bad_change() -> None:
    with pytest.raises(ArgumentValueError):
        Context().copy(OBSERVABLE_DEFAULT_NTIMES_N=0)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda context: pickle.loads(pickle.dumps(context))])
def test_context_survives_copying_and_pickling(way: Any) -> None:
    context = Context(OBSERVABLE_DEFAULT_NTIMES_N=3)
    again = way(context)
    assert again is not context
    assert again == context


def test_context_equality_is_that_of_the_values() -> None:
    assert Context() == Context()
    assert Context() != Context(OBSERVABLE_DEFAULT_NTIMES_N=2)
    assert Context() != "Context()"


def test_context_is_not_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Context())


def test_context_repr_can_be_evaluated() -> None:
    context = Context(EVENT_BUS_PUBLISH_DEFAULT_SAFE=False)
    assert eval(repr(context)) == context


def test_getcontext_makes_one_with_the_defaults_and_keeps_it() -> None:
    def check() -> None:
        context = getcontext()
        assert context == Context()
        assert getcontext() is context

    in_a_fresh_context(check)


def test_setcontext_makes_it_the_current_one() -> None:
    def check() -> None:
        context = Context()
        setcontext(context)
        assert getcontext() is context

    in_a_fresh_context(check)


@pytest.mark.parametrize("value", [None, {}, Context])
def test_setcontext_refuses_what_is_no_context(value: Any) -> None:
    before = getcontext()
    with pytest.raises(ArgumentTypeError, match="context must be a Context"):
        setcontext(value)
    assert getcontext() is before


def test_localcontext_changes_a_copy_for_the_length_of_the_block() -> None:
    before = getcontext()
    with localcontext(OBSERVABLE_DEFAULT_NTIMES_N=5) as local:
        assert getcontext() is local
        assert local.OBSERVABLE_DEFAULT_NTIMES_N == 5
        assert before.OBSERVABLE_DEFAULT_NTIMES_N == 1
    assert getcontext() is before


def test_localcontext_copies_the_context_it_is_given() -> None:
    given = Context(OBSERVABLE_DEFAULT_NTIMES_N=5)
    with localcontext(given, EVENT_BUS_DEFAULT_MAX_CONCURRENT=2) as local:
        assert local == Context(OBSERVABLE_DEFAULT_NTIMES_N=5, EVENT_BUS_DEFAULT_MAX_CONCURRENT=2)
        local.OBSERVABLE_DEFAULT_NTIMES_N = 9
    assert given == Context(OBSERVABLE_DEFAULT_NTIMES_N=5)


def test_localcontext_nests() -> None:
    with localcontext(OBSERVABLE_DEFAULT_NTIMES_N=2):
        with localcontext(EVENT_BUS_DEFAULT_MAX_CONCURRENT=3) as inner:
            assert (inner.OBSERVABLE_DEFAULT_NTIMES_N, inner.EVENT_BUS_DEFAULT_MAX_CONCURRENT) == (2, 3)
        assert getcontext().EVENT_BUS_DEFAULT_MAX_CONCURRENT == 64


def test_localcontext_ends_with_an_exception_too() -> None:
    before = getcontext()
    with pytest.raises(LookupError), localcontext(OBSERVABLE_DEFAULT_NTIMES_N=5):
        raise LookupError
    assert getcontext() is before


@pytest.mark.parametrize("value", [3, {}, Context])
def test_localcontext_refuses_what_is_no_context(value: Any) -> None:
    before = getcontext()
    with pytest.raises(ArgumentTypeError, match="context must be a Context"), localcontext(value):
        pytest.fail("the block was entered")
    assert getcontext() is before


def test_localcontext_refuses_a_bad_change() -> None:
    before = getcontext()
    with pytest.raises(ArgumentValueError), localcontext(OBSERVABLE_DEFAULT_NTIMES_N=0):
        pytest.fail("the block was entered")
    assert getcontext() is before


async def test_context_of_a_task_is_the_one_it_was_started_in() -> None:
    seen: list[int] = []

    async def look() -> None:
        await tick()
        seen.append(getcontext().OBSERVABLE_DEFAULT_NTIMES_N)

    with localcontext(OBSERVABLE_DEFAULT_NTIMES_N=5):
        inner = asyncio.create_task(look())
    await asyncio.gather(inner, look())
    assert seen == [5, 1]


async def test_context_set_in_a_task_stays_there() -> None:
    async def change() -> None:
        setcontext(Context(OBSERVABLE_DEFAULT_NTIMES_N=5))

    await asyncio.create_task(change())
    assert getcontext().OBSERVABLE_DEFAULT_NTIMES_N == 1


def test_module_attribute_is_the_current_value() -> None:
    with localcontext(OBSERVABLE_DEFAULT_NTIMES_N=5):
        assert module.OBSERVABLE_DEFAULT_NTIMES_N == 5
    assert module.OBSERVABLE_DEFAULT_NTIMES_N == 1


def test_module_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="NO_SUCH_DEFAULT"):
        _ = module.NO_SUCH_DEFAULT
