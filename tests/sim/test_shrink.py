"""Shrinking: what is left still fails, and nothing more can be taken away."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.exits import CODES
from sim.faults.kinds import Clock, Heal, Kill, Planned
from sim.oracle.violations import Violation
from sim.run import recorded, shrink
from sim.run.folder import Plan, plan_in
from sim.run.play import Outcome
from sim.run.recorded import plan_of
from sim.run.shrink import Shrinker, Symptom, ddmin, shows, with_length
from sim.scenario.model import Scenario
from sim.scenario.reading import parse
from sim.scenario.writing import text_of
from tests.support.sim_program import maillon_sim

LONG = 'name = "long"\n[phases]\nsafety_s = 64\n'
FAULTS = (
    *(Planned(float(at_s), Clock("n1", at_s)) for at_s in range(1, 10)),
    Planned(10.0, Kill("n2")),
    *(Planned(float(at_s), Heal()) for at_s in range(11, 20)),
    Planned(20.0, Clock("n3", 5)),
    *(Planned(float(at_s), Heal()) for at_s in range(21, 30)),
)
NEEDED = (FAULTS[9], FAULTS[19])


def failing_with(needed: set[int]) -> Callable[[Sequence[tuple[int, ...]]], int | None]:
    def first_failing(candidates: Sequence[tuple[int, ...]]) -> int | None:
        return next((place for place, items in enumerate(candidates) if needed <= set(items)), None)

    return first_failing


@given(st.integers(0, 40), st.data())
def test_what_is_left_is_exactly_what_is_needed(count: int, data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.integers(0, count - 1), max_size=6) if count else st.just(set[int]()))
    items = tuple(range(count))
    found = [items, *ddmin(items, failing_with(needed))]
    assert found[-1] == tuple(sorted(needed))
    assert all(len(after) < len(before) for before, after in pairwise(found) if before)


def test_from_a_list_that_fails_in_its_own_way_no_single_item_can_be_taken() -> None:
    def fails(items: tuple[int, ...]) -> bool:
        return len(items) % 3 == 2  # nothing that can be approached step by step

    def first_failing(candidates: Sequence[tuple[int, ...]]) -> int | None:
        return next((place for place, items in enumerate(candidates) if fails(items)), None)

    *_, last = ddmin(tuple(range(11)), first_failing)
    assert fails(last)
    assert not any(fails(last[:place] + last[place + 1 :]) for place in range(len(last)))


def breaking(scenario: Scenario, seed: int, faults: Sequence[Planned], _write: object = None) -> Outcome:
    """A run that breaks a law when both faults strike and the phase goes on for a while after them."""
    outcome = Outcome(scenario.name, seed, tuple(faults))
    if set(NEEDED) <= set(faults) and scenario.phases.safety_s >= 30:
        outcome.violations.append(Violation(20.5, "placement", "two shares in one place"))
    elif len(faults) % 2:
        outcome.violations.append(Violation(1.0, "readable", "another story"))
    return outcome


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrink, "play", breaking)
    monkeypatch.setattr(recorded, "play", breaking)
    monkeypatch.setattr("sim.cli.shrink.play", breaking)


def a_run(folder: Path, faults: tuple[Planned, ...] = FAULTS) -> Path:
    folder.mkdir(parents=True)
    Plan(LONG, parse(LONG), 7, faults).save(folder)
    return folder


@pytest.mark.usefixtures("played")
def test_a_run_is_shrunk_to_the_faults_and_the_time_that_it_takes(tmp_path: Path) -> None:
    result = maillon_sim("shrink", str(a_run(tmp_path / "long-7")), "--jobs", "1", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])["result"]
    small = plan_in(tmp_path / "long-7-shrunk")
    assert small.faults == NEEDED
    assert small.seed == 7
    assert 30 <= small.scenario.phases.safety_s < 40
    assert told["law"] == "placement"
    assert str(tmp_path / "long-7-shrunk") in told["run"]["replay"]
    assert plan_in(tmp_path / "long-7").faults == FAULTS, "the run itself is left alone"


@pytest.mark.usefixtures("played")
def test_another_law_is_another_story(tmp_path: Path) -> None:
    plan = plan_in(a_run(tmp_path / "long-7"))
    *_, last = Shrinker(plan, jobs=1, plays_most=500).steps(Symptom("placement"))
    assert set(NEEDED) == set(last.plan.faults)
    assert shows(breaking(plan.scenario, 7, FAULTS), Symptom("placement"))
    assert not shows(breaking(plan.scenario, 7, FAULTS[:1]), Symptom("placement"))


@pytest.mark.usefixtures("played")
def test_it_ends_after_so_many_plays_with_what_it_has(tmp_path: Path) -> None:
    shrinker = Shrinker(plan_in(a_run(tmp_path / "long-7")), jobs=1, plays_most=6)
    list(shrinker.steps(Symptom("placement")))
    assert shrinker.plays <= 6
    assert set(NEEDED) <= set(shrinker.plan.faults)


@pytest.mark.usefixtures("played")
def test_a_run_that_keeps_every_promise_cannot_be_shrunk(tmp_path: Path) -> None:
    result = maillon_sim("shrink", str(a_run(tmp_path / "long-7", FAULTS[:2])))
    assert result.exit_code == CODES["refused"]
    assert "nothing to shrink" in result.stderr
    assert not (tmp_path / "long-7-shrunk").exists()


@pytest.mark.usefixtures("played")
def test_an_earlier_result_is_left_alone(tmp_path: Path) -> None:
    run = a_run(tmp_path / "long-7")
    (tmp_path / "long-7-shrunk").mkdir()
    assert maillon_sim("shrink", str(run)).exit_code == CODES["refused"]
    assert not list((tmp_path / "long-7-shrunk").iterdir())
    assert maillon_sim("shrink", str(run), "--jobs", "1", "--dir", str(tmp_path / "elsewhere")).exit_code == 0
    assert plan_in(tmp_path / "elsewhere" / "long-7-shrunk").faults


def test_a_shorter_scenario_has_what_its_trace_said_once(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n2,0.5,down\nn2,40,up\n")
    (tmp_path / "long.toml").write_text(f'{LONG}[churn]\nmodel = "trace"\ntrace = "t.csv"\n')
    shorter = with_length(plan_of(str(tmp_path / "long.toml"), 1), 30)
    assert parse(shorter.text) == shorter.scenario
    assert shorter.scenario.faults == (Planned(0.5, Kill("n2")),)


def test_a_scenario_written_out_is_the_same_scenario() -> None:
    text = LONG + (
        '[federation]\njurisdictions = ["FR", "DE"]\ncapacity = "2 TB"\n[node.gossip]\nprobe_interval_s = 0.5\n'
        '[[fault]]\nat_s = 3\nkind = "partition"\nnodes = ["n1", "n2"]\n[[fault]]\nat_s = 4.5\nkind = "heal"\n'
    )
    assert parse(text_of(parse(text))) == parse(text)
