"""Each share has its reason, and a rule broken since is named."""

from __future__ import annotations

from protocol.placement.classes import Code, DataClass
from protocol.placement.explain import reasons
from protocol.placement.place import place
from tests.support.candidates import block_id, candidate


def test_the_shares_of_a_fresh_placing_stand_in_rendezvous_order_without_objection() -> None:
    members = [candidate(number) for number in range(8)]
    placing = place(block_id(3), DataClass("internal"), Code(3, 6, 1), members)
    told = reasons(block_id(3), placing, DataClass("internal"), Code(3, 6, 1), members)
    assert [reason.rank for reason in told] == [1, 2, 3, 4, 5, 6]
    assert all(reason.objection is None and reason.in_organisation == 1 for reason in told)


def test_a_holder_that_no_longer_may_hold_is_named_with_the_rule() -> None:
    french = DataClass("personal", jurisdictions=("FR",))
    members = [candidate(0), candidate(1), candidate(2, jurisdiction="US")]
    placing = tuple(member.node for member in members)
    told = reasons(block_id(3), placing, french, Code(1, 3, 1), members[:1] + members[2:])
    assert [reason.objection for reason in told] == [None, "candidate-not-member", "candidate-jurisdiction"]
    assert told[1].rank == told[2].rank == 0
