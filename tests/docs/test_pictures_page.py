"""The pictures on the page about pictures are those that its blocks draw."""

from __future__ import annotations

import ast
import os
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from asyncutils_rx.pictures import svg
from tests.docs.pages import ROOT, blocks

PICTURES = {"graph": "readings", "marbles": "tape", "bus": "bus"}


def colourless(picture: str) -> str:
    """Return a picture without its colours: what ends at the same time has them in any order."""
    return re.sub(r'class="c\d"', "", picture)


@pytest.mark.virtual_time
async def test_pictures_on_the_page_are_those_of_its_blocks() -> None:
    """Run with UPDATE_PICTURES=1 to have them drawn anew."""
    page = (ROOT / "docs" / "pictures.md").read_text()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    drawn: dict[str, str] = {}
    for block in blocks(page):
        if block.info == "python":
            code = compile(block.source, "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            result = eval(code, namespace)
            if result is not None:
                await result
            for name, variable in PICTURES.items():
                if name not in drawn and variable in namespace and f"\n{variable}  # the last" in block.source:
                    drawn[name] = svg(namespace[variable])
    assert drawn.keys() == PICTURES.keys()
    for name, picture in drawn.items():
        ET.fromstring(picture)
        path = ROOT / "docs" / "_static" / f"pictures-{name}.svg"
        if "UPDATE_PICTURES" in os.environ:
            path.write_text(picture + "\n")
        assert colourless(path.read_text()) == colourless(picture + "\n")
        assert f"](_static/pictures-{name}.svg)" in page
