"""Organisations, nodes and the records by which they form a federation, from small numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from protocol.ids import Digest, FederationId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.cards import (
    NodeCard,
    NodeState,
    OrganisationCard,
    make_introduction,
    make_node_card,
    make_organisation_card,
)
from protocol.members.charter import Admissions, Charter, Quorum, Standing, make_charter
from protocol.members.lineage import Certification, OrganisationKeys, certify_node
from protocol.members.records import Record
from protocol.placement.classes import standard_classes

STANDING = Standing("FR", "association", (), 2**50)


@dataclass(frozen=True)
class Party:
    """One organisation with one node; `number` makes all its keys."""

    number: int

    @cached_property
    def organisation(self) -> OrganisationKeys:
        return OrganisationKeys(self.number.to_bytes(32, "big"))

    @cached_property
    def key(self) -> SigningKey:
        return SigningKey.from_seed((1_000 + self.number).to_bytes(32, "big"))

    @property
    def node(self) -> NodeId:
        return NodeId(self.key.public)

    @property
    def name(self) -> str:
        return f"n{self.number}"

    def certification(self, federation: FederationId) -> Certification:
        organisation = self.organisation
        return certify_node(organisation.key(), organisation.lineage(), federation, self.node)

    def card(self, federation: FederationId, addresses: tuple[str, ...] = ()) -> NodeCard:
        return NodeCard(
            certification=self.certification(federation),
            name=self.name,
            zone=f"zone-{self.number}",
            addresses=addresses,
            bulk_address=None,
            capacity_bytes=10**12,
            protocol_least=1,
            protocol_most=1,
            state=NodeState.ACTIVE,
        )

    def organisation_card(self, federation: FederationId, invitation: Digest | None) -> Record:
        card = OrganisationCard(self.organisation.lineage(), invitation, f"organisation {self.number}", "")
        return make_organisation_card(self.organisation.key(), federation, card, counter=1)

    def node_card(self, federation: FederationId, addresses: tuple[str, ...] = (), *, counter: int = 1) -> Record:
        return make_node_card(self.key, federation, self.card(federation, addresses), counter=counter)


@dataclass(frozen=True)
class Founded:
    """A young federation: the founder's charter and cards."""

    federation: FederationId
    founder: Party
    records: tuple[Record, ...]


def found(founder: Party, addresses: tuple[str, ...] = (), *, alone_up_to: int = 3) -> Founded:
    charter = Charter(
        name="Essai",
        founder=founder.organisation.lineage(),
        founder_standing=STANDING,
        founded_s=1_700_000_000,
        admissions=Admissions.SPONSORED,
        quorum=Quorum.MAJORITY,
        founder_alone_up_to=alone_up_to,
        classes=standard_classes(),
    )
    federation, record = make_charter(founder.organisation.key(), charter)
    cards = (founder.organisation_card(federation, None), founder.node_card(federation, addresses))
    return Founded(federation, founder, (record, *cards))


def introduced(
    founded: Founded, party: Party, addresses: tuple[str, ...] = (), *, invitation: Digest | None = None
) -> tuple[Record, ...]:
    """The records by which the founder's node vouches for another party."""
    named = invitation or Digest(bytes([party.number]) * 32)
    federation, founder = founded.federation, founded.founder
    return (
        make_introduction(
            founder.key, federation, founder.certification(federation), named, party.organisation.organisation
        ),
        party.organisation_card(federation, named),
        party.node_card(federation, addresses),
    )
