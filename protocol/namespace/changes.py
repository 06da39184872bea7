"""What a journal entry says: a versioned union of changes to a namespace.

Every change is a message of its own, written as its kind's number and its canonical bytes, so that a reader can
name a kind it does not know. It must then stop: to skip a change would be to guess at the namespace's state. Kinds
are numbered with room beside each other, and numbers are never reused. The changes themselves stand in
`bucket_changes`, `object_changes` and `block_changes`, what they speak of in `contents`; all are found here.

Reserved: 49 block moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.errors import Malformed, Refused
from protocol.ids import BlockId
from protocol.namespace.block_changes import (
    BlockCompleted,
    BlocksReleased,
    BlocksReplaced,
    Checkpoint,
    DrillHeld,
    ObjectsPacked,
    PackedObject,
    WriterSignedOff,
)
from protocol.namespace.bucket_changes import (
    BucketCreated,
    BucketDeleted,
    BucketDocumentPut,
    BucketSet,
    KeyCreated,
    KeyRevoked,
)
from protocol.namespace.contents import (
    BLOCKS_PER_CHANGE_MAX,
    PARTS_MAX,
    VERSION_BYTES,
    BlockRef,
    Checksum,
    ClassName,
    InlineRef,
    Metadata,
    SealingKey,
    Version,
)
from protocol.namespace.object_changes import (
    LockReplaced,
    MarkerPut,
    MetadataReplaced,
    ObjectDeleted,
    ObjectPut,
    PartPut,
    TagsReplaced,
    UploadAborted,
    UploadBegun,
)
from protocol.quick_init import quick_replace
from protocol.wire import schema
from protocol.wire.schema import Length, Range

__all__ = [
    "BLOCKS_PER_CHANGE_MAX",
    "KINDS",
    "PARTS_MAX",
    "VERSION_BYTES",
    "BlockCompleted",
    "BlockRef",
    "BlocksReleased",
    "BlocksReplaced",
    "BucketCreated",
    "BucketDeleted",
    "BucketDocumentPut",
    "BucketSet",
    "Change",
    "Checkpoint",
    "Checksum",
    "ClassName",
    "DrillHeld",
    "EncodedChange",
    "InlineRef",
    "KeyCreated",
    "KeyRevoked",
    "LockReplaced",
    "MarkerPut",
    "Metadata",
    "MetadataReplaced",
    "ObjectDeleted",
    "ObjectPut",
    "ObjectsPacked",
    "PackedObject",
    "PartPut",
    "SealingKey",
    "TagsReplaced",
    "UploadAborted",
    "UploadBegun",
    "Version",
    "WriterSignedOff",
    "blocks_named_by",
    "decode_changes",
    "encode_change",
    "encode_changes",
    "join_changes",
    "moved",
]

Change = (
    BucketCreated
    | BucketDeleted
    | BucketSet
    | BucketDocumentPut
    | ObjectPut
    | ObjectDeleted
    | MarkerPut
    | TagsReplaced
    | LockReplaced
    | MetadataReplaced
    | UploadBegun
    | PartPut
    | UploadAborted
    | BlockCompleted
    | BlocksReleased
    | ObjectsPacked
    | Checkpoint
    | WriterSignedOff
    | DrillHeld
    | BlocksReplaced
    | KeyCreated
    | KeyRevoked
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
    2: BucketDeleted,
    3: BucketSet,
    4: BucketDocumentPut,
    16: ObjectPut,
    17: ObjectDeleted,
    18: MarkerPut,
    19: TagsReplaced,
    20: LockReplaced,
    21: MetadataReplaced,
    32: UploadBegun,
    33: PartPut,
    34: UploadAborted,
    48: BlockCompleted,
    50: BlocksReleased,
    64: ObjectsPacked,
    65: Checkpoint,
    66: WriterSignedOff,
    67: DrillHeld,
    68: BlocksReplaced,
    80: KeyCreated,
    81: KeyRevoked,
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


def moved(changes: Sequence[Change], by: int) -> tuple[Change, ...]:
    """The changes, with inline bytes that begin so much further on."""
    return tuple([_moved(change, by) for change in changes]) if by else tuple(changes)


def _moved(change: Change, by: int) -> Change:
    if not isinstance(change, ObjectPut) or change.inline is None:
        return change
    inline = quick_replace(change.inline, offset=change.inline.offset + by)
    return quick_replace(change, inline=inline)
