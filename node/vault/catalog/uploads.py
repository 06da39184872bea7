"""What changes about objects that come in parts make of the catalog's rows.

There are uploads of two kinds: those that a client began, which name their object from the beginning and live until
the client completes or aborts them, and those of the writer itself, which journals a very long object in parts. Their
parts have the same rows, and both end in an `ObjectPut` that takes the parts over, or in an abortion.
"""

from __future__ import annotations

from collections.abc import Collection

from node.vault.catalog.contents import ContentRows
from node.vault.catalog.reading import read_row
from node.vault.catalog.released import ReleasedRows
from node.vault.catalog.rows import CatalogRows
from node.vault.catalog.values import Content, share_bytes_of
from protocol.coding.label import Stamp
from protocol.namespace.changes import ObjectPut, PartPut, UploadBegun
from protocol.tables.keys import (
    begun_at_key,
    begun_key,
    number_of,
    owner_of,
    part_key,
    part_of,
    parts_of,
    upload_key,
)
from protocol.tables.rows import BLOCKS_PER_RUN, BegunRow, PartRow, UploadRow
from protocol.wire import schema


class UploadRows:
    """Part of an `Applier`."""

    def __init__(self, rows: CatalogRows, contents: ContentRows, released: ReleasedRows) -> None:
        self._rows = rows
        self._contents = contents
        self._released = released

    def begin(self, stamp: Stamp, ordinal: int, change: UploadBegun) -> None:
        """A client begins, unless it said so before."""
        key = begun_key(change.upload)
        if self._rows.get(key) is not None:
            return
        row = BegunRow(
            owner=owner_of(stamp, ordinal),
            bucket=change.bucket,
            key=change.key,
            begun_s=change.begun_s,
            metadata=change.metadata,
            tags=change.tags,
            retention=change.retention,
            legal_hold=change.legal_hold,
            checksum=change.checksum,
        )
        self._rows.write(stamp, key, schema.encode(row), None)
        self._rows.write(stamp, begun_at_key(change.bucket, change.key, change.upload), b"", None)

    def put_part(self, stamp: Stamp, ordinal: int, part: PartPut) -> None:
        """A part, or its next blocks. What does not go on where the part ends is nobody's."""
        owner = self._owner_for(stamp, ordinal, part.upload)
        key = part_key(owner, part.number)
        before = self._rows.get(key)
        known = None if before is None else read_row(PartRow, before)
        size_bytes, count, share_bytes = part.size_bytes, len(part.blocks), share_bytes_of(part.blocks)
        if part.first_block:
            if known is None or part.first_block != known.block_count or part.first_block % BLOCKS_PER_RUN:
                if not part.is_copy:
                    self._released.add(stamp, part.blocks)
                return
            size_bytes, count = size_bytes + known.size_bytes, count + known.block_count
            share_bytes += known.share_bytes
        self._write_blocks(stamp, owner, part)
        row = PartRow(size_bytes, part.digest, part.etag, part.checksums, part.modified_s, count, share_bytes)
        self._rows.write(stamp, key, schema.encode(row), before)

    def _write_blocks(self, stamp: Stamp, owner: bytes, part: PartPut) -> None:
        replaced = [] if part.first_block else self._contents.drop_runs(stamp, part_of(owner, part.number))
        self._contents.write_runs(stamp, owner, part.number, part.blocks, part.first_block // BLOCKS_PER_RUN)
        if part.is_copy:
            self._released.share(stamp, part.blocks)
        kept = set() if part.is_copy else {block.block for block in part.blocks}
        self._released.add(stamp, [block for block in replaced if block.block not in kept])

    def abort(self, stamp: Stamp, upload: bytes) -> None:
        """The upload is over, and its parts are nobody's."""
        owner = self._end(stamp, upload)
        if owner:
            self._contents.drop_owned(stamp, owner)

    def take_over(self, stamp: Stamp, put: ObjectPut, upload: bytes) -> Content:
        """The parts become the object's, or those of them that it lists; the upload is over."""
        is_clients = self._rows.get(begun_key(upload)) is not None
        owner = self._end(stamp, upload)
        if not owner:
            return Content()
        listed = frozenset(put.parts)
        kept = [part for key, part in self._parts(owner) if self._keep(stamp, owner, key, listed)]
        return Content(
            block_count=sum(part.block_count for part in kept),
            share_bytes=sum(part.share_bytes for part in kept),
            owner=owner,
            part_count=len(kept) if is_clients else 0,
        )

    def _keep(self, stamp: Stamp, owner: bytes, key: bytes, listed: Collection[int]) -> bool:
        """Whether a part is among those listed, or all are; else it goes."""
        number = number_of(key)
        if not listed or number in listed:
            return True
        self._rows.write(stamp, key, None, self._rows.get(key))
        self._released.add(stamp, self._contents.drop_runs(stamp, part_of(owner, number)))
        return False

    def _parts(self, owner: bytes) -> list[tuple[bytes, PartRow]]:
        return [(key, read_row(PartRow, value)) for key, value in self._rows.scan_prefix(parts_of(owner))]

    def _owner_for(self, stamp: Stamp, ordinal: int, upload: bytes) -> bytes:
        """Who owns the runs of the upload; one of the writer's own begins with its first part."""
        begun = self._rows.get(begun_key(upload))
        if begun is not None:
            return read_row(BegunRow, begun).owner
        key = upload_key(upload)
        before = self._rows.get(key)
        if before is not None:
            return read_row(UploadRow, before).owner
        owner = owner_of(stamp, ordinal)
        self._rows.write(stamp, key, schema.encode(UploadRow(owner)), None)
        return owner

    def _end(self, stamp: Stamp, upload: bytes) -> bytes:
        """Delete the upload's rows but for those of its parts; who owns these, or nothing."""
        key = begun_key(upload)
        value = self._rows.get(key)
        if value is not None:
            row = read_row(BegunRow, value)
            self._rows.write(stamp, key, None, value)
            self._rows.write(stamp, begun_at_key(row.bucket, row.key, upload), None, b"")
            return row.owner
        key = upload_key(upload)
        value = self._rows.get(key)
        if value is None:
            return b""
        self._rows.write(stamp, key, None, value)
        return read_row(UploadRow, value).owner
