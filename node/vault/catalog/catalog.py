"""The questions that are asked of a namespace's catalog.

What every request asks for (a bucket's settings, an access key) is answered from memory; what takes a look at a row
or two is answered on this very thread, and everything else on another. Until the catalog is ready, only what has
arrived and is final is answered (`node.vault.catalog.opened`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from node.vault.catalog.buckets import has_objects
from node.vault.catalog.database import CatalogDatabase
from node.vault.catalog.listing import E, Entry, list_objects, list_uploads, list_versions, stored_entry
from node.vault.catalog.opened import INDEX_FOLDER, Applied, OpenCatalog, catalog_path
from node.vault.catalog.values import (
    NOWHERE,
    AccessKey,
    CatalogTip,
    CatalogTotals,
    InlineAt,
    ListedObjects,
    ListedUploads,
    PackedAt,
    PendingRelease,
    StoredBucket,
    StoredObject,
    StoredPack,
    StoredPart,
    StoredUpload,
)
from protocol.errors import Damaged, Missing
from protocol.ids import BlockId
from protocol.namespace.changes import BlockRef, PackedObject
from protocol.namespace.contents import NULL_VERSION, Versioning
from protocol.quick_init import quick_init
from protocol.tables.keys import object_key

__all__ = [
    "INDEX_FOLDER",
    "NOWHERE",
    "Applied",
    "Catalog",
    "CatalogTip",
    "CatalogTotals",
    "InlineAt",
    "PackedAt",
    "PendingRelease",
    "StoredBucket",
    "StoredObject",
    "StoredPack",
    "StoredPart",
    "StoredUpload",
    "catalog_path",
]

LIST_MAX: Final = 10_000

# Bytes of an object, from the first up to the end.
Span = tuple[int, int]

# An object and its blocks, or its pack.
Whole = tuple[StoredObject, tuple[BlockRef, ...]]


@quick_init
@dataclass(frozen=True, slots=True)
class Located:
    """An object, those bytes of it that were chosen (None: all), and the blocks that these are in, or its pack; with
    so many bytes of the object `before` these blocks."""

    stored: StoredObject
    blocks: tuple[BlockRef, ...]
    span: Span | None
    before: int = 0


class Catalog(OpenCatalog):
    """One namespace's index. Open it, replay what it lacks, call `set_ready`, then ask."""

    def has_bucket(self, bucket: str) -> bool:
        """Whether there is such a bucket, without a wait: every put asks."""
        return self.find_bucket(bucket) is not None

    def find_bucket(self, bucket: str) -> StoredBucket | None:
        """The bucket, if there is such a one, without a wait. Raises Unavailable(`catalog-rebuilding`)."""
        return self.require_ready().sums.buckets.get(bucket)

    def known_buckets(self) -> tuple[StoredBucket, ...]:
        """All buckets, by name, without a wait. Raises Unavailable(`catalog-rebuilding`)."""
        known = list(self.require_ready().sums.buckets.values())
        return tuple(sorted(known, key=lambda bucket: bucket.bucket))

    def find_key(self, key_id: str) -> AccessKey | None:
        """The access key, if there is such a one, without a wait. Raises Unavailable(`catalog-rebuilding`)."""
        return self.require_ready().sums.keys.get(key_id)

    def known_keys(self) -> tuple[AccessKey, ...]:
        """All access keys, by name, without a wait. Raises Unavailable(`catalog-rebuilding`)."""
        known = list(self.require_ready().sums.keys.values())
        return tuple(sorted(known, key=lambda key: key.key_id))

    async def bucket(self, bucket: str) -> StoredBucket:
        """Raises Missing(`bucket-missing`)."""
        found = await self._ask(lambda database: database.sums.buckets.get(bucket))
        if found is None:
            raise Missing("bucket-missing", bucket=bucket)
        return found

    async def buckets(self) -> tuple[StoredBucket, ...]:
        found = await self._ask(lambda database: list(database.sums.buckets.values()))
        return tuple(sorted(found, key=lambda bucket: bucket.bucket))

    async def has_objects(self, bucket: str) -> bool:
        """Whether there is an object in the bucket, or an older version or a marker."""
        return await self._ask(lambda database: has_objects(database.rows, bucket))

    async def document(self, bucket: str, name: str) -> bytes | None:
        """A document of a bucket. Raises Missing(`bucket-missing`)."""
        known = self.find_bucket(bucket)
        if known is None:
            raise Missing("bucket-missing", bucket=bucket)
        if name not in known.documents:
            return None
        return await self._ask_point(lambda database: database.document(bucket, name), b"")

    async def find(self, bucket: str, key: str, version: bytes | None = None) -> StoredObject | None:
        """What the key names, or that version of it; a marker as well, when it is asked for. None: there is none."""
        name = object_key(bucket, key)
        if version is None:
            return await self._ask_point(lambda database: database.stat(bucket, key), name)
        if version == NULL_VERSION:
            return await self._ask(lambda database: database.null(bucket, key))
        return await self._ask(lambda database: database.stat(bucket, key, version))

    async def stat(self, bucket: str, key: str, version: bytes | None = None) -> StoredObject:
        """The same. Raises Missing: `bucket-missing`, `object-missing`, `object-deleted`, `version-missing`."""
        found = await self.find(bucket, key, version)
        if found is None:
            raise await self._absent(bucket, key, version)
        return found

    async def whole(self, bucket: str, key: str, version: bytes | None = None) -> Whole:
        """What the key names, or a version of it, and all its blocks, as of one moment: the key may name another
        object at the next.

        Raises:
            Missing: as `stat`.
        """
        name = object_key(bucket, key)
        found: Whole | None = None
        if version is None:
            found = await self._ask_point(lambda database: _whole(database, bucket, key, None, with_runs=False), name)
        if version is not None or (found is not None and found[0].owner):
            found = await self._ask(
                lambda database: _whole(database, bucket, key, version, with_runs=True),
                name if version is None else None,
            )
        if found is None:
            raise await self._absent(bucket, key, version)
        return found

    async def located(
        self, bucket: str, key: str, version: bytes | None, choose: Callable[[StoredObject], Span | None]
    ) -> Located:
        """What the key names, or a version of it, and the blocks of the bytes that `choose` chooses, who is told what
        the object is (None: all bytes). As of one moment; who chooses may be asked again.

        Raises:
            Missing: as `stat`. And what `choose` raises.
        """
        name = object_key(bucket, key)
        while True:
            found = await self._ask_point(
                lambda database: _whole(database, bucket, key, version, with_runs=False), name
            )
            if found is None:
                raise await self._absent(bucket, key, version)
            stored, blocks = found
            span = choose(stored)
            if not stored.owner:
                return Located(stored, blocks, span)
            located = await self._ask(partial(_located, stored, span), name)
            if located is not None:  # else it was replaced between the two looks
                return located

    async def list(
        self, bucket: str, *, prefix: str = "", start_after: str = "", limit: int = 1_000
    ) -> tuple[StoredObject, ...]:
        """The next objects in the order of their keys' UTF-8 bytes. Raises Missing(`bucket-missing`)."""
        page = await self.page(bucket, stored_entry, prefix=prefix, start_after=start_after, limit=limit)
        return page.entries

    async def page(
        self,
        bucket: str,
        entry: Entry[E],
        *,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        limit: int = 1_000,
    ) -> ListedObjects[E]:
        """The same as `entry` has them, with what has the delimiter behind the prefix under its common prefix.

        Raises:
            Missing: `bucket-missing`.
        """
        count = max(0, min(limit, LIST_MAX))
        found = await self._ask(
            lambda database: list_objects(database.rows, bucket, prefix, delimiter, start_after, count, entry)
        )
        if not found.entries and not found.prefixes:
            await self.bucket(bucket)
        return found

    async def versions(
        self,
        bucket: str,
        entry: Entry[E],
        *,
        prefix: str,
        delimiter: str,
        after: tuple[str, bytes | None],
        limit: int,
    ) -> ListedObjects[E]:
        """All versions and markers, those of a key newest first. Raises Missing(`bucket-missing`)."""
        await self.bucket(bucket)
        count = max(0, min(limit, LIST_MAX))
        return await self._ask(
            lambda database: list_versions(database.rows, bucket, prefix, delimiter, after, count, entry)
        )

    async def begun(
        self, bucket: str, *, prefix: str, delimiter: str, after: tuple[str, bytes | None], limit: int
    ) -> ListedUploads:
        """What clients upload in parts, by key. Raises Missing(`bucket-missing`)."""
        await self.bucket(bucket)
        count = max(0, min(limit, LIST_MAX))
        return await self._ask(lambda database: list_uploads(database.rows, bucket, prefix, delimiter, after, count))

    async def upload(self, upload: bytes) -> StoredUpload | None:
        """What a client uploads in parts, if that goes on."""
        return await self._ask_point(lambda database: database.upload(upload), b"")

    async def parts(self, owner: bytes, *, after: int = 0, limit: int = 1_000) -> tuple[StoredPart, ...]:
        """The whole parts of an upload or an object, by number, after that one."""
        return await self._ask(lambda database: database.parts(owner, after, max(0, min(limit, LIST_MAX))))

    async def blocks(self, stored: StoredObject) -> tuple[BlockRef, ...]:
        """All blocks of the object, in order. Raises Missing(`object-missing`) when it was replaced meanwhile."""
        blocks = await self._ask(lambda database: database.blocks(stored)) if stored.block_count else ()
        if len(blocks) != stored.block_count:
            raise Missing("object-missing", bucket=stored.bucket, key=stored.key)
        return blocks

    async def incomplete(self, *, after: BlockId | None = None, limit: int = 100) -> tuple[BlockRef, ...]:
        """Blocks some of whose shares are still to come, in the order of their ids, after `after`."""
        return await self._ask(lambda database: database.incomplete(after, max(0, min(limit, LIST_MAX))))

    async def releases(self, *, after: BlockId | None = None, limit: int = 100) -> tuple[PendingRelease, ...]:
        """Blocks that nothing refers to any more, in the order of their ids, after `after`."""
        return await self._ask(lambda database: database.releases(after, max(0, min(limit, LIST_MAX))))

    async def uploads(self, limit: int = 100) -> tuple[bytes, ...]:
        """Objects under way, parts of which are journaled."""
        return await self._ask(lambda database: database.uploads(max(0, min(limit, LIST_MAX))))

    async def packs(self, *, after: BlockId | None = None, limit: int = 100) -> tuple[StoredPack, ...]:
        """Packs of small objects, in the order of their ids, after `after`."""
        return await self._ask(lambda database: database.packs(after, max(0, min(limit, LIST_MAX))))

    async def inline(self, *, after: StoredObject | None = None, limit: int = 100) -> tuple[StoredObject, ...]:
        """Objects that are inline in the journal, those in its oldest entries first, after `after`."""
        return await self._ask(lambda database: database.inline(after, max(0, min(limit, LIST_MAX))))

    async def still_packed(self, pack: BlockId, objects: Sequence[PackedObject]) -> tuple[StoredObject, ...]:
        """Those of a pack's objects that still name it."""
        return await self._ask(lambda database: database.still_packed(pack, objects))

    async def totals(self) -> CatalogTotals:
        return await self._ask(lambda database: database.totals())

    async def _absent(self, bucket: str, key: str, version: bytes | None) -> Missing:
        """Why there is no such thing."""
        known = await self.bucket(bucket)
        if version is not None:
            return Missing("version-missing", bucket=bucket, key=key)
        if known.versioning is not Versioning.NEVER:
            newest = await self._ask(lambda database: database.newest(bucket, key))
            if newest is not None and newest.is_marker:
                marker = NULL_VERSION if newest.is_null else newest.version
                return Missing("object-deleted", bucket=bucket, key=key, version=marker)
        return Missing("object-missing", bucket=bucket, key=key)


