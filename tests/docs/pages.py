"""Finding and running the code blocks of a page."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<source>.*?)^(?P=fence) *$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        info: The words after the fence.
        source: What it holds.
        line: The line of the page where that begins.
        follows: Whether only blank lines lie between the block before and this one.
    """

    info: str
    source: str
    line: int
    follows: bool


class PageError(AssertionError):
    """A page whose blocks do not do what the page says."""


def pages() -> list[Path]:
    """Return every page whose blocks have to run."""
    docs = ROOT / "docs"
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(docs.glob("*.md")), *sorted(docs.glob("howto/*.md"))]


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    end = 0
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("source")) + 1
        yield Block(match["info"].strip(), match["source"], line, not text[end : match.start()].strip())
        end = match.end()


def run_page(text: str, name: str) -> int:
    """Run the blocks of a page from top to bottom, in one namespace; return how many there were.

    Raises:
        PageError: A block printed something else than the page says, or an output has no block.
        BaseException: What a block raised.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    printed: str | None = None
    with asyncio.Runner(debug=True) as runner:
        for block in blocks(text):
            where = f"{name}:{block.line}"
            if block.info == "python":
                printed = _run(block, where, namespace, runner)
                count += 1
                continue
            if block.info == "pycon":
                _run_doctest(block, where, namespace)
                count += 1
            elif block.info == "text output":
                if printed is None or not block.follows:
                    raise PageError(f"{where}: this output follows no block of code")
                if not doctest.OutputChecker().check_output(block.source, printed, doctest.ELLIPSIS):
                    raise PageError(f"{where}: printed was\n{printed}")
            elif block.info.startswith(("py", "text o")):
                raise PageError(f"{where}: no block is marked {block.info!r}; CONTRIBUTING.md names the marks")
            printed = None
    return count


def _run(block: Block, where: str, namespace: dict[str, Any], runner: asyncio.Runner) -> str:
    out = io.StringIO()
    # The empty lines make the numbers in tracebacks those of the page.
    source = "\n" * (block.line - 1) + block.source
    code = compile(source, where.rpartition(":")[0], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    with contextlib.redirect_stdout(out):
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(eval(code, namespace))
        else:
            exec(code, namespace)
    return out.getvalue()


def _run_doctest(block: Block, where: str, namespace: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(block.source, namespace, where, where, block.line - 1)
    report = io.StringIO()
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.write, clear_globs=False)
    namespace.update(test.globs)
    if failed:
        raise PageError(report.getvalue())
