"""The catalog's tables: what the changes of a journal add up to, in SQLite.

Blocking and single-minded: `CatalogTables.apply` turns the changes of one entry into rows, and the readers turn rows
into values. Every change has a defined effect whatever came before it, so that replaying a journal never fails half
way. Keys are stored as UTF-8 bytes: SQLite then sorts them as S3 does, and a prefix is a range of the primary key.

An object's blocks stand in `parts`, under an owner that no other object has. Blocks whose shares were not all durable
when they were journaled also stand in `late_blocks`, where their completion is noted: rewriting the part for each of
its thousand blocks would be a thousand times the work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from node.host.ports import Index
from node.vault.catalog.rows import (
    OBJECT_COLUMNS,
    CatalogTotals,
    StoredBucket,
    StoredObject,
    StoredPart,
    object_of,
    object_row,
    pack_blocks,
    pack_placing,
    unpack_blocks,
    unpack_placing,
)
from protocol.coding.label import Stamp
from protocol.ids import BlockId, Digest, NamespaceId, NodeId
from protocol.namespace.changes import (
    BlockCompleted,
    BlockRef,
    BucketCreated,
    Change,
    ObjectDeleted,
    ObjectPut,
    PartPut,
)
from protocol.namespace.journal import Tip

# Whoever changes the tables changes this number; a catalog of another number is rebuilt from the journal.
FORMAT: Final = 1

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS applied (
        one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER, namespace BLOB, epoch INTEGER, length INTEGER,
        head BLOB)""",
    "CREATE TABLE IF NOT EXISTS buckets (bucket TEXT PRIMARY KEY, created_s INTEGER) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS objects (
        bucket TEXT, key BLOB, version BLOB, size_bytes INTEGER, digest BLOB, etag TEXT, modified_s INTEGER,
        data_class TEXT, owner BLOB, blocks INTEGER, epoch INTEGER, position INTEGER, inline_offset INTEGER,
        inline_bytes INTEGER, inline_key BLOB, extras BLOB, checksum BLOB, PRIMARY KEY (bucket, key))
        WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS parts (
        owner BLOB, number INTEGER, size_bytes INTEGER, count INTEGER, blocks BLOB, PRIMARY KEY (owner, number))""",
    """CREATE TABLE IF NOT EXISTS late_blocks (
        block BLOB, owner BLOB, number INTEGER, reference BLOB, placing BLOB, PRIMARY KEY (block, owner, number))
        WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS late_by_owner ON late_blocks (owner, number)",
    "CREATE INDEX IF NOT EXISTS late_incomplete ON late_blocks (block) WHERE placing IS NULL",
)


_INSERT_OBJECT: Final = (
    "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # OBJECT_COLUMNS
)


