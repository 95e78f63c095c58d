"""Wrong uses of ``pipe``, and where mypy knows less than could be known.

A line marked for one checker alone is right; there the other one infers what the line says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_type

from reactivex import operators as ops

from asyncutils_rx import Observable

if TYPE_CHECKING:
    import reactivex


@dataclass(frozen=True)
class Trade:
    symbol: str
    price: float


def to_text(number: int) -> str:
    return str(number)


def is_long(text: str) -> bool:
    return len(text) > 1


def doubled(source: reactivex.Observable[int]) -> reactivex.Observable[int]:
    return source


def no_operator(number: int) -> int:
    return number


def takes_numbers(obs: Observable[[int]]) -> None: ...


def wrong_values(obs: Observable[[int]]) -> None:
    obs.pipe(ops.map(is_long))  # rejected: arg-type, reportArgumentType
    obs.pipe(ops.map(to_text), ops.map(to_text))  # rejected: misc, reportArgumentType
    obs.pipe(ops.map(to_text), doubled)  # rejected: misc, reportArgumentType
    obs.pipe(doubled, doubled, doubled, doubled, doubled, doubled, ops.map(is_long))  # rejected: misc
    obs.pipe(ops.map(lambda number: number.upper()))  # rejected: attr-defined, reportAttributeAccessIssue
    obs.pipe(ops.filter(lambda number: number + "1"))  # rejected: operator, reportOperatorIssue
    obs.pipe(ops.map(to_text), ops.map(lambda text: text + 1))  # rejected: operator, reportOperatorIssue
    obs.pipe(ops.filter(lambda _: True), ops.map(lambda n: n.upper()))  # rejected: attr-defined


def no_operators(obs: Observable[[int]]) -> None:
    obs.pipe()  # rejected: call-arg, reportCallIssue
    obs.pipe(no_operator)  # rejected: arg-type, reportArgumentType
    obs.pipe(to_text)  # rejected: arg-type, reportArgumentType
    obs.pipe(5)  # rejected: arg-type, reportArgumentType
    obs.pipe(None)  # rejected: arg-type, reportArgumentType
    obs.pipe(ops.take)  # rejected: arg-type, reportArgumentType


def too_many(obs: Observable[[int]]) -> None:
    obs.pipe(doubled, doubled, doubled, doubled, doubled, doubled, doubled, doubled)
    obs.pipe(doubled, doubled, doubled, doubled, doubled, doubled, doubled, doubled, doubled)  # rejected: call-arg


def results(obs: Observable[[int]]) -> None:
    texts = obs.pipe(ops.map(to_text))
    texts.subscribe_nowait(to_text)  # rejected: arg-type, reportArgumentType
    texts.filter(lambda text: text > 1)  # rejected: operator, reportOperatorIssue
    numbers: Observable[[int]] = obs.pipe(ops.map(to_text))  # rejected
    takes_numbers(numbers)
    takes_numbers(obs.pipe(ops.map(to_text)))  # rejected: arg-type, reportArgumentType
    takes_numbers(obs.pipe(doubled, ops.map(to_text), ops.take(1)))  # rejected: arg-type, reportArgumentType


def returned(obs: Observable[[int]]) -> Observable[[int]]:
    return obs.pipe(ops.map(to_text))  # rejected


def no_values(pairs: Observable[[int, str]], nothing: Observable[[]]) -> None:
    pairs.pipe(ops.take(1))  # rejected: misc, reportAttributeAccessIssue
    nothing.pipe(ops.take(1))  # rejected: misc, reportAttributeAccessIssue


def limits(obs: Observable[[int]], trades: Observable[[Trade]]) -> None:
    """Mypy gives a lambda the types of what came before only where nothing but the first operator came before.

    So from the second operator on it knows what a lambda takes once all is inferred, but not what it returned.
    """
    assert_type(  # rejected by mypy: assert-type
        trades.pipe(ops.filter(lambda trade: trade.price > 1), ops.map(lambda trade: trade.symbol)), Observable[[str]]
    )
    assert_type(  # rejected by mypy: assert-type
        obs.pipe(ops.map(lambda n: [n]), ops.map(lambda numbers: numbers[0])), Observable[[int]]
    )
    assert_type(  # rejected by mypy: assert-type
        obs.pipe(ops.timestamp(), ops.map(lambda stamped: stamped.value)), Observable[[int]]
    )
    obs.pipe(ops.buffer_with_count(2), ops.map(sum))  # rejected by mypy: misc
    assert_type(trades.pipe(ops.group_by(lambda trade: trade.symbol)).fork(), None)  # rejected: assert-type


def within_the_limits(obs: Observable[[int]], trades: Observable[[Trade]]) -> None:
    assert_type(
        trades.pipe(ops.filter(lambda trade: trade.price > 1)).pipe(ops.map(lambda trade: trade.symbol)),
        Observable[[str]],
    )
    assert_type(obs.pipe(ops.map(lambda n: [n])).pipe(ops.map(lambda numbers: numbers[0])), Observable[[int]])

    def symbol_of(trade: Trade) -> str:
        return trade.symbol

    assert_type(
        trades.pipe(ops.filter(lambda trade: trade.price > 1), ops.map(lambda trade: symbol_of(trade))),
        Observable[[str]],
    )
    assert_type(trades.pipe(ops.filter(lambda trade: trade.price > 1), ops.map(symbol_of)), Observable[[str]])
    symbols: Observable[[str]] = trades.pipe(
        ops.filter(lambda trade: trade.price > 1), ops.map(lambda trade: trade.symbol)
    )
    assert_type(symbols, Observable[[str]])
