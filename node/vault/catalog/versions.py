"""What changes about objects make of the catalog's rows: what a key names, and what it named before.

What a key names stands in its OBJECT row. In a bucket that keeps versions, what a put or a deletion takes the place
of moves to a VERSION row instead of going, and a deletion leaves a marker there; when the newest version is deleted
for good, the one before it moves back, unless it is a marker. One version of a key may be the null one: what was put
while versions were not kept, or no longer. So every change has a defined effect whatever came before it, and
replaying a journal never fails half way.
"""

from __future__ import annotations

import dataclasses

from node.vault.catalog.contents import ContentRows
from node.vault.catalog.reading import find_version, read_row
from node.vault.catalog.released import ReleasedRows
from node.vault.catalog.rows import CatalogRows, end_of
from node.vault.catalog.sums import Sums
from node.vault.catalog.uploads import UploadRows
from node.vault.catalog.values import NO_EXTRAS, Content, extras_or_none, marker_row, row_of
from protocol.coding.label import Stamp
from protocol.namespace.changes import (
    LockReplaced,
    MarkerPut,
    MetadataReplaced,
    ObjectDeleted,
    ObjectPut,
    TagsReplaced,
)
from protocol.namespace.contents import Versioning
from protocol.tables.keys import inline_key, null_key, object_key, object_name, version_key, versions_at
from protocol.tables.rows import Extras, NullRow, ObjectRow, RowKind
from protocol.wire import schema


