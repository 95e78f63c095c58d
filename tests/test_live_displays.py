"""Where a live view is shown: the tables as text, HTML and by rich, and which of them is chosen."""

from __future__ import annotations

import io
import re
import sys
from contextlib import suppress
from copy import copy
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from asyncutils_rx import Observable
from asyncutils_rx._live import _displays, _notebook
from asyncutils_rx._live._displays import Text, opened
from asyncutils_rx._live._html import page
from asyncutils_rx._live._notebook import Html, Marimo
from asyncutils_rx._live._table import laid_out, table
from asyncutils_rx.exceptions import MissingExtraError
from asyncutils_rx.live import Node, Snapshot, watch

with suppress(ImportError):
    import anywidget  # noqa: F401  # before the fakes below stand where what it imports is

HOSTILE = "<script>alert(1)</script> & \"double\" 'single' \u202ereversed\n\x1b[31mred 🎉 مرحبا"


def node(name: str = "Observable", **changes: Any) -> Node:
    return Node(name, "source", 0, (), 0.0, (), "idle", 0, 0, 0, 0, 0, 0)._replace(**changes)


SNAPSHOT = Snapshot(
    12.34,
    (
        node(rate=123.4, recent=(0.0, 50.0, 100.0), state="notifying", total=1234, running=2, queued=3, buffered=4),
        node("filter(is_even)", depth=1, rate=61.7, total=617, errors=5, dropped=6, state="failed"),
        node(HOSTILE, depth=30, state="closed"),
    ),
    missing=7,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# Text


def test_table_shows_the_numbers() -> None:
    lines = table(SNAPSHOT).splitlines()
    assert lines[0].split() == ["state", "per", "s", "total", "running", "queued", "buffered", "errors", "dropped"]
    assert lines[1].split() == ["Observable", "notifying", "123", "1,234", "2", "3", "4", "0", "0", "▁▅█"]
    assert lines[2].split() == ["filter(is_even)", "failed", "61.7", "617", "0", "0", "0", "5", "6"]
    assert lines[-1] == "12.3 s, and 7 more"


def test_table_shows_hostile_names_on_one_line_as_what_can_be_seen() -> None:
    [line] = [line for line in table(SNAPSHOT).splitlines() if "script" in line]
    assert line.isprintable()


@pytest.mark.parametrize("width", [10, 30, 60, 79, 80, 90, 100, 120, 200])
def test_table_is_no_wider_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in table(SNAPSHOT, width).splitlines())


def test_narrow_tables_do_without_histories_and_then_without_states() -> None:
    widths = (120, 105, 104, 87, 86, 5)
    assert [len(laid_out(SNAPSHOT.nodes, width).headings) for width in widths] == [10, 10, 9, 9, 8, 8]
    assert max(map(len, table(SNAPSHOT, 105).splitlines())) == 105


def test_table_is_no_higher_than_the_terminal() -> None:
    lines = table(SNAPSHOT, height=4).splitlines()
    assert len(lines) == 4
    assert lines[-1] == "12.3 s, and 8 more"


def test_table_of_nothing_has_a_heading() -> None:
    assert table(Snapshot(0.0, (), ended=True)).splitlines()[1:] == ["0.0 s, ended"]


def test_text_is_written_over_itself_on_a_terminal() -> None:
    stream = Terminal()
    display = Text(stream)
    display(SNAPSHOT)
    assert "\x1b" not in stream.getvalue()
    display(SNAPSHOT)
    assert stream.getvalue().count(f"\x1b[{len(table(SNAPSHOT).splitlines())}F\x1b[J") == 1


def test_text_is_written_at_the_end_elsewhere() -> None:
    stream = io.StringIO()
    display = Text(stream)
    display(SNAPSHOT)
    assert stream.getvalue() == ""
    display(SNAPSHOT._replace(ended=True))
    assert stream.getvalue() == table(SNAPSHOT._replace(ended=True)) + "\n"


def test_text_fits_the_size_of_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sized(Terminal):
        def fileno(self) -> int:
            return 1

    monkeypatch.setattr(_displays, "get_terminal_size", lambda _: (60, 4))
    stream = Sized()
    Text(stream)(SNAPSHOT)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 60 for line in lines)


# HTML


def test_html_is_well_formed_and_escaped() -> None:
    fragment = page(SNAPSHOT)
    root = ET.fromstring(re.sub(r" class=([\w-]+)(?=>)", r' class="\1"', fragment))
    texts = [cell.text for cell in root.iter("bdi")]
    assert texts[:2] == ["Observable", "filter(is_even)"]
    assert texts[2] is not None
    assert texts[2].startswith("<script>alert(1)</script> & \"double\" 'single' \\u202ereversed\\n\\x1b[31mred")
    assert "<script" not in fragment


