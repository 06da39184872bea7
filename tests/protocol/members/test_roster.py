"""The rules for what a namespace needs itself: its class's code, or what those who answer can hold."""

from __future__ import annotations

import dataclasses

from protocol.ids import OrganisationId
from protocol.members.cards import NodeState
from protocol.members.facts import NodeFacts
from protocol.members.roster import rules_for, rules_for_own
from protocol.placement.classes import Code, DataClass, preset_code
from tests.support.namespaces import node

FIXED = (DataClass("internal", code=Code(3, 6, 1)),)
FREE = (DataClass("internal"),)


def members(count: int) -> list[NodeFacts]:
    return [facts(number) for number in range(count)]


def facts(number: int) -> NodeFacts:
    organisation = OrganisationId(node(1_000 + number))
    blank = {field.name: None for field in dataclasses.fields(NodeFacts)}
    given = {
        "node": node(number),
        "organisation": organisation,
        "sponsor": organisation,
        "zone": f"zone {number}",
        "jurisdiction": "FR",
        "legal_form": "association",
        "certifications": (),
        "capacity_bytes": 1 << 40,
        "state": NodeState.ACTIVE,
        "admitted": True,
    }
    return NodeFacts(**{**blank, **given})  # type: ignore[arg-type]


def test_a_fixed_code_is_kept_while_it_can_be_placed() -> None:
    assert rules_for_own(members(6), FIXED, "internal") == rules_for(members(6), FIXED, "internal")


def test_with_too_few_for_it_the_preset_of_those_who_answer_is_taken() -> None:
    assert rules_for_own(members(4), FIXED, "internal").code == preset_code(4)
    assert rules_for(members(4), FIXED, "internal").code == Code(3, 6, 1)


def test_a_class_without_a_code_follows_the_members_either_way() -> None:
    assert rules_for_own(members(5), FREE, "internal") == rules_for(members(5), FREE, "internal")
