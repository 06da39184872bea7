"""Pages of what a bucket holds, in S3's order, at a cost that depends on the page alone.

What becomes of a row is the caller's to say (`Entry`): who shows a listing is content with a glance at each. A cursor
goes through rows of one kind in the order of their keys, some at a time, and can be sent forward: so a common prefix
costs one look however many keys have it, and any page costs what the first does. Versions of a key come the newest
first, what the key names before all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from node.vault.catalog.reading import glance_at, read_row
from node.vault.catalog.rows import CatalogRows, Pair, end_of
from node.vault.catalog.values import ListedObjects, ListedUploads, StoredObject, StoredUpload, upload_of
from protocol.tables.glance import Glance
from protocol.tables.keys import (
    VERSION_TAIL_BYTES,
    begun_at_key,
    begun_in,
    begun_key,
    begun_name,
    object_name,
    objects_of,
    version_key,
    versions_at,
    versions_from,
    versions_of,
)
from protocol.tables.rows import BegunRow, ObjectRow, RowKind

E = TypeVar("E", StoredObject, Glance)

# What is made of a row: of its bucket, its key, its value, and whether no version of the key is newer.
Entry = Callable[[str, str, bytes, bool], E]

# How many rows a cursor reads at once: few after it was sent forward, more and more while it is not.
_FEW: Final = 8
_MANY: Final = 1_024
# Bytes that stand for something else where names are escaped.
_ESCAPING: Final = frozenset(b"\0\1")


class Cursor:
    """The rows from `first` on and before `end`, or only those that were `read`. Blocking; nothing may write
    meanwhile."""

    def __init__(
        self, rows: CatalogRows, first: bytes, end: bytes, at_once: int, read: list[Pair] | None = None
    ) -> None:
        self._rows = rows
        self._first = first
        self._end = end
        self._at_once = min(max(at_once, _FEW), _MANY)
        self._read: list[Pair] = read or []
        self._at = 0
        self._is_over = read is not None

    def peek(self) -> Pair | None:
        """The next row, or None at the end."""
        if self._at == len(self._read) and not self._is_over:
            self._read_on()
        return self._read[self._at] if self._at < len(self._read) else None

    def step(self) -> None:
        """Go past the row that `peek` gave."""
        self._at += 1

    def skip_to(self, first: bytes) -> None:
        """Go on with the first row whose key is not below `first`."""
        while self._at < len(self._read) and self._read[self._at][0] < first:
            self._at += 1
        if self._at == len(self._read) and first > self._first:
            self._first, self._at_once = first, _FEW

    def _read_on(self) -> None:
        self._read, self._at = self._rows.scan(self._first, self._end, self._at_once), 0
        self._is_over = len(self._read) < self._at_once
        self._at_once = min(4 * self._at_once, _MANY)
        if self._read:
            self._first = self._read[-1][0] + b"\0"


@dataclass(slots=True)
class _Page:
    """What was found so far, common prefixes and entries together, and the name of the last of either."""

    prefix: str
    delimiter: str
    limit: int
    count: int = 0
    last: str | None = None

    def common(self, name: str) -> str | None:
        """The common prefix that the name is counted under, if any."""
        if not self.delimiter:
            return None
        at = name.find(self.delimiter, len(self.prefix))
        return None if at < 0 else name[: at + len(self.delimiter)]

    @property
    def is_full(self) -> bool:
        return self.count >= self.limit

    def note(self, name: str) -> None:
        self.count += 1
        self.last = name


def stored_entry(bucket: str, name: str, value: bytes, is_latest: bool) -> StoredObject:  # noqa: FBT001 (an `Entry`)
    """All that is known."""
    return StoredObject(bucket, name, read_row(ObjectRow, value), is_latest)


def glanced_entry(_bucket: str, name: str, value: bytes, is_latest: bool) -> Glance:  # noqa: FBT001 (an `Entry`)
    """What a listing shows."""
    return glance_at(name, value, is_latest=is_latest)


def list_objects(
    rows: CatalogRows, bucket: str, prefix: str, delimiter: str, start_after: str, limit: int, entry: Entry[E]
) -> ListedObjects[E]:
    """Up to `limit` keys that begin with `prefix` and come after `start_after`, those with `delimiter` behind the
    prefix under their common prefixes. After a common prefix come the keys that do not have it."""
    begin, page = objects_of(bucket), _Page(prefix, delimiter, limit)
    every = begin + prefix.encode()
    cursor = _cursor(rows, max(every, _after(begin, start_after, page)), end_of(every), page, len(every), 0)
    entries: list[E] = []
    prefixes: list[str] = []
    while limit and (row := cursor.peek()) is not None:
        if page.is_full:
            return ListedObjects(tuple(entries), tuple(prefixes), page.last)
        name = row[0][len(begin) :].decode()
        common = page.common(name)
        if common is None:
            entries.append(entry(bucket, name, row[1], True))
            page.note(name)
            cursor.step()
        else:
            prefixes.append(common)
            page.note(common)
            cursor.skip_to(end_of(begin + common.encode()))
    return ListedObjects(tuple(entries), tuple(prefixes), None)


def list_versions(
    rows: CatalogRows,
    bucket: str,
    prefix: str,
    delimiter: str,
    after: tuple[str, bytes | None],
    limit: int,
    entry: Entry[E],
) -> ListedObjects[E]:
    """The same of all versions and markers. `after`: a key, and one of its versions; without one, all of that key."""
    page = _Page(prefix, delimiter, limit)
    named, kept = _version_cursors(rows, bucket, page, *after)
    entries: list[E] = []
    prefixes: list[str] = []
    # The key whose newest version was seen.
    seen = after[0] if after[1] is not None else None
    while limit and (found := _next_version(named, kept)) is not None:
        row, cursor = found
        if page.is_full:
            version = entries[-1].version if entries and entries[-1].key == page.last else None
            return ListedObjects(tuple(entries), tuple(prefixes), page.last, version)
        name = object_name(row[0])[1]
        common = page.common(name)
        if common is None:
            entries.append(entry(bucket, name, row[1], row[0][0] == RowKind.OBJECT or name != seen))
            seen = name
            page.note(name)
            cursor.step()
        else:
            prefixes.append(common)
            page.note(common)
            named.skip_to(end_of(objects_of(bucket) + common.encode()))
            kept.skip_to(end_of(versions_from(bucket, common)))
    return ListedObjects(tuple(entries), tuple(prefixes), None)


def list_uploads(
    rows: CatalogRows, bucket: str, prefix: str, delimiter: str, after: tuple[str, bytes | None], limit: int
) -> ListedUploads:
    """The uploads into a bucket that clients began, by key and then by id."""
    page, every = _Page(prefix, delimiter, limit), begun_in(bucket, prefix)
    cursor = Cursor(rows, max(every, _after_upload(bucket, page, *after)), end_of(every), limit + 1)
    entries: list[StoredUpload] = []
    prefixes: list[str] = []
    while limit and (row := cursor.peek()) is not None:
        if page.is_full:
            upload = entries[-1].upload if entries and entries[-1].key == page.last else None
            return ListedUploads(tuple(entries), tuple(prefixes), page.last, upload)
        name, upload = begun_name(row[0])
        common = page.common(name)
        if common is None:
            value = rows.get(begun_key(upload))
            entries += [] if value is None else [upload_of(upload, read_row(BegunRow, value))]
            page.note(name)
            cursor.step()
        else:
            prefixes.append(common)
            page.note(common)
            cursor.skip_to(end_of(begun_in(bucket, common)))
    return ListedUploads(tuple(entries), tuple(prefixes), None, None)


def _after(begin: bytes, start_after: str, page: _Page) -> bytes:
    """The first key after `start_after`; after all that begins with it, when that is a common prefix."""
    if not start_after:
        return begin
    if page.common(start_after) == start_after:
        return end_of(begin + start_after.encode())
    return begin + start_after.encode() + b"\0"


def _after_upload(bucket: str, page: _Page, key: str, upload: bytes | None) -> bytes:
    if not key:
        return begun_in(bucket)
    if upload is not None:
        return begun_at_key(bucket, key, upload) + b"\0"
    if page.common(key) == key:
        return end_of(begun_in(bucket, key))
    return end_of(begun_at_key(bucket, key, b""))


def _version_cursors(
    rows: CatalogRows, bucket: str, page: _Page, key: str, version: bytes | None
) -> tuple[Cursor, Cursor]:
    """What keys name now, and all else."""
    all_named, all_kept = objects_of(bucket) + page.prefix.encode(), versions_from(bucket, page.prefix)
    named_first, kept_first = _after(objects_of(bucket), key, page), versions_of(bucket)
    if version is not None:
        kept_first = version_key(bucket, key, version) + b"\0"
    elif key:
        is_common = page.common(key) == key
        kept_first = end_of(versions_from(bucket, key) if is_common else versions_at(bucket, key))
    return (
        _cursor(rows, max(all_named, named_first), end_of(all_named), page, len(all_named), 0),
        _cursor(rows, max(all_kept, kept_first), end_of(all_kept), page, len(all_kept), VERSION_TAIL_BYTES),
    )


def _cursor(rows: CatalogRows, first: bytes, end: bytes, page: _Page, behind: int, tail: int) -> Cursor:
    """For a page of objects or versions. `behind`: where in a row's key what follows the prefix begins; `tail`: how
    many bytes of it come after the name."""
    most, delimiter = page.limit + 1, page.delimiter.encode()
    if not delimiter:
        return Cursor(rows, first, end, most)
    if tail and not _ESCAPING.isdisjoint(delimiter):
        return Cursor(rows, first, end, _FEW)  # where names are escaped, only whoever reads them finds it
    return Cursor(rows, first, end, most, rows.hops(first, end, behind, tail, delimiter, most))


def _next_version(named: Cursor, kept: Cursor) -> tuple[Pair, Cursor] | None:
    """The next row of both, by key; what the key names before what it named."""
    one, other = named.peek(), kept.peek()
    if one is None or other is None:
        return (one, named) if one is not None else (other, kept) if other is not None else None
    is_named = object_name(one[0])[1].encode() <= object_name(other[0])[1].encode()
    return (one, named) if is_named else (other, kept)
