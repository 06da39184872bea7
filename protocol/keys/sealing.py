"""Sealing: AES-256-GCM over segments, so that a part can be opened without the rest.

Plain bytes are cut into segments of 65,520; each is sealed to 65,536 with its tag (only the last may be shorter;
no bytes at all are sealed as one empty segment). The nonce of segment i is seven zero bytes, i as four bytes
big-endian, and a byte that is 1 for the last segment only (the STREAM construction): segments can be neither
reordered, nor dropped from the end, nor added. Nonces repeat from block to block, so **a key seals once**: every
block has a fresh random key, which also makes associated data needless, as there is nothing to confuse it with.

The work goes from the caller's buffer into the caller's buffer: fresh megabyte buffers cost more than the cipher.

Source: NIST SP 800-38D (GCM); Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance", CRYPTO 2015 (STREAM).
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protocol.errors import Forged, Malformed
from protocol.limits import SEGMENT_BYTES, SEGMENT_PLAIN_BYTES, TAG_BYTES

Buffer = bytes | bytearray | memoryview

SEALING_KEY_BYTES: Final = 32


def segment_count(plain_bytes: int) -> int:
    """How many segments `plain_bytes` make: at least one."""
    return -(-plain_bytes // SEGMENT_PLAIN_BYTES) or 1


def sealed_size(plain_bytes: int) -> int:
    """The size once sealed."""
    return plain_bytes + TAG_BYTES * segment_count(plain_bytes)


def plain_size(sealed_bytes: int) -> int:
    """The size before sealing.

    Raises:
        Malformed: `sealed-size` for a size that sealing never gives.
    """
    plain_bytes = sealed_bytes - TAG_BYTES * max(1, -(-sealed_bytes // SEGMENT_BYTES))
    if plain_bytes < 0 or sealed_size(plain_bytes) != sealed_bytes:
        raise Malformed("sealed-size", size_bytes=sealed_bytes)
    return plain_bytes


def seal_into(key: bytes, plain: Buffer, out: memoryview) -> None:
    """Seal `plain` into `out`, which must have exactly `sealed_size(len(plain))` bytes. Use each key once."""
    source = memoryview(plain)
    count = segment_count(len(source))
    if len(out) != len(source) + TAG_BYTES * count:
        raise ValueError("the buffer for sealed bytes has the wrong size")
    cipher, last = AESGCM(key), count - 1
    for index in range(count):
        plain_segment = source[index * SEGMENT_PLAIN_BYTES : (index + 1) * SEGMENT_PLAIN_BYTES]
        sealed_segment = out[index * SEGMENT_BYTES : (index + 1) * SEGMENT_BYTES]
        cipher.encrypt_into(_nonce(index, last), plain_segment, None, sealed_segment)


def open_into(key: bytes, sealed: Buffer, out: memoryview) -> None:
    """Open all of `sealed` into `out`, which must have exactly `plain_size(len(sealed))` bytes.

    Raises:
        Malformed: `sealed-size`.
        Forged: `seal`, with the segment that the key does not open; `out` then holds nothing to rely on.
    """
    open_segments_into(key, sealed, out, first_segment=0, sealed_bytes=len(sealed))


def open_segments_into(key: bytes, sealed: Buffer, out: memoryview, *, first_segment: int, sealed_bytes: int) -> None:
    """Open consecutive whole segments, `sealed`, out of a block of `sealed_bytes`, into `out`.

    `sealed` starts with segment `first_segment` and ends with a segment's end; `out` has `TAG_BYTES` less for
    each of them.

    Raises:
        Malformed: `sealed-size` when the range is not made of whole segments of such a block.
        Forged: `seal`, with the segment that the key does not open.
    """
    plain_size(sealed_bytes)
    source = memoryview(sealed)
    end = first_segment * SEGMENT_BYTES + len(source)
    ends_a_segment = end == sealed_bytes or (end < sealed_bytes and end % SEGMENT_BYTES == 0)
    if first_segment < 0 or not len(source) or not ends_a_segment:
        raise Malformed("sealed-size", size_bytes=len(source))
    count = -(-len(source) // SEGMENT_BYTES)
    if len(out) != len(source) - TAG_BYTES * count:
        raise ValueError("the buffer for plain bytes has the wrong size")
    cipher = AESGCM(key)
    last = -(-sealed_bytes // SEGMENT_BYTES) - 1
    for step in range(count):
        sealed_segment = source[step * SEGMENT_BYTES : (step + 1) * SEGMENT_BYTES]
        plain_segment = out[step * SEGMENT_PLAIN_BYTES : (step + 1) * SEGMENT_PLAIN_BYTES]
        try:
            cipher.decrypt_into(_nonce(first_segment + step, last), sealed_segment, None, plain_segment)
        except InvalidTag as error:
            raise Forged("seal", segment=first_segment + step) from error


def segments_covering(first_byte: int, size_bytes: int, plain_bytes: int) -> range:
    """The segments that hold the plain bytes [first_byte, first_byte + size_bytes) of `plain_bytes` in all."""
    if first_byte < 0 or size_bytes < 0 or first_byte + size_bytes > plain_bytes:
        raise ValueError("the range lies outside the plain bytes")
    if not size_bytes:
        return range(0)
    return range(first_byte // SEGMENT_PLAIN_BYTES, (first_byte + size_bytes - 1) // SEGMENT_PLAIN_BYTES + 1)


def _nonce(index: int, last: int) -> bytes:
    return (index << 8 | (index == last)).to_bytes(12, "big")
