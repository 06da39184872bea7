"""The bytes that clients store: each object says which write made it, and is told from every other at any byte.

All of them, and the names they have, carry a mark that must never be seen on another member's wire or disk.
"""

from __future__ import annotations

import hashlib
import random

MARK = b"[plain and simple]"
_HEAD_BYTES = 8
LEAST_BYTES = _HEAD_BYTES + 2 * len(MARK)


def content(key: str, write: int, size_bytes: int) -> bytes:
    """What write number `write` stores under the key: `LEAST_BYTES` or more, with the mark at both ends."""
    numbers = random.Random(hashlib.sha256(f"{key} {write}".encode()).digest())
    return write.to_bytes(_HEAD_BYTES, "big") + MARK + numbers.randbytes(size_bytes - LEAST_BYTES) + MARK


def write_of(data: bytes) -> int:
    """Which write these bytes say they are of."""
    return int.from_bytes(data[:_HEAD_BYTES], "big")
