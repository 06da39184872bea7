"""Sealing many things under one lasting key: each gets a key of its own, derived with a random salt.

Blocks have fresh random keys; journal entries and wrapped secrets cannot, as the reader must find the key from the
little it has. So every sealing draws a 16-byte salt, derives the key of this one thing from the lasting key, the
salt and a context, and seals once under it, as blocks are sealed (`protocol.keys.sealing`). A writer that was set
back to yesterday's disk and writes the same position again draws another salt, so no key ever seals twice.

The sealed form is the salt followed by the sealed segments.
"""

from __future__ import annotations

from typing import Final

from protocol.errors import Malformed
from protocol.keys.derive import derive_key
from protocol.keys.sealing import open_into, plain_size, seal_into, sealed_size

Buffer = bytes | bytearray | memoryview

SALT_BYTES: Final = 16


def salted_size(plain_bytes: int) -> int:
    """The size once sealed, salt included."""
    return SALT_BYTES + sealed_size(plain_bytes)


def seal_salted(context: str, key: bytes, salt: bytes, plain: Buffer) -> bytes:
    """Seal `plain` under what `key` and `salt` derive in `context`. `salt` is random, and used once."""
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 16 bytes")
    out = bytearray(salted_size(len(plain)))
    out[:SALT_BYTES] = salt
    seal_into(derive_key(context, key + salt), plain, memoryview(out)[SALT_BYTES:])
    return bytes(out)


def open_salted(context: str, key: bytes, sealed: Buffer) -> bytes:
    """The plain bytes that `seal_salted` sealed.

    Raises:
        Malformed: `sealed-size`.
        Forged: `seal`, when the key or the context is another, or a bit has changed.
    """
    if len(sealed) < SALT_BYTES:
        raise Malformed("sealed-size", size_bytes=len(sealed))
    view = memoryview(sealed)
    plain = bytearray(plain_size(len(view) - SALT_BYTES))
    open_into(derive_key(context, key + bytes(view[:SALT_BYTES])), view[SALT_BYTES:], memoryview(plain))
    return bytes(plain)
