"""What a view takes in, what it refuses, and what it believes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol import limits
from protocol.errors import Forged, MaillonError, Malformed, Missing, OverLimit, Refused
from protocol.ids import FederationId
from protocol.members.governance import expel_node, expel_organisation
from protocol.members.records import Record, RecordKind, encode_record, record_id, sign_record
from protocol.members.shelf import Outcome
from protocol.members.view import View
from tests.support.federations import (
    STANDING,
    TIB,
    Org,
    admission,
    decide,
    federate,
    found,
    invitation_of,
    joining,
    node_id,
    node_key,
    seed,
)

A, B, C, D, E = (Org(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon"))


def _refusal(view: View, record: Record) -> MaillonError:
    with pytest.raises(MaillonError) as caught:
        view.admit(record)
    return caught.value


class TestAYoungFederation:
    def test_consists_of_its_founder(self) -> None:
        view, _ = found(A)
        assert [facts.organisation for facts in view.organisations()] == [A.id]
        (node,) = view.nodes()
        assert (node.name, node.admitted, node.jurisdiction) == ("alpha", True, "FR")
        assert node.capacity_bytes == TIB

    def test_is_nothing_before_its_charter_came(self) -> None:
        known, records = found(A)
        view = View(known.federation)
        assert view.organisations() == ()
        with pytest.raises(Missing, match="charter-unknown"):
            view.charter  # noqa: B018
        assert _refusal(view, records[1]).identifier == "record-early"

    def test_takes_a_guest_as_part_of_its_sponsor(self) -> None:
        view, _ = found(A)
        view.admit_all(joining(view.federation, A, B))
        guest = view.node(node_id("beta"))
        assert guest is not None
        assert (guest.organisation, guest.sponsor, guest.admitted) == (B.id, A.id, False)

    def test_admits_by_its_founder_alone_up_to_three(self) -> None:
        view, _ = found(A)
        federate(view, [A, B, C])
        assert {facts.organisation for facts in view.organisations() if facts.admitted} == {A.id, B.id, C.id}

    def test_then_needs_a_majority(self) -> None:
        view, _ = found(A)
        federate(view, [A, B, C, D])
        view.admit_all(joining(view.federation, A, E))
        motion = view.motion(admission(E))
        for voter in (A, B):
            view.admit(voter.ballot(view.federation, motion))
        assert not any(facts.organisation == E.id and facts.admitted for facts in view.organisations())
        view.admit(C.ballot(view.federation, motion))
        assert any(facts.organisation == E.id and facts.admitted for facts in view.organisations())


class TestRefusals:
    def test_a_flipped_signature(self) -> None:
        view, _ = found(A)
        card = A.node_card(view.federation, "alpha", counter=2)
        forged = replace(card, signature=bytes([card.signature[0] ^ 1]) + card.signature[1:])
        error = _refusal(view, forged)
        assert isinstance(error, Forged)
        assert error.identifier == "signature"

    def test_another_federation(self) -> None:
        view, _ = found(A)
        other, _ = found(A, name="another")
        error = _refusal(view, A.node_card(other.federation, "alpha", counter=2))
        assert isinstance(error, Refused)
        assert error.identifier == "record-federation"

    def test_a_record_of_another_federation_under_this_ones_name(self) -> None:
        view, _ = found(A)
        card = A.node_card(FederationId(seed("another")), "alpha", counter=2)
        assert isinstance(_refusal(view, replace(card, federation=view.federation)), Forged)

    def test_strangers(self) -> None:
        view, _ = found(A)
        for record in (B.card(view.federation), B.node_card(view.federation, "beta")):
            assert _refusal(view, record).identifier == "record-stranger"
        unknown = sign_record(node_key("beta"), view.federation, 77, 1, seed("x"), b"")
        assert _refusal(view, unknown).identifier == "record-stranger"

    def test_strangers_who_introduce_themselves(self) -> None:
        view, _ = found(A)
        record = B.introduce(view.federation, "beta", B, invitation_of("own"))
        assert _refusal(view, record).identifier == "record-stranger"

    def test_too_large(self) -> None:
        view, _ = found(A)
        large = sign_record(A.key, view.federation, 77, 1, seed("x"), bytes(limits.RECORD_BYTES_MAX))
        error = _refusal(view, large)
        assert isinstance(error, OverLimit)
        assert error.identifier == "record-size"

    def test_a_body_that_is_not_of_its_kind(self) -> None:
        view, _ = found(A)
        record = sign_record(node_key("alpha"), view.federation, RecordKind.NODE, 2, node_id("alpha"), b"\xc0")
        assert isinstance(_refusal(view, record), Malformed)

    def test_a_node_that_speaks_for_another(self) -> None:
        view, _ = found(A)
        card = A.node_card(view.federation, "alpha", counter=2)
        stolen = sign_record(node_key("beta"), view.federation, RecordKind.NODE, 2, node_id("alpha"), card.body)
        assert _refusal(view, stolen).identifier == "card-subject"

    def test_another_charter(self) -> None:
        view, _ = found(A)
        _, records = found(A, name="another")
        body = records[0].body
        forged = sign_record(A.key, view.federation, RecordKind.CHARTER, 1, view.federation, body)
        assert _refusal(view, forged).identifier == "charter"


class TestKeeping:
    def test_the_higher_counter_wins_whatever_the_order(self) -> None:
        view, _ = found(A)
        new = A.node_card(view.federation, "alpha", counter=3, address="moved.example.org:1")
        old = A.node_card(view.federation, "alpha", counter=2, address="old.example.org:1")
        assert view.admit(new) is Outcome.NEW
        assert view.admit(old) is Outcome.OLDER
        assert view.admit(new) is Outcome.KNOWN
        node = view.node(node_id("alpha"))
        assert node is not None
        assert node.addresses == ("moved.example.org:1",)

    def test_a_node_learns_its_counter_back(self) -> None:
        view, _ = found(A)
        view.admit(A.node_card(view.federation, "alpha", counter=41))
        assert view.next_counter(node_key("alpha").public, RecordKind.NODE, node_id("alpha")) == 42
        assert view.next_counter(node_key("beta").public, RecordKind.NODE, node_id("beta")) == 1

    def test_kinds_of_a_later_protocol_are_kept_and_passed_on(self) -> None:
        view, _ = found(A)
        record = sign_record(node_key("alpha"), view.federation, 1_000, 1, seed("x"), b"not even msgpack")
        assert view.admit(record) is Outcome.NEW
        assert view.get(record_id(record)) == record
        assert record in view.records()

    def test_unknown_kinds_cost_their_author_alone(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        mine = sign_record(node_key("beta"), view.federation, 1_000, 1, seed("x"), b"")
        view.admit(mine)
        flood = [
            sign_record(node_key("alpha"), view.federation, 1_000 + number % 3, 1, seed(str(number)), b"")
            for number in range(3 * limits.UNKNOWN_RECORDS_PER_ORGANISATION_MAX)
        ]
        view.admit_all(flood)
        kept = [record for record in view.records() if record.kind >= 1_000]
        assert len(kept) == limits.UNKNOWN_RECORDS_PER_ORGANISATION_MAX + 1
        assert mine in kept

    def test_two_statements_with_one_counter_are_evidence(self) -> None:
        view, _ = found(A)
        one = A.node_card(view.federation, "alpha", counter=2, address="one:1")
        two = A.node_card(view.federation, "alpha", counter=2, address="two:1")
        view.admit(one)
        assert view.admit(two) is Outcome.EQUIVOCATION
        (accusation,) = view.evidence()
        assert accusation.organisation == A.id
        assert accusation.author == node_key("alpha").public
        assert view.take_made() == (accusation.record,)
        assert view.take_made() == ()

    def test_evidence_outlives_the_next_counter_and_convinces_others(self) -> None:
        view, records = found(A)
        view.admit(A.node_card(view.federation, "alpha", counter=2, address="one:1"))
        view.admit(A.node_card(view.federation, "alpha", counter=2, address="two:1"))
        view.admit(A.node_card(view.federation, "alpha", counter=3))
        other = View(view.federation)
        other.admit_all([*records, *view.records()])
        assert [accusation.author for accusation in other.evidence()] == [node_key("alpha").public]

    def test_records_survive_their_encoding(self) -> None:
        view, _ = found(A)
        for record in view.records():
            assert len(encode_record(record)) <= limits.RECORD_BYTES_MAX


class TestExpulsion:
    def test_an_expelled_organisation_is_no_member_and_its_records_stay(self) -> None:
        view, _ = found(A)
        federate(view, [A, B, C])
        kept = set(view.ids())
        decide(view, [A], expel_organisation(B.id))
        assert view.organisation(B.id) is None
        assert view.node(node_id("beta")) is None
        assert {record.author for record in view.records()} >= {node_key("beta").public, B.key.public}
        assert kept - set(view.ids()) == set()

    def test_an_expelled_node_is_no_member(self) -> None:
        view, _ = found(A)
        federate(view, [A, B, C])
        decide(view, [A], expel_node(node_id("beta")))
        assert view.node(node_id("beta")) is None
        assert view.organisation(B.id) is not None

    def test_the_guests_of_an_expelled_sponsor_go_with_it(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        view.admit_all(joining(view.federation, B, C))
        assert view.organisation(C.id) is not None
        decide(view, [A], expel_organisation(B.id))
        assert view.organisation(C.id) is None

    def test_no_invitation_brings_the_expelled_back(self) -> None:
        view, _ = found(A)
        federate(view, [A, B, C])
        decide(view, [A], expel_organisation(B.id))
        invitation = invitation_of("again")
        view.admit(C.introduce(view.federation, "gamma", B, invitation))
        view.admit(B.card(view.federation, invitation=invitation, counter=2))
        assert view.organisation(B.id) is None

    def test_a_decision_can_bring_them_back(self) -> None:
        view, _ = found(A)
        federate(view, [A, B, C])
        decide(view, [A], expel_organisation(B.id))
        decide(view, [A], admission(B))
        assert view.node(node_id("beta")) is not None

    def test_the_expelled_can_still_update_their_records_without_becoming_members(self) -> None:
        view, _ = found(A)
        federate(view, [A, B, C])
        decide(view, [A], expel_organisation(B.id))
        assert view.admit(B.node_card(view.federation, "beta", counter=9)) is Outcome.NEW
        assert view.node(node_id("beta")) is None


def test_capacity_is_never_credited_beyond_the_admission() -> None:
    view, _ = found(A, ceiling_bytes=TIB)
    view.admit(A.node_card(view.federation, "second", capacity_bytes=3 * TIB))
    credited = {facts.name: facts.capacity_bytes for facts in view.nodes()}
    assert credited == {"alpha": TIB // 4, "second": 3 * TIB // 4}
    assert STANDING.capacity_ceiling_bytes > TIB


def test_an_invitation_is_used_once_any_record_names_it() -> None:
    view, _ = found(A)
    records = joining(view.federation, A, B)
    assert view.invitations_used() == frozenset()
    view.admit(records[0])
    assert view.invitations_used() == {invitation_of("alpha to beta")}
