"""Whole nodes that make checkpoints: the journal is freed, and the catalog comes back from tables."""

from __future__ import annotations

import pytest
import trio

from node.vault.catalog.catalog import Catalog
from node.vault.tenancy import Tenancy
from protocol.errors import MaillonError, Unavailable
from tests.support.clients import Client, some_bytes
from tests.support.township import Township, in_a_township, name_of

OBJECTS = {f"object {number:02}": some_bytes(300 + 4_099 * number, seed=number) for number in range(24)}


def tenancy(town: Township) -> Tenancy:
    """The gateway's one namespace."""
    (found,) = town.houses[1].services.vault._tenancies.values()
    return found


def catalog(town: Township) -> Catalog:
    return tenancy(town).require_open().catalog


async def put_all(client: Client, objects: dict[str, bytes]) -> None:
    async with trio.open_nursery() as nursery:
        for key, data in objects.items():
            nursery.start_soon(client.put, key, data)


async def check_all(client: Client, objects: dict[str, bytes]) -> None:
    for key, data in objects.items():
        assert await client.get(key) == data
    assert {entry.key for entry in (await client.list()).entries} == objects.keys()


def lose_catalog(town: Township) -> None:
    databases = town.world.platter(name_of(1)).databases
    for path in [path for path in databases if "catalog" in path.name]:
        del databases[path]


async def epochs_held(town: Township) -> set[int]:
    """The epochs of which anybody has entries."""
    namespace = tenancy(town).secrets.namespace
    stores = [house.services.vault._tools.journals for house in town.houses.values()]
    return {held.epoch for store in stores for held in await store.held(namespace)}


async def made(town: Township, epoch: int) -> None:
    """Wait until the namespace goes on from a checkpoint, in this epoch or a later one."""

    def is_settled() -> bool:
        try:
            found = catalog(town)
        except MaillonError:
            return False
        return found.is_settled and found.tip.epoch >= epoch and found.tip.length > 0

    with trio.fail_after(600):
        await town.until(is_settled)


def test_a_lost_catalog_comes_back_from_tables_when_the_journal_is_gone() -> None:
    async def main(town: Township) -> None:
        town.checkpoint_after_s = 30.0
        client = await town.settle(6)
        await put_all(client, OBJECTS)
        await made(town, 2)
        objects = OBJECTS | {"later": b"later"}
        await client.put("later", b"later")
        await client.remove("object 03")
        del objects["object 03"]
        await made(town, 3)
        await trio.sleep(10)
        assert 1 not in await epochs_held(town)
        await client.put("object 04", b"since the checkpoint")
        objects["object 04"] = b"since the checkpoint"
        town.kill(1)
        lose_catalog(town)
        await town.start(1)
        await town.until_open()
        await check_all(client, objects)
        town.kill(1)
        await town.start(1)
        await town.until_open()
        await check_all(client, objects)
        for gone in (5, 6):
            town.kill(gone)
        await check_all(client, objects)

    in_a_township(main)


def test_a_checkpoint_follows_a_restart_and_is_made_with_members_down() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await put_all(client, OBJECTS)
        town.kill(1)
        town.kill(6)
        town.settle_after_s = 20.0
        await town.start(1)
        await town.until_open()
        town.kill(5)
        assert not catalog(town).is_settled
        await made(town, 3)
        town.kill(1)
        lose_catalog(town)
        await town.start(1)
        await town.until_open()
        await check_all(client, OBJECTS)

    in_a_township(main)


def test_what_has_arrived_is_served_while_the_rest_still_comes() -> None:
    async def main(town: Township) -> None:
        town.checkpoint_after_s = 30.0
        client = await town.settle(6)
        await put_all(client, OBJECTS)
        await made(town, 2)
        await client.put("object 05", b"since the checkpoint")
        town.kill(1)
        lose_catalog(town)
        goes_on, waits = trio.Event(), trio.Event()

        async def wait() -> None:
            waits.set()
            await goes_on.wait()

        town.world.faults(name_of(1)).on("checkpoint.after-arrival", wait)
        await town.start(1)
        with trio.fail_after(120):
            await waits.wait()
            while tenancy(town).problem is None or not await readable(client, "object 07"):  # noqa: ASYNC110
                await trio.sleep(0.5)
        assert tenancy(town).arrival is not None
        for refused in (client.get("object 05"), client.list(), client.get("object 99")):
            with pytest.raises(Unavailable, match="catalog-rebuilding"):
                await refused
        goes_on.set()
        await town.until_open()
        assert tenancy(town).arrival is None
        await check_all(client, OBJECTS | {"object 05": b"since the checkpoint"})

    in_a_township(main)


async def readable(client: Client, key: str) -> bool:
    try:
        return await client.get(key) == OBJECTS[key]
    except Unavailable:
        return False
