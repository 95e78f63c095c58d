"""The examples with ``--live``: their pipelines at work, in a terminal and elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .conftest import ROOT, example_command, example_environment

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import RunExample

pytest.importorskip("rich", reason="it is in the extra 'cli'")

STORM = ("--from", "2013-02-08", "--to", "2013-02-10")


def total_of(name: str, printed: str) -> int:
    """What the table says that passed a node."""
    found = re.search(rf"^ *{re.escape(name)} +[\d,.]+ +([\d,]+) ", printed, re.MULTILINE)
    assert found is not None, printed
    return int(found[1].replace(",", ""))


def test_flight_monitor_shows_its_pipeline_at_the_end_where_there_is_no_terminal(run_example: RunExample) -> None:
    plain = run_example("flight_monitor.py", *STORM)
    live = run_example("flight_monitor.py", *STORM, "--live")
    assert (live.returncode, live.stdout) == (0, plain.stdout)
    flights = sum(
        int(count) for count in re.findall(r"^(?:EWR|JFK|LGA) +([\d]+)", live.stdout.replace(",", ""), re.MULTILINE)
    )
    assert total_of("Observable", live.stderr) == flights
    assert total_of("alert.LGA", live.stderr) == 1
    assert "alert LGA: 29% cancelled" in live.stderr
    assert "clear LGA" in live.stderr
    assert f"{flights:,} of {flights:,} flights" in live.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")
def test_flight_monitor_keeps_its_table_in_place_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        example_command("flight_monitor.py", *STORM, "--live", "--speed", "40"),
        env={**example_environment(), "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # it has ended
            pass
        os.close(ours)
    printed = shown.decode()
    assert process.returncode == 0, printed
    assert printed.count("\x1b[?25l") == printed.count("\x1b[?25h") == 1
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", printed)
    totals = [int(total) for total in re.findall(r"^Observable +\w+ +[\d.,]+ +(\d+) ", plain, re.MULTILINE)]
    assert len(totals) > 3
    assert totals == sorted(totals)
    assert totals[-1] > totals[0]
    assert "alert LGA: 29% cancelled" in printed


def test_audit_trail_shows_its_pipeline_and_no_trail(run_example: RunExample, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("for _ in range(50):\n    open(__file__).close()\nprint('done')\n")
    ended = run_example("audit_trail.py", "--live", script)
    assert (ended.returncode, ended.stdout) == (0, "done\n")
    seen = re.search(r"^--- ([\d,]+) audit events seen", ended.stderr, re.MULTILINE)
    assert seen is not None
    assert total_of("audit trail", ended.stderr) == total_of("Observable", ended.stderr) == int(seen[1])
    assert total_of("open", ended.stderr) >= 50
    assert not re.search(r"^ +\d\.\d{3} s ", ended.stderr, re.MULTILINE)


def test_audit_trail_still_writes_its_trail_to_a_file(run_example: RunExample, tmp_path: Path) -> None:
    script, trail = tmp_path / "script.py", tmp_path / "trail.txt"
    script.write_text("open(__file__).close()\n")
    ended = run_example("audit_trail.py", "--live", "--output", trail, script)
    assert ended.returncode == 0
    assert "script.py" in trail.read_text()
    assert re.search(r"^ +\d\.\d{3} s  read ", trail.read_text(), re.MULTILINE)
    assert total_of("open", ended.stderr) >= 1
    assert "audit events seen" not in ended.stderr


@pytest.mark.parametrize(("name", "status"), [("flight_monitor.py", 1), ("audit_trail.py", 2)])
def test_what_is_missing_is_named(tmp_path: Path, name: str, status: int) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError('not here')\n")
    argument = [str(ROOT / "tests" / "__init__.py")] if name == "audit_trail.py" else []
    ended = subprocess.run(
        example_command(name, "--live", *argument),
        env={**example_environment(), "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert ended.returncode == status
    assert "pip install 'asyncutils-rx[cli]'" in ended.stderr
    assert "Traceback" not in ended.stderr
