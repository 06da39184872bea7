"""Whose turn it is to have a large buffer: so many in all, and so many for each peer.

What a node spends on serving others is bounded whatever they send, and one peer that is slow, or wants to be, uses up
its own turns and nobody else's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from protocol.ids import NodeId


class Turns:
    """`most` at a time, `most_each` of them for one peer; the others wait in the order in which they came."""

    def __init__(self, *, most: int, most_each: int) -> None:
        self._all = trio.CapacityLimiter(most)
        self._most_each = most_each
        self._each: dict[NodeId | None, trio.CapacityLimiter] = {}

    @asynccontextmanager
    async def of(self, peer: NodeId | None) -> AsyncIterator[None]:
        """Wait for the peer's turn, and keep it until the end of the block."""
        own = self._each.setdefault(peer, trio.CapacityLimiter(self._most_each))
        holder = object()
        await own.acquire_on_behalf_of(holder)
        try:
            await self._all.acquire_on_behalf_of(holder)
            try:
                yield
            finally:
                self._all.release_on_behalf_of(holder)
        finally:
            own.release_on_behalf_of(holder)
            if not own.borrowed_tokens and not own.statistics().tasks_waiting:
                self._each.pop(peer, None)
