"""A holder of a journal keeps what its writer signed, in order, and answers for what it has on its disk."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from node.mesh.journal_law import UNKNOWN_MAX
from node.mesh.serve_journals import JournalServer
from node.net.connection import Connection
from node.store.journals import JournalStore
from protocol.errors import Forged, Malformed, Missing, OverLimit, Refused, Unavailable
from protocol.ids import NodeId
from protocol.limits import ENTRY_BYTES_MAX, MIB
from protocol.namespace.journal import Opening, Tip, check_chain, encode_opening, start_of
from protocol.namespace.root import Root
from protocol.requests import (
    Done,
    JournalAppend,
    JournalOpen,
    JournalRead,
    JournalReadReply,
    JournalTail,
    JournalTailReply,
    Kind,
)
from protocol.succession.requests import JournalCopy, JournalPrepare
from protocol.succession.succession import encode_succession
from tests.support.circle import Circle, Gateway
from tests.support.crashing import Machine
from tests.support.federations import node_id, node_key, seed
from tests.support.serving import ME, NAMESPACE, ORGS, PLACING, asking, view_of

CIRCLE = Circle(tuple(org.name for org in ORGS))
GATEWAY = CIRCLE.gateway("alpha")
OPENING = GATEWAY.opening(PLACING)


def chain_of(length: int, *, inline_bytes: int = 100) -> list[bytes]:
    return GATEWAY.chain(OPENING, start_of(OPENING), length, inline_bytes=inline_bytes)


@asynccontextmanager
async def holder(
    *, knows_namespace: bool = True, me: NodeId = ME, asker: str = "alpha", generation: int = 1
) -> AsyncIterator[Connection]:
    host = Machine(1).host()
    journals = JournalStore(host)
    view = view_of(knows_namespace=knows_namespace, generation=generation)
    server = JournalServer(host, journals, view, me, receive_s=5.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(journals.run)
        async with asking(server.handlers(), node_key(asker)) as member:
            yield member
        nursery.cancel_scope.cancel()


async def prepare_at(member: Connection, opening: Opening = OPENING) -> None:
    await member.ask(Kind.JOURNAL_PREPARE, JournalPrepare(encode_opening(opening)), Done, deadline_s=20)


async def open_at(member: Connection, opening: Opening = OPENING, succession: bytes = b"") -> None:
    await member.ask(Kind.JOURNAL_OPEN, JournalOpen(encode_opening(opening), succession), Done, deadline_s=20)


async def begin_at(member: Connection) -> None:
    await prepare_at(member)
    await open_at(member)


async def append(member: Connection, first: int, entries: list[bytes]) -> Tip:
    question = JournalAppend(NAMESPACE, 1, first, tuple(len(entry) for entry in entries), None)
    answer = await member.ask(Kind.JOURNAL_APPEND, question, JournalTailReply, deadline_s=20, payload=entries)
    assert answer.message.epoch == 1
    return Tip(answer.message.length, answer.message.head)


async def copy(member: Connection, first: int, entries: list[bytes], opening: Opening = OPENING) -> Tip:
    question = JournalCopy(encode_opening(opening), b"", first, tuple(len(entry) for entry in entries))
    answer = await member.ask(Kind.JOURNAL_COPY, question, JournalTailReply, deadline_s=20, payload=entries)
    assert answer.message.is_fenced
    return Tip(answer.message.length, answer.message.head)


async def read(member: Connection, first: int, size_bytes_max: int) -> list[bytes]:
    into = memoryview(bytearray(2 * ENTRY_BYTES_MAX))
    question = JournalRead(NAMESPACE, 1, first, size_bytes_max)
    answer = await member.ask(Kind.JOURNAL_READ, question, JournalReadReply, deadline_s=20, into=into)
    assert answer.message.opening == encode_opening(OPENING)
    entries, place = [], 0
    for size_bytes in answer.message.sizes_bytes:
        entries.append(bytes(into[place : place + size_bytes]))
        place += size_bytes
    assert place == answer.payload_bytes
    return entries


async def test_entries_are_kept_and_given_back() -> None:
    chain = chain_of(10)
    async with holder() as member:
        await begin_at(member)
        await begin_at(member)
        assert (await append(member, 0, chain[:4])).length == 4
        assert await append(member, 2, chain[2:]) == check_chain(OPENING, start_of(OPENING), chain)
        tail = await member.ask(Kind.JOURNAL_TAIL, JournalTail(NAMESPACE, 1), JournalTailReply, deadline_s=20)
        assert tail.message.length == 10
        assert await read(member, 0, 10**6) == chain
        assert await read(member, 9, 1) == chain[9:]
        assert await read(member, 10, 1) == []


async def test_a_reader_that_does_not_take_what_it_asked_for_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    chain = chain_of(4, inline_bytes=MIB // 2)
    question = JournalRead(NAMESPACE, 1, 0, 4 * MIB)
    async with holder() as member:
        await begin_at(member)
        await append(member, 0, chain)
        async with member.open(Kind.JOURNAL_READ, question, payload_bytes=0) as exchange:
            await exchange.reply(JournalReadReply)
            await trio.sleep(6)  # nothing is received meanwhile: no more room than the first window is granted
            with pytest.raises(Unavailable, match="payload-slow"):
                await exchange.receive_into(memoryview(bytearray(3 * MIB)))


async def test_an_epoch_that_is_not_held_is_missing() -> None:
    async with holder() as member:
        with pytest.raises(Missing, match="journal-epoch"):
            await append(member, 0, chain_of(1))
        with pytest.raises(Missing, match="journal-epoch"):
            await read(member, 0, 100)


async def test_a_gap_is_refused_with_the_length_and_a_fork_as_forged() -> None:
    chain = chain_of(6)
    async with holder() as member:
        await begin_at(member)
        await append(member, 0, chain[:2])
        with pytest.raises(Unavailable, match="journal-gap") as caught:
            await append(member, 4, chain[4:])
        assert caught.value.parameters["length"] == 2
        with pytest.raises(Forged):
            await append(member, 1, chain_of(2, inline_bytes=7)[1:])


async def test_a_flipped_bit_in_an_entry_is_refused() -> None:
    entry = bytearray(chain_of(1)[0])
    entry[-1] ^= 1
    async with holder() as member:
        await begin_at(member)
        with pytest.raises(Forged, match="signature"):
            await append(member, 0, [bytes(entry)])
        assert await read(member, 0, 100) == []


async def test_only_named_holders_hold() -> None:
    async with holder(me=node_id("stranger")) as member:
        with pytest.raises(Refused, match="journal-not-holder"):
            await prepare_at(member)
        with pytest.raises(Refused, match="journal-not-holder"):
            await open_at(member)


async def test_only_the_gateway_itself_has_its_opening_prepared() -> None:
    async with holder(asker="gamma") as member:
        with pytest.raises(Refused, match="journal-not-gateway"):
            await prepare_at(member)


async def test_a_gateway_whose_secrets_were_replaced_has_nothing_prepared() -> None:
    async with holder(generation=2) as member:
        with pytest.raises(Refused, match="journal-generation"):
            await prepare_at(member)
        await prepare_at(member, CIRCLE.gateway("alpha", 2).opening(PLACING))


async def test_an_opening_that_was_not_prepared_here_is_not_opened() -> None:
    async with holder() as member:
        with pytest.raises(Missing, match="journal-epoch"):
            await open_at(member)


async def test_a_later_epoch_is_opened_with_the_proof_of_its_decision_alone() -> None:
    decree = GATEWAY.decree(OPENING, start_of(OPENING), PLACING)
    proof = CIRCLE.succession(OPENING, GATEWAY.proposal(OPENING, decree))
    others = CIRCLE.succession(
        OPENING, GATEWAY.proposal(OPENING, CIRCLE.gateway("beta").decree(OPENING, start_of(OPENING), PLACING))
    )
    async with holder() as member:
        await prepare_at(member, decree)
        for wrong in (b"", encode_succession(others)):
            with pytest.raises(Forged, match="succession-decree"):
                await open_at(member, decree, wrong)
        too_few = dataclasses.replace(proof, acceptances=proof.acceptances[:1])
        with pytest.raises(Forged, match="succession-quorum"):
            await open_at(member, decree, encode_succession(too_few))
        await open_at(member, decree, encode_succession(proof))


async def test_before_the_card_came_a_journal_may_open_but_takes_nothing() -> None:
    async with holder(knows_namespace=False) as member:
        await begin_at(member)
        with pytest.raises(Unavailable, match="namespace-unknown"):
            await append(member, 0, chain_of(1))


async def test_an_organisation_has_only_so_many_namespaces_that_no_card_announced() -> None:
    roots = [Root(seed(f"namespace {number}")) for number in range(UNKNOWN_MAX + 1)]
    openings = [Gateway(root, "alpha").opening(PLACING) for root in roots]
    async with holder(knows_namespace=False) as member:
        for opening in openings[:-1]:
            await prepare_at(member, opening)
        with pytest.raises(Refused, match="namespaces-unknown"):
            await prepare_at(member, openings[-1])
        await prepare_at(member, openings[0])


async def test_an_opening_with_a_flipped_bit_is_refused() -> None:
    encoded = bytearray(encode_opening(OPENING))
    encoded[-1] ^= 1
    async with holder() as member:
        with pytest.raises(Forged):
            await member.ask(Kind.JOURNAL_PREPARE, JournalPrepare(bytes(encoded)), Done, deadline_s=20)
        with pytest.raises(Forged):
            await member.ask(Kind.JOURNAL_OPEN, JournalOpen(bytes(encoded), b""), Done, deadline_s=20)


async def test_appends_that_overtake_each_other_are_taken_in_their_order() -> None:
    """Large ones and small ones, all sent at once: none is told of a gap."""
    chain: list[bytes] = []
    tip = start_of(OPENING)
    for number in range(16):
        chain += GATEWAY.chain(OPENING, tip, 1, inline_bytes=300_000 if number % 3 == 0 else 100)
        tip = check_chain(OPENING, start_of(OPENING), chain)
    async with holder() as member:
        await begin_at(member)
        async with trio.open_nursery() as nursery:
            for number, entry in enumerate(chain):
                nursery.start_soon(append, member, number, [entry])
        assert await append(member, 0, chain[:1]) == tip


async def test_an_append_that_comes_a_moment_before_its_forerunner_waits_for_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    chain = chain_of(2)
    async with holder() as member:
        await begin_at(member)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(append, member, 1, chain[1:])
            await trio.sleep(0.02)
            nursery.start_soon(append, member, 0, chain[:1])
        assert (await append(member, 0, chain[:1])).length == 2


async def test_an_append_waits_for_those_before_it_only_so_long(autojump_clock: trio.testing.MockClock) -> None:
    chain = chain_of(2)
    question = JournalAppend(NAMESPACE, 1, 0, (len(chain[0]),), None)
    async with holder() as member:
        await begin_at(member)
        async with member.open(Kind.JOURNAL_APPEND, question, payload_bytes=len(chain[0])) as slow:
            await slow.send([chain[0][:10]])
            with pytest.raises(Unavailable, match="journal-gap"):
                await append(member, 1, chain[1:])
            assert trio.current_time() < 5
            await slow.send([chain[0][10:]])
            await slow.reply(JournalTailReply)


async def test_a_copy_is_kept_for_readers() -> None:
    chain = chain_of(5)
    async with holder(me=node_id("stranger"), asker="gamma") as member:
        assert (await copy(member, 0, chain[:2])).length == 2
        assert (await copy(member, 2, chain[2:])).length == 5
        assert await read(member, 0, 10**6) == chain
        with pytest.raises(Missing, match="journal-epoch"):
            await append(member, 5, chain_of(6)[5:])


async def test_only_what_is_proven_is_copied() -> None:
    decree = GATEWAY.decree(OPENING, start_of(OPENING), PLACING)
    async with holder(me=node_id("stranger")) as member:
        with pytest.raises(Forged, match="succession-decree"):
            await copy(member, 0, GATEWAY.chain(decree, start_of(decree), 1), decree)
        with pytest.raises(Forged, match="signature"):
            await copy(member, 0, [chain_of(1)[0][:-1] + b"?"])
    async with holder(me=node_id("stranger"), knows_namespace=False) as member:
        with pytest.raises(Unavailable, match="namespace-unknown"):
            await copy(member, 0, chain_of(1))


async def test_an_append_is_bounded_and_must_be_what_it_announces() -> None:
    async with holder() as member:
        await begin_at(member)
        question = JournalAppend(NAMESPACE, 1, 0, (ENTRY_BYTES_MAX,) * 5, None)
        with pytest.raises(OverLimit, match="journal-append-size"):
            await member.ask(Kind.JOURNAL_APPEND, question, JournalTailReply, deadline_s=20)
        question = JournalAppend(NAMESPACE, 1, 0, (100, 200), None)
        with pytest.raises(Malformed, match="journal-append"):
            await member.ask(Kind.JOURNAL_APPEND, question, JournalTailReply, deadline_s=20, payload=[b"x" * 299])


async def test_an_organisation_has_only_so_much_room_for_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = chain_of(8, inline_bytes=10_000)
    monkeypatch.setattr("node.mesh.share_law.JOURNALS_BYTES_LEAST", 45_000)
    monkeypatch.setattr("node.mesh.share_law.allowance_bytes", lambda *_of: 0)
    async with holder() as member:
        await begin_at(member)
        await append(member, 0, chain[:4])
        with pytest.raises(Refused, match="quota-reached"):
            await append(member, 4, chain[4:5])
        with pytest.raises(Refused, match="quota-reached"):
            await copy(member, 4, chain[4:5])


async def test_a_candidate_completes_a_holder_of_a_gateway_that_is_gone() -> None:
    """The members expelled the gateway's organisation; whoever has the sheet still succeeds it."""
    chain = chain_of(3)
    ballot = CIRCLE.gateway("gamma", 2).candidacy(OPENING).ballot
    sizes = tuple(map(len, chain))
    async with holder(knows_namespace=False) as member:
        await begin_at(member)
        with pytest.raises(Unavailable, match="namespace-unknown"):
            await append(member, 0, chain)
        # Let past the law, it is still refused what nobody promised it.
        with pytest.raises(Refused, match="journal-promised"):
            await member.ask(
                Kind.JOURNAL_APPEND,
                JournalAppend(NAMESPACE, 1, 0, sizes, ballot),
                JournalTailReply,
                deadline_s=20,
                payload=chain,
            )
