"""Whole nodes: what a gateway that died left behind is found and freed, and nothing that is still needed."""

from __future__ import annotations

import pytest
import trio

from node.vault import put
from node.vault.catalog.catalog import Catalog
from node.vault.objects import ObjectPath
from node.vault.release import inventory
from node.vault.serving import Open
from protocol.errors import MaillonError
from protocol.limits import BLOCK_PLAIN_BYTES
from sim.federation.lives import Lost
from tests.support.clients import BUCKET, BytesSource, some_bytes
from tests.support.township import Township, in_a_township

BLOCK = BLOCK_PLAIN_BYTES
DATA = some_bytes(2 * BLOCK + 9)
LONG = some_bytes(12 * BLOCK + 5)
OTHER = some_bytes(BLOCK + 1, seed=7)
EVERY = range(1, 7)
OBJECTS = {f"object {number:02}": some_bytes(300 + 4_099 * number, seed=number) for number in range(24)}


def serving(town: Township) -> Open:
    (found,) = town.houses[1].services.vault._tenancies.values()
    return found.require_open()


async def take(town: Township) -> int:
    """One inventory now, in the gateway's life; of how many blocks holders let go, each counted."""
    return await town.on(1, lambda _services: serving(town).inventory.take())


async def counts(town: Township) -> set[int]:
    """How many shares each node keeps."""
    return set((await town.shares()).values())


async def restart(town: Township) -> None:
    await town.start(1)
    await town.until(town.agree)
    await town.until_settled()


@pytest.mark.parametrize("point", ["vault.after-spread", "vault.before-journal"])
def test_what_a_put_left_that_died_with_its_gateway_is_freed(point: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", OTHER)
        town.on_reaching(1, point, lambda: town.kill(1))
        with pytest.raises(Lost):
            await client.put("cut", DATA)
        await restart(town)
        await trio.sleep(60)
        before = await town.shares()
        assert min(before.values()) > 2, "nothing else frees them"
        assert await take(town) == sum(before.values()) - 2 * len(EVERY)
        assert await counts(town) == {2}
        assert await client.get("kept") == OTHER
        assert await town.lacking("kept") == []
        assert await take(town) == 0

    in_a_township(main, seed=len(point))


def test_inventories_come_by_themselves() -> None:
    async def main(town: Township) -> None:
        town.inventory_every_s = 30.0
        client = await town.settle(6)
        town.on_reaching(1, "vault.before-journal", lambda: town.kill(1))
        with pytest.raises(Lost):
            await client.put("cut", DATA)
        await restart(town)
        assert await counts(town) == {3}
        await town.until_shares(lambda shares: not any(shares.values()), within_s=60)

    in_a_township(main)


class Slow(BytesSource):
    """Takes its time over each block."""

    async def receive_into(self, buffer: memoryview) -> int:
        await trio.sleep(3)
        return await super().receive_into(buffer)


@pytest.mark.parametrize("blocks_per_part", [put.BLOCKS_PER_PART, 4])
def test_a_put_under_way_is_left_alone(monkeypatch: pytest.MonkeyPatch, blocks_per_part: int) -> None:
    """Also by a gateway that remembers nothing of what it is spreading: the holders go by the horizon."""
    monkeypatch.setattr(put, "BLOCKS_PER_PART", blocks_per_part)

    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("other", OTHER)
        monkeypatch.setattr(serving(town).unnamed, "knows", lambda _block: False)

        async def put_slowly() -> None:
            await town.on(1, lambda services: services.vault.put(ObjectPath(BUCKET, "slow"), Slow(LONG)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(put_slowly)
            for number in range(5):
                await trio.sleep(6)
                await client.put(f"meanwhile {number}", b"moves the journal on")
                await take(town)
        assert await client.get("slow") == LONG
        assert [await town.lacking(key) for key in ("slow", "other")] == [[], []]

    in_a_township(main)


def test_everything_that_is_named_stays_wherever_the_catalog_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an object's row, in runs, in parts, in packs, in tables, and where it is to be released."""
    monkeypatch.setattr(put, "BLOCKS_PER_PART", 4)

    async def main(town: Township) -> None:
        town.checkpoint_after_s = 20.0
        town.pack_every_s = 5.0
        client = await town.settle(6)
        await client.put("long", LONG)
        await client.put("short", DATA)
        for key, data in OBJECTS.items():
            await client.put(key, data)
        catalog = serving(town).catalog
        await town.until(lambda: is_settled_again(catalog), within_s=300)
        await trio.sleep(30)
        before = await town.shares()
        assert await take(town) == 0
        assert await town.shares() == before
        town.kill(4)
        await client.remove("short")
        await take(town)
        town.kill(1)
        for path in [path for path in town.world.platter("n1").databases if "catalog" in path.name]:
            del town.world.platter("n1").databases[path]
        await town.start(4)
        await restart(town)
        assert await take(town) == 0
        for key, data in {"long": LONG, **OBJECTS}.items():
            assert await client.get(key) == data
        assert await town.lacking("long") == []

    in_a_township(main)


def is_settled_again(catalog: Catalog) -> bool:
    """Since a checkpoint."""
    return catalog.checkpoint is not None and catalog.is_settled


@pytest.mark.parametrize("point", ["checkpoint.after-manifest", "checkpoint.before-succession"])
def test_tables_of_a_checkpoint_that_never_came_are_freed(point: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", OTHER)
        town.kill(1)
        town.checkpoint_after_s = 5.0
        town.on_reaching(1, point, lambda: town.kill(1))
        await town.start(1)
        await town.until(lambda: 1 not in town.houses)
        town.checkpoint_after_s, town.settle_after_s = 3_600.0, 3_600.0
        await restart(town)
        before = await counts(town)
        assert min(before) > 2
        assert await take(town) > 0
        assert await counts(town) == {2}
        assert await client.get("kept") == OTHER

    in_a_township(main, seed=len(point))


def test_a_holder_that_was_away_is_asked_the_next_time() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        town.on_reaching(1, "vault.before-journal", lambda: town.kill(1))
        with pytest.raises(Lost):
            await client.put("cut", DATA)
        town.kill(5)
        await town.start(1)
        await town.until_open()
        await take(town)
        await town.start(5)
        await town.until(town.agree)
        assert {number: count for number, count in (await town.shares()).items() if count} == {5: 3}
        assert await take(town) == 3
        assert await counts(town) == {0}

    in_a_township(main)


def test_parts_that_name_too_much_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "NAMED_MAX", 4)

    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", LONG)
        town.on_reaching(1, "vault.before-journal", lambda: town.kill(1))
        with pytest.raises(Lost):
            await client.put("cut", DATA)
        await restart(town)
        assert await take(town) == 3 * len(EVERY)
        assert await town.lacking("kept") == []
        assert await counts(town) == {13}

    in_a_township(main)


def test_a_catalog_that_is_being_filled_takes_none() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", OTHER)
        found = serving(town)
        await found.catalog.start_over()
        with pytest.raises(MaillonError, match="catalog-rebuilding"):
            await found.inventory.take()
        assert await counts(town) == {2}

    in_a_township(main)
