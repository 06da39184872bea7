"""What each change of a journal makes of the catalog's rows.

Every change has a defined effect whatever came before it, so that replaying a journal never fails half way. Who
writes which rows: buckets and access keys in `buckets`, objects and their versions in `versions`, uploads in
`uploads`, what they are made of in `contents`, packs in `packed`, and what blocks have references in `released`.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.vault.catalog.buckets import BucketRows
from node.vault.catalog.contents import ContentRows
from node.vault.catalog.packed import PackedRows
from node.vault.catalog.reading import read_row
from node.vault.catalog.released import ReleasedRows
from node.vault.catalog.rows import CatalogRows
from node.vault.catalog.sums import Sums
from node.vault.catalog.uploads import UploadRows
from node.vault.catalog.versions import VersionRows
from protocol.coding.label import Stamp
from protocol.ids import BlockId
from protocol.namespace.changes import (
    BlockCompleted,
    BlocksReleased,
    BlocksReplaced,
    BucketCreated,
    BucketDeleted,
    BucketDocumentPut,
    BucketSet,
    Change,
    Checkpoint,
    DrillHeld,
    KeyCreated,
    KeyRevoked,
    LockReplaced,
    MarkerPut,
    MetadataReplaced,
    ObjectDeleted,
    ObjectPut,
    ObjectsPacked,
    PartPut,
    TagsReplaced,
    UploadAborted,
    UploadBegun,
)
from protocol.tables.keys import drill_key
from protocol.tables.nodes import NodeNumbers
from protocol.tables.rows import DrillRow
from protocol.wire import schema


class Applier:
    """Turns changes into rows. Blocking; the caller commits."""

    def __init__(self, rows: CatalogRows, numbers: NodeNumbers, sums: Sums) -> None:
        self._rows = rows
        self._released = ReleasedRows(rows, numbers)
        self._packed = PackedRows(rows, numbers, self._released)
        self._contents = ContentRows(rows, numbers, self._released, self._packed)
        self._uploads = UploadRows(rows, self._contents, self._released)
        self._versions = VersionRows(rows, sums, self._contents, self._uploads, self._released)
        self._buckets = BucketRows(rows, sums, self._uploads)

    def apply(self, stamp: Stamp, changes: Iterable[Change]) -> set[BlockId]:
        """Make the rows of one entry's changes; the blocks that moved from one row to another."""
        for ordinal, change in enumerate(changes):
            match change:
                case ObjectPut():
                    self._versions.put(stamp, ordinal, change)
                case ObjectDeleted():
                    self._versions.delete(stamp, change)
                case MarkerPut():
                    self._versions.mark(stamp, change)
                case TagsReplaced():
                    self._versions.replace_tags(stamp, change)
                case LockReplaced():
                    self._versions.replace_lock(stamp, change)
                case MetadataReplaced():
                    self._versions.replace_metadata(stamp, change)
                case UploadBegun():
                    self._uploads.begin(stamp, ordinal, change)
                case PartPut():
                    self._uploads.put_part(stamp, ordinal, change)
                case UploadAborted():
                    self._uploads.abort(stamp, change.upload)
                case _:
                    self._apply_other(stamp, change)
        moved, self._contents.moved = self._contents.moved, set()
        return moved

    def _apply_other(self, stamp: Stamp, change: Change) -> None:
        match change:
            case BucketCreated():
                self._buckets.create(stamp, change)
            case BucketDeleted():
                self._buckets.delete(stamp, change)
            case BucketSet():
                self._buckets.set(stamp, change)
            case BucketDocumentPut():
                self._buckets.put_document(stamp, change)
            case KeyCreated():
                self._buckets.create_key(stamp, change)
            case KeyRevoked():
                self._buckets.revoke_key(stamp, change)
            case BlockCompleted():
                self._contents.complete(stamp, change)
            case BlocksReleased():
                self._released.remove(stamp, change.blocks)
            case BlocksReplaced():
                self._released.add(stamp, change.blocks)
            case ObjectsPacked():
                self._packed.pack(stamp, change)
            case Checkpoint():
                self._rows.covered(change.covers_epoch, change.covers_length)
            case DrillHeld():
                self._note_drill(stamp, change)

    def _note_drill(self, stamp: Stamp, change: DrillHeld) -> None:
        key = drill_key()
        before = self._rows.get(key)
        held_s = max(change.at_s, 0 if before is None else read_row(DrillRow, before).held_s)
        self._rows.write(stamp, key, schema.encode(DrillRow(held_s)), before)
