"""The keys of rows: what makes rows of one kind sort as they are asked for.

Objects of a bucket sort by the UTF-8 bytes of their keys, versions of one key the newest first, runs of blocks in the
order of the object's bytes. Where something follows an object's key in a row's key, the object's key is written so
that its end is known and the order stays: a zero byte in it is followed by 1, and two zero bytes end it.
"""

from __future__ import annotations

from typing import Final

from protocol import limits
from protocol.coding.label import Stamp
from protocol.ids import ID_BYTES, BlockId
from protocol.namespace.contents import VERSION_BYTES
from protocol.tables.rows import OWNER_BYTES, RowKind

_END: Final = b"\0\0"
_ESCAPED: Final = b"\0\1"
# What follows an object's key in the key of a version's row.
VERSION_TAIL_BYTES: Final = len(_END) + VERSION_BYTES
# The longest key of an object's row: that of a version whose key is all zero bytes.
_OBJECT_ROW_BYTES_MAX: Final = 2 + limits.BUCKET_NAME_BYTES_MAX + 2 * limits.KEY_BYTES_MAX + 2 + VERSION_BYTES
ROW_KEY_BYTES_MAX: Final = 1 + ID_BYTES + _OBJECT_ROW_BYTES_MAX


def bucket_key(bucket: str) -> bytes:
    return bytes([RowKind.BUCKET]) + bucket.encode()


def bucket_of(key: bytes) -> str:
    """The bucket that `bucket_key` made a key of."""
    return key[1:].decode()


def drill_key() -> bytes:
    return bytes([RowKind.DRILL])


def document_key(bucket: str, name: str) -> bytes:
    """With no name, how the keys of all documents of a bucket begin."""
    return _in_bucket(RowKind.DOCUMENT, bucket) + name.encode()


def access_key_key(key_id: str) -> bytes:
    """With no name, how the keys of all access keys begin."""
    return bytes([RowKind.ACCESS_KEY]) + key_id.encode()


def access_key_of(key: bytes) -> str:
    """The access key's name, from what `access_key_key` made of it."""
    return key[1:].decode()


def object_key(bucket: str, key: str) -> bytes:
    return objects_of(bucket) + key.encode()


def objects_of(bucket: str) -> bytes:
    """How the keys of all objects of a bucket begin."""
    return _in_bucket(RowKind.OBJECT, bucket)


def versions_of(bucket: str) -> bytes:
    """How the keys of all older versions and markers of a bucket begin."""
    return _in_bucket(RowKind.VERSION, bucket)


def versions_at(bucket: str, key: str) -> bytes:
    """How the keys of all older versions and markers of one object's key begin."""
    return versions_of(bucket) + _ended(key)


def version_key(bucket: str, key: str, version: bytes) -> bytes:
    """Later versions, which are higher, come first."""
    return versions_at(bucket, key) + _inverted(version)


def versions_from(bucket: str, prefix: str) -> bytes:
    """How the keys of all older versions and markers begin whose object's key begins with `prefix`."""
    return versions_of(bucket) + _escaped(prefix)


def null_key(bucket: str, key: str) -> bytes:
    return _in_bucket(RowKind.NULL, bucket) + key.encode()


def object_name(key: bytes) -> tuple[str, str]:
    """Bucket and key, or name of a document, from what `object_key`, `version_key` or `document_key` made of them."""
    end = 2 + key[1]
    name = key[end:]
    if key[0] == RowKind.VERSION:
        name = name[:-VERSION_TAIL_BYTES].replace(_ESCAPED, b"\0")
    return key[2:end].decode(), name.decode()


def _in_bucket(kind: RowKind, bucket: str) -> bytes:
    name = bucket.encode()
    return bytes([kind, len(name)]) + name


def _escaped(key: str) -> bytes:
    return key.encode().replace(b"\0", _ESCAPED)


def _ended(key: str) -> bytes:
    return _escaped(key) + _END


def _inverted(version: bytes) -> bytes:
    return bytes(255 - byte for byte in version)


