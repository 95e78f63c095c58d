"""The page about errors and the module of the errors tell the same."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from asyncutils_rx import exceptions
from tests.docs.pages import ROOT


class Row(NamedTuple):
    error: str
    builtin: str
    when: str
    remedy: str


def rows() -> list[Row]:
    lines = re.findall(r"^\| *`.*\|$", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    return [Row(*(cell.strip().strip("`") for cell in line.strip("|").split(" | "))) for line in lines]


def test_errors_page_lists_every_error_in_the_order_of_the_tree() -> None:
    assert [row.error for row in rows()] == re.findall(r"^class (?!_)(\w+)\(", source(), re.MULTILINE)


def source() -> str:
    return Path(exceptions.__file__).read_text()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.error)
def test_errors_page_tells_when_and_what_to_do(row: Row) -> None:
    assert row.when
    assert row.remedy


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.error)
def test_errors_page_names_the_builtin_that_the_error_is(row: Row) -> None:
    error = getattr(exceptions, row.error)
    also = [base for base in error.__mro__ if base.__module__ == builtins.__name__]
    fitting = [base.__name__ for base in also if base not in (Exception, BaseException, object)]
    expected = "Exception" if row.error == "AsyncutilsRxError" else fitting[0] if fitting else ""
    assert row.builtin == expected
