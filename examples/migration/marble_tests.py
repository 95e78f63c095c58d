"""Test pipelines with marble diagrams, on RxPY's test scheduler: no loop, no waiting, exact times.

``from_rx`` and ``to_rx`` forward the scheduler that a test subscribes with, so marble tests that were written for RxPY
operators serve for pipelines of this library, as long as every observer on the way is synchronous.

Usage::

    python examples/migration/marble_tests.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from reactivex import operators as ops
from reactivex.testing.marbles import marbles_testing

from asyncutils_rx import Observable

if TYPE_CHECKING:
    import reactivex

Cold: TypeAlias = Callable[[str], Observable[[Any]]]


@dataclass(frozen=True)
class Case:
    """What a pipeline has to make of diagrams."""

    name: str
    pipeline: Callable[[Cold], Observable[...]]
    expected: str

    def passes(self) -> bool:
        """Run the pipeline on a test scheduler, and compare every value and its time."""
        with marbles_testing(timespan=1.0) as context:

            def cold(diagram: str) -> Observable[[Any]]:
                source: Observable[[Any]] = Observable.from_rx(context.cold(diagram, None, None))
                return source

            received = context.start(lambda: self.pipeline(cold).to_rx())
            return received == context.exp(self.expected, None, None)


def echoed(cold: Cold) -> Observable[...]:
    """An operator that only RxPY has, with a source for each letter."""

    def twice(letter: str) -> reactivex.Observable[str]:
        return cold(f"{letter}--{letter}|").to_rx()

    return cold("-a----b----|").pipe(ops.flat_map(twice))


CASES = (
    Case("debounce waits", lambda cold: cold("-a--------b------c----|").debounce(5), "------a--------b------(c,|)"),
    Case("debounce takes the last", lambda cold: cold("-a-b-c-------|").debounce(3), "--------c----|"),
    Case("throttle takes the first", lambda cold: cold("-a-b-c-d---e-|").throttle(4), "-a---c-----e-|"),
    Case("at_change", lambda cold: cold("-a-a-b-b-a-|").at_change(), "-a---b---a-|"),
    Case("filter", lambda cold: cold("-a-b-c-d-|").filter(lambda letter: letter in "ac"), "-a---c---|"),
    Case("buffer", lambda cold: cold("-a-b-----c-d------e-|").buffer(2), "---(a,b)---(c,d)----(e,|)"),
    Case("merge", lambda cold: cold("-a---b---|").merge(cold("---c---d-----|")), "-a-c-b-d-----|"),
    Case("flat_map, by pipe", echoed, "-a--a-b--b-|"),
)


def main() -> int:
    """Run every case; return the exit status."""
    failed = [case.name for case in CASES if not case.passes()]
    for case in CASES:
        print(f"{'FAILED' if case.name in failed else 'ok':6} {case.name:26} {case.expected}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
