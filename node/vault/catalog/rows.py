"""The catalog's rows in SQLite, and which of them changed since the last checkpoint.

Rows are pairs of bytes (`protocol.tables.rows`) and nothing here knows what they say. Each carries a checksum:
SQLite has none of its own, and a flipped bit in its file would come back as another key or another node. A row that
does not match is damage (`index-damaged`), which journal and tables heal.

Every write marks its key as dirty, with the position of the entry that it comes from, so that a checkpoint writes
what changed and nothing else. `in_tables` says whether a table may know the key: a row that came and went between
two checkpoints leaves no trace. Checkpoints clear the marks of what they cover (`covered`).

Writes are gathered in memory and handed to SQLite together; whoever reads here sees them at once.
"""

from __future__ import annotations

from typing import Any, Final
from zlib import crc32

from node.host.ports import Index
from protocol.coding.label import Stamp
from protocol.errors import Damaged

# Whoever changes these statements, or what rows say, changes `database.FORMAT`.
_STATEMENTS: Final = (
    "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB, checksum INTEGER) WITHOUT ROWID",
    """CREATE TABLE dirty (
        key BLOB PRIMARY KEY, epoch INTEGER, position INTEGER, in_tables INTEGER) WITHOUT ROWID""",
)
_MARK: Final = (
    "INSERT INTO dirty VALUES (?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, position = excluded.position"
)

# As blobs whatever a flipped bit made of their types: the checksum is to find it, not the reading of the statement.
_SELECT: Final = "SELECT key, CAST(value AS BLOB), CAST(checksum AS INTEGER) FROM rows"

# From row to row, each time past all rows that have what the row has up to and with the delimiter. Inside SQLite: a
# page of a thousand common prefixes is a thousand such steps, and each question from here would cost ten of them.
_HOPS: Final = f"""
    WITH RECURSIVE hop (key, number) AS (
        SELECT (SELECT key FROM rows WHERE key >= :first AND key < :end ORDER BY key LIMIT 1), 1
        UNION ALL
        SELECT (
            SELECT rows.key FROM rows
            WHERE rows.key >= CAST(
                CASE instr(substr(hop.key, :behind, length(hop.key) - :behind + 1 - :tail), :delimiter)
                    WHEN 0 THEN hop.key || x'00'
                    ELSE substr(hop.key, 1, :behind - 1
                        + instr(substr(hop.key, :behind, length(hop.key) - :behind + 1 - :tail), :delimiter)
                        + length(:delimiter) - 2) || :above
                END AS BLOB)
            AND rows.key < :end ORDER BY rows.key LIMIT 1
        ), number + 1 FROM hop WHERE hop.key IS NOT NULL AND number < :limit)
    {_SELECT.replace("FROM rows", "FROM hop CROSS JOIN rows USING (key)")} ORDER BY number
"""  # noqa: S608 (made of constants)

# A row: its key and its value.
Pair = tuple[bytes, bytes]


class CatalogRows:
    """All rows of one catalog. Blocking; the caller commits."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._values: dict[bytes, bytes | None] = {}
        self._marks: dict[bytes, tuple[int, int, bool]] = {}

    def create(self) -> None:
        for statement in _STATEMENTS:
            self._index.execute(statement)

    def get(self, key: bytes) -> bytes | None:
        """The value, or None. Raises Damaged(`index-damaged`)."""
        if key in self._values:
            return self._values[key]
        rows: list[Any] = self._index.execute(f"{_SELECT} WHERE key = ?", (key,))
        return checked(*rows[0])[1] if rows else None

    def scan(self, first: bytes, end: bytes, limit: int = -1) -> list[Pair]:
        """The rows with `first` <= key < `end`, in order; at most `limit`. Raises Damaged(`index-damaged`)."""
        self.flush()
        rows: list[Any] = self._index.execute(
            f"{_SELECT} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?", (first, end, limit)
        )
        return [checked(*row) for row in rows]

    def hops(self, first: bytes, end: bytes, behind: int, tail: int, delimiter: bytes, limit: int) -> list[Pair]:
        """As `scan`, but of the rows whose keys are the same up to the first delimiter after `behind` bytes, only the
        first; the last `tail` bytes of keys are not looked at. No more rows are read than are given."""
        self.flush()
        asked: dict[str, object] = {
            "first": first,
            "end": end,
            "behind": behind + 1,
            "tail": tail,
            "delimiter": delimiter,
            "above": end_of(delimiter)[-1:],
            "limit": limit,
        }
        rows: list[Any] = self._index.execute(_HOPS, asked)
        return [checked(*row) for row in rows]

    def scan_prefix(self, prefix: bytes) -> list[Pair]:
        """The rows whose keys begin with `prefix`, in order."""
        return self.scan(prefix, end_of(prefix))

    def count(self, prefix: bytes) -> int:
        """How many rows have keys that begin with `prefix`."""
        self.flush()
        rows: list[Any] = self._index.execute(
            "SELECT COUNT(*) FROM rows WHERE key >= ? AND key < ?", (prefix, end_of(prefix))
        )
        return int(rows[0][0])

    def write(self, stamp: Stamp, key: bytes, value: bytes | None, before: bytes | None) -> None:
        """Make the row's value `value` (None: no row), which is `before` now."""
        if value == before:
            return
        self._values[key] = value
        in_tables = self._marks[key][2] if key in self._marks else before is not None
        self._marks[key] = (stamp.epoch, stamp.position, in_tables)

    def delete(self, stamp: Stamp, key: bytes) -> None:
        """The row, which is there, goes."""
        self.write(stamp, key, None, b"")

    def flush(self) -> None:
        """Hand what was written to SQLite: together, and in the order of the keys, it costs a third."""
        if not self._values:
            return
        kept = sorted((key, value) for key, value in self._values.items() if value is not None)
        gone = sorted(key for key, value in self._values.items() if value is None)
        if kept:
            self._index.execute_many(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)",
                [(key, value, checksum_of(key, value)) for key, value in kept],
            )
        if gone:
            self._index.execute_many("DELETE FROM rows WHERE key = ?", [(key,) for key in gone])
        self._index.execute_many(_MARK, [(key, *mark) for key, mark in sorted(self._marks.items())])
        self.forget()

    def forget(self) -> None:
        """Drop what was written and not flushed."""
        self._values.clear()
        self._marks.clear()

    def covered(self, epoch: int, length: int) -> None:
        """A checkpoint covers all changes before this point: they are dirty no more, and tables know the others."""
        self.flush()
        self._index.execute("DELETE FROM dirty WHERE (epoch, position) < (?, ?)", (epoch, length))
        self._index.execute("UPDATE dirty SET in_tables = 1")

    def dirty_count(self, but: bytes) -> int:
        """How many keys are dirty that do not begin with `but`."""
        rows: list[Any] = self._index.execute(
            "SELECT COUNT(*) FROM dirty WHERE key < ? OR key >= ?", (but, end_of(but))
        )
        return int(rows[0][0])


def end_of(prefix: bytes) -> bytes:
    """Above all keys that begin with `prefix`, and not above any other key."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1])


def checksum_of(key: bytes, value: bytes) -> int:
    """What stands beside a row in the database."""
    return crc32(value, crc32(key))


def checked(key: bytes, value: bytes, checksum: int) -> Pair:
    """The row. Raises Damaged(`index-damaged`) when it does not match its checksum."""
    if checksum != checksum_of(key, value):
        raise Damaged("index-damaged", index="catalog", reason="checksum")
    return key, value
