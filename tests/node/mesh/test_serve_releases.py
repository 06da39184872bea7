"""A holder deletes what the owner releases: for good, only at the owner's word, and never what is locked."""

from __future__ import annotations

import pytest

from node.net.connection import Connection
from node.store.store import Store
from protocol.errors import Forged, MaillonError, Refused, Unavailable
from protocol.ids import BlockId, NamespaceId
from protocol.keys.signing import SigningKey
from protocol.members.governance import expel_organisation
from protocol.members.view import View
from protocol.namespace.releases import encode_release, sign_release
from protocol.requests import Done, Kind, ReleaseReply, ReleaseShares
from tests.support.federations import Org, decide, joining, namespace_card, namespace_id, seed
from tests.support.serving import (
    MY_INDEX,
    NAMESPACE,
    ORGS,
    PLACING,
    WRITER,
    block_of,
    holder,
    question_of,
    town_card,
    view_of,
)
from tests.support.shares import TestBlock, make_block

FAR_AWAY_S = 2**40


async def keep(member: Connection, block: TestBlock) -> None:
    share = block.shares[MY_INDEX]
    await member.ask(Kind.PUT_SHARE, question_of(block), Done, deadline_s=20, payload=[share])


async def release(
    member: Connection,
    *blocks: BlockId,
    writer: SigningKey = WRITER,
    epoch: int = 1,
    namespace: NamespaceId = NAMESPACE,
) -> tuple[int, ...]:
    signed = encode_release(sign_release(writer, namespace, epoch, blocks))
    answer = await member.ask(Kind.RELEASE_SHARES, ReleaseShares(signed), ReleaseReply, deadline_s=20)
    return answer.message.kept_until_s


async def refusal(view: View, *, writer: SigningKey = WRITER, epoch: int = 1) -> MaillonError:
    """What the holder says to a release that it must not obey; the share must still be there."""
    block = block_of(1)
    async with holder(view) as (member, store):
        await store.put_share(block.label, block.proofs[MY_INDEX], [block.shares[MY_INDEX]])
        with pytest.raises(MaillonError) as caught:
            await release(member, block.block, writer=writer, epoch=epoch)
        assert await held(store, block) == 1 << MY_INDEX
    return caught.value


async def held(store: Store, block: TestBlock) -> int:
    (mask,) = await store.held([block.block])
    return mask


async def test_what_is_released_is_gone_and_the_rest_stays() -> None:
    blocks = [block_of(number, size_bytes=5_000) for number in range(4)]
    async with holder() as (member, store):
        for block in blocks[:3]:
            await keep(member, block)
        assert await release(member, blocks[0].block, blocks[2].block, blocks[3].block) == (0, 0, 0)
        assert [await held(store, block) for block in blocks] == [0, 1 << MY_INDEX, 0, 0]
        assert await release(member, blocks[0].block) == (0,)
        assert store.stored_bytes(NAMESPACE) == len(blocks[1].shares[MY_INDEX])


async def test_a_locked_share_stays_whatever_the_writer_wants() -> None:
    locked = make_block(
        1, size_bytes=900, k=1, n=3, namespace=NAMESPACE, keep_until_s=FAR_AWAY_S, writer=WRITER, placing=PLACING
    )
    async with holder() as (member, store):
        await keep(member, locked)
        await keep(member, block_of(2))
        assert await release(member, locked.block, block_of(2).block) == (FAR_AWAY_S, 0)
        assert await held(store, locked) == 1 << MY_INDEX
        assert await held(store, block_of(2)) == 0


async def test_an_owner_cannot_free_what_is_anothers() -> None:
    view = view_of()
    view.admit(namespace_card(view.federation, ORGS[2], "gamma", "village"))
    village = SigningKey.from_seed(seed("writer village"))
    async with holder(view) as (member, store):
        await keep(member, block_of(1))
        assert await release(member, block_of(1).block, writer=village, namespace=namespace_id("village")) == (0,)
        assert await held(store, block_of(1)) == 1 << MY_INDEX


async def test_nobody_but_the_writer_is_obeyed() -> None:
    stranger = SigningKey.from_seed(b"?" * 32)
    assert isinstance(await refusal(view_of(), writer=stranger), Refused)
    assert isinstance(await refusal(view_of(), writer=stranger, epoch=2), Unavailable)


async def test_a_writer_that_was_succeeded_is_not_obeyed_any_more() -> None:
    view = view_of()
    view.admit(namespace_card(view.federation, ORGS[0], "alpha", "town", epoch=2, writer="the next one"))
    assert (await refusal(view)).identifier == "release-superseded"


async def test_a_release_that_was_tampered_with_is_forged() -> None:
    block = block_of(1)
    signed = bytearray(encode_release(sign_release(WRITER, NAMESPACE, 1, (block.block,))))
    signed[-1] ^= 1
    async with holder() as (member, store):
        await keep(member, block)
        with pytest.raises(Forged, match="signature"):
            await member.ask(Kind.RELEASE_SHARES, ReleaseShares(bytes(signed)), ReleaseReply, deadline_s=20)
        assert await held(store, block) == 1 << MY_INDEX


async def test_a_namespace_that_is_not_known_yet_can_be_tried_later() -> None:
    view = view_of(knows_namespace=False)
    async with holder(view) as (member, _):
        with pytest.raises(Unavailable, match="namespace-unknown"):
            await release(member, block_of(1).block)
        view.admit(town_card(view))
        assert await release(member, block_of(1).block) == (0,)


async def test_an_expelled_organisations_gateway_frees_no_more() -> None:
    view, expelled = view_of(), Org("delta")
    view.admit_all(joining(view.federation, ORGS[0], expelled))
    view.admit(namespace_card(view.federation, expelled, "delta", "village"))
    decide(view, ORGS, expel_organisation(expelled.id))
    village = SigningKey.from_seed(seed("writer village"))
    async with holder(view) as (member, _):
        with pytest.raises(Refused, match="gateway-not-member"):
            await release(member, block_of(1).block, writer=village, namespace=namespace_id("village"))
