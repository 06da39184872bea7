"""Packs: every object lies where the directory says, and nothing is put in that would not fit."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.errors import Malformed
from protocol.limits import ENTRY_BYTES_MAX, INLINE_BYTES_MAX, OBJECTS_PER_PACK_MAX
from protocol.namespace.changes import BlockRef, ObjectsPacked, encode_changes
from protocol.namespace.packs import DIRECTORY_BYTES_MAX, PACK_BYTES_MAX, Packing, SmallObject, read_directory
from tests.support.namespaces import block_ref, some

buckets = st.text("abcdefgh-", min_size=3, max_size=6)
keys = st.text(min_size=1, max_size=8).filter(lambda text: 0 < len(text.encode("utf-8", "replace")) <= 240)
# Names and bytes as long as they may get are in full packs; what matters here is that lengths and characters vary.
objects = st.builds(
    SmallObject, buckets, keys, st.binary(min_size=16, max_size=16), st.binary(min_size=17, max_size=60)
)


def largest(number: int, *, key_bytes: int, sealed_bytes: int) -> SmallObject:
    return SmallObject("b" * 63, f"{number:0{key_bytes}}", some("version", number)[:16], bytes(sealed_bytes))


def filled(one: SmallObject) -> Packing:
    """A pack of as many such objects as it takes."""
    packing = Packing()
    while packing.add(one):
        pass
    return packing


def announced(packing: Packing) -> bytes:
    """The entry's plain bytes that announce the pack, coded as widely as it gets."""
    ref = block_ref(1, n=32, k=16)
    pack = BlockRef(ref.block, ref.key, PACK_BYTES_MAX, ref.k, ref.n, ref.placing, 2**32 - 1)
    return encode_changes([ObjectsPacked(pack, packing.objects)])


@settings(max_examples=60, deadline=None)
@given(st.lists(objects, min_size=1, max_size=30))
def test_every_object_is_found_where_the_directory_says(small: list[SmallObject]) -> None:
    packing = Packing()
    assert all(packing.add(one) for one in small)
    plain = packing.plain()
    directory = read_directory(plain)
    assert directory == packing.objects
    assert len(directory) == len(packing) == len(small)
    for found, one in zip(directory, small, strict=True):
        assert (found.bucket, found.key, found.version) == (one.bucket, one.key, one.version)
        assert plain[found.offset : found.offset + found.size_bytes] == one.sealed


@pytest.mark.parametrize(
    ("key_bytes", "sealed_bytes"), [(1, 17), (1, 1_000), (1_024, 17), (1_024, 500), (40, INLINE_BYTES_MAX + 32)]
)
def test_a_full_pack_fits_into_a_block_and_its_announcement_into_an_entry(key_bytes: int, sealed_bytes: int) -> None:
    packing = filled(largest(0, key_bytes=key_bytes, sealed_bytes=sealed_bytes))
    plain = packing.plain()
    assert len(plain) <= PACK_BYTES_MAX
    assert len(announced(packing)) < ENTRY_BYTES_MAX - 4_096
    assert read_directory(plain) == packing.objects
    directory_bytes = len(plain) - packing.objects[-1].offset - sealed_bytes
    used = (
        (len(plain) + sealed_bytes) / PACK_BYTES_MAX,
        len(packing) / OBJECTS_PER_PACK_MAX,
        directory_bytes / DIRECTORY_BYTES_MAX,
    )
    assert max(used) > 0.9  # one more would have been too much for one of the three


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
@example(b"")
@example(bytes(4))
@example(b"\xff" * 8)
def test_bytes_that_are_no_pack_are_refused_by_name(plain: bytes) -> None:
    with pytest.raises(Malformed, match="pack-directory"):
        read_directory(plain)


def test_a_directory_that_points_outside_its_pack_is_refused() -> None:
    packing = Packing()
    packing.add(SmallObject("photos", "a", bytes(16), bytes(100)))
    with pytest.raises(Malformed, match="pack-directory"):
        read_directory(packing.plain()[1:])
