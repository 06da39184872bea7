"""Puppets and floods: what a member that lies or floods can waste is its own room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol import limits
from protocol.errors import Forged, MaillonError, Refused
from protocol.keys.signing import SigningKey
from protocol.members.cards import make_namespace_card, read_namespace_card
from protocol.members.charter import Admissions
from protocol.members.records import Record
from protocol.members.shelf import Outcome
from protocol.members.view import View
from tests.support.federations import (
    TIB,
    Org,
    admission,
    federate,
    found,
    invitation_of,
    joining,
    namespace_card,
    namespace_id,
    seed,
)

A, B, C, D, E = (Org(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon"))


def _refusal(view: View, record: Record) -> MaillonError:
    with pytest.raises(MaillonError) as caught:
        view.admit(record)
    return caught.value


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
