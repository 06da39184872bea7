"""The values that the catalog gives out, and what rows they are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from protocol.coding.header import share_size
from protocol.coding.label import Stamp
from protocol.ids import BlockId, Digest, NodeId
from protocol.keys.sealing import sealed_size
from protocol.namespace.changes import BlockRef, Checksum, MarkerPut, Metadata, ObjectPut
from protocol.namespace.contents import LockDefault, Retention, Tag, Versioning
from protocol.quick_init import quick_init
from protocol.tables.keys import object_key, object_name, version_key
from protocol.tables.rows import BegunRow, Extras, ObjectRow, PartRow, RowKind

E = TypeVar("E")

NO_EXTRAS: Final = Extras("", (), (), 0, legal_hold=False, tags=(), retention=None, part_count=0)
# A marker has neither bytes nor a class.
_NO_DIGEST: Final = Digest(bytes(32))
_NO_CLASS: Final = "-"


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


@quick_init
@dataclass(frozen=True, slots=True)
class StoredObject:
    """A version of what a key names. Its bytes are `inline`, or `packed` in the one block that `Catalog.whole` gives,
    or `block_count` blocks, or none at all.

    `is_latest`: the key names it, or it is the marker that says that the key names nothing. What is asked of it is
    read from its row when it is asked: a page of a listing has a thousand, and most questions are asked of few.
    """

    bucket: str
    key: str
    row: ObjectRow
    is_latest: bool

    @property
    def version(self) -> bytes:
        return self.row.version

    @property
    def size_bytes(self) -> int:
        return self.row.size_bytes

    @property
    def digest(self) -> Digest:
        return self.row.digest

    @property
    def modified_s(self) -> int:
        return self.row.modified_s

    @property
    def data_class(self) -> str:
        return self.row.data_class

    @property
    def block_count(self) -> int:
        return self.row.block_count

    @property
    def share_bytes(self) -> int:
        """What all shares of all its blocks take."""
        return self.row.share_bytes

    @property
    def stamp(self) -> Stamp:
        """Of the entry that put it."""
        return Stamp(self.row.epoch, self.row.position)

    @property
    def is_small(self) -> bool:
        """It is in the journal, or in a pack."""
        return self.row.inline is not None or self.row.packed is not None

    @property
    def inline(self) -> InlineAt | None:
        inline = self.row.inline
        return None if inline is None else InlineAt(self.stamp, inline.offset, inline.size_bytes, inline.key)

    @property
    def packed(self) -> PackedAt | None:
        packed = self.row.packed
        return None if packed is None else PackedAt(packed.pack, packed.offset, packed.size_bytes, packed.key)

    @property
    def run(self) -> bytes:
        """Its blocks, if they are few: for the catalog alone."""
        return self.row.blocks

    @property
    def owner(self) -> bytes:
        """Whose runs hold its blocks, if they are many: for the catalog alone."""
        return self.row.owner

    @property
    def is_null(self) -> bool:
        return self.row.is_null

    @property
    def is_marker(self) -> bool:
        return self.row.is_marker

    @property
    def extras(self) -> Extras:
        """What most objects do not have."""
        return self.row.extras or NO_EXTRAS

    @property
    def etag(self) -> str:
        return self.extras.etag

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return self.extras.metadata

    @property
    def checksums(self) -> tuple[Checksum, ...]:
        return self.extras.checksums

    @property
    def retain_until_s(self) -> int:
        """Until when holders were told to keep its blocks."""
        return self.extras.retain_until_s

    @property
    def retention(self) -> Retention | None:
        return self.extras.retention

    @property
    def legal_hold(self) -> bool:
        return self.extras.legal_hold

    @property
    def tags(self) -> tuple[Tag, ...]:
        return self.extras.tags

    @property
    def part_count(self) -> int:
        return self.extras.part_count

    @property
    def row_key(self) -> bytes:
        """Where in the catalog it stands."""
        if self.is_latest and not self.is_marker:
            return object_key(self.bucket, self.key)
        return version_key(self.bucket, self.key, self.version)


@dataclass(frozen=True, slots=True)
class StoredBucket:
    """A bucket, its settings, and the names of its documents."""

    bucket: str
    created_s: int
    versioning: Versioning = Versioning.NEVER
    has_lock: bool = False
    lock_default: LockDefault | None = None
    documents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class AccessKey:
    """A name and a secret that open a namespace, or one bucket of it."""

    key_id: str
    secret: str
    bucket: str | None
    is_read_only: bool
    created_s: int

    def __repr__(self) -> str:
        return f"AccessKey(key_id={self.key_id!r})"


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An object that a client uploads in parts."""

    upload: bytes
    owner: bytes
    bucket: str
    key: str
    begun_s: int
    metadata: tuple[Metadata, ...]
    tags: tuple[Tag, ...]
    retention: Retention | None
    legal_hold: bool
    checksum: str


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A whole part of an upload, or of an object that was uploaded in parts."""

    number: int
    size_bytes: int
    digest: Digest
    etag: str
    checksums: tuple[Checksum, ...]
    modified_s: int


@dataclass(frozen=True, slots=True)
class ListedObjects(Generic[E]):
    """A page of objects and common prefixes; the name it ends with, and the version there, when more follow."""

    entries: tuple[E, ...]
    prefixes: tuple[str, ...]
    next_after: str | None
    next_version: bytes | None = None


@dataclass(frozen=True, slots=True)
class ListedUploads:
    """A page of uploads; the name it ends with, and the upload there, when more follow."""

    entries: tuple[StoredUpload, ...]
    prefixes: tuple[str, ...]
    next_after: str | None
    next_upload: bytes | None


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
    part_count: int = 0


def share_bytes_of(blocks: tuple[BlockRef, ...]) -> int:
    """What all shares of the blocks take on disks."""
    return sum(block.n * share_size(block.k, sealed_size(block.size_bytes)) for block in blocks)


def row_of(put: ObjectPut, stamp: Stamp, content: Content, *, is_null: bool) -> ObjectRow:
    """The row of what was put."""
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
        extras=_extras_of(put, content.part_count),
        packed=None,
        is_null=is_null,
        is_marker=False,
    )


def _extras_of(put: ObjectPut, part_count: int) -> Extras | None:
    is_plain = not (put.etag or put.metadata or put.checksums or put.retain_until_s or put.legal_hold)
    if is_plain and not (put.tags or put.retention or part_count):
        return None
    return Extras(
        etag=put.etag,
        metadata=put.metadata,
        checksums=put.checksums,
        retain_until_s=put.retain_until_s,
        legal_hold=put.legal_hold,
        tags=put.tags,
        retention=put.retention,
        part_count=part_count,
    )


def marker_row(marker: MarkerPut, stamp: Stamp, *, is_null: bool) -> ObjectRow:
    """The row of a delete marker."""
    return ObjectRow(
        version=marker.version,
        size_bytes=0,
        digest=_NO_DIGEST,
        modified_s=marker.modified_s,
        data_class=_NO_CLASS,
        epoch=stamp.epoch,
        position=stamp.position,
        block_count=0,
        share_bytes=0,
        blocks=b"",
        owner=b"",
        inline=None,
        extras=None,
        packed=None,
        is_null=is_null,
        is_marker=True,
    )


def extras_or_none(extras: Extras) -> Extras | None:
    """The extras, unless there are none in them."""
    return None if extras == NO_EXTRAS else extras


def object_of(key: bytes, row: ObjectRow) -> StoredObject:
    """What the row with this key says."""
    bucket, name = object_name(key)
    return StoredObject(bucket, name, row, is_latest=key[0] == RowKind.OBJECT)


def upload_of(upload: bytes, row: BegunRow) -> StoredUpload:
    """What the row of an upload says."""
    return StoredUpload(
        upload=upload,
        owner=row.owner,
        bucket=row.bucket,
        key=row.key,
        begun_s=row.begun_s,
        metadata=row.metadata,
        tags=row.tags,
        retention=row.retention,
        legal_hold=row.legal_hold,
        checksum=row.checksum,
    )


def part_of(number: int, row: PartRow) -> StoredPart:
    """What the row of a part says."""
    return StoredPart(number, row.size_bytes, row.digest, row.etag, row.checksums, row.modified_s)
