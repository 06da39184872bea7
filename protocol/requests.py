"""What one node may ask of another: the shape of each question and answer. Their numbers: `protocol.kinds`.

A request travels as the kind's number and one message (`protocol.wire.schema`); share bytes travel beside it, as
the exchange's payload, never inside msgpack. Numbers are never reused. What belongs to the hand-over of a journal to
its next epoch (the kinds 36 and 48 to 53) stands in `protocol.succession.requests`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.ids import BlockId, Digest, NamespaceId, NodeId
from protocol.kinds import EncodedMessage as EncodedMessage
from protocol.kinds import Kind as Kind
from protocol.namespace.inventories import Part
from protocol.namespace.journal import Epoch
from protocol.namespace.root import WriterCertificate
from protocol.succession.ballot import Ballot
from protocol.wire.schema import Length, Range

EncodedRecord = Annotated[bytes, Length(1, limits.RECORD_BYTES_MAX)]
# An opening, candidacy, proposal or succession; where it may be left out, no bytes.
EncodedStatement = Annotated[bytes, Length(1, limits.SUCCESSION_BYTES_MAX)]
MaybeStatement = Annotated[bytes, Length(0, limits.SUCCESSION_BYTES_MAX)]
EntrySize = Annotated[int, Range(1, limits.ENTRY_BYTES_MAX)]
EntrySizes = Annotated[tuple[EntrySize, ...], Length(1, limits.ENTRIES_PER_APPEND_MAX)]
ShareIndex = Annotated[int, Range(0, limits.SHARES_MAX - 1)]
Address = Annotated[str, Length(1, limits.ADDRESS_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class Done:
    """The empty answer."""

    WIRE_VERSION: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Ping:
    """A probe, with membership updates riding along (encoded `protocol.members.swim` updates). Answer: Ping."""

    WIRE_VERSION: ClassVar[int] = 1
    updates: Annotated[tuple[EncodedMessage, ...], Length(0, limits.SWIM_UPDATES_MAX)]


@dataclass(frozen=True, slots=True)
class PingVia:
    """Please probe `target` for me. Answer: PingViaReply."""

    WIRE_VERSION: ClassVar[int] = 1
    target: NodeId


@dataclass(frozen=True, slots=True)
class PingViaReply:
    WIRE_VERSION: ClassVar[int] = 1
    answered: bool


@dataclass(frozen=True, slots=True)
class PushRecords:
    """New records, unasked. Answer: Done."""

    WIRE_VERSION: ClassVar[int] = 1
    records: Annotated[tuple[EncodedRecord, ...], Length(0, limits.RECORDS_PER_MESSAGE_MAX)]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """One round of `protocol.members.reconcile`, either direction. Answer: Reconcile."""

    WIRE_VERSION: ClassVar[int] = 1
    message: EncodedMessage


@dataclass(frozen=True, slots=True)
class FetchRecords:
    """Send me the records with these ids. Answer: PushRecords."""

    WIRE_VERSION: ClassVar[int] = 1
    ids: Annotated[tuple[Digest, ...], Length(0, limits.RECORDS_PER_MESSAGE_MAX)]


@dataclass(frozen=True, slots=True)
class Join:
    """A stranger with an invitation, and the records that introduce it. Answer: PushRecords (to begin with).

    `invitation` is empty for a further node of an organisation that the members admitted: its key vouches for it.
    """

    WIRE_VERSION: ClassVar[int] = 1
    invitation: Annotated[bytes, Length(0, 1_024)]
    records: Annotated[tuple[EncodedRecord, ...], Length(1, limits.RECORDS_PER_MESSAGE_MAX)]


@dataclass(frozen=True, slots=True)
class BulkOpen:
    """Where and with which token to open the plain connection for sealed bytes. Answer: BulkOffer."""

    WIRE_VERSION: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class BulkOffer:
    WIRE_VERSION: ClassVar[int] = 1
    address: Address
    token: Annotated[bytes, Length(32, 32)]


@dataclass(frozen=True, slots=True)
class PutShare:
    """Keep this share: label and proof here (protocol.coding.label), bytes as payload. Answer once durable: Done."""

    WIRE_VERSION: ClassVar[int] = 1
    label: Annotated[bytes, Length(1, limits.LABEL_BYTES_MAX)]
    proof: Annotated[bytes, Length(1, limits.LABEL_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class PutShares:
    """Keep these shares: as `PutShare` for each, their bytes one after the other as payload, 8 MiB at most.

    Answer, once all that could be kept are durable: PutSharesReply.
    """

    WIRE_VERSION: ClassVar[int] = 1
    shares: Annotated[tuple[PutShare, ...], Length(1, limits.SHARES_PER_CALL_MAX)]


@dataclass(frozen=True, slots=True)
class PutSharesReply:
    """For each share, in order: nothing when it is durable, or the encoded `Failure`."""

    WIRE_VERSION: ClassVar[int] = 1
    outcomes: Annotated[tuple[EncodedMessage, ...], Length(1, limits.SHARES_PER_CALL_MAX)]


@dataclass(frozen=True, slots=True)
class GetShare:
    """Send a share, or the leaves [first_leaf, first_leaf + leaf_count) of it; leaf_count 0 means all.

    Answer: ShareReply, and the bytes as payload.
    """

    WIRE_VERSION: ClassVar[int] = 1
    block: BlockId
    index: ShareIndex
    first_leaf: Annotated[int, Range(0, limits.LEAVES_MAX - 1)]
    leaf_count: Annotated[int, Range(0, limits.LEAVES_MAX)]


@dataclass(frozen=True, slots=True)
class ShareReply:
    WIRE_VERSION: ClassVar[int] = 1
    label: Annotated[bytes, Length(1, limits.LABEL_BYTES_MAX)]
    proof: Annotated[bytes, Length(1, limits.LABEL_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class GetLabel:
    """Label and proof of any share of this block that you hold. Answer: ShareReply, without payload."""

    WIRE_VERSION: ClassVar[int] = 1
    block: BlockId


@dataclass(frozen=True, slots=True)
class GetShares:
    """Send these shares: as `GetShare` for each, 8 MiB at most. Answer: GetSharesReply."""

    WIRE_VERSION: ClassVar[int] = 1
    shares: Annotated[tuple[GetShare, ...], Length(1, limits.SHARES_PER_CALL_MAX)]


@dataclass(frozen=True, slots=True)
class FoundShare:
    """`size_bytes` of the payload are this share's; without a reply there is the encoded `Failure` in its place."""

    WIRE_VERSION: ClassVar[int] = 1
    reply: ShareReply | None
    size_bytes: Annotated[int, Range(0, limits.BLOCK_BYTES_MAX)]
    failure: EncodedMessage


