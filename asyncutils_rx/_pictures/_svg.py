"""What both kinds of SVG share: the frame, the colours for light and dark, and text that cannot break out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._text import cells, clean, clip, for_xml, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CELL", "COLOURS", "frame", "label", "number", "titled"]

CELL = 7.3
"""The width of one column of text, in pixels at the size of :data:`_SIZE`."""

_SIZE = 12

_LIGHT = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#9a6700", "#bf3989")
_DARK = ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#d29922", "#f778ba")

COLOURS = len(_LIGHT)
"""How many colours there are; the class ``c0`` is the first."""


def _theme(paper: str, ink: str, faint: str, line: str, error: str, colours: Iterable[str]) -> str:
    rules = [
        f".arx .paper{{fill:{paper};stroke:{line}}}",
        f".arx text{{fill:{ink}}}",
        f".arx .faint{{fill:{faint}}}",
        f".arx .line,.arx .head,.arx .none{{stroke:{line}}}.arx .head{{fill:{line}}}",
        f".arx .none{{fill:{line};fill-opacity:.15}}",
        f".arx .error{{stroke:{error};fill:{error};fill-opacity:.15}}.arx .cross{{stroke:{error}}}",
        f".arx text.bad{{fill:{error}}}",
        f".arx .mask{{fill:{paper}}}",
        *(f".arx .c{i}{{stroke:{colour};fill:{colour};fill-opacity:.2}}" for i, colour in enumerate(colours)),
    ]
    return "".join(rules)


_STYLE = (
    ".arx text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;"
    "stroke:none;white-space:pre}"
    ".arx .small{font-size:10px}.arx .strong{font-weight:600}"
    ".arx .line,.arx .cross{fill:none;stroke-width:1.5}.arx .cross{stroke-width:2.5}"
    ".arx .dotted{stroke-dasharray:2 4;stroke-width:1}.arx .thick{stroke-width:2.5}"
    ".arx .mask{stroke:none}"
    + _theme("#ffffff", "#1f2328", "#59636e", "#afb8c1", "#cf222e", _LIGHT)
    + "@media (prefers-color-scheme:dark){"
    + _theme("#161b22", "#e6edf3", "#9198a1", "#59636e", "#ff7b72", _DARK)
    + "}"
)


def frame(width: float, height: float, about: str, parts: Iterable[str]) -> str:
    """Return a whole picture on a paper of its own, so that it reads on a page of any colour."""
    across, down = number(width), number(height)
    inner = f'width="{number(width - 1)}" height="{number(height - 1)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="arx" role="img" aria-label="{for_xml(clean(about))}" '
        f'width="{across}" height="{down}" viewBox="0 0 {across} {down}" style="max-width:100%;height:auto">'
        f'<style>{_STYLE}</style><rect class="paper" x="0.5" y="0.5" {inner} rx="8"/>{"".join(parts)}</svg>'
    )


def number(value: float) -> str:
    """Return a coordinate, no more precise than can be seen."""
    return f"{value:.1f}".removesuffix(".0")


def label(x: float, y: float, text: str, width: int, kind: str = "", anchor: str = "middle") -> str:
    """Return text of at most ``width`` columns; the whole of it is a tooltip where something had to go.

    Args:
        x: Where it is anchored.
        y: Its base line.
        text: Any text.
        width: In columns.
        kind: Classes.
        anchor: ``"start"``, ``"middle"`` or ``"end"``.
    """
    whole = clean(text)
    shown = clip(whole, width)
    # The width of anything but plain letters depends on the fonts that are there, so it is held to what was planned.
    size = 10 if "small" in kind else _SIZE
    length = "" if is_plain(shown) else f' textLength="{number(cells(shown) * CELL * size / _SIZE)}"'
    adjust = ' lengthAdjust="spacingAndGlyphs"' if length else ""
    classes = f' class="{kind}"' if kind else ""
    drawn = (
        f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" direction="ltr"{classes}{length}{adjust}>'
        f"{for_xml(shown)}</text>"
    )
    return drawn if shown == whole else titled(drawn, whole)


def titled(drawn: str, text: str) -> str:
    """Return what is drawn with a tooltip."""
    return f"<g><title>{for_xml(clean(text))}</title>{drawn}</g>"
