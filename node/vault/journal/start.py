"""Starting a writer: what any holder can show of the epoch is brought into our own copy.

The copy on our own disk may be behind what was acknowledged: it may have been set back, or lost. So nothing is
written before r - losses holders (ourselves among them, if we are one) have said how far they go; whatever they
have beyond our copy is read from all of them in windows of bounded size, joined by `protocol.namespace.adoption`,
and appended. A holder that has lost the epoch counts only while nobody shows an entry, that is, while it is new.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from node.logs import get_logger
from node.vault.journal.holder import HolderLine, JournalTimers, note_problem
from node.vault.journal.own_copy import OwnCopy
from node.vault.ticker import Ticker
from protocol.errors import Damaged, Forged, MaillonError
from protocol.ids import NodeId, short_text_of
from protocol.namespace.adoption import Adoption, Tail, adopt
from protocol.namespace.journal import Opening, Tip

log = get_logger(__name__)


class Starter:
    """One start. `answers` holds what each holder said so far: a tip, or None when it knows no such epoch."""

    def __init__(
        self, me: NodeId, opening: Opening, copy: OwnCopy, lines: Sequence[HolderLine], timers: JournalTimers
    ) -> None:
        self._me = me
        self._opening = opening
        self._copy = copy
        self._lines = {line.node: line for line in lines}
        self._timers = timers
        self._told = Ticker()
        self._wrong: set[NodeId] = set()
        self._unreadable: set[NodeId] = set()
        self.answers: dict[NodeId, Tip | None] = {}

    def missing(self) -> tuple[NodeId, ...]:
        """The holders that have not answered yet."""
        return tuple(node for node in self._opening.holders if node != self._me and node not in self.answers)

    async def adopt_all(self) -> None:
        """Wait for enough holders, then bring our copy as far as any of them.

        Raises:
            Damaged: `journal-fork` when the writer's key has signed two histories and neither is sure to be the
                acknowledged one.
        """
        await self._ask_tails()
        await self._copy.begin()
        while ahead := self._ahead():
            await self._adopt_window(ahead)
            if not self._enough():
                await self._ask_tails()
        await self._compare_behind()

    def _ahead(self) -> set[NodeId]:
        """Who says to have more than our copy, and has not been found wrong."""
        length = self._copy.tip.length
        return {node for node, tip in self.answers.items() if tip and tip.length > length} - self._wrong

    async def _adopt_window(self, ahead: set[NodeId]) -> None:
        shown = await self._read(ahead)
        adoption = adopt(self._opening, self._copy.tip, shown)
        self._judge(adoption)
        if adoption.entries:
            await self._copy.append(adoption.entries, adoption.tip)
            log.info("journal.adopted", entries=len(adoption.entries), length=self._copy.tip.length)
        for tail in shown:
            if not tail.entries:
                self._find_wrong(tail.holder, "journal-shows-less")

    async def _ask_tails(self) -> None:
        async with trio.open_nursery() as nursery:
            for node in self.missing():
                nursery.start_soon(self._ask_tail, self._lines[node])
            while not self._enough():
                seen = self._told.count
                await self._told.wait_past(seen)
            with trio.move_on_after(self._timers.tails_grace_s):
                while set(self.missing()) - self._unreadable:
                    seen = self._told.count
                    await self._told.wait_past(seen)
            nursery.cancel_scope.cancel()

    async def _ask_tail(self, line: HolderLine) -> None:
        pause_s, problem = self._timers.retry_first_s, ""
        if line.node in self._unreadable:
            await trio.sleep(self._timers.retry_most_s)
        while True:
            try:
                self.answers[line.node] = await line.tail()
            except MaillonError as error:
                if error.identifier != problem:
                    note_problem(line.node, error)
                problem = error.identifier
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._timers.retry_most_s)
            else:
                self._told.tick()
                return

    def _enough(self) -> bool:
        own = {} if self._me not in self._opening.holders else {self._me: self._own_answer()}
        answers = [*self.answers.values(), *own.values()]
        is_new = not any(tip and tip.length for tip in answers)
        counted = [tip for tip in answers if is_new or tip is not None]
        return len(counted) >= len(self._opening.holders) - self._opening.losses

    def _own_answer(self) -> Tip | None:
        return None if self._copy.is_missing else self._copy.tip

    async def _compare_behind(self) -> None:
        """Name those whose shorter copy is not a part of ours."""
        for node, tip in self.answers.items():
            if tip is None or tip.length > self._copy.tip.length:
                continue
            if await self._copy.head_at(tip.length) != tip.head:
                self._find_wrong(node, "journal-head")

    async def _read(self, ahead: set[NodeId]) -> list[Tail]:
        shown: list[Tail] = []

        async def read_one(line: HolderLine) -> None:
            try:
                shown.append(Tail(line.node, await line.read(self._copy.tip.length)))
            except MaillonError as error:
                note_problem(line.node, error)
                self._unreadable.add(line.node)
                del self.answers[line.node]

        async with trio.open_nursery() as nursery:
            for node in sorted(ahead):
                nursery.start_soon(read_one, self._lines[node])
        return shown

    def _judge(self, adoption: Adoption) -> None:
        for refused in adoption.rejected:
            self._find_wrong(refused.holder, refused.identifier)
        for fork in adoption.forks:
            log.error(
                "journal.fork",
                position=fork.position,
                kept_by=[short_text_of(node) for node in fork.kept_by],
                left_by=[short_text_of(node) for node in fork.left_by],
            )
            if len(fork.kept_by) < self._opening.w:
                raise Damaged("journal-fork", namespace=self._opening.namespace, position=fork.position)

    def _find_wrong(self, node: NodeId, identifier: str) -> None:
        """What it says beyond our copy is not asked for again; it still counts as one that answered (a liar)."""
        self._wrong.add(node)
        note_problem(node, Forged(identifier, node=node))
