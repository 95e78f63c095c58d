"""Make the extract of airports that ``typeahead.py`` searches, from the table of the package airportsdata.

Usage::

    pip download --no-deps airportsdata==20260905
    unzip airportsdata-20260905-py3-none-any.whl
    python make_airports.py airportsdata/airports.csv

writes ``airports.csv.gz`` beside this script (or where ``--output`` says): the airports that have an IATA code, in
order of that code. It prints the number of rows and the checksums that ``SOURCE.txt`` records.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTPUT = Path(__file__).with_name("airports.csv.gz")
COLUMNS = ("iata", "name", "city", "subd", "country")


def extract(table: Iterable[dict[str, str]]) -> list[tuple[str, ...]]:
    """Return the airports with an IATA code, in order of it."""
    return sorted(tuple(airport[column] for column in COLUMNS) for airport in table if airport["iata"])


def main(argv: list[str] | None = None) -> int:
    """Make the extract; return the exit status."""
    parser = argparse.ArgumentParser(description="Extract the airports that have an IATA code.")
    parser.add_argument("table", type=Path, help="airports.csv of the package airportsdata")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to write (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        with options.table.open(encoding="utf-8", newline="") as file:
            airports = extract(csv.DictReader(file))
    except OSError as error:
        parser.exit(1, f"{parser.prog}: cannot read the table: {error}\n")
    except KeyError as error:
        parser.exit(1, f"{parser.prog}: {options.table} has no column {error}; is it the table of airports?\n")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(airports)
    made = text.getvalue().encode()
    # No time stamp and no file name, so the same table always gives the same bytes.
    packed = gzip.compress(made, compresslevel=9, mtime=0)
    options.output.write_bytes(packed)
    print(f"{options.output}: {len(airports)} airports, {len(packed)} bytes")
    print(f"sha256 of the file:         {hashlib.sha256(packed).hexdigest()}")
    print(f"sha256 of the CSV inside:   {hashlib.sha256(made).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
