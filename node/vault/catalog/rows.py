"""The values that the catalog gives out, and the rows that it keeps of them.

SQLite has no checksums of its own: a flipped bit in its file would come back as another key or another node. So rows
whose contents matter carry one, and a row that does not match is damage (`index-damaged`), which the journal heals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, TypeVar

from protocol.coding.label import Stamp
from protocol.errors import Damaged, MaillonError
from protocol.ids import Digest, NodeId
from protocol.keys.derive import digest
from protocol.namespace.changes import BlockRef, Blocks, Checksum, Metadata, ObjectPut, Placing
from protocol.wire import schema
from protocol.wire.schema import Length

OBJECT_COLUMNS: Final = (
    "bucket, key, version, size_bytes, digest, etag, modified_s, data_class, owner, blocks, epoch, position,"
    " inline_offset, inline_bytes, inline_key, extras, checksum"
)

_CHECKSUM_CONTEXT: Final = "maillon 2026 catalog row 1"
_CHECKSUM_BYTES: Final = 8

Row = tuple[object, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class InlineAt:
    """Where a small object's sealed bytes are, and the key that opens them."""

    stamp: Stamp
    offset: int
    size_bytes: int
    key: bytes

    def __repr__(self) -> str:
        return f"InlineAt(stamp={self.stamp}, offset={self.offset}, size_bytes={self.size_bytes})"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a key names. Its bytes are `inline`, or `block_count` blocks (`Catalog.blocks`), or none at all."""

    bucket: str
    key: str
    version: bytes
    size_bytes: int
    digest: Digest
    etag: str
    modified_s: int
    data_class: str
    owner: bytes
    block_count: int
    inline: InlineAt | None
    metadata: tuple[Metadata, ...]
    checksums: tuple[Checksum, ...]
    retain_until_s: int
    legal_hold: bool
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class StoredBucket:
    bucket: str
    created_s: int


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One run of an object's blocks."""

    number: int
    size_bytes: int
    block_count: int


@dataclass(frozen=True, slots=True)
class CatalogTotals:
    objects: int
    size_bytes: int
    incomplete_blocks: int


@dataclass(frozen=True, slots=True)
class _Extras:
    """What most objects do not have."""

    WIRE_VERSION: ClassVar[int] = 1
    metadata: Annotated[tuple[Metadata, ...], Length(0, 256)]
    checksums: Annotated[tuple[Checksum, ...], Length(0, 8)]
    retain_until_s: int
    legal_hold: bool


@dataclass(frozen=True, slots=True)
class _BlockList:
    WIRE_VERSION: ClassVar[int] = 1
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class _PlacingRow:
    WIRE_VERSION: ClassVar[int] = 1
    placing: Placing


def object_row(put: ObjectPut, stamp: Stamp, owner: bytes, block_count: int) -> Row:
    """The row of `OBJECT_COLUMNS`."""
    inline = put.inline
    where = (inline.offset, inline.size_bytes, inline.key) if inline else (None, None, None)
    named = (put.bucket, put.key.encode(), put.version, put.size_bytes, put.digest, put.etag, put.modified_s)
    row = (*named, put.data_class, owner, block_count, stamp.epoch, stamp.position, *where, _encoded_extras(put))
    return (*row, _checksum(row))


def object_of(columns: Row) -> StoredObject:
    """What `object_row` made a row of. Raises Damaged(`index-damaged`)."""
    row: Any = columns[:-1]
    if columns[-1] != _checksum(row):
        raise Damaged("index-damaged", index="catalog", reason="checksum")
    bucket, key, version, size_bytes, hashed, etag, modified_s, data_class, owner, count = row[:10]
    epoch, position, inline_offset, inline_bytes, inline_key, encoded = row[10:]
    stamp = Stamp(epoch, position)
    extras = _Extras((), (), 0, legal_hold=False) if encoded is None else schema.decode(_Extras, encoded)
    return StoredObject(
        bucket,
        key.decode(),
        version,
        size_bytes,
        Digest(hashed),
        etag,
        modified_s,
        data_class,
        owner,
        count,
        None if inline_key is None else InlineAt(stamp, inline_offset, inline_bytes, inline_key),
        extras.metadata,
        extras.checksums,
        extras.retain_until_s,
        extras.legal_hold,
        stamp,
    )


def pack_blocks(blocks: tuple[BlockRef, ...]) -> bytes:
    return _sealed(schema.encode(_BlockList(blocks)))


def unpack_blocks(packed: bytes) -> tuple[BlockRef, ...]:
    """Raises Damaged(`index-damaged`)."""
    return _opened(_BlockList, packed).blocks


def pack_placing(placing: tuple[NodeId, ...]) -> bytes:
    return _sealed(schema.encode(_PlacingRow(placing)))


def unpack_placing(packed: bytes) -> tuple[NodeId, ...]:
    """Raises Damaged(`index-damaged`)."""
    return _opened(_PlacingRow, packed).placing


def _encoded_extras(put: ObjectPut) -> bytes | None:
    if not (put.metadata or put.checksums or put.retain_until_s or put.legal_hold):
        return None
    return schema.encode(_Extras(put.metadata, put.checksums, put.retain_until_s, put.legal_hold))


def _checksum(row: Row) -> bytes:
    return digest(_CHECKSUM_CONTEXT, repr(row).encode())[:_CHECKSUM_BYTES]


def _sealed(encoded: bytes) -> bytes:
    return digest(_CHECKSUM_CONTEXT, encoded)[:_CHECKSUM_BYTES] + encoded


def _opened(kind: type[T], packed: bytes) -> T:
    checksum, encoded = packed[:_CHECKSUM_BYTES], packed[_CHECKSUM_BYTES:]
    try:
        if digest(_CHECKSUM_CONTEXT, encoded)[:_CHECKSUM_BYTES] == checksum:
            return schema.decode(kind, encoded)
    except MaillonError as error:
        raise Damaged("index-damaged", index="catalog", reason=error.identifier) from error
    raise Damaged("index-damaged", index="catalog", reason="checksum")
