"""kill -9 at every step of a checkpoint and of a catalog's arrival: nothing acknowledged is lost or comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from protocol.errors import MaillonError
from tests.support.processes import GATEWAY, POLL_S, Town, some_bytes

pytestmark = [pytest.mark.processes, pytest.mark.chaos]

POINTS = (
    "checkpoint.before-freeze",
    "checkpoint.after-freeze",
    "checkpoint.after-page",
    "checkpoint.after-manifest",
    "checkpoint.before-succession",
    "checkpoint.after-succession",
    "checkpoint.after-release",
)
SOON = "\n[vault]\nstraggler_wait_s = 20\nsettle_after_s = 1.0\n"


@asynccontextmanager
async def settling(town: Town) -> AsyncIterator[None]:
    """The gateway makes a checkpoint a second after each of its starts."""
    path = town.dir(GATEWAY) / "maillon.toml"
    before = path.read_text()
    await town.kill(GATEWAY)
    path.write_text(before[: before.index("\n[vault]\n")] + SOON)
    try:
        yield
    finally:
        await town.kill(GATEWAY)
        path.write_text(before)


async def test_a_gateway_dies_at_every_step_of_a_checkpoint_and_of_its_catalogs_arrival(six_nodes: Town) -> None:
    kept: dict[str, bytes] = {}
    gone: set[str] = set()
    async with settling(six_nodes):
        for number, point in enumerate(POINTS):
            six_nodes.spawn(GATEWAY, faults=f"{point}=kill9@1")
            await write(six_nodes, number, kept, gone)
            await six_nodes.wait_dead(GATEWAY)
        for path in (six_nodes.dir(GATEWAY) / "index").glob("catalog-*"):
            path.unlink()
        six_nodes.spawn(GATEWAY, faults="checkpoint.after-arrival=kill9@1")
        await six_nodes.wait_dead(GATEWAY)
        await six_nodes.heal()
        for key, data in kept.items():
            assert await six_nodes.get(key) == data, key
        assert [key for key in sorted(gone) if await six_nodes.get_if_there(key) is not None] == []


async def write(town: Town, number: int, kept: dict[str, bytes], gone: set[str]) -> None:
    """Put two objects, a small one and a larger one, and remove an earlier one, as far as this life lasts."""
    for size_bytes in (2_000, 200_000):
        key, data = f"checkpoint/{number}/{size_bytes}", some_bytes(number, size_bytes)
        if await do(town, lambda key=key, data=data: town.put(key, data)):  # type: ignore[misc]
            kept[key] = data
    for key in [key for key in kept if key.startswith(f"checkpoint/{number - 2}/")][:1]:
        del kept[key]
        if await do(town, lambda key=key: town.remove(key)):  # type: ignore[misc]
            gone.add(key)


async def do(town: Town, work: Callable[[], Awaitable[object]]) -> bool:
    """Try until it is acknowledged, or the gateway is dead."""
    while town.is_alive(GATEWAY):
        try:
            await work()
        except MaillonError:
            await trio.sleep(POLL_S)
        else:
            return True
    return False
