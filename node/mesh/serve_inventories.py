"""Serving inventories: a namespace's gateway finds out what is kept here that its catalog does not name.

Comparing costs this node a trie of the blocks that it keeps for the namespace in one part of the space of ids, so
nobody but the gateway of the newest epoch known here may ask, parts are bounded, and one trie is built at a time.
What the gateway then has to say is judged like a release; and of what it names only shares that were stamped before
its horizon go, by the labels that stand here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import trio

from node.host.ports import Host
from node.mesh.share_law import ShareLaw
from node.mesh.turns import Turns
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.store.store import Store
from protocol.errors import OverLimit
from protocol.ids import NamespaceId, NodeId
from protocol.limits import INVENTORY_BLOCKS_MAX
from protocol.members import reconcile
from protocol.members.reconcile import Question, Trie
from protocol.members.view import View
from protocol.namespace.inventories import Part, decode_stray_release, verify_stray_release
from protocol.namespace.releases import check_speaker
from protocol.requests import CompareBlocks, CompareBlocksReply, Kind, ReleaseReply, ReleaseStrays

TURNS_MOST: Final = 4
TURNS_MOST_EACH: Final = 1
TRIES_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class _Session:
    """Whose trie it is."""

    namespace: NamespaceId
    part: Part
    salt: bytes


class InventoryServer:
    """The handlers for COMPARE_BLOCKS and RELEASE_STRAYS, over this node's store and view."""

    def __init__(self, host: Host, store: Store, view: View, me: NodeId) -> None:
        self._host = host
        self._store = store
        self._law = ShareLaw(view, me)
        self._turns = Turns(most=TURNS_MOST, most_each=TURNS_MOST_EACH)
        self._tries: OrderedDict[_Session, Trie] = OrderedDict()
        self._building = trio.Lock()

    def handlers(self) -> Mapping[Kind, Handler]:
        return {Kind.COMPARE_BLOCKS: self.serve_compare, Kind.RELEASE_STRAYS: self.serve_release}

    async def serve_compare(self, exchange: Exchange) -> None:
        """Judge, and answer one round.

        Raises:
            Malformed, OverLimit: the question; `inventory-part-size` when there are more blocks here in the part.
            Refused, Unavailable: as `check_speaker`; an unknown namespace; what the store raises.
        """
        asked = exchange.decode(CompareBlocks)
        question = reconcile.decode_question(asked.message)
        async with self._turns.of(exchange.peer.node):
            known = self._law.writable_namespace(asked.namespace)
            is_known = exchange.peer.node == known.gateway
            check_speaker(asked.namespace, asked.epoch, is_known=is_known, newest=known.epoch)
            trie = await self._trie_for(_Session(asked.namespace, asked.part, question.salt), question)
            answers = await self._host.threads.run_blocking(reconcile.answer, trie, question)
        await exchange.answer(CompareBlocksReply(reconcile.encode_answers(answers)))

    async def serve_release(self, exchange: Exchange) -> None:
        """Judge, delete what is old enough, answer.

        Raises:
            Malformed, OverLimit, Forged, Refused, Unavailable: the release, as in `verify_stray_release`; an unknown
                namespace; what the store raises.
        """
        release = decode_stray_release(exchange.decode(ReleaseStrays).release)
        async with self._turns.of(exchange.peer.node):
            known = self._law.writable_namespace(release.namespace)
            verify_stray_release(release, writer=known.writer, epoch=known.epoch)
            kept_until_s = await self._store.release(release.namespace, release.blocks, horizon=release.horizon)
        await exchange.answer(ReleaseReply(kept_until_s))

    async def _trie_for(self, session: _Session, question: Question) -> Trie:
        """The session's, made anew when it begins (with the root) or was forgotten since."""
        trie = self._tries.pop(session, None)
        if trie is None or any(not query.path for query in question.queries):
            async with self._building:
                trie = await self._build(session)
        self._tries[session] = trie
        while len(self._tries) > TRIES_KEPT:
            self._tries.popitem(last=False)
        return trie

    async def _build(self, session: _Session) -> Trie:
        part, most = session.part, INVENTORY_BLOCKS_MAX
        blocks = await self._store.blocks_of(session.namespace, part.first(), part.last(), most + 1)
        if len(blocks) > most:
            raise OverLimit("inventory-part-size", limit=most)
        return await self._host.threads.run_blocking(Trie, session.salt, blocks)
