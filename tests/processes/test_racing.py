"""Gateways race for one namespace: one writes in the end, the others say so, and nothing acknowledged is missing.

The first gateway goes on writing while two others, then three, take the namespace over with its sheet at the same
moment. Whoever wins must show everything that any of them ever acknowledged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import trio

from node.cli.devnet_book import load_book
from node.cli.devnet_health import status_of
from protocol.errors import MaillonError
from tests.support.processes import GATEWAY, BytesSink, BytesSource, Town, eventually, ref, some_bytes, town

pytestmark = [pytest.mark.processes, pytest.mark.chaos]

SIZE_BYTES = 3_000


@pytest.fixture(scope="module")
def four_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Four nodes of four organisations, of which anyone may become the gateway."""
    with town(tmp_path_factory.mktemp("race") / "devnet", "--nodes", "4") as made:
        yield made


@dataclass(slots=True)
class Writer:
    """Puts through one node for as long as it takes them; `kept` is what was acknowledged."""

    town: Town
    name: str
    prefix: str
    kept: dict[str, bytes] = field(default_factory=dict)

    async def put(self) -> None:
        key = f"{self.prefix}/{self.name}/{len(self.kept)}"
        data = some_bytes(len(self.kept), SIZE_BYTES)
        async with self.town.client(self.name) as client:
            await client.put(ref(key), BytesSource(data), size_bytes=len(data), moved=lambda _count: None)
        self.kept[key] = data

    async def put_until_refused(self) -> None:
        try:
            while True:
                await self.put()
        except MaillonError:
            return


async def read(made: Town, name: str, key: str) -> bytes:
    sink = BytesSink()
    async with made.client(name) as client:
        await client.get(ref(key), sink, moved=lambda _count: None)
    return bytes(sink.data)


async def take_over(made: Town, name: str) -> None:
    """With the sheet, at a member's node. The command may lose the race; then it says so, and ends."""
    namespace = load_book(made.folder).namespace
    assert namespace is not None
    command = [sys.executable, "-m", "node", "--dir", str(made.dir(name)), "namespace", "recover", "-"]
    await trio.run_process(
        command, stdin=namespace.recovery.encode(), capture_stdout=True, capture_stderr=True, check=False
    )


async def writers(made: Town, names: tuple[str, ...]) -> list[str]:
    """The nodes whose namespace is open."""
    found = []
    for name in names:
        status = await status_of(made.node(name))
        if status is not None and any(line.writable for line in status.namespaces):
            found.append(name)
    return found


async def race(made: Town, first: str, racers: tuple[str, ...], prefix: str) -> str:
    """The racers take over at once while `first` writes. The winner; everything acknowledged is there."""
    writer = Writer(made, first, prefix)
    await writer.put()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.put_until_refused)
        for name in racers:
            nursery.start_soon(take_over, made, name)
    everybody = (first, *racers)

    async def one() -> list[str] | None:
        found = await writers(made, everybody)
        return found if len(found) == 1 else None

    (winner,) = await eventually(one, f"one writer of {everybody}")
    assert winner != first
    for key, data in writer.kept.items():
        assert await read(made, winner, key) == data, key
    after = Writer(made, winner, prefix)
    await after.put()
    for name in set(everybody) - {winner}:
        with pytest.raises(MaillonError):
            await Writer(made, name, prefix).put()
    return winner


async def test_two_then_three_gateways_race(four_nodes: Town) -> None:
    first = await race(four_nodes, GATEWAY, ("n2", "n3"), "two")
    others = tuple(name for name in four_nodes.names if name != first)
    winner = await race(four_nodes, first, others, "three")
    assert winner in others
