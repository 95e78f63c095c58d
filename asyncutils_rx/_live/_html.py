"""The table of a live view as HTML: the same markup and the same style as the widget's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._pictures._text import clean, clip, for_xml
from ._table import ALARMING, COLUMNS, caption, is_over, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._numbers import Node, Snapshot

__all__ = ["STYLE", "page"]

_NAME_CELLS = 120
_WIDE, _HIGH = 72, 16
_SAMPLES, _FINE = 60, 64
_DEEPEST = 8

# Ink is the page's own, so that the table reads on light and dark pages whatever tells them apart; only accents have
# colours, which read on both.
STYLE = (
    ".arx-live{font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;"
    "overflow-x:auto;max-width:100%;color:inherit}"
    ".arx-live table{border-collapse:collapse;border:0;margin:0;font:inherit;color:inherit;width:auto}"
    ".arx-live tr,.arx-live tbody tr:nth-child(n),.arx-live tbody tr:hover{background:none}"
    ".arx-live th,.arx-live td{border:0;border-bottom:1px solid rgba(128,128,128,.25);padding:2px 7px;"
    "text-align:right;white-space:pre;font:inherit;font-variant-numeric:tabular-nums;color:inherit;background:none;"
    "vertical-align:middle}"
    ".arx-live thead th{border-bottom:1px solid rgba(128,128,128,.7);opacity:.75}"
    ".arx-live th.arx-name,.arx-live td.arx-state{text-align:left}"
    ".arx-live tbody th.arx-name{font-weight:600;max-width:min(40ch,36vw);overflow:hidden;text-overflow:ellipsis}"
    ".arx-live tr.arx-over{opacity:.65}"
    ".arx-live td.arx-zero{opacity:.4}"
    ".arx-live td.arx-bad{color:#e5484d;font-weight:700}"
    ".arx-live td.arx-state::before{content:'';display:inline-block;width:8px;height:8px;border-radius:50%;"
    "margin-right:6px;background:rgba(128,128,128,.6)}"
    ".arx-live td.arx-busy::before{background:#2f9e5b}.arx-live td.arx-failed::before{background:#e5484d}"
    ".arx-live svg{display:block;overflow:visible;max-width:none}"
    ".arx-live polyline{fill:none;stroke:#2f81d8;stroke-width:1.5;stroke-linejoin:round}"
    ".arx-live button{font:inherit;color:inherit;background:none;border:1px solid rgba(128,128,128,.6);"
    "border-radius:4px;padding:0 8px;margin-right:8px;cursor:pointer}"
    ".arx-live .arx-caption{padding:4px 7px;opacity:.75}"
)


def page(snapshot: Snapshot) -> str:
    """Return the table as a fragment of HTML that stands for itself."""
    head = "".join(f"<th>{column}</th>" for column in COLUMNS)
    rows = "".join(f"<tr{' class=arx-over' * is_over(node)}>{''.join(_cells(node))}</tr>" for node in snapshot.nodes)
    return (
        f'<div class="arx-live"><style>{STYLE}</style><table><thead><tr><th class="arx-name">node</th>'
        f'<th class="arx-name">state</th><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f'<div class="arx-caption">{for_xml(caption(snapshot))}</div></div>'
    )


def _cells(node: Node) -> Iterator[str]:
    whole = clean(node.name)
    indent = f' style="padding-left:{7 + 14 * min(node.depth, _DEEPEST)}px"'
    title = f' title="{for_xml(whole)}"'
    yield f'<th class="arx-name"{indent}{title}><bdi dir="ltr">{for_xml(clip(whole, _NAME_CELLS))}</bdi></th>'
    mood = {"notifying": " arx-busy", "publishing": " arx-busy", "failed": " arx-failed"}.get(node.state, "")
    yield f'<td class="arx-state{mood}">{for_xml(node.state)}</td>'
    yield f"<td>{_sparkline(node.recent)}</td>"
    for column, text in zip(COLUMNS, numbers(node), strict=True):
        kind = "arx-zero" if text in {"0", "0.0"} else "arx-bad" if column in ALARMING else ""
        yield f'<td class="{kind}">{text}</td>' if kind else f"<td>{text}</td>"


def _sparkline(recent: Sequence[float]) -> str:
    """Return the history as a line: the latest at the right end, the highest at the top."""
    begin = _SAMPLES - len(recent)
    scale = _FINE / (max(recent, default=0.0) or 1.0)
    points = " ".join([f"{begin + place},{_FINE - int(value * scale)}" for place, value in enumerate(recent)])
    return (
        f'<svg width="{_WIDE}" height="{_HIGH}" viewBox="0 -4 {_SAMPLES} {_FINE + 8}" preserveAspectRatio="none" '
        f'aria-hidden="true"><polyline vector-effect="non-scaling-stroke" points="{points}"/></svg>'
    )
