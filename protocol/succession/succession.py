"""The proof that an epoch ended: its opening, the decree, and the word of enough of its holders.

An acceptance is a holder's signature, with its node's key, under a ballot and a decree. Acceptances of one ballot by
w of the epoch's holders decide; as any two such sets share an honest holder, no two decrees are ever decided. The
proof stands beside the decree, not inside it: two candidates may gather different acceptances of the same decree.

Whoever is shown a succession can check it alone: the root vouches for both openings, and the holders named in the
first one for the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.errors import Forged
from protocol.ids import NamespaceId, NodeId
from protocol.keys.signing import SigningKey, verify
from protocol.namespace.journal import Buffer, Ending, Epoch, Opening, opening_hash, verify_opening
from protocol.succession.ballot import Ballot
from protocol.succession.proposal import DecreeVote, Proposal, check_decree, vote_of
from protocol.wire import schema
from protocol.wire.schema import Length, Signature

ACCEPTANCE_PURPOSE: Final = "maillon/acceptance/1"
RELEASE_PURPOSE: Final = "maillon/journal-release/1"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A holder's signature under a vote that is known from elsewhere."""

    holder: NodeId
    signature: Signature


@dataclass(frozen=True, slots=True)
class Succession:
    """The decree ended the predecessor's epoch and opens the next one: w of its holders accepted it in one ballot."""

    WIRE_VERSION: ClassVar[int] = 1
    predecessor: Opening
    decree: Opening
    ballot: Ballot
    acceptances: Annotated[tuple[Acceptance, ...], Length(1, limits.JOURNAL_HOLDERS_MAX)]

    @property
    def ending(self) -> Ending:
        """Where the predecessor's epoch ends."""
        if self.decree.previous is None:
            raise Forged("succession-decree", namespace=self.decree.namespace, epoch=self.decree.epoch)
        return self.decree.previous


@dataclass(frozen=True, slots=True)
class _ReleaseStatement:
    """What the writer signs."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    below: Epoch


@dataclass(frozen=True, slots=True)
class JournalRelease:
    """The word of the writer of `epoch` that nobody needs the epochs before `below` any more."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    below: Epoch
    signature: Signature


def sign_acceptance(node: SigningKey, proposal: Proposal) -> bytes:
    """A holder's signature under the proposal: given only once the acceptance is durable."""
    return node.sign(ACCEPTANCE_PURPOSE, schema.encode(vote_of(proposal)))


def verify_acceptance(holder: NodeId, vote: DecreeVote, signature: bytes) -> None:
    """Return if `holder` accepted. Raises Forged(`signature`)."""
    verify(holder, ACCEPTANCE_PURPOSE, schema.encode(vote), signature)


def join_acceptances(predecessor: Opening, proposal: Proposal, signatures: Mapping[NodeId, bytes]) -> Succession:
    """The proof, from checked signatures; no more of them than are needed, of the first holders by id."""
    chosen = sorted(signatures.items())[: predecessor.w]
    acceptances = tuple(Acceptance(holder, signature) for holder, signature in chosen)
    return Succession(predecessor, proposal.decree, proposal.ballot, acceptances)


def verify_succession(succession: Succession) -> None:
    """Return if the succession proves itself.

    Raises:
        Malformed, Forged: what `verify_opening` raises of either opening.
        Forged: `succession-decree` when the decree does not go on from the predecessor, or is of an older generation;
            `succession-quorum` when fewer than w different holders accepted; `signature`.
    """
    predecessor, decree = succession.predecessor, succession.decree
    verify_opening(predecessor)
    verify_opening(decree)
    hashed = opening_hash(predecessor)
    check_decree(predecessor.namespace, predecessor.epoch, hashed, decree)
    if decree.generation < predecessor.generation:
        raise Forged("succession-decree", namespace=predecessor.namespace, epoch=predecessor.epoch)
    holders = {acceptance.holder for acceptance in succession.acceptances}
    if len(holders) != len(succession.acceptances) or not predecessor.w <= len(holders & set(predecessor.holders)):
        raise Forged("succession-quorum", namespace=predecessor.namespace, epoch=predecessor.epoch)
    vote = DecreeVote(predecessor.namespace, predecessor.epoch, hashed, succession.ballot, opening_hash(decree))
    for acceptance in succession.acceptances:
        verify_acceptance(acceptance.holder, vote, acceptance.signature)


def encode_succession(succession: Succession) -> bytes:
    """Canonical bytes."""
    return schema.encode(succession)


def decode_succession(data: Buffer) -> Succession:
    """The succession in `data`, verified. Raises what `verify_succession` and `schema.decode` raise."""
    succession = schema.decode(Succession, data, size_bytes_max=limits.SUCCESSION_BYTES_MAX)
    verify_succession(succession)
    return succession


def sign_release(writer: SigningKey, opening: Opening, *, below: int) -> JournalRelease:
    """Let the holders delete the epochs before `below`; `opening` is that of the writer's own, current epoch."""
    statement = schema.encode(_ReleaseStatement(opening.namespace, opening.epoch, below))
    return JournalRelease(opening.namespace, opening.epoch, below, writer.sign(RELEASE_PURPOSE, statement))


def verify_release(release: JournalRelease, opening: Opening) -> None:
    """Return if the writer of `opening` signed the release, for epochs before its own.

    Raises:
        Forged: `signature`, or `journal-release` when it is of another epoch, or reaches beyond the writer's own.
    """
    of_epoch = (release.namespace, release.epoch) == (opening.namespace, opening.epoch)
    if not of_epoch or release.below > release.epoch:
        raise Forged("journal-release", namespace=release.namespace, epoch=release.epoch)
    statement = schema.encode(_ReleaseStatement(release.namespace, release.epoch, release.below))
    verify(opening.certificate.writer, RELEASE_PURPOSE, statement, release.signature)
