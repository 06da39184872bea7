"""The catalog is a pure function of the journal, whatever happens to its file."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from node.host.ports import Host
from node.host.real import real_host
from node.vault.catalog.catalog import NOWHERE, Applied, Catalog, CatalogTip, InlineAt, catalog_path
from protocol.coding.label import Stamp
from protocol.errors import Damaged, Missing, Unavailable
from protocol.ids import Digest
from protocol.keys.sealing import sealed_size
from protocol.namespace.changes import (
    BlockCompleted,
    BucketCreated,
    Change,
    Checksum,
    DrillHeld,
    InlineRef,
    Metadata,
    ObjectDeleted,
    ObjectPut,
    PartPut,
)
from protocol.namespace.journal import start_of
from protocol.tables.keys import object_key
from tests.support.namespaces import block_ref, node, object_put, some, tenant

TENANT = tenant()
NAMESPACE = TENANT.opening.namespace
START = CatalogTip(1, *start_of(TENANT.opening))


def applied(entries: Sequence[Sequence[Change]], *, first: int = 0) -> list[Applied]:
    """Entries with tips as a journal would give them; their hashes do not matter to the catalog."""
    return [
        (CatalogTip(1, position + 1, Digest(some("head", position + 1))), changes)
        for position, changes in enumerate(entries, start=first)
    ]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return real_host(tmp_path)


async def opened(host: Host) -> Catalog:
    catalog = Catalog(host, NAMESPACE)
    if await catalog.open() == NOWHERE:
        await catalog.enter(START)
    catalog.set_ready()
    return catalog


LATE = block_ref(3, missing=0b101)
HISTORY: list[list[Change]] = [
    [BucketCreated("photos", 7)],
    [object_put("photos", "b", 1, blocks=(block_ref(1), block_ref(2)))],
    [
        object_put("photos", "a", 2, inline=InlineRef(5, 30, some("key"))),
        object_put("photos", "c", 3, blocks=(LATE,)),
    ],
    [ObjectDeleted("photos", "b")],
]


class TestAnswers:
    async def test_a_key_names_what_was_put_last(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied([*HISTORY, [object_put("photos", "a", 9, blocks=(block_ref(9),))]]))
        stored = await catalog.stat("photos", "a")
        assert (stored.version, stored.size_bytes, stored.inline) == (some("version", 9)[:16], 1_009, None)
        assert stored.stamp == Stamp(1, 4)
        assert await catalog.blocks(stored) == (block_ref(9),)

    async def test_inline_bytes_are_found_by_their_entry(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY))
        stored = await catalog.stat("photos", "a")
        assert stored.inline == InlineAt(Stamp(1, 2), 5, 30, some("key"))
        assert await catalog.blocks(stored) == ()

    async def test_what_the_client_asked_to_keep_is_kept(self, host: Host) -> None:
        catalog = await opened(host)
        put = ObjectPut(
            *("photos", "a", bytes(16), 0, Digest(bytes(32)), 1, "public"),
            etag="abc",
            metadata=(Metadata("colour", "bleu"),),
            checksums=(Checksum("CRC32C", b"1234"),),
            retain_until_s=99,
            legal_hold=True,
        )
        await catalog.apply(applied([[BucketCreated("photos", 7), put]]))
        stored = await catalog.stat("photos", "a")
        assert (stored.etag, stored.metadata, stored.checksums) == (put.etag, put.metadata, put.checksums)
        assert (stored.retain_until_s, stored.legal_hold) == (99, True)

    async def test_what_was_deleted_or_never_there_is_missing(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY))
        with pytest.raises(Missing, match="object-missing"):
            await catalog.stat("photos", "b")
        for question in (catalog.stat("films", "a"), catalog.list("films"), catalog.bucket("films")):
            with pytest.raises(Missing, match="bucket-missing"):
                await question

    async def test_a_listing_goes_on_where_it_stopped(self, host: Host) -> None:
        catalog = await opened(host)
        keys = ["a", "a/1", "a/2", "a/é", "a0", "b", "z\x00y", "\U0001f600"]
        await catalog.apply(applied([[BucketCreated("photos", 7), *(object_put("photos", key) for key in keys)]]))
        assert [stored.key for stored in await catalog.list("photos")] == keys
        assert [stored.key for stored in await catalog.list("photos", prefix="a/")] == ["a/1", "a/2", "a/é"]
        assert [stored.key for stored in await catalog.list("photos", prefix="a/", start_after="a/1", limit=1)] == [
            "a/2"
        ]
        assert await catalog.list("photos", prefix="nothing") == ()
        assert [bucket.bucket for bucket in await catalog.buckets()] == ["photos"]

    async def test_blocks_are_incomplete_until_they_are_completed(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY))
        assert await catalog.incomplete() == (LATE,)
        assert (await catalog.totals()).incomplete_blocks == 1
        placing = (LATE.placing[0], LATE.placing[1], node(77))
        await catalog.apply(applied([[BlockCompleted(LATE.block, placing)]], first=4))
        assert await catalog.incomplete() == ()
        (block,) = await catalog.blocks(await catalog.stat("photos", "c"))
        assert (block.placing, block.missing, block.key) == (placing, 0, LATE.key)

    async def test_the_last_drill_is_known_whatever_the_order_in_which_they_are_told(self, host: Host) -> None:
        catalog = await opened(host)
        assert (await catalog.totals()).drill_s is None
        await catalog.apply(applied([[DrillHeld(50)], [DrillHeld(70), DrillHeld(60)]]))
        assert (await catalog.totals()).drill_s == 70

    async def test_incomplete_blocks_go_with_their_object(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied([*HISTORY, [ObjectDeleted("photos", "c")]]))
        assert await catalog.incomplete() == ()

    async def test_an_object_can_be_made_of_parts_journaled_before(self, host: Host) -> None:
        catalog = await opened(host)
        upload = some("upload")[:16]
        parts: list[Change] = [
            PartPut(upload, number, 5, Digest(bytes(32)), (block_ref(number, missing=number % 2),))
            for number in (2, 1)
        ]
        put = ObjectPut("photos", "long", bytes(16), 10, Digest(bytes(32)), 1, "public", upload=upload)
        await catalog.apply(applied([[BucketCreated("photos", 7)], parts, [put]]))
        stored = await catalog.stat("photos", "long")
        assert stored.block_count == 2
        assert await catalog.blocks(stored) == (block_ref(1, missing=1), block_ref(2))
        assert await catalog.incomplete() == (block_ref(1, missing=1),)

    async def test_an_object_of_many_blocks_keeps_them_in_order(self, host: Host) -> None:
        catalog = await opened(host)
        many = tuple(block_ref(number, missing=number % 2) for number in range(40))
        await catalog.apply(applied([[object_put("photos", "a", 1, blocks=many)]]))
        stored, blocks = await catalog.whole("photos", "a")
        assert (stored.block_count, blocks) == (40, many)
        assert stored.share_bytes == 3 * sum(sealed_size(block.size_bytes) for block in many)
        assert (await catalog.totals()).incomplete_blocks == 20
        late = await catalog.incomplete(limit=7)
        assert [*late, *await catalog.incomplete(after=late[-1].block)] == sorted(
            (block for block in many if block.missing), key=lambda block: block.block
        )
        await catalog.apply(applied([[BlockCompleted(many[11].block, many[11].placing)]], first=1))
        assert (await catalog.blocks(stored))[11] == dataclasses.replace(many[11], missing=0)

    async def test_blocks_of_an_object_replaced_meanwhile_are_not_mixed_up(self, host: Host) -> None:
        catalog = await opened(host)
        few, many = (block_ref(1),), tuple(block_ref(number) for number in range(20))
        await catalog.apply(
            applied([[object_put("photos", "a", 1, blocks=few), object_put("photos", "b", 1, blocks=many)]])
        )
        before = [await catalog.stat("photos", key) for key in "ab"]
        await catalog.apply(
            applied([[object_put("photos", key, 1, blocks=(block_ref(2),)) for key in "ab"]], first=1)
        )
        assert await catalog.blocks(before[0]) == few
        with pytest.raises(Missing, match="object-missing"):
            await catalog.blocks(before[1])


class TestReplay:
    async def test_entries_applied_before_are_skipped(self, host: Host) -> None:
        catalog = await opened(host)
        entries = applied(HISTORY)
        await catalog.apply(entries[:3])
        await catalog.apply(entries)
        await catalog.apply(entries[1:2])
        assert catalog.tip == entries[-1][0]
        assert [stored.key for stored in await catalog.list("photos")] == ["a", "c"]

    async def test_a_gap_is_refused_and_leaves_nothing(self, host: Host) -> None:
        catalog = await opened(host)
        entries = applied(HISTORY)
        with pytest.raises(Damaged, match="catalog-gap"):
            await catalog.apply([entries[0], entries[2]])
        catalog.set_ready()
        assert catalog.tip == START
        assert await catalog.buckets() == ()

    async def test_it_goes_on_from_epoch_to_epoch(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY[:2]))
        second = CatalogTip(2, 0, Digest(some("opening", 2)))
        await catalog.enter(second)
        await catalog.enter(START)
        assert catalog.tip == second
        await catalog.apply([*applied(HISTORY), (CatalogTip(2, 1, Digest(some("head", 9))), HISTORY[2])])
        assert (await catalog.stat("photos", "a")).stamp == Stamp(2, 0)
        for beyond in (CatalogTip(4, 0, second.head), CatalogTip(3, 1, second.head)):
            with pytest.raises(Damaged, match="catalog-gap"):
                await catalog.enter(beyond)
        assert catalog.tip == CatalogTip(2, 1, Digest(some("head", 9)))

    async def test_an_entry_that_cannot_be_applied_leaves_nothing_in_memory_either(self, host: Host) -> None:
        catalog = await opened(host)
        first, second = applied([HISTORY[0], HISTORY[1]])
        with pytest.raises(Damaged, match="catalog-gap"):
            await catalog.apply([first, second, second, applied(HISTORY)[3]])
        await catalog.apply([first, second])
        catalog.set_ready()
        assert await catalog.blocks(await catalog.stat("photos", "b")) == (block_ref(1), block_ref(2))
        assert (await catalog.totals()).objects == 1

    async def test_it_is_found_again_after_a_restart(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY))
        await catalog.close()
        again = await opened(host)
        assert again.tip == applied(HISTORY)[-1][0]
        assert (await again.stat("photos", "a")).size_bytes == 0

    async def test_no_answer_before_it_is_ready(self, host: Host) -> None:
        catalog = Catalog(host, NAMESPACE)
        for _ in range(2):
            with pytest.raises(Unavailable, match="catalog-rebuilding"):
                await catalog.stat("photos", "a")
            await catalog.open()

    async def test_another_namespace_has_another_catalog(self, host: Host) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY))
        await catalog.close()
        other = Catalog(host, tenant(1).opening.namespace)
        assert await other.open() == NOWHERE
        await other.close()

    async def test_a_catalog_of_another_format_starts_over(self, host: Host, tmp_path: Path) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY))
        await catalog.close()
        with sqlite3.connect(tmp_path / catalog_path(NAMESPACE)) as other:
            other.execute("UPDATE applied SET format = format + 1")
            other.execute("DROP TABLE rows")
        other.close()
        again = await opened(host)
        assert again.tip == START
        await again.apply(applied(HISTORY))
        assert (await again.stat("photos", "a")).key == "a"

    @pytest.mark.parametrize("harm", ["missing", "truncated", "garbage", "empty", "flipped"])
    async def test_a_damaged_file_starts_over_or_still_tells_the_truth(
        self, host: Host, tmp_path: Path, harm: str
    ) -> None:
        catalog = await opened(host)
        many: list[list[Change]] = [[object_put("photos", f"k{i:04}", i, blocks=(block_ref(i),))] for i in range(60)]
        await catalog.apply(applied([*HISTORY, *many]))
        await catalog.close()
        path = tmp_path / catalog_path(NAMESPACE)
        damage(path, harm)
        again = Catalog(host, NAMESPACE)
        tip = await again.open()
        if harm != "flipped":
            assert tip == NOWHERE
        await replayed(again, applied([*HISTORY, *many]))
        assert (await again.stat("photos", "k0042")).version == some("version", 42)[:16]

    async def test_damage_found_while_running_is_told_and_healed_by_replay(self, host: Host, tmp_path: Path) -> None:
        catalog = await opened(host)
        await catalog.apply(applied(HISTORY))
        with sqlite3.connect(tmp_path / catalog_path(NAMESPACE)) as other:
            other.execute(
                "UPDATE rows SET value = CAST(value || x'00' AS BLOB) WHERE key = ?", (object_key("photos", "a"),)
            )
        other.close()
        with pytest.raises(Damaged, match="index-damaged"):
            await catalog.stat("photos", "a")
        with trio.fail_after(1):
            await catalog.wait_damaged()
        with pytest.raises(Unavailable, match="catalog-rebuilding"):
            await catalog.stat("photos", "c")
        await catalog.start_over()
        await replayed(catalog, applied(HISTORY))
        assert (await catalog.stat("photos", "a")).size_bytes == 0


async def replayed(catalog: Catalog, entries: list[Applied]) -> None:
    """As the writer does: replay, and once more from nothing if that finds damage."""
    for _ in range(2):
        try:
            await catalog.enter(START)
            await catalog.apply(entries)
            catalog.set_ready()
            for stored in await catalog.list("photos"):
                await catalog.blocks(stored)
            return
        except Damaged:
            await catalog.start_over()
    raise AssertionError("a catalog that was started over is damaged again")


def damage(path: Path, harm: str) -> None:
    for side in ("-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)
    data = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "truncated":
        path.write_bytes(data[: len(data) // 3])
    elif harm == "garbage":
        path.write_bytes(b"garbage" * 4_096)
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        for at in range(4_096, len(data), 211):
            data[at] ^= 0x10
        path.write_bytes(data)
