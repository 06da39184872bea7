"""What a gateway stores for itself, a block at a time: sealed, durable by the rule of a put, checked by its seal."""

from __future__ import annotations

import pytest

from node.vault.blocks import BlockTools, fetch_block, store_block
from node.vault.gather import Gatherer, GatherTimes
from node.vault.spread import Spreader, SpreadTimes
from node.vault.workspaces import Desks
from protocol.coding.erasure import ZfecEngine
from protocol.coding.label import Stamp
from protocol.errors import Unavailable
from protocol.ids import NamespaceId
from protocol.keys.signing import SigningKey
from protocol.limits import BLOCK_PLAIN_BYTES
from protocol.members.roster import Rules
from protocol.placement.classes import Code, DataClass
from sim.host.world import World
from tests.support.candidates import candidate, node_id
from tests.support.clients import some_bytes
from tests.support.fake_holders import FakeHolders

CODE = Code(3, 6, 1)
RULES = Rules(DataClass("internal"), CODE, tuple(candidate(number) for number in range(6)))


def tools_over(holders: FakeHolders) -> BlockTools:
    spreader = Spreader(holders, SigningKey.from_seed(bytes(32)), SpreadTimes(1.0, 30.0))
    gatherer = Gatherer(holders, GatherTimes(0.5, 30.0))
    return BlockTools(World(1).host("n1"), ZfecEngine(), Desks(2), gatherer, spreader, NamespaceId(bytes(32)))


@pytest.mark.parametrize("size_bytes", [1, 100_000, BLOCK_PLAIN_BYTES])
async def test_a_block_comes_back_as_it_was_stored(size_bytes: int) -> None:
    holders, data = FakeHolders(node_id(0)), some_bytes(size_bytes)
    tools = tools_over(holders)
    stored = await store_block(tools, data, RULES, Stamp(2, 9), keep_until_s=77)
    assert (stored.size_bytes, stored.k, stored.n, stored.missing) == (size_bytes, CODE.k, CODE.n, 0)
    assert await fetch_block(tools, stored) == data
    label, _share = holders.kept[stored.placing[0], stored.block, 0]
    assert (label.stamp, label.keep_until_s, label.placing) == (Stamp(2, 9), 77, stored.placing)


async def test_a_block_is_stored_with_members_down_as_a_put_is_and_says_what_is_missing() -> None:
    holders = FakeHolders(node_id(0), down={node_id(4)})
    tools = tools_over(holders)
    stored = await store_block(tools, b"table", RULES, Stamp(1, 1))
    assert {index for index in range(6) if stored.missing >> index & 1} == {stored.placing.index(node_id(4))}
    assert await fetch_block(tools, stored) == b"table"
    holders.down |= {node_id(3), node_id(5)}
    with pytest.raises(Unavailable, match="holders-too-few"):
        await store_block(tools, b"table", RULES, Stamp(1, 1))


async def test_wrong_bytes_are_found_by_the_seal_and_read_around() -> None:
    holders = FakeHolders(node_id(0))
    tools = tools_over(holders)
    stored = await store_block(tools, some_bytes(90_000), RULES, Stamp(1, 1))
    holders.liars.add(stored.placing[1])
    assert await fetch_block(tools, stored) == some_bytes(90_000)
