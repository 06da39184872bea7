"""What changes speak of: the blocks and bytes that an object is made of, and what its owner said of it.

These values stand inside the changes of a journal and inside the rows that they add up to. The names are S3's where
S3 has one (tag, retention, legal hold, version), so that nothing is translated twice.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from protocol import limits
from protocol.errors import Malformed
from protocol.ids import BlockId, NodeId
from protocol.wire.schema import Length, Range

VERSION_BYTES: Final = 16
# What stands for the version that S3 calls null: no version has this id.
NULL_VERSION: Final = bytes(VERSION_BYTES)
BLOCKS_PER_CHANGE_MAX: Final = 4_096
PARTS_MAX: Final = 100_000
TAG_NAME_BYTES_MAX: Final = 512
TAG_VALUE_BYTES_MAX: Final = 1_024

BucketName = Annotated[str, Length(3, limits.BUCKET_NAME_BYTES_MAX)]
ObjectKey = Annotated[str, Length(1, limits.KEY_BYTES_MAX)]
Version = Annotated[bytes, Length(VERSION_BYTES, VERSION_BYTES)]
SealingKey = Annotated[bytes, Length(32, 32)]
ClassName = Annotated[str, Length(1, limits.NAME_BYTES_MAX)]
Placing = Annotated[tuple[NodeId, ...], Length(1, limits.SHARES_MAX)]
ETag = Annotated[str, Length(0, 128)]


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
class Tag:
    """A word and its value that the owner put on an object, to find or expire it by."""

    name: Annotated[str, Length(1, TAG_NAME_BYTES_MAX)]
    value: Annotated[str, Length(0, TAG_VALUE_BYTES_MAX)]


class LockMode(enum.IntEnum):
    """Who may delete a version before its retention ends: those with leave to, or nobody."""

    GOVERNANCE = 1
    COMPLIANCE = 2


@dataclass(frozen=True, slots=True)
class Retention:
    """A version must stay until then."""

    mode: LockMode
    until_s: int


@dataclass(frozen=True, slots=True)
class LockDefault:
    """The retention of what is put into a bucket without one of its own."""

    mode: LockMode
    days: Annotated[int, Range(1, 36_500)]


class Versioning(enum.IntEnum):
    """What becomes of an object that is put again or deleted: it goes; it stays as an older version; it stays,
    unless it is the one version, named null, that such a bucket has of each key from then on."""

    NEVER = 0
    ENABLED = 1
    SUSPENDED = 2


AllMetadata = Annotated[tuple[Metadata, ...], Length(0, 256)]
AllChecksums = Annotated[tuple[Checksum, ...], Length(0, 8)]
AllTags = Annotated[tuple[Tag, ...], Length(0, limits.TAGS_MAX)]
