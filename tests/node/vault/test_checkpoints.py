"""Checkpoints: tables and the entries after them are the namespace, whatever happened to the catalog."""

from __future__ import annotations

import dataclasses

import pytest
import trio
from hypothesis import given, settings
from trio.testing import MockClock

from node.host.ports import Host
from node.vault.catalog.catalog import Catalog
from node.vault.catalog.touched import touched_by
from node.vault.checkpoint.checkpointer import CheckpointTimes
from node.vault.checkpoint.loading import load_tables
from protocol.errors import Damaged, Missing, Unavailable
from protocol.namespace.changes import (
    BlocksReplaced,
    BucketCreated,
    Change,
    InlineRef,
    Metadata,
    ObjectDeleted,
    ObjectPut,
)
from protocol.tables.manifest import Manifest, decode_manifest
from protocol.tables.page import decode_page
from protocol.tables.rows import object_key
from protocol.tables.tiers import FANOUT
from sim.host.scheduling import run_deterministically
from sim.host.world import World
from tests.node.vault.test_catalog_model import journals
from tests.support.checkpoints import Bench, rows_of
from tests.support.namespaces import block_ref, object_put, some, tenant

NAMESPACE = tenant().root.namespace
TIMES = CheckpointTimes(look_s=5, after_s=3_600, settle_s=60, rows_most=100)
BUCKET = BucketCreated("photos", 7)
DAY_S = 24 * 3_600
POINTS = (
    "checkpoint.before-freeze",
    "checkpoint.after-freeze",
    "checkpoint.after-page",
    "checkpoint.after-manifest",
    "checkpoint.before-succession",
    "checkpoint.after-succession",
    "checkpoint.after-release",
)


def fresh_host() -> Host:
    return World(seed=1).host("gateway")


async def staged(host: Host | None = None, *, before: Bench | None = None) -> Bench:
    stage = Bench(host or fresh_host(), NAMESPACE, TIMES, before=before)
    await stage.start()
    return stage


def puts(first: int, count: int) -> list[Change]:
    numbers = range(first, first + count)
    return [object_put("photos", f"k{number:05}", number, blocks=(block_ref(number),)) for number in numbers]


def fat_put(number: int, fat: str) -> ObjectPut:
    return dataclasses.replace(object_put("photos", f"k{number:05}", number), metadata=(Metadata("fat", fat),))


async def filled(stage: Bench, host: Host | None = None) -> Catalog:
    """Another catalog of the same history."""
    catalog = Catalog(host or fresh_host(), NAMESPACE)
    await stage.epochs.fill(catalog, stage.host, stage.blocks)
    return catalog


def manifest_of(stage: Bench) -> Manifest:
    assert stage.catalog.checkpoint is not None
    return decode_manifest(stage.blocks.kept[stage.catalog.checkpoint.manifest.block])


def keys_in_tables(stage: Bench) -> list[bytes]:
    blocks = [block.block for block in manifest_of(stage).blocks()]
    return [key for block in blocks for key, _value in decode_page(stage.blocks.kept[block])]


class TestTablesAndEntries:
    @settings(max_examples=60, deadline=None)
    @given(journals)
    def test_are_the_catalog_wherever_checkpoints_fall(self, journal: list[list[Change]]) -> None:
        async def main() -> None:
            stage = await staged()
            for number, entry in enumerate(journal):
                await stage.put(entry)
                if number % 2:
                    await stage.checkpointer.make()
            catalog = await filled(stage)
            assert await rows_of(catalog) == await rows_of(stage.catalog)
            assert await catalog.totals() == await stage.catalog.totals()
            assert catalog.tip == stage.catalog.tip
            assert (await catalog.buckets()) == (await stage.catalog.buckets())

        trio.run(main)

    async def test_changes_that_come_while_tables_are_written_are_not_lost(self) -> None:
        stage = await staged()
        await stage.put([BUCKET, *puts(0, 50)])
        await stage.checkpointer.make()
        later: list[Change] = [ObjectDeleted("photos", "k00003"), *puts(7, 1), *puts(60, 1)]
        coming = [later]

        async def meanwhile() -> None:
            await trio.lowlevel.checkpoint()
            if coming:
                await stage.put(coming.pop())

        stage.blocks.meanwhile = meanwhile
        await stage.put([ObjectDeleted("photos", "k00004"), *puts(3, 2)])
        await stage.checkpointer.make()
        assert not coming
        await stage.checkpointer.make()
        catalog = await filled(stage)
        assert await rows_of(catalog) == await rows_of(stage.catalog)
        with pytest.raises(Missing):
            await catalog.stat("photos", "k00003")

    async def test_the_journal_is_needed_no_more_but_where_small_objects_are(self) -> None:
        stage = await staged()
        await stage.put([BUCKET, *puts(0, 3)])
        await stage.checkpointer.make()
        assert (stage.packed, stage.epochs.released_below) == (1, 1)
        await stage.put([object_put("photos", "small", inline=InlineRef(0, 20, some("key")))])
        await stage.checkpointer.make()
        await stage.checkpointer.make()
        assert (stage.epochs.epoch, stage.epochs.released_below) == (4, 2)
        await stage.put([ObjectDeleted("photos", "small")])
        await stage.checkpointer.make()
        assert stage.epochs.released_below == 4

    async def test_a_row_that_came_and_went_is_in_no_table(self) -> None:
        stage = await staged()
        await stage.put([BUCKET, *puts(0, 3)])
        await stage.checkpointer.make()
        await stage.put([*puts(10, 1), ObjectDeleted("photos", "k00010")])
        await stage.checkpointer.make()
        assert object_key("photos", "k00010") not in keys_in_tables(stage)


