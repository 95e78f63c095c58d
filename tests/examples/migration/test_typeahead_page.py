"""The typeahead in a real browser: type, see suggestions, take one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples.conftest import example_environment

from .conftest import program_command

pytest.importorskip("aiohttp", reason="the typeahead needs the extra 'examples'")

from .browser import Tab, chromium, new_tab, running_chromium

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Where it is set, a browser that is missing is a failure: what is never run must not pass for tested.
NEEDED = "ASYNCUTILS_RX_NEEDS_BROWSER" in os.environ
pytestmark = [
    pytest.mark.skipif(
        not NEEDED and chromium() is None, reason="no Chromium on this machine: apt-get install chromium"
    ),
    pytest.mark.timeout(120),
]
DESKTOP = (1280, 800)
PHONE = (390, 844)
NAMES = "[...document.querySelectorAll('#best .name')].map((name) => name.textContent)"
CODES = "[...document.querySelectorAll('#best .code')].map((code) => code.textContent)"
MARKS = "[...document.querySelectorAll('mark')].map((mark) => mark.textContent.toLowerCase())"
STATUS = "document.querySelector('#status').textContent"
CONNECTED = f"{STATUS}.startsWith('Type')"


@contextmanager
def server(*options: str) -> Generator[str]:
    """The server in a process of its own; gives its address, and sees that an interrupt ends it well."""
    with subprocess.Popen(
        program_command("typeahead/typeahead", *options),
        env=example_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None, process.communicate()[1]
            yield found[0]
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=20)
            assert (process.returncode, complaints) == (0, "")
        finally:
            if process.returncode is None:
                process.kill()


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server("--port", "0") as address:
        yield address


async def keep_picture(tab: Tab, name: str) -> bytes:
    """Take a picture, and keep it where somebody wants to look at it."""
    shown = await tab.picture()
    if folder := os.environ.get("ASYNCUTILS_RX_PICTURES"):
        Path(folder, f"{name}.png").write_bytes(shown)  # noqa: ASYNC240  # only where a person asked for it
    return shown


async def looks_right(tab: Tab, width: int) -> None:
    """Nothing sticks out at the sides, and no script complained."""
    sides = "[...document.querySelectorAll('body *')].map((part) => part.getBoundingClientRect())"
    assert await tab.run("document.documentElement.scrollWidth") <= width
    assert await tab.run(f"{sides}.every((box) => box.left >= 0 && box.right <= {width})")
    assert tab.complaints == []


@pytest.mark.parametrize(("width", "height"), [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_page_suggests_what_is_typed(devtools: str, url: str, width: int, height: int) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(url, width, height, phone=width == PHONE[0])
        await tab.until(CONNECTED)
        await keep_picture(tab, f"empty-{width}")
        await tab.type("san f")
        await tab.until(f"{STATUS}.includes('“san f”')")
        names = await tab.run(NAMES)
        assert len(names) == 8
        assert "San Francisco International Airport" in names
        assert set(await tab.run(MARKS)) == {"san f"}
        assert (await keep_picture(tab, f"suggestions-{width}")).startswith(b"\x89PNG")
        await looks_right(tab, width)


async def test_page_takes_what_is_chosen_with_the_keys(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(url, *PHONE, phone=True)
        await tab.until(CONNECTED)
        await tab.type("ZÜR")
        await tab.until(f"{CODES}.includes('ZRH')")
        for _ in range((await tab.run(CODES)).index("ZRH") + 1):
            await tab.press("ArrowDown")
        assert await tab.run("document.querySelector('[aria-selected=true] .code').textContent") == "ZRH"
        await tab.press("Enter")
        assert await tab.run("document.querySelector('#term').value") == "Zurich Airport (ZRH)"
        chosen = await tab.run("[...document.querySelectorAll('#chosen p')].map((line) => line.textContent)")
        assert chosen == ["ZRH", "Zurich Airport", "Zurich, Switzerland"]
        assert await tab.run("document.querySelector('#best').hidden")
        await keep_picture(tab, "chosen")
        await looks_right(tab, PHONE[0])


async def test_page_suggests_the_same_again_after_a_choice(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(url, *DESKTOP)
        await tab.until(CONNECTED)
        for _ in range(2):
            await tab.type("zrh")
            await tab.until(f"{CODES}[0] === 'ZRH'")
            await tab.press("ArrowDown")
            await tab.press("Enter")
            await tab.until("!document.querySelector('#chosen').hidden")
            await tab.run("document.querySelector('#term').select()")
        assert tab.complaints == []


async def test_page_takes_what_is_clicked(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(url, *DESKTOP)
        await tab.until(CONNECTED)
        await tab.type("lhr")
        await tab.until(f"{CODES}[0] === 'LHR'")
        x, y = await tab.run(
            "(({ x, y, width, height }) => [x + width / 2, y + height / 2])"
            "(document.querySelector('#best li').getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        await tab.until("document.querySelector('#chosen .code').textContent === 'LHR'")
        assert await tab.run("document.activeElement.id") == "term"
        assert tab.complaints == []


async def test_page_shows_no_answer_that_was_overtaken(devtools: str) -> None:
    with server("--port", "0", "--latency", "0.5", "--pause", "0") as url:
        async with new_tab(devtools) as tab:
            await tab.open(url, *DESKTOP)
            await tab.until(CONNECTED)
            await tab.run(
                "window.seen = [];"
                "new MutationObserver(() => seen.push(document.querySelector('#status').textContent))"
                ".observe(document.querySelector('#status'), { childList: true }); 0"
            )
            # In one turn of the page, so that no machine is too slow for it.
            await tab.run(
                "for (const text of ['o', 'os', 'osl', 'oslo']) {"
                "  document.querySelector('#term').value = text;"
                "  document.querySelector('#term').dispatchEvent(new Event('input')); } 0"
            )
            await tab.until(f"{STATUS}.includes('“oslo”')")
            assert await tab.run("seen.length") == 1


async def test_page_tells_that_nothing_matches(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(url, *DESKTOP)
        await tab.until(CONNECTED)
        await tab.type("os")
        await tab.until(f"{CODES}.length === 8")
        await tab.type("xyz")
        await tab.until(f"{STATUS} === 'No airport matches “osxyz”.'")
        assert await tab.run("document.querySelector('#best').hidden")
        await keep_picture(tab, "nothing")
        assert tab.complaints == []


async def test_page_folds_the_list_at_escape_and_keeps_the_text(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(url, *DESKTOP)
        await tab.until(CONNECTED)
        await tab.type("os")
        await tab.until(f"{CODES}.length === 8")
        await tab.press("Escape")
        assert await tab.run("document.querySelector('#best').hidden")
        assert await tab.run("document.querySelector('#term').value") == "os"
        assert tab.complaints == []


async def test_page_comes_back_after_the_server_has_gone(devtools: str) -> None:
    async with new_tab(devtools) as tab:
        with server("--port", "0") as url:
            await tab.open(url, *DESKTOP)
            await tab.until(CONNECTED)
        await tab.until(f"{STATUS}.startsWith('The connection was lost')")
        await keep_picture(tab, "lost")
        await tab.type("oslo")
        with server("--port", url.rpartition(":")[2]):
            await tab.until(f"{STATUS}.includes('“oslo”')")
            assert "OSL" in await tab.run(CODES)


async def test_page_can_be_dark(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        await tab.open(url, *DESKTOP)
        await tab.until(CONNECTED)
        background = await tab.run("getComputedStyle(document.documentElement).backgroundColor")
        assert all(int(part) < 64 for part in re.findall(r"\d+", background)[:3])
        await tab.type("reyk")
        await tab.until(f"{CODES}.includes('RKV')")
        await tab.press("ArrowDown")
        await keep_picture(tab, "dark")
        await looks_right(tab, DESKTOP[0])
