"""Buffers that are used again, each beginning at a memory page.

For a megabyte, a fresh buffer costs more than reading into it. And what begins at a page, in memory as in the file,
can go between disk and buffer around the page cache: a share is written once and seldom read, so the cache would only
spend memory and a copy on it.

There are few sizes, each twice the one before, because what comes is of many: a buffer of just the size that was
asked for would seldom be asked for again. They are a quarter more than powers of two, as what comes is often a little
more than one. What is not touched of a buffer takes no memory.
"""

from __future__ import annotations

import threading
from typing import Final

from node.host.direct import fresh_pages
from protocol.limits import KIB, MIB

_SIZE_BYTES_MIN: Final = 80 * KIB
KEPT_BYTES_MAX: Final = 20 * MIB


class BufferPool:
    """Keeps a bounded number of bytes in buffers that somebody gave back, the latest ones. For any thread."""

    def __init__(self, *, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._kept_bytes_max = kept_bytes_max
        self._turn = threading.Lock()
        self._kept: list[memoryview] = []
        self._kept_bytes = 0

    def take(self, size_bytes: int) -> memoryview:
        """A buffer of at least `size_bytes`, holding anything."""
        steps = -(-size_bytes // _SIZE_BYTES_MIN)
        size_bytes = _SIZE_BYTES_MIN << max(0, steps - 1).bit_length()
        with self._turn:
            for place in reversed(range(len(self._kept))):
                if len(self._kept[place]) == size_bytes:
                    self._kept_bytes -= size_bytes
                    return self._kept.pop(place)
        return fresh_pages(size_bytes)

    def give(self, buffer: memoryview) -> None:
        """Give back what `take` returned. Nobody may touch it, or a view of it, any more."""
        with self._turn:
            self._kept.append(buffer)
            self._kept_bytes += len(buffer)
            while self._kept_bytes > self._kept_bytes_max:
                self._kept_bytes -= len(self._kept.pop(0))
