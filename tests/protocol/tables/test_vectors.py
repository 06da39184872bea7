"""The bytes of rows, pages and manifests, both ways: tests/vectors/tables.json."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from protocol.coding.label import Stamp
from protocol.ids import BlockId, Digest, NodeId
from protocol.namespace.changes import (
    BlockRef,
    BlocksReplaced,
    Checkpoint,
    Checksum,
    InlineRef,
    Metadata,
    encode_change,
)
from protocol.namespace.contents import LockDefault, LockMode, Retention, Tag, Versioning
from protocol.tables.keys import (
    access_key_key,
    begun_at_key,
    begun_key,
    bucket_key,
    document_key,
    drill_key,
    inline_key,
    late_key,
    null_key,
    object_key,
    object_name,
    owner_of,
    pack_key,
    part_key,
    release_key,
    run_key,
    shared_key,
    upload_key,
    version_key,
)
from protocol.tables.manifest import Manifest, PageRef, TableRef, decode_manifest, encode_manifest
from protocol.tables.nodes import NodeNumbers, pack_blocks, unpack_blocks
from protocol.tables.page import TableRow, decode_page, encode_page
from protocol.tables.rows import (
    AccessKeyRow,
    BegunRow,
    BlockRun,
    BucketRow,
    DocumentRow,
    DrillRow,
    Extras,
    NullRow,
    ObjectRow,
    PackedRef,
    PackRow,
    PartRow,
    ReleaseRow,
    SharedRow,
    UploadRow,
)
from protocol.wire import schema
from tests.support.vectors import load_vectors

VECTORS: Any = load_vectors("tables")


def repeated(byte: int, size: int = 32) -> bytes:
    return bytes([byte]) * size


NODES = tuple(NodeId(repeated(byte)) for byte in (3, 1, 2))
BLOCK = BlockRef(
    BlockId(repeated(0x11)), repeated(0x22), 4_000_000, 2, 3, (NODES[1], NODES[2], NODES[0]), missing=0b100
)
NUMBERS = NodeNumbers(NODES)
OWNER = owner_of(Stamp(3, 1_000), 7)
RETENTION = Retention(LockMode.GOVERNANCE, 1_800_000_000)
EXTRAS = Extras(
    etag="etag",
    metadata=(Metadata("colour", "bleu"),),
    checksums=(Checksum("CRC32C", b"1234"),),
    retain_until_s=99,
    legal_hold=True,
    tags=(Tag("keep", "yes"),),
    retention=RETENTION,
    part_count=2,
)
VERSION = repeated(0x33, 16)
UPLOAD = repeated(0x66, 16)
BEGUN = BegunRow(
    OWNER, "photos", "a", 1_700_000_000, EXTRAS.metadata, EXTRAS.tags, RETENTION, legal_hold=True, checksum="CRC32"
)


def object_row(**content: Any) -> ObjectRow:
    fields: dict[str, Any] = {
        "version": repeated(0x33, 16),
        "size_bytes": 4_096,
        "digest": Digest(repeated(0x44)),
        "modified_s": 1_700_000_000,
        "data_class": "internal",
        "epoch": 3,
        "position": 1_000,
        "block_count": 0,
        "share_bytes": 0,
        "blocks": b"",
        "owner": b"",
        "inline": None,
        "extras": None,
        "packed": None,
        "is_null": True,
        "is_marker": False,
    }
    return ObjectRow(**(fields | content))


ROWS: dict[str, tuple[bytes, object]] = {
    "bucket": (
        bucket_key("photos"),
        BucketRow(1_700_000_000, Versioning.ENABLED, True, LockDefault(LockMode.COMPLIANCE, 365)),
    ),
    "document": (document_key("photos", "cors"), DocumentRow(b"<CORSConfiguration/>")),
    "access key": (
        access_key_key("MAILLONKEY"),
        AccessKeyRow("not much of a secret", "photos", is_read_only=True, created_s=1_700_000_000),
    ),
    "older version": (version_key("photos", "a\0é", VERSION), object_row(is_null=False)),
    "marker": (version_key("photos", "a", repeated(0x34, 16)), object_row(is_marker=True)),
    "null": (null_key("photos", "a"), NullRow(VERSION)),
    "part": (
        part_key(OWNER, 2),
        PartRow(4_000_000, Digest(repeated(0x44)), "e", EXTRAS.checksums, 9, 1, 6_000_000),
    ),
    "begun": (begun_key(UPLOAD), BEGUN),
    "shared": (shared_key(BLOCK.block), SharedRow(2)),
    "drill": (drill_key(), DrillRow(1_700_000_000)),
    "inline object": (object_key("photos", "a/é"), object_row(inline=InlineRef(5, 4_112, repeated(0x55)))),
    "packed object": (
        object_key("photos", "small"),
        object_row(packed=PackedRef(BLOCK.block, 70_000, 4_112, repeated(0x55)), share_bytes=6_168),
    ),
    "object of one block": (
        object_key("photos", "b"),
        object_row(block_count=1, share_bytes=6_000_000, blocks=pack_blocks([BLOCK], NUMBERS), extras=EXTRAS),
    ),
    "object of runs": (object_key("photos", "c"), object_row(block_count=9, share_bytes=54_000_000, owner=OWNER)),
    "run": (run_key(OWNER, 2, 1), schema.decode(BlockRun, pack_blocks([BLOCK], NUMBERS))),
    "release": (release_key(BLOCK.block), ReleaseRow((0, 1, 2))),
    "pack": (pack_key(BLOCK.block), PackRow(pack_blocks([BLOCK], NUMBERS), 9_000, 2, 8_000)),
    "upload": (upload_key(repeated(0x66, 16)), UploadRow(OWNER)),
}
PAGE: list[TableRow] = [
    (bucket_key("photos"), b"one"),
    (object_key("photos", "a"), None),
    (object_key("photos", "ab"), b""),
    (late_key(BLOCK.block, object_key("photos", "b")), b"three"),
]
PAGE_REF = PageRef(BLOCK, bucket_key("photos"), object_key("photos", "b"), rows=4, rows_bytes=120, tombstones=1)
MANIFEST = Manifest(3, 1_000, Digest(repeated(0x77)), 2, 8_192, NODES, (TableRef(1, 2, 1_700_000_000, (PAGE_REF,)),))
CHECKPOINT = Checkpoint(BLOCK, 3, 1_000, Digest(repeated(0x77)))


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    key, row = ROWS[name]
    vector = VECTORS["rows"][name]
    assert key.hex() == vector["key"]
    assert schema.encode(row).hex() == vector["value"]
    assert schema.decode(type(row), bytes.fromhex(vector["value"])) == row


def test_a_key_of_a_version_says_which() -> None:
    assert object_name(bytes.fromhex(VECTORS["rows"]["older version"]["key"])) == ("photos", "a\0é")


def test_late_inline_and_begun_at_rows_have_no_value() -> None:
    assert begun_at_key("photos", "a\0é", UPLOAD).hex() == VECTORS["rows"]["begun at"]["key"]
    assert late_key(BLOCK.block, object_key("photos", "b")).hex() == VECTORS["rows"]["late"]["key"]
    assert inline_key(Stamp(3, 1_000), object_key("photos", "a/é")).hex() == VECTORS["rows"]["inline"]["key"]


def test_runs_name_nodes_by_number() -> None:
    run = bytes.fromhex(VECTORS["rows"]["run"]["value"])
    assert unpack_blocks(run, NodeNumbers(NODES)) == (BLOCK,)


def test_a_page() -> None:
    assert zlib.decompress(encode_page(PAGE)).hex() == VECTORS["page"]["inflated"]
    # Deflate may press the same bytes in several ways: only reading it is fixed.
    assert decode_page(bytes.fromhex(VECTORS["page"]["bytes"])) == PAGE


def test_a_manifest() -> None:
    assert encode_manifest(MANIFEST).hex() == VECTORS["manifest"]
    assert decode_manifest(bytes.fromhex(VECTORS["manifest"])) == MANIFEST


def test_a_checkpoint() -> None:
    encoded = encode_change(CHECKPOINT)
    assert (encoded.kind, encoded.body.hex()) == (65, VECTORS["checkpoint"])


def test_replaced_blocks() -> None:
    encoded = encode_change(BlocksReplaced((BLOCK,)))
    assert (encoded.kind, encoded.body.hex()) == (68, VECTORS["blocks replaced"])
