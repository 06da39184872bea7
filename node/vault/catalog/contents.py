"""The rows of what objects are made of: runs of blocks, and what finds them again.

An object of few blocks carries them in its own row; the blocks of others, and of parts, stand in runs under an owner.
Blocks whose shares were not all durable when they were journaled have a late row besides, by which their completion
finds the row that names them; inline bytes have one that finds the object whose they are. So whoever moves or drops a
row that names either goes through here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from node.vault.catalog.packed import PackedRows
from node.vault.catalog.reading import read_blocks, read_row, run_of
from node.vault.catalog.released import ReleasedRows
from node.vault.catalog.rows import CatalogRows
from node.vault.catalog.values import Content, share_bytes_of
from protocol.coding.label import Stamp
from protocol.errors import Damaged
from protocol.ids import BlockId
from protocol.namespace.changes import BlockCompleted, BlockRef
from protocol.tables.keys import inline_key, late_key, late_row, lates_of, owner_of, parts_of, run_key, runs_of
from protocol.tables.nodes import NodeNumbers, in_runs, pack_blocks
from protocol.tables.rows import BLOCKS_PER_RUN, ObjectRow, PackRow, RowKind
from protocol.wire import schema


class ContentRows:
    """Part of an `Applier`. `moved` collects blocks whose row moved, for whoever is going through the rows."""

    def __init__(self, rows: CatalogRows, numbers: NodeNumbers, released: ReleasedRows, packed: PackedRows) -> None:
        self._rows = rows
        self._numbers = numbers
        self._released = released
        self._packed = packed
        self.moved: set[BlockId] = set()

    def write_blocks(self, stamp: Stamp, ordinal: int, key: bytes, blocks: tuple[BlockRef, ...]) -> Content:
        """Few blocks stand in the object's own row, with the key `key`; many in runs."""
        count, share_bytes = len(blocks), share_bytes_of(blocks)
        if count <= BLOCKS_PER_RUN:
            self._write_late(stamp, key, blocks)
            return Content(count, share_bytes, run=pack_blocks(blocks, self._numbers))
        owner = owner_of(stamp, ordinal)
        self.write_runs(stamp, owner, 0, blocks)
        return Content(count, share_bytes, owner=owner)

    def write_runs(
        self, stamp: Stamp, owner: bytes, part: int, blocks: tuple[BlockRef, ...], first_run: int = 0
    ) -> None:
        """The blocks of a part, from the run with this number on."""
        for number, run in enumerate(in_runs(blocks), start=first_run):
            key = run_key(owner, part, number)
            self._rows.write(stamp, key, pack_blocks(run, self._numbers), None)
            self._write_late(stamp, key, run)

    def drop_runs(self, stamp: Stamp, prefix: bytes) -> list[BlockRef]:
        """Delete runs with their late rows; the blocks that they held."""
        dropped: list[BlockRef] = []
        for key, run in self._rows.scan_prefix(prefix):
            dropped += self._drop_late(stamp, key, run)
            self._rows.write(stamp, key, None, run)
        return dropped

    def drop_owned(self, stamp: Stamp, owner: bytes) -> None:
        """Delete all runs and parts of an owner, and release their blocks."""
        for key, part in self._rows.scan_prefix(parts_of(owner)):
            self._rows.write(stamp, key, None, part)
        self._released.add(stamp, self.drop_runs(stamp, runs_of(owner)))

    def drop(self, stamp: Stamp, key: bytes, row: ObjectRow) -> None:
        """Drop what belongs to the object's row, which the caller replaces or deletes."""
        if row.inline is not None:
            self._rows.write(stamp, inline_key(Stamp(row.epoch, row.position), key), None, b"")
        elif row.packed is not None:
            self._packed.forget(stamp, row.packed)
        elif row.blocks:
            self._released.add(stamp, self._drop_late(stamp, key, row.blocks))
        elif row.owner:
            self.drop_owned(stamp, row.owner)

    def move(self, stamp: Stamp, key: bytes, to: bytes, row: ObjectRow) -> None:
        """The object's row stands under another key from now on; there is none under that."""
        before = self._rows.get(key)
        self._rows.write(stamp, key, None, before)
        self._rows.write(stamp, to, before, None)
        if row.inline is not None:
            since = Stamp(row.epoch, row.position)
            self._rows.write(stamp, inline_key(since, key), None, b"")
            self._rows.write(stamp, inline_key(since, to), b"", None)
        elif row.blocks:
            blocks = self._drop_late(stamp, key, row.blocks)
            self._write_late(stamp, to, blocks)
            self.moved.update(block.block for block in blocks)

    def complete(self, stamp: Stamp, change: BlockCompleted) -> None:
        """All shares of a block are durable: say so wherever it is named."""
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
            case RowKind.OBJECT | RowKind.VERSION:
                return schema.encode(dataclasses.replace(read_row(ObjectRow, value), blocks=run))
            case RowKind.PACK:
                return schema.encode(dataclasses.replace(read_row(PackRow, value), block=run))
            case _:
                return run

    def _write_late(self, stamp: Stamp, key: bytes, blocks: Sequence[BlockRef]) -> None:
        for block in blocks:
            late = late_key(block.block, key)
            if block.missing and self._rows.get(late) is None:
                self._rows.write(stamp, late, b"", None)

    def _drop_late(self, stamp: Stamp, key: bytes, run: bytes) -> Sequence[BlockRef]:
        blocks = read_blocks(run, self._numbers)
        for block in blocks:
            if block.missing:
                self._rows.write(stamp, late_key(block.block, key), None, b"")
        return blocks


def _placed(block: BlockRef, change: BlockCompleted) -> BlockRef:
    if block.block != change.block or not block.missing:
        return block
    return dataclasses.replace(block, placing=change.placing, missing=0)
