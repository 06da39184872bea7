"""Whose turn it is to have a large buffer: so many in all, and so many for each peer.

What a node spends on serving others is bounded whatever they send, and one peer that is slow, or wants to be, uses up
its own turns and nobody else's. `in_time` is the other half of that: whoever has a turn and does not send, or does
not take what it asked for, loses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from node.taking import take_turn
from protocol.errors import Unavailable
from protocol.ids import NodeId


class Turns:
    """`most` at a time, `most_each` of them for one peer; the others wait in the order in which they came."""

    def __init__(self, *, most: int, most_each: int) -> None:
        self._all = trio.Semaphore(most)
        self._most_each = most_each
        self._each: dict[NodeId | None, trio.Semaphore] = {}

    @property
    def peers(self) -> frozenset[NodeId | None]:
        """Who has a turn, or waits for one."""
        return frozenset(self._each)

    def of(self, peer: NodeId | None) -> Turn:
        """Wait for the peer's turn, and keep it until the end of the block."""
        return Turn(self, peer)

    async def take(self, peer: NodeId | None) -> None:
        """Wait for the peer's turn; whoever has it must give it back."""
        own = self._each.get(peer)
        if own is None:
            own = self._each[peer] = trio.Semaphore(self._most_each)
        await take_turn(own)
        try:
            await take_turn(self._all)
        except BaseException:
            self._give_own(peer, own)
            raise

    def give(self, peer: NodeId | None) -> None:
        """Let the next one have it."""
        self._all.release()
        self._give_own(peer, self._each[peer])

    def _give_own(self, peer: NodeId | None, own: trio.Semaphore) -> None:
        own.release()
        if own.value == self._most_each:  # then nobody has one, or waits for one
            del self._each[peer]


class Turn:
    """A block under a peer's turn. No generator, as every request has one."""

    __slots__ = ("_peer", "_turns")

    def __init__(self, turns: Turns, peer: NodeId | None) -> None:
        self._turns = turns
        self._peer = peer

    async def __aenter__(self) -> None:
        await self._turns.take(self._peer)

    async def __aexit__(self, *_error: object) -> None:
        self._turns.give(self._peer)


@contextmanager
def in_time(limit_s: float, size_bytes: int) -> Iterator[None]:
    """Raises Unavailable(`payload-slow`) when the peer has not sent or taken so many bytes within `limit_s`."""
    with trio.move_on_after(limit_s) as patience:
        yield
    if patience.cancelled_caught:
        raise Unavailable("payload-slow", size_bytes=size_bytes)
