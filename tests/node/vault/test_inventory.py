"""An inventory over a real catalog, with holders that keep what they should not, and holders that lie."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from node.vault.release import inventory
from node.vault.release.inventory import COMPARE_MOST_S, SPLITS_MAX, STRAYS_MAX
from protocol.ids import Digest
from protocol.limits import RECONCILE_ROUNDS_MAX
from protocol.members import reconcile
from protocol.members.reconcile import Answer, Answers, Form, Question, Trie
from protocol.namespace.changes import (
    BlockCompleted,
    BlocksReleased,
    Change,
    Checkpoint,
    ObjectDeleted,
)
from protocol.requests import CompareBlocks
from tests.support.inventories import HONEST, LIAR, ME, Answering, block, scene
from tests.support.namespaces import block_ref, object_put, some


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


THERE = [dataclasses.replace(block_ref(number, n=1), placing=(HONEST,)) for number in range(4)]


async def said_to_lack(meanwhile: Sequence[Change], lost: int) -> list[int]:
    """What is said of a holder without the first `lost` of four blocks, when this is journaled while it is asked."""
    stage = await scene()
    for number, reference in enumerate(THERE):
        await stage.append(object_put("photos", f"k{number}", number, blocks=(reference,)))
    stage.kept[HONEST] = {reference.block for reference in THERE[lost:]}
    stage.meanwhile = meanwhile
    with capture_logs() as logs:
        await stage.inventory().take()
    assert stage.told == {}
    return [line["blocks"] for line in logs if line["event"] == "inventory.holder-lacks"]


async def test_a_holder_that_lost_shares_is_named(autojump_clock: MockClock) -> None:
    assert await said_to_lack([], lost=0) == []
    assert await said_to_lack([], lost=2) == [2]


@pytest.mark.parametrize(
    "meanwhile",
    [
        [ObjectDeleted("photos", "k0")],
        [object_put("photos", "k0", 9, blocks=(block_ref(9),))],
        [ObjectDeleted("photos", "k0"), BlocksReleased((THERE[0].block,))],
        [BlockCompleted(THERE[0].block, (LIAR,))],
    ],
    ids=["deleted", "replaced", "released for good", "moved"],
)
async def test_one_that_let_go_of_what_the_catalog_names_there_no_more_is_not(
    meanwhile: list[Change], autojump_clock: MockClock
) -> None:
    assert await said_to_lack(meanwhile, lost=1) == []
    assert await said_to_lack(meanwhile, lost=2) == [1]
