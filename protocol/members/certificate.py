"""The certificate of a quorum: a decision, and the signatures that made it one.

It holds the decision once and, for each vote, the elector's place in the electorate and its ballot's signature;
whoever checks it rebuilds each ballot from these and verifies what was really signed. So a certificate needs no
author, and a node that comes years later needs neither the ballots nor those who cast them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol.errors import Forged, Malformed
from protocol.ids import PublicKey
from protocol.limits import ORGANISATIONS_ADMITTED_MAX
from protocol.members.governance import Ballot, Chain, Motion, check_elector, read_ballot, round_subject
from protocol.members.lineage import Lineage
from protocol.members.records import UNSIGNED, Record, RecordKind, check_record, expect
from protocol.wire import schema
from protocol.wire.schema import Length, Range, Signature


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
    """The certificate of these ballot records: a quorum of `chain`'s electorate, all for one motion.

    Only as many votes as the quorum needs are taken, the first in the order of the electorate.
    """
    cast = {ballot.organisation: (record, ballot) for record in ballots for ballot in (read_ballot(record),)}
    votes: list[Vote] = []
    motion: Motion | None = None
    for place, elector in enumerate(chain.electorate):
        if elector.organisation in cast and len(votes) < chain.quorum:
            record, ballot = cast[elector.organisation]
            motion = ballot.motion
            lineage = None if ballot.lineage == elector.admission.lineage else ballot.lineage
            votes.append(Vote(place, lineage, record.signature))
    if motion is None:
        raise ValueError("a certificate needs ballots of the electorate")
    body = schema.encode(Certificate(motion, tuple(votes)))
    nobody = PublicKey(bytes(len(chain.after)))
    return Record(chain.federation, RecordKind.CERTIFICATE, 1, nobody, chain.after, body, UNSIGNED)


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
    electorate = chain.electorate
    votes = certificate.votes
    if certificate.motion.after != chain.after or len(votes) != chain.quorum or votes[-1].elector >= len(electorate):
        raise Forged("certificate-quorum", votes=len(votes), quorum=chain.quorum)
    for vote in votes:
        elector = electorate[vote.elector]
        lineage = elector.admission.lineage if vote.lineage is None else vote.lineage
        if lineage.organisation != elector.organisation:
            raise Forged("lineage", organisation=elector.organisation)
        check_elector(chain, lineage)
        check_record(_ballot_record(chain, certificate.motion, lineage, vote.signature), chain.federation)


def _ballot_record(chain: Chain, motion: Motion, lineage: Lineage, signature: bytes) -> Record:
    ballot = schema.encode(Ballot(lineage, motion, approve=True))
    subject = round_subject(motion.after, motion.round)
    return Record(chain.federation, RecordKind.BALLOT, 1, lineage.current, subject, ballot, signature)
