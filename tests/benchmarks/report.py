"""The table: as text, and as markdown."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from .model import BOUND, OURS
from .targets import FLAT, FLAT_WITHIN, TARGETS, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["code", "failures", "markdown", "text", "verdict"]

UNITS = {"time": "ns", "memory": "bytes", "import": "ms"}


def version_of(report: dict[str, Any]) -> tuple[int, int]:
    """Return the version of Python that a report is of."""
    major, minor, *_ = report["python"].split(".")
    return int(major), int(minor)


def judged(name: str, result: dict[str, Any]) -> float:
    """Return the figure that the target of a row is about."""
    figure: float = result[TARGETS[name].of if name in TARGETS else "ratio"]
    return figure


def verdict(report: dict[str, Any], name: str) -> str:
    """Return whether a row's target is met: ``met``, ``NOT MET``, or nothing where there is none."""
    ours = report["rows"][name]["contestants"].get(OURS, {})
    limit = target_of(name, version_of(report))
    if limit is None or ours.get("status") != "measured":
        return ""
    return "met" if judged(name, ours) <= limit else "NOT MET"


def failures(report: dict[str, Any]) -> list[str]:
    """Return what did not run as it should: rows that do not add up, and contestants that failed."""
    found = [f"{name}: {row['error']}" for name, row in report["rows"].items() if "error" in row]
    for name, row in report["rows"].items():
        found += [
            f"{name}: {contestant}: {result['reason']}"
            for contestant, result in row["contestants"].items()
            if result["status"] == "failed"
        ]
    return found


def flatness(report: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what should be flat, and how many times its largest ratio is its smallest."""
    for label, names in FLAT.items():
        ratios = [
            result["ratio"]
            for name in names
            if (result := report["rows"].get(name, {}).get("contestants", {}).get(OURS, {})).get("status") == "measured"
        ]
        if len(ratios) > 1:
            yield label, max(ratios) / min(ratios)


def noise(report: dict[str, Any]) -> float:
    """Return how far the processes were apart, in the row in the middle: the span of the ratio, as a part of it."""
    spans = [
        (ours["high"] - ours["low"]) / ours["ratio"]
        for row in report["rows"].values()
        if row["kind"] == "time" and (ours := row["contestants"].get(OURS, {})).get("status") == "measured"
    ]
    return median(spans) if spans else 0.0


def number(figure: float) -> str:
    """Return a figure with about three digits that mean something."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def heading(report: dict[str, Any]) -> str:
    """Return what the figures depend on, on one line."""
    machine = report["machine"]
    settings = report["settings"]
    versions = ", ".join(f"{name} {found}" for name, found in report["versions"].items())
    system = f"{machine['system']}, {machine['processor']}, {machine['cores']} cores"
    effort = (
        f"{settings['processes']} processes of {settings['rounds']} rounds of {settings['round_seconds'] * 1000:g} ms"
    )
    python = f"{report['implementation']} {report['python']}"
    return f"{python}, {report['loop']}, {system}; {report['date']}; {effort}; {versions}"


def text(report: dict[str, Any]) -> str:
    """Return the table for a terminal."""
    lines = [heading(report), ""]
    for name, row in report["rows"].items():
        lines.append(f"{name}: {row['title']}, per {row['unit']}. Bound: {row['bound']}")
        if "error" in row:
            lines.append(f"    FAILED: {row['error']}")
        for contestant, result in row["contestants"].items():
            lines.append(f"    {contestant:<24.56} {_figures(row, result)}{_judgement(report, name, contestant)}")
    lines += ["", *_summary(report)]
    return "\n".join(lines)


def _figures(row: dict[str, Any], result: dict[str, Any]) -> str:
    if result["status"] != "measured":
        return f"{result['status']}: {result['reason']}"
    return (
        f"{number(result['ratio']):>8} x   {number(result['low'])} to {number(result['high'])}   "
        f"{number(result['value'])} {UNITS[row['kind']]}"
    )


def _judgement(report: dict[str, Any], name: str, contestant: str) -> str:
    said = verdict(report, name) if contestant == OURS else ""
    limit = target_of(name, version_of(report))
    return f"   at most {limit:g}: {said}" if said and limit is not None else ""


def _summary(report: dict[str, Any]) -> list[str]:
    verdicts = {name: verdict(report, name) for name in report["rows"]}
    missed = [name for name, said in verdicts.items() if said == "NOT MET"]
    met = sum(said == "met" for said in verdicts.values())
    lines = [f"targets met: {met} of {met + len(missed)}" + (f"; not met: {', '.join(missed)}" if missed else "")]
    for label, factor in flatness(report):
        lines.append(
            f"{label}: largest ratio {factor:.2f} x the smallest: {'flat' if factor <= FLAT_WITHIN else 'NOT FLAT'}"
        )
    lines.append(f"noise: in the row in the middle, the ratios of the processes span {noise(report):.0%}")
    lines += [f"FAILED: {failure}" for failure in failures(report)]
    return lines


def markdown(report: dict[str, Any]) -> str:
    """Return the table for a page."""
    lines = [
        "| work | bound | per | asyncutils-rx | at most | | others |",
        "|---|---:|---|---:|---:|---|---|",
    ]
    for name, row in report["rows"].items():
        results = row["contestants"]
        unit = UNITS[row["kind"]]
        bound = f"{number(results[BOUND]['value'])} {unit}" if BOUND in results else "failed"
        limit = target_of(name, version_of(report))
        lines.append(
            f"| {row['title']} | {bound} | {row['unit']} | {_short(name, results.get(OURS, {}))} "
            f"| {'' if limit is None else f'{limit:g}'} | {_mark(verdict(report, name))} | {_others(name, results)} |"
        )
    return "\n".join(lines)


def code(name: str) -> str:
    """Return a contestant's name for a page, where brackets would be a link."""
    return f"`{name}`" if any(sign in name for sign in "()[]") else name


def _mark(said: str) -> str:
    return "**not met**" if said == "NOT MET" else said


def _short(name: str, result: dict[str, Any]) -> str:
    if result.get("status") != "measured":
        return str(result.get("status", "failed"))
    return number(judged(name, result))


def _others(name: str, results: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{code(contestant)} {_short(name, result)}"
        for contestant, result in results.items()
        if contestant not in (BOUND, OURS) and result["status"] in ("measured", "wrong")
    )
