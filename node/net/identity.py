"""Who is at the other end: both ends of a fresh stream prove their node keys.

The dialler says hello, the acceptor says hello, then the dialler signs and, if it may come in, the acceptor signs.
What is signed is both hellos as they were sent (role, federation, keys, fresh nonces, protocol range) and the hash
of the certificate that this end saw on the TLS below: a man in the middle has to present a certificate of his own,
so the two ends sign different things and both notice. Nothing that was said can be replayed (nonces), shown for the
other end (a purpose for each side) or weakened on the way (the range is signed too). The admin socket needs no
proof: the file's mode says who may open it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from node.host.ports import Entropy, Stream
from node.net.failures import RemoteError, error_of, failure_of
from node.net.reading import FrameReader, lost, unexpected
from node.net.sending import frame_of
from node.net.settings import NetSettings
from protocol.errors import Forged, MaillonError, Malformed, Refused, Unavailable
from protocol.ids import FederationId, NodeId, short_text_of
from protocol.wire import schema
from protocol.wire.envelopes import NONCE_BYTES, Failure, Hello, Proof, Role, Statement
from protocol.wire.frames import FrameType

if TYPE_CHECKING:
    from protocol.keys.signing import SigningKey

PROTOCOL_FROM = 1
PROTOCOL_TO = 1

_DIALLER_PURPOSE = "maillon/handshake/dialler/1"
_ACCEPTOR_PURPOSE = "maillon/handshake/acceptor/1"

Gate = Callable[[Role, NodeId], None]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What this end is. `federation` and `key` are None only for an ADMIN, and for a node without a federation."""

    role: Role
    federation: FederationId | None
    key: SigningKey | None


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, proven. `role` is the dialler's for the acceptor, NODE for the dialler."""

    role: Role
    node: NodeId | None
    protocol: int

    @property
    def name(self) -> str:
        """For logs."""
        return self.role.name.lower() if self.node is None else short_text_of(self.node)


@asynccontextmanager
async def handshake(stream: Stream, settings: NetSettings) -> AsyncIterator[None]:
    """The proof has a deadline, and whatever goes wrong in it closes the stream.

    Raises:
        Unavailable: `handshake-timeout`.
    """
    try:
        with trio.CancelScope(deadline=trio.current_time() + settings.handshake_s) as scope:
            yield
        if scope.cancelled_caught:
            raise Unavailable("handshake-timeout", deadline_ms=int(settings.handshake_s * 1000))
    except BaseException:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + settings.abandon_grace_s):
            await stream.aclose()
        raise


async def prove_as_dialler(
    stream: Stream,
    reader: FrameReader,
    credentials: Credentials,
    *,
    expected: NodeId | None,
    gate: Gate,
    entropy: Entropy,
) -> Peer:
    """Prove ourselves to the node that we dialled, and have it prove itself.

    Raises:
        Refused: `peer-unexpected`, `federation-other`, `protocol-range`, or what the gate or the peer refused.
        Forged: `peer-proof`.
    """
    hello = schema.encode(_hello(credentials, credentials.role, entropy))
    await send_first(stream, FrameType.HELLO, hello)
    answer = await receive_first(reader, FrameType.HELLO)
    theirs = schema.decode(Hello, answer)
    protocol = _agreed(theirs)
    if credentials.role is Role.ADMIN:
        return Peer(Role.NODE, None, protocol)
    node = _checked(theirs, credentials)
    if expected is not None and node != expected:
        raise Refused("peer-unexpected", expected=expected, found=node)
    statement = _statement(hello, answer, stream.binding)
    await send_first(stream, FrameType.PROOF, _proof(credentials, _DIALLER_PURPOSE, statement))
    _verify(node, _ACCEPTOR_PURPOSE, statement, await receive_first(reader, FrameType.PROOF))
    gate(Role.NODE, node)
    return Peer(Role.NODE, node, protocol)


async def prove_as_acceptor(
    stream: Stream,
    reader: FrameReader,
    credentials: Credentials,
    *,
    roles: frozenset[Role],
    gate: Gate,
    entropy: Entropy,
) -> Peer:
    """Have whoever dialled prove itself, and prove ourselves to it. Tells the dialler why it is refused.

    Raises:
        Refused: `peer-role`, `peer-is-self`, `federation-other`, `protocol-range`, or what the gate refused.
        Forged: `peer-proof`.
    """
    try:
        return await _accept(stream, reader, credentials, roles, gate, entropy)
    except RemoteError:
        raise
    except MaillonError as error:
        await tell(stream, error)
        raise


