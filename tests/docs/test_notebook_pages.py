"""What becomes of a notebook when the documentation is built: docs/conf.py, applied to small ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs.notebooks import FOLDER
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("myst_nb", reason="the extra docs, which brings what builds the documentation, is not installed")
pytestmark = pytest.mark.timeout(180)  # seconds, where the machine has much else to do; each takes some five

HEADER = (FOLDER / "first_pipeline.md").read_text().partition("\n# ")[0]
CELL = "```{{code-cell}} ipython3\n{}\n```\n"


def build(folder: Path, *cells: str) -> subprocess.CompletedProcess[str]:
    source = folder / "source"
    source.mkdir()
    (source / "index.md").write_text(f"{HEADER}\n# A title\n\n{''.join(map(CELL.format, cells))}")
    call = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", str(ROOT / "docs"), str(source), str(folder / "site")]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_page_of_a_notebook_shows_the_picture_and_offers_the_notebook(tmp_path: Path) -> None:
    built = build(tmp_path, "from asyncutils_rx import Observable\n\nObservable()")
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "index.html").read_text()
    link = re.search(r'<a href="([^"]+)" download>Download this notebook</a>', page)
    assert link is not None
    notebook = json.loads((tmp_path / "site" / link[1]).read_text())
    assert "image/svg+xml" in notebook["cells"][-1]["outputs"][0]["data"]
    picture = re.search(r'<img alt="The operator graph of Observable" class="arx-picture" src="([^"]+)"', page)
    assert picture is not None
    assert (tmp_path / "site" / picture[1]).read_text().startswith("<svg ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site", "source"]  # nothing beside the build


def test_notebook_that_fails_fails_the_build(tmp_path: Path) -> None:
    built = build(tmp_path, "1 / 0")
    assert built.returncode != 0
    assert "ExecutionError" in built.stderr
