"""Reads and writes around the page cache mix freely with ordinary ones."""

from __future__ import annotations

import mmap
from pathlib import Path, PurePath

import pytest

from node.host.direct import PAGE_BYTES, begins_at_page, can_go_direct, fresh_pages
from node.host.faults import NoFaults
from node.host.files import RealDisk
from node.host.ports import Buffer


def aligned(data: bytes) -> memoryview:
    view = memoryview(mmap.mmap(-1, max(len(data), 1)))[: len(data)]
    view[:] = data
    return view


def test_only_writable_buffers_that_begin_at_a_page_and_whole_pages_of_a_file_go_direct() -> None:
    page = aligned(b"x" * 2 * PAGE_BYTES)
    assert begins_at_page(page)
    assert not begins_at_page(page[1:])
    assert not begins_at_page(page.toreadonly())
    assert not begins_at_page(b"x" * PAGE_BYTES)
    assert can_go_direct(PAGE_BYTES, [page, page[PAGE_BYTES:]])
    assert not can_go_direct(1, [page])
    assert not can_go_direct(0, [page[:100]])
    assert can_go_direct(0, [page[: PAGE_BYTES - 512], page[:512]])
    assert not can_go_direct(0, [page[: PAGE_BYTES - 100], page[:100]])
    assert not can_go_direct(0, [page[:512]])
    assert not can_go_direct(0, [page, b"x" * PAGE_BYTES])


@pytest.mark.parametrize("size_bytes", [1, PAGE_BYTES, (2 << 20) - 1, (2 << 20) + 1])
def test_fresh_pages_are_as_many_bytes_as_were_asked_for_and_begin_at_a_page(size_bytes: int) -> None:
    pages = fresh_pages(size_bytes)
    assert len(pages) == size_bytes
    assert begins_at_page(pages)
    pages[-1] = 1
    assert not any(pages[:-1][:PAGE_BYTES])


@pytest.mark.parametrize("cut", [0, 1, PAGE_BYTES])
def test_what_either_way_wrote_either_way_reads(tmp_path: Path, cut: int) -> None:
    file = RealDisk(tmp_path, NoFaults()).open(PurePath("file"))
    content = bytes(range(256)) * 32
    parts: list[list[Buffer]] = [
        [aligned(content[:512]), aligned(content[512:])],
        [content],
        [aligned(content), content[:100], content[100:]],
    ]
    for number, one in enumerate(parts):
        file.write(number * len(content), one)
    file.sync()
    file.write(cut, [b"changed"])
    expected = bytearray(content * 4)
    expected[cut : cut + 7] = b"changed"
    for buffer in (aligned(bytes(len(expected))), memoryview(bytearray(len(expected)))):
        assert file.read_into(0, buffer) == len(expected)
        assert buffer == expected
    assert file.read_into(PAGE_BYTES, aligned(bytes(len(expected)))) == len(expected) - PAGE_BYTES
    for several in ([aligned(bytes(PAGE_BYTES)), aligned(bytes(len(expected)))], [memoryview(bytearray(9)), buffer]):
        assert file.read_into(0, *several) == len(expected)
        assert b"".join(several)[: len(expected)] == expected
    file.close()


def test_a_read_past_the_end_of_a_file_that_ends_in_mid_page_is_short(tmp_path: Path) -> None:
    file = RealDisk(tmp_path, NoFaults()).open(PurePath("file"))
    file.write(0, [b"x" * 5_000])
    buffer = aligned(bytes(2 * PAGE_BYTES))
    assert file.read_into(0, buffer) == 5_000
    assert file.read_into(PAGE_BYTES, buffer) == 5_000 - PAGE_BYTES
    assert file.read_into(2 * PAGE_BYTES, buffer) == 0
    file.close()
