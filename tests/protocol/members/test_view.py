"""What a view takes in, what it refuses, and what it believes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol import limits
from protocol.errors import Forged, MaillonError, Malformed, Missing, OverLimit, Refused
from protocol.ids import FederationId
from protocol.keys.signing import SigningKey
from protocol.members.cards import NodeState, make_namespace_card, read_namespace_card
from protocol.members.charter import Admissions
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
    namespace_card,
    namespace_id,
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


class TestTenPuppets:
    def test_share_their_sponsors_standing(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        puppets = [Org(f"puppet {number}") for number in range(10)]
        for puppet in puppets:
            view.admit_all(joining(view.federation, B, puppet, capacity_bytes=2**60))
        nodes = [facts for facts in view.nodes() if facts.sponsor == B.id]
        assert len(nodes) == 11
        own = next(facts for facts in nodes if facts.organisation == B.id)
        assert own.capacity_bytes == TIB, "a guest's boast must not crowd out its sponsor"
        assert sum(facts.capacity_bytes for facts in nodes if facts is not own) <= own.capacity_bytes

    def test_cannot_sponsor_others(self) -> None:
        view, _ = found(A)
        view.admit_all(joining(view.federation, A, B))
        record = B.introduce(view.federation, "beta", C, invitation_of("c"))
        assert _refusal(view, record).identifier == "record-stranger"

    def test_cannot_vote(self) -> None:
        view, _ = found(A, alone_up_to=0)
        view.admit_all(joining(view.federation, A, B))
        motion = view.motion(admission(B))
        assert _refusal(view, B.ballot(view.federation, motion)).identifier == "record-stranger"

    def test_are_bounded_and_push_out_only_each_other(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        view.admit_all(joining(view.federation, A, C))
        for number in range(2 * limits.PENDING_ORGANISATIONS_PER_SPONSOR_MAX):
            view.admit_all(joining(view.federation, B, Org(f"puppet {number}")))
        guests = [facts for facts in view.organisations() if facts.sponsor == B.id and not facts.admitted]
        assert len(guests) == limits.PENDING_ORGANISATIONS_PER_SPONSOR_MAX
        assert view.organisation(C.id) is not None

    def test_have_few_nodes_each(self) -> None:
        view, _ = found(A)
        view.admit_all(joining(view.federation, A, B))
        view.admit_all([B.node_card(view.federation, f"b{number}") for number in range(20)])
        nodes = [facts for facts in view.nodes() if facts.organisation == B.id]
        assert len(nodes) == limits.NODES_PER_PENDING_ORGANISATION_MAX

    def test_come_to_nothing_in_a_closed_federation(self) -> None:
        view, _ = found(A, admissions=Admissions.CLOSED)
        view.admit_all(joining(view.federation, A, B))
        assert view.organisation(B.id) is None


class TestKeySuccession:
    def test_a_later_key_overrules_a_thief_with_the_first(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        thief = B.card(view.federation, counter=10**9)
        view.admit(thief)
        owner = B.renewed().card(view.federation, invitation=invitation_of("alpha to beta"))
        assert view.admit(owner) is Outcome.NEW
        assert view.admit(B.card(view.federation, counter=10**9 + 1)) is Outcome.OLDER

    def test_nodes_certified_by_the_old_key_are_out_until_certified_again(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        view.admit(B.renewed().card(view.federation, invitation=invitation_of("alpha to beta")))
        assert view.node(node_id("beta")) is None
        view.admit(B.renewed().node_card(view.federation, "beta", counter=2))
        assert view.node(node_id("beta")) is not None

    def test_another_next_key_than_the_committed_one_is_no_lineage_of_it(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        stranger = Org("thief")
        lineage = replace(B.lineage, keys=(B.key.public, stranger.key.public))
        assert lineage.organisation != B.id

    def test_the_new_key_votes_and_after_readmission_the_old_does_not(self) -> None:
        view, _ = found(A, alone_up_to=1)
        federate(view, [A, B])
        motion = view.motion(admission(B.renewed()))
        view.admit(B.renewed().ballot(view.federation, motion))
        view.admit(A.ballot(view.federation, motion))
        assert view.chain.after != motion.after
        late = B.ballot(view.federation, view.motion(admission(C)))
        assert _refusal(view, late).identifier == "ballot-key-replaced"


class TestNamespaces:
    def test_are_known_by_their_certified_writer(self) -> None:
        view, _ = found(A)
        view.admit(namespace_card(view.federation, A, "alpha", "files"))
        facts = view.namespace(namespace_id("files"))
        assert facts is not None
        assert (facts.organisation, facts.gateway, facts.gateway_is_member) == (A.id, node_id("alpha"), True)

    def test_are_ordered_by_epoch(self) -> None:
        view, _ = found(A)
        view.admit(namespace_card(view.federation, A, "alpha", "files", epoch=3))
        old = namespace_card(view.federation, A, "alpha", "files", epoch=2)
        assert view.admit(old) is Outcome.OLDER

    def test_a_later_generation_overrules_a_stolen_gateway(self) -> None:
        view, _ = found(A)
        view.admit(namespace_card(view.federation, A, "alpha", "files", epoch=10**12))
        own = namespace_card(view.federation, A, "alpha", "files", epoch=4, generation=2, writer="new")
        assert view.admit(own) is Outcome.NEW

    def test_of_an_uncertified_writer_are_forged(self) -> None:
        view, _ = found(A)
        card = namespace_card(view.federation, A, "alpha", "files")
        stolen = sign_record(node_key("alpha"), view.federation, card.kind, 1, card.subject, card.body)
        assert _refusal(view, stolen).identifier == "card-subject"

    def test_before_the_certificates_first_epoch_are_forged(self) -> None:
        view, _ = found(A)
        card = namespace_card(view.federation, A, "alpha", "files", epoch=2, from_epoch=3)
        assert _refusal(view, card).identifier == "card-epoch"

    def test_of_a_gateway_of_another_organisation_are_refused(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        card = namespace_card(view.federation, B, "alpha", "files")
        assert _refusal(view, card).identifier == "record-stranger"

    def test_may_not_be_written_once_the_gateway_is_gone(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        view.admit(namespace_card(view.federation, B, "beta", "files"))
        view.admit(B.node_card(view.federation, "beta", counter=2, state=NodeState.LEFT))
        facts = view.namespace(namespace_id("files"))
        assert facts is not None
        assert not facts.gateway_is_member


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


class TestWhoeverFloods:
    """Room is counted against who signed, so nobody can use up another's."""

    def test_with_a_stolen_key_that_was_replaced_crowds_out_nothing(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        flood = [B.node_card(view.federation, f"stolen {number}") for number in range(80)]
        flood += [
            B.introduce(view.federation, f"stolen {number}", Org(f"puppet {number}"), invitation_of(str(number)))
            for number in range(40)
        ]
        view.admit_all(flood)
        owner = B.renewed()
        own = [owner.card(view.federation, invitation=invitation_of("alpha to beta"), counter=2)]
        own += [owner.node_card(view.federation, f"own {number}") for number in range(10)]
        own += joining(view.federation, replace(owner, name="beta"), C)
        view.admit_all([owner.node_card(view.federation, "beta", counter=2), *own])
        assert {facts.name for facts in view.nodes() if facts.organisation == B.id} == {
            "beta",
            *(f"own {number}" for number in range(10)),
        }
        assert view.organisation(C.id) is not None
        assert view.admit_all(flood[80:]).count(Outcome.NEW) == 0

    def test_with_namespaces_that_name_anothers_gateway_takes_none_of_its_room(self) -> None:
        view, _ = found(A)
        federate(view, [A, B])
        view.admit(namespace_card(view.federation, A, "alpha", "files"))
        for number in range(20):
            card = namespace_card(view.federation, A, "alpha", f"squatter {number}", consenting=False)
            try:
                view.admit(card)
            except Refused as error:
                assert error.identifier == "record-quota"
        assert view.namespace(namespace_id("files")) is not None
        assert len(view.namespaces()) == 1 + limits.NAMESPACES_PER_PENDING_ORGANISATION_MAX

    def test_with_anothers_consent_forged_is_refused(self) -> None:
        view, _ = found(A)
        card = namespace_card(view.federation, A, "alpha", "files")
        other = namespace_card(view.federation, A, "alpha", "mail", consenting=False)
        mail = replace(read_namespace_card(other), consent=read_namespace_card(card).consent)
        writer = SigningKey.from_seed(seed("writer mail"))
        forged = make_namespace_card(writer, view.federation, mail)
        assert isinstance(_refusal(view, forged), Forged)
