"""A file that the asker has open, written by the node: whole pages at once, the rest gathered, and nothing lost."""

from __future__ import annotations

import random
from pathlib import Path, PurePath

import pytest

from node.admin.object_calls import SharedFile
from node.admin.shared import GATHER_BYTES, OpenedFile
from node.host.direct import PAGE_BYTES, fresh_pages
from node.host.faults import NoFaults
from node.host.files import RealDisk
from node.host.ports import File
from protocol.limits import BLOCK_PLAIN_BYTES
from sim.host.world import World


class Watched:
    """Counts the writes of a file."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.writes: list[tuple[int, int]] = []

    def write(self, offset: int, parts: list[memoryview]) -> None:
        self.writes.append((offset, sum(map(len, parts))))
        self.file.write(offset, parts)


def paged(data: bytes) -> memoryview:
    view = fresh_pages(max(1, len(data)))[: len(data)]
    view[:] = data
    return view


async def written(path: Path, flights: list[list[int]]) -> list[tuple[int, int]]:
    """Write parts of these sizes, checked; the writes that it took."""
    numbers = random.Random(7)
    file = Watched(RealDisk(path, NoFaults()).open(PurePath("file")))
    transfers = {b"t": 0}
    shared = SharedFile(process_id=1, descriptor=1, device=1, inode=1, offset=0, transfer=b"t")
    opened = OpenedFile(file, shared, World(seed=1).host("node").threads, transfers)
    expected = b""
    for sizes in flights:
        parts = [paged(numbers.randbytes(size)) for size in sizes]
        expected += b"".join(parts)
        await opened.write(parts)
    await opened.finish()
    assert transfers == {b"t": len(expected)}
    assert (path / "file").read_bytes() == expected
    return file.writes


async def test_flights_of_full_blocks_are_written_as_they_come(tmp_path: Path) -> None:
    flight = [BLOCK_PLAIN_BYTES] * 4
    flight_bytes = sum(flight)
    writes = await written(tmp_path, [flight, flight, [1_000]])
    assert writes == [(0, flight_bytes), (flight_bytes, flight_bytes), (2 * flight_bytes, 1_000)]


@pytest.mark.parametrize(
    "flights", [[[5], [PAGE_BYTES], [PAGE_BYTES, 3]], [[PAGE_BYTES], [1], [GATHER_BYTES + 9, PAGE_BYTES]], [[], [0]]]
)
async def test_what_is_not_whole_pages_is_gathered(tmp_path: Path, flights: list[list[int]]) -> None:
    writes = await written(tmp_path, flights)
    assert all(offset % PAGE_BYTES == 0 for offset, _size in writes)
