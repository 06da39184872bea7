"""Can these nodes still complete a placement? Caps on organisation, zone and jurisdiction, answered exactly.

Choosing nodes greedily in rendezvous order can paint itself into a corner when organisations and zones cross: the
last share finds only full ones although another choice earlier would have left room. Whether a choice can be
completed is a maximum-flow question on source → jurisdiction → organisation → (node) → zone → sink, small enough for
plain augmenting paths. An organisation stands in one jurisdiction (its admission says which).

Source: Ford and Fulkerson 1956.
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


class _Flow:
    """Unit flows through nodes. A used node sends one unit from its organisation to its zone."""

    def __init__(self, tally: Tally, rest: Sequence[Candidate]) -> None:
        self.tally = tally
        self.rest = rest
        self.used = [False] * len(rest)

    def augment(self) -> bool:
        """Find one more unit along a path of unused nodes forwards and used nodes backwards."""
        seen: set[int] = set()
        for start, candidate in enumerate(self.rest):
            if not self.used[start] and start not in seen and self._enters(candidate):
                path = self._reach_sink(start, seen)
                if path is not None:
                    self._flip(path)
                    return True
        return False

    def _enters(self, candidate: Candidate) -> bool:
        tally, caps = self.tally, self.tally.caps
        return tally.organisations.get(candidate.organisation, 0) < caps.organisation and (
            caps.jurisdiction is None or tally.jurisdictions.get(candidate.jurisdiction, 0) < caps.jurisdiction
        )

    def _reach_sink(self, start: int, seen: set[int]) -> list[int] | None:
        """Breadth first over nodes: forward `start`, then (back over a used node of its zone, forward another)…"""
        before: dict[int, int | None] = {start: None}
        queue = [start]
        seen.add(start)
        for index in queue:
            candidate = self.rest[index]
            if not self.used[index]:
                if self.tally.zones.get(candidate.zone, 0) < self.tally.caps.zone:
                    return _path_to(index, before)
                following = [i for i, c in enumerate(self.rest) if self.used[i] and c.zone == candidate.zone]
            else:
                following = self._replacements(candidate)
            for neighbour in following:
                if neighbour not in seen:
                    seen.add(neighbour)
                    before[neighbour] = index
                    queue.append(neighbour)
        return None

    def _replacements(self, freed: Candidate) -> list[int]:
        """Unused nodes that may enter once `freed` no longer counts: of its organisation, or of its jurisdiction."""
        caps, tally = self.tally.caps, self.tally
        return [
            index
            for index, candidate in enumerate(self.rest)
            if not self.used[index]
            and (
                candidate.organisation == freed.organisation
                or (
                    candidate.jurisdiction == freed.jurisdiction
                    and tally.organisations.get(candidate.organisation, 0) < caps.organisation
                )
            )
        ]

    def _flip(self, path: list[int]) -> None:
        for index in path:
            self.used[index] = not self.used[index]
            self.tally.add(self.rest[index], 1 if self.used[index] else -1)


def _path_to(index: int, before: dict[int, int | None]) -> list[int]:
    path = [index]
    while (previous := before[path[-1]]) is not None:
        path.append(previous)
    return path