class VersionRows:
    """Part of an `Applier`."""

    def __init__(
        self, rows: CatalogRows, sums: Sums, contents: ContentRows, uploads: UploadRows, released: ReleasedRows
    ) -> None:
        self._rows = rows
        self._sums = sums
        self._contents = contents
        self._uploads = uploads
        self._released = released

    def put(self, stamp: Stamp, ordinal: int, put: ObjectPut) -> None:
        """The key names this; what it named goes or stays, as its bucket has it."""
        key = object_key(put.bucket, put.key)
        is_null = self._clear(stamp, put.bucket, put.key, put.version)
        content = Content()
        if put.upload is not None:
            content = self._uploads.take_over(stamp, put, put.upload)
        elif put.blocks:
            content = self._contents.write_blocks(stamp, ordinal, key, put.blocks)
        if put.is_copy:
            self._released.share(stamp, put.blocks)
        row = row_of(put, stamp, content, is_null=is_null)
        self._rows.write(stamp, key, schema.encode(row), None)
        if put.inline is not None:
            self._rows.write(stamp, inline_key(stamp, key), b"", None)
        self._count(row, 1)

    def mark(self, stamp: Stamp, marker: MarkerPut) -> None:
        """The key names nothing; a marker says so where versions are kept."""
        is_null = self._clear(stamp, marker.bucket, marker.key, marker.version)
        if self._versioning(marker.bucket) is Versioning.NEVER:
            return
        key = version_key(marker.bucket, marker.key, marker.version)
        if is_null:
            self._write_null(stamp, marker.bucket, marker.key, marker.version)
        self._rows.write(stamp, key, schema.encode(marker_row(marker, stamp, is_null=is_null)), None)

    def delete(self, stamp: Stamp, change: ObjectDeleted) -> None:
        """A version is gone for good; what the key named before may be what it names now."""
        found = find_version(self._rows, change.bucket, change.key, change.version)
        if found is None:
            return
        self._drop(stamp, *found)
        if self._versioning(change.bucket) is not Versioning.NEVER:
            self._promote(stamp, change.bucket, change.key)

    def replace_tags(self, stamp: Stamp, change: TagsReplaced) -> None:
        """A version has other tags."""
        found = find_version(self._rows, change.bucket, change.key, change.version)
        if found is not None and not found[1].is_marker:
            key, row = found
            self._write_extras(stamp, key, row, dataclasses.replace(row.extras or NO_EXTRAS, tags=change.tags))

    def replace_lock(self, stamp: Stamp, change: LockReplaced) -> None:
        """A version is locked otherwise."""
        found = find_version(self._rows, change.bucket, change.key, change.version)
        if found is not None and not found[1].is_marker:
            key, row = found
            extras = dataclasses.replace(
                row.extras or NO_EXTRAS, retention=change.retention, legal_hold=change.legal_hold
            )
            self._write_extras(stamp, key, row, extras)

    def replace_metadata(self, stamp: Stamp, change: MetadataReplaced) -> None:
        """A version has other metadata."""
        found = find_version(self._rows, change.bucket, change.key, change.version)
        if found is not None and not found[1].is_marker:
            key, row = found
            extras = dataclasses.replace(row.extras or NO_EXTRAS, metadata=change.metadata)
            self._write_extras(stamp, key, row, extras)

    def _clear(self, stamp: Stamp, bucket: str, name: str, version: bytes) -> bool:
        """Make room for a new newest version of the key; whether it is the null one. Afterwards there is no OBJECT
        row, and no version with this id."""
        versioning = self._versioning(bucket)
        key = object_key(bucket, name)
        value = self._rows.get(key)
        if versioning is not Versioning.NEVER:
            self._drop_if_there(stamp, version_key(bucket, name, version))
        if value is not None:
            row = read_row(ObjectRow, value)
            if (
                versioning is Versioning.NEVER
                or row.version == version
                or (versioning is Versioning.SUSPENDED and row.is_null)
            ):
                self._drop(stamp, key, row)
            else:
                self._keep(stamp, bucket, name, row)
        if versioning is Versioning.SUSPENDED:
            null = self._null_version(bucket, name)
            if null is not None:
                self._drop_if_there(stamp, version_key(bucket, name, null))
        return versioning is not Versioning.ENABLED

    def _keep(self, stamp: Stamp, bucket: str, name: str, row: ObjectRow) -> None:
        """What the key named becomes an older version."""
        to = version_key(bucket, name, row.version)
        self._drop_if_there(stamp, to)
        self._contents.move(stamp, object_key(bucket, name), to, row)
        if row.is_null:
            self._write_null(stamp, bucket, name, row.version)

    def _promote(self, stamp: Stamp, bucket: str, name: str) -> None:
        """If the key names nothing and its newest version is no marker, it names that."""
        key = object_key(bucket, name)
        if self._rows.get(key) is not None:
            return
        first = versions_at(bucket, name)
        for newest, value in self._rows.scan(first, end_of(first), 1):
            row = read_row(ObjectRow, value)
            if not row.is_marker:
                self._contents.move(stamp, newest, key, row)
                if row.is_null:
                    self._write_null(stamp, bucket, name, None)

    def _drop_if_there(self, stamp: Stamp, key: bytes) -> None:
        value = self._rows.get(key)
        if value is not None:
            self._drop(stamp, key, read_row(ObjectRow, value))

    def _drop(self, stamp: Stamp, key: bytes, row: ObjectRow) -> None:
        """Delete a version's row, and all that belongs to it."""
        self._contents.drop(stamp, key, row)
        self._count(row, -1)
        self._rows.delete(stamp, key)
        if row.is_null and key[0] == RowKind.VERSION:
            self._write_null(stamp, *object_name(key), None)

    def _write_extras(self, stamp: Stamp, key: bytes, row: ObjectRow, extras: Extras) -> None:
        after = dataclasses.replace(row, extras=extras_or_none(extras))
        self._rows.write(stamp, key, schema.encode(after), self._rows.get(key))

    def _write_null(self, stamp: Stamp, bucket: str, name: str, version: bytes | None) -> None:
        key = null_key(bucket, name)
        value = None if version is None else schema.encode(NullRow(version))
        self._rows.write(stamp, key, value, self._rows.get(key))

    def _null_version(self, bucket: str, name: str) -> bytes | None:
        value = self._rows.get(null_key(bucket, name))
        return None if value is None else read_row(NullRow, value).version

    def _versioning(self, bucket: str) -> Versioning:
        known = self._sums.buckets.get(bucket)
        return Versioning.NEVER if known is None else known.versioning

    def _count(self, row: ObjectRow, change: int) -> None:
        if not row.is_marker:
            self._sums.objects += change
            self._sums.size_bytes += change * row.size_bytes
