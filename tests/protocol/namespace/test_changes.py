"""Changes: what may be said, and that what is said comes back."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import MaillonError, Malformed, OverLimit, Refused
from protocol.ids import BlockId, Digest, NodeId
from protocol.namespace.changes import (
    BlockCompleted,
    BlockRef,
    BlocksReleased,
    BlocksReplaced,
    BucketCreated,
    BucketDeleted,
    BucketDocumentPut,
    BucketSet,
    Change,
    Checkpoint,
    DrillHeld,
    EncodedChange,
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
    encode_changes,
    join_changes,
    moved,
)
from protocol.namespace.contents import LockDefault, LockMode, Retention, Tag, Versioning
from tests.support.namespaces import block_ref, object_put, some

ids = st.binary(min_size=32, max_size=32)
versions = st.binary(min_size=16, max_size=16)
buckets = st.text("abcdefgh-0123456789", min_size=3, max_size=63)
keys = st.text(min_size=1, max_size=200).filter(lambda text: 0 < len(text.encode("utf-8", "replace")) <= 1_000)
keys = keys.filter(lambda text: not any(0xD800 <= ord(letter) < 0xE000 for letter in text))
times = st.integers(0, 2**40)


@st.composite
def block_refs(draw: st.DrawFn) -> BlockRef:
    placing = tuple(NodeId(node) for node in draw(st.lists(ids, min_size=1, max_size=9)))
    n = len(placing)
    k, missing = draw(st.integers(1, n)), draw(st.integers(0, 2**n - 1))
    return BlockRef(BlockId(draw(ids)), draw(ids), draw(st.integers(0, 4_000_000)), k, n, placing, missing)


names = st.text("AZ09", min_size=1, max_size=20)
tags = st.lists(st.builds(Tag, names, names), max_size=3).map(tuple)
retentions = st.none() | st.builds(Retention, st.sampled_from(LockMode), times)
lock_defaults = st.none() | st.builds(LockDefault, st.sampled_from(LockMode), st.integers(1, 36_500))


@st.composite
def puts(draw: st.DrawFn) -> ObjectPut:
    content = draw(st.sampled_from(["blocks", "inline", "upload", "nothing"]))
    return ObjectPut(
        draw(buckets),
        draw(keys),
        draw(versions),
        draw(st.integers(0, 2**40)),
        Digest(draw(ids)),
        draw(times),
        "public",
        blocks=tuple(draw(st.lists(block_refs(), max_size=3))) if content == "blocks" else (),
        inline=InlineRef(draw(st.integers(0, 9_999)), draw(st.integers(1, 9_999)), draw(ids))
        if content == "inline"
        else None,
        upload=draw(versions) if content == "upload" else None,
        legal_hold=draw(st.booleans()),
        parts=draw(st.lists(st.integers(1, 10_000), max_size=4).map(tuple)),
        is_copy=draw(st.booleans()),
        tags=draw(tags),
        retention=draw(retentions),
    )


@st.composite
def packs(draw: st.DrawFn) -> ObjectsPacked:
    """Objects anywhere in a pack that is large enough."""
    pack = dataclasses.replace(draw(block_refs()), size_bytes=4_000_000)
    sizes = st.integers(1, 9_999)
    objects = st.builds(PackedObject, buckets, keys, versions, st.integers(0, 3_000_000), sizes)
    return ObjectsPacked(pack, tuple(draw(st.lists(objects, min_size=1, max_size=4))))


changes = st.one_of(
    st.builds(BucketCreated, buckets, times, st.booleans()),
    st.builds(BucketDeleted, buckets),
    st.builds(BucketSet, buckets, st.sampled_from(Versioning), st.booleans(), lock_defaults),
    st.builds(BucketDocumentPut, buckets, st.just("cors"), st.binary(max_size=50)),
    st.builds(MarkerPut, buckets, keys, versions, times),
    st.builds(TagsReplaced, buckets, keys, versions, tags),
    st.builds(MetadataReplaced, buckets, keys, versions, st.just((Metadata("acl", "public-read"),))),
    st.builds(LockReplaced, buckets, keys, versions, retentions, st.booleans()),
    st.builds(
        UploadBegun, versions, buckets, keys, times, st.just(()), tags, retentions, st.booleans(), st.just("CRC32")
    ),
    st.builds(KeyCreated, names, names, st.none() | buckets, st.booleans(), times),
    st.builds(KeyRevoked, names),
    puts(),
    st.builds(ObjectDeleted, buckets, keys, st.none() | versions),
    st.builds(
        PartPut,
        versions,
        st.integers(0, 10_000),
        times,
        ids.map(Digest),
        st.tuples(block_refs()),
        st.integers(0, 4_096),
        st.booleans(),
        names,
    ),
    st.builds(BlockCompleted, ids.map(BlockId), block_refs().map(lambda block: block.placing)),
    st.builds(UploadAborted, versions),
    st.builds(BlocksReleased, st.lists(ids.map(BlockId), min_size=1, max_size=5).map(tuple)),
    packs(),
    st.builds(Checkpoint, block_refs(), times, times, ids.map(Digest)),
    st.builds(WriterSignedOff, st.none() | ids.map(NodeId)),
    st.builds(DrillHeld, times),
    st.builds(BlocksReplaced, st.lists(block_refs(), min_size=1, max_size=3).map(tuple)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(changes, max_size=5))
def test_changes_come_back_as_they_were_said(said: list[Change]) -> None:
    assert decode_changes(encode_changes(said)) == tuple(said)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_by_name_or_canonical(data: bytes) -> None:
    try:
        said = decode_changes(data)
    except MaillonError:
        return
    assert encode_changes(said) == data


@pytest.mark.parametrize("kind", [0, 5, 22, 35, 49, 51, 63, 70, 82, 65_535])
def test_an_unknown_kind_stops_the_reader_and_is_named(kind: int) -> None:
    with pytest.raises(Refused, match="change-unknown") as caught:
        decode_changes(join_changes([EncodedChange(kind, b"\x91\x01")]))
    assert caught.value.parameters["kind"] == kind


def test_a_newer_version_of_a_known_kind_stops_the_reader_and_is_named() -> None:
    with pytest.raises(Refused, match="change-unknown") as caught:
        decode_changes(join_changes([EncodedChange(16, b"\x91\x02")]))
    assert caught.value.parameters == {"kind": 16, "version": 2}


def test_inline_bytes_are_found_after_they_moved() -> None:
    inline = InlineRef(5, 20, some("key"))
    plain, put = BucketCreated("photos", 1), object_put("photos", "a", inline=inline)
    assert moved([plain, put], 0) == (plain, put)
    after = moved([plain, put], 100)
    assert after == (plain, dataclasses.replace(put, inline=InlineRef(105, 20, inline.key)))


def test_an_object_has_one_content_at_most() -> None:
    inline = InlineRef(0, 20, some("key"))
    with pytest.raises(Malformed, match="object-content"):
        object_put("photos", "a", blocks=(block_ref(1),), inline=inline)


def test_a_block_names_as_many_nodes_as_it_has_shares() -> None:
    good = block_ref(1)
    for wrong in ({"n": 4}, {"k": 4}, {"missing": 0b1000}):
        with pytest.raises(Malformed, match="block-reference"):
            dataclasses.replace(good, **wrong)  # type: ignore[arg-type]


def test_a_key_over_its_bound_is_refused_before_it_is_journaled() -> None:
    with pytest.raises(OverLimit):
        encode_changes([ObjectDeleted("photos", "é" * 600)])


def test_keys_of_blocks_are_not_shown() -> None:
    block = block_ref(1)
    assert block.key.hex() not in repr(block)
    assert str(block.key) not in repr(object_put("photos", "a", blocks=(block,)))


def test_a_packed_object_lies_within_its_pack() -> None:
    pack = dataclasses.replace(block_ref(1), size_bytes=100)
    ObjectsPacked(pack, (PackedObject("photos", "a", bytes(16), 60, 40),))
    with pytest.raises(Malformed, match="pack-bounds"):
        ObjectsPacked(pack, (PackedObject("photos", "a", bytes(16), 61, 40),))
