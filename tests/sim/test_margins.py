"""What excuses an object that cannot be read, and what does not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from node.vault.objects import BlockExplanation, ShareExplanation
from protocol.ids import BlockId
from protocol.placement.explain import Reason
from sim.faults.kinds import Destroy, DiskFull, Expel, Fault, Kill, Lie, Overwrite, PowerCut, RollBack, Wipe
from sim.federation.cast import Cast
from sim.federation.federation import Federation, cast_of
from sim.federation.lives import Lives
from sim.oracle.census import Census, EpochSeen
from sim.oracle.laws import held_on_to, short
from sim.oracle.losses import Losses
from sim.oracle.margins import Margins
from sim.scenario.reading import parse

SCENARIO = parse('name = "a"\n[federation]\nnodes = 8\norganisations = 4\ncode = "3/6"\n')
CAST = cast_of(SCENARIO)
BLOCK = BlockId(bytes(32))


def block(holders: tuple[str, ...] = ("n1", "n2", "n3", "n4", "n5", "n6")) -> BlockExplanation:
    """3-of-6, a share on each of these."""
    shares = tuple(
        ShareExplanation(
            Reason(index, CAST[name].node, None, "", "", 1, 1, 3, 1, 3, None), name, "", answers=True, complete=True
        )
        for index, name in enumerate(holders)
    )
    return BlockExplanation(BLOCK, 3, 6, 1000, shares)


@dataclass
class Bare:
    """Of a federation, what margins are judged by: nobody need run."""

    cast: Cast = CAST
    lives: Lives | None = None


def excused(faults: list[tuple[float, Fault]], *, born_s: float = 0.0, whole_s: float | None = 0.0) -> bool:
    """After these faults, of an object in that one block, which had all its shares at `whole_s`."""
    losses, census = Losses(CAST), Census()
    for at_s, fault in faults:
        losses.note(fault, at_s)
    census.named["ns", "key"] = (block(),)
    census.born_s[BLOCK] = born_s
    if whole_s is not None:
        census.whole_s[BLOCK] = whole_s
    federation: Federation = Bare()  # type: ignore[assignment]
    excuses = Margins(federation, losses, census, margin=1).excuses("ns", "key")
    try:
        excuses.send(None)
    except StopIteration as done:
        return bool(done.value)
    raise AssertionError("nobody is asked when nothing rots")


def lost(*nodes: str, at_s: float = 10.0) -> list[tuple[float, Fault]]:
    return [(at_s, Destroy(node)) for node in nodes]


def test_a_whole_block_bears_n_minus_k_losses_and_no_more() -> None:
    assert not excused(lost("n1", "n2", "n3"))
    assert excused(lost("n1", "n2", "n3", "n4"))


def test_before_it_is_whole_it_bears_its_margin() -> None:
    assert not excused(lost("n1"), whole_s=None)
    assert excused(lost("n1", "n2"), whole_s=None)
    assert excused(lost("n1", "n2", at_s=10), whole_s=20)
    assert not excused(lost("n1", at_s=10) + lost("n2", at_s=30), whole_s=20)


def test_losses_of_others_and_losses_before_it_was_there_excuse_nothing() -> None:
    assert not excused(lost("n1", "n2", "n3", "n7", "n8"))
    assert not excused(lost("n1", "n2", "n3", "n4", at_s=10), born_s=20, whole_s=20)


def test_one_node_that_is_lost_twice_counts_once() -> None:
    assert not excused(lost("n1", "n2", "n3") + lost("n1", "n2", "n3", at_s=12))


@pytest.mark.parametrize("kind", [Wipe, RollBack, Overwrite])
def test_every_way_of_losing_a_disk_counts(kind: type[Wipe | RollBack | Overwrite]) -> None:
    assert excused([*lost("n1", "n2", "n3"), (11, kind("n4"))])


def test_so_does_a_lie() -> None:
    assert excused([*lost("n1", "n2", "n3"), (11, Lie("n4", "any"))])


def test_an_expelled_organisation_takes_its_nodes_along() -> None:
    assert excused([*lost("n1", "n2"), (11, Expel("n3"))]) is False, "n3 and n7, of which one holds a share"
    assert excused([*lost("n1", "n2", "n4"), (11, Expel("n3"))])


@pytest.mark.parametrize("fault", [PowerCut("n4"), Kill("n4"), DiskFull("n4")])
def test_what_a_node_must_bear_is_no_excuse(fault: Fault) -> None:
    assert not excused([*lost("n1", "n2", "n3"), (11, fault)])


def test_a_journal_bears_what_its_quorum_says() -> None:
    losses, census = Losses(CAST), Census()
    census.epochs["ns"] = {4: EpochSeen(5.0, ("n1", "n2", "n3", "n4", "n5", "n6"), 4)}
    federation: Federation = Bare()  # type: ignore[assignment]
    margins = Margins(federation, losses, census, margin=1)
    for at_s, node in ((1.0, "n3"), (10.0, "n1"), (11.0, "n2"), (12.0, "n8")):
        losses.note(Wipe(node), at_s)
    assert not margins.excuses_journal("ns"), "two of six since it began"
    losses.note(Wipe("n6"), 13.0)
    assert margins.excuses_journal("ns")


def test_a_block_with_less_than_n_shares_is_short_unless_it_is_lost() -> None:
    whole = {BLOCK: [(f"n{index + 1}", index) for index in range(6)]}
    assert short({BLOCK: block()}, whole) == []
    assert [broken.law for broken in short({BLOCK: block()}, {BLOCK: whole[BLOCK][:3]})] == ["full"]
    assert short({BLOCK: block()}, {BLOCK: whole[BLOCK][:2]}) == [], "no repair brings that back"


def test_a_deleted_block_that_somebody_keeps_is_told_with_whom() -> None:
    (broken,) = held_on_to({BLOCK: block()}, {BLOCK: [("n3", 1), ("n2", 0), ("n8", 5)]})
    assert broken.law == "given-up"
    assert "n2, n3 keeps" in broken.told
    assert held_on_to({BLOCK: block()}, {BLOCK: [("n8", 5)]}) == [], "nobody knew that it has one"
