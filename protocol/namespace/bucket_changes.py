"""Changes about buckets, and about the access keys by which clients come to them.

A bucket has settings that decide what changes to its objects mean (versioning, object lock), and documents that only
the S3 surface reads (its policy, say): those are kept as they are. An access key is a name and a secret, for all
buckets of the namespace or for one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.namespace.contents import BucketName, LockDefault, Versioning
from protocol.wire.schema import Length

DocumentName = Annotated[str, Length(1, 32)]
KeyName = Annotated[str, Length(1, limits.ACCESS_KEY_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class BucketCreated:
    """There is such a bucket. `has_lock`: its objects may be locked, so it keeps versions from the beginning."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    created_s: int
    has_lock: bool = False


@dataclass(frozen=True, slots=True)
class BucketDeleted:
    """The bucket is no more, nor its documents, nor the uploads into it; it stays if there is any object in it."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName


@dataclass(frozen=True, slots=True)
class BucketSet:
    """What becomes of its objects from now on. Once it kept versions it is never again a bucket that never did, and
    once its objects could be locked they always can."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    versioning: Versioning
    has_lock: bool
    lock_default: LockDefault | None


@dataclass(frozen=True, slots=True)
class BucketDocumentPut:
    """A document of the bucket is this from now on; empty: it has none of this name."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: BucketName
    name: DocumentName
    document: Annotated[bytes, Length(0, limits.BUCKET_DOCUMENT_BYTES_MAX)]


@dataclass(frozen=True, slots=True, repr=False)
class KeyCreated:
    """Who proves to have `secret` may use the namespace; with `bucket`, only that one."""

    WIRE_VERSION: ClassVar[int] = 1
    key_id: KeyName
    secret: KeyName
    bucket: BucketName | None
    is_read_only: bool
    created_s: int

    def __repr__(self) -> str:
        return f"KeyCreated(key_id={self.key_id!r})"


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """The access key opens nothing any more."""

    WIRE_VERSION: ClassVar[int] = 1
    key_id: KeyName