class TestWork:
    async def test_few_tables_and_few_bytes(self) -> None:
        stage = await staged()
        await stage.put([BUCKET])
        written = 0
        for number in range(3 * FANOUT):
            await stage.put(puts(1_000 * number, 100))
            before = len(stage.blocks.kept)
            await stage.checkpointer.make()
            # Not what manifests take: they are one block each.
            written += sum(map(len, list(stage.blocks.kept.values())[before:-1]))
            assert len(manifest_of(stage).tables) <= 2 * (FANOUT - 1)
        once = sum(block.size_bytes for block in manifest_of(stage).blocks())
        assert written < 3 * once
        assert await rows_of(await filled(stage)) == await rows_of(stage.catalog)

    async def test_what_is_replaced_is_said_in_the_same_entry(self) -> None:
        stage = await staged()
        for number in range(FANOUT):
            await stage.put(puts(number, 1))
            await stage.checkpointer.make()
        needed = {block.block for block in manifest_of(stage).blocks()}
        assert stage.catalog.checkpoint is not None
        needed.add(stage.catalog.checkpoint.manifest.block)
        replaced = {
            block.block
            for entries in stage.epochs.entries.values()
            for change in (entries[0] if entries else ())
            if isinstance(change, BlocksReplaced)
            for block in change.blocks
        }
        assert replaced == stage.blocks.kept.keys() - needed

    async def test_pages_among_whose_keys_nothing_changed_are_not_written_again(self) -> None:
        stage = await staged()
        fat = b"".join(some("fat", number) for number in range(60)).hex()
        await stage.put([BUCKET, *(fat_put(number, fat[number % 64 :]) for number in range(2_000))], entries=4)
        await stage.checkpointer.make()
        (table,) = manifest_of(stage).tables
        for number in range(FANOUT - 1):
            await stage.put([fat_put(1_990 + number, "")])
            await stage.checkpointer.make()
        (merged,) = manifest_of(stage).tables
        assert len(table.pages) > 3
        assert len(set(merged.pages) & set(table.pages)) == len(table.pages) - 1
        assert await rows_of(await filled(stage)) == await rows_of(stage.catalog)

    async def test_a_deleted_key_leaves_the_tables_within_30_days(self) -> None:
        world = World(seed=1)
        stage = await staged(world.host("gateway"))
        await stage.put([BUCKET, *puts(0, 3)])
        await stage.checkpointer.make()
        await stage.put([ObjectDeleted("photos", "k00001")])
        await stage.checkpointer.make()
        key = object_key("photos", "k00001")
        assert keys_in_tables(stage).count(key) == 2
        world.wall("gateway").skew_s += 26 * DAY_S
        await stage.put(puts(5, 1))
        await stage.checkpointer.make()
        assert key not in keys_in_tables(stage)
        assert await rows_of(await filled(stage)) == await rows_of(stage.catalog)


