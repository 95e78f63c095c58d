"""The pictures on the pages are those that the blocks of these draw; with UPDATE_PICTURES=1 they are drawn anew."""

from __future__ import annotations

import ast
import os
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from asyncutils_rx.pictures import record, svg
from tests.docs.pages import ROOT, blocks

PICTURES = {"graph": "readings", "marbles": "tape", "bus": "bus"}


def colourless(picture: str) -> str:
    """Return a picture without its colours: what ends at the same time has them in any order."""
    return re.sub(r'class="c\d"', "", picture)


def same(picture: str, name: str) -> bool:
    """Whether a picture is the one that is kept; with UPDATE_PICTURES=1, keep it."""
    ET.fromstring(picture)
    path = ROOT / "docs" / "_static" / f"{name}.svg"
    if "UPDATE_PICTURES" in os.environ:
        path.write_text(picture + "\n")
    return colourless(path.read_text()) == colourless(picture + "\n")


async def run_block(source: str, namespace: dict[str, Any]) -> None:
    result = eval(compile(source, "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True), namespace)
    if result is not None:
        await result


@pytest.mark.virtual_time
async def test_pictures_on_the_page_are_those_of_its_blocks() -> None:
    page = (ROOT / "docs" / "pictures.md").read_text()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    drawn: dict[str, str] = {}
    for block in blocks(page):
        if block.info == "python":
            await run_block(block.source, namespace)
            for name, variable in PICTURES.items():
                if name not in drawn and variable in namespace and f"\n{variable}  # the last" in block.source:
                    drawn[name] = svg(namespace[variable])
    assert drawn.keys() == PICTURES.keys()
    for name, picture in drawn.items():
        assert same(picture, f"pictures-{name}")
        assert f"](_static/pictures-{name}.svg)" in page


async def test_picture_in_the_tutorial_is_that_of_its_block() -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.info == "python":
            await run_block(block.source, namespace)
    assert same(namespace["picture"], "tutorial-graph")
    assert "](_static/tutorial-graph.svg)" in page


@pytest.mark.virtual_time
async def test_picture_in_the_readme_is_that_of_its_program_with_a_recorder_around_the_loop() -> None:
    page = (ROOT / "README.md").read_text()
    [program] = [block.source for block in blocks(page) if block.info == "python"]
    recorder = re.findall(r"`(with record\(.*\) as tape:)`", page)[0]
    head, loop = program.removesuffix("\n\n\nasyncio.run(main())\n").split("        for room, celsius in ")
    lines = [f"        {recorder}", *(f"    {line}" for line in f"        for room, celsius in {loop}".splitlines())]
    namespace: dict[str, Any] = {"record": record}
    exec("\n".join([head.rstrip(), *lines, "    return tape"]), namespace)
    assert same(svg(await namespace["main"]()), "readme")
    assert "](docs/_static/readme.svg)" in page
