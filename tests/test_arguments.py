"""Bad arguments fail at once, with the parameter, the value and the rule; good ones come back as they are used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncutils_rx import _arguments as checks
from asyncutils_rx.exceptions import ArgumentTypeError, ArgumentValueError

Check = Callable[[str, str, object], object]


class Unhashable:
    __hash__ = None  # type: ignore[assignment]  # what the test is about

    def __call__(self) -> None: ...


REFUSED: list[tuple[Check, object, type[Exception], str]] = [
    (checks.check_callable, 3, ArgumentTypeError, "callable"),
    (checks.check_callable, None, ArgumentTypeError, "callable"),
    (checks.check_hashable_callable, "f", ArgumentTypeError, "callable"),
    (checks.check_hashable_callable, Unhashable(), ArgumentTypeError, "hashable"),
    (checks.check_awaitable, print, ArgumentTypeError, "awaitable"),
    (checks.check_awaitable, None, ArgumentTypeError, "awaitable"),
    (checks.check_iterable, 5, ArgumentTypeError, "iterable"),
    (checks.check_count, 0, ArgumentValueError, "an integer of at least 1"),
    (checks.check_count, -1, ArgumentValueError, "an integer of at least 1"),
    (checks.check_count, 1.0, ArgumentTypeError, "an integer of at least 1"),
    (checks.check_count, True, ArgumentTypeError, "an integer of at least 1"),
    (checks.check_count, "1", ArgumentTypeError, "an integer of at least 1"),
    (checks.check_count, None, ArgumentTypeError, "an integer of at least 1"),
    (checks.check_size, -1, ArgumentValueError, "an integer of at least 0"),
    (checks.check_size, False, ArgumentTypeError, "an integer of at least 0"),
    (checks.check_size, nan, ArgumentTypeError, "an integer of at least 0"),
    (checks.check_duration, -0.1, ArgumentValueError, "a finite number of seconds, not negative"),
    (checks.check_duration, nan, ArgumentValueError, "a finite number of seconds, not negative"),
    (checks.check_duration, inf, ArgumentValueError, "a finite number of seconds, not negative"),
    (checks.check_duration, -inf, ArgumentValueError, "a finite number of seconds, not negative"),
    (checks.check_duration, 10**400, ArgumentValueError, "a finite number of seconds, not negative"),
    (checks.check_duration, None, ArgumentTypeError, "a finite number of seconds, not negative"),
    (checks.check_duration, True, ArgumentTypeError, "a finite number of seconds, not negative"),
    (checks.check_duration, "1", ArgumentTypeError, "a finite number of seconds, not negative"),
    (checks.check_duration, 1j, ArgumentTypeError, "a finite number of seconds, not negative"),
    (checks.check_timeout, -1, ArgumentValueError, "None or a number of seconds, not negative"),
    (checks.check_timeout, -inf, ArgumentValueError, "None or a number of seconds, not negative"),
    (checks.check_timeout, nan, ArgumentValueError, "None or a number of seconds, not negative"),
    (checks.check_timeout, "1", ArgumentTypeError, "None or a number of seconds, not negative"),
    (checks.check_timeout, False, ArgumentTypeError, "None or a number of seconds, not negative"),
]


@pytest.mark.parametrize(("check", "value", "error", "rule"), REFUSED)
def test_check_refuses_and_tells_why(check: Check, value: object, error: type[Exception], rule: str) -> None:
    with pytest.raises(error) as caught:
        check("Thing.call", "parameter", value)
    refused = caught.value
    assert isinstance(refused, (ArgumentTypeError, ArgumentValueError))
    assert (refused.owner, refused.parameter, refused.rule) == ("Thing.call", "parameter", rule)
    assert refused.value is value
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "value", [print, len, partial(print), Unhashable(), int, [].append, test_check_refuses_and_tells_why]
)
def test_check_callable_takes_whatever_can_be_called(value: object) -> None:
    checks.check_callable("owner", "parameter", value)


@pytest.mark.parametrize("value", [print, partial(print), int, [].append])
def test_check_hashable_callable_takes_what_fits_in_a_set(value: Callable[..., Any]) -> None:
    checks.check_hashable_callable("owner", "parameter", value)
    assert len({value, value}) == 1


def test_check_hashable_callable_lets_an_error_of_another_kind_through() -> None:
    class Bad:
        def __hash__(self) -> int:
            raise LookupError("its own")

        def __call__(self) -> None: ...

    with pytest.raises(LookupError, match="its own"):
        checks.check_hashable_callable("owner", "parameter", Bad())


async def test_check_awaitable_takes_coroutines_futures_and_own_awaitables() -> None:
    class Own:
        def __await__(self) -> Any:
            yield

    future = asyncio.get_running_loop().create_future()
    coroutine = asyncio.sleep(0)
    for value in (Own(), future, coroutine):
        checks.check_awaitable("owner", "parameter", value)
    await coroutine


@pytest.mark.parametrize("value", [[], (), {}, "", iter([]), range(3)])
def test_check_iterable_gives_it_back_as_it_is(value: object) -> None:
    assert checks.check_iterable("owner", "parameter", value) is value


@given(st.integers(min_value=1))
def test_check_count_gives_any_integer_from_1(value: int) -> None:
    assert checks.check_count("owner", "parameter", value) == value


@given(st.integers(min_value=0))
def test_check_size_gives_any_integer_from_0(value: int) -> None:
    assert checks.check_size("owner", "parameter", value) == value


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False) | st.integers(min_value=0, max_value=10**300))
def test_check_duration_gives_any_finite_number_as_a_float(value: float) -> None:
    checked = checks.check_duration("owner", "parameter", value)
    assert type(checked) is float
    assert checked == pytest.approx(value)


@given(st.none() | st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_check_timeout_gives_none_and_any_finite_number(value: float | None) -> None:
    assert checks.check_timeout("owner", "parameter", value) == value


def test_check_timeout_takes_infinity_as_no_limit() -> None:
    assert checks.check_timeout("owner", "parameter", inf) is None


def test_check_choice_takes_a_choice() -> None:
    checks.check_choice("owner", "parameter", "b", ("a", "b"))


@pytest.mark.parametrize("value", ["c", "A", None, 3, ""])
def test_check_choice_refuses_and_lists_the_choices(value: object) -> None:
    with pytest.raises(ArgumentValueError, match="parameter must be one of 'a', 'b'"):
        checks.check_choice("owner", "parameter", value, ("a", "b"))


def test_checks_are_all_public_names_of_the_module() -> None:
    assert checks.__all__ == sorted(name for name in vars(checks) if name.startswith(("check_", "wrong_")))
