"""docs/configuration.md and docs/scenarios.md are what the program itself says about its keys."""

from __future__ import annotations

from pathlib import Path

from node.config_file import reference
from sim.faults.kinds import KINDS
from sim.scenario import page as scenarios

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: maillon config reference > docs/configuration.md"


def test_the_page_of_scenarios_is_current_and_has_every_kind_of_fault() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    assert page == scenarios.reference(), "run: maillon sim fields > docs/scenarios.md"
    assert [f"### {kind}" for kind in KINDS] == [line for line in page.splitlines() if line.startswith("### ")]
