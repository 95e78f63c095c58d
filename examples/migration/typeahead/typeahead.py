"""Suggest airports while somebody types: a web page, a WebSocket, and one pipeline for each connection.

Every keystroke is a notification. What is left of them after ``debounce`` and ``at_change`` is searched for;
``map_async(mode="latest")`` cancels the search whose term has been overtaken, so that no late answer replaces a newer
one. When the browser goes away, leaving the context ends the pipeline.

Usage::

    pip install -e '.[examples]'
    python examples/migration/typeahead/typeahead.py --port 8080

and open http://127.0.0.1:8080/. ``--latency 1`` makes the searches so slow that being overtaken can be seen.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import unicodedata
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from aiohttp import WSCloseCode, WSMsgType, web

from asyncutils_rx import Observable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

HERE = Path(__file__).parent
SHOWN = 8
SHORTEST = 2


class Suggestion(TypedDict):
    """An airport, as the page shows it."""

    code: str
    name: str
    place: str
    country: str


class Answer(TypedDict):
    """What the page is sent for a term: how many airports match, and the best of them."""

    term: str
    found: int
    best: list[Suggestion]


class Airport(NamedTuple):
    """An airport, with its words as they are searched."""

    suggestion: Suggestion
    city: str
    words: str

    def rank(self, term: str) -> int | None:
        """How well it fits, 0 best; None where it does not."""
        tests = self.suggestion["code"].lower() == term, self.city.startswith(term), f" {term}" in self.words
        fitting = (rank for rank, passed in enumerate((*tests, term in self.words)) if passed)
        return next(fitting, None)


def folded(text: str) -> str:
    """Text as it is compared: no case, no accents."""
    marks = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(mark for mark in marks if not unicodedata.combining(mark)).split())


def load() -> list[Airport]:
    """Read the airports, in order of name."""
    with gzip.open(HERE / "data" / "airports.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["name"], row["iata"]))
    return [
        Airport(
            Suggestion(
                code=row["iata"],
                name=row["name"],
                place=", ".join(dict.fromkeys(filter(None, (row["city"], row["subd"])))),
                country=row["country"],
            ),
            folded(row["city"]),
            " " + folded(" ".join((row["name"], row["city"], row["subd"], row["iata"]))),
        )
        for row in rows
    ]


async def search(airports: Sequence[Airport], latency: float, term: str) -> Answer:
    """Find the airports that fit a term; take as long as a distant service would."""
    await asyncio.sleep(latency)
    wanted = folded(term)
    ranked = [(rank, airport) for airport in airports if (rank := airport.rank(wanted)) is not None]
    if len(wanted) < SHORTEST:
        ranked.clear()
    ranked.sort(key=lambda pair: pair[0])
    return Answer(term=term, found=len(ranked), best=[airport.suggestion for _, airport in ranked[:SHOWN]])


def suggestions(
    typed: Observable[[str]], find: Callable[[str], Awaitable[Answer]], pause: float
) -> Observable[[Answer]]:
    """Answer what is typed, once the typing pauses, if it has changed by then, and only the latest of it."""
    terms: Observable[[str]] = typed.map(lambda text: ((text.strip(),), {}))
    return terms.debounce(pause).at_change().map_async(find, mode="latest")


class Typeahead:
    """The page, and the connections that it opens."""

    def __init__(self, find: Callable[[str], Awaitable[Answer]], pause: float) -> None:
        self.find = find
        self.pause = pause
        self.sockets: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """What aiohttp serves."""
        app = web.Application()
        app.router.add_get("/", self.page)
        app.router.add_get("/typed", self.converse)
        app.router.add_static("/page", HERE / "page")
        app.on_shutdown.append(self.say_goodbye)
        return app

    async def page(self, _: web.Request) -> web.FileResponse:
        """Send the page."""
        return web.FileResponse(HERE / "page" / "index.html")

    async def converse(self, request: web.Request) -> web.WebSocketResponse:
        """Answer what is typed, until either side ends the connection."""
        socket = web.WebSocketResponse(heartbeat=30, max_msg_size=1024)
        await socket.prepare(request)
        self.sockets.add(socket)

        async def send(answer: Answer) -> None:
            with suppress(ConnectionResetError):  # whoever asked may have gone while the search went on
                await socket.send_json(answer)

        try:
            async with Observable[[str]]() as typed:
                suggestions(typed, self.find, self.pause).subscribe_nowait(send)
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        await typed.notify(message.data)
        finally:
            self.sockets.discard(socket)
            await socket.close()
        return socket

    async def say_goodbye(self, _: web.Application) -> None:
        """End every connection; its pipeline ends with it."""
        for socket in set(self.sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Suggest airports while somebody types.")
    parser.add_argument("--port", type=int, default=8080, help="0 takes any that is free (default: %(default)d)")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds without a key (default: %(default)g)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that a search takes longer")
    options = parser.parse_args()
    typeahead = Typeahead(partial(search, load(), options.latency), options.pause)
    web.run_app(typeahead.application(), host="127.0.0.1", port=options.port, print=partial(print, flush=True))


if __name__ == "__main__":
    main()
