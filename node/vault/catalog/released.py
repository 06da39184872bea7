"""The rows of blocks by how many refer to them: the shared ones, and those that nothing refers to any more.

A block that is written has one reference, from the object or part it was written for, and no row here. Each copy adds
one, and who replaces or deletes an object takes one away. When the last is gone a release says who is still to be
told to let go of the block. It is written in the same step, so that a crash can neither forget a release nor make one
up; read by `node.vault.release`, and gone once the journal says that everybody has let go, or when a copy that was
under way takes the block up again before anybody was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.vault.catalog.reading import read_row
from node.vault.catalog.rows import CatalogRows
from protocol.coding.label import Stamp
from protocol.ids import BlockId, NodeId
from protocol.namespace.changes import BlockRef
from protocol.tables.keys import release_key, shared_key
from protocol.tables.nodes import NodeNumbers
from protocol.tables.rows import ReleaseRow, SharedRow
from protocol.wire import schema


class ReleasedRows:
    """Part of an `Applier`."""

    def __init__(self, rows: CatalogRows, numbers: NodeNumbers) -> None:
        self._rows = rows
        self._numbers = numbers

    def share(self, stamp: Stamp, blocks: Iterable[BlockRef]) -> None:
        """One more refers to each of these blocks than before."""
        for block in blocks:
            released = release_key(block.block)
            before = self._rows.get(released)
            if before is not None:
                self._rows.write(stamp, released, None, before)
            else:
                self._count(stamp, block.block, 1)

    def add(self, stamp: Stamp, blocks: Iterable[BlockRef]) -> None:
        """One less refers to each of these blocks than before."""
        for block in blocks:
            if self._rows.get(shared_key(block.block)) is not None:
                self._count(stamp, block.block, -1)
            else:
                self._tell(stamp, block.block, block.placing)

    def moved(self, stamp: Stamp, block: BlockId, placing: Sequence[NodeId]) -> None:
        """Somebody completed a block meanwhile; if it is to be released, its new holders are to be told too."""
        if self._rows.get(release_key(block)) is not None:
            self._tell(stamp, block, placing)

    def remove(self, stamp: Stamp, blocks: Iterable[BlockId]) -> None:
        """Everybody has let go of these."""
        for block in blocks:
            key = release_key(block)
            self._rows.write(stamp, key, None, self._rows.get(key))

    def _count(self, stamp: Stamp, block: BlockId, change: int) -> None:
        key = shared_key(block)
        before = self._rows.get(key)
        more = change + (0 if before is None else read_row(SharedRow, before).more)
        self._rows.write(stamp, key, schema.encode(SharedRow(more)) if more else None, before)

    def _tell(self, stamp: Stamp, block: BlockId, nodes: Iterable[NodeId]) -> None:
        key = release_key(block)
        before = self._rows.get(key)
        known = () if before is None else read_row(ReleaseRow, before).nodes
        told = {*known, *(self._numbers.number(node) for node in nodes)}
        self._rows.write(stamp, key, schema.encode(ReleaseRow(tuple(sorted(told)))), before)
