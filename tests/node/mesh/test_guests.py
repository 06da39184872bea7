"""Who comes with a root's certificate may ask for that namespace, and for nothing else; with an old one, nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from node.mesh.guests import SERVED_PER_S
from node.mesh.peers import GUESTS_MAX
from node.net.connection import Connection, connect, dispatch
from node.net.exchange import Answer
from node.net.identity import Credentials
from node.net.settings import NetSettings
from node.vault.sheet import Sheet, read_sheet
from protocol.errors import Forged, MaillonError, Refused, Unavailable
from protocol.ids import BlockId, Digest, NamespaceId, NodeId, PublicKey
from protocol.members.records import encode_record
from protocol.namespace.root import Root, WriterCertificate, certify_writer
from protocol.requests import (
    Done,
    FetchRecords,
    GetLabel,
    HasShares,
    Join,
    JournalAppend,
    JournalRead,
    JournalReadReply,
    JournalTail,
    JournalTailReply,
    Kind,
    NamespaceShow,
    Ping,
    PushRecords,
    ReleaseShares,
)
from protocol.succession.requests import SuccessionAsk, SuccessionAskReply
from protocol.wire.envelopes import Role
from tests.support.members import Party
from tests.support.namespaces import some
from tests.support.rotating import rotate
from tests.support.township import Township, address_of, in_a_township

GUEST = Party(66)
OTHER = NamespaceId(some("another namespace"))
NOT_A_GUESTS = [
    (Kind.PING, Ping(())),
    (Kind.PUSH_RECORDS, PushRecords((b"record",))),
    (Kind.JOIN, Join(b"", (b"record",))),
    (Kind.HAS_SHARES, HasShares((BlockId(bytes(32)),))),
    (Kind.GET_LABEL, GetLabel(BlockId(bytes(32)))),
    (Kind.RELEASE_SHARES, ReleaseShares(b"release")),
    (Kind.JOURNAL_TAIL, JournalTail(OTHER, 1)),
    (Kind.JOURNAL_READ, JournalRead(OTHER, 1, 0, 1)),
    (Kind.SUCCESSION_ASK, SuccessionAsk(OTHER, 1)),
]


def certificate(root: Root, *, node: NodeId = GUEST.node, generation: int = 1) -> WriterCertificate:
    return certify_writer(root, PublicKey(some("writer")), node, generation=generation, from_epoch=1)


@asynccontextmanager
async def at_the_door(township: Township, visitor: Party = GUEST) -> AsyncIterator[Connection]:
    """A connection to n2 in the role of a guest."""
    host = township.world.host("visitor")
    connection = await connect(
        await host.network.dial(address_of(2)),
        Credentials(Role.NAMESPACE, township.houses[2].services.mesh.view.federation, visitor.key),
        expected=None,
        gate=lambda _role, _node: None,
        handler=dispatch({}),
        entropy=host.entropy,
        settings=NetSettings(),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        yield connection
        connection.close()


async def show(connection: Connection, shown: WriterCertificate) -> None:
    await connection.ask(Kind.NAMESPACE_SHOW, NamespaceShow(shown), Done, deadline_s=5)


async def tail_of(connection: Connection, namespace: NamespaceId) -> Answer[JournalTailReply]:
    """The holder's copy, once something is in it: an entry comes to the holders that make it count, and then to the
    others."""
    question = JournalTail(namespace, 1)
    with trio.fail_after(5):
        while True:
            tail = await connection.ask(Kind.JOURNAL_TAIL, question, JournalTailReply, deadline_s=5)
            if tail.message.length:
                return tail
            await trio.sleep(0.1)


def with_a_namespace(main: Callable[[Township, Sheet], Awaitable[None]]) -> None:
    """A township of three whose n1 has a namespace with one object in its journal."""

    async def live(township: Township) -> None:
        await township.grow(3)
        created = await township.on(1, lambda services: services.vault.create_namespace("photos"))
        await township.client().put("key", b"small")
        await township.until_settled()
        await main(township, read_sheet(created.sheet))

    in_a_township(live)


def test_with_the_roots_word_a_stranger_reads_the_journal_and_the_records() -> None:
    async def main(township: Township, sheet: Sheet) -> None:
        namespace = sheet.root.namespace
        async with at_the_door(township) as door:
            await show(door, certificate(sheet.root))
            asked = await door.ask(Kind.SUCCESSION_ASK, SuccessionAsk(namespace, 1), SuccessionAskReply, deadline_s=5)
            assert [held.epoch for held in asked.message.epochs] == [1]
            tail = await tail_of(door, namespace)
            read = JournalRead(namespace, 1, 0, 1_000_000)
            room = memoryview(bytearray(1_000_000))
            found = await door.ask(Kind.JOURNAL_READ, read, JournalReadReply, deadline_s=5, into=room)
            assert len(found.message.sizes_bytes) == tail.message.length
            view = township.houses[2].services.mesh.view
            wanted = view.ids()[0]
            ids = FetchRecords((Digest(wanted),))
            fetched = await door.ask(Kind.FETCH_RECORDS, ids, PushRecords, deadline_s=5)
            record = view.get(wanted)
            assert record is not None
            assert fetched.message.records == (encode_record(record),)

    with_a_namespace(main)


def test_it_may_ask_nothing_before_and_nothing_else_after() -> None:
    async def main(township: Township, sheet: Sheet) -> None:
        namespace = sheet.root.namespace
        mine = [
            (Kind.JOURNAL_TAIL, JournalTail(namespace, 1)),
            (Kind.FETCH_RECORDS, FetchRecords((Digest(bytes(32)),))),
        ]
        async with at_the_door(township) as door:
            for kind, question in (*NOT_A_GUESTS, *mine):
                with pytest.raises(Refused, match="stranger"):
                    await door.ask(kind, question, Done, deadline_s=5)
            await show(door, certificate(sheet.root))
            for kind, question in NOT_A_GUESTS:
                with pytest.raises(Refused, match="stranger"):
                    await door.ask(kind, question, Done, deadline_s=5)
            writing = JournalAppend(namespace, 1, 0, (1,), None)
            with pytest.raises(Refused, match="stranger"):
                await door.ask(Kind.JOURNAL_APPEND, writing, JournalTailReply, deadline_s=5, payload=[b"x"])

    with_a_namespace(main)


def test_a_certificate_opens_only_for_the_node_it_names_the_newest_generation_and_a_known_namespace() -> None:
    async def main(township: Township, sheet: Sheet) -> None:
        forged = certificate(sheet.root, generation=1)
        tampered = WriterCertificate(
            forged.namespace, forged.writer, forged.node, 2, forged.from_epoch, forged.signature
        )
        cases: list[tuple[WriterCertificate, type[MaillonError], str]] = [
            (certificate(sheet.root, node=Party(67).node), Forged, "namespace-node"),
            (tampered, Forged, "signature"),
            (certificate(Root(some("nobody's"))), Unavailable, "namespace-unknown"),
        ]
        async with at_the_door(township) as door:
            for shown, family, identifier in cases:
                with pytest.raises(family, match=identifier):
                    await show(door, shown)
            with pytest.raises(Refused, match="stranger"):
                await door.ask(
                    Kind.JOURNAL_TAIL, JournalTail(sheet.root.namespace, 1), JournalTailReply, deadline_s=5
                )

    with_a_namespace(main)


def test_a_guest_inside_is_put_out_when_its_generation_is_replaced() -> None:
    async def main(township: Township, sheet: Sheet) -> None:
        namespace = sheet.root.namespace
        async with at_the_door(township) as door:
            await show(door, certificate(sheet.root))
            await rotate(township, sheet, 1)
            with pytest.raises(Refused, match="journal-generation"):
                await door.ask(Kind.JOURNAL_TAIL, JournalTail(namespace, 1), JournalTailReply, deadline_s=5)
            with pytest.raises(Refused, match="journal-generation"):
                await show(door, certificate(sheet.root))
            await show(door, certificate(sheet.root, generation=2))
            await door.ask(Kind.SUCCESSION_ASK, SuccessionAsk(namespace, 1), SuccessionAskReply, deadline_s=5)

    with_a_namespace(main)


def test_guests_are_few_and_served_at_a_bounded_pace() -> None:
    async def main(township: Township, sheet: Sheet) -> None:
        namespace = sheet.root.namespace
        async with at_the_door(township) as door:
            await show(door, certificate(sheet.root))
            began_s = trio.current_time()
            for _ in range(2 * SERVED_PER_S):
                await door.ask(Kind.SUCCESSION_ASK, SuccessionAsk(namespace, 1), SuccessionAskReply, deadline_s=5)
            assert trio.current_time() - began_s >= 0.99
            async with trio.open_nursery() as nursery:
                crowd = [Party(100 + number) for number in range(GUESTS_MAX)]
                closed = [False] * len(crowd)

                async def linger(place: int) -> None:
                    try:
                        async with at_the_door(township, crowd[place]) as other:
                            await trio.sleep(5)
                            closed[place] = other.closed
                    except MaillonError:
                        closed[place] = True

                for place in range(len(crowd)):
                    nursery.start_soon(linger, place)
            assert closed.count(True) == 1

    with_a_namespace(main)
