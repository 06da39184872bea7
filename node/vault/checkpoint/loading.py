"""Filling a catalog from the tables of a checkpoint.

A few pages are fetched ahead and added one after the other, newest table first, each in a transaction of its own:
interrupted, it goes on where it stopped, and what has arrived can be read meanwhile
(`Catalog.answer_what_is_final`). A table's last pages come first, as they hold what its objects refer to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

import trio

from node.first_error import first_error
from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.catalog import Catalog
from node.vault.catalog.database import CatalogDatabase
from node.vault.checkpoint.blocks import FetchBlock
from node.vault.checkpoint.writing import fetch_manifest
from protocol.errors import MaillonError
from protocol.namespace.changes import Checkpoint
from protocol.tables.manifest import Manifest, PageRef
from protocol.tables.page import TableRow, decode_page

PAGES_AHEAD: Final = 4

# Told how many rows have arrived, of how many.
Progress = Callable[[int, int], None]


def tell_nobody(_rows: int, _of_rows: int) -> None:
    """Progress that nobody wants to hear of."""


log = get_logger(__name__)


async def load_tables(
    host: Host, catalog: Catalog, fetch: FetchBlock, checkpoint: Checkpoint, touched: Set[bytes], progress: Progress
) -> None:
    """Make the catalog what the checkpoint covers, whatever it was before; entries after that point are for replay.

    Objects that have arrived can be read, but for those with the row keys `touched`: such entries speak of them.

    Raises:
        Unavailable: a block cannot be read now; try again, and it goes on from there.
        Damaged, Malformed, Forged: tables that are none.
    """
    manifest = await fetch_manifest(host, fetch, checkpoint)
    await _begin(catalog, manifest, checkpoint)
    catalog.answer_what_is_final(touched)
    pages = [page for table in manifest.tables for page in reversed(table.pages)]
    of_rows = sum(page.rows for page in pages)
    lacking = await catalog.ask(
        lambda database: [page for page in pages if not database.arriving.has(page.block.block)]
    )
    arrived = of_rows - sum(page.rows for page in lacking)
    progress(arrived, of_rows)
    with first_error():
        async with trio.open_nursery() as nursery:
            send, receive = trio.open_memory_channel[_Coming](PAGES_AHEAD)
            nursery.start_soon(_fetch_ahead, host, fetch, lacking, send, nursery)
            async for coming in receive:
                await coming.came.wait()
                if coming.error is not None:
                    raise coming.error
                await catalog.change(coming.add)
                await host.faults.reach("checkpoint.after-arrival")
                arrived += coming.page.rows
                progress(arrived, of_rows)
    await catalog.change(lambda database: database.end_arrival(manifest))
    log.info("checkpoint.loaded", rows=of_rows, tables=len(manifest.tables))


async def _begin(catalog: Catalog, manifest: Manifest, checkpoint: Checkpoint) -> None:
    block = checkpoint.manifest.block
    if await catalog.ask(lambda database: database.arriving.manifest()) != block:
        await catalog.start_over()
        await catalog.change(lambda database: database.begin_arrival(manifest, block))


@dataclass(slots=True)
class _Coming:
    """A page that is being fetched. An error counts when its turn comes: what came before it is kept."""

    page: PageRef
    rows: Sequence[TableRow] = ()
    error: MaillonError | None = None
    came: trio.Event = field(default_factory=trio.Event)

    def add(self, database: CatalogDatabase) -> None:
        database.arriving.add(self.page.block.block, self.rows)


async def _fetch_ahead(
    host: Host,
    fetch: FetchBlock,
    pages: Sequence[PageRef],
    send: trio.MemorySendChannel[_Coming],
    nursery: trio.Nursery,
) -> None:
    async def fill(coming: _Coming) -> None:
        try:
            plain = await fetch(coming.page.block)
            coming.rows = await host.threads.run_blocking(decode_page, plain)
        except MaillonError as error:
            coming.error = error
        coming.came.set()

    async with send:
        for page in pages:
            coming = _Coming(page)
            nursery.start_soon(fill, coming)
            await send.send(coming)
