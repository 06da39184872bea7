"""What comes to a real node's port: nonsense, silence, strangers, middlemen. It names them and serves the others."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from node.host.ports import Stream
from node.net.connection import accept, dispatch
from node.net.failures import RemoteError
from node.net.identity import Credentials
from protocol.errors import Forged, MaillonError, Refused
from protocol.ids import Digest, FederationId
from protocol.keys.signing import SigningKey
from protocol.limits import DATA_BYTES_MAX, EXCHANGE_WINDOW_BYTES
from protocol.requests import Done, HasShares, HasSharesReply, Kind, Ping
from protocol.wire import schema
from protocol.wire.envelopes import Carriage, Request, Role, pack_request
from protocol.wire.frames import FrameType, pack_header
from tests.support.hostile import (
    SETTINGS,
    Identity,
    anybody,
    host_here,
    identity_of,
    listening,
    relay_to,
    rogue,
    visiting,
)
from tests.support.processes import DEADLINE_S, GATEWAY, Town, some_bytes

pytestmark = pytest.mark.processes

HOLDER = "n2"
MEMBER = "n6"
STRANGER = SigningKey.from_seed(b"stranger".ljust(32))
NESTED = b"\x91" * 2_000 + b"\xc0"


@asynccontextmanager
async def unharmed(six: Town) -> AsyncIterator[str]:
    """The holder's address; afterwards its process is the same and serves a member."""
    before = six.node(HOLDER).pid
    yield six.node(HOLDER).address
    assert six.is_alive(HOLDER)
    assert six.node(HOLDER).pid == before
    async with visiting(six.node(HOLDER).address, identity_of(six.dir(MEMBER))) as member:
        await member.ask(Kind.PING, Ping(()), Ping, deadline_s=DEADLINE_S)


def place_of(address: str) -> tuple[str, int]:
    host, _colon, port = address.rpartition(":")
    return host, int(port)


def header(*, magic: int = 0x4D, version: int = 1, frame_type: int, exchange: int = 0, size_bytes: int = 1) -> bytes:
    return bytes([magic, version, frame_type, 0]) + exchange.to_bytes(8, "big") + size_bytes.to_bytes(4, "big")


def frame(frame_type: FrameType, exchange: int, payload: bytes) -> bytes:
    return pack_header(frame_type, exchange, len(payload)) + payload


def question(message: bytes) -> bytes:
    return pack_request(Request(int(Kind.PING), 0, EXCHANGE_WINDOW_BYTES, Carriage.SECURE, message))


# --- nonsense

FROM_STRANGERS = {
    "unknown version": (header(version=9, frame_type=1), "frame-version"),
    "unknown type": (header(frame_type=77), "frame-type"),
    "no frame": (b"GET / HTTP/1.1\r\nHost: maillon\r\n\r\n", "frame-magic"),
    "oversized": (header(frame_type=1, size_bytes=2**32 - 1), "frame-size"),
    "wrong type": (frame(FrameType.DATA, 1, b"x"), "frame-unexpected"),
    "deeply nested": (frame(FrameType.HELLO, 0, NESTED), ""),
    "not a hello": (frame(FrameType.HELLO, 0, schema.encode(Done())), ""),
}

FROM_MEMBERS = {
    "unknown version": (header(version=2, frame_type=3, exchange=1), "frame-version"),
    "unknown type": (header(frame_type=99, exchange=1), "frame-type"),
    "oversized": (header(frame_type=6, exchange=1, size_bytes=DATA_BYTES_MAX + 1), "frame-size"),
    "wrong type": (frame(FrameType.PROOF, 0, b"x"), "frame-unexpected"),
    "data nobody asked for": (frame(FrameType.DATA, 1, b"x"), "frame-unexpected"),
    "a nested head": (frame(FrameType.REQUEST, 1, NESTED), "request-head"),
}


