"""The swarm: scenarios drawn from seeds, and what is left behind when a run breaks a law."""

from __future__ import annotations

from pathlib import Path

from sim.faults.chance import draw
from sim.faults.listing import load
from sim.oracle.violations import Violation
from sim.run.drawing import drawn
from sim.run.swarm import Flown, Tally, write_down
from sim.scenario.reading import parse


def flown(seed: int, *violations: Violation) -> Flown:
    text = drawn(seed)
    return Flown(seed, text, draw(parse(text), seed), violations, answered=7, virtual_s=30.0, cpu_s=2.0)


def test_whatever_is_drawn_can_be_played() -> None:
    """`parse` refuses what contradicts itself."""
    drawings = [parse(drawn(seed)) for seed in range(200)]
    assert {scenario.federation.nodes for scenario in drawings} == set(range(3, 10))
    assert any(scenario.federation.organisations for scenario in drawings)


def test_a_seed_draws_the_same_for_ever_and_others_draw_others() -> None:
    assert drawn(7) == drawn(7)
    assert len({drawn(seed) for seed in range(50)}) == 50


def test_a_run_that_broke_a_law_is_written_down_to_be_played_again(tmp_path: Path) -> None:
    run = flown(11, Violation(3.5, "readable", "k: gone"))
    path = write_down(run, tmp_path / "found")
    assert path.read_text() == run.text
    assert load(path.with_suffix(".faults.json").read_text(), "faults") == run.faults
    assert path.with_suffix(".broken.txt").read_text() == "3.500 readable: k: gone\n"


def test_the_summary_counts_runs_and_what_broke() -> None:
    tally = Tally()
    tally.add(flown(1))
    tally.add(flown(2, Violation(1.0, "readable", "a"), Violation(2.0, "margin", "b")))
    told = "2 runs, 14 calls answered, 60 virtual s in 4 CPU s; broken: margin: 1, readable: 1"
    assert tally.told() == told
