"""What a vault in memory keeps of buckets, keys and uploads, for tests of S3's surface."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.vault.objects import ObjectStat, Source
from node.vault.shelf.terms import (
    BucketInfo,
    Glance,
    LifecycleRule,
    PartsPage,
    PartStat,
    PutTerms,
    UploadStat,
)

NOW_S = 1_700_000_000


@dataclass(slots=True)
class Kept:
    """One version of a key."""

    stat: ObjectStat
    data: bytes = b""
    parts: tuple[PartStat, ...] = ()


@dataclass(slots=True)
class Upload:
    stat: UploadStat
    terms: PutTerms
    parts: dict[int, tuple[PartStat, bytes]] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    info: BucketInfo
    documents: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, list[Kept]] = field(default_factory=dict)  # newest first
    uploads: dict[bytes, Upload] = field(default_factory=dict)
    rules: tuple[LifecycleRule, ...] = ()


class Bytes:
    """Bytes as a source."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def receive_into(self, buffer: memoryview) -> int:
        some, self._data = self._data[: len(buffer)], self._data[len(buffer) :]
        buffer[: len(some)] = some
        return len(some)


async def read_all(source: Source) -> bytes:
    """The source to its end, as the vault reads it: in buffers that are full until the last."""
    found = bytearray()
    while True:
        buffer = bytearray(100_000)
        count = await source.receive_into(memoryview(buffer))
        found += buffer[:count]
        if count < len(buffer):
            return bytes(found)


def page_of(parts: tuple[PartStat, ...], after: int, limit: int) -> PartsPage:
    later = [part for part in parts if part.number > after]
    return PartsPage(tuple(later[:limit]), later[limit - 1].number if len(later) > limit else None)


def glance_of(found: ObjectStat) -> Glance:
    """What a listing shows of it."""
    return Glance(
        key=found.key,
        version=found.version,
        size_bytes=found.size_bytes,
        modified_s=found.modified_s,
        etag=found.etag,
        algorithms=tuple(one.algorithm for one in found.checksums),
        is_null=found.is_null,
        is_marker=found.is_marker,
        is_latest=found.is_latest,
    )


def group_of(key: str, prefix: str, delimiter: str) -> str | None:
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if end < 0 else key[: end + len(delimiter)]
