"""Sealing: what was sealed opens to itself, whole or in part, and to nothing else."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Forged, Malformed
from protocol.keys.sealing import (
    open_into,
    open_segments_into,
    plain_size,
    seal_into,
    sealed_size,
    segment_count,
    segments_covering,
)
from protocol.limits import BLOCK_BYTES_MAX, BLOCK_PLAIN_BYTES_MAX, SEGMENT_BYTES, SEGMENT_PLAIN_BYTES
from tests.support.vectors import load_vectors

KEY = bytes(range(32))
EDGES = sorted(
    {max(0, segments * SEGMENT_PLAIN_BYTES + offset) for segments in (0, 1, 2, 3) for offset in (-1, 0, 1, 17)}
)
SIZES = st.sampled_from(EDGES) | st.integers(0, 4 * SEGMENT_PLAIN_BYTES)


def sealed(plain: bytes, key: bytes = KEY) -> bytearray:
    out = bytearray(sealed_size(len(plain)))
    seal_into(key, plain, memoryview(out))
    return out


def opened(data: bytes | bytearray | memoryview, key: bytes = KEY) -> bytes:
    out = bytearray(plain_size(len(data)))
    open_into(key, data, memoryview(out))
    return bytes(out)


def some_bytes(size: int) -> bytes:
    return hashlib.shake_128(size.to_bytes(8, "big")).digest(size)


@given(SIZES)
def test_what_was_sealed_opens_to_itself(size: int) -> None:
    plain = some_bytes(size)
    assert opened(sealed(plain)) == plain


@given(SIZES)
def test_each_segment_is_aes_gcm_under_its_number_and_a_last_bit(size: int) -> None:
    plain = some_bytes(size)
    expected = b""
    count = segment_count(size)
    for index in range(count):
        part = plain[index * SEGMENT_PLAIN_BYTES : (index + 1) * SEGMENT_PLAIN_BYTES]
        nonce = bytes(7) + index.to_bytes(4, "big") + bytes([index == count - 1])
        expected += AESGCM(KEY).encrypt(nonce, part, None)
    assert sealed(plain) == expected


@given(st.integers(0, BLOCK_PLAIN_BYTES_MAX) | st.sampled_from([*EDGES, BLOCK_PLAIN_BYTES_MAX]))
def test_sizes_can_be_computed_both_ways(size: int) -> None:
    assert plain_size(sealed_size(size)) == size
    assert sealed_size(size) <= BLOCK_BYTES_MAX


@given(st.integers(0, 5 * SEGMENT_BYTES) | st.sampled_from([0, 15, SEGMENT_BYTES + 1, SEGMENT_BYTES + 16]))
def test_a_sealed_size_is_accepted_only_if_sealing_gives_it(size: int) -> None:
    try:
        plain = plain_size(size)
    except Malformed as error:
        assert error.identifier == "sealed-size"
        assert size < 16 or 0 < size % SEGMENT_BYTES <= 16
    else:
        assert sealed_size(plain) == size


def test_the_biggest_block_is_full() -> None:
    assert sealed_size(BLOCK_PLAIN_BYTES_MAX) == BLOCK_BYTES_MAX


@given(SIZES, st.data())
def test_one_flipped_bit_is_noticed_and_its_segment_named(size: int, data: st.DataObject) -> None:
    broken = sealed(some_bytes(size))
    bit = data.draw(st.integers(0, 8 * len(broken) - 1))
    broken[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Forged) as refused:
        opened(broken)
    assert refused.value.identifier == "seal"
    assert refused.value.parameters == {"segment": bit // 8 // SEGMENT_BYTES}


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Forged):
        opened(sealed(b"maillon"), bytes(32))


def test_segments_cannot_be_dropped_swapped_or_added() -> None:
    whole = sealed(some_bytes(3 * SEGMENT_PLAIN_BYTES))
    one, two, three = (whole[start : start + SEGMENT_BYTES] for start in range(0, len(whole), SEGMENT_BYTES))
    for changed in (one + two, one, two + three, two + one + three, one + three, whole + three, one + one + three):
        with pytest.raises(Forged):
            opened(changed)


@given(st.integers(1, 4 * SEGMENT_PLAIN_BYTES), st.data())
@settings(max_examples=50)
def test_a_range_opens_without_the_rest(size: int, data: st.DataObject) -> None:
    plain = some_bytes(size)
    whole = sealed(plain)
    first = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(1, size - first))
    segments = segments_covering(first, length, size)
    part = whole[segments.start * SEGMENT_BYTES : segments.stop * SEGMENT_BYTES]
    out = bytearray(len(part) - 16 * len(segments))
    open_segments_into(KEY, part, memoryview(out), first_segment=segments.start, sealed_bytes=len(whole))
    skip = first - segments.start * SEGMENT_PLAIN_BYTES
    assert out[skip : skip + length] == plain[first : first + length]


def test_an_empty_range_needs_no_segment() -> None:
    assert segments_covering(5, 0, 10) == range(0)
    for first, size in ((-1, 1), (0, -1), (5, 6)):
        with pytest.raises(ValueError, match="outside"):
            segments_covering(first, size, 10)


def test_a_part_that_is_not_whole_segments_is_refused() -> None:
    whole = sealed(some_bytes(2 * SEGMENT_PLAIN_BYTES + 5))
    for first, end in (
        (0, 100),
        (0, 0),
        (1, len(whole)),
        (2, SEGMENT_BYTES),
        (-1, SEGMENT_BYTES),
        (0, len(whole) - 1),
    ):
        with pytest.raises(Malformed) as refused:
            open_segments_into(
                KEY, whole[:end], memoryview(bytearray(end)), first_segment=first, sealed_bytes=len(whole)
            )
        assert refused.value.identifier == "sealed-size"


def test_a_buffer_of_the_wrong_size_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="wrong size"):
        seal_into(KEY, b"abc", memoryview(bytearray(18)))
    with pytest.raises(ValueError, match="wrong size"):
        open_into(KEY, sealed(b"abc"), memoryview(bytearray(4)))


@pytest.mark.parametrize("vector", load_vectors("keys")["sealed"], ids=lambda vector: str(vector["plain_bytes"]))
def test_vectors(vector: dict[str, str | int]) -> None:
    size = int(vector["plain_bytes"])
    plain = bytes(position % 251 for position in range(size))
    made = sealed(plain, bytes.fromhex(str(vector["key"])))
    assert (made[:16] + made[-16:]).hex() == vector["ends"]
    assert hashlib.sha256(made).hexdigest() == vector["sha256"]
    assert opened(made, bytes.fromhex(str(vector["key"]))) == plain
