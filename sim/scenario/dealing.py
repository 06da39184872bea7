"""Who belongs to whom and stands where, from the numbers that a scenario gives; and names for groups of nodes.

Nodes are dealt in turn, as cards are: the first to the first organisation, the second to the second, and so on, and
in the same way to zones. A fault can so name all nodes of a site or of a country without listing them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sim.scenario.model import FederationSection

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Seat:
    """One node's place. Its node is called n and `number`, its organisation o and `organisation`."""

    number: int
    organisation: int
    zone: str
    jurisdiction: str
    is_pending: bool

    @property
    def node(self) -> str:
        return f"n{self.number}"


def deal(federation: FederationSection) -> tuple[Seat, ...]:
    """All nodes, the founder's first; those of the pending organisation last."""
    members = federation.nodes - federation.pending
    organisations = federation.organisations or members
    zones = federation.zones or federation.nodes
    places = federation.jurisdictions
    seats = []
    for place in range(federation.nodes):
        is_pending = place >= members
        organisation = organisations if is_pending else place % organisations
        where = places[organisation % len(places)]
        seats.append(Seat(place + 1, organisation, f"zone-{place % zones + 1}", where, is_pending))
    return tuple(seats)


def groups(federation: FederationSection) -> Mapping[str, tuple[str, ...]]:
    """The nodes behind every name that a fault's `of` may use: a node, an organisation, a zone, a jurisdiction."""
    found: dict[str, list[str]] = {ALL: []}
    for seat in deal(federation):
        for name in (ALL, seat.node, f"o{seat.organisation}", seat.zone, seat.jurisdiction):
            found.setdefault(name, []).append(seat.node)
    return {name: tuple(nodes) for name, nodes in found.items()}