@pytest.mark.parametrize(("sent", "identifier"), FROM_STRANGERS.values(), ids=list(FROM_STRANGERS))
async def test_nonsense_instead_of_a_greeting(six_nodes: Town, sent: bytes, identifier: str) -> None:
    async with unharmed(six_nodes) as address:
        heard = six_nodes.listen(HOLDER)
        async with rogue(address) as peer:
            await peer.send(sent)
            told = await peer.hear_end()
        assert told is not None
        assert told.identifier.startswith(identifier)
        await heard.wait("peer-turned-away", told.identifier)


@pytest.mark.parametrize(("sent", "identifier"), FROM_MEMBERS.values(), ids=list(FROM_MEMBERS))
async def test_nonsense_from_a_member(six_nodes: Town, sent: bytes, identifier: str) -> None:
    async with unharmed(six_nodes) as address:
        heard = six_nodes.listen(HOLDER)
        async with rogue(address, identity_of(six_nodes.dir(MEMBER))) as peer:
            await peer.send(sent)
            told = await peer.hear_end()
        assert told is not None
        assert told.identifier == identifier
        await heard.wait("peer-broke-protocol", identifier)


async def test_frames_cut_short_by_strangers_and_members(six_nodes: Town) -> None:
    async with unharmed(six_nodes) as address:
        heard = six_nodes.listen(HOLDER)
        whole = frame(FrameType.HELLO, 0, bytes(200))
        for size_bytes in (1, 15, 16, 100):
            async with rogue(address) as peer:
                await peer.send(whole[:size_bytes])
        await heard.wait("peer-turned-away", "frame-truncated")
        async with rogue(address, identity_of(six_nodes.dir(MEMBER))) as peer:
            await peer.send(frame(FrameType.REQUEST, 1, question(schema.encode(Ping(()))))[:-3])
        # No TLS at all, and TLS that stops in the middle.
        for garbage in (b"\x16\x03\x01\x02\x00\x01\x00", b"EHLO maillon\r\n", bytes(5_000)):
            with socket.create_connection(place_of(address)) as plain:
                plain.sendall(garbage)


async def test_a_nested_question_is_answered_with_a_name_and_the_connection_lives(six_nodes: Town) -> None:
    async with unharmed(six_nodes) as address, rogue(address, identity_of(six_nodes.dir(MEMBER))) as peer:
        for number, (message, expected) in enumerate(
            [(NESTED, FrameType.FAILURE), (b"\xc1", FrameType.FAILURE), (schema.encode(Ping(())), FrameType.REPLY)]
        ):
            exchange = 2 * number + 1
            await peer.send_frame(FrameType.REQUEST, exchange, question(message))
            while True:
                answer = await peer.reader.header()
                assert answer is not None
                await peer.reader.payload(answer.payload_bytes)
                if answer.exchange == exchange:
                    break
            assert answer.type is expected


# --- strangers


async def test_strangers_and_members_of_other_federations_stay_outside(six_nodes: Town) -> None:
    member = identity_of(six_nodes.dir(MEMBER))
    nobody = Identity(member.federation, STRANGER)
    foreigner = Identity(FederationId(Digest(b"other".ljust(32))), member.key)
    async with unharmed(six_nodes) as address:
        heard = six_nodes.listen(HOLDER)
        for who, role, identifier in [
            (nobody, Role.NODE, "node-unknown"),
            (foreigner, Role.NODE, "federation-other"),
            (foreigner, Role.JOINER, "federation-other"),
        ]:
            with pytest.raises(Refused, match=identifier):
                async with visiting(address, who, role):
                    pass
            await heard.wait("peer-turned-away", identifier)
        async with visiting(address, nobody, Role.JOINER) as guest:
            for kind, asked in [(Kind.PING, Ping(())), (Kind.HAS_SHARES, HasShares((Digest(bytes(32)),)))]:  # type: ignore[arg-type]
                with pytest.raises(Refused, match="stranger"):
                    await guest.ask(kind, asked, HasSharesReply, deadline_s=DEADLINE_S)


# --- silence


