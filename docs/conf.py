"""How the documentation is built: ``sphinx-build -W docs docs/_build``."""

from __future__ import annotations

import html
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "asyncutils-rx"
author = "the asyncutils-rx maintainers"
project_copyright = "2026, the asyncutils-rx maintainers"
release = version = version_of("asyncutils-rx")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "unreleased"]
exclude_patterns = ["_build", "_extensions"]

html_theme = "furo"
html_title = f"asyncutils-rx {release}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_css"]
html_css_files = ["site.css", "pages.css"]

# Notebooks are run by each build, and one that fails, fails it. Nothing is kept from one build to the next: what a
# notebook shows depends on the library as much as on its own cells.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180  # seconds for a cell; on a machine with much else to do
nb_merge_streams = True

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# A class is documented with its __init__'s parameters, which stand in the docstring of the class.
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# An attribute that a docstring lists is not an object of its own as well.
napoleon_use_ivar = True

# Observables and buses offer their pictures as Mermaid text too, which is passed over.
suppress_warnings = ["mystnb.unknown_mime_type"]

NOTEBOOKS = "_notebooks"
"""The folder of the build for what is made of the notebooks; beside the build, Sphinx would read it as pages."""


def setup(app: Sphinx) -> None:
    """Place what the notebooks give, and let each page offer its own."""
    app.connect("builder-inited", place_notebooks, priority=900)
    app.connect("doctree-read", describe_pictures)
    app.connect("html-page-context", offer_notebook)


def place_notebooks(app: Sphinx) -> None:
    """Change where myst-nb puts images and executed notebooks."""
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(Path(app.outdir) / NOTEBOOKS))


def describe_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Give each picture of the library the words that are inside of it, which are not read from a page, and a class."""
    for image in doctree.findall(nodes.image):
        path = Path(app.outdir, NOTEBOOKS, Path(image["uri"]).name)
        if path.suffix != ".svg" or not path.exists():
            continue
        words = re.match(r'<svg [^>]*class="arx"[^>]*aria-label="([^"]*)"', path.read_text())
        if words:
            image["alt"] = html.unescape(words[1])
            image["classes"].append("arx-picture")


def offer_notebook(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Put a link to the executed notebook below the title. It is not written there: Jupyter would show it too."""
    if "kernelspec" in app.env.metadata.get(page, {}):
        link = context["pathto"](f"{NOTEBOOKS}/{page}.ipynb", 1)
        offer = f'<p class="offer"><a href="{link}" download>Download this notebook</a>, run, for Jupyter</p>'
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{offer}", 1)
