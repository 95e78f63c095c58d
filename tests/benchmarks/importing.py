"""What an import takes: in new processes, in CPU time, once asyncio is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import TYPE_CHECKING, Any

from .model import BOUND, OURS, Contestant, Row
from .timing import Effort, MiscountError, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["import_times"]

# A process for every figure is slow, so there are not as many of them as rounds of anything else.
MOST_ROUNDS = 10

PROGRAM = """
import json, sys, time
first, statement = sys.argv[1:]
exec(first)
start = time.process_time()
exec(statement)
print(json.dumps([time.process_time() - start, "reactivex" in sys.modules]))
"""


def import_times(row: Row, effort: Effort, only: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Time the imports of a row; return what became of each contestant.

    Raises:
        MiscountError: The library cannot be imported, or imports RxPY.
    """
    results: dict[str, dict[str, Any]] = {}
    lanes: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        _rounds(row, effort, only, cache, lanes, results)
    for name, seconds in lanes.items():
        results[name] = _result(seconds, lanes[BOUND])
    return results


def _rounds(
    row: Row,
    effort: Effort,
    only: tuple[str, ...],
    cache: str,
    lanes: dict[str, list[float]],
    results: dict[str, dict[str, Any]],
) -> None:
    # Everybody's bytecode is compiled in the first round, which does not count, and read in the others.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    contestants = [one for one in row.contestants if not only or one.name in (BOUND, *only)]
    for number in range(min((effort.rounds + 1) // 2, MOST_ROUNDS) + 1):
        for contestant in contestants:
            if contestant.name in results:
                continue
            seconds = _one_import(contestant, environment, results)
            if number and seconds is not None:
                lanes.setdefault(contestant.name, []).append(seconds)


def _result(seconds: Sequence[float], reference: Sequence[float]) -> dict[str, Any]:
    ratios = [one / other for one, other in zip(seconds, reference, strict=True)]
    return {
        "status": "measured",
        "value": median(seconds) * 1000,
        "ratio": median(ratios),
        "quartiles": [quantile(ratios, 0.25), quantile(ratios, 0.75)],
        "rounds": len(ratios),
    }


def _one_import(
    contestant: Contestant, environment: dict[str, str], results: dict[str, dict[str, Any]]
) -> float | None:
    first = "" if contestant.name == BOUND else "import asyncio"
    command = [sys.executable, "-c", PROGRAM, first, contestant.statement]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        if contestant.name in (BOUND, OURS):
            raise MiscountError(f"{contestant.name}: {reason}")
        results[contestant.name] = {"status": "skipped", "reason": reason}
        return None
    seconds, imports_rx = json.loads(done.stdout)
    if imports_rx and contestant.name == OURS:
        raise MiscountError(f"{contestant.statement} imports reactivex")
    return float(seconds)
