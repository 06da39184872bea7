"""A request's body on its way into the vault: taken out of its framing, counted, and proven before it gets a name.

Bytes go from the connection straight into the vault's buffers; only the lines between the pieces of aws-chunked pass
through a small buffer of their own. What the client promised about the body (its length, MD5, SHA-256, checksums,
signatures) is compared at the end, in `Upload.finish`, which the vault awaits before it journals anything: a body
that is not what was promised leaves nothing behind. Large buffers are hashed in the host's threads.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from node.host.ports import Buffer, Threads
from node.s3.signing.chunk_signatures import (
    EMPTY_LINES_MAX,
    LINE_BYTES_MAX,
    TRAILER_SIGNATURE,
    TRAILERS_MAX,
    PieceSignatures,
    parse_head,
    parse_trailer,
)
from node.s3.texts import faults
from node.s3.texts.checksums import Algorithm, Running, Type, decode, encode, kept, running, running_md5
from node.s3.texts.faults import S3Error
from node.vault.shelf.terms import Finish
from protocol.quick_init import quick_init

ASIDE_BYTES = 64 * 1024  # smaller buffers are hashed quicker than a thread is woken


class Wire(Protocol):
    """The bytes of a body as HTTP delivers them."""

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the whole buffer; less only at the end. Raises S3Error(IncompleteBody) when the client hung up."""


class Body(Protocol):
    """A body without framing."""

    async def read_into(self, buffer: memoryview) -> int:
        """Fill the buffer; less only at the end."""

    async def end(self) -> tuple[tuple[str, str], ...]:
        """The trailers. Raises S3Error when there are more bytes than were declared."""


@quick_init
@dataclass(frozen=True, slots=True)
class Promised:
    """What the client says about the body's bytes. `trailer` names the checksum that follows the body."""

    md5: bytes | None = None
    sha256_hex: str | None = None
    checksum: tuple[Algorithm, bytes] | None = None
    trailer: Algorithm | None = None

    @property
    def algorithm(self) -> Algorithm | None:
        return self.checksum[0] if self.checksum else self.trailer


