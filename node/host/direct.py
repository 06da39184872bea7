"""Around the page cache: bytes that are written once and seldom read need not live in the kernel's memory.

Through the cache each page costs a copy, and on a machine that gives unused memory back to its hypervisor, a fault of
several microseconds as well: measured there, writing 1 MiB and syncing cost 2.5 times the CPU of its BLAKE2b through
fresh pages of the cache, 0.3 through warm ones, 0.12 around it; reading 1.8, 0.06 and 0.08.

A call goes around the cache when it begins at a page of the file and has whole pages, and its parts begin at pages of
memory and have whole sectors. (A disk whose sectors are larger refuses: then the call goes the other way.) Linux
keeps both ways coherent, so a caller need not know which one its call took.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Sequence
from typing import Final

from node.host.ports import Buffer

PAGE_BYTES: Final = 4096
_SECTOR_BYTES: Final = 512


def fresh_pages(size_bytes: int) -> memoryview:
    """New memory that begins at a page. Private: what processes could share costs more to touch for the first time.

    Small pages, on purpose: once touched, large ones were no quicker, and on a machine whose hypervisor takes back
    what is free, each large page cost it milliseconds to give, several times what its small ones cost.
    """
    return memoryview(mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def begins_at_page(buffer: Buffer) -> bool:
    """Does it? Of read-only buffers nobody says where they are: no."""
    view = memoryview(buffer)
    if view.readonly or not view.contiguous or not view.nbytes:
        return False
    return ctypes.addressof(ctypes.c_char.from_buffer(view)) % PAGE_BYTES == 0


def can_go_direct(offset: int, parts: Sequence[Buffer]) -> bool:
    """May this read or write go around the cache?"""
    sizes = [memoryview(part).nbytes for part in parts]
    whole = offset % PAGE_BYTES == 0 and sum(sizes) % PAGE_BYTES == 0
    return whole and all(size % _SECTOR_BYTES == 0 for size in sizes) and all(map(begins_at_page, parts))


def open_direct(descriptor: int) -> int:
    """The same file once more, for calls around the cache; -1 where the system or the file system cannot."""
    flag = getattr(os, "O_DIRECT", 0)
    if not flag:
        return -1
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC | flag)
    except OSError:
        return -1
