"""Sealed bytes beside TLS: tokens, what may travel there, and what an attacker on that stream can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.host.ports import Listener, Stream
from node.net.bulk import BulkDoor, open_bulk
from node.net.connection import Connection, dispatch
from node.net.exchange import Exchange
from node.net.identity import send_first
from node.net.settings import NetSettings
from protocol.errors import Malformed, Refused, Unavailable
from protocol.keys.derive import derive_key
from protocol.limits import KIB, MIB
from protocol.requests import BulkOffer, BulkOpen, Done, Kind
from protocol.wire import schema
from protocol.wire.envelopes import BulkHello, Carriage, Role
from protocol.wire.frames import FrameType, pack_header
from tests.support.connections import Numbers, Say, connected
from tests.support.streams import MemoryStream, stream_pair

SETTINGS = NetSettings()
PUT, GET = 16, 17
SHARE = bytes(range(256)) * (2 * MIB // 256)


@dataclass
class PlainDoor:
    """A network of one plain door. `streams` are the dialling and accepting ends of what was dialled last."""

    door: BulkDoor
    nursery: trio.Nursery
    streams: tuple[MemoryStream, MemoryStream] | None = None
    refused: list[str] = field(default_factory=list)

    async def dial_plain(self, address: str) -> Stream:
        assert address == "bulk:1"
        self.streams = stream_pair(bindings=(b"", b""))
        self.nursery.start_soon(self._admit, self.streams[1])
        return self.streams[0]

    async def _admit(self, stream: Stream) -> None:
        try:
            await self.door.admit(stream)
        except Refused as error:
            self.refused.append(error.identifier)
        finally:
            await stream.aclose()

    async def dial(self, address: str) -> Stream:
        raise NotImplementedError

    async def listen(self, address: str) -> Listener:
        raise NotImplementedError

    async def listen_plain(self, address: str) -> Listener:
        raise NotImplementedError


async def put(exchange: Exchange) -> None:
    room = bytearray(exchange.payload_bytes or 0)
    await exchange.receive_into(memoryview(room))
    await exchange.answer(Say("good" if bytes(room) == SHARE else "spoiled"))


async def get(exchange: Exchange) -> None:
    await exchange.answer(Done(), [SHARE])


@asynccontextmanager
async def beside(
    *, role: Role = Role.NODE, settings: NetSettings = SETTINGS, opened: bool = True
) -> AsyncIterator[tuple[Connection, PlainDoor, MemoryStream]]:
    """A connection with a plain stream beside it, and the dialling end of the stream under TLS."""
    secure = stream_pair()
    door = BulkDoor(Numbers(b"door"), "bulk:1", settings)
    handler = dispatch({Kind.BULK_OPEN: door.serve_open, PUT: put, GET: get})
    async with trio.open_nursery() as nursery:
        plain = PlainDoor(door, nursery)
        async with connected(handler, streams=secure, role=role, settings=settings) as (alice, _):
            if opened:
                await open_bulk(alice, plain, settings, deadline_s=5)
                await wait_all_tasks_blocked()
            yield alice, plain, secure[0]


async def test_shares_travel_outside_tls_both_ways() -> None:
    room = memoryview(bytearray(len(SHARE)))
    async with beside() as (alice, plain, secure):
        before = secure.outgoing.passed_bytes + secure.incoming.passed_bytes
        answer = await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE], over=Carriage.SEALED)
        assert answer.message == Say("good")
        await alice.ask(GET, Say(""), Done, deadline_s=5, into=room, over=Carriage.SEALED)
        assert bytes(room) == SHARE
        assert secure.outgoing.passed_bytes + secure.incoming.passed_bytes - before < 1 * KIB
        assert plain.streams is not None
        assert plain.streams[0].outgoing.passed_bytes > len(SHARE)


async def test_what_is_not_marked_sealed_stays_inside_tls() -> None:
    async with beside() as (alice, plain, _):
        assert plain.streams is not None
        before = plain.streams[0].outgoing.passed_bytes
        await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE])
        assert plain.streams[0].outgoing.passed_bytes == before


async def test_without_a_plain_stream_sealed_bytes_go_inside_tls() -> None:
    async with beside(opened=False) as (alice, _, _):
        answer = await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE], over=Carriage.SEALED)
        assert answer.message == Say("good")


async def test_a_changed_byte_reaches_the_handler_and_nothing_else() -> None:
    async with beside() as (alice, plain, _):
        assert plain.streams is not None
        plain.streams[0].outgoing.tap = lambda data: (
            data if len(data) < 1_000 else data[:500] + bytes([data[500] ^ 1]) + data[501:]
        )
        spoiled = await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE], over=Carriage.SEALED)
        assert spoiled.message == Say("spoiled")
        again = await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE], over=Carriage.SECURE)
        assert again.message == Say("good")


@pytest.mark.parametrize(
    "frame",
    [
        pack_header(FrameType.CANCEL, 1, 0),
        pack_header(FrameType.DATA, 2**60 + 1, 10) + bytes(10),
        bytes(16),
        pack_header(FrameType.GOODBYE, 0, 0),
    ],
    ids=["control", "an exchange that never was", "garbage", "goodbye"],
)
async def test_a_frame_that_has_no_business_there_costs_the_plain_stream_alone(
    frame: bytes, autojump_clock: MockClock
) -> None:
    async with beside() as (alice, plain, _):
        assert plain.streams is not None
        await plain.streams[0].send_all([frame])
        await trio.sleep(SETTINGS.handshake_s + 1)
        answer = await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE], over=Carriage.SEALED)
        assert answer.message == Say("good")
        assert plain.streams[0].outgoing.closed


async def test_losing_the_plain_stream_in_the_middle_is_said_by_name() -> None:
    async with beside() as (alice, plain, _):
        assert plain.streams is not None
        ends = plain.streams

        def cut(data: bytes) -> bytes:
            ends[0].cut()
            return data

        ends[0].outgoing.tap = cut
        with pytest.raises(Unavailable, match=r"bulk-lost|connection-lost"):
            await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE], over=Carriage.SEALED)
        answer = await alice.ask(PUT, Say(""), Say, deadline_s=5, payload=[SHARE], over=Carriage.SEALED)
        assert answer.message == Say("good")


async def test_a_plain_stream_that_is_held_up_is_dropped_at_the_deadline(autojump_clock: MockClock) -> None:
    async with beside() as (alice, plain, _):
        assert plain.streams is not None
        plain.streams[1].outgoing.tap = lambda _data: b""
        room = memoryview(bytearray(len(SHARE)))
        with pytest.raises(Unavailable, match="deadline"):
            await alice.ask(GET, Say(""), Done, deadline_s=5, into=room, over=Carriage.SEALED)
        await alice.ask(GET, Say(""), Done, deadline_s=5, into=room, over=Carriage.SEALED)
        assert bytes(room) == SHARE


async def test_a_token_is_good_once() -> None:
    async with beside(opened=False) as (alice, plain, _):
        offer = (await alice.ask(Kind.BULK_OPEN, BulkOpen(), BulkOffer, deadline_s=5)).message
        hello = BulkHello(derive_key("maillon 2026 bulk stream, dialling end, 1", offer.token))
        for _ in range(2):
            stream = await plain.dial_plain("bulk:1")
            await send_first(stream, FrameType.HELLO, schema.encode(hello))
            await wait_all_tasks_blocked()
        assert plain.refused == ["bulk-token"]


async def test_a_token_does_not_last(autojump_clock: MockClock) -> None:
    async with beside(opened=False) as (alice, plain, _):
        offer = (await alice.ask(Kind.BULK_OPEN, BulkOpen(), BulkOffer, deadline_s=5)).message
        await trio.sleep(SETTINGS.handshake_s + 1)
        stream = await plain.dial_plain("bulk:1")
        hello = BulkHello(derive_key("maillon 2026 bulk stream, dialling end, 1", offer.token))
        await send_first(stream, FrameType.HELLO, schema.encode(hello))
        await wait_all_tasks_blocked()
        assert plain.refused == ["bulk-token"]


async def test_a_stranger_gets_no_token() -> None:
    async with beside(role=Role.JOINER, opened=False) as (alice, _, _):
        with pytest.raises(Refused, match="peer-role"):
            await alice.ask(Kind.BULK_OPEN, BulkOpen(), BulkOffer, deadline_s=5)


async def test_a_door_said_to_be_a_socket_of_this_machine_is_never_dialled() -> None:
    dialled: list[str] = []

    class Watched(PlainDoor):
        async def dial_plain(self, address: str) -> Stream:
            dialled.append(address)
            raise Unavailable("dial-failed", address=address, reason="watched")

    door = BulkDoor(Numbers(b"door"), "unix:/run/other/admin.sock", SETTINGS)
    async with connected(dispatch({Kind.BULK_OPEN: door.serve_open})) as (dialler, _), trio.open_nursery() as nursery:
        with pytest.raises(Malformed, match="address"):
            await open_bulk(dialler, Watched(door, nursery), SETTINGS, deadline_s=5)
    assert dialled == []
