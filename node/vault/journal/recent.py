"""The inline bytes of entries that were read last, kept in memory.

An entry carries what many callers put at the same time, and to get one object of it costs a thread, a read and a
checksum over all of it. Objects that were put together are often read together, so the entry is kept for the next
ones; those who want it while it is being read wait for the one who reads it. What is acknowledged at a place never
changes, so nothing here can be outdated, and nothing needs to be told of new entries. Seals are checked by whoever
opens an object, each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from protocol import limits
from protocol.coding.label import Stamp

KEPT_BYTES_MAX: Final = 8 * limits.MIB


class RecentInline:
    """For one namespace; at most `KEPT_BYTES_MAX`, but always the last entry."""

    def __init__(self) -> None:
        # By epoch and position: a stamp is dear to hash.
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._reading: dict[Stamp, trio.Event] = {}

    async def of(self, stamp: Stamp, read: Callable[[Stamp], Awaitable[bytes]]) -> bytes:
        """The inline bytes of the entry at `stamp`, by `read` unless they are here. Raises what `read` raises."""
        place = stamp.epoch, stamp.position
        while (found := self._kept.get(place)) is None:
            reading = self._reading.get(stamp)
            if reading is None:
                return await self._read(stamp, read)
            await reading.wait()
        self._kept.move_to_end(place)
        return found

    async def _read(self, stamp: Stamp, read: Callable[[Stamp], Awaitable[bytes]]) -> bytes:
        """Read it for all who want it; when that fails, or is cancelled, each of the others tries for itself."""
        done = self._reading[stamp] = trio.Event()
        try:
            found = await read(stamp)
        finally:
            del self._reading[stamp]
            done.set()
        self._keep(stamp, found)
        return found

    def _keep(self, stamp: Stamp, found: bytes) -> None:
        self._kept[stamp.epoch, stamp.position] = found
        self._kept_bytes += len(found)
        while self._kept_bytes > KEPT_BYTES_MAX and len(self._kept) > 1:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])
