"""Opening the plain stream beside a connection (`bulk = "sealed"`).

The node that wants it asks inside TLS for a token, dials the other's plain door, and shows that it knows the token;
the door shows the same. A token is good once, for a short time, and for the connection that asked for it, so whoever
dials the door without one, or sees one pass, gets nowhere. What an attacker on the way can still do to the stream
itself is said in `node.net.side`.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

from node.host.addresses import address_of_peer
from node.host.ports import Entropy, Network, Stream
from node.net.connection import Connection
from node.net.exchange import Exchange, Link
from node.net.identity import handshake, receive_first, send_first
from node.net.reading import FrameReader
from node.net.settings import NetSettings
from protocol.errors import Refused, Unavailable
from protocol.ids import ID_BYTES
from protocol.keys.derive import derive_key
from protocol.limits import CONNECTIONS_MAX
from protocol.requests import BulkOffer, BulkOpen, Kind
from protocol.wire import schema
from protocol.wire.envelopes import BulkHello, Role
from protocol.wire.frames import FrameType

_DIALLER_CONTEXT = "maillon 2026 bulk stream, dialling end, 1"
_DOOR_CONTEXT = "maillon 2026 bulk stream, accepting end, 1"


@dataclass(frozen=True, slots=True)
class _Offer:
    """A token that was given out: for whom, until when, and what the door answers to it."""

    link: Link
    until_s: float
    answer: bytes


class BulkDoor:
    """The accepting end: hands out tokens, and lets in who shows one. `address` is where the door can be dialled."""

    def __init__(self, entropy: Entropy, address: str, settings: NetSettings) -> None:
        self._entropy = entropy
        self._address = address
        self._settings = settings
        self._offers: dict[bytes, _Offer] = {}

    async def serve_open(self, exchange: Exchange) -> None:
        """The handler of Kind.BULK_OPEN. Raises Refused(`bulk-busy`), for strangers `peer-role`."""
        exchange.decode(BulkOpen)
        if exchange.peer.role is not Role.NODE:
            raise Refused("peer-role", role=exchange.peer.role.name)
        now_s = trio.current_time()
        self._offers = {
            shown: offer
            for shown, offer in self._offers.items()
            if offer.until_s > now_s and offer.link is not exchange.link
        }
        if len(self._offers) >= CONNECTIONS_MAX:
            raise Refused("bulk-busy")
        token = self._entropy.random_bytes(ID_BYTES)
        answer = derive_key(_DOOR_CONTEXT, token)
        offer = _Offer(exchange.link, now_s + self._settings.handshake_s, answer)
        self._offers[derive_key(_DIALLER_CONTEXT, token)] = offer
        await exchange.answer(BulkOffer(self._address, token))

    async def admit(self, stream: Stream) -> None:
        """Serve one plain stream to its end: what the door's listener calls.

        Raises:
            Refused: `bulk-token` for one that was never given, used or too old.
        """
        reader = FrameReader(stream)
        async with handshake(stream, self._settings):
            shown = schema.decode(BulkHello, await receive_first(reader, FrameType.HELLO)).token
            offer = self._offers.pop(shown, None)
            if offer is None or offer.until_s < trio.current_time():
                raise Refused("bulk-token")
            await send_first(stream, FrameType.HELLO, schema.encode(BulkHello(offer.answer)))
        await offer.link.carry(stream, reader)


async def open_bulk(connection: Connection, network: Network, settings: NetSettings, *, deadline_s: float) -> None:
    """Open the plain stream beside a connection that runs; it lives as long as that, or until it breaks.

    Raises:
        Refused: `bulk-token` when the door does not know the token, `bulk-busy`.
        Malformed: `address` when the door is said to be on this machine.
        Unavailable: the door could not be reached in time; the connection goes on without.
    """
    with trio.CancelScope(deadline=trio.current_time() + deadline_s):
        await _open(connection, network, settings, deadline_s)
        return
    raise Unavailable("deadline", kind=int(Kind.BULK_OPEN), deadline_ms=int(deadline_s * 1000))


async def _open(connection: Connection, network: Network, settings: NetSettings, deadline_s: float) -> None:
    offered = await connection.ask(Kind.BULK_OPEN, BulkOpen(), BulkOffer, deadline_s=deadline_s)
    token = offered.message.token
    stream = await network.dial_plain(address_of_peer(offered.message.address))
    reader = FrameReader(stream)
    async with handshake(stream, settings):
        hello = BulkHello(derive_key(_DIALLER_CONTEXT, token))
        await send_first(stream, FrameType.HELLO, schema.encode(hello))
        answer = schema.decode(BulkHello, await receive_first(reader, FrameType.HELLO))
        if answer.token != derive_key(_DOOR_CONTEXT, token):
            raise Refused("bulk-token")
        connection.start_carrying(stream, reader)
