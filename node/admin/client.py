"""The client of a node's admin socket, for the command line, the tests and the benchmark.

One connection carries any number of calls at once. Objects stream: bytes are taken from a `Source` and given to a
`Sink` through one reused buffer for each transfer, so memory does not grow with the object.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import trio

from node.admin.calls import AdminCall, Command
from node.admin.lines import ObjectLine
from node.admin.object_calls import (
    GET,
    LIST,
    PUT,
    TRANSFER,
    GetObject,
    ListObjects,
    ObjectRef,
    PutObject,
    SharedFile,
    Transfer,
)
from node.first_error import first_error
from node.host.ports import Entropy, Network, SharedHandle
from node.net.connection import Connection, connect
from node.net.exchange import Exchange
from node.net.identity import Credentials
from node.net.settings import NetSettings
from protocol.errors import Refused, Unavailable
from protocol.ids import NodeId
from protocol.kinds import Kind
from protocol.wire import schema
from protocol.wire.envelopes import Role

Q = TypeVar("Q")
A = TypeVar("A")

SOCKET_NAME = "admin.sock"
BUFFER_BYTES = 1024 * 1024
CALL_DEADLINE_S = 120.0
TOGETHER_BYTES_MAX = 64 * 1024
SHARED_FROM_BYTES = 4 * 1024 * 1024
FOLLOW_EVERY_S = 0.25


class Source(Protocol):
    """Where an object's bytes come from."""

    async def read_into(self, buffer: memoryview) -> int:
        """Fill some of `buffer`; 0 at the end."""


class Sink(Protocol):
    """Where an object's bytes go."""

    async def begin(self, found: ObjectLine) -> None:
        """The object exists and this is what it is; its bytes follow."""

    async def write(self, data: memoryview) -> None:
        """The next bytes; `data` is only valid until this returns."""


@runtime_checkable
class Shareable(Protocol):
    """A source or sink whose bytes are those of an ordinary file, from `offset` on."""

    offset: int

    def shared(self) -> SharedHandle | None:
        """How the node can open the file itself; None when it is none."""


