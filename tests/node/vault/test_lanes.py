"""Lanes: who waits travels together, each hears its own outcome, and whoever gives up takes nobody along."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from node.vault.lanes import Lane, Outcomes
from protocol.errors import MaillonError, Unavailable


class Carrier:
    """Carries numbers, a second a trip, and doubles them; odd ones fail; 13 breaks the trip."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []

    async def carry(self, items: Sequence[int]) -> Outcomes[int]:
        self.trips.append(list(items))
        await trio.sleep(1)
        if 13 in items:
            raise Unavailable("connection-lost")
        return [Unavailable("store-full") if item % 2 else item * 2 for item in items]


def lane_of(carrier: Carrier) -> Lane[int, int]:
    return Lane(carrier.carry, lambda chosen, _one_more: len(chosen) < 3)


async def send_all(lane: Lane[int, int], items: Sequence[int]) -> dict[int, int | str]:
    outcomes: dict[int, int | str] = {}

    async def send(item: int) -> None:
        try:
            outcomes[item] = await lane.send(item)
        except MaillonError as error:
            outcomes[item] = error.identifier

    async with trio.open_nursery() as nursery:
        for item in items:
            nursery.start_soon(send, item)
    return outcomes


async def test_what_comes_together_travels_together_up_to_the_bound(autojump_clock: MockClock) -> None:
    carrier = Carrier()
    outcomes = await send_all(lane_of(carrier), [2, 4, 6, 8, 10])
    assert outcomes == {2: 4, 4: 8, 6: 12, 8: 16, 10: 20}
    assert [len(trip) for trip in carrier.trips] == [3, 2]


async def test_each_hears_its_own_outcome_and_a_broken_trip_is_everybody_s(autojump_clock: MockClock) -> None:
    assert await send_all(lane_of(Carrier()), [1, 2]) == {1: "store-full", 2: 4}
    assert await send_all(lane_of(Carrier()), [2, 13]) == {2: "connection-lost", 13: "connection-lost"}


async def test_an_idle_lane_keeps_nobody_waiting_for_company(autojump_clock: MockClock) -> None:
    lane, began = lane_of(Carrier()), trio.current_time()
    assert await lane.send(2) == 4
    assert trio.current_time() - began == pytest.approx(1)
    assert lane.is_idle


@pytest.mark.parametrize("gives_up_after_s", [0.5, 1.5])
async def test_who_gives_up_is_let_go_at_once_and_the_others_arrive(
    gives_up_after_s: float, autojump_clock: MockClock
) -> None:
    """At half a second the first trip is under way, at one and a half the second one."""
    for impatient in (2, 4, 6, 8):
        carrier = Carrier()
        lane = lane_of(carrier)
        arrived: list[int] = []

        async def patient(item: int, lane: Lane[int, int] = lane, arrived: list[int] = arrived) -> None:
            assert await lane.send(item) == 2 * item
            arrived.append(item)

        async with trio.open_nursery() as nursery:
            for item in {2, 4, 6, 8} - {impatient}:
                nursery.start_soon(patient, item)
            began = trio.current_time()
            with trio.move_on_after(gives_up_after_s):
                await lane.send(impatient)
            assert trio.current_time() - began <= gives_up_after_s + 0.001
        assert sorted(arrived) == sorted({2, 4, 6, 8} - {impatient})
        assert lane.is_idle


async def test_cancelling_everybody_leaves_an_idle_lane(autojump_clock: MockClock) -> None:
    lane = lane_of(Carrier())
    with trio.move_on_after(0.5):
        await send_all(lane, [2, 4, 6, 8])
    assert lane.is_idle
