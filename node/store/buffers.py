"""Buffers that are used again: for a megabyte, a fresh one costs more than reading into it."""

from __future__ import annotations

import threading
from typing import Final

from protocol.limits import KIB, MIB

_STEP_BYTES: Final = 64 * KIB
KEPT_BYTES_MAX: Final = 16 * MIB


class BufferPool:
    """Keeps a bounded number of bytes in buffers that somebody gave back. For any thread."""

    def __init__(self, *, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._kept_bytes_max = kept_bytes_max
        self._turn = threading.Lock()
        self._kept: dict[int, list[bytearray]] = {}
        self._kept_bytes = 0

    def take(self, size_bytes: int) -> bytearray:
        """At least `size_bytes`, holding anything."""
        step = -(-size_bytes // _STEP_BYTES) * _STEP_BYTES
        with self._turn:
            buffers = self._kept.get(step)
            if buffers:
                self._kept_bytes -= step
                return buffers.pop()
        return bytearray(step)

    def give(self, buffer: bytearray) -> None:
        """The giver and everybody it lent the buffer to must never touch it again."""
        with self._turn:
            if self._kept_bytes + len(buffer) <= self._kept_bytes_max:
                self._kept.setdefault(len(buffer), []).append(buffer)
                self._kept_bytes += len(buffer)
