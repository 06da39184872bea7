"""The catalog against a dict: what changes must add up to, written the other way round."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from node.host.index import SqliteIndex
from node.vault.catalog.database import CatalogDatabase
from node.vault.catalog.listing import list_objects, stored_entry
from protocol.coding.label import Stamp
from protocol.ids import BlockId, Digest, NamespaceId, NodeId
from protocol.namespace.changes import (
    BlockCompleted,
    BlockRef,
    BucketCreated,
    BucketDeleted,
    BucketDocumentPut,
    BucketSet,
    Change,
    Checkpoint,
    InlineRef,
    KeyCreated,
    KeyRevoked,
    LockReplaced,
    MarkerPut,
    Metadata,
    MetadataReplaced,
    ObjectDeleted,
    ObjectPut,
    PartPut,
    TagsReplaced,
    UploadAborted,
    UploadBegun,
)
from protocol.namespace.contents import LockMode, Retention, Tag, Versioning
from tests.support.namespaces import block_ref, some

buckets = st.sampled_from(["one", "two"])
keys = st.sampled_from(["a", "a/b", "a/c", "b", "é"])
numbers = st.integers(0, 7)
blocks = st.builds(lambda number, missing: block_ref(number, missing=missing), numbers, st.integers(0, 7))
versions = st.sampled_from([some("version", number)[:16] for number in range(8)])


@st.composite
def puts(draw: st.DrawFn) -> ObjectPut:
    how = draw(st.sampled_from(["blocks", "inline", "upload", "empty"]))
    content: dict[str, Any] = {}
    if how == "blocks":
        content["blocks"] = tuple(draw(st.lists(blocks, min_size=1, max_size=3, unique_by=lambda block: block.block)))
    elif how == "inline":
        content["inline"] = InlineRef(draw(numbers), 20, some("key", draw(numbers)))
    elif how == "upload":
        content["upload"] = draw(versions)
    return ObjectPut(
        draw(buckets),
        draw(keys),
        draw(versions),
        draw(numbers),
        Digest(some("digest")),
        draw(numbers),
        "public",
        **content,
    )


changes = st.one_of(
    st.builds(BucketCreated, buckets, numbers),
    puts(),
    puts(),
    st.builds(ObjectDeleted, buckets, keys, st.none() | versions),
    st.builds(
        PartPut, versions, st.integers(0, 2), numbers, st.just(Digest(bytes(32))), blocks.map(lambda one: (one,))
    ),
    st.builds(BlockCompleted, blocks.map(lambda one: one.block), blocks.map(lambda one: one.placing)),
)
journals = st.lists(st.lists(changes, max_size=4), max_size=8)

# What S3 needs besides, in any order and with anything wrong with it: every change has a defined effect.
some_tags = st.lists(st.builds(Tag, st.sampled_from("ab"), st.just("")), max_size=2).map(tuple)
retentions = st.none() | st.builds(Retention, st.sampled_from(LockMode), numbers)
any_changes = changes | st.one_of(
    st.builds(BucketSet, buckets, st.sampled_from(Versioning), st.booleans(), st.none()),
    st.builds(BucketSet, buckets, st.sampled_from(Versioning), st.just(False), st.none()),
    st.builds(BucketDeleted, buckets),
    st.builds(BucketDocumentPut, buckets, st.sampled_from(["cors", "policy"]), st.sampled_from([b"", b"one"])),
    st.builds(MarkerPut, buckets, keys, versions, numbers),
    st.builds(TagsReplaced, buckets, keys, versions, some_tags),
    st.builds(MetadataReplaced, buckets, keys, versions, st.sampled_from([(), (Metadata("acl", "public-read"),)])),
    st.builds(LockReplaced, buckets, keys, versions, retentions, st.booleans()),
    st.builds(
        UploadBegun, versions, buckets, keys, numbers, st.just(()), some_tags, retentions, st.booleans(), st.just("")
    ),
    st.builds(UploadAborted, versions),
    st.builds(
        PartPut,
        versions,
        st.integers(0, 2),
        numbers,
        st.just(Digest(bytes(32))),
        blocks.map(lambda one: (one,)),
        first_block=st.sampled_from([0, 0, 1, 8]),
        is_copy=st.booleans(),
        etag=st.sampled_from(["", "e"]),
    ),
    st.builds(replace, puts(), is_copy=st.booleans(), parts=st.sampled_from([(), (1,), (0, 2)])),
    st.builds(KeyCreated, st.sampled_from("ab"), st.just("secret"), st.none() | buckets, st.booleans(), numbers),
    st.builds(KeyRevoked, st.sampled_from("ab")),
)
any_journals = st.lists(st.lists(any_changes, max_size=4), max_size=8)


class Model:
    """Objects as dicts hold them; a content is a list of parts, shared with nobody."""

    def __init__(self) -> None:
        self.buckets: dict[str, int] = {}
        self.objects: dict[tuple[str, str], tuple[ObjectPut, dict[int, list[BlockRef]]]] = {}
        self.uploads: dict[bytes, dict[int, list[BlockRef]]] = {}

    def apply(self, change: Change) -> None:
        match change:
            case BucketCreated():
                self.buckets.setdefault(change.bucket, change.created_s)
            case ObjectPut():
                parts = {0: list(change.blocks)} if change.blocks else {}
                if change.upload is not None:
                    parts = self.uploads.pop(change.upload, {})
                self.objects[change.bucket, change.key] = (change, parts)
            case ObjectDeleted():
                found = self.objects.get((change.bucket, change.key))
                if found and change.version in (None, found[0].version):
                    del self.objects[change.bucket, change.key]
            case PartPut():
                self.uploads.setdefault(change.upload, {})[change.number] = list(change.blocks)
            case BlockCompleted():
                for parts in [*(parts for _, parts in self.objects.values()), *self.uploads.values()]:
                    for part in parts.values():
                        part[:] = [completed(block, change.block, change.placing) for block in part]

    def facts(self) -> object:
        return (
            sorted(self.buckets.items()),
            {
                name: (
                    put.version,
                    put.size_bytes,
                    put.inline,
                    tuple(b for _, part in sorted(parts.items()) for b in part),
                )
                for name, (put, parts) in self.objects.items()
            },
        )


def completed(block: BlockRef, name: BlockId, placing: tuple[NodeId, ...]) -> BlockRef:
    if block.block != name or not block.missing:
        return block
    return BlockRef(block.block, block.key, block.size_bytes, block.k, block.n, placing, 0)


def facts_of(database: CatalogDatabase) -> object:
    found = {}
    for bucket in ("one", "two"):
        for stored in list_objects(database.rows, bucket, "", "", "", 100, stored_entry).entries:
            inline = stored.inline and InlineRef(stored.inline.offset, stored.inline.size_bytes, stored.inline.key)
            assert stored == database.stat(bucket, stored.key)
            refs = database.blocks(stored)
            assert len(refs) == stored.block_count
            found[bucket, stored.key] = (stored.version, stored.size_bytes, inline, refs)
    return sorted((name, bucket.created_s) for name, bucket in database.sums.buckets.items()), found


def memory_database() -> CatalogDatabase:
    database = CatalogDatabase(SqliteIndex(sqlite3.connect(":memory:", check_same_thread=False), "memory"))
    database.create(NamespaceId(bytes(32)))
    return database


def everything(database: CatalogDatabase) -> list[list[tuple[object, ...]]]:
    names = ("rows", "dirty", "nodes", "applied")
    statements = [f"SELECT * FROM {name}" for name in names]  # noqa: S608
    return [sorted(database._index.execute(statement), key=repr) for statement in statements]


@settings(max_examples=80, deadline=None)
@given(journals)
def test_the_catalog_is_what_a_dict_would_hold(journal: list[list[Change]]) -> None:
    database, model = memory_database(), Model()
    for position, entry in enumerate(journal):
        database.apply(Stamp(1, position), entry)
        for change in entry:
            model.apply(change)
    assert facts_of(database) == model.facts()
    late = {block.block for block in database.incomplete(None, 100)}
    wanted = {
        block.block
        for parts in [*(parts for _, parts in model.objects.values()), *model.uploads.values()]
        for part in parts.values()
        for block in part
        if block.missing
    }
    assert late == wanted
    database.close()


@settings(max_examples=80, deadline=None)
@given(any_journals)
def test_replay_in_one_go_gives_the_same_rows_as_entry_by_entry(journal: list[list[Change]]) -> None:
    step_by_step, in_one_go = memory_database(), memory_database()
    for position, entry in enumerate(journal):
        step_by_step.apply(Stamp(1, position), entry)
        step_by_step.commit()
    for position, entry in enumerate(journal):
        in_one_go.apply(Stamp(1, position), entry)
    in_one_go.commit()
    assert everything(step_by_step) == everything(in_one_go)
    kept = step_by_step.sums
    step_by_step.roll_back()
    assert (kept.buckets, kept.keys) == (step_by_step.sums.buckets, step_by_step.sums.keys)
    step_by_step.close()
    in_one_go.close()


@settings(max_examples=80, deadline=None)
@given(any_journals, any_journals, st.integers(0, 8))
def test_what_is_dirty_leads_from_the_last_checkpoint_to_now(
    covered: list[list[Change]], later: list[list[Change]], kept_back: int
) -> None:
    """A checkpoint that covers a point, made known while entries after that point stand already."""
    database = memory_database()
    for position, entry in enumerate(covered):
        database.apply(Stamp(1, position), entry)
    tables = rows_of(database)
    for position, entry in enumerate(later, start=len(covered)):
        if position == len(covered) + kept_back:
            database.apply(Stamp(1, position), [checkpoint(len(covered))])
        database.apply(Stamp(1, position), entry)
    if kept_back >= len(later):
        database.apply(Stamp(1, len(covered) + len(later)), [checkpoint(len(covered))])
    now = rows_of(database)
    for key, known in database._index.execute("SELECT key, in_tables FROM dirty"):
        assert isinstance(key, bytes)
        assert known or key not in tables
        tables.pop(key, None)
        if key in now:
            tables[key] = now[key]
    assert tables == now
    database.close()


def checkpoint(length: int) -> Checkpoint:
    return Checkpoint(block_ref(99), 1, length, Digest(bytes(32)))


def rows_of(database: CatalogDatabase) -> dict[bytes, bytes]:
    return dict(database.rows.scan(b"", b"\xff"))
