"""The completer of whole nodes: what it finishes, in which order, and what it leaves alone."""

from __future__ import annotations

import pytest
import trio

from node.host.ports import Host
from node.vault import complete
from protocol.limits import BLOCK_PLAIN_BYTES, INLINE_BYTES_MAX
from protocol.members.swim import Status
from tests.support.clients import some_bytes
from tests.support.slow_threads import SlowThreads
from tests.support.township import Township, in_a_township

ONE_BLOCK = some_bytes(INLINE_BYTES_MAX + 1)
LARGE = some_bytes(BLOCK_PLAIN_BYTES + 1)


def reads(town: Township) -> int:
    """How often anybody's disk was read: gathering shows here."""
    return sum(town.world.faults(f"n{number}").times_reached("disk.read") for number in town.houses)


def test_a_holder_that_is_always_slow_gets_its_share_in_the_end() -> None:
    """Slower than `straggler_wait`, faster than the deadline: every put goes on without it."""

    async def main(town: Township) -> None:
        slow: list[SlowThreads] = []

        def dress(number: int, host: Host) -> Host:
            if number == 4:
                slow.append(SlowThreads(host.threads))
            return slow[-1].host(host) if number == 4 else host

        town.dress = dress
        client = await town.settle(6)
        slow[0].wait_s = 3.0
        await client.put("x", LARGE)
        assert await town.incomplete() == 2
        await town.until_complete(within_s=60)
        slow[0].wait_s = 0.0
        assert await town.lacking("x") == []

    in_a_township(main)


def test_nothing_is_gathered_for_a_holder_that_is_away_while_nobody_may_take_its_place() -> None:
    async def main(town: Township) -> None:
        town.complete_after_s = 3.0
        client = await town.settle(6)
        town.kill(4)
        await town.until(lambda: town.sees(1, 4, Status.DOWN))
        await client.put("x", LARGE)
        before = reads(town)
        await trio.sleep(5 * town.config(1).vault.complete_after_s)
        assert reads(town) == before
        await town.start(4)
        await town.until_complete(within_s=60)
        assert reads(town) > before
        assert await town.lacking("x") == []

    in_a_township(main)


def test_of_two_holders_the_one_that_returns_gets_its_shares_once_and_the_other_later() -> None:
    async def main(town: Township) -> None:
        town.complete_after_s = 3.0
        client = await town.settle(6)
        for number in (4, 5):
            town.kill(number)
        await town.until(lambda: town.sees(1, 4, Status.DOWN) and town.sees(1, 5, Status.DOWN))
        await client.put("x", LARGE)
        assert {number for number, _index in await town.lacking("x")} == {4, 5}
        await town.start(5)
        await trio.sleep(4 * town.config(1).vault.complete_after_s)
        assert {number for number, _index in await town.lacking("x")} == {4}
        assert await town.incomplete() == 2
        before = reads(town)
        await trio.sleep(5 * town.config(1).vault.complete_after_s)
        assert reads(town) == before
        await town.start(4)
        await town.until_complete(within_s=60)
        assert await town.lacking("x") == []

    in_a_township(main)


def test_blocks_that_cannot_be_completed_do_not_stand_before_those_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete, "LOOKED_AT_PER_ROUND", 3)
    monkeypatch.setattr(complete, "BLOCKS_PER_ROUND", 2)

    async def main(town: Township) -> None:
        town.complete_after_s = 3.0
        client = await town.settle(6)
        town.kill(5)
        await town.until(lambda: town.sees(1, 5, Status.DOWN))
        for number in range(4):
            await client.put(f"hopeful {number}", ONE_BLOCK + bytes([number]))
        town.kill(4)
        await town.until(lambda: town.sees(1, 4, Status.DOWN))
        await town.start(5)
        await town.until(lambda: town.agree())
        for number in range(8):
            await client.put(f"hopeless {number}", ONE_BLOCK + bytes([number]))
        assert await town.incomplete() > 8
        with trio.fail_after(20 * town.config(1).vault.complete_after_s):
            while await town.incomplete() > 8:  # noqa: ASYNC110
                await trio.sleep(1)
        await town.start(4)
        await town.until_complete(within_s=300)

    in_a_township(main)


def test_a_disk_that_stays_full_is_tried_ever_more_seldom() -> None:
    async def main(town: Township) -> None:
        town.complete_after_s = 0.5
        client = await town.settle(6)
        platter = town.world.platter("n4", "volumes")
        platter.capacity_bytes = 0
        for key in "xy":
            await client.put(key, ONE_BLOCK + key.encode())
        pause_s = town.config(1).vault.complete_after_s
        await trio.sleep(64 * pause_s)
        before = reads(town)
        await trio.sleep(64 * pause_s)
        assert 0 < reads(town) - before <= 4 * 2 * 4  # rounds, blocks, and reads of each gathering
        platter.capacity_bytes = 10**12
        await town.until_complete(within_s=40 * pause_s)
        assert [await town.lacking(key) for key in "xy"] == [[], []]

    in_a_township(main)
