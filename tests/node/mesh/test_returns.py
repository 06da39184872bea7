"""Who waits for a member to come back is told, whenever that was."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.mesh.returns import Returns
from tests.support.members import Party

NODE, OTHER = Party(1).node, Party(2).node


async def test_all_who_wait_for_a_member_go_on_when_it_is_back_and_only_they(autojump_clock: MockClock) -> None:
    returns, gone_on = Returns(), []

    async def wait(name: str, party: int) -> None:
        await returns.wait_past(Party(party).node, 0)
        gone_on.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "a", 1)
        nursery.start_soon(wait, "b", 1)
        nursery.start_soon(wait, "c", 2)
        await wait_all_tasks_blocked()
        returns.note(NODE)
        await wait_all_tasks_blocked()
        assert sorted(gone_on) == ["a", "b"]
        returns.note(OTHER)
    assert gone_on[2:] == ["c"]


async def test_a_return_before_the_wait_is_not_lost_and_counts_once(autojump_clock: MockClock) -> None:
    returns = Returns()
    seen = returns.count(NODE)
    returns.note(NODE)
    await returns.wait_past(NODE, seen)
    with trio.move_on_after(60) as waited:
        await returns.wait_past(NODE, returns.count(NODE))
    assert waited.cancelled_caught
