"""Any gateway answers for any namespace of its organisation, by passing the request on.

Programs are told one address, and need not know which gateway writes their namespace today. Who writes what an access
key opens, or a bucket that anybody may read, is asked of the organisation's other gateways and remembered for a
while; nobody's keys leave the gateways that they belong to. The request then travels inside the mesh, head and body
as they came, so that its signature still holds, and its answer comes back the same way.

What this gateway only follows is asked of its writer too, because who has just written something must find it. It is
read here while no writer answers.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import trio

from node.first_error import first_error
from node.http.asgi import BODY_EXTENSION, PARTS_EXTENSION, Application, Receive, Scope, Send
from node.logs import get_logger
from node.net.exchange import Answer, Asking
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId
from protocol.kinds import Kind
from protocol.limits import KIB
from protocol.passing import GatewayAnswer, GatewayFind, GatewayFound, GatewayPass, HttpField

T = TypeVar("T")
Refuse = Callable[[Scope, Send, MaillonError], Awaitable[None]]

REMEMBERED_MAX = 4_096
FOUND_FOR_S = 30.0
ABSENT_FOR_S = 2.0
ASK_S = 5.0
BUFFER_BYTES = 256 * KIB
_CREDENTIAL = re.compile(rb"Credential=([^/,\s&]{1,128})/")
_QUERY_CREDENTIAL = re.compile(rb"(?:^|&)X-Amz-Credential=([A-Za-z0-9_.~-]{1,128})(?:%2[Ff]|/)")

log = get_logger(__name__)


class Siblings(Protocol):
    """The mesh, as far as it is needed here."""

    async def ask(
        self, node: NodeId, kind: Kind, message: object, reply: type[T], *, deadline_s: float
    ) -> Answer[T]: ...

    def open(
        self, node: NodeId, kind: Kind, message: object, *, deadline_s: float, payload_bytes: int | None = None
    ) -> AbstractAsyncContextManager[Asking]: ...


class Standing(enum.Enum):
    """What this gateway is to what a request is about."""

    WRITER = "writer"
    FOLLOWER = "follower"
    UNSURE = "unsure"  # a namespace that may know the key is not open
    STRANGER = "stranger"


class Place(Protocol):
    """What this gateway has itself, and who else there is."""

    def standing(self, access_key: str, bucket: str) -> Standing:
        """To the key or, where none is named, to the bucket."""

    def siblings(self) -> Sequence[NodeId]:
        """The organisation's other gateways."""

    def answers(self, node: NodeId) -> bool:
        """Whether the node answers now."""

    def bucket_of(self, scope: Scope) -> str:
        """The bucket that a request without a key is about; empty for none."""


