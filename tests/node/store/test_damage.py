"""Damaged disks: flipped bits, lost ends, broken indexes. Never a wrong byte, and nothing lost that is there."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from node.store.shares import ShareFacts, ShareKey, Tombstone, pack_share, pack_tombstones
from node.store.store import Store
from node.store.volume import EntryKind, Format, Head
from protocol.errors import Damaged, Malformed, Unavailable
from tests.support.crashing import Machine
from tests.support.one_disk import (
    ENTRY_BYTES,
    ONE,
    PAGE,
    SHARE_BYTES,
    block_of,
    filled,
    place_of,
    put,
    readable,
    running,
    volume,
)
from tests.support.shares import TestBlock, make_block


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


async def test_who_proves_the_bytes_himself_may_read_a_damaged_share_and_it_is_named_once_it_is_checked() -> None:
    machine = Machine(1)
    await filled(machine)
    volume(machine)[place_of(2) + 2 * PAGE] ^= 4
    wanted = [(ShareKey(block_of(2).block, 0), memoryview(bytearray(len(block_of(2).shares[0]))))]
    async with running(machine) as store:
        (facts,) = await store.read_into(wanted, check_leaves=False)
        assert facts == block_of(2).facts(0)
        (error,) = await store.read_into(wanted, check_leaves=True)
        assert isinstance(error, Damaged)
        assert await store.held([block_of(2).block]) == (0,)


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


async def test_metadata_that_is_not_a_share_is_refused() -> None:
    from node.store.shares import unpack_share, unpack_tombstones

    good = pack_share(block_of(1).facts(0))
    assert unpack_share(good) == block_of(1).facts(0)
    for bad in (b"", good[:-1], good + b"x", good[:50]):
        with pytest.raises(Malformed, match="share-meta"):
            unpack_share(bad)
    with pytest.raises(Malformed, match="share-meta"):
        unpack_tombstones(b"x" * 47)
