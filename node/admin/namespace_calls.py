"""What the owner asks about the namespaces that the node serves, as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from node.admin.calls import NAMESPACE_LINES, Command, Done, Name, Nothing, Text
from node.admin.lines import NamespaceLine
from protocol import limits
from protocol.ids import FederationId, NamespaceId, NodeId
from protocol.wire.schema import Length


@dataclass(frozen=True, slots=True)
class NamespaceCreate:
    WIRE_VERSION: ClassVar[int] = 1
    name: Name
    data_class: Name


@dataclass(frozen=True, slots=True)
class NamespaceTakeOver:
    """Become the writer of a namespace whose secrets are here, whoever is now."""

    WIRE_VERSION: ClassVar[int] = 1
    name: Name


@dataclass(frozen=True, slots=True)
class NamespaceMove:
    """Have the node of this name or id, whose gateway follows the namespace, write it."""

    WIRE_VERSION: ClassVar[int] = 1
    name: Name
    to: Name


@dataclass(frozen=True, slots=True)
class NamespaceCreated:
    """The sheet is shown this once; the node does not keep it."""

    WIRE_VERSION: ClassVar[int] = 1
    name: Name
    namespace: NamespaceId
    gateway: Name
    recovery: Text


@dataclass(frozen=True, slots=True)
class NamespaceNewest:
    """Which epoch and generation of this namespace are the newest?"""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId


@dataclass(frozen=True, slots=True)
class NewestEpoch:
    """What anybody who answers can prove; `node` is who is asked, `gateway` who writes now, if its name is known."""

    WIRE_VERSION: ClassVar[int] = 1
    node: NodeId
    federation: FederationId
    epoch: int
    generation: int
    gateway: Name


@dataclass(frozen=True, slots=True)
class NamespaceAdopt:
    """Take a namespace over with these secrets (an encoded `GatewaySecrets`), by the root's word."""

    WIRE_VERSION: ClassVar[int] = 1
    secrets: Annotated[bytes, Length(1, 192 * limits.KIB)]


@dataclass(frozen=True, slots=True)
class NamespaceDrill:
    """A recovery of this namespace was rehearsed, and worked: journal it."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: NamespaceId


@dataclass(frozen=True, slots=True)
class NamespacePage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[NamespaceLine, ...], Length(0, NAMESPACE_LINES)]


NAMESPACE_CREATE = Command("namespace-create", NamespaceCreate, NamespaceCreated)
NAMESPACE_TAKE_OVER = Command("namespace-take-over", NamespaceTakeOver, Done)
NAMESPACE_MOVE = Command("namespace-move", NamespaceMove, Done)
NAMESPACE_NEWEST = Command("namespace-newest", NamespaceNewest, NewestEpoch)
NAMESPACE_ADOPT = Command("namespace-adopt", NamespaceAdopt, Done)
NAMESPACE_DRILL = Command("namespace-drill", NamespaceDrill, Done)
NAMESPACES = Command("namespaces", Nothing, NamespacePage)
