"""What a journal entry says: a versioned union of changes to a namespace.

Every change is a message of its own, written as its kind's number and its canonical bytes, so that a reader can
name a kind it does not know. It must then stop: to skip a change would be to guess at the namespace's state. Kinds
are numbered with room beside each other, and numbers are never reused; what `ObjectPut` already carries (version,
checksums, metadata, lock, parts) leaves nothing to be guessed at when those are served.

Reserved: 2 bucket deleted, 3 bucket settings; 18 delete marker, 19 metadata replaced, 20 lock replaced; 32 upload
begun; 49 block moved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.errors import Malformed, Refused
from protocol.ids import BlockId, Digest, NodeId
from protocol.wire import schema
from protocol.wire.schema import Length, Range

VERSION_BYTES: Final = 16
BLOCKS_PER_CHANGE_MAX: Final = 4_096
PARTS_MAX: Final = 100_000

BucketName = Annotated[str, Length(3, limits.BUCKET_NAME_BYTES_MAX)]
ObjectKey = Annotated[str, Length(1, limits.KEY_BYTES_MAX)]
Version = Annotated[bytes, Length(VERSION_BYTES, VERSION_BYTES)]
SealingKey = Annotated[bytes, Length(32, 32)]
ClassName = Annotated[str, Length(1, limits.NAME_BYTES_MAX)]
Placing = Annotated[tuple[NodeId, ...], Length(1, limits.SHARES_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class BlockRef:
    """One block of an object: where it is, and the key that opens it. Bit i of `missing`: share i is to come."""

    block: BlockId
    key: SealingKey
    size_bytes: Annotated[int, Range(0, limits.BLOCK_PLAIN_BYTES_MAX)]
    k: Annotated[int, Range(1, limits.SHARES_MAX)]
    n: Annotated[int, Range(1, limits.SHARES_MAX)]
    placing: Placing
    missing: Annotated[int, Range(0, 2**limits.SHARES_MAX - 1)]

    def __post_init__(self) -> None:
        if not self.k <= self.n == len(self.placing) or self.missing >> self.n:
            raise Malformed("block-reference", k=self.k, n=self.n, nodes=len(self.placing))

    def __repr__(self) -> str:
        return f"BlockRef(block={self.block.hex()[:16]}, size_bytes={self.size_bytes}, {self.k} of {self.n})"


Blocks = Annotated[tuple[BlockRef, ...], Length(0, BLOCKS_PER_CHANGE_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class InlineRef:
    """A small object's sealed bytes, `size_bytes` of them from `offset` in the entry's inline bytes."""

    offset: Annotated[int, Range(0, limits.ENTRY_BYTES_MAX)]
    size_bytes: Annotated[int, Range(1, 2 * limits.INLINE_BYTES_MAX)]
    key: SealingKey

    def __repr__(self) -> str:
        return f"InlineRef(offset={self.offset}, size_bytes={self.size_bytes})"


@dataclass(frozen=True, slots=True)
class Metadata:
    """One header that the client asked to keep."""

    name: Annotated[str, Length(1, 256)]
    value: Annotated[str, Length(0, limits.METADATA_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum that the client sent, by its S3 name."""

    algorithm: Annotated[str, Length(1, 32)]
    value: Annotated[bytes, Length(1, 64)]


@dataclass(frozen=True, slots=True)
class BucketCreated:
    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    created_s: int


