"""S3's checksums: which there are, how they are written, and how those of parts make that of the whole.

SHA-1, SHA-256 and MD5 come from the standard library, the CRCs from awscrt, which counts them with the processor's
own instructions. A multipart object's checksum is either COMPOSITE, a checksum of the parts' checksums with their
number behind a dash, or FULL_OBJECT: CRCs of parts combine into that of the whole without reading a byte again.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from awscrt import checksums as crt

from node.host.ports import Buffer
from node.vault.shelf.terms import Checksum

COMPOSITE_SUFFIX = "-COMPOSITE"


class Algorithm(enum.Enum):
    """By the names that clients use."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"

    @property
    def header(self) -> str:
        """The header, or trailer, that carries it."""
        return f"x-amz-checksum-{self.value.lower()}"

    @property
    def size_bytes(self) -> int:
        return _SIZES[self]

    @property
    def combines(self) -> bool:
        """Whether it is a CRC, so that a FULL_OBJECT checksum can be made of those of the parts."""
        return self in _COMBINERS


BY_HEADER = {algorithm.header: algorithm for algorithm in Algorithm}
_SIZES = {Algorithm.CRC32: 4, Algorithm.CRC32C: 4, Algorithm.CRC64NVME: 8, Algorithm.SHA1: 20, Algorithm.SHA256: 32}
_CRCS: dict[Algorithm, Callable[[Buffer, int], int]] = {
    Algorithm.CRC32: zlib.crc32,
    Algorithm.CRC32C: crt.crc32c,
    Algorithm.CRC64NVME: crt.crc64nvme,
}
_COMBINERS: dict[Algorithm, Callable[[int, int, int], int]] = {
    Algorithm.CRC32: crt.combine_crc32,
    Algorithm.CRC32C: crt.combine_crc32c,
    Algorithm.CRC64NVME: crt.combine_crc64nvme,
}


class Type(enum.Enum):
    """What a multipart object's checksum covers."""

    COMPOSITE = "COMPOSITE"
    FULL_OBJECT = "FULL_OBJECT"


class Running(Protocol):
    """A checksum that is being counted."""

    def update(self, data: Buffer, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, algorithm: Algorithm) -> None:
        self._count = _CRCS[algorithm]
        self._size_bytes = algorithm.size_bytes
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._count(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


def running(algorithm: Algorithm) -> Running:
    """A new one, of no bytes yet."""
    if algorithm is Algorithm.SHA1:
        return hashlib.sha1(usedforsecurity=False)
    return hashlib.sha256() if algorithm is Algorithm.SHA256 else _Crc(algorithm)


def running_md5() -> Running:
    """For ETags and Content-MD5."""
    return hashlib.md5(usedforsecurity=False)


def decode(text: str, size_bytes: int) -> bytes | None:
    """A digest in base64, or None when it is no such thing."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == size_bytes else None


def encode(value: bytes) -> str:
    """As headers and XML carry it."""
    return base64.b64encode(value).decode()


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored checksum as clients see it."""

    algorithm: Algorithm
    text: str
    type: Type


def kept(algorithm: Algorithm, type_: Type, value: bytes) -> Checksum:
    """How the vault keeps it: the algorithm's name says whether it is of parts."""
    suffix = COMPOSITE_SUFFIX if type_ is Type.COMPOSITE else ""
    return Checksum(f"{algorithm.value}{suffix}", value)


def shown(checksum: Checksum, etag: str) -> Shown:
    """The opposite. Of how many parts it is, the object's ETag says, and goes on saying of its copies."""
    name, is_composite = (
        checksum.algorithm.removesuffix(COMPOSITE_SUFFIX),
        checksum.algorithm.endswith(COMPOSITE_SUFFIX),
    )
    text = encode(checksum.value)
    if is_composite:
        return Shown(Algorithm(name), f"{text}-{etag.rpartition('-')[2]}", Type.COMPOSITE)
    return Shown(Algorithm(name), text, Type.FULL_OBJECT)


def composite(algorithm: Algorithm, parts: Sequence[bytes]) -> bytes:
    """The checksum of the parts' checksums."""
    counted = running(algorithm)
    counted.update(b"".join(parts))
    return counted.digest()


def combined(algorithm: Algorithm, parts: Sequence[tuple[bytes, int]]) -> bytes:
    """The checksum of the whole, from each part's checksum and size."""
    combine, total = _COMBINERS[algorithm], 0
    for value, size_bytes in parts:
        total = combine(total, int.from_bytes(value, "big"), size_bytes)
    return total.to_bytes(algorithm.size_bytes, "big")


OF_NO_BYTES = frozenset((one.header, encode(running(one).digest())) for one in Algorithm)


def multipart_etag(etags: Sequence[str]) -> str:
    """S3's ETag of a multipart object: of the parts' MD5s, with their number."""
    joined = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in etags), usedforsecurity=False)
    return f"{joined.hexdigest()}-{len(etags)}"
