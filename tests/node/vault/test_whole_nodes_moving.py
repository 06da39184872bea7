"""Whole nodes: the journal moves to the living when holders stay away, and back when they return."""

from __future__ import annotations

import trio

from tests.support.clients import Client, some_bytes
from tests.support.township import Township, in_a_township, node_of

SMALL = some_bytes(1_000)


async def until_held_by(client: Client, numbers: set[int], needed: int) -> None:
    wanted = {node_of(number) for number in numbers}
    with trio.fail_after(300):
        while True:
            (status,) = await client.namespaces()
            if status.journal is not None and set(status.journal.holders) == wanted:
                assert status.journal.needed == needed
                return
            await trio.sleep(1)


def test_the_journal_moves_to_the_living_and_back_when_the_others_return() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("before", SMALL)
        await until_held_by(client, {1, 2, 3, 4, 5, 6}, 4)
        for gone in (5, 6):
            town.kill(gone)
        await client.put("meanwhile", SMALL)
        await until_held_by(client, {1, 2, 3, 4}, 3)
        town.kill(4)
        await client.put("with one more away", SMALL)
        for back in (4, 5, 6):
            await town.start(back)
        await until_held_by(client, {1, 2, 3, 4, 5, 6}, 4)
        await client.put("after", SMALL)
        for key in ("before", "meanwhile", "with one more away", "after"):
            assert await client.get(key) == SMALL

    in_a_township(main)
