"""How records spread: new ones are pushed at once, anti-entropy finds what pushing missed.

A record that is new here is written to disk, then told once to a few members who answer, and they do the same: most
hear of it within a few hops. Every so often, and when somebody comes back, the whole set is compared with one
member's (`protocol.members.reconcile`) and the difference flows both ways. A record whose author is not known yet is
not kept; that it came at all says that we lack something, so we compare with whoever sent it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.mesh.choosing import draw
from node.mesh.comparing import Ask, batches, fetch, find_difference, offer
from node.mesh.config import MeshConfig
from node.mesh.peers import Peers
from node.mesh.records_file import RecordsFile
from node.mesh.turns import Turns
from node.net.exchange import Exchange
from protocol.errors import MaillonError, Refused
from protocol.ids import Digest, NodeId, RecordId, short_text_of
from protocol.members import reconcile
from protocol.members.reconcile import Trie
from protocol.members.records import Record, decode_record, record_id
from protocol.members.shelf import Outcome
from protocol.members.view import View
from protocol.requests import Done, FetchRecords, Kind, PushRecords, Reconcile

T = TypeVar("T")

FRESH_MAX = 4_096
TRIES_KEPT = 4
DUE_MAX = 4
# Records judged before others have the processor again; what one peer may have judged, or compared, at a time.
JUDGED_AT_ONCE = 16
TURNS_MOST = 16
TURNS_MOST_EACH = 2

_log = get_logger(__name__)


# Refusals that say "not yet": what a record stands on may still come.
_NOT_YET = frozenset({"record-stranger", "record-early"})
# Outcomes after which the view is another.
_CHANGED = frozenset({Outcome.NEW, Outcome.EQUIVOCATION})


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What became of records that came in: how many changed the view, which came too early, and the first error."""

    new: int
    early: tuple[Record, ...]
    error: MaillonError | None


