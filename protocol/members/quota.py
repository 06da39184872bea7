"""How much each organisation may store at each holder: a pure function of the view, so that all agree on it.

What an organisation brings is what it may use: at every holder, its part of the credited capacity there is its part
of the credited capacity of the whole federation. The parts of one holder never add up to more than it has, so no
member can fill another's disk, and a federation that keeps to its quotas never promises room it does not have.
A pending organisation uses its sponsor's part, and adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.ids import NodeId, OrganisationId
from protocol.members.view import View


def quota_owner(view: View, organisation: OrganisationId) -> OrganisationId | None:
    """Whose part `organisation` uses: its own once admitted, its sponsor's before; None for a stranger."""
    facts = view.organisation(organisation)
    return None if facts is None else facts.sponsor


def allowance_bytes(view: View, holder: NodeId, organisation: OrganisationId) -> int:
    """What `holder` lets `organisation`, and all who use the same part, store together; 0 for strangers."""
    owner = quota_owner(view, organisation)
    place = view.node(holder)
    if owner is None or place is None:
        return 0
    brought = view.facts.brought_bytes
    total = sum(brought.values())
    return place.capacity_bytes * brought.get(owner, 0) // total if total else 0


def used_by_owner(view: View, used_bytes: Mapping[OrganisationId, int]) -> dict[OrganisationId, int]:
    """A holder's use by organisation, added up by whose part it is; strangers' shares are left out."""
    added: dict[OrganisationId, int] = {}
    for organisation in sorted(used_bytes):
        owner = quota_owner(view, organisation)
        if owner is not None:
            added[owner] = added.get(owner, 0) + used_bytes[organisation]
    return added
