"""The catalog's database: its rows, how far they go, and the questions that are asked of them.

Tip, sums and node numbers are written in the same transaction as the rows, so that they agree with them at any
moment, also in a copy restored from last week. Blocking and single-minded: one thread at a time, the caller commits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from node.host.ports import Index
from node.vault.catalog.applying import Applier
from node.vault.catalog.arrival import ArrivingRows
from node.vault.catalog.buckets import read_buckets, read_keys
from node.vault.catalog.frozen import Frozen, FrozenRows
from node.vault.catalog.noting import Noting
from node.vault.catalog.reading import find_version, read_blocks, read_row, run_of
from node.vault.catalog.rows import CatalogRows, Pair, end_of
from node.vault.catalog.sums import Sums
from node.vault.catalog.values import (
    NOWHERE,
    CatalogTip,
    CatalogTotals,
    PendingRelease,
    StoredObject,
    StoredPack,
    StoredPart,
    StoredUpload,
    object_of,
    part_of,
    upload_of,
)
from protocol.coding.label import Stamp
from protocol.errors import Damaged
from protocol.ids import BlockId, Digest, NamespaceId, NodeId
from protocol.namespace.changes import BlockRef, Change, Checkpoint, PackedObject
from protocol.tables.keys import (
    begun_key,
    block_of,
    document_key,
    drill_key,
    inline_key,
    inline_row,
    late_row,
    lates_of,
    null_key,
    number_of,
    pack_key,
    part_key,
    parts_of,
    release_key,
    runs_of,
    upload_key,
    versions_at,
)
from protocol.tables.keys import part_of as runs_of_part
from protocol.tables.manifest import Manifest
from protocol.tables.nodes import NodeNumbers
from protocol.tables.rows import (
    BegunRow,
    DocumentRow,
    DrillRow,
    NullRow,
    ObjectRow,
    PackRow,
    PartRow,
    ReleaseRow,
    RowKind,
)
from protocol.wire import schema

# Whoever changes the tables or what rows say changes this number; a catalog of another number is rebuilt.
FORMAT: Final = 6

_STATEMENTS: Final = (
    """CREATE TABLE applied (
        one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER, namespace BLOB, epoch INTEGER, length INTEGER,
        head BLOB, objects INTEGER, size_bytes INTEGER, checkpoint BLOB, checkpoint_epoch INTEGER)""",
    "CREATE TABLE nodes (number INTEGER PRIMARY KEY, node BLOB)",
)


# Puts go to random places of a large catalog: a cache of 32 MiB
# (all namespaces together have twice that: `node.host.index`), and pages that are written to the file less often.
_PRAGMAS: Final = ("PRAGMA cache_size = -32768", "PRAGMA wal_autocheckpoint = 4000")


class CatalogDatabase:
    """One open catalog."""

    def __init__(self, index: Index) -> None:
        self._index = index
        for pragma in _PRAGMAS:
            index.execute(pragma)
        self.rows = CatalogRows(index)
        self.frozen = FrozenRows(index)
        self.arriving = ArrivingRows(index)
        self.checkpoint: Checkpoint | None = None
        self.checkpoint_epoch = 0
        self.tip = NOWHERE
        # For whoever is going through the rows meanwhile.
        self.noting: Noting | None = None
        self._set_state(Sums(), NodeNumbers())

    def _set_state(self, sums: Sums, numbers: NodeNumbers) -> None:
        # Another thread may look one thing up in the sums, or copy them all.
        self.sums, self._numbers, self._numbers_saved = sums, numbers, len(numbers)
        self._applier = Applier(self.rows, numbers, sums)

    def create(self, namespace: NamespaceId) -> None:
        """Make an empty catalog of an empty database."""
        for statement in _STATEMENTS:
            self._index.execute(statement)
        self.rows.create()
        self._index.execute(
            "INSERT INTO applied VALUES (1, ?, ?, ?, ?, ?, 0, 0, NULL, 0)", (FORMAT, bytes(namespace), *NOWHERE)
        )
        self.commit()

    def read(self, namespace: NamespaceId) -> bool:
        """Find out how far the rows go; False when they are none, or of another namespace or format."""
        # Asked before anything else: another format may have other columns, but these two never change.
        if not self._index.execute("SELECT 1 FROM sqlite_master WHERE name = 'applied'"):
            return False
        if self._index.execute("SELECT format, namespace FROM applied") != [(FORMAT, bytes(namespace))]:
            return False
        self._read_state()
        return True

    def _read_state(self) -> None:
        rows: list[Any] = self._index.execute(
            "SELECT epoch, length, head, objects, size_bytes, checkpoint, checkpoint_epoch FROM applied"
        )
        epoch, length, head, objects, size_bytes, checkpoint, self.checkpoint_epoch = rows[0]
        self.checkpoint = None if checkpoint is None else read_row(Checkpoint, checkpoint)
        nodes: list[Any] = self._index.execute("SELECT node FROM nodes ORDER BY number")
        self.tip = CatalogTip(epoch, length, Digest(head))
        self._set_state(self._read_sums(objects, size_bytes), NodeNumbers(NodeId(row[0]) for row in nodes))

    def _read_sums(self, objects: int, size_bytes: int) -> Sums:
        return Sums(objects, size_bytes, read_buckets(self.rows), read_keys(self.rows))

    def apply(self, stamp: Stamp, changes: Sequence[Change]) -> None:
        """Make the rows of one entry's changes; `set_tip` and `commit` follow."""
        moved, noting = self._applier.apply(stamp, changes), self.noting
        if noting is not None:
            noting.take(changes, moved)
        for change in changes:
            if isinstance(change, Checkpoint):
                self.checkpoint, self.checkpoint_epoch = change, stamp.epoch

    @property
    def numbers(self) -> NodeNumbers:
        """Which node each number in a row stands for."""
        return self._numbers

    def dirty_count(self) -> int:
        """How many rows changed since the last checkpoint, but for inline rows: they come and go with every put."""
        return self.rows.dirty_count(bytes([RowKind.INLINE]))

    def freeze(self) -> Frozen:
        """Keep what is dirty now for a checkpoint; the caller commits."""
        rows, replacing = self.frozen.freeze()
        return Frozen(self.tip, self.sums.objects, self.sums.size_bytes, self._numbers.nodes, rows, replacing)

    def begin_arrival(self, manifest: Manifest, block: BlockId) -> None:
        """This catalog is empty, and the tables of the manifest are to fill it; the caller commits."""
        self.arriving.begin(block)
        self._set_state(Sums(), NodeNumbers(manifest.nodes))
        self._numbers_saved = 0
        self.set_tip(NOWHERE)

    def end_arrival(self, manifest: Manifest) -> None:
        """All tables have arrived; the caller commits."""
        self.arriving.end()
        self._set_state(self._read_sums(manifest.objects, manifest.size_bytes), self._numbers)
        self.set_tip(CatalogTip(manifest.covers_epoch, manifest.covers_length, manifest.covers_head))

    def set_tip(self, tip: CatalogTip) -> None:
        """All up to here was applied; the caller commits."""
        new = self._numbers.since(self._numbers_saved)
        if new:
            first = self._numbers_saved
            self._index.execute_many(
                "INSERT INTO nodes VALUES (?, ?)", [(first + at, bytes(node)) for at, node in enumerate(new)]
            )
        self._index.execute(
            "UPDATE applied SET epoch = ?, length = ?, head = ?, objects = ?, size_bytes = ?, checkpoint = ?,"
            " checkpoint_epoch = ?",
            (*tip, self.sums.objects, self.sums.size_bytes, self._encoded_checkpoint(), self.checkpoint_epoch),
        )
        self.tip = tip

    def _encoded_checkpoint(self) -> bytes | None:
        return None if self.checkpoint is None else schema.encode(self.checkpoint)

    def commit(self) -> None:
        self.rows.flush()
        self._index.commit()
        self._numbers_saved = len(self._numbers)

    def roll_back(self) -> None:
        """Forget what was not committed."""
        self.rows.forget()
        with contextlib.suppress(Exception):  # nothing may have been written yet
            self._index.execute("ROLLBACK")
        self._read_state()

    def close(self) -> None:
        self._index.close()

    def stat(self, bucket: str, key: str, version: bytes | None = None) -> StoredObject | None:
        """What the key names, or that version of it."""
        found = find_version(self.rows, bucket, key, version)
        return None if found is None else object_of(*found)

    def null(self, bucket: str, key: str) -> StoredObject | None:
        """The version of the key that is named null."""
        named = self.stat(bucket, key)
        if named is not None and named.is_null:
            return named
        value = self.rows.get(null_key(bucket, key))
        return None if value is None else self.stat(bucket, key, read_row(NullRow, value).version)

    def newest(self, bucket: str, key: str) -> StoredObject | None:
        """The newest of a key's older versions and markers."""
        first = versions_at(bucket, key)
        rows = self.rows.scan(first, end_of(first), 1)
        return object_of(rows[0][0], read_row(ObjectRow, rows[0][1])) if rows else None

    def document(self, bucket: str, name: str) -> bytes | None:
        value = self.rows.get(document_key(bucket, name))
        return None if value is None else read_row(DocumentRow, value).document

    def upload(self, upload: bytes) -> StoredUpload | None:
        value = self.rows.get(begun_key(upload))
        return None if value is None else upload_of(upload, read_row(BegunRow, value))

    def parts(self, owner: bytes, after: int, limit: int) -> tuple[StoredPart, ...]:
        """Whole parts by number; a client's that is not all there is left out."""
        found: list[StoredPart] = []
        while len(found) < limit:
            rows = self.rows.scan(part_key(owner, after + 1), end_of(parts_of(owner)), limit - len(found))
            if not rows:
                break
            parts = (part_of(number_of(key), read_row(PartRow, value)) for key, value in rows)
            found += [part for part in parts if part.etag]
            after = number_of(rows[-1][0])
        return tuple(found)

    def blocks(self, stored: StoredObject) -> tuple[BlockRef, ...]:
        """The object's blocks in order, or its pack; fewer when it was replaced meanwhile, or not all has arrived."""
        if stored.packed is not None:
            pack = self.rows.get(pack_key(stored.packed.pack))
            return () if pack is None else (self._pack(pack).block,)
        if not stored.owner:
            return read_blocks(stored.run, self._numbers) if stored.run else ()
        runs = self.rows.scan_prefix(runs_of(stored.owner))
        return tuple(block for _key, run in runs for block in read_blocks(run, self._numbers))

    def span(self, stored: StoredObject, first: int, end: int) -> tuple[tuple[BlockRef, ...], int]:
        """Blocks of an object of runs that have its bytes [first, end), and how many bytes come before them. Of an
        object in parts, no other parts are read. None, as long as not all has arrived that says where they are."""
        found: list[BlockRef] = []
        begin, skipped, wanted_bytes = 0, 0, 0
        parts = self.rows.scan_prefix(parts_of(stored.owner))
        for key, value in parts:
            stop = begin + read_row(PartRow, value).size_bytes
            if begin < end and stop > first:
                skipped = skipped if found else begin
                runs = self.rows.scan_prefix(runs_of_part(stored.owner, number_of(key)))
                found += [block for _key, run in runs for block in read_blocks(run, self._numbers)]
                wanted_bytes += stop - begin
            begin = stop
        if not parts:
            found, begin, wanted_bytes = list(self.blocks(stored)), stored.size_bytes, stored.size_bytes
        is_whole = begin == stored.size_bytes and sum(block.size_bytes for block in found) == wanted_bytes
        return (tuple(found), skipped) if is_whole else ((), 0)

    def incomplete(self, after: BlockId | None, limit: int) -> tuple[BlockRef, ...]:
        """Blocks some of whose shares are still to come, in the order of their ids."""
        every = lates_of(b"")
        first = every if after is None else end_of(lates_of(after))
        found: dict[BlockId, BlockRef] = {}
        while len(found) < limit:
            rows = self.rows.scan(first, end_of(every), limit)
            if not rows:
                break
            for key, _empty in rows:
                block, named_by = late_row(key)
                if block not in found and len(found) < limit:
                    found[block] = self._late(block, named_by)
            first = end_of(lates_of(late_row(rows[-1][0])[0]))
        return tuple(found.values())

    def releases(self, after: BlockId | None, limit: int) -> tuple[PendingRelease, ...]:
        """Blocks that nothing refers to any more, in the order of their ids."""
        return tuple(
            PendingRelease(block_of(key), tuple(self._numbers.node(n) for n in read_row(ReleaseRow, value).nodes))
            for key, value in self._blocks_after(release_key(b""), after, limit)
        )

    def uploads(self, limit: int) -> tuple[bytes, ...]:
        """Objects under way, parts of which the writer journaled by itself."""
        prefix = upload_key(b"")
        return tuple(key[len(prefix) :] for key, _ in self.rows.scan(prefix, end_of(prefix), limit))

    def packs(self, after: BlockId | None, limit: int) -> tuple[StoredPack, ...]:
        """Packs in the order of their ids."""
        return tuple(self._pack(value) for _, value in self._blocks_after(pack_key(b""), after, limit))

    def inline(self, after: StoredObject | None, limit: int) -> tuple[StoredObject, ...]:
        """Objects that are inline, those in the journal's oldest entries first."""
        prefix = bytes([RowKind.INLINE])
        first = prefix
        if after is not None:
            first = inline_key(after.stamp, after.row_key) + b"\0"
        found = []
        for key, _ in self.rows.scan(first, end_of(prefix), limit):
            stamp, name = inline_row(key)
            value = self.rows.get(name)
            stored = None if value is None else object_of(name, read_row(ObjectRow, value))
            if stored is None or stored.inline is None or stored.stamp != stamp:
                raise Damaged("index-damaged", index="catalog", reason="inline")
            found.append(stored)
        return tuple(found)

    def still_packed(self, pack: BlockId, objects: Iterable[PackedObject]) -> tuple[StoredObject, ...]:
        """Those of a pack's objects that still name it."""
        found = (self.stat(one.bucket, one.key, one.version) for one in objects)
        return tuple(one for one in found if one is not None and one.packed is not None and one.packed.pack == pack)

    def _blocks_after(self, prefix: bytes, after: BlockId | None, limit: int) -> Sequence[Pair]:
        first = prefix if after is None else end_of(prefix + after)
        return self.rows.scan(first, end_of(prefix), limit)

    def _pack(self, value: bytes) -> StoredPack:
        row = read_row(PackRow, value)
        (block,) = read_blocks(row.block, self._numbers)
        return StoredPack(block, row.put_bytes, row.live_objects, row.live_bytes)

    def oldest_inline(self) -> Stamp | None:
        """The oldest entry that has bytes of small objects which are nowhere else; None when there are none."""
        prefix = bytes([RowKind.INLINE])
        rows = self.rows.scan(prefix, end_of(prefix), 1)
        return inline_row(rows[0][0])[0] if rows else None

    def totals(self) -> CatalogTotals:
        incomplete, releasing = self.rows.count(lates_of(b"")), self.rows.count(release_key(b""))
        return CatalogTotals(self.sums.objects, self.sums.size_bytes, incomplete, releasing, self._drill_s())

    def _drill_s(self) -> int | None:
        value = self.rows.get(drill_key())
        return None if value is None else read_row(DrillRow, value).held_s

    def _late(self, block: BlockId, named_by: bytes) -> BlockRef:
        value = self.rows.get(named_by)
        if value is not None:
            for found in read_blocks(run_of(named_by, value), self._numbers):
                if found.block == block:
                    return found
        raise Damaged("index-damaged", index="catalog", reason="late")
