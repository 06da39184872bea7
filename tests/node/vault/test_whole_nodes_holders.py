"""Whole nodes: holders of a journal that die, forget, or are set back while it passes from one epoch to the next."""

from __future__ import annotations

import copy
from pathlib import PurePath

import pytest
import trio

from protocol.errors import MaillonError
from protocol.members.swim import Status
from sim.host.disk import Contents
from tests.support.township import Township, in_a_township, name_of

SIZE = 6
VICTIM = 3
POINTS = [
    ("journal.before-state", 1),
    ("journal.before-state", 2),
    ("journal.after-state", 3),
    ("serve.before-prepare-answer", 1),
    ("serve.before-promise-answer", 1),
    ("serve.before-accept-answer", 1),
]


def journals_of(town: Township, number: int) -> dict[PurePath, Contents]:
    files = town.world.platter(name_of(number)).files
    return {path: contents for path, contents in files.items() if "journals" in path.parts}


async def restart_gateway(town: Township) -> None:
    town.kill(1)
    await town.start(1)
    await town.until_open()


async def put_some(town: Township, tag: str) -> None:
    for number in range(3):
        await town.client().put(f"{tag}-{number}", f"{tag} {number}".encode())


async def check_all(town: Township, *tags: str) -> None:
    for tag in tags:
        for number in range(3):
            assert await town.client().get(f"{tag}-{number}") == f"{tag} {number}".encode()


@pytest.mark.parametrize(("point", "times"), POINTS)
def test_a_holder_that_loses_power_in_a_succession_forgets_nothing_it_said(point: str, times: int) -> None:
    async def main(town: Township) -> None:
        await town.settle(SIZE)
        await put_some(town, "before")
        town.kill(1)
        town.on_reaching(VICTIM, point, lambda: town.cut_power(VICTIM), times=times)
        await town.start(1)
        await town.until_open()
        await put_some(town, "during")
        assert VICTIM not in town.houses, "the point was reached"
        await town.start(VICTIM)
        await town.until(town.agree)
        await put_some(town, "back")
        await restart_gateway(town)
        await check_all(town, "before", "during", "back")

    # Not everybody is asked to accept: in these worlds the victim is.
    in_a_township(main, seed=2 + len(point) + times)


def test_holders_that_forgot_are_replaced_and_nothing_is_missed() -> None:
    """One after the other loses its journals: as many in all as could never be lost at once."""

    async def main(town: Township) -> None:
        await town.settle(SIZE)
        for number in range(2, SIZE + 1):
            await put_some(town, f"round-{number}")
            town.kill(number)
            for path in journals_of(town, number):
                del town.world.platter(name_of(number)).files[path]
            await town.start(number)
            await town.until(town.agree)
            await restart_gateway(town)
            await town.until_settled()
        await check_all(town, *(f"round-{number}" for number in range(2, SIZE + 1)))

    in_a_township(main, seed=21)


def test_a_holder_set_back_to_yesterday_harms_nothing() -> None:
    async def main(town: Township) -> None:
        await town.settle(SIZE)
        await put_some(town, "yesterday")
        town.kill(VICTIM)
        yesterday = copy.deepcopy(journals_of(town, VICTIM))
        await town.start(VICTIM)
        await town.until(town.agree)
        await put_some(town, "today")
        await restart_gateway(town)
        await put_some(town, "later")
        town.kill(VICTIM)
        for path in journals_of(town, VICTIM):
            del town.world.platter(name_of(VICTIM)).files[path]
        town.world.platter(name_of(VICTIM)).files.update(yesterday)
        await town.start(VICTIM)
        await town.until(town.agree)
        await restart_gateway(town)
        await put_some(town, "last")
        await check_all(town, "yesterday", "today", "later", "last")

    in_a_township(main, seed=22)


@pytest.mark.parametrize("away_s", [101, 104, 107])
def test_a_journal_is_written_again_as_soon_as_enough_of_its_holders_are_seen(away_s: float) -> None:
    """They were away for so long that each is asked once in ten seconds only."""

    async def main(town: Township) -> None:
        await town.settle(SIZE)
        await put_some(town, "before")
        for gone in (3, 4, 5):
            town.kill(gone)
        await trio.sleep(away_s)
        with pytest.raises(MaillonError, match="journal-lease"):
            await town.client().put("away", b"too few")
        await town.start(4)
        await town.until(lambda: town.sees(1, 4, Status.ALIVE))
        seen_s = trio.current_time()
        await put_some_as_soon_as_taken(town, "back")
        assert trio.current_time() - seen_s < 0.25
        await check_all(town, "before", "back")

    in_a_township(main, seed=25)


async def put_some_as_soon_as_taken(town: Township, tag: str) -> None:
    with trio.fail_after(60):
        while True:
            try:
                return await put_some(town, tag)
            except MaillonError:
                await trio.sleep(0.05)


def test_damaged_journals_at_a_holder_cost_nothing() -> None:
    async def main(town: Township) -> None:
        await town.settle(SIZE)
        await put_some(town, "before")
        town.kill(VICTIM)
        platter = town.world.platter(name_of(VICTIM))
        for path in journals_of(town, VICTIM):
            for bit in range(2_000, 8 * len(platter.files[path].seen), 9_001):
                platter.flip_bit(path, bit)
        await town.start(VICTIM)
        await town.until(town.agree)
        await put_some(town, "damaged")
        await restart_gateway(town)
        await put_some(town, "after")
        await trio.sleep(5)
        await restart_gateway(town)
        await check_all(town, "before", "damaged", "after")

    in_a_township(main, seed=23)