class Passing:
    """An ASGI application before `own`: it takes what is for others. `refuse` tells a client why that failed."""

    def __init__(self, own: Application, place: Place, mesh: Siblings, refuse: Refuse) -> None:
        self._own = own
        self._place = place
        self._mesh = mesh
        self._refuse = refuse
        self._known: dict[tuple[str, str], tuple[NodeId | None, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI 3 has it."""
        siblings = self._place.siblings()
        if not siblings:
            await self._own(scope, receive, send)
            return
        key = access_key_of(scope)
        bucket = "" if key else self._place.bucket_of(scope)
        if not (key or bucket):
            await self._own(scope, receive, send)
            return
        answered = _Answered(send)
        try:
            node = await self._whose(siblings, key, bucket)
            if node is not None:
                await self._pass(node, scope, receive, answered)
        except MaillonError as error:
            self._known.pop((key, bucket), None)
            log.info("request-not-passed", error=str(error))
            if answered.has_begun:
                raise
            await self._refuse(scope, send, error)
            return
        if node is None:
            await self._own(scope, receive, send)

    async def _whose(self, siblings: Sequence[NodeId], access_key: str, bucket: str) -> NodeId | None:
        """The gateway to pass the request on to; None to answer it here.

        Raises:
            Unavailable: `gateway-not-ready` when a gateway that does not answer may have it.
        """
        standing = self._place.standing(access_key, bucket)
        if standing is Standing.WRITER:
            return None
        node, is_certain = await self._find(siblings, access_key, bucket)
        if node is None and standing is Standing.STRANGER and not is_certain:
            raise Unavailable("gateway-not-ready")
        return node

    async def _find(self, siblings: Sequence[NodeId], access_key: str, bucket: str) -> tuple[NodeId | None, bool]:
        """Who writes it, and whether that is certain. What nobody has is asked for again soon: it may be made yet."""
        asked, now_s = (access_key, bucket), trio.current_time()
        known, until_s = self._known.get(asked, (None, 0.0))
        if now_s < until_s and (known is None or self._place.answers(known)):
            return known, True
        said: dict[NodeId, bool] = {}
        async with trio.open_nursery() as nursery:
            for sibling in filter(self._place.answers, siblings):
                nursery.start_soon(self._ask, sibling, GatewayFind(access_key, bucket), said)
        node = min((sibling for sibling, is_there in said.items() if is_there), default=None)
        is_certain = node is not None or len(said) == len(siblings)
        if is_certain:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            self._known[asked] = (node, now_s + (ABSENT_FOR_S if node is None else FOUND_FOR_S))
        return node, is_certain

    async def _ask(self, sibling: NodeId, question: GatewayFind, said: dict[NodeId, bool]) -> None:
        try:
            answer = await self._mesh.ask(sibling, Kind.GATEWAY_FIND, question, GatewayFound, deadline_s=ASK_S)
        except MaillonError as error:
            log.debug("gateway-silent", node=sibling, error=str(error))
        else:
            said[sibling] = answer.message.is_here

    async def _pass(self, node: NodeId, scope: Scope, receive: Receive, answered: _Answered) -> None:
        question = passed(scope)
        with first_error():
            async with (
                self._mesh.open(node, Kind.GATEWAY_PASS, question, deadline_s=ASK_S) as asking,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(_send_body, asking, scope)
                await _take_answer(asking, answered)
                nursery.cancel_scope.cancel()  # who has answered reads no more of the body


class _Answered:
    """The client's end, which remembers whether it has heard anything yet."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.has_begun = False


async def _send_body(asking: Asking, scope: Scope) -> None:
    receive_into = scope["extensions"][BODY_EXTENSION]["receive_into"]
    buffer = memoryview(bytearray(BUFFER_BYTES))
    while count := await receive_into(buffer):
        await asking.send([buffer[:count]])
    await asking.finish()


async def _take_answer(asking: Asking, answered: _Answered) -> None:
    head = await asking.reply(GatewayAnswer)
    buffer = memoryview(bytearray(BUFFER_BYTES))
    count = await asking.receive_some(buffer)
    answered.has_begun = True
    fields = [(field.name, field.value) for field in head.fields]
    await answered.send({"type": "http.response.start", "status": head.status, "headers": fields})
    while count:
        await answered.send({"type": PARTS_EXTENSION, "parts": [buffer[:count]], "more_body": True})
        count = await asking.receive_some(buffer)
    await answered.send({"type": "http.response.body", "body": b"", "more_body": False})


def passed(scope: Scope) -> GatewayPass:
    """The question that a request becomes."""
    return GatewayPass(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        is_secure=scope["scheme"] == "https",
        client=str((scope["client"] or ("",))[0])[:128],
        fields=tuple(HttpField(name, value) for name, value in scope["headers"]),
    )


def access_key_of(scope: Scope) -> str:
    """The key that the request says it is signed with; empty for none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            found = _CREDENTIAL.search(value)
            return found[1].decode("latin-1") if found else ""
    found = _QUERY_CREDENTIAL.search(scope["query_string"])
    return found[1].decode("latin-1") if found else ""
