"""The same connection on real loopback sockets and in the deterministic world."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.host.ports import Host, Stream
from node.host.real import real_host
from node.net.bulk import BulkDoor, open_bulk
from node.net.connection import Connection, accept, connect, dispatch
from node.net.exchange import Exchange
from node.net.identity import Credentials
from node.net.settings import NetSettings
from protocol.errors import Forged, MaillonError, Refused, Unavailable
from protocol.ids import NodeId
from protocol.limits import MIB
from protocol.requests import Done, Kind
from protocol.wire.envelopes import Carriage, Role
from sim.host.world import World
from tests.support.connections import ALICE, BOB, DOOR, Say, credentials, let_in, no_handler

SETTINGS = NetSettings(handshake_s=2.0)
SHARE = bytes(range(256)) * (MIB // 256)
PUT, GET, HASH, HANG = 1, 2, 3, 4

Talk = Callable[[], AbstractAsyncContextManager[tuple[Connection, Host, str]]]


async def put(exchange: Exchange) -> None:
    room = memoryview(bytearray(exchange.payload_bytes or 0))
    await exchange.receive_into(room)
    await exchange.answer(Say(hashlib.sha256(room).hexdigest()))


async def get(exchange: Exchange) -> None:
    await exchange.answer(Done(), [SHARE])


async def digest_stream(exchange: Exchange) -> None:
    room = memoryview(bytearray(MIB))
    seen = hashlib.sha256()
    while received := await exchange.receive_into(room):
        seen.update(room[:received])
    await exchange.answer(Say(seen.hexdigest()))


async def hang(_exchange: Exchange) -> None:
    await trio.sleep_forever()


@asynccontextmanager
async def talking(dialler: Host, acceptor: Host, address: str) -> AsyncIterator[tuple[Connection, Host, str]]:
    """A connection between two hosts; the accepting one has a plain door too."""
    plain = await acceptor.network.listen_plain(address)
    door = BulkDoor(acceptor.entropy, plain.address, SETTINGS)
    table = {PUT: put, GET: get, HASH: digest_stream, HANG: hang, int(Kind.BULK_OPEN): door.serve_open}

    async def on_stream(stream: Stream) -> None:
        connection = await accept(
            stream,
            credentials(BOB),
            roles=DOOR,
            gate=let_in,
            handler=dispatch(table),
            entropy=acceptor.entropy,
            settings=SETTINGS,
        )
        await connection.run()

    listener = await acceptor.network.listen(address)
    async with trio.open_nursery() as nursery:
        await nursery.start(listener.serve, on_stream)
        await nursery.start(plain.serve, door.admit)
        stream = await dialler.network.dial(listener.address)
        connection = await dial(stream, dialler)
        nursery.start_soon(connection.run)
        yield connection, dialler, listener.address
        connection.close()
        nursery.cancel_scope.cancel()


async def dial(stream: Stream, host: Host, expected: NodeId | None = None) -> Connection:
    return await connect(
        stream,
        credentials(ALICE),
        expected=expected,
        gate=let_in,
        handler=no_handler,
        entropy=host.entropy,
        settings=SETTINGS,
    )


@pytest.fixture
def real(tmp_path: Path) -> Talk:
    return lambda: talking(real_host(tmp_path), real_host(tmp_path), "127.0.0.1:0")


@pytest.fixture
def world(autojump_clock: MockClock) -> Talk:
    def talk() -> AbstractAsyncContextManager[tuple[Connection, Host, str]]:
        world = World(7)
        return talking(world.host("alice"), world.host("bob"), "bob:0")

    return talk


@pytest.fixture(params=["real", "world"])
def talk(request: pytest.FixtureRequest) -> Talk:
    chosen: Talk = request.getfixturevalue(request.param)
    return chosen


async def test_shares_pass_both_ways_many_at_once(talk: Talk) -> None:
    expected = Say(hashlib.sha256(SHARE).hexdigest())

    async def both(connection: Connection) -> None:
        room = memoryview(bytearray(MIB))
        for _ in range(3):
            stored = await connection.ask(PUT, Done(), Say, deadline_s=30, payload=[SHARE[:1_000], SHARE[1_000:]])
            assert stored.message == expected
            await connection.ask(GET, Done(), Done, deadline_s=30, into=room)
            assert room == SHARE

    async with talk() as (connection, _, _), trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(both, connection)


async def test_a_long_stream_arrives_whole(talk: Talk) -> None:
    seen = hashlib.sha256()
    async with talk() as (connection, _, _), connection.open(HASH, Done()) as asking:
        for number in range(20):
            part = SHARE[number:]
            seen.update(part)
            await asking.send([part])
        await asking.finish()
        assert (await asking.reply(Say)).text == seen.hexdigest()


async def test_sealed_bytes_take_the_plain_stream(talk: Talk) -> None:
    async with talk() as (connection, host, _):
        await open_bulk(connection, host.network, SETTINGS, deadline_s=5)
        await trio.sleep(0.1)
        assert connection.carriage(Carriage.SEALED) is Carriage.SEALED
        room = memoryview(bytearray(MIB))
        for _ in range(3):
            stored = await connection.ask(PUT, Done(), Say, deadline_s=30, payload=[SHARE], over=Carriage.SEALED)
            assert stored.message == Say(hashlib.sha256(SHARE).hexdigest())
            await connection.ask(GET, Done(), Done, deadline_s=30, into=room, over=Carriage.SEALED)
            assert room == SHARE


async def test_deadlines_hold(talk: Talk) -> None:
    async with talk() as (connection, _, _):
        with pytest.raises(Unavailable, match="deadline"):
            await connection.ask(HANG, Done(), Done, deadline_s=0.1)
        assert not connection.closed
        await connection.ask(GET, Done(), Done, deadline_s=30, into=memoryview(bytearray(MIB)))


async def test_the_wrong_node_is_refused(talk: Talk) -> None:
    async with talk() as (_, host, address):
        stream = await host.network.dial(address)
        with pytest.raises(Refused, match="peer-unexpected"):
            await dial(stream, host, NodeId(b"\x01" * 32))


async def test_a_listener_that_says_nothing_is_given_up(talk: Talk) -> None:
    async with talk() as (_, host, address):
        silent = await host.network.listen(address.rsplit(":", 1)[0] + ":0")

        async def say_nothing(stream: Stream) -> None:
            await stream.receive_into(memoryview(bytearray(10_000)))
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            await nursery.start(silent.serve, say_nothing)
            stream = await host.network.dial(silent.address)
            with pytest.raises(Unavailable, match="handshake-timeout"):
                await dial(stream, host)
            nursery.cancel_scope.cancel()


async def relay(one: Stream, other: Stream) -> None:
    """Every byte, faithfully."""

    async def pump(source: Stream, target: Stream) -> None:
        room = memoryview(bytearray(10_000))
        try:
            while received := await source.receive_into(room):
                await target.send_all([bytes(room[:received])])
        except MaillonError:
            pass
        await target.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump, one, other)
        nursery.start_soon(pump, other, one)


async def test_a_relay_with_a_certificate_of_its_own_is_found_out(tmp_path: Path) -> None:
    async with talking(real_host(tmp_path), real_host(tmp_path), "127.0.0.1:0") as (_, host, address):
        middle = real_host(tmp_path)

        async def on_stream(stream: Stream) -> None:
            await relay(stream, await middle.network.dial(address))

        listener = await middle.network.listen("127.0.0.1:0")
        async with trio.open_nursery() as nursery:
            await nursery.start(listener.serve, on_stream)
            stream = await host.network.dial(listener.address)
            with pytest.raises(Forged, match="peer-proof"):
                await dial(stream, host)
            nursery.cancel_scope.cancel()


async def test_the_admin_socket_carries_the_same_frames(tmp_path: Path) -> None:
    host = real_host(tmp_path)
    address = f"unix:{tmp_path / 'admin.sock'}"

    async def on_stream(stream: Stream) -> None:
        connection = await accept(
            stream,
            credentials(BOB),
            roles=frozenset({Role.ADMIN}),
            gate=let_in,
            handler=dispatch({HASH: digest_stream}),
            entropy=host.entropy,
            settings=SETTINGS,
        )
        await connection.run()

    listener = await host.network.listen_plain(address)
    async with trio.open_nursery() as nursery:
        await nursery.start(listener.serve, on_stream)
        connection = await connect(
            await host.network.dial_plain(address),
            Credentials(Role.ADMIN, None, None),
            expected=None,
            gate=let_in,
            handler=no_handler,
            entropy=host.entropy,
            settings=SETTINGS,
        )
        nursery.start_soon(connection.run)
        answer = await connection.ask(HASH, Done(), Say, deadline_s=5, payload=[SHARE])
        assert answer.message == Say(hashlib.sha256(SHARE).hexdigest())
        connection.close()
        nursery.cancel_scope.cancel()
