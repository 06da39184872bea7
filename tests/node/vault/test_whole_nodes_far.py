"""Whole nodes that are far from each other: what a small object costs is one round trip, however many are on their
way."""

from __future__ import annotations

import statistics

import trio

from sim.host.network import Conditions
from tests.support.clients import some_bytes
from tests.support.township import Township, in_a_township

ONE_WAY_S = (0.04, 0.06)
ROUND_TRIP_S = 0.1
SMALL = some_bytes(4_096)


def test_a_small_put_costs_a_round_trip_and_sixteen_at_a_time_go_ten_times_as_fast_as_one() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("first", SMALL)
        town.world.wires.conditions = Conditions(*ONE_WAY_S)
        await trio.sleep(5)

        async def put(key: str) -> float:
            began_s = trio.current_time()
            await client.put(key, SMALL)
            return trio.current_time() - began_s

        took_s = [await put(f"one-{number}") for number in range(40)]
        assert statistics.median(took_s) <= 1.3 * ROUND_TRIP_S
        alone_s = sum(took_s) / len(took_s)

        async def put_some(lane: int) -> None:
            for number in range(20):
                await put(f"{lane}-{number}")

        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for lane in range(16):
                nursery.start_soon(put_some, lane)
        together_s = (trio.current_time() - began_s) / (16 * 20)
        assert alone_s / together_s >= 10

    in_a_township(main)
