"""Turns of peers: so many in all, so many for each, and nothing is kept of who has none."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from node.mesh.turns import Turns
from protocol.ids import NodeId

ONE, OTHER = NodeId(b"1" * 32), NodeId(b"2" * 32)


async def hold(turns: Turns, seen: list[str], peer: NodeId, name: str) -> None:
    async with turns.of(peer):
        seen.append(f"{name} in")
        await trio.sleep(1)
        seen.append(f"{name} out")


async def test_a_peer_uses_up_its_own_turns_and_nobody_elses(autojump_clock: MockClock) -> None:
    turns, seen = Turns(most=3, most_each=1), list[str]()
    async with trio.open_nursery() as nursery:
        for peer, name in ((ONE, "first"), (ONE, "second"), (OTHER, "other")):
            nursery.start_soon(hold, turns, seen, peer, name)
            await trio.sleep(0.1)
    assert seen == ["first in", "other in", "first out", "second in", "other out", "second out"]


async def test_all_together_have_so_many_and_wait_in_order(autojump_clock: MockClock) -> None:
    turns, seen = Turns(most=1, most_each=1), list[str]()
    peers = [NodeId(bytes([number]) * 32) for number in range(4)]
    async with trio.open_nursery() as nursery:
        for number, peer in enumerate(peers):
            nursery.start_soon(hold, turns, seen, peer, str(number))
            await trio.sleep(0.1)
    assert seen == [f"{number} {what}" for number in range(4) for what in ("in", "out")]


async def test_who_gives_up_waiting_leaves_the_turns_as_they_were(autojump_clock: MockClock) -> None:
    turns, seen = Turns(most=1, most_each=1), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, turns, seen, ONE, "first")
        await trio.sleep(0.1)
        for peer in (ONE, OTHER):  # the one waits for its own turn, the other for one of all
            with trio.move_on_after(0.1) as waited:
                await hold(turns, seen, peer, "nobody")
            assert waited.cancelled_caught
    for peer in (ONE, OTHER):
        await hold(turns, seen, peer, "next")
    assert seen == ["first in", "first out", "next in", "next out", "next in", "next out"]
    assert not turns.peers, "something is kept of peers that have no turn"
