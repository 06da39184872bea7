"""Signatures: made for one purpose by one key over one message, and good for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Forged
from protocol.keys.signing import SigningKey, verify
from tests.support.vectors import load_vectors

KEY = SigningKey.from_seed(bytes(range(32)))
PURPOSES = st.sampled_from(["maillon/record/1", "maillon/label/1", "x"])


@given(st.binary(max_size=200), PURPOSES)
def test_a_signature_verifies(message: bytes, purpose: str) -> None:
    verify(KEY.public, purpose, message, KEY.sign(purpose, message))


@given(st.binary(min_size=1, max_size=100), PURPOSES, st.data())
def test_one_flipped_bit_is_noticed(message: bytes, purpose: str, data: st.DataObject) -> None:
    parts = [KEY.public, purpose.encode(), message, KEY.sign(purpose, message)]
    which = data.draw(st.integers(0, 3))
    bit = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(changed)
    if which == 1 and changed[bit // 8] >= 128:
        return  # purposes are our own ASCII constants
    with pytest.raises(Forged) as refused:
        verify(parts[0], parts[1].decode(), parts[2], parts[3])
    assert refused.value.identifier == "signature"


def test_a_purpose_cannot_be_continued_by_the_message() -> None:
    signature = KEY.sign("maillon/a", b"b/1\x00rest")
    with pytest.raises(Forged):
        verify(KEY.public, "maillon/ab/1", b"rest", signature)


@given(st.binary(max_size=40), st.binary(max_size=70))
def test_keys_and_signatures_of_any_form_raise_only_forged(public: bytes, signature: bytes) -> None:
    with pytest.raises(Forged):
        verify(public, "x", b"message", signature)


@pytest.mark.parametrize("public", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32], ids=["zero", "neutral", "ones"])
def test_weak_public_keys_vouch_for_nothing(public: bytes) -> None:
    # With the neutral element as key, R = neutral and S = 0 would satisfy the bare equation for any message.
    for signature in (bytes(64), b"\x01" + bytes(63)):
        with pytest.raises(Forged):
            verify(public, "x", b"anything", signature)


def test_a_private_key_never_shows_itself() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}"):
        assert KEY.seed.hex() not in shown
        assert repr(KEY.seed) not in shown
        assert KEY.public.hex() in shown


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_size_is_a_programming_error(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey.from_seed(bytes(size))


@pytest.mark.parametrize("vector", load_vectors("keys")["signatures"], ids=lambda vector: vector["purpose"])
def test_vectors(vector: dict[str, str]) -> None:
    key = SigningKey.from_seed(bytes.fromhex(vector["seed"]))
    message = bytes.fromhex(vector["message"])
    assert key.public.hex() == vector["public"]
    assert key.sign(vector["purpose"], message).hex() == vector["signature"]
    verify(key.public, vector["purpose"], message, bytes.fromhex(vector["signature"]))
