"""The manifest of a checkpoint: which tables hold the namespace, and where their pages are.

Tables stand newest first: of two rows with one key, the one in the newer table holds. Every row that the journal
added up to at the covered point is in one of them, and every node that rows name by number is in `nodes`. The whole
manifest is one block, so that a `Checkpoint` needs to name nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol import limits
from protocol.errors import Malformed, OverLimit
from protocol.ids import ID_BYTES, Digest, NodeId
from protocol.namespace.changes import BlockRef
from protocol.tables.keys import ROW_KEY_BYTES_MAX
from protocol.wire import schema
from protocol.wire.schema import Length

TABLES_MAX: Final = 256
PAGES_MAX: Final = 32_768
PAGE_REF_BYTES_MAX: Final = 8 * limits.KIB

PageKey = Annotated[bytes, Length(1, ROW_KEY_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class PageRef:
    """A page, and the first and last key in it. `rows_bytes` are those of keys and values."""

    WIRE_VERSION: ClassVar[int] = 1
    block: BlockRef
    first: PageKey
    last: PageKey
    rows: int
    rows_bytes: int
    tombstones: int


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table: pages whose keys follow each other.

    `tier` counts how often its rows were merged. `replacing` of its rows may stand for one in an older table; the
    first of them came at `since_s`, and what it replaced, a deleted object's key perhaps, is still there.
    """

    tier: int
    replacing: int
    since_s: int
    pages: tuple[PageRef, ...]

    @property
    def rows(self) -> int:
        return sum(page.rows for page in self.pages)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint consists of, and what its rows add up to."""

    covers_epoch: int
    covers_length: int
    covers_head: Digest
    objects: int
    size_bytes: int
    nodes: tuple[NodeId, ...]
    tables: tuple[TableRef, ...]

    def blocks(self) -> tuple[BlockRef, ...]:
        """The blocks of all pages."""
        return tuple(page.block for table in self.tables for page in table.pages)


@dataclass(frozen=True, slots=True)
class _TableForm:
    """On the wire pages are encoded one by one, so that their number is not bound by that of a message's values."""

    tier: int
    replacing: int
    since_s: int
    pages: Annotated[tuple[Annotated[bytes, Length(1, PAGE_REF_BYTES_MAX)], ...], Length(1, PAGES_MAX)]


@dataclass(frozen=True, slots=True)
class _ManifestForm:
    WIRE_VERSION: ClassVar[int] = 1
    covers_epoch: int
    covers_length: int
    covers_head: Digest
    objects: int
    size_bytes: int
    nodes: Annotated[bytes, Length(0, limits.BLOCK_PLAIN_BYTES_MAX)]
    tables: Annotated[tuple[_TableForm, ...], Length(0, TABLES_MAX)]


def encode_manifest(manifest: Manifest) -> bytes:
    """Its block's plain bytes. Raises OverLimit: `manifest-size`."""
    tables = tuple(
        _TableForm(table.tier, table.replacing, table.since_s, tuple(schema.encode(page) for page in table.pages))
        for table in manifest.tables
    )
    point = (manifest.covers_epoch, manifest.covers_length, manifest.covers_head)
    nodes = b"".join(manifest.nodes)
    encoded = schema.encode(_ManifestForm(*point, manifest.objects, manifest.size_bytes, nodes, tables))
    if len(encoded) > limits.BLOCK_PLAIN_BYTES_MAX:
        raise OverLimit("manifest-size", size_bytes=len(encoded), limit_bytes=limits.BLOCK_PLAIN_BYTES_MAX)
    return encoded


def decode_manifest(data: bytes) -> Manifest:
    """The manifest in a block's plain bytes.

    Raises:
        Malformed: `manifest-table` for pages out of order, `manifest-nodes`; and what `schema.decode` raises.
    """
    form = schema.decode(_ManifestForm, data, size_bytes_max=limits.BLOCK_PLAIN_BYTES_MAX)
    if len(form.nodes) % ID_BYTES:
        raise Malformed("manifest-nodes", size_bytes=len(form.nodes))
    nodes = tuple(NodeId(form.nodes[at : at + ID_BYTES]) for at in range(0, len(form.nodes), ID_BYTES))
    tables = tuple(_table(table, number) for number, table in enumerate(form.tables))
    point = (form.covers_epoch, form.covers_length, form.covers_head)
    return Manifest(*point, form.objects, form.size_bytes, nodes, tables)


def _table(form: _TableForm, number: int) -> TableRef:
    pages = tuple(schema.decode(PageRef, page) for page in form.pages)
    _require_order(pages, number)
    return TableRef(form.tier, form.replacing, form.since_s, pages)


def _require_order(pages: Sequence[PageRef], number: int) -> None:
    last = b""
    for page in pages:
        if not last < page.first <= page.last or page.tombstones > page.rows:
            raise Malformed("manifest-table", table=number)
        last = page.last
