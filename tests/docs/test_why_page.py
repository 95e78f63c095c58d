"""What the page about other libraries says of them is what they do; as far as they are installed here."""

from __future__ import annotations

import importlib.util
import logging
import re
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

from tests.peers.adapters import PEERS, Peer
from tests.peers.claims import CLAIMS, NAMES, Claim
from tests.peers.page import FACTS, PAGE, ROWS, answered, read

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore")  # of the others' making


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def need(distribution: str) -> None:
    """Skip where the library is not here, or is another version than the page is about."""
    written = written_version(distribution)
    try:
        here = installed_version(distribution)
    except PackageNotFoundError:
        pytest.skip(f"{distribution} is not installed; the extra bench brings it")
    if distribution not in ("asyncutils-rx", "reactivex") and here != written:
        pytest.skip(f"{distribution} is {here} here, and the page is about {written}")


def written_version(distribution: str) -> str:
    return next(read()[kind.name]["version"] for kind in PEERS if kind.distribution == distribution)


def text() -> str:
    return " ".join(PAGE.read_text().split())


def test_table_has_every_library_and_every_question() -> None:
    columns = read()
    assert list(columns) == [kind.name for kind in PEERS]
    assert all(list(column) == [*FACTS, *ROWS] and all(column.values()) for column in columns.values())


@pytest.mark.parametrize("kind", PEERS, ids=lambda kind: kind.name)
def test_text_names_the_version_of_the_table(kind: type[Peer]) -> None:
    if kind.name != "asyncutils-rx":
        written = re.findall(rf"\[{re.escape(kind.name)}\]\([^)]*\)\*\* \(([\d.]+)\)", text())
        assert written == [read()[kind.name]["version"]]


@pytest.mark.parametrize("kind", PEERS, ids=lambda kind: kind.name)
def test_text_tells_how_each_was_run(kind: type[Peer]) -> None:
    assert f"* {kind.name}: {kind.how}" in PAGE.read_text().splitlines()


@pytest.mark.parametrize("kind", PEERS, ids=lambda kind: kind.name)
async def test_table_says_what_the_library_does(kind: type[Peer]) -> None:
    need(kind.distribution)
    written = read()[kind.name]
    found = await answered(kind)
    if kind.name == "RxPY":  # what it needs differs between the versions that are supported
        for row in ("version", "needs Python", "installs"):
            found[row] = written[row]
    assert found == written


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.sentence)
async def test_text_says_what_the_library_does(claim: Claim) -> None:
    assert claim.sentence in text()
    need(claim.distribution)
    assert await claim.holds()


@pytest.mark.parametrize(
    ("distribution", "path"), [(distribution, path) for distribution, paths in NAMES.items() for path in paths]
)
def test_library_has_what_the_text_names(distribution: str, path: str) -> None:
    need(distribution)
    module, _, name = path.partition(":")
    assert importlib.util.find_spec(module) is not None
    assert not name or attrgetter(name)(importlib.import_module(module)) is not None
