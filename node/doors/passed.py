"""Requests that other gateways of the organisation pass on to this one, served as if they had come in here.

The signature in the request is what proves who asks; the gateway that passes it on proves only that it is of the
same organisation. Who gets one answers it, unless it is for a bucket of a third one (`node.doors.vouching`).

Where another gateway knows the key the signature cannot be proven here. The one that writes the key's namespace has
done that: its voucher is believed, and nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import trio

from node.doors.passing import Standing, access_key_of
from node.http.asgi import BODY_EXTENSION, PARTS_EXTENSION, Application, Headers, Message, Scope
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.stalls import not_stalled
from node.vouchers import VOUCHER_EXTENSION
from protocol.errors import Refused, Unavailable
from protocol.ids import NamespaceId, NodeId
from protocol.kinds import Kind
from protocol.limits import KIB
from protocol.passing import GatewayAnswer, GatewayFind, GatewayFound, GatewayPass, HttpField

MESSAGE_BYTES = 64 * KIB
# The gateway where the client is gives a slow one up long before.
STALL_S = 120.0


@dataclass(frozen=True, slots=True)
class Served:
    """What this gateway answers with: the application for its own keys and for vouched ones, what it is to a key
    or a bucket, whom it answers, and who writes a namespace.
    """

    app: Application
    vouched: Application
    standing: Callable[[str, str], Standing]
    is_sibling: Callable[[NodeId], bool]
    writer_of: Callable[[NamespaceId], NodeId | None]


class PassedRequests:
    """The handlers of both questions. Until `open` is called, this gateway is not ready to answer."""

    def __init__(self) -> None:
        self._served: Served | None = None

    def open(self, served: Served) -> None:
        """From now on answer."""
        self._served = served

    def handlers(self) -> Mapping[Kind, Handler]:
        """By the kind of question."""
        return {Kind.GATEWAY_FIND: self.find, Kind.GATEWAY_PASS: self.serve}

    async def find(self, exchange: Exchange) -> None:
        """Raises Refused(`not-of-the-organisation`), Unavailable(`gateway-not-ready`)."""
        served, question = self._ready(exchange), exchange.decode(GatewayFind)
        standing = served.standing(question.access_key, question.bucket)
        if standing is Standing.UNSURE:
            raise Unavailable("gateway-not-ready")
        await exchange.answer(GatewayFound(standing is Standing.WRITER))

    async def serve(self, exchange: Exchange) -> None:
        """Raises as `find`, Refused(`voucher-not-its-own`), and what the application raises."""
        served, question = self._ready(exchange), exchange.decode(GatewayPass)
        request, voucher = _Request(exchange), question.voucher
        scope = _scope(question, request)
        if voucher is None:
            app, sought = served.app, (access_key_of(scope), "")
        else:
            if served.writer_of(voucher.namespace) != exchange.peer.node:
                raise Refused("voucher-not-its-own", namespace=voucher.namespace)
            scope["extensions"][VOUCHER_EXTENSION] = voucher
            app, sought = served.vouched, ("", voucher.bucket)
        if any(sought) and served.standing(*sought) is not Standing.WRITER:
            raise Unavailable("gateway-not-ready")  # it moved on: who asks looks for it again
        await app(scope, request.receive, request.send)
        if not exchange.complete:
            raise Unavailable("gateway-not-ready")

    def _ready(self, exchange: Exchange) -> Served:
        served, node = self._served, exchange.peer.node
        if served is None:
            raise Unavailable("gateway-not-ready")
        if node is None or not served.is_sibling(node):
            raise Refused("not-of-the-organisation")
        return served


class _Request:
    """An exchange as an ASGI application sees it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._status = 0
        self._told_all = False
        self._headers: Headers = []

    async def receive_into(self, buffer: memoryview) -> int:
        with not_stalled(STALL_S):
            return await self._exchange.receive_into(buffer)

    async def receive(self) -> Message:
        if self._told_all:
            await trio.sleep_forever()  # until whoever asks has enough of it
        buffer = bytearray(MESSAGE_BYTES)
        count = await self.receive_into(memoryview(buffer))
        self._told_all = count < MESSAGE_BYTES
        return {"type": "http.request", "body": bytes(buffer[:count]), "more_body": not self._told_all}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", ()))
            return
        parts = message["parts"] if message["type"] == PARTS_EXTENSION else [message.get("body", b"")]
        parts = [part for part in parts if len(part)]
        if not self._exchange.answered:
            head = GatewayAnswer(self._status, tuple(HttpField(name, value) for name, value in self._headers))
            if not message.get("more_body", False):
                await self._exchange.answer(head, parts)
                return
            await self._exchange.begin_answer(head, first=parts)
        elif parts:
            await self._exchange.send(parts)
        if not message.get("more_body", False):
            await self._exchange.finish()


def _scope(question: GatewayPass, request: _Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": question.method,
        "path": unquote(question.path.decode("latin-1")),
        "raw_path": question.path,
        "query_string": question.query,
        "root_path": "",
        "scheme": "https" if question.is_secure else "http",
        "headers": [(field.name, field.value) for field in question.fields],
        "client": (question.client, None),
        "server": None,
        "extensions": {BODY_EXTENSION: {"receive_into": request.receive_into}, PARTS_EXTENSION: {}},
    }
