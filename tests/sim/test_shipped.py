"""Every scenario that comes with the program is played once, and does what its file says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sim.faults.chance import draw
from sim.faults.kinds import Armed
from sim.run.play import play
from sim.scenario.model import POINTS, Scenario
from sim.scenario.reading import SHIPPED, load, shipped
from tests.sim.shipped import in_haste, in_short

ROOT = Path(__file__).parents[2]


# Those that are the like of another one. `make chaos` plays them too, and all of them at their full length: minutes.
ALIKE = {
    "bit-rot", "churn-exponential", "churn-weibull", "flash-crowd", "mass-return", "organisation-leaves",
    "partition-flapping", "partition-symmetric", "power-cut", "site-burns", "slow-nodes", "torn-writes",
    "update-at-once",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in shipped() if name not in ALIKE])
def test_it_keeps_every_promise(name: str) -> None:
    keeps_every_promise(in_haste(name))


@pytest.mark.chaos
@pytest.mark.parametrize("name", shipped())
def test_it_keeps_every_promise_at_its_full_length(name: str) -> None:
    keeps_every_promise(in_short(name))


def keeps_every_promise(scenario: Scenario) -> None:
    """Those that need repair lack shares at the end, and fail by nothing else."""
    outcome = play(scenario, 1, draw(scenario, 1))
    others = [violation for violation in outcome.violations if violation.law != "full"]
    assert others == []
    assert outcome.healed_s is not None
    assert bool(outcome.violations) == scenario.expect.needs_repair
    assert outcome.answered["put"] > 3, "a run in which nothing is stored proves little"


@pytest.mark.parametrize("name", shipped())
def test_its_file_says_what_it_is_about(name: str) -> None:
    text = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
    scenario = load(name)
    assert scenario.name == name
    assert scenario.summary.endswith((".", "!"))
    assert len([line for line in text.splitlines() if line.startswith("#")]) >= 1
    assert "summary" in tomllib.loads(text)


def test_every_fault_point_that_is_named_is_in_the_node() -> None:
    found = {
        point
        for path in [*(ROOT / "node").rglob("*.py"), *(ROOT / "protocol").rglob("*.py")]
        for point in re.findall(r'"([a-z]+\.[a-z-]+)"', path.read_text(encoding="utf-8"))
    }
    named = {
        planned.fault.point for name in shipped() for planned in load(name).faults if isinstance(planned.fault, Armed)
    }
    assert {*named, *POINTS} <= found


CHILD = """
from sim.faults.chance import draw
from sim.run.play import play
from tests.sim.shipped import cut_short
scenario = cut_short({name!r}, 14)
print(play(scenario, 5, draw(scenario, 5)).digest)
"""


@pytest.mark.parametrize("name", ["gateways-racing", "crash-before-fsync"])
def test_a_seed_replays_in_another_process_with_another_hash_seed(name: str) -> None:
    """The digest is of the log's every byte, and of each message below it."""
    digests = [
        subprocess.run(
            [sys.executable, "-c", CHILD.format(name=name)],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            timeout=300,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert digests[0] == digests[1] != b""
