"""What stands above the mesh needs of it, whoever this node is: a member, or a guest.

A member's `Mesh` takes part in everything. A `Guest` belongs to nobody yet: it proves a namespace's certificate to
the members, and may ask them for that namespace and no more. The vault and the admin socket work with either.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from node.host.ports import Buffer
from node.mesh.returns import Returns
from node.net.exchange import Answer, Asking, Room
from protocol.ids import NodeId
from protocol.members.records import Record
from protocol.members.swim import Status
from protocol.members.view import View
from protocol.requests import Kind
from protocol.wire.envelopes import Carriage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PeerState:
    """What this node knows of another's presence."""

    node: NodeId
    status: Status
    connected: bool


class Peering(Protocol):
    """Who is there, what the members said, and how to ask one of them."""

    me: NodeId
    view: View
    version: int
    returns: Returns

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where this node says that it can be dialled."""

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

    def open(
        self, node: NodeId, kind: Kind, message: object, *, deadline_s: float, payload_bytes: int | None = None
    ) -> AbstractAsyncContextManager[Asking]:
        """Ask with streamed payloads; `deadline_s` bounds only reaching the member."""

    def live(self) -> set[NodeId]:
        """Members that answer now, and this node."""

    def status(self, node: NodeId) -> Status:
        """What this node observes of another."""

    def peers(self) -> tuple[PeerState, ...]:
        """Every other member and how it is doing, sorted by id."""

    async def publish(self, *records: Record) -> None:
        """Say something to the federation, as far as this node has a say."""

    async def wait_change(self, seen: int) -> int:
        """Wait until the view or somebody's status is no longer as of version `seen`; returns the new version."""

    async def leave(self) -> None:
        """Say for all to know that this node is leaving."""

    async def goodbye(self) -> None:
        """Tell all who answer that this node stops now."""
