"""SSE-C: objects that are encrypted once more, under a key that the client brings with every request.

The gateway forgets the key with the request's end; it keeps a salt, and a word that tells whether a key is the right
one. From salt and key derives the key of one body, under which AES-256 in counter mode gives a keystream that can be
entered anywhere. Every body that is written draws a salt of its own: an object, and each part each time that it is
uploaded, so no two of them are ever hidden by the same keystream. What proves the bytes is the seal of their blocks,
below; here they are only hidden from whoever has the namespace's secrets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from node.host.ports import Buffer, Entropy, Threads
from node.s3.asking.request import Request
from node.s3.asking.wire import Headers
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.vault.objects import Source
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import Checksum, Finish, Finisher, Metadata, ObjectRef, PartStat

PREFIX = "x-amz-server-side-encryption-customer-"
COPY_PREFIX = "x-amz-copy-source-server-side-encryption-customer-"
_WORDS = ("algorithm", "key", "key-md5")
_NAMES = {prefix: frozenset(f"{prefix}{word}" for word in _WORDS) for prefix in (PREFIX, COPY_PREFIX)}
ROW = "customer-key"
PART_SALT = "customer-salt"  # kept with a part, among what is known of its bytes
KEY_BYTES = 32
SALT_BYTES = 16
_BLOCK_BYTES = 16
_ASIDE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class CustomerKey:
    """A key that came with a request. It is never shown."""

    key: bytes
    md5: str

    def locked(self, salt: bytes) -> ObjectKey:
        """The key of one object or part."""
        return ObjectKey(hmac.digest(self.key, b"maillon s3 customer key " + salt, "sha256"), salt)

    @property
    def headers(self) -> Headers:
        """What is answered where it was used."""
        return ((f"{PREFIX}algorithm", "AES256"), (f"{PREFIX}key-md5", self.md5))


@dataclass(frozen=True, slots=True, repr=False)
class ObjectKey:
    """The key of one object or part, and the salt by which it is found again."""

    key: bytes
    salt: bytes

    @property
    def row(self) -> Metadata:
        """What is kept beside the object."""
        return Metadata(ROW, f"{self.salt.hex()} {self._word}")

    @property
    def _word(self) -> str:
        return hmac.digest(self.key, b"maillon s3 customer key check", "sha256")[:16].hex()

    def opens(self, row: Metadata) -> bool:
        """Whether it is the key under which the object is."""
        return hmac.compare_digest(row.value.partition(" ")[2], self._word)

    def stream(self, offset: int = 0) -> Keystream:
        """The keystream, from a place in it on."""
        block, skipped = divmod(offset, _BLOCK_BYTES)
        made = Cipher(algorithms.AES(self.key), modes.CTR(block.to_bytes(_BLOCK_BYTES, "big"))).encryptor()
        made.update(bytes(skipped))
        return Keystream(made.update)

    def salted(self, finish: Finisher) -> Finisher:
        """The same end of a part's bytes, which now also says by which salt its key is found."""

        async def finished() -> Finish:
            told = await finish()
            return Finish(told.etag, (*told.checksums, Checksum(PART_SALT, self.salt)))

        return finished


class Keystream:
    """What hides bytes, and shows them again."""

    def __init__(self, turn: Callable[[Buffer], bytes]) -> None:
        self.turn = turn


def customer_key(request: Request, prefix: str = PREFIX) -> CustomerKey | None:
    """The key in the headers, or None.

    Raises:
        S3Error: InvalidArgument.
    """
    if not request.has_any(_NAMES[prefix]):
        return None
    algorithm, text, md5 = (request.headers.get(f"{prefix}{name}") for name in _WORDS)
    if algorithm != "AES256":
        raise faults.invalid(f"{prefix}algorithm", algorithm or "", "The encryption algorithm must be AES256.")
    try:
        key = base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise faults.invalid(f"{prefix}key", "", "The secret key was invalid for the specified algorithm.")
    counted = base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()
    if md5 is None or not hmac.compare_digest(md5.encode(), counted.encode()):
        raise faults.invalid(
            f"{prefix}key-MD5", "", "The calculated MD5 hash of the key did not match the hash provided."
        )
    return CustomerKey(key, counted)


