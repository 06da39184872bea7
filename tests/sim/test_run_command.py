"""`maillon sim run` from outside: what it writes, what it says, and what it leaves alone."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from node.cli.exits import CODES, INTERRUPTED
from sim.oracle.clients import Patron
from sim.run import folder as run_folder
from sim.run import recorded
from sim.run.folder import CRASH, EVENTS, FIGURES, MANIFEST, SCENARIO, TABLES, plan_in
from sim.scenario.reading import parse
from tests.support.sim_program import maillon_sim

SHORT = """
name = "short"
[phases]
safety_s = 3
[[fault]]
at_s = 1
kind = "power-cut"
node = "n2"
"""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    return path


def test_a_run_leaves_its_folder(short: Path, tmp_path: Path) -> None:
    result = maillon_sim("run", str(short), "--seed", "5", "--dir", str(tmp_path / "runs"), "--json")
    assert result.exit_code == 0, result.output
    document, folder = json.loads(result.stdout), tmp_path / "runs" / "short-5"
    assert Path(document["folder"]) == folder
    assert document["held"] is True
    assert [path.name for path in folder.parent.iterdir()] == ["short-5"], "nothing else stays"
    assert (folder / SCENARIO).read_text() == SHORT
    plan = plan_in(folder)
    assert (plan.seed, plan.faults) == (5, parse(SHORT).faults)
    events = list(run_folder.events_in(folder))
    assert [event["kind"] for event in events if event["event"] == "fault"] == ["power-cut"]
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["state"], manifest["seed"]) == ("held", 5)
    assert manifest["outcome"]["digest"] == document["digest"]
    assert manifest["versions"]["trio"]
    assert not (folder / CRASH).exists()
    assert {path.suffix for path in (folder / TABLES).iterdir()} == {".csv", ".parquet"}
    assert {path.suffix for path in (folder / FIGURES).iterdir()} == {".png", ".svg"}


def test_an_existing_folder_is_left_alone(short: Path, tmp_path: Path) -> None:
    (tmp_path / "short-1").mkdir()
    for asked in (("--seed", "1"), ("--seeds", "1..2")):
        result = maillon_sim("run", str(short), "--dir", str(tmp_path), *asked)
        assert result.exit_code == CODES["refused"]
        assert "short-1" in result.stderr
    assert not list((tmp_path / "short-1").iterdir())
    assert not (tmp_path / "short-2").exists()


BAD = {
    "unknown key": ('name = "x"\n[phase]\nsafety_s = 1', "phases"),
    "k over n": ('name = "x"\n[federation]\ncode = "6/3"', "6/3"),
    "fewer nodes than shares": ('name = "x"\n[federation]\nnodes = 4\ncode = "3/6"', "6 shares"),
    "more gateways than nodes": ('name = "x"\n[federation]\nnodes = 4\ngateways = 5', "5 gateways"),
    "a fault after the end": (SHORT.replace("at_s = 1", "at_s = 9"), "9 s"),
    "a fault on nobody": (SHORT.replace('"n2"', '"n20"'), "n20"),
    "an unknown fault": (SHORT.replace('"power-cut"', '"murder"'), "murder"),
    "a name that leads elsewhere": ('name = "../../elsewhere"', "name"),
    "no TOML": ("name =", "not valid TOML"),
    "an empty file": ("", "`name` is missing"),
    "brackets without end": ("name = " + "[" * 5_000, "not valid TOML"),
    "a number of a thousand digits": ("name = " + "9" * 5_000, "not valid TOML"),
    "a code in other digits": ('name = "x"\n[federation]\ncode = "²/6"', "K/N"),
    "a phase without end": ('name = "x"\n[phases]\nsafety_s = inf', "safety_s"),
    "a time that is no number": (SHORT.replace("at_s = 1", "at_s = nan"), "at_s"),
    "a time that never comes": (SHORT.replace("at_s = 1", "at_s = 1\nevery_s = 1\nuntil_s = inf"), "until_s"),
    "more faults than memory": (SHORT.replace("at_s = 1", "at_s = 1\nevery_s = 1e-9\nuntil_s = 2"), "every_s"),
    "more draws than memory": ('name = "x"\n[chance]\nkill_every_s = 1e-9', "chance.kill_every_s"),
    "more turns than memory": (
        'name = "x"\n[churn]\nmodel = "weibull"\nup_s = 0.01\ndown_s = 0.01\n[phases]\nsafety_s = 1e6',
        "churn.up_s",
    ),
    "a kind that is a list": (SHORT.replace('"power-cut"', '["power-cut"]'), "kind"),
    "somebody struck twice": (SHORT + 'of = ["all"]', "of"),
    "a delay from no time": (SHORT.replace("at_s = 1", "apart_s = 1").replace('node = "n2"', 'of = ["all"]'), "at_s"),
    "a loss above all": ('name = "x"\n[network]\nsend_loss = 5', "from 0 to 1"),
    "links shorter than short": (SHORT + '[[fault]]\nat_s = 1\nkind = "links"\nlatency_min_ms = 9', "latency_min_ms"),
    "clients with nothing to do": ('name = "x"\n[workload]\nputs = 0\ngets = 0\nremoves = 0\nlists = 0', "puts"),
    "objects beyond memory": ('name = "x"\n[workload]\nlarge = "100 TB"', "workload.large"),
    "a trace of no name": ('name = "x"\n[churn]\nmodel = "trace"', "churn.trace"),
    "a fault point nobody has": (SHORT + '[[fault]]\nat_s = 1\nkind = "armed"\nnode = "n1"\npoint = "x.y"', "point"),
    "no fault points": ('name = "x"\n[chance]\npoints = []', "chance.points"),
    "more away than there are": ('name = "x"\n[chance]\naway_most = 7', "away_most"),
    "a federation of one": ('name = "x"\n[federation]\norganisations = 1', "at least 2 organisations"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_scenario_that_cannot_be_played_says_why(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    result = maillon_sim("run", str(path), "--dir", str(tmp_path / "runs"))
    assert result.exit_code == CODES["malformed"]
    assert told in result.stderr
    assert str(path) in result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_folder_is_no_scenario(tmp_path: Path) -> None:
    result = maillon_sim("run", str(tmp_path), "--dir", str(tmp_path / "runs"))
    assert result.exit_code == CODES["malformed"]
    assert f"{tmp_path} cannot be read" in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("asked", [("--seed", "1"), ("--seeds", "1..2", "--jobs", "1")], ids=["one", "several"])
def test_a_full_disk_leaves_nothing_and_is_named(
    asked: tuple[str, ...], short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "a library's own words")

    playing(monkeypatch, full)
    result = maillon_sim("run", str(short), "--dir", str(tmp_path / "runs"), *asked)
    assert result.exit_code == CODES["refused"]
    assert f"{tmp_path / 'runs' / 'short-1'} cannot be written: No space left on device" in result.stderr
    assert not list((tmp_path / "runs").iterdir())


def test_a_file_is_no_place_for_runs(short: Path) -> None:
    result = maillon_sim("run", str(short), "--dir", str(short))
    assert result.exit_code == CODES["refused"]
    assert "Not a directory" in result.stderr
    assert short.read_text() == SHORT


def test_what_another_process_writes_is_not_taken_for_interrupted(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    other = tmp_path / "runs" / ".short-1.4194305.partial"
    other.mkdir(parents=True)
    playing(monkeypatch, interrupted)
    assert maillon_sim("run", str(short), "--dir", str(tmp_path / "runs")).exit_code == INTERRUPTED
    assert {path.name for path in other.parent.iterdir()} == {other.name, "short-1-interrupted"}


def test_an_unknown_scenario_names_those_that_there_are(tmp_path: Path) -> None:
    result = maillon_sim("run", "no-such", "--dir", str(tmp_path))
    assert result.exit_code == CODES["missing"]
    assert "no-such" in result.stderr


@pytest.mark.parametrize("asked", [("--seeds", "5..1"), ("--seeds", "many"), ("--seed", "-1"), ("--jobs", "0")])
def test_wrong_usage(short: Path, asked: tuple[str, ...]) -> None:
    assert maillon_sim("run", str(short), *asked).exit_code == 2


def test_seed_and_seeds_together_are_wrong_usage(short: Path) -> None:
    assert maillon_sim("run", str(short), "--seed", "1", "--seeds", "1..2").exit_code == 2


def test_without_the_extra_it_says_what_to_install(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "LIBRARIES", ("no_such_library",))
    result = maillon_sim("run", str(short), "--dir", str(tmp_path / "runs"))
    assert result.exit_code == CODES["refused"]
    assert "pip install maillon[sim]" in result.stderr
    assert "no_such_library" in result.stderr
    assert not (tmp_path / "runs").exists()


def playing(monkeypatch: pytest.MonkeyPatch, play: Callable[..., object]) -> None:
    monkeypatch.setattr(recorded, "play", play)


@pytest.mark.parametrize("grouped", [False, True])
def test_an_interrupted_run_says_so_and_is_named_so(
    grouped: bool, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_scenario: object, _seed: int, _faults: object, write: Callable[[str], None]) -> None:
        write('{"t": 0.0, "event": "first"}')
        raise BaseExceptionGroup("trio", [KeyboardInterrupt()]) if grouped else KeyboardInterrupt

    playing(monkeypatch, interrupted)
    for name in ("short-1-interrupted", "short-1-interrupted-2"):
        result = maillon_sim("run", str(short), "--dir", str(tmp_path / "runs"))
        assert result.exit_code == INTERRUPTED
        assert "Interrupted" in result.stderr
        folder = tmp_path / "runs" / name
        assert json.loads((folder / MANIFEST).read_text())["state"] == "interrupted"
        assert len((folder / EVENTS).read_text().splitlines()) == 1
    assert not (tmp_path / "runs" / "short-1").exists()


def test_a_broken_run_says_what_broke_and_how_to_play_it_again(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(_patron: Patron, _node: str, _call: str, key: str, _work: object) -> None:
        raise ZeroDivisionError(key)

    monkeypatch.setattr(Patron, "_ask", forget)
    result = maillon_sim("run", str(short), "--dir", str(tmp_path / "runs"), "--bare")
    folder = tmp_path / "runs" / "short-1"
    assert result.exit_code == 1
    assert not (folder / TABLES).exists()
    assert "ZeroDivisionError" in result.stdout
    assert f"maillon sim replay {folder}" in result.stdout
    assert json.loads((folder / MANIFEST).read_text())["state"] == "broken"
    assert "Traceback" in (folder / CRASH).read_text()
    assert [event["law"] for event in run_folder.events_in(folder) if event["event"] == "violation"] == ["crash"]


def test_an_error_of_the_program_leaves_nothing(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_arguments: object) -> None:
        raise ZeroDivisionError

    playing(monkeypatch, failing)
    result = maillon_sim("run", str(short), "--dir", str(tmp_path / "runs"))
    assert isinstance(result.exception, ZeroDivisionError)
    assert not list((tmp_path / "runs").iterdir())
