"""The vault's only big buffers: a fixed number of block-sized desks, lent to puts and gets.

Memory is bounded by construction: whoever wants to work on a block waits for a desk, and there are
`blocks_in_flight` desks for all puts and gets together, whatever clients ask. A desk keeps its buffers when it is
given back, because fresh megabyte buffers cost more than the cipher.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from protocol.coding.block import Workspace
from protocol.limits import BLOCK_PLAIN_BYTES_MAX


class Desk:
    """Room to work on one block: its plain bytes, and a workspace for its shares at the code in use."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(BLOCK_PLAIN_BYTES_MAX))
        self._workspace: Workspace | None = None

    def workspace(self, k: int, n: int) -> Workspace:
        """The workspace for this code; one code at a time, as a federation seldom uses two."""
        if self._workspace is None or (self._workspace.k, self._workspace.n) != (k, n):
            self._workspace = Workspace(k, n)
        return self._workspace


class Desks:
    """Lends `count` desks. First come, first served."""

    def __init__(self, count: int) -> None:
        self._free: list[Desk] = []
        self._limit = trio.CapacityLimiter(count)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """A desk for the length of the block."""
        # Borrowed on behalf of an object of its own: one task may hold several desks (read-ahead).
        borrower = object()
        await self._limit.acquire_on_behalf_of(borrower)
        desk = self._free.pop() if self._free else Desk()
        try:
            yield desk
        finally:
            self._free.append(desk)
            self._limit.release_on_behalf_of(borrower)