def encryption_headers(key: CustomerKey | None) -> Headers:
    """What is told of how an object is encrypted: every one is, and some under the client's key besides."""
    return (("x-amz-server-side-encryption", "AES256"), *(() if key is None else key.headers))


def fresh(key: CustomerKey, entropy: Entropy) -> ObjectKey:
    """The key of an object or a part that is about to be written."""
    return key.locked(entropy.random_bytes(SALT_BYTES))


def row_of(metadata: Sequence[Metadata]) -> Metadata | None:
    """What is kept of the object's key; None when it has none."""
    return next((one for one in metadata if one.name == ROW), None)


def opened(key: CustomerKey | None, metadata: Sequence[Metadata]) -> ObjectKey | None:
    """The key of what is there; None where it needs none.

    Raises:
        S3Error: InvalidRequest when a key is missing, or too many; AccessDenied when it is another.
    """
    row = row_of(metadata)
    if row is None and key is None:
        return None
    if row is None:
        raise S3Error(faults.INVALID_REQUEST, "The encryption parameters are not applicable here.")
    if key is None:
        raise S3Error(
            faults.INVALID_REQUEST,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
            "to retrieve the object.",
        )
    found = key.locked(bytes.fromhex(row.value.partition(" ")[0]))
    if not found.opens(row):
        raise S3Error(faults.ACCESS_DENIED)
    return found


class HiddenSource:
    """A source whose bytes are hidden on their way into the vault."""

    def __init__(self, source: Source, stream: Keystream, threads: Threads) -> None:
        self._source = source
        self._stream = stream
        self._threads = threads

    async def receive_into(self, buffer: memoryview) -> int:
        count = await self._source.receive_into(buffer)
        if count < _ASIDE_BYTES:
            _turn_in_place(self._stream, buffer[:count])
        else:
            await self._threads.run_blocking(_turn_in_place, self._stream, buffer[:count])
        return count


def _turn_in_place(stream: Keystream, data: memoryview) -> None:
    data[:] = stream.turn(data)


def _key_of(key: CustomerKey, part: PartStat) -> ObjectKey:
    salt = next((one.value for one in part.checksums if one.algorithm == PART_SALT), None)
    if salt is None:
        raise S3Error(faults.INVALID_REQUEST, "A part of the object was written by an earlier build, without a salt.")
    return key.locked(salt)


async def all_parts(shelf: Shelf, ref: ObjectRef) -> tuple[PartStat, ...]:
    """The parts that an object was uploaded in, each of which has a keystream of its own."""
    parts: tuple[PartStat, ...] = ()
    after: int | None = 0
    while after is not None:
        page = await shelf.objects.parts(ref.bucket, ref.key, version=ref.version, after=after)
        parts, after = (*parts, *page.parts), page.next_after
    return parts


class Shown:
    """The way out of an object's bytes from a place in it on; `parts` are those it was uploaded in, if any."""

    def __init__(self, key: CustomerKey, whole: ObjectKey, parts: Sequence[PartStat], first: int) -> None:
        self._key = key
        self._parts = parts
        self._place, self._left = 0, 0
        self._stream = whole.stream(first)
        for place, part in enumerate(parts):
            if first < part.size_bytes:
                self._begin(place, first)
                return
            first -= part.size_bytes

    def _begin(self, place: int, offset: int) -> None:
        part = self._parts[place]
        self._place, self._left = place, part.size_bytes - offset
        self._stream = _key_of(self._key, part).stream(offset)

    def turn(self, data: Buffer) -> bytes:
        """The next bytes, as their owner wrote them."""
        if not self._parts:
            return self._stream.turn(data)
        rest = memoryview(data)
        turned: list[bytes] = []
        while rest:
            while not self._left:
                self._begin(self._place + 1, 0)
            step = min(self._left, len(rest))
            turned.append(self._stream.turn(rest[:step]))
            rest, self._left = rest[step:], self._left - step
        return b"".join(turned)