@dataclass(frozen=True, slots=True)
class ObjectPut:
    """The key now names these bytes: blocks in order, or inline bytes, or the parts journaled for `upload`.

    `digest` is the BLAKE3 of the plain bytes of an inline object, or of the blocks' ids in order: hashing a large
    object once more would cost as much as sealing it, and the ids commit to every byte already. `retain_until_s` and
    `legal_hold` are S3's object lock.
    """

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version
    size_bytes: Annotated[int, Range(0, limits.OBJECT_BYTES_MAX)]
    digest: Digest
    modified_s: int
    data_class: ClassName
    blocks: Blocks = ()
    inline: InlineRef | None = None
    upload: Version | None = None
    etag: Annotated[str, Length(0, 128)] = ""
    metadata: Annotated[tuple[Metadata, ...], Length(0, 256)] = ()
    checksums: Annotated[tuple[Checksum, ...], Length(0, 8)] = ()
    retain_until_s: int = 0
    legal_hold: bool = False

    def __post_init__(self) -> None:
        if bool(self.blocks) + (self.inline is not None) + (self.upload is not None) > 1:
            raise Malformed("object-content", key=self.key)


@dataclass(frozen=True, slots=True)
class PartPut:
    """A part of an object under way is durable. `ObjectPut.upload` joins the parts in the order of their numbers."""

    WIRE_VERSION: ClassVar[int] = 1
    upload: Version
    number: Annotated[int, Range(0, PARTS_MAX)]
    size_bytes: Annotated[int, Range(0, limits.OBJECT_BYTES_MAX)]
    digest: Digest
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class UploadAborted:
    """The parts journaled for `upload` will never be an object's."""

    WIRE_VERSION: ClassVar[int] = 1
    upload: Version


@dataclass(frozen=True, slots=True)
class ObjectDeleted:
    """The key names nothing any more; with `version`, only if that is the version it names."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class BlockCompleted:
    """All n shares of the block are durable, at these nodes."""

    WIRE_VERSION: ClassVar[int] = 1
    block: BlockId
    placing: Placing


@dataclass(frozen=True, slots=True)
class BlocksReleased:
    """No holder has anything of these blocks any more: nobody needs to be told again."""

    WIRE_VERSION: ClassVar[int] = 1
    blocks: Annotated[tuple[BlockId, ...], Length(1, BLOCKS_PER_CHANGE_MAX)]


@dataclass(frozen=True, slots=True)
class PackedObject:
    """A small object's sealed bytes, `size_bytes` of them from `offset` in the pack's plain bytes."""

    bucket: BucketName
    key: ObjectKey
    version: Version
    offset: Annotated[int, Range(0, limits.BLOCK_PLAIN_BYTES_MAX)]
    size_bytes: Annotated[int, Range(1, 2 * limits.INLINE_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class ObjectsPacked:
    """These objects, as far as their keys still name these versions, are now in the block `pack`.

    They were inline or in other packs before. Each stays sealed under its own key inside the pack, so that an object
    whose key is forgotten is gone at once, and the pack's other objects stay.
    """

    WIRE_VERSION: ClassVar[int] = 1
    pack: BlockRef
    objects: Annotated[tuple[PackedObject, ...], Length(1, limits.OBJECTS_PER_PACK_MAX)]

    def __post_init__(self) -> None:
        if any(one.offset + one.size_bytes > self.pack.size_bytes for one in self.objects):
            raise Malformed("pack-bounds", block=self.pack.block)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tables of `manifest` are what the journal added up to when `covers_length` entries of `covers_epoch` stood.

    `covers_head` is the hash of the last of them. Whoever has the tables needs only the entries after that point.
    """

    WIRE_VERSION: ClassVar[int] = 1
    manifest: BlockRef
    covers_epoch: int
    covers_length: int
    covers_head: Digest


@dataclass(frozen=True, slots=True)
class WriterSignedOff:
    """From here on the writer serves nobody: whoever succeeds it need not wait for its lease to run out.

    `successor` is the gateway that is asked to, if any: it follows this journal.
    """

    WIRE_VERSION: ClassVar[int] = 1
    successor: NodeId | None = None


@dataclass(frozen=True, slots=True)
class DrillHeld:
    """At `at_s` somebody rehearsed a recovery of the namespace from its sheet, and it worked."""

    WIRE_VERSION: ClassVar[int] = 1
    at_s: int


