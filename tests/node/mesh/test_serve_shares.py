"""A holder judges every share for itself, by its own view, and keeps only what the law and the bytes allow."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from node.mesh.serve_shares import TURNS_MOST_EACH
from node.net.connection import Connection
from protocol.coding.label import Label, Stamp, sign_label
from protocol.errors import Damaged, Forged, MaillonError, Malformed, Missing, OverLimit, Refused, Unavailable
from protocol.keys.signing import SigningKey
from protocol.limits import LEAF_BYTES, MIB
from protocol.members.governance import expel_organisation
from protocol.members.view import View
from protocol.requests import (
    Done,
    GetLabel,
    GetShare,
    HasShares,
    HasSharesReply,
    Kind,
    PutShare,
    PutShares,
    PutSharesReply,
    ShareReply,
)
from protocol.wire import schema
from tests.support.crashing import Machine
from tests.support.federations import TIB, Org, decide, joining, namespace_card, node_id, seed
from tests.support.serving import (
    ME,
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


async def put(member: Connection, question: PutShare, share: bytes) -> None:
    await member.ask(Kind.PUT_SHARE, question, Done, deadline_s=20, payload=[share])


async def get(member: Connection, question: GetShare, size_bytes: int) -> tuple[ShareReply, bytes]:
    into = memoryview(bytearray(size_bytes))
    answer = await member.ask(Kind.GET_SHARE, question, ShareReply, deadline_s=20, into=into)
    return answer.message, bytes(into[: answer.payload_bytes])


async def refusal(question: PutShare, share: bytes, view: View | None = None) -> MaillonError:
    """What the holder says to a share that it must not keep; nothing may be left of it."""
    async with holder(view) as (member, store):
        with pytest.raises(MaillonError) as caught:
            await put(member, question, share)
        assert store.usage().shares == 0
    return caught.value


async def test_a_lawful_share_is_kept_and_given_to_whoever_asks() -> None:
    block = block_of(1)
    async with holder() as (member, _):
        await put(member, question_of(block), block.shares[MY_INDEX])
        await put(member, question_of(block), block.shares[MY_INDEX])
        reply, share = await get(member, GetShare(block.block, MY_INDEX, 0, 0), 300_000)
        assert share == block.shares[MY_INDEX]
        assert schema.decode(Label, reply.label) == block.label
        _, leaf = await get(member, GetShare(block.block, MY_INDEX, 1, 1), 300_000)
        assert leaf == block.shares[MY_INDEX][LEAF_BYTES : 2 * LEAF_BYTES]
        held = await member.ask(
            Kind.HAS_SHARES, HasShares((block.block, block_of(2).block)), HasSharesReply, deadline_s=20
        )
        assert held.message.held == (1 << MY_INDEX, 0)
        label = await member.ask(Kind.GET_LABEL, GetLabel(block.block), ShareReply, deadline_s=20)
        assert label.message == reply


async def test_what_is_not_held_is_missing() -> None:
    async with holder() as (member, _):
        with pytest.raises(Missing, match="share-missing"):
            await get(member, GetShare(block_of(1).block, 1, 0, 0), 10)
        with pytest.raises(Missing, match="share-missing"):
            await member.ask(Kind.GET_LABEL, GetLabel(block_of(1).block), ShareReply, deadline_s=20)


async def test_bytes_that_do_not_match_the_proof_are_refused() -> None:
    block = block_of(1)
    share = bytearray(block.shares[MY_INDEX])
    share[100_000] ^= 1
    error = await refusal(question_of(block), bytes(share))
    assert isinstance(error, Forged)
    assert error.identifier == "share-leaf"
    assert error.parameters["leaf"] == 1


@pytest.mark.parametrize("size_change", [-1, 1])
async def test_a_share_of_another_size_is_refused(size_change: int) -> None:
    block = block_of(1)
    share = (block.shares[MY_INDEX] + b"x")[: len(block.shares[MY_INDEX]) + size_change]
    assert (await refusal(question_of(block), share)).identifier == "share-size"


async def test_a_header_with_a_forged_root_is_refused() -> None:
    block = block_of(1)
    header = replace(block.header, root=block_of(2).header.root)
    label = sign_label(WRITER, header, PLACING, Stamp(1, 1), 0)
    question = PutShare(schema.encode(label), schema.encode(block.proofs[MY_INDEX]))
    assert (await refusal(question, block.shares[MY_INDEX])).identifier == "proof-root"


async def test_a_label_that_was_changed_is_refused() -> None:
    block = block_of(1)
    label = replace(block.label, keep_until_s=5)
    question = PutShare(schema.encode(label), schema.encode(block.proofs[MY_INDEX]))
    error = await refusal(question, block.shares[MY_INDEX])
    assert isinstance(error, Forged)
    assert error.identifier == "signature"


async def test_only_the_namespaces_present_writer_may_write() -> None:
    block = make_block(
        1, size_bytes=1_000, k=1, n=3, namespace=NAMESPACE, writer=SigningKey.from_seed(b"?" * 32), placing=PLACING
    )
    assert (await refusal(question_of(block), block.shares[MY_INDEX])).identifier == "label-writer"


async def test_a_namespace_that_is_not_known_yet_can_be_tried_later() -> None:
    view = view_of(knows_namespace=False)
    block = block_of(1)
    async with holder(view) as (member, _):
        with pytest.raises(Unavailable, match="namespace-unknown"):
            await put(member, question_of(block), block.shares[MY_INDEX])
        view.admit(town_card(view))
        await put(member, question_of(block), block.shares[MY_INDEX])


async def test_a_share_that_belongs_to_another_node_is_refused() -> None:
    block = block_of(1)
    assert (await refusal(question_of(block, 0), block.shares[0])).identifier == "placing-elsewhere"


async def test_an_unlawful_placing_is_refused_with_the_reasons() -> None:
    stranger = (node_id("alpha"), ME, node_id("stranger"))
    block = block_of(1, placing=stranger)
    error = await refusal(question_of(block), block.shares[MY_INDEX])
    assert isinstance(error, Refused)
    assert error.identifier == "placing-unlawful"
    assert error.parameters["reasons"] == ("placing-unknown-node",)


async def test_more_shares_in_one_organisation_than_its_cap_are_refused() -> None:
    view = view_of()
    guest = Org("guest of beta")
    view.admit_all(joining(view.federation, ORGS[1], guest))
    placing = (node_id(guest.name), ME, PLACING[2])
    block = make_block(1, size_bytes=1_000, k=2, n=3, namespace=NAMESPACE, writer=WRITER, placing=placing)
    error = await refusal(question_of(block), block.shares[MY_INDEX], view)
    assert error.parameters["reasons"] == ("placing-organisation-cap",)


async def test_an_unknown_class_is_refused() -> None:
    block = block_of(1)
    header = replace(block.header, data_class="secret")
    label = sign_label(WRITER, header, PLACING, Stamp(1, 1), 0)
    question = PutShare(schema.encode(label), schema.encode(block.proofs[MY_INDEX]))
    assert (await refusal(question, block.shares[MY_INDEX])).identifier == "class-unknown"


async def test_an_expelled_organisations_gateway_writes_no_more() -> None:
    view = view_of()
    expelled = Org("delta")
    records = joining(view.federation, ORGS[0], expelled)
    view.admit_all(records)
    view.admit(namespace_card(view.federation, expelled, "delta", "village"))
    from tests.support.federations import admission, namespace_id

    decide(view, ORGS, admission(expelled))
    writer = SigningKey.from_seed(seed("writer village"))
    block = make_block(
        1, size_bytes=1_000, k=1, n=3, namespace=namespace_id("village"), writer=writer, placing=PLACING
    )
    async with holder(view) as (member, store):
        await put(member, question_of(block), block.shares[MY_INDEX])
        decide(view, ORGS, expel_organisation(expelled.id))
        other = make_block(
            2, size_bytes=1_000, k=1, n=3, namespace=namespace_id("village"), writer=writer, placing=PLACING
        )
        with pytest.raises(Refused, match="gateway-not-member"):
            await put(member, question_of(other), other.shares[MY_INDEX])
        assert store.usage().shares == 1


@pytest.mark.parametrize("spoiled", ["label", "proof"])
async def test_messages_that_do_not_decode_are_refused(spoiled: str) -> None:
    block = block_of(1)
    question = replace(question_of(block), **{spoiled: b"\xc1" * 40})
    error = await refusal(question, block.shares[MY_INDEX])
    assert isinstance(error, Malformed | OverLimit)


async def test_an_organisation_cannot_use_more_than_its_part_of_a_holder() -> None:
    from protocol.members.quota import allowance_bytes

    view = view_of()
    allowed_bytes = allowance_bytes(view, ME, ORGS[0].id)
    assert allowed_bytes == TIB // 3
    block = block_of(1)
    async with holder(view) as (member, store):
        real = store.stored_bytes
        store.stored_bytes = lambda name: real(name) + allowed_bytes - 250_000  # type: ignore[method-assign]
        await put(member, question_of(block), block.shares[MY_INDEX])
        with pytest.raises(Refused, match="quota-reached"):
            await put(member, question_of(block_of(2)), block_of(2).shares[MY_INDEX])
        assert store.usage().shares == 1


async def test_shares_on_their_way_count_against_the_quota() -> None:
    from protocol.members.quota import allowance_bytes

    view = view_of()
    allowed_bytes = allowance_bytes(view, ME, ORGS[0].id)
    refused = 0
    async with holder(view) as (member, store):
        real = store.stored_bytes
        store.stored_bytes = lambda name: real(name) + allowed_bytes - 450_000  # type: ignore[method-assign]

        async def try_put(number: int) -> None:
            nonlocal refused
            try:
                await put(member, question_of(block_of(number)), block_of(number).shares[MY_INDEX])
            except Refused as error:
                assert error.identifier == "quota-reached"
                refused += 1

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(try_put, number)
        assert store.usage().shares == 2
        assert refused == 4


async def test_a_peer_that_announces_bytes_and_sends_none_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    block = block_of(1)
    async with holder() as (member, store):
        async with member.open(Kind.PUT_SHARE, question_of(block), payload_bytes=len(block.shares[1])) as exchange:
            await exchange.send([block.shares[1][:1_000]])
            with pytest.raises(Unavailable, match="payload-slow"):
                await exchange.reply(Done)
        await put(member, question_of(block), block.shares[MY_INDEX])
        assert store.usage().shares == 1


async def test_slow_peers_use_up_their_own_turns_only(autojump_clock: trio.testing.MockClock) -> None:
    """More unfinished puts than a peer has turns: the next one waits, then is served, none is lost."""
    blocks = [block_of(number, size_bytes=70_000) for number in range(20)]
    async with holder() as (member, store):

        async def stall(block: TestBlock) -> None:
            size_bytes = len(block.shares[1])
            with trio.move_on_after(3):
                async with member.open(Kind.PUT_SHARE, question_of(block), payload_bytes=size_bytes) as exchange:
                    await exchange.reply(Done)

        async with trio.open_nursery() as nursery:
            for block in blocks[:-1]:
                nursery.start_soon(stall, block)
            await trio.sleep(1)
            await put(member, question_of(blocks[-1]), blocks[-1].shares[MY_INDEX])
        assert store.usage().shares == 1


async def test_a_peer_that_does_not_take_what_it_asked_for_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    block = block_of(1, size_bytes=3 * MIB)
    async with holder() as (member, _):
        await put(member, question_of(block), block.shares[MY_INDEX])
        question = GetShare(block.block, MY_INDEX, 0, 0)
        began_s = trio.current_time()
        async with member.open(Kind.GET_SHARE, question, payload_bytes=0) as exchange:
            await exchange.reply(ShareReply)
            await trio.sleep(6)  # nothing is received meanwhile: no more room than the first window is granted
            with pytest.raises(Unavailable, match="payload-slow"):
                await exchange.receive_into(memoryview(bytearray(3 * MIB)))
        assert trio.current_time() - began_s < 7


async def test_shares_that_come_together_have_one_bound_together(autojump_clock: trio.testing.MockClock) -> None:
    blocks = [block_of(number) for number in (1, 2, 3)]
    question = PutShares(tuple(question_of(block) for block in blocks))
    size_bytes = sum(len(block.shares[MY_INDEX]) for block in blocks)
    async with holder() as (member, store):
        began_s = trio.current_time()
        async with member.open(Kind.PUT_SHARES, question, payload_bytes=size_bytes) as exchange:
            for block in blocks[:2]:
                await trio.sleep(2)
                await exchange.send([block.shares[MY_INDEX]])
            with pytest.raises(Unavailable, match="payload-slow"):
                await exchange.reply(PutSharesReply)
        assert trio.current_time() - began_s < 6
        assert store.usage().shares == 0


async def test_even_to_be_judged_takes_a_turn(autojump_clock: trio.testing.MockClock) -> None:
    blocks = [block_of(number, size_bytes=70_000) for number in range(TURNS_MOST_EACH)]
    unlawful = replace(question_of(block_of(50)), proof=question_of(block_of(51)).proof)
    async with holder() as (member, _):

        async def stall(block: TestBlock) -> None:
            size_bytes = len(block.shares[MY_INDEX])
            async with member.open(Kind.PUT_SHARE, question_of(block), payload_bytes=size_bytes) as exchange:
                with pytest.raises(Unavailable, match="payload-slow"):
                    await exchange.reply(Done)

        async with trio.open_nursery() as nursery:
            began_s = trio.current_time()
            for block in blocks:
                nursery.start_soon(stall, block)
            await trio.sleep(1)
            with pytest.raises(Forged):
                await put(member, unlawful, b"")
            assert trio.current_time() - began_s >= 5.0


async def test_a_damaged_share_is_never_sent() -> None:
    machine, block = Machine(1), block_of(1)
    async with holder(machine=machine) as (member, _):
        await put(member, question_of(block), block.shares[MY_INDEX])
        for content in machine.files["d"].values():
            if len(content.current) > 100_000:
                content.current[100_000] ^= 1
        with pytest.raises(Damaged, match="share-damaged"):
            await get(member, GetShare(block.block, MY_INDEX, 0, 0), 300_000)
