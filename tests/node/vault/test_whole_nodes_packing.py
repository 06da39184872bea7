"""Whole nodes whose small objects leave the journal for packs, and whose thin packs are rewritten."""

from __future__ import annotations

import pytest
import trio

from node.vault.catalog.catalog import Catalog
from node.vault.pack.packer import Packer
from node.vault.serving import Open
from tests.support.clients import Client, some_bytes
from tests.support.township import Township, in_a_township

SMALL = {f"small {number}": some_bytes(500 + 37 * number, seed=number) for number in range(40)}
LARGER = {f"larger {number:02}": some_bytes(65_000, seed=number) for number in range(70)}


def serving(town: Township) -> Open:
    """What serves the gateway's one namespace."""
    (tenancy,) = town.houses[1].services.vault._tenancies.values()
    return tenancy.require_open()


def packer(town: Township) -> Packer:
    return serving(town).packer


def catalog(town: Township) -> Catalog:
    return serving(town).catalog


async def pack_all(town: Township) -> int:
    return await town.on(1, lambda _services: packer(town).pack_all())


async def put_all(client: Client, objects: dict[str, bytes]) -> None:
    async with trio.open_nursery() as nursery:
        for key, data in objects.items():
            nursery.start_soon(client.put, key, data)


async def check_all(client: Client, objects: dict[str, bytes]) -> None:
    for key, data in objects.items():
        assert await client.get(key) == data
    assert {entry.key for entry in (await client.list()).entries} == objects.keys()


def test_what_fills_a_pack_leaves_the_journal_by_itself() -> None:
    async def main(town: Township) -> None:
        town.pack_every_s = 5.0
        client = await town.settle(6)
        await put_all(client, LARGER)
        before = await client.stat("larger 00")
        assert (before.blocks, before.stored_bytes) == (0, 65_016 * 6)
        await trio.sleep(15)
        after = await client.stat("larger 00")
        assert (after.blocks, after.stored_bytes) == (1, 6 * 21_672)
        assert (await client.explain("larger 00")).blocks[0].k == 3
        left = await catalog(town).inline(limit=1_000)
        assert 0 < len(left) < 10  # less than a pack: these stay
        await check_all(client, LARGER)
        assert sum((await town.shares()).values()) == 6

    in_a_township(main)


def test_packed_objects_are_replaced_removed_and_found_again_after_the_catalog_is_lost() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        objects = dict(SMALL)
        await put_all(client, objects)
        assert await pack_all(town) == len(objects)
        assert await pack_all(town) == 0
        await check_all(client, objects)
        objects["small 3"] = b"another"
        await client.put("small 3", b"another")
        await client.remove("small 4")
        del objects["small 4"]
        await check_all(client, objects)
        town.kill(1)
        for path in [path for path in town.world.platter("n1").databases if "catalog" in path.name]:
            del town.world.platter("n1").databases[path]
        await town.start(1)
        await town.until_open()
        await check_all(client, objects)
        for gone in (2, 3, 4):
            town.kill(gone)
        await check_all(client, objects)

    in_a_township(main)


def test_a_thin_pack_is_rewritten_and_freed() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        objects = dict(SMALL)
        await put_all(client, objects)
        await pack_all(town)
        (before,) = await catalog(town).packs()
        keys = sorted(objects)
        for key in keys[:15]:
            await client.remove(key)
            del objects[key]
        assert await town.on(1, lambda _services: packer(town).rewrite_worn()) == 0
        for key in keys[15:30]:
            await client.put(key, b"inline again")
            objects[key] = b"inline again"
        assert await town.on(1, lambda _services: packer(town).rewrite_worn()) == 1
        (after,) = await catalog(town).packs()
        assert after.block.block != before.block.block
        assert (after.live_objects, after.put_bytes) == (10, before.live_bytes - _lost(keys))
        await town.until_shares(lambda shares: set(shares.values()) == {1})
        await check_all(client, objects)
        for key in keys[30:]:
            await client.remove(key)
            del objects[key]
        await town.until_shares(lambda shares: set(shares.values()) == {0})
        await check_all(client, objects)

    def _lost(keys: list[str]) -> int:
        return sum(len(SMALL[key]) + 16 for key in keys[:30])

    in_a_township(main)


def test_small_packs_are_joined_once_they_are_many() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        for key, data in list(SMALL.items())[:9]:
            await client.put(key, data)
            await pack_all(town)
        assert len(await catalog(town).packs()) == 9
        assert await town.on(1, lambda _services: packer(town).rewrite_worn()) == 9
        (pack,) = await catalog(town).packs()
        assert pack.live_objects == 9
        await check_all(client, dict(list(SMALL.items())[:9]))
        await town.until_shares(lambda shares: set(shares.values()) == {1})

    in_a_township(main)


def test_what_is_replaced_while_it_is_packed_stays_replaced() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        objects = dict(SMALL)
        await put_all(client, objects)
        reached = trio.Event()
        town.on_reaching(1, "pack.before-store", reached.set)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pack_all, town)
            await reached.wait()
            for key in ("small 1", "small 2"):
                objects[key] = b"replaced"
                nursery.start_soon(client.put, key, b"replaced")
        await check_all(client, objects)
        await pack_all(town)
        assert await catalog(town).inline(limit=10) == ()
        await check_all(client, objects)

    in_a_township(main)


@pytest.mark.parametrize("point", ["pack.before-store", "pack.before-journal", "pack.after-journal"])
@pytest.mark.parametrize("is_rewriting", [False, True], ids=["packing", "rewriting"])
def test_a_gateway_that_dies_while_it_packs_loses_nothing(point: str, is_rewriting: bool) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        objects = dict(SMALL)
        await put_all(client, objects)
        if is_rewriting:
            await pack_all(town)
            for key in sorted(objects)[:30]:
                await client.remove(key)
                del objects[key]
        town.on_reaching(1, point, lambda: town.cut_power(1))
        work = packer(town).rewrite_worn if is_rewriting else packer(town).pack_all
        town.houses[1].nursery.start_soon(work)
        await town.until(lambda: 1 not in town.houses)
        await town.start(1)
        await town.until_settled()
        await check_all(client, objects)
        await pack_all(town)
        await town.on(1, lambda _services: packer(town).rewrite_worn())
        assert await catalog(town).inline(limit=10) == ()
        (pack,) = await catalog(town).packs()
        assert pack.live_objects == len(objects)
        await check_all(client, objects)

    in_a_township(main, seed=len(point))
