"""Whole nodes in one world: a federation forms, and objects of every size go in and come out again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from node.host.ports import Buffer
from node.vault import workspaces
from node.vault.objects import ObjectPath, ObjectStat
from protocol.errors import Missing, Refused, Unavailable
from protocol.limits import BLOCK_PLAIN_BYTES, INLINE_BYTES_MAX
from protocol.namespace.changes import Metadata
from sim.host.network import Conditions
from tests.support.clients import BUCKET, BytesSource, some_bytes
from tests.support.plain_wires import Meddler
from tests.support.township import Township, in_a_township, node_of

BLOCK = BLOCK_PLAIN_BYTES
SIZES = (0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, BLOCK, BLOCK + 1, 3 * BLOCK + 12_345)
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("size", "code"), [(3, "1-of-3"), (6, "3-of-6")])
def test_objects_of_every_size_come_back_byte_for_byte_and_every_holder_has_its_share(size: int, code: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(size)
        for size_bytes in SIZES:
            data = some_bytes(size_bytes)
            put = await client.put(f"{size_bytes}", data)
            assert put.blocks == (0 if size_bytes <= INLINE_BYTES_MAX else -(-size_bytes // BLOCK))
            assert await client.get(f"{size_bytes}") == data
            assert await client.stat(f"{size_bytes}") == put
            assert await town.lacking(f"{size_bytes}") == []
        (status,) = await client.namespaces()
        assert (status.code, status.objects, status.size_bytes) == (code, len(SIZES), sum(SIZES))
        assert (status.incomplete_blocks, status.problem) == (0, None)
        assert status.journal is not None
        assert status.journal.acknowledged == status.journal.length

    in_a_township(main, seed=size)


def test_members_are_admitted_by_the_ballots_of_those_before_them() -> None:
    async def main(town: Township) -> None:
        await town.grow(6)
        for house in town.houses.values():
            view = house.services.mesh.view
            assert [facts.admitted for facts in view.nodes()] == [True] * 6
            assert len({facts.sponsor for facts in view.nodes()}) == 6
            assert view.proposals() == ()

    in_a_township(main)


def test_a_network_that_loses_much_delays_a_federation_and_keeps_it_from_nothing() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        town.world.wires.conditions = Conditions(0.005, 0.2, dial_loss=0.1, send_loss=0.01)
        put: dict[str, bytes] = {}
        for number in range(6):
            data = some_bytes(1_000_000 + number, seed=number)
            try:
                await client.put(f"{number}", data)
            except Unavailable:
                continue
            put[f"{number}"] = data
        assert len(put) >= 3
        for key, data in put.items():
            assert await client.get(key) == data

    in_a_township(main)


def test_listing_goes_by_key_in_pages_and_removal_forgets() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        keys = ["a/1", "a/2", "a/é", "b", "c"]
        for key in reversed(keys):
            await client.put(key, key.encode())
        assert [entry.key for entry in (await client.list()).entries] == keys
        page = await client.list("a/", limit=2)
        assert ([entry.key for entry in page.entries], page.truncated) == (["a/1", "a/2"], True)
        rest = await client.list("a/", start_after="a/2", limit=2)
        assert ([entry.key for entry in rest.entries], rest.truncated) == (["a/é"], False)
        await client.put("b", b"another")
        assert await client.get("b") == b"another"
        await client.remove("b")
        for asking in (client.get("b"), client.stat("b"), client.remove("b"), client.explain("b")):
            with pytest.raises(Missing, match="object-missing"):
                await asking
        assert [entry.key for entry in (await client.list("b")).entries] == []

    in_a_township(main)


def test_metadata_comes_back_with_the_object() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        metadata = (Metadata("content-type", "image/png"), Metadata("taken-by", "Zoé"))
        for key, data in (("small", b"x"), ("large", some_bytes(INLINE_BYTES_MAX + 1))):
            assert (await client.put(key, data, metadata=metadata)).metadata == metadata
            assert (await client.stat(key)).metadata == metadata

    in_a_township(main)


def test_an_explanation_names_each_holder_once_and_the_journal_s_holders_for_a_small_object() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("large", some_bytes(BLOCK + 1))
        await client.put("small", b"x")
        large = await client.explain("large")
        assert [(block.k, block.n, block.size_bytes) for block in large.blocks] == [(3, 6, BLOCK), (3, 6, 1)]
        for block in large.blocks:
            assert sorted(share.node_name for share in block.shares) == [f"n{number}" for number in range(1, 7)]
            assert all(share.answers and share.complete for share in block.shares)
            assert [share.reason.index for share in block.shares] == list(range(6))
        small = await client.explain("small")
        assert (small.blocks, small.stat.inline) == ((), True)
        (status,) = await client.namespaces()
        assert status.journal is not None
        assert {node_of(int(name[1:])) for name in small.journal_holders} == set(status.journal.holders)

    in_a_township(main)


def test_only_the_gateway_serves_the_namespace_and_another_node_says_who_it_is() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        await client.put("x", b"x")
        with pytest.raises((Missing, Refused)):
            await town.client(2).get("x")

    in_a_township(main)


def test_bad_names_are_refused_before_a_byte_is_read() -> None:
    async def main(town: Township) -> None:
        await town.settle(3)

        def read(_offset: int) -> None:
            raise AssertionError

        for path in (ObjectPath("B", "x"), ObjectPath(BUCKET, ""), ObjectPath(BUCKET, "k" * 1_025)):
            source = BytesSource(b"data", read)
            with pytest.raises(Refused):
                await town.on(1, lambda services, path=path, source=source: services.vault.put(path, source))

    in_a_township(main)


def test_puts_of_any_size_and_number_work_on_a_fixed_number_of_desks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever clients send, and however slow the holders are: memory is a number of desks."""
    made: list[workspaces.Desk] = []

    class Counted(workspaces.Desk):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(workspaces, "Desk", Counted)

    async def main(town: Township) -> None:
        client = await town.settle(3)
        config = town.config(1).vault
        town.world.wires.conditions = Conditions(0.02, 0.04)
        data = some_bytes((config.blocks_in_flight + 2) * BLOCK)
        await client.put("one", data)
        assert 2 <= len(made) <= 2 * config.blocks_in_flight
        async with trio.open_nursery() as nursery:
            for number in range(config.desks // config.blocks_in_flight + 1):
                nursery.start_soon(client.put, f"{number}", data)
        assert config.blocks_in_flight < len(made) <= config.desks
        town.world.wires.conditions = Conditions()
        for key in ("one", "0", "1"):
            assert await client.get(key) == data

    in_a_township(main)


def test_a_reader_that_takes_nothing_costs_its_desks_and_is_given_up() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        data = some_bytes(7 * BLOCK)
        await client.put("long", data)
        sent: list[str] = []

        class Stuck:
            async def begin(self, stat: ObjectStat) -> None:
                sent.append(stat.key)

            async def write(self, parts: list[Buffer]) -> None:
                await trio.sleep_forever()

        async def read() -> None:
            with pytest.raises(Unavailable, match="client-stalled"):
                await town.on(1, lambda services: services.vault.get(ObjectPath(BUCKET, "long"), Stuck()))

        config = town.config(1).vault
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _reader in range(config.desks + 3):
                nursery.start_soon(read)
            # Two dozen stuck readers hold every desk; once they are given up, others have their turn.
            await trio.sleep(config.stall_s + 1)
            assert await client.get("long") == data
        assert sent == ["long"] * (config.desks + 3)
        assert trio.current_time() - began_s < 10 * config.stall_s

    in_a_township(main)


def test_a_slow_holder_costs_a_read_half_a_second_not_the_time_it_takes() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        data = some_bytes(2 * BLOCK)
        await client.put("x", data)
        blocks = (await client.explain("x")).blocks
        leader = int.from_bytes(blocks[0].block)
        nodes = sorted(
            (share.reason.node for share in blocks[0].shares), key=lambda node: int.from_bytes(node) ^ leader
        )
        slow = f"n{next(town.number_of(node) for node in nodes if town.number_of(node) != 1)}"
        town.world.wires.block(slow, "n1")
        began_s = trio.current_time()
        assert await client.get("x") == data
        took_s = trio.current_time() - began_s
        assert town.config(1).vault.hedge_after_s <= took_s < 1.5
        town.world.wires.heal()
        began_s = trio.current_time()
        assert await client.get("x") == data
        assert trio.current_time() - began_s < 0.2

    in_a_township(main)


def test_sealed_bytes_on_a_plain_wire_that_flips_bits_all_read_back() -> None:
    async def main(town: Township) -> None:
        meddler = Meddler(random.Random(1))
        town.dress = lambda _number, host: meddler.host(host)
        client = await town.settle(6)
        await trio.sleep(20)  # until the plain streams stand
        for size_bytes in SIZES:
            data = some_bytes(size_bytes)
            await client.put(f"{size_bytes}", data)
            assert await town.lacking(f"{size_bytes}") == []
            for _time in range(2):
                assert await client.get(f"{size_bytes}") == data
        assert meddler.flipped > 20
        assert await town.incomplete() == 0

    in_a_township(main, bulk="sealed")


def test_a_plain_wire_that_breaks_frames_and_handshakes_costs_detours_only() -> None:
    async def main(town: Township) -> None:
        meddler = Meddler(random.Random(5), percent=20, least_bytes=1)
        town.dress = lambda _number, host: meddler.host(host)
        client = await town.settle(6)
        await trio.sleep(20)
        put: dict[str, bytes] = {}
        for number in range(4):
            data = some_bytes(BLOCK + number, seed=number)
            await client.put(f"{number}", data)
            put[f"{number}"] = data
            await trio.sleep(5)
        for key, data in put.items():
            assert await client.get(key) == data
        assert meddler.flipped > 20

    in_a_township(main, bulk="sealed")


def eventful_run(seed: int) -> str:
    """Joins, ballots, puts, losses, a kill, a power cut and what follows them; what all of it left behind."""

    async def main(town: Township) -> str:
        await town.grow(6)
        await town.on(1, lambda services: services.vault.create_namespace("photos"))
        client = town.client()
        await client.put("before", some_bytes(BLOCK + 1))
        town.world.wires.conditions = Conditions(0.005, 0.1, dial_loss=0.05, send_loss=0.002)
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(_put_quietly, town, f"{number}", some_bytes(40_000 * (number + 1)))
            await trio.sleep(0.3)
            town.kill(4)
        await town.start(4)
        town.cut_power(1)
        await town.start(1)
        await town.until_open()
        await trio.sleep(15)
        listing = await client.list()
        return f"{[entry.key for entry in listing.entries]} {town.fingerprint()}"

    return in_a_township(main, seed=seed)


async def _put_quietly(town: Township, key: str, data: bytes) -> None:
    try:
        await town.client().put(key, data)
    except Unavailable:
        return


def test_the_same_seed_gives_the_same_run_to_the_last_byte_on_every_disk_in_every_process() -> None:
    """Sets of names are iterated in another order in each process: none may reach a wire or a disk."""
    told = "from tests.node.vault.test_whole_nodes import eventful_run; print(eventful_run(1))"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", told],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()[-1]
        for hash_seed in ("1", "20")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0] != eventful_run(2)
