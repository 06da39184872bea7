"""Both ends prove their node keys, to each other and to nobody between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from node.net.connection import Connection, accept, connect
from node.net.failures import RemoteError
from node.net.identity import Credentials, Gate, Peer
from protocol.errors import Forged, MaillonError, Malformed, Refused, Unavailable
from protocol.ids import FederationId, NodeId
from protocol.keys.signing import SigningKey
from protocol.wire import schema
from protocol.wire.envelopes import Hello, Role
from protocol.wire.frames import HEADER_BYTES, FrameType, pack_header
from tests.support.connections import (
    ALICE,
    BOB,
    DOOR,
    SETTINGS,
    Numbers,
    credentials,
    let_in,
    no_handler,
)
from tests.support.streams import MemoryStream, stream_pair


@dataclass
class Met:
    """What came of a handshake at each end: the peer, or the error."""

    dialler: Peer | MaillonError | None = None
    acceptor: Peer | MaillonError | None = None


async def meet(
    pair: tuple[MemoryStream, MemoryStream] | None = None,
    *,
    dialler: Credentials | None = None,
    acceptor: Credentials | None = None,
    expected: NodeId | None = None,
    roles: frozenset[Role] = DOOR,
    gates: tuple[Gate, Gate] = (let_in, let_in),
) -> Met:
    """Let two ends shake hands; which may fail at either."""
    ours, theirs = pair or stream_pair()
    met = Met()

    async def outcome(work: Awaitable[Connection]) -> Peer | MaillonError:
        try:
            return (await work).peer
        except MaillonError as error:
            return error

    async def dial() -> None:
        met.dialler = await outcome(
            connect(
                ours,
                dialler or credentials(ALICE),
                expected=expected,
                gate=gates[0],
                handler=no_handler,
                entropy=Numbers(b"d"),
                settings=SETTINGS,
            )
        )

    async def answer() -> None:
        met.acceptor = await outcome(
            accept(
                theirs,
                acceptor or credentials(BOB),
                roles=roles,
                gate=gates[1],
                handler=no_handler,
                entropy=Numbers(b"a"),
                settings=SETTINGS,
            )
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial)
        nursery.start_soon(answer)
    return met


def refusing(identifier: str) -> Gate:
    def gate(role: Role, node: NodeId) -> None:
        raise Refused(identifier, node=node)

    return gate


def named(end: Peer | MaillonError | None) -> str:
    assert isinstance(end, MaillonError)
    return end.identifier


async def test_two_members_know_each_other_afterwards() -> None:
    met = await meet(expected=NodeId(BOB.public))
    assert met.dialler == Peer(Role.NODE, NodeId(BOB.public), 1)
    assert met.acceptor == Peer(Role.NODE, NodeId(ALICE.public), 1)


async def test_a_stranger_comes_as_a_stranger() -> None:
    met = await meet(dialler=credentials(ALICE, Role.JOINER))
    assert met.acceptor == Peer(Role.JOINER, NodeId(ALICE.public), 1)


async def test_the_admin_needs_no_proof_at_the_door_that_lets_him_in() -> None:
    met = await meet(
        stream_pair(bindings=(b"", b"")),
        dialler=Credentials(Role.ADMIN, None, None),
        acceptor=Credentials(Role.NODE, None, None),
        roles=frozenset({Role.ADMIN}),
    )
    assert met.acceptor == Peer(Role.ADMIN, None, 1)
    assert met.dialler == Peer(Role.NODE, None, 1)


async def test_nobody_is_admin_from_the_network() -> None:
    met = await meet(dialler=Credentials(Role.ADMIN, None, None))
    assert named(met.acceptor) == named(met.dialler) == "peer-role"


async def test_a_member_of_another_federation_is_told_so() -> None:
    met = await meet(dialler=credentials(ALICE, federation=FederationId(b"G" * 32)))
    assert named(met.acceptor) == named(met.dialler) == "federation-other"
    assert isinstance(met.dialler, RemoteError)


async def test_whom_the_gate_keeps_out_hears_why() -> None:
    met = await meet(gates=(let_in, refusing("node-expelled")))
    assert named(met.acceptor) == named(met.dialler) == "node-expelled"


async def test_the_dialling_end_has_a_gate_too() -> None:
    met = await meet(gates=(refusing("node-expelled"), let_in))
    assert named(met.dialler) == "node-expelled"


async def test_another_node_than_the_one_dialled_is_refused() -> None:
    met = await meet(expected=NodeId(b"\x05" * 32))
    assert named(met.dialler) == "peer-unexpected"


async def test_a_node_does_not_talk_to_itself() -> None:
    met = await meet(dialler=credentials(BOB))
    assert named(met.acceptor) == named(met.dialler) == "peer-is-self"


async def test_a_stream_without_a_certificate_proves_nothing() -> None:
    met = await meet(stream_pair(bindings=(b"", b"")))
    assert "stream-unbound" in (named(met.dialler), named(met.acceptor))


async def test_a_man_in_the_middle_is_found_out() -> None:
    # He relays every byte faithfully, but had to show a certificate of his own.
    met = await meet(stream_pair(bindings=(b"\x01" * 32, b"\x02" * 32)))
    assert named(met.acceptor) == named(met.dialler) == "peer-proof"
    assert isinstance(met.acceptor, Forged)


def changing(frame_type: FrameType, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A relay that changes the payload after a header of this type."""
    armed = False

    def tap(data: bytes) -> bytes:
        nonlocal armed
        if armed:
            armed = False
            return change(data)
        armed = len(data) == HEADER_BYTES and data[2] == frame_type
        return data

    return tap


