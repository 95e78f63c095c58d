"""Each example of the migration guide does its job."""

from __future__ import annotations

import ast
import csv
import gzip
import re
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from tests.examples.conftest import EXAMPLES

from .conftest import load_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .conftest import RunProgram

PROGRAMS = sorted(path.stem for path in (EXAMPLES / "migration").glob("*.py"))


def test_awaiting_gives_the_value_that_each_wait_is_for(run_program: RunProgram) -> None:
    assert run_program("awaiting") == [
        "nothing more within 0.01 s",
        "next:       20.5",
        "over 25 °C: 26.0",
        "last:       24.5",
        "all:        20.5 21.0 23.5 26.0 24.5",
    ]


def test_iterating_takes_what_its_policy_leaves(run_program: RunProgram) -> None:
    assert run_program("iterating") == [
        "all:         0 1 2 3 4 5 6 7 8 9",
        "the newest:  7 8 9 (7 dropped)",
        "with limit:  too early, 0 1",
    ]


@pytest.mark.parametrize(
    ("typed", "times"),
    [
        ("up up down down left right left right b a", 1),
        ("up UP up Down down Left right left right B\na", 1),
        ("up up down down left right left right b a" * 2, 2),
        ("\x1b[A\x1b[A\x1b[B\x1b[B\x1b[D\x1b[C\x1b[D\x1b[Cba\n", 1),
        ("up up down down left right left right x b a", 0),
        ("up up down down left right left right b", 0),
        ("", 0),
    ],
    ids=["code", "prefix", "twice", "arrows", "interrupted", "unfinished", "nothing"],
)
def test_konami_spots_the_code_among_keys(run_program: RunProgram, typed: str, times: int) -> None:
    assert run_program("konami", typed) == ["Konami!"] * times


async def test_konami_spots_codes_that_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    konami = load_program("konami")
    monkeypatch.setattr(konami, "CODE", ["a", "b", "a"])
    spotted: list[Any] = []

    async def keys() -> AsyncIterator[str]:
        for key in "ababa":
            yield key

    await konami.watch(keys(), spotted.append)
    assert spotted == [["a", "b", "a"]] * 2


def test_delay_statistics_are_those_of_the_data(run_program: RunProgram) -> None:
    lines = run_program("delay_statistics")
    delays = recorded_delays()
    assert [re.match(r"after ([\d,]+): ", line)[1] for line in lines[:2]] == ["8,000", "16,000"]  # type: ignore[index]  # it matches
    so_far = [delay for _, delay in delays[:8000]]
    assert lines[0].endswith(f"{statistics.fmean(so_far):.1f} min late on average, variance {variance(so_far):.1f}")
    assert lines[2] == "airport flights  median  mode variance  deviation"
    assert len(lines) == 6
    for line, airport in zip(lines[3:], ["EWR", "JFK", "LGA"], strict=True):
        here = [delay for origin, delay in delays if origin == airport]
        middle, mode = statistics.median(here), statistics.mode(here)
        expected = [airport, f"{len(here):,}", f"{middle:g}", str(mode), f"{variance(here):.1f}"]
        assert line.split() == [*expected, f"{variance(here) ** 0.5:.1f}"]


def recorded_delays() -> list[tuple[str, int]]:
    with gzip.open(EXAMPLES / "data" / "flights-2013-02.csv.gz", "rt", newline="") as file:
        return [(row["origin"], int(row["dep_delay"])) for row in csv.DictReader(file) if row["dep_delay"]]


def variance(values: list[int]) -> float:
    mean = statistics.fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def test_failing_shows_where_each_error_arrives(run_program: RunProgram) -> None:
    assert run_program("failing") == [
        "transform: 1",
        "transform: 2 is even",
        "transform: 3",
        "transform: 4 is even",
        "transform: 5",
        "source: hello",
        "source: world",
        "for good: 1",
        "for good: 2",
        "for good: line cut",
        "timer: 0 is even",
        "timer: 1",
        "timer: 2 is even",
        "timer: 3",
        "timer: 4 is even",
    ]


def test_parallel_keeps_the_order_where_it_is_told_to(run_program: RunProgram) -> None:
    lines = run_program("parallel")
    ordered = [
        "ordered: 33,860 primes below 400,000",
        "ordered: 5,133 primes below 50,000",
        "ordered: 9,592 primes below 100,000",
        "ordered: 17,984 primes below 200,000",
        "ordered: 1,229 primes below 10,000",
    ]
    assert lines[:5] == ordered
    assert sorted(lines[5:]) == sorted("un" + line for line in ordered)


def test_marbles_draws_what_operators_make_of_diagrams(run_program: RunProgram) -> None:
    assert run_program("marbles") == [
        "merged     a-b-c-d---1-2---3--4-|",
        "looked_up  -3---5--3-|",
        "failing    1-2-3---4-5-#",
        "flattened  a-a-abb-bcc-c|",
        "10 at or after the time",
        "11 at or after the time",
        "12 at or after the time",
    ]


def test_marble_tests_pass(run_program: RunProgram) -> None:
    lines = run_program("marble_tests")
    assert len(lines) == 8
    assert all(line.startswith("ok  ") for line in lines)


def test_marble_tests_fail_where_a_value_or_its_time_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = load_program("marble_tests")
    late = tests.Case("late", lambda cold: cold("-a|"), "--a|")
    other = tests.Case("other", lambda cold: cold("-a|"), "-b|")
    right = tests.Case("right", lambda cold: cold("-a|"), "-a|")
    monkeypatch.setattr(tests, "CASES", (late, other, right))
    assert tests.main() == 1
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["FAILED", "late"],
        ["FAILED", "other"],
        ["ok", "right"],
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_says_what_it_shows_and_how_to_run_it(name: str) -> None:
    docstring = ast.get_docstring(ast.parse((EXAMPLES / "migration" / f"{name}.py").read_text(encoding="utf-8")))
    assert docstring is not None
    assert f"python examples/migration/{name}.py" in docstring


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_small(name: str) -> None:
    assert len((EXAMPLES / "migration" / f"{name}.py").read_text(encoding="utf-8").splitlines()) < 120
