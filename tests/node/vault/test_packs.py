"""Reading from packs: the few leaves that hold an object while that works, and the whole pack when it does not."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.vault.blocks import BlockTools, store_block
from node.vault.catalog.catalog import PackedAt
from node.vault.gather import Gatherer, GatherTimes
from node.vault.leaves import LeafReader
from node.vault.pack.reading import OFTEN, PackReader
from node.vault.pins import Pins
from node.vault.recent import RecentReads
from node.vault.spread import Spreader, SpreadTimes
from node.vault.workspaces import Desks
from protocol.coding.erasure import ZfecEngine
from protocol.coding.label import Stamp
from protocol.errors import Unavailable
from protocol.ids import NamespaceId
from protocol.keys.signing import SigningKey
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockRef
from protocol.namespace.packs import Packing, SmallObject
from protocol.placement.classes import Code, DataClass
from sim.host.world import World
from tests.support.candidates import candidate, node_id
from tests.support.clients import some_bytes
from tests.support.fake_holders import FakeHolders

CODES = [Code(1, 3, 1), Code(2, 4, 1), Code(3, 6, 1)]
SIZES = (17, 4_112, 65_568, 30_000)
OBJECTS = [some_bytes(SIZES[number % 4], seed=number) for number in range(100)]


class Shelf:
    """Packs at holders that the reader under test asks; this node is one that holds nothing."""

    def __init__(self, code: Code) -> None:
        self.holders = FakeHolders(node_id(99))
        self.rules = Rules(DataClass("internal"), code, tuple(candidate(number) for number in range(code.n)))
        spreader = Spreader(self.holders, SigningKey.from_seed(bytes(32)), SpreadTimes(1.0, 30.0))
        gatherer = Gatherer(self.holders, GatherTimes(0.5, 30.0))
        host, namespace = World(1).host("n1"), NamespaceId(bytes(32))
        self.tools = BlockTools(host, ZfecEngine(), Desks(4), gatherer, spreader, namespace)
        self.pins = Pins()
        self.opened = RecentReads()
        self.reader = PackReader(self.tools, LeafReader(self.holders, 0.5), self.pins, self.opened)

    async def pack(self, objects: list[bytes] = OBJECTS) -> tuple[BlockRef, list[PackedAt]]:
        packing = Packing()
        for number, sealed in enumerate(objects):
            assert packing.add(SmallObject("album", f"{number}", bytes(16), sealed))
        pack = await store_block(self.tools, packing.plain(), self.rules, Stamp(1, 1))
        at = [PackedAt(pack.block, one.offset, one.size_bytes, bytes(32)) for one in packing.objects]
        self.holders.asked.clear()
        return pack, at

    def fresh_reader(self) -> PackReader:
        """One that has read nothing yet."""
        return PackReader(self.tools, LeafReader(self.holders, 0.5), self.pins, RecentReads())


@pytest.mark.parametrize("code", CODES, ids=str)
async def test_every_object_is_read_from_two_shares_and_four_leaves_at_most(
    code: Code, autojump_clock: MockClock
) -> None:
    shelf = Shelf(code)
    pack, places = await shelf.pack()
    for at, sealed in zip(places, OBJECTS, strict=True):
        shelf.holders.leaves = 0
        shelf.holders.asked.clear()
        assert await shelf.fresh_reader().read(pack, at) == sealed
        assert len(shelf.holders.asked) <= 2
        assert shelf.holders.leaves <= 4
    assert not shelf.pins.holds(pack.block)


@pytest.mark.parametrize("code", CODES, ids=str)
@pytest.mark.parametrize("trouble", ["down", "dead", "liars"])
async def test_with_a_holder_away_or_lying_the_whole_pack_is_gathered_and_every_object_read(
    code: Code, trouble: str, autojump_clock: MockClock
) -> None:
    shelf = Shelf(code)
    pack, places = await shelf.pack()
    getattr(shelf.holders, trouble).add(pack.placing[0])
    for number in (0, 1, 2, 50, 99):
        began_s = trio.current_time()
        assert await shelf.fresh_reader().read(pack, places[number]) == OBJECTS[number]
        assert trio.current_time() - began_s < 2


async def test_with_too_few_holders_left_the_reader_is_told(autojump_clock: MockClock) -> None:
    shelf = Shelf(Code(3, 6, 1))
    pack, places = await shelf.pack()
    shelf.holders.down.update(pack.placing[:4])
    with pytest.raises(Unavailable, match="block-unreadable"):
        await shelf.reader.read(pack, places[0])
    assert not shelf.pins.holds(pack.block)


async def test_a_pack_that_is_read_often_is_gathered_once_and_kept(autojump_clock: MockClock) -> None:
    shelf = Shelf(Code(3, 6, 1))
    pack, places = await shelf.pack()
    for number in range(OFTEN - 1):
        await shelf.reader.read(pack, places[number])
    shelf.holders.asked.clear()
    found: dict[int, bytes] = {}

    async def read(number: int) -> None:
        found[number] = await shelf.reader.read(pack, places[number])

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(read, number)
    assert found == dict(list(enumerate(OBJECTS))[:20])
    assert len(shelf.holders.asked) == pack.k
    await read(60)
    assert len(shelf.holders.asked) == pack.k


async def test_packs_that_are_read_in_turn_do_not_push_each_other_out(autojump_clock: MockClock) -> None:
    """Gathering whole packs again and again for an object of each would cost a thousand times the leaves."""
    shelf = Shelf(Code(1, 3, 1))
    packs = [await shelf.pack([some_bytes(100, seed=number)]) for number in range(10)]
    for _ in range(5):
        for pack, places in packs:
            await shelf.reader.read(pack, places[0])
    assert not any((shelf.tools.namespace, pack.block) in shelf.opened for pack, _places in packs)


async def test_a_pack_that_is_read_often_is_kept_among_what_was_read_last(autojump_clock: MockClock) -> None:
    shelf = Shelf(Code(1, 3, 1))
    pack, places = await shelf.pack()
    for number in range(OFTEN):
        assert (shelf.tools.namespace, pack.block) not in shelf.opened
        await shelf.reader.read(pack, places[number])
    assert (shelf.tools.namespace, pack.block) in shelf.opened
