"""Why each share is where it is, and why it is allowed there: the words behind `maillon explain`.

Pure facts, in the order of the shares; the command turns them into sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.ids import BlockId, NodeId, OrganisationId
from protocol.placement import rendezvous
from protocol.placement.candidates import Candidate, objection
from protocol.placement.classes import Code, DataClass, lawful_caps
from protocol.placement.feasible import tally_of
from protocol.placement.place import Placing


@dataclass(frozen=True, slots=True)
class Reason:
    """One share. `rank` is the holder's place in the block's rendezvous order, from 1; 0 when it is no member now.

    `objection` is the identifier of the rule that the holder breaks today (facts may have changed), or None.
    """

    index: int
    node: NodeId
    organisation: OrganisationId | None
    zone: str
    jurisdiction: str
    rank: int
    in_organisation: int
    most_in_organisation: int
    in_zone: int
    most_in_zone: int
    objection: str | None


def reasons(
    block: BlockId, placing: Placing, data_class: DataClass, code: Code, candidates: Sequence[Candidate]
) -> tuple[Reason, ...]:
    """A reason for each share of the placing."""
    known = {candidate.node: candidate for candidate in candidates}
    eligible = [candidate for candidate in candidates if objection(candidate, data_class) is None]
    ranked = rendezvous.order(block, ((candidate.node, candidate.weight) for candidate in eligible))
    caps = lawful_caps(data_class, code)
    tally = tally_of(caps, [known[node] for node in placing if node in known])

    def reason(index: int, node: NodeId) -> Reason:
        holder = known.get(node)
        return Reason(
            index=index,
            node=node,
            organisation=holder.organisation if holder else None,
            zone=holder.zone if holder else "",
            jurisdiction=holder.jurisdiction if holder else "",
            rank=ranked.index(node) + 1 if node in ranked else 0,
            in_organisation=tally.organisations.get(holder.organisation, 0) if holder else 0,
            most_in_organisation=caps.organisation,
            in_zone=tally.zones.get(holder.zone, 0) if holder else 0,
            most_in_zone=caps.zone,
            objection=objection(holder, data_class) if holder else "candidate-not-member",
        )

    return tuple(reason(index, node) for index, node in enumerate(placing))
