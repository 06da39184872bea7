"""What the owner asks about objects. Their bytes travel as the payload, or through a file that both have open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from node.admin.calls import Command, Done, Key, Lines, Name
from node.admin.lines import BlockLine, ObjectLine
from protocol import limits
from protocol.wire.schema import Length, Range

PAGE_BLOCKS = 6


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


PUT = Command("put", PutObject, ObjectLine)
GET = Command("get", GetObject, ObjectLine)
TRANSFER = Command("transfer", Transfer, Moved)
LIST = Command("list", ListObjects, ObjectPage)
REMOVE = Command("remove", ObjectRef, Done)
STAT = Command("stat", ObjectRef, ObjectLine)
EXPLAIN = Command("explain", ExplainObject, Explained)
