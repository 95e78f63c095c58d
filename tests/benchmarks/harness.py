"""Several processes measure each row; what they agree on is the result."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from .model import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .model import Row

__all__ = ["RESULTS", "ROOT", "Settings", "run"]

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "results"
DISTRIBUTIONS = (
    "reactivex",
    "uvloop",
    "py-asyncutils",
    "pyee",
    "blinker",
    "aioreactive",
    "aiostream",
    "streamz",
    "bubus",
    "abxbus",
    "aiochan",
    "trio",
    "anyio",
)
# What makes Python slower, or different, is not inherited.
NOT_INHERITED = (
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONWARNINGS",
    "PYTHONTRACEMALLOC",
    "PYTHONPROFILEIMPORTTIME",
)


class Settings(NamedTuple):
    """How to measure.

    Attributes:
        round_seconds: What one round of one contestant takes, about.
        rounds: Rounds in each process.
        processes: Processes for each row.
        loop: ``asyncio`` or ``uvloop``.
        only: The contestants to measure beside the bound; all, if empty.
    """

    round_seconds: float
    rounds: int
    processes: int
    loop: str = "asyncio"
    only: tuple[str, ...] = ()


def run(rows: Sequence[Row], settings: Settings, tell: Callable[[str], object]) -> dict[str, Any]:
    """Measure rows; return a report, which can be written as JSON.

    Every row is measured once, then every row again, so that what disturbs the machine for a while disturbs one
    figure of each.
    """
    found: dict[str, list[dict[str, Any]]] = {row.name: [] for row in rows}
    errors: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as cache:
        environment = _environment(cache)
        for number in range(settings.processes):
            for row in rows:
                if row.name in errors or (row.kind == "memory" and number):  # what memory holds does not vary
                    continue
                try:
                    found[row.name].append(_in_process(row, settings, environment))
                except RuntimeError as error:
                    errors[row.name] = str(error)
                tell(f"{number + 1}/{settings.processes} {row.name} {_brief(found[row.name], errors.get(row.name))}")
    return {
        **describe(settings),
        "rows": {row.name: _described(row, found[row.name], errors.get(row.name)) for row in rows},
    }


def describe(settings: Settings) -> dict[str, Any]:
    """Return what a figure depends on."""
    return {
        "format": 1,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "loop": settings.loop,
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "system": platform.system()},
        "library": _version("asyncutils-rx"),
        "versions": {name: found for name in DISTRIBUTIONS if (found := _version(name))},
        "settings": {
            "round_seconds": settings.round_seconds,
            "rounds": settings.rounds,
            "processes": settings.processes,
        },
    }


def _environment(cache: str) -> dict[str, str]:
    """Return the environment of the processes, which keep their bytecode in ``cache`` where it may not be beside."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    if environment.pop("PYTHONDONTWRITEBYTECODE", None):
        environment["PYTHONPYCACHEPREFIX"] = cache
    return environment


def _in_process(row: Row, settings: Settings, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.child", row.name]
    command += [str(settings.round_seconds), str(settings.rounds), settings.loop, *settings.only]
    patience = 300 + 100 * settings.round_seconds * settings.rounds
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no end within {patience:g} s") from None
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}")
    results: dict[str, Any] = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    return results


def _described(row: Row, found: list[dict[str, Any]], error: str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"title": row.title, "kind": row.kind, "unit": row.unit, "bound": row.bound}
    if row.curve:
        described |= {"curve": row.curve, "size": row.size}
    if error is not None:
        described["error"] = error
    described["contestants"] = {
        contestant.name: {"less": contestant.less, **_joined([one[contestant.name] for one in found])}
        for contestant in row.contestants
        if found and all(contestant.name in one for one in found)
    }
    return described


def _joined(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what several processes say about one contestant."""
    for result in results:
        if result["status"] != "measured":
            return result
    ratios = [result["ratio"] for result in results]
    span = ratios if len(ratios) > 1 else results[0].get("quartiles", ratios)
    return {
        "status": "measured",
        "value": min(result["value"] for result in results),
        "ratio": median(ratios),
        "low": min(span),
        "high": max(span),
        "rounds": sum(result["rounds"] for result in results),
        **({"imports": results[0]["imports"]} if "imports" in results[0] else {}),
    }


def _brief(found: list[dict[str, Any]], error: str | None) -> str:
    if error is not None:
        return f"FAILED: {error}"
    ours = found[-1].get(OURS, {})
    return f"{ours['ratio']:.2f} x" if "ratio" in ours else str(ours.get("reason", ""))


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
