"""Every block of code in the documentation does what the page says."""

from __future__ import annotations

import contextvars
import doctest
import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

import pytest

import asyncutils_rx
from tests.docs.pages import FENCE, ROOT, PageError, pages, run_page

if TYPE_CHECKING:
    from pathlib import Path


def modules() -> list[str]:
    return [info.name for info in pkgutil.walk_packages(asyncutils_rx.__path__, "asyncutils_rx.")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page: Path) -> None:
    run_page(page.read_text(), str(page))


@pytest.mark.parametrize("name", ["asyncutils_rx", *modules()])
def test_docstrings_of_module_run(name: str) -> None:
    module = importlib.import_module(name)
    # The variables that an example sets are not for the tests that follow.
    outcome = contextvars.copy_context().run(doctest.testmod, module, optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_page_links_to_files_that_exist(page: Path) -> None:
    text = re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text()))
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_readme_shows_a_program() -> None:
    assert run_page((ROOT / "README.md").read_text(), "README.md") == 1


def test_blocks_share_a_namespace_and_may_await() -> None:
    page = """
```python
import asyncio
x = 1
```
words
```python
await asyncio.sleep(0)
print(x + 1)
```

```text output
2
```
```pycon
>>> x + 2
3
```
"""
    assert run_page(page, "page") == 3


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("```python\nprint(1)\n```\n```text output\n2\n```\n", "page:5: printed was\n1"),
        ("```pycon\n>>> 1\n2\n```\n", "Expected:\n    2\nGot:\n    1"),
        ("```text output\n2\n```\n", "page:2: this output follows no block of code"),
        ("```python\n```\nwords\n```text output\n```\n", "page:5: this output follows no block of code"),
        ("```python3\n1\n```\n", "page:2: no block is marked 'python3'"),
    ],
)
def test_page_that_says_something_else_fails(page: str, error: str) -> None:
    with pytest.raises(PageError, match=error):
        run_page(page, "page")


def test_block_that_raises_fails_with_the_line_of_the_page() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run_page("words\n\n```python\n1 / 0\n```\n", "page")
    assert (caught.traceback[-1].path, caught.traceback[-1].lineno) == ("page", 3)


def test_output_may_leave_something_out() -> None:
    assert run_page("```python\nprint('took 0.1 s')\n```\n```text output\ntook ... s\n```\n", "page") == 1
