"""A holder shows a namespace's gateway what it keeps for it, and frees what is stray and old enough."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.mesh import serve_inventories
from node.net.connection import Connection
from node.store.store import Store
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.ids import BlockId, Digest, NamespaceId
from protocol.keys.signing import SigningKey
from protocol.members import reconcile
from protocol.members.reconcile import Session, Trie
from protocol.members.view import View
from protocol.namespace.inventories import Part, encode_stray_release, sign_stray_release
from protocol.requests import CompareBlocks, CompareBlocksReply, Done, Kind, ReleaseReply, ReleaseStrays
from sim.host.scheduling import run_deterministically
from tests.support.federations import namespace_card, namespace_id, node_key, seed
from tests.support.serving import (
    MY_INDEX,
    NAMESPACE,
    ORGS,
    PLACING,
    WRITER,
    block_of,
    holder,
    question_of,
    view_of,
)
from tests.support.shares import TestBlock, make_block

SALT = bytes(range(32))
ALL = Part(0, 0)
GATEWAY, ANOTHER = node_key("alpha"), node_key("gamma")
LATE = Stamp(1, 10**6)
SIZE_BYTES = 700


async def keep(member: Connection, *blocks: TestBlock) -> None:
    for block in blocks:
        share = block.shares[MY_INDEX]
        await member.ask(Kind.PUT_SHARE, question_of(block), Done, deadline_s=20, payload=[share])


async def difference(
    member: Connection, known: list[BlockId], *, part: Part = ALL, epoch: int = 1, namespace: NamespaceId = NAMESPACE
) -> tuple[set[Digest], set[Digest]]:
    """What only the holder has, and what only `known` has."""
    session = Session(Trie(SALT, known))
    while (question := session.question()) is not None:
        asked = CompareBlocks(namespace, epoch, part, reconcile.encode_question(question))
        answer = await member.ask(Kind.COMPARE_BLOCKS, asked, CompareBlocksReply, deadline_s=20)
        session.take(reconcile.decode_answers(answer.message.message))
    return session.wanted, session.offered


async def free(
    member: Connection,
    *blocks: TestBlock,
    horizon: Stamp = LATE,
    writer: SigningKey = WRITER,
    epoch: int = 1,
    namespace: NamespaceId = NAMESPACE,
) -> tuple[int, ...]:
    named = tuple(block.block for block in blocks)
    signed = encode_stray_release(sign_stray_release(writer, namespace, epoch, horizon, named))
    answer = await member.ask(Kind.RELEASE_STRAYS, ReleaseStrays(signed), ReleaseReply, deadline_s=20)
    return answer.message.kept_until_s


async def held(store: Store, *blocks: TestBlock) -> list[bool]:
    return [bool(mask) for mask in await store.held([block.block for block in blocks])]


def small(number: int) -> TestBlock:
    return block_of(number, size_bytes=SIZE_BYTES)


async def test_the_gateway_finds_out_what_is_there_that_it_does_not_know_and_what_is_not() -> None:
    blocks = [small(number) for number in range(60)]
    async with holder(key=GATEWAY) as (member, _):
        await keep(member, *blocks[:50])
        wanted, offered = await difference(member, [block.block for block in blocks[10:]])
        assert wanted == {block.block for block in blocks[:10]}
        assert offered == {block.block for block in blocks[50:]}


async def test_parts_are_compared_apart() -> None:
    blocks = [small(number) for number in range(40)]
    async with holder(key=GATEWAY) as (member, _):
        await keep(member, *blocks)
        found = [(await difference(member, [], part=Part(2, number)))[0] for number in range(4)]
        assert all(Part(2, number).holds(block) for number in range(4) for block in found[number])
        assert set().union(*found) == {block.block for block in blocks}


async def test_what_is_kept_for_another_namespace_is_not_shown() -> None:
    view = view_of()
    view.admit(namespace_card(view.federation, ORGS[0], "alpha", "village"))
    async with holder(view, key=GATEWAY) as (member, _):
        await keep(member, small(1))
        assert await difference(member, [], namespace=namespace_id("village")) == (set(), set())


@pytest.mark.parametrize(
    ("asking", "epoch", "newest", "refusal"),
    [
        (ANOTHER, 1, 1, "release-superseded"),
        (ANOTHER, 2, 1, "release-ahead"),
        (GATEWAY, 1, 2, "release-superseded"),
    ],
    ids=["no gateway", "a gateway whose card did not come", "a gateway that was succeeded"],
)
async def test_nobody_but_the_newest_gateway_is_shown_anything(
    asking: SigningKey, epoch: int, newest: int, refusal: str
) -> None:
    view = view_of()
    if newest == 2:
        view.admit(namespace_card(view.federation, ORGS[0], "alpha", "town", epoch=2))
    async with holder(view, key=asking) as (member, _):
        with pytest.raises(MaillonError) as caught:
            await difference(member, [], epoch=epoch)
    assert caught.value.identifier == refusal


async def test_more_than_a_part_may_hold_is_said_to_be_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_inventories, "INVENTORY_BLOCKS_MAX", 3)
    blocks = [small(number) for number in range(4)]
    async with holder(key=GATEWAY) as (member, _):
        await keep(member, *blocks[:3])
        assert len((await difference(member, []))[0]) == 3
        await keep(member, blocks[3])
        with pytest.raises(OverLimit, match="inventory-part-size"):
            await difference(member, [])


async def test_a_session_that_was_forgotten_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_inventories, "TRIES_KEPT", 0)
    blocks = [small(number) for number in range(80)]
    async with holder(key=GATEWAY) as (member, _):
        await keep(member, *blocks)
        assert len((await difference(member, [blocks[0].block]))[0]) == 79


async def test_strays_that_are_old_enough_are_freed_and_nothing_else() -> None:
    blocks = [small(number) for number in range(5)]  # block i is stamped (1, i)
    async with holder() as (member, store):
        await keep(member, *blocks)
        assert await free(member, *blocks[1:], horizon=Stamp(1, 3)) == (0, 0, 0, 0)
        assert await held(store, *blocks) == [True, False, False, True, True]
        assert await free(member, blocks[3], blocks[4], horizon=Stamp(1, 4)) == (0, 0)
        assert await held(store, blocks[3], blocks[4]) == [False, True]


async def test_a_locked_share_stays_however_old_it_is() -> None:
    locked = make_block(
        1, size_bytes=900, k=1, n=3, namespace=NAMESPACE, keep_until_s=2**40, writer=WRITER, placing=PLACING
    )
    async with holder() as (member, store):
        await keep(member, locked)
        assert await free(member, locked) == (2**40,)
        assert await held(store, locked) == [True]


@pytest.mark.parametrize("succeeded", [False, True])
async def test_a_word_of_anybody_but_the_newest_writer_frees_nothing(*, succeeded: bool) -> None:
    view: View = view_of()
    if succeeded:
        view.admit(namespace_card(view.federation, ORGS[0], "alpha", "town", epoch=2, writer="the next one"))
    writer = WRITER if succeeded else SigningKey.from_seed(seed("stranger"))
    async with holder(view) as (member, store):
        share = small(1)
        await store.put_share(share.label, share.proofs[MY_INDEX], [share.shares[MY_INDEX]])
        with pytest.raises(MaillonError, match="release-superseded"):
            await free(member, share, writer=writer)
        assert await held(store, share) == [True]


async def test_what_is_no_question_is_refused() -> None:
    async with holder(key=GATEWAY) as (member, _):
        for message in (
            b"",
            b"question",
            reconcile.encode_answers(reconcile.Answers((reconcile.Answer(reconcile.Form.SAME, (), ()),))),
        ):
            with pytest.raises((Malformed, OverLimit)):
                await member.ask(
                    Kind.COMPARE_BLOCKS, CompareBlocks(NAMESPACE, 1, ALL, message), CompareBlocksReply, deadline_s=20
                )


@dataclasses.dataclass(frozen=True)
class Kept:
    """A share on the holder's disk."""

    position: int
    is_ours: bool
    is_locked: bool


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.builds(Kept, st.integers(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 10),
)
def test_exactly_what_is_ours_old_and_unlocked_goes(shares: list[Kept], horizon: int) -> None:
    async def main() -> None:
        blocks = [
            make_block(
                100 * number + kept.position,
                size_bytes=SIZE_BYTES,
                namespace=NAMESPACE if kept.is_ours else namespace_id("village"),
                keep_until_s=2**40 if kept.is_locked else 0,
                stamp=Stamp(1, kept.position),
            )
            for number, kept in enumerate(shares)
        ]
        async with holder() as (_, store):
            for block in blocks:
                await store.put_share(block.label, block.proofs[0], [block.shares[0]])
            await store.release(NAMESPACE, [block.block for block in blocks], horizon=Stamp(1, horizon))
            there = await held(store, *blocks)
        assert there == [not kept.is_ours or kept.is_locked or kept.position >= horizon for kept in shares]

    run_deterministically(1, main)
