"""Shares that are kept and given together: one question, and for each share its own answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from node.host.direct import PAGE_BYTES, begins_at_page
from node.host.ports import Buffer
from node.net.connection import Connection
from node.store.reading import Wanted
from node.store.shares import ShareFacts, ShareKey, StoredShare
from protocol.errors import MaillonError, OverLimit, Refused
from protocol.members.quota import allowance_bytes
from protocol.requests import Done, GetShare, GetShares, GetSharesReply, Kind, PutShare, PutShares, PutSharesReply
from protocol.wire import schema
from protocol.wire.envelopes import Failure
from tests.support.serving import ME, MY_INDEX, ORGS, block_of, holder, question_of, view_of
from tests.support.shares import TestBlock


async def put_several(member: Connection, blocks: list[TestBlock], questions: list[PutShare]) -> PutSharesReply:
    payload = [block.shares[MY_INDEX] for block in blocks]
    question = PutShares(tuple(questions))
    return (await member.ask(Kind.PUT_SHARES, question, PutSharesReply, deadline_s=20, payload=payload)).message


async def test_shares_that_come_together_are_kept_together_and_given_together() -> None:
    blocks = [block_of(number) for number in (1, 2, 3)]
    async with holder() as (member, store):
        reply = await put_several(member, blocks, [question_of(block) for block in blocks])
        assert reply.outcomes == (b"", b"", b"")
        assert store.usage().shares == 3
        wanted = [GetShare(block.block, MY_INDEX, 0, 0) for block in (blocks[2], block_of(9), blocks[0])]
        into = memoryview(bytearray(1_000_000))
        answer = await member.ask(Kind.GET_SHARES, GetShares(tuple(wanted)), GetSharesReply, deadline_s=20, into=into)
        first, absent, last = answer.message.found
        assert bytes(into[: first.size_bytes]) == blocks[2].shares[MY_INDEX]
        assert bytes(into[first.size_bytes : answer.payload_bytes]) == blocks[0].shares[MY_INDEX]
        assert last.size_bytes + first.size_bytes == answer.payload_bytes
        assert absent.reply is None
        assert schema.decode(Failure, absent.failure).identifier == "share-missing"


async def test_each_of_them_is_received_at_a_page_so_that_all_can_go_around_the_page_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = [block_of(number) for number in (1, 2, 3)]
    assert all(len(block.shares[MY_INDEX]) % PAGE_BYTES for block in blocks)
    async with holder() as (member, store):
        kept: list[bool] = []
        put = store.put_several

        async def note(shares: Sequence[tuple[ShareFacts, Buffer]]) -> list[MaillonError | None]:
            kept.extend(begins_at_page(share) for _facts, share in shares)
            return await put(shares)

        monkeypatch.setattr(store, "put_several", note)
        await put_several(member, blocks, [question_of(block) for block in blocks])
        assert kept == [True, True, True]


async def test_of_shares_that_come_together_only_the_one_that_does_not_match_is_refused() -> None:
    good, bad = block_of(1), block_of(2)
    async with holder() as (member, store):
        spoiled = bytearray(bad.shares[MY_INDEX])
        spoiled[5] ^= 1
        answer = await member.ask(
            Kind.PUT_SHARES,
            PutShares((question_of(bad), question_of(good))),
            PutSharesReply,
            deadline_s=20,
            payload=[bytes(spoiled), good.shares[MY_INDEX]],
        )
        refused, kept = answer.message.outcomes
        assert schema.decode(Failure, refused).identifier == "share-leaf"
        assert kept == b""
        assert store.usage().shares == 1


async def test_more_shares_than_a_block_is_worth_are_neither_read_nor_sent() -> None:
    block = block_of(1)
    async with holder() as (member, store):
        await member.ask(Kind.PUT_SHARE, question_of(block), Done, deadline_s=20, payload=[block.shares[MY_INDEX]])
        size_bytes = len(block.shares[MY_INDEX])
        key, wanted = ShareKey(block.block, MY_INDEX), Wanted(0, 0)
        stored = await store.get_several([(key, wanted)] * 8, room_bytes=2 * size_bytes)
        assert [isinstance(one, StoredShare) for one in stored] == [True, True] + [False] * 6
        assert all(isinstance(one, OverLimit) for one in stored[2:])


async def test_one_unlawful_share_refuses_those_that_came_with_it() -> None:
    good, foreign = block_of(1), block_of(2)
    unlawful = replace(question_of(foreign), label=question_of(good).label)
    async with holder() as (member, store):
        with pytest.raises(MaillonError):
            await put_several(member, [good, foreign], [question_of(good), unlawful])
        assert store.usage().shares == 0


async def test_shares_that_together_are_more_than_their_owner_may_store_are_refused_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = view_of()
    allowed_bytes = allowance_bytes(view, ME, ORGS[0].id)
    blocks = [block_of(1), block_of(2)]
    async with holder(view) as (member, store):
        real = store.stored_bytes
        monkeypatch.setattr(store, "stored_bytes", lambda name: real(name) + allowed_bytes - 300_000)
        with pytest.raises(Refused, match="quota-reached") as refused:
            await put_several(member, blocks, [question_of(block) for block in blocks])
        assert refused.value.parameters["used_bytes"] == allowed_bytes - 300_000
        assert store.usage().shares == 0
        # Nothing of them counts any more: one alone has room, and no other after it.
        assert (await put_several(member, blocks[:1], [question_of(blocks[0])])).outcomes == (b"",)
        with pytest.raises(Refused, match="quota-reached"):
            await put_several(member, blocks[1:], [question_of(blocks[1])])
        assert store.usage().shares == 1
