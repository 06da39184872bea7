"""Any gateway answers for any namespace of its organisation, by passing the request on.

Programs are told one address, and need not know which gateway writes their namespace today. Who writes what an access
key opens, or a bucket that anybody may read, is asked of the organisation's other gateways (`node.doors.finding`);
nobody's keys leave the gateways that they belong to. The request then travels inside the mesh, head and body as they
came, so that its signature still holds, and its answer comes back the same way.

What this gateway only follows is asked of its writer too, because who has just written something must find it. It is
read here while no writer answers.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import trio

from node.doors.finding import ASK_S, Ask, Finder, Reach
from node.first_error import first_error
from node.http.asgi import BODY_EXTENSION, PARTS_EXTENSION, Application, Receive, Scope, Send
from node.logs import get_logger
from node.net.exchange import Asking
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId
from protocol.kinds import Kind
from protocol.limits import KIB
from protocol.passing import GatewayAnswer, GatewayPass, HttpField, Voucher

T = TypeVar("T")
Refuse = Callable[[Scope, Send, MaillonError], Awaitable[None]]

BUFFER_BYTES = 256 * KIB
_CREDENTIAL = re.compile(rb"Credential=([^/,\s&\x80-\xff]{1,128})/")
_QUERY_CREDENTIAL = re.compile(rb"(?:^|&)X-Amz-Credential=([A-Za-z0-9_.~-]{1,128})(?:%2[Ff]|/)")
# What happens to a connection, and says nothing of where it led.
_LOST = frozenset({"connection-lost", "deadline", "node-unreachable"})

log = get_logger(__name__)


class Siblings(Ask, Protocol):
    """The mesh, as far as it is needed here."""

    def open(
        self, node: NodeId, kind: Kind, message: object, *, deadline_s: float, payload_bytes: int | None = None
    ) -> AbstractAsyncContextManager[Asking]: ...


class Standing(enum.Enum):
    """What this gateway is to what a request is about."""

    WRITER = "writer"
    FOLLOWER = "follower"
    UNSURE = "unsure"  # a namespace that may know the key, or have the bucket, is not open
    STRANGER = "stranger"


class Place(Reach, Protocol):
    """What this gateway has itself, and who else there is."""

    def standing(self, access_key: str, bucket: str) -> Standing:
        """To the key or, where none is named, to the bucket."""

    def bucket_of(self, scope: Scope) -> str:
        """The bucket that a request without a key is about; empty for none."""


class Passing:
    """An ASGI application before `own`: it takes what is for others. `refuse` tells a client why that failed."""

    def __init__(self, own: Application, place: Place, mesh: Siblings, refuse: Refuse) -> None:
        self._own = own
        self._place = place
        self._mesh = mesh
        self._refuse = refuse
        self._finder = Finder(place, mesh)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI 3 has it."""
        if not self._place.siblings():
            await self._own(scope, receive, send)
            return
        key = access_key_of(scope)
        bucket = "" if key else self._place.bucket_of(scope)
        if not (key or bucket):
            await self._own(scope, receive, send)
            return
        answered, node = Answered(send), None
        try:
            node = await self._whose(key, bucket, _client_of(scope))
            if node is not None:
                await pass_on(self._mesh, node, scope, answered)
        except MaillonError as error:
            self._finder.doubt((key, bucket))
            path = scope["raw_path"].decode("ascii", "replace")
            log.info(
                "request-not-passed",
                node=node or "",
                method=scope["method"],
                path=path,
                access_key=key,
                error=str(error),
            )
            if answered.has_begun:
                raise
            await self._refuse(scope, send, error)
            return
        if node is None:
            await self._own(scope, receive, send)

    async def _whose(self, access_key: str, bucket: str, client: str) -> NodeId | None:
        """The gateway to pass the request on to; None to answer it here.

        Raises:
            Unavailable: `gateway-not-ready` when a gateway that does not answer may have it; as `Finder.find`.
        """
        standing = self._place.standing(access_key, bucket)
        if standing is Standing.WRITER:
            return None
        is_ours = standing is Standing.FOLLOWER
        node, is_certain = await self._finder.find((access_key, bucket), None if is_ours else client)
        if node is None and not is_ours and not is_certain:
            raise Unavailable("gateway-not-ready")
        return node


class Answered:
    """The client's end, which remembers whether it has heard anything yet."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.has_begun = False


async def pass_on(
    mesh: Siblings, node: NodeId, scope: Scope, answered: Answered, voucher: Voucher | None = None
) -> None:
    """Have another gateway answer the request. Raises what it raises, and Unavailable(`gateway-lost`) without it."""
    question = passed(scope, voucher)
    try:
        with first_error():
            async with (
                mesh.open(node, Kind.GATEWAY_PASS, question, deadline_s=ASK_S) as asking,
                trio.open_nursery() as nursery,
            ):
                body = _PassedBody(asking, scope)
                nursery.start_soon(body.send)
                await _take_answer(asking, body, answered)
                await body.stop()  # who has answered reads no more of it
    except MaillonError as error:
        if error.identifier in _LOST:
            raise Unavailable("gateway-lost", node=node) from error
        raise


class _PassedBody:
    """A request's body on its way. Once the whole answer is here it is stopped before the client hears that, because
    how much of it is still to come decides whether the client is told that the connection ends.
    """

    def __init__(self, asking: Asking, scope: Scope) -> None:
        self._asking = asking
        self._receive_into = scope["extensions"][BODY_EXTENSION]["receive_into"]
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def send(self) -> None:
        """Until all of it is sent, or stopped."""
        try:
            with self._scope:
                buffer = memoryview(bytearray(BUFFER_BYTES))
                while count := await self._receive_into(buffer):
                    await self._asking.send([buffer[:count]])
                await self._asking.finish()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Returns when no more of it is taken from the client."""
        self._scope.cancel()
        await self._ended.wait()


async def _take_answer(asking: Asking, body: _PassedBody, answered: Answered) -> None:
    head = await asking.reply(GatewayAnswer)
    buffer = memoryview(bytearray(BUFFER_BYTES))
    count = await asking.receive_some(buffer)
    if asking.incoming.complete:
        await body.stop()
    answered.has_begun = True
    fields = [(field.name, field.value) for field in head.fields]
    await answered.send({"type": "http.response.start", "status": head.status, "headers": fields})
    while count:
        await answered.send({"type": PARTS_EXTENSION, "parts": [buffer[:count]], "more_body": True})
        count = await asking.receive_some(buffer)
    await answered.send({"type": "http.response.body", "body": b"", "more_body": False})


def passed(scope: Scope, voucher: Voucher | None = None) -> GatewayPass:
    """The question that a request becomes."""
    return GatewayPass(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        is_secure=scope["scheme"] == "https",
        client=_client_of(scope),
        fields=tuple(HttpField(name, value) for name, value in scope["headers"]),
        voucher=voucher,
    )


def _client_of(scope: Scope) -> str:
    return str((scope["client"] or ("",))[0])[:128]


def access_key_of(scope: Scope) -> str:
    """The key that the request says it is signed with; empty for none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            found = _CREDENTIAL.search(value)
            return found[1].decode("latin-1") if found else ""
    found = _QUERY_CREDENTIAL.search(scope["query_string"])
    return found[1].decode("latin-1") if found else ""
