"""Dials are few: one for all who wait, fewer and fewer to who does not answer, at once to who shows up."""

from __future__ import annotations

from itertools import pairwise

import trio

from protocol.errors import Unavailable
from protocol.ids import BlockId
from protocol.members.swim import Status
from protocol.requests import HasShares, HasSharesReply, Kind
from tests.support.village import Village, address_of, in_a_village

QUESTION = HasShares((BlockId(bytes(32)),))


def count_dials(village: Village, dialler: int, dialled: int) -> list[float]:
    """Times of the dials from now on."""
    times: list[float] = []
    record = village.world.trace.touch

    def listen(*words: str) -> None:
        if words == ("dial", f"n{dialler}", address_of(dialled)):
            times.append(trio.current_time())
        record(*words)

    village.world.trace.touch = listen  # type: ignore[method-assign]
    return times


async def ask(village: Village, asker: int, asked: int) -> bool:
    try:
        await village.meshes[asker].ask(village.node(asked), Kind.HAS_SHARES, QUESTION, HasSharesReply, deadline_s=10)
    except Unavailable:
        return False
    return True


def test_all_who_wait_for_a_node_share_one_dial() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.until(village.agree)
        village.kill(1)
        await village.start(1)
        dials = count_dials(village, 1, 2)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask, village, 1, 2)
        assert len(dials) == 1

    in_a_village(main)


def test_a_dead_node_is_dialled_less_and_less_often() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(3)
        dials = count_dials(village, 1, 3)
        for _ in range(1_200):
            await ask(village, 1, 3)
            await trio.sleep(0.1)
        gaps = [later - earlier for earlier, later in pairwise(dials)]
        assert len(dials) < 20
        assert max(gaps) >= village.configs[1].backoff_most_s
        assert gaps[0] < 1

    in_a_village(main)


def test_a_node_that_comes_back_is_reached_at_once_whatever_the_backoff() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(3)
        await village.until(lambda: village.all_see(3, Status.DOWN))
        for _ in range(100):
            await ask(village, 1, 3)
            await trio.sleep(1)
        await village.start(3)
        await village.until(lambda: village.all_see(3, Status.ALIVE), within_s=5)
        assert await ask(village, 1, 3)

    in_a_village(main)


def test_who_gives_up_waiting_does_not_stop_the_dial_for_the_others() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.until(village.agree)
        village.kill(1)
        await village.start(1)
        outcomes: list[bool] = []

        async def patient() -> None:
            outcomes.append(await ask(village, 1, 2))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(patient)
            with trio.move_on_after(0.0005):
                await ask(village, 1, 2)
        assert outcomes == [True]

    in_a_village(main)


def test_a_card_that_names_a_socket_of_this_machine_is_not_followed() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.until(village.agree)
        village.kill(2)
        mesh = village.meshes[1]
        peers, local = mesh._peers, "unix:/run/maillon/admin.sock"
        peers._addresses = lambda _node: (local, address_of(2))
        dialled: list[str] = []
        record = village.world.trace.touch

        def listen(*words: str) -> None:
            dialled.extend(words[2:3] if words[:2] == ("dial", "n1") else ())
            record(*words)

        village.world.trace.touch = listen  # type: ignore[method-assign]
        await trio.sleep(60)
        assert address_of(2) in dialled
        assert not any("admin.sock" in place for place in dialled)

    in_a_village(main)
