"""Pictures as text: operator graphs and marble diagrams, as SVG, as Mermaid and for a terminal.

Pure: descriptions in, text out. What is described, and when, is the business of the rooms that ask for a picture.
"""

from __future__ import annotations