async def tell(stream: Stream, error: MaillonError) -> None:
    """Say why the connection ends, if the other end still listens."""
    try:
        await send_first(stream, FrameType.FAILURE, schema.encode(failure_of(error)))
    except Unavailable:
        return


async def _accept(
    stream: Stream,
    reader: FrameReader,
    credentials: Credentials,
    roles: frozenset[Role],
    gate: Gate,
    entropy: Entropy,
) -> Peer:
    received = await receive_first(reader, FrameType.HELLO)
    theirs = schema.decode(Hello, received)
    if theirs.role not in roles:
        raise Refused("peer-role", role=theirs.role.name)
    protocol = _agreed(theirs)
    node = None if theirs.role is Role.ADMIN else _checked(theirs, credentials)
    hello = schema.encode(_hello(credentials, Role.NODE, entropy))
    await send_first(stream, FrameType.HELLO, hello)
    if node is None:
        return Peer(Role.ADMIN, None, protocol)
    statement = _statement(received, hello, stream.binding)
    _verify(node, _DIALLER_PURPOSE, statement, await receive_first(reader, FrameType.PROOF))
    gate(theirs.role, node)
    await send_first(stream, FrameType.PROOF, _proof(credentials, _ACCEPTOR_PURPOSE, statement))
    return Peer(theirs.role, node, protocol)


def _hello(credentials: Credentials, role: Role, entropy: Entropy) -> Hello:
    node = None if credentials.key is None else NodeId(credentials.key.public)
    nonce = entropy.random_bytes(NONCE_BYTES)
    return Hello(role, PROTOCOL_FROM, PROTOCOL_TO, credentials.federation, node, nonce)


def _agreed(theirs: Hello) -> int:
    """The highest protocol version that both ends speak."""
    protocol = min(PROTOCOL_TO, theirs.protocol_to)
    if protocol < max(PROTOCOL_FROM, theirs.protocol_from):
        raise Refused("protocol-range", lowest=theirs.protocol_from, highest=theirs.protocol_to)
    return protocol


def _checked(theirs: Hello, credentials: Credentials) -> NodeId:
    """The key that the other end claims, if it claims to belong here."""
    if theirs.node is None or theirs.federation is None:
        raise Malformed("hello-anonymous")
    if theirs.federation != credentials.federation:
        raise Refused("federation-other", federation=theirs.federation, node=theirs.node)
    if credentials.key is not None and theirs.node == NodeId(credentials.key.public):
        raise Refused("peer-is-self", node=theirs.node)
    return theirs.node


def _statement(dialler_hello: bytes, acceptor_hello: bytes, binding: bytes) -> bytes:
    if not binding:
        raise Refused("stream-unbound")
    return schema.encode(Statement(dialler_hello, acceptor_hello, binding))


def _proof(credentials: Credentials, purpose: str, statement: bytes) -> bytes:
    if credentials.key is None:
        raise Refused("peer-role", role=credentials.role.name)
    return schema.encode(Proof(credentials.key.sign(purpose, statement)))


def _verify(node: NodeId, purpose: str, statement: bytes, proof: bytes) -> None:
    # Imported by who has somebody to verify: a command of the node's owner proves and verifies nothing.
    from protocol.keys.signing import verify

    signature = schema.decode(Proof, proof).signature
    try:
        verify(node, purpose, statement, signature)
    except Forged as error:
        raise Forged("peer-proof", node=node) from error


async def send_first(stream: Stream, frame_type: FrameType, payload: bytes) -> None:
    """Send a frame of the handshake."""
    await stream.send_all(frame_of(frame_type, 0, payload).parts)


async def receive_first(reader: FrameReader, expected: FrameType) -> bytes:
    """The payload of the frame that must come now, or the other end's reason for not going on."""
    header = await reader.header()
    if header is None:
        raise lost()
    if header.type not in (expected, FrameType.FAILURE) or header.exchange != 0:
        raise unexpected(header)
    payload = await reader.payload(header.payload_bytes)
    if header.type is FrameType.FAILURE:
        raise error_of(schema.decode(Failure, payload), None)
    return payload
