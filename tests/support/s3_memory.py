"""A vault that remembers in memory: the shelf's calls as S3's surface sees them, for tests of the surface alone."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from node.vault.objects import ObjectStat, Sink, Source
from node.vault.shelf.terms import (
    UNCONDITIONAL,
    AccessKey,
    ByteRange,
    Condition,
    Deleted,
    Finish,
    Glance,
    LockMode,
    Metadata,
    ObjectRef,
    Page,
    PartsPage,
    PartStat,
    PutTerms,
    Retention,
    Tag,
    Versioning,
    VersionsPage,
)
from protocol.errors import MaillonError, Missing, Refused
from protocol.ids import NamespaceId
from tests.support.s3_memory_buckets import MemoryBuckets
from tests.support.s3_memory_records import NOW_S, Bucket, Bytes, Kept, glance_of, group_of, page_of, read_all
from tests.support.s3_memory_uploads import MemoryUploads

Choice = ByteRange | Callable[[ObjectStat], ByteRange | None] | None


class MemoryVault:
    """Several namespaces and their keys."""

    def __init__(self) -> None:
        self.shelves: dict[str, MemoryShelf] = {}
        self.known: dict[str, tuple[MemoryShelf, AccessKey]] = {}

    def add(self, namespace: str) -> MemoryShelf:
        return self.shelves.setdefault(namespace, MemoryShelf(namespace, MemoryKeys(self)))

    def add_key(
        self, namespace: str, key_id: str, *, bucket: str | None = None, read_only: bool = False
    ) -> AccessKey:
        key = AccessKey(key_id, f"secret of {key_id}", bucket, read_only, NOW_S)
        self.known[key_id] = (self.add(namespace), key)
        return key

    def shelf(self, namespace: str | None) -> MemoryShelf:
        return self.shelves[namespace or next(iter(self.shelves))]

    def shelves_with(self, bucket: str) -> tuple[MemoryShelf, ...]:
        return tuple(shelf for shelf in self.shelves.values() if shelf.buckets.find(bucket))

    def key(self, access_key_id: str) -> tuple[MemoryShelf, AccessKey]:
        if access_key_id not in self.known:
            raise Missing("key-missing", key=access_key_id)
        return self.known[access_key_id]


class MemoryKeys:
    """The keys, as a shelf looks them up."""

    def __init__(self, vault: MemoryVault) -> None:
        self._vault = vault

    def find(self, key_id: str) -> AccessKey | None:
        found = self._vault.known.get(key_id)
        return None if found is None else found[1]


class MemoryShelf:
    """One namespace."""

    def __init__(self, namespace: str, keys: MemoryKeys) -> None:
        self.namespace = namespace
        self.id = NamespaceId(hashlib.sha256(f"{namespace}{secrets.token_hex()}".encode()).digest())
        self.is_written_here = True
        self.keys = keys
        self.of: dict[str, Bucket] = {}
        self.count = 0
        self.buckets = MemoryBuckets(self)
        self.objects = MemoryObjects(self)
        self.uploads = MemoryUploads(self)

    def bucket(self, name: str) -> Bucket:
        if name not in self.of:
            raise Missing("bucket-missing", bucket=name)
        return self.of[name]

    def fresh(self) -> bytes:
        self.count += 1
        return hashlib.md5(f"{self.namespace} {self.count}".encode()).digest()


class MemoryObjects:
    def __init__(self, shelf: MemoryShelf) -> None:
        self._shelf = shelf

    async def put(
        self, bucket: str, key: str, source: Source, terms: PutTerms, *, expected_bytes: int | None
    ) -> ObjectStat:
        self._shelf.bucket(bucket)
        data = await read_all(source)
        finished = Finish("") if terms.finish is None else await terms.finish()
        return self.keep(bucket, key, data, terms, finished)

    def keep(
        self, bucket: str, key: str, data: bytes, terms: PutTerms, finished: Finish, parts: Sequence[PartStat] = ()
    ) -> ObjectStat:
        """Name the bytes."""
        held = self._shelf.bucket(bucket)
        self._check(held, key, terms.condition)
        retention, default = terms.retention, held.info.lock_default
        if retention is None and default is not None:
            retention = Retention(default.mode, NOW_S + default.days * 86_400)
        made = ObjectStat(
            namespace=self._shelf.namespace, bucket=bucket, key=key, version=self._shelf.fresh(),
            size_bytes=len(data), stored_bytes=len(data), digest=bytes(32), modified_s=NOW_S + self._shelf.count,
            data_class="internal", blocks=0, metadata=terms.metadata, etag=finished.etag,
            checksums=finished.checksums, tags=terms.tags, retention=retention, legal_hold=terms.legal_hold,
            is_null=held.info.versioning is not Versioning.ENABLED, part_count=len(parts),
        )  # fmt: skip
        self._push(held, key, Kept(made, data, tuple(parts)))
        return made

    def _push(self, held: Bucket, key: str, kept: Kept) -> None:
        older = held.keys.get(key, [])
        if held.info.versioning is Versioning.NEVER:
            older = []
        elif kept.stat.is_null:
            older = [one for one in older if not one.stat.is_null]
        held.keys[key] = [kept, *older]

    def _check(self, held: Bucket, key: str, condition: Condition) -> None:
        found = next((one.stat for one in held.keys.get(key, ())), None)
        etag = None if found is None or found.is_marker else found.etag
        if condition.if_match and etag is None:
            raise Missing("object-missing", key=key)
        is_other = bool(condition.if_match) and not {"*", etag}.intersection(condition.if_match)
        is_there = "*" in condition.if_none_match and etag is not None
        if is_other or is_there:
            raise Refused("object-condition", key=key)

    def find(self, bucket: str, key: str, version: bytes | None) -> Kept:
        kept = self._shelf.bucket(bucket).keys.get(key, [])
        if version is not None:
            found = next((one for one in kept if one.stat.version_id == version), None)
            if found is None:
                raise Missing("version-missing", version=version)
            if found.stat.is_marker:
                raise Refused("object-is-marker", version=version)
            return found
        if not kept:
            raise Missing("object-missing", key=key)
        if kept[0].stat.is_marker:
            raise Missing("object-deleted", key=key, version=kept[0].stat.version_id)
        return kept[0]

    async def get(
        self, bucket: str, key: str, sink: Sink, *, version: bytes | None = None, part: Choice = None
    ) -> ObjectStat:
        kept = self.find(bucket, key, version)
        chosen = part(kept.stat) if callable(part) else part
        await sink.begin(kept.stat)
        data = kept.data if chosen is None else kept.data[chosen.first : chosen.end]
        if data:
            half = len(data) // 2
            await sink.write([memoryview(data)[:half], memoryview(data)[half:]])
        return kept.stat

    @asynccontextmanager
    async def poured(
        self, source: ObjectRef, part: Callable[[ObjectStat], ByteRange | None]
    ) -> AsyncIterator[Source]:
        kept = self.find(source.bucket, source.key, source.version)
        chosen = part(kept.stat) or ByteRange(0, len(kept.data))
        yield Bytes(kept.data[chosen.first : chosen.end])

    async def stat(self, bucket: str, key: str, *, version: bytes | None = None) -> ObjectStat:
        return self.find(bucket, key, version).stat

    async def parts(
        self, bucket: str, key: str, *, version: bytes | None = None, after: int = 0, limit: int = 1000
    ) -> PartsPage:
        return page_of(self.find(bucket, key, version).parts, after, limit)

    async def delete(
        self,
        bucket: str,
        key: str,
        *,
        version: bytes | None = None,
        bypass_governance: bool = False,
        condition: Condition = UNCONDITIONAL,
    ) -> Deleted:
        held = self._shelf.bucket(bucket)
        if condition.if_match:
            self._check(held, key, condition)
        kept = held.keys.get(key, [])
        if version is not None:
            return self._delete_version(held, key, version, bypass_governance=bypass_governance)
        if held.info.versioning is Versioning.NEVER:
            held.keys.pop(key, None)
            return Deleted(None, is_marker=False)
        marker = ObjectStat(
            self._shelf.namespace, bucket, key, self._shelf.fresh(), 0, 0, bytes(32), NOW_S, "internal", 0,
            is_null=held.info.versioning is Versioning.SUSPENDED, is_marker=True,
        )  # fmt: skip
        self._push(held, key, Kept(marker))
        assert kept is not None
        return Deleted(marker.version_id, is_marker=True)

    def _delete_version(self, held: Bucket, key: str, version: bytes, *, bypass_governance: bool) -> Deleted:
        kept = held.keys.get(key, [])
        found = next((one for one in kept if one.stat.version_id == version), None)
        if found is None:
            return Deleted(version, is_marker=False)
        locked = found.stat.retention
        bypassed = bypass_governance and locked is not None and locked.mode is LockMode.GOVERNANCE
        if found.stat.legal_hold or (locked is not None and not bypassed):
            raise Refused("object-locked", key=key)
        held.keys[key] = [one for one in kept if one is not found]
        return Deleted(version, is_marker=found.stat.is_marker)

    async def delete_several(
        self, bucket: str, keys: Sequence[tuple[str, bytes | None]], *, bypass_governance: bool = False
    ) -> list[Deleted | MaillonError]:
        done: list[Deleted | MaillonError] = []
        for key, version in keys:
            try:
                done.append(await self.delete(bucket, key, version=version, bypass_governance=bypass_governance))
            except MaillonError as error:
                done.append(error)
        return done

    async def glance(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", start_after: str = "", limit: int = 1000
    ) -> Page[Glance]:
        held = self._shelf.bucket(bucket)
        entries: list[Glance] = []
        prefixes: list[str] = []
        last = start_after
        for key in sorted(held.keys, key=str.encode):
            if not key.startswith(prefix) or key.encode() <= start_after.encode():
                continue
            if not held.keys[key] or held.keys[key][0].stat.is_marker:
                continue
            group = group_of(key, prefix, delimiter)
            if group is not None and (group in prefixes or start_after.startswith(group)):
                continue
            if len(entries) + len(prefixes) >= limit:
                return Page(tuple(entries), tuple(prefixes), last)
            if group is None:
                entries.append(glance_of(held.keys[key][0].stat))
            else:
                prefixes.append(group)
            last = group or key
        return Page(tuple(entries), tuple(prefixes), None)

    async def glance_versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_version: bytes | None = None,
        limit: int = 1000,
    ) -> VersionsPage[Glance]:
        held = self._shelf.bucket(bucket)
        entries: list[Glance] = []
        for key in sorted(held.keys, key=str.encode):
            if key.startswith(prefix) and key > after_key:
                entries += [
                    glance_of(replace(one.stat, is_latest=not place)) for place, one in enumerate(held.keys[key])
                ]
        if len(entries) > limit:
            return VersionsPage(tuple(entries[:limit]), (), entries[limit - 1].key, entries[limit - 1].version_id)
        return VersionsPage(tuple(entries), (), None, None)

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
        kept = self.find(source.bucket, source.key, source.version)
        if source_condition is not None:
            source_condition(kept.stat)
        terms = replace(
            terms,
            metadata=kept.stat.metadata if keep_metadata else terms.metadata,
            tags=kept.stat.tags if keep_tags else terms.tags,
        )
        return self.keep(bucket, key, kept.data, terms, Finish(kept.stat.etag, kept.stat.checksums))

    def _change(self, bucket: str, key: str, version: bytes | None, **changes: object) -> ObjectStat:
        kept = self.find(bucket, key, version)
        kept.stat = replace(kept.stat, **changes)  # type: ignore[arg-type]
        return kept.stat

    async def set_tags(
        self, bucket: str, key: str, tags: tuple[Tag, ...], *, version: bytes | None = None
    ) -> ObjectStat:
        return self._change(bucket, key, version, tags=tags)

    async def set_metadata(
        self,
        bucket: str,
        key: str,
        after: Callable[[tuple[Metadata, ...]], tuple[Metadata, ...]],
        *,
        version: bytes | None = None,
    ) -> ObjectStat:
        return self._change(bucket, key, version, metadata=after(self.find(bucket, key, version).stat.metadata))

    async def set_retention(
        self,
        bucket: str,
        key: str,
        retention: Retention | None,
        *,
        version: bytes | None = None,
        bypass_governance: bool = False,
    ) -> ObjectStat:
        return self._change(bucket, key, version, retention=retention)

    async def set_legal_hold(
        self, bucket: str, key: str, *, is_held: bool, version: bytes | None = None
    ) -> ObjectStat:
        return self._change(bucket, key, version, legal_hold=is_held)
