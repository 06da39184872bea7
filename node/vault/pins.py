"""Pins: the blocks that somebody at this gateway is reading or completing now.

An object may be replaced while it is read, and its blocks then have no reference left; but whoever began to read it
is to read it to the end. Only the gateway reads a namespace's blocks, so a count in memory is enough: what is pinned
is not released yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from protocol.ids import BlockId


class Pins:
    """How often each block is pinned."""

    def __init__(self) -> None:
        self._held: Counter[BlockId] = Counter()

    @contextmanager
    def hold(self, blocks: Iterable[BlockId]) -> Iterator[None]:
        """Pin the blocks for the length of the block."""
        held = tuple(blocks)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)
            for block in held:
                if not self._held[block]:
                    del self._held[block]

    def holds(self, block: BlockId) -> bool:
        """Whether anybody has the block pinned."""
        return block in self._held
