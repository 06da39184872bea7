"""The peering of a guest: a machine that has a namespace's certificate and belongs to no organisation.

It dials every member that the records name, shows each of them its certificates, and may then ask, for those
namespaces alone, what recovery needs. It serves nothing, says nothing to the federation, and is in nobody's list of
members, so it neither probes nor gossips: a member is live for it while a connection stands on which the member took
the certificates. From time to time it compares records with one of them, and so learns of members that moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakKeyDictionary

import trio

from node.host.ports import Buffer, Host
from node.logs import get_logger
from node.mesh.comparing import learn
from node.mesh.config import MeshConfig
from node.mesh.peering import PeerState
from node.mesh.peers import Peers
from node.mesh.records_file import RecordsFile
from node.mesh.returns import Returns
from node.net.connection import Connection, dispatch
from node.net.exchange import Answer, Asking, Room
from node.net.identity import Credentials
from protocol.errors import MaillonError, Refused
from protocol.ids import NodeId, short_text_of
from protocol.keys.signing import SigningKey
from protocol.members.cards import NodeState
from protocol.members.records import Record
from protocol.members.swim import Status
from protocol.members.view import View
from protocol.namespace.root import WriterCertificate
from protocol.requests import Done, Kind, NamespaceShow
from protocol.wire.envelopes import Carriage, Role

T = TypeVar("T")

REDIAL_S = 2.0

_log = get_logger(__name__)


@dataclass(slots=True)
class _Entrance:
    """One connection; it serves us once the certificates were taken."""

    turn: trio.Lock = field(default_factory=trio.Lock)
    is_open: bool = False


class Guest:
    """One guest's connections. `run` keeps them until it is cancelled."""

    def __init__(
        self,
        host: Host,
        key: SigningKey,
        certificates: Sequence[WriterCertificate],
        view: View,
        records: RecordsFile,
        config: MeshConfig,
    ) -> None:
        self.me = NodeId(key.public)
        self.view = view
        self.version = 0
        self.returns = Returns()
        self._host = host
        self._certificates = tuple(certificates)
        self._records = records
        self._config = config
        self._turned = trio.Event()
        self._entrances: WeakKeyDictionary[Connection, _Entrance] = WeakKeyDictionary()
        self._inside: set[NodeId] = set()
        self._down: dict[NodeId, MaillonError] = {}
        self._peers = Peers(
            host,
            Credentials(Role.NAMESPACE, view.federation, key),
            config,
            gate=self._gate,
            handler=dispatch({}),
            addresses=self._addresses_of,
            takes_bulk=lambda _node: False,
            lost=self._on_lost,
            enter=self._enter,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a connection to every member, and the records up to date, until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._peers.run)
            nursery.start_soon(self._keep_inside, nursery)
            nursery.start_soon(self._keep_compared)
            task_status.started()

    # --- what stands above uses ----------------------------------------------------------------------------------

    @property
    def addresses(self) -> tuple[str, ...]:
        """Nobody dials a guest."""
        return ()

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
        """As `Peering.ask`. Raises too what the member has against a certificate, `journal-generation` above all."""
        return await self._peers.ask(
            node, kind, message, reply, deadline_s=deadline_s, payload=payload, into=into, over=over
        )

    def open(
        self, node: NodeId, kind: Kind, message: object, *, deadline_s: float, payload_bytes: int | None = None
    ) -> AbstractAsyncContextManager[Asking]:
        """As `Peering.open`."""
        return self._peers.open(node, kind, message, deadline_s=deadline_s, payload_bytes=payload_bytes)

    def live(self) -> set[NodeId]:
        """Members that took the certificates on a connection that stands, and this node."""
        return {self.me} | (self._inside & self._peers.connected())

    def status(self, node: NodeId) -> Status:
        """A guest knows only who answers it."""
        if node in self.live():
            return Status.ALIVE
        return Status.DOWN if node in self._down else Status.UNKNOWN

    def peers(self) -> tuple[PeerState, ...]:
        """Every member and whether it answers, sorted by id."""
        inside = self.live()
        return tuple(PeerState(node, self.status(node), node in inside) for node in sorted(self._members()))

    async def publish(self, *records: Record) -> None:
        """Nothing: what a guest says is no record that members would keep. It says it again as a member."""

    async def wait_change(self, seen: int) -> int:
        """As `Peering.wait_change`."""
        while self.version == seen:
            await self._turned.wait()
        return self.version

    async def leave(self) -> None:
        """Raises Refused(`not-in-a-federation`)."""
        raise Refused("not-in-a-federation")

    async def goodbye(self) -> None:
        """Nobody waits for a guest."""

    def refusals(self) -> dict[NodeId, MaillonError]:
        """Why members that do not answer did not, the last time."""
        return dict(self._down)

    # --- inside --------------------------------------------------------------------------------------------------

    async def _enter(self, node: NodeId, connection: Connection) -> None:
        """See to it that the member has taken the certificates on this connection."""
        entrance = self._entrances.setdefault(connection, _Entrance())
        async with entrance.turn:
            if not entrance.is_open:
                await show(connection, self._certificates, self._config.ask_timeout_s)
                entrance.is_open = True
                self._inside.add(node)
                self._down.pop(node, None)
                self.returns.note(node)
                self._turn()

    async def _keep_inside(self, nursery: trio.Nursery) -> None:
        while True:
            connected = self._peers.connected()
            for node in sorted(self._members() - (self._inside & connected)):
                nursery.start_soon(self._try, node)
            await trio.sleep(REDIAL_S)

    async def _try(self, node: NodeId) -> None:
        try:
            await self._peers.connection(node)
        except MaillonError as error:
            if node not in self._down:
                _log.info("guest-not-let-in", node=short_text_of(node), because=str(error))
                self._down[node] = error
                self._turn()
            self._down[node] = error

    async def _keep_compared(self) -> None:
        """Ask one member after the other for records that are not known here."""
        turn = 0
        while True:
            inside = sorted(self.live() - {self.me})
            if inside:
                turn += 1
                with trio.move_on_after(self._config.reconcile_timeout_s):
                    await self._compare(inside[turn % len(inside)])
            await trio.sleep(self._config.reconcile_interval_s)

    async def _compare(self, node: NodeId) -> None:
        async def ask(kind: Kind, message: object, reply: type[T], /) -> T:
            answer = await self.ask(node, kind, message, reply, deadline_s=self._config.ask_timeout_s)
            return answer.message

        try:
            await learn(self._host, self.view, ask, self._absorb)
        except MaillonError as error:
            _log.info("guest-compare-failed", node=short_text_of(node), because=str(error))

    async def _absorb(self, came: Sequence[Record]) -> Sequence[Record]:
        outcomes = self.view.admit_all(came)
        kept = [one for one, what in zip(came, outcomes, strict=True) if not isinstance(what, MaillonError)]
        await self._records.append(kept)
        self._turn()
        return [one for one, what in zip(came, outcomes, strict=True) if isinstance(what, Refused)]

    def _members(self) -> set[NodeId]:
        return {facts.node for facts in self.view.nodes() if facts.state is not NodeState.LEFT}

    def _gate(self, _role: Role, node: NodeId) -> None:
        if self.view.node(node) is None:
            raise Refused("node-unknown", node=node)

    def _addresses_of(self, node: NodeId) -> tuple[str, ...]:
        facts = self.view.node(node)
        return () if facts is None else facts.addresses

    def _on_lost(self, node: NodeId) -> None:
        self._inside.discard(node)
        self._turn()

    def _turn(self) -> None:
        self.version += 1
        self._turned.set()
        self._turned = trio.Event()


async def show(connection: Connection, certificates: Sequence[WriterCertificate], deadline_s: float) -> None:
    """Prove to the member at the other end that the roots of these namespaces let this node in.

    Raises:
        RemoteError: `journal-generation` when the secrets were replaced since, `namespace-unknown`.
    """
    for certificate in certificates:
        await connection.ask(Kind.NAMESPACE_SHOW, NamespaceShow(certificate), Done, deadline_s=deadline_s)
