"""Whole nodes with several clients, several gateways and members that come and go."""

from __future__ import annotations

import random

import pytest
import trio

from node.host.ports import Host
from node.vault import put
from node.vault.objects import ObjectPath
from protocol.errors import Missing, Unavailable
from protocol.limits import BLOCK_PLAIN_BYTES, INLINE_BYTES_MAX
from sim.federation.lives import Lost
from tests.support.clients import BUCKET, BytesSource, some_bytes
from tests.support.slow_threads import SlowThreads
from tests.support.township import Township, in_a_township

BLOCK = BLOCK_PLAIN_BYTES
MEDIUM = INLINE_BYTES_MAX + 1


@pytest.mark.parametrize("size_bytes", [4 * BLOCK, 4 * BLOCK + 1, 8 * BLOCK])
def test_long_objects_are_journaled_in_parts_and_come_back(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    monkeypatch.setattr(put, "BLOCKS_PER_PART", 4)

    async def main(town: Township) -> None:
        client = await town.settle(3)
        data = some_bytes(size_bytes)
        await client.put("long", data)
        assert await client.get("long") == data
        stat = await client.stat("long")
        assert (stat.size_bytes, stat.blocks) == (size_bytes, -(-size_bytes // BLOCK))
        assert await town.lacking("long") == []

    in_a_township(main)


@pytest.mark.parametrize("times", [1, 2])
def test_a_long_object_cut_short_between_its_parts_is_not_there(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(put, "BLOCKS_PER_PART", 4)

    async def main(town: Township) -> None:
        client = await town.settle(3)
        data = some_bytes(5 * BLOCK)
        town.on_reaching(1, "vault.before-journal", lambda: town.cut_power(1), times=times)
        with pytest.raises(Lost):
            await client.put("long", data)
        await town.start(1)
        await town.until_open()
        with pytest.raises(Missing):
            await client.get("long")
        await client.put("long", data)
        assert await client.get("long") == data

    in_a_township(main)


def test_who_reads_or_lists_while_others_overwrite_sees_one_of_them_whole_and_never_nothing() -> None:
    async def main(town: Township) -> None:
        town.dress = _slowly
        client = await town.settle(3)
        versions = [some_bytes(size, seed=size) for size in (5, MEDIUM, MEDIUM + 1, 0)]
        await client.put("x", versions[0])
        over = trio.Event()

        async def overwrite(numbers: random.Random) -> None:
            while not over.is_set():
                await client.put("x", numbers.choice(versions))

        async def look() -> None:
            for _time in range(60):
                assert await client.get("x") in versions
                assert (await client.stat("x")).size_bytes in map(len, versions)
                assert [entry.key for entry in (await client.list()).entries] == ["x"]
                assert (await client.explain("x")).stat.size_bytes in map(len, versions)

        async with trio.open_nursery() as writers:
            for seed in range(3):
                writers.start_soon(overwrite, random.Random(seed))
            async with trio.open_nursery() as readers:
                for _reader in range(3):
                    readers.start_soon(look)
            over.set()

    in_a_township(main)


def test_a_listing_goes_on_past_what_is_removed_meanwhile() -> None:
    async def main(town: Township) -> None:
        town.dress = _slowly
        client = await town.settle(3)
        kept = [f"kept {number}" for number in range(5)]
        for key in kept:
            await client.put(key, some_bytes(MEDIUM))
        over = trio.Event()

        async def come_and_go(number: int) -> None:
            while not over.is_set():
                await client.put(f"l {number}", some_bytes(MEDIUM))
                await client.remove(f"l {number}")

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(come_and_go, number)
            for _time in range(60):
                listed = [entry.key for entry in (await client.list()).entries]
                assert [key for key in listed if key in kept] == kept
            over.set()

    in_a_township(main)


def _slowly(_number: int, host: Host) -> Host:
    """Work in threads takes time, so that others get between any two steps."""
    return SlowThreads(host.threads, 0.001).host(host)


def test_a_client_that_breaks_off_leaves_the_old_object() -> None:
    class Broken(BytesSource):
        async def receive_into(self, buffer: memoryview) -> int:
            if not await super().receive_into(buffer):
                raise Unavailable("connection-lost")
            return len(buffer)

    async def main(town: Township) -> None:
        client = await town.settle(3)
        await client.put("x", b"old")
        for _time in range(town.config(1).vault.desks + 1):
            source = Broken(some_bytes(BLOCK))
            with pytest.raises(Unavailable, match="connection-lost"):
                await town.on(1, lambda services, source=source: services.vault.put(ObjectPath(BUCKET, "x"), source))
        assert await client.get("x") == b"old"

    in_a_township(main)


def test_a_federation_that_grows_codes_wider_and_keeps_what_it_had() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        await client.put("before", some_bytes(BLOCK + 1))
        for number in (4, 5, 6):
            await town.welcome(number)
        await client.put("after", some_bytes(BLOCK + 2))
        assert [(block.k, block.n) for block in (await client.explain("before")).blocks] == [(1, 3)] * 2
        assert [(block.k, block.n) for block in (await client.explain("after")).blocks] == [(3, 6)] * 2
        assert [await town.lacking(key) for key in ("before", "after")] == [[], []]
        for gone in (3, 5, 6):
            town.kill(gone)
        assert await client.get("before") == some_bytes(BLOCK + 1)
        assert await client.get("after") == some_bytes(BLOCK + 2)

    in_a_township(main)


def test_several_gateways_share_the_holders_and_do_not_meet() -> None:
    async def main(town: Township) -> None:
        await town.settle(3)
        for number in (2, 3):
            await town.on(number, lambda services, number=number: services.vault.create_namespace(f"of {number}"))

        async def use(number: int) -> None:
            client = town.client(number)
            for size in (10, MEDIUM, BLOCK + 1):
                await client.put(f"{size}", some_bytes(size, seed=number))
            for size in (10, MEDIUM, BLOCK + 1):
                assert await client.get(f"{size}") == some_bytes(size, seed=number)

        async with trio.open_nursery() as nursery:
            for number in (1, 2, 3):
                nursery.start_soon(use, number)
        for number in (1, 2, 3):
            town.cut_power(number)
        for number in (1, 2, 3):
            await town.start(number)
        for number in (1, 2, 3):
            await town.until_open(number)
            assert await town.client(number).get(f"{MEDIUM}") == some_bytes(MEDIUM, seed=number)

    in_a_township(main)


def test_a_node_that_is_leaving_is_read_from_and_given_nothing_new() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(4)
        await client.put("before", some_bytes(MEDIUM))
        await town.on(4, lambda services: services.mesh.leave())
        await town.until(town.agree)
        await client.put("after", some_bytes(MEDIUM))
        (block,) = (await client.explain("after")).blocks
        assert "n4" not in {share.node_name for share in block.shares}
        town.kill(2)
        town.kill(3)
        assert await client.get("before") == some_bytes(MEDIUM)

    in_a_township(main)
