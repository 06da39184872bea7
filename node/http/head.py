"""The head of a request: judged once, whole, before any application sees it.

Two programs that read one request differently are how requests are smuggled past the first to the second. So
whatever can be read in two ways is refused here: both framings at once, a length given twice, a bare line feed, a
folded line, white space before a colon, control characters. httptools (llhttp) does the parsing and refuses most of
it; what it lets through, or has let through in other releases, is looked for beside it. Bodies never go through it:
`node.http.body` reads them straight into their buffers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

import httptools

from node.http.asgi import Headers
from node.http.settings import HttpSettings
from protocol.quick_init import quick_init

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"})
VERSIONS = frozenset({"1.0", "1.1"})
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\r\n") + b"\x7f"
_DIGITS_MAX = 19
_NO_BODY = 0
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:\[\]%-]*")
_SCHEMES = (b"http://", b"https://")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is not heard: the status of the answer, and a few words for who debugs the client."""

    status: int
    reason: str


@quick_init
@dataclass(frozen=True, slots=True)
class Head:
    """A request's head. `raw_path` is as it was sent; `body_bytes` is None where the body is chunked."""

    method: str
    raw_path: bytes
    query: bytes
    version: str
    headers: Headers
    body_bytes: int | None
    keeps_alive: bool
    expects_continue: bool

    @property
    def path(self) -> str:
        """The path in plain letters; what is no UTF-8 is replaced."""
        return unquote(self.raw_path.decode("ascii"))


class _Heard:
    """What httptools calls while it parses; it also stops what does not fit our bounds."""

    __slots__ = ("fields", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: Headers = []

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))


@dataclass(slots=True)
class _Framing:
    """The fields that say where the request ends and what becomes of the connection."""

    hosts: list[bytes]
    lengths: list[bytes]
    codings: list[bytes]
    expectations: list[bytes]
    connection: list[bytes]


def parse_head(data: bytes, settings: HttpSettings) -> Head | Fault:
    """Judge a whole head, from the request line to its empty line."""
    fault = _unclear(data) or _too_many(data, settings)
    if fault is not None:
        return fault
    heard = _Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # an upgrade is an offer, and we stay with HTTP/1.1; CONNECT is no method of ours
    except httptools.HttpParserInvalidMethodError:
        return Fault(501, "unknown method")
    except httptools.HttpParserError as error:
        return Fault(400, str(error)[:80])
    method, version = parser.get_method().decode("ascii"), parser.get_http_version()
    if version not in VERSIONS or not data.startswith(_LINE_ENDS[version], data.index(b"\r\n") - 9):
        return Fault(505, "only HTTP/1.1 and HTTP/1.0")
    if method not in METHODS:
        return Fault(501, "unknown method")
    if len(heard.target) > settings.target_bytes_max:
        return Fault(414, "the target is too long")
    return _judged(method, version, heard, settings)


_LINE_ENDS = {version: f" HTTP/{version}\r\n".encode() for version in VERSIONS}


def _unclear(data: bytes) -> Fault | None:
    """What another program might read otherwise than we do."""
    if len(data.translate(None, _CONTROLS)) != len(data):
        return Fault(400, "control characters")
    lines = data.count(b"\r\n")
    if data.count(b"\n") != lines or data.count(b"\r") != lines:
        return Fault(400, "a line does not end with CR LF")
    if b"\n " in data or b"\n\t" in data:
        return Fault(400, "a folded line")
    if b" :" in data and _SPACED_NAME.search(data):
        return Fault(400, "white space before a colon")
    return None


_SPACED_NAME = re.compile(rb"\r\n[^\r:]*[ \t]:")


def _too_many(data: bytes, settings: HttpSettings) -> Fault | None:
    line_end = data.index(b"\r\n")
    if line_end > settings.target_bytes_max + 32:
        return Fault(414, "the target is too long")
    if data.count(b" ", 0, line_end) != 2:
        return Fault(400, "the request line has not three words")
    if data.count(b"\r\n") - 2 > settings.headers_max:
        return Fault(431, "too many headers")
    return None


def _judged(method: str, version: str, heard: _Heard, settings: HttpSettings) -> Head | Fault:
    framing = _Framing([], [], [], [], [])
    kept = _KEPT
    for name, value in heard.fields:
        if name in kept:
            kept[name](framing).append(value)
    target = _origin_form(method, heard, framing.hosts)
    if isinstance(target, Fault):
        return target
    if (len(framing.hosts) != 1 and (framing.hosts or version == "1.1")) or not _HOST.fullmatch(
        b"".join(framing.hosts)
    ):
        return Fault(400, "one Host header, please")
    body = _body_bytes(version, framing, settings)
    if isinstance(body, Fault):
        return body
    if framing.expectations and [value.lower() for value in framing.expectations] != [b"100-continue"]:
        return Fault(417, "unknown expectation")
    path, _mark, query = target.partition(b"?")
    return Head(
        method=method,
        raw_path=path,
        query=query,
        version=version,
        headers=heard.fields,
        body_bytes=body,
        keeps_alive=_keeps_alive(version, framing.connection),
        expects_continue=bool(framing.expectations) and version == "1.1",
    )


_KEPT: dict[bytes, Callable[[_Framing], list[bytes]]] = {
    b"host": lambda framing: framing.hosts,
    b"content-length": lambda framing: framing.lengths,
    b"transfer-encoding": lambda framing: framing.codings,
    b"expect": lambda framing: framing.expectations,
    b"connection": lambda framing: framing.connection,
}


def _origin_form(method: str, heard: _Heard, hosts: list[bytes]) -> bytes | Fault:
    """The target as path and query. An absolute one names the host itself, and the header counts no more."""
    target = heard.target
    if b"#" in target:
        return Fault(400, "a fragment in the target")
    if target.startswith(b"/") or (target == b"*" and method == "OPTIONS"):
        return target
    for scheme in _SCHEMES:
        if target[: len(scheme)].lower() == scheme:
            host, slash, rest = target[len(scheme) :].partition(b"/")
            if not host or b"?" in host or len(hosts) > 1:
                break
            hosts[:] = [host]
            heard.fields[:] = [(b"host", host), *(field for field in heard.fields if field[0] != b"host")]
            return (slash or b"/") + rest
    return Fault(400, "the target is no path")


def _body_bytes(version: str, framing: _Framing, settings: HttpSettings) -> int | Fault | None:
    """How long the body is; None when it is chunked."""
    if framing.codings:
        if framing.lengths or version == "1.0":
            return Fault(400, "two ways to tell where the body ends")
        if [value.lower() for value in framing.codings] != [b"chunked"]:
            return Fault(501, "unknown transfer coding")
        return None
    if not framing.lengths:
        return _NO_BODY
    text = framing.lengths[0]
    if len(framing.lengths) > 1 or not text.isdigit() or len(text) > _DIGITS_MAX:
        return Fault(400, "no clear Content-Length")
    length = int(text)
    return length if length <= settings.body_bytes_max else Fault(413, "the body is too long")


def _keeps_alive(version: str, connection: list[bytes]) -> bool:
    if not connection:
        return version == "1.1"
    options = {option.strip().lower() for option in b",".join(connection).split(b",")}
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)
