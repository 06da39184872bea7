"""Whose turn it is to have a large buffer: so many in all, and so many for each peer.

What a node spends on serving others is bounded whatever they send, and one peer that is slow, or wants to be, uses up
its own turns and nobody else's. `in_time` is the other half of that: whoever has a turn and does not send, or does
not take what it asked for, loses it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from protocol.errors import Unavailable
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
        await _acquire(own, holder)
        try:
            await _acquire(self._all, holder)
            try:
                yield
            finally:
                self._all.release_on_behalf_of(holder)
        finally:
            own.release_on_behalf_of(holder)
            if not own.borrowed_tokens and not own.statistics().tasks_waiting:
                self._each.pop(peer, None)


async def _acquire(limiter: trio.CapacityLimiter, holder: object) -> None:
    """Without the scheduling round that trio's own costs where nobody has to wait."""
    try:
        limiter.acquire_on_behalf_of_nowait(holder)
    except trio.WouldBlock:
        await limiter.acquire_on_behalf_of(holder)


@contextmanager
def in_time(limit_s: float, size_bytes: int) -> Iterator[None]:
    """Raises Unavailable(`payload-slow`) when the peer has not sent or taken so many bytes within `limit_s`."""
    with trio.move_on_after(limit_s) as patience:
        yield
    if patience.cancelled_caught:
        raise Unavailable("payload-slow", size_bytes=size_bytes)
