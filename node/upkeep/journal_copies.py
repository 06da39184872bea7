"""Copying journals onwards: while a writer is away and holders of its journal are too, the others pass it on.

A writer replaces holders that it misses. When it is away itself, and its holders go one by one, nobody could read
what it wrote; so each holder that is left looks now and then which epochs it holds of a gateway that has been away
for long, and brings their entries to as many other nodes as holders are away (`protocol.members.journal_copies`).
That needs no key. Copies are for readers: they count in no quorum, and how the epoch goes on is for its holders to
decide when somebody with the namespace's root or writer key comes.

All holders compute the same nodes. The first of those that answer does the work each round; the others look less
often, and add only what they alone have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from node.logs import get_logger
from node.mesh.peering import Peering
from node.store.journal_copy import JournalName
from node.store.journals import HeldJournal, JournalStore
from protocol.errors import MaillonError, Missing
from protocol.ids import NodeId, short_text_of
from protocol.limits import ENTRIES_PER_APPEND_MAX, MIB
from protocol.members.journal_copies import copy_holders
from protocol.members.roster import candidates_of
from protocol.namespace.journal import Opening, encode_opening
from protocol.requests import Done, JournalTail, JournalTailReply, Kind
from protocol.succession.requests import JournalCopy, SuccessionLearn

SEND_BYTES: Final = 2 * MIB
ASK_DEADLINE_S: Final = 30.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CopyTimes:
    """`after_s`: how long a node must have been away to be missed. `every_s`: from one look to the next."""

    after_s: float = 300.0
    every_s: float = 60.0


class JournalCopier:
    """Looks after the journals that this node holds for gateways that are away."""

    def __init__(self, mesh: Peering, journals: JournalStore, times: CopyTimes) -> None:
        self._mesh = mesh
        self._journals = journals
        self._times = times
        self._answered_s: dict[NodeId, float] = {}
        self._rounds = 0

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._look_who_is_there()
            await trio.sleep(self._times.every_s)
            self._look_who_is_there()
            await self.round()

    async def round(self) -> None:
        """Bring each orphaned epoch to where it should be, as far as that works now."""
        self._rounds += 1
        away = self._away()
        for name in self._journals.epochs():
            if not self._is_orphan(name, away):
                continue
            try:
                await self._pass_on(name, away)
            except MaillonError as error:
                log.info("journal-copy.not-now", namespace=short_text_of(name.namespace), error=str(error))

    def _look_who_is_there(self) -> None:
        """Everybody is taken for present at first: a node that starts does not know who was away before."""
        now_s, live = trio.current_time(), self._mesh.live()
        for facts in self._mesh.view.nodes():
            if facts.node in live or facts.node not in self._answered_s:
                self._answered_s[facts.node] = now_s

    def _away(self) -> Callable[[NodeId], bool]:
        since_s = trio.current_time() - self._times.after_s
        missed = {node for node, answered_s in self._answered_s.items() if answered_s <= since_s}
        members = {facts.node for facts in self._mesh.view.nodes()}
        return lambda node: node in missed or node not in members

    def _is_orphan(self, name: JournalName, is_away: Callable[[NodeId], bool]) -> bool:
        facts = self._mesh.view.namespace(name.namespace)
        return facts is not None and is_away(facts.gateway)

    async def _pass_on(self, name: JournalName, is_away: Callable[[NodeId], bool]) -> None:
        held = await self._journals.held_journal(name)
        holders = held.opening.holders
        left = [node for node in holders if not is_away(node)]
        if held.is_copy or self._mesh.me not in left or len(left) == len(holders):
            return
        if self._rounds % (left.index(self._mesh.me) + 1):
            return
        for node in self._targets(held.opening, is_away):
            try:
                await self._bring(node, held)
            except MaillonError as error:
                log.info("journal-copy.refused", node=short_text_of(node), error=str(error))

    def _targets(self, opening: Opening, is_away: Callable[[NodeId], bool]) -> tuple[NodeId, ...]:
        view = self._mesh.view
        candidates = candidates_of(view.nodes())
        away = {candidate.node for candidate in candidates if is_away(candidate.node)}
        return tuple(
            node for node in copy_holders(opening, away, view.charter.classes, candidates) if node != self._mesh.me
        )

    async def _bring(self, node: NodeId, held: HeldJournal) -> None:
        """Send what the node lacks, and the end of the epoch if it is known."""
        opening, length = held.opening, await self._length_at(node, held.opening)
        before = length
        while length < held.tip.length:
            reached = await self._send(node, opening, length)
            if reached <= length:
                return
            length = reached
        if length == before:
            return
        if held.ended_by:
            learn = SuccessionLearn(held.ended_by)
            await self._mesh.ask(node, Kind.SUCCESSION_LEARN, learn, Done, deadline_s=ASK_DEADLINE_S)
        log.info("journal-copy.passed-on", node=short_text_of(node), epoch=opening.epoch, length=length)

    async def _length_at(self, node: NodeId, opening: Opening) -> int:
        question = JournalTail(opening.namespace, opening.epoch)
        try:
            answer = await self._mesh.ask(
                node, Kind.JOURNAL_TAIL, question, JournalTailReply, deadline_s=ASK_DEADLINE_S
            )
        except Missing:
            return 0
        return answer.message.length

    async def _send(self, node: NodeId, opening: Opening, first: int) -> int:
        shown = await self._journals.show(opening.namespace, opening.epoch, first, SEND_BYTES)
        entries = shown.entries[:ENTRIES_PER_APPEND_MAX]
        sizes = tuple(len(entry) for entry in entries)
        question = JournalCopy(encode_opening(opening), shown.succession, first, sizes)
        answer = await self._mesh.ask(
            node, Kind.JOURNAL_COPY, question, JournalTailReply, deadline_s=ASK_DEADLINE_S, payload=entries
        )
        return answer.message.length
