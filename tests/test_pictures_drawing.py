"""Drawing: descriptions in, SVG, Mermaid and plain text out, whatever the labels hold."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncutils_rx._pictures import _graph, _graph_svg, _marbles
from asyncutils_rx._pictures._bundle import MERMAID, PLAIN, SVG, of_graph, of_score
from asyncutils_rx._pictures._graph import KINDS, Edge, Graph, Node, Sketch
from asyncutils_rx._pictures._layout import placed
from asyncutils_rx._pictures._recording import Recording
from asyncutils_rx._pictures._score import AT_THE_END, Line, Mark, Score, columns, moment, unit_of
from asyncutils_rx._pictures._text import cells, clean, clip, for_mermaid

HOSTILE = [
    "<script>alert(1)</script>",
    "\"quotes' & &amp; ]]> <!--",
    "a\nb\tc\x00\x1b[31m",
    "\u202egnp.exe\u202c",
    "שלום עולם",
    "👨‍👩‍👧 🎉",
    "漢字" * 30,
    "Z" + "\u0351" * 40,
    "\ud800",
    "\ufffe",
    "end",
    "",
    "x" * 5000,
]
labels = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters()))


def texts(svg: str) -> list[str]:
    """The texts of a picture; parsing it proves that nothing broke out."""
    root = ET.fromstring(svg.encode())
    found = {element.tag.partition("}")[2] for element in root.iter()}
    assert found <= {"svg", "style", "rect", "path", "text", "g", "title"}
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def titles(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]


def numbers(svg: str, name: str) -> list[float]:
    return [float(found) for found in re.findall(rf' {name}="(-?[\d.]+)"', svg)]


def notes(count: int, *, gap: float = 1.0, line: int = 0) -> list[Mark]:
    return [Mark(line, i * gap, "value", str(i), cause=i + 1) for i in range(count)]


# Text


@given(labels)
def test_clean_text_is_one_visible_line(text: str) -> None:
    shown = clean(text)
    assert all(character.isprintable() or character == "\u200d" for character in shown)
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb", "a\\nb"),
        ("\u202e", "\\u202e"),
        ("\u200d", "\\u200d"),
        ("a\u200d", "a\\u200d"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("e\u0301\u0301\u0301\u0301", "e\u0301\u0301"),
        ("x" * 1001, "x" * 1000 + "…"),
    ],
)
def test_clean_shows_what_cannot_be_seen(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(labels, st.integers(min_value=1, max_value=40))
def test_clipped_text_fits(text: str, width: int) -> None:
    assert cells(clip(clean(text), width)) <= width


def test_clipping_leaves_no_half_of_a_symbol() -> None:
    assert clip("ab👩\u200d👧", 5) == "ab👩…"


@given(labels)
def test_mermaid_text_has_no_character_that_means_something(text: str) -> None:
    safe = for_mermaid(clean(text))
    assert not set(re.sub(r"#\d+;", "", safe)) & set("\"'`<>[]{}|;:#&%\n-")
    assert not re.search(r"(?<!\w)end(?!\w)", safe)


def test_mermaid_text_can_be_read_back() -> None:
    def back(found: re.Match[str]) -> str:
        return chr(int(found[1]))

    assert re.sub(r"#(\d+);", back, for_mermaid('end of <b>"x"</b>')) == 'end of <b>"x"</b>'


# Marbles


@given(st.lists(labels, min_size=1, max_size=4), labels, labels)
def test_marbles_survive_any_label(names: list[str], value: str, error: str) -> None:
    lines = [Line(name) for name in names]
    marks = [Mark(0, 0.1, "value", value), Mark(0, 0.2, "error", error), Mark(0, 0.3, "failed", error)]
    score = Score(lines, marks, 1.0)
    texts(_marbles.svg(score))
    assert "\n" not in "".join(of_score(score, "x")[PLAIN].splitlines()[1:])
    assert len(_marbles.mermaid(score).splitlines()) == 1 + len(names) + 3


@pytest.mark.parametrize("count", [0, 1, 8, 60, 400])
def test_marbles_stay_on_the_paper_and_apart(count: int) -> None:
    svg = _marbles.svg(Score([Line("a")], notes(count), count + 1.0))
    width, height = numbers(svg, "width")[0], numbers(svg, "height")[0]
    pills = re.findall(r'<rect class="c\d" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    assert len(pills) == count
    rows: dict[str, float] = {}
    for x, y, across, down in pills:
        assert float(x) >= rows.get(y, 0.0)
        rows[y] = float(x) + float(across)
        assert rows[y] <= width
        assert float(y) + float(down) <= height
    assert len(rows) == (0 if not count else 1 if count < 20 else len(rows))


def test_marbles_that_come_late_are_further_to_the_right() -> None:
    svg = _marbles.svg(Score([Line("a")], [Mark(0, 1.0, "value", "1"), Mark(0, 9.0, "value", "2")], 10.0))
    first, second = (float(x) for x in re.findall(r'<rect class="none" x="([\d.]+)"', svg))
    assert second - first > 300


def test_marbles_of_one_cause_are_below_each_other_and_of_one_colour() -> None:
    marks = [Mark(0, 0.1, "value", "1", 2), Mark(1, 0.1004, "value", "2", 2)]
    svg = _marbles.svg(Score([Line("a"), Line("b", (0,))], marks, 1.0))
    assert len(set(re.findall(r'<rect class="c1" x="([\d.]+)"', svg))) == 1
    assert "dotted" in svg.partition("</style>")[2]


def test_batch_is_framed_and_cut_short() -> None:
    marks = [Mark(0, 0.1, "value", str(i), 1, 7) for i in range(9)]
    svg = _marbles.svg(Score([Line("a")], marks, 1.0))
    assert texts(svg) == ["a", "0", "1", "2", "3", "+5", "time/s", "0.1"]
    assert titles(svg) == ["  ".join(map(str, range(9)))]


def test_error_stands_beside_the_value_that_caused_it() -> None:
    marks = [Mark(0, 0.1, "value", "4", 1), Mark(0, 0.1, "error", "ValueError: bad", 1)]
    svg = _marbles.svg(Score([Line("a")], marks, 1.0))
    assert texts(svg) == ["a", "4", "ValueError", "time/s", "0.1"]
    assert titles(svg) == ["ValueError: bad"]


def test_error_alone_has_a_place_of_its_own() -> None:
    svg = _marbles.svg(Score([Line("a")], [Mark(0, 0.5, "error", "KeyError")], 1.0))
    assert texts(svg) == ["a", "KeyError", "time/s", "0.5"]


@pytest.mark.parametrize("kind", ["completed", "failed"])
def test_line_ends_where_the_observable_ended(kind: str) -> None:
    ended = Mark(0, 0.5, kind, "OSError: gone" if kind == "failed" else "", AT_THE_END)
    svg = _marbles.svg(Score([Line("a"), Line("b")], [ended, Mark(1, 0.9, "value", "1")], 1.0)).partition("</style>")[2]
    ends = [float(end) for end in re.findall(r'class="line" d="M[\d.]+ [\d.]+H([\d.]+)"', svg)]
    assert ends[0] < ends[1]
    assert svg.count('class="head"') == 1
    assert ("cross" in svg) == (kind == "failed")


def test_line_that_ended_is_not_drawn_in_the_rows_that_follow() -> None:
    marks = [Mark(1, 0.0, "completed", "", AT_THE_END), *notes(60, gap=0.5)]
    svg = _marbles.svg(Score([Line("a"), Line("b")], marks, 40.0))
    assert svg.count('class="line" d=') == texts(svg).count("a") + 1
    assert texts(svg).count("b") == texts(svg).count("a")


def test_times_that_would_overlap_are_left_out() -> None:
    marks = [Mark(0, 0.5 + i / 10_000, "value", "1") for i in range(12)]
    svg = _marbles.svg(Score([Line("a")], marks, 0.6))
    assert 1 <= sum(text.startswith("50") for text in texts(svg)) < 12


def test_picture_tells_how_much_is_missing() -> None:
    score = Score([Line("a")], notes(1), 1.0, missing=3)
    said = "… and 3 more, which were not recorded"
    assert said in texts(_marbles.svg(score))
    assert said in _marbles.text(score)
    assert "and 3 more" in _marbles.mermaid(score)


def test_picture_follows_the_preference_for_light_or_dark() -> None:
    style = _marbles.svg(Score([Line("a")], [], 0.0)).partition("</style>")[0]
    light, _, dark = style.partition("@media (prefers-color-scheme:dark)")
    for rule in (".arx text{fill:", ".arx .paper{fill:", ".arx .c0{stroke:"):
        assert rule in light
        assert rule in dark
    assert all(
        rule.strip().startswith(".arx") for rule in re.findall(r"([^{}]+)\{[^{}]*\}", light.partition("<style>")[2])
    )


def test_columns_keep_apart_what_only_happens_at_about_the_same_time() -> None:
    marks = [Mark(0, 0.1, "value", "1", 1), Mark(1, 0.1001, "value", "2", 2)]
    assert len(columns(Score([], marks, 1.0))) == 2


def test_columns_put_two_values_of_one_line_behind_one_another() -> None:
    marks = [Mark(0, 0.1, "value", "1", 1, 1), Mark(0, 0.1, "value", "2", 1, 2), Mark(0, 0.1, "error", "e", 3)]
    assert len(columns(Score([], marks, 1.0))) == 3


def test_columns_put_late_errors_where_they_happened() -> None:
    marks = [Mark(0, 0.1, "value", "1", 1), Mark(0, 0.9, "error", "e", 1)]
    assert [column.time for column in columns(Score([], marks, 1.0))] == [0.1, 0.9]


def test_columns_put_a_cause_with_its_effects_before_a_line_that_it_ended() -> None:
    error = Mark(1, 0.1000, "error", "", 1)
    end = Mark(2, 0.1001, "failed", "", AT_THE_END)
    value = Mark(0, 0.1002, "value", "", 1)
    found = columns(Score([], [error, end, value], 1.0))
    assert [list(column.cells) for column in found] == [[1, 0], [2]]


def test_columns_leave_on_a_line_what_came_after_its_end() -> None:
    marks = [Mark(0, 0.1, "value", "", 1), Mark(1, 0.1001, "failed", "", AT_THE_END), Mark(1, 0.1002, "value", "", 1)]
    assert [list(column.cells) for column in columns(Score([], marks, 1.0))] == [[0], [1], [1]]


def test_columns_gather_ends_behind_what_else_happens_then() -> None:
    marks = [
        Mark(0, 0.5, "completed", "", AT_THE_END),
        Mark(1, 0.5001, "value", "1", 1),
        Mark(1, 0.5002, "completed", "", AT_THE_END),
        Mark(2, 0.9, "completed", "", AT_THE_END),
    ]
    found = columns(Score([], marks, 1.0))
    assert [sorted(column.cells) for column in found] == [[1], [0, 1], [2]]


@pytest.mark.parametrize(
    ("longest", "shown"),
    [(0.0, "0 µs"), (2e-5, "10 µs"), (0.25, "125 ms"), (1.5, "0.75 s"), (7200.0, "3600 s")],
)
def test_moments_are_told_in_a_unit_that_fits(longest: float, shown: str) -> None:
    unit = unit_of([longest])
    assert f"{moment(longest / 2, unit)} {unit[0]}" == shown


def test_mermaid_draws_what_is_derived_as_an_arrow() -> None:
    marks = [Mark(0, 0.5, "value", "1", 1), Mark(1, 0.5, "value", "2", 1), Mark(0, 1.0, "completed", "", AT_THE_END)]
    assert _marbles.mermaid(Score([Line("a"), Line("b", (0,))], marks, 1.0)) == (
        "sequenceDiagram\n    participant L0 as a\n    participant L1 as b\n    Note over L0: 0.5 s 1\n"
        "    L0->>L1: 2\n    Note over L0: 1 s completed\n"
    )


def test_plain_text_has_a_row_for_each_moment() -> None:
    marks = [Mark(0, 0.5, "value", "1", 1), Mark(1, 0.5, "value", "2", 1), Mark(0, 1.0, "failed", "OSError")]
    assert (
        _marbles.text(Score([Line("a"), Line("b")], marks, 1.0)) == "0.5 s  a: 1  |  b: 2\n  1 s  a: ended by OSError"
    )


def test_plain_text_ends_somewhere() -> None:
    assert _marbles.text(Score([Line("a")], notes(130), 200.0)).endswith("\n… and 30 more moments")


# Graphs


@given(st.lists(labels, min_size=1, max_size=6), st.sampled_from(KINDS))
def test_graphs_survive_any_label(names: list[str], kind: str) -> None:
    nodes = [Node(kind, name, name) for name in names]
    graph = Graph("".join(names), nodes, [Edge(i, i + 1) for i in range(len(nodes) - 1)])
    texts(_graph_svg.svg(graph))
    assert len(_graph.text(graph).split("\n")) == len(nodes)
    assert len(_graph.mermaid(graph).splitlines()) == 2 * len(nodes)


DIAMOND = [Edge(0, 1), Edge(0, 2), Edge(1, 3), Edge(2, 3), Edge(0, 3)]


def test_layout_goes_from_left_to_right_without_overlaps() -> None:
    layout = placed([(50.0, 20.0)] * 4, DIAMOND, 1000)
    assert layout.sideways
    assert [corner[0] for corner in layout.corners] == [0.0, 94.0, 94.0, 188.0]
    assert abs(layout.corners[1][1] - layout.corners[2][1]) >= 20
    assert len(layout.paths[4]) == 4  # round the layer between


def test_layout_turns_where_it_would_be_too_wide() -> None:
    layout = placed([(50.0, 20.0)] * 4, DIAMOND, 100)
    assert not layout.sideways
    assert layout.width < 188
    assert [corner[1] for corner in layout.corners] == [0.0, 50.0, 50.0, 100.0]
    assert len(layout.paths[4]) == 4


def test_layout_of_nothing_takes_no_room() -> None:
    assert placed([], [], 100)[-2:] == (0.0, 0.0)


def test_layout_that_is_too_wide_either_way_stays_as_it_was() -> None:
    assert placed([(50.0, 20.0)] * 5, [Edge(0, i) for i in range(1, 5)], 100).sideways


@pytest.mark.parametrize("deep", [False, True])
def test_graph_is_drawn_whole(deep: bool) -> None:
    nodes = [Node("source", f"node {i} with a long name", "detail", i == 0) for i in range(20 if deep else 4)]
    edges = [Edge(i, i + 1) for i in range(19)] if deep else DIAMOND
    svg = _graph_svg.svg(Graph("g", nodes, edges))
    assert texts(svg)[::2] == [node.title for node in nodes]
    assert svg.count('class="head"') == len(edges)
    boxes = re.findall(r'<rect class="mask" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg)
    assert max(float(x) + float(width) for x, width in boxes) < numbers(svg, "width")[0]


def test_graph_in_other_forms() -> None:
    nodes = [Node("source", "a", "closed", True), Node("operator", "b"), Node("observer", "c"), Node("operator", "d")]
    graph = Graph("g", nodes, DIAMOND)
    assert _graph.mermaid(graph) == (
        'flowchart LR\n    n0(["a<br/>closed"])\n    n1["b"]\n    n2("c")\n    n3["d"]\n    n0 --> n1\n    n0 --> n2\n'
        "    n1 --> n3\n    n2 --> n3\n    n0 --> n3\n    style n0 stroke-width:3px\n"
    )
    assert _graph.text(graph) == "a  (closed)  ◄\n├─ b\n│  └─ d\n├─ c\n│  └─ d\n└─ d"


def test_tree_writes_shared_branches_once() -> None:
    nodes = [Node("source", name) for name in "abcd"]
    graph = Graph("g", nodes, [Edge(0, 2), Edge(1, 2), Edge(2, 3)])
    assert _graph.text(graph) == "a\n└─ c\n   └─ d\nb\n└─ c  ↑ see above"


def test_sketch_tells_what_it_had_no_room_for() -> None:
    sketch = Sketch("g")
    last = sketch.node(Node("source", "n"), None)
    for _ in range(130):
        last = sketch.node(Node("operator", "n"), last)
    graph = sketch.graph()
    assert (len(graph.nodes), len(graph.edges), graph.missing) == (120, 119, 11)
    assert "… and 11 more" in texts(_graph_svg.svg(graph))
    assert _graph.text(graph).endswith("\n… and 11 more")
    assert 'more["and 11 more"]' in _graph.mermaid(graph)


# Bundles and recordings


@pytest.mark.parametrize(
    ("include", "exclude", "kinds"),
    [(None, None, {SVG, MERMAID, PLAIN}), ({SVG}, None, {SVG}), (None, {SVG}, {MERMAID, PLAIN}), ({SVG}, {SVG}, set())],
)
def test_bundle_has_what_was_asked_for(include: set[str] | None, exclude: set[str] | None, kinds: set[str]) -> None:
    assert set(of_score(Score([], [], 0.0), "t", include, exclude)) == kinds
    assert set(of_graph(Graph("g", [], []), "g", include, exclude)) == kinds


def test_plain_text_of_nothing_is_the_name() -> None:
    assert of_graph(Graph("g", [], []), "name")[PLAIN] == "name"


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class list_(list):  # type: ignore[type-arg]  # noqa: N801  # called as what it is not
    def __iter__(self) -> None:  # type: ignore[override]  # it lies
        raise RuntimeError("no")


class Mute(Exception):  # noqa: N818  # an error that cannot tell what it is
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_recording_shows_values_and_errors_that_cannot_be_shown() -> None:
    recording = Recording(10, lambda: 0.0)
    list_.__name__ = "list"
    recording.begin()
    recording.emitted(0, (Unshowable(),), {}, None, None)
    recording.emitted(0, (list_([1]),), {}, None, None)
    recording.failed(0, Mute(), None)
    recording.failed(0, ValueError(), None)
    first, second, *errors = [mark.text for mark in recording.marks]
    assert first.startswith("<Unshowable instance at ")
    assert second.startswith("<tests.test_pictures_drawing.list_ object at ") or "object at" in second
    assert errors == ["Mute", "ValueError"]


def test_recording_shows_all_parameters() -> None:
    recording = Recording(10, lambda: 0.0)
    recording.emitted(0, (1, "a"), {"k": None}, None, None)
    recording.emitted(0, (), {}, None, None)
    assert [mark.text for mark in recording.marks] == ["1, 'a', k=None", "()"]


def test_recording_numbers_causes_and_groups() -> None:
    recording = Recording(10, lambda: 0.0)
    cause, group = object(), object()
    for _ in range(2):
        recording.emitted(0, (1,), {}, cause, group)
    assert [(mark.cause, mark.group) for mark in recording.marks] == [(1, 2), (1, 2)]


def test_recording_keeps_no_more_than_its_limit() -> None:
    recording = Recording(1, lambda: 0.0)
    recording.ended(0, None)
    recording.emitted(0, (1,), {}, None, None)
    recording.failed(0, ValueError(), None)
    recording.ended(0, None)
    assert (len(recording.marks), recording.missing) == (1, 3)


def test_recording_time_stops_at_its_end() -> None:
    now = 5.0
    recording = Recording(1, lambda: now)
    assert recording.elapsed() == 0.0
    recording.begin()
    now = 7.0
    assert recording.elapsed() == 2.0
    recording.end()
    now = 9.0
    assert recording.elapsed() == 2.0
