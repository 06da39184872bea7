"""Blocks for tests: made from a few numbers, the same each time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from protocol.coding.block import Workspace, encode_block
from protocol.coding.erasure import Engine, ZfecEngine
from protocol.coding.header import Header
from protocol.coding.label import Label, ShareProof, Stamp, sign_label
from protocol.ids import NamespaceId, NodeId
from protocol.keys.signing import SigningKey

WRITER = SigningKey.from_seed(bytes(range(32)))
NAMESPACE = NamespaceId(b"\x4e" * 32)


@dataclass(frozen=True, slots=True)
class MadeBlock:
    """A block with everything about it, its shares copied out of the workspace."""

    plain: bytes
    key: bytes
    header: Header
    shares: tuple[bytes, ...]
    proofs: tuple[ShareProof, ...]
    label: Label


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that look random."""
    return hashlib.shake_128(f"{seed}/{size}".encode()).digest(size)


def node_id(number: int) -> NodeId:
    return NodeId(hashlib.sha256(f"node {number}".encode()).digest())


def made_block(
    size: int = 1_000, k: int = 3, n: int = 6, *, seed: int = 0, engine: Engine | None = None
) -> MadeBlock:
    """A block of `size` plain bytes, held by nodes 0 … n-1, signed by `WRITER`."""
    plain, key = some_bytes(size, seed), some_bytes(32, seed + 1)
    made = encode_block(
        engine or ZfecEngine(),
        plain=plain,
        key=key,
        k=k,
        n=n,
        data_class="internal",
        namespace=NAMESPACE,
        workspace=Workspace(k, n),
    )
    placing = tuple(node_id(index) for index in range(n))
    label = sign_label(WRITER, made.header, placing, Stamp(epoch=1, position=7), keep_until_s=0)
    return MadeBlock(plain, key, made.header, tuple(bytes(share) for share in made.shares), made.proofs, label)
