"""Which blocks the catalog names in one part of the space of ids, and where their shares are.

No row tells that of a block, so the rows that name blocks are gone through, a page at a time, while the catalog goes
on. A block may move between rows meanwhile, but only forward in the order of reading (what loses its last reference
becomes a release, and those come last); whatever entries name that are applied meanwhile is noted, and so is what
moves as an object's older version becomes what its key names, or the other way round. So after the last page every
block that was named at the beginning, or is at the end, is known here.

Blocks of tables are in no row: the manifest of the newest checkpoint names them, and who has read it adds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from node.vault.catalog.catalog import Catalog
from node.vault.catalog.database import CatalogDatabase
from node.vault.catalog.noting import Noting
from node.vault.catalog.reading import read_blocks, run_of
from node.vault.catalog.rows import Pair, end_of
from protocol.errors import OverLimit, Unavailable
from protocol.ids import BlockId, NamespaceId, NodeId
from protocol.namespace.changes import BlockRef
from protocol.namespace.inventories import Part
from protocol.tables.keys import block_of, release_key
from protocol.tables.nodes import NodeNumbers
from protocol.tables.rows import RowKind

# A block, and the nodes that have their share of it.
Named = tuple[BlockId, tuple[NodeId, ...]]

ROWS_AT_ONCE: Final = 512
# Releases last: see above.
_IN_ORDER: Final = (RowKind.OBJECT, RowKind.VERSION, RowKind.RUN, RowKind.PACK, RowKind.RELEASE)


class NamedBlocks:
    """The blocks of a part. `begin`, add what else names blocks, `read` all rows; `end`, when nobody asks more."""

    def __init__(self, catalog: Catalog, namespace: NamespaceId, part: Part, most: int) -> None:
        self._catalog = catalog
        self._namespace = namespace
        self._part = part
        self._most = most
        self._database: CatalogDatabase | None = None
        self._found: dict[BlockId, tuple[NodeId, ...]] = {}
        self._noted = Noting(self._found.keys())

    async def begin(self) -> None:
        """From now on nothing is missed. Raises Unavailable(`catalog-rebuilding`)."""
        self._database = await self._catalog.ask(self._watch)
        self._catalog.require_ready()

    def end(self) -> None:
        """Note nothing any more."""
        if self._database is not None and self._database.noting is self._noted:
            self._database.noting = None

    async def read(self) -> None:
        """Go through the rows.

        Raises:
            Unavailable: `catalog-rebuilding` when the catalog was begun anew meanwhile.
            OverLimit: `inventory-part-size` when the part holds more blocks.
        """
        for kind in _IN_ORDER:
            first: bytes | None = bytes([kind])
            while first is not None:
                first = await self._catalog.ask(partial(self._add_page, first, end_of(bytes([kind]))))
                self._catalog.require_ready()

    def add(self, blocks: Iterable[Named]) -> None:
        """These are named as well. Raises OverLimit(`inventory-part-size`)."""
        first, last = self._part.first(), self._part.last()
        self._found.update((block, nodes) for block, nodes in blocks if first <= block <= last)
        if len(self._found) > self._most:
            raise OverLimit("inventory-part-size", limit=self._most)

    def at(self, node: NodeId, part: Part) -> list[BlockId]:
        """Those in a part of the part of which the node has a share, as far as the catalog knows."""
        first, last = part.first(), part.last()
        return [block for block, nodes in self._found.items() if node in nodes and first <= block <= last]

    def __contains__(self, block: BlockId) -> bool:
        return block in self._found or block in self._noted.named

    async def unchanged(self, blocks: Sequence[BlockId]) -> list[BlockId]:
        """Those of the blocks found that are named now as they were then; the others were released or moved.

        Raises:
            Unavailable: `catalog-rebuilding` when the catalog was begun anew meanwhile.
        """
        kept: list[BlockId] = []
        for start in range(0, len(blocks), ROWS_AT_ONCE):
            kept += await self._catalog.ask(partial(self._unchanged, blocks[start : start + ROWS_AT_ONCE]))
        return kept

    def _watch(self, database: CatalogDatabase) -> CatalogDatabase:
        database.noting = self._noted
        return database

    def _add_page(self, first: bytes, end: bytes, database: CatalogDatabase) -> bytes | None:
        """Add the blocks of the next rows before more is applied; where to go on, if there are more. Blocking."""
        self._require_same(database)
        rows = database.rows.scan(first, end, ROWS_AT_ONCE)
        self.add(_named_in(rows, database.numbers))
        return rows[-1][0] + b"\0" if len(rows) == ROWS_AT_ONCE else None

    def _unchanged(self, blocks: Sequence[BlockId], database: CatalogDatabase) -> list[BlockId]:
        """Blocking."""
        self._require_same(database)
        still = (block for block in blocks if block not in self._noted)
        return [block for block in still if database.rows.get(release_key(block)) is None]

    def _require_same(self, database: CatalogDatabase) -> None:
        if database is not self._database or database.noting is not self._noted:
            raise Unavailable("catalog-rebuilding", namespace=self._namespace)


def placed(block: BlockRef) -> Named:
    """A block, and the nodes that have their share."""
    there = (node for index, node in enumerate(block.placing) if not block.missing >> index & 1)
    return block.block, tuple(there)


def _named_in(rows: Sequence[Pair], numbers: NodeNumbers) -> Iterator[Named]:
    for key, value in rows:
        if key[0] == RowKind.RELEASE:
            yield block_of(key), ()  # some of its holders have let go already
            continue
        run = run_of(key, value)
        yield from map(placed, read_blocks(run, numbers) if run else ())
