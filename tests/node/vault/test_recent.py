"""What was read is kept in memory for the next one, and read once for those who come together."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.vault.recent import KEPT_BYTES_MAX, RecentReads
from protocol.coding.label import Stamp
from protocol.errors import Unavailable
from protocol.ids import BlockId, NamespaceId

PHOTOS, VIDEOS = NamespaceId(b"p" * 32), NamespaceId(b"v" * 32)


class Disk:
    """Entries that take a second to read. `broken`: so many reads fail first."""

    def __init__(self, size_bytes: int = 10, broken: int = 0) -> None:
        self.reads: list[Stamp] = []
        self._size_bytes = size_bytes
        self._broken = broken

    async def by(self, recent: RecentReads, namespace: NamespaceId, stamp: Stamp) -> bytes:
        """The entry at this place, from what is kept or from here."""
        return await recent.of((namespace, stamp.epoch, stamp.position), self.read, stamp)

    async def read(self, stamp: Stamp) -> bytes:
        self.reads.append(stamp)
        await trio.sleep(1)
        if self._broken:
            self._broken -= 1
            raise Unavailable("entry-unreadable", position=stamp.position)
        return bytes([stamp.position]) * self._size_bytes


async def test_an_entry_is_read_once_for_all_who_want_it(autojump_clock: MockClock) -> None:
    disk, recent = Disk(), RecentReads()
    found = []

    async def want() -> None:
        found.append(await disk.by(recent, PHOTOS, Stamp(1, 7)))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(want)
    await want()
    assert found == [b"\x07" * 10] * 6
    assert disk.reads == [Stamp(1, 7)]


async def test_entries_of_different_epochs_are_different(autojump_clock: MockClock) -> None:
    disk, recent = Disk(), RecentReads()
    await disk.by(recent, PHOTOS, Stamp(1, 7))
    await disk.by(recent, PHOTOS, Stamp(2, 7))
    assert disk.reads == [Stamp(1, 7), Stamp(2, 7)]


async def test_namespaces_share_the_memory_and_nothing_else(autojump_clock: MockClock) -> None:
    photos, videos, recent = Disk(KEPT_BYTES_MAX // 2), Disk(KEPT_BYTES_MAX // 2 + 1), RecentReads()
    assert len(await photos.by(recent, PHOTOS, Stamp(1, 7))) == KEPT_BYTES_MAX // 2
    assert len(await videos.by(recent, VIDEOS, Stamp(1, 7))) == KEPT_BYTES_MAX // 2 + 1
    await videos.by(recent, VIDEOS, Stamp(1, 7))
    await photos.by(recent, PHOTOS, Stamp(1, 7))
    assert (len(photos.reads), len(videos.reads)) == (2, 1)


async def test_whoever_waited_for_a_read_that_failed_reads_for_itself(autojump_clock: MockClock) -> None:
    disk, recent = Disk(broken=1), RecentReads()
    found: list[object] = []

    async def want() -> None:
        try:
            found.append(await disk.by(recent, PHOTOS, Stamp(1, 7)))
        except Unavailable as error:
            found.append(error.identifier)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(want)
        nursery.start_soon(want)
    assert found == ["entry-unreadable", b"\x07" * 10]


async def test_whoever_waited_for_a_read_that_was_cancelled_reads_for_itself(autojump_clock: MockClock) -> None:
    disk, recent = Disk(), RecentReads()
    impatient = trio.CancelScope(deadline=trio.current_time() + 0.5)

    async def give_up() -> None:
        with impatient:
            await disk.by(recent, PHOTOS, Stamp(1, 7))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        await trio.testing.wait_all_tasks_blocked()
        assert await disk.by(recent, PHOTOS, Stamp(1, 7)) == b"\x07" * 10
    assert impatient.cancelled_caught


async def test_an_entry_and_a_pack_are_told_apart_and_share_the_memory(autojump_clock: MockClock) -> None:
    disk, recent, pack = Disk(KEPT_BYTES_MAX // 2), RecentReads(), (PHOTOS, BlockId(b"b" * 32))
    await disk.by(recent, PHOTOS, Stamp(1, 7))
    assert pack not in recent
    assert await recent.of(pack, disk.read, Stamp(0, 9)) == b"\x09" * (KEPT_BYTES_MAX // 2)
    assert pack in recent
    await disk.by(recent, PHOTOS, Stamp(1, 8))
    await disk.by(recent, PHOTOS, Stamp(1, 9))
    assert pack not in recent


@pytest.mark.parametrize(("size_bytes", "kept"), [(KEPT_BYTES_MAX // 4, 4), (KEPT_BYTES_MAX + 1, 1)])
async def test_the_entries_read_last_are_kept_within_the_bound(
    size_bytes: int, kept: int, autojump_clock: MockClock
) -> None:
    disk, recent = Disk(size_bytes), RecentReads()
    stamps = [Stamp(1, position) for position in range(6)]
    for stamp in stamps:
        await disk.by(recent, PHOTOS, stamp)
    for stamp in reversed(stamps[-kept:]):
        await disk.by(recent, PHOTOS, stamp)
    assert disk.reads == stamps
    await disk.by(recent, PHOTOS, stamps[-kept - 1])
    assert disk.reads == [*stamps, stamps[-kept - 1]]
