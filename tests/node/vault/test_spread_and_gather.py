"""One block out to its holders and back: who is waited for, who is replaced, who is asked first."""

from __future__ import annotations

import os

import pytest
import trio
from trio.testing import MockClock

from node.vault.gather import Gatherer, GatherTimes, reading_order
from node.vault.get import GetTools, get_blocks
from node.vault.spread import Spread, Spreader, SpreadTimes
from node.vault.workspaces import Desks
from protocol.coding.block import EncodedBlock, Workspace, decode_block, encode_block, open_block, recode_block
from protocol.coding.erasure import ZfecEngine
from protocol.coding.label import Stamp
from protocol.errors import Refused, Unavailable
from protocol.ids import BlockId, NamespaceId
from protocol.keys.signing import SigningKey
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockRef
from protocol.placement.classes import Code, DataClass
from sim.host.world import World
from tests.support.candidates import candidate, node_id
from tests.support.fake_holders import FakeHolders

KEY = bytes(range(32))
PLAIN = os.urandom(300_000)
STAMP = Stamp(1, 7)
TIMES = SpreadTimes(straggler_wait_s=1.0, put_deadline_s=30.0)


def rules(nodes: int, code: Code) -> Rules:
    return Rules(DataClass("internal"), code, tuple(candidate(number) for number in range(nodes)))


def encoded(code: Code, key: bytes = KEY) -> EncodedBlock:
    return encode_block(
        ZfecEngine(),
        plain=PLAIN,
        key=key,
        k=code.k,
        n=code.n,
        data_class="internal",
        namespace=NamespaceId(bytes(32)),
        workspace=Workspace(code.k, code.n),
    )


def spreader(holders: FakeHolders) -> Spreader:
    return Spreader(holders, SigningKey.from_seed(bytes(32)), TIMES)


def reference(block: EncodedBlock, spread: Spread) -> BlockRef:
    header = block.header
    return BlockRef(header.block_id, KEY, len(PLAIN), header.k, header.n, spread.placing, spread.missing)


async def spread_over(holders: FakeHolders, nodes: int, code: Code) -> tuple[EncodedBlock, Spread]:
    block = encoded(code)
    (spread,) = await spreader(holders).spread([block], rules(nodes, code), STAMP, 0)
    return block, spread


async def read_back(holders: FakeHolders, block: EncodedBlock, spread: Spread) -> bytes:
    workspace = Workspace(block.header.k, block.header.n)
    gathered = await Gatherer(holders, GatherTimes(0.5, 30.0)).gather(reference(block, spread), workspace)
    sealed = decode_block(ZfecEngine(), gathered.header, gathered.present, workspace)
    return bytes(open_block(KEY, gathered.header, sealed, memoryview(bytearray(len(PLAIN)))))


async def test_with_everybody_there_all_n_shares_are_durable_without_any_waiting(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0))
    began = trio.current_time()
    block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    assert spread.missing == 0
    assert len(holders.kept) == 6
    assert trio.current_time() - began < 0.1
    assert await read_back(holders, block, spread) == PLAIN


async def test_the_shares_of_a_flight_travel_together_and_each_finds_its_own_way_when_refused(
    autojump_clock: MockClock,
) -> None:
    code = Code(3, 6, 1)
    holders = FakeHolders(node_id(0), full={node_id(2)}, dead={node_id(4)})
    blocks = [encoded(code, bytes([number]) * 32) for number in range(3)]
    began = trio.current_time()
    spreads = await spreader(holders).spread(blocks, rules(7, code), STAMP, 0)
    assert trio.current_time() - began == pytest.approx(1.0, abs=0.1)
    assert len(holders.trips) <= 7 + 3  # one to each holder, one more for each share that was refused
    for block, spread in zip(blocks, spreads, strict=True):
        assert node_id(2) not in spread.placing
        assert {spread.placing[index] for index in spread.lacking()} <= {node_id(4)}
        kept = {index for _node, name, index in holders.kept if name == block.header.block_id}
        assert kept == set(range(6)) - spread.lacking()


