"""What can be asked of a node by its owner: one question and one answer for each command.

Each is a wire message like those between nodes, because they travel in the same frames. Lists come in pages, so
that an answer stays within one message however large the federation is. Object bytes travel as the payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, TypeVar

from node.admin.lines import (
    Address,
    BlockLine,
    NamespaceLine,
    NodeLine,
    ObjectLine,
    OrganisationLine,
    ProposalLine,
    StorageLine,
)
from protocol import limits
from protocol.ids import FederationId, NamespaceId, NodeId
from protocol.kinds import EncodedMessage
from protocol.wire.schema import Length, Range

Q = TypeVar("Q")
A = TypeVar("A")

PAGE_LINES = 50
PAGE_BLOCKS = 6
NAMESPACE_LINES = 32
WARNINGS = 8
Name = Annotated[str, Length(0, limits.NAME_BYTES_MAX)]
Key = Annotated[str, Length(0, limits.KEY_BYTES_MAX)]
Text = Annotated[str, Length(0, 64 * limits.KIB)]
Lines = Length(0, PAGE_LINES)


@dataclass(frozen=True, slots=True)
class AdminCall:
    """The one message of kind ADMIN: a command's name and its encoded question."""

    WIRE_VERSION: ClassVar[int] = 1
    command: Annotated[str, Length(1, 64)]
    question: EncodedMessage


@dataclass(frozen=True, slots=True)
class Command(Generic[Q, A]):
    """A name with the types of its question and answer."""

    name: str
    question: type[Q]
    answer: type[A]


@dataclass(frozen=True, slots=True)
class Nothing:
    """The question of a command that needs no more than its name."""

    WIRE_VERSION: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Page:
    """From the `first` line on."""

    WIRE_VERSION: ClassVar[int] = 1
    first: int


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


@dataclass(frozen=True, slots=True)
class OrganisationPage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[OrganisationLine, ...], Lines]
    total: int


@dataclass(frozen=True, slots=True)
class NodePage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[NodeLine, ...], Lines]
    total: int


@dataclass(frozen=True, slots=True)
class ProposalPage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[ProposalLine, ...], Lines]
    total: int


@dataclass(frozen=True, slots=True)
class Invite:
    """Make an invitation that can be used once, within so many seconds."""

    WIRE_VERSION: ClassVar[int] = 1
    valid_s: Annotated[int, Range(1, 366 * 86_400)]


@dataclass(frozen=True, slots=True)
class Invited:
    WIRE_VERSION: ClassVar[int] = 1
    token: Text
    expires_s: int


@dataclass(frozen=True, slots=True)
class Admit:
    """Vote that an organisation be admitted, with these facts; proposes it when nobody has yet.

    Facts left empty (or 0) are those that the organisation states of itself.
    """

    WIRE_VERSION: ClassVar[int] = 1
    organisation: Name
    jurisdiction: Name
    legal_form: Name
    certifications: Annotated[tuple[Name, ...], Length(0, 32)]
    capacity_bytes: int


@dataclass(frozen=True, slots=True)
class Expel:
    """Vote that an organisation or a node be expelled; proposes it when nobody has yet."""

    WIRE_VERSION: ClassVar[int] = 1
    subject: Name


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


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object. An empty namespace means the only one that the node serves."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: Name
    bucket: Key
    key: Key


@dataclass(frozen=True, slots=True)
class SharedFile:
    """An ordinary file that the asker has open, to be read or written in place of a payload (`node.host.shared`).

    `transfer` is the asker's own name for what is moved, by which it can ask how far it is.
    """

    WIRE_VERSION: ClassVar[int] = 1
    process_id: int
    descriptor: int
    device: int
    inode: Annotated[int, Range(0, 2**64 - 1)]
    offset: int
    transfer: Annotated[bytes, Length(16, 16)]


@dataclass(frozen=True, slots=True)
class PutObject:
    """The object's bytes follow as the payload, or are in the `shared` file.

    `size_bytes` is None when nobody knows yet.
    """

    WIRE_VERSION: ClassVar[int] = 1
    target: ObjectRef
    size_bytes: int | None
    shared: SharedFile | None


@dataclass(frozen=True, slots=True)
class GetObject:
    """Send the object's bytes as the payload, or write them to the `shared` file and answer when they are there."""

    WIRE_VERSION: ClassVar[int] = 1
    target: ObjectRef
    shared: SharedFile | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far is the transfer of this name?"""

    WIRE_VERSION: ClassVar[int] = 1
    transfer: Annotated[bytes, Length(16, 16)]


@dataclass(frozen=True, slots=True)
class Moved:
    """So many bytes have been read or written; 0 for a transfer that is not known (yet, or any more)."""

    WIRE_VERSION: ClassVar[int] = 1
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ListObjects:
    """A page of buckets (an empty bucket name) or of one bucket's objects, in the order of their keys."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: Name
    bucket: Key
    prefix: Key
    start_after: Key


@dataclass(frozen=True, slots=True)
class ObjectPage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[ObjectLine, ...], Lines]
    truncated: bool


@dataclass(frozen=True, slots=True)
class ExplainObject:
    """Where the shares of an object's blocks are, from block `first_block` on."""

    WIRE_VERSION: ClassVar[int] = 1
    target: ObjectRef
    first_block: int


@dataclass(frozen=True, slots=True)
class Explained:
    """`inline_holders` are the journal's holders, when the object rides in the journal and has no blocks."""

    WIRE_VERSION: ClassVar[int] = 1
    object: ObjectLine
    blocks: Annotated[tuple[BlockLine, ...], Length(0, PAGE_BLOCKS)]
    blocks_total: int
    inline_holders: Annotated[tuple[Name, ...], Length(0, limits.JOURNAL_HOLDERS_MAX)]


@dataclass(frozen=True, slots=True)
class Done:
    WIRE_VERSION: ClassVar[int] = 1


STATUS = Command("status", Nothing, Status)
ORGANISATIONS = Command("organisations", Page, OrganisationPage)
NODES = Command("nodes", Page, NodePage)
PROPOSALS = Command("proposals", Page, ProposalPage)
INVITE = Command("invite", Invite, Invited)
ADMIT = Command("admit", Admit, ProposalLine)
EXPEL = Command("expel", Expel, ProposalLine)
LEAVE = Command("leave", Nothing, Done)
NAMESPACE_CREATE = Command("namespace-create", NamespaceCreate, NamespaceCreated)
NAMESPACE_TAKE_OVER = Command("namespace-take-over", NamespaceTakeOver, Done)
NAMESPACE_NEWEST = Command("namespace-newest", NamespaceNewest, NewestEpoch)
NAMESPACE_ADOPT = Command("namespace-adopt", NamespaceAdopt, Done)
NAMESPACE_DRILL = Command("namespace-drill", NamespaceDrill, Done)
NAMESPACES = Command("namespaces", Nothing, NamespacePage)
PUT = Command("put", PutObject, ObjectLine)
GET = Command("get", GetObject, ObjectLine)
TRANSFER = Command("transfer", Transfer, Moved)
LIST = Command("list", ListObjects, ObjectPage)
REMOVE = Command("remove", ObjectRef, Done)
STAT = Command("stat", ObjectRef, ObjectLine)
EXPLAIN = Command("explain", ExplainObject, Explained)
