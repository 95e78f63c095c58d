"""The flight monitor finds the storm of February 2013, and can be used without reading its code."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import re
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import EXAMPLES, example_command, example_environment

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from .conftest import RunExample

NOON = datetime.fromisoformat("2013-02-08T12:00")
STORM = re.compile(r"^  (EWR|JFK|LGA)   Fri  8 Feb (\d\d):\d\d to (\w+ +\d+ \w+ \d\d:\d\d) ", re.MULTILINE)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def flight(module: ModuleType, minute: float, *, cancelled: bool = False, airport: str = "JFK") -> Any:
    return module.Flight(NOON + timedelta(minutes=minute), airport, "B6", cancelled)


def airport(module: ModuleType, code: str = "JFK", *, threshold: float = 0.5, minimum: int = 2) -> Any:
    return module.Airport(code, timedelta(minutes=60), threshold, minimum)


def states(module: ModuleType, *cancelled: bool) -> list[str]:
    jfk = airport(module)
    return [
        jfk.observe(flight(module, 30 * number, cancelled=is_cancelled)).state
        for number, is_cancelled in enumerate(cancelled)
    ]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six flights, an hour apart; the third and the fourth were cancelled."""
    path = tmp_path / "flights.csv"
    rows = [f"2013-02-08T{12 + hour}:00,JFK,BOS,B6,{hour},{'' if hour in {2, 3} else '1200'},," for hour in range(6)]
    path.write_text(
        "\n".join(["scheduled,origin,dest,carrier,flight,departed,dep_delay,arr_delay", *reversed(rows)]),
        encoding="utf-8",
    )
    return path


# The window


def test_airport_reads_the_window_that_ends_with_the_flight(flight_monitor: ModuleType) -> None:
    jfk = airport(flight_monitor)
    readings = [jfk.observe(flight(flight_monitor, minute, cancelled=minute == 0)) for minute in (0, 59, 60, 61)]
    assert [(reading.cancelled, reading.flights) for reading in readings] == [(1, 1), (1, 2), (0, 2), (0, 3)]


def test_airport_counts_all_flights(flight_monitor: ModuleType) -> None:
    jfk = airport(flight_monitor)
    for minute in (0, 100, 200):
        jfk.observe(flight(flight_monitor, minute, cancelled=minute > 0))
    assert (jfk.flights, jfk.cancelled) == (3, 2)


def test_airport_does_not_judge_a_small_window(flight_monitor: ModuleType) -> None:
    assert states(flight_monitor, True) == ["quiet"]


def test_airport_alerts_from_the_threshold_on(flight_monitor: ModuleType) -> None:
    assert states(flight_monitor, False, False, True) == ["quiet", "quiet", "alert"]


def test_airport_clears_below_half_the_threshold(flight_monitor: ModuleType) -> None:
    assert states(flight_monitor, True, True, False, False) == ["quiet", "alert", "alert", "clear"]


def test_airport_alerts_again(flight_monitor: ModuleType) -> None:
    assert states(flight_monitor, True, True, False, False, True)[-1] == "alert"


def test_airport_stays_quiet_without_an_alert(flight_monitor: ModuleType) -> None:
    assert set(states(flight_monitor, False, False, False)) == {"quiet"}


def test_airport_keeps_the_worst_window(flight_monitor: ModuleType) -> None:
    jfk = airport(flight_monitor)
    for minute, cancelled in [(0, True), (30, True), (70, False), (80, True), (90, True)]:
        jfk.observe(flight(flight_monitor, minute, cancelled=cancelled))
    assert (jfk.worst.cancelled, jfk.worst.flights, jfk.worst.time) == (2, 2, NOON + timedelta(minutes=30))


def test_airport_names_the_airlines_that_cancelled_most(flight_monitor: ModuleType) -> None:
    jfk = airport(flight_monitor)
    for carrier, cancelled in [("UA", True), ("B6", True), ("B6", True), ("DL", False)]:
        jfk.observe(flight_monitor.Flight(NOON, "JFK", carrier, cancelled))
    assert jfk.airlines() == "B6 2, UA 1"


# Reading and printing


def test_load_sorts_by_schedule(flight_monitor: ModuleType, table: Path) -> None:
    flights = flight_monitor.load(table)
    assert [flight.scheduled.hour for flight in flights] == [12, 13, 14, 15, 16, 17]
    assert [flight.cancelled for flight in flights] == [False, False, True, True, False, False]


