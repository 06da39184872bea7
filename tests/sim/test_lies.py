"""One member lies, in each of the ways there are, while clients work and the gateway dies: no promise is broken.

Six nodes, any three of whose shares rebuild a block; the journal bears one liar and two that are gone. Every lie has
to be told, or nothing was tested.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from sim.byzantine import LIARS
from sim.faults.chance import draw
from sim.faults.kinds import Lie, Wipe
from sim.faults.lies import LIES, OF_GATEWAYS
from sim.run.play import Outcome, play
from sim.scenario.reading import parse

LIAR = "n3"
SCENE = """
name = "a member lies"
[phases]
safety_s = 5
check_every_s = 2
[node.vault]
release_every_s = 0.5
complete_after_s = 2.0
journal_lease_s = 3.0
[workload]
pause_s = 0.3
keys = 3
small = 100_000
large = 150_000
removes = 2
"""
LIE = """
[[fault]]
at_s = 0.0
kind = "lie"
node = "{liar}"
lie = "{lie}"
"""
GATEWAY_DIES = """
[[fault]]
at_s = 2.5
kind = "kill"
node = "n1"
[[fault]]
at_s = 3.0
kind = "start"
node = "n1"
"""

# What honest nodes say in their logs of those lies that show themselves.
FOUND_OUT = {
    "wrong-bytes": "holders.wrong-bytes",
    "forged-shares": "holders.wrong-bytes",
    "answers-rubbish": "journal.holder-wrong",
    "two-cards": "author-contradicts",
    "sends-garbage": "peer-broke-protocol",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it, and the event log."""

    outcome: Outcome
    events: list[Mapping[str, Any]]

    def named(self, event: str) -> list[Mapping[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    def said(self, what: str) -> list[Mapping[str, Any]]:
        """What honest nodes said."""
        return [each for each in self.named("said") if each["what"] == what and each["node"] != LIAR]


def run(text: str, seed: int = 1) -> Run:
    scenario, lines = parse(text), list[str]()
    outcome = play(scenario, seed, draw(scenario, seed), lines.append)
    return Run(outcome, [json.loads(line) for line in lines])


@pytest.mark.parametrize("lie", sorted({*LIES} - OF_GATEWAYS))
def test_a_lie_breaks_no_promise(lie: str) -> None:
    played = run(SCENE + LIE.format(liar=LIAR, lie=lie) + GATEWAY_DIES)
    assert {told["lie"] for told in played.named("lie")} == {lie}
    assert played.outcome.violations == []
    assert played.outcome.healed_s is not None
    assert played.outcome.answered["put"] > 3
    if lie in FOUND_OUT:
        assert played.said(FOUND_OUT[lie])
    # Nobody is taken for dead because somebody says so.
    assert not [heard for heard in played.said("member") if heard["now"] == "down"]


def test_who_is_no_gateway_any_more_is_not_obeyed() -> None:
    taken_over = '[[fault]]\nat_s = 1.0\nkind = "take-over"\nnode = "n2"\ngateway = "n1"\n'
    played = run(SCENE + LIE.format(liar="n1", lie="releases-late") + taken_over)
    assert {told["lie"] for told in played.named("lie")} == {"releases-late"}
    assert max(told["blocks"] for told in played.named("lie")) > 0
    assert played.outcome.violations == []


def test_there_is_a_liar_for_each_lie_that_a_scenario_may_name() -> None:
    assert set(LIARS) == set(LIES)


@pytest.mark.parametrize("lie", ["accuses-the-living", "floods"])
def test_clients_do_not_notice_a_liar_on_a_calm_day(lie: str) -> None:
    played = run(SCENE + LIE.format(liar=LIAR, lie=lie))
    assert played.named("lie")
    assert played.outcome.violations == []
    assert not [told for told in played.outcome.refused if not told.endswith("-missing")]


def test_members_that_lie_are_drawn_from_the_seed() -> None:
    text = SCENE + "[chance]\nliar_every_s = 2\nliars_most = 1\n"
    drawn = [planned.fault for seed in range(60) for planned in draw(parse(text), seed)]
    lies = [fault for fault in drawn if isinstance(fault, Lie)]
    assert {fault.lie for fault in lies} == {*LIES} - OF_GATEWAYS
    assert "n1" not in {fault.node for fault in lies}
    played = run(text, seed=2)
    assert played.named("lie")
    assert played.outcome.violations == []


def test_a_wiped_node_is_no_liar() -> None:
    scenario = parse(SCENE + "[chance]\nliar_every_s = 2\nwipe_every_s = 2\naway_most = 2\n")
    kinds = [{type(planned.fault) for planned in draw(scenario, seed)} for seed in range(20)]
    assert any({Lie, Wipe} <= drawn for drawn in kinds)
