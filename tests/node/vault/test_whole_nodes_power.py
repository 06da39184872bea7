"""Power cuts of whole nodes at every step of a put: after the restart, what was acknowledged is there, and nothing
else is there by halves."""

from __future__ import annotations

import random

import pytest
import trio

from protocol.errors import MaillonError, Refused, Unavailable
from protocol.limits import BLOCK_PLAIN_BYTES
from sim.federation.lives import Lost
from sim.host.network import Conditions
from tests.support.clients import some_bytes
from tests.support.township import Township, in_a_township

BLOCK = BLOCK_PLAIN_BYTES
LARGE = some_bytes(BLOCK + 9)
OTHER = some_bytes(2 * BLOCK + 9)
SMALL = some_bytes(1_000)

# Fault points of the gateway that every put reaches, in this order.
POINTS = (
    "vault.before-spread",
    "store.before-write",
    "store.before-sync",
    "store.after-sync",
    "vault.after-spread",
    "vault.before-journal",
    "journal.before-own-copy",
    "journal.before-write",
    "journal.before-sync",
    "journal.after-sync",
    "journal.after-own-copy",
    "vault.after-journal",
)
# Cut there, the object is bound to be absent.
NOT_YET = ("vault.before-spread", "vault.after-spread", "vault.before-journal", "journal.before-own-copy", "store")


