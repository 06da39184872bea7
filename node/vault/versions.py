"""The names of versions: each higher than all before it, so that versions of a key sort as they came.

A name is the epoch in which it was given, a count within it, and a few random bytes. Every start of a gateway begins
an epoch of its own, so no name comes twice, and a later writer's names are higher than an earlier one's. It must be
given in the order of the journal: whoever names a version has a turn at its key.
"""

from __future__ import annotations

from itertools import count
from typing import Final

from node.host.ports import Entropy

_EPOCH_BYTES: Final = 6
_COUNT_BYTES: Final = 6
_RANDOM_BYTES: Final = 4


class Versions:
    """Names versions for one run of one namespace's writer."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._count = count(1)

    def next(self, epoch: int) -> bytes:
        """The name for what is journaled next, in this epoch or later."""
        place = epoch.to_bytes(_EPOCH_BYTES, "big") + next(self._count).to_bytes(_COUNT_BYTES, "big")
        return place + self._entropy.random_bytes(_RANDOM_BYTES)
