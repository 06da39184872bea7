"""Objects that clients upload in parts: begin, put parts in any order, then complete or abort.

What is said of the object is said when the upload begins. Its parts are durable and journaled one by one, and belong
to nobody but the upload until it is completed: then the object is made of those parts that the client lists, and the
others are released.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from blake3 import blake3

from node.vault.catalog.values import StoredObject, StoredPart, StoredUpload
from node.vault.copying import CopyTools, copy_part
from node.vault.objects import ObjectStat, Source
from node.vault.put import Content, Naming, keep_until, put_part
from node.vault.serving import Open, Readable
from node.vault.shelf.deciding import retention_for
from node.vault.shelf.names import require_object_key
from node.vault.shelf.terms import (
    UNCONDITIONAL,
    ByteRange,
    Condition,
    Finisher,
    ObjectRef,
    PartsFinisher,
    PartsPage,
    PartStat,
    PutTerms,
    UploadsPage,
    UploadStat,
)
from node.vault.shelf.tools import ShelfTools, part_stat, parts_page, require_writable_bucket
from protocol.errors import Missing, Refused
from protocol.ids import Digest
from protocol.limits import MIB, OBJECT_BYTES_MAX, UPLOAD_PARTS_MAX
from protocol.namespace.changes import VERSION_BYTES, PartPut, UploadAborted, UploadBegun

# S3's: every part of an object but the last has as much.
PART_BYTES_MIN: Final = 5 * MIB
_PARTS_AT_ONCE: Final = 1_000


class Uploads:
    """The uploads into the buckets of one namespace."""

    def __init__(self, tools: ShelfTools) -> None:
        self._tools = tools

    async def begin(self, bucket: str, key: str, terms: PutTerms, *, checksum: str = "") -> bytes:
        """The name of a new upload. Raises Missing(`bucket-missing`), Refused(`object-key`, `bucket-not-locked`)."""
        require_object_key(key)
        serving, now_s = self._tools.writing(), self._tools.host.wall.now_s()
        upload = self._tools.host.entropy.random_bytes(VERSION_BYTES)
        async with serving.put.turns.of(bucket):
            retention_for(require_writable_bucket(serving, bucket), terms, now_s)  # or it is refused now
            begun = UploadBegun(
                upload=upload,
                bucket=bucket,
                key=key,
                begun_s=now_s,
                metadata=terms.metadata,
                tags=terms.tags,
                retention=terms.retention,
                legal_hold=terms.legal_hold,
                checksum=checksum,
            )
            await serving.journal.append([begun])
        return upload

    async def stat(self, bucket: str, key: str, upload: bytes) -> UploadStat:
        """What was said when the upload began. Raises Missing(`upload-missing`)."""
        return _upload_stat(await _find(self._tools.reading(), bucket, key, upload))

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
        """Store the source's bytes as a part, in place of one with this number.

        Raises:
            Missing: `upload-missing`. And as a put; what `finish` raises.
        """
        _require_number(number)
        serving = self._tools.writing()
        stored = await _find(serving, bucket, key, upload)
        return await _part_stat_of(
            serving, stored, await put_part(serving.put, stored, number, source, finish, expected_bytes)
        )

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
        """A part that is an object, or a part of one; see `node.vault.copying`.

        Raises:
            Missing: `upload-missing`, and as `Objects.stat`.
        """
        _require_number(number)
        serving = self._tools.writing()
        stored = await _find(serving, bucket, key, upload)

        def check(found: StoredObject) -> None:
            if source_condition is not None:
                source_condition(self._tools.stat(serving, found))

        tools = CopyTools(serving.put, serving.reading)
        return await _part_stat_of(serving, stored, await copy_part(tools, stored, number, source, check, part))

    async def parts(self, bucket: str, key: str, upload: bytes, *, after: int = 0, limit: int = 1_000) -> PartsPage:
        """The parts that are whole, by number. Raises Missing(`upload-missing`)."""
        serving = self._tools.reading()
        stored = await _find(serving, bucket, key, upload)
        return await parts_page(serving, stored.owner, after, limit)

    async def list(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_upload: bytes | None = None,
        limit: int = 1_000,
    ) -> UploadsPage:
        """The uploads into a bucket, by key. Raises Missing(`bucket-missing`)."""
        found = await self._tools.reading().catalog.begun(
            bucket, prefix=prefix, delimiter=delimiter, after=(after_key, after_upload), limit=limit
        )
        uploads = tuple(_upload_stat(stored) for stored in found.entries)
        return UploadsPage(uploads, found.prefixes, found.next_after, found.next_upload)

    async def complete(
        self,
        bucket: str,
        key: str,
        upload: bytes,
        parts: Sequence[tuple[int, str]],
        *,
        finish: PartsFinisher,
        condition: Condition = UNCONDITIONAL,
    ) -> ObjectStat:
        """The key names the listed parts, joined; the upload is over.

        Raises:
            Missing: `upload-missing`.
            Refused: `upload-part-order`, `upload-part-missing`, `upload-part-small`, `object-condition`.
        """
        serving = self._tools.writing()
        with serving.put.unnamed.writing(serving.journal.next_position) as writing:
            async with serving.put.turns.of(bucket, upload, key):
                stored = await _find(serving, bucket, key, upload)
                listed = _listed(await _all_parts(serving, stored), parts)
                told = await finish(tuple(map(part_stat, listed)))
                rules = serving.put.rules()
                terms = PutTerms(
                    metadata=stored.metadata,
                    tags=stored.tags,
                    retention=stored.retention,
                    legal_hold=stored.legal_hold,
                    condition=condition,
                )
                told_at_least = retention_for(require_writable_bucket(serving, bucket), terms, stored.begun_s)
                keep_until_s = keep_until(rules, told_at_least, self._tools.host.wall.now_s())
                naming = Naming(serving.put, writing, bucket, key, terms, keep_until_s)
                content = Content(
                    size_bytes=sum(part.size_bytes for part in listed),
                    digest=Digest(blake3(b"".join(part.digest for part in listed)).digest()),
                    data_class=rules.data_class.name,
                    upload=upload,
                    parts=tuple(part.number for part in listed),
                )
                named = await naming.name_in_turn(content, told)
        return self._tools.stat_of_named(serving, named)

    async def abort(self, bucket: str, key: str, upload: bytes) -> None:
        """The upload is over, and its parts are gone. Raises Missing(`upload-missing`)."""
        serving = self._tools.writing()
        async with serving.put.turns.of(bucket, upload):
            await _find(serving, bucket, key, upload)
            await serving.journal.append([UploadAborted(upload)])


def _listed(known: Sequence[StoredPart], parts: Sequence[tuple[int, str]]) -> list[StoredPart]:
    """Those parts that the client lists, which must be as it says. Pure."""
    numbers = [number for number, _etag in parts]
    if not numbers or numbers != sorted(set(numbers)):
        raise Refused("upload-part-order")
    by_number = {part.number: part for part in known}
    listed = []
    for number, etag in parts:
        part = by_number.get(number)
        if part is None or part.etag != etag:
            raise Refused("upload-part-missing", number=number)
        listed.append(part)
    for part in listed[:-1]:
        if part.size_bytes < PART_BYTES_MIN:
            raise Refused("upload-part-small", number=part.number, least_bytes=PART_BYTES_MIN)
    if sum(part.size_bytes for part in listed) > OBJECT_BYTES_MAX:
        raise Refused("upload-size", limit_bytes=OBJECT_BYTES_MAX)
    return listed


async def _find(serving: Readable, bucket: str, key: str, upload: bytes) -> StoredUpload:
    found = await serving.catalog.upload(upload)
    if found is None or (found.bucket, found.key) != (bucket, key):
        raise Missing("upload-missing", bucket=bucket, key=key)
    return found


async def _all_parts(serving: Open, upload: StoredUpload) -> list[StoredPart]:
    found: list[StoredPart] = []
    while True:
        after = found[-1].number if found else 0
        some = await serving.catalog.parts(upload.owner, after=after, limit=_PARTS_AT_ONCE)
        if not some:
            return found
        found += some


async def _part_stat_of(serving: Open, upload: StoredUpload, last: PartPut) -> PartStat:
    """Of a part whose last change this is."""
    found = await serving.catalog.parts(upload.owner, after=last.number - 1, limit=1)
    if not found or found[0].number != last.number:
        raise Missing("upload-missing", bucket=upload.bucket, key=upload.key)
    return part_stat(found[0])


def _require_number(number: int) -> None:
    if not 1 <= number <= UPLOAD_PARTS_MAX:
        raise Refused("upload-part-number", number=number, limit=UPLOAD_PARTS_MAX)


def _upload_stat(stored: StoredUpload) -> UploadStat:
    return UploadStat(
        upload=stored.upload,
        bucket=stored.bucket,
        key=stored.key,
        begun_s=stored.begun_s,
        metadata=stored.metadata,
        tags=stored.tags,
        retention=stored.retention,
        legal_hold=stored.legal_hold,
        checksum=stored.checksum,
    )
