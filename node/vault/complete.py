"""The completer: brings blocks that were acknowledged short of n shares to n.

A put is answered at k + margin shares when a member is slow or away (decision 2); until the rest is there the block
survives fewer losses. Every `complete_after` the completer looks at some of the catalog's incomplete blocks, in the
order of their ids and round and round, so that those it can do nothing for do not stand before the others. It leaves
those alone that it sees for the first time (they are too young), and those whose missing shares nobody could take
now; it brings the others to n: it gathers k shares, codes the block again, sends what is missing to its holder or, if
that one is still away, to the next lawful node, and journals the new placing. What does not work now is tried again
when its turn comes, and less often when nothing works at all: a full disk must not cost its federation a steady
stream of blocks that are gathered in vain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.vault.catalog.catalog import Catalog
from node.vault.gather import Gatherer
from node.vault.journal.writer import JournalWriter
from node.vault.pins import Pins
from node.vault.spread import Spread, Spreader
from node.vault.workspaces import Desk, Desks
from protocol.coding.block import EncodedBlock, decode_block, recode_block
from protocol.coding.erasure import Engine
from protocol.coding.label import Stamp
from protocol.errors import MaillonError
from protocol.ids import BlockId
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockCompleted, BlockRef
from protocol.placement.classes import Code

log = get_logger(__name__)

RulesNow = Callable[[], Rules]

LOOKED_AT_PER_ROUND = 4_096
BLOCKS_PER_ROUND = 256
REMEMBERED_MAX = 65_536
PAUSES_MOST = 16


@dataclass(frozen=True, slots=True)
class CompleterTools:
    """What completing one namespace's blocks works with."""

    host: Host
    engine: Engine
    desks: Desks
    gatherer: Gatherer
    spreader: Spreader
    journal: JournalWriter
    catalog: Catalog
    pins: Pins
    complete_after_s: float


class Completer:
    """Looks after the incomplete blocks of one namespace."""

    def __init__(self, tools: CompleterTools, rules: RulesNow) -> None:
        self._tools = tools
        self._rules = rules
        self._seen: set[BlockId] = set()
        self._begun: dict[BlockId, Spread] = {}
        self._after: BlockId | None = None
        self._pauses = 1

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await trio.sleep(self._pauses * self._tools.complete_after_s)
            try:
                await self.round()
            except MaillonError as error:  # the catalog is being rebuilt, say
                log.info("complete.not-now", error=str(error))

    async def round(self) -> int:
        """Try to complete blocks that were incomplete when last looked at already; how many became whole."""
        completed = 0
        due = await self._due()
        with self._tools.pins.hold(reference.block for reference in due):
            for reference in due:
                try:
                    completed += await self._complete(reference, self._rules())
                except MaillonError as error:
                    log.info("complete.not-yet", block=reference.block, error=str(error))
        self._pauses = min(2 * self._pauses, PAUSES_MOST) if due and not completed else 1
        if completed:
            log.info("complete.round", completed=completed, tried=len(due))
        return completed

    async def _due(self) -> list[BlockRef]:
        """The next blocks for which something can be done; what comes after them is looked at in the next round."""
        found = await self._tools.catalog.incomplete(after=self._after, limit=LOOKED_AT_PER_ROUND)
        due: list[BlockRef] = []
        current = self._rules()
        for reference in found:
            if len(due) == BLOCKS_PER_ROUND:
                return due
            self._after = reference.block
            if reference.block not in self._seen:
                self._remember(reference.block)
            elif self._can_complete(reference, current):
                due.append(reference)
        if len(found) < LOOKED_AT_PER_ROUND:
            self._after = None
        return due

    def _remember(self, block: BlockId) -> None:
        if len(self._seen) >= REMEMBERED_MAX:
            self._seen.clear()
            self._begun.clear()
        self._seen.add(block)

    def _can_complete(self, reference: BlockRef, rules: Rules) -> bool:
        now, own = self._spread(reference), _own(reference, rules)
        return not now.missing or self._tools.spreader.can_complete(reference.block, own, now)

    def _spread(self, reference: BlockRef) -> Spread:
        """Where the shares are: by the catalog, or further when some were sent since and others could not be."""
        return self._begun.get(reference.block, Spread(reference.placing, reference.missing))

    async def _complete(self, reference: BlockRef, rules: Rules) -> bool:
        now = self._spread(reference)
        if now.missing:
            now = self._begun[reference.block] = await self._send_missing(reference, rules, now)
        if now.missing:
            return False
        await self._tools.journal.append([BlockCompleted(reference.block, now.placing)])
        log.debug("block.completed", block=reference.block)
        self._begun.pop(reference.block, None)
        self._seen.discard(reference.block)
        return True

    async def _send_missing(self, reference: BlockRef, rules: Rules, now: Spread) -> Spread:
        tools, keep_s = self._tools, rules.data_class.keep_s
        keep_until_s = tools.host.wall.now_s() + keep_s if keep_s else 0
        async with tools.desks.desk() as desk:
            encoded = await self._recode(desk, reference)
            position = tools.journal.next_position
            stamp = Stamp(position.epoch, position.position)
            return await tools.spreader.complete(encoded, _own(reference, rules), stamp, keep_until_s, now)

    async def _recode(self, desk: Desk, reference: BlockRef) -> EncodedBlock:
        tools, workspace = self._tools, desk.workspace(reference.k, reference.n)
        gathered = await tools.gatherer.gather(reference, workspace)

        def work() -> EncodedBlock:
            decode_block(tools.engine, gathered.header, gathered.present, workspace)
            return recode_block(tools.engine, gathered.header, workspace)

        return await tools.host.threads.run_blocking(work)


def _own(reference: BlockRef, rules: Rules) -> Rules:
    """The rules of today, with the code that the block was written in."""
    return Rules(rules.data_class, Code(reference.k, reference.n, 0), rules.candidates)