@dataclass(frozen=True, slots=True)
class GetSharesReply:
    """What was found of each share, in order; the bytes of those found, one after the other, as payload."""

    WIRE_VERSION: ClassVar[int] = 1
    found: Annotated[tuple[FoundShare, ...], Length(1, limits.SHARES_PER_CALL_MAX)]


@dataclass(frozen=True, slots=True)
class HasShares:
    """Which shares of these blocks do you hold? Answer: HasSharesReply, one bit mask per block."""

    WIRE_VERSION: ClassVar[int] = 1
    blocks: Annotated[tuple[BlockId, ...], Length(1, 1_024)]


@dataclass(frozen=True, slots=True)
class HasSharesReply:
    WIRE_VERSION: ClassVar[int] = 1
    held: Annotated[tuple[Annotated[int, Range(0, 2**32 - 1)], ...], Length(1, 1_024)]


@dataclass(frozen=True, slots=True)
class ReleaseShares:
    """Delete all shares of these blocks: an encoded release of `protocol.namespace.releases`.

    Answer, once what may go is gone for good: ReleaseReply.
    """

    WIRE_VERSION: ClassVar[int] = 1
    release: EncodedMessage


@dataclass(frozen=True, slots=True)
class ReleaseReply:
    """For each block, in order: 0 when no share of it is here (any more), or until when those here must stay."""

    WIRE_VERSION: ClassVar[int] = 1
    kept_until_s: Annotated[tuple[int, ...], Length(1, limits.BLOCKS_PER_RELEASE_MAX)]


@dataclass(frozen=True, slots=True)
class CompareBlocks:
    """One round of `protocol.members.reconcile`, from the namespace's gateway in this epoch, over the ids of those
    blocks of a part that you hold shares of. Answer: CompareBlocksReply."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    part: Part
    message: EncodedMessage


@dataclass(frozen=True, slots=True)
class CompareBlocksReply:
    """The other half of the round."""

    WIRE_VERSION: ClassVar[int] = 1
    message: EncodedMessage


@dataclass(frozen=True, slots=True)
class ReleaseStrays:
    """Delete the shares of these blocks that are old enough: an encoded `StrayRelease`.

    Answer, once what may go is gone for good: ReleaseReply, in which shares that are too young do not count.
    """

    WIRE_VERSION: ClassVar[int] = 1
    release: EncodedMessage


@dataclass(frozen=True, slots=True)
class JournalOpen:
    """Hold the epoch of an opening that you prepared: the succession proves it decided (none in the first epoch).

    Answer once durable: Done.
    """

    WIRE_VERSION: ClassVar[int] = 1
    opening: EncodedStatement
    succession: MaybeStatement


@dataclass(frozen=True, slots=True)
class JournalAppend:
    """Append entries of one epoch, in order; encoded entries as payload. Answer once durable: JournalTailReply.

    `under` is the ballot of a candidate that completes the holder's copy; the writer itself sends none.
    """

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    first: int
    sizes_bytes: EntrySizes
    under: Ballot | None


@dataclass(frozen=True, slots=True)
class JournalTail:
    """How far does your copy of this epoch go? Answer: JournalTailReply."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class JournalTailReply:
    """`length` entries are held, the last of which hashes to `head` (the opening's hash when there is none).

    `is_fenced`: a candidate has this holder's promise, or the epoch ended; its writer may not count this answer.
    """

    WIRE_VERSION: ClassVar[int] = 1
    epoch: Epoch
    length: int
    head: Digest
    is_fenced: bool


@dataclass(frozen=True, slots=True)
class JournalRead:
    """Entries from position `first` on, as many as fit. Answer: JournalReadReply, entries as payload."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId
    epoch: Epoch
    first: int
    size_bytes_max: Annotated[int, Range(1, 4 * limits.MIB)]


@dataclass(frozen=True, slots=True)
class JournalReadReply:
    """The opening travels with every answer, so that a reader needs nothing else to check the chain.

    `succession` proves that this opening was decided, and names the epoch before; none in the first epoch.
    """

    WIRE_VERSION: ClassVar[int] = 1
    opening: EncodedStatement
    succession: MaybeStatement
    sizes_bytes: Annotated[tuple[EntrySize, ...], Length(0, 4_096)]


@dataclass(frozen=True, slots=True)
class NamespaceShow:
    """Let the node that dialled in role NAMESPACE ask for the namespace whose root certified it. Answer: Done."""

    WIRE_VERSION: ClassVar[int] = 1
    certificate: WriterCertificate
