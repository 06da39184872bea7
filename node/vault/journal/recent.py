"""The inline bytes of entries that were read last, kept in memory.

An entry carries what many callers put at the same time, and to get one object of it costs a thread, a read and a
checksum over all of it. Objects that were put together are often read together, so the entry is kept for the next
ones; those who want it while it is being read wait for the one who reads it. What is acknowledged at a place never
changes, so nothing here can be outdated, and nothing needs to be told of new entries. Seals are checked by whoever
opens an object, each time.

All namespaces of a gateway share the memory, so that one that is read much has what the others do not need, and a
gateway of many namespaces needs no more than one of few.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from protocol import limits
from protocol.coding.label import Stamp
from protocol.ids import NamespaceId

KEPT_BYTES_MAX: Final = 32 * limits.MIB

# A namespace, epoch and position: a stamp would be dear to hash.
_Place = tuple[NamespaceId, int, int]


class RecentInline:
    """For all namespaces; at most `KEPT_BYTES_MAX`, but always the last entry."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Place, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._reading: dict[_Place, trio.Event] = {}

    async def of(self, namespace: NamespaceId, stamp: Stamp, read: Callable[[Stamp], Awaitable[bytes]]) -> bytes:
        """The inline bytes of the entry at `stamp`, by `read` unless they are here. Raises what `read` raises."""
        place = namespace, stamp.epoch, stamp.position
        while (found := self._kept.get(place)) is None:
            reading = self._reading.get(place)
            if reading is None:
                return await self._read(place, read(stamp))
            await reading.wait()
        self._kept.move_to_end(place)
        return found

    async def _read(self, place: _Place, reading: Awaitable[bytes]) -> bytes:
        """Read it for all who want it; when that fails, or is cancelled, each of the others tries for itself."""
        done = self._reading[place] = trio.Event()
        try:
            found = await reading
        finally:
            del self._reading[place]
            done.set()
        self._keep(place, found)
        return found

    def _keep(self, place: _Place, found: bytes) -> None:
        self._kept[place] = found
        self._kept_bytes += len(found)
        while self._kept_bytes > KEPT_BYTES_MAX and len(self._kept) > 1:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])
