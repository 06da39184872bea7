"""The bytes that clients store: each object says which write made it, and is told from every other at any byte.

All of them, and the names they have, carry a mark that must never be seen on another member's wire or disk.
"""

from __future__ import annotations

import hashlib
import random

MARK = b"[plain and simple]"
_HEAD_BYTES = 8


def content(key: str, write: int, size_bytes: int) -> bytes:
    """What write number `write` stores under the key: at least 26 bytes, `MARK` at the beginning and the end."""
    numbers = random.Random(hashlib.sha256(f"{key} {write}".encode()).digest())
    head = write.to_bytes(_HEAD_BYTES, "big") + MARK
    body = numbers.randbytes(max(0, size_bytes - len(head) - len(MARK)))
    return head + body + (MARK if size_bytes >= len(head) + len(MARK) else b"")


def write_of(data: bytes) -> int:
    """Which write these bytes say they are of."""
    return int.from_bytes(data[:_HEAD_BYTES], "big")
