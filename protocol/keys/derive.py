"""Hashing and key derivation: BLAKE3 with one context for each use.

A context is a fixed English phrase with the program's name and a version; two uses never share one, so a value
computed for one purpose says nothing for another.

Source: https://github.com/BLAKE3-team/BLAKE3-specs, section 2.3 (derive_key).
"""

from __future__ import annotations

from blake3 import blake3

from protocol.ids import Digest


def derive_key(context: str, material: bytes) -> bytes:
    """32 bytes that only who knows `material` can know, different for each `context`."""
    return blake3(material, derive_key_context=context).digest()


def digest(context: str, *parts: bytes | bytearray | memoryview) -> Digest:
    """The 32-byte hash of the parts, one after the other, in the domain of `context`."""
    hasher = blake3(derive_key_context=context)
    for part in parts:
        hasher.update(part)
    return Digest(hasher.digest())
