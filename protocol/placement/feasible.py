"""Can these nodes still complete a placement? Caps on organisation, zone and jurisdiction, answered exactly.

Choosing nodes greedily in rendezvous order can paint itself into a corner when organisations and zones cross: the
last share finds only full ones although another choice earlier would have left room. Whether a choice can be
completed is a maximum-flow question on source → jurisdiction → organisation → (node) → zone → sink, small enough for
plain augmenting paths. An organisation stands in one jurisdiction (its admission says which).

Source: Edmonds and Karp 1972.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from protocol.ids import OrganisationId
from protocol.placement.candidates import Candidate
from protocol.placement.classes import Caps

K = TypeVar("K")


@dataclass(slots=True)
class Tally:
    """How many shares stand where. Mutable on purpose: it is the inner loop of `choose`."""

    caps: Caps
    organisations: dict[OrganisationId, int] = field(default_factory=dict)
    zones: dict[str, int] = field(default_factory=dict)
    jurisdictions: dict[str, int] = field(default_factory=dict)

    def admits(self, candidate: Candidate) -> bool:
        """Whether one more share on this node keeps every cap."""
        return (
            self.organisations.get(candidate.organisation, 0) < self.caps.organisation
            and self.zones.get(candidate.zone, 0) < self.caps.zone
            and (
                self.caps.jurisdiction is None
                or self.jurisdictions.get(candidate.jurisdiction, 0) < self.caps.jurisdiction
            )
        )

    def add(self, candidate: Candidate, count: int = 1) -> None:
        """Count a share on this node (or take it back with -1)."""
        _count(self.organisations, candidate.organisation, count)
        _count(self.zones, candidate.zone, count)
        _count(self.jurisdictions, candidate.jurisdiction, count)


def _count(counter: dict[K, int], key: K, count: int) -> None:
    counter[key] = counter.get(key, 0) + count


def tally_of(caps: Caps, chosen: Iterable[Candidate]) -> Tally:
    """The counts of a set of nodes."""
    tally = Tally(caps)
    for candidate in chosen:
        tally.add(candidate)
    return tally


def most_shares(caps: Caps, chosen: Sequence[Candidate], rest: Sequence[Candidate], enough: int) -> int:
    """How many of `rest` can join `chosen` at most under the caps; counting stops at `enough`."""
    flow = _Flow(tally_of(caps, chosen), rest)
    count = 0
    while count < enough and flow.augment():
        count += 1
    return count


_Vertex = tuple[str, object]
_SOURCE: _Vertex = ("source", None)
_SINK: _Vertex = ("sink", None)


class _Flow:
    """The residual graph: `room[a][b]` is how many more units may go from a to b."""

    def __init__(self, tally: Tally, rest: Sequence[Candidate]) -> None:
        self.room: dict[_Vertex, dict[_Vertex, int]] = {}
        caps = tally.caps
        country_cap = len(rest) + len(tally.zones) if caps.jurisdiction is None else caps.jurisdiction
        for number, candidate in enumerate(rest):
            country: _Vertex = ("jurisdiction", candidate.jurisdiction)
            organisation: _Vertex = ("organisation", candidate.organisation)
            node: _Vertex = ("node", number)
            zone: _Vertex = ("zone", candidate.zone)
            taken = 0 if caps.jurisdiction is None else tally.jurisdictions.get(candidate.jurisdiction, 0)
            self._edge(_SOURCE, country, country_cap - taken)
            self._edge(country, organisation, caps.organisation - tally.organisations.get(candidate.organisation, 0))
            self._edge(organisation, node, 1)
            self._edge(node, zone, 1)
            self._edge(zone, _SINK, caps.zone - tally.zones.get(candidate.zone, 0))

    def augment(self) -> bool:
        """Send one more unit along a shortest path with room; False when there is none."""
        before: dict[_Vertex, _Vertex] = {_SOURCE: _SOURCE}
        queue = [_SOURCE]
        for vertex in queue:
            for neighbour, room in self.room.get(vertex, {}).items():
                if room > 0 and neighbour not in before:
                    before[neighbour] = vertex
                    queue.append(neighbour)
            if _SINK in before:
                self._send(before)
                return True
        return False

    def _edge(self, start: _Vertex, end: _Vertex, room: int) -> None:
        self.room.setdefault(start, {})[end] = room
        self.room.setdefault(end, {}).setdefault(start, 0)

    def _send(self, before: dict[_Vertex, _Vertex]) -> None:
        vertex = _SINK
        while vertex != _SOURCE:
            previous = before[vertex]
            self.room[previous][vertex] -= 1
            self.room[vertex][previous] += 1
            vertex = previous
