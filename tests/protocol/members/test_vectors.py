"""The bytes of every format that members exchange, as another implementation must make and read them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from protocol.ids import FederationId
from protocol.members.cards import Introduction, NamespaceCard, NodeCard, OrganisationCard
from protocol.members.certificate import Certificate
from protocol.members.charter import Charter
from protocol.members.evidence import Equivocation
from protocol.members.governance import Ballot, Proposal, expel_node, expel_organisation
from protocol.members.invitations import (
    decode_invitation,
    encode_invitation,
    encode_invitation_text,
    invitation_id,
    make_invitation,
    parse_invitation,
)
from protocol.members.records import Record, RecordKind, decode_record, encode_record, record_id, sign_record
from protocol.members.view import View
from protocol.wire import schema
from tests.support.federations import Org, admission, decide, found, joining, namespace_card, node_id, node_key, seed
from tests.support.vectors import load_vectors

BODIES: dict[int, type] = {
    RecordKind.CHARTER: Charter,
    RecordKind.CERTIFICATE: Certificate,
    RecordKind.BALLOT: Ballot,
    RecordKind.PROPOSAL: Proposal,
    RecordKind.INTRODUCTION: Introduction,
    RecordKind.ORGANISATION: OrganisationCard,
    RecordKind.NODE: NodeCard,
    RecordKind.NAMESPACE: NamespaceCard,
    RecordKind.EVIDENCE: Equivocation,
}


@cache
def made() -> dict[str, Record]:
    """One record of each kind, in a federation that anyone can make again from the seeds in the vectors."""
    alpha, beta = Org("alpha"), Org("beta")
    view, (charter, card, node) = found(alpha)
    federation = view.federation
    introduction, guest, guest_node = joining(federation, alpha, beta)
    view.admit_all([introduction, guest, guest_node])
    motion = view.motion(admission(beta))
    proposal = alpha.propose(federation, motion)
    (ballot,) = decide(view, [alpha], admission(beta))
    (certificate,) = (record for record in view.records() if record.kind == RecordKind.CERTIFICATE)
    view.admit(alpha.node_card(federation, "alpha", counter=2, address="one.example.org:7000"))
    view.admit(alpha.node_card(federation, "alpha", counter=2, address="two.example.org:7000"))
    (accusation,) = view.evidence()
    return {
        "charter": charter,
        "organisation card": card,
        "organisation card after a key succession": beta.renewed().card(federation, counter=2),
        "node card": node,
        "introduction": introduction,
        "organisation card of a guest": guest,
        "node card of a guest": guest_node,
        "proposal to admit": proposal,
        "proposal to expel a node": alpha.propose(federation, view.motion(expel_node(node_id("beta")))),
        "ballot to admit": ballot,
        "ballot against expelling": alpha.ballot(federation, view.motion(expel_organisation(beta.id)), approve=False),
        "certificate": certificate,
        "namespace card": namespace_card(federation, alpha, "alpha", "files", holders=("alpha", "beta")),
        "namespace card without consent": namespace_card(federation, alpha, "alpha", "files", consenting=False),
        "evidence": accusation.record,
        "kind of a later protocol": sign_record(node_key("alpha"), federation, 1_000, 1, seed("x"), b"later"),
    }


def as_vectors() -> dict[str, Any]:
    """What tests/vectors/members.json holds."""
    alpha = Org("alpha")
    federation = made()["charter"].federation
    invitation = _invitation()
    return {
        "federation": federation.hex(),
        "organisation": {
            "seed": seed("organisation alpha").hex(),
            "keys": [alpha.keys.key(number).public.hex() for number in range(8)],
            "id": alpha.id.hex(),
            "next_key_hash": alpha.lineage.next_key_hash.hex(),
        },
        "node": {"seed": seed("node alpha").hex(), "id": node_id("alpha").hex()},
        "records": [
            {"name": name, "id": record_id(record).hex(), "bytes": encode_record(record).hex()}
            for name, record in made().items()
        ],
        "invitation": {
            "bytes": encode_invitation(invitation).hex(),
            "id": invitation_id(invitation).hex(),
            "text": encode_invitation_text(invitation),
        },
    }


def _invitation() -> Any:
    return make_invitation(
        node_key("alpha"),
        made()["charter"].federation,
        Org("alpha").id,
        addresses=("alpha.example.org:7000",),
        expires_s=1_800_000_000,
        nonce=seed("nonce"),
    )


def test_what_we_make_is_what_the_vectors_say() -> None:
    assert as_vectors() == load_vectors("members")


@pytest.mark.parametrize("vector", load_vectors("members")["records"], ids=lambda vector: vector["name"])
def test_the_vectors_read_as_what_we_made(vector: dict[str, str]) -> None:
    raw = bytes.fromhex(vector["bytes"])
    record = decode_record(raw)
    assert record == made()[vector["name"]]
    assert record_id(record).hex() == vector["id"]
    body = BODIES.get(record.kind)
    if body is not None:
        assert schema.encode(schema.decode(body, record.body)) == record.body


def test_a_view_takes_them_all_but_for_their_order() -> None:
    view = View(FederationId(bytes.fromhex(load_vectors("members")["federation"])))
    results = view.admit_all(list(made().values()))
    assert [result for result in results if isinstance(result, Exception)] == []


def test_the_invitation_reads_back() -> None:
    vector = load_vectors("members")["invitation"]
    assert decode_invitation(bytes.fromhex(vector["bytes"])) == _invitation()
    assert parse_invitation(vector["text"]) == _invitation()
