"""What every network promises; the same tests over real sockets (TLS, plain, Unix) and the one in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from node.host.ports import Listener, Network, Stream
from node.host.real import real_host
from protocol.errors import Malformed, Refused, Unavailable
from sim.host.world import World

DEADLINE_S = 20


@dataclass(frozen=True)
class Medium:
    """A way to connect: how to listen, how to dial, and whether the stream has a binding."""

    near: Network
    far: Network
    address: str
    secure: bool

    async def listen(self) -> Listener:
        return await (self.far.listen if self.secure else self.far.listen_plain)(self.address)

    async def dial(self, address: str) -> Stream:
        return await (self.near.dial if self.secure else self.near.dial_plain)(address)


@pytest.fixture(params=["tls", "plain", "unix", "memory-tls", "memory-plain"])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Medium:
    kind = request.param
    if kind.startswith("memory"):
        world = World(3)
        return Medium(world.host("a").network, world.host("b").network, "b.example:0", kind == "memory-tls")
    near, far = real_host(tmp_path / "a").network, real_host(tmp_path / "b").network
    address = f"unix:{tmp_path}/admin.sock" if kind == "unix" else "127.0.0.1:0"
    return Medium(near, far, address, kind == "tls")


@asynccontextmanager
async def serving(medium: Medium, handler: Callable[[Stream], Awaitable[None]]):
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            listener = await medium.listen()
            await nursery.start(listener.serve, handler)
            yield listener.address
            nursery.cancel_scope.cancel()


async def receive_exactly(stream: Stream, size: int) -> bytes:
    buffer = bytearray(size)
    view, filled = memoryview(buffer), 0
    while filled < size:
        count = await stream.receive_into(view[filled:])
        if count == 0:
            break
        filled += count
    return bytes(buffer[:filled])


async def echo(stream: Stream) -> None:
    buffer = memoryview(bytearray(70_000))
    while count := await stream.receive_into(buffer):
        await stream.send_all([buffer[:count]])


async def test_bytes_arrive_whole_and_in_order_whatever_their_parts(medium: Medium) -> None:
    parts = [bytes([number % 251]) * size for number, size in enumerate([1, 0, 16, 5000, 16_384, 70_000, 3, 1 << 20])]
    whole = b"".join(parts)
    async with serving(medium, echo) as address:
        stream = await medium.dial(address)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, parts)
            assert await receive_exactly(stream, len(whole)) == whole
        await stream.aclose()


async def test_both_directions_flow_at_once(medium: Medium) -> None:
    """Each end sends more than any buffer holds before it reads: only concurrent directions get through."""
    size = 6 << 20
    data = hashlib.shake_128(b"data").digest(size)

    async def both(stream: Stream) -> bytes:
        received = b""

        async def receive() -> None:
            nonlocal received
            received = await receive_exactly(stream, size)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await stream.send_all([data])
        return received

    far: list[bytes] = []

    async def handler(stream: Stream) -> None:
        far.append(await both(stream))

    async with serving(medium, handler) as address:
        stream = await medium.dial(address)
        near = await both(stream)
        await stream.aclose()
        while not far:
            await trio.lowlevel.checkpoint()
    assert near == data
    assert far == [data]


async def test_two_senders_never_mix_their_messages(medium: Medium) -> None:
    async with serving(medium, echo) as address:
        stream = await medium.dial(address)
        received = b""
        async with trio.open_nursery() as nursery:
            for letter in (b"a", b"b", b"c"):
                nursery.start_soon(stream.send_all, [letter * 300_000, letter * 10])
            received = await receive_exactly(stream, 3 * 300_010)
        assert {received[start : start + 300_010] for start in (0, 300_010, 600_020)} == {
            letter * 300_010 for letter in (b"a", b"b", b"c")
        }
        await stream.aclose()


async def test_a_clean_end_reads_as_zero(medium: Medium) -> None:
    async def say_goodbye(stream: Stream) -> None:
        await stream.send_all([b"goodbye"])

    async with serving(medium, say_goodbye) as address:
        stream = await medium.dial(address)
        assert await receive_exactly(stream, 100) == b"goodbye"
        assert await stream.receive_into(memoryview(bytearray(10))) == 0
        await stream.aclose()


async def test_who_waits_for_many_bytes_is_given_them_and_what_comes_before_the_end(medium: Medium) -> None:
    sent = bytes(range(256)) * 4_096
    received = bytearray()

    async def send_in_three_parts(stream: Stream) -> None:
        for start, end in ((0, 1), (1, 600_000), (600_000, len(sent))):
            await stream.send_all([sent[start:end]])

    async with serving(medium, send_in_three_parts) as address:
        stream = await medium.dial(address)
        room = memoryview(bytearray(300_000))
        for wanted in (200_000, 300_000, 1, 10, 300_000, 300_000, 300_000, 300_000):
            part = room[:wanted]
            while len(part) and (count := await stream.receive_into(part, least_bytes=len(part))):
                received += part[:count]
                part = part[count:]
        await stream.aclose()
        assert received == sent


async def test_both_ends_see_the_same_certificate(medium: Medium) -> None:
    bindings: list[bytes] = []

    async def handler(stream: Stream) -> None:
        bindings.append(stream.binding)
        await echo(stream)

    async with serving(medium, handler) as address:
        for _ in range(2):
            stream = await medium.dial(address)
            await stream.send_all([b"x"])
            await receive_exactly(stream, 1)
            bindings.append(stream.binding)
            await stream.aclose()
    assert len(set(bindings)) == 1
    assert len(bindings[0]) == (32 if medium.secure else 0)


async def test_closing_wakes_whoever_reads_here(medium: Medium) -> None:
    async with serving(medium, echo) as address:
        stream = await medium.dial(address)
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                with pytest.raises(Unavailable) as caught:
                    await stream.receive_into(memoryview(bytearray(10)))
                assert caught.value.identifier == "stream-broken"

            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
        await stream.aclose()


async def test_a_send_cut_short_ends_the_stream(medium: Medium) -> None:
    """Half a message has left: whatever followed would be read as its other half."""

    async def never_read(stream: Stream) -> None:
        await stream.receive_into(memoryview(bytearray(1)))
        await trio.sleep_forever()

    async with serving(medium, never_read) as address:
        stream = await medium.dial(address)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, [bytes(64 << 20)])
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
                await trio.testing.wait_all_tasks_blocked(0.05)
            nursery.cancel_scope.cancel()
        with pytest.raises(Unavailable) as caught:
            await stream.send_all([b"more"])
        assert caught.value.identifier == "stream-broken"
        await stream.aclose()


async def test_sending_to_a_peer_that_closed_breaks(medium: Medium) -> None:
    async def close_at_once(stream: Stream) -> None:
        await stream.receive_into(memoryview(bytearray(1)))

    async with serving(medium, close_at_once) as address:
        stream = await medium.dial(address)

        async def send_for_ever() -> None:
            while True:
                await stream.send_all([bytes(65_536)])

        with pytest.raises(Unavailable) as caught:
            await send_for_ever()
        assert caught.value.identifier == "stream-broken"
        await stream.aclose()


async def test_nobody_listening_is_a_named_error(medium: Medium) -> None:
    with trio.fail_after(DEADLINE_S):
        listener = await medium.listen()
        async with trio.open_nursery() as nursery:
            await nursery.start(listener.serve, echo)
            nursery.cancel_scope.cancel()
        with pytest.raises(Unavailable) as caught:
            await medium.dial(listener.address)
    assert caught.value.identifier == "dial-failed"


async def test_an_address_is_listened_on_once(medium: Medium) -> None:
    if medium.address.startswith("unix:"):
        pytest.skip("a Unix socket is guarded by the node's lock")
    async with serving(medium, echo) as address:
        with pytest.raises(Refused) as caught:
            await Medium(medium.near, medium.far, address, medium.secure).listen()
    assert caught.value.identifier == "address-in-use"


@pytest.mark.parametrize("address", ["", "nowhere", "host:", ":80", "host:99999", "a:b:1", "unix:", "host:٣"])
async def test_a_malformed_address_is_named(medium: Medium, address: str) -> None:
    for attempt in (medium.near.dial, medium.near.dial_plain, medium.far.listen, medium.far.listen_plain):
        with pytest.raises(Malformed) as caught:
            await attempt(address)
        assert caught.value.identifier == "address"
