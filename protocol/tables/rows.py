"""The rows of a namespace: what its journal adds up to, as pairs of bytes that sort.

The same pair stands in the gateway's catalog and in the tables of a checkpoint, byte for byte, so that filling a
catalog from tables is a plain bulk insert, and a checkpoint a plain read. A row's first byte is its kind; the rest of
its key makes rows of one kind sort as they are asked for: objects of a bucket by the UTF-8 bytes of their keys, runs
of blocks in the order of the object's bytes. Its value is a canonical message, or empty.

An object of few blocks carries them in its own row; longer ones keep them in runs under an *owner*, an id that no
other content ever has. Runs are short, as a run is rewritten when one of its blocks is completed. Blocks name their
nodes by number (`protocol.tables.nodes`): ids would be most of a row otherwise.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.coding.label import Stamp
from protocol.ids import ID_BYTES, BlockId, Digest
from protocol.namespace.changes import Checksum, ClassName, InlineRef, Metadata, SealingKey, Version
from protocol.wire.schema import Length, Range

BLOCKS_PER_RUN: Final = 8
RUN_BYTES_MAX: Final = 4 * limits.KIB
OWNER_BYTES: Final = 20
ROW_KEY_BYTES_MAX: Final = 36 + limits.BUCKET_NAME_BYTES_MAX + limits.KEY_BYTES_MAX
ROW_VALUE_BYTES_MAX: Final = limits.ENTRY_BYTES_MAX


class RowKind(enum.IntEnum):
    """The first byte of a row's key. Numbers are never reused."""

    BUCKET = 1
    DRILL = 2
    OBJECT = 16
    INLINE = 17
    RUN = 32
    UPLOAD = 33
    LATE = 48
    RELEASE = 49
    PACK = 64


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket."""

    WIRE_VERSION: ClassVar[int] = 1
    created_s: int


@dataclass(frozen=True, slots=True)
class DrillRow:
    """When a recovery of the namespace was rehearsed last. There is one such row, or none."""

    WIRE_VERSION: ClassVar[int] = 1
    held_s: int


@dataclass(frozen=True, slots=True)
class Extras:
    """What most objects do not have."""

    etag: Annotated[str, Length(0, 128)]
    metadata: Annotated[tuple[Metadata, ...], Length(0, 256)]
    checksums: Annotated[tuple[Checksum, ...], Length(0, 8)]
    retain_until_s: int
    legal_hold: bool


@dataclass(frozen=True, slots=True, repr=False)
class PackedRef:
    """Where in a pack's plain bytes a small object's sealed bytes are, and the key that opens them."""

    pack: BlockId
    offset: Annotated[int, Range(0, limits.BLOCK_PLAIN_BYTES_MAX)]
    size_bytes: Annotated[int, Range(1, 2 * limits.INLINE_BYTES_MAX)]
    key: SealingKey


@dataclass(frozen=True, slots=True, repr=False)
class ObjectRow:
    """What a key names. `epoch` and `position` are those of the entry that put it.

    `blocks` is an encoded `BlockRun`, or empty; then the blocks, if any, stand in the runs of `owner`. `share_bytes`
    is what all shares of all blocks take.
    """

    WIRE_VERSION: ClassVar[int] = 1
    version: Version
    size_bytes: Annotated[int, Range(0, limits.OBJECT_BYTES_MAX)]
    digest: Digest
    modified_s: int
    data_class: ClassName
    epoch: int
    position: int
    block_count: int
    share_bytes: int
    blocks: Annotated[bytes, Length(0, RUN_BYTES_MAX)]
    owner: Annotated[bytes, Length(0, OWNER_BYTES)]
    inline: InlineRef | None
    extras: Extras | None
    packed: PackedRef | None


@dataclass(frozen=True, slots=True, repr=False)
class NumberedBlock:
    """A `BlockRef` that names its nodes by number."""

    block: BlockId
    key: SealingKey
    size_bytes: Annotated[int, Range(0, limits.BLOCK_PLAIN_BYTES_MAX)]
    k: Annotated[int, Range(1, limits.SHARES_MAX)]
    n: Annotated[int, Range(1, limits.SHARES_MAX)]
    placing: Annotated[tuple[int, ...], Length(1, limits.SHARES_MAX)]
    missing: Annotated[int, Range(0, 2**limits.SHARES_MAX - 1)]


@dataclass(frozen=True, slots=True)
class BlockRun:
    """Blocks that follow each other."""

    WIRE_VERSION: ClassVar[int] = 1
    blocks: Annotated[tuple[NumberedBlock, ...], Length(1, BLOCKS_PER_RUN)]


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An object under way whose parts are journaled as they come: who owns their runs, and what they add up to."""

    WIRE_VERSION: ClassVar[int] = 1
    owner: Annotated[bytes, Length(OWNER_BYTES, OWNER_BYTES)]
    block_count: int
    share_bytes: int


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A block that nothing refers to any more, and the nodes that are to be told, by rising number."""

    WIRE_VERSION: ClassVar[int] = 1
    nodes: Annotated[tuple[int, ...], Length(1, 255)]


@dataclass(frozen=True, slots=True)
class PackRow:
    """A pack: the block, as an encoded `BlockRun` of one, and how much of the `put_bytes` in it is still named."""

    WIRE_VERSION: ClassVar[int] = 1
    block: Annotated[bytes, Length(1, RUN_BYTES_MAX)]
    put_bytes: int
    live_objects: int
    live_bytes: int


def bucket_key(bucket: str) -> bytes:
    return bytes([RowKind.BUCKET]) + bucket.encode()


def bucket_of(key: bytes) -> str:
    """The bucket that `bucket_key` made a key of."""
    return key[1:].decode()


def drill_key() -> bytes:
    return bytes([RowKind.DRILL])


def object_key(bucket: str, key: str) -> bytes:
    return objects_of(bucket) + key.encode()


def objects_of(bucket: str) -> bytes:
    """How the keys of all objects of a bucket begin."""
    name = bucket.encode()
    return bytes([RowKind.OBJECT, len(name)]) + name


def object_name(key: bytes) -> tuple[str, str]:
    """Bucket and key, from what `object_key` made of them."""
    end = 2 + key[1]
    return key[2:end].decode(), key[end:].decode()


def owner_of(stamp: Stamp, ordinal: int) -> bytes:
    """The owner of what change number `ordinal` of an entry put."""
    return stamp.epoch.to_bytes(8, "big") + stamp.position.to_bytes(8, "big") + ordinal.to_bytes(4, "big")


def inline_key(stamp: Stamp, row: bytes) -> bytes:
    """Says that the object with the row key `row` is inline in the entry with this stamp. They sort by age."""
    return bytes([RowKind.INLINE]) + stamp.epoch.to_bytes(8, "big") + stamp.position.to_bytes(8, "big") + row[1:]


def inline_row(key: bytes) -> tuple[Stamp, bytes]:
    """The stamp and the object's row key, from what `inline_key` made of them."""
    stamp = Stamp(int.from_bytes(key[1:9], "big"), int.from_bytes(key[9:17], "big"))
    return stamp, bytes([RowKind.OBJECT]) + key[17:]


