"""The command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .comparison import changes, told
from .growth import growth_markdown, growth_text
from .harness import RESULTS, Settings, run
from .pictures import growth_picture, table_picture
from .report import failures, markdown, text
from .rows import GROWTH, ROWS

FULL = Settings(round_seconds=0.01, rounds=30, processes=5)
GROWING = Settings(round_seconds=0.01, rounds=20, processes=3)
QUICK = Settings(round_seconds=0.002, rounds=5, processes=1)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    found = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure what the library costs, as a multiple of the best hand-written code for the same job.",
        epilog="The exit status is 1 where a run does not add up, or where --compare finds something worse.",
    )
    found.add_argument("--quick", action="store_true", help="within a minute, and not to be trusted to the digit")
    found.add_argument("--growth", action="store_true", help="the curves instead of the table")
    found.add_argument("--only", action="append", default=[], metavar="ROW", help="rows whose names begin so")
    found.add_argument("--contestant", action="append", default=[], metavar="NAME", help="beside the bound, only these")
    found.add_argument("--uvloop", action="store_true", help="measure on uvloop")
    found.add_argument("--processes", type=int, metavar="N", help="processes for each row")
    found.add_argument("--rounds", type=int, metavar="N", help="rounds in each process")
    found.add_argument("--round-ms", type=float, metavar="MS", help="CPU time for each round of one contestant")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the report to a file")
    found.add_argument("--keep", action="store_true", help="write the report to where the page takes it from")
    found.add_argument("--from", dest="source", type=Path, metavar="FILE", help="measure nothing, read a report")
    found.add_argument("--compare", type=Path, metavar="OLD.json", help="say what became worse since another report")
    found.add_argument("--markdown", action="store_true", help="print the table as markdown")
    found.add_argument("--svg", type=Path, metavar="FILE", help="draw the table, or the curves")
    found.add_argument("--list", action="store_true", help="print the names of the rows")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print; return the exit status."""
    options = parser().parse_args(arguments)
    rows = [
        row
        for row in (GROWTH if options.growth else ROWS)
        if not options.only or row.name.startswith(tuple(options.only))
    ]
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    if not rows:
        print(f"no row begins with {' or '.join(options.only)}; --list lists them", file=sys.stderr)
        return 2
    if options.source is not None:
        report: dict[str, Any] = json.loads(options.source.read_text())
    else:
        report = run(rows, settings_of(options), lambda said: print(said, file=sys.stderr, flush=True))
    return give(report, options)


def give(report: dict[str, Any], options: argparse.Namespace) -> int:
    """Write and print what was asked for; return the exit status."""
    growing = any("curve" in row for row in report["rows"].values())
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.keep:
        python = ".".join(report["python"].split(".")[:2])
        name = f"{'growth-' if growing else ''}{python}-{report['loop']}.json"
        (RESULTS / name).write_text(json.dumps(report, indent=1) + "\n")
    if options.svg is not None:
        options.svg.write_text(growth_picture(report) if growing else table_picture(report))
    if options.markdown:
        print(growth_markdown(report) if growing else markdown(report))
    else:
        print(text(report))
        if growing:
            print("\n" + growth_text(report))
    status = 1 if failures(report) else 0
    if options.compare is not None:
        old = json.loads(options.compare.read_text())
        print("\n" + told(old, report))
        if any(change.worse for change in changes(old, report)):
            status = 1
    return status


def settings_of(options: argparse.Namespace) -> Settings:
    """Return how to measure."""
    base = QUICK if options.quick else GROWING if options.growth else FULL
    return Settings(
        round_seconds=base.round_seconds if options.round_ms is None else options.round_ms / 1000,
        rounds=options.rounds or base.rounds,
        processes=options.processes or base.processes,
        loop="uvloop" if options.uvloop else "asyncio",
        only=tuple(options.contestant),
    )


if __name__ == "__main__":
    sys.exit(main())