class CatalogTables:
    """All statements over one open index."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def create(self) -> None:
        for statement in _TABLES:
            self._index.execute(statement)
        self._index.commit()

    def applied(self, namespace: NamespaceId, epoch: int) -> Tip | None:
        """How far these tables go; None when they are new, or of another namespace, epoch or format."""
        # Asked before anything else: tables of another format may have other columns, but this one never changes.
        if not self._index.execute("SELECT 1 FROM sqlite_master WHERE name = 'applied'"):
            return None
        rows = self._index.execute("SELECT format, namespace, epoch, length, head FROM applied")
        if len(rows) != 1 or rows[0][:3] != (FORMAT, namespace, epoch):
            return None
        length, head = rows[0][3:]
        if not isinstance(length, int) or not isinstance(head, bytes):
            return None
        return Tip(length, Digest(head))

    def set_applied(self, namespace: NamespaceId, epoch: int, tip: Tip) -> None:
        self._index.execute(
            "INSERT OR REPLACE INTO applied VALUES (1, ?, ?, ?, ?, ?)",
            (FORMAT, namespace, epoch, tip.length, tip.head),
        )

    def commit(self) -> None:
        self._index.commit()

    def close(self) -> None:
        self._index.close()

    def roll_back(self) -> None:
        """Forget what was not committed. Something must have been written since the last commit."""
        self._index.execute("ROLLBACK")

    def apply(self, stamp: Stamp, changes: Iterable[Change]) -> None:
        """Make the rows of one entry's changes; the caller commits."""
        for ordinal, change in enumerate(changes):
            match change:
                case BucketCreated():
                    self._index.execute(
                        "INSERT OR IGNORE INTO buckets VALUES (?, ?)", (change.bucket, change.created_s)
                    )
                case ObjectPut():
                    self._put(stamp, ordinal, change)
                case ObjectDeleted():
                    self._delete(change)
                case PartPut():
                    self._put_part(change.upload, change.number, change.size_bytes, change.blocks)
                case BlockCompleted():
                    self._index.execute(
                        "UPDATE late_blocks SET placing = ? WHERE block = ? AND placing IS NULL",
                        (pack_placing(change.placing), change.block),
                    )

    def bucket(self, bucket: str) -> StoredBucket | None:
        rows: list[Any] = self._index.execute("SELECT bucket, created_s FROM buckets WHERE bucket = ?", (bucket,))
        return StoredBucket(*rows[0]) if rows else None

    def buckets(self) -> tuple[StoredBucket, ...]:
        rows: list[Any] = self._index.execute("SELECT bucket, created_s FROM buckets ORDER BY bucket")
        return tuple(StoredBucket(*row) for row in rows)

    def stat(self, bucket: str, key: str) -> StoredObject | None:
        rows = self._index.execute(
            f"SELECT {OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key = ?",  # noqa: S608
            (bucket, key.encode()),
        )
        return object_of(rows[0]) if rows else None

    def list(self, bucket: str, prefix: str, start_after: str, limit: int) -> tuple[StoredObject, ...]:
        """At most `limit` objects whose keys begin with `prefix` and sort after `start_after`."""
        # No byte of UTF-8 is 0xFF, so this is above every key that begins with the prefix, and below all others.
        end = prefix.encode() + b"\xff"
        rows = self._index.execute(
            f"SELECT {OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key > ? AND key >= ? AND key < ?"  # noqa: S608
            " ORDER BY key LIMIT ?",
            (bucket, start_after.encode(), prefix.encode(), end, limit),
        )
        return tuple(object_of(row) for row in rows)

    def totals(self) -> CatalogTotals:
        rows: list[Any] = self._index.execute("SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM objects")
        late: list[Any] = self._index.execute("SELECT COUNT(*) FROM late_blocks WHERE placing IS NULL")
        return CatalogTotals(rows[0][0], rows[0][1], late[0][0])

    def parts(self, owner: bytes) -> tuple[StoredPart, ...]:
        rows: list[Any] = self._index.execute(
            "SELECT number, size_bytes, count FROM parts WHERE owner = ? ORDER BY number", (owner,)
        )
        return tuple(StoredPart(*row) for row in rows)

    def blocks(self, owner: bytes, number: int) -> tuple[BlockRef, ...]:
        """The blocks of one part, with what is known of their completion."""
        rows: list[Any] = self._index.execute(
            "SELECT blocks FROM parts WHERE owner = ? AND number = ?", (owner, number)
        )
        if not rows:
            return ()
        late: list[Any] = self._index.execute(
            "SELECT block, placing FROM late_blocks WHERE owner = ? AND number = ? AND placing IS NOT NULL",
            (owner, number),
        )
        completed = {block: unpack_placing(placing) for block, placing in late}
        references = unpack_blocks(rows[0][0])
        return tuple(_completed(reference, completed) for reference in references) if completed else references

    def all_blocks(self, owner: bytes) -> tuple[BlockRef, ...]:
        """The blocks of all parts, in order."""
        return tuple(block for part in self.parts(owner) for block in self.blocks(owner, part.number))

    def incomplete(self, after: BlockId | None, limit: int) -> tuple[BlockRef, ...]:
        """Blocks some of whose shares are still to come, in the order of their ids."""
        rows: list[Any] = self._index.execute(
            "SELECT reference FROM late_blocks WHERE placing IS NULL AND block > ?"
            " GROUP BY block ORDER BY block LIMIT ?",
            (after or b"", limit),
        )
        return tuple(unpack_blocks(row[0])[0] for row in rows)

    def _put(self, stamp: Stamp, ordinal: int, put: ObjectPut) -> None:
        key = put.key.encode()
        self._forget_content(put.bucket, key)
        owner = stamp.epoch.to_bytes(8, "big") + stamp.position.to_bytes(8, "big") + ordinal.to_bytes(4, "big")
        count = len(put.blocks)
        if put.blocks:
            self._put_part(owner, 0, put.size_bytes, put.blocks)
        elif put.upload is not None:
            count = self._take_over(put.upload, owner)
        self._index.execute(_INSERT_OBJECT, object_row(put, stamp, owner, count))

    def _delete(self, change: ObjectDeleted) -> None:
        key = change.key.encode()
        if change.version is not None:
            rows = self._index.execute(
                "SELECT version FROM objects WHERE bucket = ? AND key = ?", (change.bucket, key)
            )
            if not rows or rows[0][0] != change.version:
                return
        self._forget_content(change.bucket, key)
        self._index.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (change.bucket, key))

    def _forget_content(self, bucket: str, key: bytes) -> None:
        rows = self._index.execute(
            "SELECT owner FROM objects WHERE bucket = ? AND key = ? AND blocks > 0", (bucket, key)
        )
        for row in rows:
            self._index.execute("DELETE FROM parts WHERE owner = ?", (row[0],))
            self._index.execute("DELETE FROM late_blocks WHERE owner = ?", (row[0],))

    def _put_part(self, owner: bytes, number: int, size_bytes: int, blocks: tuple[BlockRef, ...]) -> None:
        self._index.execute("DELETE FROM late_blocks WHERE owner = ? AND number = ?", (owner, number))
        self._index.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)",
            (owner, number, size_bytes, len(blocks), pack_blocks(blocks)),
        )
        late: list[tuple[object, ...]] = [
            (block.block, owner, number, pack_blocks((block,)), None) for block in blocks if block.missing
        ]
        if late:
            self._index.execute_many("INSERT OR REPLACE INTO late_blocks VALUES (?, ?, ?, ?, ?)", late)

    def _take_over(self, upload: bytes, owner: bytes) -> int:
        """The parts journaled for the upload become the object's. Returns how many blocks they have."""
        self._index.execute("UPDATE parts SET owner = ? WHERE owner = ?", (owner, upload))
        self._index.execute("UPDATE late_blocks SET owner = ? WHERE owner = ?", (owner, upload))
        return sum(part.block_count for part in self.parts(owner))


def _completed(reference: BlockRef, completed: dict[BlockId, tuple[NodeId, ...]]) -> BlockRef:
    placing = completed.get(reference.block)
    if placing is None or len(placing) != reference.n:
        return reference
    return BlockRef(reference.block, reference.key, reference.size_bytes, reference.k, reference.n, placing, 0)
