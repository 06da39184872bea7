"""The rows of blocks that nothing refers to any more: who is still to be told to let go of them.

Written in the same step in which a block loses its last reference, so that a crash can neither forget a release nor
make one up; read by `node.vault.release`, and gone once the journal says that everybody has let go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.vault.catalog.reading import read_row
from node.vault.catalog.rows import CatalogRows
from protocol.coding.label import Stamp
from protocol.ids import BlockId, NodeId
from protocol.namespace.changes import BlockRef
from protocol.tables.nodes import NodeNumbers
from protocol.tables.rows import ReleaseRow, release_key
from protocol.wire import schema


class ReleasedRows:
    """Part of an `Applier`."""

    def __init__(self, rows: CatalogRows, numbers: NodeNumbers) -> None:
        self._rows = rows
        self._numbers = numbers

    def add(self, stamp: Stamp, blocks: Iterable[BlockRef]) -> None:
        """Nothing refers to these blocks any more."""
        for block in blocks:
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

    def _tell(self, stamp: Stamp, block: BlockId, nodes: Iterable[NodeId]) -> None:
        key = release_key(block)
        before = self._rows.get(key)
        known = () if before is None else read_row(ReleaseRow, before).nodes
        told = {*known, *(self._numbers.number(node) for node in nodes)}
        self._rows.write(stamp, key, schema.encode(ReleaseRow(tuple(sorted(told)))), before)
