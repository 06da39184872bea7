"""What only real sockets can get wrong: TLS peers that misbehave, long socket paths, permissions, floods."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio

from node.host import network as network_module
from node.host.addresses import InternetAddress, UnixAddress, parse_address
from node.host.certificate import make_contexts
from node.host.network import RealNetwork
from node.host.ports import Stream
from protocol.errors import Unavailable

DEADLINE_S = 20


@pytest.fixture
def network() -> RealNetwork:
    return RealNetwork(make_contexts)


async def echo(stream: Stream) -> None:
    buffer = memoryview(bytearray(1000))
    while count := await stream.receive_into(buffer):
        await stream.send_all([buffer[:count]])


@pytest.fixture
async def address(network: RealNetwork, nursery: trio.Nursery) -> str:
    listener = await network.listen("127.0.0.1:0")
    await nursery.start(listener.serve, echo)
    return listener.address


async def exchange(stream: Stream) -> None:
    with trio.fail_after(DEADLINE_S):
        await stream.send_all([b"hello"])
        assert await stream.receive_into(memoryview(bytearray(10))) == 5


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_addresses_are_read_as_people_write_them() -> None:
    assert parse_address("a.example:80") == InternetAddress("a.example", 80)
    assert parse_address("[::1]:80") == InternetAddress("::1", 80)
    assert str(parse_address("[::1]:80")) == "[::1]:80"
    assert parse_address("unix:/a/b c:d") == UnixAddress(Path("/a/b c:d"))


async def test_only_tls_13_is_spoken_and_no_ticket_follows(address: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connect(maximum: ssl.TLSVersion) -> str | None:
        context.maximum_version = maximum
        with socket.create_connection(("127.0.0.1", port_of(address))) as raw, context.wrap_socket(raw) as wrapped:
            wrapped.sendall(b"hello")
            assert wrapped.recv(5) == b"hello"
            assert wrapped.session is None or not wrapped.session.has_ticket
            return wrapped.version()

    assert await trio.to_thread.run_sync(connect, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await trio.to_thread.run_sync(connect, ssl.TLSVersion.TLSv1_2)


async def test_each_start_has_another_certificate() -> None:
    assert make_contexts().binding != make_contexts().binding


def test_no_key_is_left_on_any_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make_contexts()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "garbage", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 100, bytes(4096)]
)
async def test_a_peer_that_speaks_no_tls_loses_only_its_own_stream(
    network: RealNetwork, address: str, garbage: bytes
) -> None:
    with trio.fail_after(DEADLINE_S):
        raw = await trio.open_tcp_stream("127.0.0.1", port_of(address))
        if garbage:
            await raw.send_all(garbage)
        await raw.aclose()
        stream = await network.dial(address)
        await exchange(stream)
        await stream.aclose()


async def test_a_bug_in_a_handler_costs_one_stream(network: RealNetwork, nursery: trio.Nursery) -> None:
    async def buggy(stream: Stream) -> None:
        await stream.receive_into(memoryview(bytearray(1)))
        raise IndexError("a bug")

    listener = await network.listen_plain("127.0.0.1:0")
    await nursery.start(listener.serve, buggy)
    with trio.fail_after(DEADLINE_S):
        for _ in range(2):
            stream = await network.dial_plain(listener.address)
            await stream.send_all([b"x"])
            assert await stream.receive_into(memoryview(bytearray(1))) == 0
            await stream.aclose()


async def test_a_silent_listener_is_left_to_the_callers_deadline(network: RealNetwork) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with trio.move_on_after(0.05) as scope:
            await network.dial(f"127.0.0.1:{silent.getsockname()[1]}")
        assert scope.cancelled_caught


async def test_a_stream_cut_without_goodbye_is_broken_not_ended(network: RealNetwork, nursery: trio.Nursery) -> None:
    """Else whoever cuts a wire could pass off a beginning as the whole."""
    relayed = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listener = await network.listen("127.0.0.1:0")
    await nursery.start(listener.serve, echo)

    async def relay_then_cut(near: Any) -> None:
        far = await trio.open_tcp_stream("127.0.0.1", port_of(listener.address))
        async with near, far, trio.open_nursery() as both:

            async def pump(source: Any, target: Any, budget: int) -> None:
                async for data in source:
                    budget -= len(data)
                    await target.send_all(data)
                    if budget <= 0:
                        both.cancel_scope.cancel()

            both.start_soon(pump, near, far, 1 << 20)
            both.start_soon(pump, far, near, 1200)

    await nursery.start(trio.serve_listeners, relay_then_cut, relayed)
    with trio.fail_after(DEADLINE_S):
        stream = await network.dial(f"127.0.0.1:{relayed[0].socket.getsockname()[1]}")

        async def exchange_until_the_end() -> None:
            while True:
                await stream.send_all([bytes(500)])
                assert await stream.receive_into(memoryview(bytearray(500))), "a cut must not look like an end"

        with pytest.raises(Unavailable) as caught:
            await exchange_until_the_end()
        assert caught.value.identifier == "stream-broken"
        await stream.aclose()


async def test_a_flipped_bit_on_the_wire_breaks_the_stream(network: RealNetwork, nursery: trio.Nursery) -> None:
    """The relay flips one bit of application data: nothing of that record may reach the reader."""
    relayed = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listener = await network.listen("127.0.0.1:0")
    await nursery.start(listener.serve, echo)
    rot = trio.Event()

    async def relay(near: Any) -> None:
        far = await trio.open_tcp_stream("127.0.0.1", port_of(listener.address))
        async with near, far, trio.open_nursery() as both:

            async def pump(source: Any, target: Any) -> None:
                async for data in source:
                    changed = bytearray(data)
                    if rot.is_set():
                        changed[-1] ^= 1
                    await target.send_all(changed)

            both.start_soon(pump, near, far)
            await pump(far, near)
            both.cancel_scope.cancel()

    await nursery.start(trio.serve_listeners, relay, relayed)
    with trio.fail_after(DEADLINE_S):
        stream = await network.dial(f"127.0.0.1:{relayed[0].socket.getsockname()[1]}")
        await exchange(stream)
        rot.set()
        await stream.send_all([b"hello"])
        with pytest.raises(Unavailable):
            await stream.receive_into(memoryview(bytearray(10)))
        await stream.aclose()


async def test_a_relay_in_the_middle_shows_another_certificate(address: str, nursery: trio.Nursery) -> None:
    honest, relay = RealNetwork(make_contexts), RealNetwork(make_contexts)
    listener = await relay.listen("127.0.0.1:0")
    await nursery.start(listener.serve, echo)
    direct, relayed = await honest.dial(address), await honest.dial(listener.address)
    assert direct.binding != relayed.binding
    await direct.aclose()
    await relayed.aclose()


async def test_a_flood_of_connections_is_bounded(
    network: RealNetwork, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "CONNECTIONS_MAX", 3)
    listener = await network.listen_plain("127.0.0.1:0")
    await nursery.start(listener.serve, echo)
    with trio.fail_after(DEADLINE_S):
        streams = [await network.dial_plain(listener.address) for _ in range(3)]
        for stream in streams:
            await exchange(stream)
        refused = await network.dial_plain(listener.address)
        assert await refused.receive_into(memoryview(bytearray(1))) == 0
        await refused.aclose()
        for stream in streams:
            await stream.aclose()


async def test_the_commands_socket_is_private_and_its_path_may_be_long(
    network: RealNetwork, nursery: trio.Nursery, tmp_path: Path
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = folder / "admin.sock"
    listener = await network.listen_plain(f"unix:{path}")
    assert path.stat().st_mode & 0o777 == 0o600
    await nursery.start(listener.serve, echo)
    stream = await network.dial_plain(listener.address)
    await exchange(stream)
    await stream.aclose()
    nursery.cancel_scope.cancel()
    await trio.lowlevel.cancel_shielded_checkpoint()


async def test_a_socket_left_by_a_dead_node_is_replaced_and_removed_at_the_end(
    network: RealNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with trio.open_nursery() as nursery:
        listener = await network.listen_plain(f"unix:{path}")
        await nursery.start(listener.serve, echo)
        stream = await network.dial_plain(f"unix:{path}")
        await exchange(stream)
        await stream.aclose()
        nursery.cancel_scope.cancel()
    assert not path.exists()