@dataclass(frozen=True, slots=True, repr=False)
class BlocksReplaced:
    """Blocks of tables and manifests that the checkpoints so far need no more."""

    WIRE_VERSION: ClassVar[int] = 1
    blocks: Annotated[tuple[BlockRef, ...], Length(1, BLOCKS_PER_CHANGE_MAX)]


Change = (
    BucketCreated
    | ObjectPut
    | PartPut
    | UploadAborted
    | ObjectDeleted
    | BlockCompleted
    | BlocksReleased
    | ObjectsPacked
    | Checkpoint
    | WriterSignedOff
    | DrillHeld
    | BlocksReplaced
)


def blocks_named_by(change: Change) -> tuple[BlockId, ...]:
    """The blocks that the change itself names, but for those that it says are needed no more."""
    match change:
        case ObjectPut() | PartPut():
            return tuple(reference.block for reference in change.blocks)
        case BlockCompleted():
            return (change.block,)
        case ObjectsPacked():
            return (change.pack.block,)
        case Checkpoint():
            return (change.manifest.block,)
        case _:
            return ()


KINDS: Final[dict[int, type[Change]]] = {
    1: BucketCreated,
    16: ObjectPut,
    17: ObjectDeleted,
    33: PartPut,
    34: UploadAborted,
    48: BlockCompleted,
    50: BlocksReleased,
    64: ObjectsPacked,
    65: Checkpoint,
    66: WriterSignedOff,
    67: DrillHeld,
    68: BlocksReplaced,
}
_NUMBERS: Final[dict[type[Change], int]] = {kind: number for number, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class EncodedChange:
    """The form on the wire."""

    kind: Annotated[int, Range(0, 65_535)]
    body: Annotated[bytes, Length(1, limits.ENTRY_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class _Changes:
    WIRE_VERSION: ClassVar[int] = 1
    changes: Annotated[tuple[EncodedChange, ...], Length(0, limits.CHANGES_PER_ENTRY_MAX)]


def encode_change(change: Change) -> EncodedChange:
    """The change as it stands in an entry. Raises Malformed or OverLimit when it is out of bounds."""
    return EncodedChange(_NUMBERS[type(change)], schema.encode(change))


def join_changes(encoded: Iterable[EncodedChange]) -> bytes:
    """The plain bytes of an entry."""
    return schema.encode(_Changes(tuple(encoded)))


def encode_changes(changes: Iterable[Change]) -> bytes:
    """The plain bytes of an entry that says `changes`, in order."""
    return join_changes(encode_change(change) for change in changes)


def decode_changes(data: bytes) -> tuple[Change, ...]:
    """What an entry says.

    Raises:
        Refused: `change-unknown`, with kind and version: a newer program wrote it; this one must not go on.
        Malformed, OverLimit: as in `protocol.wire.schema`.
    """
    return tuple(_decoded(encoded) for encoded in schema.decode(_Changes, data).changes)


def _decoded(encoded: EncodedChange) -> Change:
    kind = KINDS.get(encoded.kind)
    if kind is None:
        raise Refused("change-unknown", kind=encoded.kind, version=0)
    try:
        return schema.decode(kind, encoded.body)
    except Malformed as error:
        version = error.parameters.get("version", 0)
        if error.identifier == "message-version" and isinstance(version, int) and version > kind.WIRE_VERSION:
            raise Refused("change-unknown", kind=encoded.kind, version=version) from error
        raise


def moved(changes: Sequence[Change], inline_start: int) -> tuple[Change, ...]:
    """The changes, with inline bytes that begin at `inline_start` instead of at 0."""
    return tuple(_moved(change, inline_start) for change in changes)


def _moved(change: Change, inline_start: int) -> Change:
    if not inline_start or not isinstance(change, ObjectPut) or change.inline is None:
        return change
    inline = dataclasses.replace(change.inline, offset=change.inline.offset + inline_start)
    return dataclasses.replace(change, inline=inline)
