"""The certificate of a quorum: a decision, and the signatures that made it one.

It holds the decision once and, for each vote, the elector's place in the electorate and its ballot's signature;
whoever checks it rebuilds each ballot from these and verifies what was really signed. So a certificate needs no
author, and a node that comes years later needs neither the ballots nor those who cast them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.errors import Forged, Malformed
from protocol.ids import ID_BYTES, PublicKey
from protocol.limits import ORGANISATIONS_ADMITTED_MAX
from protocol.members.governance import Ballot, Chain, Motion, check_elector, read_ballot, round_subject
from protocol.members.lineage import Lineage
from protocol.members.records import UNSIGNED, Record, RecordKind, check_record, expect
from protocol.wire import schema
from protocol.wire.schema import Length, Range, Signature

_NOBODY: Final = PublicKey(bytes(ID_BYTES))


@dataclass(frozen=True, slots=True)
class Vote:
    """`lineage` is None when it is still the one of the elector's admission."""

    elector: Annotated[int, Range(0, ORGANISATIONS_ADMITTED_MAX - 1)]
    lineage: Lineage | None
    signature: Signature


@dataclass(frozen=True, slots=True)
class Certificate:
    """A quorum's votes for one motion, in the order of the electorate."""

    WIRE_VERSION: ClassVar[int] = 1
    motion: Motion
    votes: Annotated[tuple[Vote, ...], Length(1, ORGANISATIONS_ADMITTED_MAX)]


def make_certificate(chain: Chain, ballots: Sequence[Record]) -> Record:
    """The certificate of these ballot records: a quorum of `chain`'s electorate or more, all for one motion.

    Only as many votes as the quorum needs are taken, those that take least room first.
    """
    places = {elector.organisation: place for place, elector in enumerate(chain.electorate)}
    found: list[tuple[int, Vote]] = []
    motion: Motion | None = None
    for record in ballots:
        ballot = read_ballot(record)
        motion = ballot.motion
        place = places[ballot.organisation]
        same = ballot.lineage == chain.electorate[place].admission.lineage
        extra_keys = 0 if same else len(ballot.lineage.keys)
        found.append((extra_keys, Vote(place, None if same else ballot.lineage, record.signature)))
    if motion is None or len(found) < chain.quorum:
        raise ValueError("a certificate needs a quorum of ballots")
    found.sort(key=lambda cost_and_vote: (cost_and_vote[0], cost_and_vote[1].elector))
    votes = sorted((vote for _, vote in found[: chain.quorum]), key=lambda vote: vote.elector)
    body = schema.encode(Certificate(motion, tuple(votes)))
    return Record(chain.federation, int(RecordKind.CERTIFICATE), 1, _NOBODY, chain.after, body, UNSIGNED)


def read_certificate(record: Record) -> Certificate:
    """The certificate, its form checked; its votes are checked against the chain by `check_certificate`."""
    expect(record, RecordKind.CERTIFICATE)
    certificate = schema.decode(Certificate, record.body)
    if record.subject != certificate.motion.after or record.counter != 1 or any(record.author):
        raise Malformed("certificate-envelope")
    places = [vote.elector for vote in certificate.votes]
    if places != sorted(set(places)):
        raise Malformed("certificate-votes")
    return certificate


def check_certificate(chain: Chain, certificate: Certificate) -> None:
    """Return if the votes are a quorum of `chain`'s electorate for this motion.

    Raises:
        Forged: `certificate-quorum`, `signature`. Refused: `ballot-key-replaced`.
    """
    votes = certificate.votes
    electors = len(chain.electorate)
    if certificate.motion.after != chain.after or len(votes) != chain.quorum or votes[-1].elector >= electors:
        raise Forged("certificate-quorum", votes=len(votes), quorum=chain.quorum)
    for ballot in ballots_of(chain, certificate):
        check_elector(chain, read_ballot(ballot).lineage)
        check_record(ballot, chain.federation)


def ballots_of(chain: Chain, certificate: Certificate) -> tuple[Record, ...]:
    """The ballots that the votes stand for, as their organisations signed them.

    Raises:
        Forged: `lineage` when a vote is said to be another organisation's.
    """
    return tuple(_ballot(chain, certificate.motion, vote) for vote in certificate.votes)


def _ballot(chain: Chain, motion: Motion, vote: Vote) -> Record:
    elector = chain.electorate[vote.elector]
    lineage = elector.admission.lineage if vote.lineage is None else vote.lineage
    if lineage.organisation != elector.organisation:
        raise Forged("lineage", organisation=elector.organisation)
    body = schema.encode(Ballot(lineage, motion, approve=True))
    subject = round_subject(motion.after, motion.round)
    return Record(chain.federation, int(RecordKind.BALLOT), 1, lineage.current, subject, body, vote.signature)
