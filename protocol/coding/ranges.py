"""Part of a block: which leaves of which shares hold a run of its sealed bytes.

The sealed bytes of a block are its systematic shares one after the other, so a few of its bytes are in one share, or
in two that follow each other; and leaves can be asked for and checked alone. So a small part of a block costs a small
part of its traffic, as long as the holders of just these shares answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.coding.header import share_size
from protocol.limits import LEAF_BYTES


@dataclass(frozen=True, slots=True)
class LeafRun:
    """Leaves of share `index` that follow each other, `size_bytes` in all; the `wanted` part of them is asked for."""

    index: int
    first_leaf: int
    leaf_count: int
    size_bytes: int
    wanted: slice


def leaf_runs(k: int, sealed_bytes: int, first_byte: int, size_bytes: int) -> tuple[LeafRun, ...]:
    """The leaves with the sealed bytes [first_byte, first_byte + size_bytes) of a block; their wanted parts, joined,
    are those bytes."""
    if not 0 <= first_byte < first_byte + size_bytes <= sealed_bytes:
        raise ValueError("the range lies outside the block")
    share_bytes = share_size(k, sealed_bytes)
    runs = []
    for index in range(first_byte // share_bytes, (first_byte + size_bytes - 1) // share_bytes + 1):
        start = max(0, first_byte - index * share_bytes)
        end = min(share_bytes, first_byte + size_bytes - index * share_bytes)
        runs.append(_run(index, start, end, share_bytes))
    return tuple(runs)


def _run(index: int, start: int, end: int, share_bytes: int) -> LeafRun:
    """For the bytes [start, end) of one share."""
    first, last = start // LEAF_BYTES, (end - 1) // LEAF_BYTES
    begin = first * LEAF_BYTES
    size_bytes = min((last + 1) * LEAF_BYTES, share_bytes) - begin
    return LeafRun(index, first, last + 1 - first, size_bytes, slice(start - begin, end - begin))
