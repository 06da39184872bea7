"""Bad days: flipped bits, lost ends, failing disks. Never a wrong byte, and nothing lost that is still there."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath

import pytest
import trio

from node.store.config import DiskConfig, StoreConfig
from node.store.handles import volume_path
from node.store.shares import DiskState, ShareFacts, Tombstone, pack_share, pack_tombstones
from node.store.store import Store
from node.store.volume import SHARE_STEP_BYTES, EntryKind, Format, Head
from protocol.errors import Damaged, Malformed, Missing, Unavailable
from protocol.limits import MIB
from tests.support.crashing import Machine
from tests.support.shares import TestBlock, make_block

PAGE = SHARE_STEP_BYTES
SHARE_BYTES = 10_000
ENTRY_BYTES = PAGE + 3 * PAGE
ONE = StoreConfig((DiskConfig("d", 100 * MIB, 0),), index_lag_max=1)
TWO = StoreConfig((DiskConfig("d", 100 * MIB, 0), DiskConfig("e", 99 * MIB, 0)), index_lag_max=1)


def block_of(number: int) -> TestBlock:
    """Share 0 has 10,000 bytes: its entry has a page in front and three of payload."""
    return make_block(number, size_bytes=2 * SHARE_BYTES - 16)


@asynccontextmanager
async def running(machine: Machine, config: StoreConfig = ONE) -> AsyncIterator[Store]:
    store = Store(machine.host(), config)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


async def put(store: Store, *numbers: int) -> None:
    for number in numbers:
        block = block_of(number)
        await store.put_share(block.label, block.proofs[0], [block.shares[0]])


async def readable(store: Store, *numbers: int) -> list[int]:
    """Which of the blocks read back; whatever reads back must be right."""
    good = []
    for number in numbers:
        block = block_of(number)
        try:
            share = await store.get_share(block.block, 0)
        except (Missing, Damaged):
            continue
        assert share.data == block.shares[0]
        good.append(number)
    return good


def volume(machine: Machine, number: int = 1, disk: str = "d") -> bytearray:
    """The bytes of a volume, to be spoiled; only while no store runs."""
    content = machine.files[disk][volume_path(number)]
    content.durable = content.current
    return content.current


def place_of(position: int) -> int:
    """Where the entry of the share that was put as number `position` begins."""
    return PAGE + position * ENTRY_BYTES


async def filled(machine: Machine, count: int = 5) -> None:
    async with running(machine) as store:
        await put(store, *range(count))
    assert len(volume(machine)) == place_of(count)


@pytest.mark.parametrize("keeps_index", [True, False])
async def test_any_flipped_bit_costs_at_most_its_own_share(keeps_index: bool) -> None:
    for offset in [*range(0, 2 * PAGE, 97), *range(place_of(2), place_of(3), 431), place_of(5) - 1]:
        machine = Machine(1)
        await filled(machine)
        volume(machine)[offset] ^= 1 << offset % 8
        if not keeps_index:
            machine.indexes.clear()
        async with running(machine) as store:
            good = await readable(store, *range(5))
            own = (offset - PAGE) // ENTRY_BYTES
            assert set(good) >= set(range(5)) - {own}, offset
            masks = await store.held([block_of(number).block for number in range(5)])
            assert [number for number, mask in enumerate(masks) if mask] == good


async def test_a_flipped_bit_is_named_and_the_share_can_be_put_again() -> None:
    machine = Machine(1)
    await filled(machine)
    volume(machine)[place_of(2) + 2 * PAGE] ^= 4
    async with running(machine) as store:
        with pytest.raises(Damaged, match="share-damaged"):
            await store.get_share(block_of(2).block, 0)
        assert await store.held([block_of(2).block]) == (0,)
        await put(store, 2)
        assert await readable(store, *range(5)) == [0, 1, 2, 3, 4]
    machine.indexes.clear()
    async with running(machine) as store:
        assert await readable(store, *range(5)) == [0, 1, 2, 3, 4]


async def test_a_range_that_is_not_damaged_still_reads() -> None:
    machine = Machine(1)
    block = make_block(1, size_bytes=200_000, k=1, n=1)
    async with running(machine) as store:
        await store.put_share(block.label, block.proofs[0], [block.shares[0]])
    volume(machine)[PAGE + PAGE + 70_000] ^= 1
    async with running(machine) as store:
        share = await store.get_share(block.block, 0, first_leaf=2)
        assert share.data == block.shares[0][2 * 65_536 :]
        with pytest.raises(Damaged):
            await store.get_share(block.block, 0, first_leaf=1, leaf_count=1)


@pytest.mark.parametrize("keeps_index", [True, False])
@pytest.mark.parametrize("lost_bytes", [1, PAGE, 2 * ENTRY_BYTES, 4 * ENTRY_BYTES + 5, 5 * ENTRY_BYTES + PAGE])
async def test_a_truncated_volume_keeps_what_is_left(lost_bytes: int, keeps_index: bool) -> None:
    machine = Machine(1)
    await filled(machine)
    del volume(machine)[-lost_bytes:]
    if not keeps_index:
        machine.indexes.clear()
    left = list(range((len(volume(machine)) - PAGE) // ENTRY_BYTES))
    for _ in range(2):
        async with running(machine) as store:
            assert await readable(store, *range(5)) == left
            await put(store, 7)
            assert await readable(store, 7) == [7]


async def test_overwritten_stretches_are_skipped_when_the_index_is_rebuilt() -> None:
    machine = Machine(1)
    await filled(machine, 8)
    start, end = place_of(2) + 100, place_of(4) + 50
    volume(machine)[start:end] = machine.random.randbytes(end - start)
    machine.indexes.clear()
    async with running(machine) as store:
        assert await readable(store, *range(8)) == [0, 1, 5, 6, 7]


async def test_a_volume_without_its_header_is_still_read() -> None:
    machine = Machine(1)
    await filled(machine)
    volume(machine)[:PAGE] = bytes(PAGE)
    machine.indexes.clear()
    async with running(machine) as store:
        assert await readable(store, *range(5)) == [0, 1, 2, 3, 4]


async def test_the_disk_file_is_restored_from_a_volume() -> None:
    machine = Machine(1)
    await filled(machine)
    del machine.files["d"][PurePath("volumes/disk")]
    async with running(machine) as store:
        assert await readable(store, *range(5)) == [0, 1, 2, 3, 4]


async def test_a_disk_without_any_trace_of_its_salt_is_not_taken_for_empty() -> None:
    machine = Machine(1)
    await filled(machine)
    del machine.files["d"][PurePath("volumes/disk")]
    volume(machine)[:PAGE] = bytes(PAGE)
    before = bytes(volume(machine))
    with pytest.raises(Unavailable, match="store-failing"):
        await Store(machine.host(), ONE).run()
    assert volume(machine) == before


async def test_volumes_of_a_later_version_are_left_alone() -> None:
    machine = Machine(1)
    await filled(machine)
    content = machine.files["d"][PurePath("volumes/disk")]
    from node.store import volume as volume_format
    from protocol.keys.derive import digest

    fixed = bytearray(content.current[: volume_format._HEADER.size])
    fixed[9] = 2
    content.current[:] = fixed + digest("maillon/1 volume header", bytes(fixed))[: 64 - len(fixed)]
    with pytest.raises(Unavailable, match="store-failing"):
        await Store(machine.host(), ONE).run()


async def test_share_bytes_that_look_like_entries_are_never_believed() -> None:
    """An attacker's payload holds a tombstone for another's share, as another disk would write it."""
    machine = Machine(1)
    async with running(machine) as store:
        await put(store, 0)
    head = Head(EntryKind.TOMBSTONES, 48, 0, 0)
    meta = pack_tombstones([Tombstone(block_of(0).key(0), 1)])
    for place in (place_of(1) + PAGE, 0):
        forged = Format(1, b"?" * 32).head(place, head, meta) + meta
        assert len(forged) < SHARE_BYTES
        async with running(machine) as store:
            await store.put_encoded(ShareFacts(block_of(1).block, place and 1, *_rest(block_of(1))), [forged])
    volume(machine)[place_of(1)] ^= 1
    machine.indexes.clear()
    async with running(machine) as store:
        assert await readable(store, 0) == [0]


def _rest(block: TestBlock) -> tuple[bytes, ...]:
    facts = block.facts(0)
    return facts.namespace, facts.label, facts.proof


async def test_an_entry_is_valid_only_where_it_was_written() -> None:
    """A disk that writes to the wrong place must not bring back what was deleted."""
    machine = Machine(1)
    await filled(machine, 3)
    copied = bytes(volume(machine)[place_of(0) : place_of(1)])
    async with running(machine) as store:
        await store.delete_share(block_of(0).block, 0)
    volume(machine)[place_of(1) : place_of(2)] = copied
    machine.indexes.clear()
    async with running(machine) as store:
        assert await readable(store, 0, 1, 2) == [2]


@pytest.mark.parametrize("spoil", ["flipped", "not-sqlite", "empty"])
async def test_a_damaged_index_is_made_anew(spoil: str) -> None:
    machine = Machine(1)
    await filled(machine)
    (copies,) = machine.indexes.values()
    index = bytearray(copies[-1])
    if spoil == "flipped":
        index[100:4096] = bytes(value ^ 0x55 for value in index[100:4096])
    copies[-1] = {"flipped": bytes(index), "not-sqlite": b"?" * 8192, "empty": b"SQLite format 3\0" + bytes(84)}[
        spoil
    ]
    async with running(machine) as store:
        assert await readable(store, *range(5)) == [0, 1, 2, 3, 4]


async def test_an_index_that_points_to_a_wrong_place_is_corrected() -> None:
    machine = Machine(1)
    await filled(machine)
    (path,) = machine.indexes
    index = machine.open_index(path)
    index.execute("UPDATE shares SET place = ? WHERE place = ?", (place_of(3), place_of(1)))
    index.commit()
    async with running(machine) as store:
        assert await readable(store, *range(5)) == [0, 1, 2, 3, 4]
        assert (await store.held([block_of(1).block])) == (1,)


@pytest.mark.parametrize("first", ["read", "held", "put", "delete", "list"])
async def test_an_index_that_breaks_while_the_store_runs_is_made_anew(first: str) -> None:
    machine = Machine(1)
    await filled(machine)
    async with running(machine) as store:
        machine.break_indexes()
        if first == "read":
            assert await readable(store, *range(5)) == [0, 1, 2, 3, 4]
        elif first == "held":
            assert await store.held([block_of(3).block]) == (1,)
        elif first == "put":
            await put(store, 7)
        elif first == "delete":
            await store.delete_share(block_of(0).block, 0)
            await put(store, 0)
        else:
            assert len(await store.list_shares(None, 10)) == 5
        await put(store, 8)
        assert await readable(store, *range(5), 8) == [0, 1, 2, 3, 4, 8]
    async with running(machine) as store:
        assert await readable(store, *range(5), 8) == [0, 1, 2, 3, 4, 8]


async def test_an_index_without_room_only_lags() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        machine.index_is_full = True
        await put(store, 0, 1, 2)
        assert await readable(store, 0, 1, 2) == [0, 1, 2]
        machine.index_is_full = False
    async with running(machine) as store:
        assert await readable(store, 0, 1, 2) == [0, 1, 2]


async def test_an_index_of_another_disk_is_not_believed() -> None:
    machine, other = Machine(1), Machine(2)
    await filled(machine)
    async with running(other) as store:
        await put(store, 9)
    (ours,), (theirs,) = machine.indexes.values(), other.indexes.values()
    ours[:] = theirs
    async with running(machine) as store:
        assert await readable(store, 9, *range(5)) == [0, 1, 2, 3, 4]


async def test_after_a_failed_sync_the_same_shares_go_to_a_new_volume() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await put(store, 0, 1)
        machine.sync_errors = [errno.EIO]
        await put(store, 2)
        await put(store, 3)
        assert await readable(store, *range(4)) == [0, 1, 2, 3]
    assert len(volume(machine, 1)) == place_of(2)
    assert len(volume(machine, 2)) == place_of(2)
    machine.indexes.clear()
    async with running(machine) as store:
        assert await readable(store, *range(4)) == [0, 1, 2, 3]


async def test_after_a_failed_sync_what_the_volume_lost_counts_as_not_held() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await put(store, 0, 1)
        content = machine.files["d"][volume_path(1)]
        content.current[place_of(1) : place_of(2)] = bytes(ENTRY_BYTES)
        machine.sync_errors = [errno.EIO]
        await put(store, 2)
        assert await store.held([block_of(number).block for number in range(3)]) == (1, 0, 1)


async def test_a_disk_that_fails_twice_takes_no_more_but_is_still_read() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await put(store, 0)
        machine.sync_errors = [errno.EIO, errno.EIO]
        with pytest.raises(Unavailable, match="store-failing"):
            await put(store, 1)
        with pytest.raises(Unavailable, match="store-failing"):
            await put(store, 2)
        await put(store, 0)
        assert await readable(store, 0, 1, 2) == [0]
        assert [disk.state for disk in store.usage().disks] == [DiskState.FAILING]


async def test_a_failing_disk_sends_shares_to_the_other() -> None:
    machine = Machine(1)
    async with running(machine, TWO) as store:
        machine.sync_errors = [errno.EIO, errno.EIO]
        await put(store, 0, 1)
        assert await readable(store, 0, 1) == [0, 1]
        assert sorted(disk.state.value for disk in store.usage().disks) == ["failing", "good"]


@pytest.mark.parametrize("when", ["write", "sync"])
async def test_no_space_sends_shares_to_the_other_disk_or_refuses(when: str) -> None:
    machine = Machine(1)

    def no_space(times: int) -> None:
        (machine.write_errors if when == "write" else machine.sync_errors)[:] = [errno.ENOSPC] * times

    async with running(machine, TWO) as store:
        await put(store, 0)
        no_space(1)
        await put(store, 1)
        no_space(2)
        with pytest.raises(Unavailable, match="store-full"):
            await put(store, 2)
        no_space(0)
        await put(store, 2)
        assert await readable(store, 0, 1, 2) == [0, 1, 2]
    machine.indexes.clear()
    async with running(machine, TWO) as store:
        assert await readable(store, 0, 1, 2) == [0, 1, 2]


@pytest.mark.parametrize("seed", range(20))
async def test_a_put_that_failed_and_was_deleted_does_not_come_back(seed: int) -> None:
    """What a failed write left on the disk may surface after a crash; a deletion in between must hold."""
    machine = Machine(seed)
    async with running(machine) as store:
        await put(store, 0)
        (machine.write_errors if seed % 2 else machine.sync_errors)[:] = [errno.EIO, errno.ENOSPC]
        with pytest.raises(Unavailable, match="store-full"):
            await put(store, 1)
        await store.delete_share(block_of(1).block, 0)
        machine.crash()
    async with running(machine) as store:
        assert await readable(store, 0, 1) == [0]


async def test_a_failed_write_is_tried_again_and_leaves_no_ruins() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await put(store, 0)
        machine.write_errors = [errno.EIO]
        await put(store, 1)
    assert len(volume(machine)) == place_of(2)


async def test_when_space_runs_out_deleting_still_works() -> None:
    machine = Machine(1)
    config = StoreConfig((DiskConfig("d", 100 * MIB, 10 * MIB),))
    async with running(machine, config) as store:
        await put(store, 0, 1)
        machine.free_bytes = MIB
        with pytest.raises(Unavailable, match="store-full"):
            await put(store, 2)
        await store.delete_share(block_of(0).block, 0)
        assert await readable(store, 0, 1) == [1]
        assert store.usage().disks[0].state is DiskState.FULL


async def test_a_hole_is_punched_for_each_deleted_payload() -> None:
    machine = Machine(1)
    await filled(machine, 3)
    async with running(machine) as store:
        await store.delete_share(block_of(1).block, 0)
    assert volume(machine)[place_of(1) + PAGE : place_of(2)] == bytes(3 * PAGE)


async def test_without_holes_mostly_dead_volumes_are_copied_and_removed() -> None:
    machine = Machine(1)
    machine.holes = False
    config = StoreConfig((DiskConfig("d", 100 * MIB, 0),), volume_bytes=PAGE + 4 * ENTRY_BYTES)
    async with running(machine, config) as store:
        await put(store, *range(10))
        for number in (0, 1, 2, 5):
            await store.delete_share(block_of(number).block, 0)
        used_bytes = store.usage().used_bytes
        assert await store.compact() == 1
        assert used_bytes - store.usage().used_bytes >= 3 * ENTRY_BYTES
        assert volume_path(1) not in machine.files["d"]
        assert await readable(store, *range(10)) == [3, 4, 6, 7, 8, 9]
    machine.indexes.clear()
    async with running(machine, config) as store:
        assert await readable(store, *range(10)) == [3, 4, 6, 7, 8, 9]


async def test_a_dead_volume_is_removed_but_its_needed_tombstones_stay() -> None:
    machine = Machine(1)
    config = StoreConfig((DiskConfig("d", 100 * MIB, 0),), volume_bytes=PAGE + 2 * ENTRY_BYTES)
    async with running(machine, config) as store:
        await put(store, 0, 1)  # volume 1
        await store.delete_share(block_of(0).block, 0)  # its tombstone opens volume 2
        await put(store, 2)
        await put(store, 3, 4)
        await store.delete_share(block_of(2).block, 0)
        assert await store.compact() == 1
        assert volume_path(2) not in machine.files["d"]
    machine.indexes.clear()
    async with running(machine, config) as store:
        assert await readable(store, *range(5)) == [1, 3, 4]


async def test_metadata_that_is_not_a_share_is_refused() -> None:
    from node.store.shares import unpack_share, unpack_tombstones

    good = pack_share(block_of(1).facts(0))
    assert unpack_share(good) == block_of(1).facts(0)
    for bad in (b"", good[:-1], good + b"x", good[:50]):
        with pytest.raises(Malformed, match="share-meta"):
            unpack_share(bad)
    with pytest.raises(Malformed, match="share-meta"):
        unpack_tombstones(b"x" * 47)
