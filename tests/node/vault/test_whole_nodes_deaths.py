"""Whole nodes of which some die, vanish, lose their disks or come back: nothing acknowledged is lost."""

from __future__ import annotations

import pytest
import trio

from node.vault.journal.tools import JournalTimers
from node.vault.objects import BlockExplanation, ObjectPath
from protocol.errors import MaillonError, Missing, Unavailable
from protocol.limits import BLOCK_PLAIN_BYTES
from protocol.members.swim import Status
from protocol.placement.classes import Code
from sim.host.network import Conditions
from tests.support.clients import BUCKET, BytesSource, some_bytes
from tests.support.township import Township, in_a_township, name_of

BLOCK = BLOCK_PLAIN_BYTES
DATA = some_bytes(2 * BLOCK + 9)
LEASE_S = JournalTimers().lease_s


@pytest.mark.parametrize("point", ["store.before-write", "store.before-sync", "serve.before-put-answer"])
def test_a_holder_killed_in_mid_put_costs_a_share_that_the_completer_brings_back(point: str) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        town.on_reaching(4, point, lambda: town.kill(4))
        await client.put("x", DATA)
        assert 4 not in town.houses
        assert 1 <= await town.incomplete() <= 3
        assert await client.get("x") == DATA
        await town.start(4)
        await town.until_complete(within_s=60)
        assert await town.lacking("x") == []

    in_a_township(main, seed=len(point))


@pytest.mark.parametrize("victims", [(2, 3), (2, 3, 4), (2, 3, 4, 5)])
def test_however_many_holders_die_in_mid_put_it_is_acknowledged_exactly_when_it_can_be_read(
    victims: tuple[int, ...],
) -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("kept", DATA)
        for order, victim in enumerate(victims):
            point = ("store.before-sync", "serve.before-put-answer")[order % 2]
            town.on_reaching(victim, point, lambda victim=victim: town.kill(victim))
        try:
            await client.put("x", DATA)
            acknowledged = True
        except Unavailable as error:
            assert error.identifier == "holders-too-few"
            assert set(error.parameters["missing"]) <= {name_of(victim) for victim in victims}
            acknowledged = False
        assert acknowledged == (len(victims) <= 2)
        for victim in set(victims) - town.houses.keys():
            await town.start(victim)
        await town.until(town.agree)
        if acknowledged:
            assert await client.get("x") == DATA
            await town.until_complete(within_s=60)
            assert await town.lacking("x") == []
        else:
            with pytest.raises(Missing, match="object-missing"):
                await client.get("x")
        assert await client.get("kept") == DATA
        await client.put("after", DATA)
        assert await client.get("after") == DATA

    in_a_township(main)


def test_a_holder_cut_off_is_caught_up_by_the_completer_once_it_is_back() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        town.world.wires.partition(["n4"], ["n1", "n2", "n3", "n5", "n6"])
        began_s = trio.current_time()
        await client.put("at once", DATA)
        assert trio.current_time() - began_s < 3 * (town.config(1).vault.straggler_wait_s + 0.5)
        await town.until(lambda: town.sees(1, 4, Status.DOWN))
        began_s = trio.current_time()
        await client.put("later", DATA)
        assert trio.current_time() - began_s < 0.5  # nobody waits for who is known to be away
        assert await town.incomplete() == 6
        absent = await town.lacking("at once")
        assert [number for number, _index in absent] == [4, 4, 4]
        await trio.sleep(3 * town.config(1).vault.complete_after_s)
        assert await town.incomplete() == 6  # there is no other lawful node
        town.world.wires.heal()
        await town.until(town.agree)
        assert await town.until_complete(within_s=60) <= 2.5 * town.config(1).vault.complete_after_s
        assert [await town.lacking(key) for key in ("at once", "later")] == [[], []]

    in_a_township(main)


def test_a_holder_that_does_not_return_loses_its_share_to_another_lawful_node() -> None:
    """Seven nodes at 3-of-6: one is to spare."""

    async def main(town: Township) -> None:
        client = await town.settle(7)
        town.world.wires.partition(["n4"], [f"n{number}" for number in (1, 2, 3, 5, 6, 7)])
        await client.put("x", DATA)
        incomplete = await town.incomplete()
        assert incomplete == len([block for block in (await client.explain("x")).blocks if _holds(block, "n4")])
        assert incomplete > 0
        await town.until_complete(within_s=60)
        for block in (await client.explain("x")).blocks:
            assert len({share.node_name for share in block.shares} - {"n4"}) == 6
            assert all(share.reason.objection is None for share in block.shares)
        assert await town.lacking("x") == []
        assert await client.get("x") == DATA

    in_a_township(main, code=Code(3, 6, 1))


