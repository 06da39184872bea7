"""A namespace for tests, everything in it derived from small numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.ids import BlockId, Digest, NodeId
from protocol.keys.derive import derive_key
from protocol.keys.signing import SigningKey
from protocol.namespace.changes import BlockRef, Change, InlineRef, ObjectPut, encode_change
from protocol.namespace.journal import (
    Ending,
    Opening,
    Tip,
    check_entry,
    decode_entry,
    encode_entry,
    sign_entry,
    sign_opening,
    start_of,
)
from protocol.namespace.quorums import JournalQuorum, quorum
from protocol.namespace.root import Root, WriterCertificate, certify_writer
from protocol.namespace.sealed_entry import seal_changes, wrap_epoch_key


def some(tag: str, number: int = 0) -> bytes:
    """32 bytes that look random and are always the same."""
    return derive_key(f"maillon test {tag}", number.to_bytes(8, "big"))


def node(number: int) -> NodeId:
    return NodeId(some("node", number))


def block_ref(number: int, *, missing: int = 0, n: int = 3, k: int = 1) -> BlockRef:
    placing = tuple(node(100 + number + index) for index in range(n))
    return BlockRef(BlockId(some("block", number)), some("block key", number), 1_000 + number, k, n, placing, missing)


def object_put(
    bucket: str, key: str, number: int = 0, *, blocks: tuple[BlockRef, ...] = (), inline: InlineRef | None = None
) -> ObjectPut:
    size = sum(block.size_bytes for block in blocks)
    version = some("version", number)[:16]
    digest = Digest(some("digest", number))
    return ObjectPut(bucket, key, version, size, digest, 1_700_000_000 + number, "public", blocks, inline)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A root, a gateway's writer key, and one epoch; `seal` makes entries of it."""

    root: Root
    writer: SigningKey
    certificate: WriterCertificate
    epoch_key: bytes
    opening: Opening

    def entry(self, tip: Tip, changes: Sequence[Change], inline: bytes = b"", *, salt: bytes = b"") -> bytes:
        """The encoded entry that goes on from `tip`."""
        salt = salt or some("salt", tip.length)[:16]
        sealed = seal_changes(self.epoch_key, salt, [encode_change(change) for change in changes])
        return encode_entry(sign_entry(self.writer, self.opening, tip, sealed, inline))

    def chain(self, length: int, *, start: Tip | None = None, tag: str = "object") -> list[bytes]:
        """`length` encoded entries, one after the other."""
        tip = start or start_of(self.opening)
        entries = []
        for _ in range(length):
            encoded = self.entry(tip, [object_put("bucket", f"{tag}-{tip.length}", tip.length)])
            entries.append(encoded)
            tip = check_entry(self.opening, tip, decode_entry(encoded))
        return entries


def tenant(
    number: int = 0, *, holders: tuple[NodeId, ...] | None = None, rule: JournalQuorum | None = None, epoch: int = 1
) -> Tenant:
    root = Root(some("root", number))
    writer = SigningKey.from_seed(some("writer", number))
    held_by = holders or tuple(node(index) for index in range(6))
    certificate = certify_writer(root, writer.public, held_by[0], generation=1, from_epoch=1)
    epoch_key = some("epoch key", number)
    wrapped = wrap_epoch_key(root.wrapping_key(1), some("wrap salt", number)[:16], epoch_key)
    opening = sign_opening(
        writer,
        certificate,
        epoch=epoch,
        holders=held_by,
        quorum=rule or quorum(len(held_by)),
        wrapped_key=wrapped,
        previous=None if epoch == 1 else Ending(Digest(bytes(32)), 0, Digest(bytes(32))),
    )
    return Tenant(root, writer, certificate, epoch_key, opening)
