"""What changed since the last checkpoint, as of one moment: what a checkpoint writes while the catalog goes on.

Freezing copies the dirty rows into a table of their own in the same database, in one step with the tip: so a
checkpoint says what the journal added up to at exactly that tip, and holds none of it in memory. Rows are checked
against their checksums as they are read back: damage must not reach the tables that would have to heal it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from node.host.ports import Index
from node.vault.catalog.rows import checked
from node.vault.catalog.values import CatalogTip
from protocol.ids import NodeId
from protocol.tables.page import TableRow

_FREEZE: Final = (
    "INSERT INTO frozen SELECT dirty.key, rows.value, rows.checksum, dirty.in_tables"
    " FROM dirty LEFT JOIN rows ON rows.key = dirty.key WHERE rows.key IS NOT NULL OR dirty.in_tables"
    " ORDER BY dirty.key"
)


@dataclass(frozen=True, slots=True)
class Frozen:
    """The moment, what all rows added up to then, and how many of them are frozen.

    `replacing` of the frozen rows may stand for one in a table.
    """

    tip: CatalogTip
    objects: int
    size_bytes: int
    nodes: tuple[NodeId, ...]
    rows: int
    replacing: int


class FrozenRows:
    """The copy. Blocking; the caller commits."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def freeze(self) -> tuple[int, int]:
        """Copy what is dirty now; how many rows these are, and how many may replace one in a table."""
        self.thaw()
        self._index.execute(
            "CREATE TABLE frozen"
            " (key BLOB PRIMARY KEY, value BLOB, checksum INTEGER, replacing INTEGER) WITHOUT ROWID"
        )
        self._index.execute(_FREEZE)
        counts: list[Any] = self._index.execute("SELECT COUNT(*), COALESCE(SUM(replacing), 0) FROM frozen")
        rows, replacing = counts[0]
        return rows, replacing

    def after(self, key: bytes, limit: int) -> list[TableRow]:
        """The next frozen rows after a key, in order. Raises Damaged(`index-damaged`)."""
        rows: list[Any] = self._index.execute(
            "SELECT key, value, checksum FROM frozen WHERE key > ? ORDER BY key LIMIT ?", (key, limit)
        )
        return [(key, None) if value is None else checked(key, value, checksum) for key, value, checksum in rows]

    def has_between(self, first: bytes, last: bytes) -> bool:
        """Whether a frozen row has a key between these, both included."""
        return bool(self._index.execute("SELECT 1 FROM frozen WHERE key BETWEEN ? AND ? LIMIT 1", (first, last)))

    def thaw(self) -> None:
        """Forget the copy."""
        self._index.execute("DROP TABLE IF EXISTS frozen")
