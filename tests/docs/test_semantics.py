"""Each numbered sentence of the page about semantics has its test, which is named after it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SENTENCE = re.compile(r"^\* \*\*([A-Z]\d+)\*\* (.+?)(?=^\*|^$)", re.MULTILINE | re.DOTALL)

TEST = re.compile(r"^(?:async )?def test_([a-z]\d+)_", re.MULTILINE)


def sentences() -> dict[str, str]:
    page = (ROOT / "docs" / "semantics.md").read_text()
    found = SENTENCE.findall(page)
    assert max(Counter(number for number, _ in found).values()) == 1
    assert len(found) == page.count("\n* ")
    return {number: " ".join(text.split()) for number, text in found}


def covered() -> Counter[str]:
    names: Counter[str] = Counter()
    for module in Path(__file__).parent.glob("test_semantics_*.py"):
        for number in re.findall(
            r"^async def test_([a-z]\d+)_|^def test_([a-z]\d+)_", module.read_text(), re.MULTILINE
        ):
            names["".join(number).upper()] += 1
    return names


def test_every_sentence_has_a_test() -> None:
    assert sorted(sentences().keys() - covered().keys()) == []


def test_every_test_has_a_sentence() -> None:
    assert sorted(covered().keys() - sentences().keys()) == []


@pytest.mark.parametrize(("number", "text"), sentences().items())
def test_an_item_is_one_sentence(number: str, text: str) -> None:
    assert text.endswith(".")
    assert re.findall(r"\. ", text) == []


def test_numbers_have_no_gaps() -> None:
    for letter, last in Counter(number[0] for number in sentences()).items():
        assert [number for number in sentences() if number[0] == letter] == [f"{letter}{n}" for n in range(1, last + 1)]
