"""Median, mode, variance and standard deviation of a stream: of the delays of a month's flights, by airport.

A statistic of everything is known at the end, and leaving the context is the end: ``pipe(to_list(), …)`` emits then.
One of what has come so far is a ``scan``, and a ``filter`` shows it now and then.

Usage::

    python examples/migration/delay_statistics.py
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import statistics
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reactivex import operators as ops

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data" / "flights-2013-02.csv.gz"
AIRPORTS = ("EWR", "JFK", "LGA")
NOW_AND_THEN = 8000


class Departure(NamedTuple):
    """A flight that left, early (a negative delay) or late."""

    airport: str
    delay: int


class Running(NamedTuple):
    """The mean and the variance of what has come so far, by Welford's method."""

    flights: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, delay: int) -> Running:
        """Take one more."""
        flights = self.flights + 1
        mean = self.mean + (delay - self.mean) / flights
        return Running(flights, mean, self.squares + (delay - self.mean) * (delay - mean))

    @property
    def variance(self) -> float:
        """The variance of a sample."""
        return self.squares / (self.flights - 1)


def recorded() -> Iterator[Departure]:
    """The flights that were not cancelled, in order of schedule."""
    with gzip.open(DATA, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row["dep_delay"]:
                yield Departure(row["origin"], int(row["dep_delay"]))


def delay_of(flight: Departure) -> int:
    """The delay of a flight, in minutes."""
    return flight.delay


def described(airport: str, delays: list[int]) -> str:
    """The statistics of an airport's delays, in one line."""
    modes = ", ".join(map(str, statistics.multimode(delays)))
    figures = f"{statistics.variance(delays):9.1f}{statistics.stdev(delays):11.1f}"
    return f"{airport:7}{len(delays):8,}{statistics.median(delays):8g}{modes:>6}{figures}"


def print_progress(so_far: Running) -> None:
    """Tell mean and variance so far."""
    print(f"after {so_far.flights:,}: {so_far.mean:.1f} min late on average, variance {so_far.variance:.1f}")


def describe(airport: str, departures: Observable[[Departure]]) -> None:
    """Print the statistics of one airport when the departures end."""
    here = departures.filter(lambda flight: flight.airport == airport)
    here.pipe(ops.map(delay_of), ops.to_list(), ops.map(partial(described, airport))).subscribe_nowait(print)


def follow(departures: Observable[[Departure]]) -> None:
    """Print the statistics so far, now and then."""
    states: Observable[[Running]] = departures.pipe(ops.map(delay_of), ops.scan(Running.add, Running()))
    states.filter(lambda so_far: so_far.flights % NOW_AND_THEN == 0).subscribe_nowait(print_progress)


async def main() -> None:
    """Describe the delays of each airport at the end, and those of all airports on the way there."""
    async with Observable[[Departure]]() as departures:
        for airport in AIRPORTS:
            describe(airport, departures)
        follow(departures)
        await departures.feed(recorded())
        print("airport flights  median  mode variance  deviation")


if __name__ == "__main__":
    asyncio.run(main())
