"""Every notebook runs, in a kernel, and shows what it showed when somebody last looked at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.notebooks import FOLDER, SHOWN, VARIES, code_cell, notebooks, run, shown
from tests.docs.pages import ROOT

reason = "the extra docs, which brings what runs notebooks, is not installed"
jupytext = pytest.importorskip("jupytext", reason=reason)
v4 = pytest.importorskip("nbformat", reason=reason).v4
for module in ("nbclient", "ipykernel", "matplotlib"):
    pytest.importorskip(module, reason=reason)

every_notebook = pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)


@pytest.mark.timeout(300)  # seconds, where the machine has much else to do; one takes some ten
@every_notebook
def test_notebook_runs_and_shows_what_it_did(path: Path) -> None:
    """Run with UPDATE_NOTEBOOKS=1 to have noted what is shown now, and read the difference."""
    found = shown(run(jupytext.read(path), FOLDER))
    noted = SHOWN / f"{path.stem}.txt"
    if "UPDATE_NOTEBOOKS" in os.environ:
        noted.write_text(found)
    assert found == noted.read_text()


@every_notebook
def test_notebook_shows_nothing_of_this_machine(path: Path) -> None:
    noted = (SHOWN / f"{path.stem}.txt").read_text()
    assert [word for word in (" at 0x", str(ROOT), str(Path.home()), "site-packages") if word in noted] == []


@every_notebook
@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["check", "format"])
def test_notebook_is_written_as_the_rest_is(path: Path, command: list[str]) -> None:
    ruff = shutil.which("ruff", path=Path(sys.executable).parent) or pytest.skip("ruff is not installed")
    name = path.with_suffix(".ipynb").relative_to(ROOT)
    # A longer line would have to be pushed sideways on the page.
    call = [ruff, *command, "--quiet", "--no-cache", "--config=line-length=78", "--stdin-filename", str(name), "-"]
    judged = subprocess.run(
        call, input=json.dumps(jupytext.read(path)), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_notebook_is_in_the_index() -> None:
    assert {path.stem for path in notebooks()} == {path.stem for path in FOLDER.glob("*.md")} - {"index"}


def notebook_of(*sources: str) -> Any:
    return v4.new_notebook(cells=[code_cell(source) for source in sources])


def test_run_tells_what_a_notebook_leaves(tmp_path: Path) -> None:
    cells = ("import asyncio\nleft = asyncio.create_task(asyncio.sleep(60), name='nobody ends me')",)
    with pytest.raises(AssertionError, match="nobody ends me"):
        run(notebook_of(*cells), tmp_path)


def test_run_tells_of_errors_that_nobody_got(tmp_path: Path) -> None:
    cells = (
        "from asyncutils_rx import Observable\nsource = Observable()",
        "late = source.debounce(0.01)\nlate.subscribe_nowait(lambda value: 1 / value)",
        "await source.notify(0)\nawait source.aclose()",
    )
    with pytest.raises(AssertionError, match="division by zero"):
        run(notebook_of(*cells), tmp_path)


def test_run_takes_warnings_for_errors(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="beware"):
        run(notebook_of("import warnings\nwarnings.warn('beware')"), tmp_path)


def test_shown_tells_text_and_pictures(tmp_path: Path) -> None:
    cells = ("print('words')", "from asyncutils_rx import Observable\nObservable()", "hidden = 1")
    found = shown(run(notebook_of(*cells), tmp_path))
    assert found.startswith(">>> print('words')\nwords\n\n>>> Observable()\n[image/svg+xml]\n<Observable")
    assert "hidden" not in found


def test_shown_joins_what_was_printed_in_pieces() -> None:
    cell = code_cell("print(1, flush=True)\nprint(2)")
    cell.outputs = [v4.new_output("stream", name="stdout", text=text) for text in ("1\n", "2\n")]
    assert shown(v4.new_notebook(cells=[cell])) == ">>> print(2)\n1\n2\n"


def test_shown_leaves_out_numbers_that_vary() -> None:
    cell = code_cell("print(x)", metadata={"tags": [VARIES]})
    cell.outputs = [v4.new_output("stream", name="stdout", text="took  1.5 s of 1,000\n")]
    assert shown(v4.new_notebook(cells=[cell])) == ">>> print(x)\ntook # s of #\n"


def test_shown_accepts_no_errors_on_stderr() -> None:
    cell = code_cell("fail()")
    cell.outputs = [v4.new_output("stream", name="stderr", text="beware\n")]
    with pytest.raises(AssertionError, match="beware"):
        shown(v4.new_notebook(cells=[cell]))
