"""The live view where people see it: in the kernel of a notebook, and as a widget in a browser."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from asyncutils_rx import Observable, _live
from asyncutils_rx._live._html import STYLE
from asyncutils_rx.live import Node, Snapshot, watch

pytest.importorskip("aiohttp", reason="it is in the extra 'examples'")
pytest.importorskip("anywidget", reason="it is in the extra 'notebook'")
pytest.importorskip("ipykernel", reason="it is in the extra 'docs'")
pytest.importorskip("nbclient", reason="it is in the extra 'docs'")

from aiohttp import web
from nbclient import NotebookClient
from nbformat import v4

from asyncutils_rx._live._widget import frame
from tests.examples.migration.browser import Tab, chromium, new_tab, running_chromium

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

pytestmark = pytest.mark.timeout(120)
NEEDED = "ASYNCUTILS_RX_NEEDS_BROWSER" in os.environ
in_a_browser = pytest.mark.skipif(
    not NEEDED and chromium() is None, reason="no Chromium on this machine: apt-get install chromium"
)

# In a kernel

CELL = """
import asyncio
from asyncutils_rx import Observable
from asyncutils_rx.live import watch

source = Observable()
even = source.filter(lambda number: number % 2 == 0)
tasks, timers = len(asyncio.all_tasks()), len(asyncio.get_running_loop()._scheduled)
with watch(source, display={display!r}, interval=0.01) as view:
    for number in range(5):
        await source.notify(number)
        await asyncio.sleep(0.02)
print(len(asyncio.all_tasks()) - tasks)
"""
AFTER = """
left = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
print([timer for timer in left if "LiveView" in repr(timer)])
"""


@pytest.fixture(scope="module")
def told() -> list[list[dict[str, Any]]]:
    """What the kernel told, cell by cell."""
    cells = [CELL.format(display=display) for display in ("html", "widget", "auto")] + [AFTER]
    made: Any = v4  # it is not typed
    notebook = made.new_notebook(cells=[made.new_code_cell(cell) for cell in cells])
    messages: list[list[dict[str, Any]]] = [[] for _ in cells]

    class Client(NotebookClient):
        def process_message(self, message: dict[str, Any], cell: Any, index: int) -> Any:
            messages[index].append(message)
            return super().process_message(message, cell, index)

    Client(notebook, kernel_name="python3", timeout=60).execute()
    return messages


def of_type(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [message["content"] for message in messages if message["msg_type"] == kind]


def printed(messages: list[dict[str, Any]]) -> str:
    return "".join(content["text"] for content in of_type(messages, "stream"))


def test_html_is_updated_while_the_cell_runs(told: list[list[dict[str, Any]]]) -> None:
    [first] = of_type(told[0], "display_data")
    updates = of_type(told[0], "update_display_data")
    assert len(updates) >= 5
    identity = first["transient"]["display_id"]
    assert {update["transient"]["display_id"] for update in updates} == {identity}
    assert 'class="arx-live"' in first["data"]["text/html"]
    assert "ended" in updates[-1]["data"]["text/plain"]
    assert updates[-1]["data"]["text/plain"].splitlines()[1].split()[3] == "5"


@pytest.mark.parametrize("cell", [1, 2])
def test_the_widget_is_updated_while_the_cell_runs(told: list[list[dict[str, Any]]], cell: int) -> None:
    [shown] = of_type(told[cell], "display_data")
    model = shown["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert "text/html" in shown["data"]
    frames = [
        content["data"]["state"]["frame"]
        for content in of_type(told[cell], "comm_msg")
        if content["comm_id"] == model and "frame" in content["data"].get("state", {})
    ]
    totals = [row["numbers"][1] for frame in frames for row in frame["rows"] if row["name"] == "Observable"]
    assert totals[0] == "0"
    assert totals[-1] == "5"
    assert sorted(totals) == totals
    assert [frame["ended"] for frame in frames].count(True) == 1


def test_nothing_of_it_survives_the_cell(told: list[list[dict[str, Any]]]) -> None:
    assert [printed(messages) for messages in told] == ["0\n", "0\n", "0\n", "[]\n"]


# In a browser

PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/widget.css">
<body style="margin:0"><div id="place"></div><script type="module">
import widget from "/widget.js";
const listeners = new Set();
window.model = {
  frame: {},
  get(name) { return this[name]; },
  on(event, call) { listeners.add(call); },
  off(event, call) { listeners.delete(call); },
  put(frame) { this.frame = frame; listeners.forEach((call) => call()); },
};
window.leave = widget.render({ model, el: document.querySelector("#place") });
window.listeners = listeners;
</script>"""
NUMBERS = "[...document.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


