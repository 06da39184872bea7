"""A catalog that comes from tables: readable while they arrive, and right whatever it was before."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest

from node.vault.catalog.catalog import Catalog, StoredObject
from node.vault.catalog.touched import touched_by
from node.vault.checkpoint.loading import load_tables, tell_nobody
from protocol.errors import Damaged, Unavailable
from protocol.ids import Digest
from protocol.namespace.changes import BlockRef, Change, ObjectDeleted, PartPut, UploadBegun
from sim.host.world import World
from tests.support.checkpoints import BUCKET, NAMESPACE, Bench, filled, fresh_host, manifest_of, puts, rows_of, staged
from tests.support.namespaces import block_ref, object_put, some


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
        seen: list[tuple[str, bool]] = []

        async def look() -> None:
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
        rows: list[tuple[int, ...]] = []
        await load_tables(
            stage.host,
            catalog,
            stage.blocks.fetch,
            checkpoint,
            touched_by(later),
            lambda *progress: rows.append(progress),
        )
        assert seen == [
            *[("k00001", False), ("k00002", False), ("k00003", True), ("k00004", False)],
            *[("k00001", False), ("k00002", False), ("k00003", True), ("k00004", False)],
            *[("k00001", False), ("k00002", False), ("k00003", True), ("k00004", True)],
        ]
        assert rows[0] == (0, rows[-1][1])
        assert rows[-1][0] == rows[-1][1]

    async def test_bytes_in_the_middle_of_an_object_wait_for_all_that_says_where_they_are(self) -> None:
        """The second of three parts came first, and so stands in the older table."""
        stage, upload = await staged(), some("upload")[:16]
        blocks = {number: block_ref(number) for number in (1, 2, 3)}
        sizes = [blocks[number].size_bytes for number in (1, 2, 3)]
        begun = UploadBegun(upload, "photos", "film", 0, (), (), None, legal_hold=False, checksum="")
        parts = {
            number: PartPut(upload, number, block.size_bytes, Digest(some("part", number)), (block,), etag="e")
            for number, block in blocks.items()
        }
        await stage.put([BUCKET, begun, parts[2]])
        await stage.checkpointer.make()
        film = dataclasses.replace(object_put("photos", "film"), size_bytes=sum(sizes), upload=upload)
        await stage.put([parts[1], parts[3], film])
        await stage.checkpointer.make()
        catalog = Catalog(fresh_host(), NAMESPACE)
        await catalog.open()
        seen: list[tuple[BlockRef, ...] | None] = []

        async def look() -> None:
            for first, end in ((0, 1), (sizes[0], sum(sizes[:2])), (sum(sizes[:2]) + 1, sum(sizes))):
                span = partial(_chosen, (first, end))
                try:
                    seen.append((await catalog.located("photos", "film", None, span)).blocks)
                except Unavailable:
                    seen.append(None)

        stage.host.faults.on("checkpoint.after-arrival", look)  # type: ignore[attr-defined]
        checkpoint = stage.catalog.checkpoint
        assert checkpoint is not None
        await load_tables(stage.host, catalog, stage.blocks.fetch, checkpoint, frozenset(), tell_nobody)
        assert seen == [None, None, None, (blocks[1],), (blocks[2],), (blocks[3],)]

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
            await load_tables(stage.host, catalog, stage.blocks.fetch, checkpoint, frozenset(), tell_nobody)
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
            await load_tables(stage.host, catalog, stage.blocks.fetch, older, frozenset(), tell_nobody)
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
            await load_tables(
                stage.host,
                Catalog(fresh_host(), NAMESPACE),
                stage.blocks.fetch,
                checkpoint,
                frozenset(),
                tell_nobody,
            )


def _chosen(span: tuple[int, int], _stored: StoredObject) -> tuple[int, int]:
    return span


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
