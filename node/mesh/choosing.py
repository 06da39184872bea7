"""Choosing some of many at random, with the host's entropy, so that a simulated run repeats to the byte."""

from __future__ import annotations

from collections.abc import Iterable

from node.host.ports import Entropy
from protocol.ids import NodeId
from protocol.keys.derive import digest


def draw(entropy: Entropy, nodes: Iterable[NodeId], count: int) -> list[NodeId]:
    """At most `count` of the nodes, each as likely as any other."""
    salt = entropy.random_bytes(16)
    return sorted(nodes, key=lambda node: digest("maillon 2026 mesh draw 1", salt, node))[:count]
