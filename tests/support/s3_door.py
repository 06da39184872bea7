"""S3's surface in a test: the door over a vault in memory, asked with plain requests, or by boto3 itself.

boto3 signs, frames and parses as it does everywhere; only its connection is replaced by a call of the application. It
signs with the real time, so the door's wall clock shows that too.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import trio
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from node.host.ports import Host
from node.http.asgi import Message
from node.s3.asking.settings import S3Settings
from node.s3.door import Door
from sim.host.world import World
from tests.support.s3_memory import MemoryVault

ENDPOINT = "http://s3.example.org"
PIECE_BYTES = 50_000


class RealWall:
    """The machine's time."""

    def now_s(self) -> int:
        return int(time.time())


@dataclass(frozen=True, slots=True)
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(slots=True)
class DoorTest:
    """A door, its vault, and who may knock: `n` has two namespaces with a key each."""

    vault: MemoryVault = field(default_factory=MemoryVault)
    settings: S3Settings = field(
        default_factory=lambda: S3Settings(domains=("s3.example.org",), website_domains=("web.example.org",))
    )
    door: Door = field(init=False)

    def __post_init__(self) -> None:
        host: Host = dataclasses.replace(World(1).host("n1"), wall=RealWall())
        self.door = Door(self.vault, host, self.settings)
        self.vault.add_key("ours", "OURKEY")
        self.vault.add_key("theirs", "THEIRKEY")

    def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        host: str = "s3.example.org",
        client: str | None = None,
        hang_up_after: int | None = None,
        midway: Callable[[], object] = lambda: None,
    ) -> Response:
        """One request, exactly as given. `midway` is called when some of the body has come."""
        lines = {"host": host, **(headers or {})}
        if body or method in ("PUT", "POST"):
            lines.setdefault("content-length", str(len(body)))
        return trio.run(ask, self.door, method, target, lines, body, hang_up_after, midway, client)

    def boto(self, key_id: str = "OURKEY", *, addressing_style: str = "path") -> Any:
        """A boto3 client whose requests come to this door."""
        secret = self.vault.known[key_id][1].secret if key_id in self.vault.known else "wrong"
        client = _client(key_id, secret, addressing_style)
        client.meta.events.unregister("before-send.s3", unique_id="door")
        client.meta.events.register("before-send.s3", self._answer, unique_id="door")
        return client

    def _answer(self, request: Any, **_rest: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        body = request.body
        data = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else _read(body)
        headers = {name.lower(): _latin(value) for name, value in request.headers.items()}
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        found = self.ask(request.method, target, headers=headers, body=data, host=parts.netloc)
        return AWSResponse(request.url, found.status, dict(found.headers), _Raw(found.body))


async def ask(
    door: Door,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    hang_up_after: int | None = None,
    midway: Callable[[], object] = lambda: None,
    client: str | None = None,
) -> Response:
    """One request to a door, by a plain ASGI server."""
    path, _mark, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "scheme": "http",
        "client": None if client is None else (client, 1),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
    }
    messages = _messages(body, hang_up_after, midway)
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    await door(scope, receive, send)
    ends = [not message.get("more_body", False) for message in sent[1:]]
    assert ends == [False] * (len(ends) - 1) + [True], "an answer ends once, with its last message"
    told = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Response(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))


@functools.cache
def _client(key_id: str, secret: str, addressing_style: str) -> Any:
    """To make one costs more than most tests; the door that answers it is exchanged."""
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(
            s3={"addressing_style": addressing_style}, retries={"total_max_attempts": 1}, signature_version="s3v4"
        ),
    )


def _messages(body: bytes, hang_up_after: int | None, midway: Callable[[], object]) -> Iterator[Message]:
    end = len(body) if hang_up_after is None else hang_up_after
    for first in range(0, end, PIECE_BYTES):
        more = first + PIECE_BYTES < end or hang_up_after is not None
        yield {"type": "http.request", "body": body[first : min(end, first + PIECE_BYTES)], "more_body": more}
        if first == 0:
            midway()
    if not end and hang_up_after is None:
        yield {"type": "http.request", "body": b"", "more_body": False}
    while True:
        yield {"type": "http.disconnect"}


def _latin(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _read(body: Any) -> bytes:
    data: bytes = b"" if body is None else body.read()
    return data


class _Raw(io.BytesIO):
    """What botocore reads an answer's body from."""

    def stream(self, **_rest: Any) -> Iterator[bytes]:
        while data := self.read(65_536):
            yield data
