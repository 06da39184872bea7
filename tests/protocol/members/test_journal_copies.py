"""Copies of a journal go where everybody agrees they go, and where its data may be."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ids import NodeId
from protocol.members.journal_copies import copy_holders
from protocol.namespace.journal import Opening
from protocol.placement.candidates import Candidate, objection
from protocol.placement.classes import DataClass, standard_classes
from tests.support.namespaces import node, tenant

CLASSES = standard_classes()


def candidate(number: int, *, jurisdiction: str = "FR", certifications: tuple[str, ...] = ()) -> Candidate:
    return Candidate(
        node=node(number),
        organisation=node(1_000 + number),
        zone=f"zone {number}",
        jurisdiction=jurisdiction,
        legal_form="association",
        certifications=certifications,
        weight=1,
        admitted=True,
    )


CANDIDATES = [candidate(number) for number in range(12)]
OPENING = tenant(1, holders=tuple(node(number) for number in range(6))).opening


def targets(
    away: list[int], candidates: list[Candidate] = CANDIDATES, opening: Opening = OPENING
) -> tuple[NodeId, ...]:
    return copy_holders(opening, {node(number) for number in away}, CLASSES, candidates)


@given(st.sets(st.integers(0, 11), max_size=9), st.randoms())
def test_there_is_one_for_each_holder_away_as_far_as_others_are_there(away: set[int], chance: Random) -> None:
    found = targets(sorted(away))
    free = {node(number) for number in range(6, 12) if number not in away}
    assert len(found) == len(set(found)) == min(len([number for number in away if number < 6]), len(free))
    assert set(found) <= free
    shuffled = list(CANDIDATES)
    chance.shuffle(shuffled)
    assert targets(sorted(away), shuffled) == found


def test_one_more_that_goes_moves_no_copy_that_is_there() -> None:
    first = targets([0])
    assert set(first) < set(targets([0, 1])) < set(targets([0, 1, 2]))


def test_a_holder_that_is_no_member_any_more_is_away() -> None:
    assert len(targets([], CANDIDATES[1:])) == 1


def test_nobody_is_away_nothing_is_copied() -> None:
    assert targets([]) == ()


@pytest.mark.parametrize("data_class", ["personal", "health"])
def test_a_copy_stays_where_the_class_could_be(data_class: str) -> None:
    """The holders look as if they held this class; only a node that may hold it too is given a copy."""
    certifications = ("HDS",) if data_class == "health" else ()
    holders = [candidate(number, certifications=certifications) for number in range(6)]
    lawful = candidate(6, certifications=certifications)
    unlawful = [candidate(number, jurisdiction="US", certifications=certifications) for number in range(7, 12)]
    assert targets([0, 1], [*holders, lawful, *unlawful]) == (lawful.node,)
    rule: DataClass = next(each for each in CLASSES if each.name == data_class)
    assert all(objection(each, rule) is not None for each in unlawful)


def test_holders_outside_the_strict_classes_are_no_reason_to_be_strict() -> None:
    abroad = [candidate(number, jurisdiction="US") for number in range(12)]
    assert len(targets([0, 1], abroad)) == 2
