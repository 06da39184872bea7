"""The buckets of a namespace: their settings, and the documents that the S3 surface keeps with them.

What every request asks for is answered from memory. Who changes a bucket has it alone: what puts and deletions under
way in it mean is decided by what it was when they began.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from node.vault.catalog.values import StoredBucket
from node.vault.shelf.names import require_bucket_name, require_document_name
from node.vault.shelf.terms import BucketInfo, LifecycleRule, LockDefault, Versioning
from node.vault.shelf.tools import ShelfTools, info_of, require_writable_bucket
from protocol.errors import Missing, OverLimit, Refused
from protocol.limits import BUCKET_DOCUMENT_BYTES_MAX, BUCKET_DOCUMENTS_MAX, BUCKETS_MAX
from protocol.namespace.changes import BucketCreated, BucketDeleted, BucketDocumentPut, BucketSet
from protocol.namespace.lifecycle import encode_rules

LIFECYCLE: Final = "lifecycle"
LIFECYCLE_RULES: Final = "lifecycle.rules"


class Buckets:
    """The buckets of one namespace."""

    def __init__(self, tools: ShelfTools) -> None:
        self._tools = tools
        self._told: dict[str, tuple[StoredBucket, BucketInfo]] = {}

    def find(self, bucket: str) -> BucketInfo | None:
        """The bucket, if there is such a one. Every request asks, so what was told is kept."""
        found = self._tools.reading().catalog.find_bucket(bucket)
        if found is None:
            self._told.pop(bucket, None)
            return None
        stored, told = self._told.get(bucket, (None, None))
        if told is None or stored is not found:
            told = info_of(found)
            if len(self._told) >= BUCKETS_MAX:
                self._told.clear()
            self._told[bucket] = found, told
        return told

    def get(self, bucket: str) -> BucketInfo:
        """The bucket. Raises Missing(`bucket-missing`)."""
        found = self.find(bucket)
        if found is None:
            raise Missing("bucket-missing", bucket=bucket)
        return found

    def all(self) -> tuple[BucketInfo, ...]:
        """All buckets, by name."""
        return tuple(info_of(bucket) for bucket in self._tools.reading().catalog.known_buckets())

    async def create(
        self, bucket: str, *, lock: bool = False, documents: Sequence[tuple[str, bytes]] = ()
    ) -> BucketInfo:
        """A new bucket, which has these documents at once; with `lock`, one whose objects can be locked, and that
        keeps versions therefore.

        Raises:
            Refused: `bucket-name`, `bucket-exists`. OverLimit: `buckets-too-many`, `bucket-document-size`.
        """
        require_bucket_name(bucket)
        _require_small(documents)
        serving = self._tools.writing()
        async with serving.put.turns.alone(bucket):
            if serving.catalog.has_bucket(bucket):
                raise Refused("bucket-exists", bucket=bucket)
            if len(serving.catalog.known_buckets()) >= BUCKETS_MAX:
                raise OverLimit("buckets-too-many", limit=BUCKETS_MAX)
            created = BucketCreated(bucket, self._tools.host.wall.now_s(), lock)
            await serving.journal.append([created, *(BucketDocumentPut(bucket, *one) for one in documents)])
        return self.get(bucket)

    async def delete(self, bucket: str) -> None:
        """Forget a bucket in which there is no object, with its documents and the uploads into it.

        Raises:
            Missing: `bucket-missing`. Refused: `bucket-not-empty`.
        """
        serving = self._tools.writing()
        async with serving.put.turns.alone(bucket):
            require_writable_bucket(serving, bucket)
            if await serving.catalog.has_objects(bucket):
                raise Refused("bucket-not-empty", bucket=bucket)
            await serving.journal.append([BucketDeleted(bucket)])

    async def set_versioning(self, bucket: str, versioning: Versioning) -> None:
        """Keep versions from now on, or no longer.

        Raises:
            Missing: `bucket-missing`. Refused: `bucket-locked` when its objects can be locked: it must keep versions.
        """
        serving = self._tools.writing()
        async with serving.put.turns.alone(bucket):
            known = require_writable_bucket(serving, bucket)
            if known.has_lock and versioning is not Versioning.ENABLED:
                raise Refused("bucket-locked", bucket=bucket)
            await serving.journal.append([BucketSet(bucket, versioning, known.has_lock, known.lock_default)])

    async def set_lock_default(self, bucket: str, default: LockDefault | None) -> None:
        """How long what is put without a retention is kept. A bucket that keeps versions can be locked from then on.

        Raises:
            Missing: `bucket-missing`. Refused: `bucket-not-locked` for a bucket that does not keep versions.
        """
        serving = self._tools.writing()
        async with serving.put.turns.alone(bucket):
            known = require_writable_bucket(serving, bucket)
            if known.versioning is not Versioning.ENABLED:
                raise Refused("bucket-not-locked", bucket=bucket)
            await serving.journal.append([BucketSet(bucket, known.versioning, True, default)])

    async def document(self, bucket: str, name: str) -> bytes | None:
        """The bucket's document of this name. Raises Missing(`bucket-missing`)."""
        return await self._tools.reading().catalog.document(bucket, name)

    async def set_document(self, bucket: str, name: str, document: bytes | None) -> None:
        """Keep a document with the bucket; None: forget it.

        Raises:
            Missing: `bucket-missing`. OverLimit: `bucket-document-size`, `bucket-documents`.
        """
        require_document_name(name)
        await self._put_documents(bucket, [(name, document or b"")])

    async def set_lifecycle(self, bucket: str, document: bytes | None, rules: Sequence[LifecycleRule]) -> None:
        """Keep the document, and let expire what the rules say. Raises as `set_document`."""
        encoded = encode_rules(rules) if rules else b""
        await self._put_documents(bucket, [(LIFECYCLE, document or b""), (LIFECYCLE_RULES, encoded)])

    async def _put_documents(self, bucket: str, documents: Sequence[tuple[str, bytes]]) -> None:
        _require_small(documents)
        serving = self._tools.writing()
        async with serving.put.turns.alone(bucket):
            known = require_writable_bucket(serving, bucket)
            if len(known.documents | {name for name, document in documents if document}) > BUCKET_DOCUMENTS_MAX:
                raise OverLimit("bucket-documents", bucket=bucket, limit=BUCKET_DOCUMENTS_MAX)
            await serving.journal.append([BucketDocumentPut(bucket, name, document) for name, document in documents])


def _require_small(documents: Sequence[tuple[str, bytes]]) -> None:
    for _name, document in documents:
        if len(document) > BUCKET_DOCUMENT_BYTES_MAX:
            raise OverLimit("bucket-document-size", size_bytes=len(document), limit_bytes=BUCKET_DOCUMENT_BYTES_MAX)
