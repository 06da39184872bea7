"""Writing the tables of a checkpoint: what is frozen, merged with as many tables as the tiers say.

Pages that need not change are taken over; the others are read, merged and written as they come, so that a merge of
any size holds one page of each table. Nothing refers to what is written here before the checkpoint is journaled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from node.host.ports import Host
from node.vault.catalog.catalog import Catalog
from node.vault.catalog.frozen import Frozen
from node.vault.checkpoint.blocks import FetchBlock, TableBlocks
from node.vault.release.unnamed import Writing
from protocol.errors import Damaged
from protocol.namespace.changes import BlockRef, Checkpoint
from protocol.tables.manifest import Manifest, PageRef, TableRef, decode_manifest, encode_manifest
from protocol.tables.merge import Merger
from protocol.tables.page import PageCutter, TableRow, decode_page, encode_page
from protocol.tables.tiers import Merge, kept_pages, next_merge, replacing_since

FROZEN_ROWS_AT_ONCE: Final = 8_192

# The next rows of a source; none at its end.
_Read = Callable[[], Awaitable[Sequence[TableRow]]]


@dataclass(frozen=True, slots=True)
class WrittenTables:
    """A manifest that is durable, and the blocks that nothing needs once its checkpoint is journaled."""

    checkpoint: Checkpoint
    replaced: tuple[BlockRef, ...]


@dataclass(frozen=True, slots=True)
class _Pressed:
    """A page to be stored."""

    plain: bytes
    first: bytes
    last: bytes
    rows: int
    rows_bytes: int
    tombstones: int


class TableWriter:
    """Writes the tables of one namespace."""

    def __init__(self, host: Host, catalog: Catalog, blocks: TableBlocks) -> None:
        self._host = host
        self._catalog = catalog
        self._blocks = blocks

    async def write(self, frozen: Frozen, before: Checkpoint | None, writing: Writing) -> WrittenTables:
        """Tables and manifest for what is frozen, on top of those of the checkpoint before; `writing` notes them.

        Raises:
            Unavailable, Refused: blocks cannot be stored or read now.
            Damaged: the catalog.
        """
        tables, replaced = await self._tables_of(before, frozen)
        merge = next_merge(tables, self._host.wall.now_s())
        inputs = tables[: merge.count]
        kept = await self._kept(inputs, merge)
        table = await self._write_table(frozen, inputs, kept, merge, writing)
        after = tuple(one for one in (table, *tables[merge.count :]) if one.pages)
        manifest = Manifest(*frozen.tip, frozen.objects, frozen.size_bytes, frozen.nodes, after)
        encoded = await self._host.threads.run_blocking(encode_manifest, manifest)
        block = await self._blocks.store(encoded, writing)
        await self._host.faults.reach("checkpoint.after-manifest")
        gone = {page.block.block for one in inputs for page in one.pages} - {page.block.block for page in kept}
        replaced += tuple(page.block for one in inputs for page in one.pages if page.block.block in gone)
        return WrittenTables(Checkpoint(block, *frozen.tip), replaced)

    async def _tables_of(
        self, before: Checkpoint | None, frozen: Frozen
    ) -> tuple[tuple[TableRef, ...], tuple[BlockRef, ...]]:
        """The tables there are, and the block of their manifest."""
        if before is None:
            return (), ()
        manifest = await fetch_manifest(self._host, self._blocks.fetch, before)
        if frozen.nodes[: len(manifest.nodes)] != manifest.nodes:
            # Rows of the tables would name other nodes than rows of the catalog do.
            raise Damaged("index-damaged", index="catalog", reason="nodes")
        return manifest.tables, (before.manifest,)

    async def _kept(self, inputs: Sequence[TableRef], merge: Merge) -> list[PageRef]:
        return await self._catalog.ask(
            lambda database: kept_pages(inputs, database.frozen.has_between, is_oldest=merge.is_oldest)
        )

    async def _write_table(
        self,
        frozen: Frozen,
        inputs: Sequence[TableRef],
        kept: Sequence[PageRef],
        merge: Merge,
        writing: Writing,
    ) -> TableRef:
        taken_over = {page.block.block for page in kept}
        sources = [
            self._frozen_rows(),
            *(
                self._page_rows([page for page in table.pages if page.block.block not in taken_over])
                for table in inputs
            ),
        ]
        merger = Merger(len(sources), is_oldest=merge.is_oldest)
        cutter = PageCutter([page.first for page in kept])
        pages = list(kept)
        while True:
            for number in merger.hungry():
                merger.feed(number, await sources[number]())
            pressed, is_end = await self._host.threads.run_blocking(_press, merger, cutter)
            pages += [await self._store(page, writing) for page in pressed]
            if is_end:
                break
        replacing = 0 if merge.is_oldest else frozen.replacing + sum(table.replacing for table in inputs)
        since_s = replacing_since(inputs, frozen.replacing, self._host.wall.now_s()) if replacing else 0
        return TableRef(merge.tier, replacing, since_s, tuple(sorted(pages, key=lambda page: page.first)))

    async def _store(self, page: _Pressed, writing: Writing) -> PageRef:
        block = await self._blocks.store(page.plain, writing)
        await self._host.faults.reach("checkpoint.after-page")
        return PageRef(block, page.first, page.last, page.rows, page.rows_bytes, page.tombstones)

    def _frozen_rows(self) -> _Read:
        last = b""

        async def read() -> Sequence[TableRow]:
            nonlocal last
            after = last
            rows = await self._catalog.ask(lambda database: database.frozen.after(after, FROZEN_ROWS_AT_ONCE))
            last = rows[-1][0] if rows else last
            return rows

        return read

    def _page_rows(self, pages: Sequence[PageRef]) -> _Read:
        waiting = iter(pages)

        async def read() -> Sequence[TableRow]:
            page = next(waiting, None)
            if page is None:
                return ()
            return await self._host.threads.run_blocking(decode_page, await self._blocks.fetch(page.block))

        return read


async def fetch_manifest(host: Host, fetch: FetchBlock, checkpoint: Checkpoint) -> Manifest:
    """The manifest that the checkpoint names.

    Raises:
        Damaged: `checkpoint-manifest` when it is that of another point.
        Unavailable, Forged: as a block. Malformed: as `decode_manifest`.
    """
    manifest = await host.threads.run_blocking(decode_manifest, await fetch(checkpoint.manifest))
    point = (manifest.covers_epoch, manifest.covers_length, manifest.covers_head)
    if point != (checkpoint.covers_epoch, checkpoint.covers_length, checkpoint.covers_head):
        raise Damaged("checkpoint-manifest", epoch=checkpoint.covers_epoch, length=checkpoint.covers_length)
    return manifest


def _press(merger: Merger, cutter: PageCutter) -> tuple[list[_Pressed], bool]:
    """One step of the merge: the pages that are full now, and whether that is all. Blocking."""
    rows = merger.step()
    full = cutter.end() if rows is None else cutter.add(rows)
    return [_pressed(page) for page in full], rows is None


def _pressed(page: list[TableRow]) -> _Pressed:
    tombstones = sum(1 for _key, value in page if value is None)
    rows_bytes = sum(len(key) + len(value or b"") for key, value in page)
    return _Pressed(encode_page(page), page[0][0], page[-1][0], len(page), rows_bytes, tombstones)
