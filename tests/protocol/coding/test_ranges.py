"""Part of a block, from leaves of its shares: the bytes that were asked for, and few others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.coding.header import share_size
from protocol.coding.ranges import leaf_runs
from protocol.limits import BLOCK_BYTES_MAX, LEAF_BYTES

SEALED = bytes(number * 131 + (number >> 8) * 29 & 0xFF for number in range(700_001))


@given(st.integers(1, 9), st.integers(1, len(SEALED)), st.data())
def test_the_wanted_parts_of_the_leaves_are_the_bytes(k: int, sealed_bytes: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, sealed_bytes - 1))
    size = data.draw(st.integers(1, min(200_000, sealed_bytes - first)))
    share_bytes = share_size(k, sealed_bytes)
    padded = SEALED[:sealed_bytes].ljust(k * share_bytes, b"\0")
    found = b""
    for run in leaf_runs(k, sealed_bytes, first, size):
        share = padded[run.index * share_bytes : (run.index + 1) * share_bytes]
        leaves = share[run.first_leaf * LEAF_BYTES : (run.first_leaf + run.leaf_count) * LEAF_BYTES]
        assert len(leaves) == run.size_bytes
        found += leaves[run.wanted]
    assert found == SEALED[first : first + size]


@given(st.integers(1, 16), st.integers(0, BLOCK_BYTES_MAX - LEAF_BYTES))
def test_one_segment_costs_three_leaves_at_most_and_two_shares(k: int, first: int) -> None:
    runs = leaf_runs(k, BLOCK_BYTES_MAX, first, LEAF_BYTES)
    assert len(runs) <= 2
    assert sum(run.leaf_count for run in runs) <= 3


@pytest.mark.parametrize(("first", "size"), [(-1, 5), (0, 0), (5, -1), (90, 11), (101, 1)])
def test_a_range_outside_the_block_is_a_mistake(first: int, size: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        leaf_runs(2, 100, first, size)
