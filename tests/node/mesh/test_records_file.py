"""The records file: durable on return, and never worse than its good entries."""

from __future__ import annotations

import errno
from pathlib import PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.host.ports import Host
from node.mesh.join import keep
from node.mesh.records_file import MAGIC, RECORDS_PATH, WASTE_BYTES_MIN, RecordsFile, open_records
from protocol.errors import Damaged
from protocol.members.records import Record
from protocol.members.view import View
from sim.host.scheduling import run_deterministically
from sim.host.world import World
from tests.support.members import Founded, Party, found, introduced

FOUNDED: Founded = found(Party(1), ("n1:1",))
RECORDS: tuple[Record, ...] = (
    *FOUNDED.records,
    *introduced(FOUNDED, Party(2), ("n2:1",)),
    *introduced(FOUNDED, Party(3), ("n3:1",)),
)


async def opened(host: Host) -> tuple[RecordsFile, View]:
    return await open_records(host, FOUNDED.federation)


async def written(host: Host) -> bytes:
    """A file with all records, and its bytes."""
    records_file, view = await opened(host)
    await keep(records_file, view, RECORDS)
    return host.disk.read(RECORDS_PATH, size_bytes_max=2**20)


def test_what_was_appended_is_there_after_a_power_failure() -> None:
    async def main() -> None:
        world = World(1)
        await written(world.host("a"))
        world.cut_power("a")
        _, view = await opened(world.host("a"))
        assert len(view) == len(RECORDS)
        assert len(view.nodes()) == 3

    run_deterministically(1, main)


def test_a_first_start_makes_an_empty_view() -> None:
    async def main() -> None:
        host = World(1).host("a")
        _, view = await opened(host)
        assert len(view) == 0
        assert host.disk.read(RECORDS_PATH, size_bytes_max=99) == MAGIC

    run_deterministically(1, main)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_file_cut_anywhere_keeps_the_entries_before_the_cut(cut: int) -> None:
    async def main() -> None:
        host = World(1).host("a")
        content = await written(host)
        size = cut % len(content)
        host.disk.replace(RECORDS_PATH, content[:size])
        records_file, view = await opened(host)
        whole = len(view)
        assert whole <= len(RECORDS)
        await keep(records_file, view, RECORDS)
        _, again = await opened(host)
        assert again.ids() == view.ids()
        assert len(again) == len(RECORDS)

    run_deterministically(1, main)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_costs_what_it_hit_and_is_never_believed(position: int, bit: int) -> None:
    async def main() -> None:
        host = World(1).host("a")
        content = bytearray(await written(host))
        _, whole = await opened(host)
        content[position % len(content)] ^= 1 << bit
        host.disk.replace(RECORDS_PATH, bytes(content))
        records_file, view = await opened(host)
        assert set(view.ids()) <= set(whole.ids())
        await keep(records_file, view, RECORDS)
        _, again = await opened(host)
        assert again.ids() == whole.ids()

    run_deterministically(1, main)


def test_a_spoilt_record_does_not_take_those_after_it_along() -> None:
    async def main() -> None:
        host = World(1).host("a")
        content = bytearray(await written(host))
        content[-50] ^= 1  # within the last entry
        host.disk.replace(RECORDS_PATH, bytes(content))
        _, view = await opened(host)
        assert len(view) == len(RECORDS) - 1

    run_deterministically(1, main)


def test_a_foreign_file_is_replaced_not_trusted() -> None:
    async def main() -> None:
        host = World(1).host("a")
        host.disk.replace(RECORDS_PATH, b"something else altogether")
        records_file, view = await opened(host)
        assert len(view) == 0
        await keep(records_file, view, RECORDS)
        assert host.disk.read(RECORDS_PATH, size_bytes_max=2**20)[: len(MAGIC)] == MAGIC
        _, again = await opened(host)
        assert len(again) == len(RECORDS)

    run_deterministically(1, main)


def test_records_superseded_many_times_do_not_fill_the_disk() -> None:
    async def main() -> None:
        host = World(1).host("a")
        records_file, view = await opened(host)
        await keep(records_file, view, FOUNDED.records)
        for counter in range(2, 600):
            await keep(records_file, view, [Party(1).node_card(FOUNDED.federation, counter=counter)])
        grown = len(host.disk.read(RECORDS_PATH, size_bytes_max=2**24))
        assert grown < 2 * WASTE_BYTES_MIN
        _, again = await opened(host)
        assert again.ids() == view.ids()
        assert len(again) == len(FOUNDED.records)

    run_deterministically(1, main)


def test_a_failed_sync_is_said_and_the_next_append_writes_everything_anew() -> None:
    async def main() -> None:
        world = World(1)
        host = world.host("a")
        records_file, view = await opened(host)
        await keep(records_file, view, RECORDS[:3])
        file = records_file._file
        broken = _BrokenSync(file)
        records_file._file = broken  # type: ignore[assignment]
        with pytest.raises(Damaged, match="records-unwritten"):
            await keep(records_file, view, RECORDS[3:6])
        await keep(records_file, view, RECORDS[6:])
        world.cut_power("a")
        _, again = await opened(world.host("a"))
        assert len(again) == len(RECORDS)

    run_deterministically(1, main)


class _BrokenSync:
    """A file whose disk refuses to sync."""

    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def sync(self) -> None:
        raise OSError(errno.EIO, "input/output error")


def test_the_path_is_the_documented_one() -> None:
    assert PurePath("records") == RECORDS_PATH
