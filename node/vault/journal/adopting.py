"""Bringing our own copy of an epoch as far as any of its holders can show.

The copy on our own disk may be behind what was acknowledged: it may have been set back, or be a new one. So whatever
the holders that promised to take no more have beyond our copy is read from all of them, in windows of bounded size,
joined by `protocol.namespace.adoption`, and appended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from node.logs import get_logger
from node.vault.journal.line import HolderLine, note_problem
from node.vault.journal.own_copy import OwnCopy
from protocol.errors import Damaged, Forged, MaillonError
from protocol.ids import NodeId, short_text_of
from protocol.namespace.adoption import Adoption, Tail, adopt
from protocol.namespace.journal import Opening, Tip
from protocol.succession.ballot import Ballot

log = get_logger(__name__)


class Adopter:
    """One adoption. `adopt_from` may be called again, when other holders have promised."""

    def __init__(self, opening: Opening, copy: OwnCopy, lines: Sequence[HolderLine], under: Ballot) -> None:
        self._opening = opening
        self._copy = copy
        self._lines = {line.node: line for line in lines}
        self._under = under
        self._wrong: set[NodeId] = set()

    async def adopt_from(self, tips: Mapping[NodeId, Tip]) -> dict[NodeId, MaillonError]:
        """Bring our copy as far as these holders say to have it. Returns those that would not show it, and why.

        Raises:
            Damaged: `journal-fork` when the writer's key has signed two histories and neither is sure to be the
                acknowledged one.
        """
        failed: dict[NodeId, MaillonError] = {}
        while ahead := self._ahead(tips) - failed.keys():
            shown = await self._read(ahead, failed)
            adoption = adopt(self._opening, self._copy.tip, shown)
            self._judge(adoption)
            if adoption.entries:
                await self._copy.append(adoption.entries, adoption.tip, self._under)
                log.info("journal.adopted", entries=len(adoption.entries), length=self._copy.tip.length)
            for tail in shown:
                if not tail.entries:
                    self._find_wrong(tail.holder, "journal-shows-less")
        await self._compare_behind(tips)
        return failed

    def _ahead(self, tips: Mapping[NodeId, Tip]) -> set[NodeId]:
        """Who says to have more than our copy, and has not been found wrong."""
        length = self._copy.tip.length
        return {node for node, tip in tips.items() if tip.length > length} - self._wrong

    async def _compare_behind(self, tips: Mapping[NodeId, Tip]) -> None:
        """Name those whose shorter copy is not a part of ours."""
        for node, tip in tips.items():
            if tip.length <= self._copy.tip.length and await self._copy.head_at(tip.length) != tip.head:
                self._find_wrong(node, "journal-head")

    async def _read(self, ahead: set[NodeId], failed: dict[NodeId, MaillonError]) -> list[Tail]:
        shown: list[Tail] = []

        async def read_one(line: HolderLine) -> None:
            try:
                shown.append(Tail(line.node, await line.read(self._copy.tip.length)))
            except MaillonError as error:
                note_problem(line.node, error)
                failed[line.node] = error

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
