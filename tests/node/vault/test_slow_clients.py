"""Clients that are slow, and no worse than that, keep a desk or two each; the others are served meanwhile."""

from __future__ import annotations

import trio

from node.host.ports import Buffer
from node.vault.objects import ObjectPath, ObjectStat
from protocol.limits import BLOCK_PLAIN_BYTES
from tests.support.clients import BUCKET, some_bytes
from tests.support.township import Township, in_a_township

BLOCK = BLOCK_PLAIN_BYTES
# A megabyte a second, as over many a home's line.
BLOCK_S = 4.0
SLOW_CLIENTS = 7


class SlowSink:
    """Takes a block in `BLOCK_S`."""

    def __init__(self) -> None:
        self.taken_bytes = 0

    async def begin(self, stat: ObjectStat) -> None:
        pass

    async def write(self, parts: list[Buffer]) -> None:
        for part in parts:
            await trio.sleep(BLOCK_S * len(part) / BLOCK)
            self.taken_bytes += len(part)


class SlowSource:
    """Sends a block in `BLOCK_S`."""

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes

    async def receive_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), self._left_bytes)
        await trio.sleep(BLOCK_S * count / BLOCK)
        self._left_bytes -= count
        return count


async def others_are_served_at_once(town: Township) -> None:
    """A get and a put of somebody quick, while the slow ones are in the middle of theirs."""
    client = town.client()
    for _time in range(3):
        began_s = trio.current_time()
        assert len(await client.get("quick")) == 2 * BLOCK
        await client.put("other", some_bytes(2 * BLOCK))
        assert trio.current_time() - began_s < 1.0
        await trio.sleep(1.5)


def test_slow_readers_do_not_keep_the_others_waiting() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        await client.put("long", some_bytes(5 * BLOCK))
        await client.put("quick", some_bytes(2 * BLOCK))
        sinks = [SlowSink() for _client in range(SLOW_CLIENTS)]

        async def read(sink: SlowSink) -> None:
            await town.on(1, lambda services: services.vault.get(ObjectPath(BUCKET, "long"), sink))

        async with trio.open_nursery() as nursery:
            for sink in sinks:
                nursery.start_soon(read, sink)
            await trio.sleep(BLOCK_S)
            await others_are_served_at_once(town)
        assert [sink.taken_bytes for sink in sinks] == [5 * BLOCK] * SLOW_CLIENTS

    in_a_township(main)


def test_slow_writers_do_not_keep_the_others_waiting() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        await client.put("quick", some_bytes(2 * BLOCK))

        async def write(number: int) -> None:
            path = ObjectPath(BUCKET, f"slow-{number}")
            await town.on(1, lambda services: services.vault.put(path, SlowSource(3 * BLOCK)))

        async with trio.open_nursery() as nursery:
            for number in range(SLOW_CLIENTS):
                nursery.start_soon(write, number)
            await trio.sleep(BLOCK_S)
            await others_are_served_at_once(town)
        assert (await client.stat("slow-0")).size_bytes == 3 * BLOCK

    in_a_township(main)
