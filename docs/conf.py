"""How the documentation is built: ``sphinx-build -W docs docs/_build``."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "asyncutils-rx"
author = "the asyncutils-rx maintainers"
project_copyright = "2026, the asyncutils-rx maintainers"
release = version = version_of("asyncutils-rx")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"asyncutils-rx {release}"

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# A class is documented with its __init__'s parameters, which stand in the docstring of the class.
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# An attribute that a docstring lists is not an object of its own as well.
napoleon_use_ivar = True
