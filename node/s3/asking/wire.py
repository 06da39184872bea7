"""The ASGI ends of a request: the body that comes in, the answer that goes out.

Both use the server's extensions where it has them, so that large bodies go from the socket into the vault's buffers
and back without a copy here; a plain ASGI server serves as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.host.ports import Buffer
from node.http.asgi import BODY_EXTENSION, PARTS_EXTENSION, Receive, Scope, Send
from node.s3.texts import faults
from node.s3.texts.faults import S3Error

Headers = Sequence[tuple[str, str]]


class Incoming:
    """The body of a request, as HTTP delivers it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._direct = scope.get("extensions", {}).get(BODY_EXTENSION, {}).get("receive_into")
        self._waiting = memoryview(b"")
        self._ended = False
        self.received = 0

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the whole buffer; less only at the end. Raises S3Error(IncompleteBody) when the client hung up."""
        if self._direct is not None:
            count: int = await self._direct(buffer)
        else:
            count = await self._from_messages(buffer)
        self.received += count
        return count

    async def _from_messages(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer) and (self._waiting or not self._ended):
            if not self._waiting:
                await self._next_message()
            count = min(len(buffer) - filled, len(self._waiting))
            buffer[filled : filled + count] = self._waiting[:count]
            self._waiting = self._waiting[count:]
            filled += count
        return filled

    async def _next_message(self) -> None:
        message = await self._receive()
        if message["type"] != "http.request":
            raise S3Error(faults.INCOMPLETE_BODY)
        self._waiting = memoryview(message.get("body", b""))
        self._ended = not message.get("more_body", False)


class Outgoing:
    """The answer to a request. Once begun it can only be ended, or broken off."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._send = send
        self._takes_parts = PARTS_EXTENSION in scope.get("extensions", {})
        self._always = [(b"x-amz-request-id", request_id.encode()), (b"server", b"Maillon")]
        self._size_bytes: int | None = None
        self._has_ended = False
        self.status = 0
        self.sent = 0

    @property
    def has_begun(self) -> bool:
        return self.status != 0

    def add(self, headers: Headers) -> None:
        """Headers that every answer to this request has."""
        self._always += _encoded(headers)

    async def begin(self, status: int, headers: Headers, size_bytes: int | None = None) -> None:
        """Status and headers. Where it is known how many bytes the body has, its last ones leave with its end."""
        self.status, self._size_bytes = status, size_bytes
        lines = [*self._always, *_encoded(headers)]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def write(self, parts: list[Buffer]) -> None:
        """Some of the body; the buffers are the caller's again when this returns."""
        size_bytes = sum(len(part) for part in parts)
        if not size_bytes:
            return
        self.sent += size_bytes
        more = self.sent != self._size_bytes
        self._has_ended = not more
        if self._takes_parts:
            await self._send({"type": PARTS_EXTENSION, "parts": parts, "more_body": more})
            return
        for number, part in enumerate(parts, start=1):
            body = {"type": "http.response.body", "body": bytes(part)}
            await self._send({**body, "more_body": more or number < len(parts)})

    async def end(self, body: bytes = b"") -> None:
        """The rest of the body."""
        if self._has_ended:
            return
        self.sent += len(body)
        self._has_ended = True
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
