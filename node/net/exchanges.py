"""The exchanges that are open on one connection, and which of them a frame is for.

Exchanges that we ask have odd numbers where we dialled and even ones where we accepted. Numbers only rise, so a late
frame for an exchange that is over can be told from a frame that has no business here: the first is forgotten, the
second ends the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import trio

from node.net.exchange import Asking, Exchange, Link, Room
from node.net.failures import error_of
from node.net.reading import lost, unexpected
from node.net.sending import Cutter
from protocol.errors import Malformed, OverLimit, Unavailable
from protocol.wire import schema
from protocol.wire.envelopes import Carriage, Failure, Request, parse_reply
from protocol.wire.frames import FrameType, Header, parse_window


@dataclass(frozen=True, slots=True)
class Load:
    """What one connection has to do: exchanges that we ask and that we serve, and payload that nobody took yet."""

    asked: int
    served: int
    kept_bytes: int


class Exchanges:
    """`most` bounds each direction on its own."""

    def __init__(self, link: Link, *, first: int, most: int) -> None:
        self._link = link
        self._next = first
        self._last_theirs = 0
        self._most = most
        self._asked: dict[int, Asking] = {}
        self._served: dict[int, Exchange] = {}
        self._news = trio.Event()

    @property
    def is_idle(self) -> bool:
        """Neither end asks anything."""
        return not self._asked and not self._served

    def load(self) -> Load:
        """What is open now."""
        ends: list[Asking | Exchange] = [*self._asked.values(), *self._served.values()]
        return Load(len(self._asked), len(self._served), sum(end.incoming.kept_bytes for end in ends))

    # -- coming and going

    def begin(
        self,
        kind: int,
        message: object,
        cutter: Cutter,
        *,
        payload_bytes: int | None,
        into: memoryview | Room[Any] | None = None,
        over: Carriage = Carriage.SECURE,
    ) -> Asking:
        """Ask. Raises Unavailable(`exchanges-busy`), OverLimit(`message-size`)."""
        if len(self._asked) >= self._most:
            raise Unavailable("exchanges-busy", limit=self._most)
        asking = Asking(self._link, self._next, payload_bytes=payload_bytes, into=into, over=over)
        asking.begin(kind, message, cutter)
        self._next += 2
        self._asked[asking.id] = asking
        return asking

    async def leave(self, asking: Asking) -> None:
        """The asker is gone: what still arrives for it is skipped."""
        self._asked.pop(asking.id, None)
        await asking.close()

    def admit(self, header: Header, request: Request) -> Exchange:
        """The peer asks.

        Raises:
            Malformed: `frame-unexpected` for a number that is not a new one of the peer's.
            OverLimit: `exchanges`; this one alone is refused, the connection goes on.
        """
        if self._is_ours(header) or header.exchange <= self._last_theirs:
            raise unexpected(header)
        self._last_theirs = header.exchange
        self._news.set()
        if len(self._served) >= self._most:
            raise OverLimit("exchanges", limit=self._most)
        exchange = self._served[header.exchange] = Exchange(self._link, header.exchange, request)
        return exchange

    async def dismiss(self, exchange: Exchange) -> None:
        """The handler is gone."""
        await exchange.close()
        self._served.pop(exchange.id, None)

    def end(self) -> None:
        """The connection is over: everybody who waits hears it."""
        self._news.set()
        for asking in list(self._asked.values()):
            asking.on_failure(lost())
        for exchange in list(self._served.values()):
            exchange.fail(lost())

    def fail_sealed(self) -> None:
        """The plain stream is over: those whose payload travelled on it must ask again inside TLS."""
        for asking in [asking for asking in self._asked.values() if asking.uses_sealed]:
            # Out of the table: an answer that is still on its way inside TLS comes too late.
            del self._asked[asking.id]
            asking.fail(Unavailable("bulk-lost"))
        for exchange in self._served.values():
            if exchange.uses_sealed:
                exchange.fail(Unavailable("bulk-lost"))

    # -- frames

    def find(self, header: Header) -> Asking | Exchange | None:
        """The exchange of a frame; None when it is over. Raises Malformed for one that never was."""
        ours = self._is_ours(header)
        if header.exchange >= self._next if ours else header.exchange > self._last_theirs:
            raise unexpected(header)
        return self._asked.get(header.exchange) if ours else self._served.get(header.exchange)

    def find_open(self, header: Header, carriage: Carriage) -> Asking | Exchange | None:
        """The exchange of a DATA frame that came by `carriage`, ready to take it."""
        end = self.find(header)
        if end is not None and (not end.incoming.is_open or end.carried is not carriage):
            raise unexpected(header)
        return end

    def is_announced(self, header: Header) -> bool:
        """Has TLS said already whose a frame of the plain stream is, which may overtake it?"""
        if not self._is_ours(header) and header.exchange > self._last_theirs:
            return False
        end = self.find(header)
        return end is None or end.incoming.is_open

    async def announced(self, header: Header) -> None:
        """Wait until `is_announced`."""
        while not self._is_ours(header) and header.exchange > self._last_theirs:
            self._news = trio.Event()
            await self._news.wait()
        end = self.find(header)
        if end is not None:
            await end.incoming.opened()

    def on_frame(self, header: Header, payload: bytes) -> None:
        """A frame of one exchange that is neither REQUEST nor DATA."""
        end = self.find(header)
        match header.type, end:
            case (_, None):
                pass  # Late, for an exchange that is over here.
            case (FrameType.WINDOW, Asking() | Exchange()):
                end.outgoing.grant(parse_window(payload))
            case (FrameType.END, Asking() | Exchange()):
                end.incoming.end()
                end.on_payload()
            case (FrameType.REPLY, Asking()):
                end.on_reply(parse_reply(payload))
            case (FrameType.FAILURE, Asking()):
                end.on_failure(error_of(schema.decode(Failure, payload), self._link.peer.node))
            case (FrameType.CANCEL, Exchange()):
                end.scope.cancel()
            case _:
                raise unexpected(header)

    def _is_ours(self, header: Header) -> bool:
        if header.exchange == 0:
            raise Malformed("frame-exchange", type=header.type.name, exchange=0)
        return header.exchange % 2 == self._next % 2
