"""A holder's copies of journals: durable, only ever going on, and honest about what they lost."""

from __future__ import annotations

import errno
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from node.host.real import real_host
from node.store.journal_copy import JournalName, part_path
from node.store.journals import JournalStore
from protocol.errors import Damaged, Forged, Missing, Refused, Unavailable
from protocol.limits import KIB, MIB
from protocol.namespace.journal import Tip, check_chain, encode_opening, start_of
from sim.host.world import World
from tests.support.crashing import Crash, Machine
from tests.support.epochs import ALPHA, FIRST, START
from tests.support.namespaces import Tenant, tenant

TENANT = tenant(1)
OPENING = encode_opening(TENANT.opening)
NAMESPACE, EPOCH = TENANT.opening.namespace, TENANT.opening.epoch
NAME = JournalName(NAMESPACE, EPOCH)
CHAIN = TENANT.chain(12)


def tip_of(length: int, of: Tenant = TENANT) -> Tip:
    return check_chain(of.opening, start_of(of.opening), of.chain(length))


@asynccontextmanager
async def running(machine: Machine) -> AsyncIterator[JournalStore]:
    store = JournalStore(machine.host())
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


async def begin(store: JournalStore, opening: bytes = OPENING) -> None:
    await store.prepare(opening)
    await store.open(opening)


async def read_all(store: JournalStore, size_bytes_max: int = 4_000) -> list[bytes]:
    entries: list[bytes] = []
    while part := await store.read(NAMESPACE, EPOCH, len(entries), size_bytes_max):
        entries += part
    return entries


def file_of(machine: Machine, part: int = 0) -> bytearray:
    content = machine.files["."][part_path(NAME, part)]
    content.durable = content.current
    return content.current


async def test_entries_come_back_in_order_and_as_many_as_asked() -> None:
    async with running(Machine(1)) as store:
        await begin(store)
        assert await store.tail(NAMESPACE, EPOCH) == start_of(TENANT.opening)
        assert await store.append(NAMESPACE, EPOCH, 0, CHAIN[:5]) == tip_of(5)
        assert await store.append(NAMESPACE, EPOCH, 5, CHAIN[5:]) == tip_of(12)
        assert await read_all(store) == CHAIN
        assert await store.read(NAMESPACE, EPOCH, 3, 1) == (CHAIN[3],)
        assert await store.read(NAMESPACE, EPOCH, 12, 1_000) == ()
        assert await store.opening(NAMESPACE, EPOCH) == OPENING
        assert store.epochs() == (NAME,)


async def test_repeating_is_harmless_and_gaps_are_refused() -> None:
    async with running(Machine(1)) as store:
        await begin(store)
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN[:4])
        assert await store.append(NAMESPACE, EPOCH, 0, CHAIN[:4]) == tip_of(4)
        assert await store.append(NAMESPACE, EPOCH, 2, CHAIN[2:6]) == tip_of(6)
        with pytest.raises(Unavailable, match="journal-gap"):
            await store.append(NAMESPACE, EPOCH, 8, CHAIN[8:])
        assert await read_all(store) == CHAIN[:6]


async def test_another_history_is_refused() -> None:
    other = TENANT.chain(3, tag="other")
    async with running(Machine(1)) as store:
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN[:2])
        with pytest.raises(Forged, match="journal-fork"):
            await store.append(NAMESPACE, EPOCH, 0, other)
        with pytest.raises(Forged):
            await store.append(NAMESPACE, EPOCH, 2, [CHAIN[3]])
        assert await read_all(store) == CHAIN[:2]


async def test_an_epoch_has_one_opening() -> None:
    other = tenant(1, holders=TENANT.opening.holders[:5])
    async with running(Machine(1)) as store:
        with pytest.raises(Missing, match="journal-epoch"):
            await store.append(NAMESPACE, EPOCH, 0, CHAIN)
        await begin(store)
        with pytest.raises(Refused, match="journal-opening-other"):
            await store.prepare(encode_opening(other.opening))
        with pytest.raises(Refused, match="journal-opening-other"):
            await store.open(encode_opening(other.opening))
        with pytest.raises(Forged):
            await store.prepare(OPENING[:-1] + bytes([OPENING[-1] ^ 1]))
        assert await store.opening(NAMESPACE, EPOCH) == OPENING


