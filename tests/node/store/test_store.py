"""What a store promises its node, on a real disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from node.host.real import real_host
from node.store.config import DiskConfig, StoreConfig
from node.store.shares import ShareKey
from node.store.store import Store
from protocol.errors import Forged, Missing, Refused, Unavailable
from protocol.ids import BlockId, NamespaceId
from protocol.limits import LEAF_BYTES, MIB
from tests.support.shares import TestBlock, make_block

OTHERS = NamespaceId(b"o" * 32)


def one_disk(*, capacity_bytes: int = 100 * MIB, volume_bytes: int = 64 * MIB) -> StoreConfig:
    return StoreConfig((DiskConfig("store", capacity_bytes, 0),), volume_bytes=volume_bytes)


@asynccontextmanager
async def running(node_dir: Path, config: StoreConfig | None = None) -> AsyncIterator[Store]:
    store = Store(real_host(node_dir), config or one_disk())
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


async def put(store: Store, block: TestBlock, index: int) -> None:
    await store.put_share(block.label, block.proofs[index], [block.shares[index]])


async def test_a_share_reads_back_with_its_label_and_proof(tmp_path: Path) -> None:
    block = make_block(1)
    async with running(tmp_path) as store:
        await put(store, block, 2)
        share = await store.get_share(block.block, 2)
    assert share.data == block.shares[2]
    assert share.facts == block.facts(2)
    assert share.facts.decoded_label() == block.label
    assert share.facts.decoded_proof() == block.proofs[2]


async def test_whole_shares_are_read_into_buffers_of_their_size(tmp_path: Path) -> None:
    block, other = make_block(1), make_block(2)
    into = memoryview(bytearray(len(block.shares[2])))
    async with running(tmp_path) as store:
        await put(store, block, 2)
        wanted = [
            (ShareKey(block.block, 2), into),
            (ShareKey(other.block, 2), into),
            (ShareKey(block.block, 2), into[1:]),
        ]
        facts, absent, misfit = await store.read_into(wanted, check_leaves=True)
    assert facts == block.facts(2)
    assert into == block.shares[2]
    assert isinstance(absent, Missing)
    assert isinstance(misfit, Forged)


async def test_parts_are_stored_one_after_the_other(tmp_path: Path) -> None:
    block = make_block(1)
    whole = memoryview(block.shares[0])
    async with running(tmp_path) as store:
        await store.put_share(
            block.label, block.proofs[0], [whole[:100], bytearray(whole[100:101]), bytes(whole[101:])]
        )
        assert (await store.get_share(block.block, 0)).data == whole


async def test_any_run_of_leaves_can_be_read(tmp_path: Path) -> None:
    block = make_block(1, size_bytes=5 * LEAF_BYTES, k=1, n=1)
    share = block.shares[0]
    async with running(tmp_path) as store:
        await put(store, block, 0)
        one = await store.get_share(block.block, 0, first_leaf=1, leaf_count=1)
        rest = await store.get_share(block.block, 0, first_leaf=3)
        first = await store.get_share(block.block, 0, leaf_count=2)
        with pytest.raises(Missing, match="share-leaves"):
            await store.get_share(block.block, 0, first_leaf=6)
    assert one.data == share[LEAF_BYTES : 2 * LEAF_BYTES]
    assert rest.data == share[3 * LEAF_BYTES :]
    assert first.data == share[: 2 * LEAF_BYTES]


async def test_what_is_held_is_told_share_by_share(tmp_path: Path) -> None:
    block, other = make_block(1), make_block(2)
    async with running(tmp_path) as store:
        await put(store, block, 0)
        await put(store, block, 2)
        assert await store.held([block.block, other.block]) == (0b101, 0)
        assert (await store.get_label(block.block)) == block.facts(0)
        with pytest.raises(Missing, match="share-missing"):
            await store.get_label(other.block)


async def test_putting_twice_stores_once(tmp_path: Path) -> None:
    block = make_block(1)
    async with running(tmp_path) as store:
        await put(store, block, 0)
        used_bytes = store.usage().used_bytes
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(put, store, block, 0)
        assert store.usage().used_bytes == used_bytes
        assert store.usage().shares == 1


async def test_a_deleted_share_is_gone_and_its_space_is_free(tmp_path: Path) -> None:
    block = make_block(1, size_bytes=MIB)
    async with running(tmp_path) as store:
        await put(store, block, 0)
        await put(store, block, 1)
        before = store.usage()
        await store.delete_share(block.block, 0)
        await store.delete_share(block.block, 0)
        with pytest.raises(Missing, match="share-missing"):
            await store.get_share(block.block, 0)
        assert (await store.get_share(block.block, 1)).data == block.shares[1]
        assert before.used_bytes - store.usage().used_bytes > len(block.shares[0]) - 1_000
        assert store.stored_bytes(block.header.namespace) == len(block.shares[1])


async def test_a_share_under_keep_until_cannot_be_deleted(tmp_path: Path) -> None:
    block = make_block(1, keep_until_s=2**40)
    async with running(tmp_path) as store:
        await put(store, block, 0)
        with pytest.raises(Refused, match="share-kept"):
            await store.delete_share(block.block, 0)
        assert await store.held([block.block]) == (1,)


async def test_releasing_a_block_deletes_all_its_shares_on_all_disks(tmp_path: Path) -> None:
    blocks = [make_block(number) for number in range(3)]
    async with running(tmp_path) as store:
        for block in blocks:
            await put(store, block, 0)
            await put(store, block, 2)
        namespace = blocks[0].header.namespace
        assert await store.release(namespace, [block.block for block in blocks[:2]]) == (0, 0)
        assert await store.held([block.block for block in blocks]) == (0, 0, 0b101)
    async with running(tmp_path) as store:
        assert await store.held([block.block for block in blocks]) == (0, 0, 0b101)


async def test_a_release_leaves_locked_shares_and_those_of_others(tmp_path: Path) -> None:
    locked, open_, others = make_block(1, keep_until_s=2**40), make_block(2), make_block(3, namespace=OTHERS)
    async with running(tmp_path) as store:
        for block in (locked, open_, others):
            await put(store, block, 1)
        asked = [block.block for block in (locked, open_, others)]
        assert await store.release(locked.header.namespace, asked) == (2**40, 0, 0)
        assert await store.held(asked) == (0b10, 0, 0b10)


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    blocks = [make_block(number) for number in range(20)]
    async with running(tmp_path) as store:
        for block in blocks:
            await put(store, block, 1)
        await store.delete_share(blocks[3].block, 1)
        usage = store.usage()
    async with running(tmp_path) as store:
        assert store.usage() == usage
        for number, block in enumerate(blocks):
            if number != 3:
                assert (await store.get_share(block.block, 1)).data == block.shares[1]
        assert await store.held([blocks[3].block]) == (0,)


async def test_a_lost_index_is_rebuilt_from_the_volumes(tmp_path: Path) -> None:
    blocks = [make_block(number) for number in range(20)]
    async with running(tmp_path) as store:
        for block in blocks:
            await put(store, block, 1)
        for block in blocks[:5]:
            await store.delete_share(block.block, 1)
        usage = store.usage()
    for path in (tmp_path / "index").iterdir():
        path.unlink()
    async with running(tmp_path) as store:
        assert store.usage() == usage
        assert await store.held([block.block for block in blocks]) == (0,) * 5 + (0b10,) * 15


async def test_volumes_end_at_their_size_and_the_next_begins(tmp_path: Path) -> None:
    blocks = [make_block(number, size_bytes=100_000) for number in range(12)]
    config = one_disk(volume_bytes=200_000)
    async with running(tmp_path, config) as store:
        for block in blocks:
            await put(store, block, 1)
    assert len(list((tmp_path / "store" / "volumes").glob("*.volume"))) >= 3
    async with running(tmp_path, config) as store:
        for block in blocks:
            assert (await store.get_share(block.block, 1)).data == block.shares[1]


async def test_the_capacity_is_kept(tmp_path: Path) -> None:
    config = one_disk(capacity_bytes=210_000)
    async with running(tmp_path, config) as store:
        for number in range(6):
            await put(store, make_block(number, size_bytes=50_000), 0)
        with pytest.raises(Unavailable, match="store-full"):
            await put(store, make_block(7, size_bytes=50_000), 0)
        assert store.usage().used_bytes <= 210_000
        await store.delete_share(make_block(0, size_bytes=50_000).block, 0)
        await put(store, make_block(50, size_bytes=50_000), 0)


async def test_the_reserve_is_left_to_the_disk(tmp_path: Path) -> None:
    config = StoreConfig((DiskConfig("store", 100 * MIB, 2**60),))
    async with running(tmp_path, config) as store:
        with pytest.raises(Unavailable, match="store-full"):
            await put(store, make_block(1), 0)


async def test_a_full_disk_sends_shares_to_the_other(tmp_path: Path) -> None:
    config = StoreConfig((DiskConfig("one", 60_000, 0), DiskConfig("two", 10 * MIB, 0)))
    blocks = [make_block(number, size_bytes=50_000) for number in range(10)]
    async with running(tmp_path, config) as store:
        for block in blocks:
            await put(store, block, 0)
        for block in blocks:
            assert (await store.get_share(block.block, 0)).data == block.shares[0]
        assert store.usage().shares == 10
        await store.delete_share(blocks[0].block, 0)
        assert await store.held([blocks[0].block]) == (0,)


async def test_a_missing_disk_costs_its_shares_only(tmp_path: Path) -> None:
    config = StoreConfig((DiskConfig("absent/mount", MIB, 0), DiskConfig("two", MIB, 0)))
    async with running(tmp_path, config) as store:
        await put(store, make_block(1), 0)
        assert (await store.get_share(make_block(1).block, 0)).data == make_block(1).shares[0]


async def test_no_disk_at_all_is_an_error(tmp_path: Path) -> None:
    store = Store(real_host(tmp_path), StoreConfig((DiskConfig("absent/mount", MIB, 0),)))
    with pytest.raises(Unavailable, match="store-failing"):
        await store.run()


async def test_many_puts_at_once_all_succeed(tmp_path: Path) -> None:
    blocks = [make_block(number) for number in range(100)]
    async with running(tmp_path) as store:
        async with trio.open_nursery() as nursery:
            for block in blocks:
                for index in range(3):
                    nursery.start_soon(put, store, block, index)
        assert await store.held([block.block for block in blocks]) == (0b111,) * 100


async def test_shares_are_listed_in_order_of_their_key(tmp_path: Path) -> None:
    blocks = [make_block(number) for number in range(10)]
    keys = sorted(ShareKey(block.block, index) for block in blocks for index in (0, 2))
    async with running(tmp_path) as store:
        for block in blocks:
            await put(store, block, 0)
            await put(store, block, 2)
        listed: list[ShareKey] = []
        while part := await store.list_shares(listed[-1] if listed else None, 3):
            listed.extend(part)
    assert listed == keys


async def test_usage_counts_each_namespace(tmp_path: Path) -> None:
    one, two = NamespaceId(b"1" * 32), NamespaceId(b"2" * 32)
    async with running(tmp_path) as store:
        await put(store, make_block(1, namespace=one), 0)
        await put(store, make_block(2, namespace=two), 0)
        await put(store, make_block(3, namespace=two), 0)
        found = {usage.namespace: usage.shares for usage in store.usage().namespaces}
    assert found == {one: 1, two: 2}


async def test_an_unknown_share_is_missing(tmp_path: Path) -> None:
    async with running(tmp_path) as store:
        with pytest.raises(Missing, match="share-missing"):
            await store.get_share(BlockId(b"x" * 32), 0)


async def test_after_closing_nothing_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as store:
        pass
    with pytest.raises(Unavailable, match="store-closed"):
        await put(store, make_block(1), 0)


async def test_stopping_in_the_middle_of_everything_is_quiet(tmp_path: Path) -> None:
    """Threads that still read or write when the node is told to stop are waited for."""
    blocks = [make_block(number, size_bytes=400_000) for number in range(8)]
    for _ in range(5):
        store = Store(real_host(tmp_path), one_disk())
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)

            async def work(block: TestBlock, store: Store = store) -> None:
                while True:
                    await put(store, block, 0)
                    (await store.get_share(block.block, 0)).release()
                    await store.delete_share(block.block, 0)

            for block in blocks:
                nursery.start_soon(work, block)
            await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        with pytest.raises(Unavailable, match="store-closed"):
            await store.held([blocks[0].block])
