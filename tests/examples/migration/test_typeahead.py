"""The typeahead's pipeline, its search, and its connections, without a browser."""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import re
from typing import TYPE_CHECKING, Any, Self

import pytest

pytest.importorskip("aiohttp", reason="the typeahead needs the extra 'examples'")

from aiohttp.test_utils import TestClient, TestServer

from asyncutils_rx import Observable
from tests.examples.conftest import EXAMPLES
from tests.observable_kit import Held, Tally
from tests.support import tick

from .conftest import load_program

if TYPE_CHECKING:
    from pathlib import Path

typeahead = load_program("typeahead/typeahead")
AIRPORTS = typeahead.load()
DATA = EXAMPLES / "migration" / "typeahead" / "data"
SOURCE = (DATA / "SOURCE.txt").read_text(encoding="utf-8")


async def found(term: str) -> tuple[int, list[str]]:
    answer = await typeahead.search(AIRPORTS, 0, term)
    assert answer["term"] == term
    return answer["found"], [suggestion["code"] for suggestion in answer["best"]]


# The search


@pytest.mark.parametrize(
    ("term", "first"),
    [
        ("jfk", "JFK"),
        ("JFK", "JFK"),
        ("zurich", "ZRH"),
        ("zürich", "ZRH"),
        ("ZÜR", "ZRH"),
        ("heathrow", "LHR"),
        ("charles de g", "CDG"),
        ("new  york", "JFK"),
    ],
)
async def test_search_finds_by_code_city_and_name(term: str, first: str) -> None:
    assert (await found(term))[1][0] == first


@pytest.mark.parametrize("term", ["", "z", "xyzzy", "%", "\\"])
async def test_search_finds_nothing_where_nothing_fits(term: str) -> None:
    assert await found(term) == (0, [])


async def test_search_puts_the_code_before_the_city_before_the_name_before_the_rest() -> None:
    number, codes = await found("san")
    places = {airport.suggestion["code"]: airport for airport in AIRPORTS}
    assert number > 300
    assert codes[0] == "SAN"
    assert all(places[code].city.startswith("san") for code in codes)
    ranks = [places[code].rank("ang") for code in (await found("ang"))[1]]
    assert ranks == sorted(ranks)
    assert len(ranks) == typeahead.SHOWN


async def test_search_names_a_place_once() -> None:
    answer = await typeahead.search(AIRPORTS, 0, "zrh")
    assert answer["best"] == [{"code": "ZRH", "name": "Zurich Airport", "place": "Zurich", "country": "CH"}]


# The pipeline


@pytest.mark.virtual_time
async def test_pipeline_asks_once_the_typing_pauses_and_only_for_what_has_changed() -> None:
    asked, answered = Tally(), Tally()

    async def find(term: str) -> str:
        asked(term)
        await asyncio.sleep(0.1)
        return term.upper()

    async with Observable[[str]]() as typed:
        typeahead.suggestions(typed, find, 0.2).subscribe_nowait(answered)
        for text in ("o", "os", "osl", "oslo"):
            await typed.notify(text)
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        await typed.notify("oslo ")
        await asyncio.sleep(1)
        await typed.notify("oslo x")
        await typed.notify("oslo")
        await asyncio.sleep(1)
        assert asked.values == ["oslo"]
        assert answered.values == ["OSLO"]
        await typed.notify("")
    assert answered.values == ["OSLO", ""]


@pytest.mark.virtual_time
async def test_pipeline_cancels_the_search_that_was_overtaken() -> None:
    searches, answered = Held(), Tally()
    async with Observable[[str]]() as typed:
        typeahead.suggestions(typed, searches, 0.2).subscribe_nowait(answered)
        await typed.notify("slow")
        await searches.entered("slow")
        await typed.notify("quick")
        await searches.entered("quick")
        searches.release("slow", "quick")
    assert searches.cancelled == ["slow"]
    assert len(answered.values) == 1


@pytest.mark.virtual_time
async def test_pipeline_goes_on_after_a_search_that_failed(loop_errors: list[dict[str, Any]]) -> None:
    answered = Tally()

    async def find(term: str) -> str:
        if term == "bad":
            raise OSError("the service is down")
        return term

    async with Observable[[str]]() as typed:
        typeahead.suggestions(typed, find, 0.2).subscribe_nowait(answered)
        for text in ("bad", "good"):
            await typed.notify(text)
            await asyncio.sleep(1)
    assert answered.values == ["good"]
    assert [str(context["exception"]) for context in loop_errors] == ["the service is down"]
    loop_errors.clear()


# The connections


class Served:
    """The application on a port of its own, with searches that a test holds and releases."""

    def __init__(self, pause: float = 0.0) -> None:
        self.searches = Held()
        self.app = typeahead.Typeahead(self.find, pause)
        self.client: TestClient[Any, Any] = TestClient(TestServer(self.app.application()))

    async def find(self, term: str) -> dict[str, Any]:
        await self.searches(term)
        return {"term": term, "found": 0, "best": []}

    async def __aenter__(self) -> Self:
        await self.client.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.searches.release()
        await self.client.close()
        assert self.app.sockets == set()

    async def connections_ended(self) -> None:
        async with asyncio.timeout(5):
            while self.app.sockets:
                await tick()


async def test_page_is_served_with_its_style_and_script() -> None:
    async with Served() as served:
        page = await (await served.client.get("/")).text()
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', page):
            assert (await served.client.get(path)).status == 200
        assert (await served.client.get("/page/../typeahead.py")).status == 404


