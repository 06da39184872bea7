"""docs/configuration.md is what the program itself says about its keys."""

from __future__ import annotations

from pathlib import Path

from node.config_file import reference

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: maillon config reference > docs/configuration.md"
