"""Who is in a federation: nodes and the organisations they belong to, with keys that follow from their numbers.

A scenario says how many there are and what is known of them; everything else follows from the place in the list, so
two runs of one scenario have the same members, ids and addresses whatever the seed is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.members.charter import Standing
from protocol.members.lineage import Lineage, OrganisationKeys

PORT = 7000


@dataclass(frozen=True)
class House:
    """An organisation, as the members admitted it; or pending, as only its inviter stands for it."""

    number: int
    standing: Standing
    is_pending: bool = False

    @property
    def name(self) -> str:
        return f"o{self.number}"

    @property
    def counts_as(self) -> str:
        """Whose caps and quota it uses: its own once admitted, until then those of the founder, who invited it."""
        return "o0" if self.is_pending else self.name

    @cached_property
    def keys(self) -> OrganisationKeys:
        return OrganisationKeys(_seed("organisation", self.number))

    @cached_property
    def key(self) -> SigningKey:
        return self.keys.key()

    @cached_property
    def lineage(self) -> Lineage:
        return self.keys.lineage()


@dataclass(frozen=True)
class Actor:
    """A node: whose it is, where it stands, what it offers."""

    number: int
    house: House
    zone: str
    capacity_bytes: int

    @property
    def name(self) -> str:
        return f"n{self.number}"

    @property
    def address(self) -> str:
        return f"{self.name}:{PORT}"

    @cached_property
    def key(self) -> SigningKey:
        return SigningKey.from_seed(_seed("node", self.number))

    @cached_property
    def node(self) -> NodeId:
        return NodeId(self.key.public)


@dataclass(frozen=True)
class Cast:
    """All nodes, the founder's first."""

    actors: tuple[Actor, ...]

    @cached_property
    def houses(self) -> tuple[House, ...]:
        """The organisations, in the order of their first node."""
        return tuple(dict.fromkeys(actor.house for actor in self.actors))

    @cached_property
    def _by_name(self) -> dict[str, Actor]:
        return {actor.name: actor for actor in self.actors}

    @cached_property
    def _by_node(self) -> dict[NodeId, Actor]:
        return {actor.node: actor for actor in self.actors}

    def __getitem__(self, name: str) -> Actor:
        return self._by_name[name]

    def of_node(self, node: NodeId) -> Actor:
        return self._by_node[node]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(actor.name for actor in self.actors)


def _seed(kind: str, number: int) -> bytes:
    return hashlib.sha256(f"maillon sim {kind} {number}".encode()).digest()
