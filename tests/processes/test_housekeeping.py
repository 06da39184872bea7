"""kill -9 while blocks are released and small objects packed: nothing acknowledged is lost, nothing removed stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from protocol.errors import MaillonError
from tests.support.processes import GATEWAY, Town, eventually, some_bytes

pytestmark = [pytest.mark.processes, pytest.mark.chaos]

RELEASE_POINTS = ["release.before-send", "release.after-send", "release.after-journal"]
HOLDER_POINTS = {"n5": "release.before-delete", "n6": "release.before-answer"}
PACK_POINTS = ["pack.before-store", "pack.before-journal", "pack.after-journal"]
OFTEN = "\n[vault]\nstraggler_wait_s = 20\ncomplete_after_s = 1.0\npack_every_s = 0.5\nrelease_every_s = 0.5\n"
SMALL_BYTES = 64_000
PACKFUL = 66
AT_ONCE = 8


@asynccontextmanager
async def busy(town: Town) -> AsyncIterator[None]:
    """The gateway packs and releases twice a second, and completes once."""
    path = town.dir(GATEWAY) / "maillon.toml"
    before = path.read_text()
    await town.kill(GATEWAY)
    path.write_text(before[: before.index("\n[vault]\n")] + OFTEN)
    try:
        yield
    finally:
        await town.kill(GATEWAY)
        path.write_text(before)


async def die_at(town: Town, point: str) -> None:
    """A life of the gateway that ends by itself at this point."""
    town.spawn(GATEWAY, faults=f"{point}=kill9@1")
    await town.wait_dead(GATEWAY)


async def test_blocks_are_released_through_deaths_at_each_point(six_nodes: Town) -> None:
    async with busy(six_nodes):
        await six_nodes.heal()
        await six_nodes.quiet()  # what other tests removed is on its way out as well
        before = await six_nodes.shares()
        for key in ("gone/1", "gone/2", "kept"):
            await six_nodes.put(key, some_bytes(len(key), 600_000))
        await six_nodes.kill(GATEWAY, *HOLDER_POINTS)
        for name, point in HOLDER_POINTS.items():
            six_nodes.spawn(name, faults=f"{point}=kill9@1")
        await six_nodes.start(GATEWAY, faults=f"{RELEASE_POINTS[0]}=kill9@1")
        await six_nodes.see(6, by=(GATEWAY,))
        await six_nodes.writable()
        await six_nodes.remove("gone/1")
        await six_nodes.remove("gone/2")
        await six_nodes.wait_dead(GATEWAY)
        await die_at(six_nodes, RELEASE_POINTS[1])
        await six_nodes.start(GATEWAY, faults=f"{RELEASE_POINTS[2]}=kill9@1")
        for name in HOLDER_POINTS:
            await six_nodes.wait_dead(name)
        await six_nodes.start(*HOLDER_POINTS)
        await six_nodes.wait_dead(GATEWAY)
        await six_nodes.heal()

        async def freed() -> bool:
            return await six_nodes.shares() == {name: count + 1 for name, count in before.items()}

        await eventually(freed, "the shares of what was removed are gone")
        assert await six_nodes.get("kept") == some_bytes(4, 600_000)
        assert await six_nodes.get_if_there("gone/1") is None


async def test_small_objects_are_packed_and_packs_rewritten_through_deaths_at_each_point(six_nodes: Town) -> None:
    kept: dict[str, bytes] = {}

    async def put(number: int, turns: trio.Semaphore) -> None:
        async with turns:
            key, data = f"small/{number}", some_bytes(number, SMALL_BYTES)
            try:
                await six_nodes.put(key, data)
            except MaillonError:  # the gateway is dead by then
                return
            kept[key] = data

    async with busy(six_nodes):
        await six_nodes.start(GATEWAY, faults=f"{PACK_POINTS[0]}=kill9@1")
        await six_nodes.see(6, by=(GATEWAY,))
        await six_nodes.writable()
        turns = trio.Semaphore(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for number in range(PACKFUL):
                nursery.start_soon(put, number, turns)
        await six_nodes.wait_dead(GATEWAY)
        for point in PACK_POINTS[1:]:
            await die_at(six_nodes, point)
        await six_nodes.heal()
        await check(six_nodes, kept)
        packed = [key for key in kept if await six_nodes.blocks(key)]
        assert len(packed) > PACKFUL - 6
        gone = await remove_until_it_dies(six_nodes, kept, PACK_POINTS[1])
        await six_nodes.heal()
        await check(six_nodes, kept)
        assert [key for key in gone if await six_nodes.get_if_there(key) is not None] == []


async def remove_until_it_dies(town: Town, kept: dict[str, bytes], point: str) -> list[str]:
    """Under half of the pack lives on: it is rewritten, and the gateway dies of it. What was removed for certain."""
    await town.restart(GATEWAY, faults=f"{point}=kill9@1")
    await town.see(6, by=(GATEWAY,))
    await town.writable()
    gone = []
    for key in sorted(kept)[: 2 * PACKFUL // 3]:
        del kept[key]
        try:
            await town.remove(key)
        except MaillonError:
            break
        gone.append(key)
    await town.wait_dead(GATEWAY)
    return gone


async def check(town: Town, kept: dict[str, bytes]) -> None:
    for key, data in kept.items():
        assert await town.get(key) == data, key
