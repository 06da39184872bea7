"""All connections of one listener: how many there may be, and how they end when the server stops.

A stop is a drain: nobody new comes in, connections that wait for their client are closed, what is in flight is
finished and told that the connection ends. Above the bound of connections, the one that has waited longest for its
client makes room; if all work, the newcomer is told to come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from node.host.ports import Listener, Stream, WallClock
from node.http.answer import Telling, in_plain_words, refusal
from node.http.asgi import Application
from node.http.clock import DateHeader
from node.http.connection import Connection, Place, place_of
from node.http.head import Fault
from node.http.lifespan import lived
from node.http.patience import LOOK_EVERY_S
from node.http.settings import HttpSettings
from node.logs import get_logger

FULL = Fault(503, "too many connections")
_REFUSAL_S = 1.0

log = get_logger(__name__)


class HttpServer:
    """See `node.http.connection.Crowd`. `tell` words the refusals of requests that the application never sees."""

    def __init__(
        self,
        app: Application,
        settings: HttpSettings,
        wall: WallClock,
        *,
        scheme: str = "http",
        tell: Telling = in_plain_words,
    ) -> None:
        self._app = app
        self._settings = settings
        self._date = DateHeader(wall)
        self._scheme = scheme
        self._tell = tell
        self._draining = trio.Event()
        self._state: Mapping[str, Any] = {}
        self._open: dict[Connection, None] = {}
        self._resting: dict[Connection, None] = {}  # in the order in which they began to wait

    @property
    def is_draining(self) -> bool:
        return self._draining.is_set()

    @property
    def state(self) -> Mapping[str, Any]:
        return self._state

    def rests(self, connection: Connection) -> None:
        self._resting[connection] = None

    def works(self, connection: Connection) -> None:
        self._resting.pop(connection, None)

    def drain(self) -> None:
        """Finish what is in flight and take nothing new; `serve` returns when all is done."""
        self._draining.set()

    async def serve(
        self, listener: Listener, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve everybody who comes, until cancelled or drained, within the application's life.

        Raises:
            Unavailable: `application-failed`.
        """
        async with lived(self._app) as self._state:
            await self._serve(listener, task_status)

    async def _serve(self, listener: Listener, task_status: trio.TaskStatus[None]) -> None:
        place = place_of(listener.address)

        async def handle(stream: Stream) -> None:
            await self._welcome(stream, place)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end, listener, nursery.cancel_scope)
            nursery.start_soon(self._look)
            await listener.serve(handle, task_status=task_status)
            nursery.cancel_scope.cancel()

    async def _look(self) -> None:
        """Give up the clients whose time is over."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            for connection in self._open:
                connection.patience.look()

    async def _end(self, listener: Listener, scope: trio.CancelScope) -> None:
        await self._draining.wait()
        listener.stop()
        for connection in list(self._resting):
            connection.close_if_resting()
        await trio.sleep(self._settings.drain_s)
        log.warning("http-drain-cut", open=len(self._open))
        scope.cancel()

    async def _welcome(self, stream: Stream, place: Place) -> None:
        if len(self._open) >= self._settings.connections_max and not self._make_room():
            log.warning("http-connections-full", open=len(self._open))
            with trio.move_on_after(_REFUSAL_S):
                await stream.send_all([refusal(FULL, self._tell(FULL), self._date.now())])
            return
        connection = Connection(
            stream, self._app, self._settings, self._date, self, scheme=self._scheme, server=place, tell=self._tell
        )
        self._open[connection] = None
        try:
            await connection.run()
        finally:
            del self._open[connection]

    def _make_room(self) -> bool:
        for connection in self._resting:
            self.works(connection)
            connection.close_if_resting()
            return True
        return False
