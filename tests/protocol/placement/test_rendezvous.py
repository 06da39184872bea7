"""The integer logarithm is the real one, and the draws are pinned so that all versions place alike."""

from __future__ import annotations

import json
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from protocol.ids import BlockId, NodeId
from protocol.placement.rendezvous import draw, log2_fixed

VECTORS = Path(__file__).parents[2] / "vectors" / "placement.json"


@given(st.integers(1, 2**64))
def test_the_fixed_point_logarithm_agrees_with_the_floating_one(number: int) -> None:
    assert abs(log2_fixed(number) / 2**32 - math.log2(number)) < 1e-8


@given(st.integers(1, 2**64 - 1))
def test_the_logarithm_never_falls(number: int) -> None:
    assert log2_fixed(number) <= log2_fixed(number + 1)


def test_draws_match_their_vectors() -> None:
    for vector in json.loads(VECTORS.read_text())["draws"]:
        drawn = draw(BlockId(bytes.fromhex(vector["block"])), NodeId(bytes.fromhex(vector["node"])), vector["weight"])
        assert drawn.score == int(vector["score"])