def test_load_takes_gzip(flight_monitor: ModuleType, table: Path) -> None:
    packed = table.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    assert flight_monitor.load(packed) == flight_monitor.load(table)


def test_summary_tells_that_there_was_no_alert(flight_monitor: ModuleType) -> None:
    printed = flight_monitor.summary([airport(flight_monitor)], [], {}, "from 5% on")
    assert "no alerts (from 5% on)" in printed
    assert "too few flights to judge" in printed


def test_console_renews_its_line_on_a_terminal(flight_monitor: ModuleType) -> None:
    stream = Terminal()
    console = flight_monitor.Console(stream)
    console.print(NOON, "one", stays=False)
    console.print(NOON, "two", stays=True)
    assert re.fullmatch(r"\rFri  8 Feb 12:00   one +\rFri  8 Feb 12:00   two +\n", stream.getvalue())


# The pipeline


async def test_monitor_publishes_by_airport_and_hands_over_in_order(flight_monitor: ModuleType) -> None:
    flights = [
        flight(flight_monitor, minute, cancelled=minute in {20, 30}, airport=code)
        for minute in range(0, 120, 10)
        for code in ("JFK", "LGA")
    ]
    airports = {code: airport(flight_monitor, code, threshold=0.3) for code in ("JFK", "LGA")}
    console = flight_monitor.Console(io.StringIO())
    notices, published = await flight_monitor.monitor(flights, airports, console)
    assert [(notice.reading.state, notice.reading.airport, notice.reading.time.minute) for notice in notices] == [
        ("alert", "JFK", 20),
        ("alert", "LGA", 20),
        ("clear", "JFK", 30),
        ("clear", "LGA", 30),
    ]
    assert {notice.airlines for notice in notices} == {"B6 1", "none"}
    assert published == {"alert.JFK": 1, "alert.LGA": 1, "clear.JFK": 1, "clear.LGA": 1}


@pytest.mark.virtual_time
async def test_monitor_replays_at_the_speed_asked_for(flight_monitor: ModuleType) -> None:
    flights = [flight(flight_monitor, minute) for minute in (0, 30, 180)]
    airports = {"JFK": airport(flight_monitor)}
    console = flight_monitor.Console(io.StringIO())
    clock = asyncio.get_running_loop().time
    begin = clock()
    await flight_monitor.monitor(flights, airports, console, speed=2.0)
    assert clock() - begin == pytest.approx(1.5)


# As a user runs it


@pytest.fixture(scope="module")
def replayed() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        example_command("flight_monitor.py"),
        env=example_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )


def test_flight_monitor_ends_well(replayed: subprocess.CompletedProcess[str]) -> None:
    assert replayed.returncode == 0, replayed.stderr


def test_flight_monitor_finds_the_storm_of_8_february(replayed: subprocess.CompletedProcess[str]) -> None:
    storm = {airport: (int(hour), end) for airport, hour, end in STORM.findall(replayed.stdout)}
    assert storm.keys() == {"EWR", "JFK", "LGA"}
    assert all(12 <= hour < 18 for hour, _ in storm.values())
    assert all(end.startswith("Sat  9 Feb") for _, end in storm.values())


def test_flight_monitor_alerts_on_few_other_days(replayed: subprocess.CompletedProcess[str]) -> None:
    alerts = re.findall(r"^  (?:EWR|JFK|LGA)   (\w+ +\d+ \w+) \d\d:\d\d to ", replayed.stdout, re.MULTILINE)
    assert alerts == ["Fri  8 Feb", "Fri  8 Feb", "Fri  8 Feb", "Sat  9 Feb", "Mon 11 Feb"]


def test_flight_monitor_sums_up_each_airport(replayed: subprocess.CompletedProcess[str]) -> None:
    lines = [" ".join(line.split()) for line in replayed.stdout.splitlines()]
    for figures in ("EWR 9,107 499 5.5%", "JFK 8,421 393 4.7%", "LGA 7,423 369 5.0%"):
        assert any(line.startswith(figures) for line in lines)


def test_flight_monitor_counts_publications_by_topic(replayed: subprocess.CompletedProcess[str]) -> None:
    assert replayed.stdout.splitlines()[-1] == (
        "published: 2 alert.EWR, 2 alert.JFK, 1 alert.LGA, 2 clear.EWR, 2 clear.JFK, 1 clear.LGA"
    )


