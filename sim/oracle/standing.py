"""What an acknowledgement stands on: at that very moment, enough shares and enough copies of the journal entry.

A gateway that answers too soon is right for as long as nothing goes wrong, and no client can tell. So whenever one
says that an object is stored, the other nodes are looked into: of each block k + margin shares must be on their
disks, and the journal as far as the gateway counts it as acknowledged must be with w holders. A node that died since
may have what it should have, and is counted as if it had; and so is one that lies, as the one liar that is borne.

When all is at rest, every share that the catalog calls stored must be where it says, but on disks that something
happened to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from node.admin.services import Services
from node.vault.objects import BlockExplanation, JournalHealth, NamespaceStatus, ObjectPath
from protocol.errors import MaillonError
from protocol.ids import BlockId, NamespaceId, short_text_of
from protocol.placement.classes import preset_code
from sim.federation.federation import Federation
from sim.federation.lives import Lost
from sim.oracle.violations import Broken
from sim.scenario.reading import code_of

# For each node that runs, the shares of a block that it has.
Held = dict[str, set[int]]


class Standing:
    """Looks into the nodes of one federation."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        code = code_of(federation.scenario) or preset_code(len(federation.cast.houses))
        self._least = code.k + code.margin

    async def acknowledged(self, gateway: str, path: ObjectPath) -> list[Broken]:
        """What this object lacks, which was stored just now."""
        broken = []
        for block in await self._blocks(gateway, path):
            broken += self._thin(block, await self._held(block))
        status = await self._status(gateway, path.namespace)
        if status is not None and status.journal is not None:
            broken += await self._unheld(status.namespace, status.journal)
        return broken

    async def at_rest(self, gateway: str, paths: Sequence[ObjectPath], excused: Collection[str]) -> list[Broken]:
        """Shares that are not where the catalog says. `excused` nodes may have lost some."""
        broken = []
        for path in paths:
            for block in await self._blocks(gateway, path):
                broken += _absent(block, await self._held(block), excused)
        return broken

    # --- what the gateway says -----------------------------------------------------------------------------------

    async def _blocks(self, gateway: str, path: ObjectPath) -> tuple[BlockExplanation, ...]:
        """The object's blocks; none when it is gone, or nobody can be asked."""
        try:
            told = await self._federation.lives.on(gateway, lambda services: services.vault.explain(path))
        except (MaillonError, Lost):
            return ()
        return told.blocks

    async def _status(self, gateway: str, namespace: str | None) -> NamespaceStatus | None:
        try:
            statuses = await self._federation.lives.on(gateway, lambda services: services.vault.namespaces())
        except (MaillonError, Lost):
            return None
        return next((status for status in statuses if status.name == namespace), None)

    # --- what the others have ------------------------------------------------------------------------------------

    async def _held(self, block: BlockExplanation) -> Held:
        found: Held = {}
        for name in self._federation.running:
            if name in self._federation.liars:
                continue
            try:
                mask = await self._federation.lives.on(name, lambda services: _mask(services, block.block))
            except (MaillonError, Lost):
                continue
            found[name] = {index for index in range(block.n) if mask >> index & 1}
        return found

    def _thin(self, block: BlockExplanation, held: Held) -> list[Broken]:
        there = {index for indices in held.values() for index in indices}
        there |= {share.reason.index for share in block.shares if share.complete and share.node_name not in held}
        if len(there) >= self._least:
            return []
        told = f"block {short_text_of(block.block)} was acknowledged with {len(there)} shares, {self._least} at least"
        return [Broken("margin", told)]

    async def _unheld(self, namespace: NamespaceId, journal: JournalHealth) -> list[Broken]:
        with_it = 0
        for node in journal.holders:
            name = self._federation.cast.of_node(node).name
            if name in self._federation.liars:
                with_it += 1
                continue
            try:
                length = await self._federation.lives.on(
                    name, lambda services: _length(services, namespace, journal.epoch)
                )
            except Lost:
                length = journal.acknowledged  # who knows
            except MaillonError:
                length = 0
            with_it += length >= journal.acknowledged
        if with_it >= journal.needed:
            return []
        told = f"{with_it} holders have the {journal.acknowledged} entries that count as acknowledged"
        return [Broken("quorum", f"{told}, {journal.needed} at least")]


async def _mask(services: Services, block: BlockId) -> int:
    (mask,) = await services.store.held([block])
    return mask


async def _length(services: Services, namespace: NamespaceId, epoch: int) -> int:
    return (await services.journals.tail(namespace, epoch)).length


def _absent(block: BlockExplanation, held: Held, excused: Collection[str]) -> list[Broken]:
    broken = []
    for share in block.shares:
        name, index = share.node_name, share.reason.index
        if share.complete and name in held and name not in excused and index not in held[name]:
            told = f"share {index} of block {short_text_of(block.block)} is not on {name}, where it was stored"
            broken.append(Broken("kept", told))
    return broken
