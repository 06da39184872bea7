"""What a caller of the vault names, gives and gets: paths, byte sources and sinks, and what is known of an object.

The words at the vault's door, shared by the admin socket now and S3 later. Sources and sinks move bytes through
buffers that the vault owns, so that a put or get of any size holds a bounded number of blocks in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from node.host.ports import Buffer
from protocol.errors import MaillonError
from protocol.ids import BlockId, NamespaceId, NodeId
from protocol.namespace.contents import NULL_VERSION, Checksum, Metadata, Retention, Tag
from protocol.placement.explain import Reason
from protocol.quick_init import quick_init


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """`namespace` is the local name of a namespace; None stands for the only one this node serves."""

    bucket: str
    key: str
    namespace: str | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class ObjectStat:
    """`stored_bytes` counts all shares, or all copies in the journal. `blocks` is 0 for an object kept inline.

    `is_null`: it is the version that S3 calls null. `is_marker`: it is a delete marker, and nothing else is known of
    it. `is_latest`: no version of the key is newer. `part_count`: of the parts that a client uploaded it in.
    """

    namespace: str
    bucket: str
    key: str
    version: bytes
    size_bytes: int
    stored_bytes: int
    digest: bytes
    modified_s: int
    data_class: str
    blocks: int
    metadata: tuple[Metadata, ...] = ()
    etag: str = ""
    checksums: tuple[Checksum, ...] = ()
    tags: tuple[Tag, ...] = ()
    retention: Retention | None = None
    legal_hold: bool = False
    part_count: int = 0
    is_null: bool = True
    is_marker: bool = False
    is_latest: bool = True

    @property
    def version_id(self) -> bytes:
        """What the version is asked for by: the null one by `NULL_VERSION`."""
        return NULL_VERSION if self.is_null else self.version

    @property
    def inline(self) -> bool:
        """Whether the journal carries the bytes."""
        return self.blocks == 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and when it was made."""

    name: str
    created_s: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries in key order; `truncated` when more follow the last one."""

    entries: tuple[ObjectStat, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class ShareExplanation:
    """Where one share is, why it may be there, and whether its holder answers now and has it."""

    reason: Reason
    node_name: str
    organisation_name: str
    answers: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class BlockExplanation:
    """One block of an object."""

    block: BlockId
    k: int
    n: int
    size_bytes: int
    shares: tuple[ShareExplanation, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where an object is: its blocks, or the holders of the journal entry that carries it."""

    stat: ObjectStat
    blocks: tuple[BlockExplanation, ...]
    journal_holders: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class CreatedNamespace:
    """`sheet` is the recovery sheet: shown once, kept by people, never by the node."""

    name: str
    namespace: NamespaceId
    sheet: str


@dataclass(frozen=True, slots=True)
class JournalHealth:
    """How far the holders of its epoch are. `acknowledged` of `length` entries are at their quorum.

    `is_settled`: what was written before this epoch rests on tables, not on the holders of earlier ones.
    """

    epoch: int
    length: int
    acknowledged: int
    needed: int
    holders: tuple[NodeId, ...]
    answering: tuple[NodeId, ...]
    is_settled: bool


@dataclass(frozen=True, slots=True)
class NamespaceStatus:
    """One namespace at its gateway. `problem` is why it cannot be written, or None.

    `arrived_rows` of the `arriving_rows` of its catalog have come, while it is being filled from tables.

    `survives` is how many members may be lost today, of any kind, without losing anything acknowledged.

    Nothing refers to `releasing_blocks` any more, but not all of their holders have let go of them. `drill_s`: when a
    recovery was rehearsed last, if ever.
    """

    name: str
    namespace: NamespaceId
    data_class: str
    code: str
    problem: MaillonError | None
    objects: int
    size_bytes: int
    incomplete_blocks: int
    releasing_blocks: int
    survives: int
    journal: JournalHealth | None
    drill_s: int | None = None
    arrived_rows: int = 0
    arriving_rows: int = 0


class Source(Protocol):
    """Where an object's bytes come from. Whoever gives them says how long may be waited for them, and ends the wait:
    HTTP does for all its clients, and one more deadline for each small object would cost more than reading it."""

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the whole buffer; less only at the end of the bytes, 0 after it.

        Raises:
            Unavailable: nothing came for too long (`client-stalled`, `http-client-slow`).
        """


class Sink(Protocol):
    """Where an object's bytes go. `begin` is called once, before any byte."""

    async def begin(self, stat: ObjectStat) -> None: ...

    async def write(self, parts: list[Buffer]) -> None:
        """Take the bytes; the buffers are the vault's again when this returns."""
