"""What travels with a share: the label that its writer signed, and the proof that its bytes belong to the block.

The label binds the header to where the shares are meant to be (the placing), when they were written (the stamp) and
how long they must stay; it is the same for all shares of the block. The proof is one share's own: the hashes of its
leaves, and the path from its root to the header's. With the two, anybody can check a share, or a single leaf of
it, with no key and trusting nobody; and whoever checked them knows that a byte which does not match is the fault of
whoever sent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.coding import merkle
from protocol.coding.header import Header
from protocol.errors import Forged, Malformed
from protocol.ids import ID_BYTES, Digest, NodeId, PublicKey
from protocol.keys.signing import SigningKey, verify
from protocol.limits import LEAVES_MAX, SHARES_MAX
from protocol.quick_init import quick_init
from protocol.wire import schema
from protocol.wire.schema import Length, Range, Signature

Buffer = bytes | bytearray | memoryview

LABEL_PURPOSE: Final = "maillon/label/1"
PATH_MAX: Final = (SHARES_MAX - 1).bit_length()

Placing = Annotated[tuple[NodeId, ...], Length(1, SHARES_MAX)]


@quick_init
@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """The journal position at which a share was written; orders it against releases."""

    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class _Statement:
    """What the writer signs."""

    WIRE_VERSION: ClassVar[int] = 1
    header: Header
    placing: Placing
    stamp: Stamp
    keep_until_s: int
    writer: PublicKey


@dataclass(frozen=True, slots=True)
class Label:
    """`placing[i]` is the node that is to hold share i. `keep_until_s` is in seconds since 1970, 0 for no lock.

    Raises:
        Malformed: `label-placing` unless the placing names n different nodes.
    """

    WIRE_VERSION: ClassVar[int] = 1
    header: Header
    placing: Placing
    stamp: Stamp
    keep_until_s: int
    writer: PublicKey
    signature: Signature

    def __post_init__(self) -> None:
        if len(self.placing) != self.header.n or len(set(self.placing)) != self.header.n:
            raise Malformed("label-placing", n=self.header.n, nodes=len(set(self.placing)))


@dataclass(frozen=True, slots=True)
class ShareProof:
    """Why the bytes of share `index` belong to the block: all its leaf hashes, joined, and its root's path."""

    WIRE_VERSION: ClassVar[int] = 2
    index: Annotated[int, Range(0, SHARES_MAX - 1)]
    leaves: Annotated[bytes, Length(ID_BYTES, ID_BYTES * LEAVES_MAX)]
    path: Annotated[tuple[Digest, ...], Length(0, PATH_MAX)]


def sign_label(
    key: SigningKey, header: Header, placing: tuple[NodeId, ...], stamp: Stamp, keep_until_s: int
) -> Label:
    """The label that the writer `key` gives to a block."""
    statement = _Statement(header, placing, stamp, keep_until_s, key.public)
    signature = key.sign(LABEL_PURPOSE, schema.encode(statement))
    return Label(header, placing, stamp, keep_until_s, key.public, signature)


def verify_label(label: Label) -> None:
    """Return if the label is its writer's word. Whether that writer may write is the view's to say.

    Raises:
        Forged: `signature`.
    """
    statement = _Statement(label.header, label.placing, label.stamp, label.keep_until_s, label.writer)
    verify(label.writer, LABEL_PURPOSE, schema.encode(statement), label.signature)


def verify_proof(header: Header, proof: ShareProof) -> None:
    """Return if the leaf hashes lead, through the share's root, to the header's root.

    Raises:
        Forged: `proof-path` for an index or length that this block cannot have, `proof-leaves` for leaf hashes that
            are not as many as this share has leaves, `proof-root` when the hashes lead elsewhere.
    """
    share_bytes = header.share_bytes
    if len(proof.leaves) != ID_BYTES * merkle.leaf_count(share_bytes):
        raise Forged("proof-leaves", index=proof.index, size_bytes=len(proof.leaves))
    root = merkle.share_root(proof.leaves, share_bytes)
    if merkle.root_from_path(root, proof.index, header.n, proof.path) != header.root:
        raise Forged("proof-root", index=proof.index, block=header.block_id)


def verify_leaves(proof: ShareProof, first_leaf: int, data: Buffer) -> None:
    """Return if `data` is the run of leaves from `first_leaf` on (the last one whole, as the share has it).

    The proof itself must have been checked.

    Raises:
        Forged: `share-leaf`, with the number of the first leaf that does not match.
    """
    found = merkle.leaf_hashes(data)
    start = first_leaf * ID_BYTES
    expected = proof.leaves[start : start + len(found)] if first_leaf >= 0 else b""
    if found != expected:
        ends = range(ID_BYTES, len(found) + 1, ID_BYTES)
        good = sum(found[:end] == expected[:end] for end in ends)
        raise Forged("share-leaf", index=proof.index, leaf=first_leaf + good)


def verify_share(header: Header, proof: ShareProof, data: Buffer) -> None:
    """Return if `data` is all of share `proof.index` of the block.

    Raises:
        Forged: `share-size`, and what `verify_proof` and `verify_leaves` raise.
    """
    if memoryview(data).nbytes != header.share_bytes:
        raise Forged("share-size", index=proof.index, size_bytes=memoryview(data).nbytes)
    verify_proof(header, proof)
    verify_leaves(proof, 0, data)
