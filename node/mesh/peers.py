"""Connections to members: one is enough for a pair of nodes, whoever dialled it.

Requests flow both ways on any connection, so a member behind NAT is reached on the one it dialled. Dials are shared
by everybody who waits for the same node and, when they fail, held back for a while, doubling. Who may come in, and
who must go when the view changes, is decided by the gate alone; a stranger with an invitation is held apart, for
a bounded time, and never counted as a way to a node.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from node.host.addresses import address_of_peer
from node.host.ports import Buffer, Host, Stream
from node.logs import get_logger
from node.mesh.config import MeshConfig
from node.net.bulk import open_bulk
from node.net.connection import Connection, Handler, accept, connect
from node.net.exchange import Answer, Asking, Room
from node.net.exchanges import Load
from node.net.identity import Credentials, Gate
from protocol import limits
from protocol.errors import Forged, MaillonError, Refused, Unavailable
from protocol.ids import NodeId, short_text_of
from protocol.wire.envelopes import Carriage, Role

T = TypeVar("T")

HANDSHAKES_MAX = 128
JOINERS_MAX = 64
GUESTS_MAX = 16

_log = get_logger(__name__)


@dataclass(slots=True)
class _Route:
    """What is known of the way to one node."""

    connections: list[Connection] = field(default_factory=list)
    dialling: trio.Event | None = None
    failure: MaillonError | None = None
    backoff_s: float = 0.0
    not_before_s: float = 0.0
    used_s: float = 0.0
    busy: int = 0
    dialled: Connection | None = None
    bulk_not_before_s: float = 0.0

    def open(self) -> Connection | None:
        return next((connection for connection in reversed(self.connections) if not connection.closed), None)


class Peers:
    """The pool. `run` holds the dialled connections; `serve` is the listener's handler and holds one inbound."""

    def __init__(
        self,
        host: Host,
        credentials: Credentials,
        config: MeshConfig,
        *,
        gate: Gate,
        handler: Handler,
        addresses: Callable[[NodeId], tuple[str, ...]],
        takes_bulk: Callable[[NodeId], bool],
        lost: Callable[[NodeId], None],
        guest_left: Callable[[NodeId], None] = lambda _node: None,
        enter: Callable[[NodeId, Connection], Awaitable[None]] | None = None,
    ) -> None:
        """`enter` is awaited on a connection before anything is asked on it."""
        self._host = host
        self._credentials = credentials
        self._config = config
        self._gate = gate
        self._handler = handler
        self._addresses = addresses
        self._takes_bulk = takes_bulk
        self._lost = lost
        self._guest_left = guest_left
        self._enter = enter
        self._guests: dict[NodeId, int] = {}
        self._routes: OrderedDict[NodeId, _Route] = OrderedDict()  # the longest unused first
        self._entering = 0
        self._joiners = 0
        self._held = 0
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold what we dial until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    # --- asking --------------------------------------------------------------------------------------------------

    async def ask(
        self,
        node: NodeId,
        kind: int,
        message: object,
        reply: type[T],
        *,
        deadline_s: float,
        payload: Sequence[Buffer] = (),
        into: memoryview | Room[T] | None = None,
        over: Carriage = Carriage.SECURE,
    ) -> Answer[T]:
        """Ask on an open connection, or dial first; the deadline covers both."""
        until_s = trio.current_time() + deadline_s
        connection = await self._connection_before(node, until_s)
        left_s = max(0.0, until_s - trio.current_time())
        with self.in_use(node):
            return await connection.ask(
                kind, message, reply, deadline_s=left_s, payload=payload, into=into, over=over
            )

    def open(
        self, node: NodeId, kind: int, message: object, *, deadline_s: float, payload_bytes: int | None = None
    ) -> AbstractAsyncContextManager[Asking]:
        """A streamed exchange; `deadline_s` is for reaching the node only."""
        return self._open(node, kind, message, deadline_s, payload_bytes)

    @asynccontextmanager
    async def _open(
        self, node: NodeId, kind: int, message: object, deadline_s: float, payload_bytes: int | None
    ) -> AsyncIterator[Asking]:
        connection = await self._connection_before(node, trio.current_time() + deadline_s)
        with self.in_use(node):
            async with connection.open(kind, message, payload_bytes=payload_bytes) as asking:
                yield asking

    async def _connection_before(self, node: NodeId, until_s: float) -> Connection:
        route = self._routes.get(node)
        ready = None if route is None else route.open()
        if ready is not None and self._enter is None:  # nearly always: without the scope that waiting needs
            return ready
        with trio.move_on_at(until_s):
            return await self.connection(node)
        raise Unavailable("node-unreachable", node=node, because="deadline")

    async def connection(self, node: NodeId) -> Connection:
        """An open connection to the node.

        Raises:
            Unavailable: `node-unreachable`, with the reason.
            Refused, Forged: what the node or the gate said when we came in.
        """
        connection = await self._reached(node)
        if self._enter is not None:
            await self._enter(node, connection)
        return connection

    async def _reached(self, node: NodeId) -> Connection:
        route = self._used(node)
        ready = route.open()
        if ready is not None:
            return ready
        if route.dialling is None:
            self._start_dial(node, route)
        if route.dialling is not None:
            await route.dialling.wait()
        ready = route.open()
        if ready is None:
            raise route.failure or _unreachable(node, "connection-lost")
        return ready

    # --- coming and going ----------------------------------------------------------------------------------------

    async def serve(self, stream: Stream) -> None:
        """Let somebody in and hold the connection until it ends."""
        if self._entering >= HANDSHAKES_MAX or self._held >= limits.CONNECTIONS_MAX:
            _log.warning("door-busy", entering=self._entering, held=self._held)
            return
        self._entering += 1
        try:
            connection = await accept(
                stream,
                self._credentials,
                roles=frozenset({Role.NODE, Role.JOINER, Role.NAMESPACE}),
                gate=self._gate,
                handler=self._handler,
                entropy=self._host.entropy,
                settings=self._config.net,
            )
        except MaillonError as error:
            _log.info("peer-turned-away", because=str(error))
            return
        finally:
            self._entering -= 1
        if connection.peer.role is Role.JOINER:
            await self._hold_joiner(connection)
        elif connection.peer.role is Role.NAMESPACE:
            await self._hold_guest(connection)
        else:
            await self._hold(connection)

    def connected(self) -> set[NodeId]:
        return {node for node, route in self._routes.items() if route.open() is not None}

    def loads(self) -> list[tuple[NodeId, Load]]:
        """Every connection to a member on which something is open."""
        open_now = ((node, each.exchanges) for node, route in self._routes.items() for each in route.connections)
        return [(node, exchanges.load()) for node, exchanges in open_now if not exchanges.is_idle]

    def forgive(self, node: NodeId) -> None:
        """The node's card changed, or it was heard of: the next ask dials at once."""
        route = self._routes.get(node)
        if route is not None:
            route.backoff_s = route.not_before_s = 0.0

    def enforce(self) -> None:
        """Close what the gate would not let in now."""
        for node, route in list(self._routes.items()):
            try:
                self._gate(Role.NODE, node)
            except Refused as refusal:
                if route.open() is not None:
                    _log.warning("peer-cut-off", node=short_text_of(node), because=str(refusal))
                for connection in route.connections:
                    connection.close()
                if not route.connections and route.dialling is None:
                    del self._routes[node]

    def tend(self) -> None:
        """From time to time: close connections that nobody used for a while, open plain streams that broke."""
        now_s = trio.current_time()
        for route in self._routes.values():
            if route.used_s >= now_s - self._config.idle_close_s:
                break
            if not route.busy:
                for connection in route.connections:
                    connection.close()
        if self._config.listen_bulk:
            for node, route in self._routes.items():
                if route.dialled is not None and now_s >= route.bulk_not_before_s:
                    self._open_bulk_soon(node, route, route.dialled)

    @contextmanager
    def in_use(self, node: NodeId) -> Iterator[None]:
        """Inside, one of us asks something of the other: their connection is not idle."""
        route = self._routes.setdefault(node, _Route())
        route.busy += 1
        try:
            yield
        finally:
            route.busy -= 1
            if self._routes.get(node) is route:
                self._used(node)

    # --- inside --------------------------------------------------------------------------------------------------

    def _used(self, node: NodeId) -> _Route:
        """The way to the node, which is of use now."""
        route = self._routes.setdefault(node, _Route())
        route.used_s = trio.current_time()
        self._routes.move_to_end(node)
        return route

    def _start_dial(self, node: NodeId, route: _Route) -> None:
        if self._nursery is None:
            raise _unreachable(node, "not-running")
        if trio.current_time() < route.not_before_s:
            raise route.failure or _unreachable(node, "backing-off")
        route.dialling = trio.Event()
        self._nursery.start_soon(self._dial, node, route, route.dialling)

    async def _dial(self, node: NodeId, route: _Route, done: trio.Event) -> None:
        connection: Connection | None = None
        try:
            connection = await self._reach(node)
            self._register(node, connection)
            route.failure, route.backoff_s = None, 0.0
        except MaillonError as error:
            route.failure = error
            doubled_s = max(self._config.backoff_first_s, 2 * route.backoff_s)
            route.backoff_s = min(doubled_s, self._config.backoff_most_s)
            route.not_before_s = trio.current_time() + route.backoff_s
        finally:
            route.dialling = None
            done.set()
        if connection is not None:
            route.dialled = connection
            self._open_bulk_soon(node, route, connection)
            await self._run(node, connection)

    def _open_bulk_soon(self, node: NodeId, route: _Route, connection: Connection) -> None:
        """Only the end that dialled opens the plain stream, so that two never cross."""
        wanted = bool(self._config.listen_bulk) and self._takes_bulk(node)
        if not wanted or connection.closed or connection.carriage(Carriage.SEALED) is Carriage.SEALED:
            return
        route.bulk_not_before_s = trio.current_time() + self._config.backoff_most_s
        if self._nursery is not None:
            self._nursery.start_soon(self._open_bulk, node, connection)

    async def _open_bulk(self, node: NodeId, connection: Connection) -> None:
        timeout_s = self._config.dial_timeout_s
        try:
            with trio.move_on_after(timeout_s):
                await open_bulk(connection, self._host.network, self._config.net, deadline_s=timeout_s)
        except MaillonError as error:
            _log.info("bulk-unopened", node=short_text_of(node), because=str(error))

    async def _reach(self, node: NodeId) -> Connection:
        reason: MaillonError
        failure: MaillonError = _unreachable(node, "no-address")
        for address in self._addresses(node):
            try:
                with trio.fail_after(self._config.dial_timeout_s):
                    return await self._greet(node, address)
            except trio.TooSlowError:
                reason = _unreachable(node, "deadline")
            except (Refused, Forged) as error:
                # Another node at an old address is no verdict on this one.
                reason = _unreachable(node, error.identifier) if error.identifier == "peer-unexpected" else error
            except MaillonError as error:
                reason = _unreachable(node, error.identifier)
            failure = reason if isinstance(failure, Unavailable) else failure
        raise failure

    async def _greet(self, node: NodeId, address: str) -> Connection:
        stream = await self._host.network.dial(address_of_peer(address))
        return await connect(
            stream,
            self._credentials,
            expected=node,
            gate=self._gate,
            handler=self._handler,
            entropy=self._host.entropy,
            settings=self._config.net,
        )

    async def _hold(self, connection: Connection) -> None:
        node = connection.peer.node
        assert node is not None  # noqa: S101 - only the admin door lets in who has no key
        self._register(node, connection)
        self.forgive(node)
        await self._run(node, connection)

    def _register(self, node: NodeId, connection: Connection) -> None:
        route = self._used(node)
        route.connections.append(connection)
        if route.dialling is not None:
            route.dialling.set()  # whoever waits for our dial has another way now
        for oldest in route.connections[: -limits.CONNECTIONS_PER_PEER_MAX]:
            oldest.close()

    async def _run(self, node: NodeId, connection: Connection) -> None:
        self._held += 1
        try:
            await connection.run()
        finally:
            self._held -= 1
            route = self._routes.get(node)
            if route is not None and connection in route.connections:
                route.connections.remove(connection)
                route.dialled = None if route.dialled is connection else route.dialled
                if not route.connections and connection.cause is not None:
                    self._lost(node)

    async def _hold_joiner(self, connection: Connection) -> None:
        if self._joiners >= JOINERS_MAX:
            connection.close()
        self._joiners += 1
        try:
            with trio.move_on_after(self._config.join_timeout_s):
                await connection.run()
        finally:
            self._joiners -= 1

    async def _hold_guest(self, connection: Connection) -> None:
        """For as long as it likes; one more than there is room for finds the door shut."""
        node = connection.peer.node
        assert node is not None  # noqa: S101 - only the admin door lets in who has no key
        if sum(self._guests.values()) >= GUESTS_MAX:
            connection.close()
        self._guests[node] = self._guests.get(node, 0) + 1
        try:
            await connection.run()
        finally:
            self._guests[node] -= 1
            if not self._guests[node]:
                del self._guests[node]
                self._guest_left(node)


def _unreachable(node: NodeId, because: str) -> Unavailable:
    return Unavailable("node-unreachable", node=node, because=because)
