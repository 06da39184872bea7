"""Filling an empty catalog from the tables of a checkpoint, so that it can be read while the rest still comes.

Pages arrive newest table first, and a row that is there already stays: so every row that has arrived is the newest of
its key. Tombstones are remembered until the end, for the older tables that still come. What arrived is remembered
with the rows, in the same transaction: an arrival that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from node.host.ports import Index
from node.vault.catalog.rows import checksum_of
from protocol.tables.page import TableRow

_STATEMENTS: Final = (
    "CREATE TABLE arriving (manifest BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE arrived (page BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE gone (key BLOB PRIMARY KEY) WITHOUT ROWID",
)
_ADD: Final = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?)"
_ADD_UNLESS_GONE: Final = (
    "INSERT OR IGNORE INTO rows SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM gone WHERE key = ?1)"
)


class ArrivingRows:
    """The statements of an arrival. Blocking; the caller commits."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def manifest(self) -> bytes | None:
        """The block id of the manifest whose tables are arriving; None when none are."""
        if not self._index.execute("SELECT 1 FROM sqlite_master WHERE name = 'arriving'"):
            return None
        rows: list[Any] = self._index.execute("SELECT manifest FROM arriving")
        return rows[0][0] if rows else b""

    def begin(self, manifest: bytes) -> None:
        """The catalog is empty, and is to be filled from this manifest's tables."""
        for statement in _STATEMENTS:
            self._index.execute(statement)
        self._index.execute("INSERT INTO arriving VALUES (?)", (manifest,))

    def has(self, page: bytes) -> bool:
        """Whether the page has arrived."""
        return bool(self._index.execute("SELECT 1 FROM arrived WHERE page = ?", (page,)))

    def add(self, page: bytes, rows: Sequence[TableRow]) -> None:
        """Add a page's rows. All pages of newer tables were added before."""
        statement = _ADD_UNLESS_GONE if self._index.execute("SELECT 1 FROM gone LIMIT 1") else _ADD
        self._index.execute_many(
            statement, [(key, value, checksum_of(key, value)) for key, value in rows if value is not None]
        )
        gone: list[tuple[object, ...]] = [(key,) for key, value in rows if value is None]
        if gone:
            self._index.execute_many("INSERT OR IGNORE INTO gone VALUES (?)", gone)
        self._index.execute("INSERT OR IGNORE INTO arrived VALUES (?)", (page,))

    def end(self) -> None:
        """All pages have arrived."""
        for table in ("arriving", "arrived", "gone"):
            self._index.execute(f"DROP TABLE {table}")
