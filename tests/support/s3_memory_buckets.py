"""Buckets and their documents, in a vault that remembers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from node.vault.shelf.terms import BucketInfo, LifecycleRule, LockDefault, Versioning
from protocol.errors import Refused
from tests.support.s3_memory_records import NOW_S, Bucket

if TYPE_CHECKING:
    from tests.support.s3_memory import MemoryShelf


class MemoryBuckets:
    def __init__(self, shelf: MemoryShelf) -> None:
        self._shelf = shelf

    def find(self, bucket: str) -> BucketInfo | None:
        found = self._shelf.of.get(bucket)
        return None if found is None else replace(found.info, documents=frozenset(found.documents))

    def get(self, bucket: str) -> BucketInfo:
        self._shelf.bucket(bucket)
        found = self.find(bucket)
        assert found is not None
        return found

    def all(self) -> tuple[BucketInfo, ...]:
        return tuple(self.get(name) for name in sorted(self._shelf.of))

    async def create(
        self, bucket: str, *, lock: bool = False, documents: Sequence[tuple[str, bytes]] = ()
    ) -> BucketInfo:
        if bucket in self._shelf.of:
            raise Refused("bucket-exists", bucket=bucket)
        versioning = Versioning.ENABLED if lock else Versioning.NEVER
        made = BucketInfo(bucket, NOW_S + len(self._shelf.of), versioning, lock, None, frozenset())
        self._shelf.of[bucket] = Bucket(made, dict(documents))
        return made

    async def delete(self, bucket: str) -> None:
        if any(self._shelf.bucket(bucket).keys.values()):
            raise Refused("bucket-not-empty", bucket=bucket)
        del self._shelf.of[bucket]

    async def set_versioning(self, bucket: str, versioning: Versioning) -> None:
        found = self._shelf.bucket(bucket)
        if found.info.is_locked and versioning is Versioning.SUSPENDED:
            raise Refused("bucket-locked", bucket=bucket)
        found.info = replace(found.info, versioning=versioning)

    async def set_lock_default(self, bucket: str, default: LockDefault | None) -> None:
        found = self._shelf.bucket(bucket)
        if found.info.versioning is not Versioning.ENABLED:
            raise Refused("bucket-not-locked", bucket=bucket)
        found.info = replace(found.info, is_locked=True, lock_default=default)

    async def document(self, bucket: str, name: str) -> bytes | None:
        return self._shelf.bucket(bucket).documents.get(name)

    async def set_document(self, bucket: str, name: str, document: bytes | None) -> None:
        documents = self._shelf.bucket(bucket).documents
        if document is None:
            documents.pop(name, None)
        else:
            documents[name] = document

    async def set_lifecycle(self, bucket: str, document: bytes | None, rules: tuple[LifecycleRule, ...]) -> None:
        self._shelf.bucket(bucket).rules = rules
        await self.set_document(bucket, "lifecycle", document)
