"""The objects of a namespace's buckets, and their versions: put, read, delete, list and lock them.

What depends on what a key names is looked up, decided and journaled in one turn at the key, so of many clients that
write one key, each sees exactly what those before it did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from node.vault.catalog.listing import glanced_entry, stored_entry
from node.vault.catalog.values import StoredObject
from node.vault.copying import CopyTools, copy_object
from node.vault.objects import ObjectStat, Sink, Source
from node.vault.pouring import pouring
from node.vault.put import put_object
from node.vault.read import ReadingTools
from node.vault.serving import Open
from node.vault.shelf.deciding import check_condition, check_deletion, check_retention
from node.vault.shelf.names import require_object_key
from node.vault.shelf.reading import ChoosePart, Reading
from node.vault.shelf.terms import (
    NULL_VERSION,
    UNCONDITIONAL,
    ByteRange,
    Condition,
    Deleted,
    Glance,
    Metadata,
    ObjectRef,
    Page,
    PartsPage,
    PutTerms,
    Retention,
    Tag,
    Versioning,
    VersionsPage,
)
from node.vault.shelf.tools import ShelfTools, parts_page, refuse_marker, require_writable_bucket
from protocol.errors import MaillonError, Missing, Refused
from protocol.namespace.changes import Change, LockReplaced, MarkerPut, MetadataReplaced, ObjectDeleted, TagsReplaced

DELETED_AT_ONCE: Final = 256


class Objects:
    """The objects of one namespace."""

    def __init__(self, tools: ShelfTools) -> None:
        self._tools = tools

    async def put(
        self, bucket: str, key: str, source: Source, terms: PutTerms, *, expected_bytes: int | None
    ) -> ObjectStat:
        """Store the source's bytes under the key, durably; see `node.vault.put`."""
        require_object_key(key)
        serving = self._tools.writing()
        named = await put_object(serving.put, bucket, key, source, terms, expected_bytes)
        return self._tools.stat_of_named(serving, named)

    async def get(
        self,
        bucket: str,
        key: str,
        sink: Sink,
        *,
        version: bytes | None = None,
        part: ByteRange | ChoosePart | None = None,
    ) -> ObjectStat:
        """Write the object's bytes to the sink, or those of a part; see `node.vault.read`.

        `part` may be chosen, or the reading be refused, once it is known what the object is.

        Raises:
            Missing, Refused: as `stat`. Unavailable: `block-unreadable`, `client-stalled`.
        """
        serving = self._tools.reading()
        return await Reading(self._tools, serving, serving.reading, ObjectRef(bucket, key, version)).to(sink, part)

    def poured(self, source: ObjectRef, part: ChoosePart) -> AbstractAsyncContextManager[Source]:
        """The object's bytes, or those of a part, as a source for who writes them anew; see `node.vault.pouring`.

        Raises as `get`, within the context.
        """
        serving = self._tools.reading()

        async def pour(reading: ReadingTools, sink: Sink) -> None:
            await Reading(self._tools, serving, reading, source).to(sink, part)

        return pouring(serving.reading, pour)

    async def stat(self, bucket: str, key: str, *, version: bytes | None = None) -> ObjectStat:
        """What is known of the object.

        Raises:
            Missing: `bucket-missing`, `object-missing`, `object-deleted`, `version-missing`.
            Refused: `object-is-marker` when that version is a delete marker.
        """
        serving = self._tools.reading()
        stored = await serving.catalog.stat(bucket, key, version)
        refuse_marker(stored)
        return self._tools.stat(serving, stored)

    async def parts(
        self, bucket: str, key: str, *, version: bytes | None = None, after: int = 0, limit: int = 1_000
    ) -> PartsPage:
        """The parts that the object was uploaded in. Raises as `stat`."""
        serving = self._tools.reading()
        stored = await serving.catalog.stat(bucket, key, version)
        refuse_marker(stored)
        if not stored.part_count:
            return PartsPage((), None)
        return await parts_page(serving, stored.owner, after, limit)

    async def list(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", start_after: str = "", limit: int = 1_000
    ) -> Page[ObjectStat]:
        """Up to `limit` keys and common prefixes, in key order. Raises Missing(`bucket-missing`)."""
        serving = self._tools.reading()
        found = await serving.catalog.page(
            bucket, stored_entry, prefix=prefix, delimiter=delimiter, start_after=start_after, limit=limit
        )
        entries = tuple(self._tools.stat(serving, stored) for stored in found.entries)
        return Page(entries, found.prefixes, found.next_after)

    async def glance(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", start_after: str = "", limit: int = 1_000
    ) -> Page[Glance]:
        """The same, of each object what a listing shows: a fifth of the work. Raises Missing(`bucket-missing`)."""
        found = await self._tools.reading().catalog.page(
            bucket, glanced_entry, prefix=prefix, delimiter=delimiter, start_after=start_after, limit=limit
        )
        return Page(found.entries, found.prefixes, found.next_after)

    async def list_versions(
        self, bucket: str, *, after_key: str = "", after_version: bytes | None = None, limit: int = 1_000
    ) -> VersionsPage[ObjectStat]:
        """All versions and markers, those of a key newest first. Raises Missing(`bucket-missing`)."""
        serving = self._tools.reading()
        found = await serving.catalog.versions(
            bucket, stored_entry, prefix="", delimiter="", after=(after_key, after_version), limit=limit
        )
        entries = tuple(self._tools.stat(serving, stored) for stored in found.entries)
        return VersionsPage(entries, found.prefixes, found.next_after, found.next_version)

    async def glance_versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_version: bytes | None = None,
        limit: int = 1_000,
    ) -> VersionsPage[Glance]:
        """The same, of each what a listing shows. Raises Missing(`bucket-missing`)."""
        catalog = self._tools.reading().catalog
        if after_version == NULL_VERSION:
            null = await catalog.find(bucket, after_key, NULL_VERSION)
            after_version = None if null is None else null.version
        found = await catalog.versions(
            bucket,
            glanced_entry,
            prefix=prefix,
            delimiter=delimiter,
            after=(after_key, after_version),
            limit=limit,
        )
        return VersionsPage(found.entries, found.prefixes, found.next_after, found.next_version)

    async def copy(
        self,
        source: ObjectRef,
        bucket: str,
        key: str,
        terms: PutTerms,
        *,
        keep_metadata: bool,
        keep_tags: bool,
        source_condition: Callable[[ObjectStat], None] | None = None,
    ) -> ObjectStat:
        """The key names what the source does, with what is said of it here or there; see `node.vault.copying`."""
        require_object_key(key)
        serving = self._tools.writing()

        def check(stored: StoredObject) -> None:
            if source_condition is not None:
                source_condition(self._tools.stat(serving, stored))

        def terms_for(stored: StoredObject) -> PutTerms:
            metadata = stored.metadata if keep_metadata else terms.metadata
            return replace(terms, metadata=metadata, tags=stored.tags if keep_tags else terms.tags)

        tools = CopyTools(serving.put, serving.reading)
        return self._tools.stat_of_named(serving, await copy_object(tools, source, check, bucket, key, terms_for))

    async def delete(
        self,
        bucket: str,
        key: str,
        *,
        version: bytes | None = None,
        bypass_governance: bool = False,
        condition: Condition = UNCONDITIONAL,
    ) -> Deleted:
        """Delete a version for good, or have the key name nothing. What is not there is deleted already.

        Raises:
            Missing: `bucket-missing`. Refused: `object-locked`, `object-condition`.
        """
        serving = self._tools.writing()
        async with serving.put.turns.of(bucket, key):
            require_writable_bucket(serving, bucket)
            if condition != UNCONDITIONAL:
                check_condition(condition, await serving.catalog.find(bucket, key), bucket, key)
            change, deleted = await self._deletion(serving, bucket, key, version, bypass_governance=bypass_governance)
            if change is not None:
                await serving.journal.append([change])
        return deleted

    async def hide(self, bucket: str, key: str, version: bytes) -> Deleted:
        """Have the key name nothing, if it still names this version.

        Raises:
            Missing: `bucket-missing`, `version-missing`. Refused: `object-locked`.
        """
        serving = self._tools.writing()
        async with serving.put.turns.of(bucket, key):
            named = await serving.catalog.find(bucket, key)
            if named is None or named.version != version:
                raise Missing("version-missing", bucket=bucket, key=key)
            change, deleted = await self._deletion(serving, bucket, key, None, bypass_governance=False)
            await serving.journal.append([] if change is None else [change])
        return deleted

    async def forget(self, bucket: str, key: str, version: bytes) -> Deleted:
        """Delete an older version, or a marker, for good; not what the key names by now, as what was newer is gone.

        Raises:
            Missing: `bucket-missing`, `version-missing`. Refused: `object-locked`.
        """
        serving = self._tools.writing()
        async with serving.put.turns.of(bucket, key):
            require_writable_bucket(serving, bucket)
            named = await serving.catalog.find(bucket, key)
            if named is not None and named.version == version:
                raise Missing("version-missing", bucket=bucket, key=key)
            change, deleted = await self._deletion(serving, bucket, key, version, bypass_governance=False)
            if change is not None:
                await serving.journal.append([change])
        return deleted

    async def delete_several(
        self, bucket: str, keys: Sequence[tuple[str, bytes | None]], *, bypass_governance: bool = False
    ) -> Sequence[Deleted | MaillonError]:
        """What became of each. Raises Missing(`bucket-missing`), and what keeps all of it from being journaled."""
        serving = self._tools.writing()
        outcomes: list[Deleted | MaillonError] = []
        for start in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[start : start + DELETED_AT_ONCE]
            async with serving.put.turns.of(bucket, *sorted({key for key, _version in some})):
                require_writable_bucket(serving, bucket)
                changes: list[Change] = []
                for key, version in some:
                    try:
                        change, deleted = await self._deletion(
                            serving, bucket, key, version, bypass_governance=bypass_governance
                        )
                    except MaillonError as error:
                        outcomes.append(error)
                    else:
                        changes += [] if change is None else [change]
                        outcomes.append(deleted)
                if changes:
                    await serving.journal.append(changes)
        return outcomes

    async def set_tags(
        self, bucket: str, key: str, tags: Sequence[Tag], *, version: bytes | None = None
    ) -> ObjectStat:
        """The version has these tags, and no others. Raises as `stat`."""

        def tagged(stored: StoredObject) -> Change:
            return TagsReplaced(bucket, key, stored.version, tuple(tags))

        return await self._change(bucket, key, version, tagged)

    async def set_metadata(
        self,
        bucket: str,
        key: str,
        after: Callable[[tuple[Metadata, ...]], tuple[Metadata, ...]],
        *,
        version: bytes | None = None,
    ) -> ObjectStat:
        """The version has the metadata that `after` makes of what it has. Raises as `stat`."""

        def replaced(stored: StoredObject) -> Change:
            return MetadataReplaced(bucket, key, stored.version, after(stored.metadata))

        return await self._change(bucket, key, version, replaced)

    async def set_retention(
        self,
        bucket: str,
        key: str,
        retention: Retention | None,
        *,
        version: bytes | None = None,
        bypass_governance: bool = False,
    ) -> ObjectStat:
        """Lock the version until then. Raises as `stat`, and Refused(`object-locked`, `bucket-not-locked`)."""

        def retained(stored: StoredObject) -> Change:
            now_s = self._tools.host.wall.now_s()
            check_retention(stored, retention, now_s, bypass_governance=bypass_governance)
            return LockReplaced(bucket, key, stored.version, retention, stored.legal_hold)

        self._require_lock(bucket)
        return await self._change(bucket, key, version, retained)

    async def set_legal_hold(
        self, bucket: str, key: str, *, is_held: bool, version: bytes | None = None
    ) -> ObjectStat:
        """Hold the version, or let go of it. Raises as `stat`, and Refused(`bucket-not-locked`)."""

        def held(stored: StoredObject) -> Change:
            return LockReplaced(bucket, key, stored.version, stored.retention, is_held)

        self._require_lock(bucket)
        return await self._change(bucket, key, version, held)

    def _require_lock(self, bucket: str) -> None:
        if not require_writable_bucket(self._tools.writing(), bucket).has_lock:
            raise Refused("bucket-not-locked", bucket=bucket)

    async def _change(
        self, bucket: str, key: str, version: bytes | None, change: Callable[[StoredObject], Change]
    ) -> ObjectStat:
        """Look a version up and change it, in a turn at its key."""
        serving = self._tools.writing()
        async with serving.put.turns.of(bucket, key):
            stored = await serving.catalog.stat(bucket, key, version)
            refuse_marker(stored)
            await serving.journal.append([change(stored)])
            return self._tools.stat(serving, await serving.catalog.stat(bucket, key, stored.version))

    async def _deletion(
        self, serving: Open, bucket: str, key: str, version: bytes | None, *, bypass_governance: bool
    ) -> tuple[Change | None, Deleted]:
        """What is to be journaled, and what will have been done then. The caller has a turn at the key."""
        require_object_key(key)
        wall, versioning = self._tools.host.wall, require_writable_bucket(serving, bucket).versioning
        if version is None and versioning is not Versioning.NEVER:
            marker = serving.put.versions.next(serving.journal.next_position.epoch)
            name = marker if versioning is Versioning.ENABLED else NULL_VERSION
            return MarkerPut(bucket, key, marker, wall.now_s()), Deleted(name, is_marker=True)
        stored = await serving.catalog.find(bucket, key, version)
        if stored is None:
            return None, Deleted(version, is_marker=False)
        check_deletion(stored, wall.now_s(), bypass_governance=bypass_governance)
        return ObjectDeleted(bucket, key, stored.version), Deleted(version, stored.is_marker)
