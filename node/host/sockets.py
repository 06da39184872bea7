"""One connected socket, driven without waiting where the kernel has no need to.

Everything here is tried first and awaited only when the kernel says "not now": a stream that moves megabytes then
costs a few calls a megabyte. Two consequences are dealt with here once for all streams. A task that never waits must
still let others run: `OpenSocket` yields by the amount of work done. And a send cancelled half-way leaves the peer
with half a message: from then on the socket refuses to send.
"""

from __future__ import annotations

import socket
from contextlib import suppress

import trio

from node.host.addresses import InternetAddress
from node.host.ports import Buffer
from protocol.errors import Unavailable

_YIELD_AFTER_BYTES = 1 << 22
_CALL_WEIGHT_BYTES = 1 << 12
_PARTS_PER_CALL = 256
# To be woken by fewer bytes than the one costs more than it gains; the kernel keeps room for the other.
_WAKE_BYTES_MIN = 1 << 15
_WAKE_BYTES_MAX = 1 << 18


class OpenSocket:
    """A connected stream socket; errors of the peer or the network are Unavailable(`stream-broken`)."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._can_wake_late = connected.family != socket.AF_UNIX
        self._wake_bytes = 1
        self._work_bytes = 0
        self._torn = False
        self._closed = False

    @property
    def is_sendable(self) -> bool:
        return not (self._torn or self._closed)

    @property
    def peer(self) -> str:
        """The address at the other end; empty for a Unix socket, and when it is gone."""
        try:
            place = self._socket.getpeername()
        except OSError:
            return ""
        return str(InternetAddress(place[0], place[1])) if isinstance(place, tuple) else ""

    def receive_now(self, buffer: memoryview) -> int | None:
        """Fill some of `buffer`; 0 at the end, None when nothing is there yet."""
        try:
            count = self._socket.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise self._broken(error) from error
        self.count_work(count)
        return count

    def send_now(self, parts: list[memoryview]) -> int | None:
        """Send some of the parts; None when there is no room."""
        try:
            count = self._socket.sendmsg(parts[:_PARTS_PER_CALL])
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise self._broken(error) from error
        self.count_work(count)
        return count

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        """See `ports.Stream`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while (count := self.receive_now(buffer)) is None:
            await self.wait_readable(least_bytes)
        await self.yield_if_due()
        return count

    async def send(self, parts: list[memoryview]) -> None:
        """Send all of the parts. Whoever calls holds the sending turn."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self.check_sendable()
        left_bytes = sum(map(len, parts))
        self.tear()
        while left_bytes:
            count = self.send_now(parts)
            if count is None:
                await self.wait_writable()
            elif left_bytes := left_bytes - count:
                parts = _after(parts, count)
        self.mend()
        await self.yield_if_due()

    def check_sendable(self) -> None:
        if self._torn:
            raise Unavailable("stream-broken", reason="a send was cut short")

    def tear(self) -> None:
        """Refuse every later send, until `mend` says that this one was finished: the peer may have half of it."""
        self._torn = True

    def mend(self) -> None:
        self._torn = False

    def count_work(self, count_bytes: int) -> None:
        """Say that something was moved without waiting."""
        self._work_bytes += count_bytes + _CALL_WEIGHT_BYTES

    def close(self) -> None:
        """Wake whoever waits and close; closing twice does nothing."""
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    async def wait_readable(self, least_bytes: int = 1) -> None:
        """Wait for the first byte; where many are bound to come, for a good part of them."""
        self._wake_at(min(least_bytes, _WAKE_BYTES_MAX) if least_bytes >= _WAKE_BYTES_MIN else 1)
        try:
            await trio.lowlevel.wait_readable(self._socket)
        except (trio.ClosedResourceError, ValueError, OSError) as error:
            raise self._broken(error) from error
        self._work_bytes = 0

    def _wake_at(self, size_bytes: int) -> None:
        """Let the kernel wake us when so much is there, or its buffer is full, or no more will come."""
        if size_bytes != self._wake_bytes and self._can_wake_late:
            self._wake_bytes = size_bytes
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)

    async def wait_writable(self) -> None:
        try:
            await trio.lowlevel.wait_writable(self._socket)
        except (trio.ClosedResourceError, ValueError, OSError) as error:
            raise self._broken(error) from error
        self._work_bytes = 0

    async def yield_if_due(self) -> None:
        if self._work_bytes >= _YIELD_AFTER_BYTES:
            self._work_bytes = 0
            await trio.lowlevel.cancel_shielded_checkpoint()

    def _broken(self, error: Exception) -> Unavailable:
        return Unavailable("stream-broken", reason="closed here" if self._closed else reason_of(error))


def as_views(parts: list[Buffer]) -> list[memoryview]:
    return [memoryview(part).cast("B") for part in parts]


def reason_of(error: BaseException) -> str:
    """A short technical cause for logs and parameters, never a stack or an address of memory."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _after(parts: list[memoryview], count: int) -> list[memoryview]:
    """What is left of `parts`, which have more, without their first `count` bytes."""
    whole = 0
    while count >= len(parts[whole]):
        count -= len(parts[whole])
        whole += 1
    return [parts[whole][count:], *parts[whole + 1 :]]
