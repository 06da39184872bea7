"""Who speaks for an organisation after its keys change, and who for a namespace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.errors import MaillonError
from protocol.members.cards import NodeState
from protocol.members.records import Record, sign_record
from protocol.members.shelf import Outcome
from protocol.members.view import View
from tests.support.federations import (
    Org,
    admission,
    federate,
    found,
    invitation_of,
    namespace_card,
    namespace_id,
    node_id,
    node_key,
)

A, B, C, D, E = (Org(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon"))


def _refusal(view: View, record: Record) -> MaillonError:
    with pytest.raises(MaillonError) as caught:
        view.admit(record)
    return caught.value


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