async def test_a_straggler_is_waited_for_a_second_and_left_to_the_completer(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0), dead={node_id(4)})
    began = trio.current_time()
    _block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    assert trio.current_time() - began == pytest.approx(1.0, abs=0.1)
    assert [spread.placing[i] for i in range(6) if spread.missing >> i & 1] == [node_id(4)]


async def test_a_full_holder_is_replaced_by_another_lawful_one(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0), full={node_id(2)})
    block, spread = await spread_over(holders, 7, Code(3, 6, 1))
    assert spread.missing == 0
    assert node_id(2) not in spread.placing
    assert await read_back(holders, block, spread) == PLAIN


async def test_a_member_known_to_be_down_costs_no_waiting_and_its_share_is_missing(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0), down={node_id(3)})
    began = trio.current_time()
    _block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    assert trio.current_time() - began < 0.1
    assert bin(spread.missing).count("1") == 1


async def test_too_few_live_members_refuse_the_write_and_are_named(autojump_clock: MockClock) -> None:
    down = {node_id(1), node_id(3), node_id(5)}
    holders = FakeHolders(node_id(0), down=down)
    with pytest.raises(Unavailable) as caught:
        await spread_over(holders, 6, Code(3, 6, 1))
    assert caught.value.identifier == "holders-too-few"
    assert (caught.value.parameters["reached"], caught.value.parameters["needed"]) == (3, 4)
    assert set(caught.value.parameters["missing"]) == {holders.name(node) for node in down}
    assert not holders.kept


async def test_silent_members_fail_the_write_at_its_deadline(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0), dead={node_id(1), node_id(2), node_id(3)})
    with pytest.raises(Unavailable, match="holders-too-few"), trio.fail_after(31):
        await spread_over(holders, 6, Code(3, 6, 1))


async def test_two_members_stop_writing_when_one_is_away(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0), down={node_id(1)})
    with pytest.raises(Unavailable, match="holders-too-few"):
        await spread_over(holders, 2, Code(1, 2, 1))


async def test_no_lawful_placement_is_a_refusal(autojump_clock: MockClock) -> None:
    with pytest.raises(Refused, match="placement-impossible"):
        await spread_over(FakeHolders(node_id(0)), 5, Code(3, 6, 1))


async def test_the_completer_brings_a_block_to_n_at_the_returned_holder_or_at_another(
    autojump_clock: MockClock,
) -> None:
    code = Code(3, 6, 1)
    holders = FakeHolders(node_id(0), dead={node_id(4)})
    block, short = await spread_over(holders, 6, code)
    again = recode_block(ZfecEngine(), block.header, _workspace_with(block))
    holders.dead.clear()
    whole = await spreader(holders).complete(again, rules(6, code), STAMP, 0, short)
    assert whole == Spread(short.placing, 0)
    holders.down = {node_id(4)}
    moved = await spreader(holders).complete(again, rules(7, code), STAMP, 0, short)
    assert moved.missing == 0
    assert node_id(4) not in moved.placing
    assert node_id(6) in moved.placing


def test_the_own_share_is_read_first_then_systematic_ones_and_absent_holders_last() -> None:
    placing = tuple(node_id(number) for number in range(6))
    block = BlockRef(block=bytes(32), key=KEY, size_bytes=9, k=3, n=6, placing=placing, missing=0b000010)
    order = reading_order(block, node_id(5), frozenset({node_id(0)}))
    assert order == (5, 2, 3, 4, 0, 1)


def test_blocks_that_are_read_together_are_read_from_the_same_few_holders() -> None:
    """Whatever share of each block they hold; the own one still comes first, and who does not answer last."""
    nodes = [node_id(number) for number in range(6)]
    leader = BlockId(bytes(range(32)))
    asked = set()
    for turn in range(6):
        placing = tuple(nodes[turn:] + nodes[:turn])
        block = BlockRef(block=bytes(32), key=KEY, size_bytes=9, k=4, n=6, placing=placing, missing=0)
        order = reading_order(block, node_id(5), frozenset({node_id(0)}), together_with=leader)
        assert placing[order[0]] == node_id(5)
        assert placing[order[5]] == node_id(0)
        asked.add(frozenset(placing[index] for index in order[:4]))
    assert len(asked) == 1


