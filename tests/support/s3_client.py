"""A lean S3 client: SigV4 in headers, unsigned payloads, one connection for each worker.

It exists so that a benchmark measures the node and not an SDK; the SDKs themselves are tried in tests/processes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

import trio

HEAD_BYTES = 65_536
UNSIGNED = "UNSIGNED-PAYLOAD"
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Account:
    """What `maillon s3 key create --json` prints."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    size_bytes: int


class S3Connection:
    """One request at a time."""

    def __init__(self, account: Account, stream: trio.SocketStream) -> None:
        self._account = account
        self._stream = stream
        self._buffer = memoryview(bytearray(1 << 20))

    async def ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        body: bytes | memoryview = b"",
        headers: dict[str, str] | None = None,
        keeps: bool = True,
    ) -> Answer:
        """One exchange; a body that is not kept is only counted."""
        target = quote(path, safe="/~")
        asked = "&".join(
            f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted((query or {}).items())
        )
        fields = {
            **signed(self._account, method, target, asked, headers or {}),
            "content-length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        line = f"{method} {target}{'?' if asked else ''}{asked} HTTP/1.1\r\n"
        told = f"{line}{head}\r\n".encode()
        if len(body) <= HEAD_BYTES:
            await self._stream.send_all(told + body)
        else:
            await self._stream.send_all(told)
            await self._stream.send_all(body)
        return await self._answer(method, keeps=keeps)

    async def _answer(self, method: str, *, keeps: bool) -> Answer:
        held = b""
        while b"\r\n\r\n" not in held:
            held += await self._receive()
        told, _end, held = held.partition(b"\r\n\r\n")
        line, *fields = told.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        size_bytes = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        if not keeps:
            await self._count(size_bytes - len(held))
            return Answer(int(line.split()[1]), headers, b"", size_bytes)
        while len(held) < size_bytes:
            held += await self._receive()
        return Answer(int(line.split()[1]), headers, held, size_bytes)

    async def _receive(self) -> bytes:
        received = await self._stream.receive_some(HEAD_BYTES)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        return bytes(received)

    async def _count(self, left_bytes: int) -> None:
        while left_bytes:
            count = await self._stream.socket.recv_into(self._buffer[: min(left_bytes, len(self._buffer))])
            if not count:
                raise ConnectionResetError("the server closed the connection")
            left_bytes -= count

    async def aclose(self) -> None:
        await self._stream.aclose()


async def connect(account: Account) -> S3Connection:
    """A connection to the account's endpoint, which speaks plain HTTP."""
    host, _colon, port = account.host.rpartition(":")
    return S3Connection(account, await trio.open_tcp_stream(host, int(port)))


def signed(
    account: Account, method: str, target: str, query: str, headers: Mapping[str, str] = _NO_HEADERS
) -> dict[str, str]:
    """The headers, with those that prove who asks. Headers of S3's own are signed as well."""
    now = datetime.now(UTC)
    stamp, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
    own = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    fields = {"host": account.host, "x-amz-content-sha256": UNSIGNED, "x-amz-date": stamp, **own}
    names = ";".join(sorted(fields))
    lines = "".join(f"{name}:{fields[name]}\n" for name in sorted(fields))
    canonical = f"{method}\n{target}\n{query}\n{lines}\n{names}\n{UNSIGNED}"
    scope = f"{day}/{account.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    proof = hmac.new(_key(account.secret_key, day, account.region), text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={account.access_key}/{scope}, SignedHeaders={names}, Signature={proof}"
    return {**headers, **fields, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


@lru_cache(maxsize=8)
def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def account_of(described: Any) -> Account:
    """The account that `devnet up --json` describes."""
    return Account(**described["s3"])