def test_a_full_holder_is_passed_over_and_a_small_federation_goes_on_without_it() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        town.world.platter("n3", "volumes").capacity_bytes = 0
        await client.put("x", DATA)
        assert {number for number, _index in await town.lacking("x")} == {3}
        assert await client.get("x") == DATA
        town.world.platter("n3", "volumes").capacity_bytes = 10**12
        await town.until_complete(within_s=60)
        assert await town.lacking("x") == []

    in_a_township(main)


def test_the_loss_of_a_holder_s_whole_disk_costs_no_object() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("x", DATA)
        await client.put("small", b"x")
        town.cut_power(4)
        platter = town.world.platter("n4", "volumes")
        platter.files.clear()
        platter.databases.clear()
        assert await client.get("x") == DATA
        await town.start(4)
        await town.until(town.agree)
        assert {number for number, _index in await town.lacking("x")} == {4}
        assert await client.get("x") == DATA
        await client.put("y", DATA)
        assert await town.lacking("y") == []
        for gone in (2, 3):  # what n4 lost counts as the third loss that 3-of-6 bears
            town.kill(gone)
        assert await client.get("x") == DATA
        assert await client.get("small") == b"x"

    in_a_township(main)


def test_any_half_of_six_nodes_may_be_gone_and_everything_is_read_until_another_may_write() -> None:
    """The data bears three losses, the journal two: with a third gone, another gateway may be writing before long."""

    async def main(town: Township) -> None:
        client = await town.settle(6)
        await client.put("x", DATA)
        await client.put("small", b"x")
        for gone in (2, 4):
            town.kill(gone)
        assert await client.get("x") == DATA
        await town.until(lambda: all(town.sees(1, gone, Status.DOWN) for gone in (2, 4)))
        began_s = trio.current_time()
        assert await client.get("x") == DATA
        assert await client.get("small") == b"x"
        assert trio.current_time() - began_s < 0.5
        town.kill(6)
        assert await client.get("x") == DATA
        assert await client.get("small") == b"x"
        await trio.sleep(LEASE_S)
        with pytest.raises(Unavailable, match="journal-lease") as lapsed:
            await client.get("x")
        assert len(lapsed.value.parameters["away"]) == 3
        await town.start(2)
        await town.until_open()
        town.kill(5)
        assert await client.get("x") == DATA
        town.kill(2)
        with pytest.raises(Unavailable, match="block-unreadable") as caught:
            await client.get("x")
        assert (caught.value.parameters["found"], caught.value.parameters["needed"]) == (2, 3)
        with pytest.raises(Unavailable, match="holders-too-few"):
            await client.put("y", DATA)
        for back in (2, 4, 5, 6):
            await town.start(back)
        await town.until(town.agree)
        await town.until_open()
        assert await client.get("x") == DATA

    in_a_township(main)


def test_a_federation_of_three_writes_and_reads_on_with_one_node_away_and_refuses_with_two() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(3)
        await client.put("x", DATA)
        town.kill(2)
        await client.put("y", DATA)
        await client.put("small", b"x")
        town.kill(3)
        assert await client.get("x") == DATA
        assert await client.get("y") == DATA
        with pytest.raises(Unavailable):
            await client.put("z", DATA)
        with pytest.raises(Unavailable):
            await client.put("z", b"x")
        for back in (2, 3):
            await town.start(back)
        await town.until(town.agree)
        await town.until_open()
        await town.until_complete(within_s=60)
        assert [await town.lacking(key) for key in ("x", "y")] == [[], []]
        try:
            assert await client.get("z") in (DATA, b"x")  # refused half-way: it may have come about since
        except MaillonError as error:
            assert error.identifier == "object-missing"

    in_a_township(main)


def test_a_put_that_its_client_gives_up_leaves_nothing_to_read_and_its_desks_free() -> None:
    async def main(town: Township) -> None:
        client = await town.settle(6)

        class Endless(BytesSource):
            async def receive_into(self, buffer: memoryview) -> int:
                await super().receive_into(buffer)
                await trio.sleep(0.3)
                return len(buffer)

        async def put() -> None:
            with trio.move_on_after(1):
                await town.houses[1].services.vault.put(ObjectPath(BUCKET, "endless"), Endless(DATA))

        await client.put("first", b"makes the bucket")
        town.world.wires.conditions = Conditions(0.3, 0.5)
        for _time in range(5):
            await put()
        town.world.wires.conditions = Conditions()
        with pytest.raises(Missing):
            await client.stat("endless")
        await client.put("x", DATA)
        assert await client.get("x") == DATA

    in_a_township(main)


def _holds(block: BlockExplanation, name: str) -> bool:
    return any(share.node_name == name for share in block.shares)
