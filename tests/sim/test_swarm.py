"""The swarm: scenarios drawn from seeds, and what is left behind when a run breaks a law."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.cli.run import BROKEN
from sim.faults.chance import draw
from sim.faults.listing import load
from sim.oracle.violations import Violation
from sim.run.drawing import drawn, drawn_short
from sim.run.play import play
from sim.run.swarm import Flown, swarm, write_down
from sim.scenario.reading import load as load_scenario
from sim.scenario.reading import parse
from tests.support.sim_program import maillon_sim

WRONG_USAGE = 2
ONCE_BROKEN = Path(__file__).parent / "once_broken"


def flown(seed: int, *violations: Violation) -> Flown:
    text = drawn(seed)
    return Flown(seed, text, draw(parse(text), seed), violations, answered=7, virtual_s=30.0, cpu_s=2.0)


def test_whatever_is_drawn_can_be_played() -> None:
    """`parse` refuses what contradicts itself."""
    drawings = [parse(drawn(seed)) for seed in range(200)]
    assert {scenario.federation.nodes for scenario in drawings} == set(range(3, 10))
    assert any(scenario.federation.organisations for scenario in drawings)
    assert {parse(drawn_short(seed)).federation.nodes for seed in range(50)} == {3, 4, 5}


def test_a_seed_draws_the_same_for_ever_and_others_draw_others() -> None:
    assert drawn(7) == drawn(7)
    assert len({drawn(seed) for seed in range(50)}) == 50


def test_a_run_that_broke_a_law_is_written_down_to_be_played_again(tmp_path: Path) -> None:
    run = flown(11, Violation(3.5, "readable", "k: gone"))
    path = write_down(run, tmp_path / "found")
    assert path.read_text() == run.text
    assert load(path.with_suffix(".faults.json").read_text(), "faults").faults == run.faults
    assert path.with_suffix(".broken.txt").read_text() == "3.500 readable: k: gone\n"


def test_what_an_earlier_swarm_wrote_stays(tmp_path: Path) -> None:
    first = write_down(flown(11, Violation(3.5, "readable", "then")), tmp_path)
    second = write_down(flown(11, Violation(3.5, "readable", "now")), tmp_path)
    assert (first.name, second.name) == ("11.toml", "11-2.toml")
    assert first.with_suffix(".broken.txt").read_text() == "3.500 readable: then\n"


def test_the_command_tells_what_broke_and_how_to_see_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [flown(3), flown(4, Violation(1.0, "readable", "k: gone"), Violation(2.0, "margin", "b"))]
    monkeypatch.setattr(
        "sim.cli.swarm.swarm", lambda seeds, jobs, is_short: [run for run in runs if run.seed in seeds]
    )
    result = maillon_sim("swarm", "--seed", "3", "--runs", "2", "--dir", str(tmp_path))
    assert result.exit_code == BROKEN
    assert f"maillon sim run {tmp_path / '4.toml'} --seed 4" in result.output
    assert "2 runs, 14 calls answered, 60 virtual seconds in 4 CPU seconds." in result.output
    assert [path.name for path in sorted(tmp_path.glob("*.toml"))] == ["4.toml"]


def test_a_swarm_that_finds_nothing_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.cli.swarm.swarm", lambda seeds, jobs, is_short: [flown(3)])
    assert maillon_sim("swarm", "--for", "1s", "--dir", str(tmp_path)).exit_code == 0
    assert maillon_sim("swarm", "--for", "soon").exit_code == WRONG_USAGE


def test_a_seed_is_played_with_what_it_draws() -> None:
    played = next(iter(swarm([6], jobs=1, is_short=True)))
    assert (played.text, played.violations) == (drawn_short(6), ())
    assert played.answered > 0


@pytest.mark.parametrize("path", sorted(ONCE_BROKEN.glob("*.toml")), ids=lambda path: path.stem)
def test_what_once_broke_a_law(path: Path) -> None:
    """A disk that failed serves again only when its node was started anew; one that errs at a read ended the node.
    Their scenarios are kept as files: a seed may draw another one tomorrow."""
    scenario, seed = load_scenario(str(path)), int(path.stem.rpartition("-")[2])
    assert play(scenario, seed, draw(scenario, seed)).violations == []
