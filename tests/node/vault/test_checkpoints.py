"""Checkpoints: tables and the entries after them are the namespace, whatever happened to the catalog."""

from __future__ import annotations

import dataclasses

import pytest
import trio
from hypothesis import given, settings
from trio.testing import MockClock

from node.host.ports import Host
from protocol.errors import Missing, Unavailable
from protocol.namespace.changes import (
    BlocksReplaced,
    Change,
    InlineRef,
    Metadata,
    ObjectDeleted,
    ObjectPut,
)
from protocol.tables.keys import object_key
from protocol.tables.tiers import FANOUT
from sim.host.scheduling import run_deterministically
from sim.host.world import World
from tests.node.vault.test_catalog_model import any_journals
from tests.support.checkpoints import (
    BUCKET,
    TIMES,
    Bench,
    filled,
    keys_in_tables,
    manifest_of,
    puts,
    rows_of,
    staged,
)
from tests.support.namespaces import object_put, some

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


def fat_put(number: int, fat: str) -> ObjectPut:
    return dataclasses.replace(object_put("photos", f"k{number:05}", number), metadata=(Metadata("fat", fat),))


class TestTablesAndEntries:
    @settings(max_examples=60, deadline=None)
    @given(any_journals)
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
            assert catalog.known_keys() == stage.catalog.known_keys()
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
