"""Whole runs of small scenarios: the real nodes, clients with a ledger, faults from a seed."""

from __future__ import annotations

import pytest

from sim.faults.chance import draw
from sim.run.play import Outcome, play
from sim.scenario.reading import parse

CALM = 'name = "calm"\n[phases]\nsafety_s = 10\n'
STORM = CALM + "[chance]\nkill_every_s = 5\npower_every_s = 5\npartition_every_s = 6\nlossy_every_s = 5\n"


def run(text: str, seed: int) -> tuple[Outcome, list[str]]:
    scenario, lines = parse(text), list[str]()
    return play(scenario, seed, draw(scenario, seed), lines.append), lines


def test_on_a_calm_day_every_call_is_answered() -> None:
    outcome, _ = run(CALM, 1)
    assert outcome.violations == []
    assert outcome.healed_s == 0
    assert outcome.answered["put"] > 3
    assert not [told for told in outcome.refused if not told.endswith("-missing")]


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_storm_no_promise_is_broken_and_then_all_is_whole(seed: int) -> None:
    outcome, _ = run(STORM, seed)
    assert outcome.faults
    assert outcome.violations == []
    assert outcome.healed_s is not None


def test_one_seed_gives_one_log() -> None:
    (first, told), (second, again) = run(STORM, 3), run(STORM, 3)
    assert told == again
    assert first.digest == second.digest