class TestWhen:
    async def test_when_much_is_dirty_or_something_for_long(self, autojump_clock: MockClock) -> None:
        stage = await staged()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.checkpointer.run)
            await trio.sleep(2 * TIMES.after_s)
            assert stage.epochs.epoch == 1
            await stage.put(puts(0, TIMES.rows_most))
            await trio.sleep(2 * TIMES.look_s)
            assert stage.epochs.epoch == 2
            await stage.put(puts(0, 1))
            await trio.sleep(TIMES.after_s - 2 * TIMES.look_s)
            assert stage.epochs.epoch == 2
            await trio.sleep(4 * TIMES.look_s)
            assert stage.epochs.epoch == 3
            nursery.cancel_scope.cancel()

    async def test_soon_after_a_succession_that_was_not_its_own(self, autojump_clock: MockClock) -> None:
        stage = await staged()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.checkpointer.run)
            await stage.put(puts(0, 1))
            await stage.epochs.begin()
            assert not stage.catalog.is_settled
            await trio.sleep(TIMES.settle_s + 2 * TIMES.look_s)
            assert (stage.epochs.epoch, stage.catalog.is_settled) == (3, True)
            await trio.sleep(TIMES.after_s / 2)
            assert stage.epochs.epoch == 3
            nursery.cancel_scope.cancel()

    async def test_again_when_it_did_not_work_out(self, autojump_clock: MockClock) -> None:
        stage = await staged()
        stage.blocks.fails = Unavailable("holders-too-few", reached=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.checkpointer.run)
            await stage.put(puts(0, TIMES.rows_most))
            await trio.sleep(3_600)
            assert stage.epochs.epoch == 1
            stage.blocks.fails, stage.epochs.fails = None, Unavailable("journal-quorum")
            await trio.sleep(3_600)
            assert (stage.epochs.epoch, stage.catalog.checkpoint) == (1, None)
            stage.epochs.fails = None
            await trio.sleep(3_600)
            assert stage.epochs.epoch == 2
            nursery.cancel_scope.cancel()
        assert await rows_of(await filled(stage)) == await rows_of(stage.catalog)


class TestArrival:
    async def staged_with_tables(self) -> Bench:
        """Three tables, the newest of which deletes and replaces."""
        stage = await staged()
        await stage.put([BUCKET, *puts(0, 6)])
        await stage.checkpointer.make()
        await stage.put([ObjectDeleted("photos", "k00001"), *puts(2, 1)])
        await stage.checkpointer.make()
        await stage.put([object_put("photos", "k00003", 333)])
        await stage.checkpointer.make()
        return stage

    async def test_what_is_final_can_be_read_while_the_rest_still_comes(self) -> None:
        stage = await self.staged_with_tables()
        later: list[Change] = [ObjectDeleted("photos", "k00002")]
        catalog = Catalog(fresh_host(), NAMESPACE)
        await catalog.open()
        catalog.answer_what_is_final(touched_by(later))
        seen: list[tuple[str, bool]] = []

        async def look() -> None:
            catalog.answer_what_is_final(touched_by(later))
            for key in ("k00001", "k00002", "k00003", "k00004"):
                try:
                    stored, _blocks = await catalog.whole("photos", key)
                    assert stored.version == (await stage.catalog.stat("photos", key)).version
                    seen.append((key, True))
                except Unavailable:
                    seen.append((key, False))
            with pytest.raises(Unavailable, match="catalog-rebuilding"):
                await catalog.list("photos")

        stage.host.faults.on("checkpoint.after-arrival", look)  # type: ignore[attr-defined]
        checkpoint = stage.catalog.checkpoint
        assert checkpoint is not None
        rows: list[tuple[int, int]] = []
        await load_tables(stage.host, catalog, stage.blocks, checkpoint, lambda *progress: rows.append(progress))
        assert seen == [
            *[("k00001", False), ("k00002", False), ("k00003", True), ("k00004", False)],
            *[("k00001", False), ("k00002", False), ("k00003", True), ("k00004", False)],
            *[("k00001", False), ("k00002", False), ("k00003", True), ("k00004", True)],
        ]
        assert rows[0] == (0, rows[-1][1])
        assert rows[-1][0] == rows[-1][1]

    async def test_it_goes_on_where_it_stopped(self) -> None:
        stage = await self.staged_with_tables()
        checkpoint = stage.catalog.checkpoint
        assert checkpoint is not None
        host = fresh_host()
        catalog = Catalog(host, NAMESPACE)
        await catalog.open()
        oldest = manifest_of(stage).tables[-1].pages[0].block.block
        plain = stage.blocks.kept.pop(oldest)
        with pytest.raises(Unavailable, match="block-unreadable"):
            await load_tables(stage.host, catalog, stage.blocks, checkpoint, lambda _rows, _of: None)
        await catalog.close()
        stage.blocks.kept[oldest] = plain
        stage.blocks.fetched.clear()
        again = await filled(stage, host)
        assert stage.blocks.fetched == [checkpoint.manifest.block, oldest]
        assert await rows_of(again) == await rows_of(stage.catalog)

    async def test_an_arrival_of_an_older_checkpoint_begins_anew(self) -> None:
        stage = await self.staged_with_tables()
        older, host = stage.catalog.checkpoint, fresh_host()
        assert older is not None
        catalog = Catalog(host, NAMESPACE)
        await catalog.open()
        oldest = manifest_of(stage).tables[-1].pages[0].block.block
        plain = stage.blocks.kept.pop(oldest)
        with pytest.raises(Unavailable):
            await load_tables(stage.host, catalog, stage.blocks, older, lambda _rows, _of: None)
        stage.blocks.kept[oldest] = plain
        await stage.put([ObjectDeleted("photos", "k00003")])
        await stage.checkpointer.make()
        await catalog.close()
        assert await rows_of(await filled(stage, host)) == await rows_of(stage.catalog)

    async def test_a_manifest_of_another_point_is_not_believed(self) -> None:
        stage = await self.staged_with_tables()
        checkpoint = stage.catalog.checkpoint
        assert checkpoint is not None
        before = stage.epochs.entries[2][0][0]
        stage.blocks.kept[checkpoint.manifest.block] = stage.blocks.kept[before.manifest.block]  # type: ignore[union-attr]
        with pytest.raises(Damaged, match="checkpoint-manifest"):
            await load_tables(stage.host, Catalog(fresh_host(), NAMESPACE), stage.blocks, checkpoint, lambda *_: None)


