"""What was read last, kept in memory: inline bytes of the journal's entries, and opened packs.

Either carries what many callers put at about the same time, and what is put together is often read together. To get
one object of an entry costs a thread, a read and a checksum over all of it; a pack has to be gathered from other
members. So what was read is kept for the next ones, and those who want it while it is being read wait for the one who
reads it. What is acknowledged at a place never changes, so nothing here can be outdated, and nothing needs to be told
of anything new. Seals are checked by whoever opens an object, each time.

All namespaces of a gateway share one memory, so that what is read much has what other things do not need, and a
gateway of many namespaces needs no more than one of few.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from protocol import limits
from protocol.ids import BlockId, NamespaceId

KEPT_BYTES_MAX: Final = 48 * limits.MIB

# An entry, by its epoch and position (a stamp would be dear to hash), or a pack.
Place = tuple[NamespaceId, int, int] | tuple[NamespaceId, BlockId]

W = TypeVar("W")


class RecentReads:
    """For all namespaces; at most `KEPT_BYTES_MAX`, but always what came last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Place, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._reading: dict[Place, trio.Event] = {}

    def __contains__(self, place: Place) -> bool:
        """Whether it is kept now."""
        return place in self._kept

    async def of(self, place: Place, read: Callable[[W], Awaitable[bytes]], what: W) -> bytes:
        """What is at a place: from here, or by `read(what)`. Raises what `read` raises."""
        while (found := self._kept.get(place)) is None:
            reading = self._reading.get(place)
            if reading is None:
                return await self._read(place, read(what))
            await reading.wait()
        self._kept.move_to_end(place)
        return found

    async def _read(self, place: Place, reading: Awaitable[bytes]) -> bytes:
        """Read it for all who want it; when that fails, or is cancelled, each of the others tries for itself."""
        done = self._reading[place] = trio.Event()
        try:
            found = await reading
        finally:
            del self._reading[place]
            done.set()
        self._keep(place, found)
        return found

    def _keep(self, place: Place, found: bytes) -> None:
        self._kept[place] = found
        self._kept_bytes += len(found)
        while self._kept_bytes > KEPT_BYTES_MAX and len(self._kept) > 1:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])
