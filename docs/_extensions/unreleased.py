"""The directive ``unreleased``: the changes that wait for a release, as ``towncrier build --draft`` would list them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]


class Unreleased(SphinxDirective):
    """Lists the fragments in the folder of the changes, by kind."""

    def run(self) -> list[nodes.Node]:
        """Return the parsed fragments."""
        lines = list(draft())
        for line in set(lines):
            self.env.note_dependency(line.source)
        container = nodes.container()
        for fragment in lines:
            self.state.nested_parse(StringList(fragment.text.splitlines(), fragment.source), 0, container)
        return [container]


class Fragment:
    """What is said about one change, and the file that says it."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source


def draft() -> Iterator[Fragment]:
    """Yield the fragments, those of one kind after a line that names it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    for kind in settings["type"]:
        files = sorted((ROOT / settings["directory"]).glob(f"*.{kind['directory']}.md"))
        for position, file in enumerate(files):
            heading = "" if position else f"**{kind['name']}**\n\n"
            first, *rest = file.read_text(encoding="utf-8").strip().splitlines()
            text = "\n".join([f"- {first}", *(f"  {line}" for line in rest)])
            yield Fragment(heading + text, str(file))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("unreleased", Unreleased)
    return {"parallel_read_safe": True}
