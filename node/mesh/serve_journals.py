"""Holding other members' journals: open an epoch here, take these entries, how far do you go, what do you have?

A holder checks what it can without any key: that the namespace is a member's, that it names this node as a holder,
and that every entry goes on from the last in its writer's own hand. It never answers more than it has on its disk.
The hand-over of a journal to its next epoch is reserved: asked for it, a node says that it cannot yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from node.host.ports import Host
from node.mesh.share_law import ShareLaw
from node.mesh.turns import Turns, in_time
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.store.journals import JournalStore
from protocol.errors import Malformed, OverLimit, Refused
from protocol.ids import NamespaceId, NodeId
from protocol.limits import MIB
from protocol.members.view import View
from protocol.namespace.journal import Tip, decode_opening
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

APPEND_BYTES_MAX: Final = 4 * MIB
READ_ENTRIES_MAX: Final = 4_096
TURNS_MOST: Final = 16
TURNS_MOST_EACH: Final = 4
RECEIVE_S: Final = 30.0

_RESERVED: Final = (
    Kind.JOURNAL_PREPARE,
    Kind.SUCCESSION_PROMISE,
    Kind.SUCCESSION_ACCEPT,
    Kind.SUCCESSION_LEARN,
    Kind.JOURNAL_COPY,
    Kind.SUCCESSION_ASK,
    Kind.JOURNAL_RELEASE,
)


class JournalServer:
    """Handlers for JOURNAL_OPEN, _APPEND, _TAIL and _READ, over this node's journals and view."""

    def __init__(
        self, host: Host, journals: JournalStore, view: View, me: NodeId, *, receive_s: float = RECEIVE_S
    ) -> None:
        self._faults = host.faults
        self._journals = journals
        self._law = ShareLaw(view, me)
        self._me = me
        self._turns = Turns(most=TURNS_MOST, most_each=TURNS_MOST_EACH)
        self._receive_s = receive_s

    def handlers(self) -> Mapping[Kind, Handler]:
        served: dict[Kind, Handler] = {
            Kind.JOURNAL_OPEN: self.serve_open,
            Kind.JOURNAL_APPEND: self.serve_append,
            Kind.JOURNAL_TAIL: self.serve_tail,
            Kind.JOURNAL_READ: self.serve_read,
        }
        return served | dict.fromkeys(_RESERVED, serve_not_yet)

    async def serve_open(self, exchange: Exchange) -> None:
        """Begin to hold an epoch.

        Raises:
            Unavailable: `namespace-unknown`. Refused: `gateway-not-member`, `journal-writer`, `journal-not-holder`,
                `journal-opening-other`. Malformed, Forged: an opening that does not verify.
        """
        encoded = exchange.decode(JournalOpen).opening
        opening = decode_opening(encoded)
        namespace = self._law.writable_namespace(opening.namespace)
        if (opening.certificate.writer, opening.epoch) != (namespace.writer, namespace.epoch):
            raise Refused("journal-writer", namespace=opening.namespace, epoch=opening.epoch)
        if self._me not in opening.holders:
            raise Refused("journal-not-holder", namespace=opening.namespace, epoch=opening.epoch)
        await self._journals.open_epoch(encoded)
        await exchange.answer(Done())

    async def serve_append(self, exchange: Exchange) -> None:
        """Keep entries; answered once they are durable.

        Raises:
            Missing, Forged, Malformed, OverLimit, Unavailable: from `JournalStore.append`.
            OverLimit: `journal-append-size`. Malformed: `journal-append` when the payload is not what is announced.
        """
        question = exchange.decode(JournalAppend)
        self._law.writable_namespace(question.namespace)
        total_bytes = sum(question.sizes_bytes)
        if total_bytes > APPEND_BYTES_MAX:
            raise OverLimit("journal-append-size", size_bytes=total_bytes, limit_bytes=APPEND_BYTES_MAX)
        if exchange.payload_bytes != total_bytes:
            raise Malformed("journal-append", size_bytes=exchange.payload_bytes or 0)
        async with self._turns.of(exchange.peer.node):
            entries = _split(await self._receive(exchange, total_bytes), question.sizes_bytes)
            tip = await self._journals.append(question.namespace, question.epoch, question.first, entries)
        await self._faults.reach("serve.before-append-answer")
        await exchange.answer(_reply(question.epoch, tip))

    async def _receive(self, exchange: Exchange, size_bytes: int) -> memoryview:
        buffer = memoryview(bytearray(size_bytes))
        with in_time(self._receive_s, size_bytes):
            received = await exchange.receive_into(buffer)
            if received != size_bytes:
                raise Malformed("journal-append", size_bytes=received)
        return buffer

    async def serve_tail(self, exchange: Exchange) -> None:
        """Raises Missing(`journal-epoch`)."""
        question = exchange.decode(JournalTail)
        await exchange.answer(_reply(question.epoch, await self._journals.tail(question.namespace, question.epoch)))

    async def serve_read(self, exchange: Exchange) -> None:
        """Raises Missing(`journal-epoch`), Damaged(`journal-damaged`), Unavailable(`payload-slow`)."""
        question = exchange.decode(JournalRead)
        async with self._turns.of(exchange.peer.node):
            opening, entries = await self._read(question)
            sizes = tuple(len(entry) for entry in entries)
            with in_time(self._receive_s, sum(sizes)):
                await exchange.answer(JournalReadReply(opening, b"", sizes), entries)

    async def _read(self, question: JournalRead) -> tuple[bytes, Sequence[bytes]]:
        namespace, epoch = NamespaceId(question.namespace), question.epoch
        opening = await self._journals.opening(namespace, epoch)
        entries = await self._journals.read(namespace, epoch, question.first, question.size_bytes_max)
        return opening, entries[:READ_ENTRIES_MAX]


async def serve_not_yet(exchange: Exchange) -> None:
    """A kind of request whose number is reserved. Raises Refused(`not-yet`)."""
    raise Refused("not-yet", kind=exchange.kind)


def _split(payload: memoryview, sizes_bytes: Sequence[int]) -> list[memoryview]:
    entries = []
    place = 0
    for size_bytes in sizes_bytes:
        entries.append(payload[place : place + size_bytes])
        place += size_bytes
    return entries


def _reply(epoch: int, tip: Tip) -> JournalTailReply:
    return JournalTailReply(epoch=epoch, length=tip.length, head=tip.head, is_fenced=False)