class Gossip:
    """Keeps the view, the file and the other members in step."""

    def __init__(
        self,
        host: Host,
        view: View,
        records_file: RecordsFile,
        config: MeshConfig,
        peers: Peers,
        *,
        live: Callable[[], set[NodeId]],
        changed: Callable[[], None],
    ) -> None:
        self._host = host
        self._view = view
        self._file = records_file
        self._config = config
        self._peers = peers
        self._live = live
        self._changed = changed
        self._fresh: dict[RecordId, tuple[Record, NodeId | None]] = {}
        self._fresh_came = trio.Event()
        self._due: OrderedDict[NodeId, None] = OrderedDict()
        self._due_came = trio.Event()
        self._tries: OrderedDict[bytes, tuple[int, Trie]] = OrderedDict()
        self._edition = 0
        # A peer with ever new salts keeps one thread busy with tries, not all of them.
        self._building = trio.Lock()
        self._pushes = Turns(most=TURNS_MOST, most_each=TURNS_MOST_EACH)
        self._comparisons = Turns(most=TURNS_MOST, most_each=TURNS_MOST_EACH)
        self.settled = trio.Event()

    async def run(self) -> None:
        """Push and compare until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._push_for_ever)
            nursery.start_soon(self._compare_for_ever)

    async def publish(self, records: Sequence[Record]) -> None:
        """Make our own records known: valid here, durable here, then pushed.

        Raises:
            MaillonError: what the view has against the first that it does not keep.
            Damaged: `records-unwritten`.
        """
        admitted: list[Record] = []
        refusal: MaillonError | None = None
        try:
            for record in records:
                if self._view.admit(record) in _CHANGED:
                    admitted.append(record)
        except MaillonError as error:
            refusal = error  # what stood before it is said all the same
        if admitted:
            self._note_new(admitted, None)
        await self._file.append([*admitted, *self._take_made()])
        if refusal is not None:
            raise refusal

    async def absorb(self, records: Sequence[Record], source: NodeId | None) -> Absorbed:
        """Take in what somebody sent. Good records are kept even when others beside them are not."""
        new: list[Record] = []
        early: list[Record] = []
        error: MaillonError | None = None
        outcomes, made = await self._judge(records)
        for record, outcome in zip(records, outcomes, strict=True):
            if isinstance(outcome, Outcome):
                if outcome is Outcome.EQUIVOCATION:
                    _log.warning("author-contradicts", author=short_text_of(record.author), kind=record.kind)
                # What lost against its contradiction is not passed on: it would go round for ever.
                if outcome in _CHANGED and self._view.get(record_id(record)) is not None:
                    new.append(record)
            elif outcome.identifier in _NOT_YET:
                early.append(record)
            else:
                error = error or outcome
        if new:
            self._note_new(new, source)
        if made:
            self._note_new(made, None)
        if new or made:
            await self._keep([*new, *made])
        return Absorbed(len(new), tuple(early), error)

    async def _judge(self, records: Sequence[Record]) -> tuple[list[Outcome | MaillonError], list[Record]]:
        """What became of each, and what the view made of them: `View.admit_all` for a few at a time, as long as it
        helps those that came too early. Never cancelled half-way: what is admitted is also said and written."""
        outcomes: list[Outcome | MaillonError] = [Outcome.KNOWN] * len(records)
        made: list[Record] = []
        left = sorted(range(len(records)), key=lambda place: records[place].kind)
        helped = True
        while left and helped:
            refused: list[int] = []
            helped = False
            for start in range(0, len(left), JUDGED_AT_ONCE):
                group = left[start : start + JUDGED_AT_ONCE]
                for place, outcome in zip(group, self._view.admit_all([records[one] for one in group]), strict=True):
                    outcomes[place] = outcome
                    helped = helped or outcome in _CHANGED
                    if isinstance(outcome, Refused):
                        refused.append(place)
                made.extend(self._view.take_made())
                await trio.lowlevel.cancel_shielded_checkpoint()
            left = refused
        return outcomes, made

    def compare_soon(self, node: NodeId) -> None:
        """Compare records with this node before the next turn: it came back, or knows what we do not."""
        if len(self._due) < DUE_MAX:
            self._due[node] = None
            self._due_came.set()

    async def compare_with(self, node: NodeId) -> None:
        """One anti-entropy session. Raises what the exchange raises."""

        async def take(records: Sequence[Record]) -> Sequence[Record]:
            absorbed = await self.absorb(records, node)
            if absorbed.error is not None:
                _log.warning("record-refused", node=short_text_of(node), because=str(absorbed.error))
            return absorbed.early

        ask = self._asker(node)
        wanted, offered = await find_difference(self._host, self._view, ask)
        await fetch(ask, wanted, take)
        await offer(ask, self._present(offered))
        self.settled.set()

    # --- what peers ask of us ------------------------------------------------------------------------------------

    async def serve_push(self, exchange: Exchange) -> None:
        pushed = exchange.decode(PushRecords).records
        async with self._pushes.of(exchange.peer.node):
            absorbed = await self.absorb([decode_record(raw) for raw in pushed], exchange.peer.node)
        if absorbed.early and exchange.peer.node is not None:
            self.compare_soon(exchange.peer.node)
        if absorbed.error is not None:
            raise absorbed.error
        await exchange.answer(Done())

    async def serve_reconcile(self, exchange: Exchange) -> None:
        async with self._comparisons.of(exchange.peer.node):
            question = reconcile.decode_question(exchange.decode(Reconcile).message)
            answers = reconcile.answer(await self._trie_for(question), question)
        await exchange.answer(Reconcile(reconcile.encode_answers(answers)))

    async def _trie_for(self, question: reconcile.Question) -> Trie:
        edition, trie = self._tries.pop(question.salt, (-1, None))
        if trie is None or (edition != self._edition and any(not query.path for query in question.queries)):
            async with self._building:
                edition = self._edition
                trie = await self._host.threads.run_blocking(Trie, question.salt, self._view.ids())
        self._tries[question.salt] = (edition, trie)
        while len(self._tries) > TRIES_KEPT:
            self._tries.popitem(last=False)
        return trie

    async def serve_fetch(self, exchange: Exchange) -> None:
        wanted = exchange.decode(FetchRecords).ids
        await exchange.answer(PushRecords(next(batches(self._present(wanted)), ())))

    # --- inside --------------------------------------------------------------------------------------------------

    def _note_new(self, records: Sequence[Record], source: NodeId | None) -> None:
        self._edition += 1
        for record in records:
            if len(self._fresh) < FRESH_MAX:  # beyond that anti-entropy has to do
                self._fresh[record_id(record)] = (record, source)
        self._fresh_came.set()
        self._changed()

    def _take_made(self) -> Sequence[Record]:
        """Certificates and evidence that follow from what was just admitted: as new to the others as it is."""
        made = self._view.take_made()
        if made:
            self._note_new(made, None)
        return made

    async def _keep(self, records: Sequence[Record]) -> None:
        try:
            await self._file.append(records)
        except MaillonError as error:
            # Others have them; a node whose disk fails is still a member.
            _log.error("records-unwritten", because=str(error))

    async def _push_for_ever(self) -> None:
        while True:
            await self._fresh_came.wait()
            await trio.sleep(self._config.push_interval_s)
            self._fresh_came = trio.Event()
            fresh, self._fresh = self._fresh, {}
            targets = draw(self._host.entropy, self._live(), self._config.push_fanout)
            async with trio.open_nursery() as nursery:
                for target in targets:
                    records = [record for record, source in fresh.values() if source != target]
                    nursery.start_soon(self._push_quietly, target, records)

    async def _push_quietly(self, node: NodeId, records: Sequence[Record]) -> None:
        try:
            await offer(self._asker(node), records)
        except MaillonError as error:
            _log.debug("push-failed", node=short_text_of(node), because=str(error))

    async def _compare_for_ever(self) -> None:
        interval_s, timeout_s = self._config.reconcile_interval_s, self._config.reconcile_timeout_s
        next_draw_s = trio.current_time() + interval_s
        while True:
            with trio.move_on_at(next_draw_s):
                await self._due_came.wait()
            self._due_came = trio.Event()
            due, self._due = list(self._due), OrderedDict()
            for node in due:
                await self._compare_quietly(node, timeout_s / DUE_MAX)
            # However many ask for it by what they do, somebody whom nobody chose has a turn every so often.
            if trio.current_time() >= next_draw_s:
                for node in draw(self._host.entropy, self._live(), 1):
                    await self._compare_quietly(node, timeout_s)
                next_draw_s = trio.current_time() + interval_s

    async def _compare_quietly(self, node: NodeId, timeout_s: float) -> None:
        try:
            with trio.move_on_after(timeout_s):
                await self.compare_with(node)
        except MaillonError as error:
            _log.info("compare-failed", node=short_text_of(node), because=str(error))

    def _present(self, ids: Iterable[Digest]) -> list[Record]:
        found = (self._view.get(RecordId(identity)) for identity in ids)
        return [record for record in found if record is not None]

    def _asker(self, node: NodeId) -> Ask:
        async def ask(kind: Kind, message: object, reply: type[T], /) -> T:
            answer = await self._peers.ask(node, kind, message, reply, deadline_s=self._config.ask_timeout_s)
            return answer.message

        return ask
