"""The bytes of every format of a journal, both ways: tests/vectors/namespace.json."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.coding.label import Stamp
from protocol.ids import BlockId, Digest, NodeId
from protocol.keys.signing import SigningKey
from protocol.namespace.changes import (
    BlockCompleted,
    BlockRef,
    BlocksReleased,
    BucketCreated,
    BucketDeleted,
    BucketDocumentPut,
    BucketSet,
    Change,
    Checkpoint,
    Checksum,
    DrillHeld,
    InlineRef,
    KeyCreated,
    KeyRevoked,
    LockReplaced,
    MarkerPut,
    Metadata,
    MetadataReplaced,
    ObjectDeleted,
    ObjectPut,
    ObjectsPacked,
    PackedObject,
    PartPut,
    TagsReplaced,
    UploadAborted,
    UploadBegun,
    WriterSignedOff,
    decode_changes,
    encode_change,
    encode_changes,
)
from protocol.namespace.contents import LockDefault, LockMode, Retention, Tag, Versioning
from protocol.namespace.inventories import (
    decode_stray_release,
    encode_stray_release,
    sign_stray_release,
    verify_stray_release,
)
from protocol.namespace.journal import (
    Opening,
    Tip,
    check_entry,
    decode_entry,
    decode_opening,
    encode_entry,
    encode_opening,
    opening_hash,
    sign_entry,
    sign_opening,
    start_of,
)
from protocol.namespace.lifecycle import LifecycleRule, decode_rules, encode_rules
from protocol.namespace.packs import Packing, SmallObject, read_directory
from protocol.namespace.quorums import quorum
from protocol.namespace.releases import decode_release, encode_release, sign_release, verify_release
from protocol.namespace.root import Root, WriterCertificate, certify_writer, verify_certificate
from protocol.namespace.sealed_entry import open_changes, seal_changes, unwrap_epoch_key, wrap_epoch_key
from protocol.wire import schema
from tests.support.vectors import load_vectors

VECTORS: Any = load_vectors("namespace")


def repeated(byte: int, size: int = 32) -> bytes:
    return bytes([byte]) * size


BLOCK = BlockRef(
    BlockId(repeated(0x11)),
    repeated(0x22),
    4_000_000,
    2,
    3,
    tuple(NodeId(repeated(byte)) for byte in (1, 2, 3)),
    0b100,
)
CHANGES: dict[str, Change] = {
    "bucket-created": BucketCreated("photos", 1_790_000_000),
    "bucket-with-lock-created": BucketCreated("ledger", 1_790_000_000, has_lock=True),
    "bucket-deleted": BucketDeleted("photos"),
    "bucket-set": BucketSet(
        "ledger", Versioning.ENABLED, has_lock=True, lock_default=LockDefault(LockMode.GOVERNANCE, 30)
    ),
    "bucket-document-put": BucketDocumentPut("photos", "cors", b"<CORSConfiguration/>"),
    "marker-put": MarkerPut("photos", "film.mkv", repeated(0x37, 16), 1_790_000_005),
    "tags-replaced": TagsReplaced("photos", "film.mkv", repeated(0x34, 16), (Tag("colour", "bleu"),)),
    "metadata-replaced": MetadataReplaced(
        "photos", "film.mkv", repeated(0x34, 16), (Metadata("content-type", "video/x-matroska"),)
    ),
    "lock-replaced": LockReplaced(
        "ledger", "2026.pdf", repeated(0x38, 16), Retention(LockMode.COMPLIANCE, 1_800_000_000), legal_hold=True
    ),
    "upload-begun": UploadBegun(
        repeated(0x66, 16),
        "photos",
        "long.mkv",
        1_790_000_006,
        (Metadata("content-type", "video/x-matroska"),),
        (Tag("colour", "bleu"),),
        Retention(LockMode.GOVERNANCE, 1_800_000_000),
        legal_hold=False,
        checksum="CRC32",
    ),
    "key-created": KeyCreated("MAILLONKEY", "no secret", "photos", is_read_only=True, created_s=1_790_000_007),
    "key-revoked": KeyRevoked("MAILLONKEY"),
    "object-put-inline": ObjectPut(
        "photos",
        "été/plage.jpg",
        repeated(0x33, 16),
        100,
        Digest(repeated(0x44)),
        1_790_000_001,
        "personal",
        inline=InlineRef(0, 116, repeated(0x55)),
    ),
    "object-put-blocks": ObjectPut(
        "photos",
        "film.mkv",
        repeated(0x34, 16),
        4_000_000,
        Digest(repeated(0x45)),
        1_790_000_002,
        "public",
        blocks=(BLOCK,),
        etag="0123456789abcdef0123456789abcdef",
        metadata=(Metadata("content-type", "video/x-matroska"),),
        checksums=(Checksum("CRC32C", b"\x01\x02\x03\x04"),),
        retain_until_s=1_800_000_000,
        legal_hold=True,
        is_copy=True,
        tags=(Tag("colour", "bleu"),),
        retention=Retention(LockMode.GOVERNANCE, 1_800_000_000),
    ),
    "object-put-parts": ObjectPut(
        "photos",
        "long.mkv",
        repeated(0x35, 16),
        4_000_000,
        Digest(repeated(0x46)),
        1_790_000_003,
        "public",
        upload=repeated(0x66, 16),
        parts=(1, 7),
    ),
    "object-deleted": ObjectDeleted("photos", "film.mkv", repeated(0x34, 16)),
    "part-put": PartPut(repeated(0x66, 16), 7, 4_000_000, Digest(repeated(0x47)), (BLOCK,)),
    "clients-part-put": PartPut(
        repeated(0x66, 16),
        7,
        4_000_000,
        Digest(repeated(0x47)),
        (BLOCK,),
        first_block=512,
        is_copy=True,
        etag="0123456789abcdef0123456789abcdef",
        checksums=(Checksum("CRC32", b"\x01\x02\x03\x04"),),
        modified_s=1_790_000_008,
    ),
    "upload-aborted": UploadAborted(repeated(0x66, 16)),
    "block-completed": BlockCompleted(BlockId(repeated(0x11)), BLOCK.placing),
    "blocks-released": BlocksReleased((BlockId(repeated(0x11)), BlockId(repeated(0x12)))),
    "objects-packed": ObjectsPacked(
        BLOCK,
        (
            PackedObject("photos", "été/plage.jpg", repeated(0x33, 16), 0, 116),
            PackedObject("photos", "note.txt", repeated(0x36, 16), 116, 17),
        ),
    ),
    "checkpoint": Checkpoint(BLOCK, 7, 1_000, Digest(repeated(0x48))),
    "writer-signed-off": WriterSignedOff(),
    "writer-hands-over": WriterSignedOff(NodeId(bytes(range(32)))),
    "drill-held": DrillHeld(1_790_000_004),
}

RULES = (
    LifecycleRule("logs/", expire_days=30, noncurrent_days=7, newer_kept=2, abort_days=1),
    LifecycleRule(
        tags=(Tag("keep", "no"),), size_over=1_024, size_under=2**40, expire_at_s=1_800_000_000, expire_markers=True
    ),
)

RELEASED = (BlockId(repeated(0x11)), BlockId(repeated(0x12)))

SMALL = (
    SmallObject("photos", "été/plage.jpg", repeated(0x33, 16), b"sealed bytes"),
    SmallObject("photos", "note.txt", repeated(0x36, 16), b"others"),
)


def packed() -> Packing:
    packing = Packing()
    assert all(packing.add(one) for one in SMALL)
    return packing


def build() -> dict[str, Any]:
    """All vectors from their inputs: the root of 0x00…0x1f, the writer's seed of 0x20…0x3f, and what stands below."""
    root, writer = Root(bytes(range(32))), SigningKey.from_seed(bytes(range(32, 64)))
    holders = tuple(NodeId(repeated(byte)) for byte in (1, 2, 3))
    certificate = certify_writer(root, writer.public, holders[0], generation=1, from_epoch=1)
    epoch_key, salt = repeated(0x77), repeated(0x88, 16)
    wrapped_key = wrap_epoch_key(root.wrapping_key(1), salt, epoch_key)
    opening = sign_opening(writer, certificate, epoch=1, holders=holders, quorum=quorum(3), wrapped_key=wrapped_key)
    entries, tip = [], start_of(opening)
    for number, inline in enumerate((b"", b"inline bytes")):
        changes = [encode_change(CHANGES[name]) for name in ("bucket-created", "object-put-inline")[: number + 1]]
        entry = sign_entry(writer, opening, tip, seal_changes(epoch_key, repeated(number, 16), changes), inline)
        tip = check_entry(opening, tip, entry)
        entries.append({"bytes": encode_entry(entry).hex(), "hash": tip.head.hex(), "inline": inline.hex()})
    return {
        "root": {
            "secret": root.secret.hex(),
            "namespace": root.namespace.hex(),
            "wrapping-key-1": root.wrapping_key(1).hex(),
            "wrapping-key-2": root.wrapping_key(2).hex(),
        },
        "certificate": {"writer-seed": writer.seed.hex(), "bytes": schema.encode(certificate).hex()},
        "opening": {
            "epoch-key": epoch_key.hex(),
            "wrap-salt": salt.hex(),
            "bytes": encode_opening(opening).hex(),
            "hash": opening_hash(opening).hex(),
        },
        "changes": {name: encode_changes([change]).hex() for name, change in CHANGES.items()},
        "entries": entries,
        "release": encode_release(sign_release(writer, root.namespace, 3, RELEASED)).hex(),
        "stray-release": encode_stray_release(
            sign_stray_release(writer, root.namespace, 3, Stamp(2, 1_000), RELEASED)
        ).hex(),
        "pack": packed().plain().hex(),
        "lifecycle": encode_rules(RULES).hex(),
    }


