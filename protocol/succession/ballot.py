"""Who wants to end an epoch: ballots, and the candidacies that claim them.

A ballot orders the attempts to end one epoch. The generation of the candidate's certificate comes first, so that the
paper root can always outbid a stolen gateway, whatever number that one has claimed; then a counter; then the writer
key, so that two candidates never share a ballot; then a number that is drawn anew for each attempt, so that a
candidate that forgot its last attempt (a crash, a disk set back) does not share one with itself.

A candidacy is the claim, signed by the writer key that the root certified. Holders can therefore tell a candidate
from anybody else without asking the root.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.errors import Forged, Malformed
from protocol.ids import Digest, NamespaceId, PublicKey
from protocol.keys.signing import SigningKey, verify
from protocol.namespace.journal import EPOCH_MAX, Buffer, Epoch, Opening, opening_hash
from protocol.namespace.root import Generation, WriterCertificate, verify_certificate
from protocol.wire import schema
from protocol.wire.schema import Range, Signature

COUNTER_MAX: Final = 2**63 - 1
CANDIDACY_PURPOSE: Final = "maillon/candidacy/1"

BallotCounter = Annotated[int, Range(1, COUNTER_MAX)]
Draw = Annotated[int, Range(0, 2**63 - 1)]


@dataclass(frozen=True, slots=True, order=True)
class Ballot:
    """One attempt to end an epoch. Ballots are compared field by field, in this order."""

    generation: Generation
    counter: BallotCounter
    writer: PublicKey
    draw: Draw


@dataclass(frozen=True, slots=True)
class _CandidacyStatement:
    """What the candidate signs."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    opening: Digest
    counter: BallotCounter
    draw: Draw
    certificate: WriterCertificate


@dataclass(frozen=True, slots=True)
class Candidacy:
    """A certified writer's claim to end the epoch that begins with this opening (its hash), under one ballot."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    opening: Digest
    counter: BallotCounter
    draw: Draw
    certificate: WriterCertificate
    signature: Signature

    @property
    def ballot(self) -> Ballot:
        return Ballot(self.certificate.generation, self.counter, self.certificate.writer, self.draw)


def next_counter(seen: Iterable[Ballot]) -> int:
    """A counter above all ballots that the candidate has heard of. Raises Malformed(`ballot-counter`) at the end."""
    counter = max((ballot.counter for ballot in seen), default=0) + 1
    if counter > COUNTER_MAX:
        raise Malformed("ballot-counter", counter=counter - 1)
    return counter


def sign_candidacy(
    writer: SigningKey, certificate: WriterCertificate, opening: Opening, *, counter: int, draw: int
) -> Candidacy:
    """Claim to end the epoch of `opening`. `draw` is random, and used once. Raises what `verify_candidacy` raises."""
    claim = (opening.namespace, opening.epoch, opening_hash(opening), counter, draw, certificate)
    signature = writer.sign(CANDIDACY_PURPOSE, schema.encode(_CandidacyStatement(*claim)))
    candidacy = Candidacy(*claim, signature)
    verify_candidacy(candidacy)
    return candidacy


def verify_candidacy(candidacy: Candidacy) -> None:
    """Return if a writer whom the root lets open the next epoch signed the candidacy.

    Raises:
        Forged: `signature`, or `journal-certificate` when it vouches for another namespace or a later epoch.
        Malformed: `candidacy-epoch` when there can be no next epoch.
    """
    certificate = candidacy.certificate
    if candidacy.epoch >= EPOCH_MAX:
        raise Malformed("candidacy-epoch", epoch=candidacy.epoch)
    if certificate.namespace != candidacy.namespace or certificate.from_epoch > candidacy.epoch + 1:
        raise Forged("journal-certificate", namespace=candidacy.namespace)
    verify_certificate(certificate)
    statement = _CandidacyStatement(
        candidacy.namespace,
        candidacy.epoch,
        candidacy.opening,
        candidacy.counter,
        candidacy.draw,
        certificate,
    )
    verify(certificate.writer, CANDIDACY_PURPOSE, schema.encode(statement), candidacy.signature)


def encode_candidacy(candidacy: Candidacy) -> bytes:
    """Canonical bytes."""
    return schema.encode(candidacy)


def decode_candidacy(data: Buffer) -> Candidacy:
    """The candidacy in `data`, verified. Raises what `verify_candidacy` and `schema.decode` raise."""
    candidacy = schema.decode(Candidacy, data)
    verify_candidacy(candidacy)
    return candidacy
