"""Law 1: what was acknowledged reads back while its block, and its journal, lost no more than was promised.

A block bears `margin` losses until all its shares were there, and n - k in all afterwards; a journal bears what its
quorum says. Only when the faults that struck took more than that from the holders of just this object may it be
unreadable. Nobody is excused by what merely happened to be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.vault.objects import BlockExplanation
from protocol.errors import MaillonError
from sim.federation.federation import Federation
from sim.federation.lives import Lost
from sim.oracle.census import Census
from sim.oracle.losses import Losses


@dataclass(frozen=True, slots=True)
class Margins:
    """What excuses there are in one run. `margin`: of the code, for blocks that are not whole yet."""

    federation: Federation
    losses: Losses
    census: Census
    margin: int

    async def excuses(self, namespace: str, key: str) -> bool:
        """Whether the faults took so much that this object may be unreadable."""
        blocks = self.census.named.get((namespace, key), ())
        return self.excuses_journal(namespace) or any([await self._excuses_block(block) for block in blocks])

    def excuses_journal(self, namespace: str) -> bool:
        """Whether the faults took so many holders of an epoch that entries may be lost."""
        for seen in self.census.epochs.get(namespace, {}).values():
            lost = [name for name in seen.holders if self.losses.took_all_s(name, seen.began_s) is not None]
            if len(lost) > len(seen.holders) - seen.needed:
                return True
        return False

    async def _excuses_block(self, block: BlockExplanation) -> bool:
        born_s = self.census.born_s.get(block.block, 0.0)
        whole_s = self.census.whole_s.get(block.block)
        early, all_told = 0, 0
        for share in block.shares:
            name = self.federation.cast.of_node(share.reason.node).name
            lost_s = self.losses.took_all_s(name, born_s)
            if lost_s is None and not await self._is_damaged(name, block, share.reason.index):
                continue
            all_told += 1
            early += whole_s is None or (lost_s is not None and lost_s < whole_s)
        return early > self.margin or all_told > block.n - block.k

    async def _is_damaged(self, name: str, block: BlockExplanation, index: int) -> bool:
        """Whether rot has taken this share, as its holder finds when it reads it."""
        if not self.losses.may_have_taken(name):
            return False
        try:
            await self.federation.lives.on(name, lambda services: services.store.get_share(block.block, index))
        except (MaillonError, Lost):
            return True
        return False