async def test_many_journals_side_by_side_survive_a_restart(tmp_path: Path) -> None:
    tenants = [tenant(number) for number in range(5)]
    for _ in range(2):
        store = JournalStore(real_host(tmp_path))
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            for one in tenants:
                await begin(store, encode_opening(one.opening))
                await store.append(one.opening.namespace, 1, 0, one.chain(3))
            assert [name.namespace for name in store.epochs()] == sorted(one.opening.namespace for one in tenants)
            nursery.cancel_scope.cancel()


async def test_released_epochs_are_gone_whole() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN)
        await store.release_below(NAMESPACE, EPOCH + 1)
        with pytest.raises(Missing, match="journal-epoch"):
            await store.tail(NAMESPACE, EPOCH)
    assert part_path(NAME, 0) not in machine.files["."]
    async with running(machine) as store:
        assert store.epochs() == ()


async def test_a_copy_ends_before_damage_until_the_entry_is_sent_again() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await begin(store)
        for position, entry in enumerate(CHAIN):
            await store.append(NAMESPACE, EPOCH, position, [entry])
    data = file_of(machine)
    data[data.index(CHAIN[4]) + 30] ^= 8
    async with running(machine) as store:
        assert await store.tail(NAMESPACE, EPOCH) == tip_of(4)
        assert await read_all(store) == CHAIN[:4]
        await store.append(NAMESPACE, EPOCH, 4, [CHAIN[4]])
    async with running(machine) as store:
        assert await store.tail(NAMESPACE, EPOCH) == tip_of(12)
        assert await read_all(store) == CHAIN


async def test_damage_found_while_reading_is_healed_the_same_way() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN)
        data = machine.files["."][part_path(NAME, 0)].current
        data[data.index(CHAIN[4]) + 30] ^= 8
        with pytest.raises(Damaged, match="journal-damaged"):
            await store.read(NAMESPACE, EPOCH, 4, 1)
        assert await store.tail(NAMESPACE, EPOCH) == tip_of(4)
        await store.append(NAMESPACE, EPOCH, 4, CHAIN[4:])
        assert await read_all(store) == CHAIN


async def test_an_opening_that_is_damaged_among_the_entries_stands_in_the_state_as_well() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN)
    data = file_of(machine)
    data[data.index(OPENING) + 30] ^= 8
    async with running(machine) as store:
        assert await store.opening(NAMESPACE, EPOCH) == OPENING
        assert await read_all(store) == CHAIN


@pytest.mark.parametrize("lost_bytes", [1, 300, 2_000])
async def test_a_truncated_copy_goes_on_from_what_is_left(lost_bytes: int) -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN)
    del file_of(machine)[-lost_bytes:]
    async with running(machine) as store:
        length, _ = await store.tail(NAMESPACE, EPOCH)
        assert length < 12
        await store.append(NAMESPACE, EPOCH, length, CHAIN[length:])
        assert await read_all(store) == CHAIN


async def test_after_a_failed_sync_entries_go_to_another_part() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN[:3])
        machine.sync_errors = [errno.EIO]
        assert await store.append(NAMESPACE, EPOCH, 3, CHAIN[3:6]) == tip_of(6)
        machine.sync_errors = [errno.EIO, errno.EIO]
        with pytest.raises(Unavailable, match="store-failing"):
            await store.append(NAMESPACE, EPOCH, 6, CHAIN[6:])
        assert await store.tail(NAMESPACE, EPOCH) == tip_of(6)
        await store.append(NAMESPACE, EPOCH, 6, CHAIN[6:])
        assert await read_all(store) == CHAIN
    async with running(machine) as store:
        assert await read_all(store) == CHAIN


@pytest.mark.parametrize("seed", range(20))
async def test_the_ruins_of_a_failed_append_never_win_over_what_was_acknowledged(seed: int) -> None:
    """The failed entries may be on the disk after all; the writer went on with others, and those count."""
    machine = Machine(seed)
    others = CHAIN[:3] + TENANT.chain(4, start=tip_of(3), tag="other")
    async with running(machine) as store:
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN[:3])
        (machine.write_errors if seed % 2 else machine.sync_errors)[:] = [errno.EIO, errno.EIO]
        with pytest.raises(Unavailable, match="store-failing"):
            await store.append(NAMESPACE, EPOCH, 3, CHAIN[3:])
        machine.write_errors = []
        await store.append(NAMESPACE, EPOCH, 3, others[3:])
        machine.crash()
    async with running(machine) as store:
        assert await read_all(store) == others


