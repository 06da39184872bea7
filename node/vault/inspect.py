"""Looking at what is stored: statistics, health and explanations, in the vault's words.

Reads the catalog and the view and changes nothing. "How many members can we lose today" is answered here, as the
smaller of what the data and what the journal bear, counted on the members that answer now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from node.mesh.peering import Peering
from node.vault.catalog.catalog import StoredObject
from node.vault.catalog.values import CatalogTotals
from node.vault.holders import Holders
from node.vault.objects import (
    BlockExplanation,
    Explanation,
    JournalHealth,
    NamespaceStatus,
    ShareExplanation,
)
from node.vault.serving import Open, Readable
from node.vault.stats import stat_of
from node.vault.tenancy import Tenancy
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId, OrganisationId
from protocol.members.roster import Rules
from protocol.namespace.changes import BlockRef
from protocol.placement.classes import Code, lawful_caps
from protocol.placement.explain import Reason, reasons

INCOMPLETE_MOST: Final = 1_000


class Inspector:
    """Answers questions about the tenancies of one node."""

    def __init__(self, mesh: Peering, holders: Holders) -> None:
        self._mesh = mesh
        self._holders = holders

    def explain(
        self, tenancy: Tenancy, serving: Readable, stored: StoredObject, blocks: Sequence[BlockRef]
    ) -> Explanation:
        """Where each share is."""
        rules = tenancy.rules()
        live = self._mesh.live()
        inline = stored.inline is not None
        holders = serving.journal.opening.holders if inline else ()
        return Explanation(
            stat=stat_of(tenancy.secrets.name, len(serving.journal.opening.holders), stored),
            blocks=tuple(self._explain_block(reference, rules, live) for reference in blocks),
            journal_holders=tuple(self._holders.name(node) for node in holders),
        )

    async def status(self, tenancy: Tenancy) -> NamespaceStatus:
        """How the namespace is."""
        problem = tenancy.problem
        if problem is not None:
            return await self._closed(tenancy, problem)
        serving, rules = tenancy.require_open(), tenancy.rules()
        journal = serving.journal.status()
        totals = await serving.catalog.totals()
        health = JournalHealth(
            epoch=journal.epoch,
            length=journal.length,
            acknowledged=journal.acknowledged,
            needed=journal.w,
            holders=tuple(holder.node for holder in journal.holders),
            answering=tuple(holder.node for holder in journal.holders if holder.answering),
            is_settled=serving.catalog.is_settled,
        )
        return NamespaceStatus(
            name=tenancy.secrets.name,
            namespace=tenancy.secrets.namespace,
            data_class=tenancy.secrets.data_class,
            code=str(rules.code),
            problem=Unavailable(journal.stopped) if journal.stopped else None,
            objects=totals.objects,
            size_bytes=totals.size_bytes,
            incomplete_blocks=totals.incomplete_blocks,
            releasing_blocks=totals.releasing_blocks + serving.releaser.unnamed_count,
            survives=max(0, min(await self._data_survives(serving, rules), _journal_survives(health))),
            journal=health,
            drill_s=totals.drill_s,
        )

    def other_gateways(self) -> tuple[str, ...]:
        """Names of other nodes of this organisation that are gateways of a namespace."""
        view = self._mesh.view
        me = view.node(self._mesh.me)
        if me is None:
            return ()
        gateways = {
            facts.gateway for facts in view.namespaces() if facts.gateway != self._mesh.me and facts.gateway_is_member
        }
        return tuple(sorted(self._holders.name(node) for node in gateways))

    async def _data_survives(self, serving: Open, rules: Rules) -> int:
        """Organisations that may vanish besides those that are gone: each takes as many shares as it may hold.

        Blocks that are not complete are looked at one by one, as far as that goes; else their margin counts.
        """
        organisations = {candidate.organisation for candidate in rules.candidates}
        live = self._mesh.live()
        gone = organisations - {candidate.organisation for candidate in rules.candidates if candidate.node in live}
        even = -(-rules.code.n // max(1, len(organisations)))
        per_organisation = min(lawful_caps(rules.data_class, rules.code).organisation, even)
        complete = rules.code.spare // max(1, per_organisation) - len(gone)
        incomplete = await serving.catalog.incomplete(limit=INCOMPLETE_MOST + 1)
        if len(incomplete) > INCOMPLETE_MOST:
            return rules.code.margin // max(1, per_organisation) - len(gone)
        owners = {candidate.node: candidate.organisation for candidate in rules.candidates if candidate.node in live}
        return min([complete, *(block_survives(block, owners) for block in incomplete)])

    async def _closed(self, tenancy: Tenancy, problem: MaillonError) -> NamespaceStatus:
        """Of one that cannot be written here; what it holds is told where it can be read."""
        arrived_rows, arriving_rows = tenancy.arrival or (0, 0)
        totals = await _readable_totals(tenancy)
        return NamespaceStatus(
            name=tenancy.secrets.name,
            namespace=tenancy.secrets.namespace,
            data_class=tenancy.secrets.data_class,
            code="",
            problem=problem,
            objects=0 if totals is None else totals.objects,
            size_bytes=0 if totals is None else totals.size_bytes,
            incomplete_blocks=0,
            releasing_blocks=0,
            survives=0,
            journal=None,
            arrived_rows=arrived_rows,
            arriving_rows=arriving_rows,
        )

    def _explain_block(self, reference: BlockRef, rules: Rules, live: set[NodeId]) -> BlockExplanation:
        code = Code(reference.k, reference.n, 0)
        told = reasons(reference.block, reference.placing, rules.data_class, code, rules.candidates)
        return BlockExplanation(
            block=reference.block,
            k=reference.k,
            n=reference.n,
            size_bytes=reference.size_bytes,
            shares=tuple(self._explain_share(reference, reason, live) for reason in told),
        )

    def _explain_share(self, reference: BlockRef, reason: Reason, live: set[NodeId]) -> ShareExplanation:
        facts = self._mesh.view.node(reason.node)
        return ShareExplanation(
            reason=reason,
            node_name=self._holders.name(reason.node),
            organisation_name=facts.organisation_name if facts is not None else "",
            answers=reason.node in live,
            complete=not reference.missing >> reason.index & 1,
        )


def block_survives(block: BlockRef, owners: Mapping[NodeId, OrganisationId]) -> int:
    """How many organisations may vanish, the worst ones, and the block be still readable; below 0 when it is not.

    `owners`: whose the nodes are that answer now.
    """
    there = Counter(
        owners[node] for index, node in enumerate(block.placing) if node in owners and not block.missing >> index & 1
    )
    left, lost = there.total(), -1
    for count in [0, *sorted(there.values(), reverse=True)]:
        left -= count
        if left < block.k:
            break
        lost += 1
    return lost


async def _readable_totals(tenancy: Tenancy) -> CatalogTotals | None:
    """What the namespace holds, where it may be read now."""
    try:
        return await tenancy.require_readable().catalog.totals()
    except MaillonError:
        return None


def _journal_survives(health: JournalHealth) -> int:
    return len(health.answering) - health.needed