def test_html_marks_what_is_bad_and_what_is_over() -> None:
    fragment = page(SNAPSHOT)
    assert fragment.count('class="arx-bad"') == 2
    assert fragment.count("arx-failed") == 1 + fragment.count("td.arx-failed")
    assert fragment.count("<tr class=arx-over>") == 2


def test_html_draws_the_history() -> None:
    [points] = re.findall(r'points="([^"]+)"', page(SNAPSHOT))
    assert points == "57,64 58,32 59,0"


# rich


def test_rich_shows_the_table_and_keeps_it_in_place() -> None:
    console_module = pytest.importorskip("rich.console")
    from asyncutils_rx._live._rich import Rich

    out = Terminal()
    display = Rich(console_module.Console(file=out, width=120, height=40, force_terminal=True, color_system="standard"))
    display(SNAPSHOT)
    first = out.getvalue()
    display(SNAPSHOT._replace(ended=True, time=99.0))
    second = out.getvalue()[len(first) :]
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", first)
    assert [line.split() for line in plain.splitlines()][1] == [
        "Observable",
        "notifying",
        *("123", "1,234", "2", "3", "4", "0", "0", "▁▅█"),
    ]
    assert re.search(r"\x1b\[1;31m *5", first)
    assert "\x1b[1A" in second
    assert "99.0 s, ended" in second
    assert second.endswith("\x1b[?25h")


def test_rich_takes_no_markup_and_no_escapes_from_names() -> None:
    console_module = pytest.importorskip("rich.console")
    from asyncutils_rx._live._rich import Rich

    out = io.StringIO()
    display = Rich(console_module.Console(file=out, width=200, force_terminal=False))
    snapshot = Snapshot(0.0, (node("[red]a[/red] \x1b[2J"),))
    display(snapshot)
    assert out.getvalue() == ""
    display(snapshot._replace(ended=True))
    assert "[red]a[/red] \\x1b[2J" in out.getvalue()


def test_rich_cuts_what_the_terminal_has_no_room_for() -> None:
    console_module = pytest.importorskip("rich.console")
    from asyncutils_rx._live._rich import Rich

    out = io.StringIO()
    console = console_module.Console(file=out, width=80, height=10)
    console.print(Rich(console)._table(Snapshot(0.0, tuple(node(str(n)) for n in range(50)))))
    lines = out.getvalue().rstrip("\n").splitlines()
    assert len(lines) == 9
    assert "and 43 more" in lines[-1]


# Which one is chosen


class FakeHandle:
    def __init__(self, journal: list[Any]) -> None:
        self.journal = journal

    def update(self, bundle: Any, *, raw: bool) -> None:
        self.journal.append(("update", raw, sorted(bundle)))


def fake_ipython(monkeypatch: pytest.MonkeyPatch, *, kernel: bool = True) -> list[Any]:
    """Have IPython there, in a kernel or in a terminal; return what is displayed."""
    journal: list[Any] = []

    def display(bundle: Any, *, raw: bool, display_id: bool) -> FakeHandle:
        journal.append(("display", raw, display_id, sorted(bundle)))
        return FakeHandle(journal)

    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    shell = SimpleNamespace(kernel=object()) if kernel else SimpleNamespace()
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]  # a fake
    displays.display = display  # type: ignore[attr-defined]  # a fake
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    return journal


def fake_marimo(monkeypatch: pytest.MonkeyPatch, *, notebook: bool = True) -> list[Any]:
    """Have marimo there, in a notebook or not; return what is put out."""
    shown: list[Any] = []
    marimo = ModuleType("marimo")
    marimo.running_in_notebook = lambda: notebook  # type: ignore[attr-defined]  # a fake
    marimo.output = SimpleNamespace(replace=shown.append)  # type: ignore[attr-defined]  # a fake
    marimo.Html = lambda text: ("html", text)  # type: ignore[attr-defined]  # a fake
    marimo.ui = SimpleNamespace(anywidget=lambda widget: ("widget", widget))  # type: ignore[attr-defined]  # a fake
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    return shown


