"""Pins: the blocks that somebody at this gateway is reading or completing now, and the uploads under way.

An object may be replaced while it is read, and its blocks then have no reference left; but whoever began to read it
is to read it to the end. Only the gateway reads a namespace's blocks, so a count in memory is enough: what is pinned
is not released yet. An upload is known by its id, and never aborted while its put goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Pins:
    """How often each block or upload is pinned."""

    def __init__(self) -> None:
        self._held: Counter[bytes] = Counter()

    @contextmanager
    def hold(self, these: Iterable[bytes]) -> Iterator[None]:
        """Pin them for the length of the block."""
        held = tuple(these)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)
            for one in held:
                if not self._held[one]:
                    del self._held[one]

    def holds(self, one: bytes) -> bool:
        """Whether anybody has the block, or the upload, pinned."""
        return one in self._held
