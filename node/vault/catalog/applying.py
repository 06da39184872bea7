"""What each change of a journal makes of the catalog's rows.

Every change has a defined effect whatever came before it, so that replaying a journal never fails half way. Blocks
whose shares were not all durable when they were journaled have a late row besides, by which their completion finds
the row that names them. What a key named before is forgotten with all its rows in the same step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from node.vault.catalog.packed import PackedRows
from node.vault.catalog.reading import read_blocks, read_row, run_of
from node.vault.catalog.released import ReleasedRows
from node.vault.catalog.rows import CatalogRows
from node.vault.catalog.values import Content, row_of, share_bytes_of
from protocol.coding.label import Stamp
from protocol.errors import Damaged
from protocol.namespace.changes import (
    BlockCompleted,
    BlockRef,
    BlocksReleased,
    BlocksReplaced,
    BucketCreated,
    Change,
    Checkpoint,
    DrillHeld,
    ObjectDeleted,
    ObjectPut,
    ObjectsPacked,
    PartPut,
    UploadAborted,
)
from protocol.tables.nodes import NodeNumbers, in_runs, pack_blocks
from protocol.tables.rows import (
    BLOCKS_PER_RUN,
    BucketRow,
    DrillRow,
    ObjectRow,
    PackRow,
    RowKind,
    UploadRow,
    bucket_key,
    drill_key,
    inline_key,
    late_key,
    late_row,
    lates_of,
    object_key,
    owner_of,
    part_of,
    run_key,
    runs_of,
    upload_key,
)
from protocol.wire import schema


@dataclass(slots=True)
class Sums:
    """What is kept up as rows change, rather than looked up each time."""

    objects: int = 0
    size_bytes: int = 0
    buckets: set[str] = field(default_factory=set)


class Applier:
    """Turns changes into rows. Blocking; the caller commits."""

    def __init__(self, rows: CatalogRows, numbers: NodeNumbers, sums: Sums) -> None:
        self._rows = rows
        self._numbers = numbers
        self._sums = sums
        self._released = ReleasedRows(rows, numbers)
        self._packed = PackedRows(rows, numbers, self._released)

    def apply(self, stamp: Stamp, changes: Iterable[Change]) -> None:
        """Make the rows of one entry's changes."""
        for ordinal, change in enumerate(changes):
            match change:
                case BucketCreated():
                    self._create_bucket(stamp, change)
                case ObjectPut():
                    self._put(stamp, ordinal, change)
                case ObjectDeleted():
                    self._delete(stamp, change)
                case PartPut():
                    self._put_part(stamp, ordinal, change)
                case UploadAborted():
                    self._abort(stamp, change)
                case BlockCompleted():
                    self._complete(stamp, change)
                case BlocksReleased():
                    self._released.remove(stamp, change.blocks)
                case ObjectsPacked():
                    self._packed.pack(stamp, change)
                case Checkpoint():
                    self._rows.covered(change.covers_epoch, change.covers_length)
                case DrillHeld():
                    self._note_drill(stamp, change)
                case BlocksReplaced():
                    self._released.add(stamp, change.blocks)

    def _create_bucket(self, stamp: Stamp, change: BucketCreated) -> None:
        key = bucket_key(change.bucket)
        if self._rows.get(key) is None:
            self._rows.write(stamp, key, schema.encode(BucketRow(change.created_s)), None)
            self._sums.buckets.add(change.bucket)

    def _note_drill(self, stamp: Stamp, change: DrillHeld) -> None:
        key = drill_key()
        before = self._rows.get(key)
        held_s = max(change.at_s, 0 if before is None else read_row(DrillRow, before).held_s)
        self._rows.write(stamp, key, schema.encode(DrillRow(held_s)), before)

    def _put(self, stamp: Stamp, ordinal: int, put: ObjectPut) -> None:
        key = object_key(put.bucket, put.key)
        before = self._rows.get(key)
        if before is not None:
            self._forget(stamp, key, read_row(ObjectRow, before))
        content = Content()
        if put.upload is not None:
            content = self._take_over(stamp, put.upload)
        elif put.blocks:
            content = self._write_blocks(stamp, ordinal, key, put.blocks)
        self._rows.write(stamp, key, schema.encode(row_of(put, stamp, content)), before)
        if put.inline is not None:
            self._rows.write(stamp, inline_key(stamp, key), b"", None)
        self._sums.objects += 1
        self._sums.size_bytes += put.size_bytes

    def _delete(self, stamp: Stamp, change: ObjectDeleted) -> None:
        key = object_key(change.bucket, change.key)
        before = self._rows.get(key)
        if before is None:
            return
        row = read_row(ObjectRow, before)
        if change.version in (None, row.version):
            self._forget(stamp, key, row)
            self._rows.write(stamp, key, None, before)

    def _forget(self, stamp: Stamp, key: bytes, row: ObjectRow) -> None:
        """Drop what belongs to the object's row, which the caller replaces or deletes."""
        self._sums.objects -= 1
        self._sums.size_bytes -= row.size_bytes
        if row.inline is not None:
            self._rows.write(stamp, inline_key(Stamp(row.epoch, row.position), key), None, b"")
        elif row.packed is not None:
            self._packed.forget(stamp, row.packed)
        elif row.blocks:
            self._released.add(stamp, self._drop_late(stamp, key, row.blocks))
        elif row.owner:
            self._released.add(stamp, self._drop_runs(stamp, runs_of(row.owner)))

    def _drop_runs(self, stamp: Stamp, prefix: bytes) -> list[BlockRef]:
        """Delete runs with their late rows; the blocks that they held."""
        dropped: list[BlockRef] = []
        for key, run in self._rows.scan_prefix(prefix):
            dropped += self._drop_late(stamp, key, run)
            self._rows.write(stamp, key, None, run)
        return dropped

    def _drop_late(self, stamp: Stamp, key: bytes, run: bytes) -> Sequence[BlockRef]:
        blocks = read_blocks(run, self._numbers)
        for block in blocks:
            if block.missing:
                self._rows.write(stamp, late_key(block.block, key), None, b"")
        return blocks

    def _write_blocks(self, stamp: Stamp, ordinal: int, key: bytes, blocks: tuple[BlockRef, ...]) -> Content:
        """Few blocks stand in the object's own row, with the key `key`; many in runs."""
        count, share_bytes = len(blocks), share_bytes_of(blocks)
        if count <= BLOCKS_PER_RUN:
            self._write_late(stamp, key, blocks)
            return Content(count, share_bytes, run=pack_blocks(blocks, self._numbers))
        owner = owner_of(stamp, ordinal)
        self._write_runs(stamp, owner, 0, blocks)
        return Content(count, share_bytes, owner=owner)

    def _write_runs(self, stamp: Stamp, owner: bytes, part: int, blocks: tuple[BlockRef, ...]) -> None:
        for number, run in enumerate(in_runs(blocks)):
            key = run_key(owner, part, number)
            self._rows.write(stamp, key, pack_blocks(run, self._numbers), None)
            self._write_late(stamp, key, run)

    def _write_late(self, stamp: Stamp, key: bytes, blocks: Sequence[BlockRef]) -> None:
        for block in blocks:
            late = late_key(block.block, key)
            if block.missing and self._rows.get(late) is None:
                self._rows.write(stamp, late, b"", None)

    def _put_part(self, stamp: Stamp, ordinal: int, part: PartPut) -> None:
        key = upload_key(part.upload)
        before = self._rows.get(key)
        upload = UploadRow(owner_of(stamp, ordinal), 0, 0) if before is None else read_row(UploadRow, before)
        replaced = tuple(self._drop_runs(stamp, part_of(upload.owner, part.number)))
        self._write_runs(stamp, upload.owner, part.number, part.blocks)
        kept = {block.block for block in part.blocks}
        self._released.add(stamp, [block for block in replaced if block.block not in kept])
        count = upload.block_count + len(part.blocks) - len(replaced)
        share_bytes = upload.share_bytes + share_bytes_of(part.blocks) - share_bytes_of(replaced)
        self._rows.write(stamp, key, schema.encode(UploadRow(upload.owner, count, share_bytes)), before)

    def _abort(self, stamp: Stamp, change: UploadAborted) -> None:
        key = upload_key(change.upload)
        before = self._rows.get(key)
        if before is not None:
            self._rows.write(stamp, key, None, before)
            self._released.add(stamp, self._drop_runs(stamp, runs_of(read_row(UploadRow, before).owner)))

    def _take_over(self, stamp: Stamp, upload: bytes) -> Content:
        """The parts journaled for the upload become the object's; the upload is over."""
        key = upload_key(upload)
        before = self._rows.get(key)
        if before is None:
            return Content()
        self._rows.write(stamp, key, None, before)
        row = read_row(UploadRow, before)
        return Content(row.block_count, row.share_bytes, owner=row.owner)

    def _complete(self, stamp: Stamp, change: BlockCompleted) -> None:
        self._released.moved(stamp, change.block, change.placing)
        for late, empty in self._rows.scan_prefix(lates_of(change.block)):
            key = late_row(late)[1]
            value = self._rows.get(key)
            if value is None:
                raise Damaged("index-damaged", index="catalog", reason="late")
            completed = self._completed(key, value, change)
            if completed is not None:
                self._rows.write(stamp, key, completed, value)
                self._rows.write(stamp, late, None, empty)

    def _completed(self, key: bytes, value: bytes, change: BlockCompleted) -> bytes | None:
        """The row with the block completed; None when the placing is not one of that block."""
        blocks = read_blocks(run_of(key, value), self._numbers)
        if any(block.block == change.block and block.n != len(change.placing) for block in blocks):
            return None
        run = pack_blocks([_placed(block, change) for block in blocks], self._numbers)
        match key[0]:
            case RowKind.OBJECT:
                return schema.encode(dataclasses.replace(read_row(ObjectRow, value), blocks=run))
            case RowKind.PACK:
                return schema.encode(dataclasses.replace(read_row(PackRow, value), block=run))
            case _:
                return run


def _placed(block: BlockRef, change: BlockCompleted) -> BlockRef:
    if block.block != change.block or not block.missing:
        return block
    return dataclasses.replace(block, placing=change.placing, missing=0)
