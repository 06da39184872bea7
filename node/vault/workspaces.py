"""The vault's only big buffers: a fixed number of block-sized desks, lent to puts and gets.

Memory is bounded by construction: whoever wants to work on a block waits for a desk, and there are
`blocks_in_flight` desks for all puts and gets together, whatever clients ask. A desk keeps its buffers when it is
given back, because fresh megabyte buffers cost more than the cipher. Buffers begin at pages, and so do the shares of
a full block: this node's own goes to the disk as it lies there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from node.host.direct import fresh_pages
from protocol.coding.block import Workspace
from protocol.limits import BLOCK_PLAIN_BYTES_MAX

# Blocks that are worked on in one go, so that their shares can travel together to and from the same holders.
BLOCKS_PER_FLIGHT = 4


class Desk:
    """Room to work on one block: its plain bytes, and a workspace for its shares at the code in use."""

    def __init__(self) -> None:
        self.plain = fresh_pages(BLOCK_PLAIN_BYTES_MAX)
        self._workspace: Workspace | None = None

    def workspace(self, k: int, n: int) -> Workspace:
        """The workspace for this code; one code at a time, as a federation seldom uses two."""
        if self._workspace is None or (self._workspace.k, self._workspace.n) != (k, n):
            self._workspace = Workspace(k, n, make_room=fresh_pages)
        return self._workspace


class Loan:
    """Desks that one task has. It may ask for more, but never waits for more: nobody holds one desk for another."""

    def __init__(self, desks: Desks, first: Desk) -> None:
        self._desks = desks
        self.held = [first]

    def more(self) -> Desk | None:
        """One desk more, if one is free now."""
        desk = self._desks.take_now()
        if desk is not None:
            self.held.append(desk)
        return desk


class SetsOfDesks:
    """Lends one of `count` sets of desks at a time, for who must not wait for the desks of others."""

    def __init__(self, count: int, desks_each: int) -> None:
        self._free = [Desks(desks_each) for _ in range(count)]
        self._slots = trio.Semaphore(count)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Desks]:
        """A set for the length of the block."""
        async with self._slots:
            desks = self._free.pop()
            try:
                yield desks
            finally:
                self._free.append(desks)


class Desks:
    """Lends `count` desks. First come, first served."""

    def __init__(self, count: int) -> None:
        self._free: list[Desk] = []
        self._slots = trio.Semaphore(count)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """A desk for the length of the block."""
        async with self.loan() as loan:
            yield loan.held[0]

    @asynccontextmanager
    async def loan(self) -> AsyncIterator[Loan]:
        """A desk, and later perhaps more, for the length of the block."""
        await self._slots.acquire()
        loan = Loan(self, self._take())
        try:
            yield loan
        finally:
            for desk in loan.held:
                self._free.append(desk)
                self._slots.release()

    def take_now(self) -> Desk | None:
        """A desk that is free now, for a loan."""
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            return None
        return self._take()

    def _take(self) -> Desk:
        return self._free.pop() if self._free else Desk()
