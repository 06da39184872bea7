"""Buffers that are used again: few sizes, so that one seldom has to be made, and a bound on what is kept."""

from __future__ import annotations

from node.host.direct import begins_at_page
from node.store.buffers import BufferPool
from protocol.limits import KIB, MIB


def test_a_buffer_that_was_given_back_serves_whoever_needs_about_as_much() -> None:
    pool = BufferPool()
    first = pool.take(4 * MIB + 1_028)
    assert 4 * MIB + 1_028 <= len(first) <= 5 * MIB
    assert begins_at_page(first)
    pool.give(first)
    assert pool.take(3 * MIB) is first
    assert pool.take(3 * MIB) is not first
    assert len(pool.take(1)) == len(pool.take(80 * KIB)) == 80 * KIB


def test_the_buffers_that_nobody_asked_for_longest_make_room_for_those_that_come_back() -> None:
    pool = BufferPool(kept_bytes_max=5 * MIB)
    small, large = [pool.take(MIB) for _ in range(4)], pool.take(4 * MIB)
    for buffer in small:
        pool.give(buffer)
    pool.give(large)
    assert pool.take(4 * MIB) is large
    assert all(pool.take(MIB) is not buffer for buffer in small)
