"""A program may knock at any gateway of the organisation: who has its key answers, through whoever was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from node.doors.finding import FOUND_FOR_S, OF_ONE_MOST, Finder
from node.doors.passed import PassedRequests, Served
from node.doors.passing import Passing, Standing, access_key_of
from node.http.asgi import Application, Receive, Scope, Send
from node.net.connection import Connection, dispatch
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId
from protocol.limits import MIB
from tests.support.connections import ALICE, BOB, connected
from tests.support.http import RawClient, answer, receiver, serving

SIBLING = NodeId(BOB.public)
SIGNED = b"Host: s3.example\r\nAuthorization: AWS4-HMAC-SHA256 Credential="
GET = b"GET /theirs/a%%20b?x=%%41 HTTP/1.1\r\n" + SIGNED + b"%s/2026\r\n\r\n"
PUT = b"PUT /b/k HTTP/1.1\r\n" + SIGNED + b"THEIRS/2026\r\nContent-Length: %d\r\n\r\n"


@dataclass
class Mesh:
    """One sibling, at the other end of a connection."""

    connection: Connection
    asked: list[object] = field(default_factory=list)

    async def ask(self, node: NodeId, kind: Any, message: object, reply: Any, *, deadline_s: float) -> Any:
        self.asked.append(message)
        return await self.connection.ask(kind, message, reply, deadline_s=deadline_s)

    @asynccontextmanager
    async def open(self, node: NodeId, kind: Any, message: object, *, deadline_s: float) -> AsyncIterator[Any]:
        async with self.connection.open(kind, message) as asking:
            yield asking


class Here:
    """What the gateway that is asked has: it writes for the key OURS and the bucket `ours`, and follows FOLLOWED."""

    def __init__(self, siblings: Sequence[NodeId]) -> None:
        self._siblings = siblings
        self.answering = True
        self.has_moved = False

    def standing(self, access_key: str, bucket: str) -> Standing:
        if access_key == "FOLLOWED":
            return Standing.FOLLOWER
        is_ours = access_key == "OURS" or (not access_key and bucket == "ours")
        return Standing.WRITER if is_ours else Standing.STRANGER

    def answers(self, node: NodeId) -> bool:
        return self.answering

    def siblings(self) -> Sequence[NodeId]:
        return self._siblings

    def bucket_of(self, scope: Scope) -> str:
        return str(scope["path"]).split("/")[1]


async def here(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200, b"here")


async def there(scope: Scope, receive: Receive, send: Send) -> None:
    """What it was asked, and how long the body was."""
    size, buffer = 0, memoryview(bytearray(MIB))
    while count := await receiver(scope)(buffer):
        size += count
    said = b"%s %s?%s %d" % (scope["method"].encode(), scope["raw_path"], scope["query_string"], size)
    headers = [(b"x-host", dict(scope["headers"])[b"host"]), (b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": said})


async def refuse(scope: Scope, send: Send, error: MaillonError) -> None:
    await answer(send, 503, error.identifier.encode())


@asynccontextmanager
async def gateways(
    app: Application, *, is_sibling: Callable[[NodeId], bool] = lambda _node: True
) -> AsyncIterator[tuple[RawClient, Mesh, Here]]:
    """A client of one gateway, whose sibling serves `app`, writes for the keys THEIRS and FOLLOWED and the bucket
    `theirs`, and does not know yet about OPENING.
    """

    def standing(key: str, bucket: str) -> Standing:
        if key == "OPENING" or (key == "THEIRS" and place.has_moved):
            return Standing.UNSURE
        has_it = key in ("THEIRS", "FOLLOWED") or (not key and bucket == "theirs")
        return Standing.WRITER if has_it else Standing.STRANGER

    passed, place = PassedRequests(), Here([SIBLING])
    passed.open(Served(app, app, standing, is_sibling, lambda _namespace: None))
    async with connected(dispatch(passed.handlers())) as (near, _far):
        mesh = Mesh(near)
        async with serving(Passing(here, place, mesh, refuse)) as served:
            yield await served.client(), mesh, place


async def test_a_request_goes_to_who_has_its_key(autojump_clock: MockClock) -> None:
    async with gateways(there) as (client, mesh, _passed):
        response = await client.ask(GET % b"THEIRS")
        assert (response.status, response.body) == (201, b"GET /theirs/a%20b?x=%41 0")
        assert response.headers[b"x-host"] == b"s3.example"
        assert (await client.ask(GET % b"OURS")).body == b"here"
        assert (await client.ask(GET % b"NOBODYS")).body == b"here"  # which refuses it in its own words
        await client.ask(GET % b"THEIRS")
        assert len(mesh.asked) == 2  # who has it is remembered


async def test_keys_that_nobody_knows_are_asked_about_at_a_bounded_rate(autojump_clock: MockClock) -> None:
    async with gateways(there) as (client, mesh, _place):
        assert (await client.ask(GET % b"THEIRS")).status == 201
        flood = [(await client.ask(GET % (b"UNKNOWN%d" % number))).body for number in range(2 * int(OF_ONE_MOST))]
        assert flood[0] == b"here"
        assert flood[-1] == b"gateways-asked-too-often"
        assert len(mesh.asked) < 1.5 * OF_ONE_MOST
        await trio.sleep(FOUND_FOR_S)  # who has the other key was forgotten, but not that somebody has it
        assert (await client.ask(GET % b"THEIRS")).status == 201
        assert (await client.ask(GET % b"FOLLOWED")).status == 201
        assert (await client.ask(GET % b"UNKNOWN")).body == b"here"


async def test_what_nobody_knows_does_not_push_out_what_was_found(autojump_clock: MockClock) -> None:
    async with gateways(there) as (_client, mesh, place):
        finder = Finder(place, mesh, remembered=8)
        assert await finder.find(("THEIRS", ""), "somewhere") == (SIBLING, True)
        for number in range(9):
            assert await finder.find((f"UNKNOWN{number}", ""), None) == (None, True)
        asked = len(mesh.asked)
        assert await finder.find(("THEIRS", ""), "somewhere") == (SIBLING, True)
        assert len(mesh.asked) == asked


async def test_what_is_followed_is_asked_of_its_writer_while_that_answers(autojump_clock: MockClock) -> None:
    async with gateways(there) as (client, _mesh, place):
        assert (await client.ask(GET % b"FOLLOWED")).status == 201
        place.answering = False
        assert (await client.ask(GET % b"FOLLOWED")).body == b"here"


async def test_a_namespace_that_moved_on_is_looked_for_again(autojump_clock: MockClock) -> None:
    async with gateways(there) as (client, mesh, place):
        assert (await client.ask(GET % b"THEIRS")).status == 201
        place.has_moved = True
        assert (await client.ask(GET % b"THEIRS")).status == 503
        place.has_moved = False
        assert (await client.ask(GET % b"THEIRS")).status == 201
        assert len(mesh.asked) == 2


async def test_a_key_that_a_silent_gateway_may_know_is_not_called_unknown(autojump_clock: MockClock) -> None:
    async with gateways(there) as (client, _mesh, place):
        assert (await client.ask(GET % b"OPENING")).body == b"gateway-not-ready"
        place.answering = False
        assert (await client.ask(GET % b"THEIRS")).body == b"gateway-not-ready"
        assert (await client.ask(GET % b"OURS")).body == b"here"


async def test_who_names_no_key_is_served_by_who_has_the_bucket(autojump_clock: MockClock) -> None:
    async with gateways(there) as (client, _mesh, _passed):
        for bucket, said in ((b"theirs", b"GET /theirs/x? 0"), (b"ours", b"here"), (b"nobodys", b"here")):
            assert (await client.ask(b"GET /%s/x HTTP/1.1\r\nHost: a\r\n\r\n" % bucket)).body == said


async def test_bodies_of_any_size_travel_both_ways(autojump_clock: MockClock) -> None:
    data = bytes(range(256)) * 20_000

    async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
        buffer, more = memoryview(bytearray(MIB)), True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while more:
            count = await receiver(scope)(buffer)
            more = bool(count)
            await send({"type": "maillon.parts", "parts": [buffer[:count]], "more_body": more})

    async with gateways(mirror) as (client, _mesh, _passed), trio.open_nursery() as nursery:
        nursery.start_soon(client.send, PUT % len(data), data)
        assert (await client.response()).body == data
    async with gateways(mirror) as (client, _mesh, _passed):
        for _time in range(2):
            assert (await client.ask(PUT % 0)).body == b""


async def test_a_small_body_in_two_messages_arrives_whole(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5000")]})
        await send({"type": "maillon.parts", "parts": [bytes(5_000)], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with gateways(app) as (client, _mesh, _place):
        for _time in range(3):
            assert (await client.ask(GET % b"THEIRS")).body == bytes(5_000)


async def test_a_body_that_is_refused_is_not_waited_for(autojump_clock: MockClock) -> None:
    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 403, b"no")

    async with gateways(deaf) as (client, _mesh, _passed):
        response = await client.ask(PUT % (100 * MIB))
        assert (response.status, response.headers[b"connection"]) == (403, b"close")
    async with gateways(deaf) as (client, _mesh, _passed):
        response = await client.ask(PUT % 5)  # small enough to be read away, had nobody begun to take it
        assert (response.status, response.headers[b"connection"]) == (403, b"close")


async def test_a_body_that_flows_when_it_is_refused_breaks_nothing(autojump_clock: MockClock) -> None:
    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep(1)
        await answer(send, 403, b"no")

    async with gateways(deaf) as (client, _mesh, _passed):
        heard: list[int] = []

        async def hear() -> None:
            heard.append((await client.response()).status)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await client.send(PUT % (64 * MIB), *[bytes(MIB)] * 64)
        assert heard == [403]


async def test_a_client_that_leaves_is_missed_there_too(autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receiver(scope)(memoryview(bytearray(MIB)))
            heard.append("all of it")
        except trio.Cancelled:
            heard.append("cancelled")
            raise

    async with gateways(app) as (client, _mesh, _passed):
        await client.send(PUT % 1_000, b"half")
        await trio.sleep(1)
        await client.stream.aclose()
        await trio.sleep(1)
    assert heard == ["cancelled"]


async def test_what_fails_there_is_told_here(autojump_clock: MockClock) -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET":
            raise Unavailable("journal-quorum", acknowledged=1, needed=3)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await trio.sleep(1)
        raise Unavailable("journal-quorum", acknowledged=1, needed=3)

    async with gateways(fails) as (client, _mesh, _passed):
        response = await client.ask(GET % b"THEIRS")
        assert (response.status, response.body) == (503, b"journal-quorum")
        with pytest.raises((AssertionError, Unavailable)):  # the body ends short of what was announced
            await client.ask(PUT % 0)


async def test_a_gateway_that_is_lost_is_called_so(autojump_clock: MockClock) -> None:
    async def lost(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep_forever()

    async with gateways(lost) as (client, mesh, _place):
        await client.send(GET % b"THEIRS")
        await trio.sleep(1)
        mesh.connection.close()
        assert (await client.response()).body == b"gateway-lost"


async def test_strangers_pass_nothing_on(autojump_clock: MockClock) -> None:
    async with gateways(there, is_sibling=lambda node: node != NodeId(ALICE.public)) as (client, _mesh, _passed):
        assert (await client.ask(GET % b"THEIRS")).body == b"gateway-not-ready"


async def test_a_gateway_that_is_alone_asks_nobody(autojump_clock: MockClock) -> None:
    async def nobody(*_arguments: object, **_named: object) -> None:
        raise AssertionError("who was asked?")

    mesh: Any = type("Mesh", (), {"ask": nobody, "open": nobody})()
    async with serving(Passing(here, Here([]), mesh, refuse)) as served:
        assert (await (await served.client()).ask(GET % b"THEIRS")).body == b"here"


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        (
            [(b"authorization", b"AWS4-HMAC-SHA256 Credential=AK/2026/eu/s3/aws4_request, SignedHeaders=host")],
            b"",
            "AK",
        ),
        ([(b"authorization", b"Basic abc")], b"X-Amz-Credential=AK/2026", ""),
        ([], b"a=b&X-Amz-Credential=AK%2F2026%2Feu", "AK"),
        ([], b"X-Amz-Credential=AK/2026", "AK"),
        ([], b"prefix=X-Amz-Credential=AK/2026", ""),
        ([], b"", ""),
        ([(b"authorization", "AWS4-HMAC-SHA256 Credential=clé/2026".encode())], b"", ""),
    ],
)
def test_the_key_of_a_request(headers: list[tuple[bytes, bytes]], query: bytes, key: str) -> None:
    assert access_key_of({"headers": headers, "query_string": query}) == key
