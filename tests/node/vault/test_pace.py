"""The pace of a put: how many blocks travel together."""

from __future__ import annotations

from node.vault.pace import BLOCKS_AT_FIRST, QUICK_S, REMEMBERED_S, SLOW_S, Pace, Paces


def test_flights_grow_while_they_are_quick_up_to_what_may_travel_together() -> None:
    pace, seen = Pace.of(8), []
    for _ in range(4):
        seen.append(pace.blocks)
        pace = pace.after(pace.blocks, QUICK_S / 10)
    assert seen == [BLOCKS_AT_FIRST, 4, 8, 8]
    assert Pace.of(100).most == 8
    assert Pace.of(1).after(1, 0.0).blocks == 1


def test_a_slow_flight_halves_the_next_down_to_a_single_block() -> None:
    pace = Pace(8, 8)
    for blocks in (4, 2, 1, 1):
        pace = pace.after(pace.blocks, SLOW_S + 1)
        assert pace.blocks == blocks


def test_neither_slow_nor_quick_changes_nothing_and_a_small_flight_proves_nothing() -> None:
    pace = Pace(4, 8)
    assert pace.after(4, (QUICK_S + SLOW_S) / 2) == pace
    assert pace.after(1, 0.0) == pace


def test_what_follows_soon_begins_where_the_last_flight_ended() -> None:
    paces = Paces(8)
    assert paces.first(0.0) == Pace.of(8)
    paces.note(Pace(8, 8), 100.0)
    assert paces.first(105.0) == Pace(8, 8)
    assert paces.first(100.0 + REMEMBERED_S + 1) == Pace.of(8)
