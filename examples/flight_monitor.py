"""Replay the flights of February 2013 from New York's airports, and raise the alarm when too many are cancelled.

Usage::

    python examples/flight_monitor.py
    python examples/flight_monitor.py --from 2013-02-08 --to 2013-02-09 --airport LGA --speed 4
    python examples/flight_monitor.py --speed 50 --live

Progress and alerts go to stderr while the flights pass, the summary goes to stdout. With ``--live`` stderr shows the
pipeline at work instead of progress: what passes each operator and topic, and how fast; that needs the extra ``cli``.
Exit status: 0 done, 1 the data or the live view cannot be used, 2 wrong arguments, 130 interrupted.

The way of a flight::

    replay ─► Observable ─┬─ filter ─ map ─ filter ─ at_change ─┐  (one branch per airport)
                          │                                   merge ─► EventBus ─► Rendezvous ─► desk
                          └─ throttle ─► progress
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import os
import sys
import zlib
from collections import Counter, deque
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO, TypeAlias

from asyncutils_rx import EventBus, Observable, Rendezvous
from asyncutils_rx.exceptions import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asyncutils_rx.live import LiveView

DATA = Path(__file__).parent / "data" / "flights-2013-02.csv.gz"
AIRPORTS = ("EWR", "JFK", "LGA")
MILLION = 1_000_000
State: TypeAlias = Literal["quiet", "alert", "clear"]


class Flight(NamedTuple):
    """A scheduled departure."""

    scheduled: datetime
    airport: str
    carrier: str
    cancelled: bool


class Reading(NamedTuple):
    """What the window over an airport's departures showed when a flight was due."""

    airport: str
    time: datetime
    flights: int
    cancelled: int
    state: State

    @property
    def rate(self) -> float:
        """The share of cancelled flights."""
        return self.cancelled / self.flights


class Notice(NamedTuple):
    """A reading that somebody has to know of, with the airlines that cancelled most."""

    reading: Reading
    airlines: str


class Airport:
    """The totals of one airport, and a sliding window over its departures."""

    def __init__(self, code: str, window: timedelta, threshold: float, minimum: int) -> None:
        self.code = code
        self.window = window
        self.threshold = threshold
        self.minimum = minimum
        self.flights = self.cancelled = self.recently_cancelled = 0
        self.recent: deque[Flight] = deque()
        self.state: State = "quiet"
        self.worst: Reading | None = None

    def observe(self, flight: Flight) -> Reading:
        """Count the flight that is due next, and read the window that ends with it."""
        self.flights += 1
        self.cancelled += flight.cancelled
        self.recent.append(flight)
        self.recently_cancelled += flight.cancelled
        while self.recent[0].scheduled <= flight.scheduled - self.window:
            self.recently_cancelled -= self.recent.popleft().cancelled
        reading = Reading(self.code, flight.scheduled, len(self.recent), self.recently_cancelled, self.state)
        if reading.flights < self.minimum:
            return reading
        if self.worst is None or (reading.rate, reading.flights) > (self.worst.rate, self.worst.flights):
            self.worst = reading
        if reading.rate >= self.threshold:
            self.state = "alert"
        elif self.state == "alert" and reading.rate < self.threshold / 2:
            self.state = "clear"
        return reading._replace(state=self.state)

    def airlines(self) -> str:
        """The airlines that cancelled most of the flights in the window."""
        counts = Counter(flight.carrier for flight in self.recent if flight.cancelled)
        return ", ".join(f"{carrier} {count}" for carrier, count in counts.most_common(3)) or "none"


