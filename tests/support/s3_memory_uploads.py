"""Uploads in parts, in a vault that remembers in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from node.vault.objects import ObjectStat, Source
from node.vault.shelf.terms import (
    UNCONDITIONAL,
    ByteRange,
    Condition,
    Finish,
    Finisher,
    ObjectRef,
    PartsPage,
    PartStat,
    PutTerms,
    UploadsPage,
    UploadStat,
)
from protocol.errors import Missing, Refused
from tests.support.s3_memory_records import NOW_S, Upload, page_of, read_all

if TYPE_CHECKING:
    from tests.support.s3_memory import MemoryShelf


class MemoryUploads:
    def __init__(self, shelf: MemoryShelf) -> None:
        self._shelf = shelf

    def find(self, bucket: str, key: str, upload: bytes) -> Upload:
        found = self._shelf.bucket(bucket).uploads.get(upload)
        if found is None or found.stat.key != key:
            raise Missing("upload-missing", upload=upload)
        return found

    async def begin(self, bucket: str, key: str, terms: PutTerms, *, checksum: str = "") -> bytes:
        upload = self._shelf.fresh()
        stat = UploadStat(
            upload, bucket, key, NOW_S, terms.metadata, terms.tags, terms.retention, terms.legal_hold, checksum
        )
        self._shelf.bucket(bucket).uploads[upload] = Upload(stat, terms)
        return upload

    async def stat(self, bucket: str, key: str, upload: bytes) -> UploadStat:
        return self.find(bucket, key, upload).stat

    async def put_part(
        self,
        bucket: str,
        key: str,
        upload: bytes,
        number: int,
        source: Source,
        *,
        finish: Finisher,
        expected_bytes: int | None,
    ) -> PartStat:
        data = await read_all(source)
        finished = await finish()
        return self._keep(
            bucket, key, upload, PartStat(number, len(data), finished.etag, finished.checksums, NOW_S), data
        )

    def _keep(self, bucket: str, key: str, upload: bytes, part: PartStat, data: bytes) -> PartStat:
        self.find(bucket, key, upload).parts[part.number] = (part, data)
        return part

    async def copy_part(
        self,
        bucket: str,
        key: str,
        upload: bytes,
        number: int,
        source: ObjectRef,
        part: ByteRange | None,
        *,
        source_condition: Callable[[ObjectStat], None] | None = None,
    ) -> PartStat:
        kept = self._shelf.objects.find(source.bucket, source.key, source.version)
        if source_condition is not None:
            source_condition(kept.stat)
        data = kept.data if part is None else kept.data[part.first : part.end]
        made = PartStat(number, len(data), hashlib.md5(data).hexdigest(), (), NOW_S)
        return self._keep(bucket, key, upload, made, data)

    async def parts(self, bucket: str, key: str, upload: bytes, *, after: int = 0, limit: int = 1000) -> PartsPage:
        found = self.find(bucket, key, upload).parts
        return page_of(tuple(found[number][0] for number in sorted(found)), after, limit)

    async def list(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_upload: bytes | None = None,
        limit: int = 1000,
    ) -> UploadsPage:
        found = sorted(self._shelf.bucket(bucket).uploads.values(), key=lambda one: one.stat.key)
        return UploadsPage(tuple(one.stat for one in found if one.stat.key.startswith(prefix)), (), None, None)

    async def complete(
        self,
        bucket: str,
        key: str,
        upload: bytes,
        parts: Sequence[tuple[int, str]],
        *,
        finish: Callable[[tuple[PartStat, ...]], Awaitable[Finish]],
        condition: Condition = UNCONDITIONAL,
    ) -> ObjectStat:
        found = self.find(bucket, key, upload)
        if [number for number, _etag in parts] != sorted({number for number, _etag in parts}):
            raise Refused("upload-part-order")
        for number, etag in parts:
            if number not in found.parts or found.parts[number][0].etag != etag:
                raise Refused("upload-part-missing", number=number)
        listed = [found.parts[number] for number, _etag in parts]
        if any(part.size_bytes < 5 * 1024 * 1024 for part, _data in listed[:-1]):
            raise Refused("upload-part-small", number=1)
        finished = await finish(tuple(part for part, _data in listed))
        terms = replace(found.terms, condition=condition)
        data = b"".join(data for _part, data in listed)
        made = self._shelf.objects.keep(bucket, key, data, terms, finished, [part for part, _data in listed])
        del self._shelf.bucket(bucket).uploads[upload]
        return made

    async def abort(self, bucket: str, key: str, upload: bytes) -> None:
        self.find(bucket, key, upload)
        del self._shelf.bucket(bucket).uploads[upload]
