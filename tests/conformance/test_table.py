"""The page says what is true."""

from __future__ import annotations

import pytest

from . import table
from .all_facts import OPERATORS

VERSIONS = ["4.0.4", "4.1.0", "5.1.0", "6.1.0"]


def told() -> list[table.Row]:
    return table.told(table.PAGE.read_text())


def test_table_tells_of_every_operator() -> None:
    assert [(row.operator, row.here) for row in told()] == list(OPERATORS.items())


def test_table_has_a_column_for_each_supported_version() -> None:
    assert [list(row.held) for row in told()] == [VERSIONS] * len(OPERATORS)


def test_table_is_full() -> None:
    """A column that was measured before a fact came to the list is not."""
    assert {row.operator: row.held for row in told()} == {
        row.operator: dict.fromkeys(VERSIONS, row.facts) for row in table.measured()
    }


def test_table_is_what_the_installed_version_gives() -> None:
    if table.INSTALLED not in VERSIONS:
        pytest.skip(f"the page has no column for RxPY {table.INSTALLED}")
    page = table.PAGE.read_text()
    assert table.written(page) == page


def test_every_fact_holds_with_the_installed_version() -> None:
    assert table.main([]) == 0


def test_table_of_a_page_without_one_is_made() -> None:
    page = table.written(f"before\n{table.BEGIN}{table.END}after\n")
    rows = table.told(page)
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert [row.held for row in rows] == [{table.INSTALLED: row.facts} for row in rows]


def test_table_keeps_the_columns_of_other_versions() -> None:
    page = table.written(f"{table.BEGIN}{table.END}").replace(f" {table.INSTALLED} |", " 4.0.0 |")
    rows = table.told(table.written(page))
    assert list(rows[0].held) == ["4.0.0", table.INSTALLED]
    assert table.section(page) != ""
