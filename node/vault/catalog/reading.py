"""From the bytes of the catalog's rows to what they say: what does not decode is damage, which the journal heals."""

from __future__ import annotations

from typing import TypeVar

from protocol.errors import Damaged, MaillonError
from protocol.namespace.changes import BlockRef
from protocol.tables.nodes import NodeNumbers, unpack_blocks
from protocol.tables.rows import ObjectRow, PackRow, RowKind
from protocol.wire import schema

T = TypeVar("T")


def read_row(kind: type[T], value: bytes) -> T:
    """The row in `value`. Raises Damaged(`index-damaged`)."""
    try:
        return schema.decode(kind, value)
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
        case RowKind.OBJECT:
            return read_row(ObjectRow, value).blocks
        case RowKind.PACK:
            return read_row(PackRow, value).block
        case _:
            return value
