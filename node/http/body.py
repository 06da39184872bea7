"""The body of a request, straight into the buffers of whoever wants it.

A body of known length costs one receive for each buffer. A chunked one is undone here and not by httptools, which
would copy every byte once more; every deviation from its grammar is an error, because a proxy before us may have
read it otherwise. Extensions of chunks and trailers are bounded, and dropped.
"""

from __future__ import annotations

import re
from typing import Protocol

from node.http.reading import Reader
from protocol.errors import Malformed, OverLimit
from protocol.limits import KIB

LINE_BYTES_MAX = 1 * KIB
TRAILERS_BYTES_MAX = 16 * KIB
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


class Body(Protocol):
    """`received_bytes` so far; `left_bytes` is None where the client has not said it."""

    @property
    def received_bytes(self) -> int: ...

    @property
    def left_bytes(self) -> int | None: ...

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the whole buffer; less only at the end of the body, 0 after it.

        Raises:
            Malformed: `http-body`. OverLimit: `http-body-size`.
            Unavailable: `http-client-gone`, `http-client-slow`, `stream-broken`.
        """


class CountedBody:
    """A body whose length was told in the head; 0 for none."""

    def __init__(self, reader: Reader, size_bytes: int) -> None:
        self._reader = reader
        self._size_bytes = self._left_bytes = size_bytes

    @property
    def received_bytes(self) -> int:
        return self._size_bytes - self._left_bytes

    @property
    def left_bytes(self) -> int | None:
        return self._left_bytes

    async def receive_into(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self._left_bytes)
        if wanted:
            await self._reader.fill(buffer[:wanted])
            self._left_bytes -= wanted
        return wanted


class ChunkedBody:
    """A body in chunks, of at most `size_bytes_max` in all."""

    def __init__(self, reader: Reader, size_bytes_max: int) -> None:
        self._reader = reader
        self._size_bytes_max = size_bytes_max
        self._received_bytes = 0
        self._chunk_left_bytes = 0
        self._is_over = False

    @property
    def received_bytes(self) -> int:
        return self._received_bytes

    @property
    def left_bytes(self) -> int | None:
        return 0 if self._is_over else None

    async def receive_into(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer) and not self._is_over:
            if not self._chunk_left_bytes:
                await self._next_chunk()
                continue
            count = min(len(buffer) - filled, self._chunk_left_bytes)
            await self._reader.fill(buffer[filled : filled + count])
            filled += count
            self._received_bytes += count
            self._chunk_left_bytes -= count
            if not self._chunk_left_bytes and await self._reader.line(2):
                raise Malformed("http-body", reason="a chunk is longer than it said")
        return filled

    async def _next_chunk(self) -> None:
        found = _SIZE_LINE.fullmatch(await self._reader.line(LINE_BYTES_MAX))
        if found is None:
            raise Malformed("http-body", reason="a chunk without a size")
        size_bytes = int(found[1], 16)
        if self._received_bytes + size_bytes > self._size_bytes_max:
            raise OverLimit("http-body-size", limit=self._size_bytes_max)
        self._chunk_left_bytes = size_bytes
        if not size_bytes:
            await self._skip_trailers()
            self._is_over = True

    async def _skip_trailers(self) -> None:
        read_bytes = 0
        while trailer := await self._reader.line(TRAILERS_BYTES_MAX):
            read_bytes += len(trailer)
            if read_bytes > TRAILERS_BYTES_MAX or not _TRAILER.fullmatch(trailer):
                raise Malformed("http-body", reason="trailers that are none")


def body_of(reader: Reader, size_bytes: int | None, size_bytes_max: int) -> Body:
    """The body that a head announces."""
    return ChunkedBody(reader, size_bytes_max) if size_bytes is None else CountedBody(reader, size_bytes)
