"""What has arrived on a connection: heads are found in a bounded buffer, bodies go around it into their own.

The buffer holds what came before anybody asked for it: the next head, the first bytes of a body, requests that a
client sent ahead. Only a head that does not fit makes it grow, up to the bound of heads.
"""

from __future__ import annotations

import trio

from node.host.ports import Stream
from node.http.head import Fault
from node.http.settings import HttpSettings
from protocol.errors import Malformed, Unavailable
from protocol.limits import KIB

HELD_BYTES = 16 * KIB
# A client has to move so much of a body before it is waited for anew.
PROGRESS_BYTES = 64 * KIB
_HEAD_END = b"\r\n\r\n"
_CR = 0x0D


class Reader:
    """One task reads at a time."""

    __slots__ = ("_buffer", "_due_bytes", "_end", "_left_s", "_scanned", "_settings", "_start", "_stream", "_view")

    def __init__(self, stream: Stream, settings: HttpSettings) -> None:
        self._stream = stream
        self._settings = settings
        self._buffer = bytearray(min(HELD_BYTES, settings.head_bytes_max))
        self._view = memoryview(self._buffer)
        self._start = self._end = self._scanned = 0
        self._renew()

    @property
    def held_bytes(self) -> int:
        """How much is here that nobody has taken."""
        return self._end - self._start

    @property
    def is_full(self) -> bool:
        """Whether `more` would have no room."""
        return self.held_bytes == len(self._buffer)

    def take_head(self) -> bytes | Fault | None:
        """The next head, if all of it is here; a fault as soon as what is here cannot become one."""
        if self._start == self._end:
            return None
        self._skip_empty_lines()
        found = self._buffer.find(_HEAD_END, max(self._start, self._scanned - 3), self._end)
        if found >= 0:
            head = bytes(self._view[self._start : found + 4])
            self._start = self._scanned = found + 4
            self._renew()
            if self._start == self._end:
                self._start = self._end = self._scanned = 0
            return head
        self._scanned = self._end
        if self.held_bytes:
            fault = self._hopeless()
            if fault is not None:
                return fault
        if self.held_bytes >= self._settings.head_bytes_max:
            has_line = self._buffer.find(b"\r\n", self._start, self._end) >= 0
            return Fault(431, "the headers are too long") if has_line else Fault(414, "the target is too long")
        return None

    def _skip_empty_lines(self) -> None:
        """Some clients end a body with one line end too many."""
        while self._buffer.startswith(b"\r\n", self._start, self._end):
            self._start += 2
            self._scanned = max(self._scanned, self._start)

    def _hopeless(self) -> Fault | None:
        """What no further byte can mend is refused at once, not when the client's time is up."""
        first = self._buffer[self._start]
        if not (0x41 <= first <= 0x5A or first == _CR):
            return Fault(400, "this is not HTTP")
        feeds = self._buffer.count(b"\n", self._start, self._end)
        if feeds != self._buffer.count(b"\r\n", self._start, self._end):
            return Fault(400, "a line does not end with CR LF")
        return None

    async def more(self) -> int:
        """Wait for more bytes of whatever follows; 0 when the client has ended. There must be room."""
        self._make_room()
        count = await self._stream.receive_into(self._view[self._end :])
        self._end += count
        return count

    def _make_room(self) -> None:
        if self._start:
            size = self.held_bytes
            self._buffer[:size] = self._buffer[self._start : self._end]
            self._scanned = max(0, self._scanned - self._start)
            self._start, self._end = 0, size
        if self._end == len(self._buffer):
            wider = bytearray(self._settings.head_bytes_max)
            wider[: self._end] = self._buffer
            self._buffer, self._view = wider, memoryview(wider)

    def take(self, buffer: memoryview) -> int:
        """Move what is held into `buffer`, as much as fits."""
        count = min(len(buffer), self.held_bytes)
        if count:
            buffer[:count] = self._view[self._start : self._start + count]
            self._start += count
            if self._start == self._end:
                self._start = self._end = 0
            self._scanned = self._start
        return count

    async def fill(self, buffer: memoryview) -> None:
        """Fill the whole buffer with bytes of a body. However small the buffers are, the client has `stall_s` of
        waiting for each `PROGRESS_BYTES` of the body.

        Raises:
            Unavailable: `http-client-gone`, `http-client-slow`, `stream-broken`.
        """
        filled = self.take(buffer)
        self._progress(filled, 0.0)
        while filled < len(buffer):
            began, began_s = filled, trio.current_time()
            aim = min(len(buffer), filled + self._due_bytes)
            with trio.move_on_after(self._left_s) as patience:
                while filled < aim:
                    count = await self._stream.receive_into(buffer[filled:], least_bytes=aim - filled)
                    if not count:
                        raise Unavailable("http-client-gone")
                    filled += count
            if patience.cancelled_caught:
                raise Unavailable("http-client-slow")
            self._progress(filled - began, trio.current_time() - began_s)

    def _renew(self) -> None:
        self._due_bytes, self._left_s = PROGRESS_BYTES, self._settings.stall_s

    def _progress(self, count: int, waited_s: float) -> None:
        """The client has sent so much of the body in so long."""
        self._due_bytes -= count
        self._left_s -= waited_s
        if self._due_bytes <= 0:
            self._renew()

    async def line(self, size_bytes_max: int) -> bytes:
        """One line of a chunked body, without its end.

        Raises:
            Malformed: `http-body`. Unavailable: as `fill`.
        """
        began_s = trio.current_time()
        with trio.move_on_after(self._left_s):
            while True:
                found = self._buffer.find(b"\n", self._start, self._end)
                if found >= 0:
                    break
                if self.held_bytes > size_bytes_max:
                    raise Malformed("http-body", reason="a line is too long")
                if not await self.more():
                    raise Unavailable("http-client-gone")
            self._progress(0, trio.current_time() - began_s)
            line = bytes(self._view[self._start : found])
            self._start = self._scanned = found + 1
            if len(line) > size_bytes_max or not line.endswith(b"\r") or line.count(b"\r") != 1:
                raise Malformed("http-body", reason="a line does not end as it should")
            return line[:-1]
        raise Unavailable("http-client-slow")

    async def discard(self) -> None:
        """Read and forget until the client ends; whoever calls sets the time for it."""
        self._start = self._end = self._scanned = 0
        while await self._stream.receive_into(self._view):
            pass
