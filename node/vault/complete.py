"""The completer: brings blocks that were acknowledged short of n shares to n.

A put is answered at k + margin shares when a member is slow or away (decision 2); until the rest is there the block
survives fewer losses. Every `complete_after` the completer looks at the catalog's incomplete blocks, leaves those
alone that it sees for the first time (their stragglers may only be slow), and brings the others to n: it gathers k
shares, codes the block again, sends what is missing to its holder or, if that one is still away, to the next lawful
node, and journals the new placing. What does not work now is tried again at the next round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
import trio

from node.host.ports import Host
from node.vault.catalog import Catalog
from node.vault.gather import Gatherer
from node.vault.journal import JournalWriter
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

log = structlog.get_logger(__name__)

RulesNow = Callable[[], Rules]

BLOCKS_PER_ROUND = 256


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
    complete_after_s: float


class Completer:
    """Looks after the incomplete blocks of one namespace."""

    def __init__(self, tools: CompleterTools) -> None:
        self._tools = tools
        self._seen: frozenset[BlockId] = frozenset()

    async def run(self, rules: RulesNow) -> None:
        """Work until cancelled."""
        while True:
            await trio.sleep(self._tools.complete_after_s)
            await self.round(rules)

    async def round(self, rules: RulesNow) -> int:
        """Try to complete every block that was incomplete at the last round already; how many became whole."""
        references = await self._tools.catalog.incomplete(limit=BLOCKS_PER_ROUND)
        due = [reference for reference in references if reference.block in self._seen]
        self._seen = frozenset(reference.block for reference in references)
        completed = 0
        for reference in due:
            try:
                completed += await self._complete(reference, rules())
            except MaillonError as error:
                log.info("complete.not-yet", block=reference.block.hex()[:16], error=str(error))
        if completed:
            log.info("complete.round", completed=completed, waiting=len(references) - completed)
        return completed

    async def _complete(self, reference: BlockRef, rules: Rules) -> bool:
        tools = self._tools
        async with tools.desks.desk() as desk:
            encoded = await self._recode(desk, reference)
            own = Rules(rules.data_class, Code(reference.k, reference.n, 0), rules.candidates)
            position = tools.journal.next_position
            stamp = Stamp(position.epoch, position.position)
            before = Spread(reference.placing, reference.missing)
            after = await tools.spreader.complete(encoded, own, stamp, 0, before)
        if after.missing:
            return False
        await tools.journal.append([BlockCompleted(reference.block, after.placing)])
        return True

    async def _recode(self, desk: Desk, reference: BlockRef) -> EncodedBlock:
        tools, workspace = self._tools, desk.workspace(reference.k, reference.n)
        gathered = await tools.gatherer.gather(reference, workspace)

        def work() -> EncodedBlock:
            decode_block(tools.engine, gathered.header, gathered.present, workspace)
            return recode_block(tools.engine, gathered.header, workspace)

        return await tools.host.threads.run_blocking(work)
