"""Failing and full disks: what is refused, what goes elsewhere, and how space comes back."""

from __future__ import annotations

import errno

import pytest

from node.store.config import DiskConfig, StoreConfig
from node.store.handles import volume_path
from node.store.shares import DiskState
from protocol.errors import Unavailable
from protocol.limits import MIB
from tests.support.crashing import Machine
from tests.support.one_disk import (
    ENTRY_BYTES,
    PAGE,
    TWO,
    block_of,
    filled,
    place_of,
    put,
    readable,
    running,
    volume,
)


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


async def test_a_volume_that_cannot_be_read_stops_neither_compaction_nor_the_store() -> None:
    machine = Machine(1)
    machine.holes = False
    config = StoreConfig((DiskConfig("d", 100 * MIB, 0),), volume_bytes=PAGE + 2 * ENTRY_BYTES)
    async with running(machine, config) as store:
        await put(store, *range(6))
        await store.delete_share(block_of(0).block, 0)
        await store.delete_share(block_of(1).block, 0)
        machine.read_errors = [errno.EIO]
        assert await store.compact() == 0
        assert await store.compact() == 1
        assert await readable(store, *range(6)) == [2, 3, 4, 5]


async def test_a_share_that_cannot_be_read_is_damaged_and_the_others_are_served() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await put(store, 0, 1)
        machine.read_errors = [errno.EIO]
        assert await readable(store, 0, 1) == [1]
        assert await store.held([block_of(0).block]) == (0,)
        await put(store, 0)
        assert await readable(store, 0, 1) == [0, 1]
