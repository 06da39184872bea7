"""Pairs of streams in memory, for tests of whatever speaks over a `Stream`.

Each direction holds at most `capacity_bytes`, so that a reader who stops reading stops the writer, as a socket would.
A `Wire` lets a test watch, change, hold back or cut what passes.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from node.host.ports import Buffer
from protocol.errors import Unavailable

BINDING = b"\x07" * 32


class Wire:
    """One direction. `tap` sees every byte string that passes, and may return another."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.held = bytearray()
        self.closed = False
        self.broken = False
        self.tap: Callable[[bytes], bytes] | None = None
        self.passed_bytes = 0
        self._moved = trio.Event()

    def moved(self) -> None:
        self._moved.set()
        self._moved = trio.Event()

    async def put(self, data: Buffer) -> None:
        view = memoryview(bytes(data) if self.tap is None else self.tap(bytes(data)))
        while len(view):
            while len(self.held) >= self.capacity_bytes and not (self.closed or self.broken):
                await self._moved.wait()
            if self.closed or self.broken:
                raise Unavailable("stream-broken")
            room = self.capacity_bytes - len(self.held)
            self.held += view[:room]
            self.passed_bytes += len(view[:room])
            view = view[room:]
            self.moved()

    async def take(self, buffer: memoryview) -> int:
        while not self.held:
            if self.broken:
                raise Unavailable("stream-broken")
            if self.closed:
                return 0
            await self._moved.wait()
        size = min(len(buffer), len(self.held))
        buffer[:size] = self.held[:size]
        del self.held[:size]
        self.moved()
        return size


class MemoryStream:
    """One end of a pair."""

    def __init__(self, outgoing: Wire, incoming: Wire, binding: bytes) -> None:
        self.outgoing = outgoing
        self.incoming = incoming
        self.binding = binding

    async def send_all(self, parts: list[Buffer]) -> None:
        await trio.lowlevel.checkpoint()
        for part in parts:
            await self.outgoing.put(part)

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        await trio.lowlevel.checkpoint()
        return await self.incoming.take(buffer)

    async def aclose(self) -> None:
        for wire in (self.outgoing, self.incoming):
            wire.closed = True
            wire.moved()
        await trio.lowlevel.checkpoint()

    def cut(self) -> None:
        """As if the network had gone."""
        for wire in (self.outgoing, self.incoming):
            wire.broken = True
            wire.moved()


def stream_pair(
    *, capacity_bytes: int = 4 * 1024 * 1024, bindings: tuple[bytes, bytes] = (BINDING, BINDING)
) -> tuple[MemoryStream, MemoryStream]:
    """The dialling and the accepting end."""
    there, back = Wire(capacity_bytes), Wire(capacity_bytes)
    return MemoryStream(there, back, bindings[0]), MemoryStream(back, there, bindings[1])
