"""Holders that lie about journals: what they keep, how far it goes, and whom they follow.

A journal with six holders bears one of these beside two that are gone: any four that have an entry share an honest
one with any four that answer, so what was acknowledged is always shown by somebody who tells the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from node.host.ports import Buffer
from node.net.connection import Handler
from node.net.exchange import Exchange
from protocol.errors import Refused
from protocol.ids import NamespaceId
from protocol.namespace.journal import Tip, decode_entry, entry_hash
from protocol.requests import (
    JournalAppend,
    JournalRead,
    JournalReadReply,
    JournalTail,
    JournalTailReply,
    Kind,
)
from protocol.succession.ballot import COUNTER_MAX, decode_candidacy
from protocol.succession.proposal import decode_proposal
from protocol.succession.requests import (
    AcceptReply,
    PromiseReply,
    SuccessionAccept,
    SuccessionAsk,
    SuccessionAskReply,
    SuccessionPromise,
)
from protocol.succession.succession import sign_acceptance
from sim.byzantine.liar import Liar, Lie, answering, swallow

Epoch = tuple[NamespaceId, int]


def forgets_entries(liar: Liar) -> Lie:
    """Says that entries are kept, and keeps none: at a succession it shows a journal without them.

    The writer counts it among those that have an entry; a candidate reads what the others show.
    """

    async def append(exchange: Exchange, _honest: Handler) -> None:
        question = exchange.decode(JournalAppend)
        payload = await swallow(exchange)
        end_bytes = list(accumulate(question.sizes_bytes))[-1]
        last = decode_entry(payload[end_bytes - question.sizes_bytes[-1] : end_bytes])
        liar.tells("that entries are kept", count=len(question.sizes_bytes))
        await exchange.answer(JournalTailReply(question.epoch, last.position + 1, entry_hash(last), is_fenced=False))

    return Lie({Kind.JOURNAL_APPEND: append})


def shows_old_journal(liar: Liar) -> Lie:
    """Keeps entries, but shows each epoch as it was when it first spoke of it: a disk put back, said to be fresh.

    What it acknowledged once counts for ever; a shorter journal is a true beginning, and others show the rest.
    """
    past = _Past(liar)
    return Lie(
        {
            Kind.JOURNAL_APPEND: past.append,
            Kind.JOURNAL_TAIL: past.tail,
            Kind.JOURNAL_READ: past.read,
            Kind.SUCCESSION_PROMISE: past.promise,
            Kind.SUCCESSION_ASK: past.ask,
        }
    )


class _Past:
    """Answers out of what was once true."""

    def __init__(self, liar: Liar) -> None:
        self._liar = liar
        self._tips: dict[Epoch, Tip] = {}
        self._epochs: dict[NamespaceId, SuccessionAskReply] = {}

    async def append(self, exchange: Exchange, honest: Handler) -> None:
        question = exchange.decode(JournalAppend)

        def note(reply: Any, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
            self._tips.setdefault((question.namespace, question.epoch), Tip(reply.length, reply.head))
            return reply, payload

        await answering(note)(exchange, honest)

    async def tail(self, exchange: Exchange, honest: Handler) -> None:
        question = exchange.decode(JournalTail)

        def shorten(reply: Any, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
            tip = self._as_before((question.namespace, question.epoch), Tip(reply.length, reply.head))
            return JournalTailReply(question.epoch, *tip, is_fenced=reply.is_fenced), payload

        await answering(shorten)(exchange, honest)

    async def read(self, exchange: Exchange, honest: Handler) -> None:
        question = exchange.decode(JournalRead)

        def shorten(reply: Any, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
            tip = self._tips.get((question.namespace, question.epoch))
            count = len(payload) if tip is None else max(0, tip.length - question.first)
            return JournalReadReply(reply.opening, reply.succession, reply.sizes_bytes[:count]), payload[:count]

        await answering(shorten)(exchange, honest)

    async def promise(self, exchange: Exchange, honest: Handler) -> None:
        candidacy = decode_candidacy(exchange.decode(SuccessionPromise).candidacy)

        def shorten(reply: Any, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
            tip = self._as_before((candidacy.namespace, candidacy.epoch), Tip(reply.length, reply.head))
            return PromiseReply(*tip, b""), payload

        await answering(shorten)(exchange, honest)

    async def ask(self, exchange: Exchange, honest: Handler) -> None:
        namespace = exchange.decode(SuccessionAsk).namespace

        def as_first(reply: Any, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
            return self._epochs.setdefault(namespace, reply), payload

        await answering(as_first)(exchange, honest)

    def _as_before(self, epoch: Epoch, found: Tip) -> Tip:
        tip = self._tips.setdefault(epoch, found)
        if tip != found:
            self._liar.tells("that a journal is shorter", length=tip.length, is_length=found.length)
        return tip


def signs_anything(liar: Liar) -> Lie:
    """Promises every candidate to follow it alone, accepts what each proposes, and binds itself by nothing.

    So two candidates may both have its promise, and two decrees its signature in one ballot. Any two sets of
    acceptances that decide share an honest holder, which does no such thing.
    """
    tips: dict[Epoch, Tip] = {}

    async def append(exchange: Exchange, honest: Handler) -> None:
        question = exchange.decode(JournalAppend)

        def note(reply: Any, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
            tips[question.namespace, question.epoch] = Tip(reply.length, reply.head)
            return reply, payload

        await answering(note)(exchange, honest)

    async def promise(exchange: Exchange, honest: Handler) -> None:
        candidacy = decode_candidacy(exchange.decode(SuccessionPromise).candidacy)
        tip = tips.get((candidacy.namespace, candidacy.epoch))
        if tip is None:
            await honest(exchange)
            return
        liar.tells("that it follows this candidate alone", counter=candidacy.ballot.counter)
        await exchange.answer(PromiseReply(*tip, b""))

    async def accept(exchange: Exchange, _honest: Handler) -> None:
        proposal = decode_proposal(exchange.decode(SuccessionAccept).proposal)
        liar.tells("that it accepted", counter=proposal.ballot.counter)
        await exchange.answer(AcceptReply(sign_acceptance(liar.key, proposal)))

    return Lie({Kind.JOURNAL_APPEND: append, Kind.SUCCESSION_PROMISE: promise, Kind.SUCCESSION_ACCEPT: accept})


def claims_higher_ballot(liar: Liar) -> Lie:
    """Tells the writer that it is being succeeded, and every candidate that a higher ballot has its promise.

    As many as may lie are not believed: the writer writes on with the others, and a candidate does not raise its
    ballot for them.
    """

    async def tail(exchange: Exchange, honest: Handler) -> None:
        def fence(reply: Any, payload: Sequence[Buffer]) -> tuple[object, Sequence[Buffer]]:
            liar.tells("that the writer is being succeeded")
            return JournalTailReply(reply.epoch, reply.length, reply.head, is_fenced=True), payload

        await answering(fence)(exchange, honest)

    async def promise(exchange: Exchange, _honest: Handler) -> None:
        candidacy = decode_candidacy(exchange.decode(SuccessionPromise).candidacy)
        liar.tells("that another has its promise")
        raise Refused(
            "journal-promised",
            namespace=candidacy.namespace,
            epoch=candidacy.epoch,
            counter=COUNTER_MAX,
            generation=candidacy.certificate.generation,
            writer=candidacy.certificate.writer,
        )

    return Lie({Kind.JOURNAL_TAIL: tail, Kind.SUCCESSION_PROMISE: promise})
