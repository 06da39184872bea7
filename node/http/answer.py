"""How a response begins: its status line and headers, and how the client will know where its body ends.

A response is framed by what the application said (`content-length`), by what it sent at once, else by chunks; for a
client of HTTP/1.0 by the end of the connection. Headers of an application are checked for line ends, so that a name
that somebody stored can never become a header of its own.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

from node.http.asgi import Headers
from node.http.head import Fault, Head
from protocol.quick_init import quick_init

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_RESERVED = frozenset({b"connection", b"transfer-encoding", b"keep-alive"})
_BODILESS = (204, 304)


class Framing(enum.Enum):
    """How the end of a body is told."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@quick_init
@dataclass(frozen=True, slots=True)
class Beginning:
    """`data` is sent before the body; `length_bytes` is what the body must come to, where that was told."""

    data: bytes
    framing: Framing
    length_bytes: int
    keeps_alive: bool


def begin(
    head: Head, status: int, headers: Headers, *, whole_bytes: int | None, keeps_alive: bool, date: bytes
) -> Beginning:
    """The beginning of an answer to `head`. `whole_bytes` is the size of a body that is there in full.

    Raises:
        ValueError: when the application's headers are none.
    """
    fields = {name.lower(): value for name, value in headers}
    if not _RESERVED.isdisjoint(fields):
        raise ValueError(f"the headers {sorted(_RESERVED.intersection(fields))!r} are the server's business")
    declared = int(fields[b"content-length"]) if b"content-length" in fields else None
    lines = [_status_line(status), *[b"%b: %b\r\n" % (name, value) for name, value in headers]]
    if b"date" not in fields:
        lines.append(b"date: %b\r\n" % date)
    framing, length = _framing(head, status, declared, whole_bytes)
    if framing is Framing.LENGTH and declared is None:
        lines.append(b"content-length: %d\r\n" % length)
    if framing is Framing.CHUNKED:
        lines.append(b"transfer-encoding: chunked\r\n")
    keeps_alive = keeps_alive and head.keeps_alive and framing is not Framing.CLOSE
    if not keeps_alive:
        lines.append(b"connection: close\r\n")
    elif head.version == "1.0":
        lines.append(b"connection: keep-alive\r\n")
    data = b"".join([*lines, b"\r\n"])
    if not data.count(b"\r") == data.count(b"\n") == len(lines) + 1 or b"\0" in data:
        raise ValueError("a line end within a header")
    return Beginning(data, framing, length, keeps_alive)


def _framing(head: Head, status: int, declared: int | None, whole_bytes: int | None) -> tuple[Framing, int]:
    if status in _BODILESS or head.method == "HEAD":
        return Framing.NONE, 0
    if declared is not None:
        return Framing.LENGTH, declared
    if whole_bytes is not None:
        return Framing.LENGTH, whole_bytes
    return (Framing.CHUNKED if head.version == "1.1" else Framing.CLOSE), 0


@dataclass(frozen=True, slots=True)
class Words:
    """What a refusal says: a body and its content type."""

    content_type: bytes
    body: bytes


Telling = Callable[[Fault], Words]


def in_plain_words(fault: Fault) -> Words:
    """For people who debug a client."""
    return Words(b"text/plain", fault.reason.encode("ascii", "replace") + b"\n")


def refusal(fault: Fault, words: Words, date: bytes) -> bytes:
    """The whole answer to a request that no application sees; the connection ends with it."""
    return b"%bdate: %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (
        _status_line(fault.status),
        date,
        words.content_type,
        len(words.body),
        words.body,
    )


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")
