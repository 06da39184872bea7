"""The format of a volume: a file that only ever grows, and explains itself.

A volume is a header and then entries. Each entry is a 64-byte head, metadata, and a payload. The head carries the
lengths and a keyed BLAKE3 checksum over the volume's number, the entry's place in it, the head and the metadata;
so an entry is valid at one place only, and whoever finds one knows it whole. A share's payload needs no checksum
here: the proof in its metadata holds the hash of every leaf. (Journal entries are all metadata.)

Entries begin at multiples of the volume's step, and so do payloads; the room between is zeros. Volumes of shares
have a step of 4,096 bytes, so that whole entries can go to the disk and come back around the page cache, and a hole
takes a whole payload. Volumes of journals, whose entries are small, have a step of 8.

Each head also says up to where this volume was known to be durable when the entry was written. The highest such
number in a volume is its watermark: below it, what does not read is damage, to be kept and skipped; only above it
may a torn write be cut off.

The key of the checksums, and the mark that opens each entry, derive from the disk's salt, which never leaves the
disk. Without that a stranger could store a share whose bytes *are* entries (a tombstone for somebody else's share),
and wait for the day when damage makes us search for entries in the middle of his bytes.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from blake3 import blake3

from protocol.errors import Malformed
from protocol.keys.derive import derive_key, digest
from protocol.limits import BLOCK_BYTES_MAX, ENTRY_BYTES_MAX

FORMAT_VERSION: Final = 1
SALT_BYTES: Final = 32
HEADER_BYTES: Final = 64
HEAD_BYTES: Final = 64
SHARE_STEP_BYTES: Final = 4096
JOURNAL_STEP_BYTES: Final = 8
META_BYTES_MAX: Final = ENTRY_BYTES_MAX + 64 * 1024
PAYLOAD_BYTES_MAX: Final = BLOCK_BYTES_MAX

_MAGIC: Final = b"MAILLONV"
_HEADER: Final = struct.Struct(">8sHHQ32s")
_HEADER_CHECK_BYTES: Final = HEADER_BYTES - _HEADER.size
_HEAD: Final = struct.Struct(">8sBBHIIQI")
_PLACE: Final = struct.Struct(">QQ")
_HEADER_CONTEXT: Final = "maillon/1 volume header"
_MARK_CONTEXT: Final = "maillon/1 volume mark"
_CHECK_CONTEXT: Final = "maillon/1 volume check"


class EntryKind(enum.IntEnum):
    SHARE = 1
    TOMBSTONES = 2
    JOURNAL_OPENING = 3
    JOURNAL_ENTRY = 4


@dataclass(frozen=True, slots=True)
class Head:
    """What an entry's head says. `synced_bytes`: how much of the volume was durable when it was written."""

    kind: EntryKind
    meta_bytes: int
    payload_bytes: int
    synced_bytes: int


def pack_header(number: int, salt: bytes) -> bytes:
    """The first bytes of volume `number` on the disk with this salt."""
    fixed = _HEADER.pack(_MAGIC, FORMAT_VERSION, 0, number, salt)
    return fixed + digest(_HEADER_CONTEXT, fixed)[:_HEADER_CHECK_BYTES]


def salt_of(header: bytes | bytearray | memoryview) -> bytes:
    """The salt in a volume's header.

    Raises:
        Malformed: `volume-header` when it is damaged or no header; `volume-version` when another program wrote it.
    """
    raw = bytes(header[:HEADER_BYTES])
    if (
        len(raw) < HEADER_BYTES
        or raw[_HEADER.size :] != digest(_HEADER_CONTEXT, raw[: _HEADER.size])[:_HEADER_CHECK_BYTES]
    ):
        raise Malformed("volume-header")
    magic, version, _, _, salt = _HEADER.unpack_from(raw)
    if magic != _MAGIC:
        raise Malformed("volume-header")
    if version != FORMAT_VERSION:
        raise Malformed("volume-version", version=version)
    return bytes(salt)


def rounded(size_bytes: int, step_bytes: int) -> int:
    """The next multiple of the step."""
    return -(-size_bytes // step_bytes) * step_bytes


class Format:
    """Writes and reads entries of one volume."""

    __slots__ = ("_key", "mark", "number", "step_bytes")

    def __init__(self, number: int, salt: bytes, *, step_bytes: int = SHARE_STEP_BYTES) -> None:
        self.number = number
        self.step_bytes = step_bytes
        self.mark, self._key = _mark_and_key(salt)

    @property
    def first_place(self) -> int:
        """Where the first entry begins."""
        return rounded(HEADER_BYTES, self.step_bytes)

    def front_bytes(self, meta_bytes: int) -> int:
        """From an entry's beginning to its payload."""
        return rounded(HEAD_BYTES + meta_bytes, self.step_bytes)

    def entry_bytes(self, head: Head) -> int:
        """From an entry's beginning to the next one's."""
        return self.front_bytes(head.meta_bytes) + rounded(head.payload_bytes, self.step_bytes)

    def head(self, place: int, head: Head, meta: bytes) -> bytes:
        """The 64 bytes that go before `meta` at offset `place`."""
        fixed = _HEAD.pack(
            self.mark, FORMAT_VERSION, head.kind, 0, head.meta_bytes, head.payload_bytes, head.synced_bytes, 0
        )
        return fixed + self._check(place, fixed, meta)

    def parse(self, raw: bytes | bytearray | memoryview) -> Head | None:
        """What the head at the start of `raw` claims; None when there is none. Only `is_good` makes it true."""
        if len(raw) < HEAD_BYTES:
            return None
        mark, version, kind, zero, meta_bytes, payload_bytes, synced_bytes, also_zero = _HEAD.unpack_from(raw)
        if mark != self.mark or version != FORMAT_VERSION or zero or also_zero:
            return None
        if kind not in _KINDS or meta_bytes > META_BYTES_MAX or payload_bytes > PAYLOAD_BYTES_MAX:
            return None
        return Head(_KINDS[kind], meta_bytes, payload_bytes, synced_bytes)

    def is_good(self, place: int, raw: bytes | bytearray | memoryview, meta: bytes | bytearray | memoryview) -> bool:
        """Was exactly this head, with this metadata, written at this place?"""
        return self._check(place, bytes(raw[: _HEAD.size]), meta) == bytes(raw[_HEAD.size : HEAD_BYTES])

    def _check(self, place: int, fixed: bytes, meta: bytes | bytearray | memoryview) -> bytes:
        hasher = blake3(_PLACE.pack(self.number, place) + fixed, key=self._key)
        hasher.update(meta)
        return hasher.digest()


@lru_cache(maxsize=64)
def _mark_and_key(salt: bytes) -> tuple[bytes, bytes]:
    return derive_key(_MARK_CONTEXT, salt)[:8], derive_key(_CHECK_CONTEXT, salt)


_KINDS: Final = {int(kind): kind for kind in EntryKind}