def test_flight_monitor_shows_alerts_and_progress_as_plain_lines(replayed: subprocess.CompletedProcess[str]) -> None:
    assert "alert LGA: 29% cancelled (DL 5" in replayed.stderr
    assert "24,951 of 24,951 flights" in replayed.stderr
    assert all(line.isprintable() for line in replayed.stderr.split("\n"))


def test_flight_monitor_can_be_limited(run_example: RunExample) -> None:
    ended = run_example("flight_monitor.py", "--airport", "LGA", "--from", "2013-02-08", "--to", "2013-02-08T15:00")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^LGA +171 +29 ", ended.stdout, re.MULTILINE)
    assert "EWR" not in ended.stdout + ended.stderr
    assert re.search(r"^  LGA   Fri  8 Feb 12:30 to the end ", ended.stdout, re.MULTILINE)


def test_flight_monitor_takes_other_data_and_another_rule(run_example: RunExample, table: Path) -> None:
    ended = run_example("flight_monitor.py", "--data", table, "--minimum", "2", "--window", "2.5", "--threshold", "90")
    assert ended.returncode == 0, ended.stderr
    assert "no alerts" in ended.stdout
    assert re.search(r"^JFK +6 +2 +33.3% +2 of 3, Fri  8 Feb 15:00$", ended.stdout, re.MULTILINE)


def test_flight_monitor_explains_itself(run_example: RunExample) -> None:
    ended = run_example("flight_monitor.py", "--help")
    assert ended.returncode == 0
    for option in ("--data", "--from", "--to", "--airport", "--window", "--threshold", "--minimum", "--speed"):
        assert option in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--airport", "BOS"], "'BOS'"),
        (["--from", "yesterday"], "'yesterday' is no time; write 2013-02-08"),
        (["--window", "0"], "0 is not between 0 and a million"),
        (["--threshold", "nan"], "nan is not between 0 and a million"),
        (["--speed", "inf"], "inf is not between 0 and a million"),
        (["--minimum", "few"], "'few'"),
        (["--colour"], "--colour"),
    ],
)
def test_flight_monitor_refuses_wrong_arguments(run_example: RunExample, arguments: list[str], message: str) -> None:
    ended = run_example("flight_monitor.py", *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr.splitlines()[-1]
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"not gzip", "BadGzipFile"),
        (gzip.compress(b"scheduled,origin,carrier,departed\n2013-02-08,JFK,B6,1\n")[:-9], "EOFError"),
        (gzip.compress(b"name\nx\n"), "'scheduled'"),
        (gzip.compress(b"scheduled,origin,carrier,departed\nnoon,JFK,B6,1\n"), "'noon'"),
        (gzip.compress(b"\xff\xfe\n"), "UnicodeDecodeError"),
    ],
    ids=["missing", "not packed", "cut off", "other columns", "no time", "no text"],
)
def test_flight_monitor_tells_why_data_cannot_be_used(
    run_example: RunExample, tmp_path: Path, content: Any, message: str
) -> None:
    data = tmp_path / "data.csv.gz"
    if content is not None:
        data.write_bytes(content)
    ended = run_example("flight_monitor.py", "--data", data)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"flight_monitor: cannot use {data}: ")
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_flight_monitor_tells_that_no_flight_matches(run_example: RunExample) -> None:
    ended = run_example("flight_monitor.py", "--from", "2013-03-01")
    assert ended.returncode == 1
    assert "none of the 24951 flights" in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_flight_monitor_can_be_interrupted() -> None:
    with subprocess.Popen(
        example_command("flight_monitor.py", "--speed", "0.001"),
        env=example_environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "1 of 24,951 flights" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == "flight_monitor: interrupted"


def test_flight_monitor_ends_quietly_where_nobody_reads_on() -> None:
    """As with ``| head -1``: the pipe is closed before the summary is printed."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            example_command("flight_monitor.py", "--from", "2013-02-08", "--to", "2013-02-09"),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            env=example_environment(),
            check=False,
        )
    finally:
        os.close(writer)
    assert "BrokenPipeError" not in ended.stderr
    assert ended.returncode == 0


def test_flight_monitor_needs_no_more_than_the_library() -> None:
    text = (EXAMPLES / "flight_monitor.py").read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported - sys.stdlib_module_names == {"asyncutils_rx"}