@pytest.mark.parametrize("point", POINTS)
def test_a_power_cut_of_the_gateway_keeps_what_was_acknowledged(point: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        await client.put("kept", LARGE)
        await client.put("kept small", SMALL)
        for key, data in (("large", OTHER), ("kept", OTHER), ("small", SMALL)):
            if point.startswith(("store", "vault.before-spread", "vault.after-spread")) and key == "small":
                continue  # a small object passes no store
            town.on_reaching(1, point, lambda: town.cut_power(1))
            with pytest.raises(Lost):
                await client.put(key, data)
            await town.start(1)
            await town.until_open()
            assert await client.get("kept small") == SMALL
            assert await client.get("kept") in ((LARGE, OTHER) if key != "large" else (LARGE,))
            found = await _get(town, key)
            assert found in (data, None) if key != "kept" else found is not None
            if point.startswith(NOT_YET):
                assert found is None if key != "kept" else found == LARGE
            if point == "vault.after-journal":
                assert found == data
            await client.put("kept", LARGE)
        assert await client.get("kept") == LARGE

    in_a_township(main, seed=len(point))


# Fault points of a gateway that starts, in this order.
STARTING = (
    "succession.before-promise",
    "succession.after-promise",
    "succession.after-adopt",
    "succession.after-prepare",
    "succession.before-accept",
    "succession.after-accept",
    "succession.before-open",
    "succession.after-open",
    "succession.after-card",
)


@pytest.mark.parametrize("point", STARTING)
def test_a_power_cut_at_any_step_of_a_succession_loses_nothing(point: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(4)
        await client.put("kept", LARGE)
        await client.put("kept small", SMALL)
        town.cut_power(1)
        cut = trio.Event()

        def die() -> None:
            town.cut_power(1)
            cut.set()

        town.on_reaching(1, point, die)
        await town.start(1)
        await cut.wait()
        await town.start(1)
        await town.until_open()
        assert await client.get("kept") == LARGE
        assert await client.get("kept small") == SMALL
        await client.put("next", SMALL)
        assert await client.get("next") == SMALL

    in_a_township(main, seed=len(point))


@pytest.mark.parametrize(
    ("point", "is_there"),
    [("mesh.before-records", False), ("vault.before-namespace", False), ("vault.after-namespace", True)],
)
def test_a_namespace_whose_creation_is_cut_short_is_usable_or_its_name_is_free(point: str, is_there: bool) -> None:
    async def main(town: Township) -> None:
        await town.grow(3)
        client = town.client()
        town.on_reaching(1, point, lambda: town.cut_power(1))
        with pytest.raises(Lost):
            await town.on(1, lambda services: services.vault.create_namespace("photos"))
        await town.start(1)
        await town.until(town.agree)
        assert len(await client.namespaces()) == is_there
        if not is_there:
            await town.on(1, lambda services: services.vault.create_namespace("photos"))
        await town.until_open()
        await client.put("x", LARGE)
        assert await client.get("x") == LARGE

    in_a_township(main)


def test_a_namespace_that_cannot_be_opened_in_time_is_not_there_and_its_name_is_free() -> None:
    async def main(town: Township) -> None:
        await town.grow(3)
        town.on_reaching(1, "mesh.before-records", lambda: town.world.wires.partition(["n1"], ["n2", "n3"]))
        with pytest.raises(Unavailable):
            await town.on(1, lambda services: services.vault.create_namespace("photos"))
        assert await town.client().namespaces() == ()
        town.world.wires.heal()
        await town.until(town.agree)
        await town.on(1, lambda services: services.vault.create_namespace("photos"))
        with pytest.raises(Refused, match="namespace-exists"):
            await town.on(1, lambda services: services.vault.create_namespace("photos"))
        town.cut_power(1)
        await town.start(1)
        await town.until_open()
        assert [status.name for status in await town.client().namespaces()] == ["photos"]

    in_a_township(main)


@pytest.mark.parametrize("seed", [1, 3])
def test_a_power_cut_of_everybody_at_once_keeps_what_was_acknowledged(seed: int) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", LARGE)
        await client.put("kept small", SMALL)
        acknowledged: list[str] = []

        async def put(key: str, data: bytes) -> None:
            try:
                await client.put(key, data)
            except (Lost, MaillonError):
                return
            acknowledged.append(key)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(put, "large", OTHER)
            for number in range(20):
                nursery.start_soon(put, f"{number}", SMALL)
            await trio.sleep(0.01 + 0.01 * seed)
            for number in range(1, 7):
                town.cut_power(number)
        for number in range(1, 7):
            await town.start(number)
        await town.until_open()
        await town.until(town.agree)
        assert await client.get("kept") == LARGE
        assert await client.get("kept small") == SMALL
        for key, data in [("large", OTHER), *((f"{number}", SMALL) for number in range(20))]:
            assert await _get(town, key) in ((data,) if key in acknowledged else (data, None))

    in_a_township(main, seed=seed)


class Memory:
    """What a client may expect to find under each key: any of these, None standing for nothing."""

    def __init__(self) -> None:
        self.possible: dict[str, list[bytes | None]] = {}

    def began(self, key: str, data: bytes | None) -> None:
        self.possible.setdefault(key, [None]).append(data)

    def acknowledged(self, key: str, data: bytes | None) -> None:
        self.possible[key] = [data]


@pytest.mark.parametrize("seed", [1, 2])
def test_through_many_lives_and_deaths_of_all_nodes_nothing_acknowledged_is_lost(seed: int) -> None:
    many_lives(seed, lives=2)


def many_lives(seed: int, *, lives: int = 6) -> None:
    """One client per key writes, overwrites and removes, while nodes die at random, two at a time at most."""

    async def main(town: Township) -> None:
        client = await town.settle(6)
        numbers, memory = random.Random(seed), Memory()
        town.world.wires.conditions = Conditions(0.001, 0.05, dial_loss=0.05, send_loss=0.001)
        for life in range(lives):
            over = trio.Event()
            async with trio.open_nursery() as nursery:
                for key in ("a", "b", "c", "d"):
                    nursery.start_soon(_write, town, memory, key, random.Random(f"{seed} {life} {key}"), over)
                await trio.sleep(numbers.uniform(0.01, 0.8))
                for victim in numbers.sample(range(1, 7), 2):
                    numbers.choice((town.kill, town.cut_power))(victim)
                await trio.sleep(numbers.uniform(0, 8))
                over.set()
            for number in range(1, 7):
                if number not in town.houses:
                    await town.start(number)
            await town.until_settled()
            for key, possible in memory.possible.items():
                found = await _get(town, key)
                assert found in possible, f"life {life}: {key} is {_short(found)}, not {[*map(_short, possible)]}"
                memory.acknowledged(key, found)
        town.world.wires.conditions = Conditions()
        await town.until_complete(within_s=120)
        for key, (expected,) in memory.possible.items():
            if expected is not None:
                assert await client.get(key) == expected
                assert await town.lacking(key) == []

    in_a_township(main, seed=seed)


async def _write(town: Township, memory: Memory, key: str, numbers: random.Random, over: trio.Event) -> None:
    """Until it is over, or the gateway dies."""
    client = town.client()
    while 1 in town.houses and not over.is_set():
        size = numbers.choice((0, 10, 50_000, 70_000, 300_000, BLOCK + 1))
        data = None if numbers.random() < 0.2 else numbers.randbytes(size)
        memory.began(key, data)
        try:
            await (client.remove(key) if data is None else client.put(key, data))
        except Lost:
            return
        except MaillonError as error:
            if error.identifier not in ("object-missing", "bucket-missing"):
                await trio.sleep(numbers.uniform(0, 0.5))
                continue
        memory.acknowledged(key, data)


async def _get(town: Township, key: str) -> bytes | None:
    try:
        return await town.client().get(key)
    except MaillonError as error:
        if error.identifier in ("object-missing", "bucket-missing"):
            return None
        raise


def _short(data: bytes | None) -> str:
    return "nothing" if data is None else f"{len(data)} bytes {data[:4].hex()}"
