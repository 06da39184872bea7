"""What a candidate asks the holders to accept: a decree under its ballot.

The decree is the complete, signed opening of the next epoch, which says where this one ends. It need not be the
candidate's own: whoever finds that a decree may have been decided already proposes that one again. The candidate
signs the pair, so that a holder can later show what it accepted, and can invent nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from protocol.errors import Forged
from protocol.ids import Digest, NamespaceId
from protocol.keys.signing import SigningKey, verify
from protocol.namespace.journal import Buffer, Ending, Epoch, Opening, opening_hash, verify_opening
from protocol.succession.ballot import Ballot, Candidacy, verify_candidacy
from protocol.wire import schema
from protocol.wire.schema import Signature

PROPOSAL_PURPOSE: Final = "maillon/proposal/1"


@dataclass(frozen=True, slots=True)
class DecreeVote:
    """What a candidate signs when it proposes, and a holder when it accepts: a decree (its hash) under a ballot."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    opening: Digest
    ballot: Ballot
    decree: Digest


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decree under the ballot of a candidacy, signed by the candidate."""

    WIRE_VERSION: ClassVar[int] = 1
    candidacy: Candidacy
    decree: Opening
    signature: Signature

    @property
    def ballot(self) -> Ballot:
        return self.candidacy.ballot

    @property
    def ending(self) -> Ending:
        """Where the decree ends the epoch."""
        if self.decree.previous is None:
            raise Forged("succession-decree", namespace=self.decree.namespace, epoch=self.decree.epoch)
        return self.decree.previous


def vote_of(proposal: Proposal) -> DecreeVote:
    """What is signed about the proposal."""
    candidacy = proposal.candidacy
    return DecreeVote(
        candidacy.namespace, candidacy.epoch, candidacy.opening, candidacy.ballot, opening_hash(proposal.decree)
    )


def sign_proposal(writer: SigningKey, candidacy: Candidacy, decree: Opening) -> Proposal:
    """Propose `decree`. Raises what `verify_proposal` raises."""
    unsigned = Proposal(candidacy, decree, b"")
    proposal = Proposal(candidacy, decree, writer.sign(PROPOSAL_PURPOSE, schema.encode(vote_of(unsigned))))
    verify_proposal(proposal)
    return proposal


def check_decree(namespace: NamespaceId, epoch: int, opening: Digest, decree: Opening) -> None:
    """Return if `decree` goes on from the epoch of this opening (its hash). Raises Forged(`succession-decree`)."""
    follows = decree.namespace == namespace and decree.epoch == epoch + 1
    if not follows or decree.previous is None or decree.previous.opening != opening:
        raise Forged("succession-decree", namespace=namespace, epoch=epoch)


def verify_proposal(proposal: Proposal) -> None:
    """Return if the proposal is one that a holder may accept.

    Raises:
        Forged: `succession-decree` when the decree does not go on from the candidacy's epoch; `signature`.
        Malformed, Forged: what `verify_candidacy` and `verify_opening` raise.
    """
    candidacy = proposal.candidacy
    check_decree(candidacy.namespace, candidacy.epoch, candidacy.opening, proposal.decree)
    verify_candidacy(candidacy)
    verify_opening(proposal.decree)
    verify(candidacy.certificate.writer, PROPOSAL_PURPOSE, schema.encode(vote_of(proposal)), proposal.signature)


def encode_proposal(proposal: Proposal) -> bytes:
    """Canonical bytes."""
    return schema.encode(proposal)


def decode_proposal(data: Buffer) -> Proposal:
    """The proposal in `data`, verified. Raises what `verify_proposal` and `schema.decode` raise."""
    proposal = schema.decode(Proposal, data)
    verify_proposal(proposal)
    return proposal
