"""Serving shares to the other members: keep this one, give me that one, which do you hold?

A share's bytes are received straight into a buffer that begins at a page, checked leaf by leaf in a thread, and go
from there to the disk without another copy. The answer to a PUT is sent when they are durable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Final

import trio

from node.host.ports import Host
from node.mesh.share_law import Judged, ShareLaw
from node.mesh.turns import Turns, in_time
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.net.failures import failure_of
from node.store.buffers import BufferPool
from node.store.reading import Wanted
from node.store.shares import ShareKey, StoredShare
from node.store.store import Store
from node.store.volume import SHARE_STEP_BYTES, rounded
from protocol.coding.label import verify_leaves
from protocol.errors import Forged, MaillonError, OverLimit
from protocol.ids import NodeId, OrganisationId
from protocol.limits import SHARES_PER_CALL_BYTES_MAX
from protocol.members.view import View
from protocol.requests import (
    Done,
    FoundShare,
    GetLabel,
    GetShare,
    GetShares,
    GetSharesReply,
    HasShares,
    HasSharesReply,
    Kind,
    PutShare,
    PutShares,
    PutSharesReply,
    ShareReply,
)
from protocol.wire import schema

TURNS_MOST: Final = 16
TURNS_MOST_EACH: Final = 4
JUDGED_AT_ONCE: Final = 4
RECEIVE_S: Final = 30.0


class ShareServer:
    """Handlers for PUT_SHARE, GET_SHARE, HAS_SHARES and GET_LABEL, over this node's store and view."""

    def __init__(self, host: Host, store: Store, view: View, me: NodeId, *, receive_s: float = RECEIVE_S) -> None:
        self._threads = host.threads
        self._faults = host.faults
        self._store = store
        self._law = ShareLaw(view, me)
        self._pool = BufferPool()
        self._turns = Turns(most=TURNS_MOST, most_each=TURNS_MOST_EACH)
        self._receive_s = receive_s
        self._coming_bytes: defaultdict[OrganisationId, int] = defaultdict(int)

    def handlers(self) -> Mapping[Kind, Handler]:
        return {
            Kind.PUT_SHARE: self.serve_put,
            Kind.PUT_SHARES: self.serve_put_several,
            Kind.GET_SHARE: self.serve_get,
            Kind.GET_SHARES: self.serve_get_several,
            Kind.HAS_SHARES: self.serve_has,
            Kind.GET_LABEL: self.serve_label,
        }

    async def serve_put(self, exchange: Exchange) -> None:
        """Judge, receive, check, store, answer.

        Raises:
            Malformed, OverLimit, Forged, Refused: from `ShareLaw.judge`; Forged also for bytes that do not match.
            Unavailable: `payload-slow`; what the store raises.
        """
        (outcome,) = await self._keep(exchange, [exchange.decode(PutShare)])
        if outcome is not None:
            raise outcome
        await self._faults.reach("serve.before-put-answer")
        await exchange.answer(Done())

    async def serve_put_several(self, exchange: Exchange) -> None:
        """As `serve_put` for each share, with one check and one write for all.

        Raises:
            What the law says of any of them: then none is kept, and the asker sends them one by one.
        """
        outcomes = await self._keep(exchange, exchange.decode(PutShares).shares)
        await self._faults.reach("serve.before-put-answer")
        encoded = tuple(b"" if error is None else schema.encode(failure_of(error)) for error in outcomes)
        await exchange.answer(PutSharesReply(encoded))

    async def _keep(self, exchange: Exchange, questions: Sequence[PutShare]) -> list[MaillonError | None]:
        """What was wrong with the bytes of each share, or with storing it."""
        async with self._turns.of(exchange.peer.node):
            judged = await self._judge_all(exchange, questions)  # takes a turn too: signatures are work
            with self._reserved(judged):
                return await self._receive_and_store(exchange, judged)

    async def _judge_all(self, exchange: Exchange, questions: Sequence[PutShare]) -> list[Judged]:
        judged: list[Judged] = []
        for question in questions:
            judged.append(self._law.judge(question))
            if len(judged) % JUDGED_AT_ONCE == 0 and len(judged) < len(questions):
                await trio.lowlevel.checkpoint()  # others have their turn meanwhile
        size_bytes = sum([one.size_bytes for one in judged])
        if exchange.payload_bytes != size_bytes:
            raise Forged("share-size", index=judged[0].proof.index, size_bytes=exchange.payload_bytes or 0)
        if size_bytes > SHARES_PER_CALL_BYTES_MAX:
            raise OverLimit("payload-size", size_bytes=size_bytes, limit_bytes=SHARES_PER_CALL_BYTES_MAX)
        return judged

    async def _receive_and_store(self, exchange: Exchange, judged: Sequence[Judged]) -> list[MaillonError | None]:
        """Each share begins at a page, so that all can go around the page cache. A block that an object ends with is
        seldom whole pages, and others may come behind it."""
        spans = [rounded(one.size_bytes, SHARE_STEP_BYTES) for one in judged]
        buffer = self._pool.take(sum(spans))
        starts = accumulate(spans, initial=0)
        shares = [buffer[start : start + one.size_bytes] for one, start in zip(judged, starts, strict=False)]
        with in_time(self._receive_s, sum(spans)):
            await _receive(exchange, shares)
        outcomes = await self._threads.run_blocking(_check_all, judged, shares)
        good = [number for number, error in enumerate(outcomes) if error is None]
        if good:
            stored = await self._store.put_several([(judged[number].facts, shares[number]) for number in good])
            for number, error in zip(good, stored, strict=True):
                outcomes[number] = error
        # Only here is it certain that nobody else still looks at the buffer.
        self._pool.give(buffer)
        return outcomes

    @contextmanager
    def _reserved(self, judged: Sequence[Judged]) -> Iterator[None]:
        """Count the shares against their owners' quotas while they are on their way: all of an owner's together, as
        those that go over are refused with the others, and then asked for alone."""
        sizes_bytes: defaultdict[OrganisationId, int] = defaultdict(int)
        for one in judged:
            sizes_bytes[one.owner] += one.size_bytes
        for owner, size_bytes in sizes_bytes.items():
            stored_bytes = sum([self._store.stored_bytes(name) for name in self._law.namespaces_of(owner)])
            self._law.check_quota(owner, stored_bytes + self._coming_bytes[owner], size_bytes)
        for owner, size_bytes in sizes_bytes.items():
            self._coming_bytes[owner] += size_bytes
        try:
            yield
        finally:
            for owner, size_bytes in sizes_bytes.items():
                self._coming_bytes[owner] -= size_bytes

    async def serve_get(self, exchange: Exchange) -> None:
        """Raises Missing(`share-missing`, `share-leaves`), Damaged(`share-damaged`), Unavailable(`payload-slow`)."""
        question = exchange.decode(GetShare)
        async with self._turns.of(exchange.peer.node):
            share = await self._store.get_share(
                question.block, question.index, first_leaf=question.first_leaf, leaf_count=question.leaf_count
            )
            with in_time(self._receive_s, len(share.data)):
                await exchange.answer(ShareReply(share.facts.label, share.facts.proof), [share.data])
            share.release()

    async def serve_get_several(self, exchange: Exchange) -> None:
        """As `serve_get` for each share; what does not fit into one answer is left out, with the reason."""
        questions = exchange.decode(GetShares).shares
        wanted = [(ShareKey(one.block, one.index), Wanted(one.first_leaf, one.leaf_count)) for one in questions]
        async with self._turns.of(exchange.peer.node):
            stored = await self._store.get_several(wanted, room_bytes=SHARES_PER_CALL_BYTES_MAX)
            shares = [one for one in stored if isinstance(one, StoredShare)]
            payload = [share.data for share in shares]
            with in_time(self._receive_s, sum(map(len, payload))):
                await exchange.answer(GetSharesReply(tuple(map(_found, stored))), payload)
            for share in shares:
                share.release()

    async def serve_has(self, exchange: Exchange) -> None:
        question = exchange.decode(HasShares)
        await exchange.answer(HasSharesReply(await self._store.held(question.blocks)))

    async def serve_label(self, exchange: Exchange) -> None:
        """Raises Missing(`share-missing`)."""
        facts = await self._store.get_label(exchange.decode(GetLabel).block)
        await exchange.answer(ShareReply(facts.label, facts.proof))


async def _receive(exchange: Exchange, shares: Sequence[memoryview]) -> None:
    received = await exchange.receive_each(shares)
    if received != sum(map(len, shares)):
        raise Forged("share-size", index=0, size_bytes=received)


def _found(one: StoredShare | MaillonError) -> FoundShare:
    """What is answered for one of several shares."""
    if isinstance(one, StoredShare):
        return FoundShare(ShareReply(one.facts.label, one.facts.proof), len(one.data), b"")
    return FoundShare(None, 0, schema.encode(failure_of(one)))


def _check_all(judged: Sequence[Judged], shares: Sequence[memoryview]) -> list[MaillonError | None]:
    """What is wrong with each share's bytes. Blocking."""
    outcomes: list[MaillonError | None] = []
    for one, share in zip(judged, shares, strict=True):
        try:
            verify_leaves(one.proof, 0, share)
        except Forged as error:
            outcomes.append(error)
        else:
            outcomes.append(None)
    return outcomes