@pytest.fixture(autouse=True)
def nothing_special(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPython", "marimo"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_html_is_displayed_once_and_then_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = fake_ipython(monkeypatch)
    display = opened("html")
    assert type(display) is Html
    display(SNAPSHOT)
    display(SNAPSHOT)
    types = ["text/html", "text/plain"]
    assert journal == [("display", True, True, types), ("update", True, types)]


def test_html_in_marimo_replaces_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = fake_marimo(monkeypatch)
    display = opened("auto")
    assert type(display) is Marimo
    display(SNAPSHOT)
    assert shown == [("html", page(SNAPSHOT))]


@pytest.mark.parametrize(("installed", "chosen"), [(True, "widget"), (False, "html")])
def test_auto_in_a_kernel_is_a_widget_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, installed: bool, chosen: str
) -> None:
    fake_ipython(monkeypatch)
    monkeypatch.setattr(_displays, "find_spec", lambda _: object() if installed else None)
    assert _displays._found() == chosen


@pytest.mark.parametrize(("installed", "chosen"), [(True, "rich"), (False, "text")])
@pytest.mark.parametrize("ipython", [True, False])
def test_auto_on_a_terminal_is_rich_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: bool, chosen: str, ipython: bool
) -> None:
    if ipython:
        fake_ipython(monkeypatch, kernel=False)
        fake_marimo(monkeypatch, notebook=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(_displays, "find_spec", lambda _: object() if installed else None)
    assert _displays._found() == chosen


async def test_auto_elsewhere_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    source: Observable[[int]] = Observable()
    with watch(source):
        await source.notify(1)
    assert stream.getvalue().splitlines()[1].split()[3] == "1"


def test_rich_is_shown_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    display = opened("rich")
    assert display is not None
    display(SNAPSHOT)
    display(SNAPSHOT._replace(ended=True))
    assert "filter(is_even)" in stream.getvalue()


def test_a_stream_a_function_and_nothing_can_be_passed() -> None:
    assert type(opened(io.StringIO())) is Text
    assert opened(print) is print
    assert opened(None) is None


@pytest.mark.parametrize(
    ("display", "module", "extra"),
    [("html", "IPython.display", "notebook"), ("widget", "anywidget", "notebook"), ("rich", "rich.console", "cli")],
)
def test_a_missing_extra_is_named_at_the_call(
    monkeypatch: pytest.MonkeyPatch, display: Any, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=re.escape(f"pip install 'asyncutils-rx[{extra}]'")):
        watch(Observable(), display=display)


async def test_a_view_shows_itself_as_the_last_line_of_a_cell() -> None:
    source: Observable[[int]] = Observable()
    with watch(source, display=None) as view:
        await source.notify(1)
        assert set(view._repr_mimebundle_()) == {"text/html", "text/plain"}
    bundle = view._repr_mimebundle_()
    assert bundle["text/html"] == page(view.snapshot())
    assert bundle["text/plain"] == f"{view!r}\n{table(view.snapshot())}"
    assert set(view._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(view._repr_mimebundle_(exclude={"text/plain"})) == {"text/html"}


def test_no_shell_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _notebook.is_kernel()
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: None  # type: ignore[attr-defined]  # a fake
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not _notebook.is_kernel()


# The widget


def test_the_widget_gets_each_frame_and_is_shown_with_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anywidget")
    journal = fake_ipython(monkeypatch)
    display: Any = opened("widget")
    for snapshot in (SNAPSHOT, SNAPSHOT, SNAPSHOT._replace(ended=True)):
        display(snapshot)
    assert [entry[0] for entry in journal] == ["display", "update"]
    assert journal[0][3] == ["application/vnd.jupyter.widget-view+json", "text/html", "text/plain"]
    frame = display._widget.frame
    assert (frame["ended"], frame["caption"]) == (True, "12.3 s, ended, and 7 more")
    assert frame["rows"][0]["recent"] == [0.0, 50.0, 100.0]
    display._widget.close()


def test_the_widget_is_put_out_in_marimo(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anywidget")
    shown = fake_marimo(monkeypatch)
    display: Any = opened("widget")
    display(SNAPSHOT)
    display(SNAPSHOT)
    assert shown == [("widget", display._widget)]
    display._widget.close()


def test_the_bundle_of_a_widget_may_come_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncutils_rx._live._widget import InIPython

    journal = fake_ipython(monkeypatch)
    bundles: list[Any] = [{"a/b": 1}, ({"a/b": 1}, {})]
    for bundle in bundles:
        InIPython()(SimpleNamespace(_repr_mimebundle_=partial(copy, bundle)), SNAPSHOT)
    assert [entry[3] for entry in journal] == [["a/b", "text/html", "text/plain"]] * 2
