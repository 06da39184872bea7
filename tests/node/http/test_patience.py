"""How long a client is waited for, how many there may be, and how a server ends."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.http.asgi import Receive, Scope, Send
from node.http.settings import HttpSettings
from protocol.errors import Unavailable
from tests.support.http import GET, PUT, Served, echo, serving

SHORT = HttpSettings(head_s=10, idle_s=30, stall_s=20)


async def closes_after_s(served: Served, *sent: bytes, responses: int = 0) -> tuple[float, list[int]]:
    """How long a client is waited for after it has sent this and heard so many answers."""
    client = await served.client()
    for data in sent:
        await client.send(data)
    for _number in range(responses):
        await client.response()
    start_s, statuses = trio.current_time(), []
    while True:
        try:
            statuses.append((await client.response()).status)
        except AssertionError:
            return trio.current_time() - start_s, statuses


async def test_every_wait_for_a_client_has_an_end(autojump_clock: MockClock) -> None:
    async with serving(echo, SHORT) as served:
        assert await closes_after_s(served) == (pytest.approx(10, abs=1.5), [])
        assert await closes_after_s(served, b"GET / HTT") == (pytest.approx(13, abs=1.5), [408])
        assert await closes_after_s(served, GET % b"", responses=1) == (pytest.approx(30, abs=1.5), [])
        slow = PUT + b"Content-Length: 10\r\n\r\nhello"
        assert await closes_after_s(served, slow) == (pytest.approx(23, abs=1.5), [400])


async def test_a_client_that_drips_its_body_is_given_up(autojump_clock: MockClock) -> None:
    async with serving(echo, SHORT) as served:
        client = await served.client()
        await client.send(PUT + b"Content-Length: 100000\r\n\r\n")
        start_s = trio.current_time()
        for _number in range(4):
            await client.send(b"x")
            await trio.sleep(5)
        assert (await client.response()).body == b"http-client-slow"
        assert trio.current_time() - start_s == pytest.approx(20, abs=1.5)


async def test_a_client_that_drips_chunks_is_given_up(autojump_clock: MockClock) -> None:
    async with serving(echo, SHORT) as served:
        client = await served.client()
        await client.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n")
        start_s = trio.current_time()
        for _number in range(4):
            await client.send(b"1\r\nx\r\n")
            await trio.sleep(5)
        assert (await client.response()).body == b"http-client-slow"
        assert trio.current_time() - start_s == pytest.approx(20, abs=1.5)


async def test_a_client_that_sends_as_much_as_is_asked_is_heard_for_as_long_as_it_takes(
    autojump_clock: MockClock,
) -> None:
    async with serving(echo, SHORT) as served:
        client = await served.client()
        await client.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n")
        for _number in range(160):
            await client.send(b"1000\r\n" + b"x" * 4_096 + b"\r\n")  # 64 KiB in 16 s, of 20
            await trio.sleep(1)
        response = await client.ask(b"0\r\n\r\n")
        assert (response.status, len(response.body)) == (200, len(b"/a ") + 160 * 4_096)


async def test_a_client_that_takes_nothing_is_given_up(autojump_clock: MockClock) -> None:
    ended = trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "maillon.parts", "parts": [bytes(4_000_000)] * 2})
        finally:
            ended.set()

    async with serving(app, SHORT) as served:
        client = await served.client()
        await client.send(GET % b"")
        start_s = trio.current_time()
        await ended.wait()
        assert trio.current_time() - start_s == pytest.approx(20, abs=1.5)


async def test_who_waits_longest_makes_room_for_a_newcomer(autojump_clock: MockClock) -> None:
    async with serving(echo, HttpSettings(connections_max=2)) as served:
        first, second = await served.client(), await served.client()
        await first.ask(GET % b"")
        await trio.sleep(1)
        await second.ask(GET % b"")
        third = await served.client()
        assert (await third.ask(GET % b"")).status == 200
        assert await first.is_closed()
        assert (await second.ask(GET % b"")).status == 200


async def test_when_all_work_a_newcomer_is_told_to_come_back(autojump_clock: MockClock) -> None:
    async with serving(echo, HttpSettings(connections_max=1)) as served:
        busy = await served.client()
        await busy.send(PUT + b"Content-Length: 5\r\n\r\n")
        await trio.sleep(1)
        newcomer = await served.client()
        assert (await newcomer.response()).status == 503
        assert (await busy.ask(b"hello")).body == b"/a hello"


async def test_a_stop_finishes_what_is_in_flight(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        busy, resting = await served.client(), await served.client()
        await resting.ask(GET % b"")
        await busy.send(PUT + b"Content-Length: 5\r\n\r\nhel")
        await trio.sleep(1)
        served.server.drain()
        assert await resting.is_closed()
        with pytest.raises(Unavailable):
            await served.client()
        response = await busy.ask(b"lo")
        assert (response.body, response.headers[b"connection"]) == (b"/a hello", b"close")
        await busy.stream.aclose()
        await served.done.wait()


async def test_a_stop_waits_only_so_long(autojump_clock: MockClock) -> None:
    async with serving(echo, HttpSettings(drain_s=20)) as served:
        await (await served.client()).send(PUT + b"Content-Length: 5\r\n\r\nhel")
        await trio.sleep(1)
        served.server.drain()
        start_s = trio.current_time()
        await served.done.wait()
        assert trio.current_time() - start_s == pytest.approx(20, abs=1)