async def test_page_takes_nothing_from_elsewhere() -> None:
    for path in (EXAMPLES / "migration" / "typeahead" / "page").iterdir():
        assert not re.search(r"(src|url\(|import).*https?:", path.read_text(encoding="utf-8"))


async def test_connection_answers_what_is_typed() -> None:
    async with Served() as served, served.client.ws_connect("/typed") as socket:
        served.searches.release()
        await socket.send_str(" oslo ")
        assert await socket.receive_json(timeout=5) == {"term": "oslo", "found": 0, "best": []}


async def test_connections_have_pipelines_of_their_own() -> None:
    async with (
        Served() as served,
        served.client.ws_connect("/typed") as one,
        served.client.ws_connect("/typed") as other,
    ):
        await one.send_str("oslo")
        await served.searches.entered("oslo")
        await other.send_str("bergen")
        await served.searches.entered("bergen")
        served.searches.release()
        assert (await other.receive_json(timeout=5))["term"] == "bergen"
        assert (await one.receive_json(timeout=5))["term"] == "oslo"
        assert served.searches.cancelled == []


async def test_connection_that_ends_takes_its_pipeline_along() -> None:
    async with Served() as served:
        socket = await served.client.ws_connect("/typed")
        served.searches.release()
        await socket.send_str("oslo")
        await socket.receive_json(timeout=5)
        assert len(served.app.sockets) == 1
        await socket.close()
        await served.connections_ended()


async def test_connection_that_breaks_during_a_search_ends_quietly(loop_errors: list[dict[str, Any]]) -> None:
    async with Served() as served:
        socket = await served.client.ws_connect("/typed")
        await socket.send_str("oslo")
        await served.searches.entered("oslo")
        assert socket._conn is not None
        assert socket._conn.transport is not None
        socket._conn.transport.abort()
        served.searches.release()
        await served.connections_ended()
        await socket.close()
    assert loop_errors == []


async def test_connection_ignores_what_is_no_text() -> None:
    async with Served() as served, served.client.ws_connect("/typed") as socket:
        served.searches.release()
        await socket.send_bytes(b"oslo")
        await socket.send_str("bergen")
        assert (await socket.receive_json(timeout=5))["term"] == "bergen"
        assert served.searches.started == ["bergen"]


async def test_connection_ends_at_a_message_that_is_too_long() -> None:
    async with Served() as served, served.client.ws_connect("/typed") as socket:
        await socket.send_str("x" * 2000)
        await socket.receive(timeout=5)
        assert socket.close_code == 1009


async def test_connections_are_ended_by_the_end_of_the_server() -> None:
    async with Served() as served:
        socket = await served.client.ws_connect("/typed")
        closing = asyncio.create_task(served.client.server.close())
        await socket.receive(timeout=5)
        assert socket.close_code == 1001
        await closing


# The data


def recorded_checksum(name: str) -> str:
    match = re.search(rf"^([0-9a-f]{{64}})  {re.escape(name)}", SOURCE, re.MULTILINE)
    assert match is not None
    return match[1]


def test_airports_have_the_recorded_checksums() -> None:
    packed = (DATA / "airports.csv.gz").read_bytes()
    assert hashlib.sha256(packed).hexdigest() == recorded_checksum("airports.csv.gz")
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == recorded_checksum("airports.csv (")


def test_airports_are_as_many_as_their_source_says() -> None:
    with gzip.open(DATA / "airports.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    countries = {row["country"] for row in rows}
    assert f"{len(rows):,} of them, in {len(countries)} countries" in " ".join(SOURCE.split())
    assert f"{len(rows):,} airports" in (DATA.parent / "page" / "index.html").read_text(encoding="utf-8")
    assert len({row["iata"] for row in rows}) == len(rows) == len(AIRPORTS)


def test_airports_come_with_their_licence() -> None:
    licence = (DATA / "LICENSE.txt").read_text(encoding="utf-8")
    assert licence.startswith("The MIT License (MIT)")
    assert "Mike Borsetti" in licence


TABLE = """\
"icao","iata","name","city","subd","country","elevation","lat","lon","tz","lid"
"LSZH","ZRH","Zürich Airport","Zürich","Zürich","CH",1416,47.46,8.55,"Europe/Zurich",""
"00AA","","Aero B Ranch Airport","Leoti","Kansas","US",3435,38.7,-101.47,"America/Chicago","00AA"
"ENGM","OSL","Oslo, Gardermoen","Oslo","","NO",681,60.19,11.1,"Europe/Oslo",""
"""


def test_make_airports_keeps_those_with_a_code_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_airports = load_program("typeahead/data/make_airports")
    (tmp_path / "airports.csv").write_text(TABLE, encoding="utf-8")
    output = tmp_path / "made.csv.gz"
    assert make_airports.main([str(tmp_path / "airports.csv"), "--output", str(output)]) == 0
    assert gzip.decompress(output.read_bytes()).decode().splitlines() == [
        "iata,name,city,subd,country",
        'OSL,"Oslo, Gardermoen",Oslo,,NO',
        "ZRH,Zürich Airport,Zürich,Zürich,CH",
    ]
    printed = capsys.readouterr().out
    assert "2 airports" in printed
    assert hashlib.sha256(output.read_bytes()).hexdigest() in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read the table"), ("name,city\nx,y\n", "has no column 'iata'")],
)
def test_make_airports_refuses_what_is_no_table_of_airports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    make_airports = load_program("typeahead/data/make_airports")
    if content is not None:
        (tmp_path / "airports.csv").write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        make_airports.main([str(tmp_path / "airports.csv"), "--output", str(tmp_path / "made.csv.gz")])
    assert caught.value.code == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "made.csv.gz").exists()
