"""An application's life around its requests: it is told when the server begins and when it ends (ASGI's lifespan).

Nobody is served before the application is ready, and it is told to end when the last request is answered. One that
knows of no lifespan raises when it hears of it, as the specification has it, and is served all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from node.first_error import first_error
from node.http.asgi import Application, Message
from node.logs import get_logger
from protocol.errors import Unavailable

GRACE_S = 10.0

log = get_logger(__name__)


@asynccontextmanager
async def lived(app: Application) -> AsyncIterator[Mapping[str, Any]]:
    """The application lives for as long as the block; what it keeps for its requests, of which each gets a copy.

    Raises:
        Unavailable: `application-failed` when it says that it cannot begin.
    """
    life = _Life()
    with first_error():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(life.run, app)
            await life.began.wait()
            if life.failure is not None:
                raise Unavailable("application-failed", because=life.failure)
            yield life.state
            life.is_over.set()
            with trio.move_on_after(GRACE_S):
                await life.ended.wait()
            nursery.cancel_scope.cancel()


class _Life:
    """What is said between server and application."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.failure: str | None = None
        self.began = trio.Event()
        self.is_over = trio.Event()
        self.ended = trio.Event()
        self._is_told = False

    async def run(self, app: Application) -> None:
        """Until the application returns, or raises."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:
            if self.began.is_set():
                log.exception("http-application-ended")
            else:
                log.debug("http-no-lifespan", error=repr(error))
        finally:
            self.began.set()
            self.ended.set()

    async def _receive(self) -> Message:
        if not self._is_told:
            self._is_told = True
            return {"type": "lifespan.startup"}
        await self.is_over.wait()
        if self.ended.is_set():
            await trio.sleep_forever()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self.began.set()
            case "lifespan.startup.failed":
                self.failure = str(message.get("message", ""))
                self.began.set()
            case "lifespan.shutdown.complete":
                self.ended.set()
            case "lifespan.shutdown.failed":
                log.warning("http-application-not-ended", message=str(message.get("message", "")))
                self.ended.set()
            case other:
                raise ValueError(f"{other} is no message of a lifespan")
