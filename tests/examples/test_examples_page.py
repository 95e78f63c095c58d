"""The page about the examples shows what they print."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from .conftest import ROOT

if TYPE_CHECKING:
    from types import ModuleType

    from .conftest import RunExample

PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
RULES = re.findall(r"^\| (\d) h \| (\d+) % \| ([^|]*) \| (none|\d)", PAGE.replace("**", ""), re.MULTILINE)


def test_page_shows_the_summary_of_the_flight_monitor(run_example: RunExample) -> None:
    shown = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert shown[0] == run_example("flight_monitor.py").stdout


def test_page_tells_of_several_rules() -> None:
    assert len(RULES) == 6


@pytest.mark.parametrize(("hours", "percent", "storm", "elsewhere"), RULES)
def test_page_tells_what_a_rule_finds(
    flight_monitor: ModuleType, hours: str, percent: str, storm: str, elsewhere: str
) -> None:
    rule = timedelta(hours=int(hours)), int(percent) / 100, 15
    airports = {code: flight_monitor.Airport(code, *rule) for code in flight_monitor.AIRPORTS}
    on_the_8th: list[str] = []
    others = 0
    for flight in flight_monitor.load(flight_monitor.DATA):
        airport = airports[flight.airport]
        was_alert = airport.state == "alert"
        if airport.observe(flight).state == "alert" and not was_alert:
            if flight.scheduled.day == 8:
                on_the_8th.append(f"{flight.airport} {flight.scheduled:%H:%M}")
            else:
                others += 1
    assert ", ".join(on_the_8th) == storm
    assert others == (0 if elsewhere == "none" else int(elsewhere))
