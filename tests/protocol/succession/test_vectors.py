"""The bytes of every statement of a succession, both ways: tests/vectors/succession.json."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.journal import Ending, Opening, encode_opening, opening_hash, sign_opening, start_of
from protocol.namespace.quorums import quorum
from protocol.namespace.root import Root, certify_writer
from protocol.namespace.sealed_entry import wrap_epoch_key
from protocol.succession.ballot import decode_candidacy, encode_candidacy, sign_candidacy
from protocol.succession.proposal import decode_proposal, encode_proposal, sign_proposal, vote_of
from protocol.succession.succession import (
    JournalRelease,
    decode_succession,
    encode_succession,
    join_acceptances,
    sign_acceptance,
    sign_release,
    verify_release,
)
from protocol.wire import schema
from tests.support.vectors import load_vectors

VECTORS: Any = load_vectors("succession")
ROOT, WRITER = Root(bytes(range(32))), SigningKey.from_seed(bytes(range(32, 64)))
NODES = tuple(SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))
HOLDERS = tuple(NodeId(key.public) for key in NODES)


def opening(epoch: int, previous: Ending | None) -> Opening:
    certificate = certify_writer(ROOT, WRITER.public, HOLDERS[0], generation=1, from_epoch=1)
    wrapped_key = wrap_epoch_key(ROOT.wrapping_key(1), bytes([0x88]) * 16, bytes([0x77]) * 32)
    return sign_opening(
        WRITER,
        certificate,
        epoch=epoch,
        holders=HOLDERS,
        quorum=quorum(3),
        wrapped_key=wrapped_key,
        previous=previous,
    )


def build() -> dict[str, Any]:
    """All vectors: root, writer and epoch key as in namespace.json; holders of the seeds 0x01…, 0x02…, 0x03…."""
    first = opening(1, None)
    decree = opening(2, Ending(opening_hash(first), *start_of(first)))
    candidacy = sign_candidacy(WRITER, first.certificate, first, counter=7, draw=2**40)
    proposal = sign_proposal(WRITER, candidacy, decree)
    signatures = {holder: sign_acceptance(key, proposal) for holder, key in zip(HOLDERS, NODES, strict=True)}
    succession = join_acceptances(first, proposal, signatures)
    return {
        "holders": [key.seed.hex() for key in NODES],
        "predecessor": encode_opening(first).hex(),
        "decree": {"bytes": encode_opening(decree).hex(), "hash": opening_hash(decree).hex()},
        "candidacy": encode_candidacy(candidacy).hex(),
        "vote": schema.encode(vote_of(proposal)).hex(),
        "proposal": encode_proposal(proposal).hex(),
        "succession": encode_succession(succession).hex(),
        "release": schema.encode(sign_release(WRITER, decree, below=2)).hex(),
    }


@pytest.mark.parametrize("part", sorted(VECTORS.keys() - {"about"}))
def test_values_become_the_bytes_of_the_vectors(part: str) -> None:
    assert build()[part] == VECTORS[part]


def test_bytes_become_statements_that_verify() -> None:
    succession = decode_succession(bytes.fromhex(VECTORS["succession"]))
    proposal = decode_proposal(bytes.fromhex(VECTORS["proposal"]))
    assert proposal.candidacy == decode_candidacy(bytes.fromhex(VECTORS["candidacy"]))
    assert succession.ballot == proposal.ballot == proposal.candidacy.ballot
    assert encode_opening(succession.predecessor).hex() == VECTORS["predecessor"]
    assert succession.decree == proposal.decree
    assert succession.ending == proposal.ending
    assert proposal.ending == Ending(opening_hash(succession.predecessor), *start_of(succession.predecessor))
    verify_release(schema.decode(JournalRelease, bytes.fromhex(VECTORS["release"])), succession.decree)
