"""Changes about objects: what is put, marked, deleted, locked and uploaded in parts.

What a change makes of what was there before follows from the bucket's settings at that place in the journal: the
writer decides whether a change may be, and the rules of versioning what it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.errors import Malformed
from protocol.ids import Digest
from protocol.namespace.contents import (
    BLOCKS_PER_CHANGE_MAX,
    PARTS_MAX,
    AllChecksums,
    AllMetadata,
    AllTags,
    Blocks,
    BucketName,
    ClassName,
    ETag,
    InlineRef,
    ObjectKey,
    Retention,
    Version,
)
from protocol.wire.schema import Length, Range

PartNumber = Annotated[int, Range(0, PARTS_MAX)]
ObjectSize = Annotated[int, Range(0, limits.OBJECT_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class ObjectPut:
    """The key now names these bytes: blocks in order, or inline bytes, or the parts journaled for `upload`.

    `digest` is the BLAKE3 of the plain bytes of an inline object, or of the blocks' ids in order: hashing a large
    object once more would cost as much as sealing it, and the ids commit to every byte already. `parts` names those
    parts of the upload that count, by rising number; none: all of them. `is_copy`: the blocks are another object's
    too. Holders were told to keep the blocks until `retain_until_s`; `retention` and `legal_hold` are S3's lock.
    """

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version
    size_bytes: ObjectSize
    digest: Digest
    modified_s: int
    data_class: ClassName
    blocks: Blocks = ()
    inline: InlineRef | None = None
    upload: Version | None = None
    etag: ETag = ""
    metadata: AllMetadata = ()
    checksums: AllChecksums = ()
    retain_until_s: int = 0
    legal_hold: bool = False
    parts: Annotated[tuple[PartNumber, ...], Length(0, limits.UPLOAD_PARTS_MAX)] = ()
    is_copy: bool = False
    tags: AllTags = ()
    retention: Retention | None = None

    def __post_init__(self) -> None:
        if bool(self.blocks) + (self.inline is not None) + (self.upload is not None) > 1:
            raise Malformed("object-content", key=self.key)


@dataclass(frozen=True, slots=True)
class ObjectDeleted:
    """This version of the key is gone for good; without `version`, what the key names."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class MarkerPut:
    """The key names nothing from now on, and what it named stays as an older version: a delete marker stands before
    it. In a bucket that never kept versions there is nothing to mark: what the key names is gone."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version
    modified_s: int


@dataclass(frozen=True, slots=True)
class TagsReplaced:
    """The version has these tags, and no others."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version
    tags: AllTags


@dataclass(frozen=True, slots=True)
class LockReplaced:
    """The version is locked like this, and no longer as it was."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version
    retention: Retention | None
    legal_hold: bool


@dataclass(frozen=True, slots=True)
class MetadataReplaced:
    """The version has this metadata, and no other."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    key: ObjectKey
    version: Version
    metadata: AllMetadata


@dataclass(frozen=True, slots=True)
class UploadBegun:
    """A client will upload an object in parts; what it said of the object is kept here until then. `checksum` says
    in the surface's words which checksums its parts have."""

    WIRE_VERSION: ClassVar[int] = 1
    upload: Version
    bucket: BucketName
    key: ObjectKey
    begun_s: int
    metadata: AllMetadata
    tags: AllTags
    retention: Retention | None
    legal_hold: bool
    checksum: Annotated[str, Length(0, 64)]


@dataclass(frozen=True, slots=True)
class PartPut:
    """Blocks of a part of an object under way are durable. `ObjectPut.upload` joins parts by their numbers.

    They are the part's blocks from number `first_block` on: with 0 they take the place of whatever the part was, else
    they go on from those before. A client's part is whole with the change that has its `etag`; `size_bytes` is that
    of these blocks. The writer splits very long objects into parts of its own: these have no etag, nor an
    `UploadBegun`.
    """

    WIRE_VERSION: ClassVar[int] = 1
    upload: Version
    number: PartNumber
    size_bytes: ObjectSize
    digest: Digest
    blocks: Blocks
    first_block: Annotated[int, Range(0, 16 * BLOCKS_PER_CHANGE_MAX)] = 0
    is_copy: bool = False
    etag: ETag = ""
    checksums: AllChecksums = ()
    modified_s: int = 0


@dataclass(frozen=True, slots=True)
class UploadAborted:
    """The parts journaled for `upload` will never be an object's."""

    WIRE_VERSION: ClassVar[int] = 1
    upload: Version
