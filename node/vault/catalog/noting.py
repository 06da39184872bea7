"""What the entries that are applied say of blocks, noted for whoever goes through the rows meanwhile.

Rows are read a page at a time while the catalog goes on, so a reader misses what moves behind its back. Here it finds
which blocks were named since it began, in new rows or in others than before, and which of those it has read already
all their holders have let go of. Of the latter there are no more than it has read; so this stays as small as what is
written and deleted while it reads.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from protocol.ids import BlockId
from protocol.namespace.changes import BlocksReleased, Change, blocks_named_by


class Noting:
    """What one reader is told. It reads on one thread while another applies: both only ask and add."""

    def __init__(self, found: Container[BlockId]) -> None:
        self._found = found
        self._let_go: set[BlockId] = set()
        self.named: set[BlockId] = set()

    def __contains__(self, block: BlockId) -> bool:
        """Whether anything was said of the block."""
        return block in self.named or block in self._let_go

    def take(self, changes: Iterable[Change], moved: Iterable[BlockId]) -> None:
        """These changes were applied, and moved these blocks from one row to another."""
        self.named.update(moved)
        for change in changes:
            self.named.update(blocks_named_by(change))
            if isinstance(change, BlocksReleased):
                self._let_go.update(block for block in change.blocks if block in self._found)