class PlainBody:
    """A body that HTTP itself frames, by its length or in chunks."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ended = False

    async def read_into(self, buffer: memoryview) -> int:
        count = await self._wire.receive_into(buffer)
        self._ended = count < len(buffer)
        return count

    async def end(self) -> tuple[tuple[str, str], ...]:
        if not self._ended and await self._wire.receive_into(memoryview(bytearray(1))):
            raise S3Error(faults.INCOMPLETE_BODY, "The request body is longer than was declared.")
        return ()


class ChunkedBody:
    """A body in aws-chunked. `signatures` is None where pieces are not signed."""

    def __init__(self, wire: Wire, threads: Threads, signatures: PieceSignatures | None) -> None:
        self._wire = wire
        self._threads = threads
        self._signatures = signatures
        self._lines = bytearray()
        self._left = 0
        self._claimed = ""
        self._sha256: Running = hashlib.sha256()
        self._ended = False
        self._first = True

    async def read_into(self, buffer: memoryview) -> int:
        count = 0
        while count < len(buffer) and not self._ended:
            if not self._left:
                await self._begin_piece()
                continue
            into = buffer[count : count + self._left]
            got = await self._receive(into)
            if self._signatures is not None:
                await update_aside(self._threads, (self._sha256,), into[:got])
            self._left -= got
            count += got
            if not self._left:
                self._check_piece()
        return count

    async def end(self) -> tuple[tuple[str, str], ...]:
        if not self._ended and await self.read_into(memoryview(bytearray(1))):
            raise S3Error(faults.INCOMPLETE_BODY, "The request body is longer than was declared.")
        trailers, signature = await self._trailers()
        if self._signatures is not None and trailers:
            self._signatures.check_trailers(signature, trailers)
        return tuple(trailers)

    async def _begin_piece(self) -> None:
        if not self._first and await self._line():
            raise S3Error(faults.INVALID_REQUEST, "A chunk of the body is longer than it says.")
        self._first = False
        head = parse_head(await self._line())
        self._left, self._claimed, self._sha256 = head.size_bytes, head.signature, hashlib.sha256()
        if not head.size_bytes:
            self._ended = True
            self._check_piece()

    def _check_piece(self) -> None:
        if self._signatures is not None:
            self._signatures.check_piece(self._claimed, self._sha256.digest().hex())

    async def _trailers(self) -> tuple[list[tuple[str, str]], str]:
        """All trailers but the signature over them, and that signature: all that there is after the last piece.

        Some clients end the trailers with an empty line, some with two or none; minio's in Go puts one before the
        signature too.
        """
        found: list[tuple[str, str]] = []
        signature, empty = "", 0
        while (line := await self._line_if_any()) is not None:
            if not line:
                empty += 1
            elif (trailer := parse_trailer(line))[0] == TRAILER_SIGNATURE:
                signature = trailer[1]
            else:
                found.append(trailer)
            if len(found) > TRAILERS_MAX or empty > EMPTY_LINES_MAX:
                raise S3Error(faults.MALFORMED_TRAILER)
        return found, signature

    async def _line(self) -> bytes:
        """The next line without its end."""
        line = await self._line_if_any()
        if line is None:
            raise S3Error(faults.INCOMPLETE_BODY)
        return line

    async def _line_if_any(self) -> bytes | None:
        """The same; None where the body ends before it begins."""
        while (position := self._lines.find(b"\n")) < 0:
            if len(self._lines) > LINE_BYTES_MAX:
                raise S3Error(faults.INVALID_REQUEST, "A line within the body is too long for aws-chunked.")
            buffer = bytearray(LINE_BYTES_MAX)
            count = await self._wire.receive_into(memoryview(buffer))
            if not count:
                if not self._lines:
                    return None
                raise S3Error(faults.INCOMPLETE_BODY)
            self._lines += buffer[:count]
        line = bytes(self._lines[:position])
        del self._lines[: position + 1]
        return line.removesuffix(b"\r")

    async def _receive(self, into: memoryview) -> int:
        """Some bytes of a piece: first what was read beyond its head."""
        count = min(len(into), len(self._lines))
        if count:
            into[:count] = self._lines[:count]
            del self._lines[:count]
            return count
        count = await self._wire.receive_into(into)
        if not count:
            raise S3Error(faults.INCOMPLETE_BODY)
        return count


async def update_aside(threads: Threads, counted: tuple[Running, ...], data: memoryview) -> None:
    """Count the bytes, in a thread when they are many."""
    if len(data) < ASIDE_BYTES:
        _update(counted, data)
    else:
        await threads.run_blocking(_update, counted, data)


def _update(counted: tuple[Running, ...], data: Buffer) -> None:
    for one in counted:
        one.update(data)


class Upload:
    """A body as the vault's source. `declared_bytes` is None where only the end of the body tells its length."""

    def __init__(self, body: Body, threads: Threads, promised: Promised, declared_bytes: int | None) -> None:
        self._body = body
        self._threads = threads
        self._promised = promised
        self._declared = declared_bytes
        self._md5 = running_md5()
        self._sha256 = None if promised.sha256_hex is None else hashlib.sha256()
        self._checksum = None if promised.algorithm is None else running(promised.algorithm)
        self._counted = tuple(one for one in (self._md5, self._sha256, self._checksum) if one is not None)
        self.received = 0

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the vault's buffer."""
        count = await self._body.read_into(buffer)
        self.received += count
        if self._declared is not None and self.received > self._declared:
            raise S3Error(faults.INCOMPLETE_BODY, "The request body is longer than was declared.")
        await update_aside(self._threads, self._counted, buffer[:count])
        return count

    @property
    def algorithm(self) -> Algorithm | None:
        """The checksum that the client chose."""
        return self._promised.algorithm

    async def finish(self) -> Finish:
        """Everything has come: is it what was promised?

        Raises:
            S3Error: IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch.
        """
        trailers = await self._body.end()
        if self._declared is not None and self.received != self._declared:
            raise S3Error(faults.INCOMPLETE_BODY)
        md5 = self._md5.digest()
        if self._promised.md5 not in (None, md5):
            raise S3Error(faults.BAD_DIGEST, "The Content-MD5 you specified did not match what we received.")
        if self._sha256 is not None and self._sha256.hexdigest() != self._promised.sha256_hex:
            raise S3Error(faults.SHA256_MISMATCH)
        algorithm, counted = self._promised.algorithm, self._checksum
        if algorithm is None or counted is None:
            return Finish(md5.hex())
        value = counted.digest()
        if value != self._promised_value(algorithm, dict(trailers)):
            shown = (("CalculatedChecksum", encode(value)),)
            message = f"The {algorithm.value} you specified did not match the calculated checksum."
            raise S3Error(faults.BAD_DIGEST, message, details=shown)
        return Finish(md5.hex(), (kept(algorithm, Type.FULL_OBJECT, value),))

    def _promised_value(self, algorithm: Algorithm, trailers: dict[str, str]) -> bytes:
        if self._promised.checksum is not None:
            return self._promised.checksum[1]
        value = decode(trailers.get(algorithm.header, ""), algorithm.size_bytes)
        if value is None:
            raise S3Error(faults.MALFORMED_TRAILER)
        return value
