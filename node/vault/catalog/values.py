"""The values that the catalog gives out, and what rows they are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from protocol.coding.header import share_size
from protocol.coding.label import Stamp
from protocol.ids import BlockId, Digest, NodeId
from protocol.keys.sealing import sealed_size
from protocol.namespace.changes import BlockRef, Checksum, Metadata, ObjectPut
from protocol.tables.rows import Extras, ObjectRow, object_name


class CatalogTip(NamedTuple):
    """How far a catalog goes: the epoch, so many of its entries, and the hash of the last one (or the opening's)."""

    epoch: int
    length: int
    head: Digest


# The tip of an empty catalog, before the first epoch.
NOWHERE = CatalogTip(0, 0, Digest(bytes(32)))


@dataclass(frozen=True, slots=True, repr=False)
class InlineAt:
    """Where a small object's sealed bytes are, and the key that opens them."""

    stamp: Stamp
    offset: int
    size_bytes: int
    key: bytes

    def __repr__(self) -> str:
        return f"InlineAt(stamp={self.stamp}, offset={self.offset}, size_bytes={self.size_bytes})"


@dataclass(frozen=True, slots=True, repr=False)
class PackedAt:
    """Where in a pack a small object's sealed bytes are, and the key that opens them."""

    pack: BlockId
    offset: int
    size_bytes: int
    key: bytes

    def __repr__(self) -> str:
        return f"PackedAt(pack={self.pack.hex()[:16]}, offset={self.offset}, size_bytes={self.size_bytes})"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a key names. Its bytes are `inline`, or `packed` in the one block that `Catalog.whole` gives, or
    `block_count` blocks, or none at all.

    `share_bytes` counts all shares of all its blocks. `run` holds its blocks if they are few, `owner` names the runs
    that do if they are many: for the catalog alone.
    """

    bucket: str
    key: str
    version: bytes
    size_bytes: int
    digest: Digest
    etag: str
    modified_s: int
    data_class: str
    block_count: int
    share_bytes: int
    inline: InlineAt | None
    packed: PackedAt | None
    metadata: tuple[Metadata, ...]
    checksums: tuple[Checksum, ...]
    retain_until_s: int
    legal_hold: bool
    stamp: Stamp
    run: bytes
    owner: bytes


@dataclass(frozen=True, slots=True)
class StoredBucket:
    bucket: str
    created_s: int


@dataclass(frozen=True, slots=True)
class StoredPack:
    """A block of small objects, `put_bytes` of them: how many still name it, and how many bytes those have."""

    block: BlockRef
    put_bytes: int
    live_objects: int
    live_bytes: int


@dataclass(frozen=True, slots=True)
class PendingRelease:
    """A block that nothing refers to any more, and who is to be told."""

    block: BlockId
    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class CatalogTotals:
    """What all rows add up to. `drill_s`: when a recovery was rehearsed last."""

    objects: int
    size_bytes: int
    incomplete_blocks: int
    releasing_blocks: int
    drill_s: int | None


@dataclass(frozen=True, slots=True)
class Content:
    """The blocks that an object is made of, as its row says it."""

    block_count: int = 0
    share_bytes: int = 0
    run: bytes = b""
    owner: bytes = b""


def share_bytes_of(blocks: tuple[BlockRef, ...]) -> int:
    """What all shares of the blocks take on disks."""
    return sum(block.n * share_size(block.k, sealed_size(block.size_bytes)) for block in blocks)


def row_of(put: ObjectPut, stamp: Stamp, content: Content) -> ObjectRow:
    """The row of what was put."""
    rare = put.etag or put.metadata or put.checksums or put.retain_until_s or put.legal_hold
    return ObjectRow(
        version=put.version,
        size_bytes=put.size_bytes,
        digest=put.digest,
        modified_s=put.modified_s,
        data_class=put.data_class,
        epoch=stamp.epoch,
        position=stamp.position,
        block_count=content.block_count,
        share_bytes=content.share_bytes,
        blocks=content.run,
        owner=content.owner,
        inline=put.inline,
        extras=_extras(put) if rare else None,
        packed=None,
    )


def object_of(key: bytes, row: ObjectRow) -> StoredObject:
    """What the row with this key says."""
    bucket, name = object_name(key)
    stamp, inline, packed = Stamp(row.epoch, row.position), row.inline, row.packed
    extras = row.extras or Extras("", (), (), 0, legal_hold=False)
    return StoredObject(
        bucket=bucket,
        key=name,
        version=row.version,
        size_bytes=row.size_bytes,
        digest=row.digest,
        etag=extras.etag,
        modified_s=row.modified_s,
        data_class=row.data_class,
        block_count=row.block_count,
        share_bytes=row.share_bytes,
        inline=None if inline is None else InlineAt(stamp, inline.offset, inline.size_bytes, inline.key),
        packed=None if packed is None else PackedAt(packed.pack, packed.offset, packed.size_bytes, packed.key),
        metadata=extras.metadata,
        checksums=extras.checksums,
        retain_until_s=extras.retain_until_s,
        legal_hold=extras.legal_hold,
        stamp=stamp,
        run=row.blocks,
        owner=row.owner,
    )


def _extras(put: ObjectPut) -> Extras:
    return Extras(put.etag, put.metadata, put.checksums, put.retain_until_s, legal_hold=put.legal_hold)