async def test_callers_that_say_nothing_are_dropped_and_keep_nobody_out(six_nodes: Town) -> None:
    """They are let go at `handshake_s`; long before that, everybody else is served."""
    async with unharmed(six_nodes) as address, trio.open_nursery() as nursery:
        heard = six_nodes.listen(HOLDER)
        streams = [await host_here().network.dial(address) for _ in range(30)]
        plain = [await trio.open_tcp_stream(*place_of(address)) for _ in range(30)]
        data = some_bytes(1, 600_000)
        await six_nodes.put("silence", data)
        (block,) = await six_nodes.blocks("silence")
        assert all(share.present for share in block.shares)

        async def see_end(stream: Stream) -> None:
            buffer = memoryview(bytearray(10_000))
            while await stream.receive_into(buffer):
                pass
            await stream.aclose()

        async def see_plain_end(stream: trio.SocketStream) -> None:
            async with stream:
                assert await stream.receive_some(100) == b""

        with trio.fail_after(SETTINGS.handshake_s + DEADLINE_S):
            async with trio.open_nursery() as ends:
                for stream in streams:
                    ends.start_soon(see_end, stream)
                for socket_stream in plain:
                    ends.start_soon(see_plain_end, socket_stream)
        await heard.wait("handshake-timeout")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("speaks_tls", [False, True], ids=["plain", "under TLS"])
async def test_a_peer_that_accepts_and_says_nothing_costs_a_share_not_the_put(
    six_nodes: Town, speaks_tls: bool
) -> None:
    data = some_bytes(2, 600_000)
    await six_nodes.put("mute/before", data)
    await six_nodes.kill(MEMBER)
    place = place_of(six_nodes.node(MEMBER).address)

    async def mute(_stream: Stream) -> None:
        await trio.sleep_forever()

    async def talk() -> None:
        await six_nodes.put("mute/put", data)
        await six_nodes.see(5, by=(GATEWAY,))
        assert await six_nodes.get("mute/put") == data
        assert await six_nodes.get("mute/before") == data
        (block,) = await six_nodes.blocks("mute/put")
        assert [share.name for share in block.shares if not share.present] == [MEMBER]

    if speaks_tls:
        async with listening(six_nodes.node(MEMBER).address, mute):
            await talk()
    else:
        with socket.create_server(place):
            await talk()


# --- a man in the middle


async def test_a_man_in_the_middle_is_noticed_by_both_ends(six_nodes: Town) -> None:
    member = identity_of(six_nodes.dir(MEMBER))
    async with unharmed(six_nodes) as address, trio.open_nursery() as nursery:
        heard = six_nodes.listen(HOLDER)
        listener = await host_here().network.listen("127.0.0.1:0")
        nursery.start_soon(listener.serve, relay_to(address))
        with pytest.raises(Forged, match="peer-proof"):
            async with visiting(listener.address, member):
                pass
        await heard.wait("peer-turned-away", "peer-proof")
        nursery.cancel_scope.cancel()


async def test_a_member_behind_a_man_in_the_middle_is_away_and_no_byte_passes(six_nodes: Town) -> None:
    """The member's own key answers, only the way to it is wrong: nobody takes it for reached."""
    data = some_bytes(3, 600_000)
    await six_nodes.kill(MEMBER)
    member = identity_of(six_nodes.dir(MEMBER))
    seen: list[MaillonError] = []

    async def answer(stream: Stream) -> None:
        try:
            await accept(
                stream,
                Credentials(Role.NODE, member.federation, member.key),
                roles=frozenset({Role.NODE}),
                gate=anybody,
                handler=dispatch({}),
                entropy=host_here().entropy,
                settings=SETTINGS,
            )
        except MaillonError as error:
            seen.append(error)
        else:
            seen.append(RemoteError("came-through"))

    async with trio.open_nursery() as nursery:
        behind = await host_here().network.listen("127.0.0.1:0")
        nursery.start_soon(behind.serve, answer)
        async with listening(six_nodes.node(MEMBER).address, relay_to(behind.address)):
            await six_nodes.put("middle", data)
            await six_nodes.see(5, by=(GATEWAY,))
            assert await six_nodes.get("middle") == data
        nursery.cancel_scope.cancel()
    found = {error.identifier for error in seen}
    assert "peer-proof" in found
    assert "came-through" not in found
