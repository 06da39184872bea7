"""Holding other members' journals: prepare and open an epoch, take entries, how far do you go, what do you have?

A holder checks what it can without any key: that the namespace is a member's, that it names this node as a holder,
and that every entry goes on from the last in its writer's own hand. It never answers more than it has on its disk.
How an epoch ends is served next door (`node.mesh.serve_succession`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from node.host.ports import Host
from node.mesh.arrivals import Arrival, Arrivals
from node.mesh.journal_law import JournalLaw, decided_opening
from node.mesh.share_law import ShareLaw
from node.mesh.turns import Turns, in_time
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.store.journals import JournalStore
from protocol.errors import Malformed, OverLimit, Refused, Unavailable
from protocol.ids import NodeId
from protocol.limits import KIB, MIB
from protocol.members.view import View
from protocol.namespace.journal import Buffer, Tip, decode_opening
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

APPEND_BYTES_MAX: Final = 4 * MIB
READ_ENTRIES_MAX: Final = 4_096
SMALL_BYTES_MAX: Final = 128 * KIB
SMALL_TURNS_MOST: Final = 128
SMALL_TURNS_MOST_EACH: Final = 32
TURNS_MOST: Final = 16
TURNS_MOST_EACH: Final = 4
RECEIVE_S: Final = 30.0
PATIENCE_S: Final = 2.0


class JournalServer:
    """Handlers for JOURNAL_PREPARE, _OPEN, _APPEND, _TAIL, _READ and _COPY, over this node's journals and view."""

    def __init__(
        self, host: Host, journals: JournalStore, view: View, me: NodeId, *, receive_s: float = RECEIVE_S
    ) -> None:
        self._faults = host.faults
        self._journals = journals
        self._shares_law = ShareLaw(view, me)
        self._law = JournalLaw(view, me, journals.gateways)
        self._arrivals = Arrivals(patience_s=PATIENCE_S)
        self._small_turns = Turns(most=SMALL_TURNS_MOST, most_each=SMALL_TURNS_MOST_EACH)
        self._turns = Turns(most=TURNS_MOST, most_each=TURNS_MOST_EACH)
        self._receive_s = receive_s

    def handlers(self) -> Mapping[Kind, Handler]:
        return {
            Kind.JOURNAL_PREPARE: self.serve_prepare,
            Kind.JOURNAL_OPEN: self.serve_open,
            Kind.JOURNAL_APPEND: self.serve_append,
            Kind.JOURNAL_TAIL: self.serve_tail,
            Kind.JOURNAL_READ: self.serve_read,
            Kind.JOURNAL_COPY: self.serve_copy,
        }

    async def serve_prepare(self, exchange: Exchange) -> None:
        """Keep an opening that may be decided.

        Raises:
            Refused: from `JournalLaw.check_prepare`; `journal-opening-other`, `journal-past`.
            Malformed, Forged: an opening that does not verify. OverLimit: `journal-epochs-many`.
        """
        encoded, sender = exchange.decode(JournalPrepare).opening, exchange.peer.node
        if sender is None:
            raise Refused("stranger", kind=exchange.kind)
        self._law.check_prepare(decode_opening(encoded), sender)
        await self._journals.prepare(encoded)
        await self._faults.reach("serve.before-prepare-answer")
        await exchange.answer(Done())

    async def serve_open(self, exchange: Exchange) -> None:
        """Begin to hold an epoch whose opening was prepared here, and is decided now.

        Raises:
            Missing: `journal-epoch` when it was not prepared here, or that was lost.
            Refused: `journal-not-holder`, `journal-opening-other`.
            Malformed, Forged: an opening or a succession that does not verify.
        """
        question = exchange.decode(JournalOpen)
        self._law.check_holder(decided_opening(question.opening, question.succession))
        await self._journals.open(question.opening, question.succession)
        await exchange.answer(Done())

    async def serve_append(self, exchange: Exchange) -> None:
        """Keep entries; answered once they are durable.

        Raises:
            Missing, Refused, Forged, Malformed, OverLimit, Unavailable: from `JournalStore.append`.
            Refused: `quota-reached`. OverLimit: `journal-append-size`. Malformed: `journal-append` when the payload
                is not what is announced.
        """
        question = exchange.decode(JournalAppend)
        total_bytes = _announced(exchange, question.sizes_bytes)
        self._check_writing(question, total_bytes)
        lane = (exchange.peer.node, question.namespace, question.epoch)
        with self._arrivals.arriving(lane, question.first) as arrival:
            if total_bytes > SMALL_BYTES_MAX:
                await arrival.before_turn()
            async with self._turns_for(total_bytes).of(exchange.peer.node):
                arrival.take_turn()
                entries = _split(await self._receive(exchange, total_bytes), question.sizes_bytes)
                await arrival.before_work()
                tip = await self._append(question, entries, arrival)
        await self._faults.reach("serve.before-append-answer")
        await exchange.answer(_reply(question.epoch, tip, is_fenced=question.under is not None))

    async def _append(self, question: JournalAppend, entries: Sequence[Buffer], arrival: Arrival) -> Tip:
        """Those before it may come after it: their sender does not wait for answers."""
        while True:
            try:
                return await self._journals.append(
                    question.namespace, question.epoch, question.first, entries, question.under
                )
            except Unavailable as error:
                if error.identifier != "journal-gap" or not await arrival.more_came():
                    raise

    async def serve_copy(self, exchange: Exchange) -> None:
        """Keep a copy of an epoch that this node does not hold; answered once it is durable.

        Raises:
            Unavailable: `namespace-unknown`. Refused: `journal-opening-other`. The rest as `serve_append`.
        """
        question = exchange.decode(JournalCopy)
        opening = decided_opening(question.opening, question.succession)
        namespace = self._law.known_namespace(opening.namespace)
        total_bytes = _announced(exchange, question.sizes_bytes)
        self._shares_law.check_journal_room(namespace, self._journals.stored_bytes, total_bytes)
        async with self._turns_for(total_bytes).of(exchange.peer.node):
            entries = _split(await self._receive(exchange, total_bytes), question.sizes_bytes)
            tip = await self._journals.copy(question.opening, question.succession, question.first, entries)
        await exchange.answer(_reply(opening.epoch, tip, is_fenced=True))

    async def serve_tail(self, exchange: Exchange) -> None:
        """Raises Missing(`journal-epoch`), Unavailable(`journal-not-open`)."""
        question = exchange.decode(JournalTail)
        standing = await self._journals.standing(question.namespace, question.epoch)
        await exchange.answer(_reply(question.epoch, standing.tip, is_fenced=standing.is_fenced))

    async def serve_read(self, exchange: Exchange) -> None:
        """Raises Missing(`journal-epoch`), Damaged(`journal-damaged`), Unavailable(`payload-slow`)."""
        question = exchange.decode(JournalRead)
        async with self._turns.of(exchange.peer.node):
            shown = await self._journals.show(
                question.namespace, question.epoch, question.first, question.size_bytes_max
            )
            entries = shown.entries[:READ_ENTRIES_MAX]
            sizes = tuple(len(entry) for entry in entries)
            with in_time(self._receive_s, sum(sizes)):
                await exchange.answer(JournalReadReply(shown.opening, shown.succession, sizes), entries)

    def _check_writing(self, question: JournalAppend, size_bytes: int) -> None:
        """A candidate brings only what was written already: it may, though the gateway before it is gone for good."""
        if question.under is None:
            namespace = self._shares_law.writable_namespace(question.namespace)
            self._shares_law.check_journal_room(namespace, self._journals.stored_bytes, size_bytes)

    def _turns_for(self, size_bytes: int) -> Turns:
        return self._small_turns if size_bytes <= SMALL_BYTES_MAX else self._turns

    async def _receive(self, exchange: Exchange, size_bytes: int) -> memoryview:
        buffer = memoryview(bytearray(size_bytes))
        with in_time(self._receive_s, size_bytes):
            received = await exchange.receive_into(buffer)
            if received != size_bytes:
                raise Malformed("journal-append", size_bytes=received)
        return buffer


def _announced(exchange: Exchange, sizes_bytes: Sequence[int]) -> int:
    """How much payload is to come. Raises OverLimit(`journal-append-size`), Malformed(`journal-append`)."""
    total_bytes = sum(sizes_bytes)
    if total_bytes > APPEND_BYTES_MAX:
        raise OverLimit("journal-append-size", size_bytes=total_bytes, limit_bytes=APPEND_BYTES_MAX)
    if exchange.payload_bytes != total_bytes:
        raise Malformed("journal-append", size_bytes=exchange.payload_bytes or 0)
    return total_bytes


def _split(payload: memoryview, sizes_bytes: Sequence[int]) -> list[memoryview]:
    entries = []
    place = 0
    for size_bytes in sizes_bytes:
        entries.append(payload[place : place + size_bytes])
        place += size_bytes
    return entries


def _reply(epoch: int, tip: Tip, *, is_fenced: bool) -> JournalTailReply:
    return JournalTailReply(epoch=epoch, length=tip.length, head=tip.head, is_fenced=is_fenced)