class AdminClient:
    """A connection to one running node."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(self, command: Command[Q, A], question: Q, *, deadline_s: float = CALL_DEADLINE_S) -> A:
        """Ask one question. Raises what the node raised, or Unavailable."""
        answer = await self._connection.ask(
            Kind.ADMIN, _packed(command, question), command.answer, deadline_s=deadline_s
        )
        return answer.message

    async def put(
        self, target: ObjectRef, source: Source, *, size_bytes: int | None, moved: Callable[[int], None]
    ) -> ObjectLine:
        """Store everything that `source` gives; durable on return. `moved` hears of each count of bytes sent."""
        shared = _shared(source, size_bytes)
        if shared is not None:
            try:
                return await self._through_file(PUT, PutObject(target, size_bytes, shared), shared, moved)
            except Unavailable as error:
                if error.identifier != "shared-file":
                    raise
        question = _packed(PUT, PutObject(target, size_bytes, None))
        if size_bytes is not None and size_bytes <= TOGETHER_BYTES_MAX:
            return await self._put_together(question, source, size_bytes, moved)
        buffer = memoryview(bytearray(_buffer_bytes(size_bytes)))
        async with self._connection.open(Kind.ADMIN, question) as asking:
            while count := await source.read_into(buffer):
                await asking.send([buffer[:count]])
                moved(count)
            await asking.finish()
            return await asking.reply(ObjectLine)

    async def get(
        self,
        target: ObjectRef,
        sink: Sink,
        *,
        moved: Callable[[int], None],
        size_bytes: int | None = None,
    ) -> ObjectLine:
        """Give the whole object to `sink`. Raises Unavailable(`connection-lost`) rather than end short.

        `size_bytes`, where the caller knows it, lets large objects go straight to the sink's file.
        """
        shared = _shared(sink, size_bytes)
        if shared is not None:
            try:
                return await self._through_file(GET, GetObject(target, shared), shared, moved)
            except Unavailable as error:
                if error.identifier != "shared-file":
                    raise
        question = _packed(GET, GetObject(target, None))
        async with self._connection.open(Kind.ADMIN, question, payload_bytes=0) as asking:
            found = await asking.reply(ObjectLine)
            await sink.begin(found)
            buffer = memoryview(bytearray(_buffer_bytes(found.size_bytes)))
            left = found.size_bytes
            while left:
                count = await asking.receive_into(buffer[: min(left, len(buffer))])
                if count == 0:
                    raise Unavailable("object-cut-short", bucket=found.bucket, key=found.key)
                await sink.write(buffer[:count])
                moved(count)
                left -= count
            return found

    async def _put_together(
        self, question: AdminCall, source: Source, size_bytes: int, moved: Callable[[int], None]
    ) -> ObjectLine:
        """A small object leaves together with the question: one write instead of three."""
        buffer = memoryview(bytearray(size_bytes + 1))
        filled = 0
        while filled < len(buffer) and (count := await source.read_into(buffer[filled:])):
            filled += count
            moved(count)
        answer = await self._connection.ask(
            Kind.ADMIN, question, ObjectLine, deadline_s=CALL_DEADLINE_S, payload=[buffer[:filled]]
        )
        return answer.message

    async def _through_file(
        self,
        command: Command[Q, ObjectLine],
        question: Q,
        shared: SharedFile,
        moved: Callable[[int], None],
    ) -> ObjectLine:
        """Let the node move the bytes, and ask it beside that how far it is."""
        known = 0

        async def follow() -> None:
            nonlocal known
            while True:
                await trio.sleep(FOLLOW_EVERY_S)
                now = (await self.call(TRANSFER, Transfer(shared.transfer))).size_bytes
                moved(max(0, now - known))
                known = max(known, now)

        with first_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow)
                async with self._connection.open(Kind.ADMIN, _packed(command, question)) as asking:
                    await asking.finish()
                    line = await asking.reply(ObjectLine)
                nursery.cancel_scope.cancel()
        moved(line.size_bytes - known)
        return line

    async def list_all(self, namespace: str, bucket: str, prefix: str) -> AsyncIterator[ObjectLine]:
        """Every bucket (an empty bucket name), or every object of a bucket under a prefix, page by page."""
        start_after = ""
        while True:
            page = await self.call(LIST, ListObjects(namespace, bucket, prefix, start_after))
            for line in page.lines:
                yield line
            if not page.truncated or not page.lines:
                return
            start_after = page.lines[-1].key if bucket else page.lines[-1].bucket


@asynccontextmanager
async def open_client(
    node_dir: Path, network: Network, entropy: Entropy, *, settings: NetSettings | None = None
) -> AsyncIterator[AdminClient]:
    """A client of the node whose folder is `node_dir`.

    Raises:
        Unavailable: `node-not-running` when nobody listens there.
    """
    try:
        stream = await network.dial_plain(f"unix:{node_dir / SOCKET_NAME}")
    except (Unavailable, OSError) as error:
        raise Unavailable("node-not-running", path=str(node_dir)) from error
    credentials = Credentials(Role.ADMIN, None, None)
    connection = await connect(
        stream,
        credentials,
        expected=None,
        gate=_anyone,
        handler=_nothing_to_ask,
        entropy=entropy,
        settings=settings or NetSettings(),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        try:
            yield AdminClient(connection)
        finally:
            connection.close()


def _shared(end: Source | Sink, size_bytes: int | None) -> SharedFile | None:
    """The file behind a source or sink, when it has one and the object is large enough to be worth it."""
    if size_bytes is None or size_bytes < SHARED_FROM_BYTES or not isinstance(end, Shareable):
        return None
    handle = end.shared()
    if handle is None:
        return None
    return SharedFile(
        process_id=handle.process_id,
        descriptor=handle.descriptor,
        device=handle.device,
        inode=handle.inode,
        offset=end.offset,
        transfer=secrets.token_bytes(16),
    )


def _packed(command: Command[Q, A], question: Q) -> AdminCall:
    return AdminCall(command.name, schema.encode(question))


def _buffer_bytes(size_bytes: int | None) -> int:
    return BUFFER_BYTES if size_bytes is None else max(1, min(BUFFER_BYTES, size_bytes))


def _anyone(_role: Role, _node: NodeId) -> None:
    """The socket's file mode is the gate."""


async def _nothing_to_ask(exchange: Exchange) -> None:
    raise Refused("kind-unknown", kind=exchange.kind)
