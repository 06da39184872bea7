"""What changes about buckets and access keys make of the catalog's rows, and of what it keeps in memory of them."""

from __future__ import annotations

import dataclasses

from node.vault.catalog.reading import read_row
from node.vault.catalog.rows import CatalogRows, end_of
from node.vault.catalog.sums import Sums
from node.vault.catalog.uploads import UploadRows
from node.vault.catalog.values import AccessKey, StoredBucket
from protocol.coding.label import Stamp
from protocol.namespace.changes import (
    BucketCreated,
    BucketDeleted,
    BucketDocumentPut,
    BucketSet,
    KeyCreated,
    KeyRevoked,
)
from protocol.namespace.contents import Versioning
from protocol.tables.keys import (
    access_key_key,
    access_key_of,
    begun_in,
    begun_name,
    bucket_key,
    bucket_of,
    document_key,
    object_name,
    objects_of,
    versions_of,
)
from protocol.tables.rows import AccessKeyRow, BucketRow, DocumentRow, RowKind
from protocol.wire import schema


class BucketRows:
    """Part of an `Applier`."""

    def __init__(self, rows: CatalogRows, sums: Sums, uploads: UploadRows) -> None:
        self._rows = rows
        self._sums = sums
        self._uploads = uploads

    def create(self, stamp: Stamp, change: BucketCreated) -> None:
        """There is a bucket, unless there was one."""
        if change.bucket not in self._sums.buckets:
            versioning = Versioning.ENABLED if change.has_lock else Versioning.NEVER
            self._write(stamp, StoredBucket(change.bucket, change.created_s, versioning, change.has_lock))

    def delete(self, stamp: Stamp, change: BucketDeleted) -> None:
        """The bucket goes with all that is not an object."""
        key = bucket_key(change.bucket)
        if change.bucket not in self._sums.buckets or has_objects(self._rows, change.bucket):
            return
        for row, value in self._rows.scan_prefix(document_key(change.bucket, "")):
            self._rows.write(stamp, row, None, value)
        for row, _empty in self._rows.scan_prefix(begun_in(change.bucket)):
            self._uploads.abort(stamp, begun_name(row)[1])
        self._rows.write(stamp, key, None, self._rows.get(key))
        del self._sums.buckets[change.bucket]

    def set(self, stamp: Stamp, change: BucketSet) -> None:
        """Its objects are dealt with like this from now on."""
        before = self._sums.buckets.get(change.bucket)
        if before is None:
            return
        has_lock = change.has_lock or before.has_lock
        versioning = change.versioning
        if has_lock or (versioning is Versioning.NEVER and before.versioning is not Versioning.NEVER):
            versioning = Versioning.ENABLED if has_lock else before.versioning
        after = dataclasses.replace(
            before, versioning=versioning, has_lock=has_lock, lock_default=change.lock_default if has_lock else None
        )
        self._write(stamp, after)

    def put_document(self, stamp: Stamp, change: BucketDocumentPut) -> None:
        """A document takes the place of one with its name."""
        bucket = self._sums.buckets.get(change.bucket)
        if bucket is None:
            return
        key = document_key(change.bucket, change.name)
        value = schema.encode(DocumentRow(change.document)) if change.document else None
        self._rows.write(stamp, key, value, self._rows.get(key))
        others = bucket.documents - {change.name}
        documents = others | {change.name} if change.document else others
        self._sums.buckets[change.bucket] = dataclasses.replace(bucket, documents=documents)

    def create_key(self, stamp: Stamp, change: KeyCreated) -> None:
        """An access key opens something, unless there is one of that name."""
        if change.key_id in self._sums.keys:
            return
        row = AccessKeyRow(change.secret, change.bucket, change.is_read_only, change.created_s)
        self._rows.write(stamp, access_key_key(change.key_id), schema.encode(row), None)
        self._sums.keys[change.key_id] = _key_of(change.key_id, row)

    def revoke_key(self, stamp: Stamp, change: KeyRevoked) -> None:
        """The key opens nothing any more."""
        key = access_key_key(change.key_id)
        self._rows.write(stamp, key, None, self._rows.get(key))
        self._sums.keys.pop(change.key_id, None)

    def _write(self, stamp: Stamp, bucket: StoredBucket) -> None:
        key = bucket_key(bucket.bucket)
        row = BucketRow(bucket.created_s, bucket.versioning, bucket.has_lock, bucket.lock_default)
        self._rows.write(stamp, key, schema.encode(row), self._rows.get(key))
        self._sums.buckets[bucket.bucket] = bucket


def has_objects(rows: CatalogRows, bucket: str) -> bool:
    """Whether there is an object in the bucket, or an older version or a marker."""
    return any(rows.scan(first, end_of(first), 1) for first in (objects_of(bucket), versions_of(bucket)))


def read_buckets(rows: CatalogRows) -> dict[str, StoredBucket]:
    """All buckets, by name, with the names of their documents."""
    documents: dict[str, set[str]] = {}
    for key, _document in rows.scan_prefix(bytes([RowKind.DOCUMENT])):
        bucket, name = object_name(key)
        documents.setdefault(bucket, set()).add(name)
    found = {}
    for key, value in rows.scan_prefix(bytes([RowKind.BUCKET])):
        name, row = bucket_of(key), read_row(BucketRow, value)
        names = frozenset(documents.get(name, ()))
        found[name] = StoredBucket(name, row.created_s, row.versioning, row.has_lock, row.lock_default, names)
    return found


def read_keys(rows: CatalogRows) -> dict[str, AccessKey]:
    """All access keys, by name."""
    found = {}
    for key, value in rows.scan_prefix(access_key_key("")):
        name = access_key_of(key)
        found[name] = _key_of(name, read_row(AccessKeyRow, value))
    return found


def _key_of(key_id: str, row: AccessKeyRow) -> AccessKey:
    return AccessKey(key_id, row.secret, row.bucket, row.is_read_only, row.created_s)
