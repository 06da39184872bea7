"""A count of all blocks, again and again: who keeps which shares, of which objects, and since when all are there.

What there is stands on the nodes' disks; what it is of, the gateways say. From the two follow the figures of a run
(how many blocks have lost how many shares), and what the laws of margins and of deletion are judged by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from node.vault.objects import BlockExplanation, NamespaceStatus
from protocol.errors import MaillonError
from protocol.ids import BlockId
from sim.federation.cast import Cast
from sim.federation.lives import Lost
from sim.host.trace import Trace
from sim.oracle.bounds import Kept
from sim.oracle.clients import Patron


@dataclass(frozen=True, slots=True)
class EpochSeen:
    """A stretch of a journal: since when at the latest, with which holders, of whom so many must have an entry."""

    began_s: float
    holders: tuple[str, ...]
    needed: int


@dataclass(slots=True)
class Census:
    """All counts so far. `named`: the blocks of each object, by namespace and key."""

    named: dict[tuple[str, str], tuple[BlockExplanation, ...]] = field(default_factory=dict)
    ever_named: dict[BlockId, BlockExplanation] = field(default_factory=dict)
    born_s: dict[BlockId, float] = field(default_factory=dict)
    whole_s: dict[BlockId, float] = field(default_factory=dict)
    epochs: dict[str, dict[int, EpochSeen]] = field(default_factory=dict)
    last_s: float = 0.0

    async def ask(self, patrons: Sequence[Patron], cast: Cast) -> None:
        """Which blocks the objects are in, and who holds the journals, as the gateways that serve have it."""
        for patron in patrons:
            for node in patron.gateways:
                health = await patron.health(node)
                if isinstance(health, NamespaceStatus) and health.problem is None:
                    self._note_journal(health, cast)
                    await self._note_blocks(patron, node)

    def count(self, kept: Kept, now_s: float, trace: Trace) -> None:
        """How many shares each named block has."""
        missing: Counter[int] = Counter()
        for block in self.now_named().values():
            self.born_s.setdefault(block.block, self.last_s)
            left = len({index for _, index in kept.get(block.block, ())})
            missing[block.n - left] += 1
            if left == block.n:
                self.whole_s.setdefault(block.block, now_s)
        trace.record("blocks", **{f"missing_{lost}": count for lost, count in sorted(missing.items())})
        self.last_s = now_s

    def now_named(self) -> dict[BlockId, BlockExplanation]:
        """The blocks that some object is in, in the order of their ids."""
        found = {block.block: block for blocks in self.named.values() for block in blocks}
        return dict(sorted(found.items()))

    def of_namespace(self, namespace: str) -> list[tuple[BlockExplanation, ...]]:
        """The same, of one namespace, object by object."""
        return [blocks for (name, _), blocks in sorted(self.named.items()) if name == namespace]

    def unnamed_now(self) -> dict[BlockId, BlockExplanation]:
        """The blocks that some object was in, and none is any more, as they were named last."""
        named = self.now_named()
        return {block: where for block, where in sorted(self.ever_named.items()) if block not in named}

    def _note_journal(self, health: NamespaceStatus, cast: Cast) -> None:
        journal = health.journal
        if journal is not None:
            holders = tuple(cast.of_node(node).name for node in journal.holders)
            seen = EpochSeen(self.last_s, holders, journal.needed)
            self.epochs.setdefault(health.name, {}).setdefault(journal.epoch, seen)

    async def _note_blocks(self, patron: Patron, node: str) -> None:
        for key in sorted(patron.ledger.registers):
            try:
                blocks = await patron.whereabouts(node, key)
            except Lost:
                return
            except MaillonError as error:
                if error.identifier not in ("object-missing", "bucket-missing"):
                    return
                blocks = ()
            self.named[patron.namespace, key] = blocks
            self.ever_named.update({block.block: block for block in blocks})