@asynccontextmanager
async def page_with_widget(devtools: str) -> AsyncGenerator[Tab]:
    script = Path(_live.__file__).with_name("widget.js").read_text(encoding="utf-8")
    files = {"/": (PAGE, "text/html"), "/widget.js": (script, "text/javascript"), "/widget.css": (STYLE, "text/css")}
    app = web.Application()

    async def answer(request: Any) -> Any:
        text, kind = files.get(request.path, ("", "text/plain"))
        return web.Response(text=text, content_type=kind)

    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with new_tab(devtools) as tab:
            await tab.open(f"http://{host}:{port}/", 1000, 400)
            await tab.until("window.leave !== undefined")
            yield tab
            assert tab.complaints == []
    finally:
        await runner.cleanup()


async def put(tab: Tab, snapshot: Snapshot) -> None:
    await tab.run(f"model.put({json.dumps(frame(snapshot))})")


def row(name: str, **changes: Any) -> Node:
    return Node(name, "source", 0, (), 0.0, (), "idle", 0, 0, 0, 0, 0, 0)._replace(**changes)


@in_a_browser
async def test_the_widget_moves_in_a_browser(devtools: str) -> None:
    snapshots: list[Snapshot] = []
    source: Observable[[int]] = Observable()
    even = source.filter(lambda number: number % 2 == 0)
    async with page_with_widget(devtools) as tab:
        with watch(source, display=snapshots.append, interval=0.01):
            for number in range(3):
                await source.notify(number)
                await asyncio.sleep(0.02)
        seen = []
        for snapshot in (snapshots[0], snapshots[-2], snapshots[-1]):
            await put(tab, snapshot)
            seen.append(await tab.run(NUMBERS))
        line = await tab.run("document.querySelector('polyline').getAttribute('points')")
        assert len(line.split()) == len(snapshots[-1].nodes[0].recent)
        assert (
            await tab.run("document.querySelector('.arx-caption span').textContent")
            == f"{snapshots[-1].time:.1f} s, ended"
        )
        assert await tab.run("document.querySelector('button').hidden")
    assert [[cells[0] for cells in rows] for rows in seen] == [["Observable", "filter(<lambda>)"]] * 3
    assert [rows[0][4] for rows in seen] == ["0", "3", "3"]
    assert [rows[1][4] for rows in seen] == ["0", "2", "2"]
    del even


@in_a_browser
async def test_the_widget_takes_no_markup_from_names(devtools: str) -> None:
    name = "<img src=x onerror='document.title=1'></script><b>\u202e"
    async with page_with_widget(devtools) as tab:
        await put(tab, Snapshot(0.0, (row(name, errors=3, state="failed"),)))
        [[shown, state, *_]] = await tab.run(NUMBERS)
        assert shown == "<img src=x onerror='document.title=1'></script><b>\\u202e"
        assert state == "failed"
        assert await tab.run("document.querySelectorAll('tbody img, tbody b').length") == 0
        assert await tab.run("document.querySelector('.arx-bad').textContent") == "3"


@in_a_browser
async def test_the_widget_can_be_held_still(devtools: str) -> None:
    async with page_with_widget(devtools) as tab:
        total = "document.querySelector('tbody tr').cells[4].textContent"
        await put(tab, Snapshot(0.0, (row("a", total=1), row("b"))))
        await tab.run("document.querySelector('button').click()")
        await put(tab, Snapshot(1.0, (row("a", total=2),)))
        assert await tab.run(total) == "1"
        await tab.run("document.querySelector('button').click()")
        assert await tab.run(total) == "2"
        assert await tab.run("document.querySelectorAll('tbody tr').length") == 1
        await tab.run("document.querySelector('button').click()")
        await put(tab, Snapshot(2.0, (row("a", total=3),), ended=True))
        assert await tab.run(total) == "3"


@in_a_browser
async def test_the_widget_lets_its_model_go(devtools: str) -> None:
    async with page_with_widget(devtools) as tab:
        assert await tab.run("listeners.size") == 1
        await tab.run("leave()")
        assert await tab.run("listeners.size") == 0
