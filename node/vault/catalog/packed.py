"""The rows of packs: what moves objects into them, and how much of each is still named.

A pack's row counts its live objects and bytes. It is kept up in the same step in which an object of the pack is
replaced, deleted or moved on, and at none left the pack's block is released.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

from node.vault.catalog.reading import find_version, read_blocks, read_row
from node.vault.catalog.released import ReleasedRows
from node.vault.catalog.rows import CatalogRows
from protocol.coding.header import share_size
from protocol.coding.label import Stamp
from protocol.ids import BlockId
from protocol.namespace.changes import BlockRef, ObjectsPacked, PackedObject
from protocol.tables.keys import inline_key, late_key, pack_key
from protocol.tables.nodes import NodeNumbers, pack_blocks
from protocol.tables.rows import PackedRef, PackRow
from protocol.wire import schema


class PackedRows:
    """Part of an `Applier`."""

    def __init__(self, rows: CatalogRows, numbers: NodeNumbers, released: ReleasedRows) -> None:
        self._rows = rows
        self._numbers = numbers
        self._released = released

    def pack(self, stamp: Stamp, change: ObjectsPacked) -> None:
        """Move those objects that are still what they were; a pack into which none came is released at once."""
        key = pack_key(change.pack.block)
        if self._rows.get(key) is not None:
            return  # said again
        left: Counter[BlockId] = Counter()
        left_bytes: Counter[BlockId] = Counter()
        moved = [one for one in change.objects if self._move(stamp, change.pack, one, left, left_bytes)]
        for block in sorted(left):
            self._lose(stamp, block, left[block], left_bytes[block])
        if not moved:
            self._released.add(stamp, [change.pack])
            return
        put_bytes = sum(one.size_bytes for one in moved)
        row = PackRow(pack_blocks([change.pack], self._numbers), put_bytes, len(moved), put_bytes)
        self._rows.write(stamp, key, schema.encode(row), None)
        if change.pack.missing:
            self._rows.write(stamp, late_key(change.pack.block, key), b"", None)

    def forget(self, stamp: Stamp, packed: PackedRef) -> None:
        """An object of a pack is gone."""
        self._lose(stamp, packed.pack, 1, packed.size_bytes)

    def _move(
        self,
        stamp: Stamp,
        pack: BlockRef,
        one: PackedObject,
        left: Counter[BlockId],
        left_bytes: Counter[BlockId],
    ) -> bool:
        """Name the pack in the object's row, if it is that object. Counts what the packs that it leaves have left."""
        found = find_version(self._rows, one.bucket, one.key, one.version)
        if found is None:
            return False
        key, row = found
        was = row.inline or row.packed
        if was is None or was.size_bytes != one.size_bytes:
            return False
        if isinstance(was, PackedRef):
            if was.pack == pack.block:
                return False  # named twice
            left[was.pack] += 1
            left_bytes[was.pack] += was.size_bytes
        else:
            self._rows.write(stamp, inline_key(Stamp(row.epoch, row.position), key), None, b"")
        share_bytes = pack.n * share_size(pack.k, one.size_bytes)
        packed = PackedRef(pack.block, one.offset, one.size_bytes, was.key)
        after = dataclasses.replace(row, inline=None, packed=packed, share_bytes=share_bytes)
        self._rows.write(stamp, key, schema.encode(after), self._rows.get(key))
        return True

    def _lose(self, stamp: Stamp, block: BlockId, objects: int, size_bytes: int) -> None:
        key = pack_key(block)
        before = self._rows.get(key)
        if before is None:
            return
        row = read_row(PackRow, before)
        if row.live_objects > objects:
            live_objects, live_bytes = row.live_objects - objects, row.live_bytes - size_bytes
            after = dataclasses.replace(row, live_objects=live_objects, live_bytes=live_bytes)
            self._rows.write(stamp, key, schema.encode(after), before)
            return
        (pack,) = read_blocks(row.block, self._numbers)
        self._rows.write(stamp, key, None, before)
        if pack.missing:
            self._rows.write(stamp, late_key(block, key), None, b"")
        self._released.add(stamp, [pack])
