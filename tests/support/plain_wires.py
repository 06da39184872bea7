"""A host whose plain connections run through somebody who flips bits; what is in TLS he cannot touch."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

from node.host.ports import Buffer, Host, Listener, Network, Stream

# Payload of shares comes in frames far larger than anything else.
LARGE_BYTES = 4_096


@dataclass(slots=True)
class Meddler:
    """Flips a bit in so many of a hundred sends that are larger than `least_bytes`; counts what it did."""

    numbers: random.Random
    percent: int = 30
    least_bytes: int = LARGE_BYTES
    flipped: int = 0
    passed: int = 0

    def host(self, host: Host) -> Host:
        return dataclasses.replace(host, network=_Network(host.network, self))

    def touch(self, parts: list[Buffer]) -> list[Buffer]:
        sizes = [memoryview(part).nbytes for part in parts]
        if max(sizes, default=0) < self.least_bytes or self.numbers.randrange(100) >= self.percent:
            self.passed += 1
            return parts
        chosen = sizes.index(max(sizes))
        changed = bytearray(parts[chosen])
        bit = self.numbers.randrange(8 * len(changed))
        changed[bit // 8] ^= 1 << bit % 8
        self.flipped += 1
        return [*parts[:chosen], changed, *parts[chosen + 1 :]]


class _Network:
    """See `ports.Network`. What the dialler sends is touched here, what the door sends at its own node."""

    def __init__(self, network: Network, meddler: Meddler) -> None:
        self._network = network
        self._meddler = meddler

    async def dial(self, address: str) -> Stream:
        return await self._network.dial(address)

    async def dial_plain(self, address: str) -> Stream:
        return _Stream(await self._network.dial_plain(address), self._meddler)

    async def listen(self, address: str) -> Listener:
        return await self._network.listen(address)

    async def listen_plain(self, address: str) -> Listener:
        return _Listener(await self._network.listen_plain(address), self._meddler)


class _Listener:
    """See `ports.Listener`."""

    def __init__(self, listener: Listener, meddler: Meddler) -> None:
        self.address = listener.address
        self._listener = listener
        self._meddler = meddler

    async def serve(self, handler, *, task_status) -> None:  # type: ignore[no-untyped-def]
        await self._listener.serve(lambda stream: handler(_Stream(stream, self._meddler)), task_status=task_status)


class _Stream:
    """See `ports.Stream`."""

    def __init__(self, stream: Stream, meddler: Meddler) -> None:
        self._stream = stream
        self._meddler = meddler

    @property
    def binding(self) -> bytes:
        return self._stream.binding

    async def send_all(self, parts: list[Buffer]) -> None:
        await self._stream.send_all(self._meddler.touch(parts))

    async def receive_into(self, buffer: memoryview, *, least_bytes: int = 1) -> int:
        return await self._stream.receive_into(buffer, least_bytes=least_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()
