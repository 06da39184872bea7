"""A header is its block's name: every field counts, and what no block can be is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.coding.header import Header
from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.ids import Digest, NamespaceId
from protocol.keys.sealing import sealed_size
from protocol.limits import BLOCK_BYTES_MAX, BLOCK_PLAIN_BYTES_MAX
from protocol.wire import canonical, schema
from tests.support.vectors import load_vectors

CODES = st.integers(1, 32).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))
HEADERS = st.builds(
    lambda code, plain, data_class, namespace, root, codec: Header(
        codec, *code, sealed_size(plain), data_class, NamespaceId(namespace), Digest(root)
    ),
    CODES,
    st.integers(0, BLOCK_PLAIN_BYTES_MAX),
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.integers(1, 255),
)
HEADER = Header(1, 4, 6, 1_016, "internal", NamespaceId(b"\x4e" * 32), Digest(b"\x52" * 32))


@given(HEADERS)
def test_what_was_encoded_decodes_to_itself(header: Header) -> None:
    again = schema.decode(Header, schema.encode(header))
    assert again == header
    assert again.block_id == header.block_id


@given(HEADERS)
def test_k_shares_hold_the_sealed_bytes_and_less_than_k_bytes_more(header: Header) -> None:
    assert 0 <= header.k * header.share_bytes - header.size_bytes < header.k
    assert sealed_size(header.plain_bytes) == header.size_bytes


@given(HEADERS, st.data())
def test_one_flipped_bit_is_another_block(header: Header, data: st.DataObject) -> None:
    raw = bytearray(schema.encode(header))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    try:
        other = schema.decode(Header, bytes(raw))
    except MaillonError:
        return
    assert other.block_id != header.block_id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("codec", 2),
        ("k", 3),
        ("n", 7),
        ("size_bytes", 1_017),
        ("data_class", "public"),
        ("namespace", NamespaceId(bytes(32))),
        ("root", Digest(bytes(32))),
    ],
)
def test_every_field_is_part_of_the_name(field: str, value: Any) -> None:
    changed: dict[str, Any] = {field: value}
    assert replace(HEADER, **changed).block_id != HEADER.block_id


@pytest.mark.parametrize(
    ("position", "value", "identifier"),
    [
        (0, 2, "message-version"),
        (1, 0, "message-field"),
        (2, 7, "header-code"),
        (2, 0, "message-field"),
        (3, 33, "message-field"),
        (4, 15, "message-field"),
        (4, 65_540, "sealed-size"),
        (4, BLOCK_BYTES_MAX + 1, "message-field"),
        (5, "", "message-field"),
        (5, "x" * 33, "message-field-size"),
        (6, bytes(31), "message-field"),
        (7, bytes(33), "message-field-size"),
    ],
)
def test_what_no_block_can_be_is_refused(position: int, value: Any, identifier: str) -> None:
    items: list[Any] = list(canonical.decode(schema.encode(HEADER)))  # type: ignore[arg-type]
    items[position] = value
    with pytest.raises((Malformed, OverLimit)) as refused:
        schema.decode(Header, canonical.encode(items))
    assert refused.value.identifier == identifier


def test_vector() -> None:
    vector = load_vectors("coding")["header"]
    assert schema.encode(HEADER).hex() == vector["bytes"]
    assert schema.decode(Header, bytes.fromhex(vector["bytes"])) == HEADER
    assert HEADER.block_id.hex() == vector["block_id"]
