"""The rows of a namespace: what its journal adds up to, as pairs of bytes that sort.

The same pair stands in the gateway's catalog and in the tables of a checkpoint, byte for byte, so that filling a
catalog from tables is a plain bulk insert, and a checkpoint a plain read. A row's first byte is its kind, and its
value a canonical message, or empty; `protocol.tables.keys` makes the keys.

What a key names now stands in an OBJECT row; older versions of it, and delete markers, in VERSION rows with the same
values. A key whose newest version is a delete marker has no OBJECT row.

An object of few blocks carries them in its own row; longer ones keep them in runs under an *owner*, an id that no
other content ever has. Runs are short, as a run is rewritten when one of its blocks is completed. Blocks name their
nodes by number (`protocol.tables.nodes`): ids would be most of a row otherwise.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.ids import BlockId, Digest
from protocol.namespace.bucket_changes import KeyName
from protocol.namespace.contents import (
    AllChecksums,
    AllMetadata,
    AllTags,
    BucketName,
    ClassName,
    ETag,
    InlineRef,
    LockDefault,
    ObjectKey,
    Retention,
    SealingKey,
    Version,
    Versioning,
)
from protocol.wire.schema import Length, Range

BLOCKS_PER_RUN: Final = 8
RUN_BYTES_MAX: Final = 4 * limits.KIB
OWNER_BYTES: Final = 20
ROW_VALUE_BYTES_MAX: Final = limits.ENTRY_BYTES_MAX


class RowKind(enum.IntEnum):
    """The first byte of a row's key. Numbers are never reused."""

    BUCKET = 1
    DRILL = 2
    DOCUMENT = 3
    ACCESS_KEY = 4
    OBJECT = 16
    INLINE = 17
    VERSION = 18
    NULL = 19
    RUN = 32
    UPLOAD = 33
    PART = 34
    BEGUN = 35
    BEGUN_AT = 36
    LATE = 48
    RELEASE = 49
    SHARED = 50
    PACK = 64


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket, and what becomes of its objects when they are put again, deleted, or to be locked."""

    WIRE_VERSION: ClassVar[int] = 1
    created_s: int
    versioning: Versioning
    has_lock: bool
    lock_default: LockDefault | None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document of a bucket."""

    WIRE_VERSION: ClassVar[int] = 1
    document: Annotated[bytes, Length(1, limits.BUCKET_DOCUMENT_BYTES_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class AccessKeyRow:
    """An access key, but for its name."""

    WIRE_VERSION: ClassVar[int] = 1
    secret: KeyName
    bucket: BucketName | None
    is_read_only: bool
    created_s: int


@dataclass(frozen=True, slots=True)
class DrillRow:
    """When a recovery of the namespace was rehearsed last. There is one such row, or none."""

    WIRE_VERSION: ClassVar[int] = 1
    held_s: int


@dataclass(frozen=True, slots=True)
class Extras:
    """What most objects do not have. `part_count`: of the parts that a client uploaded it in."""

    etag: ETag
    metadata: AllMetadata
    checksums: AllChecksums
    retain_until_s: int
    legal_hold: bool
    tags: AllTags
    retention: Retention | None
    part_count: Annotated[int, Range(0, limits.UPLOAD_PARTS_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class PackedRef:
    """Where in a pack's plain bytes a small object's sealed bytes are, and the key that opens them."""

    pack: BlockId
    offset: Annotated[int, Range(0, limits.BLOCK_PLAIN_BYTES_MAX)]
    size_bytes: Annotated[int, Range(1, 2 * limits.INLINE_BYTES_MAX)]
    key: SealingKey


@dataclass(frozen=True, slots=True, repr=False)
class ObjectRow:
    """A version of what a key names. `epoch` and `position` are those of the entry that put it.

    `is_null`: it is the one version of its key that S3 calls null. `is_marker`: it is a delete marker. `blocks` is
    an encoded `BlockRun`, or empty; then the blocks, if any, stand in the runs of `owner`. `share_bytes` is what all
    shares of all blocks take.
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
    is_null: bool
    is_marker: bool


@dataclass(frozen=True, slots=True)
class NullRow:
    """Which of a key's VERSION rows is the version named null."""

    WIRE_VERSION: ClassVar[int] = 1
    version: Version


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
    """An object under way whose parts the writer journals as they come: who owns their runs."""

    WIRE_VERSION: ClassVar[int] = 1
    owner: Annotated[bytes, Length(OWNER_BYTES, OWNER_BYTES)]


@dataclass(frozen=True, slots=True)
class BegunRow:
    """An object that a client uploads in parts: who owns their runs, and what was said of it when it began."""

    WIRE_VERSION: ClassVar[int] = 1
    owner: Annotated[bytes, Length(OWNER_BYTES, OWNER_BYTES)]
    bucket: BucketName
    key: ObjectKey
    begun_s: int
    metadata: AllMetadata
    tags: AllTags
    retention: Retention | None
    legal_hold: bool
    checksum: Annotated[str, Length(0, 64)]


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part of an object, or of an upload. A client's part that has no etag is not all there."""

    WIRE_VERSION: ClassVar[int] = 1
    size_bytes: Annotated[int, Range(0, limits.OBJECT_BYTES_MAX)]
    digest: Digest
    etag: ETag
    checksums: AllChecksums
    modified_s: int
    block_count: int
    share_bytes: int


@dataclass(frozen=True, slots=True)
class SharedRow:
    """A block that several objects or parts are made of: how many `more` references it has than one."""

    WIRE_VERSION: ClassVar[int] = 1
    more: Annotated[int, Range(1, 2**63 - 1)]


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