def runs_of(owner: bytes) -> bytes:
    """How the keys of all runs of an owner begin."""
    return bytes([RowKind.RUN]) + owner


def part_of(owner: bytes, part: int) -> bytes:
    """How the keys of all runs of one part begin."""
    return runs_of(owner) + part.to_bytes(4, "big")


def run_key(owner: bytes, part: int, run: int) -> bytes:
    return part_of(owner, part) + run.to_bytes(2, "big")


def upload_key(upload: bytes) -> bytes:
    return bytes([RowKind.UPLOAD]) + upload


def late_key(block: bytes, row: bytes) -> bytes:
    """Says that the row with the key `row` names a block some of whose shares are still to come."""
    return lates_of(block) + row


def lates_of(block: bytes) -> bytes:
    """How the late rows of one block begin; of all blocks, with no block."""
    return bytes([RowKind.LATE]) + block


def late_row(key: bytes) -> tuple[BlockId, bytes]:
    """The block, and the key of the row that names it, from what `late_key` made of them."""
    return BlockId(key[1 : 1 + ID_BYTES]), key[1 + ID_BYTES :]


def release_key(block: bytes) -> bytes:
    """With no block, how the keys of all releases begin."""
    return bytes([RowKind.RELEASE]) + block


def pack_key(block: bytes) -> bytes:
    """With no block, how the keys of all packs begin."""
    return bytes([RowKind.PACK]) + block


def block_of(key: bytes) -> BlockId:
    """The block that `release_key` or `pack_key` made a key of."""
    return BlockId(key[1:])
