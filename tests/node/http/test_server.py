"""What a client of the server lives through: connections, bodies, order, patience, and the end."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.http.answer import Words
from node.http.asgi import Receive, Scope, Send
from node.http.head import Fault
from node.http.settings import HttpSettings
from protocol.errors import Unavailable
from tests.support.http import GET, PUT, answer, echo, receiver, serving


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuses by the head alone."""
    await answer(send, 403, b"no")


async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
    """Several buffers, several messages, no length."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b"x")]})
    await send(
        {"type": "maillon.parts", "parts": [b"one ", bytearray(b"two "), memoryview(b"three ")], "more_body": True}
    )
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await send({"type": "http.response.body", "body": b"four"})


async def test_a_connection_is_used_again(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        client = await served.client()
        for name in (b"one", b"two", b"three"):
            response = await client.ask(GET % name)
            assert (response.status, response.body) == (200, b"/" + name + b" ")
            assert b"connection" not in response.headers
            assert response.headers[b"date"].endswith(b" GMT")


async def test_requests_sent_ahead_are_answered_in_order(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        client = await served.client()
        put = PUT + b"Content-Length: 5\r\n\r\nhello"
        chunked = PUT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        await client.send(GET % b"one" + put + chunked + b"\r\n" + GET % b"two")
        bodies = [(await client.response()).body for _number in range(4)]
        assert bodies == [b"/one ", b"/a hello", b"/a abc", b"/two "]


async def test_who_asks_for_it_is_the_last(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        client = await served.client()
        response = await client.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET % b"two")
        assert response.headers[b"connection"] == b"close"
        assert await client.is_closed()


async def test_a_client_of_1_0_may_stay_if_it_says_so(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        client = await served.client()
        response = await client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert response.headers[b"connection"] == b"keep-alive"
        await client.ask(b"GET / HTTP/1.0\r\n\r\n")
        assert await client.is_closed()


async def test_a_body_without_a_length_is_chunked_or_ends_with_the_connection(autojump_clock: MockClock) -> None:
    async with serving(streaming) as served:
        client = await served.client()
        response = await client.ask(GET % b"")
        assert (response.headers[b"transfer-encoding"], response.headers[b"etag"]) == (b"chunked", b"x")
        assert response.body == b"one two three four"
        old = await served.client()
        response = await old.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert response.headers[b"connection"] == b"close"
        assert response.body == b"one two three four"


async def test_a_head_is_answered_without_a_body(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello" if scope["method"] == "GET" else b""})

    async with serving(app) as served:
        client = await served.client()
        for _time in range(2):
            response = await client.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", bodiless=True)
            assert response.headers[b"content-length"] == b"5"
        assert (await client.ask(GET % b"")).body == b"hello"


async def test_nothing_follows_an_answer_that_has_no_body(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, int(scope["path"][1:]))

    async with serving(app) as served:
        client = await served.client()
        for status in (204, 304, 200):
            response = await client.ask(GET % b"%d" % status)
            assert (response.status, response.body) == (status, b"")


async def test_a_client_that_waits_is_told_to_go_on_when_the_application_listens(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        client = await served.client()
        waiting = PUT + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        assert (await client.ask(waiting)).status == 100
        assert (await client.ask(b"hello")).body == b"/a hello"
        # Who does not wait is not told.
        assert (await client.ask(waiting + b"again")).body == b"/a again"


async def test_a_client_that_waits_never_sends_what_is_refused(autojump_clock: MockClock) -> None:
    async with serving(deaf) as served:
        client = await served.client()
        response = await client.ask(PUT + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert (response.status, response.headers[b"connection"]) == (403, b"close")
        assert await client.is_closed()


@pytest.mark.parametrize("size", [b"0", b"5"])
async def test_a_client_that_was_not_told_to_go_on_hears_that_the_connection_ends(
    autojump_clock: MockClock, size: bytes
) -> None:
    async def changes_its_mind(scope: Scope, receive: Receive, send: Send) -> None:
        with trio.CancelScope() as listening:
            listening.cancel()
            await receiver(scope)(memoryview(bytearray(5)))
        await answer(send, 503, b"no")

    async with serving(changes_its_mind) as served:
        client = await served.client()
        response = await client.ask(PUT + b"Content-Length: " + size + b"\r\nExpect: 100-continue\r\n\r\n")
        assert (response.status, response.headers[b"connection"]) == (503, b"close")


async def test_a_client_that_waits_with_nothing_to_send_is_told_all_the_same(autojump_clock: MockClock) -> None:
    """botocore mistakes the next answer on a connection where it heard no such word, and then waits for a minute."""
    waiting = PUT + b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"
    async with serving(echo) as served:
        client = await served.client()
        assert (await client.ask(waiting)).status == 100
        assert (await client.ask(b"")).body == b"/a "
    async with serving(deaf) as served:
        client = await served.client()
        assert (await client.ask(waiting)).headers[b"connection"] == b"close"
        assert await client.is_closed()


async def test_a_small_body_that_nobody_wanted_is_read_away(autojump_clock: MockClock) -> None:
    async with serving(deaf, HttpSettings(leftover_bytes_max=100_000)) as served:
        client = await served.client()
        await client.send(PUT + b"Content-Length: 100000\r\n\r\n")
        await client.send(bytes(100_000) + GET % b"")
        assert [(await client.response()).status for _number in range(2)] == [403, 403]


async def test_a_large_body_that_nobody_wanted_ends_the_connection_but_not_the_answer(
    autojump_clock: MockClock,
) -> None:
    async with serving(deaf, HttpSettings(leftover_bytes_max=100_000)) as served:
        client = await served.client()
        await client.send(PUT + b"Content-Length: 100001\r\n\r\n" + bytes(50_000))
        response = await client.response()
        assert (response.status, response.headers[b"connection"]) == (403, b"close")
        await client.send(bytes(50_001))  # it is still listened to, or this would break the stream
        assert await client.is_closed()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", b"/a hello"),
        (b"5;name=value\r\nhello\r\n000\r\nX-Trailer: 1\r\n\r\n", b"/a hello"),
        (b"A\r\n0123456789\r\n2\r\nab\r\n0\r\n\r\n", b"/a 0123456789ab"),
        (b"0\r\n\r\n", b"/a "),
        (b"5\nhello\r\n0\r\n\r\n", b"http-body"),
        (b"5\r\nhello\n0\r\n\r\n", b"http-body"),
        (b"5\r\nhelloo\r\n0\r\n\r\n", b"http-body"),
        (b"-5\r\nhello\r\n0\r\n\r\n", b"http-body"),
        (b"0x5\r\nhello\r\n0\r\n\r\n", b"http-body"),
        (b" 5\r\nhello\r\n0\r\n\r\n", b"http-body"),
        (b"5 \r\nhello\r\n0\r\n\r\n", b"http-body"),
        (b"\r\nhello\r\n0\r\n\r\n", b"http-body"),
        (b"fffffffffffffffff\r\nhello", b"http-body"),
        (b"5;" + b"x" * 2_000 + b"\r\nhello\r\n0\r\n\r\n", b"http-body"),
        (b"5;\x01\r\nhello\r\n0\r\n\r\n", b"http-body"),
        (b"5\r\rhello\r\n0\r\n\r\n", b"http-body"),
        (b"0\r\nno trailer\r\n\r\n", b"http-body"),
        (b"0\r\n" + b"X: y\r\n" * 5_000 + b"\r\n", b"http-body"),
        (b"3e9\r\n", b"http-body-size"),
        (b"3e8\r\n" + bytes(1_000) + b"\r\n1\r\n", b"http-body-size"),
    ],
)
async def test_a_chunked_body_keeps_its_grammar(body: bytes, told: bytes, autojump_clock: MockClock) -> None:
    async with serving(echo, HttpSettings(body_bytes_max=1_000)) as served:
        client = await served.client()
        await client.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n", body)
        response = await client.response()
        assert response.body == told
        # After a body that broke the grammar nobody knows where the next request begins.
        assert (response.headers.get(b"connection") == b"close") is told.startswith(b"http-")


async def test_a_body_may_come_byte_by_byte(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        client = await served.client()
        for byte in PUT + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n":
            await client.send(bytes((byte,)))
        assert (await client.response()).body == b"/a hello"


async def test_the_plain_words_of_asgi_are_spoken_too(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, messages, more = b"", 0, True
        while more:
            message = await receive()
            body, messages, more = body + message["body"], messages + 1, message["more_body"]
        await answer(send, 200, b"%d %d" % (len(body), messages))
        assert (await receive())["type"] == "http.disconnect"

    async with serving(app) as served:
        client = await served.client()
        assert (await client.ask(GET % b"")).body == b"0 1"
        assert (await client.ask(PUT + b"Content-Length: 3\r\n\r\nabc")).body == b"3 1"
        await client.send(PUT + b"Content-Length: 150000\r\n\r\n")
        assert (await client.ask(bytes(150_000))).body == b"150000 3"


async def test_an_application_hears_that_its_client_left(autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])

    async with serving(app) as served:
        client = await served.client()
        await client.send(GET % b"")
        await trio.sleep(1)
        await client.stream.aclose()
        await trio.sleep(1)
    assert heard == ["http.request", "http.disconnect"]


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_heard_of(autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receiver(scope)(memoryview(bytearray(10)))
        except Unavailable as error:
            heard.append(error.identifier)
            raise

    async with serving(app) as served:
        client = await served.client()
        await client.send(PUT + b"Content-Length: 10\r\n\r\nhello")
        await client.stream.aclose()
        await trio.sleep(1)
    assert heard == ["http-client-gone"]


async def test_what_an_application_breaks_costs_that_request_alone(autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        if scope["path"] == "/split":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nset-cookie: b")]})
            await send({"type": "http.response.body"})
        raise RuntimeError("a bug")

    async with serving(app) as served:
        for path in (b"early", b"split"):
            client = await served.client()
            response = await client.ask(GET % path)
            assert (response.status, response.headers[b"connection"]) == (500, b"close")
        client = await served.client()
        with pytest.raises((AssertionError, Unavailable)):  # the body ends short of what was announced
            await client.ask(GET % b"late")


@pytest.mark.parametrize("sent", [b"", b"hello wor", b"hello world, and more"])
async def test_a_body_is_as_long_as_its_application_said(sent: bytes, autojump_clock: MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"11")]})
        await send({"type": "http.response.body", "body": sent})

    async with serving(app) as served:
        assert (await (await served.client()).ask(GET % b"")).status == 500


async def test_a_broken_request_is_refused_and_heard_out(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        for data, status in (
            (b"GET / HTTP/1.1\nHost: a\n\n", 400),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
            (PUT + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET % b"admin", 400),
            (b"GET /" + b"a" * 70_000, 414),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000, 431),
        ):
            client = await served.client()
            response = await client.ask(data)
            assert (response.status, response.headers[b"connection"]) == (status, b"close")
            assert await client.is_closed()


async def test_who_serves_may_word_the_refusals(autojump_clock: MockClock) -> None:
    def tell(fault: Fault) -> Words:
        return Words(b"application/xml", b"<Status>%d</Status>" % fault.status)

    async with serving(echo, tell=tell) as served:
        response = await (await served.client()).ask(b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (response.status, response.body) == (501, b"<Status>501</Status>")
        assert response.headers[b"content-type"] == b"application/xml"
