"""Canonical msgpack: one value, one sequence of bytes, and nothing that a peer sends can hurt."""

from __future__ import annotations

import ast
import time

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol import limits
from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.wire import canonical
from tests.support.vectors import load_vectors

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.binary(max_size=300)
    | st.text(st.characters(codec="utf-8"), max_size=60)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=20).map(tuple)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=20)
    ),
    max_leaves=30,
)


@given(VALUES)
def test_what_was_encoded_decodes_to_itself(value: canonical.Value) -> None:
    assert canonical.decode(canonical.encode(value)) == value


@given(VALUES)
def test_true_is_not_one_after_a_round_trip(value: canonical.Value) -> None:
    assert repr(canonical.decode(canonical.encode((value,)))) == repr((_sorted(value),))


@given(VALUES)
def test_bytes_and_buffers_decode_alike(value: canonical.Value) -> None:
    raw = canonical.encode(value)
    assert canonical.decode(bytearray(raw)) == canonical.decode(memoryview(raw)) == value


@given(st.binary(max_size=80) | VALUES.map(lambda value: msgpack.packb(value)))
@settings(max_examples=400)
def test_bytes_that_decode_are_the_only_bytes_of_their_value(raw: bytes) -> None:
    try:
        value = canonical.decode(raw)
    except MaillonError:
        return
    assert canonical.encode(value) == raw


@given(VALUES, st.data())
def test_changed_bytes_never_raise_anything_else(value: canonical.Value, data: st.DataObject) -> None:
    raw = bytearray(canonical.encode(value))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for broken in (bytes(raw), bytes(raw[:cut]), bytes(raw) + b"\x00"):
        try:
            again = canonical.decode(broken)
        except MaillonError:
            continue
        assert canonical.encode(again) == broken


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "no bytes"),
        ("c1", "the byte that msgpack never uses"),
        ("cc7f", "an integer in two bytes that fits one"),
        ("cd00ff", "an integer in three bytes that fits two"),
        ("ce0000ffff", "an integer in five bytes that fits three"),
        ("cf00000000ffffffff", "an integer in nine bytes that fits five"),
        ("d001", "a positive integer in a signed form"),
        ("d0e0", "-32 in two bytes"),
        ("d1ff80", "-128 in three bytes"),
        ("d2ffff8000", "-32768 in five bytes"),
        ("d3ffffffff80000000", "-2**31 in nine bytes"),
        ("d900", "an empty text in a long form"),
        ("da0020" + "61" * 32, "a text of 32 bytes in a longer form"),
        ("c50001ff", "a byte string in a longer form"),
        ("c600000001ff", "a byte string in the longest form"),
        ("dc0001c0", "a short array in a long form"),
        ("dd00000001c0", "a short array in the longest form"),
        ("de0001a161c0", "a short map in a long form"),
        ("df00000001a161c0", "a short map in the longest form"),
        ("82a162c0a161c0", "map keys that fall"),
        ("82a161c0a161c0", "a map key twice"),
        ("8101c0", "a map key that is a number"),
        ("81c40161c0", "a map key that is a byte string"),
        ("ca3f800000", "a float"),
        ("cb3ff0000000000000", "a double"),
        ("d40100", "an extension"),
        ("d6ff00000000", "a timestamp"),
        ("c70001", "an empty extension"),
        ("a1ff", "a text that is not UTF-8"),
        ("a3eda080", "a text with a surrogate"),
        ("81a1ffc0", "a key that is not UTF-8"),
        ("c0c0", "a value, and more"),
        ("91", "an array that promises more than there is"),
        ("dcffff", "an array that promises much more"),
        ("c4ff00", "a byte string that promises more than there is"),
        ("dfffffffff", "a map that promises four thousand million entries"),
    ],
)
def test_other_forms_are_refused(raw: str, why: str) -> None:
    with pytest.raises(Malformed) as refused:
        canonical.decode(bytes.fromhex(raw))
    assert refused.value.identifier == "message-form", why


@pytest.mark.parametrize("value", [1.5, 2**64, -(2**63) - 1, {1: 2}, {b"a": 1}, object(), (1, [{"a": 0.5}])])
def test_values_without_a_canonical_form_cannot_be_encoded(value: object) -> None:
    with pytest.raises(Malformed) as refused:
        canonical.encode(value)  # type: ignore[arg-type]
    assert refused.value.identifier == "message-type"


def test_text_that_is_not_unicode_cannot_be_encoded() -> None:
    for value in ("\ud800", {"\ud800": 1}):
        with pytest.raises(Malformed) as refused:
            canonical.encode(value)
        assert refused.value.identifier == "message-type"


def test_the_order_of_map_keys_is_that_of_their_bytes() -> None:
    assert canonical.encode({"é": 1, "z": 2, "aa": 3}).hex() == "83a2616103a17a02a2c3a901"


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa0"])
@pytest.mark.parametrize("depth", [17, 600, 5_000, 300_000])
def test_deep_nesting_is_refused(opening: bytes, depth: int) -> None:
    with pytest.raises(OverLimit) as refused:
        canonical.decode(opening * depth + b"\xc0")
    assert refused.value.identifier == "message-depth"


def test_the_deepest_nesting_allowed_decodes() -> None:
    raw = b"\x91" * limits.MESSAGE_DEPTH_MAX + b"\xc0"
    assert canonical.encode(canonical.decode(raw)) == raw


def test_too_many_items_are_refused_before_they_are_built() -> None:
    for count in (limits.MESSAGE_ITEMS_MAX, 1_000_000):
        with pytest.raises(OverLimit) as refused:
            canonical.decode(b"\xdd" + count.to_bytes(4, "big") + b"\x90" * count)
        assert refused.value.identifier == "message-items"


def test_as_many_items_as_allowed_decode() -> None:
    count = limits.MESSAGE_ITEMS_MAX - 1
    assert len(canonical.decode(b"\xdc" + count.to_bytes(2, "big") + b"\xc0" * count)) == count  # type: ignore[arg-type]


def test_an_oversized_message_is_refused_unread() -> None:
    with pytest.raises(OverLimit) as refused:
        canonical.decode(bytes(limits.MESSAGE_BYTES_MAX + 1))
    assert refused.value.identifier == "message-size"
    with pytest.raises(OverLimit):
        canonical.decode(bytes(11), size_bytes_max=10)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\xdd\xff\xff\xff\xff" * 1_000,
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\x00\x0f\xff\x00" + b"\x91" * 1_000_000,
        (b"\xdd\x00\x00\xff\xff" + b"\xc0" * 65_535) * 15,
    ],
)
def test_bombs_are_refused_quickly(bomb: bytes) -> None:
    started = time.process_time()
    with pytest.raises(MaillonError):
        canonical.decode(bomb)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("vector", load_vectors("canonical")["values"], ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, str]) -> None:
    value = ast.literal_eval(vector["python"])
    raw = bytes.fromhex(vector["bytes"])
    assert canonical.encode(value) == raw
    assert canonical.decode(raw) == value


@given(st.binary(max_size=200))
@example(b"\xc7\x0c\xff" + bytes(12))
@settings(max_examples=500)
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    try:
        canonical.decode(raw)
    except MaillonError as error:
        assert error.blame in ("malformed", "over-limit")


def _sorted(value: canonical.Value) -> canonical.Value:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str.encode)}
    if isinstance(value, tuple):
        return tuple(_sorted(item) for item in value)
    return value
