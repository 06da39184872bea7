"""An HTTP server in the small world, and a client that sends exactly the bytes it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from node.host.ports import Stream
from node.http.answer import Telling, in_plain_words
from node.http.asgi import Application, Message, Receive, Scope, Send
from node.http.server import HttpServer
from node.http.settings import HttpSettings
from protocol.errors import MaillonError
from sim.host.network import Conditions
from sim.host.world import World

DOOR = "server:9000"
GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /a HTTP/1.1\r\nHost: a\r\n"
AT_ONCE = Conditions(latency_min_s=0.0, latency_max_s=0.0)


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class RawClient:
    """One connection. What is read is parsed strictly: a response that is none fails the test."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._held = bytearray()

    async def send(self, *data: bytes) -> None:
        await self.stream.send_all(list(data))

    async def ask(self, data: bytes, *, bodiless: bool = False) -> Response:
        await self.send(data)
        return await self.response(bodiless=bodiless)

    async def response(self, *, bodiless: bool = False) -> Response:
        head = await self._until(b"\r\n\r\n")
        line, *fields = head[:-4].split(b"\r\n")
        version, status, _phrase = line.split(b" ", 2)
        assert version == b"HTTP/1.1"
        headers = {name.lower(): value for name, value in (field.split(b": ", 1) for field in fields)}
        assert len(headers) == len(fields), fields
        if bodiless or status in (b"100", b"204", b"304"):
            return Response(int(status), headers, b"")
        return Response(int(status), headers, await self._body(headers))

    async def is_closed(self) -> bool:
        """Whether the server says no more and closes; waits for it."""
        return not self._held and not await self._more()

    async def _body(self, headers: dict[bytes, bytes]) -> bytes:
        if b"content-length" in headers:
            assert b"transfer-encoding" not in headers
            return await self._exactly(int(headers[b"content-length"]))
        if headers.get(b"transfer-encoding") != b"chunked":
            while await self._more():
                pass
            return await self._exactly(len(self._held))
        body = b""
        while size := int((await self._until(b"\r\n"))[:-2], 16):
            body += await self._exactly(size)
            assert await self._exactly(2) == b"\r\n"
        assert await self._exactly(2) == b"\r\n"
        return body

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            assert await self._more(), f"the server closed after {bytes(self._held)!r}"
        return await self._exactly(self._held.index(mark) + len(mark))

    async def _exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            assert await self._more(), "the server closed in the middle of a body"
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    async def _more(self) -> int:
        buffer = memoryview(bytearray(65_536))
        count = await self.stream.receive_into(buffer)
        self._held += buffer[:count]
        return count


@dataclass(frozen=True, slots=True)
class Served:
    """`done` is set when the server has ended."""

    world: World
    server: HttpServer
    done: trio.Event

    async def client(self) -> RawClient:
        return RawClient(await self.world.host("client").network.dial_plain(DOOR))


@asynccontextmanager
async def serving(
    app: Application, settings: HttpSettings | None = None, *, tell: Telling = in_plain_words, lives: bool = False
) -> AsyncIterator[Served]:
    """The application, served at `DOOR` in a small world; `lives`: it knows of ASGI's lifespan."""
    app = app if lives else http_only(app)
    world = World(1, AT_ONCE)
    host = world.host("server")
    server, done = HttpServer(app, settings or HttpSettings(), host.wall, tell=tell), trio.Event()

    async def serve(*, task_status: trio.TaskStatus[None]) -> None:
        await server.serve(await host.network.listen_plain(DOOR), task_status=task_status)
        done.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        yield Served(world, server, done)
        nursery.cancel_scope.cancel()


def http_only(app: Application) -> Application:
    """The application, which raises when it is asked for anything else, as the specification has it."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        await app(scope, receive, send)

    return asked


async def answer(send: Callable[[Message], Awaitable[None]], status: int, body: bytes = b"") -> None:
    """A whole answer in two messages."""
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


def receiver(scope: Scope) -> Callable[[memoryview], Awaitable[int]]:
    """How the application takes the body into a buffer of its own."""
    found: Callable[[memoryview], Awaitable[int]] = scope["extensions"]["maillon.body"]["receive_into"]
    return found


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """The path and the body, back to the client; errors of the body with their names."""
    body, buffer = b"", bytearray(1_000)
    try:
        while count := await receiver(scope)(memoryview(buffer)):
            body += buffer[:count]
    except MaillonError as error:
        await answer(send, 400, error.identifier.encode())
        return
    await answer(send, 200, scope["raw_path"] + b" " + body)