def opening_of_vectors() -> Opening:
    return decode_opening(bytes.fromhex(VECTORS["opening"]["bytes"]))


@pytest.mark.parametrize(
    "part", ["root", "certificate", "opening", "changes", "entries", "release", "stray-release", "pack", "lifecycle"]
)
def test_values_become_the_bytes_of_the_vectors(part: str) -> None:
    assert build()[part] == VECTORS[part]


@pytest.mark.parametrize("name", CHANGES)
def test_bytes_of_a_change_become_its_value(name: str) -> None:
    assert decode_changes(bytes.fromhex(VECTORS["changes"][name])) == (CHANGES[name],)


def test_bytes_of_a_certificate_become_one_that_verifies() -> None:
    certificate = schema.decode(WriterCertificate, bytes.fromhex(VECTORS["certificate"]["bytes"]))
    verify_certificate(certificate)
    assert certificate == opening_of_vectors().certificate


def test_bytes_of_a_pack_become_its_directory() -> None:
    plain = bytes.fromhex(VECTORS["pack"])
    assert read_directory(plain) == packed().objects
    assert plain.startswith(b"sealed bytesothers")


def test_bytes_of_lifecycle_rules_become_the_rules() -> None:
    assert decode_rules(bytes.fromhex(VECTORS["lifecycle"])) == RULES


