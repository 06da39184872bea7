"""Whole nodes that let go of what nothing refers to any more, and of nothing else."""

from __future__ import annotations

import pytest
import trio

from node.host.ports import Buffer
from node.vault import put
from node.vault.objects import ObjectPath, ObjectStat
from protocol.errors import Malformed
from protocol.limits import BLOCK_PLAIN_BYTES
from protocol.members.swim import Status
from protocol.placement.classes import Code
from sim.federation.lives import Lost
from tests.support.clients import BUCKET, BytesSink, BytesSource, some_bytes
from tests.support.township import Township, in_a_township

BLOCK = BLOCK_PLAIN_BYTES
DATA = some_bytes(2 * BLOCK + 9)
LONG = some_bytes(12 * BLOCK + 5)
OTHER = some_bytes(BLOCK + 1, seed=7)
EVERY = dict.fromkeys(range(1, 7), 3)
NONE = dict.fromkeys(EVERY, 0)


def test_what_is_removed_is_freed_everywhere_and_the_rest_stays() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("gone", DATA)
        await client.put("kept", OTHER)
        assert await town.shares() == dict.fromkeys(EVERY, 5)
        await client.remove("gone")
        await town.until_shares(lambda shares: shares == dict.fromkeys(EVERY, 2))
        await trio.sleep(20)
        assert await town.shares() == dict.fromkeys(EVERY, 2)
        assert await client.get("kept") == OTHER
        assert await town.lacking("kept") == []

    in_a_township(main)


def test_what_is_replaced_is_freed() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("x", DATA)
        await client.put("x", OTHER)
        await town.until_shares(lambda shares: shares == dict.fromkeys(EVERY, 2))
        assert await client.get("x") == OTHER
        await client.put("x", b"small")
        await town.until_shares(lambda shares: shares == NONE)
        assert await client.get("x") == b"small"

    in_a_township(main)


def test_a_holder_that_is_away_is_told_when_it_is_back_whoever_the_gateway_is_by_then() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("x", DATA)
        town.kill(4)
        await town.until(lambda: town.sees(1, 4, Status.DOWN))
        await client.remove("x")
        await town.until_shares(lambda shares: not any(shares.values()))
        assert await town.releasing() == 3
        town.kill(1)
        await town.start(1)
        await town.start(4)
        assert (await town.shares())[4] == 3
        await town.until_shares(lambda shares: shares == NONE, within_s=120)
        await trio.sleep(5)
        assert await town.releasing() == 0

    in_a_township(main)


class SlowSink(BytesSink):
    """Takes its time over each block."""

    async def begin(self, stat: ObjectStat) -> None:
        self.stat = stat

    async def write(self, parts: list[Buffer]) -> None:
        await trio.sleep(9)
        for part in parts:
            self.data += part


def test_who_is_reading_reads_to_the_end_what_is_removed_meanwhile() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        long = some_bytes(9 * BLOCK)
        await client.put("x", long)
        sink = SlowSink()

        async def read() -> None:
            await town.on(1, lambda services: services.vault.get(ObjectPath(BUCKET, "x"), sink))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.sleep(1)
            await client.remove("x")
        assert bytes(sink.data) == long
        await town.until_shares(lambda shares: shares == NONE)

    in_a_township(main)


def test_a_block_that_was_completed_elsewhere_is_freed_there_too() -> None:
    """Seven nodes at 3-of-6: the share of one that is away goes to the seventh."""

    async def main(town: Township) -> None:
        client = await town.settle(7)
        town.kill(4)
        await client.put("x", DATA)
        await town.until_complete(within_s=60)
        await town.start(4)
        await client.remove("x")
        await town.until_shares(lambda shares: not any(shares.values()))

    in_a_township(main, code=Code(3, 6, 1))


@pytest.mark.parametrize("point", ["release.before-send", "release.after-send", "release.after-journal"])
def test_a_gateway_that_dies_while_it_releases_goes_on_in_its_next_life(point: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("gone", DATA)
        await client.put("kept", OTHER)
        town.on_reaching(1, point, lambda: town.cut_power(1))
        await client.remove("gone")
        await town.until(lambda: 1 not in town.houses)
        await town.start(1)
        await town.until_settled()
        await town.until_shares(lambda shares: shares == dict.fromkeys(EVERY, 2))
        assert await client.get("kept") == OTHER
        assert await town.lacking("kept") == []

    in_a_township(main, seed=len(point))


@pytest.mark.parametrize("point", ["release.before-delete", "store.before-sync", "release.before-answer"])
def test_a_holder_that_dies_while_it_lets_go_does_so_in_its_next_life(point: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("gone", DATA)
        await client.put("kept", OTHER)
        town.on_reaching(4, point, lambda: town.cut_power(4))
        await client.remove("gone")
        await town.until(lambda: 4 not in town.houses)
        await town.start(4)
        await town.until_shares(lambda shares: shares == dict.fromkeys(EVERY, 2))
        assert await town.lacking("kept") == []

    in_a_township(main, seed=len(point))


def test_what_its_class_keeps_is_not_freed_before_its_time() -> None:
    async def main(town: Township) -> None:
        await town.grow(6)
        await town.on(1, lambda services: services.vault.create_namespace("old papers", data_class="archive"))
        client = town.client()
        await client.put("x", DATA)
        await client.remove("x")
        await trio.sleep(60)
        assert await town.shares() == EVERY

    in_a_township(main)


class Breaking(BytesSource):
    """Ends with an error after so many bytes."""

    def __init__(self, data: bytes, after_bytes: int) -> None:
        def check(offset: int) -> None:
            if offset >= after_bytes:
                raise Malformed("object-size-changed", expected_bytes=len(data), found_bytes=offset)

        super().__init__(data, check)


async def break_off(town: Township) -> None:
    with pytest.raises(Malformed):
        await town.on(1, lambda services: services.vault.put(ObjectPath(BUCKET, "x"), Breaking(LONG, 10 * BLOCK)))


def test_what_a_put_wrote_before_it_failed_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With parts journaled already, and without."""

    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", OTHER)
        for blocks_per_part in (put.BLOCKS_PER_PART, 4):
            monkeypatch.setattr(put, "BLOCKS_PER_PART", blocks_per_part)
            await break_off(town)
            assert (await town.shares())[3] > 5
            await town.until_shares(lambda shares: shares == dict.fromkeys(EVERY, 2))
        assert await client.get("kept") == OTHER
        await client.put("x", LONG)
        assert await client.get("x") == LONG

    in_a_township(main)


def test_the_parts_of_a_put_that_died_with_its_gateway_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(put, "BLOCKS_PER_PART", 4)

    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", OTHER)
        town.on_reaching(1, "vault.after-journal", lambda: town.kill(1), times=2)
        with pytest.raises(Lost):
            await client.put("x", LONG)
        await town.start(1)
        await town.until_settled()
        assert (await town.shares())[3] >= 10
        await town.until_shares(lambda shares: shares[3] <= 2)
        assert await client.get("kept") == OTHER
        await client.put("x", LONG)
        assert await client.get("x") == LONG

    in_a_township(main)


def test_a_put_that_takes_long_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(put, "BLOCKS_PER_PART", 4)

    class Slow(BytesSource):
        async def receive_into(self, buffer: memoryview) -> int:
            await trio.sleep(3)
            return await super().receive_into(buffer)

    async def main(town: Township) -> None:
        client = await town.settle(6)
        await town.on(1, lambda services: services.vault.put(ObjectPath(BUCKET, "x"), Slow(LONG)))
        await trio.sleep(20)
        assert await client.get("x") == LONG
        assert await town.lacking("x") == []

    in_a_township(main)
