"""A stream without TLS: the admin socket, and bytes that are sealed already."""

from __future__ import annotations

import trio

from node.host.ports import Buffer
from node.host.sockets import OpenSocket, as_views
from node.taking import take_turn


class PlainStream:
    """See `ports.Stream`; a header and its payload leave in one system call."""

    def __init__(self, opened: OpenSocket) -> None:
        self._socket = opened
        self._sending = trio.Semaphore(1)

    @property
    def binding(self) -> bytes:
        return b""

    @property
    def peer(self) -> str:
        return self._socket.peer

    async def send_all(self, parts: list[Buffer]) -> None:
        await take_turn(self._sending)
        try:
            await self._socket.send(as_views(parts))
        finally:
            self._sending.release()

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        return await self._socket.receive_into(buffer, least_bytes=least_bytes)

    async def aclose(self) -> None:
        self._socket.close()
        await trio.lowlevel.cancel_shielded_checkpoint()
