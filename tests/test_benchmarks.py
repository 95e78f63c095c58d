"""The benchmarks run: every row reports, and what was delivered adds up. How long anything takes is not tested."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.comparison import changes, told
from tests.benchmarks.fresh import fresh
from tests.benchmarks.growth import curves
from tests.benchmarks.importing import import_times
from tests.benchmarks.model import BOUND, OURS, Contestant, Job, Row
from tests.benchmarks.page import PAGE, pictures, rendered
from tests.benchmarks.report import failures, flatness, markdown, text, verdict
from tests.benchmarks.rows import CURVES, GROWTH, ROWS
from tests.benchmarks.targets import FLAT, TARGETS, target_of
from tests.benchmarks.timing import Effort, MiscountError, measure
from tests.benchmarks.weighing import weigh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

TINY = Effort(round_seconds=0.0002, rounds=2, loop="asyncio")
MEASURES = {"time": measure, "memory": weigh}


def named(row: Row) -> str:
    return row.name


def small(row: Row) -> Row:
    """Return the row with so little in it that it takes no time."""
    return row._replace(size=min(row.size, 3), units=1, at_least=min(row.at_least, 3))


@pytest.fixture(autouse=True)
def still_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep frozen what pytest froze: else each of hundreds of collections here looks at all that the run has made."""
    monkeypatch.setattr(gc, "unfreeze", lambda: None)


# One point of each curve: with so little in them, the others are the same.
POINTS = {row.curve: row for row in GROWTH}.values()


@pytest.mark.parametrize("row", [row for row in (*ROWS, *POINTS) if row.kind != "import"], ids=named)
def test_row_reports_and_adds_up(row: Row) -> None:
    results = MEASURES[row.kind](small(row), TINY, (OURS,))
    assert set(results) == {BOUND, OURS}
    assert all(result["status"] == "measured" for result in results.values())
    assert all(result["value"] > 0 and result["ratio"] > 0 for result in results.values())


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind == "import"], ids=named)
def test_import_row_reports(row: Row) -> None:
    results = import_times(row, Effort(0.0, 1, "asyncio"), (OURS,))
    assert {result["status"] for result in results.values()} == {"measured"}


def test_every_target_is_of_a_row_and_every_curve_has_points() -> None:
    names = {row.name for row in ROWS}
    assert set(TARGETS) == names
    assert {name for group in FLAT.values() for name in group} <= names
    assert {row.curve for row in GROWTH} == set(CURVES)
    assert len({row.name for row in (*ROWS, *GROWTH)}) == len(ROWS) + len(GROWTH)


def test_limits_on_python_3_11_are_those_without_eager_tasks() -> None:
    assert (target_of("notify-1", (3, 13)), target_of("notify-1", (3, 11))) == (8, 22)
    assert (target_of("exchange", (3, 13)), target_of("exchange", (3, 11))) == (1.5, 1.5)
    assert target_of("growth-topics-1") is None


# What a contestant does wrong


def contestant(name: str, deliver: Callable[[], int], **more: Any) -> Contestant:
    """Return one that says how many deliveries each operation made."""

    @asynccontextmanager
    async def make(_size: int) -> AsyncIterator[Job]:
        delivered = 0

        async def run(count: int) -> None:
            nonlocal delivered
            for _ in range(count):
                delivered += deliver()

        yield Job(run, lambda: delivered, 1)

    return Contestant(name, make, **more)


def made_up_row(*contestants: Contestant) -> Row:
    return Row("made-up", "made up", 1, 1, "operation", "pass", contestants)


def one() -> int:
    return 1


def two() -> int:
    return 2


def missing_module() -> int:
    raise LookupError("nothing to do it with")


@pytest.mark.parametrize("name", [BOUND, OURS])
def test_delivery_too_many_of_the_bound_or_the_library_ends_the_run(name: str) -> None:
    contestants = [contestant(one_name, two if one_name == name else one) for one_name in (BOUND, OURS)]
    with pytest.raises(MiscountError, match=f"{name}: .*delivered 2 of 1"):
        measure(made_up_row(*contestants), TINY)


def test_delivery_too_many_of_another_one_is_reported() -> None:
    row = made_up_row(contestant(BOUND, one), contestant("peer", two), contestant("known", two, wrong="says it twice"))
    results = measure(row, TINY)
    assert (results["peer"]["status"], results["known"]["status"]) == ("failed", "wrong")
    assert "delivered 2 of 1" in results["peer"]["reason"]
    assert results["known"]["reason"] == "says it twice"


def test_contestant_that_cannot_be_imported_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyee.asyncio", None)
    row = next(row for row in ROWS if row.name == "notify-1")
    results = measure(small(row), TINY, ("pyee",))
    assert results["pyee"]["status"] == "skipped"
    assert "pyee.asyncio" in results["pyee"]["reason"]


def test_contestant_that_raises_is_reported_and_the_others_are_measured() -> None:
    results = measure(made_up_row(contestant(BOUND, one), contestant("peer", missing_module)), TINY)
    assert results["peer"]["reason"] == "LookupError: nothing to do it with"
    assert results[BOUND]["status"] == "measured"


def test_fresh_functions_share_no_bytecode() -> None:
    def outer() -> Callable[[], int]:
        def inner() -> int:
            return 1

        return inner

    copy = fresh(outer)
    assert copy()() == 1
    assert copy.__code__ is not outer.__code__
    assert copy().__code__ is not outer().__code__


# The program


