"""The words of the store: what is kept of a share, what is handed out, what is counted."""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from protocol.coding.label import Label, ShareProof
from protocol.errors import Malformed
from protocol.ids import BlockId, NamespaceId
from protocol.quick_init import quick_init
from protocol.wire import schema

_SHARE_META: Final = struct.Struct(">32s32sBBHH")
_TOMBSTONE: Final = struct.Struct(">32sB7xQ")


@quick_init
@dataclass(frozen=True, slots=True, order=True)
class ShareKey:
    """Which share."""

    block: BlockId
    index: int


@quick_init
@dataclass(frozen=True, slots=True)
class ShareFacts:
    """A share without its bytes. `label` and `proof` are canonical bytes of `protocol.coding.label`, kept as they
    came, because they leave as they came."""

    block: BlockId
    index: int
    namespace: NamespaceId
    label: bytes
    proof: bytes

    @classmethod
    def of(cls, label: Label, proof: ShareProof) -> ShareFacts:
        """The facts of a share whose label and proof are at hand decoded."""
        header = label.header
        return cls(header.block_id, proof.index, header.namespace, schema.encode(label), schema.encode(proof))

    @property
    def key(self) -> ShareKey:
        return ShareKey(self.block, self.index)

    def decoded_label(self) -> Label:
        return schema.decode(Label, self.label)

    def decoded_proof(self) -> ShareProof:
        return schema.decode(ShareProof, self.proof)


@dataclass(frozen=True, slots=True)
class StoredShare:
    """A share, or a run of its leaves, whose leaves were checked. `release` gives the buffer back for the next
    read: a fresh megabyte costs more than reading it. Never touch `data` after that."""

    facts: ShareFacts
    data: memoryview
    _release: Callable[[], None] = field(repr=False, compare=False)

    def release(self) -> None:
        self._release()


@dataclass(frozen=True, slots=True)
class NamespaceUsage:
    namespace: NamespaceId
    shares: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """`room_bytes` is what may still be written: within the capacity, and above the reserve."""

    path: str
    capacity_bytes: int
    used_bytes: int
    room_bytes: int
    shares: int
    state: DiskState


@dataclass(frozen=True, slots=True)
class Usage:
    capacity_bytes: int
    used_bytes: int
    room_bytes: int
    shares: int
    namespaces: tuple[NamespaceUsage, ...]
    disks: tuple[DiskUsage, ...]


class DiskState(enum.Enum):
    """FAILING: it refused a write and the one after; it is read, and no longer written until the next start."""

    GOOD = "good"
    FULL = "full"
    FAILING = "failing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """`key` was deleted; its last copy stood in `volume`, and none stands in a later one before this tombstone."""

    key: ShareKey
    volume: int


def pack_share(facts: ShareFacts) -> bytes:
    """The metadata of a SHARE entry."""
    fixed = _SHARE_META.pack(facts.block, facts.namespace, facts.index, 0, len(facts.label), len(facts.proof))
    return fixed + facts.label + facts.proof


def unpack_share(meta: bytes) -> ShareFacts:
    """The inverse of `pack_share`. Raises Malformed(`share-meta`)."""
    if len(meta) < _SHARE_META.size:
        raise Malformed("share-meta", size_bytes=len(meta))
    block, namespace, index, _, label_bytes, proof_bytes = _SHARE_META.unpack_from(meta)
    proof_at = _SHARE_META.size + label_bytes
    if len(meta) != proof_at + proof_bytes:
        raise Malformed("share-meta", size_bytes=len(meta))
    return ShareFacts(
        BlockId(block), index, NamespaceId(namespace), meta[_SHARE_META.size : proof_at], meta[proof_at:]
    )


def pack_tombstones(tombstones: Sequence[Tombstone]) -> bytes:
    """The metadata of a TOMBSTONES entry."""
    return b"".join(_TOMBSTONE.pack(one.key.block, one.key.index, one.volume) for one in tombstones)


def unpack_tombstones(meta: bytes) -> list[Tombstone]:
    """The inverse of `pack_tombstones`. Raises Malformed(`share-meta`)."""
    if len(meta) % _TOMBSTONE.size:
        raise Malformed("share-meta", size_bytes=len(meta))
    return [
        Tombstone(ShareKey(BlockId(block), index), volume) for block, index, volume in _TOMBSTONE.iter_unpack(meta)
    ]