class Console:
    """Prints progress, in one line that renews itself on a terminal, and news, in lines that stay."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live = stream.isatty()
        self.shows_progress = True

    def print(self, time: datetime, text: str, *, stays: bool) -> None:
        """Print what happened at a time of the schedule."""
        line = f"{clock(time)}   {text}"
        if not self.shows_progress:
            # The live view has taken the place of stderr, and shows above its table what is printed there.
            print(line, file=sys.stderr)
            return
        end = "\n" if stays or not self.live else ""
        print(f"\r{line:60}" if self.live else line, end=end, file=self.stream, flush=True)


async def monitor(
    flights: Sequence[Flight],
    airports: Mapping[str, Airport],
    console: Console,
    speed: float | None = None,
    *,
    live: bool = False,
) -> tuple[list[Notice], Mapping[str, int]]:
    """Replay the flights; return the notices that reached the desk, and how many were published by topic."""
    received: list[Notice] = []
    handover = Rendezvous[Notice | None]()

    async def desk() -> None:
        while (notice := await handover.get()) is not None:
            reading, airlines = notice
            news = f"{reading.state} {reading.airport}: {reading.rate:.0%} cancelled ({airlines})"
            console.print(reading.time, news, stays=True)
            received.append(notice)

    def enrich(_topic: str, reading: Reading) -> Notice:
        return Notice(reading, airports[reading.airport].airlines())

    async def hand_over(_topic: str, notice: Notice) -> None:
        await handover.put(notice)

    async def publish(reading: Reading) -> None:
        await bus.publish(f"{reading.state}.{reading.airport}", reading)

    def progress(flight: Flight, *, stays: bool = False) -> None:
        done = sum(airport.flights for airport in airports.values())
        console.print(flight.scheduled, f"{done:,} of {len(flights):,} flights", stays=stays)

    async with EventBus("flights", tracking_stats=True) as bus, Observable[[Flight]]() as departures:
        bus.add_middleware(enrich)
        bus.subscribe(hand_over)
        changes = [changes_of(airport, departures) for airport in airports.values()]
        Observable.merge(*changes).subscribe_nowait(publish)
        if not live:
            departures.throttle(0.1 if console.live else 1.0).subscribe_nowait(progress)
        with view_of(departures, bus) if live else nullcontext():
            console.shows_progress = not live
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(desk())
                await replay(flights, departures, speed)
                await handover.put(None)
        console.shows_progress = True
        progress(flights[-1], stays=True)
        return received, bus.get_event_stats()


def view_of(departures: Observable[[Flight]], bus: EventBus) -> LiveView:
    """A table of the pipeline at work, on stderr."""
    from asyncutils_rx.live import watch

    return watch(departures, bus, display="rich")


def changes_of(airport: Airport, departures: Observable[[Flight]]) -> Observable[[Reading]]:
    """The readings that begin or end an alert of this airport."""
    here = departures.filter(lambda flight: flight.airport == airport.code)
    readings: Observable[[Reading]] = here.map(lambda flight: ((airport.observe(flight),), {}))
    return readings.filter(lambda reading: reading.state != "quiet").at_change(lambda reading: reading.state)


async def replay(flights: Sequence[Flight], departures: Observable[[Flight]], speed: float | None) -> None:
    """Notify of each flight when it is due: so many hours of the schedule pass in a second, or all at once."""
    now = asyncio.get_running_loop().time
    begin = now()
    for flight in flights:
        if speed is not None:
            await asyncio.sleep(begin + (flight.scheduled - flights[0].scheduled) / timedelta(hours=speed) - now())
        await departures.notify(flight)


def summary(airports: Iterable[Airport], notices: Sequence[Notice], published: Mapping[str, int], rule: str) -> str:
    """Tell how many flights each airport cancelled, when it was worst, and when the alarm was on."""
    lines = ["airport  flights  cancelled    rate   worst window"]
    for airport in airports:
        worst = airport.worst
        shown = f"{worst.cancelled} of {worst.flights}, {clock(worst.time)}" if worst else "too few flights to judge"
        rate = airport.cancelled / max(airport.flights, 1)
        lines.append(f"{airport.code:7}{airport.flights:9,}{airport.cancelled:11,}{rate:8.1%}   {shown}")
    lines += ["", f"{'alerts' if notices else 'no alerts'} ({rule})"]
    for index, (reading, airlines) in enumerate(notices):
        if reading.state == "alert":
            later = (other.reading for other in notices[index + 1 :] if other.reading.airport == reading.airport)
            end = next((clock(other.time) for other in later), "the end")
            figures = f"{reading.cancelled} of {reading.flights} cancelled at first ({airlines})"
            lines.append(f"  {reading.airport}   {clock(reading.time)} to {end:16}   {figures}")
    lines += ["", "published: " + ", ".join(f"{count} {topic}" for topic, count in sorted(published.items()))]
    return "\n".join(lines)


def load(path: Path) -> list[Flight]:
    """Read the flights from a CSV file, gzipped or not, in order of schedule."""
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        return sorted(
            Flight(local(row["scheduled"]), row["origin"], row["carrier"], not row["departed"])
            for row in csv.DictReader(file, restval="?")
        )


def local(text: str) -> datetime:
    """Parse a time where it is: an offset to other times does not matter here."""
    return datetime.fromisoformat(text).replace(tzinfo=None)


def clock(time: datetime) -> str:
    """A time as people read it."""
    return f"{time:%a} {time.day:2} {time:%b %H:%M}"


def moment(text: str) -> datetime:
    """Parse a time of the schedule."""
    try:
        return local(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 2013-02-08 or 2013-02-08T12:00") from None


def number(text: str) -> float:
    """Parse a number of hours or a percentage."""
    if not 0 < (value := float(text)) <= MILLION:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and a million")
    return value


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Find the hours in which an airport cancels too many flights.")
    add = parser.add_argument
    add("--data", type=Path, default=DATA, metavar="FILE", help="flights as CSV or CSV.gz (default: %(default)s)")
    add("--from", type=moment, default="0001-01-01", dest="begin", metavar="TIME", help="such as 2013-02-08T12:00")
    add("--to", type=moment, default="9999-12-31", dest="end", metavar="TIME", help="not included; such as 2013-02-10")
    add("--airport", action="append", choices=AIRPORTS, help="watch only this one (can be repeated)")
    add("--window", type=number, default=2, metavar="HOURS", help="judge the latest hours (default: %(default)g)")
    add("--threshold", type=number, default=25, metavar="PERCENT", help="cancelled for an alert (default: %(default)g)")
    add("--minimum", type=int, default=15, metavar="FLIGHTS", help="judge no fewer flights (default: %(default)d)")
    add("--speed", type=number, metavar="HOURS", help="replay so many hours per second (default: do not wait)")
    add("--live", action="store_true", help="show the pipeline at work on stderr; needs the extra 'cli'")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the monitor; return the exit status."""
    options = arguments(argv)
    codes = options.airport or AIRPORTS
    try:
        known = load(options.data)
    except (OSError, EOFError, ValueError, LookupError, csv.Error, zlib.error) as error:
        print(f"flight_monitor: cannot use {options.data}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    flights = [
        flight for flight in known if flight.airport in codes and options.begin <= flight.scheduled < options.end
    ]
    if not flights:
        print(f"flight_monitor: none of the {len(known)} flights is within these limits", file=sys.stderr)
        return 1
    window, threshold = timedelta(hours=options.window), options.threshold / 100
    airports = {code: Airport(code, window, threshold, options.minimum) for code in sorted(set(codes))}
    try:
        run = monitor(flights, airports, Console(sys.stderr), options.speed, live=options.live)
        notices, published = asyncio.run(run)
    except MissingExtraError as error:
        print(f"flight_monitor: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nflight_monitor: interrupted", file=sys.stderr)
        return 130
    rule = f"from {threshold:.0%} of the departures in {options.window:g} h on, until below half of that"
    try:
        print(summary(airports.values(), notices, published, rule), flush=True)
    except BrokenPipeError:  # who reads has seen enough, as `head` has; nor may the interpreter flush at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
