"""Ids as people copy them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Malformed
from protocol.ids import ID_BYTES, identity_from_text, is_identity_text, short_text_of, text_of
from tests.support.vectors import load_vectors

IDS = st.binary(min_size=ID_BYTES, max_size=ID_BYTES)


@given(IDS)
def test_an_id_survives_being_written_down(identity: bytes) -> None:
    text = text_of(identity)
    assert len(text) == 52
    assert identity_from_text(text) == identity
    assert identity_from_text(f"  {text.upper()}\n") == identity
    assert is_identity_text(text)
    assert not is_identity_text(f" {text}")
    assert text.startswith(short_text_of(identity))
    assert len(short_text_of(identity)) == 10


@given(st.text(max_size=60) | st.text("abcdefghijklmnopqrstuvwxyz234567=", min_size=50, max_size=56))
def test_text_that_reads_as_an_id_is_the_only_text_of_that_id(text: str) -> None:
    try:
        identity = identity_from_text(text)
    except Malformed as error:
        assert error.identifier == "id-text"
    else:
        assert text_of(identity) == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 51,
        "a" * 53,
        "a" * 51 + "b",  # the last letter has bits that an id has not
        "a" * 51 + "1",
        "a" * 51 + "=",
        "a" * 52 + "====",
        "a" * 51 + "\u212a",  # the Kelvin sign, whose lower case is k
        "ı" * 52,
        "a" * 26 + " " + "a" * 26,
        "é" * 52,
        "a" * 1_000_000,
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        identity_from_text(text)
    assert refused.value.identifier == "id-text"
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize("vector", load_vectors("ids"), ids=lambda vector: vector["bytes"][:8])
def test_vectors(vector: dict[str, str]) -> None:
    assert text_of(bytes.fromhex(vector["bytes"])) == vector["text"]
    assert identity_from_text(vector["text"]).hex() == vector["bytes"]
