"""Blocks whose shares a store can keep: everything derived from a small number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from node.store.shares import ShareFacts, ShareKey
from protocol.coding.block import Workspace, encode_block
from protocol.coding.erasure import ZfecEngine
from protocol.coding.header import Header
from protocol.coding.label import Label, ShareProof, Stamp, sign_label
from protocol.ids import BlockId, NamespaceId, NodeId
from protocol.keys.derive import derive_key
from protocol.keys.signing import SigningKey

WRITER = SigningKey.from_seed(b"w" * 32)


@dataclass(frozen=True, slots=True)
class TestBlock:
    """All shares of one block."""

    __test__ = False

    header: Header
    label: Label
    proofs: tuple[ShareProof, ...]
    shares: tuple[bytes, ...]

    @property
    def block(self) -> BlockId:
        return self.header.block_id

    def key(self, index: int) -> ShareKey:
        return ShareKey(self.block, index)

    def facts(self, index: int) -> ShareFacts:
        return ShareFacts.of(self.label, self.proofs[index])


@cache
def make_block(
    number: int,
    *,
    size_bytes: int = 3_000,
    k: int = 2,
    n: int = 3,
    namespace: NamespaceId = NamespaceId(b"n" * 32),  # noqa: B008
    keep_until_s: int = 0,
    writer: SigningKey = WRITER,
    placing: tuple[NodeId, ...] = (),
    stamp: Stamp | None = None,
) -> TestBlock:
    """Block `number`, always the same; written at that position of the first epoch, or with another stamp."""
    seed = derive_key("maillon test block", number.to_bytes(8, "big"))
    plain = (seed * (size_bytes // 32 + 1))[:size_bytes]
    encoded = encode_block(
        ZfecEngine(),
        plain=memoryview(plain),
        key=seed,
        k=k,
        n=n,
        data_class="internal",
        namespace=namespace,
        workspace=Workspace(k, n),
    )
    nodes = placing or tuple(NodeId(bytes([index + 1]) * 32) for index in range(n))
    label = sign_label(writer, encoded.header, nodes, stamp or Stamp(1, number), keep_until_s)
    return TestBlock(encoded.header, label, encoded.proofs, tuple(bytes(share) for share in encoded.shares))
