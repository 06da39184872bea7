"""Nodes by number: a placing in two bytes a share instead of thirty-two.

A namespace numbers its nodes from 0 in the order in which its journal first names them, and never again otherwise, so
that every catalog of one history has the same numbers, and rows can be handed from one to the next as they are. The
manifest of a checkpoint carries the whole list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocol.errors import Malformed
from protocol.ids import NodeId
from protocol.namespace.changes import BlockRef
from protocol.tables.rows import BLOCKS_PER_RUN, BlockRun, NumberedBlock
from protocol.wire import schema


class NodeNumbers:
    """The list so far. It only grows."""

    def __init__(self, nodes: Iterable[NodeId] = ()) -> None:
        self._nodes = list(nodes)
        self._numbers = {node: number for number, node in enumerate(self._nodes)}

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """All nodes, by rising number."""
        return tuple(self._nodes)

    def since(self, count: int) -> tuple[NodeId, ...]:
        """Those that came after the first `count`."""
        return tuple(self._nodes[count:])

    def __len__(self) -> int:
        return len(self._nodes)

    def number(self, node: NodeId) -> int:
        """The node's number; the next one for a node that has none yet."""
        found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
        return found

    def node(self, number: int) -> NodeId:
        """Raises Malformed(`row-node`) for a number that no node has."""
        if number >= len(self._nodes):
            raise Malformed("row-node", number=number)
        return self._nodes[number]


def pack_blocks(blocks: Sequence[BlockRef], numbers: NodeNumbers) -> bytes:
    """At most `BLOCKS_PER_RUN` blocks as a run's bytes; their nodes have numbers then."""
    return schema.encode(BlockRun(tuple(_numbered(block, numbers) for block in blocks)))


def unpack_blocks(run: bytes, numbers: NodeNumbers) -> tuple[BlockRef, ...]:
    """What `pack_blocks` packed. Raises Malformed: `row-node`, and as `schema.decode` does."""
    return tuple(_named(block, numbers) for block in schema.decode(BlockRun, run).blocks)


def in_runs(blocks: Sequence[BlockRef]) -> list[Sequence[BlockRef]]:
    """The blocks in runs as long as a row may hold."""
    return [blocks[start : start + BLOCKS_PER_RUN] for start in range(0, len(blocks), BLOCKS_PER_RUN)]


def _numbered(ref: BlockRef, numbers: NodeNumbers) -> NumberedBlock:
    placing = tuple(numbers.number(node) for node in ref.placing)
    return NumberedBlock(ref.block, ref.key, ref.size_bytes, ref.k, ref.n, placing, ref.missing)


def _named(block: NumberedBlock, numbers: NodeNumbers) -> BlockRef:
    placing = tuple(numbers.node(number) for number in block.placing)
    return BlockRef(block.block, block.key, block.size_bytes, block.k, block.n, placing, block.missing)
