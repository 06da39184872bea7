"""Serving shares to the other members: keep this one, give me that one, which do you hold?

A share's bytes are received straight into a buffer that begins at a page, checked leaf by leaf in a thread, and go
from there to the disk without another copy. The answer to a PUT is sent when they are durable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import trio

from node.host.ports import Host
from node.mesh.share_law import Judged, ShareLaw
from node.mesh.turns import Turns
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.store.buffers import BufferPool
from node.store.store import Store
from protocol.coding.label import verify_leaves
from protocol.errors import Forged, Unavailable
from protocol.ids import NodeId, OrganisationId
from protocol.members.view import View
from protocol.requests import (
    Done,
    GetLabel,
    GetShare,
    HasShares,
    HasSharesReply,
    Kind,
    PutShare,
    ShareReply,
)

TURNS_MOST: Final = 32
TURNS_MOST_EACH: Final = 8
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
        self._coming_bytes: dict[OrganisationId, int] = {}

    def handlers(self) -> Mapping[Kind, Handler]:
        return {
            Kind.PUT_SHARE: self.serve_put,
            Kind.GET_SHARE: self.serve_get,
            Kind.HAS_SHARES: self.serve_has,
            Kind.GET_LABEL: self.serve_label,
        }

    async def serve_put(self, exchange: Exchange) -> None:
        """Judge, receive, check, store, answer.

        Raises:
            Malformed, OverLimit, Forged, Refused: from `ShareLaw.judge`; Forged also for bytes that do not match.
            Unavailable: `payload-slow`; what the store raises.
        """
        judged = self._law.judge(exchange.decode(PutShare))
        if exchange.payload_bytes != judged.header.share_bytes:
            raise Forged("share-size", index=judged.proof.index, size_bytes=exchange.payload_bytes or 0)
        async with self._turns.of(exchange.peer.node):
            self._reserve(judged)
            try:
                await self._receive_and_store(exchange, judged)
            finally:
                self._coming_bytes[judged.owner] -= judged.header.share_bytes
        await self._faults.reach("serve.before-put-answer")
        await exchange.answer(Done())

    async def _receive_and_store(self, exchange: Exchange, judged: Judged) -> None:
        buffer = self._pool.take(judged.header.share_bytes)
        share = buffer[: judged.header.share_bytes]
        await self._receive(exchange, share)
        await self._threads.run_blocking(verify_leaves, judged.proof, 0, share)
        await self._store.put_encoded(judged.facts, [share])
        # Only here is it certain that nobody else still looks at the buffer.
        self._pool.give(buffer)

    async def _receive(self, exchange: Exchange, share: memoryview) -> None:
        with trio.move_on_after(self._receive_s) as patience:
            received = await exchange.receive_into(share)
            if received != len(share):
                raise Forged("share-size", index=0, size_bytes=received)
        if patience.cancelled_caught:
            raise Unavailable("payload-slow", size_bytes=len(share))

    def _reserve(self, judged: Judged) -> None:
        """Count the share against its owner's quota while it is on its way."""
        stored_bytes = sum(self._store.stored_bytes(name) for name in self._law.namespaces_of(judged.owner))
        coming_bytes = self._coming_bytes.get(judged.owner, 0)
        self._law.check_quota(judged, stored_bytes + coming_bytes)
        self._coming_bytes[judged.owner] = coming_bytes + judged.header.share_bytes

    async def serve_get(self, exchange: Exchange) -> None:
        """Raises Missing(`share-missing`, `share-leaves`), Damaged(`share-damaged`)."""
        question = exchange.decode(GetShare)
        async with self._turns.of(exchange.peer.node):
            share = await self._store.get_share(
                question.block, question.index, first_leaf=question.first_leaf, leaf_count=question.leaf_count
            )
            await exchange.answer(ShareReply(share.facts.label, share.facts.proof), [share.data])
            share.release()

    async def serve_has(self, exchange: Exchange) -> None:
        question = exchange.decode(HasShares)
        await exchange.answer(HasSharesReply(await self._store.held(question.blocks)))

    async def serve_label(self, exchange: Exchange) -> None:
        """Raises Missing(`share-missing`)."""
        facts = await self._store.get_label(exchange.decode(GetLabel).block)
        await exchange.answer(ShareReply(facts.label, facts.proof))
