"""From the bytes of the catalog's rows to what they say: what does not decode is damage, which the journal heals.

Rows are this program's own, and their sums were checked, so nobody asks again whether their form is the canonical
one: that is half of what decoding costs.
"""

from __future__ import annotations

from typing import TypeVar

from node.vault.catalog.rows import CatalogRows
from protocol.errors import Damaged, MaillonError
from protocol.namespace.changes import BlockRef
from protocol.tables.glance import Glance, glance
from protocol.tables.keys import object_key, version_key
from protocol.tables.nodes import NodeNumbers, unpack_blocks
from protocol.tables.rows import ObjectRow, PackRow, RowKind
from protocol.wire import canonical, schema

T = TypeVar("T")


def read_row(kind: type[T], value: bytes) -> T:
    """The row in `value`. Raises Damaged(`index-damaged`)."""
    try:
        return schema.from_wire(kind, canonical.build(value))
    except MaillonError as error:
        raise Damaged("index-damaged", index="catalog", reason=error.identifier) from error


def glance_at(name: str, value: bytes, *, is_latest: bool) -> Glance:
    """What a listing shows of the object whose row is `value`. Raises Damaged(`index-damaged`)."""
    try:
        return glance(name, value, is_latest=is_latest)
    except MaillonError as error:
        raise Damaged("index-damaged", index="catalog", reason=error.identifier) from error


def read_blocks(run: bytes, numbers: NodeNumbers) -> tuple[BlockRef, ...]:
    """The blocks of a run. Raises Damaged(`index-damaged`)."""
    try:
        return unpack_blocks(run, numbers)
    except MaillonError as error:
        raise Damaged("index-damaged", index="catalog", reason=error.identifier) from error


def run_of(key: bytes, value: bytes) -> bytes:
    """The encoded blocks in a row of any kind that names blocks. Raises Damaged(`index-damaged`)."""
    match key[0]:
        case RowKind.OBJECT | RowKind.VERSION:
            return read_row(ObjectRow, value).blocks
        case RowKind.PACK:
            return read_row(PackRow, value).block
        case _:
            return value


def find_version(rows: CatalogRows, bucket: str, name: str, version: bytes | None) -> tuple[bytes, ObjectRow] | None:
    """The row of this version of the key, or of what the key names; None when there is no such thing."""
    key = object_key(bucket, name)
    value = rows.get(key)
    if value is not None:
        row = read_row(ObjectRow, value)
        if version in (None, row.version):
            return key, row
    if version is None:
        return None
    key = version_key(bucket, name, version)
    value = rows.get(key)
    return None if value is None else (key, read_row(ObjectRow, value))
