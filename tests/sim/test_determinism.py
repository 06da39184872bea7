"""Runs are the same runs in every process, and a run that is not is caught, with the event where it parts ways."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from protocol.errors import Refused
from sim.run.determinism import LOGS, parting, played_twice
from sim.run.folder import Plan
from sim.scenario.reading import parse
from tests.support.sim_program import maillon_sim

ROOT = Path(__file__).parents[2]
SHORT = """
name = "short"
[phases]
safety_s = 3
[chance]
kill_every_s = 2
lossy_every_s = 2
"""
MISTAKEN = (sys.executable, "-m", "tests.support.undetermined")
BRIEF = SHORT.replace("safety_s = 3", "safety_s = 0")


def test_two_processes_with_other_hash_seeds_write_the_same_log(tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    result = maillon_sim("run", str(path), "--check-determinism", "--dir", str(tmp_path / "runs"), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"same": True, "parting": None}
    assert not (tmp_path / "runs").exists()


def test_the_order_of_a_set_is_caught_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(played_twice, "__defaults__", (MISTAKEN,))
    path = tmp_path / "brief.toml"
    path.write_text(BRIEF)
    result = maillon_sim("run", str(path), "--check-determinism", "--dir", str(tmp_path / "runs"))
    assert result.exit_code == 1
    first, second = (line for line in result.stdout.splitlines() if '"event": "settled"' in line)
    assert first != second
    assert sorted(json.loads(first)["names"]) == sorted(json.loads(second)["names"])
    kept = [(tmp_path / "runs" / "short-1-differs" / name).read_text().splitlines() for name in LOGS]
    before = next(number for number, line in enumerate(kept[0]) if '"settled"' in line)
    assert kept[0][:before] == kept[1][:before]
    assert f"line {before + 1} " in result.stdout


def test_a_log_that_ends_early_differs_where_it_ends(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a\nb\n")
    other.write_text("a\n")
    found = parting(one, other)
    assert found is not None
    assert (found.line, found.first, found.second) == (2, "b", "")
    assert parting(one, one) is None


def test_a_play_that_ends_with_an_error_says_so(tmp_path: Path) -> None:
    plan = Plan(BRIEF, parse(BRIEF), 1, ())
    with pytest.raises(Refused, match="child-failed") as told:
        played_twice(plan, tmp_path, (sys.executable, "-c", "raise SystemExit('no luck')"))
    assert "no luck" in str(told.value.parameters["problem"])
