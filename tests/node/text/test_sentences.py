"""Every error becomes a sentence, whatever it lacks."""

from __future__ import annotations

import pytest

from node.text.sentences import sentence
from protocol.errors import Malformed, Missing, OverLimit, Refused, Unavailable
from tests.support.families import FAMILIES


def test_a_known_error_names_what_it_is_about() -> None:
    assert "photos/cat.jpg" in sentence(Missing("object-missing", bucket="photos", key="cat.jpg"))


def test_ids_sizes_and_lists_are_shown_as_people_read_them() -> None:
    told = sentence(OverLimit("message-size", size_bytes=2_000_000, limit_bytes=1_048_576))
    assert "2.00 MB" in told
    assert "1.05 MB" in told
    lists = sentence(Refused("namespace-ambiguous", known=("alpha", "beta")))
    assert "alpha, beta" in lists
    ids = sentence(Refused("node-expelled", node=b"\x00" * 32))
    assert "aaaaaaaaaa" in ids


def test_a_parameter_that_is_missing_does_not_hide_the_rest() -> None:
    assert "node run" in sentence(Unavailable("node-not-running"))


@pytest.mark.parametrize("blame", sorted(FAMILIES))
def test_an_identifier_from_a_newer_peer_still_gets_a_sentence(blame: str) -> None:
    told = sentence(FAMILIES[blame]("from-the-future", thing="x"))
    assert "from-the-future" in told
    assert told.endswith(".")


def test_braces_in_a_parameter_are_only_text() -> None:
    assert "{nasty}" in sentence(Malformed("id-text", text="{nasty}"))
