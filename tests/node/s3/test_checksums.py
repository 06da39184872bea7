"""S3's checksums: known values, and those of a whole made from those of its parts."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.s3.texts import checksums
from node.s3.texts.checksums import Algorithm, Type

# The check values of the catalogue of CRCs, https://reveng.sourceforge.io/crc-catalogue/, for "123456789".
KNOWN = {
    Algorithm.CRC32: "cbf43926",
    Algorithm.CRC32C: "e3069283",
    Algorithm.CRC64NVME: "ae8b14860a799888",
    Algorithm.SHA1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    Algorithm.SHA256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


def count(algorithm: Algorithm, data: bytes) -> bytes:
    counted = checksums.running(algorithm)
    counted.update(data)
    return counted.digest()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_known_values(algorithm: Algorithm) -> None:
    assert count(algorithm, b"123456789").hex() == KNOWN[algorithm]
    assert len(count(algorithm, b"")) == algorithm.size_bytes


@pytest.mark.parametrize("algorithm", [algorithm for algorithm in Algorithm if algorithm.combines])
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_crcs_of_parts_combine_into_that_of_the_whole(algorithm: Algorithm, parts: list[bytes]) -> None:
    counted = [(count(algorithm, part), len(part)) for part in parts]
    assert checksums.combined(algorithm, counted) == count(algorithm, b"".join(parts))


@given(data=st.binary(max_size=300), at=st.integers(0, 300))
def test_a_checksum_may_be_counted_in_steps(data: bytes, at: int) -> None:
    for algorithm in Algorithm:
        counted = checksums.running(algorithm)
        counted.update(memoryview(data)[:at])
        counted.update(memoryview(data)[at:])
        assert counted.digest() == count(algorithm, data)


def test_a_composite_checksum_says_how_many_parts_it_covers() -> None:
    value = checksums.composite(Algorithm.SHA256, [b"1" * 32, b"2" * 32])
    assert value == hashlib.sha256(b"1" * 32 + b"2" * 32).digest()
    kept = checksums.kept(Algorithm.SHA256, Type.COMPOSITE, value)
    shown = checksums.shown(kept, "0123456789abcdef0123456789abcdef-2")
    assert shown.text == base64.b64encode(value).decode() + "-2"
    assert shown.type is Type.COMPOSITE


def test_the_etag_of_a_multipart_object_is_amazons() -> None:
    # `aws s3 cp` of 10 MiB of zeros in parts of 5 MiB has this ETag everywhere.
    part = hashlib.md5(bytes(5 * 2**20)).hexdigest()
    expected = hashlib.md5(bytes.fromhex(part) * 2).hexdigest()
    assert checksums.multipart_etag([part, part]) == f"{expected}-2"


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", "AAAAAAAAAA=="])
def test_what_is_no_checksum_is_known_as_such(text: str) -> None:
    assert checksums.decode(text, 4) is None