class TestCatalogs:
    @pytest.mark.parametrize("harm", ["deleted", "damaged", "a week old", "of a newer version"])
    async def test_whatever_it_was_it_comes_up_right(self, harm: str) -> None:
        world = World(seed=1)
        stage = await staged(world.host("gateway"))
        await stage.put([BUCKET, *puts(0, 50)])
        older = Catalog(world.host("week ago"), NAMESPACE)
        await stage.epochs.fill(older, stage.host, stage.blocks)
        await older.close()
        await stage.checkpointer.make()
        await stage.put([*puts(20, 60), ObjectDeleted("photos", "k00010")], entries=7)
        await stage.checkpointer.make()
        await stage.put(puts(90, 5))
        wanted = await rows_of(stage.catalog)
        if harm == "of a newer version":
            await stage.catalog.change(lambda database: database._index.execute("UPDATE applied SET format = 999"))
        await stage.catalog.close()
        if harm == "deleted":
            world.platter("gateway").databases.clear()
        elif harm == "damaged":
            for _path, database in world.platter("gateway").databases.items():
                database.damage()
        elif harm == "a week old":
            world.platter("gateway").databases.clear()
            world.platter("gateway").databases.update(world.platter("week ago").databases)
        again = await filled(stage, world.host("gateway"))
        assert await rows_of(again) == wanted


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_power_cut_at_any_step_loses_nothing(point: str, seed: int) -> None:
    run_deterministically(seed, crash_at, seed, point)


async def crash_at(seed: int, point: str) -> None:
    world = World(seed)
    lives: list[Bench] = []

    async def first(host: Host) -> None:
        stage = await staged(host)
        lives.append(stage)
        await stage.put([BUCKET, *puts(0, 30)], entries=5)
        await stage.checkpointer.make()
        await stage.put([ObjectDeleted("photos", "k00007"), *puts(20, 30)], entries=3)
        world.faults("gateway").on(point, lambda: world.cut_power("gateway"))
        await stage.checkpointer.make()

    await world.run_node("gateway", first)
    assert world.faults("gateway").times_reached(point) == 0, "a new life"

    async def second(host: Host) -> None:
        stage = await staged(host, before=lives[0])
        lives.append(stage)
        await stage.checkpointer.make()
        await stage.put([ObjectDeleted("photos", "k00008")])
        await stage.checkpointer.make()

    await world.run_node("gateway", second)
    stage = lives[1]
    assert await rows_of(await filled(stage)) == await rows_of(stage.catalog)
    keys = {stored.key for stored in await stage.catalog.list("photos")}
    assert keys == {f"k{number:05}" for number in range(50)} - {"k00007", "k00008"}
