"""The Merkle tree over a block: from 64 KiB leaves to a share's root to the block's root.

Every hash is BLAKE3 in derive_key mode with a context of its own for leaves, inner nodes, share roots and block
roots, so none can be passed off as another. A share root is one hash over the share's size and all its leaf hashes:
who checks a leaf has all of them, so no path ever leads from one leaf to it. A block root binds the number of shares,
so the shape of the tree over their roots is known before it is walked. That tree over m hashes splits after the
largest power of two below m (the shape of RFC 6962), down to single hashes, which stand for themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from blake3 import blake3

from protocol.errors import Forged
from protocol.ids import Digest
from protocol.keys.derive import digest
from protocol.limits import LEAF_BYTES

Buffer = bytes | bytearray | memoryview

LEAF_CONTEXT: Final = "maillon/1 share leaf"
INNER_CONTEXT: Final = "maillon/1 tree inner node"
SHARE_CONTEXT: Final = "maillon/2 share root"
BLOCK_CONTEXT: Final = "maillon/1 block root"


def leaf_count(share_bytes: int) -> int:
    """How many leaves a share has; an empty one has one, empty."""
    return max(1, -(-share_bytes // LEAF_BYTES))


def leaf_hashes(share: Buffer) -> bytes:
    """The hashes of a share's leaves, or of a run of its leaves, one after the other."""
    view = memoryview(share)
    starts = range(0, max(1, len(view)), LEAF_BYTES)
    return b"".join(
        [blake3(view[start : start + LEAF_BYTES], derive_key_context=LEAF_CONTEXT).digest() for start in starts]
    )


def share_root(leaves: bytes, share_bytes: int) -> Digest:
    """The root over all leaf hashes of a share of `share_bytes`."""
    return digest(SHARE_CONTEXT, share_bytes.to_bytes(8, "big"), leaves)


def block_root(roots: Sequence[Digest]) -> Digest:
    """The root over the share roots of a block, in the order of their index."""
    return digest(BLOCK_CONTEXT, len(roots).to_bytes(8, "big"), _tree(roots))


def path(roots: Sequence[Digest], index: int) -> tuple[Digest, ...]:
    """The neighbours that lead from share root `index` up to the block root, lowest first."""
    if not 0 <= index < len(roots):
        raise IndexError("no such share")
    if len(roots) == 1:
        return ()
    left = _split(len(roots))
    if index < left:
        return (*path(roots[:left], index), _tree(roots[left:]))
    return (*path(roots[left:], index - left), _tree(roots[:left]))


def root_from_path(root: Digest, index: int, n: int, neighbours: Sequence[Digest]) -> Digest:
    """The block root that a share root and its path lead to.

    Raises:
        Forged: `proof-path` when a path of this length cannot belong to share `index` of `n`.
    """
    if not 0 <= index < n:
        raise Forged("proof-path", index=index)
    turns = _turns(index, n)
    if len(turns) != len(neighbours):
        raise Forged("proof-path", index=index)
    node = root
    for goes_left, neighbour in zip(reversed(turns), neighbours, strict=True):
        node = _inner(node, neighbour) if goes_left else _inner(neighbour, node)
    return digest(BLOCK_CONTEXT, n.to_bytes(8, "big"), node)


def _turns(index: int, count: int) -> list[bool]:
    """From the top down: is the wanted hash in the left part?"""
    turns = []
    while count > 1:
        left = _split(count)
        turns.append(index < left)
        index, count = (index, left) if index < left else (index - left, count - left)
    return turns


def _tree(hashes: Sequence[Digest]) -> Digest:
    """Level by level: pairs from the left, and who is left over goes up as he is. That is the same tree as splitting
    after the largest power of two, and every put and every check walks some, so they are walked without recursion."""
    while len(hashes) > 1:
        pairs = [_inner(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=False)]
        hashes = [*pairs, hashes[-1]] if len(hashes) % 2 else pairs
    return hashes[0]


def _split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def _inner(left: Digest, right: Digest) -> Digest:
    return Digest(blake3(left + right, derive_key_context=INNER_CONTEXT).digest())