def _located(stored: StoredObject, span: Span | None, database: CatalogDatabase) -> Located | None:
    """The blocks of an object of runs; None when the row is another by now, or not all of it has arrived yet."""
    if database.stat(stored.bucket, stored.key, stored.version) != stored:
        return None
    blocks, before = (database.blocks(stored), 0) if span is None else database.span(stored, *span)
    end = stored.size_bytes if span is None else min(span[1], stored.size_bytes)
    if span is not None and not span[0] < end:
        return Located(stored, (), span)
    if before + sum(block.size_bytes for block in blocks) >= end:
        return Located(stored, blocks, span, before)
    if database.arriving.manifest() is None:
        raise Damaged("index-damaged", index="catalog", reason="blocks")
    return None


def _whole(
    database: CatalogDatabase, bucket: str, key: str, version: bytes | None, *, with_runs: bool
) -> Whole | None:
    """None when there is no such object, or when not all of it has arrived yet. Runs of blocks may be many."""
    stored = database.null(bucket, key) if version == NULL_VERSION else database.stat(bucket, key, version)
    if stored is None:
        return None
    if stored.owner and not with_runs:
        return stored, ()
    blocks = database.blocks(stored)
    if len(blocks) == stored.block_count + (stored.packed is not None):
        return stored, blocks
    if database.arriving.manifest() is None:
        raise Damaged("index-damaged", index="catalog", reason="blocks")
    return None
