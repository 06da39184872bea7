"""Independent streams of random numbers, one per purpose: what one part draws never shifts what another sees."""

from __future__ import annotations

import hashlib
import random


def stream(seed: int, *purpose: str) -> random.Random:
    """The generator for this purpose: the same in every process, whatever else is drawn."""
    name = "\x00".join((str(seed), *purpose)).encode()
    return random.Random(hashlib.sha256(name).digest())


class SeededEntropy:
    """See `ports.Entropy`; predictable, which is the point here and the end of every secret elsewhere."""

    def __init__(self, numbers: random.Random) -> None:
        self._numbers = numbers

    def random_bytes(self, size: int) -> bytes:
        return self._numbers.randbytes(size)