async def test_reading_survives_n_minus_k_losses_and_asks_no_more_than_it_must(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0))
    block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    assert await read_back(holders, block, spread) == PLAIN
    assert len(holders.asked) == 3
    assert node_id(0) in {node for node, _index in holders.asked}
    holders.down = {node_id(1), node_id(2), node_id(3)}
    assert await read_back(holders, block, spread) == PLAIN


async def test_what_one_holder_has_of_several_blocks_it_is_asked_for_in_one_go(autojump_clock: MockClock) -> None:
    code = Code(3, 6, 1)
    holders = FakeHolders(node_id(0))
    blocks = [encoded(code, bytes([number]) * 32) for number in range(4)]
    spreads = await spreader(holders).spread(blocks, rules(6, code), STAMP, 0)
    references = [reference(block, spread) for block, spread in zip(blocks, spreads, strict=True)]
    workspaces = [Workspace(code.k, code.n) for _ in blocks]
    gatherer = Gatherer(holders, GatherTimes(0.5, 30.0))
    gathered = await gatherer.gather_all(list(zip(references, workspaces, strict=True)))
    assert len({node for node, _shares in holders.fetched}) == len(holders.fetched)
    assert sum(shares for _node, shares in holders.fetched) == 4 * code.k
    holders.fetched.clear()
    holders.delay_s = {node_id(1): 20.0}
    holders.down = {node_id(2)}
    again = await gatherer.gather_all(list(zip(references, workspaces, strict=True)))
    assert trio.current_time() < 1.0
    for block, first, second, workspace in zip(blocks, gathered, again, workspaces, strict=True):
        assert first.header == second.header == block.header
        assert decode_block(ZfecEngine(), second.header, second.present, workspace)[:9] == block.shares[0][:9]


async def test_a_slow_holder_costs_one_more_share_not_the_reader_s_time(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0))
    block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    holders.delay_s = {spread.placing[1]: 20.0}
    began = trio.current_time()
    assert await read_back(holders, block, spread) == PLAIN
    assert trio.current_time() - began < 1.0
    assert len(holders.asked) == 4


async def test_a_holder_with_wrong_bytes_is_passed_over(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(9))
    block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    holders.liars = {spread.placing[0]}
    assert await read_back(holders, block, spread) == PLAIN


async def test_a_reader_with_the_key_finds_the_liar_only_when_the_seal_breaks(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(9))
    block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    assert await opened_by_a_get(holders, block, spread) == PLAIN
    assert len(holders.asked) == 3
    holders.liars = {spread.placing[0], spread.placing[1]}
    assert await opened_by_a_get(holders, block, spread) == PLAIN
    holders.asked.clear()
    assert await opened_by_a_get(holders, block, spread) == PLAIN
    assert not {node for node, _index in holders.asked} & holders.liars


async def opened_by_a_get(holders: FakeHolders, block: EncodedBlock, spread: Spread) -> bytes:
    """What `node.vault.get` writes to its sink."""
    written = bytearray()

    class Collect:
        async def write(self, parts: list[memoryview]) -> None:
            for part in parts:
                written.extend(part)

    host = World(seed=1).host("reader")
    tools = GetTools(host, ZfecEngine(), Desks(2), Gatherer(holders, GatherTimes(0.5, 30.0)), 2, 30.0)
    await get_blocks(tools, [(reference(block, spread), slice(None))], Collect())
    return bytes(written)


async def test_an_unreadable_block_names_who_is_missing(autojump_clock: MockClock) -> None:
    holders = FakeHolders(node_id(0))
    block, spread = await spread_over(holders, 6, Code(3, 6, 1))
    holders.down = {node_id(number) for number in range(1, 5)}
    with pytest.raises(Unavailable) as caught:
        await read_back(holders, block, spread)
    assert caught.value.identifier == "block-unreadable"
    assert set(caught.value.parameters["missing"]) == {holders.name(node) for node in holders.down}


def _workspace_with(block: EncodedBlock) -> Workspace:
    workspace = Workspace(block.header.k, block.header.n)
    present = [(index, bytes(share)) for index, share in enumerate(block.shares)]
    decode_block(ZfecEngine(), block.header, present, workspace)
    return workspace