async def test_a_full_disk_refuses_and_keeps_what_it_has() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        machine.write_errors = [errno.ENOSPC]
        with pytest.raises(Unavailable, match="store-full"):
            await store.prepare(OPENING)
        assert store.epochs() == ()
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN[:3])
        machine.write_errors = [errno.ENOSPC]
        with pytest.raises(Unavailable, match="store-full"):
            await store.append(NAMESPACE, EPOCH, 3, CHAIN[3:])
        assert await read_all(store) == CHAIN[:3]
        await store.append(NAMESPACE, EPOCH, 3, CHAIN[3:])
        assert await read_all(store) == CHAIN


async def one_life(machine: Machine, acknowledged: int) -> int:
    """Append to the journal until the crash; how many entries are acknowledged by then."""
    done = acknowledged
    try:
        async with running(machine) as store:
            await begin(store)
            length, _ = await store.tail(NAMESPACE, EPOCH)
            assert length >= acknowledged
            assert await read_all(store) == CHAIN[:length]
            done = length
            while done < len(CHAIN):
                count = machine.random.randrange(1, 4)
                done = (await store.append(NAMESPACE, EPOCH, done, CHAIN[done : done + count])).length
    except (BaseExceptionGroup, Crash) as error:
        others = error.split(Crash)[1] if isinstance(error, BaseExceptionGroup) else None
        if others is not None:
            raise others from None
    return done


async def many_lives(seed: int) -> None:
    machine = Machine(seed)
    acknowledged = 0
    for _ in range(8):
        machine.crash_at = machine.operations + machine.random.randrange(3, 14)
        acknowledged = await one_life(machine, acknowledged)
        machine.crash()
    assert await one_life(machine, acknowledged) == len(CHAIN)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_acknowledged_entries_survive_any_crash(seed: int) -> None:
    trio.run(partial(many_lives, seed))


async def test_what_entries_take_of_the_disk_is_known_also_before_they_are_read() -> None:
    machine = Machine(1)
    async with running(machine) as store:
        await begin(store)
        assert store.stored_bytes(NAMESPACE) == 0
        await store.append(NAMESPACE, EPOCH, 0, CHAIN)
        taken_bytes = store.stored_bytes(NAMESPACE)
        assert taken_bytes == len(file_of(machine)) > sum(map(len, CHAIN))
    async with running(machine) as store:
        assert store.stored_bytes(NAMESPACE) == taken_bytes
        await store.tail(NAMESPACE, EPOCH)
        assert store.stored_bytes(NAMESPACE) == taken_bytes
        await store.release_below(NAMESPACE, EPOCH + 1)
        assert store.stored_bytes(NAMESPACE) == 0


async def test_a_disk_that_cannot_be_read_is_failing_and_ends_nothing() -> None:
    world = World(1)
    sick = False

    def read() -> None:
        if sick:
            raise OSError(errno.EIO, "the disk errs")

    world.faults("n1").on("disk.read", read)
    async with trio.open_nursery() as nursery:
        store = JournalStore(world.host("n1"))
        await nursery.start(store.run)
        await begin(store)
        await store.append(NAMESPACE, EPOCH, 0, CHAIN[:3])
        sick = True
        with pytest.raises(Unavailable, match="store-failing"):
            await store.read(NAMESPACE, EPOCH, 0, 4_000)
        sick = False
        assert await read_all(store) == list(CHAIN[:3])
        nursery.cancel_scope.cancel()


async def test_a_long_copy_is_not_held_in_memory_while_it_is_read_back() -> None:
    chain, machine = ALPHA.chain(FIRST, START, 24, inline_bytes=256 * KIB), Machine(1)
    async with running(machine) as store:
        await store.prepare(encode_opening(FIRST))
        await store.open(encode_opening(FIRST))
        for at, entry in enumerate(chain):
            await store.append(FIRST.namespace, FIRST.epoch, at, [entry])
    async with running(machine) as store:
        tracemalloc.start()
        try:
            assert (await store.tail(FIRST.namespace, FIRST.epoch)).length == len(chain)
            _now, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most_bytes < 2 * MIB
