"""What a caller says and hears at a namespace's shelf, beyond the words of `node.vault.objects`.

Names are S3's where it has one. Nothing here is text that a client sent: whoever speaks S3 has read and checked it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from node.vault.catalog.values import AccessKey
from node.vault.objects import ObjectStat
from protocol.namespace.contents import (
    NULL_VERSION,
    Checksum,
    LockDefault,
    LockMode,
    Metadata,
    Retention,
    Tag,
    Versioning,
)
from protocol.namespace.lifecycle import LifecycleRule
from protocol.quick_init import quick_init
from protocol.tables.glance import Glance

__all__ = [
    "NULL_VERSION",
    "UNCONDITIONAL",
    "AccessKey",
    "BucketInfo",
    "ByteRange",
    "Checksum",
    "Condition",
    "Deleted",
    "Finish",
    "Finisher",
    "Glance",
    "LifecycleRule",
    "LockDefault",
    "LockMode",
    "Metadata",
    "ObjectRef",
    "Page",
    "PartStat",
    "PartsFinisher",
    "PartsPage",
    "PutTerms",
    "Retention",
    "Tag",
    "UploadStat",
    "UploadsPage",
    "Versioning",
    "VersionsPage",
]

# An entry of a page: all that is known of an object, or a glance at it.
E = TypeVar("E", ObjectStat, Glance)


@quick_init
@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes [first, end) of an object."""

    first: int
    end: int

    @property
    def size_bytes(self) -> int:
        return self.end - self.first


@quick_init
@dataclass(frozen=True, slots=True)
class BucketInfo:
    """A bucket. `is_locked`: its objects may be locked. `documents`: the names of those that it has."""

    name: str
    created_s: int
    versioning: Versioning
    is_locked: bool
    lock_default: LockDefault | None
    documents: frozenset[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a key must name for something to be done: an object with one of the etags `if_match`, or with none of
    `if_none_match`. "*" stands for any object."""

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()


UNCONDITIONAL: Final = Condition()


@quick_init
@dataclass(frozen=True, slots=True)
class Finish:
    """What is known of an object's or a part's bytes when the last of them has come."""

    etag: str
    checksums: tuple[Checksum, ...] = ()


# Asked when a source has ended, before anything is named. It raises when the bytes are not what they should be.
Finisher = Callable[[], Awaitable[Finish]]


@quick_init
@dataclass(frozen=True, slots=True)
class PutTerms:
    """What is said of an object that is put, and under which condition it is. Without a retention, its bucket's
    default holds."""

    finish: Finisher | None = None
    metadata: tuple[Metadata, ...] = ()
    tags: tuple[Tag, ...] = ()
    retention: Retention | None = None
    legal_hold: bool = False
    condition: Condition = UNCONDITIONAL


@quick_init
@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A version of an object in the same namespace; without one, what the key names."""

    bucket: str
    key: str
    version: bytes | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the version that is gone, or the marker that was made. None: there was nothing to say."""

    version_id: bytes | None
    is_marker: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """Objects and common prefixes, each in order; where to go on after, unless this is the end."""

    entries: tuple[E, ...]
    common_prefixes: tuple[str, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class VersionsPage(Generic[E]):
    """The same of all versions and markers."""

    entries: tuple[E, ...]
    common_prefixes: tuple[str, ...]
    next_key: str | None
    next_version: bytes | None


@dataclass(frozen=True, slots=True)
class PartStat:
    """A part that is whole."""

    number: int
    size_bytes: int
    etag: str
    checksums: tuple[Checksum, ...]
    modified_s: int


# Asked when an upload is completed, with the parts that its object is to have.
PartsFinisher = Callable[[tuple[PartStat, ...]], Awaitable[Finish]]


@dataclass(frozen=True, slots=True)
class PartsPage:
    """Parts by number; after which to go on, unless this is the end."""

    parts: tuple[PartStat, ...]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class UploadStat:
    """An object that a client uploads in parts, and what was said of it when it began."""

    upload: bytes
    bucket: str
    key: str
    begun_s: int
    metadata: tuple[Metadata, ...]
    tags: tuple[Tag, ...]
    retention: Retention | None
    legal_hold: bool
    checksum: str


@dataclass(frozen=True, slots=True)
class UploadsPage:
    """Uploads by key and id; after which to go on, unless this is the end."""

    uploads: tuple[UploadStat, ...]
    common_prefixes: tuple[str, ...]
    next_key: str | None
    next_upload: bytes | None