def owner_of(stamp: Stamp, ordinal: int) -> bytes:
    """The owner of what change number `ordinal` of an entry put."""
    return stamp.epoch.to_bytes(8, "big") + stamp.position.to_bytes(8, "big") + ordinal.to_bytes(4, "big")


def inline_key(stamp: Stamp, row: bytes) -> bytes:
    """Says that the object with the row key `row` is inline in the entry with this stamp. They sort by age."""
    return bytes([RowKind.INLINE]) + stamp.epoch.to_bytes(8, "big") + stamp.position.to_bytes(8, "big") + row


def inline_row(key: bytes) -> tuple[Stamp, bytes]:
    """The stamp and the object's row key, from what `inline_key` made of them."""
    stamp = Stamp(int.from_bytes(key[1:9], "big"), int.from_bytes(key[9:17], "big"))
    return stamp, key[17:]


def runs_of(owner: bytes) -> bytes:
    """How the keys of all runs of an owner begin."""
    return bytes([RowKind.RUN]) + owner


def part_of(owner: bytes, part: int) -> bytes:
    """How the keys of all runs of one part begin."""
    return runs_of(owner) + part.to_bytes(4, "big")


def run_key(owner: bytes, part: int, run: int) -> bytes:
    return part_of(owner, part) + run.to_bytes(2, "big")


def part_key(owner: bytes, part: int) -> bytes:
    """The row of a client's part."""
    return parts_of(owner) + part.to_bytes(4, "big")


def parts_of(owner: bytes) -> bytes:
    """How the keys of all parts of an owner begin."""
    return bytes([RowKind.PART]) + owner


def number_of(key: bytes) -> int:
    """The part's number, from what `part_key` or `run_key` made of it."""
    return int.from_bytes(key[1 + OWNER_BYTES : 5 + OWNER_BYTES], "big")


def upload_key(upload: bytes) -> bytes:
    """An upload of the writer's own. With no upload, how the keys of all of them begin."""
    return bytes([RowKind.UPLOAD]) + upload


def begun_key(upload: bytes) -> bytes:
    """An upload of a client's."""
    return bytes([RowKind.BEGUN]) + upload


def begun_at_key(bucket: str, key: str, upload: bytes) -> bytes:
    """Says that a client uploads parts for this key."""
    return begun_in(bucket) + _ended(key) + upload


def begun_in(bucket: str, prefix: str = "") -> bytes:
    """How the keys of all such rows of a bucket begin whose object's key begins with `prefix`."""
    return _in_bucket(RowKind.BEGUN_AT, bucket) + _escaped(prefix)


def begun_name(key: bytes) -> tuple[str, bytes]:
    """The object's key and the upload, from what `begun_at_key` made of them."""
    name = key[2 + key[1] : -VERSION_BYTES - len(_END)]
    return name.replace(_ESCAPED, b"\0").decode(), key[-VERSION_BYTES:]


def late_key(block: bytes, row: bytes) -> bytes:
    """Says that the row with the key `row` names a block some of whose shares are still to come."""
    return lates_of(block) + row


def lates_of(block: bytes) -> bytes:
    """How the late rows of one block begin; of all blocks, with no block."""
    return bytes([RowKind.LATE]) + block


def late_row(key: bytes) -> tuple[BlockId, bytes]:
    """The block, and the key of the row that names it, from what `late_key` made of them."""
    return BlockId(key[1 : 1 + ID_BYTES]), key[1 + ID_BYTES :]


def release_key(block: bytes) -> bytes:
    """With no block, how the keys of all releases begin."""
    return bytes([RowKind.RELEASE]) + block


def shared_key(block: bytes) -> bytes:
    return bytes([RowKind.SHARED]) + block


def pack_key(block: bytes) -> bytes:
    """With no block, how the keys of all packs begin."""
    return bytes([RowKind.PACK]) + block


def block_of(key: bytes) -> BlockId:
    """The block that `release_key` or `pack_key` made a key of."""
    return BlockId(key[1:])
