"""What a scenario's file may say of whom its faults strike, and when; and what comes out of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocol.errors import MaillonError
from sim.faults import kinds, points
from sim.faults.chance import draw
from sim.faults.kinds import Kill, Partition, Planned, PowerCut, Start
from sim.scenario.dealing import deal, groups
from sim.scenario.model import FederationSection
from sim.scenario.reading import load, parse

HEAD = 'name = "a"\n[federation]\nnodes = 6\nzones = 3\norganisations = 2\njurisdictions = ["FR", "BE"]\n'


def planned(fault: str) -> tuple[Planned, ...]:
    return parse(f"{HEAD}[[fault]]\n{fault}").faults


def refusal(text: str) -> str:
    with pytest.raises(MaillonError) as caught:
        parse(text)
    return caught.value.identifier


def test_nodes_are_dealt_in_turn() -> None:
    seats = deal(FederationSection(nodes=5, organisations=2, zones=3, jurisdictions=("FR", "BE")))
    assert [(seat.node, seat.organisation, seat.zone, seat.jurisdiction) for seat in seats] == [
        ("n1", 0, "zone-1", "FR"),
        ("n2", 1, "zone-2", "BE"),
        ("n3", 0, "zone-3", "FR"),
        ("n4", 1, "zone-1", "BE"),
        ("n5", 0, "zone-2", "FR"),
    ]


def test_pending_nodes_are_the_last_ones_and_of_one_organisation_more() -> None:
    seats = deal(FederationSection(nodes=5, pending=2))
    assert [(seat.organisation, seat.is_pending) for seat in seats] == [
        (0, False), (1, False), (2, False), (3, True), (3, True)
    ]  # fmt: skip
    assert len({seat.zone for seat in seats}) == 5


def test_a_group_names_its_nodes() -> None:
    found = groups(FederationSection(nodes=4, organisations=2, zones=2, jurisdictions=("FR", "BE")))
    assert found["o1"] == found["zone-2"] == found["BE"] == ("n2", "n4")
    assert found["all"] == ("n1", "n2", "n3", "n4")
    assert found["n3"] == ("n3",)


def test_a_fault_strikes_every_node_of_a_group() -> None:
    assert planned('kind = "kill"\nat_s = 5\nof = ["zone-2", "n1"]') == (
        Planned(5, Kill("n2")), Planned(5, Kill("n5")), Planned(5, Kill("n1"))
    )  # fmt: skip


def test_or_only_some_of_them_one_after_the_other() -> None:
    assert planned('kind = "kill"\nat_s = 5\nof = ["all"]\nsome = 2\napart_s = 1.5') == (
        Planned(5, Kill("n5")),
        Planned(6.5, Kill("n6")),
    )


def test_a_fault_that_takes_several_nodes_takes_them_at_once() -> None:
    assert planned('kind = "partition"\nat_s = 5\nof = ["BE"]') == (Planned(5, Partition(("n2", "n4", "n6"))),)


def test_a_fault_is_repeated_until_its_time() -> None:
    assert planned('kind = "kill"\nat_s = 5\nnode = "n1"\nevery_s = 10\nuntil_s = 30') == (
        Planned(5, Kill("n1")), Planned(15, Kill("n1")), Planned(25, Kill("n1"))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "identifier"),
    [
        ('kind = "kill"\nat_s = 5\nof = ["zone-9"]', "config-value"),
        ('kind = "kill"\nat_s = 5\nnode = "n1"\nevery_s = 10', "config-value"),
        ('kind = "kill"\nat_s = 5\nnode = "n1"\nevery = 10', "config-unknown-key-far"),
        ('kind = "kill"\nof = ["n1"]', "config-value"),
        ('kind = "kill"\nat_s = 5\nnode = "n7"', "scenario-node"),
        ('kind = "kill"\nat_s = 50\nnode = "n6"\nevery_s = 10\nuntil_s = 90', "scenario-late"),
        ('kind = "take-over"\nat_s = 5\nnode = "n2"\ngateway = "n3"', "config-value"),
        ('kind = "update"\nat_s = 5\nnode = "n2"\nversion = "newest"', "config-value"),
    ],
)
def test_what_cannot_be_is_refused(fault: str, identifier: str) -> None:
    assert refusal(f"{HEAD}[[fault]]\n{fault}") == identifier


def test_a_federation_of_nobody_but_the_pending_is_refused() -> None:
    assert refusal('name = "a"\n[federation]\nnodes = 4\npending = 4\n') == "config-value"


@pytest.mark.parametrize(
    ("numbers", "identifier"),
    [
        ("nodes = 201", "scenario-organisations-many"),
        ("nodes = 400\norganisations = 201", "scenario-organisations-many"),
        ("nodes = 201\norganisations = 3", "scenario-organisation-nodes"),
    ],
)
def test_what_no_federation_takes_is_refused_before_anything_runs(numbers: str, identifier: str) -> None:
    assert refusal(f'name = "a"\n[federation]\n{numbers}\n') == identifier


def test_a_federation_as_large_as_it_may_be_is_a_scenario() -> None:
    parse('name = "a"\n[federation]\nnodes = 204\norganisations = 200\npending = 4\n')


def churned(model: str, seed: int = 1) -> list[Planned]:
    churn = f'[churn]\nmodel = "{model}"\nup_s = 20\ndown_s = 5\nspared = ["n1"]\n'
    scenario = parse(f"{HEAD}{churn}[phases]\nsafety_s = 2000\n")
    return list(draw(scenario, seed))


@pytest.mark.parametrize("model", ["exponential", "weibull"])
def test_nodes_come_and_go_in_the_mean_as_the_scenario_says(model: str) -> None:
    faults = churned(model)
    downs = [each for each in faults if isinstance(each.fault, Kill)]
    assert {each.fault.node for each in downs if isinstance(each.fault, Kill)} == {"n2", "n3", "n4", "n5", "n6"}
    assert 5 * 2000 / 25 * 0.75 < len(downs) < 5 * 2000 / 25 * 1.25
    assert len([each for each in faults if isinstance(each.fault, Start)]) == len(downs)
    assert max(each.at_s for each in faults) <= 2000


def test_churn_is_the_seed_s() -> None:
    assert churned("weibull") == churned("weibull")
    assert churned("weibull") != churned("weibull", 2)


TRACED = HEAD + '[churn]\nmodel = "trace"\ntrace = "t.csv"\nend = "power-cut"\nspared = ["n2"]\n'


def traced(folder: Path, lines: str) -> tuple[Planned, ...]:
    (folder / "s.toml").write_text(TRACED, encoding="utf-8")
    (folder / "t.csv").write_text(lines, encoding="utf-8")
    return load(str(folder / "s.toml")).faults


def test_a_trace_says_when_each_node_went_down_and_came_up(tmp_path: Path) -> None:
    assert traced(tmp_path, "# measured\n\nn3,4.5,down\nn2,5,down\nn3, 9, up\n") == (
        Planned(4.5, PowerCut("n3")),
        Planned(9, Start("n3")),
    )


@pytest.mark.parametrize("line", ["n3,4", "n3,soon,down", "n3,4,sideways", "n3,-1,up", "n3,nan,up"])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(MaillonError) as caught:
        traced(tmp_path, f"n3,1,down\n{line}\n")
    assert caught.value.identifier == "scenario-trace"
    assert caught.value.parameters["line"] == 2


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(TRACED, encoding="utf-8")
    with pytest.raises(MaillonError) as caught:
        load(str(tmp_path / "s.toml"))
    assert caught.value.identifier == "scenario-trace-absent"


def test_every_kind_of_fault_names_its_nodes() -> None:
    assert kinds.nodes_of(kinds.TakeOver("n2", "n1")) == ("n2", "n1")
    assert kinds.nodes_of(kinds.Crowd(3)) == ()
    assert kinds.nodes_of(kinds.Armed("n4", "disk.sync")) == ("n4",)


def test_every_fault_point_of_the_node_is_known_by_name() -> None:
    root = Path(__file__).parents[2]
    named = re.compile(r'reach(?:_blocking)?\(\s*"([a-z.-]+)"')
    found = {
        name
        for floor in ("node", "sim/host")
        for path in (root / floor).rglob("*.py")
        for name in named.findall(path.read_text())
    }
    assert found, "the code is looked for in the right place"
    assert found <= set(points.POINTS), "add it to sim/faults/points.py"
