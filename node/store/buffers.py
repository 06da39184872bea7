"""Buffers that are used again, each beginning at a memory page.

For a megabyte, a fresh buffer costs more than reading into it. And what begins at a page, in memory as in the file,
can go between disk and buffer around the page cache: a share is written once and seldom read, so the cache would only
spend memory and a copy on it.
"""

from __future__ import annotations

import threading
from typing import Final

from node.host.direct import fresh_pages
from node.store.volume import rounded
from protocol.limits import KIB, MIB

_SIZE_STEP_BYTES: Final = 64 * KIB
KEPT_BYTES_MAX: Final = 16 * MIB


class BufferPool:
    """Keeps a bounded number of bytes in buffers that somebody gave back. For any thread."""

    def __init__(self, *, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._kept_bytes_max = kept_bytes_max
        self._turn = threading.Lock()
        self._kept: dict[int, list[memoryview]] = {}
        self._kept_bytes = 0

    def take(self, size_bytes: int) -> memoryview:
        """A buffer of at least `size_bytes`, holding anything."""
        size_bytes = rounded(max(size_bytes, 1), _SIZE_STEP_BYTES)
        with self._turn:
            buffers = self._kept.get(size_bytes)
            if buffers:
                self._kept_bytes -= size_bytes
                return buffers.pop()
        return fresh_pages(size_bytes)

    def give(self, buffer: memoryview) -> None:
        """Give back what `take` returned. Nobody may touch it, or a view of it, any more."""
        with self._turn:
            if self._kept_bytes + len(buffer) <= self._kept_bytes_max:
                self._kept.setdefault(len(buffer), []).append(buffer)
                self._kept_bytes += len(buffer)
