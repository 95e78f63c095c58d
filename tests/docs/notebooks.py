"""Running the notebooks of the documentation, and telling what they show."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "docs" / "notebooks"
SHOWN = ROOT / "tests" / "docs" / "shown"

VARIES = "varies"
"""The tag of a cell that shows times or rates: its numbers and curves are not compared."""

BEFORE = """\
import asyncio, sys, warnings

_loop_errors = []
_loop = asyncio.get_running_loop()
asyncio.constants.DEBUG_STACK_DEPTH = 1  # a notebook that notifies thousands of times would spend its time on stacks
_loop.set_debug(True)
_loop.slow_callback_duration = 60  # the kernel imports matplotlib on the loop
_loop.set_exception_handler(lambda loop, context: _loop_errors.append(context))
sys.unraisablehook = lambda unraisable: _loop_errors.append(unraisable)
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "InlineBackend", DeprecationWarning)  # of matplotlib-inline
"""
"""Runs first. asyncio's debug mode is not for the whole kernel, whose shutdown does not stand it."""

AFTER = """\
import gc

gc.collect()
await asyncio.sleep(0)
for _task in asyncio.all_tasks() - {asyncio.current_task()}:
    if "ipykernel" not in _task.get_coro().cr_code.co_filename:
        print("task:", _task)
for _timer in _loop._scheduled:
    if not _timer._cancelled and "asyncutils_rx" in repr(_timer):
        print("timer:", _timer)
for _problem in _loop_errors:
    print("reported:", _problem)
_loop.set_debug(False)
warnings.resetwarnings()
"""
"""Runs last, and prints what is left and what was reported."""


def notebooks() -> list[Path]:
    """Return the notebooks, in the order in which the index lists them."""
    index = (FOLDER / "index.md").read_text()
    listed = index.partition("{toctree}")[2].partition("```")[0].split()
    return [FOLDER / f"{name}.md" for name in listed if not name.startswith(":") and not name[0].isdigit()]


def run(notebook: Any, folder: Path) -> Any:
    """Run a notebook in a kernel of its own, and return it with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
        AssertionError: Something was left or reported.
    """
    import nbclient

    cells = notebook.cells
    notebook.cells = [code_cell(BEFORE), *cells, code_cell(AFTER)]
    nbclient.NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(folder)}}).execute()
    left = notebook.cells[-1].outputs
    notebook.cells = cells
    assert not left, left[0].get("text", left[0])
    return notebook


def shown(notebook: Any) -> str:
    """Return what the cells of a notebook that ran show, as text."""
    parts: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.outputs:
            heading = next(line for line in reversed(cell.source.splitlines()) if line.strip())
            outputs = "\n".join(_outputs(cell))
            parts.append(f">>> {heading}\n{outputs}\n")
    return "\n".join(parts)


def _outputs(cell: Any) -> Iterator[str]:
    varies = VARIES in cell.metadata.get("tags", ())
    # What a cell prints comes in as many pieces as the kernel sees fit.
    for is_stream, pieces in groupby(cell.outputs, lambda output: output.output_type == "stream"):
        outputs = list(pieces)
        if is_stream:
            printed = [output.text for output in outputs]
            assert {output.name for output in outputs} == {"stdout"}, printed
            yield _comparable("".join(printed).rstrip("\n"), varies=varies)
            continue
        for output in outputs:
            yield from (f"[{kind}]" for kind in output.data if kind.startswith("image/"))
            text = re.sub(r" at 0x\w+>", ">", output.data["text/plain"])
            if text.startswith("<Tape of "):
                text = "\n".join(_without_times(text))
            yield _comparable(text, varies=varies)


def _comparable(text: str, *, varies: bool) -> str:
    return re.sub(r" *(\d+(,\d+)*(\.\d+)?|[▁-█]+)", " #", text) if varies else text


def _without_times(tape: str) -> Iterator[str]:
    """Yield what happened on each line of a recording, in order."""
    heading, *moments = tape.splitlines()
    yield heading
    lines: dict[str, list[str]] = {}
    for when in moments:
        for happened in re.sub(r"^ *[\d.]+ \w+  ", "", when).split("  |  "):
            label, _, what = happened.partition(": ")
            lines.setdefault(label, []).append(what)
    yield from (f"{label}: {', '.join(lines[label])}" for label in sorted(lines))


def code_cell(source: str, **more: Any) -> Any:
    """Return a cell."""
    v4: Any = import_module("nbformat.v4")
    return v4.new_code_cell(source, **more)
