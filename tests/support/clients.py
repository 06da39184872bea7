"""A client of a vault for tests: bytes in, bytes out, and what it may still expect of the answers it did not get."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from node.host.ports import Buffer
from node.vault.objects import Explanation, Listing, NamespaceStatus, ObjectPath, ObjectStat
from node.vault.vault import Vault
from protocol.namespace.changes import Metadata

R = TypeVar("R")

# How a client reaches a vault: runs the work there, and raises when the node dies before it is done.
Reach = Callable[[Callable[[Vault], Awaitable[R]]], Awaitable[R]]
BUCKET = "album"


class BytesSource:
    """See `objects.Source`. `before` is called with the offset before each read."""

    def __init__(self, data: bytes, before: Callable[[int], None] = lambda _offset: None) -> None:
        self._data = memoryview(data)
        self._offset = 0
        self._before = before

    async def receive_into(self, buffer: memoryview) -> int:
        self._before(self._offset)
        part = self._data[self._offset : self._offset + len(buffer)]
        buffer[: len(part)] = part
        self._offset += len(part)
        return len(part)


@dataclass(slots=True)
class BytesSink:
    """See `objects.Sink`."""

    data: bytearray = field(default_factory=bytearray)
    stat: ObjectStat | None = None

    async def begin(self, stat: ObjectStat) -> None:
        self.stat = stat

    async def write(self, parts: list[Buffer]) -> None:
        for part in parts:
            self.data += part


class Client:
    """Short words for what tests do all the time; keys are in one bucket."""

    def __init__(self, reach: Callable[[Callable[[Vault], Awaitable[R]]], Awaitable[R]]) -> None:
        self._reach = reach

    async def put(self, key: str, data: bytes, *, metadata: tuple[Metadata, ...] = ()) -> ObjectStat:
        return await self._reach(lambda vault: vault.put(_path(key), BytesSource(data), metadata=metadata))

    async def get(self, key: str) -> bytes:
        sink = BytesSink()
        stat = await self._reach(lambda vault: vault.get(_path(key), sink))
        assert sink.stat == stat
        assert stat.size_bytes == len(sink.data)
        return bytes(sink.data)

    async def stat(self, key: str) -> ObjectStat:
        return await self._reach(lambda vault: vault.stat(_path(key)))

    async def remove(self, key: str) -> None:
        await self._reach(lambda vault: vault.remove(_path(key)))

    async def explain(self, key: str) -> Explanation:
        return await self._reach(lambda vault: vault.explain(_path(key)))

    async def list(self, prefix: str = "", *, start_after: str = "", limit: int = 1_000) -> Listing:
        return await self._reach(lambda vault: vault.list(BUCKET, prefix, start_after=start_after, limit=limit))

    async def namespaces(self) -> tuple[NamespaceStatus, ...]:
        return await self._reach(lambda vault: vault.namespaces())


def some_bytes(size: int, *, seed: int = 0) -> bytes:
    return random.Random(f"{seed} {size}").randbytes(size)


def _path(key: str) -> ObjectPath:
    return ObjectPath(BUCKET, key)
