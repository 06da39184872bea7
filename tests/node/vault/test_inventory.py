"""An inventory over a real catalog, with holders that keep what they should not, and holders that lie."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from node.vault.catalog import named
from node.vault.catalog.catalog import Catalog, CatalogTip
from node.vault.catalog.named import NamedBlocks
from node.vault.release import inventory
from node.vault.release.inventory import COMPARE_MOST_S, SPLITS_MAX, STRAYS_MAX, Inventory, InventoryTools
from node.vault.release.unnamed import Unnamed
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, OverLimit, Unavailable
from protocol.ids import BlockId, Digest, NodeId
from protocol.keys.signing import SigningKey
from protocol.limits import RECONCILE_ROUNDS_MAX
from protocol.members import reconcile
from protocol.members.reconcile import Answer, Answers, Form, Question, Trie
from protocol.namespace.changes import (
    BlockRef,
    BlocksReleased,
    BucketCreated,
    Change,
    Checkpoint,
    InlineRef,
    ObjectDeleted,
    ObjectsPacked,
    PackedObject,
    PartPut,
    UploadAborted,
)
from protocol.namespace.inventories import Part, StrayRelease, verify_stray_release
from protocol.requests import CompareBlocks, CompareBlocksReply
from sim.host.scheduling import run_deterministically
from sim.host.world import World
from tests.support.namespaces import block_ref, object_put, some, tenant

NAMESPACE = tenant().root.namespace
WRITER = SigningKey.from_seed(some("writer"))
ME, HONEST, LIAR = (NodeId(some("member", number)) for number in range(3))
BUCKET = BucketCreated("photos", 1)
UPLOAD = bytes(16)

Answering = Callable[[CompareBlocks, Question], Answers]


def block(number: int) -> BlockId:
    return BlockId(some("stray", number))


@dataclass
class Scene:
    """A catalog, a journal of which all is applied, and holders with sets of blocks, or with a way of lying."""

    catalog: Catalog
    kept: dict[NodeId, set[BlockId]] = field(default_factory=dict)
    lies: dict[NodeId, Answering] = field(default_factory=dict)
    silent: set[NodeId] = field(default_factory=set)
    too_much: dict[NodeId, int] = field(default_factory=dict)
    asked: Counter[NodeId] = field(default_factory=Counter)
    told: dict[NodeId, list[StrayRelease]] = field(default_factory=dict)
    unnamed: Unnamed = field(default_factory=Unnamed)
    me: NodeId = ME

    def inventory(self, tables: Sequence[BlockRef] = ()) -> Inventory:
        async def table_blocks(_checkpoint: Checkpoint) -> Sequence[BlockRef]:
            return tables

        me: Any = cast(Any, self)
        host = World(1).host("n1")
        return Inventory(
            InventoryTools(
                host=host,
                namespace=NAMESPACE,
                writer=WRITER,
                holders=me,
                journal=me,
                catalog=self.catalog,
                unnamed=self.unnamed,
                table_blocks=table_blocks,
                members=lambda: [ME, HONEST, LIAR],
                every_s=60.0,
            )
        )

    async def append(self, *changes: Change) -> None:
        epoch, length, _head = self.catalog.tip
        await self.catalog.apply([(CatalogTip(epoch, length + 1, Digest(some("head", length + 1))), changes)])

    def freed(self, node: NodeId) -> set[BlockId]:
        return {one for release in self.told.get(node, ()) for one in release.blocks}

    # --- the journal

    @property
    def next_position(self) -> Stamp:
        return Stamp(*self.catalog.tip[:2])

    # --- the holders

    def unreachable(self) -> frozenset[NodeId]:
        return frozenset()

    def name(self, node: NodeId) -> str:
        return node.hex()[:8]

    async def own_blocks(self, _namespace: object, part: Part, most: int) -> tuple[BlockId, ...]:
        return tuple(sorted(one for one in self.kept.get(ME, ()) if part.holds(one))[:most])

    async def compare(self, node: NodeId, asked: CompareBlocks) -> CompareBlocksReply:
        self.asked[node] += 1
        if node in self.silent:
            await trio.sleep(30)
            raise Unavailable("deadline")
        question = reconcile.decode_question(asked.message)
        there = {one for one in self.kept.get(node, ()) if asked.part.holds(one)}
        if len(there) > self.too_much.get(node, 10**6):
            raise OverLimit("inventory-part-size", limit=self.too_much[node])
        lie = self.lies.get(node)
        answers = reconcile.answer(Trie(question.salt, there), question) if lie is None else lie(asked, question)
        return CompareBlocksReply(reconcile.encode_answers(answers))

    async def release_strays(self, node: NodeId, release: StrayRelease) -> tuple[int, ...]:
        verify_stray_release(release, writer=WRITER.public, epoch=self.catalog.tip.epoch)
        self.told.setdefault(node, []).append(release)
        self.kept.get(node, set()).difference_update(release.blocks)
        return (0,) * len(release.blocks)


async def scene() -> Scene:
    host = World(1).host("n1")
    catalog = Catalog(host, NAMESPACE)
    await catalog.open()
    await catalog.enter(CatalogTip(1, 0, Digest(some("head"))))
    catalog.set_ready()
    made = Scene(catalog)
    await made.append(BUCKET)
    return made


async def test_each_holder_is_told_of_its_own_strays_and_of_nothing_that_is_named(autojump_clock: MockClock) -> None:
    stage = await scene()
    objects = [block_ref(number) for number in range(40)]
    for number, reference in enumerate(objects):
        await stage.append(object_put("photos", f"k{number}", number, blocks=(reference,)))
    named_blocks = {reference.block for reference in objects}
    stage.kept = {
        ME: {block(1), block(2)} | set(list(named_blocks)[:5]),
        HONEST: {block(2), block(3)} | named_blocks,
        LIAR: set(named_blocks),
    }
    assert await stage.inventory().take() == 4
    assert {node: stage.freed(node) for node in stage.told} == {
        ME: {block(1), block(2)},
        HONEST: {block(2), block(3)},
    }
    assert {release.horizon for releases in stage.told.values() for release in releases} == {stage.next_position}


async def test_what_is_under_way_or_being_released_is_not_even_mentioned(autojump_clock: MockClock) -> None:
    stage = await scene()
    await stage.append(object_put("photos", "gone", 1, blocks=(block_ref(1),)))
    await stage.append(ObjectDeleted("photos", "gone"))
    stage.unnamed.blocks[block(3)] = (HONEST,)
    stage.kept[HONEST] = {block_ref(1).block, block(1), block(2), block(3)}
    with stage.unnamed.writing(stage.next_position) as writing:
        writing.spreads([block(1)], [HONEST])
        await stage.append(object_put("photos", "other", 2))
        await stage.inventory().take()
    assert stage.freed(HONEST) == {block(2)}
    (release,) = stage.told[HONEST]
    assert release.horizon == writing.since < stage.next_position


async def test_blocks_of_tables_are_named(autojump_clock: MockClock) -> None:
    stage = await scene()
    manifest, page = block_ref(1), block_ref(2)
    await stage.append(Checkpoint(manifest, 1, 1, Digest(bytes(32))))
    stage.kept[HONEST] = {manifest.block, page.block, block(1)}
    await stage.inventory([page]).take()
    assert stage.freed(HONEST) == {block(1)}


def endless(_asked: CompareBlocks, question: Question) -> Answers:
    """Every branch holds a thousand ids that nobody has heard of, all of them well placed."""
    made = []
    for query in question.queries[:5]:
        some_ids, number = [], 0
        while len(some_ids) < (1_000 if not query.path else 16):
            identity = some(f"made up {query.path.hex()}", number)
            number += 1
            if Trie(question.salt, [identity]).count(query.path):
                some_ids.append(Digest(identity))
        made.append(Answer(Form.IDS, (), tuple(some_ids)))
    return Answers((*made, *(Answer(Form.LATER, (), ()) for _ in question.queries[5:])))


def everything(_asked: CompareBlocks, question: Question) -> Answers:
    """Sixteen children each, all the way down."""
    return Answers(tuple(Answer(Form.CHILDREN, (b"?" * 16,) * 16, ()) for _ in question.queries))


def later(_asked: CompareBlocks, question: Question) -> Answers:
    """Ask again."""
    return Answers(tuple(Answer(Form.LATER, (), ()) for _ in question.queries))


def nonsense(_asked: CompareBlocks, _question: Question) -> Answers:
    """No answer to this question."""
    return Answers((Answer(Form.IDS, (), ()),) * 7)


@pytest.mark.parametrize("lie", [endless, everything, later, nonsense])
async def test_a_holder_that_lies_costs_little_and_the_others_nothing(
    lie: Answering, autojump_clock: MockClock
) -> None:
    stage = await scene()
    stage.kept[HONEST] = {block(1)}
    stage.lies[LIAR] = lie
    await stage.inventory().take()
    assert stage.asked[LIAR] <= RECONCILE_ROUNDS_MAX
    assert len(stage.freed(LIAR)) <= STRAYS_MAX + reconcile.ANSWER_IDS_MAX
    assert stage.freed(HONEST) == {block(1)}


async def test_no_lie_has_a_named_block_released(autojump_clock: MockClock) -> None:
    stage = await scene()
    references = [block_ref(number) for number in range(10)]
    for number, reference in enumerate(references):
        await stage.append(object_put("photos", f"k{number}", number, blocks=(reference,)))
    stage.kept[LIAR] = {reference.block for reference in references} | {block(1)}
    await stage.inventory().take()
    assert stage.freed(LIAR) == {block(1)}
    assert list(stage.told) == [LIAR]


async def test_more_strays_than_are_taken_at_once_go_the_next_times(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(inventory, "STRAYS_MAX", 100)
    monkeypatch.setattr(reconcile, "ANSWER_IDS_MAX", 200)
    monkeypatch.setattr(reconcile, "LISTED_IDS_MAX", 64)
    stage = await scene()
    stage.kept[HONEST] = {block(number) for number in range(1_500)}
    rounds = 0
    while stage.kept[HONEST]:
        assert await stage.inventory().take() > 0
        rounds += 1
    assert 1 < rounds < 20


async def test_a_holder_that_has_too_much_for_a_part_is_asked_in_smaller_ones(autojump_clock: MockClock) -> None:
    stage = await scene()
    stage.kept[HONEST] = {block(number) for number in range(100)}
    stage.too_much[HONEST] = 20
    assert await stage.inventory().take() == 100
    assert not stage.kept[HONEST]


async def test_one_that_always_has_too_much_is_not_asked_for_ever(autojump_clock: MockClock) -> None:
    stage = await scene()
    stage.kept = {LIAR: {block(1)}, HONEST: {block(1)}}
    stage.too_much[LIAR] = 0
    await stage.inventory().take()
    assert stage.asked[LIAR] <= 2 ** (SPLITS_MAX + 1)
    assert stage.freed(HONEST) == {block(1)}


async def test_a_silent_holder_holds_up_the_others_for_a_bounded_time(autojump_clock: MockClock) -> None:
    stage = await scene()
    stage.kept[HONEST] = {block(1)}
    stage.silent.add(LIAR)
    began_s = trio.current_time()
    await stage.inventory().take()
    assert trio.current_time() - began_s <= COMPARE_MOST_S
    assert stage.freed(HONEST) == {block(1)}


async def test_a_catalog_that_is_begun_anew_meanwhile_names_nothing(autojump_clock: MockClock) -> None:
    stage = await scene()
    reading = NamedBlocks(stage.catalog, NAMESPACE, Part(0, 0), 10)
    await reading.begin()
    await stage.catalog.start_over()
    stage.catalog.set_ready()
    with pytest.raises(MaillonError, match="catalog-rebuilding"):
        await reading.read()


CHANGES = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 5), st.integers(0, 10)),
    st.tuples(st.just("small"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("delete"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("part"), st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("finish"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("abort"), st.just(0), st.just(0)),
    st.tuples(st.just("pack"), st.just(0), st.just(0)),
)


@dataclass
class Model:
    """Makes changes up, and remembers all blocks that they ever named."""

    stage: Scene
    made: int = 0
    ever: set[BlockId] = field(default_factory=set)

    def new_blocks(self, count: int) -> tuple[BlockRef, ...]:
        self.made += count
        found = tuple(block_ref(self.made - number) for number in range(count))
        self.ever |= {one.block for one in found}
        return found

    async def apply(self, what: str, number: int, count: int) -> None:
        await self.stage.append(self.change(what, f"k{number}", number, count))

    def change(self, what: str, key: str, number: int, count: int) -> Change:
        match what:
            case "put":
                return object_put("photos", key, number, blocks=self.new_blocks(count))
            case "small":
                return object_put("photos", key, number, inline=InlineRef(0, 10, some("key", number)))
            case "part":
                return PartPut(UPLOAD, number, 1, Digest(bytes(32)), self.new_blocks(count))
            case "finish":
                return dataclasses.replace(object_put("photos", key, number), upload=UPLOAD)
            case "abort":
                return UploadAborted(UPLOAD)
            case "delete":
                return ObjectDeleted("photos", key)
            case _:
                (pack,) = self.new_blocks(1)
                packed = [PackedObject("photos", f"k{n}", some("version", n)[:16], 0, 10) for n in range(6)]
                return ObjectsPacked(pack, tuple(packed))


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, max_size=15), st.lists(CHANGES, max_size=15), st.randoms(use_true_random=False))
def test_whatever_changes_while_it_is_read_no_named_block_is_missed(
    before: list[tuple[str, int, int]], meanwhile: list[tuple[str, int, int]], chance: Any
) -> None:
    """Every block that rows name in the end, wherever it moved, is known; and so is every one to be released."""

    async def main() -> None:
        stage = await scene()
        model = Model(stage)
        for change in before:
            await model.apply(*change)
        reading = NamedBlocks(stage.catalog, NAMESPACE, Part(0, 0), 10_000)
        await reading.begin()

        async def change_it() -> None:
            for change in meanwhile:
                for _ in range(chance.randint(0, 4)):
                    await trio.lowlevel.checkpoint()
                await model.apply(*change)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(change_it)
            await reading.read()
        reading.end()
        assert await rows_name(stage.catalog) <= {one for one in model.ever if one in reading}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(named, "ROWS_AT_ONCE", 1)
        run_deterministically(1, main)


async def rows_name(catalog: Catalog) -> set[BlockId]:
    """What the rows name now, all of them at once."""
    reading = NamedBlocks(catalog, NAMESPACE, Part(0, 0), 10_000)
    await reading.begin()
    await reading.read()
    return set(reading._found)


def test_what_everybody_let_go_of_is_named_no_more() -> None:
    async def main() -> None:
        stage = await scene()
        await stage.append(object_put("photos", "x", 1, blocks=(block_ref(1),)))
        await stage.append(ObjectDeleted("photos", "x"))
        assert await rows_name(stage.catalog) == {block_ref(1).block}
        await stage.append(BlocksReleased((block_ref(1).block,)))
        assert await rows_name(stage.catalog) == set()

    run_deterministically(1, main)
