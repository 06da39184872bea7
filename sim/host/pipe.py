"""One direction of a stream in memory, and the stream made of two.

A message costs one wake-up, that of its reader when it arrives: what is sent brings the reader's alarm forward
(`sim.host.alarm`) instead of waking it to look, and nobody else is woken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from node.host.ports import Buffer
from node.taking import take_turn
from protocol.errors import Unavailable
from sim.host.alarm import Alarm
from sim.host.trace import Trace

# What a sender may have under way before it has to wait, as with a socket's buffers.
WINDOW_BYTES = 1 << 20
PART_BYTES = 1 << 16


class LinkConditions(Protocol):
    @property
    def send_loss(self) -> float: ...

    @property
    def answer_loss(self) -> float: ...


class Links(Protocol):
    """What a pipe asks of the wires it lies on."""

    trace: Trace

    def between(self, source: str, target: str) -> LinkConditions: ...

    def is_blocked(self, source: str, target: str) -> bool: ...

    def arrival_s(self, source: str, target: str, size_bytes: int) -> float: ...

    def look_at(self, source: str, target: str, data: bytes) -> None: ...

    def loses(self, chance: float) -> bool: ...

    def forget(self, pipe: Pipe) -> None: ...


class Pipe:
    """Bytes from `source` to `target`, each part with the time of its arrival. One task sends, one receives."""

    def __init__(self, links: Links, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self._links = links
        self._parts: deque[tuple[float, memoryview]] = deque()
        self._under_way_bytes = 0
        self._last_arrival_s = 0.0
        self._ended = False
        self._broken = ""
        self._fuse: Callable[[], None] | None = None
        self._reader = Alarm()
        self._writer = Alarm()

    @property
    def is_broken(self) -> bool:
        return bool(self._broken)

    async def send(self, parts: list[Buffer]) -> None:
        copied = b"".join(parts)  # the caller may reuse its buffers as soon as we return
        self._links.look_at(self.source, self.target, copied)
        self._links.trace.touch("send", self.source, self.target, len(copied))
        for start in range(0, len(copied), PART_BYTES):
            while self._under_way_bytes >= WINDOW_BYTES and not self._broken:
                await self._writer.wait(math.inf)
            self.check()
            self._put(memoryview(copied)[start : start + PART_BYTES])

    def _put(self, part: memoryview) -> None:
        size_bytes = len(part)
        arrival_s = self._links.arrival_s(self.source, self.target, size_bytes)
        self._last_arrival_s = max(self._last_arrival_s, arrival_s)
        self._parts.append((self._last_arrival_s, part))
        self._under_way_bytes += size_bytes
        if len(self._parts) == 1 and not self._links.is_blocked(self.source, self.target):
            self._reader.bring_forward(self._last_arrival_s)

    async def receive_into(self, buffer: memoryview) -> int:
        while True:
            self.check()
            wake_s = math.inf
            if not self._links.is_blocked(self.source, self.target):
                if self._parts:
                    wake_s = self._parts[0][0]
                    if wake_s <= trio.current_time():
                        return self._take(buffer)
                elif self._ended:
                    return 0
            await self._reader.wait(wake_s)

    def _take(self, buffer: memoryview) -> int:
        """What is there by now, as much as fits."""
        filled, now_s = 0, trio.current_time()
        while self._parts and self._parts[0][0] <= now_s and filled < len(buffer):
            arrival_s, data = self._parts.popleft()
            count = min(len(data), len(buffer) - filled)
            buffer[filled : filled + count] = data[:count]
            filled += count
            if count < len(data):
                self._parts.appendleft((arrival_s, data[count:]))
        self._under_way_bytes -= filled
        self._writer.ring()
        if self._fuse is not None and not self._parts:
            self._fuse()
        return filled

    def end(self) -> None:
        """No more will be sent; what is under way still arrives."""
        self._ended = True
        self._reader.ring()

    def look_again(self) -> None:
        """The link is another: what was held back may flow."""
        self._reader.ring()

    def break_off(self, reason: str) -> None:
        """What is under way is lost, and both ends find out at their next use."""
        if not self._broken:
            self._broken = reason
            self._parts.clear()
            self._links.forget(self)
            self._reader.ring()
            self._writer.ring()

    def breaks_before(self) -> bool:
        """By chance: what is about to be sent is lost."""
        return self._links.loses(self._links.between(self.source, self.target).send_loss)

    def breaks_after(self) -> bool:
        """By chance: what was just sent arrives, and nothing after it."""
        return self._links.loses(self._links.between(self.source, self.target).answer_loss)

    def when_taken(self, act: Callable[[], None]) -> None:
        """Do `act` once the other end has read all that is under way."""
        self._fuse = act

    def check(self) -> None:
        if self._broken:
            raise Unavailable("stream-broken", reason=self._broken)


class MemoryStream:
    """See `ports.Stream`."""

    def __init__(self, incoming: Pipe, outgoing: Pipe, binding: bytes) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._binding = binding
        self._sending = trio.Semaphore(1)
        self._receiving = trio.Semaphore(1)
        self._closed = False

    @property
    def binding(self) -> bytes:
        return self._binding

    @property
    def peer(self) -> str:
        return self._incoming.source

    async def send_all(self, parts: list[Buffer]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        await take_turn(self._sending)
        try:
            self._check_open()
            self._outgoing.check()
            if self._outgoing.breaks_before():
                self._break()
            await self._send_whole(parts)
        finally:
            self._sending.release()

    async def _send_whole(self, parts: list[Buffer]) -> None:
        try:
            await self._outgoing.send(parts)
        except BaseException:
            self._outgoing.break_off("a send was cut short")  # the peer has half a message: nothing may follow it
            raise
        if self._outgoing.breaks_after():
            self._outgoing.when_taken(self._break)

    def _break(self) -> None:
        self._outgoing.break_off("lost")
        self._incoming.break_off("lost")

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        await trio.lowlevel.checkpoint_if_cancelled()
        await take_turn(self._receiving)
        try:
            self._check_open()
            return await self._incoming.receive_into(buffer)
        finally:
            self._receiving.release()

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._outgoing.end()
            self._incoming.break_off("closed by the peer")
        await trio.lowlevel.cancel_shielded_checkpoint()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("stream-broken", reason="closed here")