def report_of(ratio: float, low: float = 0.0, high: float = 0.0, python: str = "3.13.1") -> dict[str, Any]:
    """Return a report with one row, and the library in it."""
    ours = {"status": "measured", "ratio": ratio, "low": low or ratio, "high": high or ratio, "value": 1, "less": ""}
    bound = {**ours, "ratio": 1.0, "low": 1.0, "high": 1.0}
    row = {"title": "t", "kind": "time", "unit": "u", "bound": "b", "contestants": {BOUND: bound, OURS: ours}}
    head = {
        "date": "d",
        "python": python,
        "loop": "asyncio",
        "library": "0",
        "versions": {},
        "implementation": "CPython",
    }
    machine = {"processor": "p", "cores": 1, "system": "s"}
    settings = {"processes": 1, "rounds": 1, "round_seconds": 1}
    return {**head, "machine": machine, "settings": settings, "rows": {"notify-1": row}}


def test_verdict_is_that_of_the_limit_for_the_python() -> None:
    assert verdict(report_of(8.0), "notify-1") == "met"
    assert verdict(report_of(8.1), "notify-1") == "NOT MET"
    assert verdict(report_of(21.0, python="3.11.9"), "notify-1") == "met"


def test_text_and_markdown_say_what_is_not_met() -> None:
    assert "not met: notify-1" in text(report_of(9.0))
    assert "**not met**" in markdown(report_of(9.0))
    assert "**not met**" not in markdown(report_of(7.0))


def test_row_that_did_not_run_is_a_failure() -> None:
    report = report_of(1.0)
    report["rows"]["notify-1"] |= {"error": "delivered 1 of 2", "contestants": {}}
    assert failures(report) == ["notify-1: delivered 1 of 2"]
    assert "FAILED: notify-1: delivered 1 of 2" in text(report)


def test_rows_of_one_kind_are_flat_within_a_factor() -> None:
    report = report_of(4.0)
    report["rows"] = {"topics-1": report["rows"]["notify-1"], "topics-10000": report_of(6.0)["rows"]["notify-1"]}
    assert list(flatness(report)) == [("topics", 1.5)]


@pytest.mark.parametrize(
    ("old", "new", "worse", "better"),
    [
        (report_of(5.0), report_of(5.4), False, False),
        (report_of(5.0), report_of(6.0), True, False),
        (report_of(5.0, 4.5, 6.5), report_of(6.0), False, False),
        (report_of(5.0), report_of(4.0), False, True),
    ],
    ids=["little", "worse", "within the span", "better"],
)
def test_comparison_tells_what_became_worse(
    old: dict[str, Any], new: dict[str, Any], worse: bool, better: bool
) -> None:
    (change,) = changes(old, new)
    assert (change.worse, change.better) == (worse, better)
    assert ("WORSE" in told(old, new)) is worse


def test_comparison_of_different_machines_says_so() -> None:
    assert "python: 3.11.9 and 3.13.1" in told(report_of(1.0, python="3.11.9"), report_of(1.0))


def run_program(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_program_measures_writes_draws_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, picture = tmp_path / "report.json", tmp_path / "table.svg"
    few = ("--only", "notify-100", "--only", "bytes-put", "--contestant", OURS)
    little = ("--rounds", "2", "--processes", "2", "--round-ms", "0.2")
    assert run_program(*few, *little, "--json", written, "--svg", picture) == 0
    report = json.loads(written.read_text())
    assert list(report["rows"]) == ["notify-100", "notify-1000", "bytes-put"]
    assert all(row["contestants"][OURS]["status"] == "measured" for row in report["rows"].values())
    assert picture.read_text().startswith("<svg")
    capsys.readouterr()

    assert run_program("--from", written, "--compare", written, "--markdown") == 0
    printed = capsys.readouterr().out
    assert "| notify, 100 observers |" in printed
    assert "+0%" in printed

    report["rows"]["notify-100"]["contestants"][OURS] |= {"ratio": 0.01, "low": 0.01, "high": 0.01}
    better = tmp_path / "better.json"
    better.write_text(json.dumps(report))
    assert run_program("--from", written, "--compare", better) == 1


def test_program_draws_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, picture = tmp_path / "report.json", tmp_path / "growth.svg"
    little = ("--rounds", "2", "--processes", "1", "--round-ms", "0.2")
    assert run_program("--growth", "--only", "growth-operators-1", *little, "--json", written, "--svg", picture) == 0
    assert [point.size for point in curves(json.loads(written.read_text()))["operators"]] == [1, 10]
    assert "polyline" in picture.read_text()
    assert "per operator" in capsys.readouterr().out


def test_program_names_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program("--list") == 0
    assert capsys.readouterr().out.split() == [row.name for row in ROWS]
    assert run_program("--only", "nothing-like-it") == 2


def test_program_on_uvloop(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uvloop")
    little = ("--rounds", "1", "--processes", "1", "--round-ms", "0.2")
    assert run_program("--uvloop", "--only", "exchange", "--contestant", OURS, *little) == 0
    assert ", uvloop," in capsys.readouterr().out


def test_hanging_contestant_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.timing.PATIENCE", 0.05)

    @asynccontextmanager
    async def make(_size: int) -> AsyncIterator[Job]:
        async def run(_count: int) -> None:
            await asyncio.Event().wait()

        yield Job(run, lambda: 0, 1)

    results = measure(made_up_row(contestant(BOUND, one), Contestant("peer", make)), TINY)
    assert "no end within" in results["peer"]["reason"]


def test_page_and_pictures_are_those_of_the_kept_reports() -> None:
    page = PAGE.read_text()
    assert rendered(page) == page, "python -m tests.benchmarks.page puts the reports into the page"
    for path, picture in pictures().items():
        assert path.read_text() == picture


def test_page_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks for 'table'"):
        rendered("words")
