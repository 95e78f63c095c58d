"""The built documentation in a real browser, on a desktop and on a phone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs.notebooks import notebooks
from tests.docs.pages import ROOT, pages

pytest.importorskip("aiohttp", reason="the extra examples, which brings what drives the browser, is not installed")
pytest.importorskip("myst_nb", reason="the extra docs, which brings what builds the documentation, is not installed")

from tests.examples.migration.browser import chromium, new_tab, running_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDED = "ASYNCUTILS_RX_NEEDS_BROWSER" in os.environ
pytestmark = [
    pytest.mark.skipif(
        not NEEDED and chromium() is None, reason="no Chromium on this machine: apt-get install chromium"
    ),
    pytest.mark.timeout(300),  # one of the tests builds the documentation first
]
DESKTOP, PHONE = 1280, 390
DOCS = ROOT / "docs"
PAGES = ["index", *(str(page.relative_to(DOCS).with_suffix("")) for page in pages() if page.is_relative_to(DOCS))]
PAGES = list(dict.fromkeys([*PAGES, "notebooks/index", *(f"notebooks/{path.stem}" for path in notebooks())]))
PICTURES = "[...document.querySelectorAll('article img')].map((img) => [img.naturalWidth, img.clientWidth])"
TOO_WIDE = """
    [...document.querySelectorAll('article pre')]
        .filter((pre) => pre.scrollWidth > pre.clientWidth)
        .map((pre) => pre.textContent)
"""
COLOUR = """(() => {
    const canvas = document.createElement('canvas');
    const image = document.querySelector('article img');
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const paper = canvas.getContext('2d');
    paper.drawImage(image, 0, 0);
    return [...paper.getImageData(canvas.width / 2, canvas.height - 5, 1, 1).data].slice(0, 3);
})()"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation; notebooks are not run for it, since another test runs them."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-D", "nb_execution_mode=off", str(DOCS), str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert (ended.returncode, ended.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def url(built: Path) -> Iterator[str]:
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(built)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


@pytest.mark.parametrize("page", PAGES)
async def test_page_fits_and_shows_its_pictures(devtools: str, url: str, page: str) -> None:
    written = len(re.findall(r"!\[|```\{image\}", (DOCS / f"{page}.md").read_text()))
    async with new_tab(devtools) as tab:
        for width in (DESKTOP, PHONE):
            await tab.open(f"{url}/{page}.html", width, 900, phone=width == PHONE)
            assert await tab.run("document.documentElement.scrollWidth") <= width
            found = await tab.run(PICTURES)
            assert [sizes for sizes in found if min(sizes) == 0] == []
            assert len(found) >= (1 if page == "index" else written)
            if width == DESKTOP and (page == "tutorial" or page.startswith(("howto/", "notebooks/"))):
                assert await tab.run(TOO_WIDE) == []
        assert tab.complaints == []


@pytest.mark.parametrize(("scheme", "paper"), [("light", [255, 255, 255]), ("dark", [0x16, 0x1B, 0x22])])
async def test_pictures_follow_light_and_dark(devtools: str, url: str, scheme: str, paper: list[int]) -> None:
    async with new_tab(devtools) as tab:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await tab.call("Emulation.setEmulatedMedia", features=features)
        await tab.open(f"{url}/index.html", DESKTOP, 900)
        assert await tab.run(COLOUR) == paper


async def test_pictures_stay_readable_on_a_phone(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(f"{url}/index.html", PHONE, 900, phone=True)
        box = "document.querySelector('article img').getBoundingClientRect()"
        assert await tab.run(f"{box}.width / document.querySelector('article img').naturalWidth") > 0.7


async def test_changes_that_wait_for_a_release_are_listed(devtools: str, url: str) -> None:
    async with new_tab(devtools) as tab:
        await tab.open(f"{url}/changelog.html", DESKTOP, 900)
        shown = await tab.run("document.querySelectorAll('article li').length")
    assert shown == len(list((ROOT / "changelog.d").glob("+*.md")))
