"""Hashes and derived keys: one context for each use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.keys.derive import derive_key, digest
from tests.support.vectors import load_vectors


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_a_digest_is_that_of_the_parts_joined(parts: list[bytes]) -> None:
    assert digest("maillon/test", *parts) == digest("maillon/test", b"".join(parts))
    assert digest("maillon/test", *map(memoryview, parts)) == digest("maillon/test", *map(bytearray, parts))


@given(st.binary(max_size=64))
def test_two_contexts_never_agree(material: bytes) -> None:
    one, other = derive_key("maillon/one", material), derive_key("maillon/two", material)
    assert one != other
    assert len(one) == len(other) == 32


@pytest.mark.parametrize("vector", load_vectors("keys")["derived"], ids=lambda vector: vector["context"])
def test_vectors(vector: dict[str, str]) -> None:
    material = bytes.fromhex(vector["material"])
    assert derive_key(vector["context"], material).hex() == vector["key"]
    assert digest(vector["context"], material).hex() == vector["key"]
