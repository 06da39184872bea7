"""The judge of what may be used up: a flood stays within every bound, and each bound is really measured."""

from __future__ import annotations

import pytest

from node.mesh.share_law import ShareLaw
from sim.oracle import bounds
from sim.run.play import play
from sim.scenario.reading import parse

FLOOD = """
name = "a flood"
[phases]
safety_s = 4
check_every_s = 0.5
[workload]
pause_s = 0.3
small = 100_000
[[fault]]
at_s = 0.0
kind = "lie"
node = "n3"
lie = "floods"
"""


def broken(text: str) -> set[str]:
    """The laws that did not hold, with what was measured."""
    scenario = parse(text)
    return {f"{each.law}: {each.told}" for each in play(scenario, 1, scenario.faults).violations}


def test_a_flood_is_seen_where_the_bounds_are_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    for bound, least in (
        ("EXCHANGES_MAX", 3),
        ("BUFFERED_BYTES_MAX", 100_000),
        ("UNKNOWN_RECORDS_PER_ORGANISATION_MAX", 20),
        ("HANDSHAKES_MAX", -80 - bounds.JOINERS_MAX - bounds.GUESTS_MAX),
        ("NAMESPACES_PER_ORGANISATION_MAX", 0),
    ):
        monkeypatch.setattr(bounds, bound, least)
    found = broken(FLOOD)
    for told in ("exchanges served", "bytes kept aside", "records of unknown kinds", " streams, ", "namespaces of"):
        assert [each for each in found if told in each], told


def test_a_quota_is_kept_and_a_holder_that_judges_none_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = FLOOD.partition("[[fault]]")[0] + '[federation]\ncapacity = "600 kB"\n[expect]\nhealed = false\n'
    assert broken(narrow) == set()
    monkeypatch.setattr(ShareLaw, "check_quota", lambda _law, _owner, _used_bytes, _size_bytes: None)
    assert any(each.startswith("quota: o0 has") for each in broken(narrow))
