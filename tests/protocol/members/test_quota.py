"""Quotas: what each brings is what it may use, and nobody can fill another's disk."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.members.cards import NodeState
from protocol.members.governance import expel_organisation
from protocol.members.quota import allowance_bytes, quota_owner, used_by_owner
from tests.support.federations import TIB, Org, decide, federate, found, joining, node_id

A, B, C = (Org(name) for name in ("alpha", "beta", "gamma"))


def test_one_member_uses_all_of_its_own_node() -> None:
    view, _ = found(A)
    assert allowance_bytes(view, node_id("alpha"), A.id) == TIB


def test_three_equal_members_use_a_third_of_each() -> None:
    view, _ = found(A)
    federate(view, [A, B, C])
    assert allowance_bytes(view, node_id("beta"), A.id) == TIB // 3


def test_bringing_more_gives_more() -> None:
    view, _ = found(A)
    federate(view, [A, B])
    view.admit(A.node_card(view.federation, "alpha second", capacity_bytes=2 * TIB))
    assert allowance_bytes(view, node_id("beta"), A.id) == 3 * TIB // 4
    assert allowance_bytes(view, node_id("beta"), B.id) == TIB // 4


def test_a_pending_organisation_uses_its_sponsors_part_and_adds_nothing() -> None:
    view, _ = found(A)
    federate(view, [A, B])
    before = allowance_bytes(view, node_id("alpha"), B.id)
    for number in range(10):
        view.admit_all(joining(view.federation, B, Org(f"puppet {number}"), capacity_bytes=2**59))
    assert allowance_bytes(view, node_id("alpha"), B.id) == before
    puppet = Org("puppet 3")
    assert quota_owner(view, puppet.id) == B.id
    assert allowance_bytes(view, node_id("alpha"), puppet.id) == before
    assert used_by_owner(view, {B.id: 5, puppet.id: 7, Org("nobody").id: 9}) == {B.id: 12}


def test_strangers_and_the_expelled_have_none() -> None:
    view, _ = found(A)
    federate(view, [A, B])
    assert allowance_bytes(view, node_id("alpha"), C.id) == 0
    assert allowance_bytes(view, node_id("gamma"), A.id) == 0
    decide(view, [A], expel_organisation(B.id))
    assert allowance_bytes(view, node_id("alpha"), B.id) == 0


def test_a_node_that_leaves_brings_nothing_more() -> None:
    view, _ = found(A)
    federate(view, [A, B])
    view.admit(B.node_card(view.federation, "beta", counter=2, state=NodeState.LEAVING))
    assert allowance_bytes(view, node_id("alpha"), B.id) == 0
    assert allowance_bytes(view, node_id("alpha"), A.id) == TIB


@settings(max_examples=25, deadline=None)
@given(capacities=st.lists(st.integers(0, 2**60), min_size=3, max_size=3))
def test_the_parts_of_a_holder_never_exceed_it(capacities: list[int]) -> None:
    view, _ = found(A)
    federate(view, [A, B, C])
    for org, capacity_bytes in zip((A, B, C), capacities, strict=True):
        view.admit(org.node_card(view.federation, org.name, counter=9, capacity_bytes=capacity_bytes))
    for holder in view.nodes():
        parts = sum(allowance_bytes(view, holder.node, org.id) for org in (A, B, C))
        assert parts <= holder.capacity_bytes
