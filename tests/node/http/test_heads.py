"""Which heads are heard, and what is refused because somebody else might read it otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.head import Fault, Head, parse_head
from node.http.settings import HttpSettings

SETTINGS = HttpSettings(headers_max=8, target_bytes_max=200, body_bytes_max=1_000)
HOST = b"Host: s3.example:9000\r\n"


def head(line: bytes, fields: bytes = b"", host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + fields + b"\r\n"


def heard(data: bytes) -> Head:
    found = parse_head(data, SETTINGS)
    assert isinstance(found, Head), found
    return found


GET = b"GET / HTTP/1.1"
PUT = b"PUT /b/k HTTP/1.1"

REFUSED: dict[str, tuple[bytes, int]] = {
    # Two ways to tell where the body ends: the classic of smuggling.
    "length and chunked": (head(PUT, b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400),
    "chunked and length": (head(PUT, b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400),
    "two lengths": (head(PUT, b"Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
    "the same length twice": (head(PUT, b"Content-Length: 3\r\nContent-Length: 3\r\n"), 400),
    "a list of lengths": (head(PUT, b"Content-Length: 3, 3\r\n"), 400),
    "a signed length": (head(PUT, b"Content-Length: +3\r\n"), 400),
    "a negative length": (head(PUT, b"Content-Length: -3\r\n"), 400),
    "a length in hexadecimal": (head(PUT, b"Content-Length: 0x3\r\n"), 400),
    "a length with an underscore": (head(PUT, b"Content-Length: 1_0\r\n"), 400),
    "an empty length": (head(PUT, b"Content-Length:\r\n"), 400),
    "a length beyond all numbers": (head(PUT, b"Content-Length: " + b"9" * 40 + b"\r\n"), 400),
    "a length over the bound": (head(PUT, b"Content-Length: 1001\r\n"), 413),
    "coding twice": (head(PUT, b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
    "another coding": (head(PUT, b"Transfer-Encoding: gzip\r\n"), 400),
    "gzip, then chunked": (head(PUT, b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "identity, then chunked": (head(PUT, b"Transfer-Encoding: identity, chunked\r\n"), 501),
    "chunked, then identity": (head(PUT, b"Transfer-Encoding: chunked, identity\r\n"), 400),
    "nearly chunked": (head(PUT, b"Transfer-Encoding: xchunked\r\n"), 400),
    "chunked in quotes": (head(PUT, b'Transfer-Encoding: "chunked"\r\n'), 400),
    "chunked behind a vertical tab": (head(PUT, b"Transfer-Encoding: \x0bchunked\r\n"), 400),
    "chunked for 1.0": (head(b"PUT / HTTP/1.0", b"Transfer-Encoding: chunked\r\n"), 400),
    # Lines.
    "a bare line feed": (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    "a bare carriage return": (head(GET, b"X: a\rb\r\n"), 400),
    "a carriage return too many": (head(GET, b"X: a\r\r\n"), 400),
    "a folded line": (head(GET, b"X: a\r\n b\r\n"), 400),
    "a line folded by a tab": (head(GET, b"X: a\r\n\tb\r\n"), 400),
    "a first line that is folded": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    # Names and values.
    "white space before the colon": (head(GET, b"Content-Length : 3\r\n"), 400),
    "a tab before the colon": (head(GET, b"Content-Length\t: 3\r\n"), 400),
    "white space in a name": (head(GET, b"Content Length: 3\r\n"), 400),
    "no name": (head(GET, b": 3\r\n"), 400),
    "no colon": (head(GET, b"Content-Length\r\n"), 400),
    "a NUL in a value": (head(GET, b"X: a\0b\r\n"), 400),
    "a NUL in a name": (head(GET, b"X\0: a\r\n"), 400),
    "a control character in a value": (head(GET, b"X: a\x01b\r\n"), 400),
    "DEL in a value": (head(GET, b"X: a\x7fb\r\n"), 400),
    "letters beyond ASCII in a name": (head(GET, "Détail: 1\r\n".encode()), 400),
    # The request line.
    "two spaces": (head(b"GET  / HTTP/1.1"), 400),
    "a space at the end": (head(b"GET / HTTP/1.1 "), 400),
    "a space in the target": (head(b"GET /a b HTTP/1.1"), 400),
    "a tab for a space": (head(b"GET\t/\tHTTP/1.1"), 400),
    "a NUL in the target": (head(b"GET /a\0 HTTP/1.1"), 400),
    "letters beyond ASCII in the target": (head("GET /é HTTP/1.1".encode()), 400),
    "a fragment": (head(b"GET /a#b HTTP/1.1"), 400),
    "a relative target": (head(b"GET a HTTP/1.1"), 400),
    "an asterisk to get": (head(b"GET * HTTP/1.1"), 400),
    "an absolute target without a host": (head(b"GET http:///a HTTP/1.1"), 400),
    "an absolute target with a name in it": (head(b"GET http://a@b/ HTTP/1.1"), 400),
    "an absolute target of another scheme": (head(b"GET ftp://a/ HTTP/1.1"), 400),
    "a method in small letters": (head(b"get / HTTP/1.1"), 501),
    "an unknown method": (head(b"BREW / HTTP/1.1"), 501),
    "a method of other protocols": (head(b"SOURCE / HTTP/1.1"), 501),
    "TRACE": (head(b"TRACE / HTTP/1.1"), 501),
    "CONNECT": (head(b"CONNECT a:443 HTTP/1.1"), 501),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/0.9 by name": (head(b"GET / HTTP/0.9"), 505),
    "HTTP/1.2": (head(b"GET / HTTP/1.2"), 400),
    "HTTP/2": (head(b"GET / HTTP/2.0"), 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\n", 505),
    "RTSP": (head(b"GET / RTSP/1.0"), 505),
    # Hosts and expectations.
    "no host": (head(GET, host=b""), 400),
    "two hosts": (head(GET, b"Host: other\r\n"), 400),
    "a host with a path": (head(GET, host=b"Host: a/b\r\n"), 400),
    "a list of hosts": (head(GET, host=b"Host: a b\r\n"), 400),
    "another expectation": (head(PUT, b"Expect: 200-ok\r\nContent-Length: 1\r\n"), 417),
    # Bounds.
    "a target over the bound": (head(b"GET /" + b"a" * 201 + b" HTTP/1.1"), 414),
    "headers over the bound": (head(GET, b"X: y\r\n" * 8), 431),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(name: str) -> None:
    data, status = REFUSED[name]
    found = parse_head(data, SETTINGS)
    assert isinstance(found, Fault), "it was heard"
    assert found.status == status, found.reason


def test_a_head_says_all_that_an_application_needs() -> None:
    found = heard(
        head(b"PUT /b%C3%A9/a%2Fb?x=%20&y HTTP/1.1", b"X-Amz-Meta-A: \t caf\xc3\xa9 \t\r\nContent-Length: 7\r\n")
    )
    assert (found.method, found.raw_path, found.path) == ("PUT", b"/b%C3%A9/a%2Fb", "/bé/a/b")
    assert (found.query, found.version, found.body_bytes) == (b"x=%20&y", "1.1", 7)
    assert found.headers == [
        (b"host", b"s3.example:9000"),
        (b"x-amz-meta-a", "café".encode()),
        (b"content-length", b"7"),
    ]


def test_a_chunked_body_has_no_length() -> None:
    assert heard(head(PUT, b"Transfer-Encoding: Chunked\r\n")).body_bytes is None


def test_an_absolute_target_names_the_host() -> None:
    found = heard(head(b"GET http://other:80/a?b HTTP/1.1"))
    assert (found.raw_path, found.query, found.headers) == (b"/a", b"b", [(b"host", b"other:80")])
    assert heard(head(b"GET HTTP://other HTTP/1.1")).raw_path == b"/"


def test_an_asterisk_is_for_options() -> None:
    assert heard(head(b"OPTIONS * HTTP/1.1")).raw_path == b"*"


def test_an_upgrade_is_an_offer_that_is_not_taken() -> None:
    found = heard(head(GET, b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"))
    assert found.keeps_alive


@pytest.mark.parametrize(
    ("line", "connection", "keeps"),
    [
        (GET, b"", True),
        (GET, b"Connection: close\r\n", False),
        (GET, b"Connection: keep-alive, Close\r\n", False),
        (GET, b"Connection: keep-alive\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_who_wants_to_stay(line: bytes, connection: bytes, keeps: bool) -> None:
    assert heard(head(line, connection)).keeps_alive is keeps


def test_only_who_sends_a_body_waits_to_be_told_to() -> None:
    assert heard(head(PUT, b"Expect: 100-Continue\r\nContent-Length: 1\r\n")).expects_continue
    assert heard(head(PUT, b"Expect: 100-continue\r\n")).expects_continue
    assert not heard(head(b"PUT / HTTP/1.0", b"Expect: 100-continue\r\nContent-Length: 1\r\n")).expects_continue


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 8))
def test_any_bytes_are_judged(junk: bytes, place: int, cut: int) -> None:
    whole = head(PUT, b"Content-Length: 3\r\nX-Amz-Date: 20260101T000000Z\r\n")[:-4]
    data = (whole[:place] + junk + whole[place + cut :]).replace(b"\r\n\r\n", b"\r\n") + b"\r\n\r\n"
    found = parse_head(data, SETTINGS)
    if isinstance(found, Head):
        assert b"\n" not in found.raw_path + found.query
        assert all(b"\r" not in value and b"\n" not in value and b"\0" not in value for _name, value in found.headers)
        assert sum(name == b"content-length" for name, _value in found.headers) <= 1
