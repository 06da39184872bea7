"""Frames off a stream.

A small read-ahead takes a header, and whole small frames with it, in one call to the stream; what follows a DATA
header is then received straight into the buffer of whoever waits for it, so no more than a read-ahead's worth of a
large payload is ever moved twice. Where many small frames come at once, the read-ahead grows to take them together.
"""

from __future__ import annotations

import trio

from node.host.ports import Stream
from protocol.errors import Malformed, Unavailable
from protocol.limits import KIB
from protocol.wire.frames import HEADER_BYTES, Header, parse_header

_AHEAD_BYTES = 4 * KIB
_AHEAD_MANY_BYTES = 32 * KIB
_SMALL_FRAME_BYTES = 8 * KIB
_SKIP_BYTES = 64 * KIB


class FrameReader:
    """One direction of one stream; one task reads. A cancelled call loses no byte of the stream.

    A receiver that gives up while its buffer is being filled interrupts the reading task, which then takes the rest
    of that frame to nowhere: see `resumed`. One scope for all frames, because one for each would cost more than
    the frame.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._ahead = memoryview(bytearray(_AHEAD_BYTES))
        self._start = 0
        self._end = 0
        self._is_crowded = False
        self._frame_bytes = 0
        self._scratch: memoryview | None = None
        self._left_bytes = 0
        self._scope = trio.CancelScope()

    def resumed(self) -> trio.CancelScope:
        """The scope to read in. Left without an exception by an interruption: call again, and `skip_rest` first."""
        self._scope = trio.CancelScope()
        return self._scope

    def interrupt(self) -> None:
        """Take the reading task out of the frame that it is in."""
        self._scope.cancel()

    async def skip_rest(self) -> None:
        """Forget what is left of the frame that was interrupted."""
        await self.skip(self._left_bytes)

    async def header(self) -> Header | None:
        """The next header; None when the stream ended between two frames.

        Raises:
            Malformed, OverLimit: from `parse_header`; `frame-truncated` when the stream ended inside one.
        """
        while self._end - self._start < HEADER_BYTES:
            if not await self._read_ahead():
                if self._end > self._start:
                    raise Malformed("frame-truncated")
                return None
        start, self._start = self._start, self._start + HEADER_BYTES
        header = parse_header(self._ahead[start : self._start])
        self._left_bytes = self._frame_bytes = header.payload_bytes
        return header

    async def payload(self, size_bytes: int) -> bytes:
        """A small payload whole. The header's bound was checked before anything is allocated here."""
        if self._end - self._start >= size_bytes:
            start, self._start = self._start, self._start + size_bytes
            self._left_bytes -= size_bytes
            return bytes(self._ahead[start : self._start])
        whole = bytearray(size_bytes)
        view = memoryview(whole)
        while view:
            view = view[await self.some_into(view) :]
        return bytes(whole)

    async def some_into(self, buffer: memoryview) -> int:
        """Fill some of `buffer`, at least one byte; it must not be longer than what is left of the frame.

        Raises:
            Malformed: `frame-truncated` at the end of the stream.
        """
        ready = min(len(buffer), self._end - self._start)
        if ready:
            buffer[:ready] = self._ahead[self._start : self._start + ready]
            self._start += ready
            self._left_bytes -= ready
            return ready
        received = await self._stream.receive_into(buffer, least_bytes=len(buffer))
        if received == 0:
            raise Malformed("frame-truncated")
        self._left_bytes -= received
        return received

    async def skip(self, size_bytes: int) -> None:
        """Read and forget, for a payload that nobody wants any more."""
        while size_bytes:
            if self._scratch is None:  # hardly any connection ever needs it
                self._scratch = memoryview(bytearray(_SKIP_BYTES))
            size_bytes -= await self.some_into(self._scratch[:size_bytes])

    async def _read_ahead(self) -> bool:
        rest = bytes(self._ahead[self._start : self._end])
        are_small = self._frame_bytes <= _SMALL_FRAME_BYTES
        if self._is_crowded and are_small and len(self._ahead) < _AHEAD_MANY_BYTES:
            self._ahead = memoryview(bytearray(_AHEAD_MANY_BYTES))
        self._ahead[: len(rest)] = rest
        self._start, self._end = 0, len(rest)
        # Behind a large frame there is likely another, which had better go where it belongs at once.
        room = self._ahead[self._end : len(self._ahead) if are_small else _AHEAD_BYTES]
        received = await self._stream.receive_into(room)
        self._end += received
        self._is_crowded = received == len(room)
        return received > 0


def unexpected(header: Header) -> Malformed:
    """The error for a frame that has no business where it came."""
    return Malformed("frame-unexpected", type=header.type.name, exchange=header.exchange)


def lost() -> Unavailable:
    """The error of everybody who waits on a connection that is over."""
    return Unavailable("connection-lost")
