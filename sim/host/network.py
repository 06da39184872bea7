"""A network in memory: latency, loss, partitions and killed nodes, all drawn from the seed.

It behaves as TCP does to its users. Bytes arrive in order or not at all; loss shows as a dial that fails or a
stream that breaks; a partition holds bytes back until it heals, so that only a deadline notices it; a killed node's
streams break at once, and a silent node's never. Each listening node has a certificate hash of its own, so
a relay in the middle is found out here as it is in TLS.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from node.host.addresses import InternetAddress, UnixAddress, parse_address
from node.host.ports import CertificateFiles, Listener, Stream
from node.logs import get_logger
from protocol.errors import MaillonError, Refused, Unavailable
from sim.host.pipe import MemoryStream, Pipe
from sim.host.trace import Trace

_FIRST_PORT = 40_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a node's links are: seconds one way, and the chance that a dial fails, that a send breaks its stream, or
    that the stream breaks once what was sent has arrived. `bandwidth_bytes_s` is what the node can send in a second;
    0 is any amount."""

    latency_min_s: float = 0.001
    latency_max_s: float = 0.005
    dial_loss: float = 0.0
    send_loss: float = 0.0
    answer_loss: float = 0.0
    bandwidth_bytes_s: float = 0.0


class Wires:
    """All that is between the nodes of one world; each node has its `MemoryNetwork` onto it."""

    def __init__(self, numbers: random.Random, trace: Trace, conditions: Conditions) -> None:
        self.conditions = conditions
        self.trace = trace
        self.listeners: dict[str, MemoryListener] = {}
        self.forbidden = b""
        self.leaks: list[tuple[str, str]] = []
        self._numbers = numbers
        self._special: dict[str, Conditions] = {}
        self._free_from_s: dict[str, float] = {}
        self._pipes: dict[Pipe, None] = {}
        self._blocked: set[tuple[str, str]] = set()
        self._silent: set[str] = set()
        self._healed = trio.Event()
        self._port = _FIRST_PORT

    def change(self, names: tuple[str, ...], conditions: Conditions) -> None:
        """The links of these nodes (none named: of all) are so, until `well`."""
        for name in names or ("",):
            self._special[name] = conditions

    def well(self) -> None:
        """All links are as they were at first."""
        self._special.clear()
        self._free_from_s.clear()

    def between(self, source: str, target: str) -> Conditions:
        """How the way from one node to another is: as the end whose links are special has it."""
        if not self._special:
            return self.conditions
        special = self._special
        return special.get(source) or special.get(target) or special.get("") or self.conditions

    def block(self, source: str, target: str) -> None:
        """One-way: what `source` sends no longer reaches `target`."""
        self._blocked.add((source, target))

    def partition(self, one: list[str], other: list[str]) -> None:
        for left in one:
            for right in other:
                self.block(left, right)
                self.block(right, left)

    def silence(self, name: str) -> None:
        """The node's machine vanishes: nobody is told."""
        self._silent.add(name)

    def heal(self) -> None:
        """Everything held back flows again."""
        self._blocked.clear()
        self._silent.clear()
        self._healed.set()
        self._healed = trio.Event()
        for pipe in self._pipes:
            pipe.look_again()

    def kill(self, name: str) -> None:
        """The node's process is gone: its streams break, its listeners refuse."""
        self._silent.discard(name)
        for address in [each for each, listener in self.listeners.items() if listener.owner == name]:
            del self.listeners[address]
        for pipe in list(self._pipes):
            if name in (pipe.source, pipe.target):
                pipe.break_off("connection reset")

    def is_blocked(self, source: str, target: str) -> bool:
        if not self._blocked and not self._silent:
            return False
        return source != target and (
            (source, target) in self._blocked or source in self._silent or target in self._silent
        )

    async def wait_for_way(self, one: str, other: str) -> None:
        while self.is_blocked(one, other) or self.is_blocked(other, one):
            await self._healed.wait()

    def latency_s(self, source: str, target: str) -> float:
        if source == target:
            return 0.0
        conditions = self.between(source, target)
        return self._numbers.uniform(conditions.latency_min_s, conditions.latency_max_s)

    def arrival_s(self, source: str, target: str, size_bytes: int) -> float:
        """When bytes sent now are there: after those that the sender's link is still busy with."""
        leaves_s = trio.current_time()
        bandwidth_bytes_s = self.between(source, target).bandwidth_bytes_s
        if bandwidth_bytes_s and source != target:
            leaves_s = max(leaves_s, self._free_from_s.get(source, 0.0)) + size_bytes / bandwidth_bytes_s
            self._free_from_s[source] = leaves_s
        return leaves_s + self.latency_s(source, target)

    def look_at(self, source: str, target: str, data: bytes) -> None:
        """Whoever listens on the wire sees these bytes."""
        if self.forbidden and source != target and self.forbidden in data:
            self.leaks.append((source, target))

    def loses(self, chance: float) -> bool:
        return chance > 0 and self._numbers.random() < chance

    def free_port(self) -> int:
        self._port += 1
        return self._port

    def connect(self, dialler: str, listener: MemoryListener) -> MemoryStream:
        """Two pipes; the far end goes to the listener, the near end is returned."""
        there, back = Pipe(self, dialler, listener.owner), Pipe(self, listener.owner, dialler)
        self._pipes[there] = self._pipes[back] = None
        listener.deliver(MemoryStream(there, back, listener.binding))
        return MemoryStream(back, there, listener.binding)

    def streams_of_nodes(self) -> Counter[str]:
        """How many open streams each node has an end of."""
        return Counter(pipe.target for pipe in self._pipes)

    def forget(self, pipe: Pipe) -> None:
        self._pipes.pop(pipe, None)


