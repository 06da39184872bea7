"""What the owner asks about the node as a whole: how it is doing, in one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from node.admin.calls import NAMESPACE_LINES, Command, Name, Nothing
from node.admin.lines import Address, NamespaceLine, StorageLine
from protocol import limits
from protocol.ids import FederationId, NodeId
from protocol.wire.schema import Length

WARNINGS = 8


@dataclass(frozen=True, slots=True)
class Status:
    """How the node is doing."""

    WIRE_VERSION: ClassVar[int] = 1
    name: Name
    node: NodeId
    organisation: Name
    zone: Name
    federation: FederationId
    version: Name
    addresses: Annotated[tuple[Address, ...], Length(0, limits.ADDRESSES_MAX)]
    engine: Name
    bulk: Name
    uptime_s: int
    members: int
    members_live: int
    organisations: int
    code: Name
    storage: StorageLine
    namespaces: Annotated[tuple[NamespaceLine, ...], Length(0, NAMESPACE_LINES)]
    warnings: Annotated[tuple[Name, ...], Length(0, WARNINGS)]


STATUS = Command("status", Nothing, Status)
