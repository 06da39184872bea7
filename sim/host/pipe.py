"""One direction of a stream in memory, and the stream made of two."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from node.host.ports import Buffer
from protocol.errors import Unavailable
from sim.host.trace import Trace

# What a sender may have under way before it has to wait, as with a socket's buffers.
WINDOW_BYTES = 1 << 20
PART_BYTES = 1 << 16


class Signal:
    """Wakes all who wait now; whoever comes later waits for the next."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def notify(self) -> None:
        event, self._event = self._event, trio.Event()
        event.set()

    async def wait(self, until_s: float) -> None:
        with trio.move_on_at(until_s):
            await self._event.wait()


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
    """Bytes from `source` to `target`, each part with the time of its arrival."""

    def __init__(self, links: Links, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self.changed = Signal()
        self._links = links
        self._parts: deque[tuple[float, memoryview]] = deque()
        self._under_way_bytes = 0
        self._last_arrival_s = 0.0
        self._ended = False
        self._broken = ""
        self._fuse: Callable[[], None] | None = None

    @property
    def is_broken(self) -> bool:
        return bool(self._broken)

    async def send(self, part: Buffer) -> None:
        copied = bytes(part)  # the caller may reuse its buffer as soon as we return
        self._links.look_at(self.source, self.target, copied)
        data = memoryview(copied)
        self._links.trace.touch("send", self.source, self.target, str(len(data)))
        while data:
            while self._under_way_bytes >= WINDOW_BYTES and not self._broken:
                await self.changed.wait(math.inf)
            self.check()
            arrival_s = self._links.arrival_s(self.source, self.target, len(data[:PART_BYTES]))
            self._last_arrival_s = max(self._last_arrival_s, arrival_s)
            self._parts.append((self._last_arrival_s, data[:PART_BYTES]))
            self._under_way_bytes += len(data[:PART_BYTES])
            data = data[PART_BYTES:]
            self.changed.notify()

    async def receive_into(self, buffer: memoryview) -> int:
        while True:
            self.check()
            wake_s = math.inf
            if self._parts:
                if not self._links.is_blocked(self.source, self.target):
                    wake_s = self._parts[0][0]
                if wake_s <= trio.current_time():
                    return self._take(buffer)
            elif self._ended and not self._links.is_blocked(self.source, self.target):
                return 0
            await self.changed.wait(wake_s)

    def _take(self, buffer: memoryview) -> int:
        arrival_s, data = self._parts.popleft()
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        if count < len(data):
            self._parts.appendleft((arrival_s, data[count:]))
        self._under_way_bytes -= count
        self.changed.notify()
        if self._fuse is not None and not self._parts:
            self._fuse()
        return count

    def end(self) -> None:
        """No more will be sent; what is under way still arrives."""
        self._ended = True
        self.changed.notify()

    def break_off(self, reason: str) -> None:
        """What is under way is lost, and both ends find out at their next use."""
        if not self._broken:
            self._broken = reason
            self._parts.clear()
            self._links.forget(self)
            self.changed.notify()

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
        self._sending = trio.Lock()
        self._receiving = trio.Lock()
        self._closed = False

    @property
    def binding(self) -> bytes:
        return self._binding

    async def send_all(self, parts: list[Buffer]) -> None:
        async with self._sending:
            self._check_open()
            self._outgoing.check()
            if self._outgoing.breaks_before():
                self._break()
            complete = False
            try:
                for part in parts:
                    await self._outgoing.send(part)
                complete = True
                if self._outgoing.breaks_after():
                    self._outgoing.when_taken(self._break)
            finally:
                if not complete:  # the peer has half a message: nothing may follow it
                    self._outgoing.break_off("a send was cut short")

    def _break(self) -> None:
        self._outgoing.break_off("lost")
        self._incoming.break_off("lost")

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        async with self._receiving:
            self._check_open()
            return await self._incoming.receive_into(buffer)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._outgoing.end()
            self._incoming.break_off("closed by the peer")
        await trio.lowlevel.cancel_shielded_checkpoint()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("stream-broken", reason="closed here")
