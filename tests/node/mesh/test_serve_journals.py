"""A holder of a journal keeps what its writer signed, in order, and answers for what it has on its disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

from node.mesh.serve_journals import JournalServer
from node.net.connection import Connection
from node.store.journals import JournalStore
from protocol.errors import Forged, Malformed, Missing, OverLimit, Refused, Unavailable
from protocol.ids import Digest, NodeId
from protocol.keys.signing import SigningKey
from protocol.limits import ENTRY_BYTES_MAX, MIB
from protocol.namespace.journal import (
    Ending,
    Opening,
    Tip,
    check_chain,
    encode_entry,
    encode_opening,
    sign_entry,
    sign_opening,
    start_of,
)
from protocol.namespace.quorums import quorum
from protocol.namespace.root import Root, certify_writer
from protocol.namespace.salted import salted_size
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
from tests.support.crashing import Machine
from tests.support.federations import node_id, seed
from tests.support.serving import ME, NAMESPACE, PLACING, WRITER, asking, view_of


def opening_of(*, writer: SigningKey = WRITER, holders: tuple[NodeId, ...] = PLACING, epoch: int = 1) -> Opening:
    certificate = certify_writer(
        Root(seed("namespace town")), writer.public, node_id("alpha"), generation=1, from_epoch=1
    )
    return sign_opening(
        writer,
        certificate,
        epoch=epoch,
        holders=holders,
        quorum=quorum(len(holders)),
        wrapped_key=bytes(salted_size(32)),
        previous=None if epoch == 1 else Ending(Digest(bytes(32)), 0, Digest(bytes(32))),
    )


OPENING = opening_of()


def chain_of(length: int, *, inline_bytes: int = 100) -> list[bytes]:
    entries: list[bytes] = []
    tip = start_of(OPENING)
    for number in range(length):
        entries.append(encode_entry(sign_entry(WRITER, OPENING, tip, b"sealed", bytes([number]) * inline_bytes)))
        tip = check_chain(OPENING, tip, entries[-1:])
    return entries


@asynccontextmanager
async def holder(*, knows_namespace: bool = True, me: NodeId = ME) -> AsyncIterator[Connection]:
    host = Machine(1).host()
    journals = JournalStore(host)
    server = JournalServer(host, journals, view_of(knows_namespace=knows_namespace), me, receive_s=5.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(journals.run)
        async with asking(server.handlers()) as member:
            yield member
        nursery.cancel_scope.cancel()


async def open_at(member: Connection, opening: Opening = OPENING) -> None:
    await member.ask(Kind.JOURNAL_OPEN, JournalOpen(encode_opening(opening), b""), Done, deadline_s=20)


async def append(member: Connection, first: int, entries: list[bytes]) -> Tip:
    question = JournalAppend(NAMESPACE, 1, first, tuple(len(entry) for entry in entries), None)
    answer = await member.ask(Kind.JOURNAL_APPEND, question, JournalTailReply, deadline_s=20, payload=entries)
    assert answer.message.epoch == 1
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
        await open_at(member)
        await open_at(member)
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
        await open_at(member)
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
        await open_at(member)
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
        await open_at(member)
        with pytest.raises(Forged, match="signature"):
            await append(member, 0, [bytes(entry)])
        assert await read(member, 0, 100) == []


async def test_only_named_holders_hold() -> None:
    async with holder(me=node_id("stranger")) as member:
        with pytest.raises(Refused, match="journal-not-holder"):
            await open_at(member)


@pytest.mark.parametrize("wrong", ["writer", "epoch"])
async def test_only_the_present_writer_opens_the_present_epoch(wrong: str) -> None:
    other = SigningKey.from_seed(b"?" * 32)
    opening = opening_of(writer=other) if wrong == "writer" else opening_of(epoch=2)
    async with holder() as member:
        with pytest.raises(Refused, match="journal-writer"):
            await open_at(member, opening)


async def test_strangers_namespaces_are_not_held() -> None:
    async with holder(knows_namespace=False) as member:
        with pytest.raises(Unavailable, match="namespace-unknown"):
            await open_at(member)


async def test_an_opening_with_a_flipped_bit_is_refused() -> None:
    encoded = bytearray(encode_opening(OPENING))
    encoded[-1] ^= 1
    async with holder() as member:
        with pytest.raises(Forged):
            await member.ask(Kind.JOURNAL_OPEN, JournalOpen(bytes(encoded), b""), Done, deadline_s=20)


async def test_an_append_is_bounded_and_must_be_what_it_announces() -> None:
    async with holder() as member:
        await open_at(member)
        question = JournalAppend(NAMESPACE, 1, 0, (ENTRY_BYTES_MAX,) * 5, None)
        with pytest.raises(OverLimit, match="journal-append-size"):
            await member.ask(Kind.JOURNAL_APPEND, question, JournalTailReply, deadline_s=20)
        question = JournalAppend(NAMESPACE, 1, 0, (100, 200), None)
        with pytest.raises(Malformed, match="journal-append"):
            await member.ask(Kind.JOURNAL_APPEND, question, JournalTailReply, deadline_s=20, payload=[b"x" * 299])


@dataclass(frozen=True, slots=True)
class Nothing:
    """Whatever a succession will ask."""


@pytest.mark.parametrize(
    "kind", [Kind.SUCCESSION_PROMISE, Kind.SUCCESSION_ACCEPT, Kind.SUCCESSION_LEARN, Kind.JOURNAL_COPY]
)
async def test_the_hand_over_is_reserved(kind: Kind) -> None:
    async with holder() as member:
        with pytest.raises(Refused, match="not-yet") as caught:
            await member.ask(kind, Nothing(), Done, deadline_s=20)
        assert caught.value.parameters["kind"] == int(kind)