class MemoryNetwork:
    """See `ports.Network`: one life of the node `name` on the wires."""

    def __init__(self, wires: Wires, name: str, life: int) -> None:
        self._wires = wires
        self._name = name
        self._binding = hashlib.sha256(f"{name}/{life}".encode()).digest()

    async def dial(self, address: str) -> Stream:
        return await self._dial(address, self._binding)

    async def dial_plain(self, address: str) -> Stream:
        return await self._dial(address, b"")

    async def listen(self, address: str) -> Listener:
        return await self._listen(address, self._binding)

    async def listen_plain(self, address: str) -> Listener:
        return await self._listen(address, b"")

    async def listen_public(self, address: str, files: CertificateFiles) -> Listener:
        return await self._listen(address, self._binding)

    async def _dial(self, address: str, own_binding: bytes) -> Stream:
        wires, place = self._wires, self._place(address)
        await trio.lowlevel.checkpoint()
        listener = wires.listeners.get(place)
        owner = listener.owner if listener else self._name
        wires.trace.touch("dial", self._name, place)
        await trio.sleep(wires.latency_s(self._name, owner) + wires.latency_s(owner, self._name))
        await wires.wait_for_way(self._name, owner)
        listener = wires.listeners.get(place)
        if listener is None or wires.loses(wires.between(self._name, owner).dial_loss):
            reason = "lost" if listener else "connection refused"
            raise Unavailable("dial-failed", address=address, reason=reason)
        if bool(listener.binding) != bool(own_binding):
            raise Unavailable("stream-broken", reason="one end speaks TLS, the other does not")
        return wires.connect(self._name, listener)

    async def _listen(self, address: str, binding: bytes) -> Listener:
        await trio.lowlevel.checkpoint()
        parsed = parse_address(address)
        if isinstance(parsed, InternetAddress) and parsed.port == 0:
            address = str(InternetAddress(parsed.host, self._wires.free_port()))
        place = self._place(address)
        if place in self._wires.listeners:
            raise Refused("address-in-use", address=address)
        listener = MemoryListener(self._wires, self._name, address, place, binding)
        self._wires.listeners[place] = listener
        return listener

    def _place(self, address: str) -> str:
        """Unix sockets are each node's own; the rest of the names is everybody's."""
        parsed = parse_address(address)
        return f"{self._name}/{parsed}" if isinstance(parsed, UnixAddress) else str(parsed)


class MemoryListener:
    """See `ports.Listener`. Unlike on a real machine, a handler's bug ends the run: here a test is watching."""

    def __init__(self, wires: Wires, owner: str, address: str, place: str, binding: bytes) -> None:
        self.owner = owner
        self.address = address
        self.binding = binding
        self._wires = wires
        self._place = place
        self._arrive, self._arrived = trio.open_memory_channel[MemoryStream](math.inf)
        self._accepting = trio.CancelScope()

    def deliver(self, stream: MemoryStream) -> None:
        self._arrive.send_nowait(stream)

    async def serve(
        self,
        handler: Callable[[Stream], Awaitable[None]],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                with self._accepting:
                    async for stream in self._arrived:
                        nursery.start_soon(self._handle, handler, stream)
                self._close()
        finally:
            self._close()

    def stop(self) -> None:
        self._accepting.cancel()

    def _close(self) -> None:
        if self._wires.listeners.get(self._place) is self:
            del self._wires.listeners[self._place]

    async def _handle(self, handler: Callable[[Stream], Awaitable[None]], stream: MemoryStream) -> None:
        try:
            await handler(stream)
        except MaillonError as error:
            log.info("stream-ended", address=self.address, error=str(error))
        finally:
            await stream.aclose()