@pytest.mark.parametrize("side", [0, 1], ids=["dialler's", "acceptor's"])
@pytest.mark.parametrize("frame_type", [FrameType.HELLO, FrameType.PROOF])
async def test_one_changed_bit_in_a_handshake_ends_it(side: int, frame_type: FrameType) -> None:
    pair = stream_pair()
    pair[side].outgoing.tap = changing(frame_type, lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    met = await meet(pair)
    assert isinstance(met.dialler, MaillonError)
    # Only the acceptor's last word can be changed unnoticed by the acceptor itself; the dialler never goes on.
    if (side, frame_type) != (1, FrameType.PROOF):
        assert isinstance(met.acceptor, MaillonError)


async def test_a_role_cannot_be_changed_on_the_way() -> None:
    def promote(data: bytes) -> bytes:
        hello = schema.decode(Hello, data)
        return schema.encode(
            Hello(Role.NODE, hello.protocol_from, hello.protocol_to, hello.federation, hello.node, hello.nonce)
        )

    pair = stream_pair()
    pair[0].outgoing.tap = changing(FrameType.HELLO, promote)
    met = await meet(pair, dialler=credentials(ALICE, Role.JOINER))
    assert named(met.acceptor) == "peer-proof"


async def test_a_proof_of_one_handshake_is_worth_nothing_in_another() -> None:
    recorded: list[bytes] = []

    def record(data: bytes) -> bytes:
        recorded.append(data)
        return data

    pair = stream_pair()
    pair[0].outgoing.tap = record
    await meet(pair)
    ours, theirs = stream_pair()
    await ours.send_all(list(recorded))
    with pytest.raises(Forged, match="peer-proof"):
        await accept(
            theirs,
            credentials(BOB),
            roles=DOOR,
            gate=let_in,
            handler=no_handler,
            entropy=Numbers(b"another start"),
            settings=SETTINGS,
        )


async def test_a_key_that_is_only_claimed_opens_nothing() -> None:
    thief = SigningKey.from_seed(b"t" * 32)
    claimed = SigningKey(thief.seed, ALICE.public, thief._expanded)
    met = await meet(dialler=credentials(claimed))
    assert named(met.acceptor) == named(met.dialler) == "peer-proof"


async def hear(raw: bytes, *, close: bool = False) -> None:
    """An acceptor to whom somebody sends these bytes."""
    ours, theirs = stream_pair()
    await ours.send_all([raw])
    if close:
        await ours.aclose()
    await accept(
        theirs,
        credentials(BOB),
        roles=DOOR,
        gate=let_in,
        handler=no_handler,
        entropy=Numbers(),
        settings=SETTINGS,
    )


async def test_a_peer_that_says_nothing_is_dropped_at_the_deadline(autojump_clock: MockClock) -> None:
    for raw in (b"", b"M", pack_header(FrameType.HELLO, 0, 100) + b"half"):
        with pytest.raises(Unavailable, match="handshake-timeout"):
            await hear(raw)
    assert trio.current_time() >= 3 * SETTINGS.handshake_s


def hello(protocol_from: int, protocol_to: int) -> bytes:
    payload = schema.encode(
        Hello(Role.NODE, protocol_from, protocol_to, FederationId(b"F" * 32), NodeId(ALICE.public), b"n" * 32)
    )
    return pack_header(FrameType.HELLO, 0, len(payload)) + payload


@pytest.mark.parametrize(
    ("raw", "identifier"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "frame-magic"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(16), "frame-magic"),
        (pack_header(FrameType.PING, 0, 8) + bytes(8), "frame-unexpected"),
        (pack_header(FrameType.REQUEST, 1, 8) + bytes(8), "frame-unexpected"),
        (pack_header(FrameType.HELLO, 0, 1) + b"\xc0", "message-version"),
        (pack_header(FrameType.HELLO, 0, 40) + b"\x91" * 40, "message-depth"),
        (hello(2, 3), "protocol-range"),
        (hello(3, 2), "protocol-range"),
    ],
    ids=["http", "tls", "ping", "request", "no hello", "deeply nested", "too new", "upside down"],
)
async def test_bytes_that_are_no_handshake_are_refused_by_name(raw: bytes, identifier: str) -> None:
    with pytest.raises(MaillonError, match=identifier):
        await hear(raw)


async def test_a_stream_that_ends_in_the_handshake_is_noticed() -> None:
    with pytest.raises(Malformed, match="frame-truncated"):
        await hear(hello(1, 1)[:20], close=True)
    with pytest.raises(Unavailable, match="connection-lost"):
        await hear(b"", close=True)
