"""`maillon sim replay`: the same faults again, from a run's folder or from a list alone; and lists that are none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from node.cli.exits import CODES
from sim.faults.kinds import Heal, Planned, Silence
from sim.faults.listing import dump
from sim.run.folder import EVENTS, FAULTS, MANIFEST, SCENARIO, Plan, plan_in
from sim.run.recorded import plan_of, record
from sim.scenario.reading import load, parse
from tests.support.sim_program import maillon_sim

BRIEF = 'name = "brief"\n[federation]\nnodes = 3\n[phases]\nsafety_s = 2\n'
STRUCK = (Planned(0.5, Silence("n2")), Planned(1.0, Heal()))


def a_plan() -> Plan:
    return Plan(BRIEF, parse(BRIEF), 4, STRUCK)


def test_a_run_is_played_again_event_by_event_beside_it(tmp_path: Path) -> None:
    outcome = record(a_plan(), tmp_path / "brief-4", figures=False)
    result = maillon_sim("replay", str(tmp_path / "brief-4"), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["digest"] == outcome.digest
    again = tmp_path / "brief-4-replay"
    assert (again / EVENTS).read_bytes() == (tmp_path / "brief-4" / EVENTS).read_bytes()
    assert plan_in(again) == a_plan()
    assert json.loads((again / MANIFEST).read_text())["state"] == "held"


def test_a_list_alone_is_played_with_the_scenario_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(dump(STRUCK[:1], scenario="brief", seed=9))
    (tmp_path / "mine.toml").write_text(BRIEF.replace("safety_s = 2", "safety_s = 1"))
    for name in ("brief-9-replay", "brief-9-replay-2"):
        asked = ("--scenario", str(tmp_path / "mine.toml"), "--dir", str(tmp_path / "runs"))
        assert maillon_sim("replay", str(tmp_path / "mine.json"), *asked).exit_code == 0
        assert plan_in(tmp_path / "runs" / name).faults == STRUCK[:1]


def test_a_run_s_folder_has_its_own_copy_of_the_trace(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "measured.csv").write_text("n2,0.5,down\nn2,1,up\n")
    (tmp_path / "traced.toml").write_text(f'{BRIEF}[churn]\nmodel = "trace"\ntrace = "traces/measured.csv"\n')
    plan = plan_of(str(tmp_path / "traced.toml"), 1)
    (tmp_path / "run").mkdir()
    plan.save(tmp_path / "run")
    shutil.rmtree(tmp_path / "traces")
    assert plan_in(tmp_path / "run") == plan
    assert load(str(tmp_path / "run" / SCENARIO)) == plan.scenario


BAD = {
    "another version": ('{"version": 2, "faults": []}', "version 2"),
    "no JSON": ("faults!", "no list of faults"),
    "brackets without end": ("[" * 100_000, "no list of faults"),
    "an unknown kind": ('{"version": 1, "scenario": "b", "seed": 1, "faults": [{"at_s": 1, "kind": "x"}]}', "kind"),
    "an unknown key": (
        '{"version": 1, "scenario": "b", "seed": 1, "faults": [{"at_s": 1, "kind": "kill", "nod": "n1"}]}',
        "node",
    ),
    "a node that is not there": (
        '{"version": 1, "scenario": "b", "seed": 1, "faults": [{"at_s": 1, "kind": "kill", "node": "n70"}]}',
        "n70",
    ),
    "no seed": ('{"version": 1, "scenario": "b", "faults": []}', "seed"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_list_that_cannot_be_played_says_why(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / FAULTS).write_text(text)
    (tmp_path / SCENARIO).write_text(BRIEF)
    result = maillon_sim("replay", str(tmp_path / FAULTS), "--dir", str(tmp_path / "runs"))
    assert result.exit_code == CODES["malformed"]
    assert told in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["replay", "shrink"])
def test_a_file_of_a_run_that_is_none_is_named(command: str, tmp_path: Path) -> None:
    (tmp_path / SCENARIO).write_text(BRIEF)
    (tmp_path / FAULTS).mkdir()
    result = maillon_sim(command, str(tmp_path))
    assert result.exit_code == CODES["malformed"]
    assert f"{tmp_path / FAULTS} cannot be read" in result.stderr


@pytest.mark.parametrize("command", ["replay", "shrink"])
def test_what_is_no_run_is_named(command: str, tmp_path: Path) -> None:
    result = maillon_sim(command, str(tmp_path))
    assert result.exit_code == CODES["missing"]
    assert str(tmp_path) in result.stderr
