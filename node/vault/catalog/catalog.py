"""The catalog: a namespace's index, and nothing but a cache of its journal.

It holds what the journal's changes add up to, and the tip up to which they were applied, in one SQLite transaction
each time: so at any moment, also in a copy restored from last week, tip and tables agree. Entries before the tip are
skipped, an entry beyond the next is a bug, and a catalog that is missing, damaged, of another format or ahead of its
journal is thrown away and filled again (`start_over`, then `apply` from the first entry on). Until whoever replays
says `ready`, every question is answered with `catalog-rebuilding` rather than with half the truth.

The database is used by one thread at a time, so a reader never sees half an entry either.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Final, TypeVar

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.rows import CatalogTotals, InlineAt, StoredBucket, StoredObject, StoredPart
from node.vault.catalog.tables import CatalogTables
from protocol.coding.label import Stamp
from protocol.errors import Damaged, Missing, Unavailable
from protocol.ids import BlockId, NamespaceId, short_text_of, text_of
from protocol.namespace.changes import BlockRef, Change
from protocol.namespace.journal import Opening, Tip, start_of

__all__ = ["Applied", "Catalog", "CatalogTotals", "InlineAt", "StoredBucket", "StoredObject", "StoredPart"]

INDEX_FOLDER: Final = PurePath("index")
LIST_MAX: Final = 10_000
_FILE_SUFFIXES: Final = ("", "-wal", "-shm")

T = TypeVar("T")

# One entry to apply: the tip after it, and what it says.
Applied = tuple[Tip, Sequence[Change]]

log = get_logger(__name__)


class Catalog:
    """One namespace's index. Open it, replay what it lacks, call `set_ready`, then ask."""

    def __init__(self, host: Host, opening: Opening) -> None:
        self._host = host
        self._namespace = opening.namespace
        self._epoch = opening.epoch
        self._start = start_of(opening)
        self._path = catalog_path(opening.namespace)
        self._tables: CatalogTables | None = None
        self._tip = self._start
        self._turn = trio.Lock()
        self._ready = trio.Event()
        self._damage = trio.Event()

    @property
    def is_damaged(self) -> bool:
        """The database was found damaged: `start_over` and replay."""
        return self._damage.is_set()

    @property
    def tip(self) -> Tip:
        """The last entry applied."""
        return self._tip

    async def open(self) -> Tip:
        """Open what is there, or an empty catalog instead of it. Returns the tip to replay from."""
        async with self._turn:
            if self._tables is None:
                await self._host.threads.run_blocking(self._open_blocking)
        return self._tip

    async def start_over(self) -> None:
        """Throw the catalog away and begin an empty one."""
        self._ready = trio.Event()
        async with self._turn:
            await self._host.threads.run_blocking(self._start_over_blocking)

    def set_ready(self) -> None:
        """All that is acknowledged was applied: questions are answered from now on."""
        self._damage = trio.Event()
        self._ready.set()

    async def wait_ready(self) -> None:
        await self._ready.wait()

    async def wait_damaged(self) -> None:
        """Return once the database was found damaged."""
        await self._damage.wait()

    async def apply(self, entries: Sequence[Applied]) -> None:
        """Apply entries that follow each other, in one transaction; those before the tip are skipped.

        Raises:
            Damaged: `catalog-gap` when an entry is missing before them; `index-damaged`.
        """
        async with self._turn:
            await self._guarded(self._apply_blocking, entries)

    async def close(self) -> None:
        async with self._turn:
            if self._tables is not None:
                await self._host.threads.run_blocking(self._tables.close)
            self._tables = None

    async def bucket(self, bucket: str) -> StoredBucket:
        """Raises Missing(`bucket-missing`)."""
        found = await self._ask(lambda tables: tables.bucket(bucket))
        if found is None:
            raise Missing("bucket-missing", bucket=bucket)
        return found

    async def buckets(self) -> tuple[StoredBucket, ...]:
        return await self._ask(lambda tables: tables.buckets())

    async def stat(self, bucket: str, key: str) -> StoredObject:
        """What the key names. Raises Missing(`bucket-missing` or `object-missing`)."""
        found = await self._ask(lambda tables: tables.stat(bucket, key))
        if found is None:
            await self.bucket(bucket)
            raise Missing("object-missing", bucket=bucket, key=key)
        return found

    async def whole(self, bucket: str, key: str) -> tuple[StoredObject, tuple[BlockRef, ...]]:
        """What the key names and all its blocks, as of one moment: it may be another object at the next.

        Raises:
            Missing: `bucket-missing` or `object-missing`.
        """
        found = await self._ask(lambda tables: _whole(tables, bucket, key))
        if found is None:
            await self.bucket(bucket)
            raise Missing("object-missing", bucket=bucket, key=key)
        return found

    async def list(
        self, bucket: str, *, prefix: str = "", start_after: str = "", limit: int = 1_000
    ) -> tuple[StoredObject, ...]:
        """The next objects in the order of their keys' UTF-8 bytes. Raises Missing(`bucket-missing`)."""
        count = max(0, min(limit, LIST_MAX))
        found = await self._ask(lambda tables: tables.list(bucket, prefix, start_after, count))
        if not found:
            await self.bucket(bucket)
        return found

    async def parts(self, stored: StoredObject) -> tuple[StoredPart, ...]:
        """The runs of blocks that make up the object, in order; none for inline and empty objects."""
        return await self._ask(lambda tables: tables.parts(stored.owner))

    async def part_blocks(self, stored: StoredObject, number: int) -> tuple[BlockRef, ...]:
        """The blocks of one part. Raises Missing(`object-missing`) when the object was replaced meanwhile."""
        blocks = await self._ask(lambda tables: tables.blocks(stored.owner, number))
        if not blocks:
            raise Missing("object-missing", bucket=stored.bucket, key=stored.key)
        return blocks

    async def blocks(self, stored: StoredObject) -> tuple[BlockRef, ...]:
        """All blocks of the object, in order. Raises Missing(`object-missing`) when it was replaced meanwhile."""
        blocks = await self._ask(lambda tables: tables.all_blocks(stored.owner)) if stored.block_count else ()
        if len(blocks) != stored.block_count:
            raise Missing("object-missing", bucket=stored.bucket, key=stored.key)
        return blocks

    async def incomplete(self, *, after: BlockId | None = None, limit: int = 100) -> tuple[BlockRef, ...]:
        """Blocks some of whose shares are still to come, in the order of their ids, after `after`."""
        return await self._ask(lambda tables: tables.incomplete(after, max(0, min(limit, LIST_MAX))))

    async def totals(self) -> CatalogTotals:
        return await self._ask(lambda tables: tables.totals())

    async def _ask(self, question: Callable[[CatalogTables], T]) -> T:
        async with self._turn:
            if self._tables is None or not self._ready.is_set():
                raise Unavailable("catalog-rebuilding", namespace=self._namespace)
            return await self._guarded(question, self._tables)

    async def _guarded(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await self._host.threads.run_blocking(work, *arguments)
        except Damaged as error:
            log.warning("catalog.damaged", namespace=short_text_of(self._namespace), error=str(error))
            self._ready = trio.Event()
            self._damage.set()
            raise

    def _apply_blocking(self, entries: Sequence[Applied]) -> None:
        tables = self._tables
        if tables is None:
            raise Unavailable("catalog-rebuilding", namespace=self._namespace)
        tip = self._tip
        following = [(after, changes) for after, changes in entries if after.length > tip.length]
        if not following:
            return
        try:
            for after, changes in following:
                if after.length != tip.length + 1:
                    raise Damaged("catalog-gap", namespace=self._namespace, length=tip.length, found=after.length)
                tables.apply(Stamp(self._epoch, tip.length), changes)
                tip = after
            tables.set_applied(self._namespace, self._epoch, tip)
            tables.commit()
        except BaseException:
            with contextlib.suppress(Exception):
                tables.roll_back()
            raise
        self._tip = tip

    def _open_blocking(self) -> None:
        try:
            tables = CatalogTables(self._host.open_index(self._path))
            tip = tables.applied(self._namespace, self._epoch)
        except Damaged as error:
            log.warning("catalog.damaged", namespace=short_text_of(self._namespace), error=str(error))
            self._start_over_blocking()
            return
        self._tables = tables
        if tip is None:
            self._start_over_blocking()
        else:
            self._tip = tip

    def _start_over_blocking(self) -> None:
        if self._tables is not None:
            with contextlib.suppress(Exception):
                self._tables.close()
        self._tables = None
        for suffix in _FILE_SUFFIXES:
            path = self._path.with_name(self._path.name + suffix)
            if self._host.disk.exists(path):
                self._host.disk.remove(path)
        tables = CatalogTables(self._host.open_index(self._path))
        tables.create()
        tables.set_applied(self._namespace, self._epoch, self._start)
        tables.commit()
        self._tables, self._tip = tables, self._start


def _whole(tables: CatalogTables, bucket: str, key: str) -> tuple[StoredObject, tuple[BlockRef, ...]] | None:
    stored = tables.stat(bucket, key)
    return None if stored is None else (stored, tables.all_blocks(stored.owner) if stored.block_count else ())


def catalog_path(namespace: NamespaceId) -> PurePath:
    """Below the node's folder."""
    return INDEX_FOLDER / f"catalog-{text_of(namespace)}.sqlite"