def test_bytes_of_a_release_become_one_that_verifies() -> None:
    release = decode_release(bytes.fromhex(VECTORS["release"]))
    verify_release(release, writer=opening_of_vectors().certificate.writer, epoch=3)
    assert release.blocks == RELEASED


def test_bytes_of_a_stray_release_become_one_that_verifies() -> None:
    release = decode_stray_release(bytes.fromhex(VECTORS["stray-release"]))
    verify_stray_release(release, writer=opening_of_vectors().certificate.writer, epoch=3)
    assert (release.horizon, release.blocks) == (Stamp(2, 1_000), RELEASED)


def test_bytes_of_entries_become_a_chain_that_opens_with_the_root() -> None:
    opening = opening_of_vectors()
    root = Root(bytes.fromhex(VECTORS["root"]["secret"]))
    epoch_key = unwrap_epoch_key(root.wrapping_key(opening.generation), opening)
    assert epoch_key.hex() == VECTORS["opening"]["epoch-key"]
    tip = start_of(opening)
    said = []
    for vector in VECTORS["entries"]:
        entry = decode_entry(bytes.fromhex(vector["bytes"]))
        tip = check_entry(opening, tip, entry)
        assert tip.head.hex() == vector["hash"]
        assert entry.inline.hex() == vector["inline"]
        said.append(open_changes(epoch_key, entry))
    assert said == [
        (CHANGES["bucket-created"],),
        (CHANGES["bucket-created"], CHANGES["object-put-inline"]),
    ]
    assert tip == Tip(2, Digest(bytes.fromhex(VECTORS["entries"][1]["hash"])))
