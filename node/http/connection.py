"""One connection: exchange after exchange, in the order in which the requests came.

A client that sends ahead is answered in turn. Every wait for the client has an end: for the first byte, for the rest
of a head, for the next request. When the server refuses to go on while the client still sends, it listens for a
while after its last word, because closing at once would reset the connection, and the answer could be lost with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import trio

from node.host.ports import Stream
from node.http.answer import Telling, refusal
from node.http.asgi import BODY_EXTENSION, PARTS_EXTENSION, Application, Scope
from node.http.clock import DateHeader
from node.http.exchange import Exchange
from node.http.head import Fault, Head, parse_head
from node.http.patience import Patience
from node.http.reading import Reader
from node.http.settings import HttpSettings
from node.logs import get_logger
from protocol.errors import MaillonError, Unavailable

FAILED = Fault(500, "the server failed")
TOO_SLOW = Fault(408, "the request took too long")
_ASGI = {"version": "3.0", "spec_version": "2.4"}

log = get_logger(__name__)

Place = tuple[str, int | None]


def place_of(address: str) -> Place:
    """An address as ASGI has it."""
    host, _colon, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdecimal() else (address, None)


class Crowd(Protocol):
    """All connections of a server, as one of them sees them."""

    @property
    def is_draining(self) -> bool: ...

    @property
    def state(self) -> Mapping[str, Any]:
        """What the application keeps for its requests."""

    def rests(self, connection: Connection) -> None:
        """The connection waits for its client and could be closed."""

    def works(self, connection: Connection) -> None:
        """It no longer does."""


class Connection:
    """Lives as long as `run`."""

    def __init__(
        self,
        stream: Stream,
        app: Application,
        settings: HttpSettings,
        date: DateHeader,
        crowd: Crowd,
        *,
        scheme: str,
        server: Place,
        tell: Telling,
    ) -> None:
        self._stream = stream
        self._app = app
        self._settings = settings
        self._date = date
        self._crowd = crowd
        self._reader = Reader(stream, settings)
        self._tell = tell
        self._is_resting = False
        self.patience = Patience()
        self._place = {"scheme": scheme, "server": server, "client": place_of(stream.peer)}

    def close_if_resting(self) -> None:
        """End a connection that waits for its next request."""
        if self._is_resting:
            self.patience.scope.cancel()

    async def run(self) -> None:
        """Serve the client until either side ends."""
        with suppress(Unavailable), self.patience.scope:
            if await self._exchanges():
                with trio.move_on_after(self._settings.linger_s):
                    await self._reader.discard()

    async def _exchanges(self) -> bool:
        """One after the other, until one is the last; whether the client may still be sending then."""
        patience_s = self._settings.head_s
        while True:
            head = await self._next_head(patience_s)
            if head is None:
                return False
            if isinstance(head, Fault):
                await self._refuse(head)
                return True
            if not await self._serve(head):
                return True
            patience_s = self._settings.idle_s

    async def _next_head(self, patience_s: float) -> Head | Fault | None:
        data = self._reader.take_head()
        if data is None and not self._reader.held_bytes:
            if not await self._rest(patience_s):
                return None
            data = self._reader.take_head()
        if data is None:
            data = await self._rest_of_head()
        return data if data is None or isinstance(data, Fault) else parse_head(data, self._settings)

    async def _rest_of_head(self) -> bytes | Fault | None:
        with trio.move_on_after(self._settings.head_s):
            while await self._reader.more():
                data = self._reader.take_head()
                if data is not None:
                    return data
            return None
        return TOO_SLOW

    async def _rest(self, patience_s: float) -> bool:
        """Wait for the first byte of a request; whether it came."""
        if self._crowd.is_draining:
            return False
        self._is_resting = True
        self._crowd.rests(self)
        self.patience.begin(patience_s)
        try:
            return bool(await self._reader.more())
        finally:
            self.patience.end()
            self._crowd.works(self)
            self._is_resting = False

    async def _serve(self, head: Head) -> bool:
        """One exchange; whether the connection can go on to the next."""
        exchange = Exchange(
            head, self._reader, self._stream, self._settings, self._date, self.patience, self._may_go_on
        )
        try:
            await self._app(self._scope(exchange), exchange.receive, exchange.send)
        except MaillonError as error:
            log.info("http-exchange-failed", path=head.raw_path.decode("ascii"), error=str(error))
        except Exception:
            # Whatever a request made an application do, it costs that request alone.
            log.exception("http-application-failed", path=head.raw_path.decode("ascii"))
        if not exchange.is_complete:
            if not exchange.has_begun:
                await self._refuse(FAILED)
            else:
                await self._stream.aclose()  # the client sees that the body is short
            return False
        return exchange.keeps_alive and await self._read_away(exchange)

    async def _read_away(self, exchange: Exchange) -> bool:
        """Take what nobody wanted of the body; whether a next request can follow it."""
        left_bytes = exchange.body.left_bytes
        if left_bytes == 0:
            return True
        if not exchange.is_continuable:
            return False
        most_bytes = self._settings.leftover_bytes_max
        buffer = memoryview(bytearray(most_bytes if left_bytes is None else min(left_bytes, most_bytes)))
        with suppress(MaillonError):
            await exchange.body.receive_into(buffer)
        return exchange.body.left_bytes == 0

    def _may_go_on(self) -> bool:
        return not self._crowd.is_draining

    def _scope(self, exchange: Exchange) -> Scope:
        head, state = exchange.head, self._crowd.state
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": head.version,
            "method": head.method,
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "root_path": "",
            "headers": head.headers,
            "extensions": {BODY_EXTENSION: {"receive_into": exchange.receive_into}, PARTS_EXTENSION: {}},
            **self._place,
            **({"state": dict(state)} if state else {}),
        }

    async def _refuse(self, fault: Fault) -> None:
        log.info("http-refused", status=fault.status, reason=fault.reason, client=self._stream.peer)
        with trio.move_on_after(self._settings.stall_s):
            await self._stream.send_all([refusal(fault, self._tell(fault), self._date.now())])
