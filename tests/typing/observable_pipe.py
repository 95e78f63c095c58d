"""Right uses of ``pipe``: what RxPY's operators make of an observable's values, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, assert_type

import reactivex
from reactivex import operators as ops

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True)
class Trade:
    symbol: str
    price: float


def to_text(number: int) -> str:
    return str(number)


def is_long(text: str) -> bool:
    return len(text) > 1


def use(number: int) -> None: ...


def doubled(source: reactivex.Observable[int]) -> reactivex.Observable[int]:
    return source.pipe(ops.scan(max), ops.map(int))


def last_two() -> Callable[[reactivex.Observable[T]], reactivex.Observable[list[T]]]:
    return ops.buffer_with_count(2, 1)


def with_functions(obs: Observable[[int]]) -> None:
    assert_type(obs.pipe(ops.map(to_text)), Observable[[str]])
    assert_type(obs.pipe(ops.map(to_text), ops.filter(is_long)), Observable[[str]])
    assert_type(obs.pipe(ops.map(to_text), ops.filter(is_long), ops.map(len)), Observable[[int]])
    assert_type(obs.pipe(doubled), Observable[[int]])
    assert_type(obs.pipe(doubled, ops.map(to_text), last_two()), Observable[[list[str]]])
    assert_type(obs.pipe(last_two(), ops.map(len)), Observable[[int]])


def with_one_lambda(obs: Observable[[int]], trades: Observable[[Trade]]) -> None:
    assert_type(obs.pipe(ops.map(lambda number: number + 1)), Observable[[int]])
    assert_type(obs.pipe(ops.map(lambda number: [number])), Observable[[list[int]]])
    assert_type(obs.pipe(ops.filter(lambda number: number > 1)), Observable[[int]])
    assert_type(obs.pipe(ops.scan(lambda total, number: total + number, 0)), Observable[[int]])
    assert_type(obs.pipe(ops.scan(lambda text, number: text + str(number), "")), Observable[[str]])
    assert_type(obs.pipe(ops.reduce(lambda total, number: total + number, 0)), Observable[[int]])
    assert_type(obs.pipe(ops.flat_map(lambda number: reactivex.of(str(number)))), Observable[[str]])
    assert_type(obs.pipe(ops.do_action(lambda number: use(number.bit_length()))), Observable[[int]])
    assert_type(obs.pipe(ops.take_while(lambda number: number.bit_length() < 3)), Observable[[int]])
    assert_type(obs.pipe(lambda source: source.pipe(ops.map(to_text))), Observable[[str]])
    assert_type(trades.pipe(ops.map(lambda trade: trade.price)), Observable[[float]])
    assert_type(trades.pipe(ops.filter(lambda trade: trade.price > 1)), Observable[[Trade]])
    assert_type(trades.pipe(ops.distinct_until_changed(lambda trade: trade.symbol)), Observable[[Trade]])
    assert_type(trades.pipe(ops.map(lambda trade: trade.price), ops.filter(lambda p: p > 1)), Observable[[float]])


def without_functions(obs: Observable[[int]]) -> None:
    assert_type(obs.pipe(ops.take(2)), Observable[[int]])
    assert_type(obs.pipe(ops.delay(1.0)), Observable[[int]])
    assert_type(obs.pipe(ops.start_with(0)), Observable[[int]])
    assert_type(obs.pipe(ops.pairwise()), Observable[[tuple[int, int]]])
    assert_type(obs.pipe(ops.take(2), ops.to_list()), Observable[[list[int]]])
    assert_type(obs.pipe(ops.distinct_until_changed(), ops.debounce(0.5), ops.take(1)), Observable[[int]])
    taken = obs.pipe(ops.take(2))
    assert_type(taken, Observable[[int]])


def with_several_lambdas(obs: Observable[[int]]) -> None:
    assert_type(obs.pipe(ops.filter(lambda n: n > 1), ops.map(lambda n: str(n))), Observable[[str]])
    assert_type(obs.pipe(ops.map(lambda n: str(n)), ops.filter(lambda text: text.isdigit())), Observable[[str]])
    assert_type(obs.pipe(ops.take(2), ops.map(lambda n: n + 1)), Observable[[int]])
    assert_type(obs.pipe(ops.take(2), ops.map(to_text), ops.distinct_until_changed()), Observable[[str]])
    assert_type(obs.pipe(ops.map(lambda n: n + 1), ops.map(lambda n: to_text(n)), ops.take(1)), Observable[[str]])
    assert_type(
        obs.pipe(ops.map(lambda n: str(n)), ops.map(lambda text: len(text)), ops.map(lambda n: n * 0.5)),
        Observable[[float]],
    )


def one_to_eight(obs: Observable[[int]]) -> None:
    one = ops.map(to_text)
    assert_type(obs.pipe(one), Observable[[str]])
    assert_type(obs.pipe(doubled, one), Observable[[str]])
    assert_type(obs.pipe(doubled, doubled, one), Observable[[str]])
    assert_type(obs.pipe(doubled, doubled, doubled, one), Observable[[str]])
    assert_type(obs.pipe(doubled, doubled, doubled, doubled, one), Observable[[str]])
    assert_type(obs.pipe(doubled, doubled, doubled, doubled, doubled, one), Observable[[str]])
    assert_type(obs.pipe(doubled, doubled, doubled, doubled, doubled, doubled, one), Observable[[str]])
    assert_type(obs.pipe(doubled, doubled, doubled, doubled, doubled, doubled, doubled, one), Observable[[str]])
    assert_type(
        obs.pipe(
            ops.map(lambda n: n + 1),
            ops.filter(lambda n: n > 1),
            ops.map(lambda n: str(n)),
            ops.filter(lambda text: text.isdigit()),
            ops.map(lambda text: int(text)),
            ops.filter(lambda n: n > 1),
            ops.map(lambda n: to_text(n)),
            ops.take_while(lambda text: text.isdigit()),
        ),
        Observable[[str]],
    )


def any_number(
    obs: Observable[[int]], steps: list[Callable[[reactivex.Observable[int]], reactivex.Observable[int]]]
) -> None:
    assert_type(obs.pipe(*steps), Observable[[int]])


def one_step_at_a_time(trades: Observable[[Trade]]) -> None:
    expensive = trades.pipe(ops.filter(lambda trade: trade.price > 1)).pipe(ops.map(lambda trade: trade.symbol))
    assert_type(expensive, Observable[[str]])
    assert_type(expensive.pipe(ops.map(lambda symbol: symbol.upper())), Observable[[str]])


def with_what_is_derived_otherwise(obs: Observable[[int]], trades: Observable[[Trade]]) -> None:
    texts = obs.filter(lambda n: n > 1).pipe(ops.map(lambda n: str(n))).filter(lambda text: text.isdigit())
    assert_type(texts, Observable[[str]])
    symbols = trades.map(lambda trade: ((trade.symbol,), {})).pipe(ops.distinct(), ops.take(3)).at_change()
    assert_type(symbols, Observable[[str]])
    annotated: Observable[[float]] = trades.pipe(ops.map(lambda trade: trade.price))
    annotated.subscribe_nowait(lambda price: price.is_integer())


def of_any_parameters(anything: Observable[...]) -> None:
    assert_type(anything.pipe(ops.take(1)), Observable[[Any]])
    assert_type(anything.pipe(ops.map(to_text)), Observable[[str]])


def of_observers() -> None:
    inferred = Observable([to_text])
    assert_type(inferred.pipe(ops.take(1)), Observable[[int]])


class Prices(Observable[[float]]):
    """A subclass with parameters of its own."""


def of_a_subclass(prices: Prices) -> None:
    assert_type(prices.pipe(ops.map(lambda price: price.is_integer())), Observable[[bool]])
