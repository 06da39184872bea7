"""Weighted rendezvous hashing in integers: every node draws a number for every block, the lowest win.

Node i with weight w draws -log2(u)/w, where u is uniform in (0, 1] and depends on the block and the node alone. The
node with the lowest draw is first with probability w over the sum of weights, and adding or removing a node
changes no other node's draw: this is what keeps movement at its minimum. Floating-point logarithms differ in the
last bit between machines, and one bit is a different placement, so the logarithm is computed in fixed point.

Sources: Thaler and Ravishankar 1998; Schindler and Schomaker 2005 (logarithmic method).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.ids import BlockId, NodeId
from protocol.keys.derive import digest

_CONTEXT = "maillon 1 placement draw"
_LOG_BITS = 32
_HASH_BITS = 64
_SCALE_BITS = 64


@dataclass(frozen=True, slots=True, order=True)
class Draw:
    """Comparable: the lower, the earlier in rendezvous order. Equal scores (never seen) fall back on the node id."""

    score: int
    node: NodeId


def draw(block: BlockId, node: NodeId, weight: int) -> Draw:
    """What `node` draws for `block`. `weight` is a positive integer."""
    if weight <= 0:
        raise ValueError("a weight is at least 1")
    uniform = int.from_bytes(digest(_CONTEXT, block, node)[: _HASH_BITS // 8], "big") + 1
    distance = (_HASH_BITS << _LOG_BITS) - log2_fixed(uniform)
    return Draw((distance << _SCALE_BITS) // weight, node)


def order(block: BlockId, weighted: Iterable[tuple[NodeId, int]]) -> tuple[NodeId, ...]:
    """The nodes in rendezvous order for `block`."""
    return tuple(drawn.node for drawn in sorted(draw(block, node, weight) for node, weight in weighted))


def log2_fixed(number: int) -> int:
    """floor-accurate log2 of a positive integer, with `_LOG_BITS` fractional bits, by repeated squaring."""
    whole = number.bit_length() - 1
    mantissa = number << (_HASH_BITS - 1 - whole) if whole < _HASH_BITS else number >> (whole - _HASH_BITS + 1)
    result = whole
    for _ in range(_LOG_BITS):
        mantissa = (mantissa * mantissa) >> (_HASH_BITS - 1)
        carry = mantissa >> _HASH_BITS
        mantissa >>= carry
        result = (result << 1) | carry
    return result
