"""The mesh: who is there, what the members said, and how to ask one of them.

It owns the node's place in the federation: the view and its file, the connections, gossip and probing, the doors to
the network, and the node's own card. What stands above it needs little: `ask`, `live`, `publish`, `wait_change`. Who
may come in follows from the view alone and is enforced again whenever the view changes, so that each member cuts an
expelled node off as soon as it hears of the decision.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import trio

from node.host.ports import Buffer, Host, Listener, Stream
from node.logs import get_logger
from node.mesh.config import MeshConfig
from node.mesh.expelled import expelled_nodes
from node.mesh.gossip import Gossip
from node.mesh.guests import Generation, Guests
from node.mesh.own_card import OwnCard
from node.mesh.peering import PeerState
from node.mesh.peers import Peers
from node.mesh.probing import Prober
from node.mesh.records_file import RecordsFile
from node.mesh.returns import Returns
from node.mesh.welcome import Welcome
from node.net.bulk import BulkDoor
from node.net.connection import Handler, dispatch
from node.net.exchange import Answer, Asking, Exchange, Room
from node.net.exchanges import Load
from node.net.identity import Credentials
from node.net.replacing import Replace, honestly
from protocol.errors import MaillonError, Refused
from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.members.cards import NodeCard, NodeState
from protocol.members.facts import NodeFacts
from protocol.members.records import Record
from protocol.members.swim import Change, Status, Swim
from protocol.members.view import View
from protocol.requests import Kind
from protocol.wire.envelopes import Carriage, Role

T = TypeVar("T")

_log = get_logger(__name__)


class Mesh:
    """One node's place in its federation. `run` serves until it is cancelled."""

    def __init__(
        self,
        host: Host,
        key: SigningKey,
        view: View,
        records: RecordsFile,
        config: MeshConfig,
        *,
        card: NodeCard,
        handlers: Mapping[Kind, Handler],
        generation: Generation = lambda _namespace: 0,
        replace: Replace = honestly,
    ) -> None:
        """`generation`: of the newest secrets of a namespace that are used in what this node keeps. `replace` has the
        last word on every handler, those of the mesh itself among them."""
        self.me = NodeId(key.public)
        self.view = view
        self.version = 0
        self.returns = Returns()
        self._host = host
        self._config = config
        self._turned = trio.Event()
        self._members: dict[NodeId, NodeFacts] = {}
        self._bulk_door: BulkDoor | None = None
        self._expelled: frozenset[NodeId] = frozenset()
        self.swim = Swim(
            view.federation,
            key,
            config.swim,
            incarnation=host.wall.now_s(),
            seed=host.entropy.random_bytes(32),
        )
        self._peers = Peers(
            host,
            Credentials(Role.NODE, view.federation, key),
            config,
            gate=self._gate,
            handler=self._serve,
            addresses=self._addresses_of,
            takes_bulk=self._takes_bulk,
            lost=self._on_lost,
            guest_left=lambda node: self._guests.forget(node),
        )
        self._gossip = Gossip(host, view, records, config, self._peers, live=self.swim.live, changed=self._on_records)
        self._prober = Prober(self.swim, self._peers, config, changed=self._on_statuses)
        self._own_card = OwnCard(key, view, card, publish=self.publish)
        self._handle = dispatch(replace(self._table(handlers, key, card)))
        self._guests = Guests(view, generation, self._handle)
        self._on_records()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the doors and take part, until cancelled. Started once others can come in."""
        config = self._config
        listener = await self._host.network.listen(config.listen)
        addresses = config.advertise or (listener.address,)
        async with trio.open_nursery() as nursery:
            bulk_address = await self._open_bulk_door(nursery) if config.listen_bulk else None
            self._own_card.stand_at(addresses, bulk_address)
            await nursery.start(self._peers.run)
            await _serve_at(nursery, listener, self._peers.serve)
            nursery.start_soon(self._prober.run)
            nursery.start_soon(self._gossip.run)
            nursery.start_soon(self._keep_card)
            task_status.started()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where this node says that it can be dialled; empty before `run`."""
        return self._own_card.addresses

    # --- what stands above uses ----------------------------------------------------------------------------------

    async def ask(
        self,
        node: NodeId,
        kind: Kind,
        message: object,
        reply: type[T],
        *,
        deadline_s: float,
        payload: Sequence[Buffer] = (),
        into: memoryview | Room[T] | None = None,
        over: Carriage = Carriage.SECURE,
    ) -> Answer[T]:
        """Ask a member, dialling it first where needed; all buffers are the caller's again on return.

        Raises:
            Unavailable: `node-unreachable` with the node and the reason; `deadline`; `connection-lost`.
            RemoteError: what the member's handler raised.
        """
        self._check_other(node)
        return await self._peers.ask(
            node, kind, message, reply, deadline_s=deadline_s, payload=payload, into=into, over=over
        )

    def open(
        self, node: NodeId, kind: Kind, message: object, *, deadline_s: float, payload_bytes: int | None = None
    ) -> AbstractAsyncContextManager[Asking]:
        """Ask with streamed payloads; `deadline_s` bounds only reaching the member."""
        self._check_other(node)
        return self._peers.open(node, kind, message, deadline_s=deadline_s, payload_bytes=payload_bytes)

    def live(self) -> set[NodeId]:
        """Members that answer now, this node among them."""
        return {self.me} | (self.swim.live() & self._members.keys())

    def status(self, node: NodeId) -> Status:
        """What this node observes of another."""
        return self.swim.status(node)

    def peers(self) -> tuple[PeerState, ...]:
        """Every other member and how it is doing, sorted by id."""
        connected = self._peers.connected()
        others = sorted(self._members.keys() - {self.me})
        return tuple(PeerState(node, self.swim.status(node), node in connected) for node in others)

    def loads(self) -> list[tuple[NodeId, Load]]:
        """Every connection to another member on which something is open."""
        return self._peers.loads()

    async def publish(self, *records: Record) -> None:
        """Say something to the federation: valid and durable here on return, then pushed to others."""
        await self._gossip.publish(records)

    async def probe(self, node: NodeId) -> bool:
        """Does the node answer now, directly or through others?"""
        self._check_other(node)
        return await self._prober.probe(node)

    async def wait_change(self, seen: int) -> int:
        """Wait until the view or somebody's status is no longer as of version `seen`; returns the new version."""
        while self.version == seen:
            await self._turned.wait()
        return self.version

    async def leave(self) -> None:
        """Say for all to know that this node is leaving: it serves what it holds, and is given nothing new."""
        await self.declare(NodeState.LEAVING)

    async def declare(self, state: NodeState) -> None:
        """Say on this node's card that it is active, leaving, or left; it stays so after a restart."""
        await self._own_card.declare(state)

    async def goodbye(self) -> None:
        """Tell all who answer that this node stops now, so that nobody waits for it; it comes back when it starts."""
        await self._prober.farewell()

    # --- inside --------------------------------------------------------------------------------------------------

    def _table(self, handlers: Mapping[Kind, Handler], key: SigningKey, card: NodeCard) -> dict[int, Handler]:
        welcome = Welcome(self._host, key, card, self.view, self._gossip)
        own: dict[int, Handler] = {
            Kind.PING: self._prober.serve_ping,
            Kind.PING_VIA: self._prober.serve_ping_via,
            Kind.PUSH_RECORDS: self._gossip.serve_push,
            Kind.RECONCILE: self._gossip.serve_reconcile,
            Kind.FETCH_RECORDS: self._gossip.serve_fetch,
            Kind.JOIN: welcome.serve_join,
            Kind.BULK_OPEN: self._serve_bulk_open,
        }
        return {**{int(kind): handler for kind, handler in handlers.items()}, **own}

    async def _open_bulk_door(self, nursery: trio.Nursery) -> str:
        """The plain door, for bytes that are sealed already; where it can be dialled."""
        config = self._config
        listener = await self._host.network.listen_plain(config.listen_bulk)
        address = config.advertise_bulk or listener.address
        door = self._bulk_door = BulkDoor(self._host.entropy, address, config.net)

        async def admit(stream: Stream) -> None:
            try:
                await door.admit(stream)
            except MaillonError as error:
                _log.info("bulk-turned-away", because=str(error))

        await _serve_at(nursery, listener, admit)
        return address

    async def _serve_bulk_open(self, exchange: Exchange) -> None:
        if self._bulk_door is None:
            raise Refused("bulk-none")
        await self._bulk_door.serve_open(exchange)

    async def _serve(self, exchange: Exchange) -> None:
        node = exchange.peer.node
        if exchange.peer.role is Role.JOINER or node is None:
            self._check_joiner(exchange)
            await self._handle(exchange)
            return
        if exchange.peer.role is Role.NAMESPACE:
            await self._guests.serve(exchange)
            return
        with self._peers.in_use(node):
            await self._handle(exchange)

    def _check_joiner(self, exchange: Exchange) -> None:
        """A stranger may only ask to join, and, once it has, learn what a member knows."""
        joined = exchange.peer.node in self._members
        if exchange.kind == Kind.JOIN or (joined and exchange.kind in (Kind.RECONCILE, Kind.FETCH_RECORDS)):
            return
        raise Refused("stranger", kind=exchange.kind)

    def _gate(self, role: Role, node: NodeId) -> None:
        if node in self._expelled:
            raise Refused("node-expelled", node=node)
        if role is Role.NODE and node not in self._members:
            raise Refused("node-unknown", node=node)

    def _addresses_of(self, node: NodeId) -> tuple[str, ...]:
        facts = self._members.get(node)
        return () if facts is None else facts.addresses

    def _takes_bulk(self, node: NodeId) -> bool:
        facts = self._members.get(node)
        return facts is not None and facts.bulk_address is not None

    def _check_other(self, node: NodeId) -> None:
        if node == self.me:
            raise ValueError("a node does not ask itself")

    def _on_records(self) -> None:
        before, self._members = self._members, {facts.node: facts for facts in self.view.nodes()}
        self._expelled = expelled_nodes(self.view)
        for node, facts in self._members.items():
            if node in before and before[node].addresses != facts.addresses:
                self._peers.forgive(node)
        self.swim.set_members(node for node, facts in self._members.items() if facts.state is not NodeState.LEFT)
        self._peers.enforce()
        if self._members.keys() - before.keys():
            self._prober.hurry()
        self._turn()

    def _on_statuses(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.after is not Status.ALIVE:
                continue
            self._peers.forgive(change.node)
            self.returns.note(change.node)
            if change.before in (Status.UNKNOWN, Status.DOWN):
                self._gossip.compare_soon(change.node)
        self._turn()

    def _on_lost(self, node: NodeId) -> None:
        self._prober.hurry(node)

    def _turn(self) -> None:
        self.version += 1
        self._turned.set()
        self._turned = trio.Event()

    async def _keep_card(self) -> None:
        """Say where we are, once we have had a chance to hear what we said before (its counter must be passed)."""
        if self._members.keys() - {self.me}:
            with trio.move_on_after(self._config.settle_s):
                await self._gossip.settled.wait()
        while True:
            seen = self.version
            if await self._own_card.refresh():
                # Two machines with one key would outbid each other for ever: not faster than this.
                await trio.sleep(self._config.card_interval_s)
            await self.wait_change(seen)


async def _serve_at(nursery: trio.Nursery, listener: Listener, handler: Callable[[Stream], Awaitable[None]]) -> None:
    async def serve(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await listener.serve(handler, task_status=task_status)

    await nursery.start(serve)
