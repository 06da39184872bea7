"""Packs and releases in the catalog, against a dict: nothing that is named is released, and nothing else is kept."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from node.host.index import SqliteIndex
from node.vault.catalog.database import CatalogDatabase
from node.vault.catalog.values import StoredObject
from node.vault.pack.choosing import is_small, is_worn, to_rewrite
from protocol.coding.label import Stamp
from protocol.ids import BlockId, NamespaceId, NodeId
from protocol.namespace.changes import (
    BlockCompleted,
    BlockRef,
    BlocksReleased,
    Change,
    InlineRef,
    ObjectDeleted,
    ObjectsPacked,
    PackedObject,
    PartPut,
    UploadAborted,
)
from tests.support.namespaces import block_ref, node, object_put, some

BUCKET = "album"
SEALED_BYTES = 20

keys = st.sampled_from("abcdef")
small = st.integers(0, 3)


@dataclass(frozen=True)
class Content:
    """What a key names: small, and inline or at `offset` of `pack`; or blocks; or nothing."""

    version: bytes
    blocks: tuple[BlockId, ...] = ()
    is_small: bool = False
    pack: BlockId | None = None
    offset: int = 0


@dataclass
class Model:
    """A namespace whose every block and version is new, as they are in life."""

    objects: dict[str, Content] = field(default_factory=dict)
    uploads: dict[bytes, dict[int, tuple[BlockId, ...]]] = field(default_factory=dict)
    blocks: dict[BlockId, set[NodeId]] = field(default_factory=dict)
    late: set[BlockId] = field(default_factory=set)
    let_go: set[BlockId] = field(default_factory=set)
    position: int = 0
    made: int = 0

    def new_block(self, *, missing: int = 0) -> BlockRef:
        self.made += 1
        ref = dataclasses.replace(block_ref(self.made, missing=missing), size_bytes=4_000)
        self.blocks[ref.block] = set(ref.placing)
        if missing:
            self.late.add(ref.block)
        return ref

    def named(self) -> set[BlockId]:
        """Blocks that something refers to."""
        found = {block for content in self.objects.values() for block in content.blocks}
        found |= {content.pack for content in self.objects.values() if content.pack is not None}
        return found | {block for parts in self.uploads.values() for part in parts.values() for block in part}

    def to_release(self) -> set[BlockId]:
        return self.blocks.keys() - self.named() - self.let_go


def version_of(number: int) -> bytes:
    return some("version", number)[:16]


def put_inline(model: Model, key: str, _number: int) -> Change:
    model.made += 1
    model.objects[key] = Content(version_of(model.made), is_small=True)
    return object_put(BUCKET, key, model.made, inline=InlineRef(0, SEALED_BYTES, some("key", model.made)))


def put_blocks(model: Model, key: str, number: int) -> Change:
    blocks = tuple(model.new_block(missing=number) for _ in range(number * 4 + 1))
    model.made += 1
    model.objects[key] = Content(version_of(model.made), tuple(block.block for block in blocks))
    return object_put(BUCKET, key, model.made, blocks=blocks)


def delete(model: Model, key: str, _number: int) -> Change:
    model.objects.pop(key, None)
    return ObjectDeleted(BUCKET, key)


def pack(model: Model, key: str, number: int) -> Change:
    """What is small goes into a new pack. One object was replaced meanwhile, one is named twice, one is unknown."""
    ref = model.new_block(missing=number)
    moved = [name for name, content in sorted(model.objects.items()) if content.is_small and name >= key]
    objects = []
    for order, name in enumerate(moved):
        content = model.objects[name]
        stale = order == 0 and number == 1
        version = version_of(10**6) if stale else content.version
        objects.append(PackedObject(BUCKET, name, version, order * SEALED_BYTES, SEALED_BYTES))
        if not stale:
            model.objects[name] = dataclasses.replace(content, pack=ref.block, offset=order * SEALED_BYTES)
    unknown = PackedObject(BUCKET, "unknown", version_of(1), 0, SEALED_BYTES)
    return ObjectsPacked(ref, (*objects, *objects[-1:], unknown))


def part(model: Model, _key: str, number: int) -> Change:
    """The part of an upload, perhaps a second time with another block."""
    block, upload = model.new_block(missing=number), version_of(10**7 + number % 2)
    model.uploads.setdefault(upload, {})[number % 2] = (block.block,)
    return PartPut(upload, number % 2, 4_000, object_put(BUCKET, "x").digest, (block,))


def abort(model: Model, _key: str, number: int) -> Change:
    model.uploads.pop(version_of(10**7 + number % 2), None)
    return UploadAborted(version_of(10**7 + number % 2))


def join(model: Model, key: str, number: int) -> Change:
    upload = version_of(10**7 + number % 2)
    parts = model.uploads.pop(upload, {})
    model.made += 1
    blocks = tuple(block for _, of_part in sorted(parts.items()) for block in of_part)
    model.objects[key] = Content(version_of(model.made), blocks)
    return dataclasses.replace(object_put(BUCKET, key, model.made), upload=upload)


def complete(model: Model, _key: str, number: int) -> Change:
    """Some block, perhaps one that nothing names any more, is complete: on other nodes than it was meant for."""
    block = sorted(model.blocks)[number] if len(model.blocks) > number else BlockId(bytes(32))
    placing = (node(1), node(2), node(3))
    if block in model.to_release():
        model.blocks[block] |= set(placing)
    elif block in model.late:
        model.blocks[block] = set(placing)
    model.late.discard(block)
    return BlockCompleted(block, placing)


def let_go(model: Model, _key: str, number: int) -> Change:
    gone = sorted(model.to_release())[: number + 1] or [BlockId(bytes(32))]
    model.let_go |= {*gone} & model.blocks.keys()
    return BlocksReleased(tuple(gone))


Step = tuple[Callable[[Model, str, int], Change], str, int]
acts = st.sampled_from([put_inline, put_inline, put_blocks, delete, pack, pack, part, join, abort, complete, let_go])
steps = st.tuples(acts, keys, small)


def check(model: Model, database: CatalogDatabase) -> None:
    released = {one.block: set(one.nodes) for one in database.releases(None, 1_000)}
    assert released.keys() == model.to_release()
    for block, nodes in released.items():
        assert nodes >= model.blocks[block]
    assert {*database.uploads(1_000)} == model.uploads.keys()
    inline = database.inline(None, 1_000)
    assert {stored.key for stored in inline} == {
        name for name, content in model.objects.items() if content.is_small and content.pack is None
    }
    assert [stored.stamp.position for stored in inline] == sorted(stored.stamp.position for stored in inline)
    check_packs(model, database)


def check_packs(model: Model, database: CatalogDatabase) -> None:
    living: dict[BlockId, list[str]] = {}
    for name, content in model.objects.items():
        if content.pack is not None:
            living.setdefault(content.pack, []).append(name)
    packs = {one.block.block: one for one in database.packs(None, 1_000)}
    assert packs.keys() == living.keys()
    for block, names in living.items():
        assert packs[block].live_objects == len(names)
        assert packs[block].live_bytes == SEALED_BYTES * len(names) <= packs[block].put_bytes
        for name in names:
            stored = the(database.stat(BUCKET, name))
            assert stored.packed is not None
            content, at = model.objects[name], stored.packed
            assert (at.pack, at.offset, stored.version) == (block, content.offset, content.version)
            assert database.blocks(stored) == (packs[block].block,)
            assert stored.inline is None


def the(stored: StoredObject | None) -> StoredObject:
    assert stored is not None
    return stored


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=25))
def test_what_nothing_names_is_to_be_released_and_packs_count_what_lives(journal: list[Step]) -> None:
    database = CatalogDatabase(SqliteIndex(sqlite3.connect(":memory:", check_same_thread=False), "memory"))
    database.create(NamespaceId(bytes(32)))
    model = Model()
    for act, key, number in journal:
        change = act(model, key, number)
        database.apply(Stamp(1, model.position), [change])
        model.position += 1
        check(model, database)
    assert {one.block for one in database.incomplete(None, 1_000)} == model.named() & model.late
    database.close()


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=1, max_size=20))
def test_what_was_said_of_a_pack_may_be_said_again(journal: list[Step]) -> None:
    database = CatalogDatabase(SqliteIndex(sqlite3.connect(":memory:", check_same_thread=False), "memory"))
    database.create(NamespaceId(bytes(32)))
    model = Model()
    for act, key, number in journal:
        change = act(model, key, number)
        again = [change] if isinstance(change, ObjectsPacked) and model.objects else []
        database.apply(Stamp(1, model.position), [change, *again])
        model.position += 1
    check_packs(model, database)
    database.close()


def test_the_choice_of_packs_to_rewrite() -> None:
    from node.vault.catalog.values import StoredPack

    def stored(number: int, *, put_bytes: int, live_bytes: int) -> StoredPack:
        ref = dataclasses.replace(block_ref(number), size_bytes=put_bytes + 500)
        return StoredPack(ref, put_bytes, max(1, live_bytes // 1_000), live_bytes)

    full = [stored(number, put_bytes=4_000_000, live_bytes=4_000_000) for number in range(3)]
    half = stored(4, put_bytes=4_000_000, live_bytes=2_000_000)
    worn = stored(5, put_bytes=4_000_000, live_bytes=1_999_999)
    small_ones = [stored(10 + number, put_bytes=90_000, live_bytes=90_000) for number in range(9)]
    assert [is_worn(pack) for pack in (*full, half, worn)] == [False, False, False, False, True]
    assert not any(map(is_small, (*full, half, worn)))
    assert all(map(is_small, small_ones))
    assert to_rewrite([*full, half, worn]) == (worn,)
    assert to_rewrite([*full, *small_ones[:8]]) == ()
    assert to_rewrite([*full, *small_ones, worn]) == (*small_ones, worn)
