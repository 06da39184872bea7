"""Changes about blocks and about the journal itself: what was completed, packed, released, and rests on tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.errors import Malformed
from protocol.ids import BlockId, Digest, NodeId
from protocol.namespace.contents import (
    BLOCKS_PER_CHANGE_MAX,
    BlockRef,
    BucketName,
    ObjectKey,
    Placing,
    Version,
)
from protocol.wire.schema import Length, Range


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
