"""The command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .harness import Settings, run
from .report import failures, markdown, text
from .rows import ROWS

FULL = Settings(round_seconds=0.01, rounds=30, processes=5)
QUICK = Settings(round_seconds=0.003, rounds=8, processes=1)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    found = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="What the library costs.")
    found.add_argument("--quick", action="store_true", help="within a minute, and not to be trusted to the digit")
    found.add_argument("--only", action="append", default=[], metavar="ROW", help="rows whose names begin so")
    found.add_argument("--contestant", action="append", default=[], metavar="NAME", help="beside the bound, only these")
    found.add_argument("--uvloop", action="store_true", help="measure on uvloop")
    found.add_argument("--processes", type=int, help="processes for each row")
    found.add_argument("--rounds", type=int, help="rounds in each process")
    found.add_argument("--round-ms", type=float, help="milliseconds of CPU time for each round of one contestant")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the report to a file")
    found.add_argument("--from", dest="source", type=Path, metavar="FILE", help="measure nothing, read a report")
    found.add_argument("--markdown", action="store_true", help="print the table as markdown")
    found.add_argument("--list", action="store_true", help="print the names of the rows")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print. Return 1 where something did not add up."""
    options = parser().parse_args(arguments)
    rows = [row for row in ROWS if not options.only or row.name.startswith(tuple(options.only))]
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    if not rows:
        print(f"no row begins with {' or '.join(options.only)}", file=sys.stderr)
        return 2
    report: dict[str, Any]
    if options.source is not None:
        report = json.loads(options.source.read_text())
    else:
        report = run(rows, settings_of(options), lambda said: print(said, file=sys.stderr, flush=True))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(markdown(report) if options.markdown else text(report))
    return 1 if failures(report) else 0


def settings_of(options: argparse.Namespace) -> Settings:
    """Return how to measure."""
    base = QUICK if options.quick else FULL
    return Settings(
        round_seconds=base.round_seconds if options.round_ms is None else options.round_ms / 1000,
        rounds=options.rounds or base.rounds,
        processes=options.processes or base.processes,
        loop="uvloop" if options.uvloop else "asyncio",
        only=tuple(options.contestant),
    )


if __name__ == "__main__":
    sys.exit(main())
