"""Members that lie, and strangers at the door, against real processes: real sockets, real keys, no manners.

A liar takes over a node whose process was killed: the same folder, key and address, the same mesh, but its handlers
are the test's. A visitor comes with any key and asks one thing. A rogue proves itself and then sends what it likes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from node.admin.services import Services
from node.app import start_node
from node.config_file import FILE_NAME, load
from node.folder import NodeFolder
from node.host.ports import Host, Stream
from node.host.real import real_host
from node.mesh.records_file import RECORDS_PATH, open_records
from node.net.connection import Connection, Handler, connect, dispatch
from node.net.failures import RemoteError, error_of
from node.net.identity import Credentials, prove_as_dialler
from node.net.reading import FrameReader
from node.net.replacing import Table
from node.net.settings import NetSettings
from protocol.errors import Malformed, Unavailable
from protocol.ids import FederationId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.view import View
from protocol.requests import Kind
from protocol.wire import schema
from protocol.wire.envelopes import Failure, Role
from protocol.wire.frames import FrameType, pack_header

SETTINGS = NetSettings()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, or says to be."""

    federation: FederationId
    key: SigningKey

    @property
    def node(self) -> NodeId:
        return NodeId(self.key.public)


def identity_of(folder: Path) -> Identity:
    """The identity in a node's folder: what a thief of its disk has."""
    found = NodeFolder(real_host(folder).disk, str(folder))
    return Identity(found.membership().federation, found.node_key())


async def view_of(folder: Path) -> View:
    """What the node in this folder knows of the members, read from a copy: the node may be running."""
    with tempfile.TemporaryDirectory() as copied:
        shutil.copy(folder / RECORDS_PATH, copied)
        _, view = await open_records(real_host(Path(copied)), identity_of(folder).federation)
    return view


def host_here() -> Host:
    """A world without a disk, for those who only talk."""
    return real_host(Path("/nonexistent"))


def anybody(_role: Role, _node: NodeId) -> None:
    """Whoever answers."""


@asynccontextmanager
async def visiting(address: str, who: Identity, role: Role = Role.NODE) -> AsyncIterator[Connection]:
    """A connection to whoever listens at the address, without a mesh around it."""
    host = host_here()
    connection = await connect(
        await host.network.dial(address),
        Credentials(role, who.federation, who.key),
        expected=None,
        gate=anybody,
        handler=dispatch({}),
        entropy=host.entropy,
        settings=SETTINGS,
    )
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        try:
            yield connection
        except Exception as error:
            failure = error  # as itself, not in the nursery's group
        connection.close()
    if failure is not None:
        raise failure


class Rogue:
    """One end of a stream, without the rules."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.reader = FrameReader(stream)

    async def send(self, *parts: bytes) -> None:
        await self.stream.send_all(list(parts))

    async def send_frame(self, frame_type: FrameType, exchange: int, payload: bytes) -> None:
        await self.send(pack_header(frame_type, exchange, len(payload)), payload)

    async def hear_end(self) -> RemoteError | None:
        """Read on until the other end closes; the reason that it gave, if any."""
        reason: RemoteError | None = None
        while True:
            try:
                header = await self.reader.header()
                if header is None:
                    return reason
                payload = await self.reader.payload(header.payload_bytes)
            except (Unavailable, Malformed):
                return reason
            if header.type is FrameType.FAILURE and header.exchange == 0:
                reason = error_of(schema.decode(Failure, payload), None)


@asynccontextmanager
async def rogue(address: str, proving: Identity | None = None) -> AsyncIterator[Rogue]:
    """A stream to a node's door under TLS; proven as `proving`, or as nobody at all."""
    host = host_here()
    stream = await host.network.dial(address)
    try:
        made = Rogue(stream)
        if proving is not None:
            credentials = Credentials(Role.NODE, proving.federation, proving.key)
            await prove_as_dialler(
                stream, made.reader, credentials, expected=None, gate=anybody, entropy=host.entropy
            )
        yield made
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await stream.aclose()


Replace = Callable[[Kind, Handler], Handler]


@asynccontextmanager
async def liar(folder: Path, replace: Replace) -> AsyncIterator[Services]:
    """The node of this folder, with its disks, where `replace` says what becomes of each handler."""
    host, config = real_host(folder), load(folder / FILE_NAME)

    def replace_all(table: Table) -> Table:
        return {kind: replace(Kind(kind), handler) for kind, handler in table.items()}

    async with host.lock(), trio.open_nursery() as nursery:
        yield await start_node(nursery, host, NodeFolder(host.disk, str(folder)), config, replace=replace_all)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def listening(address: str, handler: Callable[[Stream], Awaitable[None]]) -> AsyncIterator[None]:
    """Something at an address, behind TLS with a certificate of its own."""
    listener = await host_here().network.listen(address)

    async def serve(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await listener.serve(handler, task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        yield
        nursery.cancel_scope.cancel()


def relay_to(address: str) -> Callable[[Stream], Awaitable[None]]:
    """A man in the middle: it opens one TLS connection and continues on another."""

    async def relay(near: Stream) -> None:
        far = await host_here().network.dial(address)

        async def pump(source: Stream, target: Stream) -> None:
            buffer = memoryview(bytearray(64 * 1024))
            try:
                while count := await source.receive_into(buffer):
                    await target.send_all([bytes(buffer[:count])])
            except Unavailable:
                pass
            nursery.cancel_scope.cancel()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pump, near, far)
                nursery.start_soon(pump, far, near)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await far.aclose()

    return relay
