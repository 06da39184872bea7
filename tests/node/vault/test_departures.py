"""Flights that leave together: who waits for whom, and for how long."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from node.vault.departures import PATIENCE, Departures

MOST = 8


async def fly(departures: Departures, left: dict[str, float], name: str, comes_s: float, blocks: int) -> None:
    """A flight that takes so long to come; when it left."""
    with departures.coming() as flight:
        await trio.sleep(comes_s)
        await departures.depart(flight, blocks, MOST)
    left[name] = round(trio.current_time(), 3)


async def left_at(*flights: tuple[str, float, float, int]) -> dict[str, float]:
    """When each flight left: by name, when it begins to come, how long it takes, how many blocks it has."""
    departures, left, began_s = Departures(), dict[str, float](), trio.current_time()

    async def begin(name: str, begins_s: float, comes_s: float, blocks: int) -> None:
        await trio.sleep(begins_s)
        await fly(departures, left, name, comes_s, blocks)

    async with trio.open_nursery() as nursery:
        for flight in flights:
            nursery.start_soon(begin, *flight)
    return {name: round(at_s - began_s, 3) for name, at_s in left.items()}


async def test_who_is_alone_waits_for_nobody(autojump_clock: MockClock) -> None:
    assert await left_at(("alone", 0, 1, 4)) == {"alone": 1}


async def test_flights_that_come_at_the_same_time_leave_when_the_last_of_them_is_there(
    autojump_clock: MockClock,
) -> None:
    assert await left_at(("one", 0, 1, 2), ("other", 0, 1.2, 2)) == {"one": 1.2, "other": 1.2}


async def test_a_full_flight_leaves_at_once_and_so_do_two_that_make_one(autojump_clock: MockClock) -> None:
    assert await left_at(("full", 0, 1, MOST), ("late", 0, 1.1, 4)) == {"full": 1, "late": 1.1}
    found = await left_at(("one", 0, 1, 4), ("two", 0, 1.1, 4), ("three", 0, 1.2, 4), ("four", 0, 1.3, 4))
    assert found == {"one": 1.1, "two": 1.1, "three": 1.3, "four": 1.3}


async def test_nobody_waits_longer_than_a_share_of_the_time_that_it_took_itself(autojump_clock: MockClock) -> None:
    found = await left_at(("quick", 0, 0.1, 4), ("slow", 0, 60, 4))
    assert found == {"quick": round(0.1 * (1 + PATIENCE), 3), "slow": 60}


async def test_who_fails_to_come_or_gives_up_waiting_holds_up_nobody(autojump_clock: MockClock) -> None:
    departures, left = Departures(), dict[str, float]()
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fly, departures, left, "good", 1.0, 4)
        nursery.start_soon(fly, departures, left, "later", 1.3, 4)
        with trio.move_on_after(1.1):
            await fly(departures, left, "gone", 1.05, 3)
        with trio.move_on_after(0.1):
            await fly(departures, left, "never", 5, 4)
    assert {name: round(at_s - began_s, 3) for name, at_s in left.items()} == {"good": 1.3, "later": 1.3}
